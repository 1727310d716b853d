"""User files are read by a second, in-memory DuckDB that may see just that one file.

Reading leaves a table ``raw`` with ``row`` (1, 2, ... in file order) and the columns ``c0, c1, ...``: the users'
names appear nowhere in this SQL. What crosses to the workspace crosses as Arrow batches.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from analysis.store.database import LOCKED_DOWN
from analysis.store.sql import Fragment, identifier

__all__ = ["Lines", "Reject", "Scratch", "SourceTable", "physical"]

_SHUT_AFTERWARDS: Final = ("enable_external_access", "lock_configuration")


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
    """What a reader leaves: names in file order, DuckDB types, faulty lines, and where the rows begin."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rejects: tuple[Reject, ...] = ()
    lines: Lines = field(default_factory=Lines)


class Scratch:
    """An in-memory DuckDB for one file; also spills to a folder of its own, removed at the end."""

    def __init__(self, path: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="relook-")
        spill = str(Path(self._folder.name) / "spill")
        # The path can be allowed only once the database runs, so the doors are shut one by one, the lock last.
        config = {name: setting for name, setting in LOCKED_DOWN.items() if name not in _SHUT_AFTERWARDS}
        self.connection = duckdb.connect(":memory:", config={**config, "temp_directory": spill})
        self.connection.execute("SET allowed_paths = ?", [[str(path)]])
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

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
        self.connection.execute(statement.text, list(statement.params)).fetchall()

    def fetch_all(self, query: Fragment) -> list[tuple[Any, ...]]:
        """Return the whole result as tuples."""
        return self.connection.execute(query.text, list(query.params)).fetchall()

    def stream(self, query: Fragment) -> pa.RecordBatchReader:
        """Return the result as a stream of Arrow batches."""
        return self.connection.sql(query.text, params=list(query.params)).to_arrow_reader(65_536)


def physical(index: int, names: Sequence[str]) -> Fragment:
    """Return the column of ``raw`` that holds the user's column at a position."""
    return identifier(f"c{index}", [f"c{i}" for i in range(len(names))])
