"""NumPy's ``.npy``: a matrix without ids or names, whose rows are matched to the items by their position.

Only the header is read here. A matrix may be larger than memory, so ``raw`` holds the row numbers alone, and
loading streams the numbers in blocks. Pickled arrays are never opened: reading one can run code.
"""

import struct
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.errors import FileFaultError
from analysis.store.readers.scratch import Reading, Scratch, SourceTable
from analysis.store.sql import Fragment, template, value

__all__ = ["COLUMN", "Matrix", "MatrixScratch", "read_npy"]

COLUMN: Final = "matrix"
"""The name of the one column, for ``--role embedding=matrix`` and ``--role pred_probs=matrix``."""

_MATRIX: Final = 2
_LOOKED_AT: Final = 1 << 20  # numbers of the first block, by which probabilities are told from an embedding
_SLACK: Final = 1e-3
_FLOATS: Final = (2, 4, 8)
_BY_POSITION: Final = "Matched to the items by position: the first row is the item that was loaded first."
_SAVE: Final = "numpy.save(file, array.astype('float32'))"


@dataclass(frozen=True)
class Matrix:
    """Where the numbers of a matrix stand in its file.

    Attributes
    ----------
    path
        The file.
    rows, columns
        Its shape.
    dtype
        Of one number, with its byte order.
    offset
        The byte at which the numbers begin.
    by_column
        Column after column (Fortran order), not row after row.
    """

    path: Path
    rows: int
    columns: int
    dtype: np.dtype[Any]
    offset: int
    by_column: bool


class MatrixScratch(Scratch):
    """A scratch database for a file whose rows are matched by position.

    Attributes
    ----------
    matrix
        Where the numbers are; None for a list of predicted labels, which is in ``raw``.
    """

    def __init__(self, path: Path, matrix: Matrix | None = None) -> None:
        super().__init__(path)
        self.matrix = matrix


def read_npy(path: Path, encoding: str | None) -> Reading:
    """Read the header of a matrix, or a whole one-dimensional array of predicted labels.

    Parameters
    ----------
    path
        The file.
    encoding
        Not used: the format says how text is written. Taken so that all readers are called alike.

    Returns
    -------
    Reading
        For a matrix of floats one column ``matrix``, without values in ``raw``: probabilities where the first
        rows each sum to 1, an embedding otherwise; the user's word beats that. For a list of whole numbers or
        text one column ``predicted``. The row's number stands in for an id.

    Raises
    ------
    FileFaultError
        If it is no ``.npy``, cut off, pickled, or holds something else than a matrix of floats or a list of labels.
    """
    del encoding
    with path.open("rb") as file:
        shape, by_column, dtype = _read_header(path, file)
        offset = file.tell()
        _check_size(path, shape, dtype, offset)
        if len(shape) == 1:
            labels = _read_labels(path, file, shape[0], dtype)
            return (_hold_labels(path, labels),)
    if len(shape) != _MATRIX or dtype.kind != "f" or dtype.itemsize not in _FLOATS:
        raise FileFaultError(
            f"{path.name} holds an array of shape {_spell_shape(shape)} and type {dtype}. What can be loaded is a "
            f"matrix of floats with a row an item, or a list of predicted labels. Reshape it, then {_SAVE}."
        )
    if 0 in shape:
        raise FileFaultError(f"{path.name} holds a matrix of shape {_spell_shape(shape)}: nothing. Export it again.")
    return (_hold_matrix(Matrix(path, *shape, dtype, offset, by_column)),)


def _read_header(path: Path, file: BufferedReader) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type, and leave the file where the numbers begin."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        # Version 3 differs only in the names of record fields, and records are refused.
        shape, by_column, dtype = readers[version](file)
    except (ValueError, KeyError, SyntaxError, TypeError, EOFError, struct.error) as error:
        raise FileFaultError(
            f"{path.name} is not a whole .npy file of one array: {str(error).splitlines()[0].rstrip('.')}. "
            "Export it again with numpy.save."
        ) from error
    if dtype.hasobject:
        raise FileFaultError(
            f"{path.name} holds pickled Python objects, which are never opened because reading them can run code. "
            f"Save plain numbers instead: {_SAVE}."
        )
    return shape, by_column, dtype


