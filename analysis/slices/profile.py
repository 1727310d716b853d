"""One row a slice: rate with its interval, against the rest and against all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.intervals import mean_interval, newcombe_interval, wilson_interval

__all__ = ["SliceProfile", "compute_profile"]


@dataclass(frozen=True)
class SliceProfile:
    """A metric inside a slice, against the rest.

    All rates are numerator over trials. What cannot be known (no trials, no rest) is None, never NaN.

    Attributes
    ----------
    support, trials
        Rows in the slice, and those that count for the metric.
    errors
        The metric's numerator: hits of a rate, the sum of a loss.
    rate, low, high
        The rate and its 95 % interval (Wilson for rates, normal for losses).
    rest_rate
        The rate of all other rows.
    difference, difference_low, difference_high
        Rate minus rest, with Newcombe's interval (rates only).
    lift
        Rate over the overall rate.
    excess_errors
        ``errors - overall_rate * trials``.
    """

    support: int
    trials: int
    errors: float
    rate: float | None
    low: float | None
    high: float | None
    rest_rate: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    lift: float | None
    excess_errors: float | None


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def compute_profile(
    slices: Sequence[tuple[int, int, int, int]], overall: tuple[int, int, int, int], *, unit: int = 1
) -> list[SliceProfile]:
    """Compute the profile of slices from exact counts.

    Parameters
    ----------
    slices
        For each slice (support, trials, numerator, sum of squared numerators), all whole numbers.
    overall
        The same four for all rows, of which every slice is a part.
    unit
        Integer units in a loss of 1; 1 for rates.

    Returns
    -------
    list of SliceProfile
        In the order given.

    Examples
    --------
    >>> profile = compute_profile([(10, 10, 4, 4)], (100, 100, 10, 10))[0]
    >>> profile.rate, round(profile.rest_rate, 4), profile.lift, profile.excess_errors
    (0.4, 0.0667, 4.0, 3.0)
    """
    if not slices:
        return []
    table = np.array(slices, dtype=np.float64).reshape(-1, 4)
    support, trials, numerator, squares = table.T
    _, all_trials, all_numerator, _ = (float(number) for number in overall)
    rest_trials = all_trials - trials
    rest_numerator = all_numerator - numerator
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = numerator / trials / unit
        rest = rest_numerator / rest_trials / unit
        overall_rate = np.float64(all_numerator) / np.float64(all_trials) / unit
        lift = rate / overall_rate
    if unit == 1:
        low, high = wilson_interval(numerator, trials)
        gap_low, gap_high = newcombe_interval(numerator, trials, rest_numerator, rest_trials)
    else:
        low, high = mean_interval(numerator / unit, squares / unit**2, trials)
        gap_low = gap_high = np.full(len(table), np.nan)
    excess = numerator / unit - overall_rate * trials
    return [
        SliceProfile(
            int(support[k]),
            int(trials[k]),
            int(numerator[k]) if unit == 1 else float(numerator[k] / unit),
            *(_known(column[k]) for column in (rate, low, high, rest, rate - rest, gap_low, gap_high, lift, excess)),
        )
        for k in range(len(table))
    ]
