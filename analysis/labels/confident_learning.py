"""Confident learning: per-class thresholds, and the joint of given and likely labels.

Source of every formula here: Northcutt, Jiang, Chuang (2021), "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 70, section 3. The functions take whole arrays; each drives a small kernel with
``update``, ``merge`` and ``result``, so the same numbers come out of a stream of batches, in any order and
bit for bit.

Passes over the rows: 1 thresholds (`ThresholdKernel`), 2 joint (`JointKernel`), 3 flags (`filters`).
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.errors import AnalysisError
from analysis.labels.likely import read_batch, to_cuts
from analysis.labels.pred_probs import BoolArray, FloatArray, IntArray, LabelBatch, to_label_batch

__all__ = [
    "JointKernel",
    "ThresholdKernel",
    "compute_confident_joint",
    "compute_confident_thresholds",
    "estimate_issue_count",
    "to_calibrated_joint",
]

# A mean of about zero would let every item be "over" it. The value is cleanlab's.
_LEAST_THRESHOLD = 2e-6
# Probabilities are summed as integers in two halves of 31 bits: exact, hence the same in any order.
_HALF_BITS = 31
# 2^16 rows of 2^31 stay below 2^53, where float64 counts of `np.bincount` are still exact.
_EXACT_ROWS = 1 << 16


class ThresholdKernel:
    """Pass 1: sums the self-confidence of each class.

    Memory: O(K). The sums are exact integers (multiples of 2^-62), so batches may come in any size and order.

    Parameters
    ----------
    n_classes
        K.

    Examples
    --------
    >>> kernel = ThresholdKernel(2)
    >>> kernel.update(to_label_batch([0, 0, 1], [[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]]))
    >>> kernel.result().round(6).tolist(), kernel.given_counts.tolist()
    ([0.8, 0.6], [2, 1])
    """

    def __init__(self, n_classes: int) -> None:
        self.given_counts: IntArray = np.zeros(n_classes, dtype=np.int64)
        self._high: IntArray = np.zeros(n_classes, dtype=np.int64)
        self._low: IntArray = np.zeros(n_classes, dtype=np.int64)

    def update(self, batch: LabelBatch) -> None:
        """Add rows."""
        size = len(self.given_counts)
        unit = float(1 << _HALF_BITS)
        for block in batch.to_blocks(_EXACT_ROWS):
            scaled = block.get_given().astype(np.float64) * unit
            high = np.floor(scaled)
            low = np.rint((scaled - high) * unit)
            self.given_counts += np.bincount(block.labels, minlength=size)
            self._high += np.bincount(block.labels, weights=high, minlength=size).astype(np.int64)
            self._low += np.bincount(block.labels, weights=low, minlength=size).astype(np.int64)

    def merge(self, other: Self) -> None:
        """Add what another kernel has seen."""
        self.given_counts += other.given_counts
        self._high += other._high
        self._low += other._low

    def result(self) -> FloatArray:
        """Return the thresholds, shape (K,); see `compute_confident_thresholds`."""
        thresholds = np.full(len(self.given_counts), np.inf)
        for code in np.flatnonzero(self.given_counts):
            total = (int(self._high[code]) << _HALF_BITS) + int(self._low[code])
            # Division of Python integers is rounded once and correctly.
            mean = total / (int(self.given_counts[code]) << 2 * _HALF_BITS)
            thresholds[code] = max(mean, _LEAST_THRESHOLD)
        return thresholds


def compute_confident_thresholds(labels: ArrayLike, pred_probs: ArrayLike) -> FloatArray:
    """Compute the confident threshold of each class: the mean self-confidence of the items given it.

    t_j = mean of p(j; x) over the items x whose given label is j (the paper's equation 2). An item counts
    as confidently j when p(j; x) >= t_j - 1e-12.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1.

    Returns
    -------
    numpy.ndarray
        Shape (K,), float64, 2e-6 to 1: higher means that the model is surer of this class. A class that no
        item was given has no mean: its threshold is infinite, so nothing is ever over it. A mean below
        2e-6 is raised to that, else items with probability zero would be over it.

    Raises
    ------
    AnalysisError
        If labels or pred_probs are not usable; the message names the first wrong row and class.

    Examples
    --------
    >>> compute_confident_thresholds([0, 0, 1], [[0.9, 0.1, 0], [0.5, 0.5, 0], [0.4, 0.6, 0]]).tolist()
    [0.7, 0.6, inf]
    """
    batch = to_label_batch(labels, pred_probs)
    kernel = ThresholdKernel(batch.n_classes)
    kernel.update(batch)
    return kernel.result()


class JointKernel:
    """Pass 2: counts given label against confident class.

    Memory: O(K^2). Counts are integers, so batches may come in any size and order.

    Parameters
    ----------
    thresholds
        Shape (K,): the result of pass 1.

    Examples
    --------
    >>> kernel = JointKernel(np.array([0.7, 0.6]))
    >>> kernel.update(to_label_batch([0, 0, 1], [[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]]))
    >>> kernel.result().tolist()
    [[1, 1], [0, 1]]
    """

    def __init__(self, thresholds: FloatArray) -> None:
        self._thresholds = thresholds
        self._counts: IntArray = np.zeros(len(thresholds) ** 2, dtype=np.int64)

    def update(self, batch: LabelBatch) -> None:
        """Add rows."""
        cuts = to_cuts(self._thresholds, batch.pred_probs.dtype)
        for block in batch.to_blocks():
            self.add(block.labels, read_batch(block, cuts).counted)

    def add(self, labels: IntArray, counted: IntArray) -> None:
        """Add rows that are read already; `counted` is -1 for rows without a confident class."""
        confident: BoolArray = counted >= 0
        np.add.at(self._counts, labels[confident] * len(self._thresholds) + counted[confident], 1)

    def merge(self, other: Self) -> None:
        """Add what another kernel has counted."""
        self._counts += other._counts

    def result(self) -> IntArray:
        """Return the raw counts, shape (K, K) [given, likely], int64."""
        return self._counts.reshape(len(self._thresholds), -1).copy()


def compute_confident_joint(labels: ArrayLike, pred_probs: ArrayLike, *, calibrate: bool = True) -> IntArray:
    """Compute the confident joint: how many items with each given label are confidently of each class.

    Entry [i, j] of the raw counts is the number of items given i for which j is the most probable of the
    classes *over their threshold* (the paper's equation 1; equal probabilities: the lowest class). Items
    over no threshold are not counted. As loops::

        for x, i in enumerate(labels):
            over = [j for j in range(K) if pred_probs[x, j] >= thresholds[j] - 1e-12]
            if over:
                joint[i, max(over, key=lambda j: pred_probs[x, j])] += 1

    cleanlab (2.9, `count.py`) reads the paper otherwise in one case: where two or more classes are over
    their threshold it takes the most probable of *all* classes, even if that one is below its own
    threshold. Where no item is of that kind, raw counts differ from cleanlab's only on the
    diagonal, which it raises to at least 1 even then, and by its wider tolerance of 1e-6.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1: out-of-sample probabilities, rows sum to 1.
    calibrate
        Whether to scale the counts to the numbers of given labels, see `to_calibrated_joint`.

    Returns
    -------
    numpy.ndarray
        Shape (K, K) [given, likely], int64. Off the diagonal, more means more suspects.
        Calibrated: row i sums to the number of items given i. Raw: the plain counts.

    Raises
    ------
    AnalysisError
        If labels or pred_probs are not usable; the message names the first wrong row and class.

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]]
    >>> compute_confident_joint([0, 0, 0, 1, 1], probs, calibrate=False).tolist()
    [[2, 1], [1, 1]]
    """
    batch = to_label_batch(labels, pred_probs)
    first = ThresholdKernel(batch.n_classes)
    first.update(batch)
    second = JointKernel(first.result())
    second.update(batch)
    counts = second.result()
    return to_calibrated_joint(counts, first.given_counts) if calibrate else counts


def to_calibrated_joint(counts: IntArray, given_counts: IntArray) -> IntArray:
    """Convert raw counts of the confident joint to an estimate for all N items.

    Each row is scaled to the number of items given that label (the paper's equation 3 times N), then
    rounded so that the row still sums to it. First the diagonal is raised to at least 1: a class has at least
    one right label. Among entries that are equally near to the next integer, the higher class is rounded up.

    The arithmetic is that of cleanlab 2.9 (`calibrate_confident_joint`), operation by operation, because
    ties are frequent in small tables and rounding noise decides them. One thing differs: cleanlab breaks
    exact ties by an unstable sort, whose outcome depends on the processor; here it does not.

    Parameters
    ----------
    counts
        Shape (K, K) [given, likely], non-negative integers: raw counts.
    given_counts
        Shape (K,): the number of items given each label.

    Returns
    -------
    numpy.ndarray
        Shape (K, K) [given, likely], int64; row i sums to given_counts[i], also where that is zero.

    Examples
    --------
    >>> to_calibrated_joint(np.array([[6, 2], [0, 5]]), np.array([12, 10])).tolist()
    [[9, 3], [0, 10]]
    """
    calibrated = np.zeros_like(counts)
    present = np.flatnonzero(given_counts)
    if not present.size:
        return calibrated
    # A class without items has neither row nor column, so adding one cannot move a rounding.
    cells = np.ix_(present, present)
    joint = counts[cells]
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    totals = given_counts[present]
    scaled = joint / joint.sum(axis=1, keepdims=True) * totals[:, np.newaxis]
    # Changes nothing but the last bit, to which the order of the sum belongs: column by column.
    scaled = scaled / np.ascontiguousarray(scaled.T).sum() * totals.sum()
    rounded = np.rint(scaled).astype(np.int64)
    left_over = scaled - rounded
    missing = totals - rounded.sum(axis=1)
    for row in np.flatnonzero(missing):
        order = np.argsort(left_over[row], kind="stable")
        change = int(missing[row])
        chosen = order[-change:] if change > 0 else order[:-change]
        rounded[row, chosen] += np.sign(change)
    calibrated[cells] = rounded
    return calibrated


def estimate_issue_count(confident_joint: ArrayLike, N: int) -> int:
    """Estimate how many of N items have a given label that is not their class.

    round(N (1 - trace Q)), with Q the joint divided by its sum (the paper's equation 3).

    Parameters
    ----------
    confident_joint
        Shape (K, K) [given, likely]: the calibrated joint, as counts or as shares.
    N
        Number of items.

    Returns
    -------
    int
        0 to N: higher means more suspects are expected. Halves are rounded to the even number.

    Raises
    ------
    AnalysisError
        If the joint is not square or sums to nothing.

    Examples
    --------
    >>> estimate_issue_count([[9, 3], [0, 10]], 22)
    3
    """
    joint = np.asarray(confident_joint, dtype=np.float64)
    if joint.ndim != 2 or joint.shape[0] != joint.shape[1] or not joint.sum() > 0:  # noqa: PLR2004 (a matrix)
        raise AnalysisError(
            f"A confident joint is a square matrix of counts with a positive sum; this one has shape "
            f"{joint.shape} and sum {joint.sum():g}. Pass the result of compute_confident_joint."
        )
    return round(float(N * (1 - joint.trace() / joint.sum())))
