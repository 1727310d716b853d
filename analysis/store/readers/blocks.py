"""Columns of Python values, block by block, into a scratch database; the types are known once all were seen.

Formats without a schema (JSON, workbooks) say the type of each value, not of each column. A block of rows is put
away as Arrow under the types of that block; when all are there, every column gets the narrowest type that
changes none of its values. Where there is none it is text, each value as it is spelled.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import pyarrow as pa
from pyarrow import ipc

from analysis.store.readers.batches import find_types, take_in_batches
from analysis.store.readers.scratch import Scratch

__all__ = ["Blocks", "spell"]

BlockKind = Literal["null", "boolean", "integer", "number", "time", "wholes", "numbers", "text"]

_ARROW: Final[Mapping[BlockKind, pa.DataType]] = {
    "null": pa.large_string(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "time": pa.timestamp("us"),
    "wholes": pa.list_(pa.int64()),
    "numbers": pa.list_(pa.float64()),
    "text": pa.large_string(),
}
_OF_TYPES: Final[Mapping[frozenset[type], BlockKind]] = {
    frozenset(): "null",
    frozenset({bool}): "boolean",
    frozenset({int}): "integer",
    frozenset({float}): "number",
    frozenset({int, float}): "number",
    frozenset({datetime}): "time",
    frozenset({str}): "text",
}
_WIDER: Final[Mapping[frozenset[BlockKind], BlockKind]] = {
    frozenset({"integer", "number"}): "number",
    frozenset({"wholes", "numbers"}): "numbers",
}
_LONGEST: Final = (1 << 63) - 1
_EXACT_IN_FLOAT: Final = 1 << 53
_NOTHING: Final = type(None)


def spell(found: object) -> str | None:
    """Write a value as text, as Python writes it; lists and objects as JSON, times as ISO 8601.

    Parameters
    ----------
    found
        What a reader found; None and a number that is none (NaN) stay missing.

    Returns
    -------
    str or None

    Examples
    --------
    >>> [spell(found) for found in ("007", 3, 3.0, True, None, [1, "a"])]
    ['007', '3', '3.0', 'True', None, '[1, "a"]']
    >>> spell(datetime(2026, 3, 1)), spell(datetime(2026, 3, 1, 7, 30))
    ('2026-03-01', '2026-03-01 07:30:00')
    """
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, datetime):
        return found.date().isoformat() if found.time() == time() else found.isoformat(" ")
    if isinstance(found, list | dict):
        return json.dumps(found, ensure_ascii=False)
    if isinstance(found, float) and found != found:  # noqa: PLR0124  (only NaN differs from itself)
        return None
    return str(found)


class Blocks:
    """Rows on their way into a scratch database; those that came wait in a folder of their own.

    Use as a context: the folder goes with it.

    Attributes
    ----------
    rows
        How many came.
    names
        The columns in order of first appearance.
    spelled
        The columns whose lists or objects became JSON text, in that order.

    Examples
    --------
    >>> with Blocks() as blocks, Scratch(Path("x.json")) as scratch:
    ...     blocks.add({"id": ["7", "8"], "n": [1, None]})
    ...     blocks.add({"id": [9], "n": [0.5], "ok": [True]})
    ...     print(blocks.take_in(scratch), scratch.connection.sql("FROM raw").fetchall())
    ('VARCHAR', 'DOUBLE', 'BOOLEAN') [(1, '7', 1.0, None), (2, '8', None, None), (3, '9', 0.5, True)]
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="relook-")
        self._files: list[Path] = []
        self._kinds: dict[str, BlockKind] = {}
        self._largest: dict[str, int] = {}
        self._spelled: dict[str, None] = {}
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in order of first appearance."""
        return tuple(self._kinds)

    @property
    def spelled(self) -> tuple[str, ...]:
        """The columns whose lists or objects became JSON text."""
        return tuple(name for name in self._kinds if name in self._spelled)

    def add(self, columns: Mapping[str, Sequence[object]]) -> None:
        """Put a block of rows away.

        Parameters
        ----------
        columns
            Values of one length by column: None, bool, int, float, str, datetime without a zone, list or dict.
            A column that is left out is missing in this block; new ones may come.
        """
        kinds = {name: self._find_kind(name, values) for name, values in columns.items()}
        for name, kind in kinds.items():
            known = self._kinds.get(name, "null")
            self._kinds[name] = _join(known, kind)
            if self._kinds[name] == "text" and {known, kind} & {"wholes", "numbers"}:
                self._spelled[name] = None
        arrays = [_to_array(columns[name], kind) for name, kind in kinds.items()]
        batch = pa.RecordBatch.from_arrays(arrays, names=list(kinds))
        path = Path(self._folder.name) / f"{len(self._files)}.arrow"
        with ipc.new_file(str(path), batch.schema) as file:
            file.write_batch(batch)
        self._files.append(path)
        self.rows += batch.num_rows

    def take_in(self, scratch: Scratch) -> tuple[str, ...]:
        """Make the table ``raw`` of an empty scratch database, and return the types of the columns in DuckDB."""
        kinds = {name: self._settle(name, kind) for name, kind in self._kinds.items()}
        take_in_batches(scratch, [_ARROW[kind] for kind in kinds.values()], self._read(kinds))
        return find_types(scratch)

    def _find_kind(self, name: str, values: Sequence[object]) -> BlockKind:
        found = frozenset(map(type, values)) - {_NOTHING}
        kind = _find_list_kind(values) if found == {list} else _OF_TYPES.get(found, "text")
        if int in found and kind != "text":
            largest = max(abs(number) for number in values if type(number) is int)
            self._largest[name] = max(largest, self._largest.get(name, 0))
            if largest > (_LONGEST if kind == "integer" else _EXACT_IN_FLOAT):
                kind = "text"
        if kind == "text" and found & {list, dict}:
            self._spelled[name] = None
        return kind

    def _settle(self, name: str, kind: BlockKind) -> BlockKind:
        """Return a column's type: whole numbers among fractions must be exact as such."""
        too_long = kind == "number" and self._largest.get(name, 0) > _EXACT_IN_FLOAT
        return "text" if too_long else kind

    def _read(self, kinds: Mapping[str, BlockKind]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([pa.field(name, _ARROW[kind]) for name, kind in kinds.items()])
        for path in self._files:
            with pa.memory_map(str(path)) as source:
                batch = ipc.open_file(source).get_batch(0)
                arrays = [_recast(batch, name, kind) for name, kind in kinds.items()]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _find_list_kind(values: Sequence[object]) -> BlockKind:
    found: set[type] = set()
    for value in values:
        if isinstance(value, list):
            found.update(map(type, value))
    found.discard(_NOTHING)
    if not found <= {int, float}:
        return "text"
    numbers = [number for value in values if isinstance(value, list) for number in value if type(number) is int]
    if max(map(abs, numbers), default=0) > _EXACT_IN_FLOAT:
        return "text"
    return "numbers" if float in found else "wholes"


def _join(one: BlockKind, other: BlockKind) -> BlockKind:
    if other in {one, "null"}:
        return one
    return other if one == "null" else _WIDER.get(frozenset({one, other}), "text")


def _to_array(values: Sequence[object], kind: BlockKind) -> pa.Array:
    # Whole numbers beside fractions are put away as they are spelled: should the column become text, 0 stays "0".
    mixed = kind == "number" and any(type(value) is int for value in values)
    if kind == "text" or mixed:
        return pa.array([spell(value) for value in values], _ARROW["text"])
    return pa.array(values, _ARROW[kind])


def _recast(batch: pa.RecordBatch, name: str, kind: BlockKind) -> pa.Array:
    """Return a block's column as the type that the whole column has."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(batch.num_rows, _ARROW[kind])
    array = batch.column(index)
    if array.type == _ARROW[kind]:
        return array
    if kind == "text":
        return pa.array([spell(value) for value in array.to_pylist()], _ARROW["text"])
    return array.cast(_ARROW[kind])
