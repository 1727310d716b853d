"""What the columns of a file hold, counted over all rows in one pass over record batches.

A type is decided by counts, never by a sample. But most columns of text show in their first batch already that
they are no numbers; such a column is not looked at again.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.roles import ColumnFacts, ColumnType
from analysis.store.loading.values import (
    CODE_PATTERN,
    INTEGER_PATTERN,
    MISSING_MARKS,
    NUMBER_PATTERN,
    find_type,
    to_time_sql,
)
from analysis.store.readers.scratch import Scratch, SourceTable, check_wanted, physical
from analysis.store.sql import Fragment, join, list_value, template

__all__ = ["Counted", "count_columns"]

MIN_CAST_SHARE: Final = 0.99
"""A column of text is one of numbers or times where at least this share of its values is."""

_BATCH_BYTES: Final = 32 << 20
_MOST_ROWS: Final = 65_536
_FEWEST_ROWS: Final = 2_048  # DuckDB's own batches; smaller ones would be put together again
_CELL_BYTES: Final = 16
_LONGEST_NUMBER: Final = 18
_MANY_DIGITS: Final = 1e18  # from here on a number may be spelled in more digits than a float holds
_WORKERS: Final = 4
_SPACE: Final = ord(" ")
_ZERO: Final = ord("0")
_MINUS: Final = ord("-")
_PLUS: Final = ord("+")
_AFTER_ZERO: Final = np.isin(np.arange(256), np.frombuffer(b".eE", np.uint8))
_MARKS: Final = pa.array(MISSING_MARKS, pa.large_string())
_TRUTHS_AND_MARKS: Final = pa.array(["true", "false", *MISSING_MARKS], pa.large_string())


@dataclass(frozen=True)
class Counted:
    """A column's facts and what only its conversion needs.

    Attributes
    ----------
    facts
        What roles are guessed from.
    failed
        Values that are none of the column's type and become missing.
    clean
        No value has to be checked when it is taken as a number: each is one, or missing.
    """

    facts: ColumnFacts
    failed: int = 0
    clean: bool = False


class _NumberCounter:
    """Bounds and gaps of a column that holds numbers by its type."""

    def __init__(self) -> None:
        self.present = 0
        self.low: float | None = None
        self.high: float | None = None
        self.whole = True
        self.odd = 0

    def update(self, values: pa.Array) -> None:
        if values.null_count:
            values = values.drop_null()
        self.add(values.to_numpy(zero_copy_only=False))

    def add(self, numbers: npt.NDArray[Any]) -> None:
        """Count numbers, of which those that are not finite are missing."""
        if numbers.dtype.kind == "f":
            finite = np.isfinite(numbers)
            if not finite.all():
                self.odd += int(numbers.size - finite.sum())
                numbers = numbers[finite]
            # One fraction is enough, so most columns of fractions are asked once.
            self.whole = self.whole and not bool((numbers != np.trunc(numbers)).any())
        self.present += numbers.size
        if numbers.size:
            low, high = numbers.min().item(), numbers.max().item()
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)


class _TextCounter:
    """What the values of a column of text are; each kind is given up as soon as it cannot be any more.

    Parameters
    ----------
    rows
        In the whole file: more failures than the allowed share of them rule a kind out.
    """

    def __init__(self, rows: int) -> None:
        self._allowed = (1 - MIN_CAST_SHARE) * rows
        self.filled = 0
        self.numbers = _NumberCounter()
        self.maybe_number = True
        self.integers = True
        self.marks = 0
        self.lost = 0
        self.maybe_truth = True
        self.maybe_time = True
        self._no_time = 0

    @property
    def is_number(self) -> bool:
        """Enough values are numbers, and none is a code such as 007."""
        present = self.numbers.present + self.lost
        return self.maybe_number and self.numbers.present >= max(1.0, MIN_CAST_SHARE * present)

    def update(self, values: pa.Array) -> None:
        if values.null_count:
            values = values.drop_null()
        sizes = np.diff(_offsets(values))
        filled = int((sizes > 0).sum())
        self.filled += filled
        if not filled or not (self.maybe_number or self.maybe_truth or self.maybe_time):
            return
        if filled < len(values):
            values = values.filter(pa.array(sizes > 0))
        if self.maybe_truth:
            self.maybe_truth = _count_others(values, _TRUTHS_AND_MARKS) == 0
        if self.maybe_time:
            self._no_time += _count_others(values.filter(pa.array(~_may_be_times(values))), _MARKS)
            self.maybe_time = self._no_time <= self._allowed
        if self.maybe_number:
            self._check_numbers(values)

    def _check_numbers(self, values: pa.Array) -> None:
        if not self._take_all(values):
            self._take_some(values)
        if self.lost > self._allowed:
            self.maybe_number = False

    def _take_all(self, values: pa.Array) -> bool:
        """Count a batch of nothing but plain numbers; return False where it is not that."""
        offsets = _offsets(values)
        first = _peek(values, offsets[:-1], 0)
        zeros, signs = first == _ZERO, (first == _MINUS) | (first == _PLUS)
        if _leads_on(values, offsets, zeros, 1) or (signs.any() and _leads_on(values, offsets, signs, 1, zero=True)):
            # 007, or 0x10, which Arrow would read as a number.
            return False
        whole = int(np.diff(offsets).max()) <= _LONGEST_NUMBER
        numbers: npt.NDArray[Any] | None = None
        if whole and self.integers:
            numbers = _cast(values, pa.int64())
        if numbers is None:
            numbers = _cast(values, pa.float64())
            if numbers is None or not np.isfinite(numbers).all():
                return False
            if np.abs(numbers).max() >= _MANY_DIGITS:
                return False
            if self.integers:
                spelled = pc.match_substring_regex(values, f"^{INTEGER_PATTERN}$")
                self.integers = bool(pc.all(spelled).as_py())
        self.numbers.add(numbers)
        return True

    def _take_some(self, values: pa.Array) -> None:
        """Count a batch in which something is no plain number: a mark for "missing", a word, blanks around."""
        values = pc.utf8_trim(values, " ")
        is_number = pc.match_substring_regex(values, f"^{NUMBER_PATTERN}$")
        found, others = values.filter(is_number), values.filter(pc.invert(is_number))
        lost = _count_others(others, _MARKS)
        self.marks += len(others) - lost
        self.lost += lost
        if bool(pc.any(pc.match_substring_regex(values, CODE_PATTERN)).as_py()):
            self.maybe_number = False
        if self.lost > self._allowed or not self.maybe_number:
            return
        numbers = np.array([float(text) for text in found.to_pylist()])
        # Too large for a number: 1e400.
        finite = np.isfinite(numbers)
        self.lost += int(numbers.size - finite.sum())
        self.numbers.add(numbers[finite])
        found = found.filter(pa.array(finite))
        spelled = pc.match_substring_regex(found, f"^{INTEGER_PATTERN}$")
        self.integers = self.integers and bool(pc.all(spelled, min_count=0).as_py())


def _offsets(values: pa.Array) -> npt.NDArray[np.int64]:
    """Return where the texts of a large_string array without gaps begin and end, of length N + 1."""
    return np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]


def _peek(values: pa.Array, starts: npt.NDArray[np.int64], place: int) -> npt.NDArray[np.uint8]:
    """Return the byte at a place of each text; behind its end, any."""
    data = np.frombuffer(values.buffers()[2], np.uint8)
    found: npt.NDArray[np.uint8] = data[np.minimum(starts + place, data.size - 1) if place else starts]
    return found


def _leads_on(
    values: pa.Array, offsets: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_], place: int, *, zero: bool = False
) -> bool:
    """Tell whether one of the chosen texts goes on at a place (after a zero there), other than as 0.5 or 0e3 do."""
    (places,) = np.nonzero(chosen)
    if zero:
        places = places[_peek(values, offsets[places], place) == _ZERO]
        place += 1
    places = places[offsets[places + 1] - offsets[places] > place]
    if not places.size:
        return False
    return not bool(_AFTER_ZERO[_peek(values, offsets[places], place)].all())


def _cast(values: pa.Array, kind: pa.DataType) -> npt.NDArray[Any] | None:
    try:
        found: npt.NDArray[Any] = pc.cast(values, kind).to_numpy()
    except pa.ArrowInvalid:
        return None
    return found


def _may_be_times(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Find what has the dashes of ``2026-01-31``, or blanks before it; those are counted in full by the database."""
    starts = _offsets(values)[:-1]
    found: npt.NDArray[np.bool_] = (_peek(values, starts, 4) == _MINUS) & (_peek(values, starts, 7) == _MINUS)
    return found | (_peek(values, starts, 0) <= _SPACE)


