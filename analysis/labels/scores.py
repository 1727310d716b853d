"""Label quality: how well the model agrees with a given label. 0 to 1, lower is worse."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from analysis.errors import AnalysisError, UnknownNameError
from analysis.labels.confident_learning import ThresholdKernel
from analysis.labels.pred_probs import FloatArray, IntArray, LabelBatch, ProbabilityArray, to_label_batch

__all__ = [
    "SCORE_METHODS",
    "check_score_method",
    "compute_label_quality",
    "rank_rows",
    "score_label_quality",
    "to_margin_quality",
]


def to_margin_quality(p_given: ProbabilityArray, p_best_other: ProbabilityArray) -> FloatArray:
    """Convert a margin to label quality: (p_given - p_best_other + 1) / 2.

    Parameters
    ----------
    p_given
        Shape (N,), 0 to 1: probability of the given label.
    p_best_other
        Shape (N,), 0 to 1: highest probability of another class.

    Returns
    -------
    numpy.ndarray
        Shape (N,), float64, 0 to 1: lower is worse; below 0.5 the model prefers another class.

    Examples
    --------
    >>> to_margin_quality(np.array([0.9, 0.0]), np.array([0.1, 1.0])).tolist()
    [0.9, 0.0]
    """
    margin = p_given.astype(np.float64) - p_best_other
    return np.clip((margin + 1) / 2, 0, 1)


def rank_rows(*keys: FloatArray | IntArray) -> IntArray:
    """Rank rows by the first key ascending, equal ones by the next key, at last by row number.

    Same as ``numpy.lexsort`` of the keys backwards, but several times faster: only rows that share their
    first key are sorted by the others.

    Parameters
    ----------
    keys
        Shape (N,) each: for scores of which lower is worse, the worst row comes first.

    Returns
    -------
    numpy.ndarray
        Shape (N,), int64: row numbers in order.

    Examples
    --------
    >>> rank_rows(np.array([0.5, 0.1, 0.5]), np.array([0.3, 0.9, 0.2])).tolist()
    [1, 2, 0]
    """
    order = np.argsort(keys[0])
    first = keys[0][order]
    equal = first[1:] == first[:-1]
    tied = np.zeros(len(order), dtype=np.bool_)
    tied[1:] = equal
    tied[:-1] |= equal
    # Runs of equal keys lie together, so sorting all their members at once puts each back into its run.
    places = np.flatnonzero(tied)
    members = np.sort(order[places])
    order[places] = members[np.lexsort([key[members] for key in reversed(keys)])]
    return order


def _score_normalized_margin(batch: LabelBatch) -> FloatArray:
    others = batch.copy_others()
    # argmax and a look-up: several times faster than max along a short axis.
    best = others[np.arange(len(batch)), others.argmax(axis=1)]
    return to_margin_quality(batch.get_given(), best)


def _score_self_confidence(batch: LabelBatch) -> FloatArray:
    return np.clip(batch.get_given().astype(np.float64), 0, 1)


def _score_confidence_weighted_entropy(batch: LabelBatch) -> FloatArray:
    probabilities = np.clip(batch.pred_probs.astype(np.float64), 0, 1)
    entropy = -xlogy(probabilities, probabilities).sum(axis=1) / np.log(batch.n_classes)
    p_given = probabilities[np.arange(len(batch)), batch.labels]
    ratio = np.full(len(batch), np.inf)
    # A quotient beyond the largest float is as infinite as one by zero.
    with np.errstate(over="ignore"):
        np.divide(entropy, p_given, out=ratio, where=p_given > 0)
    score = np.ones(len(batch))
    score[np.isinf(ratio)] = 0
    inside = (ratio > 0) & np.isfinite(ratio)
    score[inside] = np.log1p(ratio[inside]) / ratio[inside]
    return np.clip(score, 0, 1)


_SCORES: dict[str, Callable[[LabelBatch], FloatArray]] = {
    "normalized_margin": _score_normalized_margin,
    "self_confidence": _score_self_confidence,
    "confidence_weighted_entropy": _score_confidence_weighted_entropy,
}
SCORE_METHODS = tuple(_SCORES)
_ADJUSTABLE = ("normalized_margin", "self_confidence")


def check_score_method(method: str) -> None:
    """Check that a score of this name exists.

    Parameters
    ----------
    method
        A member of ``SCORE_METHODS``.

    Raises
    ------
    UnknownNameError
        If it is not; the message offers near names.

    Examples
    --------
    >>> check_score_method("self_confidence")
    """
    if method not in _SCORES:
        raise UnknownNameError("label quality score", method, SCORE_METHODS)


def score_label_quality(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    method: str = "normalized_margin",
    adjust: bool = False,
) -> FloatArray:
    """Score each given label by how well the model agrees with it.

    With p the probabilities of an item and g its given label:

    - ``normalized_margin``: (m + 1) / 2 with m = p_g - max of p_j over j != g. Below 0.5 the model prefers
      another class. Best where classes are mixed up (Northcutt, Jiang, Chuang 2021, section 3.2).
    - ``self_confidence``: p_g. Items that the model has no idea of rank low too, but many tie at 0.
    - ``confidence_weighted_entropy``: log(1 + s) / s with s = H(p) / (p_g log K), H the entropy (Kuan,
      Mueller 2022, "Model-agnostic label quality scoring to detect real-world label errors"); at its limits
      0 where p_g is 0, else 1 where H is 0. cleanlab 2.9 floors p_g and s at 1e-6 instead, by which a right
      label of which the model is certain scores 0; above that, and in the other two, the values are equal.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1.
    method
        ``"normalized_margin"``, ``"self_confidence"`` or ``"confidence_weighted_entropy"``.
    adjust
        First correct for classes of which the model is less sure than of others: p_j becomes
        (p_j - t_j + t) / sum over l of (p_l - t_l + t), with t_j the confident threshold of class j and t
        the highest (as cleanlab does; a class without given labels counts as t_j = t). Not for the entropy.

    Returns
    -------
    numpy.ndarray
        Shape (N,), float64, 0 to 1: lower is worse. Values that rounding has put outside are clipped.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    AnalysisError
        If labels or pred_probs are not usable, or `adjust` is asked for with the entropy.

    Examples
    --------
    >>> probs = [[0.75, 0.25], [0.0, 1.0]]
    >>> score_label_quality([0, 0], probs).tolist()
    [0.75, 0.0]
    >>> score_label_quality([0, 0], probs, method="confidence_weighted_entropy").round(3).tolist()
    [0.678, 0.0]
    """
    check_score_method(method)
    if adjust and method not in _ADJUSTABLE:
        raise AnalysisError(
            f"adjust=True does not go with {method!r}, because adjusted values are no probabilities and "
            f"have no entropy. Use one of {', '.join(_ADJUSTABLE)}, or adjust=False."
        )
    batch = to_label_batch(labels, pred_probs)
    return compute_label_quality(batch, method, offsets=_compute_offsets(batch) if adjust else None)


def compute_label_quality(batch: LabelBatch, method: str, offsets: FloatArray | None = None) -> FloatArray:
    """Compute label quality of rows that are checked already; see `score_label_quality`.

    Parameters
    ----------
    batch
        Any number of rows; read once, block by block.
    method
        A member of ``SCORE_METHODS``.
    offsets
        Shape (K,), what to add to each class before each row is divided by its sum; None leaves pred_probs.

    Returns
    -------
    numpy.ndarray
        Shape (B,), float64, 0 to 1: lower is worse.

    Examples
    --------
    >>> compute_label_quality(to_label_batch([1], [[0.4, 0.6]]), "self_confidence").tolist()
    [0.6]
    """
    score = _SCORES[method]
    quality = np.empty(len(batch))
    start = 0
    for block in batch.to_blocks():
        stop = start + len(block)
        quality[start:stop] = score(block if offsets is None else _adjust(block, offsets))
        start = stop
    return quality


def _compute_offsets(batch: LabelBatch) -> FloatArray:
    kernel = ThresholdKernel(batch.n_classes)
    kernel.update(batch)
    thresholds = kernel.result()
    known = np.isfinite(thresholds)
    highest = thresholds[known].max()
    # An empty class gets no offset: adding a class without mass then changes no score.
    return np.where(known, highest - thresholds, 0.0)


def _adjust(block: LabelBatch, offsets: FloatArray) -> LabelBatch:
    shifted = block.pred_probs + offsets
    return LabelBatch(block.labels, shifted / shifted.sum(axis=1, keepdims=True), block.first_row)
