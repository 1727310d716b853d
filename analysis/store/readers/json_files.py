"""JSON and JSON Lines: records of flat or nested objects become rows and columns.

A key is a column, in order of first appearance. Objects inside unfold with dots (``meta.source``), lists of
numbers stay lists, any other list is kept as JSON text. No value changes: whole numbers of any length, ``"007"``
and ``3`` beside ``"3"`` stay what they are.
"""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from analysis.errors import FileFaultError
from analysis.store.readers.blocks import Blocks
from analysis.store.readers.encodings import DetectedEncoding, check_encoding, detect_encoding
from analysis.store.readers.json_documents import describe_list, find_records
from analysis.store.readers.json_records import Decoder, RecordFault, flatten, has_halves
from analysis.store.readers.notes import list_some
from analysis.store.readers.scratch import Lines, Reading, Reject, Scratch, SourceTable, check_wanted

__all__ = ["read_json", "read_json_lines"]

_LARGEST: Final = 1_000_000_000
_BLOCK_ROWS: Final = 50_000
_BLOCK_CHARACTERS: Final = 1 << 25
_BLOCK_CELLS: Final = 5_000_000
_SEEN_ROWS: Final = 1_000
_MOST_COLUMNS: Final = 10_000
_UTF8: Final = ("utf-8", "utf-8-sig")


def read_json(path: Path, encoding: str | None) -> Reading:
    """Read a JSON file into a scratch database.

    Parameters
    ----------
    path
        The file: a list of objects, an object that holds one such list, or what pandas writes under any
        ``orient`` but ``values``. Records one a line are read too.
    encoding
        Its encoding by Python's name, or None to find out.

    Returns
    -------
    Reading
        Rows are counted, not lines: a list may stand on one.

    Raises
    ------
    FileFaultError
        If the file is over 1 GB, is not in the encoding, no whole JSON, or holds no records that can be told.
    """
    text, told = _read_text(path, encoding)
    try:
        if text.lstrip().startswith("["):
            return _read_list(path, text, told)
        if _are_lines(text):
            note = "It holds one record a line and was read as JSON Lines."
            return _read_lines(path, io.StringIO(text, newline="\n"), told, (note,))
        decoder = Decoder()
        document = decoder.decode(text)
        decoder.check_keys(document)
    except RecordFault as fault:
        raise _describe_damage(path, fault) from fault
    records, notes = find_records(path, document)
    if not records:
        raise FileFaultError(f"{path.name} holds no record. Export it again.")
    halves, size = has_halves(text), len(text) // len(records)
    with Blocks() as blocks:
        table = _Table(path, blocks, decoder)
        for number, found in enumerate(records, start=1):
            table.take(number, found, size=size, halves=halves)
        return table.finish(told, notes)


def read_json_lines(path: Path, encoding: str | None) -> Reading:
    """Read JSON Lines (NDJSON), one record a line, into a scratch database.

    Parameters
    ----------
    path, encoding
        As for :func:`read_json`; of any size.

    Returns
    -------
    Reading
        A faulty line is rejected with its number; blank lines are none.

    Raises
    ------
    FileFaultError
        If the file is cut off in its last line, is not in the encoding, or no line holds a record.
    """
    found = _choose_encoding(path, encoding)
    with _naming_encoding(path, found), path.open(encoding=_name_codec(found), newline="\n") as lines:
        return _read_lines(path, lines, found)


class _Table:
    """Records on their way to rows, and those that are none."""

    def __init__(self, path: Path, blocks: Blocks, decoder: Decoder) -> None:
        self._path = path
        self._blocks = blocks
        self._decoder = decoder
        self._waiting: list[dict[str, Any]] = []
        self._block_names: dict[str, None] = {}
        self._seen = 0
        self._size = 0
        self._row = 0
        self._nested: str | None = None
        self._lines = Lines()
        self.rejects: list[Reject] = []

    def take(self, line: int, found: object, *, size: int, halves: bool) -> None:
        """Take in a record, or reject it."""
        try:
            record = self._decoder.to_record(found, halves=halves)
            flat = flatten(record)
        except RecordFault as fault:
            self.reject(line, str(fault))
            return
        if self._nested is None and flat is not record:
            self._nested = next((name for name in flat if name not in record), None)
        self._row += 1
        self._lines.add(self._row, line)
        self._waiting.append(flat)
        self._size += size
        if len(self._waiting) % _SEEN_ROWS == 0:
            # Records with few keys in common make wide blocks.
            self._see_names()
        cells = len(self._waiting) * len(self._block_names)
        if len(self._waiting) >= _BLOCK_ROWS or self._size >= _BLOCK_CHARACTERS or cells >= _BLOCK_CELLS:
            self._put_away()

    def reject(self, line: int, reason: str) -> None:
        """Leave a row out."""
        self.rejects.append(Reject(line, None, reason))

    def finish(self, encoding: DetectedEncoding, notes: tuple[str, ...] = ()) -> Reading:
        """Return what was taken in."""
        self._put_away()
        if not self._blocks.names:
            raise self._describe_nothing()
        with _closing_on_error(Scratch(self._path)) as scratch:
            types = self._blocks.take_in(scratch)
        table = SourceTable(
            self._blocks.names,
            types,
            tuple(self.rejects),
            lines=self._lines,
            dialect={"encoding": encoding.name, "encoding_reason": encoding.reason},
            notes=(*notes, *self._describe_columns()),
        )
        return ((scratch, table),)

    def _put_away(self) -> None:
        check_wanted()
        self._see_names()
        if self._waiting:
            columns = {name: [record.get(name) for record in self._waiting] for name in self._block_names}
            self._blocks.add(columns)
        self._waiting, self._seen, self._size = [], 0, 0
        self._block_names = {}

    def _see_names(self) -> None:
        """Note the keys of the records that wait."""
        for record in self._waiting[self._seen :]:
            self._block_names.update(dict.fromkeys(record))
        self._seen = len(self._waiting)
        names = self._block_names.keys() | set(self._blocks.names)
        if len(names) > _MOST_COLUMNS:
            raise FileFaultError(
                f"{self._path.name} has more than {_MOST_COLUMNS:,} keys, such as {list(self._block_names)[-1]!r}: "
                "they seem to be values rather than names of columns. Export records with the same keys each."
            )

    def _describe_nothing(self) -> FileFaultError:
        if not self.rejects:
            return FileFaultError(f"{self._path.name} holds no record. Export it again.")
        first = self.rejects[0]
        return FileFaultError(
            f"{self._path.name}: none of its {len(self.rejects):,} records can be read. First: line {first.line:,}: "
            f"{first.reason}. Export one object an item."
        )

    def _describe_columns(self) -> Iterator[str]:
        if self._nested is not None:
            yield f"Objects inside records were unfolded into columns such as {self._nested!r}."
        spelled = self._blocks.spelled
        if spelled:
            shown = list_some([repr(name) for name in spelled])
            yield f"Lists that hold more than numbers are kept as JSON text: {shown}."


