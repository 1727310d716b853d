"""Slices that people keep by name."""

from dataclasses import dataclass
from datetime import datetime

from analysis.core.facts import resolve_columns
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Workspace, utc_now

__all__ = ["SavedSlice", "forget_slice", "list_saved_slices", "save_slice"]


@dataclass(frozen=True)
class SavedSlice:
    """A slice kept by name; its text is canonical."""

    slice: str
    name: str
    at: datetime


def list_saved_slices(workspace: Workspace) -> tuple[SavedSlice, ...]:
    """Return the kept slices, by name."""
    query = Fragment('SELECT slice, name, "at" FROM saved_slices ORDER BY name, slice')
    with workspace.read() as snapshot:
        return tuple(SavedSlice(*row) for row in snapshot.fetch_all(query))


def save_slice(workspace: Workspace, text: str, name: str) -> SavedSlice:
    """Keep a slice by name; the same slice again gets the new name.

    Raises
    ------
    AnalysisError
        If the text is no slice, names what is not there, or the name is empty.
    """
    where = parse_slice(text)
    if not name.strip():
        raise AnalysisError("A saved slice needs a name. Say in a few words what it is.")
    if not where.predicates:
        raise AnalysisError("'all' is no slice to save. Add a condition first.")
    kept = SavedSlice(where.to_text(), name.strip(), utc_now().replace(tzinfo=None))
    with workspace.write() as writer:
        resolve_columns(writer, where.columns)
        writer.execute(
            Fragment("INSERT OR REPLACE INTO saved_slices VALUES (?, ?, ?)", (kept.slice, kept.name, kept.at))
        )
        writer.bump("work")
    return kept


def forget_slice(workspace: Workspace, text: str) -> None:
    """Drop a kept slice.

    Raises
    ------
    UnknownNameError
        If it is not kept.
    """
    where = parse_slice(text).to_text()
    with workspace.write() as writer:
        known = [name for (name,) in writer.fetch_all(Fragment("SELECT slice FROM saved_slices ORDER BY slice"))]
        if where not in known:
            raise UnknownNameError("saved slice", where, known)
        writer.execute(template("DELETE FROM saved_slices WHERE slice = {where}", where=value(where)))
        writer.bump("work")
