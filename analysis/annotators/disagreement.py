"""Votes counted for Krippendorff's alpha, so that the bootstrap weighs items and recounts nothing.

Alpha is usually written with a K x K coincidence matrix. Three identities make it a sum over the pairs of
item and label that occur: equal labels are counted by squares; the pairs of votes in an item have a squared
distance that is twice the number of votes times the squared distances to their mean; and the ordinal distance
is the squared distance of midranks.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from analysis.core.consensus import LabelCounts, compute_label_counts
from analysis.core.votes import CodedVotes, to_coded_votes, to_text_codes
from analysis.errors import AnalysisError, UnknownNameError

__all__ = ["Disagreement", "Level", "to_disagreement"]

FloatArray: TypeAlias = NDArray[np.float64]
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
"""How labels differ: they are equal or not; by the votes ranked between them; by their squared difference."""

_PAIR = 2  # alpha compares pairs of votes


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Counted votes of M items that have at least two labels each.

    Attributes
    ----------
    pairs
        The P pairs of item and label that occur; items numbered 0 to M - 1.
    items
        M.
    names
        (K,) the labels as text.
    counts
        (K, M) sparse float64, the same counts as `pairs`: times the weights it gives the votes by label.
    order
        (K,) the labels from lowest to highest, for the ordinal level; else None.
    by_item
        (M,) each item's disagreement over (votes - 1), for the levels where it is a property of the item. At
        the ordinal level the distance of two labels depends on all votes, and this is None.
    values
        (K,) the labels as numbers, for the interval level; else None.
    """

    pairs: LabelCounts
    items: int
    names: NDArray[np.object_]
    counts: sparse.csr_array
    order: NDArray[np.int64] | None = None
    values: FloatArray | None = None
    by_item: FloatArray | None = None

    def compute_alpha(self, weights: NDArray[np.int64]) -> float:
        """Compute alpha of the items, each taken as often as its weight says.

        Parameters
        ----------
        weights
            (M,) int64, 0 or more; all 1 for the votes as they are.

        Returns
        -------
        float
            At most 1; NaN where all weighted votes give one label.
        """
        by_label: FloatArray = self.counts @ weights.astype(np.float64)
        if np.count_nonzero(by_label) < _PAIR:
            return float("nan")
        values = self.values if self.order is None else _compute_midranks(by_label, self.order)
        by_item = _disagree_by_item(self.pairs, self.items, values) if self.by_item is None else self.by_item
        total = by_label.sum()
        if values is None:
            expected = total * total - by_label @ by_label
        else:
            distance = values - (by_label @ values) / total
            expected = 2 * total * (by_label @ (distance * distance))
        # A dot product of this length goes to BLAS threads, which wait for each other on busy cores
        # (measured: twenty times slower); numpy's own sum does not.
        observed = (weights * by_item).sum()
        return float(1 - (total - 1) * observed / expected)


def to_disagreement(votes: pd.DataFrame, level: Level) -> Disagreement:
    """Count the votes for alpha, after the checks of the level, the votes and the labels.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and is left out.
    level
        How labels differ.

    Returns
    -------
    Disagreement
        Of the items with at least two labels.

    Raises
    ------
    AnalysisError
        An unknown level, no item with two labels, or labels that do not fit the level.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": [1, 1, 2], "annotator": ["ann", "bob", "ann"], "label": ["x", "y", "x"]})
    >>> to_disagreement(votes, "nominal").items
    1
    """
    if level not in get_args(Level):
        raise UnknownNameError("level", str(level), get_args(Level))
    coded = to_coded_votes(votes)
    pairs, items = _count_compared(coded)
    counts = sparse.csr_array(
        (pairs.count.astype(np.float64), (pairs.label, pairs.item)), shape=(len(coded.labels), items)
    )
    if level == "ordinal":
        order = _rank_labels(votes["label"], coded.labels)
        return Disagreement(pairs, items, coded.labels, counts, order=order)
    values = _to_numbers(coded.labels, level) if level == "interval" else None
    by_item = _disagree_by_item(pairs, items, values)
    return Disagreement(pairs, items, coded.labels, counts, values=values, by_item=by_item)


