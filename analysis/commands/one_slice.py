"""What the Slice page shows: one slice against the rest, who labelled it, and the rows behind it."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.commands.overview import Cell
from analysis.commands.positive import Decision
from analysis.commands.slices import SliceRow, SlicesOptions, profile_slices_in
from analysis.core.facts import Population
from analysis.core.rows import RowsFilter, count_rows, fetch_rows
from analysis.core.slice_text import parse_slice
from analysis.intervals import newcombe_interval, wilson_interval
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Snapshot, Workspace

__all__ = ["PersonShare", "RowsPage", "SliceDetail", "describe_slice", "fetch_slice_rows"]


@dataclass(frozen=True)
class PersonShare:
    """One person's share of a slice against their share of the rest.

    Attributes
    ----------
    items, share
        Items of the slice that the person labelled, and their share of those whose labeller is known.
    expected
        Items they would have at their share of the rest.
    difference, low, high
        Share inside minus share outside, with Newcombe's 95 % interval; None where there is no rest.
    """

    annotator: str
    items: int
    share: float
    expected: float | None
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SliceDetail:
    """One slice in full."""

    split: str
    model: str
    metric: str
    row: SliceRow
    overall_rate: float | None
    rest_low: float | None
    rest_high: float | None
    inside: tuple[Cell, ...]
    people: tuple[PersonShare, ...]
    labels_as_of: int
    notes: tuple[str, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True)
class RowsPage:
    """One page of the rows behind a slice, and how many there are in all."""

    rows: pd.DataFrame
    total: int
    offset: int


def describe_slice(workspace: Workspace, options: SlicesOptions) -> SliceDetail:
    """Describe one slice: ``options.where``, of the whole split.

    Raises
    ------
    AnalysisError
        If the slice is "all", or names what is not there.
    """
    with workspace.read() as snapshot:
        result = profile_slices_in(snapshot, replace(options, by=(), min_support=0.0, top=None))
        row = result.slices[0]
        model = snapshot.resolve_model(result.model)
        population = Population.of(
            snapshot, split=result.split, model=model.code, where=row.where, named=("@annotator",)
        )
        cells = population.select(Fragment("c.label AS label, p.predicted AS predicted, count(*) AS n"))
        inside = snapshot.fetch_all(
            template(
                "{cells} AND c.label IS NOT NULL AND p.predicted IS NOT NULL GROUP BY ALL "
                "ORDER BY n DESC, label, predicted",
                cells=cells,
            )
        )
        people = _count_people(snapshot, population)
    profile = row.profile
    rest_trials = result.overall.trials - profile.trials
    rest_errors = result.overall.errors - profile.errors
    rest: tuple[float | None, float | None] = (None, None)
    if rest_trials and isinstance(profile.errors, int):
        rest = wilson_interval(rest_errors, rest_trials)
    return SliceDetail(
        split=result.split,
        model=result.model,
        metric=result.metric,
        row=row,
        overall_rate=result.overall.rate,
        rest_low=rest[0],
        rest_high=rest[1],
        inside=tuple(Cell(*cell) for cell in inside),
        people=people,
        labels_as_of=result.labels_as_of,
        notes=result.notes,
        decision=result.decision,
    )


def _count_people(snapshot: Snapshot, population: Population) -> tuple[PersonShare, ...]:
    names = population.columns["@annotator"].sql
    flagged = template(
        "SELECT {inside} AS inside, {names} AS names {source}",
        inside=population.inside,
        names=names,
        source=population.source,
    )
    query = template(
        "WITH rows AS ({flagged}), known AS (SELECT inside, names FROM rows WHERE len(names) > 0) "
        "SELECT name, count(*) FILTER (inside), count(*) FILTER (NOT inside), "
        "(SELECT count(*) FROM known WHERE inside), (SELECT count(*) FROM known WHERE NOT inside) "
        "FROM (SELECT inside, unnest(names) AS name FROM known) GROUP BY name ORDER BY name",
        flagged=flagged,
    )
    rows = [row for row in snapshot.fetch_all(query) if row[3]]
    if not rows:
        return ()
    inside, outside, all_in, all_out = (np.array([row[k] for row in rows], dtype=np.float64) for k in range(1, 5))
    low, high = newcombe_interval(inside, all_in, outside, all_out)
    people = [
        PersonShare(
            annotator=str(row[0]),
            items=int(row[1]),
            share=float(inside[k] / all_in[k]),
            expected=float(all_in[k] * outside[k] / all_out[k]) if all_out[k] else None,
            difference=float(inside[k] / all_in[k] - outside[k] / all_out[k]) if all_out[k] else None,
            low=None if np.isnan(low[k]) else float(low[k]),
            high=None if np.isnan(high[k]) else float(high[k]),
        )
        for k, row in enumerate(rows)
    ]
    return tuple(sorted(people, key=lambda person: (-(person.difference or 0.0), person.annotator)))


def fetch_slice_rows(
    workspace: Workspace,
    where: str,
    *,
    split: str | None = None,
    model: str | None = None,
    only: RowsFilter = "all",
    offset: int = 0,
    limit: int = 100,
) -> RowsPage:
    """Return one page of the rows behind a slice.

    Parameters
    ----------
    workspace
        An existing workspace.
    where
        A slice as text; ``all`` for the whole split.
    split, model
        None takes the default.
    only
        ``all``, ``errors`` or ``correct``.
    offset, limit
        Which rows, in order of the items; at most 1,000 at once.

    Returns
    -------
    RowsPage
    """
    with workspace.read() as snapshot:
        chosen, _note = snapshot.resolve_split(split, "eval")
        known = snapshot.resolve_model(model).code if snapshot.models else None
        population = Population.of(snapshot, split=chosen, model=known, where=parse_slice(where))
        total = count_rows(snapshot, population, only)
        rows = fetch_rows(snapshot, population, only=only, offset=offset, limit=limit)
    return RowsPage(rows, total, offset)
