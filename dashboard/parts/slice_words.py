"""Metrics, intervals and groups of slices in words."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from analysis.commands.slice_texts import list_chips, make_predicate, read_slice
from analysis.commands.slices import SliceRow, SlicesResult, list_metrics
from analysis.commands.text import describe_rate
from dashboard.parts.strings import UNKNOWN

__all__ = [
    "LOSSES",
    "Named",
    "describe_interval",
    "describe_metric",
    "describe_points",
    "describe_value",
    "is_better_higher",
    "name_colour",
    "name_columns",
    "name_groups",
]

Named: TypeAlias = tuple[str, ...]
"""A group by the words of its columns' values: ("bold",) or ("bold", "below 1.11")."""

LOSSES: Final = frozenset({"log_loss"})
"""Metrics that are no rates: written with four decimals, never as percent."""

_HIGHER: Final = frozenset({"recall", "precision"})


def is_better_higher(metric: str) -> bool:
    """Tell whether a higher value of a metric is better.

    Examples
    --------
    >>> is_better_higher("recall"), is_better_higher("log_loss")
    (True, False)
    """
    return metric in _HIGHER


def name_colour(metric: str) -> str:
    """Return the colour of a metric's bars in a table: what is wrong vermilion, what is right blue.

    Examples
    --------
    >>> name_colour("error_rate"), name_colour("precision")
    ('red', 'blue')
    """
    return "blue" if is_better_higher(metric) else "red"


def describe_metric(metric: str, positive: str | None) -> str:
    """Name a metric, with its class.

    Examples
    --------
    >>> describe_metric("recall", "8"), describe_metric("error_rate", None)
    ('Recall of 8', 'Error rate')
    """
    title = list_metrics()[metric][0]
    return title if positive is None else f"{title} of {positive}"


def describe_value(metric: str, number: float | None) -> str:
    """Write a metric's value: rates as percent with one decimal, losses with four.

    Examples
    --------
    >>> describe_value("error_rate", 0.0733), describe_value("log_loss", 0.38294), describe_value("recall", None)
    ('7.3%', '0.3829', '–')
    """
    if number is None:
        return UNKNOWN
    return f"{number:.4f}" if metric in LOSSES else describe_rate(number)


def describe_interval(metric: str, low: float | None, high: float | None) -> str:
    """Write a 95 % interval without its rate.

    Examples
    --------
    >>> describe_interval("error_rate", 0.055, 0.097), describe_interval("error_rate", None, None)
    ('5.5 to 9.7%', '–')
    """
    if low is None or high is None:
        return UNKNOWN
    return f"{low:.4f} to {high:.4f}" if metric in LOSSES else f"{low * 100:.1f} to {high * 100:.1f}%"


def describe_points(low: float | None, high: float | None) -> str:
    """Write the interval of a difference of rates in points.

    Examples
    --------
    >>> describe_points(-0.021, 0.103), describe_points(None, None)
    ('-2.1 to +10.3', '–')
    """
    return UNKNOWN if low is None or high is None else f"{low * 100:+.1f} to {high * 100:+.1f}"


def name_columns(columns: Sequence[str]) -> Named:
    """Return what columns are called in sentences.

    Examples
    --------
    >>> name_columns(["@given_label", "pen"])
    ('given label', 'pen')
    """
    # The library words columns inside sentences; this sentence is taken apart again.
    return tuple(read_slice(make_predicate(column, "is missing"))[1].removesuffix(" is missing") for column in columns)


def name_groups(result: SlicesResult) -> list[Named]:
    """Name the groups of a result by their values, one name a column.

    Examples
    --------
    ``stroke_width >= 1.35`` in a result by ``stroke_width`` is named ``("1.35 or more",)``.
    """
    filtered = {chip.text for chip in list_chips(result.where)}
    words = dict(zip(result.by, name_columns(result.by), strict=True))
    return [tuple(_name_value(row, column, words[column], filtered) for column in result.by) for row in result.slices]


def _name_value(row: SliceRow, column: str, words: str, filtered: set[str]) -> str:
    tests = [test for test in row.where.predicates if test.column == column]
    # A filter on the grouped column is in every group; what differs is the group.
    own = [test for test in tests if test.to_text() not in filtered] or tests
    return " and ".join(test.to_sentence().removeprefix(f"{words} is ") for test in own)
