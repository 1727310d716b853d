"""The Data page: choose files, see how they are read, correct it, load, read the report, download what was left out."""

import csv
import gc
import io
import threading
import time

import pandas as pd
import pytest

from analysis.commands.info import describe_workspace
from analysis.commands.load import LoadOptions
from analysis.commands.people import review_people
from analysis.commands.rejects import to_rejects_csv
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError
from dashboard.parts import queries
from dashboard.parts.add_files import Chosen
from dashboard.parts.load_report import Correction, correct_roles
from dashboard.parts.uploads import find_in_root, keep_uploads

ITEMS = pd.DataFrame({"item_id": [f"n{k}" for k in range(300)], "label": ["3", "5"] * 150, "ink": [0.5] * 300})


@pytest.fixture(autouse=True)
def fresh_jobs():
    """The jobs of one test are none of the next one's."""
    queries.jobs.clear()
    yield
    queries.jobs().close()
    queries.jobs.clear()


def settle(at):
    """Run the page until no job is left, as a browser that looks again and again."""
    deadline = time.monotonic() + 60
    while any(button.label == "Cancel" for button in at.button):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        at.run()
    assert not at.exception, [error.value for error in at.exception]
    return at


def press(at, label):
    next(button for button in at.button if button.label.startswith(label)).click().run()
    return settle(at)


def texts(at):
    return " ".join(element.value for element in (*at.markdown, *at.caption, *at.info, *at.error, *at.warning))


def adding(*paths, **options):
    return Chosen(paths, LoadOptions(dry_run=True, **options))


def put(folder, name, frame):
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_an_upload_is_read_shown_and_loaded(open_app, digits_copy):
    at = open_app(digits_copy, "data")
    at.file_uploader[0].upload("more.csv", ITEMS.to_csv(index=False).encode()).run()
    press(at, "See how they are read")

    table = next(frame.value for frame in at.dataframe if "Role" in frame.value.columns)
    assert dict(zip(table["Column"], table["Role"], strict=True)) == {
        "item_id": "item_id", "label": "given_label", "ink": "feature",
    }  # fmt: skip
    assert describe_workspace(workspace_at(digits_copy)).overall.items == 1797, "looking changes nothing"

    press(at, "Load 300 rows")

    assert describe_workspace(workspace_at(digits_copy)).overall.items == 2097
    assert "2,097 items" in texts(at)
    assert "Loaded 1 file" in texts(at)


def test_files_make_the_workspace_on_the_first_page(open_app, tmp_path):
    at = open_app(tmp_path / "new.relook", "home")
    at.file_uploader[0].upload("train.csv", ITEMS.to_csv(index=False).encode()).run()
    press(at, "See how they are read")
    assert not (tmp_path / "new.relook").exists()

    press(at, "Load 300 rows")

    assert describe_workspace(workspace_at(tmp_path / "new.relook")).overall.items == 300


def test_a_role_that_is_corrected_is_read_anew(open_app, digits_copy, tmp_path):
    path = put(tmp_path, "more.csv", ITEMS.rename(columns={"item_id": "shot"}))
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    assert "no column of item ids" in texts(at).replace("\\", "")

    at = settle(open_app(digits_copy, "data", adding=adding(path, roles=(("item_id", "shot"),))))
    table = next(frame.value for frame in at.dataframe if "Role" in frame.value.columns)
    assert dict(zip(table["Column"], table["Role"], strict=True))["shot"] == "item_id"
    assert "you said so" in set(table["Why"])


def test_rejected_rows_can_be_downloaded_and_start_no_formula(open_app, digits_copy, tmp_path, monkeypatch):
    frame = ITEMS.copy()
    frame.loc[7, "item_id"] = None
    path = put(tmp_path, "=more.csv", frame)
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    press(at, "Load 299 rows")

    report = at.session_state["load report"]
    rows = list(csv.reader(io.StringIO(to_rejects_csv(report).decode("utf-8-sig"))))
    assert rows == [["file", "part", "line", "column", "reason"], ["'=more.csv", "", "9", "item_id", "no id"]]
    assert any(button.label == "Download 1 rejected row" for button in at.get("download_button"))


