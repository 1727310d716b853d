"""``relook info``: what the workspace holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.commands.results import to_json
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
class DataWarning:
    """Something about the data that makes numbers mean less than they seem to."""

    code: str
    message: str


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
            "SELECT (SELECT count(*) FROM votes), (SELECT count(*) FROM annotators), "
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
    notes = []
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
        warnings=tuple(_find_warnings(snapshot, splits)),
        notes=tuple(notes),
    )


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


def _find_warnings(snapshot: Snapshot, splits: tuple[SplitInfo, ...]) -> list[DataWarning]:
    found = []
    labels = snapshot.fetch_all(
        Fragment("SELECT given_label, count(*) FROM items WHERE given_label IS NOT NULL GROUP BY 1 ORDER BY 2, 1")
    )
    if len(labels) == 1:
        found.append(DataWarning("one_class", f"All given labels are {labels[0][0]!r}: nothing can be confused."))
    rare = [(name, n) for name, n in labels if n <= 5] if len(labels) > 1 else []  # noqa: PLR2004
    if rare:
        names = ", ".join(f"{name!r} ({n})" for name, n in rare[:5])
        found.append(DataWarning("rare_class", f"Few items are labelled {names}: their rates are mostly noise."))
    only_predicted = snapshot.fetch_all(
        Fragment(
            "SELECT predicted, count(*) FROM predictions WHERE predicted IS NOT NULL AND predicted NOT IN "
            "(SELECT given_label FROM items WHERE given_label IS NOT NULL) GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    )
    if labels and only_predicted:
        names = ", ".join(f"{name!r} ({n:,})" for name, n in only_predicted[:5])
        found.append(
            DataWarning("labels_only_in_predictions", f"Predicted but never given: {names}. All count as errors.")
        )
    for split in splits:
        if snapshot.models and 0 < split.predicted < split.items:
            lost = split.items - split.predicted
            found.append(
                DataWarning(
                    "no_prediction",
                    f"{lost:,} of {split.items:,} items in {split.split!r} have no prediction.",
                )
            )
        if 0 < split.labelled < split.items:
            lost = split.items - split.labelled
            found.append(
                DataWarning("no_label", f"{lost:,} of {split.items:,} items in {split.split!r} have no label.")
            )
    found += _find_shared_contents(snapshot)
    return found


def _find_shared_contents(snapshot: Snapshot) -> list[DataWarning]:
    """Exact duplicates between splits leak; inside a split they suggest groups."""
    leaks, repeats = snapshot.fetch_one(
        Fragment(
            "SELECT count(*) FILTER (splits > 1), coalesce(sum(n - splits), 0) FROM (SELECT content_sha, "
            "count(DISTINCT split) AS splits, count(*) AS n FROM items WHERE content_sha IS NOT NULL "
            "GROUP BY content_sha HAVING count(*) > 1)"
        )
    )
    found = []
    if leaks:
        found.append(
            DataWarning("leak", f"{leaks:,} contents are in more than one split: rates on eval may be too good.")
        )
    if repeats:
        found.append(
            DataWarning(
                "duplicates",
                f"{repeats:,} items repeat the content of another in their split. If they belong together, "
                "give the column that groups them: --role group=COLUMN.",
            )
        )
    return found
