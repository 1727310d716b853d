"""The values that slices compare with, each with one form and one text.

One value has one text, so that equal texts mean equal slices:

- a whole float up to 2^53 becomes an integer (``5.0`` is written ``5``); beyond, doubles no longer tell
  neighbouring whole numbers apart, and ``1e+16`` stays a double. An integer of 2^64 or more becomes a double;
- a time with a zone is converted to UTC and loses the zone, since columns of times are compared in UTC;
- a date stands for its whole day, a date with a time for that instant.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

import numpy as np

from analysis.errors import AnalysisError

__all__ = ["Range", "Scalar", "Value", "ValueSet", "canonical_scalar", "format_column", "format_scalar"]

Scalar: TypeAlias = bool | int | float | str | date | datetime

EXACT_WHOLE = 2**53
"""Up to here every whole number is a double of its own."""

LARGEST_INTEGER = 2**64
"""From here on whole numbers no longer fit the widest integer column that files bring."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - columns of times are zoneless and read as UTC
_DAY = 86_400_000_000


def canonical_scalar(value: object) -> Scalar:
    """Return the one form in which a value is kept, compared and written.

    Parameters
    ----------
    value
        A number, a truth value, text, a date or a time, also as a numpy or pandas scalar.

    Returns
    -------
    Scalar
        A plain Python value. Whole floats up to 2^53 become integers; times lose their zone after conversion
        to UTC.

    Raises
    ------
    AnalysisError
        If the value is not finite, is missing (None, NaN, NaT) or is of another type.

    Examples
    --------
    >>> canonical_scalar(5.0), canonical_scalar(0.5), canonical_scalar(True)
    (5, 0.5, True)
    """
    if isinstance(value, np.bool_ | np.integer | np.floating) and not isinstance(value, np.timedelta64):
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _canonical_number(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, date) and value == value:  # noqa: PLR0124 - NaT is a date that differs from itself
        return _canonical_date(value)
    raise AnalysisError(
        f"A slice compares with a number, true, false, a date or text; found {value!r}. "
        "For missing values write: column is missing."
    )


def _canonical_number(value: float) -> int | float:
    if not math.isfinite(value if isinstance(value, float) else 0):
        raise AnalysisError(f"A slice compares with finite numbers; found {value!r}.")
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= EXACT_WHOLE else float(value)
    if abs(value) < LARGEST_INTEGER:
        return int(value)
    try:
        return float(value)
    except OverflowError as fault:
        raise AnalysisError("A slice compares with finite numbers; found one beyond 1.8e308.") from fault


def _canonical_date(value: date) -> date:
    if not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    # Rebuilt from its parts, so that a pandas Timestamp becomes a plain datetime.
    plain = datetime.combine(value.date(), value.timetz()).replace(fold=0)
    if plain.utcoffset() is None:
        return plain.replace(tzinfo=None)
    try:
        return plain.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as fault:
        text = value.isoformat()
        raise AnalysisError(f"The time {text} lies outside the years 1 to 9999 in UTC.") from fault


def to_microseconds(value: date) -> tuple[int, int]:
    """Return the half-open interval ``[start, end)`` of a date or time, in microseconds since 1970 UTC.

    A date covers its whole day, a time one microsecond (the resolution of the columns).

    Examples
    --------
    >>> from datetime import date
    >>> to_microseconds(date(1970, 1, 2))
    (86400000000, 172800000000)
    """
    is_instant = isinstance(value, datetime)
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    start = (moment - _EPOCH) // timedelta(microseconds=1)
    return start, start + (1 if is_instant else _DAY)


def drop_midnight(value: Scalar) -> Scalar:
    """Return a time at midnight as its date: where only the start counts, both say the same.

    Examples
    --------
    >>> from datetime import datetime
    >>> drop_midnight(datetime(2020, 1, 5))
    datetime.date(2020, 1, 5)
    """
    return value.date() if isinstance(value, datetime) and value.time() == time() else value


def quote_text(text: str) -> str:
    """Return text in double quotes, quotes inside doubled."""
    return '"' + text.replace('"', '""') + '"'


