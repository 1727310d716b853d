"""What about the data makes its numbers mean less than they seem to: the warnings of ``relook info`` and of Home."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from analysis.commands.duplicates import DuplicateGroup, find_near_groups, recall_near_groups
from analysis.core.halves import Halves
from analysis.core.same_rows import count_repeats, list_content
from analysis.store.sql import Fragment, column_of, identifier, template
from analysis.store.workspace import Snapshot

__all__ = ["DataWarning", "find_warnings"]

NEAR_AT_ONCE: Final = 20_000
"""Up to so many items near duplicates are looked for unasked; it takes a second or two, once a load."""

_FEW_LABELS: Final = 5
_SHOWN: Final = 5
# A column that may group items: so many different values, each so often in the mean.
_LEAST_GROUPS: Final = 20
_GROUP_SIZE: Final = (2, 50)
_GROUP_NAMES: Final = re.compile(
    r"u?u?ids?|(users?|customer|client|account|session|visit|patient|subject|participant|person|author|speaker|family"
    r"|doc|document|article|thread|conversation|dialog(ue)?|video|scene|household|device)(id)?"
)


@dataclass(frozen=True)
class DataWarning:
    """Something about the data that makes numbers mean less than they seem to."""

    code: str
    message: str


class _Counts(Protocol):
    @property
    def split(self) -> str | None: ...
    @property
    def items(self) -> int: ...
    @property
    def labelled(self) -> int: ...
    @property
    def predicted(self) -> int: ...


def _find_votes_alone(snapshot: Snapshot, splits: Sequence[_Counts]) -> list[DataWarning]:
    """Say that votes are not labels, where nothing else is there; a tool's export has only votes."""
    (votes,) = snapshot.fetch_one(Fragment("SELECT count(*) FROM votes"))
    if not votes or any(split.labelled for split in splits):
        return []
    return [
        DataWarning(
            "votes_only",
            f"No item has a given label: there are {votes:,} votes, which Annotators compares. For error rates and "
            "suspects load a table with item_id and the label that the model learned from.",
        )
    ]


def find_warnings(
    snapshot: Snapshot, splits: Sequence[_Counts], halves: Halves | None
) -> tuple[list[DataWarning], list[str]]:
    """Find what a person should know before reading any rate.

    Parameters
    ----------
    snapshot
        The workspace.
    splits
        The counts of its splits.
    halves
        Its halves, or None without items.

    Returns
    -------
    tuple of warnings and notes
        A note says what was not looked for, and how to.
    """
    found = [*_find_label_faults(snapshot), *_find_gaps(snapshot, splits), *_find_votes_alone(snapshot, splits)]
    repeated, notes = _find_repeats(snapshot)
    found += repeated
    found += _find_groups(snapshot)
    if halves is not None and halves.late_groups:
        found.append(
            DataWarning(
                "halves_before_groups",
                "The halves for discovery and confirmation were fixed by item before groups were known, and stay so: "
                "items of one group may be in both, and slices are confirmed too easily. Load into a new workspace "
                "to fix them by group.",
            )
        )
    return found, notes


def _count(n: int, one: str, many: str) -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {many}"


