"""Which endings are read, by what, and whether a file is what its ending says.

What a file is shows in its first bytes. One that is something else is refused with the name of what it seems to
be: read as what it is not, it would be refused later with a sentence about its innards.
"""

import codecs
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from analysis.errors import FileFaultError
from analysis.store.readers.arrow import read_arrow
from analysis.store.readers.delimited import read_delimited
from analysis.store.readers.json_files import read_json, read_json_lines
from analysis.store.readers.npy import read_npy
from analysis.store.readers.parquet import read_parquet
from analysis.store.readers.scratch import Reading
from analysis.store.readers.workbook import read_workbook

__all__ = ["KNOWN_ENDINGS", "READERS", "Reader", "check_ending"]

Reader = Callable[[Path, str | None], Reading]

READERS: Final[Mapping[str, Reader]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".arrow": read_arrow,
    ".arrows": read_arrow,
    ".ipc": read_arrow,
    ".feather": read_arrow,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".xlsx": read_workbook,
    ".xlsm": read_workbook,
    ".npy": read_npy,
}

KNOWN_ENDINGS: Final = tuple(READERS)
"""Every ending that is read, for pages and messages."""

_TEXT: Final = "plain text such as CSV"
_UNKNOWN: Final = "of no format that is known here"
_JSON: Final = "JSON"
_OBJECT: Final = "a JSON object"
_LINES: Final = "JSON Lines (one record a line)"
_ARROW: Final = "an Arrow file"
_MATRIX: Final = "a NumPy matrix"
_WORKBOOK: Final = "an Excel workbook"
_ZIP: Final = "a zip or Excel file"
_OLD_EXCEL: Final = "an Excel file of before 2007, or one with a password"