def format_scalar(value: Scalar) -> str:
    """Return the text of a canonical value, as it stands in a slice.

    Examples
    --------
    >>> [format_scalar(each) for each in (5, 0.5, True, 'the "big" one')]
    ['5', '0.5', 'true', '"the ""big"" one"']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote_text(value)
    return value.isoformat() if isinstance(value, date) else repr(value)


def is_name_character(character: str) -> bool:
    """Whether a character may stand inside a column name without quotes."""
    return character.isalpha() or character.isdecimal() or character in "_-."


def format_column(column: str) -> str:
    """Return the text of a column's name, quoted where its characters ask for it.

    Names that begin with ``@`` are ours (``@given_label``, ``@annotator``, ...).

    Examples
    --------
    >>> format_column("hours-per-week"), format_column("@split"), format_column("work class")
    ('hours-per-week', '@split', '"work class"')
    """
    is_ours = column.startswith("@")
    name = column[1:] if is_ours else column
    plain = all(map(is_name_character, name)) and (is_ours or name[:1].isalpha())
    return column if plain and name else quote_text(column)


@dataclass(frozen=True)
class Range:
    """Numbers, dates or times from ``low`` up to but not including ``high``: ``[low, high)``.

    Raises
    ------
    AnalysisError
        If the ends are not two numbers or two dates, or ``low`` is not below ``high``.

    Examples
    --------
    >>> Range(20, 30.5).to_text()
    '[20, 30.5)'
    """

    low: Scalar = field(compare=False)
    high: Scalar = field(compare=False)
    # Equality goes by the text: in Python 1 == 1.0 == True, in a slice they differ or are already canonical.
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        low, high = (drop_midnight(canonical_scalar(end)) for end in (self.low, self.high))
        text = f"[{format_scalar(low)}, {format_scalar(high)})"
        ranks = {_sort_key(low)[0], _sort_key(high)[0]}
        if ranks not in ({_NUMBER}, {_DATE}):
            raise AnalysisError(f"A range goes from number to number or from date to date; found {text}.")
        # By size alone, so that 1e+16 and its integer make an empty range.
        if _sort_key(low)[:2] >= _sort_key(high)[:2]:
            raise AnalysisError(f"The range {text} is empty: its low end must lie below its high end.")
        for name, value in (("low", low), ("high", high), ("_text", text)):
            object.__setattr__(self, name, value)

    def to_text(self) -> str:
        """Return the text, for example ``[20, 30.5)``."""
        return self._text


@dataclass(frozen=True)
class ValueSet:
    """A set of values, without repetition and in one order: truth values, numbers, dates, text.

    Raises
    ------
    AnalysisError
        If the set is empty.

    Examples
    --------
    >>> ValueSet(("b", "a", "b", 10, 9)).to_text()
    '{9, 10, "a", "b"}'
    """

    values: tuple[Scalar, ...] = field(compare=False)
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_text = {format_scalar(value): value for value in map(canonical_scalar, self.values)}
        if not by_text:
            raise AnalysisError('A set needs at least one value, for example {"a", "b"}.')
        values = sorted(by_text.values(), key=_sort_key)
        text = "{" + ", ".join(map(format_scalar, values)) + "}"
        for name, value in (("values", tuple(values)), ("_text", text)):
            object.__setattr__(self, name, value)

    def to_text(self) -> str:
        """Return the text, for example ``{9, 10, "a"}``."""
        return self._text


Value: TypeAlias = Scalar | Range | ValueSet | None

_BOOLEAN, _NUMBER, _DATE, _TEXT = range(4)


def _sort_key(value: Scalar) -> tuple[int, float | str, str]:
    """Order values of all types: by type, then by size, then (1e+16 and its integer) by text."""
    if isinstance(value, bool):
        return _BOOLEAN, int(value), ""
    if isinstance(value, str):
        return _TEXT, value, ""
    if isinstance(value, date):
        return _DATE, to_microseconds(value)[0], value.isoformat()
    return _NUMBER, value, repr(value)
