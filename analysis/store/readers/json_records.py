"""One record of a JSON file: from its text to flat columns, or what is wrong with it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["Decoder", "RecordFault", "describe_json", "flatten", "has_halves"]

_DEEPEST: Final = 8
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_WORDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class RecordFault(ValueError):  # noqa: N818  (a fault of one row is no error of the program)
    """A record that cannot be taken in; says why."""


class _Doubled(dict[str, Any]):
    """An object in which a key stood twice, so that one of its values is lost."""

    key = ""


class Decoder:
    """Decodes JSON as Python does, and keeps an eye on what Python lets pass.

    NaN and Infinity, which are no JSON but which Python writes, are missing numbers.

    Examples
    --------
    >>> decoder = Decoder()
    >>> decoder.to_record(decoder.decode('{"id": "007", "score": NaN}'))
    {'id': '007', 'score': None}
    >>> decoder.to_record(decoder.decode('{"id": 1, "id": 2}'))
    Traceback (most recent call last):
    ...
    analysis.store.readers.json_records.RecordFault: the key 'id' stands twice
    """

    def __init__(self) -> None:
        self._doubled = False
        self._decoder = json.JSONDecoder(object_pairs_hook=self._to_object, parse_constant=lambda _token: None)

    def _to_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        self._doubled = True
        doubled = _Doubled(made)
        keys = [key for key, _value in pairs]
        doubled.key = next(key for key in made if keys.count(key) > 1)
        return doubled

    def _decode_at(self, text: str, start: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise RecordFault(f"{error.msg} at {_locate(text, error.pos)}") from error
        except RecursionError as error:
            raise RecordFault("values are nested too deeply") from error
        except ValueError as error:
            # Python refuses to read numbers of more than 4,300 digits.
            raise RecordFault("a number has too many digits") from error

    def decode(self, text: str) -> Any:  # noqa: ANN401  (JSON holds anything)
        """Decode a text that holds one JSON value and nothing else.

        Raises
        ------
        RecordFault
            If it does not; says what was found where.
        """
        found, end = self._decode_at(text, _skip(text, 0))
        _check_end(text, end)
        return found

    def decode_list(self, text: str) -> Iterator[tuple[Any, str]]:
        """Decode a JSON list value by value, so that only one of them is in memory.

        Yields
        ------
        tuple
            A value, and its text.

        Raises
        ------
        RecordFault
            If the text is no whole JSON list.

        Examples
        --------
        >>> list(Decoder().decode_list('[{"a": 1}, 2]'))
        [({'a': 1}, '{"a": 1}'), (2, '2')]
        """
        place = _skip(text, _skip(text, 0) + 1)
        if text[place : place + 1] != "]":
            while True:
                found, end = self._decode_at(text, place)
                yield found, text[place:end]
                place = _skip(text, end)
                if text[place : place + 1] != ",":
                    break
                place = _skip(text, place + 1)
        if text[place : place + 1] != "]":
            raise RecordFault(
                "it ends inside the list" if place == len(text) else f"Expecting ',' at {_locate(text, place)}"
            )
        _check_end(text, place + 1)

    def to_record(self, found: object, *, halves: bool = False) -> dict[str, Any]:
        """Return a value that was decoded, if it is an object whose every value can be kept.

        Parameters
        ----------
        found
            The value.
        halves
            Its text writes characters as two halves (:func:`has_halves`), so that one may be missing.

        Raises
        ------
        RecordFault
            If it is no object, a key stands twice in it or in an object inside, or a character is half of a pair.
        """
        if not isinstance(found, dict):
            raise RecordFault(f"{describe_json(found)}, not an object")
        if self._doubled:
            self.check_keys(found)
        if halves and _is_broken(found):
            raise RecordFault("a text holds half a character (a lone surrogate)")
        return found

    def check_keys(self, found: object) -> None:
        """Check that no key stands twice in an object, however deep.

        Raises
        ------
        RecordFault
            If one does: one of its values is lost.
        """
        if isinstance(found, _Doubled):
            raise RecordFault(f"the key {found.key!r} stands twice")
        inner: Any = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        for value in inner:
            if isinstance(value, dict | list):
                self.check_keys(value)


def has_halves(text: str) -> bool:
    """Tell whether a JSON text writes a character as two halves."""
    return _HALF.search(text) is not None


def _check_end(text: str, end: int) -> None:
    rest = _skip(text, end)
    if rest < len(text):
        raise RecordFault(f"data follows the end at {_locate(text, rest)}")


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _locate(text: str, place: int) -> str:
    if "\n" not in text.rstrip():
        return f"character {place + 1:,}"
    return f"line {text.count(chr(10), 0, place) + 1:,}, column {place - text.rfind(chr(10), 0, place):,}"


def _is_broken(found: object) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def describe_json(found: object) -> str:
    """Say what a JSON value is, in words.

    Examples
    --------
    >>> describe_json([1]), describe_json(None)
    ('a list', 'null')
    """
    return _WORDS.get(type(found), "an object")


def flatten(record: dict[str, Any]) -> dict[str, Any]:
    """Unfold the objects inside a record: ``{"meta": {"source": "web"}}`` has the column ``meta.source``.

    Parameters
    ----------
    record
        As decoded. Objects inside lists stay; so do those eight levels down.

    Returns
    -------
    dict
        Columns in the order of their keys; an empty object has none. The record itself, if it holds no object.

    Raises
    ------
    RecordFault
        If two keys come to the same name.

    Examples
    --------
    >>> flatten({"id": 1, "meta": {"source": "web", "tags": ["a"]}, "x": {}})
    {'id': 1, 'meta.source': 'web', 'meta.tags': ['a']}
    """
    for value in record.values():
        if isinstance(value, dict):
            flat: dict[str, Any] = {}
            _unfold(record, "", 1, flat)
            return flat
    return record


def _unfold(record: Mapping[str, Any], prefix: str, depth: int, flat: dict[str, Any]) -> None:
    for key, value in record.items():
        name = prefix + key
        if isinstance(value, dict) and depth < _DEEPEST:
            _unfold(value, name + ".", depth + 1, flat)
        elif name in flat:
            raise RecordFault(f"two values for {name!r}")
        else:
            flat[name] = value
