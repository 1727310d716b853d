"""A request is its folder and its record, and building it locks nobody out."""

import threading
from contextlib import contextmanager

import duckdb
import pandas as pd
import pytest

from analysis.commands import request as module
from analysis.commands.load import LoadOptions, load
from analysis.commands.request import RequestOptions, list_requests, write_request
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError, WorkspaceBusyError
from analysis.store import database
from analysis.store.sql import Fragment

TODAY = pd.Timestamp("2026-11-21").date()


@pytest.fixture
def workspace(tmp_path):
    # The ids stand in two splits, so that an id alone does not find its item.
    path = tmp_path / "items.csv"
    pd.DataFrame({"item_id": list("pqr"), "label": list("aba"), "size": [1, 2, 3]}).to_csv(path, index=False)
    made = workspace_at(tmp_path / "w.relook")
    load(made, [path], LoadOptions(split="eval"))
    load(made, [path], LoadOptions(split="train"))
    yield made
    made.close()


@pytest.fixture
def options(tmp_path):
    ids = (("train", "r"), ("eval", "p"), ("train", "p"))
    return RequestOptions(sources=(), basket=ids, split="train", tool="csv", out=tmp_path / "out", assign=("ann",))


@pytest.fixture
def change_while_building(workspace, monkeypatch):
    """Change the workspace after each of the first so many builds, as another process may."""
    real = module.to_files

    def start(times, *versions):
        left = [times]

        def build(*args):
            files = real(*args)
            if left[0]:
                left[0] -= 1
                pending.append(versions)
            return files

        pending = []
        write = type(workspace).write

        @contextmanager
        def change_first(self, **options):
            while pending:
                with write(self) as writer:
                    for version in pending.pop():
                        writer.bump(version)
            with write(self, **options) as writer:
                yield writer

        monkeypatch.setattr(module, "to_files", build)
        monkeypatch.setattr(type(workspace), "write", change_first)

    return start


def records(workspace):
    with workspace.read() as snapshot:
        return [row.request_id for row in list_requests(workspace, today=TODAY)], snapshot.fetch_all(
            Fragment(
                "SELECT i.split, i.item_id, r.assignee, r.role, r.rank FROM request_items r JOIN items i USING (item) "
                "ORDER BY r.rank"
            )
        )


def folders(options):
    return sorted(path.name for path in options.out.iterdir()) if options.out.exists() else []


def test_each_task_is_recorded_with_the_item_of_its_split_and_id(workspace, options):
    found = write_request(workspace, options)

    assert records(workspace) == (
        [found.request_id],
        [
            ("train", "r", "ann", "suspect", 1),
            ("eval", "p", "ann", "suspect", 2),
            ("train", "p", "ann", "suspect", 3),
        ],
    )
    assert folders(options) == [found.request_id]


def test_others_read_while_a_request_is_built(workspace, options, monkeypatch):
    real, seen = module.build_request, []

    def build(*args, **named):
        reader = threading.Thread(target=lambda: seen.append(workspace.fingerprint()))
        reader.start()
        reader.join(5)
        assert seen, "a reader waits for the request to be built"
        return real(*args, **named)

    monkeypatch.setattr(module, "build_request", build)

    write_request(workspace, options)


@pytest.mark.parametrize("version", ["facts", "labels"])
def test_a_request_is_built_again_where_the_workspace_changed_meanwhile(
    workspace, options, change_while_building, version
):
    change_while_building(1, version)

    found = write_request(workspace, options)

    assert folders(options) == records(workspace)[0] == [found.request_id]


@pytest.mark.parametrize("version", ["facts", "labels"])
def test_a_request_is_refused_where_the_workspace_changes_again(workspace, options, change_while_building, version):
    change_while_building(2, version)

    with pytest.raises(AnalysisError, match="changed while the request was built; try again"):
        write_request(workspace, options)

    assert (folders(options), records(workspace)) == ([], ([], []))


def test_a_slice_saved_meanwhile_does_not_matter(workspace, options, change_while_building):
    change_while_building(9, "work")

    assert write_request(workspace, options).request_id in folders(options)


def test_requests_written_at_once_get_names_of_their_own(workspace, options):
    found, together = [], threading.Barrier(3, timeout=20)

    def write():
        together.wait()
        found.append(write_request(workspace, options).request_id)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(set(found)) == 3
    assert folders(options) == sorted(records(workspace)[0]) == sorted(found)


class RefusesCommit:
    """A connection that cannot commit, or commits and is interrupted."""

    def __init__(self, connection, error, *, commits):
        self._connection, self._error, self._commits = connection, error, commits

    def execute(self, statement, *values):
        if statement != "COMMIT":
            return self._connection.execute(statement, *values)
        if self._commits:
            self._connection.execute(statement)
        raise self._error

    def __getattr__(self, name):
        return getattr(self._connection, name)


@pytest.mark.parametrize("error", [duckdb.IOException("the disk is full"), KeyboardInterrupt()])
@pytest.mark.parametrize("commits", [False, True])
def test_folder_and_record_are_both_there_or_neither(workspace, options, monkeypatch, error, commits):
    before = write_request(workspace, options).request_id
    real = duckdb.connect
    with monkeypatch.context() as patch:
        patch.setattr(database.duckdb, "connect", lambda *a, **o: RefusesCommit(real(*a, **o), error, commits=commits))
        with pytest.raises((AnalysisError, KeyboardInterrupt)):
            write_request(workspace, options)
    workspace.close()

    assert folders(options) == sorted(records(workspace)[0])
    assert before in folders(options)
    assert len(folders(options)) == 1 + commits


def test_a_folder_that_this_call_did_not_make_is_left_alone(workspace, options, monkeypatch):
    real = module.write_folder

    def write_late(folder, files):
        folder.mkdir(parents=True)
        (folder / "mine.txt").touch()
        real(folder, files)

    monkeypatch.setattr(module, "write_folder", write_late)
    with pytest.raises(AnalysisError, match="exists already"):
        write_request(workspace, options)

    assert [path.name for path in options.out.glob("*/*")] == ["mine.txt"]
    assert records(workspace) == ([], [])


def test_a_workspace_that_is_held_gets_no_folder(workspace, options, monkeypatch):
    with workspace.read() as snapshot:
        assert snapshot.splits
        monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
        refused = []

        def write():
            try:
                write_request(workspace, options)
            except WorkspaceBusyError as error:
                refused.append(error.message)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join(20)

    assert "being read" in refused[0]
    assert folders(options) == []
