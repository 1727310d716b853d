"""Rows behind a slice, paged in DuckDB: hundreds are sent, never all of them."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

import pandas as pd

from analysis.core.facts import Population
from analysis.store.sql import Fragment, column_of, identifier, join, template, value
from analysis.store.workspace import Snapshot

__all__ = ["MAX_PAGE", "RowsFilter", "count_rows", "fetch_rows", "select_users"]

RowsFilter = Literal["all", "errors", "correct"]
MAX_PAGE: Final = 1_000

_FILTERS: Final[dict[RowsFilter, Fragment]] = {
    "all": Fragment("TRUE"),
    "errors": Fragment("coalesce(p.predicted != c.label, FALSE)"),
    "correct": Fragment("coalesce(p.predicted = c.label, FALSE)"),
}
_NAMES: Final = ("item_id", "label", "predicted", "error", "confidence")
_OURS: Final = Fragment(
    "i.item_id AS item_id, c.label AS label, p.predicted AS predicted, "
    "coalesce(p.predicted != c.label, FALSE) AS error, list_max(p.pred_probs) AS confidence"
)


def count_rows(snapshot: Snapshot, population: Population, only: RowsFilter = "all") -> int:
    """Count the rows of a slice, or its errors alone."""
    query = template("{rows} AND {only}", rows=population.select(Fragment("count(*)")), only=_FILTERS[only])
    return int(snapshot.fetch_one(query)[0])


def fetch_rows(
    snapshot: Snapshot, population: Population, *, only: RowsFilter = "all", offset: int = 0, limit: int = 100
) -> pd.DataFrame:
    """Return one page of the rows behind a slice.

    Parameters
    ----------
    snapshot, population
        Where the rows are.
    only
        All rows, errors alone, or correct ones alone.
    offset, limit
        Which rows of the order by item; at most :data:`MAX_PAGE` at once.

    Returns
    -------
    DataFrame
        ``item_id, label, predicted, error, confidence``, then the user's columns in their order and computed ones,
        bytes and lists left out. A user's column of one of these names has an underscore appended.
    """
    users = select_users(snapshot, _NAMES, leave=("BLOB", "DOUBLE[]"), derived=True)
    query = template(
        "{rows} AND {only} ORDER BY i.item LIMIT {limit} OFFSET {offset}",
        rows=population.select(join(", ", [_OURS, *users])),
        only=_FILTERS[only],
        limit=value(max(0, min(limit, MAX_PAGE))),
        offset=value(max(0, offset)),
    )
    return snapshot.fetch(query)


def select_users(
    snapshot: Snapshot, ours: Iterable[str], *, leave: Collection[str] = (), derived: bool = False
) -> list[Fragment]:
    """Select the user's columns (``f``) under their own names, beside columns of ours.

    Parameters
    ----------
    snapshot
        The workspace.
    ours
        The names of our columns; a user's column of such a name, in whatever case, gets underscores appended.
    leave
        Types to leave out.
    derived
        Add the columns that relook computed from texts and pictures, after the user's.

    Returns
    -------
    list of Fragment
        ``place AS name``, in the user's order.
    """
    kept = [column for column in snapshot.columns if column.stored_as is not None and column.type not in leave]
    kept = sorted(kept, key=lambda column: column.role == "derived")
    kept = [column for column in kept if derived or column.role != "derived"]
    taken = {name.casefold() for name in ours}
    own = {column.name.casefold() for column in kept}
    selected = []
    for column in kept:
        shown = column.name
        while shown.casefold() in taken or (shown != column.name and shown.casefold() in own):
            shown += "_"
        taken.add(shown.casefold())
        stored = str(column.stored_as)
        place = column_of("f", identifier(stored, [stored]))
        selected.append(template("{place} AS {name}", place=place, name=identifier(shown, [shown])))
    return selected