def test_a_file_that_cannot_be_read_is_said_and_others_can_be_chosen(open_app, digits_copy, tmp_path):
    path = put(tmp_path, "more.csv", ITEMS)
    path.write_text('item_id,label\n"a,1\n', encoding="utf-8")
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    assert "never closed" in texts(at)

    press(at, "Choose other files")

    assert at.file_uploader


def test_a_path_outside_the_folder_that_pages_may_read_is_refused(open_app, digits_copy):
    at = open_app(digits_copy, "data")
    next(field for field in at.text_input if field.label == "Or a path").set_value("/etc/passwd").run()
    press(at, "See how they are read")

    assert "is not below" in texts(at)


def test_merges_are_made_and_undone_on_the_page(open_app, tmp_path, table_workspace):
    votes = pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(20) for _ in range(2)],
            "annotator": ["Anna.Berg@example.com", "anna.berg@example.com"] * 20,
            "label": ["cat", "dog"] * 20,
        }
    )
    path = table_workspace({"votes": votes[::2], "more": votes[21::2]}, kind="votes")
    at = open_app(path, "data", **{"data part": "People"})
    press(at, "They are one person")
    assert len(review_people(workspace_at(path)).people) == 1

    press(at, "Undo")
    assert len(review_people(workspace_at(path)).people) == 2


def test_the_positive_class_and_the_threshold_are_set_on_the_page(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(40)], "label": ["spam"] * 10 + ["fine"] * 30})
    frame["p_spam"] = [k / 40 for k in range(40)]
    frame["p_fine"] = 1 - frame["p_spam"]
    path = table_workspace({"eval": frame})
    at = open_app(path, "data")
    at.number_input[0].set_value(0.25)
    press(at, "Set")

    decision = describe_workspace(workspace_at(path)).decision
    assert (decision.positive_class, decision.threshold) == ("spam", 0.25)
    shown = texts(open_app(path, "home"))
    assert "predicted from 0.25 on" in shown
    assert "predicted from 0.25 on" in texts(open_app(path, "slices"))


def role_table(at):
    table = next(frame.value for frame in at.dataframe if "Role" in frame.value.columns)
    return dict(zip(table["Column"], table["Role"], strict=True))


def put_broken(folder):
    path = folder / "more.csv"
    path.write_text('item_id,label\n"a,1\n', encoding="utf-8")
    return path


def test_a_mended_file_is_read_again(open_app, digits_copy, tmp_path):
    path = put_broken(tmp_path)
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    assert "never closed" in texts(at)

    put(tmp_path, "more.csv", ITEMS)
    press(at, "Read again")
    assert "never closed" not in texts(at)
    assert "never closed" not in texts(settle(open_app(digits_copy, "data", adding=adding(path))))


def test_files_that_were_loaded_are_not_offered_again(open_app, digits_copy, tmp_path):
    path = put(tmp_path, "more.csv", ITEMS)
    first, second = (settle(open_app(digits_copy, "data", adding=adding(path))) for _ in range(2))
    press(first, "Load 300 rows")

    again = settle(open_app(digits_copy, "data", adding=adding(path)))
    settle(second.run())
    for at in (again, second):
        assert [button.disabled for button in at.button if button.label.startswith("Load ")] == [True]
    assert describe_workspace(workspace_at(digits_copy)).overall.items == 2097


def test_a_check_that_was_cancelled_can_be_repeated(open_app, digits_copy, tmp_path):
    path = put(tmp_path, "more.csv", ITEMS)
    go = threading.Event()
    before = queries.jobs().start(("other", "load"), "Other", lambda _watch: go.wait(30))
    at = open_app(digits_copy, "data", adding=adding(path))
    next(button for button in at.button if button.label == "Cancel").click().run()
    assert "Cancelled" in texts(at.run())
    go.set()
    assert before.wait(30)

    press(at, "Read again")
    assert any(button.label == "Load 300 rows" for button in at.button)


