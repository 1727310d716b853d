"""Who waits for a workspace file, for whom, and what it is told when it waits too long."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.errors import WorkspaceBusyError
from analysis.store import database as module
from analysis.store.database import Database
from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace

HOLD = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"


@pytest.fixture
def database(tmp_path):
    made = Database(tmp_path / "x.relook")
    with made.write() as connection:
        connection.execute("CREATE TABLE numbers AS SELECT unnest(range(100)) AS v")
    yield made
    made.close()


@pytest.fixture
def held(database):
    """The file, held by another process."""
    command = [sys.executable, "-c", HOLD, str(database.path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    yield holder
    holder.kill()
    holder.communicate()


@pytest.fixture
def occupied(database):
    """Occupy the file in a thread of its own until the test ends."""
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def start(way):
            inside = threading.Event()

            def occupy():
                with getattr(database, way)():
                    inside.set()
                    go.wait(20)

            pool.submit(occupy)
            assert inside.wait(20)

        yield start
        go.set()


def test_readers_wait_for_another_process_side_by_side(database, held, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.5)

    def read(_number):
        began = time.monotonic()
        with pytest.raises(WorkspaceBusyError, match=rf"\(process {held.pid}\)"), database.read():
            pass
        return time.monotonic() - began

    with ThreadPoolExecutor(6) as pool:
        took = list(pool.map(read, range(6)))

    assert max(took) < 1.2


def test_readers_that_waited_for_another_process_all_get_in(database, held):
    def read(_number):
        with database.read() as cursor:
            return cursor.execute("SELECT count(*) FROM numbers").fetchall()

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(read, number) for number in range(4)]
        time.sleep(0.2)
        held.communicate("\n", timeout=20)

        assert [one.result(20) for one in found] == [[(100,)]] * 4


def test_overlapping_readers_do_not_keep_a_writer_out(database, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 3.0)
    stop = threading.Event()

    def read_on(delay):
        time.sleep(delay)
        while not stop.is_set():
            with database.read():
                time.sleep(0.3)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read_on, delay) for delay in (0.0, 0.1, 0.2)]
        time.sleep(0.4)
        began = time.monotonic()
        try:
            with database.write() as connection:
                connection.execute("INSERT INTO numbers VALUES (1)")
                took = time.monotonic() - began
        finally:
            stop.set()
        for reader in readers:
            reader.result(20)

    assert took < 2.0


def test_a_reader_that_let_a_writer_go_first_reads_when_the_writer_gave_up(database, occupied, monkeypatch):
    occupied("read")
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.4)

    def write():
        with database.write():
            pass

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        time.sleep(0.1)
        with database.read() as cursor:
            assert cursor.execute("SELECT count(*) FROM numbers").fetchall() == [(100,)]
        with pytest.raises(WorkspaceBusyError):
            writer.result(20)


def test_a_read_inside_a_read_does_not_wait_for_the_writer_that_waits_for_it(database):
    with ThreadPoolExecutor(1) as pool:
        with database.read():

            def write():
                with database.write() as connection:
                    connection.execute("DELETE FROM numbers")

            writer = pool.submit(write)
            time.sleep(0.1)
            began = time.monotonic()
            with database.read() as cursor:
                assert cursor.execute("SELECT count(*) FROM numbers").fetchall() == [(100,)]
            assert time.monotonic() - began < 2
        writer.result(20)


@pytest.mark.parametrize(("way", "doing"), [("read", "being read by"), ("write", "being written by")])
def test_a_writer_that_gives_up_says_whether_the_file_is_read_or_written(database, occupied, monkeypatch, way, doing):
    occupied(way)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)

    with pytest.raises(WorkspaceBusyError, match=doing), database.write():
        pass


@pytest.mark.parametrize(("outer", "inner"), [("write", "read"), ("read", "write"), ("write", "write")])
def test_a_thread_that_would_wait_for_itself_is_told_at_once(database, outer, inner):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="same thread"), getattr(database, outer)():
        with getattr(database, inner)():
            pass

    assert time.monotonic() - began < 5
    with database.read() as cursor:
        assert cursor.execute("SELECT count(*) FROM numbers").fetchall() == [(100,)]


def test_a_process_that_never_stops_reading_lets_another_one_write(tmp_path, root):
    """Each page asks again before the file would be let go, for as long as somebody clicks."""
    path = tmp_path / "w.relook"
    workspace = Workspace(path)
    with workspace.write(create=True) as writer:
        writer.bump("facts")
    stop = threading.Event()
    longest = []

    def click():
        while not stop.is_set():
            began = time.monotonic()
            with workspace.read() as snapshot:
                snapshot.fetch_one(Fragment("SELECT 1"))
                time.sleep(0.02)
            longest.append(time.monotonic() - began)

    clickers = [threading.Thread(target=click) for _number in range(3)]
    for clicker in clickers:
        clicker.start()
    write = "import sys; from pathlib import Path; from analysis.store.workspace import Workspace\n"
    write += "with Workspace(Path(sys.argv[1])).write() as writer: writer.bump('work')"
    try:
        ran = subprocess.run(
            [sys.executable, "-c", write, str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
            check=False,
            timeout=60,
        )
    finally:
        stop.set()
        for clicker in clickers:
            clicker.join()

    assert ran.returncode == 0, ran.stderr
    assert workspace.fingerprint().work == 1
    workspace.close()
