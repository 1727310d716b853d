"""Workbooks as people keep them: titles, notes, hidden sheets, formulas, errors, merged cells, lost digits."""

import io
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from openpyxl.worksheet.datavalidation import DataValidation

from analysis.errors import FileFaultError
from analysis.store.readers import workbook
from analysis.store.readers.workbook import read_workbook
from analysis.store.readers.workbook_xml import find_marks

HEADER = ["item_id", "label", "age"]
MOMENT = datetime(2026, 3, 1, 7, 30)  # noqa: DTZ001  (a workbook knows no zones)


@pytest.fixture
def make(tmp_path):
    """Write a workbook with openpyxl: sheet name to rows, then whatever else is to be done to it."""

    def write(sheets, change=None, name="x.xlsx"):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        if change is not None:
            change(book)
        book.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def read():
    opened = []

    def run(path):
        found = []
        for scratch, table in read_workbook(path, None):
            opened.append(scratch)
            rows = scratch.connection.execute("SELECT * EXCLUDE (row) FROM raw ORDER BY row").fetchall()
            found.append((rows, table))
        return found

    yield run
    for scratch in opened:
        scratch.close()


def refusal(path):
    with pytest.raises(FileFaultError) as caught:
        read_workbook(path, None)
    assert "\n" not in caught.value.message
    return caught.value.message


# --- Cells


@pytest.mark.parametrize(
    ("cells", "stored", "kept"),
    [
        (["007", "0012"], "VARCHAR", ["007", "0012"]),
        (["007", 8], "VARCHAR", ["007", "8"]),
        ([7.0, 8], "BIGINT", [7, 8]),
        ([7.0, "x"], "VARCHAR", ["7", "x"]),
        ([7.25, 8], "DOUBLE", [7.25, 8.0]),
        ([7.25, "x"], "VARCHAR", ["7.25", "x"]),
        ([True, None], "BOOLEAN", [True, None]),
        ([True, "x"], "VARCHAR", ["True", "x"]),
        ([MOMENT, date(2026, 3, 2)], "TIMESTAMP", [MOMENT, datetime(2026, 3, 2)]),  # noqa: DTZ001
        ([MOMENT, date(2026, 3, 2), "soon"], "VARCHAR", ["2026-03-01 07:30:00", "2026-03-02", "soon"]),
        ([time(7, 30)], "VARCHAR", ["07:30:00"]),
        ([timedelta(minutes=3, seconds=36)], "BIGINT", [216]),
        (["#N/A", 3, "#REF!"], "BIGINT", [None, 3, None]),
        (["  ", 3], "BIGINT", [None, 3]),
        ([" x ", "é\U0001f600"], "VARCHAR", [" x ", "é\U0001f600"]),
        ([1e20, 0.5], "DOUBLE", [1e20, 0.5]),
        ([-5, 999_999_999_999_999], "BIGINT", [-5, 999_999_999_999_999]),
    ],
)
def test_cells_are_what_they_hold(make, read, cells, stored, kept):
    ((rows, table),) = read(make({"S": [["id", "v"], *([f"i{k}", cell] for k, cell in enumerate(cells))]}))

    assert table.types[1] == stored
    assert [row[1] for row in rows] == kept


def test_a_workbook_of_many_blocks_is_what_pandas_reads(make, read, monkeypatch):
    monkeypatch.setattr(workbook, "_BLOCK_ROWS", 7)
    rows = [[f"{k:04d}", "ab"[k % 2], k / 4 if k % 5 else None, MOMENT + timedelta(days=k)] for k in range(100)]
    path = make({"S": [["id", "label", "x", "seen"], *rows]})

    ((found, _table),) = read(path)

    frame = pd.read_excel(path, dtype={"id": str}).astype(object)
    assert found == [tuple(None if pd.isna(v) else v for v in row) for row in frame.itertuples(index=False, name=None)]


def test_texts_of_every_kind_of_writer_are_read(tmp_path, read):
    path = tmp_path / "x.xlsx"
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet("S")
    bold = book.add_format({"bold": True})
    sheet.write_row(0, 0, ["id", "label", "rich"])
    sheet.write_string(1, 0, "007")
    sheet.write_formula(1, 1, '="a"&"b"', None, "ab")
    sheet.write_rich_string(1, 2, "some ", bold, "bold", " text")
    book.close()

    ((rows, _table),) = read(path)

    assert rows == [("007", "ab", "some bold text")]


