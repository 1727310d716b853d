"""``relook info``: what the workspace holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.commands.positive import RARE_SHARE, Decision
from analysis.commands.results import to_json
from analysis.commands.warnings import DataWarning, find_warnings
from analysis.core.halves import Halves, describe_halves
from analysis.store.decision import read_decision
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Snapshot, Workspace

__all__ = ["ColumnInfo", "DataWarning", "Info", "ModelInfo", "SplitInfo", "describe_workspace"]


@dataclass(frozen=True)
class SplitInfo:
    """Counts of one split, or of all items (``split`` None), for the model loaded last.

    ``accuracy`` is over items that have a label and a prediction; None where there is none.
    """

    split: str | None
    items: int
    labelled: int
    predicted: int
    errors: int
    accuracy: float | None


@dataclass(frozen=True)
class ModelInfo:
    """A model: how many items it predicted, how many with probabilities, and whether out-of-sample (if known)."""

    model: str
    items: int
    probabilities: int
    out_of_sample: bool | None


@dataclass(frozen=True)
class ColumnInfo:
    """One of the user's columns and its role."""

    column: str
    role: str
    type: str
    reason: str


@dataclass(frozen=True)
class Info:
    """What the workspace holds; the JSON of ``relook info``."""

    schema_version: int
    label_kind: str
    classes: tuple[str, ...]
    splits: tuple[SplitInfo, ...]
    overall: SplitInfo
    models: tuple[ModelInfo, ...]
    votes: int
    annotators: int
    requests: int
    ledger_entries: int
    columns: tuple[ColumnInfo, ...]
    halves: Halves | None
    decision: Decision | None
    rare_positives: bool
    warnings: tuple[DataWarning, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook info``."""
        found: dict[str, Any] = to_json(self)
        del found["overall"]["split"]
        return found


def describe_workspace(workspace: Workspace, model: str | None = None) -> Info:
    """Describe what a workspace holds.

    Parameters
    ----------
    workspace
        An existing workspace.
    model
        Whose errors and accuracy; None takes the model loaded last.

    Returns
    -------
    Info

    Raises
    ------
    FileFaultError
        If the file is not there or is no workspace.
    """
    with workspace.read() as snapshot:
        return _describe(snapshot, snapshot.resolve_model(model) if snapshot.models else None)


def _describe(snapshot: Snapshot, model: Model | None) -> Info:
    counted = _count_splits(snapshot, model)
    splits = tuple(_to_split(*row) for row in counted)
    votes, annotators, requests, entries = snapshot.fetch_one(
        Fragment(
            "SELECT (SELECT count(*) FROM votes), (SELECT count(DISTINCT person) FROM people), "
            "(SELECT count(*) FROM requests), (SELECT count(*) FROM ledger)"
        )
    )
    models = tuple(
        ModelInfo(*row)
        for row in snapshot.fetch_all(
            Fragment(
                "SELECT m.name, count(p.item), count(p.pred_probs), m.out_of_sample FROM models m "
                "LEFT JOIN predictions p ON p.model = m.model GROUP BY ALL ORDER BY min(m.model)"
            )
        )
    )
    halves = _count_halves(snapshot)
    decision = read_decision(snapshot)
    warnings, notes = find_warnings(snapshot, splits, halves)
    if len(models) > 1 and model is not None:
        notes.append(f"Errors and accuracy are those of model {model.name!r}.")
    return Info(
        schema_version=int(snapshot.meta["schema_version"]),
        label_kind=snapshot.meta["label_kind"],
        classes=snapshot.classes,
        splits=splits,
        overall=_add_up(counted),
        models=models,
        votes=votes,
        annotators=annotators,
        requests=requests,
        ledger_entries=entries,
        columns=tuple(ColumnInfo(c.name, c.role, c.type, c.reason) for c in snapshot.columns),
        halves=halves,
        decision=decision,
        rare_positives=decision is not None and _are_positives_rare(snapshot, decision),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _are_positives_rare(snapshot: Snapshot, decision: Decision) -> bool:
    """Tell whether fewer than a tenth of all labels are positive: recall and precision then lead."""
    positives, labelled = snapshot.fetch_one(
        template(
            "SELECT count(*) FILTER (label = {positive}), count(label) FROM current",
            positive=value(decision.positive_class),
        )
    )
    return bool(0 < positives < RARE_SHARE * labelled)


def _count_halves(snapshot: Snapshot) -> Halves | None:
    """Count the halves of eval, in which slices are looked for; of the only split where there is no eval."""
    if not snapshot.splits:
        return None
    split = "eval" if "eval" in snapshot.splits else snapshot.splits[0] if len(snapshot.splits) == 1 else None
    return describe_halves(snapshot, split)


def _count_splits(snapshot: Snapshot, model: Model | None) -> list[tuple[Any, ...]]:
    return snapshot.fetch_all(
        template(
            "SELECT i.split, count(*), count(c.label), count(p.predicted), "
            "count(*) FILTER (p.predicted != c.label), count(*) FILTER (p.predicted = c.label) "
            "FROM items i JOIN current c ON c.item = i.item LEFT JOIN predictions p ON p.item = i.item "
            "AND p.model = {model} GROUP BY i.split ORDER BY i.split",
            model=value(model.code if model is not None else None),
        )
    )


def _add_up(counted: Sequence[tuple[str, int, int, int, int, int]]) -> SplitInfo:
    items, labelled, predicted, errors, right = (sum(int(row[k]) for row in counted) for k in range(1, 6))
    return _to_split(None, items, labelled, predicted, errors, right)


def _to_split(split: str | None, items: int, labelled: int, predicted: int, errors: int, right: int) -> SplitInfo:
    trials = errors + right
    return SplitInfo(split, items, labelled, predicted, errors, right / trials if trials else None)
