"""How sure a number is: intervals of rates, differences and means, q-values, the bootstrap by group.

Every rate that relook shows has an interval beside it. Counts come in, 64-bit floats go out; where there were
no trials the answer is NaN, because no data is not the same as a rate of zero. It lies on the ground floor
beside :mod:`analysis.errors`, knows no frame and no workspace, and has no randomness but what a seed gives.

Sources
-------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.
Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of
eleven methods. Statistics in Medicine 17, 873-890, method 10.
Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57, 289-300.
Efron, B. (1979). Bootstrap methods: another look at the jackknife. Annals of Statistics 7, 1-26; whole groups
are drawn as in Davison, A. C., Hinkley, D. V. (1997). Bootstrap Methods and their Application, section 3.8.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.errors import AnalysisError

__all__ = [
    "bootstrap_by_group",
    "compute_q_values",
    "mean_interval",
    "newcombe_interval",
    "wilson_interval",
]

FloatArray: TypeAlias = NDArray[np.float64]
Scalar: TypeAlias = float | np.number[Any]
Values: TypeAlias = NDArray[Any] | Sequence[float]


@overload
def wilson_interval(hits: Scalar, trials: Scalar, *, confidence: float = ...) -> tuple[float, float]: ...
@overload
def wilson_interval(
    hits: Values, trials: Values | Scalar, *, confidence: float = ...
) -> tuple[FloatArray, FloatArray]: ...
def wilson_interval(
    hits: Values | Scalar, trials: Values | Scalar, *, confidence: float = 0.95
) -> tuple[float, float] | tuple[FloatArray, FloatArray]:
    """Compute Wilson's score interval of a rate.

    The interval holds every rate that a two-sided score test would not reject, so that it stays in 0..1 and
    stays honest for few trials and for rates near 0 and 1, where the textbook normal interval fails (Wilson
    1927).

    Parameters
    ----------
    hits
        How often it happened, 0 to `trials`: one number or any shape.
    trials
        How often it could have happened: broadcasts against `hits`.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple
        (low, high), both in 0..1: floats for two numbers, else float64 arrays of the broadcast shape. NaN
        where there are no trials or a count is NaN. Exactly 0 below no hits, exactly 1 above all hits.

    Raises
    ------
    AnalysisError
        Negative counts, more hits than trials, or a confidence that is not between 0 and 1.

    Examples
    --------
    >>> low, high = wilson_interval(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    >>> wilson_interval(0, 0)
    (nan, nan)
    """
    low, high = _wilson_arrays(hits, trials, _normal_quantile(confidence))
    return _unwrap(low, high)


@overload
def newcombe_interval(
    hits_a: Scalar, trials_a: Scalar, hits_b: Scalar, trials_b: Scalar, *, confidence: float = ...
) -> tuple[float, float]: ...
@overload
def newcombe_interval(
    hits_a: Values,
    trials_a: Values | Scalar,
    hits_b: Values | Scalar,
    trials_b: Values | Scalar,
    *,
    confidence: float = ...,
) -> tuple[FloatArray, FloatArray]: ...
def newcombe_interval(
    hits_a: Values | Scalar,
    trials_a: Values | Scalar,
    hits_b: Values | Scalar,
    trials_b: Values | Scalar,
    *,
    confidence: float = 0.95,
) -> tuple[float, float] | tuple[FloatArray, FloatArray]:
    """Compute the interval of a difference between two independent rates, rate a - rate b.

    Each side's distance to its Wilson bounds is squared and added (Newcombe 1998, method 10), which keeps the
    interval in -1..1 and covers well for few trials. The two sides must share no trial: a slice and its rest,
    not a slice and the whole.

    Parameters
    ----------
    hits_a, hits_b
        How often it happened on each side: one number or any shape.
    trials_a, trials_b
        How often it could have happened on each side; all four broadcast against each other.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple
        (low, high), both in -1..1: floats for four numbers, else float64 arrays of the broadcast shape. NaN
        where a side has no trials. An interval above 0 says that side a has the higher rate.

    Raises
    ------
    AnalysisError
        As for :func:`wilson_interval`.

    Examples
    --------
    Example (a) of Newcombe's table II, 56/70 against 48/80:

    >>> low, high = newcombe_interval(56, 70, 48, 80)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    quantile = _normal_quantile(confidence)
    low_a, high_a = _wilson_arrays(hits_a, trials_a, quantile)
    low_b, high_b = _wilson_arrays(hits_b, trials_b, quantile)
    rate_a, rate_b = _rate(hits_a, trials_a), _rate(hits_b, trials_b)
    difference = rate_a - rate_b
    low = difference - np.hypot(rate_a - low_a, high_b - rate_b)
    high = difference + np.hypot(high_a - rate_a, rate_b - low_b)
    # Rounding may step over the ends by one unit in the last place.
    return _unwrap(np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0))


