"""What one comparison means in SQL.

Every condition is TRUE or FALSE, never NULL, so that a slice and its rest share out all rows:
a missing value fails every comparison but ``!=``, which keeps it.

Dates, times and times with a zone are compared as microseconds since 1970 UTC: DuckDB would read a zoneless
time in the time zone of whoever runs the query. An infinite date has no microseconds and counts as missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal, TypeAlias

from analysis.core.slice_values import (
    EXACT_WHOLE,
    Range,
    Scalar,
    Value,
    ValueSet,
    format_column,
    format_scalar,
    quote_text,
    to_microseconds,
)
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, join, list_value, template, value

__all__ = ["ColumnKind", "ColumnSource", "to_condition"]

ColumnKind: TypeAlias = Literal["number", "text", "boolean", "date", "list"]

_EQUALITY = frozenset({"=", "!=", "in", "is missing", "is present"})
_ORDER = _EQUALITY | {"<", "<=", ">", ">="}
_OPERATORS: Mapping[ColumnKind, frozenset[str]] = MappingProxyType(
    {
        "number": _ORDER,
        "text": _ORDER | {"contains"},
        "boolean": _EQUALITY,
        "date": _ORDER,
        "list": _EQUALITY,
    }
)
_HOLDS: Mapping[ColumnKind, str] = MappingProxyType(
    {
        "number": "numbers",
        "text": "text",
        "boolean": "true and false",
        "date": "dates",
        "list": "several texts an item",
    }
)
_ADVICE: Mapping[ColumnKind, str] = MappingProxyType(
    {
        "number": "Write a number without quotes, for example 30.",
        "boolean": "Write true or false, without quotes.",
        "date": "Write a date without quotes, for example 2026-01-31.",
    }
)


@dataclass(frozen=True)
class ColumnSource:
    """Where a column's values come from, and of which kind they are.

    Attributes
    ----------
    sql
        An expression with one value an item, such as a quoted identifier. It may have bound values.
    kind
        ``number`` (any numeric type without NaN), ``text`` (VARCHAR), ``boolean``, ``date`` (DATE, TIMESTAMP,
        TIMESTAMP WITH TIME ZONE), or ``list`` (VARCHAR[], where one item belongs to several, such as the
        annotators who voted on it; NULL and the empty list are missing).

    Examples
    --------
    >>> from analysis.store.sql import identifier
    >>> ColumnSource(identifier("age", ["age"]), "number").sql.text
    '"age"'
    """

    sql: Fragment
    kind: ColumnKind


def to_condition(column: str, op: str, compared: Value, source: ColumnSource) -> Fragment:
    """Return the SQL of one comparison.

    Parameters
    ----------
    column
        The column's name, for the error.
    op
        One of ``= != < <= > >= contains in``, ``is missing``, ``is present``.
    compared
        What the column is compared with, in canonical form; None for the last two.
    source
        The column.

    Returns
    -------
    Fragment
        An expression that is TRUE or FALSE for every row, safe after NOT and beside AND and OR.

    Raises
    ------
    AnalysisError
        If the kind of the column has no such operator, or holds values of another type.

    Examples
    --------
    >>> from analysis.store.sql import identifier
    >>> age = ColumnSource(identifier("age", ["age"]), "number")
    >>> to_condition("age", ">=", 60, age)
    Fragment(text='coalesce("age" >= ?, FALSE)', params=(60.0,))
    """
    if op not in _OPERATORS[source.kind]:
        raise AnalysisError(
            f"{format_column(column)} holds {_HOLDS[source.kind]} and knows no {op}. "
            f"There are: {', '.join(sorted(_OPERATORS[source.kind]))}."
        )
    if op == "is missing":
        return _missing(source)
    if op == "is present":
        return template("(NOT {missing})", missing=_missing(source))
    if isinstance(compared, Range):
        _check_types(column, source.kind, (compared.low, compared.high))
        above = _COMPARE[source.kind](">=", compared.low, source.sql)
        below = _COMPARE[source.kind]("<", compared.high, source.sql)
        return template("({above} AND {below})", above=above, below=below)
    if isinstance(compared, ValueSet):
        _check_types(column, source.kind, compared.values)
        return _in_set(compared.values, source)
    if compared is None:
        raise AnalysisError(f"{format_column(column)} {op} needs a value to compare with.")
    _check_types(column, source.kind, (compared,))
    return _COMPARE[source.kind](op, compared, source.sql)


def _check_types(column: str, kind: ColumnKind, values: tuple[Scalar, ...]) -> None:
    for found in values:
        if _kind_of(found) != ("text" if kind == "list" else kind):
            text = format_scalar(found)
            advice = _ADVICE.get(kind, f"Write it in quotes: {quote_text(text)}.")
            raise AnalysisError(f"{format_column(column)} holds {_HOLDS[kind]}, but is compared with {text}. {advice}")


def _kind_of(found: Scalar) -> ColumnKind:
    if isinstance(found, bool):
        return "boolean"
    if isinstance(found, str):
        return "text"
    return "date" if isinstance(found, date) else "number"


def _missing(source: ColumnSource) -> Fragment:
    if source.kind == "list":
        return template("coalesce(len({column}) = 0, TRUE)", column=source.sql)
    if source.kind == "date":
        return template("(epoch_us({column}) IS NULL)", column=source.sql)
    return template("({column} IS NULL)", column=source.sql)


def _compare(op: str, bound: Fragment, column: Fragment) -> Fragment:
    """Compare with one bound value; the one place that says what happens to NULL."""
    match op:
        case "!=":
            return template("({column} IS DISTINCT FROM {bound})", column=column, bound=bound)
        case "=":
            test = template("{column} = {bound}", column=column, bound=bound)
        case "<":
            test = template("{column} < {bound}", column=column, bound=bound)
        case "<=":
            test = template("{column} <= {bound}", column=column, bound=bound)
        case ">":
            test = template("{column} > {bound}", column=column, bound=bound)
        case ">=":
            test = template("{column} >= {bound}", column=column, bound=bound)
        case _:
            test = template("contains(lower({column}), lower({bound}))", column=column, bound=bound)
    return template("coalesce({test}, FALSE)", test=test)


def _bind(compared: Scalar) -> Fragment:
    """Bind a value; numbers as doubles where no whole number is lost.

    DuckDB compares a FLOAT column with an integer as FLOAT, which rounds the integer, but with a double as
    DOUBLE. From 2^53 on a double would be the one that rounds, so there the integer is bound as it is.
    """
    if isinstance(compared, int) and not isinstance(compared, bool) and abs(compared) < EXACT_WHOLE:
        return value(float(compared))
    return value(compared)


def _compare_value(op: str, compared: Scalar, column: Fragment) -> Fragment:
    return _compare(op, _bind(compared), column)


def _compare_date(op: str, compared: Scalar, column: Fragment) -> Fragment:
    if not isinstance(compared, date):
        raise TypeError(compared)
    start, end = (value(edge) for edge in to_microseconds(compared))
    moment = template("epoch_us({column})", column=column)
    match op:
        case "<" | ">=":
            return _compare(op, start, moment)
        case "<=":  # up to the end of that day
            return _compare("<", end, moment)
        case ">":
            return _compare(">=", end, moment)
    within = template("({since} AND {until})", since=_compare(">=", start, moment), until=_compare("<", end, moment))
    return within if op == "=" else template("(NOT {within})", within=within)


def _compare_list(op: str, compared: Scalar, column: Fragment) -> Fragment:
    found = template("coalesce(list_contains({column}, {bound}), FALSE)", column=column, bound=value(compared))
    return found if op == "=" else template("(NOT {found})", found=found)


_COMPARE: Mapping[ColumnKind, Callable[[str, Scalar, Fragment], Fragment]] = MappingProxyType(
    {
        "number": _compare_value,
        "text": _compare_value,
        "boolean": _compare_value,
        "date": _compare_date,
        "list": _compare_list,
    }
)


def _in_set(values: tuple[Scalar, ...], source: ColumnSource) -> Fragment:
    if source.kind == "list":
        return template(
            "coalesce(list_has_any({column}, {values}), FALSE)", column=source.sql, values=list_value(values)
        )
    if source.kind == "date":  # a date is a whole day, a time an instant: an interval each
        days = join(" OR ", [_compare_date("=", compared, source.sql) for compared in values])
        return template("({days})", days=days)
    # One list has one type: a double beside a whole number beyond 2^53 would round that number, so each
    # type has its own.
    bound = [_bind(compared) for compared in values]
    doubles = [each for each in bound if isinstance(each.params[0], float)]
    others = [each for each in bound if not isinstance(each.params[0], float)]
    lists = [
        template("coalesce({column} IN ({bound}), FALSE)", column=source.sql, bound=join(", ", each))
        for each in (doubles, others)
        if each
    ]
    return template("({lists})", lists=join(" OR ", lists))
