"""``relook labels``: suspected labels by confident learning, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.commands.results import to_json
from analysis.core.facts import Population
from analysis.core.panel import fetch_typical_seconds
from analysis.core.probabilities import LabelledProbabilities, fetch_probabilities
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError
from analysis.labels import LabelIssues, compute_label_issues, describe_suspect
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Snapshot, Workspace

__all__ = [
    "LabelsOptions",
    "LabelsResult",
    "Reason",
    "Suspect",
    "find_suspects",
    "find_suspects_in",
    "to_shortest",
]

_IN_SAMPLE_ACCURACY = 0.995
_IN_SAMPLE_GAP = 0.03


@dataclass(frozen=True)
class LabelsOptions:
    """What ``relook labels`` takes; None takes the default (train; the model loaded last; all suspects).

    Thresholds and joint are always those of the whole split; ``where`` lists only the suspects of a slice.
    """

    split: str | None = None
    model: str | None = None
    filter_by: str = "prune_by_noise_rate"
    rank_by: str = "normalized_margin"
    top: int | None = None
    where: str = "all"


@dataclass(frozen=True)
class Reason:
    """One named piece of evidence, as a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class Suspect:
    """An item whose given label deserves a second look.

    Attributes
    ----------
    quality
        0 to 1, lower is worse.
    p_wrong
        None: no calibrated estimate is made from the model alone.
    annotator
        Who gave the label, where one person did.
    """

    split: str
    item_id: str
    given_label: str
    likely_label: str
    p_given: float
    p_likely: float
    quality: float
    p_wrong: float | None
    annotator: str | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class LabelsResult:
    """Suspects, worst first; the JSON of ``relook labels``.

    Attributes
    ----------
    estimated_issues
        How many given labels are expected to be wrong: round(N (1 - trace of the calibrated joint)).
    flagged
        How many the filter flags.
    in_sample
        True: the probabilities look as if the model had seen these labels; False: known to be out-of-sample;
        None: cannot tell.
    classes, joint
        The calibrated confident joint: row given, column likely, counts.
    thresholds
        Confident threshold of each class; None for a class that no item was given.
    seconds_per_vote
        The median time that a vote took; None where no times are known.
    """

    split: str
    model: str
    labels_as_of: int
    filter_by: str
    rank_by: str
    where: str
    items: int
    estimated_issues: int
    flagged: int
    in_sample: bool | None
    classes: tuple[str, ...]
    joint: tuple[tuple[int, ...], ...]
    thresholds: tuple[float | None, ...]
    issues: tuple[Suspect, ...]
    seconds_per_vote: float | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook labels``."""
        found: dict[str, Any] = to_json(self)
        return found


def to_shortest(number: float) -> float:
    """Return the shortest decimal that reads back as the same float32: 0.93, not 0.9300000071525574.

    Probabilities are kept as float32; what people see should be what they loaded.

    Examples
    --------
    >>> to_shortest(float(np.float32(0.93)))
    0.93
    """
    return float(str(np.float32(number)))


def find_suspects(workspace: Workspace, options: LabelsOptions) -> LabelsResult:
    """Find suspected labels.

    Parameters
    ----------
    workspace
        An existing workspace with labels and probabilities.
    options
        Which split, model, filter and order.

    Returns
    -------
    LabelsResult

    Raises
    ------
    AnalysisError
        If a name does not exist or there are no probabilities.
    """
    with workspace.read() as snapshot:
        return find_suspects_in(snapshot, options)


def find_suspects_in(snapshot: Snapshot, options: LabelsOptions) -> LabelsResult:
    """Find suspected labels in a snapshot that is already open; see :func:`find_suspects`."""
    if options.top is not None and options.top < 1:
        raise AnalysisError(f"--top is a number of suspects from 1 on, got {options.top}.")
    split, note = snapshot.resolve_split(options.split, "train")
    model = snapshot.resolve_model(options.model)
    data = fetch_probabilities(snapshot, split, model)
    found = compute_label_issues(data.labels, data.pred_probs, filter_by=options.filter_by, rank_by=options.rank_by)
    notes = [note] if note else []
    if data.left_out:
        notes.append(f"{data.left_out:,} items of {split!r} are left out: no label or no probabilities.")
    in_sample = _look_in_sample(snapshot, split, model, data)
    if in_sample:
        notes.append(
            "The probabilities look in-sample: the model seems to have been trained on these very labels, so "
            "it repeats their errors. Suspects need out-of-sample probabilities, for example from cross-validation."
        )
    inside = _find_inside(snapshot, split, model, options.where, data)
    listed = found.flagged if inside is None else found.flagged[inside[found.flagged]]
    chosen = listed if options.top is None else listed[: options.top]
    return LabelsResult(
        split=split,
        model=model.name,
        labels_as_of=snapshot.labels_as_of,
        filter_by=options.filter_by,
        rank_by=options.rank_by,
        where=parse_slice(options.where).to_text(),
        items=len(data.labels),
        estimated_issues=found.estimated_issues,
        flagged=len(listed),
        in_sample=in_sample,
        classes=data.classes,
        joint=tuple(tuple(int(n) for n in row) for row in found.confident_joint),
        thresholds=tuple(float(t) if np.isfinite(t) else None for t in found.thresholds),
        issues=_describe(snapshot, data, found, chosen.tolist()),
        seconds_per_vote=fetch_typical_seconds(snapshot),
        notes=tuple(notes),
    )


def _find_inside(
    snapshot: Snapshot, split: str, model: Model, where: str, data: LabelledProbabilities
) -> NDArray[np.bool_] | None:
    """Return which rows lie in a slice; None where all do."""
    chosen = parse_slice(where)
    if not chosen.predicates:
        return None
    population = Population.of(snapshot, split=split, model=model.code, where=chosen)
    items = [item for (item,) in snapshot.fetch_all(population.select(Fragment("i.item")))]
    return np.isin(data.items["item"].to_numpy(), np.array(items, dtype=np.int64))


def _describe(
    snapshot: Snapshot, data: LabelledProbabilities, found: LabelIssues, rows: Sequence[int]
) -> tuple[Suspect, ...]:
    chosen = data.items.iloc[list(rows)]
    votes = _describe_votes(snapshot, [int(item) for item in chosen["item"]])
    suspects = []
    for row, item, item_id, split, annotator in zip(
        rows, chosen["item"], chosen["item_id"], chosen["split"], chosen["annotator"], strict=True
    ):
        given, likely = data.classes[data.labels[row]], data.classes[found.likely[row]]
        p_given, p_likely = to_shortest(found.p_given[row]), to_shortest(found.p_likely[row])
        sentence = describe_suspect(given, likely, p_likely, float(found.thresholds[found.likely[row]]), p_given)
        reasons = [Reason("confident_learning", sentence)]
        if item in votes:
            reasons.append(Reason("votes", votes[item]))
        suspects.append(
            Suspect(
                split=split,
                item_id=item_id,
                given_label=given,
                likely_label=likely,
                p_given=p_given,
                p_likely=p_likely,
                quality=float(found.quality[row]),
                p_wrong=None,
                annotator=None if pd.isna(annotator) else str(annotator),
                reasons=tuple(reasons),
            )
        )
    return tuple(suspects)


def _describe_votes(snapshot: Snapshot, items: list[int]) -> dict[int, str]:
    """Say how several people voted on an item; one vote is the given label and no further evidence."""
    rows = snapshot.fetch_all(
        template(
            "SELECT item, list(label ORDER BY n DESC, label), list(n ORDER BY n DESC, label) FROM "
            "(SELECT item, coalesce(label, 'cannot tell') AS label, count(*) AS n FROM votes "
            "WHERE source IN ('given', 'vote') AND item = ANY({items}) GROUP BY 1, 2) "
            "GROUP BY item HAVING sum(n) > 1 ORDER BY item",
            items=value(items) if items else Fragment("CAST([] AS INTEGER[])"),
        )
    )
    return {
        item: "Votes: " + ", ".join(f"{n} x *{label}*" for label, n in zip(labels, counts, strict=True)) + "."
        for item, labels, counts in rows
    }


def _look_in_sample(snapshot: Snapshot, split: str, model: Model, data: LabelledProbabilities) -> bool | None:
    """Compare with the other splits: a model that has seen the labels is near-perfect on them alone."""
    if model.out_of_sample is not None:
        return not model.out_of_sample
    accuracy = float(np.mean(np.argmax(data.pred_probs, axis=1) == data.labels))
    right, trials = snapshot.fetch_one(
        template(
            "SELECT count(*) FILTER (p.predicted = c.label), count(*) FROM items i JOIN current c ON c.item = i.item "
            "JOIN predictions p ON p.item = i.item AND p.model = {model} "
            "WHERE i.split != {split} AND c.label IS NOT NULL AND p.predicted IS NOT NULL",
            model=value(model.code),
            split=value(split),
        )
    )
    if not trials:
        return None
    if accuracy >= _IN_SAMPLE_ACCURACY and accuracy - right / trials >= _IN_SAMPLE_GAP:
        return True
    return None
