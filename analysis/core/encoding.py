"""Numbers and dates become bins that a person can read and a computer can repeat.

A bin's edge is a cut *between* two neighbouring values. The quantiles fix the rows on either side; which
number in that gap is written down is free, and the one with the fewest digits is taken. Bins are fitted on
counts by distinct value (``GROUP BY`` in SQL), never on a sample, and half-open: ``(-inf, e1)``,
``[e1, e2)``, ..., ``[em, inf)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from analysis.core.predicate import ColumnSource, Predicate, Range
from analysis.core.predicate_sql import to_condition
from analysis.core.slice_values import canonical_scalar
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, join, template, value

__all__ = ["bins_to_predicates", "choose_readable_cut", "encode_sql", "fit_bins", "fit_date_bins"]

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - columns of times are zoneless and read as UTC
_LARGEST = float(np.finfo(np.float64).max)


def fit_bins(values: Numbers, counts: Counts, *, bins: int = 5) -> tuple[float, ...]:
    """Return the edges of at most ``bins`` quantile bins.

    A value that holds more than its share (the mass that is left, over the bins that are left) gets a bin of
    its own, heaviest first, and the remaining bins split the rest, so that a column that is 0 for 91 % of the
    rows still shows where the other 9 % lie. It stays with its neighbours only where its own bin would ask
    for more bins than there are. Of the runs of values between such bins, the one with the most mass a bin
    gets the next bin; each is cut at its quantiles, at the nearest boundary (a tie: the lower one).

    Parameters
    ----------
    values
        (D,) distinct numbers, ascending, without NaN. Infinite values lie in the outermost bins. Integers
        beyond 2^53 that became one double count as one value.
    counts
        (D,) rows with that value, each at least 1.
    bins
        The largest number of bins, at least 1.

    Returns
    -------
    tuple of float
        ``min(bins, D) - 1`` ascending edges, for D = 0 none. Every bin holds at least one value. Each edge is
        the :func:`choose_readable_cut` of its two neighbouring values.

    Raises
    ------
    AnalysisError
        If ``bins`` is below 1.
    ValueError
        If the arrays differ in length, a value is NaN or below the one before, or a count is below 1.

    Examples
    --------
    >>> fit_bins(np.array([0.0, 3103.0, 5013.0, 7688.0, 15024.0]), np.array([91, 3, 2, 2, 2]), bins=4)
    (3000.0, 5000.0, 7000.0)
    """
    values, counts = _check_counts(values, counts, bins)
    values, counts = _merge_equal(np.clip(values, -_LARGEST, _LARGEST), counts)
    return tuple(choose_readable_cut(values[k - 1], values[k]) for k in _find_boundaries(counts, bins))


def choose_readable_cut(low: float, high: float) -> float:
    """Return the number in ``(low, high]`` with the fewest significant digits.

    Among several with so few digits it is the largest: the one nearest to ``high``, where the upper bin
    begins. Zero has no digits, so a cut between a negative number and another is 0. The comparison is that
    of doubles: ``low < cut <= high`` holds for the returned float, not only for the decimal number that it
    stands for.

    Parameters
    ----------
    low, high
        Finite, ``low < high``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``low`` is not below ``high`` or one of them is not finite.

    Examples
    --------
    >>> choose_readable_cut(37.18, 41.9), choose_readable_cut(0, 114), choose_readable_cut(39, 40)
    (40.0, 100.0, 40.0)
    >>> choose_readable_cut(0.1234, 0.1278), choose_readable_cut(-3.2, 8)
    (0.127, 0.0)
    """
    low, high = float(low), float(high)
    if not -_LARGEST <= low < high <= _LARGEST:
        raise ValueError(f"a cut needs finite low < high, got {low!r} and {high!r}")
    if low < 0 <= high:
        return 0.0
    # If any number of d digits lies in (low, high], so does the largest one up to high: high cut off after d
    # digits. Starting from the shortest decimal that reads back as high, its last step is high itself.
    exact = Decimal(repr(high))
    for digits in range(1, len(exact.as_tuple().digits)):
        cut = float(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal(exact))
        if cut > low:
            return cut
    return high


def fit_date_bins(seconds: Numbers, counts: Counts, *, bins: int = 5) -> tuple[datetime, ...]:
    """Return the edges of at most ``bins`` quantile bins of times, at readable instants.

    The partition is that of :func:`fit_bins`. Each cut is the beginning of a year, else of a month, day,
    hour, minute or second: the coarsest unit that begins in the gap, and its latest beginning there.

    Parameters
    ----------
    seconds
        (D,) distinct times as seconds since 1970 UTC, ascending, in the years 1 to 9999. They are read to the
        microsecond, which doubles tell apart until the year 2106.
    counts
        (D,) rows with that time, each at least 1.
    bins
        The largest number of bins, at least 1.

    Returns
    -------
    tuple of datetime
        Ascending edges in UTC, without a zone.

    Raises
    ------
    AnalysisError
        If ``bins`` is below 1 or a time lies outside the years 1 to 9999.
    ValueError
        As :func:`fit_bins`.

    Examples
    --------
    >>> days = np.array([18_000.0, 18_020.0, 18_300.0, 18_310.0]) * 86_400
    >>> [str(edge) for edge in fit_date_bins(days, np.array([5, 5, 5, 5]), bins=2)]
    ['2020-01-01 00:00:00']
    """
    seconds, counts = _check_counts(seconds, counts, bins)
    moments, counts = _merge_equal(np.rint(seconds * 1e6), counts)
    return tuple(
        _choose_readable_instant(_to_datetime(moments[k - 1]), _to_datetime(moments[k]))
        for k in _find_boundaries(counts, bins)
    )


def bins_to_predicates(column: str, edges: Sequence[float] | Sequence[datetime]) -> tuple[Predicate, ...]:
    """Return the predicate of each bin, lowest first.

    Parameters
    ----------
    column
        The column's name.
    edges
        Ascending, from :func:`fit_bins` or :func:`fit_date_bins`.

    Returns
    -------
    tuple of Predicate
        One more than there are edges; code ``k`` of :func:`encode_sql` is predicate ``k``. Without edges the
        one bin is all rows that have a value.

    Examples
    --------
    >>> [each.to_text() for each in bins_to_predicates("age", (30.0, 45.0))]
    ['age < 30', 'age in [30, 45)', 'age >= 45']
    >>> [each.to_text() for each in bins_to_predicates("age", ())]
    ['age is present']
    """
    if not edges:
        return (Predicate(column, "is present"),)
    ends = [canonical_scalar(edge) for edge in edges]
    between = [Predicate(column, "in", Range(low, high)) for low, high in pairwise(ends)]
    return (Predicate(column, "<", ends[0]), *between, Predicate(column, ">=", ends[-1]))


def encode_sql(source: ColumnSource, edges: Sequence[float] | Sequence[datetime]) -> Fragment:
    """Return the expression that gives each row the code of its bin.

    Parameters
    ----------
    source
        A column of kind ``number`` or ``date``.
    edges
        Ascending; numbers for numbers, times for dates.

    Returns
    -------
    Fragment
        An INTEGER expression: 0 below the first edge, up to ``len(edges)``; NULL where the value is missing.
        It agrees with :func:`bins_to_predicates` row by row.

    Raises
    ------
    AnalysisError
        If the edges do not fit the kind of the column.

    Examples
    --------
    >>> from analysis.store.sql import identifier
    >>> code = encode_sql(ColumnSource(identifier("age", ["age"]), "number"), (30.0,))
    >>> code.params
    (None, 30.0, 0, 1)
    """
    if source.kind not in ("number", "date"):
        raise AnalysisError(f"Bins are for numbers and dates; this column is of kind {source.kind}.")
    tests = [to_condition("column", "is missing", None, source)]
    tests += [to_condition("column", "<", canonical_scalar(edge), source) for edge in edges]
    codes = [None, *range(len(edges))]
    branches = [
        template("WHEN {test} THEN {code}", test=test, code=value(code))
        for test, code in zip(tests, codes, strict=True)
    ]
    return template(
        "CAST(CASE {branches} ELSE {last} END AS INTEGER)",
        branches=join(" ", branches),
        last=value(len(edges)),
    )


def _check_counts(values: Numbers, counts: Counts, bins: int) -> tuple[Numbers, Counts]:
    if bins < 1:
        raise AnalysisError(f"There must be at least one bin; found bins={bins}.")
    values, counts = np.asarray(values, dtype=np.float64), np.asarray(counts, dtype=np.int64)
    if values.ndim != 1 or values.shape != counts.shape:
        raise ValueError(f"values and counts must be of one length, got {values.shape} and {counts.shape}")
    if np.isnan(values).any() or (values[1:] < values[:-1]).any():
        raise ValueError("values must be ascending and without NaN")
    if (counts < 1).any():
        raise ValueError("each value must be there at least once")
    return values, counts


def _merge_equal(values: Numbers, counts: Counts) -> tuple[Numbers, Counts]:
    """Add up the counts of neighbours that are equal since they were clipped or rounded."""
    if not len(values):
        return values, counts
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return values[starts], np.add.reduceat(counts, starts)


@dataclass
class _Run:
    """Neighbouring values ``start`` to ``stop`` (excluded) that share ``bins`` bins."""

    start: int
    stop: int
    mass: int
    bins: int = 1


def _find_boundaries(counts: Counts, bins: int) -> list[int]:
    """Return the places k, ascending, where a new bin begins with value k."""
    if not len(counts):
        return []
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    runs = _split_runs(cumulative, _find_own_bins(counts, bins))
    for _ in range(bins - len(runs)):
        open_runs = [run for run in runs if run.bins < run.stop - run.start]
        if not open_runs:
            break
        max(open_runs, key=lambda run: run.mass / run.bins).bins += 1
    return [k for run in runs for k in (run.start, *_cut_at_quantiles(cumulative, run))][1:]


def _find_own_bins(counts: Counts, bins: int) -> list[int]:
    """Return the values that get a bin of their own, ascending."""
    own: list[int] = []
    refused: set[int] = set()
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    rest = int(cumulative[-1])
    while len(own) < bins:
        # Integers, not shares: count > rest / (bins that are left), without rounding.
        heavy = np.flatnonzero(counts * (bins - len(own)) > rest)
        candidates = [int(k) for k in heavy if k not in refused and k not in own]
        if not candidates:
            break
        heaviest = max(candidates, key=lambda k: (counts[k], -k))
        if len(_split_runs(cumulative, [*own, heaviest])) > bins:
            refused.add(heaviest)
            continue
        own.append(heaviest)
        rest -= int(counts[heaviest])
    return sorted(own)


def _split_runs(cumulative: Counts, own: Sequence[int]) -> list[_Run]:
    """Split the values into single ones that have a bin of their own and the runs between them."""
    last = len(cumulative) - 1
    edges = sorted({0, last, *own, *(k + 1 for k in own)})
    return [_Run(start, stop, int(cumulative[stop] - cumulative[start])) for start, stop in pairwise(edges)]


def _cut_at_quantiles(cumulative: Counts, run: _Run) -> list[int]:
    """Return the places where the second and later bins of a run begin; no bin stays empty."""
    cuts: list[int] = []
    previous = run.start
    for nth in range(1, run.bins):
        # All in integers, times the number of bins, so that ties are exact and fall to the lower boundary.
        target = int(cumulative[run.start]) * run.bins + run.mass * nth
        above = int(np.searchsorted(cumulative, -(-target // run.bins)))
        below_is_nearer = target - int(cumulative[above - 1]) * run.bins <= (int(cumulative[above]) * run.bins - target)
        nearest = above - 1 if below_is_nearer else above
        previous = min(max(nearest, previous + 1), run.stop - (run.bins - nth))
        cuts.append(previous)
    return cuts


def _to_datetime(microseconds: float) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int(microseconds))
    except (OverflowError, ValueError) as fault:
        raise AnalysisError(
            f"A time of {microseconds / 1e6!r} seconds since 1970 lies outside the years 1 to 9999."
        ) from fault


def _choose_readable_instant(low: datetime, high: datetime) -> datetime:
    """Return the latest beginning in ``(low, high]`` of the coarsest unit that begins there."""
    second = high.replace(microsecond=0)
    minute = second.replace(second=0)
    hour = minute.replace(minute=0)
    day = hour.replace(hour=0)
    month = day.replace(day=1)
    year = month.replace(month=1)
    return next(begin for begin in (year, month, day, hour, minute, second, high) if begin > low)