@overload
def mean_interval(
    total: Scalar, total_of_squares: Scalar, trials: Scalar, *, confidence: float = ...
) -> tuple[float, float]: ...
@overload
def mean_interval(
    total: Values, total_of_squares: Values | Scalar, trials: Values | Scalar, *, confidence: float = ...
) -> tuple[FloatArray, FloatArray]: ...
def mean_interval(
    total: Values | Scalar,
    total_of_squares: Values | Scalar,
    trials: Values | Scalar,
    *,
    confidence: float = 0.95,
) -> tuple[float, float] | tuple[FloatArray, FloatArray]:
    """Compute the normal interval of a mean from its sums, for numeric losses.

    mean -/+ z * sqrt(variance / trials), with the unbiased variance (total of squares - total^2 / trials) /
    (trials - 1). The central limit theorem carries it: trust it from some thirty trials on.

    Parameters
    ----------
    total
        Sum of the losses, in the loss's unit: one number or any shape.
    total_of_squares
        Sum of the squared losses, in the squared unit; broadcasts against `total`.
    trials
        How many losses were summed; broadcasts against `total`.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple
        (low, high) in the loss's unit: floats for three numbers, else float64 arrays of the broadcast shape.
        NaN for fewer than two trials, where there is no variance.

    Raises
    ------
    AnalysisError
        Negative trials, or a confidence that is not between 0 and 1.

    Examples
    --------
    >>> low, high = mean_interval(6.0, 14.0, 3)  # the losses 1, 2, 3
    >>> round(low, 4), round(high, 4)
    (0.8684, 3.1316)
    """
    quantile = _normal_quantile(confidence)
    sums, squares, counts = (np.asarray(value, dtype=np.float64) for value in (total, total_of_squares, trials))
    if np.any(counts < 0):
        raise AnalysisError(f"Trials cannot be negative. Found {counts[counts < 0].min():g}.")
    known = np.where(counts > 1, counts, np.nan)
    mean = sums / known
    # Equal losses may leave a variance of minus one rounding error.
    variance = np.maximum((squares - sums * mean) / (known - 1), 0.0)
    half = quantile * np.sqrt(variance / known)
    return _unwrap(mean - half, mean + half)


