"""Given labels and pred_probs: checked once at the door, then walked over in blocks of rows.

Everything behind the door trusts what it gets. No step makes an (N, K) temporary: a block holds about a
megabyte, so it stays in the processor's cache and a memory-mapped matrix larger than memory passes through.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.errors import AnalysisError

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "LabelBatch",
    "ProbabilityArray",
    "check_given_labels",
    "check_pred_probs",
    "to_label_batch",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ProbabilityArray = NDArray[np.floating[Any]]

# Softmax in float32, rounding on export and files with three decimals leave errors below this.
TOLERANCE = 1e-3
# Elements of a block: one megabyte of float64. Larger blocks fall out of the cache and take up to three
# times as long, smaller ones pay for the calls.
_BLOCK_ELEMENTS = 1 << 17
_FEWEST_CLASSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class LabelBatch:
    """Rows that came through the door: what the kernels of this wing take.

    Parameters
    ----------
    labels
        Shape (B,), int64 in 0..K-1: the given labels.
    pred_probs
        Shape (B, K), float32 or float64: one row an item, one column a class.
    first_row
        Number of the first row in the whole data set, so that a kernel can name rows.
    """

    labels: IntArray
    pred_probs: ProbabilityArray
    first_row: int = 0

    @property
    def n_classes(self) -> int:
        """K, the number of classes."""
        return int(self.pred_probs.shape[1])

    def __len__(self) -> int:
        return len(self.labels)

    def to_blocks(self, rows: int | None = None) -> Iterator["LabelBatch"]:
        """Walk over the rows in views, none of them copied.

        Parameters
        ----------
        rows
            Rows a block; by default as many as make about one megabyte.
        """
        step = rows or max(1, _BLOCK_ELEMENTS // self.n_classes)
        for start in range(0, len(self), step):
            stop = start + step
            yield LabelBatch(self.labels[start:stop], self.pred_probs[start:stop], self.first_row + start)

    def get_given(self) -> ProbabilityArray:
        """Return p_given, shape (B,): the probability of each row's given label."""
        given: ProbabilityArray = self.pred_probs[np.arange(len(self)), self.labels]
        return given

    def copy_others(self) -> ProbabilityArray:
        """Return a copy, shape (B, K) in C order, whose entries of the given label are -inf."""
        others = np.array(self.pred_probs, order="C", copy=True)
        others[np.arange(len(self)), self.labels] = -np.inf
        return others


def to_label_batch(labels: ArrayLike, pred_probs: ArrayLike) -> LabelBatch:
    """Convert what a user brings to a checked batch: the door of this wing.

    Parameters
    ----------
    labels
        Shape (N,), integers in 0..K-1: the given labels.
    pred_probs
        Shape (N, K), 0 to 1, rows sum to 1. Arrays and memory maps of float32 and float64 are not
        copied; other number types become float64.

    Returns
    -------
    LabelBatch
        All N rows.

    Raises
    ------
    AnalysisError
        If a shape, a type or a value is wrong; the message names the first wrong row and its class.

    Examples
    --------
    >>> len(to_label_batch([0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    2
    """
    probabilities = np.asarray(pred_probs)
    if probabilities.dtype not in (np.float32, np.float64):
        if probabilities.dtype.kind not in "fiub":
            raise AnalysisError(
                f"pred_probs must hold numbers, but its type is {probabilities.dtype}. "
                "Pass the class probabilities alone, as a float array of shape (items, classes)."
            )
        probabilities = probabilities.astype(np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] < _FEWEST_CLASSES:  # noqa: PLR2004 (a matrix)
        raise AnalysisError(
            f"pred_probs has shape {probabilities.shape}; it must be (items, classes) with two classes or "
            "more. For a single score p of the positive class pass the two columns 1 - p and p."
        )
    given = np.asarray(labels)
    check_given_labels(given, len(probabilities), probabilities.shape[1])
    batch = LabelBatch(given.astype(np.int64, copy=False), probabilities)
    check_pred_probs(batch)
    return batch


