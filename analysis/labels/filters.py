"""Pass 3: which rows are suspects.

The rules of pruning are those of Northcutt, Jiang, Chuang (2021), section 3.2, with the counts that
cleanlab 2.9 uses (`filter.py`, ``min_examples_per_class=1``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from analysis.errors import UnknownNameError
from analysis.labels.pred_probs import BoolArray, FloatArray, IntArray, LabelBatch
from analysis.labels.scores import rank_rows, to_margin_quality

__all__ = [
    "FILTERS",
    "PruneKernel",
    "RowEvidence",
    "check_filter",
    "compute_prune_counts",
    "find_flagged",
]

# The model prefers the given label unless another class is ahead by more than this. The value is cleanlab's.
_MARGIN_TOLERANCE = 1e-6
# Entries that `PruneKernel` holds before it drops those that can no longer win: about 8 MB.
_FEWEST_PENDING = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class RowEvidence:
    """What the filters need to know, all rows at once.

    Parameters
    ----------
    batch
        All N rows.
    confident_joint
        Shape (K, K) [given, likely], int64: calibrated.
    estimated_issues
        Number of suspects to expect.
    off_diagonal
        Shape (N,), bool: counted off the diagonal of the confident joint.
    p_given, p_best_other
        Shape (N,), float64: probability of the given label, highest probability of another.
    """

    batch: LabelBatch
    confident_joint: IntArray
    estimated_issues: int
    off_diagonal: BoolArray
    p_given: FloatArray
    p_best_other: FloatArray

    @property
    def margin(self) -> FloatArray:
        """Shape (N,), 0 to 1: label quality by the normalized margin."""
        return to_margin_quality(self.p_given, self.p_best_other)

    @property
    def prefers_other(self) -> BoolArray:
        """Shape (N,): whether the model puts another class ahead of the given label."""
        return self.p_best_other > self.p_given + _MARGIN_TOLERANCE


def compute_prune_counts(confident_joint: IntArray) -> IntArray:
    """Compute how many items of each pair (given, other class) `prune_by_noise_rate` flags.

    The off-diagonal of the calibrated joint. Where its diagonal is 0, each count of the row is one less, so
    that no class is flagged whole.

    Parameters
    ----------
    confident_joint
        Shape (K, K) [given, likely], int64: calibrated.

    Returns
    -------
    numpy.ndarray
        Shape (K, K) [given, other], int64, diagonal 0.

    Examples
    --------
    >>> compute_prune_counts(np.array([[5, 2], [3, 0]])).tolist()
    [[0, 2], [2, 0]]
    """
    counts = confident_joint.copy()
    counts[confident_joint.diagonal() < 1] -= 1
    np.fill_diagonal(counts, 0)
    return np.maximum(counts, 0)


class PruneKernel:
    """Keeps, for each pair (given i, other j), the rows given i with the largest p_j - p_i.

    Memory: O(K^2 + kept rows + 2^18). The order is total (larger difference, then lower self-confidence,
    then lower row), so batches may come in any size and order.

    Parameters
    ----------
    prune_counts
        Shape (K, K) [given, other], int64: how many to keep of each pair, from `compute_prune_counts`.
    any_difference
        False: only rows with p_j > p_i are looked at, which are few; `short_pairs` then tells which pairs
        want more than there are. True: all rows of the wanted pairs.

    Examples
    --------
    >>> kernel = PruneKernel(np.array([[0, 1], [0, 0]]))
    >>> kernel.update(LabelBatch(np.array([0, 0, 1]), np.array([[0.4, 0.6], [0.1, 0.9], [1.0, 0.0]])))
    >>> kernel.result().tolist()
    [1]
    """

    def __init__(self, prune_counts: IntArray, *, any_difference: bool = False) -> None:
        self._n_classes = len(prune_counts)
        self._wanted = prune_counts.ravel()
        self._any_difference = any_difference
        # The difference that a new row must reach to be among the kept.
        self._cuts = np.where(self._wanted > 0, -np.inf, np.inf)
        self._entries = _Entries.empty()
        self._pending: list[_Entries] = []
        self._n_pending = 0

    def update(self, batch: LabelBatch) -> None:
        """Add rows."""
        for block in batch.to_blocks():
            p_given = block.get_given()
            if self._any_difference:
                mask = (self._wanted > 0).reshape(self._n_classes, -1)[block.labels]
            else:
                mask = block.pred_probs > p_given[:, np.newaxis]
            rows, others = np.divmod(np.flatnonzero(mask), self._n_classes)
            pairs = block.labels[rows] * self._n_classes + others
            confidence = p_given[rows].astype(np.float64)
            difference = block.pred_probs[rows, others] - confidence
            reaches = difference >= self._cuts[pairs]
            self._add(_Entries(pairs, difference, confidence, rows + block.first_row).take(reaches))

    def merge(self, other: Self) -> None:
        """Add what another kernel has kept."""
        other._compact()
        self._add(other._entries)

    def result(self) -> IntArray:
        """Return the kept rows, each once, ascending."""
        self._compact()
        rows = np.sort(self._entries.rows)
        return rows[np.diff(rows, prepend=-1) > 0]

    def short_pairs(self) -> BoolArray:
        """Return, shape (K, K), which pairs want more rows than were kept."""
        self._compact()
        kept = np.bincount(self._entries.pairs, minlength=len(self._wanted))
        return (kept < self._wanted).reshape(self._n_classes, -1)

    def _add(self, entries: "_Entries") -> None:
        self._pending.append(entries)
        self._n_pending += len(entries.rows)
        if self._n_pending > max(_FEWEST_PENDING, len(self._entries.rows)):
            self._compact()

    def _compact(self) -> None:
        if not self._pending:
            return
        everything = _Entries.join([self._entries, *self._pending])
        self._pending = []
        self._n_pending = 0
        self._entries = everything.take(
            _find_first_of_groups(
                everything.pairs,
                self._wanted,
                rank_rows(-everything.difference, everything.confidence, everything.rows),
            )
        )
        # Entries are sorted by pair, the largest difference first: the last of a pair is its least.
        kept = np.bincount(self._entries.pairs, minlength=len(self._wanted))
        full = (kept == self._wanted) & (kept > 0)
        self._cuts[full] = self._entries.difference[(np.cumsum(kept) - 1)[full]]


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Rows that may be flagged for a pair; one row may stand here for several pairs."""

    pairs: IntArray
    difference: FloatArray
    confidence: FloatArray
    rows: IntArray

    @classmethod
    def empty(cls) -> "_Entries":
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, np.zeros(0), np.zeros(0), nothing)

    @classmethod
    def join(cls, parts: list["_Entries"]) -> "_Entries":
        return cls(
            np.concatenate([part.pairs for part in parts]),
            np.concatenate([part.difference for part in parts]),
            np.concatenate([part.confidence for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )

    def take(self, which: IntArray | BoolArray) -> "_Entries":
        return _Entries(self.pairs[which], self.difference[which], self.confidence[which], self.rows[which])


def _find_first_of_groups(groups: IntArray, wanted: IntArray, order: IntArray) -> IntArray:
    """Find the first `wanted[g]` members of each group g in an order of all; they come out group by group."""
    order = order[_sort_stably(groups[order])]
    sizes = np.bincount(groups, minlength=len(wanted))
    starts = np.cumsum(sizes) - sizes
    return order[np.arange(len(order)) - starts[groups[order]] < wanted[groups[order]]]


def _sort_stably(codes: IntArray) -> IntArray:
    """Sort small non-negative integers, 16 bits at a time: numpy sorts those by radix, in linear time."""
    order = np.argsort((codes & 0xFFFF).astype(np.uint16), kind="stable")
    rest = codes >> 16
    if rest.any():
        order = order[_sort_stably(rest[order])]
    return order


def _prune_by_noise_rate(evidence: RowEvidence) -> BoolArray:
    batch = evidence.batch
    wanted = compute_prune_counts(evidence.confident_joint)
    kernel = PruneKernel(wanted)
    kernel.update(batch)
    flagged = np.zeros(len(batch), dtype=bool)
    short = kernel.short_pairs()
    flagged[kernel.result()] = True
    if short.any():
        # These pairs want more than have p_j > p_i: rows that prefer the given label take places too.
        rest = PruneKernel(np.where(short, wanted, 0), any_difference=True)
        rest.update(batch)
        flagged[rest.result()] = True
    return flagged & evidence.prefers_other


def _prune_by_class(evidence: RowEvidence) -> BoolArray:
    wanted = evidence.confident_joint.sum(axis=1) - np.maximum(evidence.confident_joint.diagonal(), 1)
    order = rank_rows(evidence.p_given, evidence.margin)
    rows = _find_first_of_groups(evidence.batch.labels, wanted, order)
    flagged = np.zeros(len(evidence.batch), dtype=bool)
    flagged[rows] = True
    return flagged & evidence.prefers_other


def _prune_by_both(evidence: RowEvidence) -> BoolArray:
    return _prune_by_noise_rate(evidence) & _prune_by_class(evidence)


def _find_off_diagonal(evidence: RowEvidence) -> BoolArray:
    return evidence.off_diagonal & evidence.prefers_other


def _find_predicted_neq_given(evidence: RowEvidence) -> BoolArray:
    return evidence.prefers_other


def _find_low_normalized_margin(evidence: RowEvidence) -> BoolArray:
    return _flag_first(rank_rows(evidence.margin, evidence.p_given), evidence.estimated_issues)


def _find_low_self_confidence(evidence: RowEvidence) -> BoolArray:
    return _flag_first(rank_rows(evidence.p_given, evidence.margin), evidence.estimated_issues)


def _flag_first(order: IntArray, n_flagged: int) -> BoolArray:
    flagged = np.zeros(len(order), dtype=bool)
    flagged[order[:n_flagged]] = True
    return flagged


_FILTERS: dict[str, Callable[[RowEvidence], BoolArray]] = {
    "prune_by_noise_rate": _prune_by_noise_rate,
    "prune_by_class": _prune_by_class,
    "both": _prune_by_both,
    "off_diagonal": _find_off_diagonal,
    "predicted_neq_given": _find_predicted_neq_given,
    "low_normalized_margin": _find_low_normalized_margin,
    "low_self_confidence": _find_low_self_confidence,
}
FILTERS = tuple(_FILTERS)


def check_filter(filter_by: str) -> None:
    """Check that a filter of this name exists.

    Parameters
    ----------
    filter_by
        A member of ``FILTERS``.

    Raises
    ------
    UnknownNameError
        If it is not; the message offers near names.

    Examples
    --------
    >>> check_filter("off_diagonal")
    """
    if filter_by not in _FILTERS:
        raise UnknownNameError("filter of label issues", filter_by, FILTERS)


def find_flagged(evidence: RowEvidence, filter_by: str) -> IntArray:
    """Find the rows that a filter flags; what each one does is told at `find_label_issues`.

    Parameters
    ----------
    evidence
        What is known of all rows.
    filter_by
        A member of ``FILTERS``.

    Returns
    -------
    numpy.ndarray
        Shape (M,), int64: row numbers, ascending.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    >>> batch = LabelBatch(np.array([0, 0, 1]), probs)
    >>> evidence = RowEvidence(
    ...     batch,
    ...     np.array([[1, 1], [0, 1]]),
    ...     1,
    ...     np.array([False, True, False]),
    ...     probs[[0, 1, 2], [0, 0, 1]],
    ...     probs[[0, 1, 2], [1, 1, 0]],
    ... )
    >>> find_flagged(evidence, "predicted_neq_given").tolist()
    [1]
    """
    return np.flatnonzero(_FILTERS[filter_by](evidence))
