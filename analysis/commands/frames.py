"""The workspace as frames, for notebooks: what ``open_workspace`` gives."""

from pathlib import Path

import pandas as pd

from analysis.core.facts import Population
from analysis.core.rows import select_users
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Workspace

__all__ = ["OpenWorkspace", "open_workspace"]


class OpenWorkspace(Workspace):
    """A workspace whose tables are read as frames."""

    def rows(self, where: str = "all") -> pd.DataFrame:
        """Return the items of a slice, over all splits.

        Parameters
        ----------
        where
            A slice as text.

        Returns
        -------
        DataFrame
            ``split, item_id, given_label, label`` and the user's columns, in order of the items. A user's column
            of one of these names has an underscore appended.
        """
        with self.read() as snapshot:
            model = snapshot.models[-1].code if snapshot.models else None
            population = Population.of(snapshot, split=None, model=model, where=parse_slice(where))
            ours = Fragment("i.split, i.item_id, i.given_label, c.label")
            users = select_users(snapshot, ("split", "item_id", "given_label", "label"))
            selected = join(", ", [ours, *users])
            return snapshot.fetch(template("{rows} ORDER BY i.item", rows=population.select(selected)))

    def labels(self, as_of: int | None = None) -> pd.DataFrame:
        """Return every item's label as it stood at a ledger position.

        Parameters
        ----------
        as_of
            Entries up to this ``seq`` count; None for all, 0 for the given labels.

        Returns
        -------
        DataFrame
            ``split, item_id, given_label, label``; missing where there is none.

        Raises
        ------
        AnalysisError
            If the position lies beyond the ledger.
        """
        with self.read() as snapshot:
            last = snapshot.labels_as_of
            position = last if as_of is None else as_of
            if not 0 <= position <= last:
                raise AnalysisError(f"The ledger reaches from 0 to {last}; there is no position {position}.")
            return snapshot.fetch(
                template(
                    "WITH last AS (SELECT item, new FROM ledger WHERE seq <= {position} "
                    "AND action IN ('relabel', 'undo') "
                    "QUALIFY row_number() OVER (PARTITION BY item ORDER BY seq DESC) = 1) "
                    "SELECT i.split, i.item_id, i.given_label, "
                    "CASE WHEN l.item IS NULL THEN i.given_label ELSE l.new END AS label "
                    "FROM items i LEFT JOIN last l ON l.item = i.item ORDER BY i.item",
                    position=value(position),
                )
            )

    def votes(self) -> pd.DataFrame:
        """Return every vote with all that is known of it.

        Returns
        -------
        DataFrame
            ``split, item_id, annotator, label`` (missing: cannot tell, or rejected by a review), ``source,
            started_at, labelled_at, seconds, batch, round, suggested, guideline, comment, reviewer, verdict``, in
            order of arrival. Merged names are the person's.
        """
        with self.read() as snapshot:
            return snapshot.fetch(
                Fragment(
                    "SELECT i.split, i.item_id, a.name AS annotator, v.label, v.source, v.started_at, v.labelled_at, "
                    "v.seconds, v.batch, v.round, v.suggested, v.guideline, v.comment, r.name AS reviewer, v.verdict "
                    "FROM votes v JOIN items i ON i.item = v.item JOIN people a ON a.annotator = v.annotator "
                    "LEFT JOIN people r ON r.annotator = v.reviewer ORDER BY v.vote"
                )
            )

    def predictions(self, model: str | None = None) -> pd.DataFrame:
        """Return a model's predictions: ``split, item_id, predicted, pred_probs, fold``; None takes the last model."""
        with self.read() as snapshot:
            known = snapshot.resolve_model(model)
            return snapshot.fetch(
                template(
                    "SELECT i.split, i.item_id, p.predicted, p.pred_probs, p.fold FROM predictions p "
                    "JOIN items i ON i.item = p.item WHERE p.model = {model} ORDER BY i.item",
                    model=value(known.code),
                )
            )


def open_workspace(path: str | Path) -> OpenWorkspace:
    """Open an existing workspace to read it as frames.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    OpenWorkspace

    Raises
    ------
    FileFaultError
        If it is not there or is no workspace.
    """
    workspace = OpenWorkspace(Path(path))
    with workspace.read():
        pass
    return workspace