# What a reader takes.
_TAKES: Final[Mapping[Reader, tuple[str, ...]]] = {
    read_delimited: (_TEXT, _UNKNOWN),
    read_parquet: ("a Parquet file",),
    read_arrow: (_ARROW,),
    read_json: (_JSON, _OBJECT, _LINES),
    read_json_lines: (_LINES, _OBJECT),
    read_npy: (_MATRIX,),
    read_workbook: (_WORKBOOK,),
}
_MAGIC: Final[Mapping[bytes, str]] = {
    b"PAR1": "a Parquet file",
    b"PARE": "an encrypted Parquet file",
    b"ARROW1": _ARROW,
    b"\xff\xff\xff\xff": _ARROW,
    b"FEA1": "a Feather file of version 1",
    b"\x93NUMPY": _MATRIX,
    b"PK\x03\x04": _ZIP,
    b"PK\x05\x06": _ZIP,
    b"\xd0\xcf\x11\xe0": _OLD_EXCEL,
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf": "a 7-Zip file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF",
    b"SQLite format 3\0": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
}
_ADVICE: Final[Mapping[str, str]] = {
    ".xls": "Open it in Excel or LibreOffice and save it as .xlsx",
    ".xlsb": "Open it in Excel or LibreOffice and save it as .xlsx",
    ".ods": "Open it in LibreOffice or Excel and save it as .xlsx",
    ".numbers": "Export it from Numbers as .xlsx or CSV",
    ".gz": "Unpack it first",
    ".bz2": "Unpack it first",
    ".xz": "Unpack it first",
    ".zst": "Unpack it first",
    ".zip": "Unpack it and name the files inside",
    ".7z": "Unpack it and name the files inside",
    ".pkl": "Save it as Parquet; a pickle may run any code when it is opened",
    ".pickle": "Save it as Parquet; a pickle may run any code when it is opened",
}
_INSIDE_ZIP: Final[Mapping[str, str]] = {
    "xl/workbook.xml": _WORKBOOK,
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint file",
    "META-INF/manifest.xml": "an OpenDocument file",
}
_HEAD_BYTES: Final = 1 << 16
_JSON_START: Final = re.compile(r'[\[{]\s*(["\[{\]}]|-?\d|true|false|null|$)')
_BINARY: Final = re.compile("[\0-\x08\x0e-\x1a\ufffd]")
_PAGE_START: Final = re.compile(r"<(!doctype html|html|head|body|table|meta|script)\b", re.IGNORECASE)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def check_ending(path: Path) -> None:
    """Check that a file has an ending that is read, and begins like a file of that ending.

    Parameters
    ----------
    path
        A file that is there and not empty.

    Raises
    ------
    FileFaultError
        If it has not, or does not; says what it seems to be and what to do.
    """
    seems = _identify(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise FileFaultError(_describe_unknown(path, seems))
    if seems not in _TAKES[reader]:
        raise FileFaultError(_describe_other(path, seems))


def _describe_unknown(path: Path, seems: str) -> str:
    """Say what can be done about a file whose ending is not read."""
    ending = path.suffix.lower()
    advice = f"{_ADVICE[ending]}. " if ending in _ADVICE else ""
    renamed = _find_ending(seems)
    if seems == "an HTML page":
        advice = f"It is {seems}. Open it in a spreadsheet and save it as .xlsx. "
    elif renamed is not None and (seems != _TEXT or advice):
        advice = f"It seems to be {seems}: if so, rename it to {path.stem}{renamed}. "
    return f"{path.name} ends in {path.suffix or 'nothing'!r}. {advice}Known endings: {', '.join(KNOWN_ENDINGS)}."


def _describe_other(path: Path, seems: str) -> str:
    ending = path.suffix.lower()
    if seems == _OLD_EXCEL and READERS[ending] is read_workbook:
        return _describe_old_excel(path)
    if seems == "a Feather file of version 1":
        return f"{path.name} is {seems}, which is no longer written. Save it again with pandas or Arrow as version 2."
    if seems == "a binary Excel workbook (.xlsb)":
        return f"{path.name} is {seems}, not what its ending says. Open it in Excel and save it as .xlsx."
    renamed = _find_ending(seems)
    advice = "Export it again" if renamed is None else f"Rename it to {path.stem}{renamed}, or export it again"
    return f"{path.name} is {seems}, not what its ending says. {advice}."


def _describe_old_excel(path: Path) -> str:
    with path.open("rb") as file:
        locked = "EncryptedPackage".encode("utf-16-le") in file.read()
    if locked:
        return f"{path.name} is protected by a password. Save a copy without one."
    return f"{path.name} is an Excel file of before 2007. Open it in Excel and save it as .xlsx."


def _find_ending(seems: str) -> str | None:
    """Return the ending under which such a file is read."""
    if seems in {_LINES, _UNKNOWN}:
        return ".jsonl" if seems == _LINES else None
    return next((ending for ending, reader in READERS.items() if seems in _TAKES[reader]), None)


def _identify(path: Path) -> str:
    """Say what a file seems to be by its first bytes."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    found = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), None)
    if found == _ZIP:
        return _look_into_zip(path)
    return found or _identify_text(head)


def _look_into_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        # What is cut off has lost its table of contents, which stands at the end.
        return _WORKBOOK if path.suffix.lower() in {".xlsx", ".xlsm"} else _ZIP
    return next((what for name, what in _INSIDE_ZIP.items() if name in names), "a zip archive")


def _identify_text(head: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if encoding is None:
        encoding = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be" if head[:1] == b"\0" else "utf-8"
    text = head.decode(encoding, errors="replace").strip()
    if _PAGE_START.match(text):
        return "an HTML page"
    if text.startswith("<?xml"):
        return "an XML file"
    if not _JSON_START.match(text):
        return _UNKNOWN if encoding == "utf-8" and _BINARY.search(text) else _TEXT
    first, line_break, rest = text.partition("\n")
    if text.startswith("{") and not line_break:
        return _OBJECT
    return _LINES if first.rstrip().endswith("}") and rest.lstrip().startswith("{") else _JSON