@contextmanager
def _closing_on_error(scratch: Scratch) -> Iterator[Scratch]:
    try:
        yield scratch
    except BaseException:
        scratch.close()
        raise


def _read_list(path: Path, text: str, encoding: DetectedEncoding) -> Reading:
    decoder = Decoder()
    with Blocks() as blocks:
        table = _Table(path, blocks, decoder)
        for number, (found, spelled) in enumerate(decoder.decode_list(text), start=1):
            if number == 1 and not isinstance(found, dict):
                raise describe_list(path, found)
            table.take(number, found, size=len(spelled), halves=has_halves(spelled))
        return table.finish(encoding)


def _read_lines(path: Path, lines: Iterable[str], encoding: DetectedEncoding, notes: tuple[str, ...] = ()) -> Reading:
    decoder = Decoder()
    with Blocks() as blocks:
        table = _Table(path, blocks, decoder)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found = decoder.decode(line)
            except RecordFault as fault:
                if not line.endswith("\n"):
                    raise FileFaultError(
                        f"{path.name} is cut off: its last line, {number:,}, is no whole record ({fault}). "
                        "Export it again."
                    ) from fault
                table.reject(number, f"no JSON: {fault}")
                continue
            table.take(number, found, size=len(line), halves=has_halves(line))
        return table.finish(encoding, notes)


def _are_lines(text: str) -> bool:
    """Tell whether a text holds an object a line, and more than one."""
    first, _break, rest = text.lstrip().partition("\n")
    if not rest.lstrip().startswith("{"):
        return False
    try:
        return isinstance(Decoder().decode(first), dict)
    except RecordFault:
        return False


def _read_text(path: Path, encoding: str | None) -> tuple[str, DetectedEncoding]:
    """Return the text of a file and the encoding it was read in."""
    size = path.stat().st_size
    if size > _LARGEST:
        raise FileFaultError(
            f"{path.name} has {size / 1e9:.1f} GB. JSON is read up to {_LARGEST / 1e9:.0f} GB, as it is read whole: "
            "convert it to JSON Lines (one record a line) or Parquet."
        )
    found = _choose_encoding(path, encoding)
    with _naming_encoding(path, found):
        text = path.read_text(encoding=_name_codec(found))
    if not text.strip():
        raise FileFaultError(f"{path.name} is empty. Export it again.")
    return text, found


def _choose_encoding(path: Path, encoding: str | None) -> DetectedEncoding:
    if encoding is not None:
        return check_encoding(encoding, path)
    with path.open("rb") as file:
        # RFC 4627, section 3: a JSON text begins with two ASCII characters, so the zero bytes tell.
        name = json.detect_encoding(file.read(4))
    if name in _UTF8:
        return detect_encoding(path)
    return DetectedEncoding(name, "its first bytes say so", certain=True)


def _name_codec(encoding: DetectedEncoding) -> str:
    return "utf-8-sig" if encoding.name in _UTF8 else encoding.name


@contextmanager
def _naming_encoding(path: Path, encoding: DetectedEncoding) -> Iterator[None]:
    """Say what is no text in the encoding."""
    try:
        yield
    except UnicodeError as error:
        where = f" at byte {error.start:,}" if isinstance(error, UnicodeDecodeError) else ""
        raise FileFaultError(
            f"{path.name} is not {encoding.name} text{where}. Name its encoding, for example --encoding latin-1."
        ) from error


def _describe_damage(path: Path, fault: RecordFault) -> FileFaultError:
    return FileFaultError(f"{path.name} is not whole JSON: {fault}. Export it again.")
