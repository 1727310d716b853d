"""``relook duplicates``: items that say the same, or almost the same, also between splits.

Near duplicates of a workspace with a text column are found by shingles, of one with pictures by their hash, of any
other by rounded values. The answer is kept in ``results`` under a key that only a load changes, so that it is
computed once.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.commands.results import to_json
from analysis.core.duplicates import find_near_texts, to_groups
from analysis.core.image_hash import find_near_pictures
from analysis.core.same_rows import find_same_items, list_content
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, column_of, identifier, template, value
from analysis.store.workspace import Column, Snapshot, Workspace
from analysis.watch import Watch

__all__ = [
    "DuplicateGroup",
    "DuplicateItem",
    "DuplicatesResult",
    "find_near_groups",
    "find_workspace_duplicates",
    "recall_near_groups",
]

Alike = Literal["exact", "text", "image", "rows"]

_KIND: Final = "near_duplicates/1"
_TEXT_SIMILARITY: Final = 0.8
_HASH_BITS: Final = 64
_PRINT_BYTES: Final = 72
_MOST_BITS: Final = 6
_MOST_GREY: Final = 2.0
"""Grey levels of 255 by which thumbnails may differ in the mean. Hashes alone took 48,021 pairs of different
handwritten digits for alike (10,000 of MNIST); with this 279 are left, most of them ones."""
_LEAST_COLUMNS: Final = 3
"""With fewer, rows that agree after rounding say nothing: 1,000 and 1,001 do."""
_REMEMBERED: Final = 8


@dataclass(frozen=True)
class DuplicateItem:
    """One item of a group of duplicates; ``group`` is the value of its group role, or None."""

    item_id: str
    split: str
    group: str | None


@dataclass(frozen=True)
class DuplicateGroup:
    """Items that are alike.

    Attributes
    ----------
    kind
        How: ``exact`` all the user's columns are equal, ``text`` the texts share their shingles, ``image`` the
        pictures look alike, ``rows`` the columns are equal after rounding.
    items
        Two or more, in order of their loading.
    similarity
        The least similarity of two neighbours in the group, 0 to 1; None for ``rows``, which are equal or not.
    leak
        They stand in more than one split.
    """

    kind: Alike
    items: tuple[DuplicateItem, ...]
    similarity: float | None
    leak: bool

    @property
    def repeats(self) -> int:
        """Items beyond the first in each split; items of one value of the group role count as one."""
        members = {(item.split, item.group is None, item.group or item.item_id) for item in self.items}
        return len(members) - len({item.split for item in self.items})


@dataclass(frozen=True)
class DuplicatesResult:
    """Groups of items that are alike; the JSON of ``relook duplicates``.

    Attributes
    ----------
    near
        Groups that differ a little were looked for; groups that are exactly equal are then not listed again.
    split
        Only items of this split; None for all.
    groups
        In order of their first item.
    leaks
        Groups in more than one split.
    repeats
        Items beyond the first of each group in their split; items of one value of the group role count as one.
    """

    near: bool
    split: str | None
    groups: tuple[DuplicateGroup, ...]
    leaks: int
    repeats: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook duplicates``."""
        found: dict[str, Any] = to_json(self)
        return found


def find_workspace_duplicates(
    workspace: Workspace,
    *,
    kind: Literal["exact", "near"] = "exact",
    split: str | None = None,
    watch: Watch | None = None,
) -> DuplicatesResult:
    """Find items that are alike.

    Parameters
    ----------
    workspace
        An existing workspace.
    kind
        Equal in all the user's columns, or almost alike.
    split
        Only the items of one split; None looks at all and between them.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    DuplicatesResult

    Raises
    ------
    AnalysisError
        If the workspace holds no items, the split is not there, or the work was cancelled.
    """
    watch = watch or Watch()
    near, fresh = kind == "near", None
    notes: tuple[str, ...] = ()
    with workspace.read() as snapshot:
        if not snapshot.splits:
            raise AnalysisError("The workspace holds no items yet. Load a table of items first: relook load.")
        if split is not None and split not in snapshot.splits:
            raise UnknownNameError("split", split, snapshot.splits)
        if not near:
            groups = _to_groups(snapshot, "exact", find_same_items(snapshot).assign(similarity=1.0))
        else:
            kept = recall_near_groups(snapshot)
            groups, notes = kept or find_near_groups(snapshot, watch)
            fresh = _content_key(snapshot) if kept is None else None
    if fresh is not None:
        _keep(workspace, fresh, groups, notes)
    return _to_result(groups, notes, near=near, split=split)


