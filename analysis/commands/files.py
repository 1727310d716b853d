"""The files that a workspace was loaded from."""

from dataclasses import dataclass
from datetime import datetime

from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace

__all__ = ["LoadedFile", "list_loaded_files"]


@dataclass(frozen=True)
class LoadedFile:
    """One file (or part of one) that was taken in.

    Attributes
    ----------
    file, sha256, kind
        Its name, what was in it, and what its rows were.
    rows, kept, rejected
        All rows, those that were new, and those that were left out as faulty.
    at
        When, in UTC.
    """

    file: str
    sha256: str
    kind: str
    rows: int
    kept: int
    rejected: int
    at: datetime


def list_loaded_files(workspace: Workspace) -> tuple[LoadedFile, ...]:
    """Return the files, the one loaded last first."""
    query = Fragment('SELECT file, sha256, kind, rows, kept, rejected, "at" FROM loads ORDER BY load DESC')
    with workspace.read() as snapshot:
        return tuple(LoadedFile(*row) for row in snapshot.fetch_all(query))
