"""``relook people``: who is behind the names, which names may be one person, and what was merged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.commands.results import to_json
from analysis.core.people import count_shared_items, fetch_people, propose_merges
from analysis.errors import AnalysisError
from analysis.store.loading.people_file import read_people, take_people
from analysis.store.merging import fetch_merges, merge_name, undo_merge
from analysis.store.sql import Fragment
from analysis.store.workspace import Snapshot, Workspace, Writer

__all__ = ["PeopleOptions", "PeopleResult", "Person", "Proposal", "StatedMerge", "read_merge", "review_people"]


@dataclass(frozen=True)
class PeopleOptions:
    """What ``relook people`` takes; without file, merges and undo it only looks.

    Attributes
    ----------
    file
        A table of people, which states merges, teams and time zones.
    merges
        Pairs of a name and the person that it stands for.
    undo
        The number of a merge to take back.
    names
        False writes pseudonyms: stable in this workspace, and no hash of a name.
    who
        Who says so.
    """

    file: Path | None = None
    merges: tuple[tuple[str, str], ...] = ()
    undo: int | None = None
    names: bool = True
    who: str | None = None


@dataclass(frozen=True)
class Person:
    """One person. Times are UTC; None is unknown.

    Attributes
    ----------
    annotator, person
        The name under which everything else shows them; both are the same, since a merged name is nobody.
    names
        All names of theirs in files, their own first.
    votes, reviews
        Labels they gave, and labels they said of what others gave.
    """

    annotator: str
    person: str
    names: tuple[str, ...]
    team: str | None
    time_zone: str | None
    expert: bool
    votes: int
    reviews: int
    first_vote: datetime | None
    last_vote: datetime | None


@dataclass(frozen=True)
class Proposal:
    """Two people who may be one: ``a`` would become a name of ``b``.

    Attributes
    ----------
    score
        0 to 1, higher is surer; an order, not a probability.
    shared_items
        Items that both labelled: each is evidence that they are two people. What both said alike at the same moment
        does not count: it is one person's work under two names.
    """

    a: str
    b: str
    reason: str
    score: float
    shared_items: int


@dataclass(frozen=True)
class StatedMerge:
    """One entry of the log of merges."""

    merge: int
    name: str
    person: str
    who: str | None
    at: datetime
    undone: datetime | None


@dataclass(frozen=True)
class PeopleResult:
    """Everybody by name, proposals surest first, merges in their order; the JSON of ``relook people``."""

    people: tuple[Person, ...]
    proposals: tuple[Proposal, ...]
    merges: tuple[StatedMerge, ...]
    changed: bool
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook people``."""
        found: dict[str, Any] = to_json(self)
        return found


def review_people(workspace: Workspace, options: PeopleOptions | None = None) -> PeopleResult:
    """List people and propose merges, after doing what the options ask for: all of it or nothing.

    Parameters
    ----------
    workspace
        An existing workspace.
    options
        What to change, in this order: undo, file, merges. None only looks.

    Returns
    -------
    PeopleResult

    Raises
    ------
    AnalysisError
        If a name or merge is not there, a merge would make a chain, or the file cannot be read.
    """
    options = options or PeopleOptions()
    if options.file is None and not options.merges and options.undo is None:
        with workspace.read() as snapshot:
            return _describe(snapshot, options, changed=False, notes=[])
    told = read_people(options.file) if options.file is not None else ()
    notes: list[str] = []
    with workspace.write() as writer:
        if options.undo is not None:
            undo_merge(writer, options.undo)
            notes.append(f"Merge {options.undo} is undone: its name stands for itself again.")
        changed = options.undo is not None
        if told:
            before = _count_annotators(writer)
            merges, teams, zones = take_people(writer, told, who=options.who)
            new = _count_annotators(writer) - before
            changed = changed or any((merges, teams, zones, new))
            notes.append(f"From the file: merges {merges:,}, teams {teams:,}, time zones {zones:,}, new names {new:,}.")
        for name, person in options.merges:
            changed = merge_name(writer, name, person, who=options.who) or changed
        if changed:
            writer.bump("facts")
        else:
            notes.append("Nothing changed: all of it was known.")
        writer.discarded = not changed
        return _describe(writer, options, changed=changed, notes=notes)


