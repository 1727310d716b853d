"""What openpyxl does not tell of a sheet while it streams it: merged cells, and formulas that were never computed.

Both stand in the sheet's XML in one form only (ECMA-376, part 1, sections 18.3.1.4 and 18.3.1.55), so they are
looked for in its text, a piece at a time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

__all__ = ["SheetMarks", "find_marks"]

_PIECE: Final = 1 << 20
_LONGEST_CELL: Final = 1 << 16
"""No cell's text is longer (32,767 characters), so two pieces overlap by this much."""

_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_FORMULA: Final = re.compile(
    rb"<((?:\w+:)?)c\b([^>]*)>\s*<\1f\b(?:[^>]*/>|[^>]*>[^<]*</\1f>)\s*(?:<\1v\s*/>|<\1v[^>]*>([^<]*)</\1v>)?"
)
_PLACE: Final = re.compile(rb'\br="([A-Z]+\d+)"')
_TEXT: Final = re.compile(rb'\bt="str"')


@dataclass
class SheetMarks:
    """What was found.

    Attributes
    ----------
    merged
        The ranges of merged cells, as (first row, last row, "A3:B4").
    uncomputed
        The first cell whose formula has no value, or None.
    zero
        The first cell whose formula has the value 0, which is also what some programs write for "not computed yet".
    """

    merged: list[tuple[int, int, str]] = field(default_factory=list)
    uncomputed: str | None = None
    zero: str | None = None


def find_marks(sheet: IO[bytes]) -> SheetMarks:
    """Look through the XML of a sheet.

    Parameters
    ----------
    sheet
        Read once, to its end.

    Returns
    -------
    SheetMarks

    Examples
    --------
    >>> from io import BytesIO
    >>> find_marks(BytesIO(b'<c r="B2"><f>A2+1</f><v></v></c><mergeCell ref="A3:A5"/>'))
    SheetMarks(merged=[(3, 5, 'A3:A5')], uncomputed='B2', zero=None)
    """
    marks = SheetMarks()
    for text, limit in _read_pieces(sheet):
        for found in _MERGED.finditer(text):
            if found.start() < limit:
                first, top, last, bottom = (part.decode() for part in found.groups())
                marks.merged.append((int(top), int(bottom), f"{first}{top}:{last}{bottom}"))
        if b"f" in text and (marks.uncomputed is None or marks.zero is None):
            _find_formulas(text, limit, marks)
    return marks


def _find_formulas(text: bytes, limit: int, marks: SheetMarks) -> None:
    for found in _FORMULA.finditer(text):
        place = _PLACE.search(found[2])
        if found.start() >= limit or place is None:
            continue
        computed = (found[3] or b"").strip()
        # A formula whose value is the empty text has been computed.
        if not computed and not _TEXT.search(found[2]):
            marks.uncomputed = marks.uncomputed or place[1].decode()
        elif computed == b"0":
            marks.zero = marks.zero or place[1].decode()


def _read_pieces(sheet: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield pieces that overlap, each with the place up to which what begins is its own."""
    text = sheet.read(_PIECE)
    while True:
        more = sheet.read(_PIECE)
        if not more:
            yield text, len(text)
            return
        limit = max(0, len(text) - _LONGEST_CELL)
        yield text, limit
        text = text[limit:] + more
