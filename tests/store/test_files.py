"""A folder is there as a whole or not at all."""

import os
from pathlib import Path

import pytest

from analysis.errors import AnalysisError
from analysis.store import files as module
from analysis.store.files import check_file_name, write_folder

FILES = {"send/guide.md": b"# Guide", "send/images/t-1.png": b"\x89PNG", "private/manifest.json": b"{}"}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_are_there_and_nothing_else(tmp_path):
    write_folder(tmp_path / "rq-1", FILES)

    assert everything_in(tmp_path) == {f"rq-1/{name}": data for name, data in FILES.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["rq-1"]


def test_folders_above_are_made(tmp_path):
    write_folder(tmp_path / "a" / "b" / "rq-1", FILES)

    assert everything_in(tmp_path / "a" / "b" / "rq-1") == FILES


def test_others_may_read_it_as_any_folder(tmp_path):
    write_folder(tmp_path / "rq-1", FILES)
    (tmp_path / "plain").mkdir()

    assert (tmp_path / "rq-1").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kind", ["folder", "full folder", "file", "dangling link"])
def test_what_exists_is_refused_and_left_as_it_is(tmp_path, kind):
    place = tmp_path / "rq-1"
    if kind == "file":
        place.write_bytes(b"mine")
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.mkdir()
    if kind == "full folder":
        (place / "mine").write_bytes(b"mine")
    before = everything_in(tmp_path), sorted(tmp_path.iterdir())

    with pytest.raises(AnalysisError, match=r"rq-1 exists already and is left as it is\. Choose another"):
        write_folder(place, FILES)

    assert (everything_in(tmp_path), sorted(tmp_path.iterdir())) == before


def fail_on_sync(monkeypatch, number, error):
    """Let the numbered call of fsync fail: 1 to 3 are the files, 4 to 7 the folders, 8 the folder above."""
    calls = 0
    real = os.fsync

    def fsync(descriptor):
        nonlocal calls
        calls += 1
        if calls == number:
            raise error
        real(descriptor)

    monkeypatch.setattr(module.os, "fsync", fsync)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_full_disk_in_the_middle_leaves_nothing(tmp_path, monkeypatch, number):
    fail_on_sync(monkeypatch, number, OSError(28, "No space left on device"))

    with pytest.raises(AnalysisError, match=r"No space left on device\. Nothing was left there\. Check the free space"):
        write_folder(tmp_path / "made" / "for it" / "rq-1", FILES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", range(1, 8))
def test_an_interruption_before_the_rename_leaves_nothing(tmp_path, monkeypatch, number):
    fail_on_sync(monkeypatch, number, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "made" / "for it" / "rq-1", FILES)
    assert not list(tmp_path.iterdir())


def test_an_interruption_after_the_rename_leaves_all(tmp_path, monkeypatch):
    fail_on_sync(monkeypatch, 8, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "rq-1", FILES)
    assert everything_in(tmp_path / "rq-1") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["rq-1"]


@pytest.mark.parametrize("number", range(4, 9))
def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch, number):
    fail_on_sync(monkeypatch, number, OSError(22, "Invalid argument"))

    write_folder(tmp_path / "rq-1", FILES)

    assert everything_in(tmp_path / "rq-1") == FILES


def test_a_failing_rename_leaves_nothing_and_says_why(tmp_path, monkeypatch):
    def rename(_self, _target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", rename)

    with pytest.raises(AnalysisError, match=r"could not be written to .*: Permission denied\. Nothing was left"):
        write_folder(tmp_path / "rq-1", FILES)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    real = Path.rename

    def rename(self, target):
        Path(target).mkdir()
        (Path(target) / "theirs").write_bytes(b"theirs")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)

    with pytest.raises(AnalysisError, match="could not be written"):
        write_folder(tmp_path / "rq-1", FILES)
    assert everything_in(tmp_path) == {"rq-1/theirs": b"theirs"}


def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")

    with pytest.raises(AnalysisError, match="could not be written"):
        write_folder(tmp_path / "file" / "rq-1", FILES)
    assert everything_in(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../up", "a/../b", "/etc/passwd", "a//b", "a/", "./a", "C:/x", "a\\b", "a\0b", "a\nb"),
        *("con", "send/NUL.txt", "COM1", "a.", "a ", " a", "a?", "a*", "x" * 256, "é" * 128, "\ud800"),
    ],
)
def test_names_that_lead_out_or_that_some_system_refuses_are_refused(tmp_path, name):
    with pytest.raises(AnalysisError, match=r"is not a safe file name: .* Rename it\."):
        write_folder(tmp_path / "rq-1", {"fine": b"", name: b""})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", ".hidden", "a b.txt", "tasks-李雷.json", "a/b/c.d.e", "console.txt", "x" * 255])
def test_ordinary_names_are_fine(name):
    check_file_name(name)


@pytest.mark.parametrize("pair", [("A.txt", "a.TXT"), ("a", "a/b"), ("send/X", "SEND/x/y")])
def test_names_that_are_one_on_some_systems_are_refused(tmp_path, pair):
    with pytest.raises(AnalysisError, match="Rename one"):
        write_folder(tmp_path / "rq-1", dict.fromkeys(pair, b""))
    assert not list(tmp_path.iterdir())
