"""A workspace: read it through one snapshot, write it through one transaction.

``Workspace.read()`` is the only way to read: one cursor in one transaction, so that an answer never mixes two
versions. ``Workspace.write()`` is the only writer: one lock, one transaction, and it bumps a version, which
changes the fingerprint under which answers are kept.
"""

import secrets
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError, UnknownNameError
from analysis.store.database import Database, database_at, is_empty
from analysis.store.schema import CREATE_TABLES, SCHEMA_VERSION
from analysis.store.sql import Fragment, template, value

__all__ = ["Column", "Fingerprint", "Model", "Snapshot", "Workspace", "Writer", "utc_now"]

Version = Literal["facts", "labels", "work"]


def utc_now() -> datetime:
    """Return the time as the workspace stores it: with its zone, whole microseconds."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Fingerprint:
    """What an answer depends on; the key under which it may be kept.

    Never a hash of rows: equal fingerprints mean equal answers, because every write bumps a version and draws a
    new stamp. The stamp tells apart two copies of a file that went different ways from the same version.
    """

    workspace_id: str
    stamp: str
    facts: int
    labels: int
    work: int
    model: str | None
    labels_as_of: int


@dataclass(frozen=True)
class Column:
    """One of the user's columns: its role, its type in DuckDB, why, and its name in ``features`` (or None)."""

    name: str
    role: str
    type: str
    reason: str
    stored_as: str | None


@dataclass(frozen=True)
class Model:
    """A model whose predictions were loaded; ``classes`` is the order of its probabilities."""

    code: int
    name: str
    classes: tuple[str, ...]
    out_of_sample: bool | None


class Snapshot:
    """One version of the workspace, for as long as the ``with`` block lasts."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def fetch(self, query: Fragment) -> pd.DataFrame:
        """Return the whole result as a frame."""
        return self._cursor.execute(query.text, list(query.params)).df()

    def fetch_all(self, query: Fragment) -> list[tuple[Any, ...]]:
        """Return the whole result as tuples."""
        return self._cursor.execute(query.text, list(query.params)).fetchall()

    def fetch_one(self, query: Fragment) -> tuple[Any, ...]:
        """Return the first row; the query is one that always has one."""
        # All rows are fetched: a half-read result keeps the connection busy.
        return self.fetch_all(query)[0]

    def fetch_batches(self, query: Fragment, *, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Stream the result as Arrow batches; nothing else may be asked until the stream ends."""
        yield from self._cursor.sql(query.text, params=list(query.params)).to_arrow_reader(rows)

    @cached_property
    def meta(self) -> dict[str, str]:
        """The workspace's own facts, such as its id, label kind and versions."""
        return dict(self.fetch_all(Fragment("SELECT key, value FROM meta ORDER BY key")))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The user's columns in their order."""
        query = Fragment("SELECT name, role, type, reason, stored_as FROM columns ORDER BY position")
        return tuple(Column(*row) for row in self.fetch_all(query))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names by code."""
        return tuple(name for (name,) in self.fetch_all(Fragment("SELECT name FROM classes ORDER BY code")))

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold items, in order of their name."""
        query = Fragment("SELECT DISTINCT split FROM items ORDER BY split")
        return tuple(split for (split,) in self.fetch_all(query))

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The models in the order in which they were loaded."""
        query = Fragment("SELECT model, name, classes, out_of_sample FROM models ORDER BY model")
        return tuple(Model(code, name, tuple(classes), known) for code, name, classes, known in self.fetch_all(query))

    @cached_property
    def labels_as_of(self) -> int:
        """The position in the ledger up to which the current labels reach."""
        return int(self.fetch_one(Fragment("SELECT coalesce(max(seq), 0) FROM ledger"))[0])

    def fingerprint(self, model: str | None = None) -> Fingerprint:
        """Return what answers from this snapshot depend on."""
        meta = self.meta
        return Fingerprint(
            meta["workspace_id"],
            meta["stamp"],
            int(meta["facts_version"]),
            int(meta["labels_version"]),
            int(meta["work_version"]),
            model,
            self.labels_as_of,
        )

    def resolve_split(self, split: str | None, default: str) -> tuple[str, str | None]:
        """Choose the split to look at.

        Parameters
        ----------
        split
            What the user asked for, or None.
        default
            The split that the command would take.

        Returns
        -------
        tuple of str and (str or None)
            The split, and a note where the default was absent and the only split was taken instead.

        Raises
        ------
        UnknownNameError
            If the split asked for is not there.
        NeedsChoiceError
            If the default is absent and several others exist.
        AnalysisError
            If the workspace holds no items.
        """
        if not self.splits:
            raise AnalysisError("The workspace holds no items yet. Load a table of items first: relook load.")
        if split is not None:
            if split not in self.splits:
                raise UnknownNameError("split", split, self.splits)
            return split, None
        if default in self.splits:
            return default, None
        if len(self.splits) == 1:
            return self.splits[0], f"There is no split '{default}': '{self.splits[0]}', the only one, is used."
        names = ", ".join(repr(name) for name in self.splits)
        raise NeedsChoiceError(f"There is no split '{default}'. Choose one with --split: {names}.")

    def resolve_model(self, model: str | None) -> Model:
        """Choose the model: the one named, else the only one, else the one loaded last.

        Raises
        ------
        AnalysisError
            If no predictions are loaded.
        UnknownNameError
            If the model asked for is not there.
        """
        if not self.models:
            raise AnalysisError("No predictions are loaded yet. Load a file with predicted labels: relook load.")
        if model is None:
            return self.models[-1]
        for known in self.models:
            if known.name == model:
                return known
        raise UnknownNameError("model", model, [known.name for known in self.models])


class Writer(Snapshot):
    """A snapshot that may also change the workspace; its changes are seen by itself at once.

    Attributes
    ----------
    discarded
        Set it to keep nothing of the transaction; a file that did not exist is not left behind.
    """

    discarded = False

    def execute(self, statement: Fragment, arriving: pa.RecordBatchReader | pa.Table | None = None) -> None:
        """Run one statement that changes something.

        Parameters
        ----------
        statement
            The statement.
        arriving
            Batches that the statement takes ``FROM arriving``; they are never kept on the way.
        """
        if arriving is None:
            self._cursor.execute(statement.text, list(statement.params)).fetchall()
            return
        self._cursor.register("arriving", arriving)
        try:
            self._cursor.execute(statement.text, list(statement.params)).fetchall()
        finally:
            self._cursor.unregister("arriving")

    def interrupt(self) -> None:
        """Stop the statement that is running, from another thread; it fails in the thread that waits for it."""
        self._cursor.interrupt()

    def execute_many(self, statement: Fragment, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for each row of values."""
        if rows:
            self._cursor.executemany(statement.text, [list(row) for row in rows]).fetchall()

    def take_in(self, table: str, reader: pa.RecordBatchReader | pa.Table) -> None:
        """Make a temporary table of ours (a plain identifier) from Arrow batches."""
        if not table.isidentifier():
            message = f"a temporary table of ours has a plain name, got {table!r}"
            raise ValueError(message)
        name = Fragment(table)
        self.execute(template("CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arriving", name=name), reader)

    def forget(self) -> None:
        """Drop what was remembered of the snapshot, after a change to it."""
        for name in ("meta", "columns", "classes", "splits", "models", "labels_as_of"):
            self.__dict__.pop(name, None)

    def bump(self, version: Version) -> None:
        """Say what changed: facts (items, predictions, votes), labels (ledger) or work (slices, requests)."""
        key = value(f"{version}_version")
        self.execute(
            template(
                "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS VARCHAR) WHERE key = {key}",
                key=key,
            )
        )
        stamp = value(uuid.uuid4().hex)
        self.execute(template("UPDATE meta SET value = {stamp} WHERE key = 'stamp'", stamp=stamp))
        self.forget()


