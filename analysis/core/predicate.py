"""Predicates and slices: values that say which rows are meant.

The same :class:`Slice` gives a text (:func:`analysis.core.slice_text.parse_slice` reads it back), a sentence
for people, a URL, a place in JSON, and SQL. Slices are hashable, and equal when their texts are.

Columns whose name begins with ``@`` are ours, see :data:`OUR_COLUMNS`; all others are the user's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import quote

from analysis.core.predicate_sql import ColumnKind, ColumnSource, to_condition
from analysis.core.slice_values import (
    Range,
    Scalar,
    Value,
    ValueSet,
    canonical_scalar,
    drop_midnight,
    format_column,
    format_scalar,
    quote_text,
)
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, join, template

__all__ = [
    "OPERATORS",
    "OUR_COLUMNS",
    "ColumnKind",
    "ColumnSource",
    "Predicate",
    "Range",
    "Scalar",
    "Slice",
    "Value",
    "ValueSet",
    "to_sql",
]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "contains", "in", "is missing", "is present")
"""The operators, as they stand in text and in JSON."""

OUR_COLUMNS = ("@given_label", "@predicted", "@annotator", "@batch", "@split", "@team")
"""The columns that a slice may test beside the user's own."""

_STATES = ("is missing", "is present")
_COMPARISONS = ("<", "<=", ">", ">=")
_OUR_WORDS = MappingProxyType(
    {
        "@given_label": "given label",
        "@predicted": "predicted label",
        "@annotator": "annotator",
        "@batch": "batch",
        "@split": "split",
        "@team": "team",
    }
)

Json: TypeAlias = str | int | float | bool | dict[str, "Json"] | list["Json"] | None


@dataclass(frozen=True)
class Predicate:
    """One test on one column.

    Attributes
    ----------
    column
        The column's name, unquoted.
    op
        One of :data:`OPERATORS`.
    value
        What the column is compared with, kept in canonical form: a number, truth value, date, time or text; a
        :class:`Range` or :class:`ValueSet` for ``in``; None for ``is missing`` and ``is present``.

    Raises
    ------
    AnalysisError
        If the operator is unknown or does not go with the value.

    Examples
    --------
    >>> Predicate("age", "in", Range(20, 30.0)).to_text()
    'age in [20, 30)'
    >>> Predicate("work class", "is missing").to_text()
    '"work class" is missing'
    """

    column: str = field(compare=False)
    op: str = field(compare=False)
    value: Value = field(compare=False, default=None)
    # Equality and hash go by the text alone: Python holds 1 and True for equal, a slice does not.
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.column, str) or not self.column:
            raise AnalysisError(f"A predicate needs the name of a column; found {self.column!r}.")
        compared = _canonical_value(format_column(self.column), self.op, self.value)
        text = f"{format_column(self.column)} {self.op}"
        if compared is not None:
            text += " " + (compared.to_text() if isinstance(compared, Range | ValueSet) else format_scalar(compared))
        for name, kept in (("column", str(self.column)), ("value", compared), ("_text", text)):
            object.__setattr__(self, name, kept)

    def to_text(self) -> str:
        """Return the text that the grammar of slices reads, for example ``age >= 60``."""
        return self._text

    def to_sentence(self) -> str:
        """Return the test in words.

        Examples
        --------
        >>> Predicate("age", ">=", 60).to_sentence()
        'age is 60 or more'
        """
        column = _OUR_WORDS.get(self.column) or _describe_text(self.column)
        return f"{column} {_describe_test(self.op, self.value)}"

    def to_json(self) -> dict[str, Json]:
        """Return column, op and value for JSON.

        A range becomes ``{"low": ..., "high": ...}``, a set a list, a date or time its ISO text; the value of
        ``is missing`` and ``is present`` is None.

        Examples
        --------
        >>> Predicate("age", "in", Range(20, 30)).to_json()
        {'column': 'age', 'op': 'in', 'value': {'low': 20, 'high': 30}}
        """
        return {"column": self.column, "op": self.op, "value": _value_to_json(self.value)}


def _canonical_value(column: str, op: str, value: object) -> Value:
    if op not in OPERATORS:
        raise AnalysisError(f"A slice knows no operator {op!r}. There are: {', '.join(OPERATORS)}.")
    if op in _STATES:
        if value is not None:
            raise AnalysisError(f"{column} {op} stands alone; found the value {value!r} behind it.")
        return None
    if op == "in":
        if not isinstance(value, Range | ValueSet):
            raise AnalysisError(f"{column} in goes with [low, high) or {{values}}; found {value!r}.")
        return value
    if isinstance(value, Range | ValueSet):
        raise AnalysisError(f"{column} {op} compares with one value; found {value.to_text()}. Write: in.")
    compared = canonical_scalar(value)
    if op == "contains" and not isinstance(compared, str):
        text = format_scalar(compared)
        raise AnalysisError(f"{column} contains goes with text; found {text}. Write: {quote_text(text)}.")
    if op in _COMPARISONS and isinstance(compared, bool):
        raise AnalysisError(f"{column} {op} needs an order, and true and false have none. Write: = or !=.")
    return drop_midnight(compared) if op in ("<", ">=") else compared