def _to_result(
    groups: Iterable[DuplicateGroup], notes: Iterable[str], *, near: bool, split: str | None
) -> DuplicatesResult:
    if split is not None:
        inside = (
            DuplicateGroup(group.kind, tuple(i for i in group.items if i.split == split), group.similarity, leak=False)
            for group in groups
        )
        groups = [group for group in inside if len(group.items) > 1]
    found = tuple(groups)
    leaks, repeats = sum(group.leak for group in found), sum(group.repeats for group in found)
    return DuplicatesResult(near, split, found, leaks, repeats, tuple(notes))


_Found = tuple[tuple[DuplicateGroup, ...], tuple[str, ...]]


def find_near_groups(snapshot: Snapshot, watch: Watch | None = None) -> _Found:
    """Find groups of near duplicates, without those that are exactly equal.

    Parameters
    ----------
    snapshot
        The workspace.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    tuple of groups and notes
    """
    watch = watch or Watch()
    watch.tell("Looking for equal items")
    exact = find_same_items(snapshot)
    notes: list[str] = []
    groups: list[DuplicateGroup] = []
    text, image = _find_text(snapshot), _find_print(snapshot)
    if text is not None:
        rows = _fetch(snapshot, text)
        pairs = find_near_texts(rows["v"].tolist(), threshold=_TEXT_SIMILARITY, watch=watch)
        if pairs.attrs["crowded"]:
            notes.append(
                f"{pairs.attrs['crowded']:,} texts are much like hundreds of others; they were compared with some of "
                "them, not with all."
            )
        groups += _to_groups(snapshot, "text", _drop_equal(_join(rows["item"], pairs), exact))
    if image is not None:
        rows = _fetch(snapshot, image)
        prints = np.frombuffer(b"".join(map(bytes, rows["v"])), dtype=np.uint8).reshape(len(rows), _PRINT_BYTES)
        pairs = find_near_pictures(prints, max_distance=_MOST_BITS, max_difference=_MOST_GREY, watch=watch)
        pairs = pairs.assign(similarity=1 - pairs["distance"] / _HASH_BITS)
        groups += _to_groups(snapshot, "image", _drop_equal(_join(rows["item"], pairs), exact))
    if text is None and image is None:
        if len(list_content(snapshot)) >= _LEAST_COLUMNS:
            same = find_same_items(snapshot, rounded=True).assign(similarity=np.nan)
            groups += _to_groups(snapshot, "rows", _drop_equal(same, exact))
        else:
            notes.append("Rows of one or two columns often agree after rounding by chance, so none are listed.")
    found = tuple(groups), tuple(notes)
    _remember(_content_key(snapshot), found)
    return found


def _find_text(snapshot: Snapshot) -> Column | None:
    return next((c for c in list_content(snapshot) if c.role == "text" and c.type == "VARCHAR"), None)


def _find_print(snapshot: Snapshot) -> Column | None:
    return next((c for c in snapshot.columns if c.role == "derived" and c.name == "image.print"), None)


def _fetch(snapshot: Snapshot, column: Column) -> pd.DataFrame:
    """Return ``item, v`` of the items that have a value."""
    stored = str(column.stored_as)
    place = column_of("f", identifier(stored, [stored]))
    return snapshot.fetch(
        template("SELECT f.item, {place} AS v FROM features f WHERE {place} IS NOT NULL ORDER BY f.item", place=place)
    )


