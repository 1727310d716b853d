"""From ranked candidates to a request: who looks again at which items.

Pure functions on frames. Nothing is read or written here; :mod:`analysis.relabel.files` makes the files.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

import pandas as pd

from analysis.errors import AnalysisError
from analysis.relabel.assignment import assign_items
from analysis.relabel.candidates import Item, Role, to_items
from analysis.relabel.draws import draw, draw_tokens
from analysis.relabel.spec import RequestSpec

__all__ = ["NO_LABEL", "NO_PERSON", "Part", "Request", "Task", "build_request"]

LISTED_TWICE = "already listed from another source"
OVER_BUDGET = "beyond the budget"
TOO_LONG = "takes longer than the whole budget"
TOO_FEW_PEOPLE = "too few of the assigned people have not labelled it yet"

NO_LABEL = "(no given label)"
"""Stands in `by_class` for items without a given label: a JSON key cannot be null."""
NO_PERSON = "(not known)"
"""Stands in `by_annotator` for items of which nobody knows who gave the label."""

_SECONDS_AN_HOUR = 3600
# Sums of seconds in floats: 36,000 times 0.1 s is a hair more than one hour.
_SECONDS_SLACK = 1e-6

Row = tuple[Item, Role, int | None]


class Task(NamedTuple):
    """One item as one person gets it.

    Attributes
    ----------
    token
        Opaque, the same for everybody who gets the item.
    item
        The item with all that is known of it.
    role
        ``"suspect"`` or ``"control"``.
    rank
        1 for the first candidate; None for a control.
    assignee
        Who gets it; None where nobody is assigned.
    """

    token: str
    item: Item
    role: Role
    rank: int | None
    assignee: str | None


class Part(NamedTuple):
    """The tasks that go into one file, in the order of the file."""

    assignee: str | None
    tasks: tuple[Task, ...]


@dataclass(frozen=True, eq=False)
class Request:
    """Who looks again at which items, before it is written.

    Attributes
    ----------
    spec
        What was asked for.
    parts
        One an assignee, in the order of the spec; one without a name where nobody is assigned.
    hours
        Expected hours of work in all, controls and every vote counted; None where no seconds are known.
    by_class
        Suspects by given label, most first (:data:`NO_LABEL` where there is none).
    by_annotator
        Suspects by who gave the label, most first (:data:`NO_PERSON` where that is unknown).
    by_assignee
        Tasks by who gets them; empty where nobody is assigned.
    left_out
        (reason, items) of the candidates that are not in it.
    notes
        What the user should know, in sentences.
    """

    spec: RequestSpec
    parts: tuple[Part, ...]
    hours: float | None
    by_class: dict[str, int]
    by_annotator: dict[str, int]
    by_assignee: dict[str, int]
    left_out: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        """Number of suspects."""
        return len({task.token for part in self.parts for task in part.tasks if task.role == "suspect"})

    @property
    def controls(self) -> int:
        """Number of controls."""
        return len({task.token for part in self.parts for task in part.tasks if task.role == "control"})

    @property
    def tasks(self) -> pd.DataFrame:
        """One row for each task and assignee, in the order of the files.

        Columns ``relook_task, assignee, split, item_id, role, rank, given_label, given_by, voters,
        likely_label, p_likely, p_wrong, seconds, reasons, source``; NA where unknown, and rank NA for
        controls.
        """
        rows = [
            (
                task.token,
                task.assignee,
                *task.item.key,
                task.role,
                task.rank,
                *(getattr(task.item, name) for name in _ITEM_COLUMNS),
            )
            for part in self.parts
            for task in part.tasks
        ]
        columns = ["relook_task", "assignee", "split", "item_id", "role", "rank", *_ITEM_COLUMNS]
        frame = pd.DataFrame(rows, columns=columns, dtype=object)
        return frame.astype({name: _TYPES.get(name, "string") for name in columns})


_ITEM_COLUMNS = (
    "given_label",
    "given_by",
    "voters",
    "likely_label",
    "p_likely",
    "p_wrong",
    "seconds",
    "reasons",
    "source",
)
_TYPES = {
    "rank": "Int64",
    "p_likely": "Float64",
    "p_wrong": "Float64",
    "seconds": "Float64",
    "voters": "object",
    "reasons": "object",
}


def build_request(candidates: pd.DataFrame, spec: RequestSpec, *, control_pool: pd.DataFrame | None = None) -> Request:
    """Choose the items, draw the controls, and give every item to people who have not labelled it.

    The steps, in this order: repeated candidates give way to their first row; controls are drawn; candidates
    are taken in rank order until the budget is reached, passing over those that too few people may label;
    tokens and the order in each file are drawn; people are assigned. Tokens, order and assignment are drawn
    from seed, request id, split and item id alone, so rank and role cannot be read off them.

    Parameters
    ----------
    candidates
        (N,) rows in rank order, first the one most worth a second look. Columns ``split, item_id`` and, where
        known, ``given_label, likely_label, p_likely`` (0 to 1), ``p_wrong`` (0 to 1), ``seconds`` (expected,
        for one vote), ``given_by, voters`` (tuple of people), ``reasons`` (tuple of kinds), ``source``.
        NA is unknown. Not changed.
    spec
        What is asked for. A budget in items counts suspects, controls come on top; a budget in hours counts
        all work, so controls are paid from it first.
    control_pool
        Items with a trusted label, in the same columns; those that are also candidates are not drawn.

    Returns
    -------
    Request
        hours = votes_per_item x (sum of seconds over suspects and controls) / 3600. Where only some seconds
        are known, the others count as the median of the known ones, with a note.

    Raises
    ------
    AnalysisError
        If nothing is left to send; if a budget in hours meets unknown seconds; if controls are asked for and
        there is no pool; if an assisted suggestion is not among the labels.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> spec = RequestSpec(
    ...     request_id="rq-1",
    ...     created_at=datetime(2026, 11, 21, tzinfo=UTC),
    ...     labels=("cat", "dog"),
    ...     budget_items=2,
    ...     assignees=("ann", "bob"),
    ... )
    >>> candidates = pd.DataFrame({"split": "train", "item_id": ["a", "b", "c"], "given_by": ["ann", "bob", "ann"]})
    >>> request = build_request(candidates, spec)
    >>> request.by_assignee, request.left_out
    ({'ann': 1, 'bob': 1}, (('beyond the budget', 1),))
    """
    listed = to_items(candidates, "candidates")
    unique = list({item.key: item for item in reversed(listed)}.values())[::-1]
    left_out: Counter[str] = Counter()
    left_out[LISTED_TWICE] += len(listed) - len(unique)
    pool = [] if control_pool is None else to_items(control_pool, "controls")
    typical = _typical_seconds(unique, spec)
    controls = _draw_controls(pool, {item.key for item in unique}, spec)
    suspects = _choose_suspects(unique, spec, typical, _total_seconds(controls, spec, typical) or 0.0, left_out)
    if not suspects:
        raise AnalysisError(_describe_nothing_left(len(listed), left_out))
    if not spec.blind:
        suspects = [(_check_suggestion(item, spec), role, rank) for item, role, rank in suspects]
        controls = [_check_suggestion(_suggest_for_control(item), spec) for item in controls]
    rows: list[Row] = [*suspects, *((item, "control", None) for item in controls)]
    chosen = [item for item, _role, _rank in rows]
    seconds = _total_seconds(chosen, spec, typical)
    parts = _to_parts(rows, spec)
    return Request(
        spec=spec,
        parts=parts,
        hours=None if seconds is None else seconds / _SECONDS_AN_HOUR,
        by_class=_count((item.given_label for item, _role, _rank in suspects), NO_LABEL),
        by_annotator=_count((item.given_by for item, _role, _rank in suspects), NO_PERSON),
        by_assignee={part.assignee: len(part.tasks) for part in parts if part.assignee is not None},
        left_out=tuple((reason, count) for reason, count in left_out.items() if count),
        notes=_describe_gaps(chosen, len(controls), spec, typical),
    )


def _typical_seconds(items: Sequence[Item], spec: RequestSpec) -> float | None:
    known = [item.seconds for item in items if item.seconds is not None]
    if known:
        return median(known)
    if spec.budget_hours is not None:
        raise AnalysisError(
            f"A budget of {spec.budget_hours:g} hours needs to know how long a vote takes, and no candidate "
            "has expected seconds. Load votes with start and end times or seconds, or give a budget in items."
        )
    return None


def _total_seconds(items: Sequence[Item], spec: RequestSpec, typical: float | None) -> float | None:
    if typical is None:
        return None
    return spec.votes_per_item * math.fsum(item.seconds or typical for item in items)


def _draw_controls(pool: Sequence[Item], taken: set[tuple[str, str]], spec: RequestSpec) -> list[Item]:
    """Draw controls at random by the seed among the pool's items that are no candidates."""
    if not spec.controls:
        return []
    free = {item.key: item for item in pool if item.key not in taken and _may_be_labelled(item, spec)}
    if not free:
        raise AnalysisError(
            f"{spec.controls} controls are asked for, but there is no item with a trusted label that is no "
            "candidate and that the assigned people have not labelled. Load gold labels, or ask for 0 "
            "controls."
        )
    drawn = sorted(free, key=lambda key: (draw(spec.seed, spec.request_id, "control", *key), key))
    return [free[key] for key in drawn[: spec.controls]]


