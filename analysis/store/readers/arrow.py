"""Arrow IPC files and streams, and Feather (version 2 is the Arrow file format): columns with types of their own.

Batches cross one at a time, typed. What DuckDB or a person could not use as it is becomes something that they
can: dictionaries their values, nested values JSON text, durations seconds.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc, types

from analysis.errors import FileFaultError
from analysis.store.readers.batches import find_types, take_in_batches
from analysis.store.readers.notes import describe_changes
from analysis.store.readers.scratch import Reading, Scratch, SourceTable

__all__ = ["read_arrow"]

_FILE_MAGIC: Final = b"ARROW1"
_END_OF_STREAM: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MICROSECONDS: Final = 1_000_000.0
# How data sets of Hugging Face keep pictures.
_PICTURE_FIELDS: Final = {"bytes", "path"}
_WIDEST_DECIMAL: Final = 38

Convert = Callable[[pa.Array], pa.Array]


def read_arrow(path: Path, encoding: str | None) -> Reading:
    """Read an Arrow IPC file or stream, or a Feather file of version 2, into a scratch database.

    Parameters
    ----------
    path
        The file; whether it is a file or a stream is told from its first bytes, not from its ending.
    encoding
        Not used: Arrow text is UTF-8 by definition. Taken so that all readers are called alike.

    Returns
    -------
    Reading
        The columns with types that DuckDB knows: dictionaries as their values, lists of numbers as lists (those
        of fixed length too), durations as seconds, nested values and lists of anything else as JSON text. The
        notes name what was changed.

    Raises
    ------
    FileFaultError
        If it is cut off or damaged.
    """
    del encoding
    with ExitStack() as stack:
        scratch = Scratch(path)
        failed = stack.enter_context(ExitStack())
        failed.callback(scratch.close)
        try:
            source = stack.enter_context(pa.memory_map(str(path)))
            schema, batches = _open_batches(path, source)
            targets, converts, notes = _plan(schema)
            take_in_batches(scratch, targets, _convert(batches, targets, converts))
            stored = find_types(scratch)
        except (duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise FileFaultError(f"{path.name} is not a whole Arrow file: {reason}. Export it again.") from error
        failed.pop_all()
    dialect = {"format": "Arrow file" if _is_file(path) else "Arrow stream"}
    return ((scratch, SourceTable(tuple(schema.names), stored, dialect=dialect, notes=notes)),)


def _is_file(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_FILE_MAGIC)) == _FILE_MAGIC


def _open_batches(path: Path, source: pa.MemoryMappedFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if _is_file(path):
        reader = ipc.open_file(source)
        return reader.schema, (reader.get_batch(index) for index in range(reader.num_record_batches))
    source.seek(max(0, source.size() - len(_END_OF_STREAM)))
    if source.read() != _END_OF_STREAM:
        # Without the mark a stream that was cut between two batches looks whole.
        raise ValueError("its end mark is missing, so it is cut off or was still being written")
    source.seek(0)
    stream = ipc.open_stream(source)
    return stream.schema, _read_stream(source, stream)


def _read_stream(source: pa.MemoryMappedFile, stream: ipc.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    yield from stream
    if source.tell() != source.size():
        raise ValueError(f"data follows the end of the stream at byte {source.tell():,}")


def _convert(
    batches: Iterator[pa.RecordBatch], targets: list[pa.DataType], converts: list[Convert]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        # A flipped bit in an offset would otherwise be read as an address.
        batch.validate(full=True)
        columns = [convert(column) for convert, column in zip(converts, batch.columns, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=pa.schema([pa.field("", target) for target in targets]))


def _plan(schema: pa.Schema) -> tuple[list[pa.DataType], list[Convert], tuple[str, ...]]:
    """Return for each column the type it gets and how, and what a person should know of it."""
    plans = [_plan_column(field.type) for field in schema]
    notes = describe_changes(schema.names, [plan[2] for plan in plans])
    return [plan[0] for plan in plans], [plan[1] for plan in plans], notes


def _plan_column(given: pa.DataType) -> tuple[pa.DataType, Convert, str]:
    """Return the type a column gets, how, and the word for it where a person should know."""
    if isinstance(given, pa.UuidType):
        return pa.string(), _spell_uuids, ""
    if isinstance(given, pa.BaseExtensionType):
        return _chain(lambda array: array.storage, _plan_column(given.storage_type))
    if types.is_dictionary(given) or types.is_run_end_encoded(given):
        decode = pc.run_end_decode if types.is_run_end_encoded(given) else pc.dictionary_decode
        return _chain(decode, _plan_column(given.value_type))
    if types.is_duration(given):
        return pa.float64(), _count_seconds, "seconds"
    if _is_list(given) and _is_number(given.value_type):
        return _plan_list(given, pa.list_(_choose_number(given.value_type)))
    if types.is_struct(given) and {field.name for field in given} == _PICTURE_FIELDS:
        target, convert, _word = _plan_column(given.field("bytes").type)
        return target, lambda array: convert(pc.struct_field(array, "bytes")), "bytes"
    if types.is_nested(given) or types.is_interval(given):
        return pa.large_string(), _to_json, "JSON text"
    return _cast(_choose_single(given))


def _plan_list(given: pa.DataType, target: pa.DataType) -> tuple[pa.DataType, Convert, str]:
    if types.is_list_view(given) or types.is_large_list_view(given):
        # Casting one with missing values made offsets of the wrong length (pyarrow 26).
        return target, lambda array: pa.array(array.to_pylist(), target), ""
    return _cast(target)


def _choose_number(given: pa.DataType) -> pa.DataType:
    """Return the type of the numbers in a list."""
    if types.is_integer(given):
        return given
    return pa.float32() if types.is_float16(given) or types.is_float32(given) else pa.float64()


def _choose_single(given: pa.DataType) -> pa.DataType:
    """Return the type of single values; most stay as they are."""
    if types.is_null(given) or _is_string(given):
        return pa.large_string()
    if types.is_fixed_size_binary(given) or types.is_large_binary(given) or types.is_binary_view(given):
        return pa.large_binary()
    if types.is_decimal(given):
        # Every digit is kept: what DuckDB's widest decimal does not hold becomes text.
        short = given.precision <= _WIDEST_DECIMAL
        return pa.decimal128(given.precision, given.scale) if short else pa.large_string()
    if types.is_timestamp(given):
        # A zone is kept as the moment that it says; finer than a microsecond no time is kept.
        return pa.timestamp("us", "UTC" if given.tz else None)
    return pa.float32() if types.is_float16(given) else given


def _chain(first: Convert, then: tuple[pa.DataType, Convert, str]) -> tuple[pa.DataType, Convert, str]:
    target, convert, word = then
    return target, lambda array: convert(first(array)), word


def _cast(target: pa.DataType) -> tuple[pa.DataType, Convert, str]:
    return target, lambda array: array if array.type == target else array.cast(target, safe=False), ""


def _is_string(given: pa.DataType) -> bool:
    return bool(types.is_string(given) or types.is_large_string(given) or types.is_string_view(given))


def _is_list(given: pa.DataType) -> bool:
    plain = types.is_list(given) or types.is_large_list(given) or types.is_fixed_size_list(given)
    return bool(plain or types.is_list_view(given) or types.is_large_list_view(given))


def _is_number(given: pa.DataType) -> bool:
    return bool(types.is_integer(given) or types.is_floating(given) or types.is_decimal(given))


def _count_seconds(array: pa.Array) -> pa.Array:
    exact = array.cast(pa.duration("us"), safe=False).cast(pa.int64())
    return pc.divide(exact.cast(pa.float64()), _MICROSECONDS)


def _spell_uuids(array: pa.Array) -> pa.Array:
    return pa.array([None if found is None else str(found) for found in array.to_pylist()], pa.string())


def _to_json(array: pa.Array) -> pa.Array:
    found = array.to_pylist()
    if types.is_map(array.type):
        found = [None if pairs is None else dict(pairs) for pairs in found]
    spelled = [None if value is None else json.dumps(_to_plain(value), ensure_ascii=False) for value in found]
    return pa.array(spelled, pa.large_string())


def _to_plain(found: Any) -> Any:  # noqa: ANN401  (whatever Arrow holds)
    """Return a nested value as one that JSON has."""
    if isinstance(found, dict):
        return {str(key): _to_plain(value) for key, value in found.items()}
    if isinstance(found, list):
        # Only a map has pairs.
        pairs = bool(found) and isinstance(found[0], tuple)
        return _to_plain(dict(found)) if pairs else [_to_plain(value) for value in found]
    if isinstance(found, float):
        return found if isfinite(found) else None
    if found is None or isinstance(found, str | int):
        return found
    return found.hex() if isinstance(found, bytes) else str(found)
