"""The command line: exit codes, one clear message, nothing of the user's changed."""

import hashlib
import sys

import pytest

from analysis.errors import AnalysisError
from dashboard import cli


def test_an_unknown_column_names_the_near_one(relook, digits) -> None:
    ended = relook("slices", digits.path, "--by", "pens")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "relook: There is no column that can slice 'pens'. Did you mean 'pen'?\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["info", "nowhere.relook"], "There is no workspace at"),
        (["info", "."], "is a folder"),
        (["load", "w.relook", "nothing.csv"], "nothing.csv is not there"),
        (["load", "w.relook", "nothing.csv", "--role", "item_id"], "--role takes ROLE=COLUMN"),
        (["serve", "nowhere.relook"], "There is no workspace at"),
        (["slices", "nowhere.relook", "--no-such-option"], "No such option"),
        (["nonsense"], "No such command"),
    ],
)
def test_what_the_user_can_mend_exits_with_2_and_one_message(relook, tmp_path, words, said) -> None:
    ended = relook(*words, cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["slices"], "name one or two columns with --by"),
        (["slices", "--by", "pen", "--metric", "recall"], "Name it with --class"),
        (["slices", "--by", "pen", "--metric", "recal"], "Did you mean 'recall'?"),
        (["slices", "--by", "pen", "--where", "pen >"], "pen >"),
        (["slices", "--by", "pen", "--split", "evl"], "Did you mean 'eval'?"),
        (["labels", "--filter-by", "none"], "There is no"),
        (["labels", "--model", "other"], "There is no model 'other'"),
        (["annotators", "--where", "pen = 3"], "pen"),
        (["request", "--from", "labls", "--out", "out"], "Did you mean 'labels'?"),
        (["request", "--from", "labels", "--out", "out", "--to", "fax"], "There is no format 'fax'"),
        (["request", "--from", "labels", "--out", "out", "--due", "soon"], "2026-01-31"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(relook, digits, tmp_path, words, said) -> None:
    ended = relook(words[0], digits.path, *words[1:], cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_the_text_shows_the_numbers_of_the_json(relook, digits) -> None:
    found = relook("slices", digits.path, "--by", "pen", "--format", "json").json
    text = relook("slices", digits.path, "--by", "pen").out

    for row in found["slices"]:
        line = next(line for line in text.splitlines() if line.startswith(row["slice"]))
        assert f"{row['rate']:.1%} ({row['low'] * 100:.1f} to {row['high'] * 100:.1f})" in line
        assert f"{row['excess_errors']:+.1f}" in line


def test_the_users_files_are_as_before(relook, digits_folder, tmp_path) -> None:
    files = sorted(digits_folder.iterdir())
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert relook("load", tmp_path / "w.relook", *(p for p in files if p.suffix != ".md")).code == 0

    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(digits_folder.iterdir())} == before


def run_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(sys, "argv", ["relook"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code)


def test_a_fault_of_ours_exits_with_1_and_names_a_log(monkeypatch, capsys) -> None:
    assert run_main(monkeypatch, ZeroDivisionError("secret")) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    path = printed.err.strip().split()[-1]
    with open(path, encoding="utf-8") as log:  # noqa: PTH123  (a path as the user would open it)
        assert "ZeroDivisionError: secret" in log.read()


def test_an_interrupt_exits_with_130(monkeypatch) -> None:
    assert run_main(monkeypatch, KeyboardInterrupt()) == 130


def test_what_the_user_can_mend_exits_with_2(monkeypatch, capsys) -> None:
    assert run_main(monkeypatch, AnalysisError("Do this.")) == 2
    assert capsys.readouterr().err == "relook: Do this.\n"