def read_merge(given: str) -> tuple[str, str]:
    """Read ``NAME=PERSON``.

    Raises
    ------
    AnalysisError
        If one of the two is not there.

    Examples
    --------
    >>> read_merge("anna@x.com=Anna Berg")
    ('anna@x.com', 'Anna Berg')
    """
    name, equals, person = given.partition("=")
    if not equals or not name or not person:
        raise AnalysisError(f"--merge takes NAME=PERSON, got {given!r}. For example --merge 'anna@x.com=Anna Berg'.")
    return name, person


def _count_annotators(writer: Writer) -> int:
    return int(writer.fetch_one(Fragment("SELECT count(*) FROM annotators"))[0])


def _describe(snapshot: Snapshot, options: PeopleOptions, *, changed: bool, notes: Sequence[str]) -> PeopleResult:
    found = fetch_people(snapshot)
    shown = _show_names(found, names=options.names)
    merges = fetch_merges(snapshot)
    proposals = _propose(snapshot, found, {frozenset((m.name, m.person)) for m in merges if m.undone is not None})
    people = tuple(
        Person(
            annotator=shown[row["person"]],
            person=shown[row["person"]],
            names=tuple(shown[name] for name in row["names"]),
            team=_known(row["team"]),
            time_zone=_known(row["time_zone"]),
            expert=bool(row["expert"]),
            votes=int(row["votes"]),
            reviews=int(row["reviews"]),
            first_vote=_known(row["first_vote"]),
            last_vote=_known(row["last_vote"]),
        )
        for row in found.to_dict("records")
    )
    return PeopleResult(
        people=people,
        proposals=tuple(Proposal(shown[p.a], shown[p.b], p.reason, p.score, p.shared_items) for p in proposals),
        merges=tuple(
            StatedMerge(m.merge, shown[m.name], shown[m.person], m.who if options.names else None, m.at, m.undone)
            for m in merges
        ),
        changed=changed,
        notes=tuple(notes),
    )


def _show_names(found: pd.DataFrame, *, names: bool) -> Mapping[str, str]:
    pairs = (
        pair
        for own, pseudonyms in zip(found["names"], found["pseudonyms"], strict=True)
        for pair in zip(own, pseudonyms, strict=True)
    )
    return {name: name if names else pseudonym for name, pseudonym in pairs}


def _propose(snapshot: Snapshot, found: pd.DataFrame, undone: set[frozenset[str]]) -> list[Proposal]:
    """Propose merges: those that a file states first; one that was taken back is not proposed again."""
    named = found[["person", "names", "votes"]].explode("names").rename(columns={"names": "name"})
    likely = propose_merges(named).itertuples(index=False)
    stated = _find_stated(snapshot, dict(zip(named["name"], named["person"], strict=True)))
    pairs = {frozenset((a, b)): (a, b, score, reason) for a, b, score, reason in likely}
    pairs = {**stated, **{key: row for key, row in pairs.items() if key not in stated}}
    kept = [row for key, row in pairs.items() if key not in undone]
    shared = count_shared_items(snapshot, [(a, b) for a, b, _score, _reason in kept])
    proposals = [
        Proposal(a, b, reason, score, items) for (a, b, score, reason), items in zip(kept, shared, strict=True)
    ]
    told = {row[:2] for row in stated.values()}
    # A file knows who is one person; of others, who labelled the same items is probably two, however alike the names.
    return sorted(proposals, key=lambda p: ((p.a, p.b) not in told, p.shared_items > 0, -p.score, p.a, p.b))


def _find_stated(snapshot: Snapshot, owners: Mapping[str, str]) -> dict[frozenset[str], tuple[str, str, float, str]]:
    """Return pairs of people of whom a file gave both names for one person."""
    rows = snapshot.fetch_all(Fragment("SELECT name, other, reason FROM known_names ORDER BY ALL"))
    found = {}
    for name, other, reason in rows:
        a, b = owners.get(name), owners.get(other)
        if a is not None and b is not None and a != b:
            found[frozenset((a, b))] = (a, b, 1.0, reason)
    return found


def _known(cell: Any) -> Any:  # noqa: ANN401  (a cell of a frame is any of its types)
    if pd.isna(cell):
        return None
    return cell.to_pydatetime() if isinstance(cell, pd.Timestamp) else cell
