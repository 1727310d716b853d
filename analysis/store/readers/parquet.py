"""Parquet files, whose types are known."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from analysis.errors import FileFaultError
from analysis.store.readers.batches import find_types
from analysis.store.readers.notes import describe_changes
from analysis.store.readers.scratch import Reading, Scratch, SourceTable
from analysis.store.sql import Fragment, identifier, join, literal, template

__all__ = ["read_parquet"]

_ROW_COLUMN: Final = "file_row_number"
_NUMBERS: Final = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE)\[\d*\]")
_DECIMALS: Final = re.compile(r"DECIMAL\(\d+,\d+\)\[\d*\]")
# How data sets of Hugging Face keep pictures.
_PICTURE: Final = re.compile(r'STRUCT\("?bytes"? BLOB, "?path"? VARCHAR\)')
_UNITS: Final[Mapping[str, Fragment]] = {
    "s": Fragment("1e0"),
    "ms": Fragment("1e3"),
    "us": Fragment("1e6"),
    "ns": Fragment("1e9"),
}


def read_parquet(path: Path, encoding: str | None) -> Reading:
    """Read a Parquet file into a scratch database.

    Parameters
    ----------
    path
        The file.
    encoding
        Not used: Parquet text is UTF-8 by definition. Taken so that all readers are called alike.

    Returns
    -------
    Reading
        The columns as they are but for durations (seconds), nested values and lists of anything but numbers (JSON
        text), which the notes name.

    Raises
    ------
    FileFaultError
        If it is not a whole Parquet file.
    """
    del encoding
    scratch = Scratch(path)
    try:
        # The names as they are: DuckDB, which ignores case, would rename the second of two twins.
        schema = pq.read_schema(path)
        names = tuple(str(name) for name in schema.names)
        relation = _read(path, Fragment("FALSE"))
        described = scratch.fetch_all(template("DESCRIBE SELECT * FROM {relation}", relation=relation))
        usable = [
            _to_usable(identifier(str(name), [str(name)]), str(stored), given)
            for (name, stored, *_rest), given in zip(described, schema.types, strict=True)
        ]
        scratch.execute(_make_raw(path, [str(row[0]) for row in described], [column for column, _word in usable]))
        types = find_types(scratch)
    except (duckdb.Error, ArrowException, OSError) as error:
        scratch.close()
        raise FileFaultError(
            f"{path.name} is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}. Export it again."
        ) from error
    return ((scratch, SourceTable(names, types, notes=describe_changes(names, [word for _column, word in usable]))),)


def _read(path: Path, numbered: Fragment) -> Fragment:
    # A folder called split=eval is a folder, not a column.
    return template(
        "read_parquet({path}, hive_partitioning = false, file_row_number = {numbered})",
        path=literal(str(path)),
        numbered=numbered,
    )


def _to_usable(column: Fragment, stored: str, given: pa.DataType) -> tuple[Fragment, str]:
    """Return a column as a type that can be used, and the word for it where a person should know."""
    if stored == "TIMESTAMPTZ_NS":
        # What pandas wrote before version 3; finer than a microsecond no time is kept.
        return template("CAST({column} AS TIMESTAMPTZ)", column=column), ""
    if pa.types.is_duration(given) and stored == "BIGINT":
        # Parquet has no durations: what they are stands in the schema that Arrow leaves in the file.
        return template("CAST({column} AS DOUBLE) / {unit}", column=column, unit=_UNITS[str(given.unit)]), "seconds"
    if _PICTURE.fullmatch(stored):
        return template("struct_extract({column}, 'bytes')", column=column), "bytes"
    if _DECIMALS.fullmatch(stored):
        return template("CAST({column} AS DOUBLE[])", column=column), ""
    if stored.startswith(("STRUCT(", "MAP(")) or (stored.endswith("]") and not _NUMBERS.fullmatch(stored)):
        return template("CAST(to_json({column}) AS VARCHAR)", column=column), "JSON text"
    return column, ""


def _make_raw(path: Path, stored: list[str], usable: list[Fragment]) -> Fragment:
    """Return the statement that makes ``raw``: a view, as whatever is asked of it reads only the columns it needs."""
    renamed = join(
        ", ",
        [
            template("{column} AS {new}", column=column, new=Fragment(f"c{index}"))
            for index, column in enumerate(usable)
        ],
    )
    if any(name.casefold() == _ROW_COLUMN for name in stored):
        # The file's own column of that name would be hidden by the reader's.
        return template(
            "CREATE TABLE raw AS SELECT row_number() OVER () AS row, {renamed} FROM {relation}",
            renamed=renamed,
            relation=_read(path, Fragment("FALSE")),
        )
    return template(
        "CREATE VIEW raw AS SELECT file_row_number + 1 AS row, {renamed} FROM {relation}",
        renamed=renamed,
        relation=_read(path, Fragment("TRUE")),
    )
