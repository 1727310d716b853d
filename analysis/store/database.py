"""One DuckDB file, opened for as short a time as possible.

DuckDB lets one process hold a file read-write and then nobody else may even read it, and one process may not
hold the same file with two configurations. So a :class:`Database` (one per file and process) keeps a read-only
connection while somebody reads and lets go after two quiet seconds; a write closes it, opens the file
read-write for the length of one transaction, and closes it again.

The connection is locked down from the moment it opens: no file of the machine can be read or written through
SQL, no extension is loaded, and no Python variable can be taken for a table.
"""

import atexit
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from analysis.errors import WorkspaceBusyError
from analysis.store.database_faults import (
    describe_absence,
    describe_damage,
    describe_fault,
    describe_foreign,
    is_damage,
    is_foreign,
)
from analysis.store.memory import WRITING, find_limit

__all__ = ["Database", "database_at", "is_closed", "is_empty", "lock_settings"]

LOCKED_DOWN: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
WAIT_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 2.0
# A page in constant use would never be quiet, and then nobody else could ever write. So the file is let go after
# this long in any case, for a moment that is longer than the pause between two tries of whoever waits for it.
HOLD_SECONDS: Final = 2.0
REST_SECONDS: Final = 0.08
_RETRY_SECONDS: Final = 0.03


