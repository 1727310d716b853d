"""One item, large: what it is, what it was given, what the model says, how people voted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analysis.commands.labels import to_shortest
from analysis.errors import AnalysisError, NeedsChoiceError
from analysis.store.sql import column_of, identifier, join, template, value
from analysis.store.workspace import Snapshot, Workspace

__all__ = ["ItemView", "VoteView", "show_item"]


@dataclass(frozen=True)
class VoteView:
    """One vote; ``label`` None means "cannot tell", or of a review that it rejected the label."""

    annotator: str
    label: str | None
    source: str
    labelled_at: datetime | None
    seconds: float | None
    batch: str | None
    verdict: str | None = None


@dataclass(frozen=True)
class ItemView:
    """Everything about one item.

    Attributes
    ----------
    text, image
        What is labelled, where such a column is known; an image is bytes, or a path or address as text.
    fields
        The other columns, in the user's order.
    probabilities
        Class to probability, most probable first; empty where unknown.
    """

    split: str
    item_id: str
    given_label: str | None
    label: str | None
    gold_label: str | None
    annotator: str | None
    predicted: str | None
    text: str | None
    image: bytes | str | None
    fields: tuple[tuple[str, Any], ...]
    probabilities: tuple[tuple[str, float], ...]
    votes: tuple[VoteView, ...]


def show_item(workspace: Workspace, item_id: str, *, split: str | None = None, model: str | None = None) -> ItemView:
    """Return everything about one item.

    Parameters
    ----------
    workspace
        An existing workspace.
    item_id
        Its id, as text.
    split
        Needed where the id is in several splits; else found.
    model
        None takes the model loaded last.

    Raises
    ------
    AnalysisError
        If there is no such item.
    NeedsChoiceError
        If it is in several splits and none is named.
    """
    with workspace.read() as snapshot:
        rows = snapshot.fetch_all(
            template(
                "SELECT i.item, i.split, i.given_label, c.label, i.gold_label, g.name FROM items i "
                "JOIN current c ON c.item = i.item LEFT JOIN people g ON g.annotator = i.given_by "
                "WHERE i.item_id = {name} ORDER BY i.split",
                name=value(item_id),
            )
        )
        splits = [row[1] for row in rows]
        rows = [row for row in rows if split in (None, row[1])]
        if not rows:
            where = "" if split is None else f" in {split!r}"
            raise AnalysisError(f"There is no item {item_id!r}{where}. Check its spelling, or pick it from a list.")
        if len(rows) > 1:
            raise NeedsChoiceError(f"Item {item_id!r} is in the splits {', '.join(map(repr, splits))}. Name one.")
        item, found_split, given, label, gold, given_by = rows[0]
        predicted, probabilities = _fetch_prediction(snapshot, item, model)
        text, image, fields = _fetch_fields(snapshot, item)
        votes = snapshot.fetch_all(
            template(
                "SELECT a.name, v.label, v.source, v.labelled_at, v.seconds, v.batch, v.verdict "
                "FROM votes v "
                "JOIN people a ON a.annotator = v.annotator WHERE v.item = {item} "
                "ORDER BY v.labelled_at NULLS FIRST, v.vote",
                item=value(item),
            )
        )
    return ItemView(
        split=found_split,
        item_id=item_id,
        given_label=given,
        label=label,
        gold_label=gold,
        annotator=given_by,
        predicted=predicted,
        text=text,
        image=image,
        fields=fields,
        probabilities=probabilities,
        votes=tuple(VoteView(*vote) for vote in votes),
    )


def _fetch_prediction(
    snapshot: Snapshot, item: int, model: str | None
) -> tuple[str | None, tuple[tuple[str, float], ...]]:
    if not snapshot.models:
        return None, ()
    known = snapshot.resolve_model(model)
    rows = snapshot.fetch_all(
        template(
            "SELECT predicted, pred_probs FROM predictions WHERE item = {item} AND model = {model}",
            item=value(item),
            model=value(known.code),
        )
    )
    if not rows:
        return None, ()
    predicted, probs = rows[0]
    pairs = zip(known.classes, (to_shortest(p) for p in probs or ()), strict=False)
    return predicted, tuple(sorted(pairs, key=lambda pair: -pair[1]))


def _fetch_fields(snapshot: Snapshot, item: int) -> tuple[str | None, bytes | str | None, tuple[tuple[str, Any], ...]]:
    kept = [
        column
        for column in snapshot.columns
        if column.stored_as is not None and column.type != "DOUBLE[]" and column.role != "derived"
    ]
    if not kept:
        return None, None, ()
    places = [column_of("f", identifier(str(c.stored_as), [str(c.stored_as)])) for c in kept]
    row = snapshot.fetch_one(
        template("SELECT {places} FROM features f WHERE item = {item}", places=join(", ", places), item=value(item))
    )
    text: str | None = None
    image: bytes | str | None = None
    fields = []
    for column, cell in zip(kept, row, strict=True):
        if column.role == "text":
            text = cell
        elif column.role == "image":
            image = cell
        elif column.type != "BLOB":
            fields.append((column.name, cell))
    return text, image, tuple(fields)
