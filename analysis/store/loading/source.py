"""A file that was read but not yet understood: what its columns hold.

A column can be taken as text, number, time or feature. Nothing here decides roles. All decisions on types come
from counts over all rows, never from a sample.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.errors import FileFaultError
from analysis.roles import ColumnFacts, ColumnType
from analysis.store.readers.delimited import read_delimited
from analysis.store.readers.parquet import read_parquet
from analysis.store.readers.scratch import Scratch, SourceTable, physical
from analysis.store.sql import Fragment, list_value, template

__all__ = ["FEATURE_TYPES", "Source", "open_source"]

Reader = Callable[[Path, str | None], tuple[Scratch, SourceTable]]

READERS: Final[Mapping[str, Reader]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".parquet": read_parquet,
    ".pq": read_parquet,
}
_MAGIC: Final = {
    b"PAR1": ".parquet",
    b"PK\x03\x04": "a zip or Excel file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF",
}

FEATURE_TYPES: Final[Mapping[ColumnType, str]] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "TIMESTAMP",
    "text": "VARCHAR",
    "numbers": "DOUBLE[]",
    "bytes": "BLOB",
    "other": "VARCHAR",
}

# What people write for "no value" in a column of numbers. In text such words may be real (NA is Namibia).
_MISSING_MARKS: Final = (
    "",
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "?",
    "-",
    "inf",
    "+inf",
    "-inf",
    "infinity",
    "-infinity",
)
_MIN_CAST_SHARE: Final = 0.99
_INTEGERS: Final = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_NUMBERS: Final = {"FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT"}
_HASH_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file in its scratch database.

    Attributes
    ----------
    path, sha256
        The file as named by the user, and what was in it.
    scratch, table
        Where its rows are, and how to name lines.
    facts
        What each column holds, in file order.
    casts_failed
        For columns read as numbers or times, how many values were none and became missing.
    """

    path: Path
    sha256: str
    scratch: Scratch
    table: SourceTable
    facts: tuple[ColumnFacts, ...]
    casts_failed: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Rows in the file, faulty ones too."""
        return (self.facts[0].rows if self.facts else 0) + len(self.table.rejects)

    def find(self, name: str) -> tuple[Fragment, str, ColumnFacts]:
        """Return a column's SQL in ``raw``, its DuckDB type there, and its facts."""
        index = self.table.names.index(name)
        return physical(index, self.table.names), self.table.types[index], self.facts[index]

    def to_text(self, name: str) -> Fragment:
        """Return a column as text, as labels and ids are kept: ``3.0`` of a float column is ``3``, '' is missing."""
        column, stored, facts = self.find(name)
        if stored == "VARCHAR" and facts.type == "number":
            # What pandas makes of whole numbers with a gap: 1.0 is 1.
            return template("nullif(regexp_replace({column}, '^\\s*(-?\\d+)\\.0\\s*$', '\\1'), '')", column=column)
        if stored == "VARCHAR":
            return template("nullif({column}, '')", column=column)
        if stored in _NUMBERS or stored.startswith("DECIMAL"):
            return template(
                "CASE WHEN NOT isfinite(CAST({column} AS DOUBLE)) THEN NULL "
                "WHEN CAST({column} AS DOUBLE) = trunc(CAST({column} AS DOUBLE)) "
                "THEN coalesce(CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR), CAST({column} AS VARCHAR)) "
                "ELSE CAST({column} AS VARCHAR) END",
                column=column,
            )
        if stored == "BOOLEAN":
            # As Python and pandas write it, so that CSV and Parquet of one frame hold the same labels.
            return template("CASE {column} WHEN TRUE THEN 'True' WHEN FALSE THEN 'False' END", column=column)
        return template("CAST({column} AS VARCHAR)", column=column)

    def to_number(self, name: str) -> Fragment:
        """Return a column as DOUBLE; what is no finite number is missing."""
        return _number_sql(*self.find(name)[:2])

    def to_time(self, name: str) -> Fragment:
        """Return a column as TIMESTAMP in UTC; a time without a zone is taken as UTC."""
        column, stored, _facts = self.find(name)
        return _time_sql(column, stored)

    def to_feature(self, name: str) -> Fragment:
        """Return a column as it is kept among the user's columns."""
        column, stored, facts = self.find(name)
        if facts.type == "integer":
            return template("CAST({number} AS BIGINT)", number=_integer_sql(column, stored))
        if facts.type == "number":
            return _number_sql(column, stored)
        if facts.type == "date":
            return _time_sql(column, stored)
        if facts.type == "boolean" and stored == "VARCHAR":
            return template("TRY_CAST(trim({column}) AS BOOLEAN)", column=column)
        if facts.type == "text":
            return template("nullif(CAST({column} AS VARCHAR), '')", column=column)
        if facts.type == "numbers":
            return template("CAST({column} AS DOUBLE[])", column=column)
        if facts.type == "other":
            return template("CAST({column} AS VARCHAR)", column=column)
        return column


