"""Agreement between people beyond chance: Krippendorff's alpha, Cohen's and Fleiss' kappa.

All three are 1 - observed disagreement / disagreement expected by chance: 1 is perfect, 0 is chance, below 0
is worse than chance; lower is worse. They differ in what they accept. Alpha takes any number of people and
any gaps, and labels that have an order or a distance. Cohen's kappa takes two people, each with their own
habits; Fleiss' takes the same number of votes on every item. Where a number is undefined it is an error,
never a NaN that looks like an answer. "Cannot tell" is a missing vote to all three.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.annotators.disagreement import Disagreement, Level, to_disagreement
from analysis.core.consensus import compute_label_counts
from analysis.core.votes import CodedVotes, to_coded_votes
from analysis.errors import AnalysisError, UnknownNameError
from analysis.intervals import bootstrap_by_group

__all__ = ["cohen_kappa", "compute_alpha_interval", "fleiss_kappa", "krippendorff_alpha"]

_PAIR = 2


def krippendorff_alpha(votes: pd.DataFrame, *, level: Level = "nominal") -> float:
    """Compute Krippendorff's alpha, the agreement of any number of people with any gaps.

    alpha = 1 - observed / expected disagreement. Observed: over all pairs of votes within an item, each
    item's pairs weighted by 1 / (votes - 1). Expected: over all pairs of votes that could be paired anywhere.
    Only items with at least two labels count. Source: Krippendorff, K. (2011). Computing Krippendorff's
    alpha-reliability; (2019) Content Analysis, 4th edition, chapter 12.

    Cost: O(V) time and memory, no K x K matrix: with midranks as values the ordinal distance is an interval
    distance.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and is left out. Of
        a person's several votes on one item the last stands.
    level
        ``"nominal"``: labels are equal or not. ``"ordinal"``: the squared number of votes that lie between
        two labels; the order is the one of an ordered category, else the numeric one. ``"interval"``: the
        squared difference; labels must be numbers.

    Returns
    -------
    float
        At most 1 (perfect); 0 is chance; may be negative (people contradict each other). Lower is worse.

    Raises
    ------
    AnalysisError
        Undefined: no item has two labels, or all paired votes give one label, so that chance cannot be told
        from agreement. Or labels without an order or without numbers for a level that needs them.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 1, 2, 2, 3, 3],
    ...         "annotator": ["ann", "bob"] * 3,
    ...         "label": ["cat", "cat", "dog", "dog", "cat", "dog"],
    ...     }
    ... )
    >>> round(krippendorff_alpha(votes), 4)
    0.4444
    """
    disagreement = to_disagreement(votes, level)
    return _compute_defined_alpha(disagreement)


def compute_alpha_interval(
    votes: pd.DataFrame,
    *,
    level: Level = "nominal",
    resamples: int = 500,
    seed: int,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Compute Krippendorff's alpha with a bootstrap interval over items.

    Items are drawn with replacement, each with all its votes; this keeps its coverage where the closed
    formulas fail (Zapf, A. et al. (2016). Measuring inter-rater reliability for nominal data: which
    coefficients and confidence intervals are appropriate? BMC Medical Research Methodology 16, 93). It says
    how alpha would move with other items seen by the same people, not with other people.

    Cost: the votes are counted once; a resample is a weighted sum over the P <= V pairs of item and label.

    Parameters
    ----------
    votes, level
        As for :func:`krippendorff_alpha`.
    resamples
        How many samples of items to draw.
    seed
        The same seed gives the same interval.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        (alpha, low, high). Both bounds are NaN when more than half of the resamples hold only one label.

    Raises
    ------
    AnalysisError
        As for :func:`krippendorff_alpha`, and for fewer than one resample.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": [1, 1, 2, 2] * 9, "annotator": ["ann", "bob"] * 18, "label": ["x"] * 36})
    >>> votes["item_id"] += 2 * (votes.index // 4)
    >>> votes.loc[votes["item_id"] % 3 == 0, "label"] = "y"
    >>> compute_alpha_interval(votes, seed=1)  # two people who always agree
    (1.0, 1.0, 1.0)
    """
    disagreement = to_disagreement(votes, level)
    value = _compute_defined_alpha(disagreement)
    low, high = bootstrap_by_group(
        disagreement.compute_alpha,
        np.arange(disagreement.items),
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )
    return value, low, high


