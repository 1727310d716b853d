"""JSON documents that are no plain list: which records they hold, if that can be told."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analysis.errors import FileFaultError
from analysis.store.readers.json_records import describe_json

__all__ = ["describe_list", "find_records"]

_SPLIT_KEYS: Final = {"columns", "index", "data", "index_names", "column_names"}
_SHOWN: Final = 6
_ADVICE: Final = "Export a list of records, one object an item (pandas: orient='records'), or JSON Lines."

Records = tuple[list[Any], tuple[str, ...]]


def find_records(path: Path, document: object) -> Records:
    """Find the records of a document: what pandas writes under any ``orient``, or the one list of objects in it.

    Parameters
    ----------
    path
        For the message.
    document
        What the file holds, decoded; no list.

    Returns
    -------
    tuple of list and tuple of str
        The records in file order, and what a person should know of the reading.

    Raises
    ------
    FileFaultError
        If it holds no records, or more than one list of them; says what was found.
    """
    if not isinstance(document, dict):
        raise FileFaultError(f"{path.name} holds {describe_json(document)}, not records. {_ADVICE}")
    if {"columns", "data"} <= document.keys() <= _SPLIT_KEYS and _is_rows(document["data"]):
        return _read_split(path, document)
    lists = [key for key, value in document.items() if _is_records(value)]
    if len(lists) == 1 and not _has_other_lists(document, lists[0]):
        return _read_wrapped(document, lists[0])
    if document and not lists and all(isinstance(value, list) for value in document.values()):
        return _read_lists(path, document)
    if document and all(isinstance(value, dict) and value for value in document.values()):
        return _read_nested(path, document)
    raise FileFaultError(f"{path.name} holds {_describe(document)}, not one list of records. {_ADVICE}")


def describe_list(path: Path, first: object) -> FileFaultError:
    """Return the refusal of a list whose values are no objects."""
    what = {list: "lists", str: "texts", int: "numbers", float: "numbers"}.get(type(first), "single values")
    return FileFaultError(f"{path.name} is a list of {what}, which name no columns. {_ADVICE}")


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) for row in value)


def _has_other_lists(document: Mapping[str, Any], key: str) -> bool:
    return any(isinstance(value, list) and value for other, value in document.items() if other != key)


def _read_split(path: Path, document: Mapping[str, Any]) -> Records:
    names = [".".join(map(str, name)) if isinstance(name, list) else str(name) for name in document["columns"]]
    rows: list[list[Any]] = document["data"]
    wrong = next((number for number, row in enumerate(rows, start=1) if len(row) != len(names)), None)
    if wrong is not None:
        raise FileFaultError(
            f"{path.name}: row {wrong:,} of 'data' has {len(rows[wrong - 1]):,} values for {len(names):,} 'columns'. "
            "Export it again."
        )
    _check_doubled(path, names)
    index = document.get("index")
    if not isinstance(index, list) or len(index) != len(rows):
        index = range(len(rows))
    return _with_index(index, [dict(zip(names, row, strict=True)) for row in rows])


def _check_doubled(path: Path, names: Sequence[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise FileFaultError(f"{path.name} has the column {doubled!r} twice. Rename one of them.")


def _read_wrapped(document: Mapping[str, Any], key: str) -> Records:
    records: list[Any] = document[key]
    schema = document.get("schema")
    if isinstance(schema, dict) and key == "data" and schema.get("primaryKey") == ["index"]:
        # pandas, orient="table": rows without an index of their own are numbered.
        numbers = [record.get("index") if isinstance(record, dict) else None for record in records]
        if numbers == list(range(len(records))):
            return [{name: value for name, value in record.items() if name != "index"} for record in records], ()
        return records, ()
    others = ", ".join(repr(other) for other in list(document)[:_SHOWN] if other != key)
    note = f"The records under {key!r} were read" + (f"; beside them stand {others}." if others else ".")
    return records, (note,)


def _read_lists(path: Path, document: Mapping[str, Any]) -> Records:
    lengths = {name: len(value) for name, value in document.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length:,}" for name, length in list(lengths.items())[:_SHOWN])
        raise FileFaultError(f"{path.name} holds lists of different lengths: {shown}. {_ADVICE}")
    rows = zip(*document.values(), strict=True)
    return [dict(zip(document, row, strict=True)) for row in rows], ("Each key was read as a column.",)


def _read_nested(path: Path, document: Mapping[str, Any]) -> Records:
    """Read an object of objects: columns of rows, or rows of columns, as pandas numbers the rows."""
    inner = list(dict.fromkeys(key for value in document.values() for key in value))
    if _are_numbers(inner):
        rows = [{name: value.get(key) for name, value in document.items()} for key in inner]
        records, notes = _with_index([int(key) for key in inner], rows)
        return records, ("Each key was read as a column.", *notes)
    if _are_numbers(document):
        return _with_index([int(key) for key in document], list(document.values()))
    raise FileFaultError(
        f"{path.name} holds {_describe(document)}: whether its keys name columns or rows cannot be told. {_ADVICE}"
    )


def _are_numbers(keys: Iterable[str]) -> bool:
    return all(key.isascii() and key.isdigit() for key in keys)


def _with_index(index: Sequence[Any], rows: list[Any]) -> Records:
    """Keep the names of the rows, unless they merely count."""
    if list(index) == list(range(len(rows))):
        return rows, ()
    name = "index"
    while any(name in row for row in rows):
        name += "_"
    named = [{name: label, **row} for label, row in zip(index, rows, strict=True)]
    return named, (f"The names of the rows were read as the column {name!r}.",)


def _describe(document: Mapping[str, Any]) -> str:
    """Say what an object holds: ``one object with 'images' (a list of 3), 'info' (an object)``."""
    if not document:
        return "an empty object"
    parts = []
    for key, value in list(document.items())[:_SHOWN]:
        size = f" of {len(value):,}" if isinstance(value, list) else ""
        parts.append(f"{key!r} ({describe_json(value)}{size})")
    rest = len(document) - _SHOWN
    return "one object with " + ", ".join(parts) + (f" and {rest:,} more keys" if rest > 0 else "")
