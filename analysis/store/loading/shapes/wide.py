"""One column an annotator: a row an item, as vendors' workbooks have it, to items and votes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from analysis.roles import ROW_NUMBER, Roles
from analysis.store.loading.shapes.parts import (
    add_notes,
    describe_count,
    find_free_name,
    make_part,
    narrow,
)
from analysis.store.loading.shapes.people_columns import SKIPS, Family, find_family, fold, split_extra
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import Fragment, join, list_value, template, value

__all__ = ["split_wide"]

_ROW_ROLES: Final = ("split", "batch", "round", "guideline")
_EXTRA_FIELDS: Final = {
    "seconds": Fragment("v.seconds"),
    "started_at": Fragment("v.started_at"),
    "labelled_at": Fragment("v.labelled_at"),
    "comment": Fragment("v.comment"),
}
_FREQUENT: Final = 0.25


@dataclass(frozen=True)
class _Person:
    """One annotator's columns: the answers, the name (or the column that holds it), and what else is told of them."""

    column: str
    name: Fragment
    extras: Mapping[str, str]


def split_wide(source: Source, roles: Roles, options: LoadOptions) -> list[Source] | None:
    """Split a file with one column an annotator into items and votes.

    Parameters
    ----------
    source
        A whole file. Its scratch database goes on with the items.
    roles
        The roles of its columns as far as names and the user tell.
    options
        ``--role vote=COLUMN`` names annotators' columns.

    Returns
    -------
    list of Source or None
        None where it has no such columns.

    Raises
    ------
    NeedsChoiceError
        If some columns may be annotators or features.
    """
    ids = roles.column("item_id")
    if ids is None:
        # Without ids nothing can be loaded; planning says so, whatever the columns are.
        return None
    family, notes = find_family(source, roles, options)
    if family is None:
        return [add_notes(source, notes)] if notes else None
    people = _find_people(source, family)
    skips = _find_skips(source, roles, people)
    votes = _make_votes(source, roles, people, skips)
    try:
        votes = add_notes(votes, _describe(votes, family, people, skips))
        used = {column for person in people for column in (person.column, *person.extras.values())}
        used |= set(family.named_by.values())
        kept = [name for name in source.table.names if name not in used]
        if set(kept) <= {ids, roles.column("split")} and _names_all_items(source, votes):
            return [replace(votes, table=replace(votes.table, rejects=source.table.rejects))]
        return [narrow(source, kept, part="items", kind="items", roles=source.table.roles), votes]
    except BaseException:
        votes.scratch.close()
        raise


def _names_all_items(source: Source, votes: Source) -> bool:
    """Tell whether every row of the file has a vote, so that no item would be lost with the items."""
    asked = int(votes.scratch.fetch_all(Fragment("SELECT count(DISTINCT c0) FROM raw"))[0][0])
    return asked == source.rows - len(source.table.rejects)


def _find_people(source: Source, family: Family) -> list[_Person]:
    found: list[_Person] = []
    for column, name in family.people.items():
        known = {fold(column), fold(name), *([fold(family.named_by[column])] if family.named_by else [])}
        number = "".join(sign for sign in column if sign.isdigit())
        extras: dict[str, str] = {}
        for facts in source.facts:
            extra = split_extra(facts.name)
            if extra is None or facts.name in family.people or facts.name in family.named_by.values():
                continue
            whose, what = extra
            numeric = facts.type in {"integer", "number"}
            role = ("seconds" if numeric else "labelled_at") if what == "time" else what
            fits = {"seconds": numeric, "comment": True}.get(role, facts.type == "date")
            mine = fold(whose) in known or (number and fold(whose) == number)
            if mine and role and (fits or facts.missing == facts.rows):
                extras.setdefault(role, facts.name)
        named = source.to_text(family.named_by[column]) if family.named_by else value(name)
        found.append(_Person(column, named, extras))
    return found


