"""Features that relook computes itself: how a text is written, how a picture looks.

They are kept beside the user's columns in ``features`` (named ``text.words``, ``image.blur``) with the role
``derived``, so that they can slice; the user's own columns of such a name win. Exports leave them out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from analysis.store.loading.staging import Plan
from analysis.store.loading.text_features import TextMeasure
from analysis.store.pictures import (
    PictureError,
    PictureFacts,
    measure_picture,
    quiet_decoders,
    read_picture_file,
)
from analysis.store.sql import Fragment, identifier, join, template, value
from analysis.store.workspace import Column, Writer
from analysis.watch import Watch

__all__ = ["DERIVED", "derive_features", "give_way"]

DERIVED: Final = "derived"
"""The role of columns that relook computed."""

_BIGINT, _DOUBLE, _BLOB = Fragment("BIGINT"), Fragment("DOUBLE"), Fragment("BLOB")
_TEXT: Final = (
    ("words", _BIGINT, "words"),
    ("characters", _BIGINT, "characters"),
    ("capitals", _DOUBLE, "share of capitals among the letters"),
    ("digits", _DOUBLE, "share of digits among the characters"),
    ("punctuation", _DOUBLE, "share of punctuation among the characters"),
)
_IMAGE: Final = (
    ("width", _BIGINT, "width in pixels"),
    ("height", _BIGINT, "height in pixels"),
    ("brightness", _DOUBLE, "mean grey value, 0 black to 1 white,"),
    ("contrast", _DOUBLE, "spread of the grey values, 0 to 0.5,"),
    ("blur", _DOUBLE, "variance of the Laplacian, low is blurred,"),
    # Bytes, so that it neither slices nor shows; near duplicates are found by it.
    ("print", _BLOB, "difference hash and thumbnail"),
)
_NAMES: Final = frozenset(
    f"{role}.{name}" for role, found in (("text", _TEXT), ("image", _IMAGE)) for name, *_ in found
)

_AT_ONCE: Final = 1_000_000
"""Items whose measures are in memory together: about 100 bytes each."""

_URL: Final = re.compile(r"[a-z][a-z0-9+.\-]+:", re.IGNORECASE)
_TEXTS_AT_ONCE: Final = 8_192  # so that a batch stays in the processor's cache
_PICTURES_AT_ONCE: Final = 64
_DECODERS: Final = 2  # each may hold a picture of 16 million pixels, about 100 MB
_DRIVE: Final = 2  # the length of "C:", which is no URL


def derive_features(writer: Writer, plan: Plan, watch: Watch | None = None, *, touched: Fragment) -> list[str]:
    """Compute the features of texts and pictures of the items that a file brought or changed.

    Parameters
    ----------
    writer
        The one writer, right after the file's items were taken in.
    plan
        The file and its roles: ``text`` and ``image`` name the columns. Pictures are bytes, or paths of files in the
        folder of the loaded file; nothing outside it is read, and no URL is fetched.
    watch
        Who is told how far it is and may cancel.
    touched
        A query for the items, each once.

    Returns
    -------
    list of str
        Notes: pictures that could not be measured (their features are missing), with the reasons.
    """
    found = {role: _find_column(writer, plan.roles.column(role)) for role in ("text", "image")}
    text, image = found["text"], found["image"]
    has_text = text is not None and text.type == "VARCHAR"
    has_image = image is not None and image.type in {"BLOB", "VARCHAR"}
    if not has_text and not has_image:
        return []
    writer.execute(template("CREATE OR REPLACE TEMP TABLE touched AS {touched}", touched=touched))
    notes: list[str] = []
    if has_text and text is not None:
        _derive_texts(writer, text, watch or Watch())
    if has_image and image is not None:
        notes += _derive_images(writer, image, plan.source.path.parent, watch or Watch())
    writer.execute(Fragment("DROP TABLE touched"))
    return notes


def give_way(writer: Writer, names: Iterable[str]) -> None:
    """Drop computed columns whose names a file brings: the user's own win.

    Parameters
    ----------
    writer
        The one writer, before the file's columns are made known.
    names
        The file's columns; case does not count, as it does not to DuckDB.
    """
    arriving = {name.casefold() for name in names}
    for column in writer.columns:
        if column.role == DERIVED and column.name.casefold() in arriving:
            stored = str(column.stored_as)
            writer.execute(template("ALTER TABLE features DROP COLUMN {place}", place=identifier(stored, [stored])))
            writer.execute(template("DELETE FROM columns WHERE name = {name}", name=value(column.name)))
    writer.forget()


def _find_column(writer: Writer, name: str | None) -> Column | None:
    return next((column for column in writer.columns if column.name == name and column.stored_as is not None), None)


def _ranges(writer: Writer, role: str, column: Column) -> Iterator[Fragment]:
    """Yield conditions that cut the touched items into pieces that fit in memory; none where no value is there."""
    low, high, present = writer.fetch_one(
        template(
            "SELECT min(t.item), max(t.item), count({place}) FROM touched t JOIN features f ON f.item = t.item",
            place=_place(column),
        )
    )
    if low is None or not (present or _is_derived(writer, role)):
        return
    for first in range(low, high + 1, _AT_ONCE):
        yield template(
            "f.item BETWEEN {low} AND {high} AND f.item IN (SELECT item FROM touched)",
            low=value(first),
            high=value(min(first + _AT_ONCE - 1, high)),
        )


def _is_derived(writer: Writer, role: str) -> bool:
    """Tell whether features of a role were computed before: values that are gone must then be cleared."""
    return any(column.role == DERIVED and column.name.startswith(f"{role}.") for column in writer.columns)


def _place(column: Column) -> Fragment:
    stored = str(column.stored_as)
    return identifier(stored, [stored])


def _derive_texts(writer: Writer, column: Column, watch: Watch) -> None:
    measure = TextMeasure()
    for where in _ranges(writer, "text", column):
        watch.tell("Measuring texts")
        query = template("SELECT f.item, {place} AS v FROM features f WHERE {where}", place=_place(column), where=where)
        tables = []
        for batch in writer.fetch_batches(query, rows=_TEXTS_AT_ONCE):
            watch.check()
            tables.append(measure.measure(batch.column("v")).append_column("item", batch.column("item")))
        if tables:
            _keep(writer, "text", column, _TEXT, pa.concat_tables(tables))


def _derive_images(writer: Writer, column: Column, folder: Path, watch: Watch) -> list[str]:
    faults: Counter[str] = Counter()
    total, done = int(writer.fetch_one(Fragment("SELECT count(*) FROM touched"))[0]), 0
    look = partial(_measure, folder)
    with quiet_decoders(), ThreadPoolExecutor(_DECODERS) as pool:
        for where in _ranges(writer, "image", column):
            query = template(
                "SELECT f.item, {place} AS v FROM features f WHERE {where}", place=_place(column), where=where
            )
            items: list[int] = []
            rows: list[tuple[object, ...]] = []
            # Small batches: the pictures themselves are in memory only while they are measured.
            for batch in writer.fetch_batches(query, rows=_PICTURES_AT_ONCE):
                watch.tell("Measuring images", done, total)
                items += batch.column("item").to_pylist()
                for facts in pool.map(look, batch.column("v").to_pylist()):
                    rows.append(astuple(facts) if isinstance(facts, PictureFacts) else (None,) * len(_IMAGE))
                    if isinstance(facts, str):
                        faults[facts] += 1
                done += len(batch)
            if _is_derived(writer, "image") or any(row[0] is not None for row in rows):
                _keep(writer, "image", column, _IMAGE, _to_table(items, rows))
    return _describe_faults(column.name, faults)


def _measure(folder: Path, cell: bytes | str | None) -> PictureFacts | str | None:
    """Measure one picture; a text says why it cannot be."""
    if cell is None:
        return None
    if isinstance(cell, str):
        scheme = _URL.match(cell)
        if scheme is not None and scheme.end() > _DRIVE:
            return "URLs, which are never fetched"
    try:
        return measure_picture(cell if isinstance(cell, bytes) else read_picture_file(folder, cell))
    except PictureError as error:
        return str(error)


def _to_table(items: list[int], rows: Sequence[tuple[object, ...]]) -> pa.Table:
    arrow: dict[Fragment, pa.DataType] = {_BIGINT: pa.int64(), _DOUBLE: pa.float64(), _BLOB: pa.binary()}
    columns = {
        name: pa.array([row[k] for row in rows], type=arrow[kind]) for k, (name, kind, _words) in enumerate(_IMAGE)
    }
    return pa.table({"item": pa.array(items, type=pa.int64()), **columns})


def _describe_faults(name: str, faults: Counter[str]) -> list[str]:
    if not faults:
        return []
    lost = sum(faults.values())
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in faults.most_common())
    what = "1 picture" if lost == 1 else f"{lost:,} pictures"
    return [f"Column {name!r}: {what} could not be measured ({reasons}). Their image features are missing."]


def _keep(
    writer: Writer, role: str, column: Column, features: Sequence[tuple[str, Fragment, str]], measured: pa.Table
) -> None:
    """Write measures into ``features``, except where the user has a column of that name."""
    sets = []
    for name, kind, words in features:
        place = _make_room(writer, f"{role}.{name}", kind, f"computed: {words} of {column.name!r}")
        if place is not None:
            sets.append(template("{place} = m.{name}", place=place, name=identifier(name, measured.column_names)))
    if sets:
        writer.take_in("measured", measured)
        writer.execute(
            template("UPDATE features SET {sets} FROM measured m WHERE features.item = m.item", sets=join(", ", sets))
        )
        writer.execute(Fragment("DROP TABLE measured"))


def _make_room(writer: Writer, name: str, kind: Fragment, reason: str) -> Fragment | None:
    for column in writer.columns:
        if column.role == DERIVED and column.name == name:
            return _place(column)
        taken = {column.name.casefold(), (column.stored_as or "").casefold()}
        if name.casefold() in taken:
            return None
    place = identifier(name, _NAMES)
    writer.execute(template("ALTER TABLE features ADD COLUMN {place} {kind}", place=place, kind=kind))
    writer.execute(
        template(
            "INSERT INTO columns (position, name, role, type, reason, stored_as) "
            "SELECT coalesce(max(position), 0) + 1, {name}, {role}, {kind}, {reason}, {name} FROM columns",
            name=value(name),
            role=value(DERIVED),
            kind=value(kind.text),
            reason=value(reason),
        )
    )
    writer.forget()
    return place
