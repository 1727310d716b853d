"""The votes of the workspace as the frames that the annotator statistics take."""

import pandas as pd

from analysis.core.facts import Population
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Snapshot

__all__ = ["fetch_gold", "fetch_panel", "fetch_typical_seconds"]


def fetch_panel(snapshot: Snapshot, population: Population | None = None) -> pd.DataFrame:
    """Return the panel's votes, experts' left out.

    Parameters
    ----------
    snapshot
        The workspace.
    population
        Only votes on these items; None for all.

    Returns
    -------
    DataFrame
        ``item_id`` (the workspace's own number, since ids repeat over splits), ``annotator, label`` (missing:
        cannot tell), ``seconds, labelled_at, batch``, in order of arrival.
    """
    inside = Fragment("TRUE")
    if population is not None:
        inside = template("v.item IN ({items})", items=population.select(Fragment("i.item")))
    return snapshot.fetch(
        template(
            "SELECT v.item AS item_id, a.name AS annotator, v.label, v.seconds, v.labelled_at, v.batch FROM votes v "
            "JOIN people a ON a.annotator = v.annotator WHERE v.source IN ('given', 'vote') AND {inside} "
            "ORDER BY v.labelled_at NULLS FIRST, v.vote",
            inside=inside,
        )
    )


def fetch_gold(snapshot: Snapshot) -> pd.DataFrame:
    """Return trusted labels: a gold label that was loaded, else the experts' majority where it is not tied.

    Returns
    -------
    DataFrame
        ``item_id`` (the workspace's own number), ``label``.
    """
    return snapshot.fetch(
        Fragment(
            "WITH counted AS (SELECT v.item, v.label, count(DISTINCT a.person) AS n FROM votes v "
            "JOIN people a ON a.annotator = v.annotator "
            "WHERE v.source = 'expert' AND v.label IS NOT NULL GROUP BY v.item, v.label), "
            "first AS (SELECT item, max(n) AS most FROM counted GROUP BY item), "
            "experts AS (SELECT c.item, min(c.label) AS label FROM counted c "
            "JOIN first f ON f.item = c.item AND f.most = c.n GROUP BY c.item HAVING count(*) = 1) "
            "SELECT i.item AS item_id, coalesce(i.gold_label, e.label) AS label FROM items i "
            "LEFT JOIN experts e ON e.item = i.item WHERE coalesce(i.gold_label, e.label) IS NOT NULL ORDER BY i.item"
        )
    )


def fetch_typical_seconds(snapshot: Snapshot) -> float | None:
    """Return the median of all known times a vote of the panel took, which idle outliers do not move.

    Returns
    -------
    float or None
        Seconds, above 0; None where no time is known.
    """
    query = Fragment("SELECT median(seconds) FROM votes WHERE source IN ('given', 'vote') AND seconds > 0")
    (median,) = snapshot.fetch_one(query)
    return None if median is None else float(median)