def check_given_labels(labels: NDArray[Any], n_rows: int, n_classes: int) -> None:
    """Check that labels are class codes, one a row of pred_probs.

    Parameters
    ----------
    labels
        What should have shape (N,) and hold integers in 0..K-1.
    n_rows, n_classes
        N and K of pred_probs.

    Raises
    ------
    AnalysisError
        If there are none, or shape, type or values are wrong.

    Examples
    --------
    >>> check_given_labels(np.array([0, 2, 1]), n_rows=3, n_classes=3)
    """
    if labels.shape != (n_rows,):
        raise AnalysisError(
            f"labels has shape {labels.shape}, but pred_probs has {n_rows:,} rows. "
            "Pass one given label a row, in the same order."
        )
    if n_rows < 1:
        raise AnalysisError("There are no items. Pass at least one given label with its row of pred_probs.")
    if labels.dtype.kind not in "iu":
        raise AnalysisError(
            f"labels must be integers from 0 to {n_classes - 1}, but their type is {labels.dtype}. "
            "Encode each label as the number of its column in pred_probs, and leave out unlabelled items."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        row = int(np.argmax((labels < 0) | (labels >= n_classes)))
        raise AnalysisError(
            f"labels row {row:,} is {labels[row]}, but pred_probs has {n_classes} columns, the classes 0 to "
            f"{n_classes - 1}. Encode labels as column numbers, or add the missing class to pred_probs."
        )


def check_pred_probs(batch: LabelBatch) -> None:
    """Check that every row of pred_probs is a distribution over the classes, to a thousandth.

    Parameters
    ----------
    batch
        The rows; read once, block by block.

    Raises
    ------
    AnalysisError
        At the first block with a missing value, a value below -0.001 or above 1.001, or a row whose sum
        is off by more than 0.001; the message names the first such row and the class.

    Examples
    --------
    >>> check_pred_probs(LabelBatch(np.array([0]), np.array([[0.3, 0.7]])))
    """
    ones = np.ones(batch.n_classes, dtype=batch.pred_probs.dtype)
    for block in batch.to_blocks():
        values = block.pred_probs
        with np.errstate(invalid="ignore", over="ignore"):
            # A product with ones is the fastest row sum; a NaN anywhere in the row makes it NaN.
            sums = values @ ones
            sums_are_one = bool((np.abs(sums - 1) <= TOLERANCE).all())
        if not (sums_are_one and values.min() >= -TOLERANCE and values.max() <= 1 + TOLERANCE):
            fault = _describe_first_fault(block)
            if fault is not None:
                raise AnalysisError(fault)


def _describe_first_fault(block: LabelBatch) -> str | None:
    """Look again in float64, where a float32 sum at the edge of the tolerance may turn out right."""
    values = block.pred_probs.astype(np.float64)
    within = (values >= -TOLERANCE) & (values <= 1 + TOLERANCE)  # False for NaN too
    sums = np.where(within, values, 0).sum(axis=1)
    faulty = ~within.all(axis=1) | (np.abs(sums - 1) > TOLERANCE)
    if not faulty.any():
        return None
    row = int(np.argmax(faulty))
    name = f"{block.first_row + row:,}"
    if not within[row].all():
        code = int(np.argmin(within[row]))
        found = float(values[row, code])
        if np.isnan(found):
            return (
                f"pred_probs row {name}, class {code} is missing (NaN). Leave out items that the model did "
                "not predict, here and in labels."
            )
        return (
            f"pred_probs row {name}, class {code} is {found:.6g}; a probability lies between 0 and 1. "
            "If these are raw scores (logits), convert them with a softmax."
        )
    return (
        f"pred_probs row {name} sums to {sums[row]:.6g}, not 1. Pass one probability for each class, "
        "and divide each row by its sum where it was rounded or cut to the top classes."
    )
