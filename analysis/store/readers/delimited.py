"""CSV and TSV, read as text only: what the values mean is decided afterwards, with counts.

The dialect is never sniffed by the database: on a small file with one unclosed quote its guess lost good rows.
The file is split into records here, each faulty line is named, and the database reads a copy of the good
records that leaves no choice.
"""

import codecs
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import duckdb

from analysis.errors import FileFaultError
from analysis.store.readers.records import Record, choose_delimiter, split_records
from analysis.store.readers.scratch import Lines, Reject, Scratch, SourceTable
from analysis.store.sql import template, value

__all__ = ["read_delimited"]

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SMALLEST_LINE_LIMIT: Final = 1 << 21
_BYTES_A_CHARACTER: Final = 4


def read_delimited(path: Path, encoding: str | None) -> tuple[Scratch, SourceTable]:
    """Read a delimited text file into a scratch database.

    Parameters
    ----------
    path
        The file.
    encoding
        Its encoding by Python's name, or None for UTF-8 (with or without byte order mark).

    Returns
    -------
    tuple of Scratch and SourceTable
        The table ``raw`` as text, and what was found.

    Raises
    ------
    FileFaultError
        If the file is empty, is not in the encoding, has no usable header, has an unclosed quote or is cut off.
    """
    wanted = _choose_encoding(encoding, path)
    with tempfile.TemporaryDirectory(prefix="relook-") as folder:
        clean = Path(folder) / "clean.csv"
        with _decode(path, wanted) as lines:
            found = _copy_records(path, lines, clean)
        scratch = Scratch(clean)
        try:
            _take_in(scratch, path, clean, found)
        except BaseException:
            scratch.close()
            raise
    types = ("VARCHAR",) * len(found.names)
    return scratch, SourceTable(found.names, types, tuple(found.rejects), lines=found.lines)


def _choose_encoding(encoding: str | None, path: Path) -> str:
    if encoding is None:
        return "utf-8-sig"
    try:
        name = codecs.lookup(encoding).name
        b"a".decode(encoding)
    except UnicodeError:
        pass
    except LookupError as error:
        raise FileFaultError(
            f"There is no text encoding {encoding!r} (for {path.name}). Examples: utf-8, latin-1, utf-16, mac-roman."
        ) from error
    return "utf-8-sig" if name == "utf-8" else encoding


@contextmanager
def _decode(path: Path, encoding: str) -> Iterator[Iterable[str]]:
    """Give the lines of the file; what is no text in this encoding is said, with the place."""
    try:
        with path.open(encoding=encoding, errors="strict", newline="") as lines:
            first = lines.readline()
        # Only where the lines end in it is a carriage return a line break; else it is part of a value.
        newline = "" if first.endswith("\r") else "\n"
        with path.open(encoding=encoding, errors="strict", newline=newline) as lines:
            yield lines
    except UnicodeError as error:
        where = f" at byte {error.start:,}" if isinstance(error, UnicodeDecodeError) else ""
        said = "UTF-8" if encoding == "utf-8-sig" else encoding
        with path.open("rb") as file:
            likely = "utf-16" if file.read(2) in _UTF16 else "latin-1"
        raise FileFaultError(
            f"{path.name} is not {said} text{where}. Name its encoding, for example --encoding {likely}."
        ) from error


@dataclass
class _Found:
    """What splitting the file into records showed."""

    names: tuple[str, ...]
    delimiter: str
    rejects: list[Reject] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
    longest: int = 0


def _copy_records(path: Path, lines: Iterable[str], clean: Path) -> _Found:
    """Write the good records to a copy, and name the others."""
    source = iter(lines)
    number, first = next(((n, line) for n, line in enumerate(source, start=1) if line.strip()), (0, ""))
    if not first:
        raise FileFaultError(f"{path.name} is empty. Export it again.")
    if "\x00" in first:
        raise FileFaultError(f"{path.name} is not a text file: its first line holds zero bytes.")
    delimiter = choose_delimiter(first)
    records = split_records(chain([first], source), delimiter, first=number)
    header = next(records)
    _check_quotes(path, header)
    if header.fault:
        raise FileFaultError(f"{path.name}: a quote in the header is not doubled. Export it again.")
    found = _Found(tuple(name.strip() for name in header.split(delimiter)), delimiter)
    width = len(found.names)
    row = 0
    with clean.open("w", encoding="utf-8", newline="") as target:
        for record in records:
            _check_quotes(path, record)
            if record.fault or record.width != width:
                found.rejects.append(Reject(record.line, None, _describe_fault(path, record, width)))
                continue
            row += 1
            found.lines.add(row, record.line)
            found.longest = max(found.longest, len(record.text))
            target.write(record.text)
    return found


def _check_quotes(path: Path, record: Record) -> None:
    """Refuse a file with a quote that is never closed: it would swallow every row after it."""
    if record.fault == "open":
        raise FileFaultError(
            f"{path.name} has a quote that is never closed, opened on line {record.line:,}. "
            "Close it, or export the file again."
        )


def _describe_fault(path: Path, record: Record, width: int) -> str:
    if record.fault:
        return "a quote inside a quoted value is not doubled"
    values = f"{record.width} value{'s' * (record.width != 1)}"
    if not record.ended and record.width < width:
        raise FileFaultError(
            f"{path.name} is cut off: its last line, {record.line:,}, has {values} for {width} columns. "
            "Export it again."
        )
    return f"{values} for {width} columns"


def _take_in(scratch: Scratch, path: Path, clean: Path, found: _Found) -> None:
    columns = value({f"c{index}": "VARCHAR" for index in range(len(found.names))})
    statement = template(
        "CREATE TABLE raw AS SELECT row_number() OVER () AS row, * FROM read_csv({path}, auto_detect = false, "
        "delim = {delimiter}, quote = '\"', escape = '\"', header = false, columns = {columns}, "
        "new_line = '\\n', null_padding = false, max_line_size = {longest})",
        path=value(str(clean)),
        delimiter=value(found.delimiter),
        columns=columns,
        longest=value(max(_SMALLEST_LINE_LIMIT, _BYTES_A_CHARACTER * found.longest)),
    )
    try:
        scratch.execute(statement)
    except duckdb.Error as error:
        raise FileFaultError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
