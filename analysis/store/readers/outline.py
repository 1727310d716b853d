"""Where the records of a delimited text are, which of its lines are faulty, and what the database is to read.

Blocks that are plainly well formed are only scanned; any other block is split record by record, and from then on
the good records go to a copy. A text without such a block is read by the database as it stands.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import numpy as np

from analysis.errors import FileFaultError
from analysis.store.readers.records import Record, choose_delimiter, split_records
from analysis.store.readers.scan import CARRIAGE_RETURN_LINE_FEED, LINE_FEED, Plain, Shape, scan_records
from analysis.store.readers.scratch import Lines, Reject, check_wanted

__all__ = ["MAX_RECORD_BYTES", "Outline", "outline_text"]

MAX_RECORD_BYTES: Final = 1 << 26
_BLOCK_BYTES: Final = 1 << 18
_LARGEST_BLOCK_BYTES: Final = 1 << 22
_BOM: Final = b"\xef\xbb\xbf"
# What Excel writes above the header of a file whose delimiter is not that of the country.
_SEP_LINE: Final = re.compile(r'"?sep=([\t,;|:~^!#&*/])"?\s*', re.IGNORECASE)
_QUOTED: Final = re.compile(rb'"[^"]*(?:"|$)')
_BREAKS: Final = b"\r\n"
_CHECKED_ROWS: Final = 1 << 14


@dataclass
class Outline:
    """What a delimited text holds.

    Attributes
    ----------
    file
        What the database is to read: the text itself, or a copy of its good records.
    names, delimiter, line_end
        The header, and how values and lines end in ``file``.
    skipped
        Lines before the first record of ``file``.
    returns
        The lines of the text end in a carriage return alone, as on old Macs.
    rows, rejects, lines
        The good records, the faulty ones, and where the good ones begin.
    longest
        The bytes of the longest good record, or a little more.
    quoted
        A quote stands in some record.
    """

    file: Path
    names: tuple[str, ...]
    delimiter: str
    line_end: str
    skipped: int
    returns: bool = False
    rows: int = 0
    rejects: list[Reject] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
    longest: int = 0
    quoted: bool = False


def outline_text(text: Path, name: str, copy: Path) -> Outline:
    """Find the records of a text.

    Parameters
    ----------
    text
        A file in valid UTF-8, with or without byte order mark.
    name
        What the user calls it.
    copy
        Where a copy may be written.

    Returns
    -------
    Outline

    Raises
    ------
    FileFaultError
        If the text is empty, has no usable header, has an unclosed quote, is cut off, holds zero bytes, or has a
        line that is too long for any table.
    """
    with ExitStack() as stack:
        return_ends = _ends_in_returns(text, name)
        if return_ends:
            lines: _Lines = _ReturnLines(stack.enter_context(text.open(encoding="utf-8-sig", newline="")), name)
        else:
            lines = _Lines(stack.enter_context(text.open("rb")), name)
        outline, header = _read_header(lines, text, name)
        outline.returns = return_ends
        walk = _Walk(lines, outline, name, copy, stack)
        if return_ends or len(outline.names) == 1:
            # In one column a blank line is no record, which takes a look at each.
            walk.take_slowly(None)
        else:
            walk.take_all(header)
        return outline


class _Lines:
    """The lines of a text, and how far they were read: a line ends in a line feed."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.number = 0
        self.place = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
        self.record = self.place
        self.resume()

    def resume(self) -> None:
        """Go on behind what was taken, wherever else was read meanwhile; a record begins here."""
        self.file.seek(self.place)
        self.record = self.place

    def __iter__(self) -> Iterator[str]:
        while line := self.file.readline(MAX_RECORD_BYTES + 1):
            self._take(len(line))
            yield line.decode()

    def _take(self, length: int) -> None:
        """Count a line, unless it or the record that it belongs to is too long for any table."""
        self.number += 1
        self.place += length
        _check_length(self.name, self.number, length)
        if self.place - self.record > MAX_RECORD_BYTES:
            raise FileFaultError(
                f"{self.name}: a row that goes on to line {self.number:,} is longer than {MAX_RECORD_BYTES >> 20} MB. "
                "Most likely a quote before it is never closed: close it, or export the file again."
            )


