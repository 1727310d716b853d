"""User files are read by a second, in-memory DuckDB that may see just that one file.

Reading leaves a table ``raw`` with ``row`` (1, 2, ... in file order) and the columns ``c0, c1, ...``: the users'
names appear nowhere in this SQL. What crosses to the workspace crosses as Arrow batches.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from analysis.errors import CancelledError
from analysis.roles import Kind
from analysis.store.database import LOCKED_DOWN, lock_settings
from analysis.store.memory import READING, find_limit
from analysis.store.sql import Fragment, identifier
from analysis.watch import Watch

__all__ = ["Lines", "Reading", "Reject", "Scratch", "SourceTable", "check_wanted", "physical", "watching"]

_BATCH_ROWS: Final = 65_536

_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Let whatever is read inside the block be cancelled; readers are called without knowing who waits for them."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def check_wanted() -> None:
    """Stop here if nobody waits for the reading any more; for loops of a reader over lines or cells.

    Raises
    ------
    CancelledError
        If the load was cancelled.
    """
    watch = _WATCH.get()
    if watch is not None:
        watch.check()


@dataclass(frozen=True)
class Reject:
    """One row that was not taken in.

    Attributes
    ----------
    line
        The line in a text file (the header is line 1), the row (from 1) in others.
    column
        The user's column at fault, or None for the whole row.
    reason
        What is wrong, with the value found.
    """

    line: int
    column: str | None
    reason: str


@dataclass
class Lines:
    """Where the rows of ``raw`` begin in a text file; kept only where the distance between the two changes.

    Examples
    --------
    >>> lines = Lines()
    >>> for row, line in [(1, 2), (2, 3), (3, 7)]:
    ...     lines.add(row, line)
    >>> [lines.find(row) for row in (1, 2, 3, 4)]
    [2, 3, 7, 8]
    """

    rows: list[int] = field(default_factory=list)
    shifts: list[int] = field(default_factory=list)

    def add(self, row: int, line: int) -> None:
        """Say that a row, one after the last, begins on a line."""
        if line - row != (self.shifts[-1] if self.shifts else 0):
            self.rows.append(row)
            self.shifts.append(line - row)

    def find(self, row: int) -> int:
        """Return the line on which a row begins; the row itself where nothing was said."""
        place = bisect_right(self.rows, row)
        return row + (self.shifts[place - 1] if place else 0)


@dataclass(frozen=True)
class SourceTable:
    """What a reader leaves in a scratch database as ``raw``, a table or a view.

    Attributes
    ----------
    names, types
        The user's columns in file order, and their types in DuckDB.
    rejects, lines
        Faulty lines, and where the rows begin.
    dialect
        How the file was read, for people: such as ``{"encoding": "utf-16", "delimiter": "tab"}``.
    part
        What part of the file this is, such as ``"votes"`` or a sheet's name; None for a file of one table.
    kind, roles
        What the rows and columns are, as ``(role, column)``, where the format itself says so.
    notes
        What a person should know about the reading.
    known_names
        Pairs of names that the file gives to one annotator: that of the votes, and another.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rejects: tuple[Reject, ...] = ()
    lines: Lines = field(default_factory=Lines)
    dialect: Mapping[str, str] = field(default_factory=dict)
    part: str | None = None
    kind: Kind | None = None
    roles: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    known_names: tuple[tuple[str, str], ...] = ()


Reading = tuple[tuple["Scratch", SourceTable], ...]
"""What a reader returns: one table for each part of the file, each in a scratch database of its own."""


class Scratch:
    """An in-memory DuckDB for one file; also spills to a folder of its own, removed at the end.

    Attributes
    ----------
    failure
        Why a stream of rows broke off, or None.
    """

    def __init__(self, path: Path) -> None:
        limit = find_limit(READING)
        self._folder = tempfile.TemporaryDirectory(prefix="relook-")
        spill = str(Path(self._folder.name) / "spill")
        # The path can be allowed only once the database runs, so the doors are shut one by one, the lock last.
        config = {name: setting for name, setting in LOCKED_DOWN.items() if name != "enable_external_access"}
        # Text of more than 2 GB in one batch needs wide offsets.
        config |= {"arrow_large_buffer_size": "true", "memory_limit": limit, "temp_directory": spill}
        self.failure: Exception | None = None
        self._watch = _WATCH.get() or Watch()
        self.connection = duckdb.connect(":memory:", config={**config})
        self.connection.execute("SET allowed_paths = ?", [[str(path)]])
        self.connection.execute("SET enable_external_access = false")
        lock_settings(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything that was read."""
        self.connection.close()
        self._folder.cleanup()

    def execute(self, statement: Fragment) -> None:
        """Run one statement."""
        # Fetched to the end: a half-read result keeps the connection busy.
        self.fetch_all(statement)

    def fetch_all(self, query: Fragment) -> list[tuple[Any, ...]]:
        """Return the whole result as tuples."""
        try:
            with self._watch.interrupting(self.connection.interrupt):
                return self.connection.execute(query.text, list(query.params)).fetchall()
        except CancelledError:
            # Whatever reader is at work: nobody will want what it made so far.
            self.close()
            raise

    def stream(self, query: Fragment, *, rows: int = _BATCH_ROWS) -> pa.RecordBatchReader:
        """Return the result as a stream of Arrow batches; nothing else may be asked until it ends.

        What goes wrong on the way is also left in ``failure``: another database that takes the batches would tell
        it as a fault of its own.
        """
        stream = self.connection.sql(query.text, params=list(query.params)).to_arrow_reader(rows)

        def relay() -> Iterator[pa.RecordBatch]:
            try:
                yield from stream
            except Exception as error:
                self.failure = error
                raise

        return pa.RecordBatchReader.from_batches(stream.schema, relay())

    def interrupt(self) -> None:
        """Stop what is running; it fails in the thread that waits for it."""
        self.connection.interrupt()


def physical(index: int, names: Sequence[str]) -> Fragment:
    """Return the column of ``raw`` that holds the user's column at a position."""
    return identifier(f"c{index}", [f"c{i}" for i in range(len(names))])