def _check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    found = path.stat().st_size - offset
    if found < wanted:
        raise FileFaultError(
            f"{path.name} is cut off: shape {_spell_shape(shape)} of {dtype} needs {wanted:,} bytes, {found:,} are "
            "there. Copy or export it again."
        )
    if found > wanted:
        raise FileFaultError(
            f"{path.name} holds {found - wanted:,} bytes behind its array of shape {_spell_shape(shape)}. "
            "Save one array a file."
        )


def _spell_shape(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape) or "()"


def _read_labels(path: Path, file: BufferedReader, length: int, dtype: np.dtype[Any]) -> pa.Array:
    if dtype.kind not in "iubUS":
        raise FileFaultError(
            f"{path.name} holds a list of {length:,} values of type {dtype}. A list is read as predicted labels, which "
            "are whole numbers or text; probabilities need a column for each class, so save the whole matrix."
        )
    if not length:
        raise FileFaultError(f"{path.name} holds an empty list. Export it again.")
    labels: npt.NDArray[Any] = np.fromfile(file, dtype=dtype, count=length)
    if dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError as error:
            raise FileFaultError(f"{path.name} holds text that is not UTF-8. Save it as str, not as bytes.") from error
    return pa.array(labels.astype(labels.dtype.newbyteorder("=")))


def _hold_labels(path: Path, labels: pa.Array) -> tuple[Scratch, SourceTable]:
    scratch = MatrixScratch(path)
    numbered = pa.table({"row": np.arange(1, len(labels) + 1), "c0": labels})
    scratch.connection.register("arriving", numbered)
    try:
        scratch.execute(Fragment("CREATE TABLE raw AS SELECT row, c0 FROM arriving"))
    finally:
        scratch.connection.unregister("arriving")
    (stored,) = scratch.fetch_all(Fragment("SELECT typeof(c0) FROM raw LIMIT 1"))[0]
    roles = (("item_id", "@row"), ("predicted", "predicted"))
    table = SourceTable(
        ("predicted",),
        (str(stored),),
        dialect={"format": ".npy", "shape": f"{len(labels):,}"},
        kind="predictions",
        roles=roles,
        notes=(_BY_POSITION,),
    )
    return scratch, table


def _hold_matrix(matrix: Matrix) -> tuple[Scratch, SourceTable]:
    role = "pred_probs" if _sums_to_one(matrix) else "embedding"
    scratch = MatrixScratch(matrix.path, matrix)
    scratch.execute(
        template(
            "CREATE TABLE raw AS SELECT range + 1 AS row, CAST(NULL AS FLOAT[]) AS c0 FROM range({rows})",
            rows=value(matrix.rows),
        )
    )
    table = SourceTable(
        (COLUMN,),
        ("FLOAT[]",),
        dialect={
            "format": ".npy",
            "shape": _spell_shape((matrix.rows, matrix.columns)),
            "type": str(matrix.dtype),
            "order": "Fortran" if matrix.by_column else "C",
        },
        kind="predictions",
        roles=(("item_id", "@row"), (role, COLUMN)),
        notes=(_BY_POSITION,),
    )
    return scratch, table


def _sums_to_one(matrix: Matrix) -> bool:
    """Tell whether most of the first rows are probabilities; faulty ones are rejected later, row by row."""
    if matrix.columns < 2:  # noqa: PLR2004  (one class leaves nothing to predict)
        return False
    rows = max(1, min(matrix.rows, _LOOKED_AT // matrix.columns))
    shape = (matrix.columns, matrix.rows) if matrix.by_column else (matrix.rows, matrix.columns)
    mapped = np.memmap(matrix.path, matrix.dtype, "r", matrix.offset, shape)
    first = np.asarray(mapped.T[:rows] if matrix.by_column else mapped[:rows], dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = first.sum(axis=1)
        good = (np.abs(sums - 1) <= _SLACK) & (first.min(axis=1) >= -_SLACK)
    return bool(2 * int(good.sum()) > rows)
