"""A file that was read but not yet understood: what its columns hold.

A column can be taken as text, number, time or feature. Nothing here decides roles. All decisions on types come
from counts over all rows, never from a sample.
"""

import hashlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from analysis.errors import FileFaultError
from analysis.roles import ColumnFacts
from analysis.store.loading.facts import choose_batch_rows, count_columns
from analysis.store.loading.faults import whole_file
from analysis.store.loading.values import (
    FEATURE_TYPES,
    MISSING_MARKS,
    NUMBERS,
    to_integer_sql,
    to_number_sql,
    to_time_sql,
)
from analysis.store.readers.endings import KNOWN_ENDINGS, READERS, check_ending
from analysis.store.readers.scratch import Scratch, SourceTable, physical
from analysis.store.sql import Fragment, join, template, value

__all__ = ["FEATURE_TYPES", "HEAD_ROWS", "KNOWN_ENDINGS", "Source", "count_part", "open_sources"]

HEAD_ROWS: Final = 20
"""Rows of a file that a person is shown."""

_HASH_BYTES: Final = 1 << 20
_LONGEST_SHOWN: Final = 200


@dataclass(frozen=True)
class Source:
    """A file in its scratch database.

    Attributes
    ----------
    path, sha256
        The file as named by the user, and what was in it.
    scratch, table
        Where its rows are, and how to name lines.
    facts
        What each column holds, in file order.
    casts_failed
        For columns read as numbers or times, how many values were none and became missing.
    clean
        Columns of numbers in which no value has to be checked again.
    batch_rows
        How many rows make a batch of moderate size.
    stamp
        Size and time of change of the file, by which a change while it is read is seen.
    """

    path: Path
    sha256: str
    scratch: Scratch
    table: SourceTable
    facts: tuple[ColumnFacts, ...]
    casts_failed: Mapping[str, int]
    clean: frozenset[str] = frozenset()
    batch_rows: int = 65_536
    stamp: tuple[int, int] | None = None

    @property
    def rows(self) -> int:
        """Rows in the file, faulty ones too."""
        return (self.facts[0].rows if self.facts else 0) + len(self.table.rejects)

    def find(self, name: str) -> tuple[Fragment, str, ColumnFacts]:
        """Return a column's SQL in ``raw``, its DuckDB type there, and its facts."""
        index = self.table.names.index(name)
        return physical(index, self.table.names), self.table.types[index], self.facts[index]

    def to_text(self, name: str) -> Fragment:
        """Return a column as text, as labels and ids are kept: ``3.0`` of a float column is ``3``, '' is missing."""
        column, stored, facts = self.find(name)
        if stored == "VARCHAR" and facts.type == "number":
            # What pandas makes of whole numbers with a gap: 1.0 is 1.
            return template("nullif(regexp_replace({column}, '^\\s*(-?\\d+)\\.0\\s*$', '\\1'), '')", column=column)
        if stored == "VARCHAR":
            return template("nullif({column}, '')", column=column)
        if stored in NUMBERS or stored.startswith("DECIMAL"):
            return template(
                "CASE WHEN NOT isfinite(CAST({column} AS DOUBLE)) THEN NULL "
                "WHEN CAST({column} AS DOUBLE) = trunc(CAST({column} AS DOUBLE)) "
                "THEN coalesce(CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR), CAST({column} AS VARCHAR)) "
                "ELSE CAST({column} AS VARCHAR) END",
                column=column,
            )
        if stored == "BOOLEAN":
            # As Python and pandas write it, so that CSV and Parquet of one frame hold the same labels.
            return template("CASE {column} WHEN TRUE THEN 'True' WHEN FALSE THEN 'False' END", column=column)
        return template("CAST({column} AS VARCHAR)", column=column)

    def to_number(self, name: str) -> Fragment:
        """Return a column as DOUBLE; what is no finite number is missing."""
        column, stored, _facts = self.find(name)
        return to_number_sql(column, stored, clean=name in self.clean)

    def is_empty(self, name: str) -> Fragment:
        """Tell which cells of a column of numbers hold nothing: no value, or a word for that such as NA."""
        column, stored, _facts = self.find(name)
        if stored == "VARCHAR":
            # Infinity is a value, and no number.
            marks = [mark for mark in MISSING_MARKS if "inf" not in mark]
            return template("coalesce(lower(trim({column})) = ANY({marks}), TRUE)", column=column, marks=value(marks))
        if stored in {"FLOAT", "DOUBLE"}:
            return template("coalesce(isnan({column}), TRUE)", column=column)
        return template("{column} IS NULL", column=column)

    def to_time(self, name: str) -> Fragment:
        """Return a column as TIMESTAMP in UTC; a time without a zone is taken as UTC."""
        column, stored, _facts = self.find(name)
        return to_time_sql(column, stored)

    def to_feature(self, name: str) -> Fragment:
        """Return a column as it is kept among the user's columns."""
        column, stored, facts = self.find(name)
        if facts.type == "integer":
            return to_integer_sql(column, stored, clean=name in self.clean)
        if facts.type == "number":
            return to_number_sql(column, stored, clean=name in self.clean)
        if facts.type == "date":
            return to_time_sql(column, stored)
        if facts.type == "boolean" and stored == "VARCHAR":
            return template("TRY_CAST(trim({column}) AS BOOLEAN)", column=column)
        if facts.type == "text":
            return template("nullif(CAST({column} AS VARCHAR), '')", column=column)
        if facts.type == "numbers":
            return template("CAST({column} AS DOUBLE[])", column=column)
        if facts.type == "other":
            return template("CAST({column} AS VARCHAR)", column=column)
        return column

    def fetch_head(self) -> dict[str, tuple[str | None, ...]]:
        """Return the first rows, as text by column; long values are cut, of bytes only their number is told."""
        cells = [Fragment("row"), *(self._show(name) for name in self.table.names)]
        # No order: it is kept anyway, and would have all rows read.
        query = template("SELECT {cells} FROM raw LIMIT {n}", cells=join(", ", cells), n=value(HEAD_ROWS))
        rows = sorted(self.scratch.fetch_all(query), key=lambda row: int(row[0]))
        return {name: tuple(row[index] for row in rows) for index, name in enumerate(self.table.names, start=1)}

    def _show(self, name: str) -> Fragment:
        column, stored, _facts = self.find(name)
        if stored == "BLOB":
            return template("format('{{:,}} bytes', octet_length({column}))", column=column)
        return template("left(CAST({column} AS VARCHAR), {n})", column=column, n=value(_LONGEST_SHOWN))

    def check_unchanged(self) -> None:
        """Check that the file is still the one that was opened, as it is read more than once.

        Raises
        ------
        FileFaultError
            If it is not.
        """
        if self.stamp is not None and self.stamp != _stamp(self.path):
            raise FileFaultError(f"{self.path.name} was changed while it was read. Load it again when it is whole.")