class _ReturnLines(_Lines):
    """The lines of a text that end in a carriage return, a line feed or both."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.text = file
        self.name = name
        self.number = self.place = self.record = 0

    def resume(self) -> None:
        """Nothing else is ever read."""

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(MAX_RECORD_BYTES + 1):
            self._take(len(line))
            yield line


def _check_length(name: str, number: int, length: int) -> None:
    if length > MAX_RECORD_BYTES:
        raise FileFaultError(
            f"{name}: line {number:,} is longer than {MAX_RECORD_BYTES >> 20} MB, too long for a row of a table. "
            "Keep what is so long in files of its own and name them in a column, or export the file again."
        )


def _ends_in_returns(text: Path, name: str) -> bool:
    """Only where the lines end in it is a carriage return a line break; else it is part of a value."""
    with text.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(MAX_RECORD_BYTES + 1)
    _check_length(name, 1, len(first))
    return first.endswith("\r")


def _read_header(lines: _Lines, text: Path, name: str) -> tuple[Outline, Record]:
    """Read up to the end of the header."""
    source = iter(lines)
    first = next((line for line in source if line.strip()), "")
    said = _SEP_LINE.fullmatch(first)
    if said:
        first = next((line for line in source if line.strip()), "")
    if not first:
        raise FileFaultError(f"{name} is empty. Export it again.")
    if "\x00" in first:
        raise FileFaultError(f"{name} is not a text file: its first line holds zero bytes.")
    delimiter = said[1] if said else choose_delimiter(first)
    header = next(split_records(chain([first], source), delimiter, first=lines.number))
    _check_quotes(name, header)
    if header.fault:
        raise FileFaultError(f"{name}: a quote in the header is not doubled. Export it again.")
    names = tuple(value.strip() for value in header.split(delimiter))
    ending = "\r\n" if first.endswith("\r\n") else "\n"
    return Outline(text, names, delimiter, ending, skipped=lines.number), header


def _check_quotes(name: str, record: Record) -> None:
    """Refuse a file with a quote that is never closed: it would swallow every row after it."""
    if record.fault == "open":
        raise FileFaultError(
            f"{name} has a quote that is never closed, opened on line {record.line:,}. "
            "Close it, or export the file again."
        )


def _describe_fault(name: str, record: Record, width: int) -> str:
    if record.fault:
        return "a quote inside a quoted value is not doubled"
    values = f"{record.width} value{'s' * (record.width != 1)}"
    if not record.ended and record.width < width:
        raise FileFaultError(
            f"{name} is cut off: its last line, {record.line:,}, has {values} for {width} columns. Export it again."
        )
    return f"{values} for {width} columns"


class _Walk:
    """One way through the records behind the header."""

    def __init__(self, lines: _Lines, outline: Outline, name: str, copy: Path, stack: ExitStack) -> None:
        self.lines = lines
        self.outline = outline
        self.name = name
        self._copy = copy
        self._stack = stack
        self._target: BinaryIO | None = None
        self._first = lines.place

    def take_all(self, header: Record) -> None:
        """Take the records block by block, as fast as each block allows."""
        file, outline = self.lines.file, self.outline
        head = _QUOTED.sub(b"", file.read(_BLOCK_BYTES))
        line_end = outline.line_end.encode()
        if b"\n" in head:
            line_end = CARRIAGE_RETURN_LINE_FEED if 2 * head.count(b"\r\n") > head.count(b"\n") else LINE_FEED
        if line_end.decode() != outline.line_end:
            outline.line_end = line_end.decode()
            self._start_copy()
        # The database skips plain lines, and counts blank ones in its own way.
        elif header.line > 1 or header.line != self.lines.number:
            self._start_copy()
        shape = Shape(outline.delimiter.encode(), len(outline.names), line_end)
        wanted = _BLOCK_BYTES
        while True:
            check_wanted()
            self.lines.resume()
            data = file.read(wanted)
            at_end = len(data) < wanted
            if at_end and not data.strip(_BREAKS):
                return
            trimmed = _end_well(data, line_end) if at_end else data
            plain = scan_records(trimmed, shape)
            if plain is not None and plain.end:
                self._take_plain(trimmed, plain)
                # What was added to the data, or taken away from it, lies at the very end of the text.
                self.lines.place += len(data) if at_end and plain.end == len(trimmed) else plain.end
                wanted = _BLOCK_BYTES
            elif plain is not None and not at_end and wanted < _LARGEST_BLOCK_BYTES:
                wanted *= 2
            else:
                self.take_slowly(self.lines.place + (_BLOCK_BYTES if plain is None else 1))
                wanted = _BLOCK_BYTES

    def _take_plain(self, data: bytes, plain: Plain) -> None:
        outline = self.outline
        row, line = outline.rows + 1, self.lines.number + 1
        if plain.begins is None:
            outline.lines.add(row, line)
        else:
            shifts = line - row + plain.begins - np.arange(plain.records)
            before = outline.lines.shifts[-1] if outline.lines.shifts else 0
            changed = np.flatnonzero(np.diff(shifts, prepend=before))
            outline.lines.rows.extend((row + changed).tolist())
            outline.lines.shifts.extend(shifts[changed].tolist())
        outline.rows += plain.records
        outline.longest = max(outline.longest, plain.longest)
        outline.quoted |= plain.quoted
        self.lines.number += plain.lines
        if self._target is not None:
            self._target.write(memoryview(data)[: plain.end])

    def take_slowly(self, until: int | None) -> None:
        """Take records one by one, until one ends at or behind a place, or to the end; the good ones are copied."""
        target = self._start_copy()
        outline, name = self.outline, self.name
        width, line_end = len(outline.names), outline.line_end.encode()
        self.lines.resume()
        for record in split_records(self.lines, outline.delimiter, first=self.lines.number + 1):
            self.lines.record = self.lines.place
            if not outline.rows % _CHECKED_ROWS:
                check_wanted()
            _check_quotes(name, record)
            if "\x00" in record.text:
                raise FileFaultError(
                    f"{name} is damaged: there are zero bytes in the row that begins on line {record.line:,}. "
                    "Export it again."
                )
            if record.fault or record.width != width:
                outline.rejects.append(Reject(record.line, None, _describe_fault(name, record, width)))
            else:
                text = record.text.encode()
                outline.rows += 1
                outline.lines.add(outline.rows, record.line)
                outline.longest = max(outline.longest, len(text))
                outline.quoted |= b'"' in text
                target.write(text[:-1] + line_end)
            if until is not None and self.lines.place >= until:
                return

    def _start_copy(self) -> BinaryIO:
        """From here on good records are written to a copy, behind all those before."""
        if self._target is None:
            self._target = self._stack.enter_context(self._copy.open("wb"))
            self._copy_before(self._target, self.lines.place - self._first)
            self.outline.file, self.outline.skipped = self._copy, 0
        return self._target

    def _copy_before(self, target: BinaryIO, length: int) -> None:
        with self.outline.file.open("rb") as source:
            source.seek(self._first)
            while length > 0:
                check_wanted()
                block = source.read(min(length, _LARGEST_BLOCK_BYTES))
                target.write(block)
                length -= len(block)


def _end_well(data: bytes, line_end: bytes) -> bytes:
    """Return the end of a text with exactly one line end behind it: it may lack one, or have blank lines there."""
    bare = data.rstrip(_BREAKS)
    if data.endswith(line_end):
        return bare + line_end if data[len(bare) :] == line_end * (data.count(b"\n", len(bare))) else data
    return data + line_end if len(bare) == len(data) else data
