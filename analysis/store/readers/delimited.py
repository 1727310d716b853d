"""CSV and TSV, read as text only: what the values mean is decided afterwards, with counts.

The dialect is never sniffed by the database: on a small file with one unclosed quote its guess lost good rows.
Encoding and delimiter are found here and said, each faulty line is named, and the database is told the rest.

Why one thread for files with quotes: several threads begin in the middle of the file, where the database must
guess whether it is inside quotes. On values that look like rows it guessed wrong, and said nothing.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Final

import duckdb

from analysis.errors import FileFaultError
from analysis.store.readers.encodings import DetectedEncoding, check_encoding, detect_encoding, to_utf8
from analysis.store.readers.notes import COMMA_NOTE
from analysis.store.readers.outline import Outline, outline_text
from analysis.store.readers.scratch import Reading, Scratch, SourceTable, physical
from analysis.store.sql import Fragment, join, template, value

__all__ = ["read_delimited"]

_DELIMITERS: Final = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_LINE_ENDS: Final = {"\n": "LF", "\r\n": "CRLF"}
_SMALLEST_LINE_LIMIT: Final = 1 << 21
# The database gives each thread a sixteenth of a buffer. Where that is no whole number it loses rows (2.0.0).
_BUFFER_STEP: Final = 1 << 10
_SMALLEST_BUFFER: Final = 1 << 25
_PATTERN: Final = frozenset("*?[]{}")
_FIRST_ROWS: Final = 1000
_DECIMAL_COMMA: Final = r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+\s*"
_WHOLE: Final = r"\s*[+-]?\d+\s*"


def read_delimited(path: Path, encoding: str | None) -> Reading:
    """Read a delimited text file into a scratch database.

    Parameters
    ----------
    path
        The file.
    encoding
        Its encoding by Python's name, or None to find out.

    Returns
    -------
    Reading
        The view ``raw``, all text, and what was found. The dialect has ``encoding``, ``encoding_reason``,
        ``delimiter``, ``quote`` and ``line_end``; an encoding other than UTF-8 and numbers with a decimal comma
        make a note.

    Raises
    ------
    FileFaultError
        If the file is empty, is not in the encoding, has no usable header, has an unclosed quote, holds zero
        bytes, has a line that is too long, or is cut off.
    """
    with tempfile.TemporaryDirectory(prefix="relook-") as folder:
        detected = detect_encoding(path) if encoding is None else check_encoding(encoding, path)
        text = _name_plainly(to_utf8(path, detected, Path(folder) / "utf-8.csv"), Path(folder) / "plain.csv")
        outline = outline_text(text, path.name, Path(folder) / "clean.csv")
        scratch = Scratch(outline.file)
        try:
            _take_in(scratch, path, outline)
            notes = (*_describe_encoding(path, detected), *_describe_commas(scratch, outline))
        except BaseException:
            scratch.close()
            raise
    dialect = {
        "encoding": detected.name,
        "encoding_reason": detected.reason,
        "delimiter": _DELIMITERS.get(outline.delimiter, outline.delimiter),
        "quote": "double quote",
        "line_end": "CR" if outline.returns else _LINE_ENDS[outline.line_end],
    }
    types = ("VARCHAR",) * len(outline.names)
    table = SourceTable(outline.names, types, tuple(outline.rejects), lines=outline.lines, dialect=dialect, notes=notes)
    return ((scratch, table),)


def _name_plainly(text: Path, copy: Path) -> Path:
    """Return the file, or a copy where the database would take its name for a pattern of names."""
    if _PATTERN.isdisjoint(str(text)):
        return text
    shutil.copyfile(text, copy)
    return copy


def _take_in(scratch: Scratch, path: Path, outline: Outline) -> None:
    """Have the database read the records, and check that it sees as many as there are."""
    try:
        found = -1
        # Should it fail with several threads, or lose a row: one thread alone reads in order.
        for parallel in (True, False)[outline.quoted :]:
            scratch.execute(Fragment("DROP TABLE IF EXISTS records"))
            try:
                scratch.execute(_read_sql(outline, parallel=parallel))
            except duckdb.Error:
                if parallel:
                    continue
                raise
            ((found,),) = scratch.fetch_all(Fragment("SELECT count(*) FROM records"))
            if found == outline.rows:
                break
    except duckdb.Error as error:
        raise FileFaultError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    if found != outline.rows:
        raise FileFaultError(
            f"{path.name} had {outline.rows:,} rows at first and {found:,} a moment later. "
            "Wait until it is written, then load it again."
        )
    # Insertion order is file order, and numbering by rowid costs nothing; a window would take half the time again.
    scratch.execute(Fragment("CREATE VIEW raw AS SELECT rowid + 1 AS row, * FROM records"))


def _read_sql(outline: Outline, *, parallel: bool) -> Fragment:
    line = max(_SMALLEST_LINE_LIMIT, outline.longest + 2)
    return template(
        "CREATE TABLE records AS SELECT * FROM read_csv({path}, auto_detect = false, delim = {delimiter}, "
        "quote = '\"', escape = '\"', header = false, skip = {skipped}, columns = {columns}, new_line = {line_end}, "
        "null_padding = false, compression = 'none', hive_partitioning = false, max_line_size = {line}, "
        "buffer_size = {buffer}, parallel = {parallel})",
        path=value(str(outline.file)),
        delimiter=value(outline.delimiter),
        skipped=value(outline.skipped),
        columns=value({f"c{index}": "VARCHAR" for index in range(len(outline.names))}),
        line_end=value("\\r\\n" if outline.line_end == "\r\n" else "\\n"),
        line=value(line),
        buffer=value(max(_SMALLEST_BUFFER, -(-2 * line // _BUFFER_STEP) * _BUFFER_STEP)),
        parallel=value(parallel),
    )


def _describe_encoding(path: Path, detected: DetectedEncoding) -> tuple[str, ...]:
    if detected.name.startswith("utf-8") or not detected.certain:
        return () if detected.certain else (_describe_doubt(path, detected),)
    return (f"{path.name} is read as {detected.name}: {detected.reason}.",)


def _describe_doubt(path: Path, detected: DetectedEncoding) -> str:
    return (
        f"{path.name} is read as {detected.name}, which is a guess: {detected.reason}. Check words with accents and "
        "quotation marks; if they are wrong, name the encoding, for example --encoding mac-roman."
    )


def _describe_commas(scratch: Scratch, outline: Outline) -> tuple[str, ...]:
    """Name the columns of numbers such as 3,14: whether the comma is a decimal one is for people to say.

    Whole numbers beside them have no comma: of the probabilities 0,7 and 1 both are numbers.
    """
    if outline.delimiter == "," or not outline.rows:
        return ()
    columns = [physical(index, outline.names) for index in range(len(outline.names))]
    counts = join(
        ", ",
        [
            template(
                "count(*) FILTER (NOT (regexp_full_match({column}, {comma}) OR regexp_full_match({column}, {whole}))) "
                "= 0 AND count(*) FILTER (regexp_full_match({column}, {comma})) > 0",
                column=column,
                comma=value(_DECIMAL_COMMA),
                whole=value(_WHOLE),
            )
            for column in columns
        ],
    )
    query = template("SELECT {counts} FROM (FROM raw WHERE row <= {rows})", counts=counts, rows=value(_FIRST_ROWS))
    (found,) = scratch.fetch_all(query)
    named = [repr(name) for name, commas in zip(outline.names, found, strict=True) if commas]
    if not named:
        return ()
    sentence = (
        f"{COMMA_NOTE}, such as 3,14, and are read as text: {', '.join(named)}. "
        "To use them as numbers, export the file with decimal points."
    )
    return (sentence,)
