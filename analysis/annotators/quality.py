"""What the votes say about each person, with how sure they say it.

Three measures stand side by side and are never mixed: agreement with the other people (peers), accuracy on
gold items (gold), and the model's view (Dawid-Skene). Each has its own trials. A rate without trials is NaN,
and a rate with few trials says so in its interval and in the column ``enough``: nobody is judged on a handful
of votes.
"""

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.annotators.dawid_skene import estimate_from_codes
from analysis.core.consensus import compute_consensus_of_others
from analysis.core.votes import CodedVotes, to_coded_votes, to_text, to_text_codes
from analysis.errors import AnalysisError, UnknownNameError
from analysis.intervals import wilson_interval

__all__ = ["MIN_OVERLAP", "compute_annotator_quality", "compute_confusion"]

IntArray: TypeAlias = NDArray[np.int64]

MIN_OVERLAP = 30
"""Trials from which a person's agreement is taken seriously: the 95 % interval is then at most 0.34 wide."""

_NO_GOLD = -1
_OTHER_LABEL = -2  # a gold label that nobody ever gave: every vote on the item is a trial and none a hit


def compute_annotator_quality(
    votes: pd.DataFrame,
    *,
    gold: pd.DataFrame | None = None,
    min_overlap: int = MIN_OVERLAP,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compute one row a person: agreement, gold accuracy, Dawid-Skene accuracy, worst confusion.

    Cost: a few sorts of V integers and one Dawid-Skene fit, which takes most of the time.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell": it is counted and
        is a trial of nothing. Of a person's several votes on one item the last stands.
    gold
        ``item_id, label`` of items whose label was established apart from these votes; a missing label is no
        gold. Item ids match as text.
    min_overlap
        Trials from which ``enough`` is True.
    confidence
        Coverage of the Wilson intervals.

    Returns
    -------
    DataFrame
        Sorted by annotator as text. Rates are 0 to 1, lower is worse, NaN without trials.

        - ``annotator``; ``votes``: all of the person's votes that stand, with ``cannot_tell`` among them;
        - ``overlap``: the trials, votes with a label on items where the other people's labels have an untied
          majority; ``agreement``: the share that equals it; ``low``, ``high``: its Wilson interval;
          ``enough``;
        - ``gold_trials``, ``gold_accuracy``, ``gold_low``, ``gold_high``: the same against the gold labels;
        - ``dawid_skene_accuracy``: the mean probability that the person's label is the item's label, over
          their votes on items that somebody else labelled too. It is the model's expected share of right
          votes on the items the person really had, so that a label they never met neither helps nor harms
          them. Their own vote is part of the estimate: with two votes an item it flatters. NaN for everybody
          where the model would not fit into memory (see :func:`dawid_skene`);
        - ``worst_given``, ``worst_likely``, ``worst_count``: the person's most frequent disagreement in the
          overlap, what they said, what the others said, and how often; ties go to the first in text order; NA
          and 0 if none.

    Raises
    ------
    AnalysisError
        A needed column is missing, a vote has no item or person, or an item has two gold labels.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 2, 3, 4] * 3,
    ...         "annotator": ["ann"] * 4 + ["bob"] * 4 + ["eve"] * 4,
    ...         "label": ["cat", "cat", "dog", "dog", "cat", "cat", "dog", "dog", "cat", "dog", "dog", None],
    ...     }
    ... )
    >>> quality = compute_annotator_quality(votes, gold=pd.DataFrame({"item_id": [1, 2], "label": "cat"}))
    >>> quality[["annotator", "overlap", "agreement", "gold_accuracy", "cannot_tell"]]
      annotator  overlap  agreement  gold_accuracy  cannot_tell
    0       ann        3   1.000000            1.0            0
    1       bob        3   1.000000            1.0            0
    2       eve        3   0.666667            0.5            1
    """
    coded = to_coded_votes(votes)
    people = len(coded.annotators)
    others = compute_consensus_of_others(coded)
    overlap, agreed = _count_hits(coded, others)
    low, high = wilson_interval(agreed, overlap, confidence=confidence)
    gold_trials, gold_hits = _count_hits(coded, _find_gold(coded, gold)[coded.item])
    gold_low, gold_high = wilson_interval(gold_hits, gold_trials, confidence=confidence)
    worst_given, worst_likely, worst_count = _find_worst_confusion(coded, others)
    return pd.DataFrame(
        {
            "annotator": to_text(np.arange(people), coded.annotators),
            "votes": np.bincount(coded.annotator, minlength=people),
            "overlap": overlap,
            "agreement": _divide(agreed, overlap),
            "low": low,
            "high": high,
            "enough": overlap >= min_overlap,
            "gold_trials": gold_trials,
            "gold_accuracy": _divide(gold_hits, gold_trials),
            "gold_low": gold_low,
            "gold_high": gold_high,
            "dawid_skene_accuracy": _expect_accuracy(coded),
            "cannot_tell": np.bincount(coded.annotator[coded.label < 0], minlength=people),
            "worst_given": to_text(worst_given, coded.labels),
            "worst_likely": to_text(worst_likely, coded.labels),
            "worst_count": worst_count,
        }
    )


def compute_confusion(votes: pd.DataFrame, annotator: str) -> pd.DataFrame:
    """Compute how often a person said one label where the others said another.

    Parameters
    ----------
    votes
        As for :func:`compute_annotator_quality`.
    annotator
        The person, as text.

    Returns
    -------
    DataFrame
        ``given`` (what the person said), ``likely`` (the majority of the others), ``count``, over the
        person's overlap: the counts sum to it. Agreements (given = likely) are rows too. Most frequent first,
        then by given and likely as text; no row for pairs that never happened.

    Raises
    ------
    AnalysisError
        A needed column is missing, or nobody of this name voted.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 1, 2, 2, 3, 3],
    ...         "annotator": ["ann", "bob"] * 3,
    ...         "label": ["cat", "cat", "cat", "dog", "cat", "dog"],
    ...     }
    ... )
    >>> compute_confusion(votes, "ann")
      given likely  count
    0   cat    dog      2
    1   cat    cat      1
    """
    coded = to_coded_votes(votes)
    known = [str(name) for name in coded.annotators]
    if annotator not in known:
        raise UnknownNameError("annotator", annotator, known)
    others = compute_consensus_of_others(coded)
    own = (coded.annotator == known.index(annotator)) & (coded.label >= 0) & (others >= 0)
    labels = max(len(coded.labels), 1)
    key, count = np.unique(coded.label[own] * labels + others[own], return_counts=True)
    order = np.lexsort((key, -count))
    return pd.DataFrame(
        {
            "given": to_text(key[order] // labels, coded.labels),
            "likely": to_text(key[order] % labels, coded.labels),
            "count": count[order],
        }
    )


def _count_hits(coded: CodedVotes, reference: IntArray) -> tuple[IntArray, IntArray]:
    """Count by person the votes with a label and a reference, and those of them that equal it."""
    people = len(coded.annotators)
    trial = (coded.label >= 0) & (reference != _NO_GOLD)
    hit = trial & (coded.label == reference)
    return (
        np.bincount(coded.annotator[trial], minlength=people),
        np.bincount(coded.annotator[hit], minlength=people),
    )


def _divide(hits: IntArray, trials: IntArray) -> NDArray[np.float64]:
    """Divide, NaN where there is no trial."""
    return hits / np.where(trials > 0, trials, np.nan)


def _find_gold(coded: CodedVotes, gold: pd.DataFrame | None) -> IntArray:
    """Find each item's gold label: (N,) codes, `_NO_GOLD` without one, `_OTHER_LABEL` for one nobody gave."""
    codes = np.full(len(coded.items), _NO_GOLD, dtype=np.int64)
    if gold is None:
        return codes
    missing = [name for name in ("item_id", "label") if name not in gold.columns]
    if missing:
        found = ", ".join(map(str, gold.columns)) or "no column"
        raise AnalysisError(
            f"Gold labels need the columns item_id, label. Missing: {', '.join(missing)}. Found: {found}."
        )
    known = gold.loc[gold["item_id"].notna() & gold["label"].notna(), ["item_id", "label"]]
    item, items = to_text_codes(known["item_id"])
    label, labels = to_text_codes(known["label"])
    pairs = np.unique(item * max(len(labels), 1) + label)
    item, label = pairs // max(len(labels), 1), pairs % max(len(labels), 1)
    twice = item[1:][item[1:] == item[:-1]]
    if len(twice):
        raise AnalysisError(
            f"An item has one gold label. Found {len(np.unique(twice)):,} items with several, "
            f"the first is {items[twice[0]]!r}. Keep one label for each."
        )
    place = pd.Index(coded.items).get_indexer(items[item])
    here = place >= 0
    given = pd.Index(coded.labels).get_indexer(labels[label[here]])
    codes[place[here]] = np.where(given >= 0, given, _OTHER_LABEL)
    return codes