def _may_be_labelled(item: Item, spec: RequestSpec) -> bool:
    """Whether enough people may label the item; with nobody assigned, anybody may."""
    if not spec.assignees:
        return True
    return len(set(spec.assignees) - item.seen_by) >= spec.votes_per_item


def _choose_suspects(
    items: Sequence[Item], spec: RequestSpec, typical: float | None, spent: float, left_out: Counter[str]
) -> list[Row]:
    """Take candidates in rank order until the budget is reached; counts the others in `left_out`."""
    budget = None
    if spec.budget_hours is not None:
        budget = spec.budget_hours * _SECONDS_AN_HOUR + _SECONDS_SLACK
    chosen: list[Row] = []
    full = False
    for rank, item in enumerate(items, start=1):
        if full or (spec.budget_items is not None and len(chosen) >= spec.budget_items):
            left_out[OVER_BUDGET] += 1
            continue
        if not _may_be_labelled(item, spec):
            left_out[TOO_FEW_PEOPLE] += 1
            continue
        cost = spec.votes_per_item * (item.seconds or typical or 0.0)
        if budget is not None and cost > budget:
            # One item of 95 hours must not end a budget of 3: it is passed over and said so.
            left_out[TOO_LONG] += 1
            continue
        if budget is not None and spent + cost > budget:
            # The budget ends at the first item that does not fit: going on with quicker items further down
            # would favour quick items over suspect ones.
            full = True
            left_out[OVER_BUDGET] += 1
            continue
        spent += cost
        chosen.append((item, "suspect", rank))
    return chosen