def test_a_refused_file_shows_its_columns_and_can_take_the_row_number_as_id(open_app, digits_copy, tmp_path):
    path = put(tmp_path, "more.csv", ITEMS.rename(columns={"item_id": "shot"}))
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    assert role_table(at)["label"] == "given_label"

    press(at, "Take the row number as id")
    press(at, "Load 300 rows")
    assert describe_workspace(workspace_at(digits_copy)).overall.items == 2097


def test_a_role_is_corrected_where_the_file_was_refused(open_app, digits_copy, tmp_path, monkeypatch):
    path = put(tmp_path, "more.csv", ITEMS.rename(columns={"item_id": "shot"}))

    def edit(table, **_settings):
        roles = [
            "item_id" if name == "shot" else role for name, role in zip(table["Column"], table["Role"], strict=True)
        ]
        return {**table, "Role": roles}

    monkeypatch.setattr("streamlit.data_editor", edit)
    at = settle(open_app(digits_copy, "data", adding=adding(path)))
    assert at.session_state["adding"].options.roles == (("item_id", "shot"),)
    assert any(button.label == "Load 300 rows" for button in at.button)


def test_a_role_can_be_emptied_and_moved():
    beside = ("a", "b")
    assert correct_roles([], [Correction("a", None, beside)]) == (("feature", "a"),)
    assert correct_roles([("batch", "a")], [Correction("a", None, beside)]) == ()
    assert correct_roles([("item_id", "@row")], [Correction("b", "item_id", beside)]) == (("item_id", "b"),)
    assert correct_roles([("vote", "a")], [Correction("b", "vote", beside)]) == (("vote", "a"), ("vote", "b"))


def test_only_who_started_a_job_may_cancel_it_and_other_workspaces_hold_nobody_up(open_app, digits_copy):
    began, go = threading.Event(), threading.Event()

    def work(_watch):
        began.set()
        go.wait(60)

    running = queries.jobs().start((digits_copy, "load"), "Loading the files", work)
    assert began.wait(30)
    labels = [button.label for button in open_app(digits_copy, "data").button]
    mine = [button.label for button in open_app(digits_copy, "data", **{"load job": running}).button]
    go.set()
    assert running.wait(30)
    assert ("Cancel" in labels, "Cancel" in mine) == (False, True)

    go.clear()
    other = queries.jobs().start(("other", "load"), "Other", lambda _watch: go.wait(60))
    queries.jobs().start((digits_copy, "load"), "Loading the files", lambda _watch: None)
    at = open_app(digits_copy, "data")
    go.set()
    assert other.wait(30)
    assert at.file_uploader, "a job that waits for another workspace's leaves the pages alone"


@pytest.mark.parametrize("path", ["~nosuch/x.csv", "a\0b.csv"])
def test_what_is_no_path_is_said(tmp_path, path):
    with pytest.raises(AnalysisError, match="no path to a file"):
        find_in_root(path, tmp_path)


@pytest.mark.parametrize("name", ["n" * 300 + ".csv", "..", "a\0b.csv"])
def test_an_upload_that_cannot_be_kept_is_said_and_leaves_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    upload = io.BytesIO(b"x")
    upload.name = name
    with pytest.raises(AnalysisError, match="could not be kept"):
        keep_uploads([upload])
    assert not list(tmp_path.iterdir())


def test_uploads_go_with_the_session_that_held_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    upload = io.BytesIO(b"x")
    upload.name = "more.csv"
    kept = keep_uploads([upload])
    assert kept.paths[0].read_bytes() == b"x"

    del kept
    gc.collect()
    assert not list(tmp_path.iterdir())