def _join(items: pd.Series, pairs: pd.DataFrame) -> pd.DataFrame:
    """Turn pairs of positions into ``item, first, similarity``: of items that are not alone."""
    firsts = to_groups(pairs, len(items))
    least = np.full(len(items), 1.0)
    np.minimum.at(least, firsts[pairs["a"].to_numpy()], pairs["similarity"].to_numpy())
    sizes = np.bincount(firsts, minlength=len(items))
    kept = np.flatnonzero(sizes[firsts] > 1)
    numbers: NDArray[np.int64] = items.to_numpy(np.int64)
    return pd.DataFrame(
        {"item": numbers[kept], "first": numbers[firsts[kept]], "similarity": least[firsts[kept]]}
    ).sort_values(["first", "item"], ignore_index=True)


def _drop_equal(found: pd.DataFrame, exact: pd.DataFrame) -> pd.DataFrame:
    """Leave out groups whose items are all exactly equal."""
    content = found["item"].map(exact.set_index("item")["first"]).fillna(found["item"])
    return found[content.groupby(found["first"]).transform("nunique") > 1].reset_index(drop=True)


def _to_groups(snapshot: Snapshot, kind: Alike, found: pd.DataFrame) -> tuple[DuplicateGroup, ...]:
    if found.empty:
        return ()
    rows = snapshot.fetch_all(
        template(
            "SELECT item, item_id, split, group_id FROM items WHERE item = ANY({items})",
            items=value(found["item"].tolist()),
        )
    )
    named = {item: DuplicateItem(*named) for item, *named in rows}
    groups = []
    for _first, group in found.groupby("first", sort=True):
        items = tuple(named[item] for item in group["item"])
        similarity = group["similarity"].iloc[0]
        leak = len({item.split for item in items}) > 1
        groups.append(DuplicateGroup(kind, items, None if np.isnan(similarity) else float(similarity), leak=leak))
    return tuple(groups)


def _content_key(snapshot: Snapshot) -> str | None:
    """Return what the contents of items depend on: the last load. Labels and people do not count."""
    load, at = snapshot.fetch_one(Fragment('SELECT max(load), CAST(max("at") AS VARCHAR) FROM loads'))
    return None if load is None else f"{snapshot.meta['workspace_id']}/load {load}/{at}"


_RECENT: OrderedDict[str, _Found] = OrderedDict()
_RECENT_LOCK: Final = threading.Lock()


def _remember(key: str | None, found: _Found) -> None:
    """Keep an answer for this process, since those who only read may not write it into the workspace."""
    if key is not None:
        with _RECENT_LOCK:
            _RECENT[key] = found
            while len(_RECENT) > _REMEMBERED:
                _RECENT.popitem(last=False)


def recall_near_groups(snapshot: Snapshot) -> _Found | None:
    """Return the near duplicates that were found since the last load, or None."""
    key = _content_key(snapshot)
    if key is None:
        return None
    with _RECENT_LOCK:
        recent = _RECENT.get(key)
    if recent is not None:
        return recent
    rows = snapshot.fetch_all(
        template(
            "SELECT payload FROM results WHERE fingerprint = {key} AND kind = {kind}",
            key=value(key),
            kind=value(_KIND),
        )
    )
    if not rows:
        return None
    told = json.loads(bytes(rows[0][0]))
    groups = tuple(
        DuplicateGroup(kind, tuple(DuplicateItem(*item) for item in items), similarity, leak=leak)
        for kind, items, similarity, leak in told["groups"]
    )
    return groups, tuple(told["notes"])


def _keep(workspace: Workspace, key: str, groups: tuple[DuplicateGroup, ...], notes: tuple[str, ...]) -> None:
    """Keep the answer in the workspace, where it can be written right now; else it is found again."""
    told = {
        "groups": [
            [group.kind, [astuple(item) for item in group.items], group.similarity, group.leak] for group in groups
        ],
        "notes": notes,
    }
    payload = json.dumps(told, ensure_ascii=False).encode("utf-8")
    with suppress(AnalysisError), workspace.write() as writer:
        # The answer of an earlier load is of no use to anybody.
        writer.execute(template("DELETE FROM results WHERE kind = {kind}", kind=value(_KIND)))
        writer.execute(
            template(
                "INSERT INTO results (fingerprint, kind, payload) VALUES ({key}, {kind}, {payload})",
                key=value(key),
                kind=value(_KIND),
                payload=value(payload),
            )
        )
