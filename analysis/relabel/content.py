"""What a receiver sees of an item: the columns that the user ticked, as text or images.

Every value becomes text (or an image) once, here, in the same way for the hash, for every tool and for
spreadsheets: what was hashed is what was shown.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError, UnknownNameError

__all__ = ["RESERVED_NAMES", "Column", "ColumnKind", "Content", "Image", "compute_content_sha", "to_keys"]

ColumnKind = Literal["text", "image", "field"]

RESERVED_NAMES = frozenset(
    {
        # Ours, in answers; every name that begins with "relook_" is ours as well.
        *("suggestion", "new_label", "confidence", "comment", "annotator", "reason", "fields"),
        # Label Studio's, which its exports put beside the item's own.
        *("id", "annotation_id", "annotations", "created_at", "updated_at", "lead_time", "predictions"),
        *("data", "meta", "completed_by", "project", "task"),
    }
)
"""Names that mean something in a task file or in the answers; a user's column of that name is renamed."""

# The first bytes of the image formats that every browser shows.
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png", "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg", "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "gif", "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp", "image/webp"),
    (re.compile(rb"BM"), "bmp", "image/bmp"),
)
# NUL breaks databases and CSV readers, lone surrogates cannot be written as UTF-8.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_SHA_DIGITS = 8
_EXACT_FLOAT = 2**53  # from here on a float no longer stands for one whole number
# Eight hexadecimal digits that a spreadsheet would turn into a number (12345678, 1234e567) or a date.
_LIKE_A_NUMBER = re.compile(r"\d+(e\d+)?|\d*(dec|feb)\d*")


@dataclass(frozen=True)
class Column:
    """A ticked column.

    Attributes
    ----------
    name
        As the user's data call it.
    kind
        ``"text"``: what is labelled, shown large; ``"image"``; ``"field"``: a line beside it.
    """

    name: str
    kind: ColumnKind


@dataclass(frozen=True)
class Image:
    """An image's bytes and what they are.

    Attributes
    ----------
    data
        The file's bytes.
    extension
        Without dot, for example ``"png"``.
    media_type
        For example ``"image/png"``.
    """

    data: bytes
    extension: str
    media_type: str


@dataclass(frozen=True, eq=False)
class Content:
    """What receivers see of the items of one request.

    Attributes
    ----------
    columns
        The ticked columns, in the order in which they are shown.
    cells
        ``(split, item_id)`` to one value a column: text, image, or None where missing.
    shas
        ``(split, item_id)`` to the short hash of the content.
    """

    columns: tuple[Column, ...]
    cells: Mapping[tuple[str, str], tuple[str | Image | None, ...]]
    shas: Mapping[tuple[str, str], str]

    def of_kind(self, kind: ColumnKind) -> tuple[tuple[int, Column], ...]:
        """Return (position, column) of the columns of a kind."""
        return tuple((index, column) for index, column in enumerate(self.columns) if column.kind == kind)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, roles: Mapping[str, ColumnKind], items: Collection[tuple[str, str]]
    ) -> "Content":
        """Read the content of the items of a request.

        Parameters
        ----------
        frame
            Index ``(split, item_id)``, unique; the user's columns. More items than needed do no harm.
        roles
            Ticked column to its kind, in the order in which they are shown.
        items
            The items of the request.

        Returns
        -------
        Content

        Raises
        ------
        AnalysisError
            If no column is ticked, a ticked column is not there, an item has no content or has it twice, or
            bytes are not an image that browsers show.

        Examples
        --------
        >>> index = pd.MultiIndex.from_tuples([("train", "7")], names=["split", "item_id"])
        >>> frame = pd.DataFrame({"age": [39.0]}, index=index)
        >>> Content.from_frame(frame, {"age": "field"}, [("train", "7")]).cells
        {('train', '7'): ('39',)}
        """
        columns = _check_columns(frame, roles)
        place = _find_rows(frame, items)
        cells: dict[tuple[str, str], tuple[str | Image | None, ...]] = {}
        arrays = [frame[column.name].to_numpy(dtype=object) for column in columns]
        for key in items:
            row = place[key]
            cells[key] = tuple(
                _read_value(cell[row], column, key) for cell, column in zip(arrays, columns, strict=True)
            )
        names = [column.name for column in columns]
        shas = {key: compute_content_sha(dict(zip(names, value, strict=True))) for key, value in cells.items()}
        return cls(columns, cells, shas)


