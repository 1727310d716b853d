"""What single values are: text as numbers and times, in SQL, and the names of DuckDB's types."""

from collections.abc import Mapping
from typing import Final

from analysis.roles import ColumnType
from analysis.store.sql import Fragment, template

__all__ = [
    "CODE_PATTERN",
    "FEATURE_TYPES",
    "INTEGER_PATTERN",
    "MISSING_MARKS",
    "NUMBERS",
    "NUMBER_PATTERN",
    "find_type",
    "to_integer_sql",
    "to_number_sql",
    "to_time_sql",
]

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

MISSING_MARKS: Final = (
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
"""What people write for "no value" in a column of numbers. In text such words may be real (NA is Namibia)."""

NUMBER_PATTERN: Final = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
"""What is a number as text; it keeps out what DuckDB would also take: 1_000, inf."""
INTEGER_PATTERN: Final = r"[+-]?\d{1,18}"
CODE_PATTERN: Final = r"^[+-]?(0\d|\d{19,}$)"
"""007 is an id, and more digits than a float holds are one too."""

NUMBERS: Final = {"FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT"}
_INTEGERS: Final = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


def find_type(stored: str) -> ColumnType:
    """Return what a column of a type in DuckDB holds.

    Examples
    --------
    >>> find_type("DECIMAL(9,2)"), find_type("FLOAT[10]"), find_type("STRUCT(a INTEGER)")
    ('number', 'numbers', 'other')
    """
    if stored in _INTEGERS:
        return "integer"
    if stored in NUMBERS or stored.startswith("DECIMAL"):
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
    if stored.endswith("]") and stored.split("[", maxsplit=1)[0] in _INTEGERS | NUMBERS and stored.count("[") == 1:
        return "numbers"
    return "other"


def to_integer_sql(column: Fragment, stored: str, *, clean: bool = False) -> Fragment:
    """Return a column as BIGINT; text that is no whole number is missing."""
    if stored != "VARCHAR":
        return column
    number = template("TRY_CAST({column} AS BIGINT)", column=column)
    if clean:
        return number
    # INTEGER_PATTERN, as SQL is a constant.
    return template(
        "CASE WHEN regexp_full_match(trim({column}), '[+-]?\\d{{1,18}}') THEN {number} END",
        column=column,
        number=number,
    )


def to_number_sql(column: Fragment, stored: str, *, clean: bool = False) -> Fragment:
    """Return a column as DOUBLE; what is no finite number is missing.

    Parameters
    ----------
    column, stored
        The column and its type in DuckDB.
    clean
        Every value is known to be a finite number or empty, so that nothing need be checked again.
    """
    number = template("CAST({column} AS DOUBLE)", column=column)
    if stored == "VARCHAR":
        number = template("TRY_CAST({column} AS DOUBLE)", column=column)
    if clean:
        return number
    if stored == "VARCHAR":
        # NUMBER_PATTERN, as SQL is a constant.
        number = template(
            "CASE WHEN regexp_full_match(trim({column}), '[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?') "
            "THEN TRY_CAST(trim({column}) AS DOUBLE) END",
            column=column,
        )
    return template("CASE WHEN isfinite({number}) THEN {number} END", number=number)


# Of zones named by letters only those that mean one thing in exports; DuckDB would drop any name without a word.
_ZONE_HOURS: Final = Fragment(
    "WHEN 'UTC' THEN 0 WHEN 'GMT' THEN 0 WHEN 'EDT' THEN -4 WHEN 'EST' THEN -5 WHEN 'CDT' THEN -5 "
    "WHEN 'CST' THEN -6 WHEN 'MDT' THEN -6 WHEN 'MST' THEN -7 WHEN 'PDT' THEN -7 WHEN 'PST' THEN -8 "
    "WHEN 'CET' THEN 1 WHEN 'CEST' THEN 2"
)


def to_time_sql(column: Fragment, stored: str) -> Fragment:
    """Return a column as TIMESTAMP in UTC; a time without a zone is taken as UTC, what is no time is missing.

    Text is read as ``2026-03-02 10:00:00`` or ``Mon Mar 02 10:00:00 PST 2026``, the zone an offset or a name such as
    PST; a time of a zone that is not known is missing, as nobody can say when it was.
    """
    if stored == "VARCHAR":
        # A TIMESTAMP cast drops what stands behind the time without a word, hence several ways, the plain one first.
        return template(
            "CASE WHEN regexp_full_match({cell}, '{plain}') "
            "THEN TRY_CAST({cell} AS TIMESTAMP) "
            "WHEN regexp_matches({cell}, '^\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN "
            "CASE WHEN regexp_matches({cell}, ':\\d{{2}}(\\.\\d+)?\\s*(Z|[+-]\\d{{2}}(:?\\d{{2}})?)$') "
            "THEN make_timestamp(epoch_us(TRY_CAST("
            "regexp_replace({cell}, '\\s+(Z|[+-][\\d:]+)$', '\\1') AS TIMESTAMPTZ))) "
            "ELSE TRY_CAST(regexp_extract({cell}, '{named}', 1) AS TIMESTAMP) "
            "- to_hours(CASE regexp_extract({cell}, '{named}', 2) {hours} END) END "
            "WHEN regexp_full_match({cell}, '{written}') THEN try_strptime("
            "regexp_replace({cell}, '{written}', '\\1 \\2 \\3 \\5'), '%b %d %H:%M:%S %Y') "
            "- to_hours(CASE regexp_extract({cell}, '{written}', 4) {hours} END) END",
            cell=template("trim({column})", column=column),
            plain=Fragment("\\d{4}-\\d{2}-\\d{2}([T ]+\\d{1,2}:\\d{1,2}(:\\d{1,2}(\\.\\d*)?)?)?"),
            named=Fragment("^(.*:\\d{1,2}(?:\\.\\d*)?) *([A-Z]+)$"),
            written=Fragment("[A-Z][a-z]{2},? ([A-Z][a-z]{2}) +(\\d{1,2}) (\\d{2}:\\d{2}:\\d{2}) ([A-Z]+) (\\d{4})"),
            hours=_ZONE_HOURS,
        )
    if stored == "TIMESTAMP WITH TIME ZONE":
        return template("make_timestamp(epoch_us({column}))", column=column)
    return template("TRY_CAST({column} AS TIMESTAMP)", column=column)