@dataclass(frozen=True)
class Slice:
    """The rows for which all predicates hold; without predicates, all rows.

    Attributes
    ----------
    predicates
        Kept in canonical order (column, operator, text of the value) and without repetition.

    Examples
    --------
    >>> Slice((Predicate("sex", "=", "Male"), Predicate("age", "<", 30))).to_text()
    'age < 30 & sex = "Male"'
    >>> Slice().to_text()
    'all'
    """

    predicates: tuple[Predicate, ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(set(self.predicates), key=lambda each: (each.column, each.op, each.to_text()))
        object.__setattr__(self, "predicates", tuple(ordered))

    @property
    def level(self) -> int:
        """The number of predicates; 0 for all rows."""
        return len(self.predicates)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are tested, each once, in canonical order."""
        return tuple(dict.fromkeys(each.column for each in self.predicates))

    def to_text(self) -> str:
        """Return the text that :func:`analysis.core.slice_text.parse_slice` reads back as the same slice."""
        return " & ".join(each.to_text() for each in self.predicates) or "all"

    def to_sentence(self) -> str:
        """Return the slice in words, to be read, not to be parsed.

        Examples
        --------
        >>> old = Predicate("age", ">=", 60)
        >>> Slice((old, Predicate("education", "=", "Bachelors"))).to_sentence()
        'age is 60 or more and education is Bachelors'
        >>> Slice().to_sentence()
        'all items'
        """
        return " and ".join(each.to_sentence() for each in self.predicates) or "all items"

    def to_json(self) -> list[dict[str, Json]]:
        """Return the predicates for JSON, each with column, op and value; see :meth:`Predicate.to_json`."""
        return [each.to_json() for each in self.predicates]

    def to_url(self) -> str:
        """Return the text, percent-encoded for one part of a URL.

        Examples
        --------
        >>> Slice((Predicate("age", "<", 30),)).to_url()
        'age%20%3C%2030'
        """
        return quote(self.to_text(), safe="")


def to_sql(where: Slice, columns: Mapping[str, ColumnSource]) -> Fragment:
    """Return the condition that holds for the rows of a slice.

    Parameters
    ----------
    where
        The slice.
    columns
        Every column that a slice may name, and where it comes from.

    Returns
    -------
    Fragment
        An expression that is TRUE or FALSE, never NULL, for every row: the slice and ``NOT`` the slice share
        out the rows. It is in parentheses, safe after NOT and beside AND and OR.

    Raises
    ------
    UnknownNameError
        If the slice names a column that is not there.
    AnalysisError
        If a predicate does not fit the kind of its column.

    Examples
    --------
    >>> from analysis.store.sql import identifier
    >>> age = ColumnSource(identifier("age", ["age"]), "number")
    >>> to_sql(Slice((Predicate("age", "<", 30),)), {"age": age})
    Fragment(text='(coalesce("age" < ?, FALSE))', params=(30.0,))
    """
    if not where.predicates:
        return template("TRUE")
    conditions = []
    for each in where.predicates:
        if each.column not in columns:
            raise UnknownNameError("column", each.column, columns)
        conditions.append(to_condition(each.column, each.op, each.value, columns[each.column]))
    return template("({conditions})", conditions=join(" AND ", conditions))


def _value_to_json(value: Value) -> Json:
    if isinstance(value, Range):
        return {"low": _value_to_json(value.low), "high": _value_to_json(value.high)}
    if isinstance(value, ValueSet):
        return [_value_to_json(each) for each in value.values]
    return value.isoformat() if isinstance(value, date) else value


def _describe_test(op: str, value: Value) -> str:
    """Return what stands behind the column in a sentence."""
    if value is None:
        return op
    if isinstance(value, Range):
        return f"is from {_describe_scalar(value.low)} to below {_describe_scalar(value.high)}"
    if isinstance(value, ValueSet):
        *first, last = map(_describe_scalar, value.values)
        return f"is {', '.join(first)} or {last}" if first else f"is {last}"
    if op == "contains":
        return f"contains {_describe_scalar(value)}"
    words = _DATE_WORDS if isinstance(value, date) else _WORDS
    before, after = words[op]
    return f"is {before}{_describe_scalar(value)}{after}"


_WORDS = MappingProxyType(
    {
        "=": ("", ""),
        "!=": ("not ", ""),
        "<": ("below ", ""),
        "<=": ("", " or less"),
        ">": ("above ", ""),
        ">=": ("", " or more"),
    }
)
_DATE_WORDS = MappingProxyType(
    {
        "=": ("", ""),
        "!=": ("not ", ""),
        "<": ("before ", ""),
        "<=": ("", " or earlier"),
        ">": ("after ", ""),
        ">=": ("", " or later"),
    }
)


def _describe_scalar(value: Scalar) -> str:
    if isinstance(value, str):
        return _describe_text(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return format_scalar(value)


def _describe_text(text: str) -> str:
    """Return text as a sentence shows it: in quotes only where its end would be in doubt."""
    words = text.split(" ")
    plain = all(all(letter.isalnum() or letter in "_-./'+:@" for letter in word) for word in words)
    in_doubt = not plain or "" in words or not {"and", "or", "is", "not"}.isdisjoint(words)
    return quote_text(text) if in_doubt else text