def test_a_workbook_that_counts_from_1904_has_the_same_dates(tmp_path, read):
    path = tmp_path / "x.xlsx"
    book = xlsxwriter.Workbook(path, {"date_1904": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["id", "seen"])
    sheet.write_row(1, 0, ["a"])
    sheet.write_datetime(1, 1, MOMENT, book.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
    book.close()

    assert read(path)[0][0] == [("a", MOMENT)]


def test_errors_are_missing_and_counted(make, read):
    ((rows, table),) = read(make({"S": [HEADER, ["a", "x", "#N/A"], ["b", "#DIV/0!", 3]]}))

    assert rows == [("a", "x", None), ("b", None, 3)]
    assert table.notes == ("2 cells with errors are missing, first #N/A in C2.",)


# --- Where the table is


def test_the_header_is_found_below_titles_and_rows_keep_their_excel_numbers(make, read):
    rows = [["Export of March"], [], ["by Ana"], [], HEADER, ["a", "x", 1], [], [None, " "], ["b", "y", 2]]

    ((found, table),) = read(make({"S": rows}))

    assert (table.names, found) == (tuple(HEADER), [("a", "x", 1), ("b", "y", 2)])
    assert [table.lines.find(row) for row in (1, 2)] == [6, 9]
    assert table.notes == ("The header is row 5; what stands above it in single cells was left out.",)


def test_columns_that_are_empty_are_dropped_whether_they_end_the_table_or_not(make, read):
    rows = [["item_id", None, "label ", None, None], ["a", None, "x", "", None], ["b", None, "y"]]

    ((found, table),) = read(make({"S": rows}))

    assert (table.names, found) == (("item_id", "label"), [("a", "x"), ("b", "y")])


def test_numbers_and_dates_may_be_names(make, read):
    ((_rows, table),) = read(make({"S": [["item_id", 7.0, date(2026, 3, 1), True], ["a", 1, 2, 3]]}))

    assert table.names == ("item_id", "7", "2026-03-01", "True")


def test_every_sheet_with_a_table_is_a_part(make, read):
    sheets = {
        "items": [HEADER, ["a", "x", 1]],
        "empty": [],
        "votes": [["item_id", "annotator", "label"], ["a", "ana", "x"]],
    }

    found = read(make(sheets))

    assert [(table.part, rows) for rows, table in found] == [("items", [("a", "x", 1)]), ("votes", [("a", "ana", "x")])]
    assert all(table.notes == () for _rows, table in found)


def test_hidden_sheets_and_notes_are_left_out_and_named(make, read):
    def hide(book):
        book["_labels"].sheet_state = "hidden"
        book["_meta"].sheet_state = "veryHidden"

    sheets = {
        "Guide": [["Label", "Definition"], ["x", "an x"]],
        "Tasks": [HEADER, ["a", "x", 1]],
        "one": [["only"], ["this"]],
        "_labels": [["item_id", "label"], ["z", "x"]],
        "_meta": [["item_id", "label"], ["z", "x"]],
        "bare": [HEADER],
    }

    ((_rows, table),) = read(make(sheets, hide))

    assert table.part == "Tasks"
    assert table.notes == (
        "The sheet 'Guide' was left out: it has no ids.",
        "The sheet 'one' was left out: it has a single column.",
        "The hidden sheet '_labels' was left out.",
        "The hidden sheet '_meta' was left out.",
        "The sheet 'bare' was left out: below its first filled row there are no others.",
    )


def test_a_sheet_named_notes_that_holds_ids_is_read(make, read):
    assert [table.part for _rows, table in read(make({"Notes": [HEADER, ["a", "x", 1]]}))] == ["Notes"]


def test_a_table_that_states_too_small_a_size_is_read_whole(make, read, tmp_path):
    path = make({"S": [HEADER, *([f"i{k}", "x", k] for k in range(20))]})
    rewrite(path, "xl/worksheets/sheet1.xml", b'<dimension ref="A1:C21"', b'<dimension ref="A1:A1"')

    ((rows, _table),) = read(path)

    assert len(rows) == 20
    assert rows[-1] == ("i19", "x", 19)


def test_what_openpyxl_warns_of_is_no_fault(make, read):
    def decorate(book):
        sheet = book["S"]
        sheet.add_data_validation(DataValidation(type="list", formula1='"x,y"'))
        sheet.auto_filter.ref = "A1:C2"
        sheet.freeze_panes = "A2"
        sheet.row_dimensions[2].hidden = True
        sheet.protection.enable()

    ((rows, _table),) = read(make({"S": [HEADER, ["a", "x", 1]]}, decorate))

    assert rows == [("a", "x", 1)]


# --- What a workbook has lost


def rewrite(path, member, old, new):
    """Replace bytes, if they are there, in one member of a zip."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = members[member].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_merged_cells_are_noted_where_they_lie_in_the_table(make, read):
    def merge(book):
        book["S"].merge_cells("A1:C1")
        book["S"].merge_cells("A3:A4")

    ((rows, table),) = read(make({"S": [["A title"], HEADER, ["a", "x", 1], ["b", "y", 2]]}, merge))

    assert rows == [("a", "x", 1), (None, "y", 2)]
    assert table.notes[-1] == "Of merged cells only the first holds the value, the others are missing: A3:A4."


def test_a_formula_that_was_never_computed_is_refused_with_its_cell(make):
    path = make({"S": [HEADER, ["a", "x", 1], ["b", "y", "=C2+1"]]})

    assert refusal(path) == (
        "x.xlsx, sheet 'S': C3 holds a formula that was never computed. Open the workbook in Excel or LibreOffice, save "
        "it, and load it again, or hide the sheet to leave it out."
    )


@pytest.mark.parametrize(("computed", "kept"), [(7, 7), (0, 0), ("", None), ("done", "done")])
def test_formulas_are_their_last_value_unless_that_is_a_placeholder(tmp_path, read, computed, kept):
    path = tmp_path / "x.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("S")
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["a", "x"])
    sheet.write_formula(1, 2, "=1+1", None, computed)
    book.close()

    # XlsxWriter writes 0, or on wish nothing, where it knows no value, and asks Excel to compute everything.
    if not computed:
        assert "C2 holds a formula that was never computed" in refusal(path)
        rewrite(path, "xl/workbook.xml", b' fullCalcOnLoad="1"', b"")
        rewrite(
            path, "xl/worksheets/sheet1.xml", b'<c r="C2"><f>1+1</f><v></v>', b'<c r="C2" t="str"><f>1+1</f><v></v>'
        )
    assert read(path)[0][0] == [("a", "x", kept)]


@pytest.mark.parametrize("piece", [70_000, 1 << 20])
def test_marks_are_found_wherever_a_piece_ends(monkeypatch, piece):
    monkeypatch.setattr("analysis.store.readers.workbook_xml._PIECE", piece)
    filler = b"<c r='A1' t='s'><v>1</v></c>" * 4000
    for shift in range(0, 60, 7):
        text = filler + b" " * shift + b'<x:c r="B7" s="2"><x:f>A1+1</x:f><x:v></x:v></x:c>' + filler
        text += b'<c r="B8" t="str"><f>A1</f><v></v></c><mergeCells><mergeCell ref="A10:B12"/></mergeCells>'

        marks = find_marks(io.BytesIO(text))

        assert (marks.uncomputed, marks.zero, marks.merged) == ("B7", None, [(10, 12, "A10:B12")])


@pytest.mark.parametrize(
    ("number", "cell"), [(1234567890123456000, "A3"), (1.2345678901234568e18, "A3"), (1234567890123450, "A3")]
)
def test_ids_that_lost_digits_as_numbers_are_refused(make, number, cell):
    message = refusal(make({"S": [HEADER, [12, "x", 1], [number, "y", 2]]}))

    assert message == (
        f"x.xlsx, sheet 'S': {cell} in column 'item_id' is a number of more than 15 digits, of which a workbook keeps "
        "15. Export the ids as text."
    )


def test_long_ids_that_a_program_wrote_in_full_are_kept(make, read):
    ids = [1234567890123456, 1234567890123450, 8234567890123457]

    ((rows, table),) = read(make({"S": [HEADER, *([number, "x", 1] for number in ids)]}))

    assert [row[0] for row in rows] == ids
    assert table.notes == ()


def test_long_ids_as_text_are_kept(make, read):
    ((rows, _table),) = read(make({"S": [HEADER, ["1234567890123456789", "x", 1]]}))

    assert rows[0][0] == "1234567890123456789"


def test_long_numbers_elsewhere_are_noted(make, read):
    ((_rows, table),) = read(make({"S": [HEADER, ["a", "x", 1234567890123450000], ["b", "x", 5]]}))

    assert table.notes == (
        "Column 'age' holds numbers of more than 15 digits, of which a workbook keeps 15: 1, first in C2.",
    )


# --- End to end


def test_sheets_of_one_workbook_are_items_predictions_and_votes(desk, make, make_items, make_predictions, make_votes):
    frames = {"items": make_items(), "predictions": make_predictions(), "votes": make_votes()}
    with pd.ExcelWriter(desk.folder / "all.xlsx", engine="xlsxwriter") as writer:
        # Their order does not matter.
        for name in ("votes", "predictions", "items"):
            frames[name].to_excel(writer, sheet_name=name, index=False)

    report = desk.load(desk.folder / "all.xlsx")

    assert [file.kind for file in report.files] == ["votes", "predictions", "items"]
    assert [file.tally.kept for file in report.files] == [len(frames[file.kind]) for file in report.files]
    again = desk.load(desk.put("train.csv", make_items()))
    assert again.changed is False


def test_a_vendors_workbook_loads_end_to_end(desk, make):
    rows = [["Batch 7"], [], ["item_id", "label", "age", "when"]]
    rows += [[f"{k:03d}", "ab"[k % 2], k, MOMENT + timedelta(hours=k)] for k in range(40)]
    path = make({"Read me": [["Please"], ["return"]], "Batch 7": rows})

    report = desk.load(path)

    assert report.files[0].tally.kept == 40
    found = desk.ask(
        "SELECT i.item_id, i.given_label, f.age, f.when FROM items i JOIN features f USING (item) ORDER BY item"
    )
    assert found == [tuple(row) for row in rows[3:]]


def test_a_row_without_an_id_is_rejected_with_its_number_in_excel(desk, make):
    rows = [["A title"], HEADER, *([f"i{k}", "x", k] for k in range(150)), [], [None, "x", 5]]

    report = desk.load(make({"S": rows}))

    assert [(reject.line, reject.reason) for reject in report.files[0].tally.rejects] == [(154, "no id")]
