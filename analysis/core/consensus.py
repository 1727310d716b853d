"""The consensus of votes: the label that more people gave than any other.

A tie is a value, never rolled: where two labels have the same count there is no consensus. "Cannot tell"
counts for no label. Both functions count in arrays; no loop runs over votes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.core.votes import CodedVotes, to_coded_votes, to_text

__all__ = ["LabelCounts", "compute_consensus_of_others", "compute_label_counts", "majority_vote"]

_PAIR = 2  # two labels share the top


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """How often each item got each label: the cells that are not zero, P of them.

    Attributes
    ----------
    item, label
        (P,) int64 codes, sorted by item, then label; no pair twice.
    count
        (P,) int64, at least 1.
    """

    item: NDArray[np.int64]
    label: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Top:
    """For each of N items: the votes with a label, the highest count, and which labels have it."""

    votes: NDArray[np.int64]
    count: NDArray[np.int64]
    ties: NDArray[np.int64]  # how many labels have the highest count; 0 for an item without a label
    label_sum: NDArray[np.int64]  # sum of the codes of these labels: the code itself when there is one
    runners_up: NDArray[np.int64]  # how many labels have one vote less than the highest count


def majority_vote(votes: pd.DataFrame) -> pd.DataFrame:
    """Compute each item's majority label: the label given most often (a plurality is enough).

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and counts for no
        label. Of a person's several votes on one item the last stands.

    Returns
    -------
    DataFrame
        One row an item, sorted by item_id as text: ``item_id`` (text), ``label`` (text; NA when tied or when
        nobody gave a label), ``share`` (the highest count over the votes with a label, 0 to 1, lower is less
        agreed; NaN without one), ``tied`` (bool).

    Raises
    ------
    AnalysisError
        A needed column is missing, or a vote has no item or person.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": ["i1", "i1", "i1", "i2", "i2"],
    ...         "annotator": ["ann", "bob", "eve", "ann", "bob"],
    ...         "label": ["cat", "cat", "dog", "cat", "dog"],
    ...     }
    ... )
    >>> majority_vote(votes)
      item_id label     share   tied
    0      i1   cat  0.666667  False
    1      i2   NaN  0.500000   True
    """
    coded = to_coded_votes(votes)
    top = _find_top(coded)
    label = np.where(top.ties == 1, top.label_sum, -1)
    share = np.full(len(coded.items), np.nan)
    np.divide(top.count, top.votes, out=share, where=top.votes > 0)
    return pd.DataFrame(
        {
            "item_id": to_text(np.arange(len(coded.items)), coded.items),
            "label": to_text(label, coded.labels),
            "share": share,
            "tied": top.ties > 1,
        }
    )


def compute_consensus_of_others(coded: CodedVotes) -> NDArray[np.int64]:
    """Compute for each vote the majority label of the *other* people on its item.

    A person who is part of the majority they are compared with looks better than they are, the more so the
    fewer voted; here their own vote is taken out first. Taking one vote out lowers one count by one, so the
    item's highest count, the number of labels that have it and the number just below it decide every case.

    Parameters
    ----------
    coded
        V votes, one a person and item.

    Returns
    -------
    (V,) int64
        Position in ``coded.labels``; -1 when the others tie or nobody else gave a label. A vote "cannot tell"
        takes nothing out and gets the majority of all who gave a label.

    Examples
    --------
    >>> from analysis.core.votes import to_coded_votes
    >>> votes = pd.DataFrame({"item_id": 1, "annotator": ["ann", "bob", "eve"], "label": ["x", "x", "y"]})
    >>> compute_consensus_of_others(to_coded_votes(votes)).tolist()  # tied, tied, x
    [-1, -1, 0]
    """
    top = _find_top(coded)
    pairs = compute_label_counts(coded)
    labels = max(len(coded.labels), 1)
    given = coded.label >= 0
    own_count = np.zeros(len(coded.label), dtype=np.int64)
    cell = coded.item[given] * labels + coded.label[given]
    own_count[given] = pairs.count[np.searchsorted(pairs.item * labels + pairs.label, cell)]

    ties, label_sum = top.ties[coded.item], top.label_sum[coded.item]
    at_top = given & (own_count == top.count[coded.item])
    still_top = (own_count > 1) & (top.runners_up[coded.item] == 0)
    conditions = [
        ~at_top & (ties == 1),  # the one label at the top keeps its place
        at_top & (ties == _PAIR),  # of two at the top, the other one is left
        at_top & (ties == 1) & still_top,  # ahead by two: the label stays ahead without this vote
    ]
    return np.select(conditions, [label_sum, label_sum - coded.label, coded.label], default=-1)


def compute_label_counts(coded: CodedVotes) -> LabelCounts:
    """Count how often each item got each label.

    Parameters
    ----------
    coded
        V votes, one a person and item; "cannot tell" is not counted.

    Returns
    -------
    LabelCounts
        The P <= V pairs of item and label that occur, with their counts.

    Examples
    --------
    >>> from analysis.core.votes import to_coded_votes
    >>> votes = pd.DataFrame({"item_id": 1, "annotator": ["ann", "bob", "eve"], "label": ["x", "x", "y"]})
    >>> compute_label_counts(to_coded_votes(votes)).count.tolist()
    [2, 1]
    """
    labels = max(len(coded.labels), 1)
    given = coded.label >= 0
    key, count = np.unique(coded.item[given] * labels + coded.label[given], return_counts=True)
    return LabelCounts(item=key // labels, label=key % labels, count=count.astype(np.int64, copy=False))


def _find_top(coded: CodedVotes) -> _Top:
    """Find each item's highest count and the labels that have it."""
    pairs = compute_label_counts(coded)
    items = len(coded.items)
    highest = np.zeros(items, dtype=np.int64)
    np.maximum.at(highest, pairs.item, pairs.count)
    at_top = pairs.count == highest[pairs.item]
    below = pairs.count == highest[pairs.item] - 1
    label_sum = np.zeros(items, dtype=np.int64)
    np.add.at(label_sum, pairs.item[at_top], pairs.label[at_top])
    return _Top(
        votes=np.bincount(coded.item[coded.label >= 0], minlength=items),
        count=highest,
        ties=np.bincount(pairs.item[at_top], minlength=items),
        label_sum=label_sum,
        runners_up=np.bincount(pairs.item[below], minlength=items),
    )