def cohen_kappa(votes: pd.DataFrame, *, annotators: tuple[str, str] | None = None) -> float:
    """Compute Cohen's kappa, the agreement of two people on the items that both labelled.

    kappa = (observed - expected) / (1 - expected), expected being the agreement of two people who keep their
    own label frequencies but choose independently. Source: Cohen, J. (1960). A coefficient of agreement for
    nominal scales. Educational and Psychological Measurement 20, 37-46.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and is left out. Of
        a person's several votes on one item the last stands.
    annotators
        The two people to compare; not needed where the votes are of exactly two.

    Returns
    -------
    float
        -1 to 1 (perfect); 0 is chance; lower is worse.

    Raises
    ------
    AnalysisError
        Not two people; a person who has no votes; no item that both labelled; or both gave one and the same
        label throughout, where kappa is undefined.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 2, 3, 4, 1, 2, 3, 4],
    ...         "annotator": ["ann"] * 4 + ["bob"] * 4,
    ...         "label": ["cat", "cat", "dog", "dog", "cat", "cat", "dog", "cat"],
    ...     }
    ... )
    >>> cohen_kappa(votes)
    0.5
    """
    coded = to_coded_votes(votes)
    first, second = _find_two(coded, annotators)
    table = _cross_tabulate(coded, first, second)
    both = int(table.sum())
    names = f"{coded.annotators[first]!r} and {coded.annotators[second]!r}"
    if both == 0:
        raise AnalysisError(
            f"Cohen's kappa needs items that two people labelled. {names} have none in common. "
            "Send them some of the same items."
        )
    agreed = int(np.trace(table))
    # In counts, so that "undefined" is an exact comparison of integers.
    by_chance = int(table.sum(axis=1) @ table.sum(axis=0))
    if by_chance == both * both:
        raise AnalysisError(
            f"Cohen's kappa is undefined: {names} gave one and the same label to all {both:,} items in "
            "common, so that agreement cannot be told from chance. Compare them on items with other labels."
        )
    return (agreed * both - by_chance) / (both * both - by_chance)


def fleiss_kappa(votes: pd.DataFrame) -> float:
    """Compute Fleiss' kappa, the agreement of the same number of people on every item.

    kappa = (observed - expected) / (1 - expected): observed is the share of agreeing pairs within items,
    expected the chance that two votes drawn from all votes agree. The people may differ from item to item.
    Source: Fleiss, J. L. (1971). Measuring nominal scale agreement among many raters. Psychological Bulletin
    76, 378-382.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and is left out. Of
        a person's several votes on one item the last stands.

    Returns
    -------
    float
        At most 1 (perfect); 0 is chance; not below -1 / (votes an item - 1). Lower is worse.

    Raises
    ------
    AnalysisError
        No votes with a label, items with different numbers of them (the message says which), fewer than two
        an item, or one label throughout, where kappa is undefined.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 1, 1, 2, 2, 2],
    ...         "annotator": ["ann", "bob", "eve"] * 2,
    ...         "label": ["cat", "cat", "cat", "cat", "dog", "dog"],
    ...     }
    ... )
    >>> round(fleiss_kappa(votes), 4)
    0.25
    """
    coded = to_coded_votes(votes)
    pairs = compute_label_counts(coded)
    by_item = np.bincount(pairs.item, weights=pairs.count, minlength=len(coded.items)).astype(np.int64)
    fewest, most = (int(by_item.min()), int(by_item.max())) if len(by_item) else (0, 0)
    if fewest != most or most < _PAIR:
        raise AnalysisError(
            "Fleiss' kappa needs the same number of labels on every item, at least two. "
            f"Found {fewest} to {most} on {len(by_item):,} items. Krippendorff's alpha takes gaps."
        )
    total = len(by_item) * most
    by_label = np.bincount(pairs.label, weights=pairs.count)
    expected = float((by_label / total) @ (by_label / total))
    if len(by_label) == 1:
        raise AnalysisError(
            f"Fleiss' kappa is undefined: all {total:,} votes give one label, {coded.labels[0]!r}, so that "
            "agreement cannot be told from chance. Add votes on items with other labels."
        )
    observed = float((pairs.count * (pairs.count - 1)).sum()) / (total * (most - 1))
    return (observed - expected) / (1 - expected)


def _compute_defined_alpha(disagreement: Disagreement) -> float:
    """Compute alpha of the votes as they are, or say why there is none."""
    alpha = disagreement.compute_alpha(np.ones(disagreement.items, dtype=np.int64))
    if np.isnan(alpha):
        only = str(disagreement.names[disagreement.pairs.label[0]])
        raise AnalysisError(
            f"Krippendorff's alpha is undefined: all votes that can be compared give one label, {only!r}, "
            "so that agreement cannot be told from chance. Add votes on items with other labels."
        )
    return alpha


def _find_two(coded: CodedVotes, annotators: tuple[str, str] | None) -> tuple[int, int]:
    """Find the codes of the two people to compare."""
    known = [str(name) for name in coded.annotators]
    chosen = known if annotators is None else [str(name) for name in annotators]
    if len(set(chosen)) != _PAIR or len(chosen) != _PAIR:
        raise AnalysisError(
            f"Cohen's kappa compares two people. Found {len(set(chosen)):,}. "
            "Name two of them with annotators=(a, b), or use krippendorff_alpha for all."
        )
    for name in chosen:
        if name not in known:
            raise UnknownNameError("annotator", name, known)
    return known.index(chosen[0]), known.index(chosen[1])


def _cross_tabulate(coded: CodedVotes, first: int, second: int) -> NDArray[np.int64]:
    """Count the labels of two people on the items that both labelled: (K, K) [first, second]."""
    labels = len(coded.labels)
    given = np.full((2, len(coded.items)), -1, dtype=np.int64)
    for side, annotator in enumerate((first, second)):
        own = coded.annotator == annotator
        given[side, coded.item[own]] = coded.label[own]
    mine, theirs = given[:, (given >= 0).all(axis=0)]
    return np.bincount(mine * labels + theirs, minlength=labels * labels).reshape(labels, labels)