def _count_compared(coded: CodedVotes) -> tuple[LabelCounts, int]:
    """Count labels on the items that have at least two, renumbered; and how many items these are."""
    pairs = compute_label_counts(coded)
    compared = np.bincount(pairs.item, weights=pairs.count, minlength=len(coded.items)) >= _PAIR
    if not compared.any():
        raise AnalysisError(
            "Krippendorff's alpha is undefined: no item has labels of two people. "
            f"Found {len(coded.items):,} items and {len(coded.annotators):,} annotators. "
            "Send some items to a second person."
        )
    kept = compared[pairs.item]
    number = np.cumsum(compared) - 1
    return LabelCounts(number[pairs.item[kept]], pairs.label[kept], pairs.count[kept]), int(compared.sum())


def _disagree_by_item(pairs: LabelCounts, items: int, values: FloatArray | None) -> FloatArray:
    """Sum the disagreement of all ordered pairs of votes in each item, over (votes - 1).

    Without values two labels are equal or not; with values they differ by the squared difference.
    """
    item, count = pairs.item, pairs.count
    votes = np.bincount(item, weights=count, minlength=items)
    if values is None:
        disagreeing = votes * votes - np.bincount(item, weights=count * count, minlength=items)
    else:
        value = values[pairs.label]
        mean = np.bincount(item, weights=count * value, minlength=items) / votes
        # Distances to the mean, not sums of squares: values such as years would lose their digits.
        distance = value - mean[item]
        disagreeing = 2 * votes * np.bincount(item, weights=count * distance * distance, minlength=items)
    by_item: FloatArray = disagreeing / (votes - 1)
    return by_item


def _compute_midranks(by_label: FloatArray, order: NDArray[np.int64]) -> FloatArray:
    """Compute the middle rank of each label's votes, all votes ranked in the order of their labels.

    Krippendorff's ordinal distance of labels c and k is the number of votes from c to k, the two ends counted
    half, squared: the squared difference of these ranks.
    """
    midranks = np.empty_like(by_label)
    counts = by_label[order]
    midranks[order] = np.cumsum(counts) - counts / 2
    return midranks


def _rank_labels(label: pd.Series, names: NDArray[np.object_]) -> NDArray[np.int64]:
    """Order the labels: by an ordered category's own order, else as numbers."""
    if isinstance(label.dtype, pd.CategoricalDtype) and label.dtype.ordered:
        codes, known = to_text_codes(pd.Series(label.dtype.categories))
        place = {str(known[code]): position for position, code in enumerate(codes)}
        return np.argsort([place[name] for name in names])
    return np.argsort(_to_numbers(names, "ordinal"), kind="stable")


def _to_numbers(names: NDArray[np.object_], level: Level) -> FloatArray:
    """Read labels as finite numbers, each number once."""
    values: FloatArray = pd.to_numeric(pd.Series(names), errors="coerce").to_numpy(dtype=np.float64)
    unread = names[~np.isfinite(values)]
    if len(unread):
        shown = ", ".join(repr(name) for name in unread[:3])
        needed = "numbers or an ordered category" if level == "ordinal" else "numbers"
        raise AnalysisError(
            f"The level {level!r} needs labels that are {needed}. "
            f"Found {len(unread):,} other labels: {shown}. Use the level 'nominal' or convert the labels."
        )
    order = np.argsort(values, kind="stable")
    same = np.flatnonzero(np.diff(values[order]) == 0)
    if len(same):
        one, other = names[order[same[0]]], names[order[same[0] + 1]]
        raise AnalysisError(
            f"The level {level!r} needs one spelling for each number. Found {one!r} and {other!r}. "
            "Write them alike or use the level 'nominal'."
        )
    return values
