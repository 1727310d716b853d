"""Rows of numbers on their way from a file to the workspace, block by block: never a whole matrix in memory.

A block comes out of columns (one a class), out of a column of lists, or out of a ``.npy`` file; the kernels do not
know which.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import FileFaultError
from analysis.store.loading.source import Source
from analysis.store.readers.npy import Matrix, MatrixScratch
from analysis.store.sql import Fragment, join, template
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = [
    "Block",
    "compute_digests",
    "find_matrix",
    "find_rows",
    "insert_batches",
    "is_by_position",
    "is_wide",
    "stage_batches",
    "stage_digests",
    "stream_columns",
    "stream_lists",
    "stream_matrix",
    "to_lists",
    "watch_blocks",
]

Floats = npt.NDArray[np.floating[Any]]

_BLOCK: Final = 1 << 20  # numbers; as float64, 8 MB
_WIDE: Final = 1 << 24  # numbers; as float32, 64 MB
_MOST_ROWS: Final = 1 << 16
_FEWEST_ROWS: Final = 64
_PLAIN_LISTS: Final = ("FLOAT[", "DOUBLE[")


@dataclass(frozen=True)
class Block:
    """Some rows of numbers.

    Attributes
    ----------
    rows
        (B,) int64, the rows of the file, from 1.
    numbers
        (B, K) floats, NaN where a number is missing; without meaning where ``lengths`` is not K.
    lengths
        (B,) how many numbers the row has, missing ones too; -1 where it has none at all.
    needed
        (B,) whether a row without numbers is a fault; None: it is for all.
    """

    rows: npt.NDArray[np.int64]
    numbers: Floats
    lengths: npt.NDArray[np.int64]
    needed: npt.NDArray[np.bool_] | None = None


def find_matrix(source: Source) -> Matrix | None:
    """Return the matrix of a ``.npy`` file, or None for any other."""
    return source.scratch.matrix if isinstance(source.scratch, MatrixScratch) else None


def is_by_position(source: Source) -> bool:
    """Tell whether a file has no ids of its own: its rows are the items of a split in their order."""
    return isinstance(source.scratch, MatrixScratch)


def is_wide(rows: int, width: int) -> bool:
    """Tell whether rows of numbers are too many to be kept while they are matched: they are read twice then."""
    return rows * width > _WIDE


def stream_columns(source: Source, columns: Sequence[str], *, sparse: bool) -> Iterator[Block]:
    """Stream columns of numbers, one number a column.

    Parameters
    ----------
    source, columns
        The file, and its columns in the order of the numbers.
    sparse
        A row whose cells are all empty has no numbers; else it has missing ones, as a row with words in it has.
    """
    width = len(columns)
    selected = [
        template("{number} AS {name}", number=source.to_number(column), name=Fragment(f"p{index}"))
        for index, column in enumerate(columns)
    ]
    # Where a column holds nothing but numbers and gaps, a missing number is an empty cell.
    doubtful = [source.is_empty(column) for column in columns if sparse and column not in source.clean]
    empty = join(" AND ", doubtful) if doubtful else Fragment("TRUE")
    query = template("SELECT row, {selected}, {empty} AS empty FROM raw", selected=join(", ", selected), empty=empty)
    for batch in source.scratch.stream(query, rows=_count_rows(width)):
        values = np.empty((batch.num_rows, width))
        for index in range(width):
            values[:, index] = _to_numpy(batch.column(index + 1))
        lengths = np.full(batch.num_rows, width, dtype=np.int64)
        if sparse:
            lengths[np.isnan(values).all(axis=1) & _to_numpy(batch.column(width + 1))] = -1
        yield Block(_to_numpy(batch.column(0)), values, lengths, np.zeros(batch.num_rows, dtype=np.bool_))


def stream_lists(
    source: Source, column: str, width: int, *, places: Sequence[int] | None = None, needed: Fragment
) -> Iterator[Block]:
    """Stream a column of lists of numbers.

    Parameters
    ----------
    source, column
        The file, and its column.
    width
        How many numbers a row should have.
    places
        Where in the list each number of the block stands; None: as it is.
    needed
        Whether a row without a list is a fault, as SQL.
    """
    listed, stored, _facts = source.find(column)
    if not stored.startswith(_PLAIN_LISTS):
        listed = template("CAST({listed} AS DOUBLE[])", listed=listed)
    step = _count_rows(width)
    query = template("SELECT row, {listed} AS numbers, {needed} AS needed FROM raw", listed=listed, needed=needed)
    for batch in source.scratch.stream(query, rows=step):
        # DuckDB rounds the size of a batch up to whole vectors, which is much where rows are wide.
        for start in range(0, batch.num_rows, step):
            part = batch.slice(start, step)
            values, lengths = _unpack(part.column(1), width)
            chosen = values if places is None else values[:, places]
            yield Block(_to_numpy(part.column(0)), chosen, lengths, _to_numpy(part.column(2)))


def _unpack(lists: pa.Array, width: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return (B, K) numbers and the (B,) lengths of lists."""
    present = lists.is_valid().to_numpy(zero_copy_only=False)
    lengths = np.where(present, pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False), -1)
    # Without what lies under missing lists.
    numbers = _to_numpy(lists.flatten())
    right = lengths == width
    if right.all():
        return numbers.reshape(-1, width), lengths
    ends = np.cumsum(np.maximum(lengths, 0))
    values = np.full((len(lists), width), np.nan)
    values[right] = numbers[(ends[right] - width)[:, None] + np.arange(width)]
    return values, lengths


def _to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """Return numbers as numpy; a missing one is NaN."""
    found: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return found


