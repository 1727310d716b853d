"""Arrow batches into a scratch database: what a reader that yields batches needs last."""

from collections.abc import Iterable, Iterator
from typing import Final

import duckdb
import pyarrow as pa

from analysis.store.readers.scratch import Scratch
from analysis.store.sql import Fragment

__all__ = ["find_types", "take_in_batches"]

_ROW: Final = "row"


def take_in_batches(scratch: Scratch, types: Iterable[pa.DataType], batches: Iterable[pa.RecordBatch]) -> int:
    """Make the table ``raw`` of a scratch database from batches, numbering the rows.

    Parameters
    ----------
    scratch
        An empty one.
    types
        The types of the columns, which become ``c0, c1, ...``.
    batches
        In file order, with these types whatever their names; read once and one at a time.

    Returns
    -------
    int
        How many rows came.

    Raises
    ------
    Exception
        Whatever was raised while a batch was drawn.
    """
    fields = [pa.field(f"c{index}", type_) for index, type_ in enumerate(types)]
    schema = pa.schema([pa.field(_ROW, pa.int64()), *fields])
    rows = 0
    faults: list[Exception] = []

    def number() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        try:
            for batch in batches:
                numbers = pa.array(range(rows + 1, rows + batch.num_rows + 1), pa.int64())
                rows += batch.num_rows
                yield pa.RecordBatch.from_arrays([numbers, *batch.columns], schema=schema)
        except Exception as error:
            faults.append(error)
            raise

    scratch.connection.register("arriving", pa.RecordBatchReader.from_batches(schema, number()))
    try:
        scratch.execute(Fragment("CREATE TABLE raw AS SELECT * FROM arriving"))
    except duckdb.Error as error:
        # The fault itself, not a trace of how DuckDB came upon it.
        raise faults[0] if faults else error from None
    finally:
        scratch.connection.unregister("arriving")
    return rows


def find_types(scratch: Scratch) -> tuple[str, ...]:
    """Return the types in DuckDB of the columns of ``raw`` after ``row``."""
    described = scratch.fetch_all(Fragment("SELECT column_name, column_type FROM (DESCRIBE raw)"))
    return tuple(str(stored) for name, stored in described if name != _ROW)