def open_sources(path: Path, encoding: str | None) -> tuple[Source, ...]:
    """Read a file into scratch databases, one for each of its parts, and count what the columns hold.

    Raises
    ------
    FileFaultError
        If the file is missing, empty, of an unknown ending, not what its ending says, or has doubled columns.
    """
    try:
        _check_file(path)
        return _open(path, encoding)
    except OSError as error:
        raise FileFaultError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise FileFaultError(f"{path} is {what}. Name a file to load, such as items.csv.")
    if path.stat().st_size == 0:
        raise FileFaultError(f"{path.name} is empty. Export it again.")
    check_ending(path)


def _open(path: Path, encoding: str | None) -> tuple[Source, ...]:
    stamp = _stamp(path)
    stopped = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as beside:
        try:
            digest = beside.submit(_hash_file, path, stopped)
            reading = READERS[path.suffix.lower()](path.absolute(), encoding)
            try:
                parts = [count_part(path, "", scratch, table) for scratch, table in reading]
                sha256 = digest.result()
                return tuple(replace(part, sha256=sha256, stamp=stamp) for part in parts)
            except BaseException:
                for scratch, _table in reading:
                    scratch.close()
                raise
        finally:
            stopped.set()


def count_part(path: Path, sha256: str, scratch: Scratch, table: SourceTable) -> Source:
    """Count what the columns of one part of a file hold.

    Raises
    ------
    FileFaultError
        If columns are unnamed or twins, or there are no rows.
    """
    _check_names(path, table.names)
    rows = int(scratch.fetch_all(Fragment("SELECT count(*) FROM raw"))[0][0])
    if rows + len(table.rejects) == 0:
        raise FileFaultError(f"{path.name} has a header but no rows. Export it again.")
    batch_rows = choose_batch_rows(table, rows, path.stat().st_size)
    with whole_file(path, scratch):
        counted = count_columns(scratch, table, rows, batch_rows)
    return Source(
        path,
        sha256,
        scratch,
        table,
        tuple(column.facts for column in counted),
        {column.facts.name: column.failed for column in counted if column.failed},
        frozenset(column.facts.name for column in counted if column.clean),
        batch_rows,
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _hash_file(path: Path, stopped: threading.Event) -> str:
    """Hash a file beside its reading."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while not stopped.is_set() and (block := file.read(_HASH_BYTES)):
            digest.update(block)
    return digest.hexdigest()


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise FileFaultError(f"{path.name}: column {position} has no name. Give every column a name.")
        folded = name.casefold()
        if folded in seen:
            raise FileFaultError(
                f"{path.name} has the columns {seen[folded]!r} and {name!r}, which differ at most in case. "
                "Rename one of them."
            )
        seen[folded] = name