def _count_others(values: pa.Array, known: pa.Array) -> int:
    """Count the values that are none of the known words, in whatever case and with whatever blanks around."""
    if not len(values):
        return 0
    found = pc.is_in(pc.utf8_lower(pc.utf8_trim(values, " ")), known)
    return len(values) - int(pc.sum(found).as_py() or 0)


def choose_batch_rows(table: SourceTable, rows: int, size: int) -> int:
    """Return how many rows make a batch of moderate size, for a file of so many bytes."""
    cell = max(_CELL_BYTES * len(table.names), size // max(rows, 1))
    return max(_FEWEST_ROWS, min(_MOST_ROWS, _BATCH_BYTES // cell))


def count_columns(scratch: Scratch, table: SourceTable, rows: int, batch_rows: int) -> tuple[Counted, ...]:
    """Count what the columns of ``raw`` hold.

    Parameters
    ----------
    scratch, table
        Where the rows are.
    rows, batch_rows
        How many there are, and how many at a time are looked at.

    Returns
    -------
    tuple of Counted
        One for each column, in file order.
    """
    kinds = [find_type(stored) for stored in table.types]
    counters = _scan(scratch, table, kinds, batch_rows, rows)
    counts = _count_rest(scratch, table, kinds, counters)
    return tuple(
        _settle_text(name, rows, counter, count)
        if isinstance(counter, _TextCounter)
        else _settle_typed(name, kind, rows, counter, count)
        for name, kind, counter, count in zip(table.names, kinds, counters, counts, strict=True)
    )


def _scan(
    scratch: Scratch, table: SourceTable, kinds: Sequence[ColumnType], batch_rows: int, rows: int
) -> list[_TextCounter | _NumberCounter | None]:
    """Look at all numbers and texts, in one pass; for other columns there is no counter."""
    counters: list[_TextCounter | _NumberCounter | None] = []
    selected: list[Fragment] = []
    for index, (kind, stored) in enumerate(zip(kinds, table.types, strict=True)):
        column = physical(index, table.names)
        if kind == "text":
            counters.append(_TextCounter(rows))
            selected.append(template("CAST({column} AS VARCHAR)", column=column))
        elif kind in {"integer", "number"}:
            counters.append(_NumberCounter())
            wide = kind == "number" and stored != "FLOAT"
            selected.append(template("CAST({column} AS DOUBLE)", column=column) if wide else column)
        else:
            counters.append(None)
    busy = [counter for counter in counters if counter is not None]
    if not busy:
        return counters
    query = template("SELECT {selected} FROM raw", selected=join(", ", selected))
    with ThreadPoolExecutor(_WORKERS) as pool:
        for batch in scratch.stream(query, rows=batch_rows):
            check_wanted()
            # Arrow and numpy let go of the interpreter while they count.
            list(pool.map(_update, busy, batch.columns))
    return counters


def _update(counter: _TextCounter | _NumberCounter, values: pa.Array) -> None:
    counter.update(values)


_COUNTS: Final = 4


def _count_rest(
    scratch: Scratch,
    table: SourceTable,
    kinds: Sequence[ColumnType],
    counters: Sequence[_TextCounter | _NumberCounter | None],
) -> list[tuple[int, int, int, int]]:
    """Count the values of each column, distinct ones (about), and in text how many are truths and times."""
    # Counted too, as constants alone would be one row for each row.
    parts = [Fragment("count(*)")]
    for index, (kind, counter) in enumerate(zip(kinds, counters, strict=True)):
        column = physical(index, table.names)
        asked = [Fragment("0")] * _COUNTS
        if counter is None:
            asked[0] = template("count({column})", column=column)
        if kind not in {"bytes", "numbers", "other"} and not _has_fractions(counter):
            words = template("nullif(CAST({column} AS VARCHAR), '')", column=column)
            asked[1] = template("approx_count_distinct({column})", column=words if kind == "text" else column)
        if isinstance(counter, _TextCounter) and counter.filled and not counter.is_number:
            words = template("CAST({column} AS VARCHAR)", column=column)
            if counter.maybe_truth or counter.maybe_time:
                asked[0] = template(
                    "count(*) FILTER (NOT coalesce(lower(trim({words})) = ANY({marks}), TRUE))",
                    words=words,
                    marks=list_value(MISSING_MARKS),
                )
            if counter.maybe_truth:
                asked[2] = template("count(*) FILTER (lower(trim({words})) IN ('true', 'false'))", words=words)
            if counter.maybe_time:
                asked[3] = template("count({time})", time=to_time_sql(words, "VARCHAR"))
        parts.extend(asked)
    (row,) = scratch.fetch_all(template("SELECT {parts} FROM raw", parts=join(", ", parts)))
    return [(row[at], row[at + 1], row[at + 2], row[at + 3]) for at in range(1, len(row), _COUNTS)]


def _has_fractions(counter: _TextCounter | _NumberCounter | None) -> bool:
    """Tell whether a column holds fractions; those are taken for all different."""
    if isinstance(counter, _TextCounter):
        return counter.is_number and not counter.numbers.whole
    return counter is not None and not counter.whole


def _settle_text(name: str, rows: int, counter: _TextCounter, count: tuple[int, int, int, int]) -> Counted:
    present, distinct, truths, times = count
    numbers = counter.numbers
    if counter.is_number:
        kind: ColumnType = "integer" if counter.integers else "number"
        some = numbers.present if _has_fractions(counter) else distinct
        facts = ColumnFacts(
            name, kind, rows, rows - numbers.present, some, numbers.low, numbers.high, whole=numbers.whole
        )
        return Counted(facts, counter.lost, clean=not counter.lost and not counter.marks)
    if present and truths == present:
        return Counted(ColumnFacts(name, "boolean", rows, rows - truths, distinct), 0)
    if present and times >= max(1.0, MIN_CAST_SHARE * present):
        return Counted(ColumnFacts(name, "date", rows, rows - times, distinct), present - times)
    return Counted(ColumnFacts(name, "text", rows, rows - counter.filled, distinct))


def _settle_typed(
    name: str, kind: ColumnType, rows: int, counter: _NumberCounter | None, count: tuple[int, int, int, int]
) -> Counted:
    present, distinct, _truths, _times = count
    if counter is None:
        return Counted(ColumnFacts(name, kind, rows, rows - present, distinct))
    some = counter.present if _has_fractions(counter) else distinct
    facts = ColumnFacts(name, kind, rows, rows - counter.present, some, counter.low, counter.high, whole=counter.whole)
    return Counted(facts, clean=not counter.odd)
