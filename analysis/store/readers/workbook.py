"""Excel workbooks: every sheet that holds a table is a part of the file.

A cell is read as it is: text stays text (``007``), whole numbers are whole (7.0 is 7), dates are times, a formula
is the value that was last computed. What a workbook cannot say, or has lost, is refused or noted with the cell.
"""

import re
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import openpyxl
from openpyxl.utils import get_column_letter

from analysis.errors import FileFaultError
from analysis.roles import ColumnFacts, Roles, guess_roles
from analysis.store.readers.blocks import Blocks
from analysis.store.readers.notes import list_some
from analysis.store.readers.scratch import Lines, Reading, Scratch, SourceTable, check_wanted
from analysis.store.readers.workbook_cells import Cells, is_empty, to_name
from analysis.store.readers.workbook_xml import SheetMarks, find_marks

__all__ = ["read_workbook"]

_BLOCK_ROWS: Final = 10_000
_NARROWEST: Final = 2
_ASIDE: Final = re.compile(
    r"guide(lines?)?|read ?me|notes?|instructions?|legend|about|info|help|start[ _]?here|change ?log|cover|title"
)
_LATER: Final = re.compile(rb'\bfullCalcOnLoad="(1|true)"')
_ID_ROLES: Final = ("item_id", "annotator", "group")
_LEAVE_OUT: Final = "or hide the sheet to leave it out"

Row = tuple[int, tuple[Any, ...]]


def read_workbook(path: Path, encoding: str | None) -> Reading:
    """Read a workbook into scratch databases, one for each sheet that holds a table.

    Parameters
    ----------
    path
        An ``.xlsx`` or ``.xlsm`` file.
    encoding
        Not used: a workbook is UTF-8 by definition. Taken so that all readers are called alike.

    Returns
    -------
    Reading
        In the order of the sheets. Hidden sheets are left out, and sheets of notes; the notes of the first part
        say so. A row's line is its number in Excel.

    Raises
    ------
    FileFaultError
        If it is no whole workbook, no sheet holds a table, a filled column has no name or two have the same, a
        formula was never computed, or ids have lost digits as numbers.
    """
    del encoding
    with ExitStack() as stack:
        book = stack.enter_context(_open(path))
        failed = stack.enter_context(ExitStack())
        parts: list[tuple[Scratch, SourceTable]] = []
        aside: list[str] = []
        for sheet in book.worksheets:
            check_wanted()
            part = _read_sheet(path, sheet)
            if isinstance(part, str):
                aside.append(part)
            elif part is not None:
                failed.callback(part[0].close)
                parts.append(part)
        if not parts:
            said = " ".join(aside) or "Its sheets are empty."
            raise FileFaultError(f"{path.name} has no sheet with a table, a header and rows below it. {said}")
        failed.pop_all()
    scratch, table = parts[0]
    parts[0] = (scratch, replace(table, notes=(*table.notes, *aside)))
    return tuple(parts)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    with path.open("rb") as file, warnings.catch_warnings():
        # openpyxl warns of pictures, styles and validations that it would lose on saving; nothing is saved here.
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except Exception as error:
            raise _describe_damage(path, error) from error
        try:
            yield book
        finally:
            book.close()


def _describe_damage(path: Path, error: Exception) -> FileFaultError:
    if isinstance(error, zipfile.BadZipFile | zlib.error | EOFError):
        return FileFaultError(f"{path.name} is cut off or damaged. Save or export it again.")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return FileFaultError(f"{path.name} is not a whole Excel workbook: {reason}. Save or export it again.")


def _read_sheet(path: Path, sheet: Any) -> tuple[Scratch, SourceTable] | str | None:  # noqa: ANN401  (openpyxl has no types)
    """Read a sheet that holds a table; of another, return why it was left out, or None for an empty one."""
    if sheet.sheet_state != "visible":
        return f"The hidden sheet {sheet.title!r} was left out."
    with closing(_draw_rows(path, sheet)) as rows:
        titles, header = _find_header(rows)
        if header is None:
            return f"The sheet {sheet.title!r} was left out: it has a single column." if titles else None
        place = f"{path.name}, sheet {sheet.title!r}"
        named = {index: to_name(cell) for index, cell in enumerate(header[1]) if not is_empty(cell)}
        roles = _guess(tuple(dict.fromkeys(named.values())))
        if _ASIDE.fullmatch(sheet.title.strip().casefold()) and roles.column("item_id") is None:
            return f"The sheet {sheet.title!r} was left out: it has no ids."
        first = next(rows, None)
        if first is None:
            return f"The sheet {sheet.title!r} was left out: below its first filled row there are no others."
        _check_named(place, header[0], named)
        marks = _find_marks(path, sheet)
        _check_computed(path, place, marks)
        cells = Cells(place, header[0], named, {name for role in _ID_ROLES if (name := roles.column(role))})
        scratch, table = _take_in(path, cells, chain([first], rows))
    notes = (*_describe_titles(titles, header[0]), *cells.describe(), *_describe_merged(marks, header[0]))
    return scratch, replace(table, part=sheet.title, dialect={"sheet": sheet.title}, notes=notes)


