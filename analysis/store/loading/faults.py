"""What can go wrong below a load, said so that a person can act on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from analysis.errors import FileFaultError
from analysis.store.database_faults import is_full
from analysis.store.memory import VARIABLE
from analysis.store.readers.scratch import Scratch

__all__ = ["described_faults", "whole_file"]


@contextmanager
def described_faults(workspace: Path) -> Iterator[None]:
    """Turn what the database and Arrow raise inside the block into one sentence; the load is undone by then.

    Raises
    ------
    FileFaultError
        If memory or disk did not do, or a file turned out to be damaged behind its beginning.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
        fault = _describe(workspace, error)
        if fault is None:
            raise
        raise fault from error


@contextmanager
def whole_file(path: Path, scratch: Scratch) -> Iterator[None]:
    """Name the file where its rows broke off inside the block.

    Raises
    ------
    FileFaultError
        If they did.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        failure = scratch.failure
        if failure is None or isinstance(failure, duckdb.OutOfMemoryException) or is_full(failure):
            raise
        raise FileFaultError(
            f"{path.name} cannot be read to its end: {_first_line(failure)}. Export it again."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")


def _describe(workspace: Path, error: BaseException) -> FileFaultError | None:
    said = _first_line(error)
    if is_full(error):
        return FileFaultError(
            f"There is no room left on the disk, of the workspace {workspace} or of the temporary folder. "
            "Nothing was changed; make room, then try again."
        )
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError)) or "Out of Memory" in said:
        return FileFaultError(
            "The files need more memory than a load may take. Nothing was changed; close other programs, raise "
            f"{VARIABLE}, or load the files in parts."
        )
    if isinstance(error, pa.ArrowCapacityError) or ("maximum" in said and "size" in said):
        return FileFaultError(
            f"A value is too large to be read: {said}. Nothing was changed; take the value (most likely a cell of "
            "over 2 GB) out of the file."
        )
    if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException)):
        return FileFaultError(f"The files cannot be read to their end: {said}. Nothing was changed; export them again.")
    return None
