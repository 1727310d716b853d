"""A first load that fails takes nothing away but its own file."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import duckdb
import pytest

from analysis.errors import AnalysisError
from analysis.store import database as module
from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace

MAKE = """
import sys
from pathlib import Path
from analysis.store.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
with workspace.write(create=True) as writer:
    writer.bump("facts")
    print("held", flush=True)
    sys.stdin.readline()
    writer.discarded = sys.argv[2] == "discard"
workspace.close()
"""


@pytest.fixture
def start(tmp_path, root):
    """Start a first load in another process; it ends when it is written to."""
    started = []

    def run(what):
        process = subprocess.Popen(
            [sys.executable, "-c", MAKE, str(tmp_path / "w.relook"), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w.relook")
    yield made
    made.close()


def facts(workspace):
    return workspace.fingerprint().facts


def blind_once(monkeypatch, path):
    """Let the first look at a path see nothing, as if another process made the file just after it."""
    real, seen = Path.stat, []

    def stat(looked, **options):
        if looked == path and not seen:
            seen.append(looked)
            raise FileNotFoundError(path)
        return real(looked, **options)

    monkeypatch.setattr(Path, "stat", stat)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_of_two_first_loads_at_once_the_second_adds_to_the_first(workspace):
    together = threading.Barrier(2, timeout=20)

    def load(_number):
        together.wait()
        with workspace.write(create=True) as writer:
            writer.bump("facts")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))

    assert facts(workspace) == 2


def test_a_refused_first_load_leaves_the_one_that_was_committed_meanwhile(workspace):
    inside, go = threading.Event(), threading.Event()

    def succeed():
        with workspace.write(create=True) as writer:
            writer.bump("facts")
            inside.set()
            go.wait(20)

    def fail():
        with workspace.write(create=True):
            raise AnalysisError("refused")

    # Both began where there was no file: the one that comes second is told so whatever it sees.
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(succeed)
        inside.wait(20)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "exists", lambda path: path != workspace.path)
            second = pool.submit(fail)
            time.sleep(0.1)
        go.set()
        first.result(20)
        with pytest.raises(AnalysisError, match="refused"):
            second.result(20)

    assert facts(workspace) == 1


@pytest.mark.parametrize("outcome", ["busy", "refused", "kept"])
def test_a_first_load_beside_another_process_takes_nothing_from_it(workspace, start, monkeypatch, outcome):
    other = start("keep")
    blind_once(monkeypatch, workspace.path)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.2 if outcome == "busy" else 10.0)
    release = threading.Timer(0.0 if outcome != "busy" else 1.0, lambda: other.communicate("\n", timeout=20))
    release.start()
    refusal = {"busy": "is held by", "refused": "no good"}
    expected = nullcontext() if outcome == "kept" else pytest.raises(AnalysisError, match=refusal[outcome])
    with expected, workspace.write(create=True) as writer:
        writer.bump("facts")
        if outcome == "refused":
            raise AnalysisError("no good")
    release.join()

    monkeypatch.setattr(module, "WAIT_SECONDS", 10.0)
    assert facts(workspace) == (2 if outcome == "kept" else 1)


def test_a_first_load_that_waited_for_one_that_failed_makes_the_workspace(workspace, start):
    other = start("discard")
    release = threading.Timer(0.2, lambda: other.communicate("\n", timeout=20))
    release.start()
    with workspace.write(create=True) as writer:
        writer.bump("facts")
    release.join()

    assert facts(workspace) == 1


def test_a_write_that_waited_for_a_first_load_that_failed_makes_no_file(workspace, start):
    other = start("discard")
    release = threading.Timer(0.2, lambda: other.communicate("\n", timeout=20))
    release.start()
    with pytest.raises(AnalysisError, match="There is no workspace"), workspace.write():
        pass
    release.join()

    assert names(workspace.path.parent) == []


@pytest.mark.parametrize("create", [False, True])
def test_a_file_taken_away_between_the_look_and_the_opening_is_not_made_again_in_vain(workspace, monkeypatch, create):
    with workspace.write(create=True):
        pass
    real = duckdb.connect

    def connect(name, **options):
        workspace.path.unlink(missing_ok=True)
        return real(name, **options)

    monkeypatch.setattr(module.duckdb, "connect", connect)
    refusal = "no good" if create else "There is no workspace"
    with pytest.raises(AnalysisError, match=refusal), workspace.write(create=create):
        raise AnalysisError("no good")

    assert names(workspace.path.parent) == []


def test_a_file_taken_away_while_duckdb_opens_it_is_looked_for_again(workspace, monkeypatch):
    real, tries = duckdb.connect, []

    def connect(name, **options):
        tries.append(name)
        if len(tries) == 1:
            message = f'IO Error: Cannot open file "{name}": No such file or directory'
            raise duckdb.IOException(message)
        return real(name, **options)

    monkeypatch.setattr(module.duckdb, "connect", connect)
    with workspace.write(create=True) as writer:
        writer.bump("facts")

    assert facts(workspace) == 1


def test_a_file_taken_away_before_it_was_locked_is_not_written_to(workspace, monkeypatch):
    with workspace.write(create=True) as writer:
        writer.bump("facts")
    real, taken = duckdb.connect, []

    def connect(name, **options):
        connection = real(name, **options)
        if not taken:
            taken.append(name)
            workspace.path.unlink()
        return connection

    monkeypatch.setattr(module.duckdb, "connect", connect)
    with workspace.write(create=True) as writer:
        writer.bump("labels")

    assert (workspace.fingerprint().facts, workspace.fingerprint().labels) == (0, 1)


def test_a_first_load_of_which_the_commit_fails_leaves_nothing(workspace, refuse_commit):
    with pytest.raises(AnalysisError, match="no room left on the disk"), workspace.write(create=True) as writer:
        writer.execute(Fragment("CREATE TABLE big AS SELECT range AS v FROM range(1000)"))

    assert refuse_commit
    assert names(workspace.path.parent) == []


def test_the_file_is_taken_away_while_it_is_still_held(workspace, monkeypatch):
    """Once it is let go it may be another process's workspace."""
    held = []
    look = "import sys, duckdb; duckdb.connect(sys.argv[1])"
    remove = Path.unlink

    def unlink(path, **options):
        if path == workspace.path:
            tried = subprocess.run([sys.executable, "-c", look, str(path)], capture_output=True, text=True, check=False)
            held.append("Could not set lock" in tried.stderr)
        remove(path, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(RuntimeError), workspace.write(create=True):
        raise RuntimeError

    assert held == [True]
    assert names(workspace.path.parent) == []


def test_an_empty_database_that_was_there_is_taken_and_never_removed(workspace):
    duckdb.connect(str(workspace.path)).close()

    with pytest.raises(RuntimeError), workspace.write(create=True):
        raise RuntimeError
    assert names(workspace.path.parent) == ["w.relook"]
    with workspace.write(create=True) as writer:
        writer.bump("facts")

    assert facts(workspace) == 1


class RefusesCommit:
    """A connection whose transaction cannot be committed."""

    def __init__(self, connection, refused):
        self._connection = connection
        self._refused = refused

    def execute(self, statement, *values):
        if statement == "COMMIT":
            self._refused.append(statement)
            raise duckdb.IOException("the disk is full")
        return self._connection.execute(statement, *values)

    def __getattr__(self, name):
        return getattr(self._connection, name)


@pytest.fixture
def refuse_commit(monkeypatch):
    real, refused = duckdb.connect, []
    monkeypatch.setattr(module.duckdb, "connect", lambda *a, **o: RefusesCommit(real(*a, **o), refused))
    return refused