def _find_skips(source: Source, roles: Roles, people: list[_Person]) -> dict[str, int]:
    """Count the words for "cannot tell" in the answers; a class of the file, or a frequent answer, is none."""
    cells = join(" UNION ALL ", [template("SELECT {c} AS v FROM raw", c=source.to_text(p.column)) for p in people])
    counted = dict(
        source.scratch.fetch_all(
            template("SELECT trim(v), count(*) FROM ({cells}) WHERE trim(v) != '' GROUP BY 1", cells=cells)
        )
    )
    label = roles.column("given_label")
    classes: set[str] = set()
    if label is not None:
        query = template("SELECT DISTINCT lower(trim({c})) FROM raw", c=source.to_text(label))
        classes = {str(found) for (found,) in source.scratch.fetch_all(query) if found is not None}
    total = sum(counted.values())
    return {
        word: times
        for word, times in counted.items()
        if word.casefold() in SKIPS and word.casefold() not in classes and times <= _FREQUENT * total
    }


def _make_votes(source: Source, roles: Roles, people: list[_Person], skips: Mapping[str, int]) -> Source:
    extras = [role for role in _EXTRA_FIELDS if any(role in person.extras for person in people)]
    along = [(role, column) for role in _ROW_ROLES if (column := roles.column(role)) is not None]
    said = roles.column("item_id")
    numbered = said is None or said == ROW_NUMBER
    ids = Fragment("CAST(row AS VARCHAR)") if numbered else source.to_text(str(said))
    names = [find_free_name("row", source.table.names) if numbered else str(said)]
    names += [column for _role, column in along]
    made = [(role, role) for role in ("annotator", "given_label", *extras)]
    for _role, wanted in made:
        names.append(find_free_name(wanted, names))
    ballots = join(
        ", ",
        [
            template(
                "{{'annotator': {name}, 'label': nullif(trim({label}), ''), {extras}}}",
                name=template("CAST({name} AS VARCHAR)", name=person.name),
                label=source.to_text(person.column),
                extras=join(", ", [_extra(source, person, role) for role in _EXTRA_FIELDS]),
            )
            for person in people
        ],
    )
    picked = [
        Fragment("v.annotator"),
        template("CASE WHEN v.label != ALL({skips}) THEN v.label END", skips=list_value(list(skips))),
    ]
    picked += [_EXTRA_FIELDS[role] for role in extras]
    query = template(
        "SELECT row, {columns} FROM (SELECT *, unnest([{ballots}]) AS v FROM raw) WHERE v.label IS NOT NULL",
        columns=join(", ", [ids, *(source.to_text(column) for _role, column in along), *picked]),
        ballots=ballots,
    )
    given = [("item_id", names[0]), *along]
    given += [(role, name) for (role, _wanted), name in zip(made, names[1 + len(along) :], strict=True)]
    return make_part(source, query, names, part="votes", kind="votes", roles=given)


def _extra(source: Source, person: _Person, role: str) -> Fragment:
    """Return one field of an annotator's answer; without a column it is missing."""
    column = person.extras.get(role)
    if role == "seconds":
        number = source.to_number(column) if column else Fragment("CAST(NULL AS DOUBLE)")
        return template("'seconds': {number}", number=number)
    if role == "comment":
        said = source.to_text(column) if column else Fragment("CAST(NULL AS VARCHAR)")
        return template("'comment': {said}", said=said)
    moment = source.to_time(column) if column else Fragment("CAST(NULL AS TIMESTAMP)")
    if role == "started_at":
        return template("'started_at': {moment}", moment=moment)
    return template("'labelled_at': {moment}", moment=moment)


def _describe(votes: Source, family: Family, people: list[_Person], skips: Mapping[str, int]) -> list[str]:
    count = describe_count(votes.rows, "vote")
    whose = describe_count(len(people), "annotator")
    notes = [f"Read as one column an annotator ({family.reason}): {whose}, {count}. An empty cell is no vote."]
    if skips:
        words = ", ".join(f"{word!r} ({times:,})" for word, times in skips.items())
        notes.append(f'Read as "cannot tell": {words}.')
    return notes
