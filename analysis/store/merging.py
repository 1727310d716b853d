"""Names that are one person: merged on request, numbered, and undone by their number.

A merge rewrites nothing. It points a name to the person's own (``annotators.alias_of``, one step deep), and whoever
asks who did something asks the view ``people``.
"""

from dataclasses import dataclass
from datetime import datetime

from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot, Writer, utc_now

__all__ = ["Merge", "fetch_merges", "find_person", "merge_name", "undo_merge"]


@dataclass(frozen=True)
class Merge:
    """One entry of the log: a name that was pointed to a person, by whom, when, and when that was undone."""

    merge: int
    name: str
    person: str
    who: str | None
    at: datetime
    undone: datetime | None


def fetch_merges(snapshot: Snapshot) -> tuple[Merge, ...]:
    """Return all merges ever made, in their order."""
    rows = snapshot.fetch_all(
        Fragment(
            'SELECT m.merge, n.name, p.name, m.who, m."at", m.undone FROM merges m '
            "JOIN annotators n ON n.annotator = m.name JOIN annotators p ON p.annotator = m.person ORDER BY m.merge"
        )
    )
    return tuple(Merge(*row) for row in rows)


def find_person(snapshot: Snapshot, name: str) -> str | None:
    """Return the name of the person behind a name, or None where the name is not known."""
    rows = snapshot.fetch_all(
        template(
            "SELECT p.name FROM people p JOIN annotators a ON a.annotator = p.annotator WHERE a.name = {name}",
            name=value(name),
        )
    )
    return rows[0][0] if rows else None


def merge_name(writer: Writer, name: str, person: str, *, who: str | None) -> bool:
    """Point a name to a person.

    Parameters
    ----------
    writer
        The one writer.
    name, person
        Two annotators; ``name`` is from now on another name of ``person``.
    who
        Who says so.

    Returns
    -------
    bool
        False where they are one person already.

    Raises
    ------
    UnknownNameError
        If one of them is not there.
    AnalysisError
        If it would make a chain or a circle, or the name belongs to somebody else.
    """
    codes: dict[str, int] = {}
    owners: dict[str, str] = {}
    for asked in (name, person):
        owners[asked] = _check_known(writer, asked)
        codes[asked] = int(
            writer.fetch_one(template("SELECT annotator FROM annotators WHERE name = {name}", name=value(asked)))[0]
        )
    if owners[name] == owners[person]:
        if name == person:
            raise AnalysisError(f"{name!r} cannot be merged with itself. Name two annotators: --merge NAME=PERSON.")
        return False
    if owners[name] != name:
        raise AnalysisError(
            f"{name!r} is already a name of {owners[name]!r}. Undo that first: --undo {_find_merge(writer, name)}."
        )
    if owners[person] != person:
        raise AnalysisError(
            f"{person!r} is itself a name of {owners[person]!r}. Merge into {owners[person]!r}, the person."
        )
    if _has_names(writer, codes[name]):
        others = [merge for merge in fetch_merges(writer) if merge.person == name and merge.undone is None]
        raise AnalysisError(
            f"{name!r} is the person behind {', '.join(repr(merge.name) for merge in others)}, and merges make no "
            f"chains. Merge the other way round, or undo {', '.join(str(merge.merge) for merge in others)} first."
        )
    writer.execute(Fragment("UPDATE annotators SET alias_of = ? WHERE annotator = ?", (codes[person], codes[name])))
    writer.execute(
        Fragment(
            'INSERT INTO merges (merge, name, person, who, "at") '
            "SELECT coalesce(max(merge), 0) + 1, ?, ?, ?, CAST(? AS TIMESTAMP) FROM merges",
            (codes[name], codes[person], who, utc_now().replace(tzinfo=None)),
        )
    )
    return True


def undo_merge(writer: Writer, number: int) -> Merge:
    """Take one merge back: the name stands for itself again.

    Raises
    ------
    AnalysisError
        If there is no such merge, or it was undone before.
    """
    found = next((merge for merge in fetch_merges(writer) if merge.merge == number), None)
    if found is None:
        numbers = [str(merge.merge) for merge in fetch_merges(writer) if merge.undone is None]
        raise UnknownNameError("merge", str(number), numbers)
    if found.undone is not None:
        raise AnalysisError(f"Merge {number} of {found.name!r} and {found.person!r} was undone before.")
    writer.execute(template("UPDATE annotators SET alias_of = NULL WHERE name = {name}", name=value(found.name)))
    writer.execute(
        Fragment(
            "UPDATE merges SET undone = CAST(? AS TIMESTAMP) WHERE merge = ?",
            (utc_now().replace(tzinfo=None), number),
        )
    )
    return found


def _check_known(writer: Writer, name: str) -> str:
    owner = find_person(writer, name)
    if owner is None:
        known = [found for (found,) in writer.fetch_all(Fragment("SELECT name FROM annotators ORDER BY name"))]
        raise UnknownNameError("annotator", name, known)
    return owner


def _has_names(writer: Writer, code: int) -> bool:
    query = template("SELECT count(*) > 0 FROM annotators WHERE alias_of = {code}", code=value(code))
    return bool(writer.fetch_one(query)[0])


def _find_merge(writer: Writer, name: str) -> int:
    return next(m.merge for m in reversed(fetch_merges(writer)) if m.name == name and m.undone is None)