class _RollBackError(Exception):
    """Leaves a write without a trace; never seen outside this module."""


class Workspace:
    """One workspace file.

    Parameters
    ----------
    path
        The file, usually ``NAME.relook``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._database: Database = database_at(self.path)

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Give one version to read."""
        with self._database.read() as cursor:
            _check_version(self.path, cursor)
            yield Snapshot(cursor)

    @contextmanager
    def write(self, *, create: bool = False) -> Iterator[Writer]:
        """Give the one writer; all that happens in the block is kept, or none of it.

        Parameters
        ----------
        create
            Make the workspace where the file does not exist.
        """
        if create and not self.path.parent.is_dir():
            raise FileFaultError(f"The folder {self.path.parent} does not exist. Make it first, or name another.")
        with suppress(_RollBackError), self._database.write(create=create) as connection:
            # Asked of the file that we alone hold: a first load elsewhere may have ended while we waited.
            if create and is_empty(connection):
                _create(connection)
            _check_version(self.path, connection)
            writer = Writer(connection)
            yield writer
            if writer.discarded:
                raise _RollBackError

    def fingerprint(self, model: str | None = None) -> Fingerprint:
        """Return what answers depend on right now."""
        with self.read() as snapshot:
            return snapshot.fingerprint(model)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    for statement in CREATE_TABLES:
        connection.execute(statement)
    facts = {
        "schema_version": str(SCHEMA_VERSION),
        "workspace_id": uuid.uuid4().hex,
        "stamp": uuid.uuid4().hex,
        # Drawn once and kept: what is split or drawn by it stays as it is, and nobody outside can repeat it.
        "seed": str(secrets.randbits(63)),
        "label_kind": "classification",
        "facts_version": "0",
        "labels_version": "0",
        "work_version": "0",
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", [list(pair) for pair in facts.items()])


def _check_version(path: Path, cursor: duckdb.DuckDBPyConnection) -> None:
    try:
        # Fetched whole: a half-read result keeps the connection busy.
        rows = cursor.execute("SELECT CAST(value AS VARCHAR) FROM meta WHERE key = 'schema_version'").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ConversionException) as error:
        raise FileFaultError(
            f"{path} is a DuckDB file, but not a workspace. Name a file made by `relook load`."
        ) from error
    found = str(rows[0][0]) if rows else "none"
    if found != str(SCHEMA_VERSION):
        newer = found.isdecimal() and int(found) > SCHEMA_VERSION
        raise FileFaultError(
            f"{path} has schema version {found}, this relook reads version {SCHEMA_VERSION}. "
            + ("Install a newer relook." if newer else "Load the files into a new workspace.")
        )