def _draw_rows(path: Path, sheet: Any) -> Generator[Row]:  # noqa: ANN401  (openpyxl has no types)
    """Yield the rows that are not empty, with their numbers."""
    # Some programs state a smaller table than they write, and the rest would be cut off.
    sheet.reset_dimensions()
    with closing(sheet.iter_rows(values_only=True)) as drawn:
        rows = enumerate(drawn, start=1)
        while True:
            try:
                number, row = next(rows)
            except StopIteration:
                return
            except Exception as error:
                raise _describe_damage(path, error) from error
            if not all(map(is_empty, row)):
                yield number, row


def _find_header(rows: Iterator[Row]) -> tuple[list[int], Row | None]:
    """Return the numbers of the rows above the header, which have one filled cell each, and the header."""
    titles: list[int] = []
    for number, row in rows:
        if sum(not is_empty(cell) for cell in row) >= _NARROWEST:
            return titles, (number, row)
        titles.append(number)
    return titles, None


def _guess(names: Sequence[str]) -> Roles:
    return guess_roles([ColumnFacts(name, "text", 1, 0, 1) for name in names])


def _check_named(place: str, row: int, named: dict[int, str]) -> None:
    seen: dict[str, int] = {}
    for index, name in named.items():
        before = seen.setdefault(name.casefold(), index)
        if before != index:
            one, other = (f"{get_column_letter(at + 1)}{row}" for at in (before, index))
            raise FileFaultError(
                f"{place}: {one} and {other} name the columns {named[before]!r} and {name!r}, which differ at most in "
                f"case. Rename one of them, {_LEAVE_OUT}."
            )


def _find_marks(path: Path, sheet: Any) -> SheetMarks:  # noqa: ANN401  (openpyxl has no types)
    try:
        with sheet._get_source() as text:  # noqa: SLF001  (the one way to a sheet's XML that does not guess its name)
            return find_marks(text)
    except Exception as error:
        raise _describe_damage(path, error) from error


def _check_computed(path: Path, place: str, marks: SheetMarks) -> None:
    # XlsxWriter writes 0 for a value it does not know, and asks for all to be computed when the file is opened.
    cell = marks.uncomputed or (marks.zero if marks.zero and _computes_later(path) else None)
    if cell is not None:
        raise FileFaultError(
            f"{place}: {cell} holds a formula that was never computed. Open the workbook in Excel or LibreOffice, "
            f"save it, and load it again, {_LEAVE_OUT}."
        )


def _computes_later(path: Path) -> bool:
    """Tell whether the program that wrote the workbook left computing to the next one (openpyxl says so of all)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _LATER.search(archive.read("xl/workbook.xml")) is not None
    except (KeyError, OSError, zipfile.BadZipFile):
        return False


def _take_in(path: Path, cells: Cells, rows: Iterator[Row]) -> tuple[Scratch, SourceTable]:
    lines = Lines()
    with Blocks() as blocks, ExitStack() as failed:
        waiting: list[tuple[Any, ...]] = []
        for count, (number, row) in enumerate(rows, start=1):
            lines.add(count, number)
            waiting.append(cells.read(number, row))
            if len(waiting) == _BLOCK_ROWS:
                check_wanted()
                blocks.add(dict(zip(cells.names, zip(*waiting, strict=True), strict=True)))
                waiting = []
        if waiting:
            blocks.add(dict(zip(cells.names, zip(*waiting, strict=True), strict=True)))
        cells.check_digits()
        scratch = Scratch(path)
        failed.callback(scratch.close)
        types = blocks.take_in(scratch)
        failed.pop_all()
    return scratch, SourceTable(cells.names, types, lines=lines)


def _describe_titles(titles: list[int], header: int) -> Iterator[str]:
    if titles:
        yield f"The header is row {header:,}; what stands above it in single cells was left out."


def _describe_merged(marks: SheetMarks, header: int) -> Iterator[str]:
    merged = [area for _top, bottom, area in marks.merged if bottom > header]
    if merged:
        yield f"Of merged cells only the first holds the value, the others are missing: {list_some(merged)}."
