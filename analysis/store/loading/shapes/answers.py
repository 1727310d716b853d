"""Answers of several classes, such as ``A|B``: a workspace holds one label an item, so they say "cannot tell".

What is a class and what is several classes is told by the answers themselves: ``A|B`` is two classes only where
both ``A`` and ``B`` also stand alone. A JSON list of words always is several; one of numbers may be a class such as
the interval ``[0, 10]``.
"""

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import pyarrow as pa

from analysis.errors import FileFaultError
from analysis.store.loading.shapes.parts import add_notes, find_free_name, set_aside
from analysis.store.loading.source import Source, count_part
from analysis.store.readers.scratch import physical
from analysis.store.sql import Fragment, identifier, join, template

__all__ = ["MAX_COMBINED", "settle_multi_answers", "split_answer"]

MAX_COMBINED: Final = 0.2
"""The share of answers over which a file is one of several labels an item."""

_SIGNS: Final = ("|", ";")
_MAY_COMBINE: Final = "[|;]|^\\s*[\\[{]"


def settle_multi_answers(source: Source, column: str, comment: str | None = None) -> Source:
    """Turn answers of several classes into "cannot tell" (no label), and keep what they said as comment.

    Parameters
    ----------
    source
        Votes.
    column
        The column of labels.
    comment
        The column of comments; None takes the one that the format names, if any. What was said goes in front of it.

    Returns
    -------
    Source
        The same source where there is nothing to settle. Otherwise its ``raw`` is another, with the same rows.

    Raises
    ------
    FileFaultError
        If more than a fifth of the answers are of several classes.
    """
    comment = comment or dict(source.table.roles).get("comment")
    label = source.to_text(column)
    counts = Counter(
        {
            str(answer): int(times)
            for answer, times in source.scratch.fetch_all(
                template("SELECT {label}, count(*) FROM raw WHERE {label} IS NOT NULL GROUP BY 1", label=label)
            )
        }
        if _may_combine(source, label)
        else {}
    )
    single = {answer for answer in counts if not re.search(_MAY_COMBINE, answer)}
    single |= {str(atoms[0]) for answer in counts if len(atoms := _read_json(answer) or []) == 1}
    settled = {answer: split_answer(answer, single) for answer in counts}
    settled = {answer: atoms for answer, atoms in settled.items() if atoms != (answer,)}
    if not settled:
        return source
    combined = sum(counts[answer] for answer, atoms in settled.items() if len(atoms) > 1)
    if combined > MAX_COMBINED * counts.total():
        example = max((a for a, atoms in settled.items() if len(atoms) > 1), key=lambda answer: counts[answer])
        raise FileFaultError(
            f"{source.path.name}: {combined / counts.total():.0%} of the answers in {column!r} are of several classes, "
            f"for example {example!r}. relook holds one label an item: make one file for each class, with one of two "
            "answers (such as yes and no), and load each into a workspace of its own."
        )
    made = _replace_answers(source, column, comment, settled)
    if not combined:
        return made
    note = (
        f"Answers of several classes at once: {combined:,}, such as {_name_example(settled)!r}. relook holds one "
        'label an item: they count as "cannot tell", and what was said is kept as comment.'
    )
    return add_notes(made, [note])


def split_answer(answer: str, single: Collection[str]) -> tuple[str, ...]:
    """Split an answer into the classes that it names.

    Parameters
    ----------
    answer
        As it stands in the file.
    single
        The answers that stand alone.

    Returns
    -------
    tuple of str
        The classes in their order, each once; the answer itself where it is one class.

    Examples
    --------
    >>> split_answer("a|b", {"a", "b"}), split_answer("a|b", {"a"}), split_answer('["a", "b"]', ())
    (('a', 'b'), ('a|b',), ('a', 'b'))
    """
    listed = _read_json(answer)
    if listed is not None and all(isinstance(atom, str) or str(atom) in single for atom in listed):
        return tuple(dict.fromkeys(str(atom) for atom in listed if str(atom)))
    for sign in _SIGNS:
        atoms = tuple(dict.fromkeys(atom.strip() for atom in answer.split(sign) if atom.strip()))
        if sign in answer and atoms and all(atom in single for atom in atoms):
            return atoms
    return (answer,)


def _read_json(answer: str) -> list[str | int] | None:
    """Read a list of names, bare or as Label Studio writes it: ``{"choices": ["a", "b"]}``."""
    if not answer.lstrip().startswith(("[", "{")):
        return None
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    if isinstance(found, dict) and set(found) == {"choices"}:
        found = found["choices"]
    return found if isinstance(found, list) and all(isinstance(atom, str | int) for atom in found) else None


def _may_combine(source: Source, label: Fragment) -> bool:
    query = template("SELECT count(*) > 0 FROM raw WHERE regexp_matches({label}, '[|;]|^\\s*[\\[{{]')", label=label)
    return bool(source.scratch.fetch_all(query)[0][0])


def _name_example(settled: dict[str, tuple[str, ...]]) -> str:
    return next(answer for answer, atoms in settled.items() if len(atoms) > 1)


def _replace_answers(source: Source, column: str, comment: str | None, settled: dict[str, tuple[str, ...]]) -> Source:
    """Put a view in the place of ``raw`` in which the settled answers are what they mean."""
    names = source.table.names
    scratch = source.scratch
    rows = [(answer, atoms[0] if len(atoms) == 1 else None, len(atoms) > 1) for answer, atoms in settled.items()]
    arrow = pa.table(
        [
            pa.array([row[place] for row in rows], kind)
            for place, kind in enumerate((pa.string(), pa.string(), pa.bool_()))
        ],
        names=["answer", "label", "several"],
    )
    whole = set_aside(scratch)
    name = "settled_" + whole.text.strip('"')
    lookup = identifier(name, [name], kind="table")
    scratch.connection.register("arriving", arrow)
    scratch.execute(template("CREATE TABLE {lookup} AS SELECT * FROM arriving", lookup=lookup))
    scratch.connection.unregister("arriving")
    label = source.to_text(column)
    said = template("CASE WHEN s.several THEN s.answer END")
    places = {name: physical(index, names) for index, name in enumerate(names)}
    columns = {name: template("r.{place} AS {place}", place=place) for name, place in places.items()}
    columns[column] = template(
        "CASE WHEN s.answer IS NULL THEN {label} ELSE s.label END AS {place}", label=label, place=places[column]
    )
    roles = source.table.roles
    if comment is None:
        comment = find_free_name("comment", names)
        roles = (*roles, ("comment", comment))
        columns[comment] = template("{said} AS {place}", said=said, place=physical(len(names), [*names, comment]))
    else:
        columns[comment] = template(
            "nullif(concat_ws('; ', {said}, {more}), '') AS {place}",
            said=said,
            more=source.to_text(comment),
            place=places[comment],
        )
    scratch.execute(
        template(
            "CREATE VIEW raw AS SELECT {columns} FROM {whole} r LEFT JOIN {lookup} s ON s.answer = {label}",
            columns=join(", ", [Fragment("r.row"), *columns.values()]),
            whole=whole,
            lookup=lookup,
            label=label,
        )
    )
    types = tuple(str(row[1]) for row in scratch.fetch_all(Fragment("DESCRIBE raw")))[1:]
    table = replace(source.table, names=tuple(columns), types=types, roles=roles)
    return replace(count_part(source.path, source.sha256, scratch, table), stamp=source.stamp)