def _suggest_for_control(item: Item) -> Item:
    """Give a control a suggestion too: without one, every task without a suggestion would be a control."""
    return item if item.likely_label is not None else replace(item, likely_label=item.given_label)


def _check_suggestion(item: Item, spec: RequestSpec) -> Item:
    if item.likely_label is not None and item.likely_label not in spec.labels:
        raise AnalysisError(
            f"The suggestion {item.likely_label!r} for item {item.item_id!r} is not among the labels "
            f"{list(spec.labels)!r}. Add it to the labels, or write a blind request."
        )
    return item


def _to_parts(rows: Sequence[Row], spec: RequestSpec) -> tuple[Part, ...]:
    """Draw tokens, assign people, and order the tasks of each file."""
    tokens = draw_tokens(spec.seed, spec.request_id, (item.key for item, _role, _rank in rows))
    # From here on in the order of the tokens: whatever is decided by order says nothing about rank or role.
    blended = sorted(rows, key=lambda row: tokens[row[0].key])
    people: list[tuple[str, ...]] = [()] * len(blended)
    if spec.assignees:
        seen_by = [item.seen_by for item, _role, _rank in blended]
        people = assign_items(seen_by, spec.assignees, spec.votes_per_item)
    parts = []
    for assignee in spec.assignees or (None,):
        tasks = [
            Task(tokens[item.key], item, role, rank, assignee)
            for (item, role, rank), persons in zip(blended, people, strict=True)
            if assignee is None or assignee in persons
        ]
        # Each person gets an order of their own, so that tired minutes do not fall on the same items for all.
        tasks.sort(key=lambda task: draw(spec.seed, spec.request_id, "order", task.assignee or "", *task.item.key))
        if tasks:
            parts.append(Part(assignee, tuple(tasks)))
    return tuple(parts)


def _count(names: Iterable[str | None], unknown: str) -> dict[str, int]:
    counts = Counter(unknown if name is None else name for name in names)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _describe_gaps(chosen: Sequence[Item], controls: int, spec: RequestSpec, typical: float | None) -> tuple[str, ...]:
    notes = []
    unknown = sum(item.seconds is None for item in chosen)
    if typical is not None and unknown:
        notes.append(
            f"Expected seconds are unknown for {unknown} of {len(chosen)} items; they count as the median, "
            f"{typical:.3g} s."
        )
    if controls < spec.controls:
        notes.append(f"Only {controls} of {spec.controls} controls could be drawn.")
    if not spec.assignees:
        notes.append("Nobody is assigned, so it is not checked that the people who answer are new to the items.")
    return tuple(notes)


def _describe_nothing_left(listed: int, left_out: Counter[str]) -> str:
    if not listed:
        return "There is nothing to send: the sources hold no items. Choose another source or a wider slice."
    reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return (
        f"There is nothing to send: of {listed} candidates none is left ({reasons}). "
        "Assign more people, raise the budget, or ask for fewer controls."
    )
