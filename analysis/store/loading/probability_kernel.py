"""Whether rows of numbers are probabilities: checked, mended and decided in blocks, without knowing files or SQL."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from analysis.store.loading.matrix import Block

__all__ = ["SLACK", "Fault", "Mended", "ProbabilityKernel"]

SLACK: Final = 1e-3
"""How far rounding may take a probability out of 0 to 1, and a row's sum off 1."""

_ROUNDING: Final = 1e-7  # numbers that were float32 once are this far from the decimals they stand for
_VISIBLE: Final = 1e-6  # a sum off by less is what float32 does to any row, and no news
_NARROW: Final = 64  # up to so many classes, sums over classes are faster with a class a row


@dataclass(frozen=True)
class Fault:
    """A row that holds no probabilities: the class at fault (None for the whole row) and what is wrong."""

    row: int
    place: int | None
    reason: str


@dataclass(frozen=True)
class Mended:
    """The rows of a block that hold probabilities.

    Attributes
    ----------
    rows
        (M,) int64, the rows of the file.
    numbers
        (M, K) float32, 0 to 1, each row summing to 1.
    best
        (M,) int32, the place of the most probable class, -1 where several are.
    """

    rows: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float32]
    best: npt.NDArray[np.int32]


@dataclass
class ProbabilityKernel:
    """Check rows of probabilities and mend what rounding did to them.

    One pass; memory is that of a block and of the listed faults. Kernels that saw different blocks are merged.
    Nothing counted depends on how the rows fall into blocks, or on how many faults are listed.

    Parameters
    ----------
    classes
        K names, in the order of the numbers.
    listed
        How many faulty rows are described, those with the smallest row numbers first; all are counted.

    Attributes
    ----------
    rows, faulty, renormalised
        Rows seen that have numbers; those of them that hold no probabilities; those that rounding had put visibly
        off, by more than 1e-6.
    lengths
        How many rows have how many numbers.

    Examples
    --------
    >>> kernel = ProbabilityKernel(("a", "b"), listed=9)
    >>> numbers = np.array([[0.25, 0.75], [0.5, 0.5005], [0.5, 0.7]])
    >>> mended = kernel.update(Block(np.arange(1, 4), numbers, np.array([2, 2, 2])))
    >>> mended.rows.tolist(), mended.best.tolist()
    ([1, 2], [1, 1])
    >>> kernel.faulty, kernel.renormalised, kernel.faults[0].reason
    (1, 1, 'the probabilities sum to 1.2, not 1')
    """

    classes: tuple[str, ...]
    listed: int
    rows: int = 0
    faulty: int = 0
    renormalised: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    _found: list[Fault] = field(default_factory=list)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faulty rows that are listed, in their order."""
        return tuple(sorted(self._found, key=lambda fault: fault.row)[: self.listed])

    def update(self, block: Block) -> Mended:
        """Take in a block, and return its good rows; rows that need no numbers and have none are passed over."""
        width = len(self.classes)
        self._count_lengths(block)
        free = max(0, self.listed - len(self._found))
        right = block.lengths == width
        wrong = ~right if block.needed is None else ~right & ((block.lengths >= 0) | block.needed)
        self._describe_lengths(block, wrong, free)
        rows, found = (block.rows, block.numbers) if right.all() else (block.rows[right], block.numbers[right])
        narrow = width <= _NARROW
        # One layout for one number of classes, so that a row is mended alike wherever it comes from.
        axis = 0 if narrow else 1
        values = np.array(found.T if narrow else found, dtype=np.float64, order="C")
        with np.errstate(invalid="ignore", over="ignore"):
            low, high, total = values.min(axis=axis), values.max(axis=axis), values.sum(axis=axis)
            # A missing number makes all three NaN, and NaN is not within anything.
            good = (low >= -SLACK - _ROUNDING) & (high <= 1 + SLACK + _ROUNDING)
            good &= np.abs(total - 1) <= SLACK + _ROUNDING
        if not good.all():
            self._describe(rows[~good], values[:, ~good].T if narrow else values[~good], free)
            rows, low, high, total = rows[good], low[good], high[good], total[good]
            values = np.compress(good, values, axis=1 - axis)
        self.renormalised += int(((low < 0) | (high > 1) | (np.abs(total - 1) > _VISIBLE)).sum())
        if ((low < 0) | (high > 1)).any():
            np.clip(values, 0, 1, out=values)
            total = values.sum(axis=axis)
        values /= np.expand_dims(total, axis)
        best = _find_best(values, axis)
        mended = np.ascontiguousarray(values.T if narrow else values, dtype=np.float32)
        # No negative zeros: equal rows have equal bits.
        np.abs(mended, out=mended)
        return Mended(rows, mended, best)

    def merge(self, other: Self) -> None:
        """Take in what a kernel found that saw other blocks of the same file."""
        self.rows += other.rows
        self.faulty += other.faulty
        self.renormalised += other.renormalised
        self.lengths.update(other.lengths)
        self._found = [*self._found, *other._found]

    def _count_lengths(self, block: Block) -> None:
        for length, count in zip(*np.unique(block.lengths, return_counts=True), strict=True):
            if length >= 0:
                self.lengths[int(length)] += int(count)
                self.rows += int(count)

    def _describe_lengths(self, block: Block, wrong: npt.NDArray[np.bool_], free: int) -> None:
        self.faulty += int(wrong.sum())
        for place in np.flatnonzero(wrong)[:free]:
            length = int(block.lengths[place])
            reason = "no prediction" if length < 0 else f"{length} probabilities for {len(self.classes)} classes"
            self._found.append(Fault(int(block.rows[place]), None, reason))

    def _describe(self, rows: npt.NDArray[np.int64], values: npt.NDArray[Any], free: int) -> None:
        self.faulty += len(rows)
        for row, numbers in zip(rows[:free].tolist(), values, strict=False):
            self._found.append(Fault(row, *_describe_fault(self.classes, numbers.tolist())))


def _find_best(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.int32]:
    """Return the place of the largest number, -1 where two are."""
    largest = values == values.max(axis=axis, keepdims=True)
    best: npt.NDArray[np.int32]
    if axis:
        best = largest.argmax(axis=1).astype(np.int32)
    else:
        # The sum of the places that are largest: that place, where it is one.
        best = np.einsum("kb,k->b", largest.astype(np.int32), np.arange(len(values), dtype=np.int32))
    best[np.count_nonzero(largest, axis=axis) > 1] = -1
    return best


def _describe_fault(classes: Sequence[str], numbers: Sequence[float]) -> tuple[int | None, str]:
    """Return the place of the class at fault, None for the whole row, and what is wrong."""
    for place, (name, number) in enumerate(zip(classes, numbers, strict=True)):
        if math.isnan(number):
            return place, f"the probability of {name!r} is missing or no number"
        if not -SLACK - _ROUNDING <= number <= 1 + SLACK + _ROUNDING:
            return place, f"the probability {number:g} of {name!r} is not between 0 and 1"
    return None, f"the probabilities sum to {math.fsum(numbers):g}, not 1"