def compute_content_sha(values: Mapping[str, str | Image | None]) -> str:
    """Compute the short hash by which a changed item is noticed when its answer comes back.

    SHA-256 over JSON (UTF-8) of the pairs column and value, sorted by column; an image counts as the SHA-256
    of its bytes. Of the 64 hexadecimal digits the first eight are taken, or, where a spreadsheet would read
    those as a number or a date and save something else, the next eight that it would not.

    Parameters
    ----------
    values
        Column to text, image, or None where missing.

    Returns
    -------
    str
        Eight hexadecimal digits; two different contents agree by chance once in 4 billion.

    Examples
    --------
    >>> compute_content_sha({"text": "I saw this movie"})
    'a1a44730'
    """
    pairs = [
        [name, {"image": hashlib.sha256(value.data).hexdigest()} if isinstance(value, Image) else value]
        for name, value in sorted(values.items())
    ]
    digits = hashlib.sha256(json.dumps(pairs, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
    windows = [digits[start : start + _SHA_DIGITS] for start in range(len(digits) - _SHA_DIGITS + 1)]
    return next((window for window in windows if not _LIKE_A_NUMBER.fullmatch(window)), windows[0])


def to_keys(names: Iterable[str], *, plain: bool = False) -> dict[str, str]:
    """Give each of the user's columns a name that no name of ours or of the tool can be taken for.

    Parameters
    ----------
    names
        The user's columns; distinct.
    plain
        Use letters, digits and ``_`` of ASCII alone, as variables in a Label Studio config must.

    Returns
    -------
    dict
        Column to name: itself where that is safe, else with ``data_`` before it; a number behind it where two
        would be one (names are compared without case, as many readers do).

    Examples
    --------
    >>> to_keys(["text", "ID", "data_id"])
    {'text': 'text', 'ID': 'data_ID', 'data_id': 'data_id_2'}
    >>> to_keys(["hours-per-week", "größe (cm)"], plain=True)
    {'hours-per-week': 'hours_per_week', 'größe (cm)': 'gr_e_cm'}
    """
    keys: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        key = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "column" if plain else name
        if key.strip().casefold() in RESERVED_NAMES or key.casefold().startswith("relook_"):
            key = f"data_{key}"
        base, count = key, 1
        while key.strip().casefold() in used:
            count += 1
            key = f"{base}_{count}"
        used.add(key.strip().casefold())
        keys[name] = key
    return keys


def _check_columns(frame: pd.DataFrame, roles: Mapping[str, ColumnKind]) -> tuple[Column, ...]:
    if not roles:
        raise AnalysisError("No column is ticked, so receivers would see nothing. Tick at least one column.")
    for name, kind in roles.items():
        if name not in frame.columns:
            raise UnknownNameError("column", name, [str(column) for column in frame.columns])
        if kind not in get_args(ColumnKind):
            raise UnknownNameError("kind of column", kind, get_args(ColumnKind))
    return tuple(Column(name, kind) for name, kind in roles.items())


def _find_rows(frame: pd.DataFrame, items: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    wanted = set(items)
    place: dict[tuple[str, str], int] = {}
    for row, (split, item_id) in enumerate(frame.index):
        key = (str(split), str(item_id))
        if key not in wanted:
            continue
        if key in place:
            raise AnalysisError(f"Item {key[1]!r} of split {key[0]!r} has its content twice. Load each item once.")
        place[key] = row
    missing = sorted(wanted - set(place))
    if missing:
        raise AnalysisError(
            f"{len(missing)} of {len(wanted)} items have no content, the first is {missing[0][1]!r} of split "
            f"{missing[0][0]!r}. Load the items with the columns to show, or leave these out."
        )
    return place


def _read_value(value: object, column: Column, key: tuple[str, str]) -> str | Image | None:
    if isinstance(value, bytes | bytearray | memoryview):
        if column.kind != "image":
            raise AnalysisError(
                f"The column {column.name!r} holds bytes (item {key[1]!r}) and is ticked as {column.kind}. "
                "Tick it as an image, or untick it."
            )
        return _read_image(bytes(value), column, key)
    if isinstance(value, list | tuple | dict | np.ndarray):
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        return _UNWRITABLE.sub("\ufffd", json.dumps(plain, ensure_ascii=False, default=str))
    if value is None or pd.isna(value):
        return None
    return _UNWRITABLE.sub("\ufffd", _describe_scalar(value))


def _describe_scalar(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        # Whole numbers arrive as floats from columns with a gap; 39.0 is not what the user's file says.
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < _EXACT_FLOAT else repr(number)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ") if value.time().isoformat() != "00:00:00" else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _read_image(data: bytes, column: Column, key: tuple[str, str]) -> Image:
    for signature, extension, media_type in _SIGNATURES:
        if signature.match(data):
            return Image(data, extension, media_type)
    raise AnalysisError(
        f"The column {column.name!r} of item {key[1]!r} is ticked as an image, but its first bytes "
        f"{data[:8]!r} are not those of a PNG, JPEG, GIF, WebP or BMP file. Convert it, or untick the column."
    )
