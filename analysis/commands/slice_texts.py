"""Slices as texts, for pages that build and take them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.core.facts import list_columns, resolve_columns
from analysis.core.predicate import Predicate, Slice
from analysis.core.slice_text import parse_slice
from analysis.core.slice_values import ValueSet
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Workspace

__all__ = [
    "OPERATORS",
    "Chip",
    "ColumnChoice",
    "describe_column_choice",
    "drop_predicate",
    "join_slices",
    "list_chips",
    "list_filter_columns",
    "make_predicate",
    "read_slice",
]

_MAX_CHOICES: Final = 200
OPERATORS: Final = {
    "number": (">=", "<", "<=", ">", "=", "!=", "is missing", "is present"),
    "date": (">=", "<", "<=", ">", "is missing", "is present"),
    "text": ("in", "=", "!=", "contains", "is missing", "is present"),
    "boolean": ("=", "!=", "is missing", "is present"),
    "list": ("=", "!=", "in", "is missing", "is present"),
}
"""Which comparisons a column of a kind can have."""


@dataclass(frozen=True)
class Chip:
    """One predicate of a slice: its text, and in words."""

    text: str
    sentence: str


@dataclass(frozen=True)
class ColumnChoice:
    """What a filter on a column may be.

    Attributes
    ----------
    kind
        ``number, text, boolean, date`` or ``list``.
    values
        The column's values, most frequent first, where there are at most 200; else empty.
    low, high
        The range of a number.
    """

    column: str
    kind: str
    values: tuple[str, ...]
    low: float | None = None
    high: float | None = None


def read_slice(text: str) -> tuple[str, str]:
    """Return a slice's canonical text and its sentence.

    Raises
    ------
    AnalysisError
        If the text is no slice; the message says where and what was expected.

    Examples
    --------
    >>> read_slice('sex = "Male" & age>=60')
    ('age >= 60 & sex = "Male"', 'age is 60 or more and sex is Male')
    """
    found = parse_slice(text)
    return found.to_text(), found.to_sentence()


def list_chips(text: str) -> tuple[Chip, ...]:
    """Return the predicates of a slice one by one; none for "all".

    Examples
    --------
    >>> [chip.text for chip in list_chips('sex = "Male" & age >= 60')]
    ['age >= 60', 'sex = "Male"']
    """
    return tuple(Chip(one.to_text(), one.to_sentence()) for one in parse_slice(text).predicates)


def join_slices(texts: Sequence[str]) -> str:
    """Return the slice that fulfils all of some slices.

    Examples
    --------
    >>> join_slices(["all", "age >= 60", 'sex = "Male"'])
    'age >= 60 & sex = "Male"'
    """
    return Slice(tuple(one for text in texts for one in parse_slice(text).predicates)).to_text()


def drop_predicate(text: str, predicate: str) -> str:
    """Return a slice without one of its predicates.

    Examples
    --------
    >>> drop_predicate('age >= 60 & sex = "Male"', "age >= 60")
    'sex = "Male"'
    """
    return Slice(tuple(one for one in parse_slice(text).predicates if one.to_text() != predicate)).to_text()


def make_predicate(column: str, op: str, values: Sequence[str | float | bool] = (), number: float | None = None) -> str:
    """Return one predicate as the text of a slice.

    Parameters
    ----------
    column, op
        A column, and one of :data:`OPERATORS` for its kind.
    values
        For text, truth and list columns: one value, or several with ``in``.
    number
        For numbers.

    Raises
    ------
    AnalysisError
        If a value is missing.

    Examples
    --------
    >>> make_predicate("pen", "in", ["bold", "thin"]), make_predicate("age", ">=", number=60)
    ('pen in {"bold", "thin"}', 'age >= 60')
    """
    if op in {"is missing", "is present"}:
        return Slice((Predicate(column, op),)).to_text()
    if number is not None:
        return Slice((Predicate(column, op, number),)).to_text()
    if not values:
        raise AnalysisError(f"Choose a value for {column}.")
    if op == "in" and len(values) > 1:
        return Slice((Predicate(column, "in", ValueSet(tuple(values))),)).to_text()
    return Slice((Predicate(column, "=" if op == "in" else op, values[0]),)).to_text()


def list_filter_columns(workspace: Workspace) -> tuple[str, ...]:
    """Return the columns that can filter."""
    with workspace.read() as snapshot:
        return list_columns(snapshot)


def describe_column_choice(workspace: Workspace, column: str) -> ColumnChoice:
    """Return what a filter on a column may be: its kind, and its values or range.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    with workspace.read() as snapshot:
        source = resolve_columns(snapshot, [column])[column]
        if column == "@annotator":
            names = snapshot.fetch_all(
                Fragment(
                    "SELECT DISTINCT name FROM people WHERE annotator IN "
                    "(SELECT annotator FROM votes WHERE source IN ('given', 'vote')) ORDER BY name"
                )
            )
            return ColumnChoice(column, "list", tuple(name for (name,) in names))
        if column == "@batch":
            names = snapshot.fetch_all(Fragment("SELECT batch FROM batches ORDER BY batch"))
            return ColumnChoice(column, "list", tuple(name for (name,) in names))
        if column == "@team":
            names = snapshot.fetch_all(
                Fragment("SELECT DISTINCT team FROM people WHERE team IS NOT NULL ORDER BY team")
            )
            return ColumnChoice(column, "list", tuple(name for (name,) in names))
        if column in {"@given_label", "@predicted"}:
            return ColumnChoice(column, source.kind, snapshot.classes)
        if column == "@split":
            return ColumnChoice(column, source.kind, snapshot.splits)
        if source.kind in {"number", "date"}:
            if source.kind == "date":
                return ColumnChoice(column, source.kind, ())
            low, high = snapshot.fetch_one(template("SELECT min({sql}), max({sql}) FROM features f", sql=source.sql))
            return ColumnChoice(column, source.kind, (), low, high)
        rows = snapshot.fetch_all(
            template(
                "SELECT CAST({sql} AS VARCHAR) AS v FROM features f WHERE {sql} IS NOT NULL GROUP BY 1 "
                "ORDER BY count(*) DESC, v LIMIT 201",
                sql=source.sql,
            )
        )
    values = tuple(v for (v,) in rows)
    return ColumnChoice(column, source.kind, values if len(values) <= _MAX_CHOICES else ())