class Database:
    """The file of one workspace, shared by all threads of this process.

    Many threads may read at once, each on a cursor of its own (a cursor shared between threads mixes up
    answers); a writer has the file to itself.

    Parameters
    ----------
    path
        The file. It need not exist before the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = threading.Condition()
        # Readers by thread, so that a thread that would wait for itself is told at once.
        self._reading: Counter[int] = Counter()
        self._writer: int | None = None
        self._writers_waiting = 0
        self._connecting = False
        self._shared: duckdb.DuckDBPyConnection | None = None
        self._watcher: threading.Thread | None = None
        self._quiet_since = 0.0
        self._opened_at = 0.0
        self._rest_until = 0.0

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a cursor inside one read transaction: all answers come from one version.

        Raises
        ------
        WorkspaceBusyError
            If the file is held by a writer or by another process for too long.
        RuntimeError
            If this thread is writing: it would wait for itself.
        """
        me = threading.get_ident()
        deadline = time.monotonic() + WAIT_SECONDS
        self._enter_read(me, deadline)
        try:
            cursor = self._open_cursor(deadline)
            try:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                yield cursor
            except duckdb.Error as error:
                if is_damage(error):
                    raise describe_damage(self.path, error) from error
                raise
            finally:
                cursor.close()
        finally:
            with self._changed:
                self._reading -= Counter([me])
                self._quiet_since = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def write(self, *, create: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the only writing connection inside one transaction; an exception leaves the file as it was.

        Parameters
        ----------
        create
            Make the file where there is none; it is gone again if the block raises.

        Raises
        ------
        WorkspaceBusyError
            If the file is held by readers, a writer or another process for too long.
        FileFaultError
            If there is no file and none may be made.
        RuntimeError
            If this thread is reading or writing: it would wait for itself.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        self._enter_write(threading.get_ident(), deadline)
        try:
            connection, made = self._open_to_write(deadline, create=create)
            committed = False
            try:
                connection.execute("BEGIN TRANSACTION")
                yield connection
                connection.execute("COMMIT")
                committed = True
            except duckdb.Error as error:
                if is_damage(error):
                    raise describe_damage(self.path, error) from error
                raise
            finally:
                if made and not committed:
                    # While we still hold it: once closed, it may be another process's workspace.
                    _remove(self.path)
                # Closing without a commit rolls back.
                connection.close()
        finally:
            with self._changed:
                self._writer = None
                self._changed.notify_all()

    def close(self) -> None:
        """Let go of the file as soon as nobody reads."""
        with self._changed:
            self._wait_for(lambda: not self._reading, time.monotonic() + WAIT_SECONDS)
            self._close_shared()
        if self._watcher is not None:
            self._watcher.join(timeout=1.0)

    def _enter_read(self, me: int, deadline: float) -> None:
        with self._changed:
            if self._writer == me:
                raise RuntimeError(f"{self.path}: a read inside a write of the same thread. Ask the writer itself.")
            if not self._reading[me]:
                # Readers that overlap would keep a writer out for ever, so new ones let it go first; but not for
                # longer than it waits itself. A read inside a read goes ahead: the writer waits for that thread.
                self._changed.wait_for(
                    lambda: self._writer is None and not self._writers_waiting, deadline - time.monotonic()
                )
                self._rest()
            self._wait_for(lambda: self._writer is None, deadline)
            self._reading[me] += 1

    def _rest(self) -> None:
        """Let other processes have the file for a moment, where this one has read it for long."""
        patience = time.monotonic() + REST_SECONDS * 5
        while True:
            now = time.monotonic()
            if now < self._rest_until:
                self._changed.wait(self._rest_until - now)
            elif self._shared is None or now - self._opened_at < HOLD_SECONDS or now > patience:
                # Whoever reads for very long holds the file; the others need not wait for that.
                return
            elif self._reading:
                self._changed.wait(patience - now)
            else:
                self._close_shared()
                self._rest_until = now + REST_SECONDS

    def _enter_write(self, me: int, deadline: float) -> None:
        with self._changed:
            if self._writer == me or self._reading[me]:
                raise RuntimeError(f"{self.path}: a write inside a read or write of the same thread. End that first.")
            self._writers_waiting += 1
            try:
                self._wait_for(lambda: self._writer is None and not self._reading, deadline)
            finally:
                self._writers_waiting -= 1
                self._changed.notify_all()
            self._close_shared()
            self._writer = me

    def _wait_for(self, condition: Callable[[], bool], deadline: float) -> None:
        if not self._changed.wait_for(condition, deadline - time.monotonic()):
            doing = "written" if self._writer is not None else "opened" if self._connecting else "read"
            raise WorkspaceBusyError(
                f"{self.path} is being {doing} by this process for over {WAIT_SECONDS:.0f} s. Try again later."
            )

    def _open_cursor(self, deadline: float) -> duckdb.DuckDBPyConnection:
        """Open a cursor on the shared connection, for a reader that has entered: nobody closes it meanwhile."""
        with self._changed:
            # Whoever connects came before us and so gives up before us.
            self._changed.wait_for(lambda: not self._connecting)
            if self._shared is not None:
                return self._shared.cursor()
            self._connecting = True
        connection = None
        try:
            # Not under the condition: it may take the whole wait, and others have their own.
            while connection is None:
                connection = self._try_to_connect(deadline, read_only=True)
        finally:
            with self._changed:
                self._connecting = False
                self._shared = connection
                self._opened_at = time.monotonic()
                self._changed.notify_all()
        with self._changed:
            self._watcher = threading.Thread(target=self._let_go_when_quiet, daemon=True)
            self._watcher.start()
        return connection.cursor()

    def _open_to_write(self, deadline: float, *, create: bool) -> tuple[duckdb.DuckDBPyConnection, bool]:
        """Open the file for us alone, and tell whether this made it."""
        while True:
            # Looked at before each try: who held the file may have taken it away again, or made it.
            before = _identify(self.path)
            if before is None and not create:
                raise describe_absence(self.path)
            connection = self._try_to_connect(deadline, read_only=False)
            if connection is None:
                continue
            after = _identify(self.path)
            # Another file than the one seen, and nothing in it: DuckDB made it as it opened it.
            made = after not in {None, before} and is_empty(connection)
            if after is not None and (create or not made):
                return connection, made
            # Taken away before we had opened it (then a new one was made), or before we had locked it (then what
            # we hold has no name any more).
            if made:
                _remove(self.path)
            connection.close()

    def _close_shared(self) -> None:
        if self._shared is not None:
            self._shared.close()
            self._shared = None
            self._changed.notify_all()

    def _let_go_when_quiet(self) -> None:
        with self._changed:
            while self._shared is not None and self._watcher is threading.current_thread():
                quiet = time.monotonic() - self._quiet_since if not self._reading else 0.0
                if quiet >= LINGER_SECONDS:
                    self._close_shared()
                    return
                self._changed.wait(timeout=LINGER_SECONDS - quiet)

    def _try_to_connect(self, deadline: float, *, read_only: bool) -> duckdb.DuckDBPyConnection | None:
        """Connect, or return None after a moment where another process holds the file or took it away."""
        if is_foreign(self.path):
            raise describe_foreign(self.path)
        try:
            limit = {} if read_only else {"memory_limit": find_limit(WRITING)}
            connection = duckdb.connect(str(self.path), read_only=read_only, config={**LOCKED_DOWN, **limit})
        except duckdb.Error as error:
            fault = describe_fault(self.path, error, WAIT_SECONDS)
            # Seen by DuckDB and taken away before it was opened: the next look finds another file, or none.
            vanished = not read_only and "No such file" in str(error) and self.path.parent.is_dir()
            if not (vanished or isinstance(fault, WorkspaceBusyError)) or time.monotonic() > deadline:
                raise fault from error
            time.sleep(_RETRY_SECONDS)
            return None
        lock_settings(connection)
        return connection


def lock_settings(connection: duckdb.DuckDBPyConnection) -> None:
    """Settle what cannot be given on opening, and then nothing more: whatever runs later cannot change a setting."""
    # In an interactive Python DuckDB would draw a bar into standard output, between the lines of our JSON.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET lock_configuration = true")


def is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether a database holds no table and no view."""
    return not connection.execute("SELECT 1 FROM information_schema.tables LIMIT 1").fetchall()


def is_closed(database: Database) -> bool:
    """Tell whether this process has let go of the file."""
    return database._shared is None and database._writer is None  # noqa: SLF001  (same module: the class's own state)


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one at the same path; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    # The number of a removed file is soon given to a new one, so it does not do alone.
    return found.st_ino, found.st_ctime_ns


def _remove(path: Path) -> None:
    """Remove a database that was never committed, and its log."""
    for name in (path.with_name(path.name + ".wal"), path):
        # Windows removes no open file: what stays there is empty, and the next load takes it.
        with suppress(OSError):
            name.unlink(missing_ok=True)


_OPEN: dict[Path, Database] = {}
_OPEN_LOCK = threading.Lock()


def database_at(path: Path) -> Database:
    """Return this process's one :class:`Database` for a file.

    Two objects for the same file would lock each other out, so they are shared by resolved path.
    """
    resolved = path.resolve()
    with _OPEN_LOCK:
        if resolved not in _OPEN:
            _OPEN[resolved] = Database(resolved)
        return _OPEN[resolved]


@atexit.register
def _close_all() -> None:
    """Let go of every file before Python takes its modules apart, where DuckDB would report leaks."""
    with _OPEN_LOCK:
        for database in _OPEN.values():
            with suppress(WorkspaceBusyError):
                database.close()
        _OPEN.clear()
