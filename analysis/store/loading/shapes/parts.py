"""Parts of a file: tables made from what was read, each with its own kind, roles and way back to the file's lines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from analysis.errors import FileFaultError
from analysis.roles import Kind, Roles, guess_roles
from analysis.store.loading.planning import merge_given
from analysis.store.loading.source import Source, count_part
from analysis.store.loading.staging import LoadOptions
from analysis.store.readers.scratch import Lines, Reject, Scratch, SourceTable, physical
from analysis.store.sql import Fragment, identifier, join, template

__all__ = [
    "EVERY_ROLE",
    "PartLines",
    "add_notes",
    "closed_on_error",
    "describe_count",
    "describe_outliers",
    "describe_repeated",
    "find_free_name",
    "guess_source_roles",
    "list_names",
    "make_part",
    "make_votes",
    "narrow",
    "rename_roles",
    "select_kinds",
    "set_aside",
]

EVERY_ROLE = "vote"
"""The role of a column that holds one annotator's answers; it may be given several times."""


@dataclass
class PartLines(Lines):
    """Where the rows of a part begin: where the rows that they were made from do.

    Attributes
    ----------
    origins
        For each row of the part, the row of the whole file.
    whole
        Where the rows of the whole file begin.

    Examples
    --------
    >>> [PartLines(origins=np.array([1, 1, 2]), whole=Lines([1], [1])).find(row) for row in (1, 2, 3)]
    [2, 2, 3]
    """

    origins: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    whole: Lines = field(default_factory=Lines)

    def find(self, row: int) -> int:
        """Return the line on which the row begins that a row was made from."""
        return self.whole.find(int(self.origins[row - 1]))


def guess_source_roles(source: Source, options: LoadOptions) -> Roles:
    """Guess the roles of a file that is still whole, with what the user and the format say of its columns."""
    return guess_roles(source.facts, merge_given(source, options))


def make_part(
    source: Source,
    query: Fragment,
    names: Sequence[str],
    *,
    part: str,
    kind: Kind,
    roles: Sequence[tuple[str, str]],
    rejects: Sequence[Reject] = (),
    notes: Sequence[str] = (),
) -> Source:
    """Make a part of a file from a query on its rows.

    Parameters
    ----------
    source
        What the query reads.
    query
        Gives the row of the whole file that a row is made from, then one column for each of ``names``; in the order
        of the part.
    names
        The part's columns.
    part, kind, roles, rejects, notes
        As in ``SourceTable``.

    Returns
    -------
    Source
        In a scratch database of its own, which the caller closes.
    """
    scratch = Scratch(source.path)
    try:
        scratch.connection.register("arriving", source.scratch.stream(query))
        columns = [Fragment("origin"), *(physical(index, names) for index in range(len(names)))]
        scratch.execute(
            template(
                "CREATE TABLE raw AS SELECT row_number() OVER () AS row, * FROM arriving AS a ({columns})",
                columns=join(", ", columns),
            )
        )
        scratch.connection.unregister("arriving")
        origins = scratch.connection.sql("SELECT origin FROM raw ORDER BY row").fetchnumpy()["origin"]
        scratch.execute(Fragment("ALTER TABLE raw DROP COLUMN origin"))
        types = [str(row[1]) for row in scratch.fetch_all(Fragment("DESCRIBE raw"))][1:]
        table = SourceTable(
            tuple(names),
            tuple(types),
            tuple(rejects),
            PartLines(origins=origins, whole=source.table.lines),
            source.table.dialect,
            part,
            kind,
            tuple(roles),
            tuple(notes),
        )
        return replace(count_part(source.path, source.sha256, scratch, table), stamp=source.stamp)
    except BaseException:
        scratch.close()
        raise


def make_votes(
    source: Source, columns: Mapping[str, tuple[str, Fragment]], rest: Fragment, *, rejects: Sequence[Reject] = ()
) -> Source:
    """Make the part of the votes.

    Parameters
    ----------
    source
        What the votes are read from.
    columns
        For each role, the name and the SQL of its column.
    rest
        The query behind its columns: ``FROM ... ORDER BY ...``.
    rejects
        As in ``SourceTable``.

    Returns
    -------
    Source
        As of :func:`make_part`.
    """
    query = template(
        "SELECT row, {columns} {rest}", columns=join(", ", [column for _name, column in columns.values()]), rest=rest
    )
    names = [name for name, _column in columns.values()]
    roles = [(role, name) for role, (name, _column) in columns.items()]
    return make_part(source, query, names, part="votes", kind="votes", roles=roles, rejects=rejects)


def set_aside(scratch: Scratch) -> Fragment:
    """Rename ``raw``, so that a view can take its place; return its new name."""
    known = {str(name) for (name,) in scratch.fetch_all(Fragment("SELECT table_name FROM information_schema.tables"))}
    name = next(f"whole{n}" for n in range(len(known) + 1) if f"whole{n}" not in known)
    aside = identifier(name, [name], kind="table")
    view = scratch.fetch_all(
        Fragment("SELECT count(*) FROM information_schema.tables WHERE table_name = 'raw' AND table_type = 'VIEW'")
    )[0][0]
    if view:
        scratch.execute(template("ALTER VIEW raw RENAME TO {aside}", aside=aside))
    else:
        scratch.execute(template("ALTER TABLE raw RENAME TO {aside}", aside=aside))
    return aside