def open_source(path: Path, encoding: str | None) -> Source:
    """Read a file into a scratch database and count what its columns hold.

    Raises
    ------
    FileFaultError
        If the file is missing, empty, of an unknown ending, not what its ending says, or has doubled columns.
    """
    try:
        _check_file(path)
        return _open(path, encoding)
    except OSError as error:
        raise FileFaultError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise FileFaultError(f"{path} is {what}. Name a CSV, TSV or Parquet file.")
    if path.stat().st_size == 0:
        raise FileFaultError(f"{path.name} is empty. Export it again.")
    if path.suffix.lower() not in READERS:
        raise FileFaultError(f"{path.name} ends in {path.suffix or 'nothing'!r}. Known endings: {', '.join(READERS)}.")
    _check_magic(path)


def _open(path: Path, encoding: str | None) -> Source:
    scratch, table = READERS[path.suffix.lower()](path.absolute(), encoding)
    try:
        _check_names(path, table.names)
        facts, failed = _count_columns(scratch, table)
        if facts[0].rows + len(table.rejects) == 0:
            raise FileFaultError(f"{path.name} has a header but no rows. Export it again.")
    except BaseException:
        scratch.close()
        raise
    return Source(path, _hash_file(path), scratch, table, facts, failed)


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check_magic(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    for magic, what in _MAGIC.items():
        if head.startswith(magic) and not (what == ".parquet" and READERS[path.suffix.lower()] is read_parquet):
            said = "a Parquet file" if what.startswith(".") else what
            raise FileFaultError(f"{path.name} is {said}, not what its ending says. Rename or export it again.")


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise FileFaultError(f"{path.name}: column {position} has no name. Give every column a name.")
        folded = name.casefold()
        if folded in seen:
            raise FileFaultError(
                f"{path.name} has the columns {seen[folded]!r} and {name!r}, which differ at most in case. "
                "Rename one of them."
            )
        seen[folded] = name


def _integer_sql(column: Fragment, stored: str) -> Fragment:
    if stored == "VARCHAR":
        return template("TRY_CAST(trim({column}) AS BIGINT)", column=column)
    return column


def _number_sql(column: Fragment, stored: str) -> Fragment:
    number = template("CAST({column} AS DOUBLE)", column=column)
    if stored == "VARCHAR":
        # The pattern keeps out what DuckDB would also take: 1_000, 0x10, inf.
        number = template(
            "CASE WHEN regexp_full_match(trim({column}), '[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?') "
            "THEN TRY_CAST(trim({column}) AS DOUBLE) END",
            column=column,
        )
    return template("CASE WHEN isfinite({number}) THEN {number} END", number=number)


def _time_sql(column: Fragment, stored: str) -> Fragment:
    if stored == "VARCHAR":
        # A TIMESTAMP cast drops the offset without a word, hence the two ways.
        return template(
            "CASE WHEN regexp_matches(trim({column}), '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN "
            "CASE WHEN regexp_matches(trim({column}), ':\\d{{2}}(\\.\\d+)?\\s*(Z|[+-]\\d{{2}}(:?\\d{{2}})?)$') "
            "THEN make_timestamp(epoch_us(TRY_CAST(trim({column}) AS TIMESTAMPTZ))) "
            "ELSE TRY_CAST(trim({column}) AS TIMESTAMP) END END",
            column=column,
        )
    if stored == "TIMESTAMP WITH TIME ZONE":
        return template("make_timestamp(epoch_us({column}))", column=column)
    return template("TRY_CAST({column} AS TIMESTAMP)", column=column)


def _count_columns(scratch: Scratch, table: SourceTable) -> tuple[tuple[ColumnFacts, ...], dict[str, int]]:
    facts: list[ColumnFacts] = []
    failed: dict[str, int] = {}
    for index, (name, stored) in enumerate(zip(table.names, table.types, strict=True)):
        column = physical(index, table.names)
        if stored == "VARCHAR":
            found, lost = _count_text(scratch, name, column)
            if lost:
                failed[name] = lost
        else:
            found = _count_typed(scratch, name, column, stored)
        facts.append(found)
    return tuple(facts), failed


def _count_text(scratch: Scratch, name: str, column: Fragment) -> tuple[ColumnFacts, int]:
    query = template(
        "WITH values AS (SELECT trim({column}) AS v, {column} IS NULL OR {column} = '' AS gone FROM raw), "
        "marked AS (SELECT v, gone, gone OR lower(v) = ANY({marks}) AS absent, {number} AS number, {time} AS moment "
        "FROM values) "
        "SELECT count(*), count(*) FILTER (gone), count(*) FILTER (NOT absent), "
        "count(*) FILTER (NOT absent AND number IS NOT NULL), "
        "count(*) FILTER (NOT absent AND number IS NOT NULL AND regexp_full_match(v, '[+-]?\\d{{1,18}}')), "
        "count(*) FILTER (number != trunc(number)), "
        # 007 is an id, and more digits than a float holds are one too.
        "count(*) FILTER (NOT absent AND regexp_matches(v, '^[+-]?(0\\d|\\d{{19,}}$)')), "
        "count(*) FILTER (NOT absent AND lower(v) IN ('true', 'false')), "
        "count(*) FILTER (NOT absent AND moment IS NOT NULL), "
        "approx_count_distinct(v) FILTER (NOT gone), min(number), max(number) FROM marked",
        column=column,
        marks=list_value(_MISSING_MARKS),
        number=_number_sql(Fragment("v"), "VARCHAR"),
        time=_time_sql(Fragment("v"), "VARCHAR"),
    )
    row = scratch.fetch_all(query)[0]
    rows, gone, present, numbers, integers, fractions, codes, truths, moments, distinct, low, high = row
    kind, good = _choose_type(present, numbers, integers, codes, truths, moments)
    missing = gone if kind == "text" else rows - good
    if kind not in {"integer", "number"}:
        low = high = None
    facts = ColumnFacts(name, kind, rows, missing, distinct, low, high, whole=not fractions)
    return facts, 0 if kind == "text" else present - good


def _choose_type(
    present: int, numbers: int, integers: int, codes: int, truths: int, moments: int
) -> tuple[ColumnType, int]:
    """Return the type of a text column and how many values have it."""
    needed = max(1.0, _MIN_CAST_SHARE * present)
    if present and codes == 0 and numbers >= needed:
        return ("integer" if integers == numbers else "number"), numbers
    if present and truths == present:
        return "boolean", truths
    if present and moments >= needed:
        return "date", moments
    return "text", present


def _count_typed(scratch: Scratch, name: str, column: Fragment, stored: str) -> ColumnFacts:
    kind = _type_of(stored)
    sql = _number_sql(column, stored) if kind in {"integer", "number"} else column
    bounds = Fragment("NULL, NULL, 0")
    if kind in {"integer", "number"}:
        bounds = template("min({sql}), max({sql}), count(*) FILTER ({sql} != trunc({sql}))", sql=sql)
    distinct = (
        Fragment("0") if kind in {"bytes", "numbers", "other"} else template("approx_count_distinct({sql})", sql=sql)
    )
    query = template(
        "SELECT count(*), count(*) FILTER ({sql} IS NULL), {distinct}, {bounds} FROM raw",
        sql=sql,
        distinct=distinct,
        bounds=bounds,
    )
    rows, missing, values, low, high, fractions = scratch.fetch_all(query)[0]
    return ColumnFacts(name, kind, rows, missing, values, low, high, whole=not fractions)


def _type_of(stored: str) -> ColumnType:
    if stored in _INTEGERS:
        return "integer"
    if stored in _NUMBERS or stored.startswith("DECIMAL"):
        return "number"
    if stored == "BOOLEAN":
        return "boolean"
    if stored == "DATE" or stored.startswith("TIMESTAMP"):
        return "date"
    if stored == "BLOB":
        return "bytes"
    # A column of nothing but missing values has the type "NULL" in Parquet; in CSV it is text.
    if stored in {"VARCHAR", '"NULL"'} or stored.startswith("ENUM"):
        return "text"
    if stored.endswith("]") and stored.split("[", maxsplit=1)[0] in _INTEGERS | _NUMBERS and stored.count("[") == 1:
        return "numbers"
    return "other"