def _find_label_faults(snapshot: Snapshot) -> list[DataWarning]:
    found = []
    labels = snapshot.fetch_all(
        Fragment("SELECT given_label, count(*) FROM items WHERE given_label IS NOT NULL GROUP BY 1 ORDER BY 2, 1")
    )
    if len(labels) == 1:
        found.append(DataWarning("one_class", f"All given labels are {labels[0][0]!r}: nothing can be confused."))
    rare = [(name, n) for name, n in labels if n <= _FEW_LABELS] if len(labels) > 1 else []
    if rare:
        names = ", ".join(f"{name!r} ({n})" for name, n in rare[:_SHOWN])
        found.append(DataWarning("rare_class", f"Few items are labelled {names}: their rates are mostly noise."))
    only_predicted = snapshot.fetch_all(
        Fragment(
            "SELECT predicted, count(*) FROM predictions WHERE predicted IS NOT NULL AND predicted NOT IN "
            "(SELECT given_label FROM items WHERE given_label IS NOT NULL) GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    )
    if labels and only_predicted:
        names = ", ".join(f"{name!r} ({n:,})" for name, n in only_predicted[:_SHOWN])
        found.append(
            DataWarning("labels_only_in_predictions", f"Predicted but never given: {names}. All count as errors.")
        )
    return found


def _find_gaps(snapshot: Snapshot, splits: Sequence[_Counts]) -> list[DataWarning]:
    found = []
    for split in splits:
        gaps = (("no_prediction", "prediction", split.predicted), ("no_label", "label", split.labelled))
        for code, what, there in gaps:
            if 0 < there < split.items and (snapshot.models or code == "no_label"):
                lost = split.items - there
                verb = "has" if lost == 1 else "have"
                message = f"{lost:,} of {split.items:,} items in {split.split!r} {verb} no {what}."
                found.append(DataWarning(code, message))
    return found


def _find_repeats(snapshot: Snapshot) -> tuple[list[DataWarning], list[str]]:
    """Duplicates between splits leak; inside a split they suggest groups."""
    found: list[DataWarning] = []
    grouped = _has_groups(snapshot)
    exact = count_repeats(snapshot)
    if exact.leaks:
        what = _count(exact.leaks, "content is", "contents are")
        found.append(DataWarning("leak", f"{what} in more than one split: rates on eval may be too good."))
    if exact.repeats:
        what = _count(exact.repeats, "item repeats", "items repeat")
        found.append(
            DataWarning("duplicates", f"{what} the content of another in their split. {_suggest_groups(grouped)}")
        )
    near, notes = _find_near(snapshot)
    leaks = sum(group.leak for group in near)
    repeats = sum(group.repeats for group in near)
    if leaks:
        what = _count(leaks, "group of almost equal items is", "groups of almost equal items are")
        found.append(
            DataWarning(
                "near_leak",
                f"{what} in more than one split: rates on eval may be too good. relook duplicates --near lists them.",
            )
        )
    if repeats:
        what = _count(repeats, "item is", "items are")
        found.append(
            DataWarning("near_duplicates", f"{what} almost equal to another in their split. {_suggest_groups(grouped)}")
        )
    return found, notes


def _suggest_groups(grouped: bool) -> str:  # noqa: FBT001  (private)
    if grouped:
        return "They are in different groups."
    return "If they belong together, give the column that groups them: --role group=COLUMN."


def _find_near(snapshot: Snapshot) -> tuple[tuple[DuplicateGroup, ...], list[str]]:
    """Return near duplicates that are known or soon found, else a note on how to find them."""
    known = recall_near_groups(snapshot)
    if known is None:
        (items,) = snapshot.fetch_one(Fragment("SELECT count(*) FROM items"))
        if items > NEAR_AT_ONCE:
            note = (
                f"Near duplicates were not looked for among {items:,} items: relook duplicates WORKSPACE --near does."
            )
            return (), [note]
        known = find_near_groups(snapshot)
    return known[0], list(known[1]) if known[0] else []


def _has_groups(snapshot: Snapshot) -> bool:
    return bool(snapshot.fetch_one(Fragment("SELECT count(*) > 0 FROM items WHERE group_id IS NOT NULL"))[0])


def _find_groups(snapshot: Snapshot) -> list[DataWarning]:
    """Find columns that look like the ids of somebody or something that several items belong to."""
    if _has_groups(snapshot):
        return []
    named = [
        column
        for column in list_content(snapshot)
        if column.type in {"BIGINT", "VARCHAR"} and column.role not in {"text", "image"} and _sounds_alike(column.name)
    ]
    found = []
    for column in named:
        stored = str(column.stored_as)
        place = column_of("f", identifier(stored, [stored]))
        rows, values = snapshot.fetch_one(
            template("SELECT count({place}), count(DISTINCT {place}) FROM features f", place=place)
        )
        low, high = _GROUP_SIZE
        if values >= _LEAST_GROUPS and low <= rows / values <= high:
            found.append(
                DataWarning(
                    "groups",
                    f"{column.name!r} has {values:,} values, each {rows / values:,.1f} times: items of one "
                    f"{column.name!r} may belong together, and halves, folds and intervals then split them. "
                    f"If so, load the items again with --role group={column.name}.",
                )
            )
    return found


def _sounds_alike(name: str) -> bool:
    """Tell whether a name is that of somebody or something: ``userId``, ``patient``, ``doc-id``."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
    return any(_GROUP_NAMES.fullmatch(word) for word in words)