def narrow(source: Source, names: Sequence[str], *, part: str, kind: Kind, roles: Sequence[tuple[str, str]]) -> Source:
    """Keep some of a file's columns, in its own scratch database: nothing is copied."""
    indices = [source.table.names.index(name) for name in names]
    columns = [
        template("{old} AS {new}", old=physical(index, source.table.names), new=physical(place, names))
        for place, index in enumerate(indices)
    ]
    whole = set_aside(source.scratch)
    source.scratch.execute(
        template(
            "CREATE VIEW raw AS SELECT {columns} FROM {whole}",
            columns=join(", ", [Fragment("row"), *columns]),
            whole=whole,
        )
    )
    table = replace(
        source.table,
        names=tuple(names),
        types=tuple(source.table.types[index] for index in indices),
        part=part,
        kind=kind,
        roles=tuple((role, column) for role, column in roles if column in names),
    )
    return replace(
        source,
        table=table,
        facts=tuple(source.facts[index] for index in indices),
        casts_failed={name: lost for name, lost in source.casts_failed.items() if name in names},
    )


def add_notes(source: Source, notes: Sequence[str]) -> Source:
    """Add what a person should know about the reading."""
    return replace(source, table=replace(source.table, notes=(*source.table.notes, *notes))) if notes else source


def rename_roles(options: LoadOptions, renamed: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what the user said of columns that have other names in a part; ids and labels are settled elsewhere.

    Examples
    --------
    >>> rename_roles(LoadOptions(roles=(("text", "Input.body"), ("item_id", "Input.k"))), {"Input.body": "body"})
    [('text', 'body')]
    """
    said = [(role, renamed[column]) for role, column in options.roles if column in renamed]
    return [(role, column) for role, column in said if role not in {"item_id", "given_label", EVERY_ROLE}]


@contextmanager
def closed_on_error() -> Iterator[list[Source]]:
    """Give a list for the parts that are made inside the block; where it fails they are closed."""
    made: list[Source] = []
    try:
        yield made
    except BaseException:
        for part in made:
            part.scratch.close()
        raise


def select_kinds(parts: Sequence[Source], kind: Kind | None) -> list[Source]:
    """Keep the parts of one kind and close the others, where the user named a kind.

    Raises
    ------
    FileFaultError
        If there is no such part.
    """
    kept = [part for part in parts if kind is None or part.table.kind == kind]
    if not kept:
        found = ", ".join(str(part.table.kind) for part in parts)
        raise FileFaultError(f"{parts[0].path.name} holds {found}, and no {kind}. Leave out --kind.")
    for part in parts:
        if not any(part is each for each in kept):
            part.scratch.close()
    return kept


def describe_outliers(source: Source, column: str) -> list[str]:
    """Say how many times are far over all others; they are kept, since what they mean is not ours to say."""
    query = template(
        "WITH times AS (SELECT {number} AS s FROM raw WHERE {number} IS NOT NULL), "
        "limits AS (SELECT median(s) AS middle, 10 * quantile_cont(s, 0.95) AS far FROM times) "
        "SELECT count(*), max(s), any_value(middle) FROM times, limits WHERE s > far",
        number=source.to_number(column),
    )
    times, largest, middle = source.scratch.fetch_all(query)[0]
    if not times:
        return []
    note = (
        f"Seconds in {column!r} that are more than ten times what 95% of the votes took: {times:,}, up to "
        f"{largest:,.0f} beside a median of {middle:,.0f}. They are kept as they are."
    )
    return [note]


def describe_repeated(source: Source, ids: str, annotator: str) -> list[str]:
    """Say how often the same annotator voted on one item more than once, and not in identical rows."""
    key = template("hash({id}, {who})", id=source.to_text(ids), who=source.to_text(annotator))
    twice = template("SELECT count(*) > count(DISTINCT {key}) FROM raw", key=key)
    if not source.scratch.fetch_all(twice)[0][0]:
        return []
    query = template(
        "SELECT count(*) FROM (SELECT 1 FROM raw WHERE {id} IS NOT NULL AND {who} IS NOT NULL GROUP BY {id}, {who} "
        "HAVING count(DISTINCT hash({columns})) > 1)",
        id=source.to_text(ids),
        who=source.to_text(annotator),
        columns=join(", ", [source.find(name)[0] for name in source.table.names]),
    )
    times = int(source.scratch.fetch_all(query)[0][0])
    if not times:
        return []
    return [f"Items on which one annotator voted more than once: {times:,}. All these votes are kept."]


def find_free_name(wanted: str, names: Sequence[str]) -> str:
    """Return a column's name, with a number behind it where another differs at most in case.

    Examples
    --------
    >>> find_free_name("label", ["id", "Label"])
    'label_2'
    """
    taken = {name.casefold() for name in names}
    if wanted.casefold() not in taken:
        return wanted
    return next(f"{wanted}_{n}" for n in range(2, len(taken) + 3) if f"{wanted}_{n}".casefold() not in taken)


def list_names(names: Sequence[str], most: int) -> str:
    """List names, at most so many, then a count.

    Examples
    --------
    >>> list_names(["a", "b", "c"], 2)
    "'a', 'b' and 1 more"
    """
    rest = len(names) - most
    return ", ".join(map(repr, names[:most])) + (f" and {rest:,} more" if rest > 0 else "")


def describe_count(number: int, what: str) -> str:
    """Count things in words.

    Examples
    --------
    >>> describe_count(1, "vote"), describe_count(1200, "vote")
    ('1 vote', '1,200 votes')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"
