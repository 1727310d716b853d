"""The cells of a sheet below its header: what each holds, and what a workbook has lost."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from openpyxl.utils import get_column_letter

from analysis.errors import FileFaultError
from analysis.store.readers.blocks import spell

__all__ = ["Cells", "is_empty", "to_name"]

_ERRORS: Final = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)
_KEPT_DIGITS: Final = 15  # "Excel specifications and limits": number precision
_LONG: Final = 10**_KEPT_DIGITS


def is_empty(cell: object) -> bool:
    """Tell whether a cell shows nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def to_name(cell: object) -> str:
    """Return a header's cell as the name of a column.

    Examples
    --------
    >>> to_name(" label "), to_name(7.0), to_name(datetime(2026, 3, 1))
    ('label', '7', '2026-03-01')
    """
    return str(spell(_to_value(cell))).strip()


def _to_value(cell: Any) -> Any:  # noqa: ANN401  (one line a type)
    """Return what a cell holds as one of the types that blocks take."""
    if cell is None or isinstance(cell, bool | int | datetime):
        return cell
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < _LONG else cell
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    if isinstance(cell, timedelta):
        return _to_value(cell.total_seconds())
    return str(cell)


class Cells:
    """Reads the rows below a header, and keeps account of what was not as it should be.

    Parameters
    ----------
    place
        The file and sheet, for messages.
    header
        The number of the header's row.
    named
        The names of the columns by their place from 0; a column without one must be empty.
    ids
        The columns whose numbers are names, of which every digit counts.

    Attributes
    ----------
    names
        The columns in order.

    Examples
    --------
    >>> cells = Cells("x.xlsx, sheet 'A'", 1, {0: "id", 2: "n"}, {"id"})
    >>> cells.read(2, ("007", None, 7.0)), cells.read(3, ("008", "", "#N/A", None))
    (('007', 7), ('008', None))
    >>> list(cells.describe())
    ['1 cell with an error is missing, first #N/A in C3.']
    """

    def __init__(self, place: str, header: int, named: Mapping[int, str], ids: Collection[str]) -> None:
        self._place = place
        self._header = header
        self._named = dict(named)
        self._ids = {index for index, name in named.items() if name in ids}
        self._errors = 0
        self._first_error = ""
        self._long: dict[int, tuple[str, int]] = {}
        self._rounded: dict[int, str] = {}
        self._exact: set[int] = set()
        self._fractions: set[int] = set()
        self.names = tuple(named.values())

    def read(self, number: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the values of a row, in the order of ``names``.

        Raises
        ------
        FileFaultError
            If a cell is filled and its column has no name.
        """
        found = dict.fromkeys(self._named)
        for index, cell in enumerate(row):
            if cell is None:
                continue
            value = _to_value(cell)
            if isinstance(value, str) and value in _ERRORS:
                self._first_error = self._first_error or f"{value} in {get_column_letter(index + 1)}{number}"
                self._errors += 1
                value = None
            elif isinstance(value, float) and not value.is_integer():
                self._fractions.add(index)
            elif isinstance(value, int | float) and abs(value) >= _LONG:
                self._note_long(index, number, value)
            if index in found:
                found[index] = value
            elif value is not None:
                self._refuse_unnamed(index, number)
        return tuple(found.values())

    def _refuse_unnamed(self, index: int, number: int) -> None:
        letter = get_column_letter(index + 1)
        raise FileFaultError(
            f"{self._place}: {letter}{self._header} has no name, and {letter}{number} below it is filled. "
            "Name the column, or hide the sheet to leave it out."
        )

    def _note_long(self, index: int, number: int, value: float) -> None:
        """Note a number of more digits than Excel keeps.

        A program that writes workbooks may write more; then they show, at least in one number of the column.
        """
        cell = f"{get_column_letter(index + 1)}{number}"
        if isinstance(value, float):
            self._rounded.setdefault(index, cell)
        elif str(abs(value))[_KEPT_DIGITS:].strip("0"):
            self._exact.add(index)
            return
        first, count = self._long.get(index, (cell, 0))
        self._long[index] = (first, count + 1)

    def check_digits(self) -> None:
        """Check, after the last row, that no id has lost digits.

        Raises
        ------
        FileFaultError
            If one has: two items may have become one.
        """
        for index, (cell, _count) in self._find_long():
            if index in self._ids:
                raise FileFaultError(
                    f"{self._place}: {self._rounded.get(index, cell)} in column {self._named[index]!r} is a number "
                    f"of more than {_KEPT_DIGITS} digits, of which a workbook keeps {_KEPT_DIGITS}. Export the ids as "
                    "text."
                )

    def _find_long(self) -> Iterator[tuple[int, tuple[str, int]]]:
        for index, found in self._long.items():
            # Among fractions such a number is a measurement.
            if index not in self._fractions and (index in self._rounded or index not in self._exact):
                yield index, found

    def describe(self) -> Iterator[str]:
        """Say, after the last row, what a person should know."""
        if self._errors:
            many = "1 cell with an error is" if self._errors == 1 else f"{self._errors:,} cells with errors are"
            yield f"{many} missing, first {self._first_error}."
        for index, (cell, count) in self._find_long():
            yield (
                f"Column {self._named[index]!r} holds numbers of more than {_KEPT_DIGITS} digits, of which a workbook "
                f"keeps {_KEPT_DIGITS}: {count:,}, first in {cell}."
            )