def compute_q_values(p_values: ArrayLike) -> FloatArray:
    """Compute Benjamini-Hochberg q-values: the false discovery rate at which a test just is a finding.

    Parameters
    ----------
    p_values
        (M,) p-values in 0..1 of one family of tests; NaN where a test could not be made.

    Returns
    -------
    (M,) float64
        q-values in 0..1, none below its p-value, in the order of `p_values`; lower is stronger evidence. NaN
        stays NaN and does not count as a test.

    Raises
    ------
    AnalysisError
        A p-value outside 0..1.

    Examples
    --------
    >>> [round(float(q), 4) for q in compute_q_values([0.01, 0.04, float("nan"), 0.03])]
    [0.03, 0.04, nan, 0.04]
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(values)
    wrong = known & ((values < 0) | (values > 1))
    if wrong.any():
        raise AnalysisError(f"p-values lie between 0 and 1. Found {values[wrong][0]:g}.")
    q_values = np.full(values.shape, np.nan)
    if known.any():
        # Imported here: scipy.stats alone takes longer to import than everything else that a command needs.
        from scipy.stats import false_discovery_control  # noqa: PLC0415  (see above)

        q_values[known] = false_discovery_control(values[known], method="bh")
    return q_values


def bootstrap_by_group(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: ArrayLike,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Compute the percentile interval of a statistic by drawing whole groups with replacement.

    Rows of one group (a user, a document, an item with all its votes) are alike; drawing rows would pretend
    that each is news. As many groups are drawn as there are, and a row's weight is how often its group was
    drawn, so that a statistic made of weighted counts needs no copy of the data.

    Cost: `resamples` calls of `statistic`, O(N) memory. It may be cancelled between resamples: an exception
    raised by `statistic` passes through.

    Parameters
    ----------
    statistic
        Gets (N,) int64 weights, one a row in the order of `groups`, and returns the statistic of the weighted
        rows. All weights 1 are the data as they are. NaN where it is undefined.
    groups
        (N,) the group of each row: ids of any one kind. ``numpy.arange(N)`` makes every row its own group.
    resamples
        How many samples of groups to draw, at least 1; 500 gives bounds that are steady to about two digits.
    seed
        The same seed gives the same interval.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        (low, high) quantiles over the resamples where the statistic is defined; both NaN if there is no group
        or if it is undefined in more than half of them (too few groups to say).

    Raises
    ------
    AnalysisError
        Fewer than one resample, or a confidence that is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> errors = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    >>> users = np.array(["u1", "u1", "u2", "u2", "u3", "u3", "u4", "u4"])
    >>> rate = lambda weights: float(weights @ errors / weights.sum())
    >>> bootstrap_by_group(rate, users, resamples=200, seed=7, confidence=0.9)
    (0.25, 1.0)
    """
    _check_confidence(confidence)
    if resamples < 1:
        raise AnalysisError(f"The bootstrap needs at least one resample. Found {resamples}.")
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if names.size == 0:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    values = np.empty(resamples)
    for index in range(resamples):
        drawn = np.bincount(generator.integers(names.size, size=names.size), minlength=names.size)
        values[index] = statistic(drawn.astype(np.int64, copy=False)[codes])
    defined = values[~np.isnan(values)]
    if 2 * defined.size < resamples:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _wilson_arrays(hits: Values | Scalar, trials: Values | Scalar, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Compute Wilson's bounds as float64 arrays of the broadcast shape, after the check of the counts."""
    successes, counts = np.broadcast_arrays(np.asarray(hits, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    wrong = (successes < 0) | (counts < 0) | (successes > counts)
    if wrong.any():
        raise AnalysisError(
            "Hits must lie between 0 and the number of trials. "
            f"Found {successes[wrong][0]:g} hits in {counts[wrong][0]:g} trials."
        )
    known = np.where(counts > 0, counts, np.nan)
    # In counts rather than in rates: one division less, and symmetric in hits and misses to the last digit.
    square = quantile * quantile
    middle = (successes + square / 2) / (known + square)
    half = quantile / (known + square) * np.sqrt(successes * (known - successes) / known + square / 4)
    # At no hits and at all hits the bound is exactly 0 or 1, which rounding would miss by 1e-17.
    low = np.where((successes == 0) & (counts > 0), 0.0, np.maximum(middle - half, 0.0))
    high = np.where((successes == counts) & (counts > 0), 1.0, np.minimum(middle + half, 1.0))
    return low, high


def _rate(hits: Values | Scalar, trials: Values | Scalar) -> FloatArray:
    """Compute hits over trials, NaN where there are none."""
    counts = np.asarray(trials, dtype=np.float64)
    rate: FloatArray = np.asarray(hits, dtype=np.float64) / np.where(counts > 0, counts, np.nan)
    return rate


def _check_confidence(confidence: float) -> None:
    """Refuse a confidence that is no probability, among them a percentage such as 95."""
    if not 0 < confidence < 1:
        raise AnalysisError(f"The confidence must lie between 0 and 1, for example 0.95. Found {confidence!r}.")


def _normal_quantile(confidence: float) -> float:
    """Compute z, so that a standard normal lies within -z..z with the given probability."""
    _check_confidence(confidence)
    return float(special.ndtri(0.5 + confidence / 2))


def _unwrap(low: FloatArray, high: FloatArray) -> tuple[float, float] | tuple[FloatArray, FloatArray]:
    """Turn two bounds of no dimension into floats, leave arrays as they are."""
    if np.ndim(low) == 0:
        return float(low), float(high)
    return low, high