def stream_matrix(matrix: Matrix, places: Sequence[int] | None = None) -> Iterator[Block]:
    """Stream a ``.npy`` file with plain reads, whose pages are the system's and not ours, in either order.

    Parameters
    ----------
    matrix
        Where the numbers are.
    places
        Which column of the file each number of the block is; None: as they are.
    """
    step = _count_rows(matrix.columns)
    with matrix.path.open("rb", buffering=0) as file:
        for start in range(0, matrix.rows, step):
            count = min(step, matrix.rows - start)
            if matrix.by_column:
                found = np.empty((matrix.columns, count), dtype=matrix.dtype)
                for column in range(matrix.columns):
                    place = matrix.offset + (column * matrix.rows + start) * matrix.dtype.itemsize
                    _read_exactly(file, place, found[column], matrix.path)
                values = found.T
            else:
                values = np.empty((count, matrix.columns), dtype=matrix.dtype)
                place = matrix.offset + start * matrix.columns * matrix.dtype.itemsize
                _read_exactly(file, place, values, matrix.path)
            if places is not None:
                values = values[:, places]
            rows = np.arange(start + 1, start + count + 1, dtype=np.int64)
            yield Block(rows, values, np.full(count, matrix.columns, dtype=np.int64))


def watch_blocks(blocks: Iterator[Block], watch: Watch, step: str, total: int) -> Iterator[Block]:
    """Pass blocks on, say how many rows of how many came, and stop where the work is not wanted any more."""
    done = 0
    for block in blocks:
        watch.tell(step, done, total)
        done += len(block.rows)
        yield block


def _read_exactly(file: Any, place: int, into: npt.NDArray[Any], path: Path) -> None:  # noqa: ANN401  (a raw file)
    view = memoryview(into.data).cast("B")
    file.seek(place)
    while view:
        found = file.readinto(view)
        if not found:
            raise FileFaultError(f"{path.name} became shorter while it was read. Load it again when it is whole.")
        view = view[found:]


def _count_rows(width: int) -> int:
    return max(_FEWEST_ROWS, min(_MOST_ROWS, _BLOCK // max(width, 1)))


def compute_digests(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """Compute two 64-bit numbers for each row, by which equal rows are found without keeping the rows.

    Parameters
    ----------
    values
        (M, K) float32 without negative zeros.

    Returns
    -------
    (M, 2) uint64
        Two independent multilinear hashes modulo 2^64 of the 32-bit patterns (Lemire, Kaser 2014). Two rows that
        differ share both with a chance of at most 2^-66.

    Examples
    --------
    >>> same = compute_digests(np.array([[0.25, 0.75], [0.75, 0.25], [0.25, 0.75]], dtype=np.float32))
    >>> (same[0] == same[2]).all(), (same[0] == same[1]).any()
    (np.True_, np.False_)
    """
    weights = np.random.default_rng(values.shape[1]).integers(0, 2**64, (values.shape[1], 2), dtype=np.uint64)
    return values.view(np.uint32).astype(np.uint64) @ weights


def to_lists(values: npt.NDArray[np.float32]) -> pa.Array:
    """Return (M, K) numbers as M Arrow lists, without a copy."""
    count, width = values.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))


def find_rows(
    wanted: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Find which of the (M,) rows are wanted, and where these stand in the sorted (W,) wanted ones."""
    places = np.searchsorted(wanted, rows)
    there = places < len(wanted)
    there[there] = wanted[places[there]] == rows[there]
    return there, places[there]


def stage_digests(writer: Writer, table: str, keys: pa.Schema, query: Fragment, width: int) -> None:
    """Make a temporary table of the keys and the digests of rows of numbers that are kept already.

    Parameters
    ----------
    writer, table
        The one writer, and the name of the table: the keys, then ``first`` and ``second``.
    keys
        The key columns.
    query
        Gives the keys, then lists of FLOAT without missing ones.
    width
        About how many numbers a list has, for batches of moderate size.
    """
    schema = pa.schema([*keys, ("first", pa.uint64()), ("second", pa.uint64())])
    found: list[pa.RecordBatch] = []
    for batch in writer.fetch_batches(query, rows=_count_rows(width)):
        lists = batch.column(len(keys))
        lengths = _to_numpy(pc.list_value_length(lists))
        numbers = np.ascontiguousarray(_to_numpy(lists.flatten()), dtype=np.float32)
        starts = np.cumsum(lengths) - lengths
        digests = np.zeros((len(lists), 2), dtype=np.uint64)
        for length in np.unique(lengths):
            same = lengths == length
            places = starts[same][:, None] + np.arange(length)
            digests[same] = compute_digests(numbers.reshape(-1, length) if same.all() else numbers[places])
        first, second = digests.T.copy()
        columns = [*batch.columns[: len(keys)], pa.array(first), pa.array(second)]
        found.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    writer.take_in(table, pa.Table.from_batches(found, schema=schema))


def stage_batches(writer: Writer, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Make a temporary table of batches; what goes wrong in making them is raised as it is."""
    with _relaying(schema, batches) as reader:
        writer.take_in(table, reader)


def insert_batches(writer: Writer, statement: Fragment, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Run a statement that inserts ``FROM arriving``, which are the batches; they are never kept on the way."""
    with _relaying(schema, batches) as reader:
        writer.execute(statement, reader)


@contextmanager
def _relaying(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatchReader]:
    """Give batches to DuckDB, which would wrap an exception of ours into one of its own."""
    faults: list[BaseException] = []

    def relay() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:
            faults.append(error)
            raise

    try:
        yield pa.RecordBatchReader.from_batches(schema, relay())
    except Exception as error:
        if faults:
            raise faults[0] from error
        raise