def _expect_accuracy(coded: CodedVotes) -> NDArray[np.float64]:
    """Average by person the probability that their label is the item's, over items with a second label."""
    people = len(coded.annotators)
    given = coded.label >= 0
    item, annotator = coded.item[given], coded.annotator[given]
    shared = np.bincount(item, minlength=len(coded.items))[item] > 1
    try:
        probability = estimate_from_codes(coded).votes["probability"].to_numpy()
    except AnalysisError:
        # Too many labels by too many people for the model: the other measures still hold.
        return np.full(people, np.nan)
    total = np.bincount(annotator[shared], weights=probability[shared], minlength=people)
    trials = np.bincount(annotator[shared], minlength=people)
    mean: NDArray[np.float64] = total / np.where(trials > 0, trials, np.nan)
    return mean


def _find_worst_confusion(coded: CodedVotes, others: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Find each person's most frequent confusion: (A,) given and likely, -1 if none, and count."""
    people, labels = len(coded.annotators), max(len(coded.labels), 1)
    differs = (coded.label >= 0) & (others >= 0) & (coded.label != others)
    key = (coded.annotator[differs] * labels + coded.label[differs]) * labels + others[differs]
    pair, times = np.unique(key, return_counts=True)
    who = pair // (labels * labels)
    order = np.lexsort((pair, -times, who))  # by person, most frequent first, then by text
    first = order[np.unique(who[order], return_index=True)[1]]
    given, likely = np.full(people, -1, dtype=np.int64), np.full(people, -1, dtype=np.int64)
    count = np.zeros(people, dtype=np.int64)
    given[who[first]] = pair[first] // labels % labels
    likely[who[first]] = pair[first] % labels
    count[who[first]] = times[first]
    return given, likely, count
