"""Workbooks that cannot be read are refused with the cell, or with what they are instead."""

import zipfile

import openpyxl
import pytest

from analysis.errors import FileFaultError
from analysis.store.readers.workbook import read_workbook

HEADER = ["item_id", "label", "age"]


@pytest.fixture
def make(tmp_path):
    """Write a workbook with openpyxl: sheet name to rows."""

    def write(sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "x.xlsx")
        return tmp_path / "x.xlsx"

    return write


def rewrite(path, member, old, new):
    """Replace bytes, if they are there, in one member of a zip."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = members[member].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [["item_id", None, "label"], ["a", None, "x"], ["b", 5, "y"]],
            "x.xlsx, sheet 'S': B1 has no name, and B3 below it is filled. Name the column, or hide the sheet to leave it out.",
        ),
        ([[None, "item_id", "label"], [0, "a", "x"]], "x.xlsx, sheet 'S': A1 has no name, and A2 below it is filled."),
        ([HEADER, ["a", "x", 1, "more"]], "x.xlsx, sheet 'S': D1 has no name, and D2 below it is filled."),
        (
            [["item_id", "label", "Label "], ["a", "x", "y"]],
            "x.xlsx, sheet 'S': B1 and C1 name the columns 'label' and 'Label', which differ at most in case. Rename one",
        ),
        ([], "x.xlsx has no sheet with a table, a header and rows below it. Its sheets are empty."),
        ([HEADER], "x.xlsx has no sheet with a table, a header and rows below it. The sheet 'S' was left out: below its"),
        ([["id"], ["a"]], "x.xlsx has no sheet with a table, a header and rows below it. The sheet 'S' was left out: it has a"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_the_cell(make, rows, sentence):
    with pytest.raises(FileFaultError) as caught:
        read_workbook(make({"S": rows}), None)

    assert caught.value.message.startswith(sentence)
    assert "\n" not in caught.value.message


def test_a_workbook_that_was_cut_is_refused(make, desk):
    content = make({"S": [HEADER, *([f"i{k}", "x", k] for k in range(500))]}).read_bytes()
    for length in range(5, len(content), len(content) // 12):
        message = desk.refuse(desk.put("cut.xlsx", content[:length]))

        assert message == "cut.xlsx is cut off or damaged. Save or export it again.", length


def test_damage_inside_a_sheet_is_refused(make, desk):
    path = make({"S": [HEADER, ["a", "x", 1]]})
    rewrite(path, "xl/worksheets/sheet1.xml", b"</row>", b"</rwo>")

    assert desk.refuse(path).startswith("x.xlsx is not a whole Excel workbook: ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600),
            "x.xlsx is protected by a password. Save a copy without one.",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "Workbook".encode("utf-16-le"),
            "x.xlsx is an Excel file of before 2007. Open it in Excel and save it as .xlsx.",
        ),
    ],
)
def test_workbooks_of_another_make_are_refused(desk, content, sentence):
    assert desk.refuse(desk.put("x.xlsx", content)) == sentence
