"""CSV: read by others as it was written, and nothing in it runs."""

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.relabel import build_request, to_files
from analysis.relabel.formats.flat_csv import neutralize_cell, restore_cell

ROLES = {"text": "text", "age": "field"}


@pytest.fixture
def write(make_spec, make_candidates, make_content):
    def to(roles=ROLES, columns=None, **changes):
        candidates = make_candidates(6, given_by="dot", likely_label=">50K")
        content = make_content(candidates, **(columns or {}))
        return to_files(build_request(candidates, make_spec(**changes)), content, roles, ["csv"])

    return to


def rows_of(files, name="send/tasks.csv"):
    return list(csv.DictReader(io.StringIO(files.send[name].decode("utf-8-sig"), newline="")))


def test_the_columns_are_those_of_the_contract(write):
    blind = rows_of(write(assignees=()))[0]
    assisted = rows_of(write(assignees=(), mode="assisted"))[0]

    answers = ["new_label", "confidence", "comment", "annotator"]
    assert list(blind) == ["relook_request_id", "relook_task", "relook_text_sha", "text", "age", *answers]
    assert list(assisted) == [
        *("relook_request_id", "relook_task", "relook_item_id", "relook_text_sha", "text", "age"),
        *("suggestion", *answers),
    ]
    assert assisted["suggestion"] == ">50K"


def test_answers_are_empty_and_the_annotator_is_filled_in_for_assignees(write):
    files = write()

    assert {row["annotator"] for row in rows_of(files, "send/tasks-ann.csv")} == {"ann"}
    assert {row["new_label"] for row in rows_of(files, "send/tasks-bob.csv")} == {""}
    assert {row["annotator"] for row in rows_of(write(assignees=()))} == {""}


def test_the_file_has_a_byte_order_mark_and_crlf(write):
    data = write(assignees=()).send["send/tasks.csv"]

    assert data.startswith(b"\xef\xbb\xbfrelook_request_id,")
    assert data.count(b"\r\n") == data.count(b"\n") == 7


def test_awkward_text_is_read_alike_by_csv_and_pandas(write):
    awkward = ["a,b", 'say "x"', "two\nlines", "é 李", "", "x" * 40_000]

    files = write({"text": "text"}, {"text": awkward}, assignees=())

    frame = pd.read_csv(io.BytesIO(files.send["send/tasks.csv"]), dtype=str, keep_default_na=False)
    assert sorted(frame["text"]) == sorted(row["text"] for row in rows_of(files)) == sorted(awkward)
    assert any("1 cells are longer than the 32,767 characters" in note for note in files.notes)


def test_no_cell_and_no_header_starts_a_formula(write):
    evil = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]

    files = write({"=evil": "text", "age": "field"}, {"=evil": evil, "age": -5}, assignees=())

    for row in rows_of(files):
        for name, cell in row.items():
            assert not re.match("[=+@\t\r\n]", name)
            assert not re.match("[=+@\t\r\n]", cell)
            assert not cell.startswith("-") or float(cell) < 0
        assert row["age"] == "-5"
    assert sorted(restore_cell(row["'=evil"]) for row in rows_of(files)) == sorted(evil)
    assert any("6 cells would start a formula" in note for note in files.notes)


@given(st.text(st.sampled_from("'=+-@\t\r\n＝1.e9x ")) | st.text())  # noqa: RUF001 - full width starts formulas too
def test_what_is_neutralised_can_be_restored(text):
    assert restore_cell(neutralize_cell(text)) == text
    assert not re.match("[=+@\t\r\n]", neutralize_cell(text))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_stay_numbers(number):
    text = repr(number)

    assert neutralize_cell(text) == text


def test_columns_named_like_ours_get_a_prefix_and_a_note(write):
    columns = {"annotator": "a07", "id": "x", "new_label": "y"}

    files = write(dict.fromkeys(columns, "field"), columns, assignees=())

    row = rows_of(files)[0]
    assert (row["data_annotator"], row["data_id"], row["data_new_label"]) == ("a07", "x", "y")
    assert (row["annotator"], row["new_label"]) == ("", "")
    assert "Column 'annotator' is called 'data_annotator' in the CSV file." in files.notes


def test_images_are_files_named_by_task_and_their_cells_say_where(write, small_png, large_png):
    columns = {"front": [small_png] * 6, "back": [large_png, None] * 3}

    files = write({"front": "image", "back": "image"}, columns, assignees=())

    for row in rows_of(files):
        assert row["front"] == f"images/{row['relook_task']}-1.png"
        assert files.send["send/" + row["front"]] == small_png
        assert row["back"] in {f"images/{row['relook_task']}-2.png", ""}
    assert sum(data == large_png for data in files.send.values()) == 3


def test_real_census_rows_come_through_to_the_letter(shared_data, make_spec):
    adult = pd.read_parquet(shared_data / "adult" / "eval.parquet").head(300).assign(split="eval")
    columns = [name for name in adult.columns if name not in {"split", "item_id", "label"}]
    content = adult.set_index(["split", "item_id"])[columns]
    candidates = adult[["split", "item_id"]].assign(given_label=adult["label"])
    request = build_request(candidates, make_spec(assignees=()))

    files = to_files(request, content, dict.fromkeys(columns, "field"), ["csv"])

    sent = sorted([row[name] for name in columns] for row in rows_of(files))
    assert sent == sorted(content.astype(str).to_numpy().tolist())
