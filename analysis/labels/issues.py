"""Label issues: which items deserve a second look, in which order, and why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.labels.confident_learning import (
    JointKernel,
    ThresholdKernel,
    estimate_issue_count,
    to_calibrated_joint,
)
from analysis.labels.filters import RowEvidence, check_filter, find_flagged
from analysis.labels.likely import read_batch, to_cuts
from analysis.labels.pred_probs import BoolArray, FloatArray, IntArray, LabelBatch, to_label_batch
from analysis.labels.scores import check_score_method, compute_label_quality, rank_rows, to_margin_quality

__all__ = [
    "LabelIssues",
    "compute_label_issues",
    "describe_suspect",
    "find_label_issues",
    "find_likely_labels",
]


@dataclass(frozen=True, slots=True, eq=False)
class LabelIssues:
    """Everything that confident learning says about N items and K classes, from one run.

    Parameters
    ----------
    thresholds
        Shape (K,), float64: confident thresholds, infinite for a class that no item was given.
    confident_joint
        Shape (K, K) [given, likely], int64: calibrated; row i sums to the number of items given i.
    estimated_issues
        How many items are expected to have a wrong given label.
    flagged
        Shape (M,), int64: row numbers of the suspects, worst first.
    likely
        Shape (N,), int64: the likely label of every item, never the given one.
    quality
        Shape (N,), float64, 0 to 1, lower is worse: the score by which `flagged` is ordered.
    p_given, p_likely
        Shape (N,), float64: probability of the given and of the likely label.
    """

    thresholds: FloatArray
    confident_joint: IntArray
    estimated_issues: int
    flagged: IntArray
    likely: IntArray
    quality: FloatArray
    p_given: FloatArray
    p_likely: FloatArray


def compute_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    filter_by: str = "prune_by_noise_rate",
    rank_by: str = "normalized_margin",
) -> LabelIssues:
    """Compute thresholds, joint, likely labels, label quality and suspects together.

    Reads pred_probs four times (check, thresholds, joint, flags), a fifth time where the calibrated joint
    wants more suspects of a pair of classes than prefer the other class, and once for the entropy.
    Memory: about 60 bytes an item, K^2, and a few megabytes; no (N, K) temporary.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1. A memory map of float32 or float64
        passes through without being in memory at once.
    filter_by, rank_by
        See `find_label_issues`.

    Returns
    -------
    LabelIssues
        One row an item in the arrays of shape (N,), in the order of `labels`.

    Raises
    ------
    UnknownNameError
        If there is no such filter or score.
    AnalysisError
        If labels or pred_probs are not usable; the message names the first wrong row and class.

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]]
    >>> issues = compute_label_issues([0, 0, 0, 1, 1], probs)
    >>> issues.estimated_issues, issues.flagged.tolist(), issues.likely.tolist()
    (1, [2], [1, 1, 1, 0, 0])
    """
    check_filter(filter_by)
    check_score_method(rank_by)
    batch = to_label_batch(labels, pred_probs)
    first = ThresholdKernel(batch.n_classes)
    first.update(batch)
    thresholds = first.result()
    rows = _read_rows(batch, thresholds)
    joint = to_calibrated_joint(rows.counts, first.given_counts)
    estimated = estimate_issue_count(joint, len(batch))
    evidence = RowEvidence(batch, joint, estimated, rows.off_diagonal, rows.p_given, rows.p_best_other)
    flagged = find_flagged(evidence, filter_by)
    margin = to_margin_quality(rows.p_given, rows.p_best_other)
    quality = margin if rank_by == "normalized_margin" else compute_label_quality(batch, rank_by)
    other_score = rows.p_given if rank_by == "normalized_margin" else margin
    worst_first = flagged[rank_rows(quality[flagged], other_score[flagged])]
    return LabelIssues(thresholds, joint, estimated, worst_first, rows.likely, quality, rows.p_given, rows.p_likely)


def find_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    filter_by: str = "prune_by_noise_rate",
    rank_by: str = "normalized_margin",
) -> IntArray:
    """Find the suspects: items whose given label deserves a second look, worst first.

    Filters (Northcutt, Jiang, Chuang 2021, section 3.2), with n_ij the calibrated confident joint:

    - ``prune_by_noise_rate``: for each pair i != j, of the items given i the n_ij with the largest p_j - p_i.
    - ``prune_by_class``: for each class i, the items given i with the lowest p_i, as many as its row has off
      the diagonal.
    - ``both``: those that the two agree on.
    - ``off_diagonal``: those that the confident joint counts off its diagonal (cleanlab calls this
      ``confident_learning``).
    - ``predicted_neq_given``: those for which the model prefers another class.
    - ``low_normalized_margin``, ``low_self_confidence``: the worst by that score, as many as
      `estimate_issue_count` expects (cleanlab takes the number that ``off_diagonal`` flags).

    The first two never flag all items of a class. All but the last two flag only items for which the model
    puts another class ahead of the given label, by more than 1e-6. Equal values at a cut: the lower
    self-confidence first (in ``prune_by_class`` and ``low_self_confidence`` the lower margin), then the
    lower row.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1.
    filter_by
        One of the filters above.
    rank_by
        A method of `score_label_quality`. Equal scores: the lower self-confidence first (for the other
        two methods the lower normalized margin), then the lower row.

    Returns
    -------
    numpy.ndarray
        Shape (M,), int64: row numbers, worst first. May be empty.

    Raises
    ------
    UnknownNameError
        If there is no such filter or score.
    AnalysisError
        If labels or pred_probs are not usable; the message names the first wrong row and class.

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]]
    >>> find_label_issues([0, 0, 0, 1, 1], probs).tolist()
    [2]
    """
    return compute_label_issues(labels, pred_probs, filter_by=filter_by, rank_by=rank_by).flagged


def find_likely_labels(labels: ArrayLike, pred_probs: ArrayLike) -> IntArray:
    """Find for each item which other class its label would be, were the given one wrong.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1.

    Returns
    -------
    numpy.ndarray
        Shape (N,), int64: the most probable class other than the given one among those over their confident
        threshold, else among all; of equally probable ones the lowest. Never the given label.

    Raises
    ------
    AnalysisError
        If labels or pred_probs are not usable; the message names the first wrong row and class.

    Examples
    --------
    >>> find_likely_labels([0, 1, 2], [[0.5, 0.3, 0.2], [0.4, 0.2, 0.4], [0.1, 0.5, 0.4]]).tolist()
    [1, 2, 1]
    """
    batch = to_label_batch(labels, pred_probs)
    kernel = ThresholdKernel(batch.n_classes)
    kernel.update(batch)
    return _read_rows(batch, kernel.result()).likely


def describe_suspect(given: str, likely: str, p_likely: float, threshold_likely: float, p_given: float) -> str:
    """Describe in one sentence why an item is a suspect.

    Parameters
    ----------
    given, likely
        The two labels as text; set in Markdown emphasis and not escaped.
    p_likely, p_given
        Their probabilities, 0 to 1.
    threshold_likely
        Confident threshold of the likely label; infinite where no item was given it.

    Returns
    -------
    str
        Probabilities have two decimals; one that is not quite 0 or 1 is never shown as such.

    Examples
    --------
    >>> describe_suspect("8", "9", 0.97, 0.94, 0.01)
    'Given *8*; the model says *9* with 0.97 (threshold for 9: 0.94) and 8 with 0.01.'
    >>> describe_suspect("cat", "dog", 0.4, 0.9, 0.3)
    'Given *cat*; the model says *dog* with 0.40 (below the threshold for dog: 0.90) and cat with 0.30.'
    """
    if np.isinf(threshold_likely):
        threshold = f"no threshold for {likely}: no item was given it"
    elif p_likely < threshold_likely:
        threshold = f"below the threshold for {likely}: {_describe_probability(threshold_likely)}"
    else:
        threshold = f"threshold for {likely}: {_describe_probability(threshold_likely)}"
    return (
        f"Given *{given}*; the model says *{likely}* with {_describe_probability(p_likely)} ({threshold}) "
        f"and {given} with {_describe_probability(p_given)}."
    )


def _describe_probability(p: float) -> str:
    shown = f"{p:.2f}"
    if shown == "1.00" and p < 1:
        return ">0.99"
    if shown == "0.00" and p > 0:
        return "<0.01"
    return shown


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    counts: IntArray
    likely: IntArray
    off_diagonal: BoolArray
    p_given: FloatArray
    p_likely: FloatArray
    p_best_other: FloatArray


def _read_rows(batch: LabelBatch, thresholds: FloatArray) -> _Rows:
    """Pass 2 over whole arrays: what `JointKernel` counts, and each row's own result beside it."""
    cuts = to_cuts(thresholds, batch.pred_probs.dtype)
    joint = JointKernel(thresholds)
    likely = np.empty(len(batch), dtype=np.int64)
    off_diagonal = np.empty(len(batch), dtype=np.bool_)
    p_given, p_likely, p_best_other = (np.empty(len(batch)) for _ in range(3))
    start = 0
    for block in batch.to_blocks():
        here = slice(start, start + len(block))
        reading = read_batch(block, cuts)
        joint.add(block.labels, reading.counted)
        likely[here] = reading.likely
        off_diagonal[here] = (reading.counted >= 0) & (reading.counted != block.labels)
        p_given[here] = reading.p_given
        p_likely[here] = reading.p_likely
        p_best_other[here] = reading.p_best_other
        start = here.stop
    return _Rows(joint.result(), likely, off_diagonal, p_given, p_likely, p_best_other)
