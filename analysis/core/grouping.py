"""Columns as groups: which value or bin each row belongs to, and the predicate that says so.

Text, booleans and whole numbers of at most 20 values are levels; other numbers and times are quantile bins with
readable edges; missing is a level of its own, so that the groups of one column share out all rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from analysis.core.encoding import bins_to_predicates, encode_sql, fit_bins, fit_date_bins
from analysis.core.facts import Population
from analysis.core.metrics import MetricSql
from analysis.core.predicate import ColumnSource, Predicate
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, join, template
from analysis.store.workspace import Snapshot

__all__ = ["MAX_LEVELS", "GroupCounts", "Grouping", "count_groups", "fit_grouping"]

MAX_LEVELS: Final = 2_000
"""A text column with more values than this names items rather than groups them."""

_MAX_WHOLE_LEVELS: Final = 20


@dataclass(frozen=True)
class Grouping:
    """How one column becomes groups.

    Attributes
    ----------
    column
        The column's name.
    code
        SQL of the group's key: the level itself, or the bin's number; NULL for missing. A list of keys where
        groups overlap.
    predicates
        From key to predicate for bins; None where the key is the level.
    overlaps
        One row may be in several groups (people who voted on one item).
    """

    column: str
    code: Fragment
    predicates: Mapping[int, Predicate] | None
    overlaps: bool

    def describe(self, key: Any) -> Predicate:  # noqa: ANN401  (a key is whatever DuckDB holds: text, number, truth)
        """Return the predicate of one group."""
        if key is None or (isinstance(key, float) and np.isnan(key)):
            return Predicate(self.column, "is missing")
        if self.predicates is not None:
            return self.predicates[int(key)]
        return Predicate(self.column, "=", key)


def fit_grouping(snapshot: Snapshot, population: Population, column: str, *, bins: int = 5) -> Grouping:
    """Decide the groups of a column from exact counts over the population.

    Parameters
    ----------
    snapshot, population
        Where the rows are.
    column
        A column that the population resolved.
    bins
        How many quantile bins a number or time gets, at most.

    Returns
    -------
    Grouping

    Raises
    ------
    AnalysisError
        If a text column has more than :data:`MAX_LEVELS` values.
    """
    source = population.columns[column]
    if source.kind == "list":
        code = template("CASE WHEN len({names}) > 0 THEN {names} ELSE [NULL] END", names=source.sql)
        return Grouping(column, code, None, overlaps=True)
    if source.kind in {"number", "date"}:
        return _fit_numbers(snapshot, population, column, source, bins)
    counted = population.select(template("count(DISTINCT {sql})", sql=source.sql))
    levels = int(snapshot.fetch_one(counted)[0])
    if levels > MAX_LEVELS:
        raise AnalysisError(
            f"Column {column!r} has {levels:,} values, more than {MAX_LEVELS:,}: it names items rather than groups. "
            "Choose a column with fewer values, or filter with --where."
        )
    return Grouping(column, source.sql, None, overlaps=False)


def _fit_numbers(snapshot: Snapshot, population: Population, column: str, source: ColumnSource, bins: int) -> Grouping:
    number = source.sql
    if source.kind == "date":
        number = template("epoch_us({sql})", sql=source.sql)
    base = population.select(template("{number} AS v", number=number))
    counted = template(
        "SELECT CAST(v AS DOUBLE) AS v, count(*) AS n FROM ({base}) WHERE v IS NOT NULL GROUP BY 1 ORDER BY 1",
        base=base,
    )
    frame = snapshot.fetch(counted)
    values = frame["v"].to_numpy(np.float64)
    counts = frame["n"].to_numpy(np.int64)
    edges: Sequence[float] | Sequence[datetime]
    if source.kind == "date":
        edges = fit_date_bins(values / 1e6, counts, bins=bins)
    elif len(values) <= _MAX_WHOLE_LEVELS and bool(np.all(values == np.trunc(values))):
        return Grouping(column, source.sql, None, overlaps=False)
    else:
        edges = fit_bins(values, counts, bins=bins)
    predicates = dict(enumerate(bins_to_predicates(column, edges)))
    return Grouping(column, encode_sql(source, edges), predicates, overlaps=False)


@dataclass(frozen=True)
class GroupCounts:
    """Exact counts of one group, of the whole population, or of a slice.

    Attributes
    ----------
    support
        Rows.
    trials
        Rows that count for the metric.
    numerator
        Hits of a rate, or units of a loss (:data:`analysis.core.metrics.LOSS_UNIT`).
    squares
        Sum of the squared numerators, for the interval of a loss.
    """

    predicates: tuple[Predicate, ...]
    support: int
    trials: int
    numerator: int
    squares: int


def count_groups(
    snapshot: Snapshot,
    population: Population,
    metric: MetricSql,
    groupings: Sequence[Grouping] = (),
    *,
    whole_split: bool = False,
) -> list[GroupCounts]:
    """Count support, trials and the metric's numerator in every group.

    Parameters
    ----------
    snapshot, population
        Where the rows are.
    metric
        What is counted.
    groupings
        None for one total; each adds a key.
    whole_split
        Count all rows of the split instead of the slice.

    Returns
    -------
    list of GroupCounts
        In order of their keys, missing last. Without groupings exactly one.
    """
    keys = [Fragment(f"k{index}") for index in range(len(groupings))]
    coded = [template("{code} AS {key}", code=g.code, key=key) for g, key in zip(groupings, keys, strict=True)]
    counted = [
        template("{trial} AS trial", trial=metric.trial),
        template("CASE WHEN {t} THEN {n} ELSE 0 END AS n", t=metric.trial, n=metric.numerator),
    ]
    base = population.select(join(", ", [*coded, *counted]), rest=whole_split)
    for grouping, key in zip(groupings, keys, strict=True):
        if grouping.overlaps:
            # One list after the other: unnested side by side, two lists would be paired up, not crossed.
            spread = [template("unnest({key}) AS {key}", key=key) if other is key else other for other in keys]
            columns = join(", ", [*spread, Fragment("trial, n")])
            base = template("SELECT {columns} FROM ({base})", columns=columns, base=base)
    selected = join(", ", [*keys, Fragment("count(*), count(*) FILTER (trial)")])
    query = template(
        "SELECT {selected}, coalesce(sum(CAST(n AS HUGEINT)), 0), "
        "coalesce(sum(CAST(n AS HUGEINT) * CAST(n AS HUGEINT)), 0) FROM ({base})",
        selected=selected,
        base=base,
    )
    if keys:
        query = template(
            "{query} GROUP BY {keys} ORDER BY {order}", query=query, keys=join(", ", keys), order=_order(keys)
        )
    rows = snapshot.fetch_all(query)
    width = len(groupings)
    return [
        GroupCounts(
            tuple(grouping.describe(key) for grouping, key in zip(groupings, row[:width], strict=True)),
            *(int(count) for count in row[width:]),
        )
        for row in rows
    ]


def _order(keys: Sequence[Fragment]) -> Fragment:
    return join(", ", [template("{key} NULLS LAST", key=key) for key in keys])


def count_all(snapshot: Snapshot, population: Population) -> int:
    """Count the rows of the slice."""
    return int(snapshot.fetch_one(population.select(Fragment("count(*)")))[0])
