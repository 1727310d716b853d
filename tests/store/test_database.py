"""One file, many readers, one writer, and nobody locked out for longer than a moment."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from analysis.errors import WorkspaceBusyError
from analysis.store import database as module
from analysis.store.database import Database, database_at, is_closed

OTHER_PROCESS = """
import sys, time
from pathlib import Path
from analysis.store.database import Database
database = Database(Path(sys.argv[1]))
if sys.argv[2] == "read":
    with database.read() as cursor:
        print(cursor.execute("SELECT sum(v) FROM numbers").fetchall()[0][0], flush=True)
elif sys.argv[2] == "write":
    with database.write() as connection:
        connection.execute("INSERT INTO numbers VALUES (1000)")
    print("written", flush=True)
else:
    with database.write() as connection:
        print("held", flush=True)
        sys.stdin.readline()
database.close()
"""


@pytest.fixture
def database(tmp_path):
    made = Database(tmp_path / "x.relook")
    with made.write() as connection:
        connection.execute("CREATE TABLE numbers AS SELECT unnest(range(100)) AS v")
    yield made
    made.close()


@pytest.fixture
def start(database, root):
    """Start another process on the same file."""
    started = []

    def run(what):
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, str(database.path), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def count(cursor):
    return cursor.execute("SELECT count(*) FROM numbers").fetchall()[0][0]


def wait_until(condition, seconds=8.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_readers_run_at_once_each_on_a_cursor_of_its_own(database):
    together = threading.Barrier(6, timeout=20)

    def ask(number):
        with database.read() as cursor:
            together.wait()
            return [cursor.execute("SELECT ? + v FROM numbers WHERE v = 7", [number]).fetchall() for _ in range(30)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))

    assert answers == [[[(number + 7,)]] * 30 for number in range(6)]


def test_a_writer_waits_for_readers_and_then_has_the_file_alone(database):
    order = []
    reading, let_go = threading.Event(), threading.Event()

    def read():
        with database.read() as cursor:
            reading.set()
            let_go.wait(20)
            order.append(("read", count(cursor)))

    def write():
        with database.write() as connection:
            connection.execute("INSERT INTO numbers VALUES (1)")
            order.append(("written", count(connection)))

    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(read)
        reading.wait(20)
        writer = pool.submit(write)
        time.sleep(0.1)
        assert not writer.done()
        let_go.set()
        writer.result(20)
        reader.result(20)

    assert order == [("read", 100), ("written", 101)]


def test_a_reader_waits_for_the_writer_and_sees_what_was_written(database):
    writing, let_go = threading.Event(), threading.Event()

    def write():
        with database.write() as connection:
            connection.execute("DELETE FROM numbers WHERE v < 50")
            writing.set()
            let_go.wait(20)

    def read():
        with database.read() as cursor:
            return count(cursor)

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(write)
        writing.wait(20)
        reader = pool.submit(read)
        time.sleep(0.1)
        assert not reader.done()
        let_go.set()
        writer.result(20)

        assert reader.result(20) == 50


def test_two_writers_take_turns(database):
    def write(number):
        with database.write() as connection:
            before = count(connection)
            connection.execute("INSERT INTO numbers VALUES (?)", [number])
            return before

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(write, range(4)))

    assert found == [100, 101, 102, 103]


def test_an_exception_in_a_write_leaves_the_file_as_it_was(database):
    database.close()
    before = database.path.read_bytes()

    with pytest.raises(RuntimeError, match="changed my mind"), database.write() as connection:
        connection.execute("DELETE FROM numbers")
        connection.execute("CREATE TABLE more AS SELECT 1 AS x")
        raise RuntimeError("changed my mind")

    assert database.path.read_bytes() == before
    assert not database.path.with_name("x.relook.wal").exists()
    with database.read() as cursor:
        assert count(cursor) == 100


def test_an_exception_while_reading_lets_the_next_reader_in(database):
    with pytest.raises(duckdb.CatalogException), database.read() as cursor:
        cursor.execute("SELECT * FROM nowhere")

    with database.read() as cursor:
        assert count(cursor) == 100


def test_who_reads_cannot_write(database):
    with database.read() as cursor, pytest.raises(duckdb.Error, match="read-only"):
        cursor.execute("DELETE FROM numbers")


FORBIDDEN = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "ATTACH 'other.db'",
    "COPY numbers TO 'out.csv'",
    "EXPORT DATABASE 'out'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "RESET lock_configuration",
    "SET python_enable_replacements = true",
    "SELECT * FROM leak",
]


@pytest.mark.parametrize("way", ["read", "write"])
def test_the_connection_is_locked_down_from_the_moment_it_opens(database, way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leak = pd.DataFrame({"secret": [1]})
    allowed = []

    with getattr(database, way)() as connection:
        for statement in FORBIDDEN:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(statement).fetchall()
                    allowed.append(statement)
                except duckdb.Error:
                    pass

    assert allowed == []
    assert len(leak) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.relook"]


def test_a_second_process_reads_while_we_read(database, start):
    with database.read() as cursor:
        other = start("read")

        assert other.stdout.readline() == "4950\n"
        assert count(cursor) == 100


def test_a_second_process_writes_once_we_are_quiet(database, start):
    with database.read() as cursor:
        assert count(cursor) == 100
    began = time.monotonic()
    other = start("write")

    assert other.stdout.readline() == "written\n", other.stderr.read()
    assert time.monotonic() - began < module.WAIT_SECONDS
    with database.read() as cursor:
        assert count(cursor) == 101


def test_the_file_is_let_go_after_two_quiet_seconds_and_not_before(database):
    assert module.LINGER_SECONDS == 2.0
    assert module.WAIT_SECONDS == 10.0
    with database.read():
        pass
    quiet = time.monotonic()
    assert not is_closed(database)

    assert wait_until(lambda: is_closed(database))
    assert time.monotonic() - quiet > 1.9


def test_a_reader_that_stays_keeps_the_file(database, monkeypatch):
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    with database.read() as cursor:
        time.sleep(0.3)

        assert not is_closed(database)
        assert count(cursor) == 100
    assert wait_until(lambda: is_closed(database), 2.0)


def test_the_file_is_not_held_between_writes(database):
    assert is_closed(database)
    with database.write() as connection:
        assert not is_closed(database)
        connection.execute("INSERT INTO numbers VALUES (1)")

    assert is_closed(database)


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_held_file_is_refused_with_the_name_of_its_holder(database, start, monkeypatch, way):
    holder = start("hold")
    assert holder.stdout.readline() == "held\n", holder.stderr.read()
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.3)
    began = time.monotonic()

    with pytest.raises(WorkspaceBusyError) as caught, getattr(database, way)():
        pass

    assert 0.3 <= time.monotonic() - began < 5
    assert str(database.path) in caught.value.message
    assert f"(process {holder.pid})" in caught.value.message
    assert "then try again" in caught.value.message
    holder.communicate("\n", timeout=20)
    with database.read() as cursor:
        assert count(cursor) == 100


def test_a_writer_gives_up_where_a_thread_of_ours_reads_on(database, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)

    def write():
        with database.write():
            pass

    with database.read(), ThreadPoolExecutor(1) as pool, pytest.raises(WorkspaceBusyError, match="this process"):
        pool.submit(write).result(20)


def test_one_file_has_one_database_by_whatever_path_it_is_reached(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link.relook"
    link.symlink_to(tmp_path / "real.relook")

    assert database_at(Path("real.relook")) is database_at(tmp_path / "real.relook")
    assert database_at(link) is database_at(tmp_path / "real.relook")


def test_no_thread_stays_behind_a_closed_database(database):
    before = threading.active_count()
    for _ in range(5):
        with database.read() as cursor:
            count(cursor)
        database.close()

    assert wait_until(lambda: threading.active_count() <= before, 3.0)


def test_what_was_committed_before_a_crash_is_there_afterwards(database, start):
    """A process that is killed in a write leaves the last whole transaction."""
    holder = start("hold")
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()

    with database.read() as cursor:
        assert count(cursor) == 100


def test_no_progress_bar_is_drawn_even_where_python_is_interactive(database):
    """DuckDB draws one into standard output, where our JSON goes, if Python runs with -c or in a notebook."""
    with database.write() as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
    with database.read() as cursor:
        assert cursor.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
