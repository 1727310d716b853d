"""Parquet files, whose types are known."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pyarrow import ArrowException

from analysis.errors import FileFaultError
from analysis.store.readers.scratch import Scratch, SourceTable
from analysis.store.sql import Fragment, identifier, join, template, value

__all__ = ["read_parquet"]


def read_parquet(path: Path, encoding: str | None) -> tuple[Scratch, SourceTable]:
    """Read a Parquet file into a scratch database.

    Parameters
    ----------
    path
        The file.
    encoding
        Not used: Parquet text is UTF-8 by definition. Taken so that all readers are called alike.

    Returns
    -------
    tuple of Scratch and SourceTable

    Raises
    ------
    FileFaultError
        If it is not a whole Parquet file.
    """
    del encoding
    scratch = Scratch(path)
    try:
        # The names as they are: DuckDB, which ignores case, would rename the second of two twins.
        names = tuple(str(name) for name in pq.read_schema(path).names)
        # A folder called split=eval is a folder, not a column.
        relation = template("read_parquet({path}, hive_partitioning = false)", path=value(str(path)))
        described = scratch.fetch_all(template("DESCRIBE SELECT * FROM {relation}", relation=relation))
        stored = [str(row[0]) for row in described]
        renamed = join(
            ", ",
            [
                template("{name} AS {new}", name=identifier(name, stored), new=Fragment(f"c{index}"))
                for index, name in enumerate(stored)
            ],
        )
        scratch.execute(
            template(
                "CREATE TABLE raw AS SELECT row_number() OVER () AS row, {renamed} FROM {relation}",
                renamed=renamed,
                relation=relation,
            )
        )
    except (duckdb.Error, ArrowException, OSError) as error:
        scratch.close()
        raise FileFaultError(
            f"{path.name} is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}. Export it again."
        ) from error
    return scratch, SourceTable(names, tuple(str(row[1]) for row in described))
