"""Slices are read from text here; :meth:`Slice.to_text` writes what :func:`parse_slice` reads.

::

    slice = "all" | pred {"&" pred}
    pred  = col op value | col "in" "[" end "," end ")" | col "in" "{" value {"," value} "}"
          | col "is missing" | col "is present"
    op    = "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains"
    col   = letter {letter | digit | "_" | "-" | "."} | "@" name | '"'...'"' (doubled quotes inside)
    value = number | "true" | "false" | date | date "T" time [zone] | '"'...'"' (doubled quotes inside)
    end   = number | date | date "T" time [zone]

Between these parts stands as much white space as one likes, or none.
"""

import re
from collections.abc import Callable
from datetime import date, datetime

from analysis.core.predicate import Predicate, Slice
from analysis.core.slice_values import Range, Scalar, Value, ValueSet, is_name_character
from analysis.errors import AnalysisError

__all__ = ["parse_slice"]

_SYMBOLS = ("!=", "<=", ">=", "=", "<", ">")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)

_A_COLUMN = "a column (a name that begins with a letter, @name, or any name in double quotes)"
_AN_OPERATOR = "one of =, !=, <, <=, >, >=, contains, in [low, high), in {values}, is missing, is present"
_A_VALUE = 'a number, true, false, a date such as 2026-01-31, or text in double quotes such as "cat"'
_AN_END = "a number, or a date such as 2026-01-31"
_SHOWN = 24


def parse_slice(text: str) -> Slice:
    """Read a slice from its text; the inverse of :meth:`Slice.to_text`.

    Parameters
    ----------
    text
        For example ``age >= 60 & workclass in {"Private", "Self"}``, or ``all``.

    Returns
    -------
    Slice
        In canonical order, without repeated predicates, whatever order the text has.

    Raises
    ------
    AnalysisError
        Where the text leaves the grammar: the message names the character, what was expected there and what
        was found.

    Examples
    --------
    >>> parse_slice('sex="Female"&age in [20,30)').to_text()
    'age in [20, 30) & sex = "Female"'
    >>> parse_slice("education = Bachelors")
    Traceback (most recent call last):
    ...
    analysis.errors.AnalysisError: In the slice 'education = Bachelors', character 13: expected a number, ...
    """
    if text.strip() == "all":
        return Slice()
    reader = _Reader(text)
    predicates = [_read_predicate(reader)]
    while reader.take("&"):
        predicates.append(_read_predicate(reader))
    if not reader.at_end():
        raise reader.fault("& and another predicate, or the end")
    return Slice(tuple(predicates))


class _Reader:
    """A text and how far it has been read. Every method first skips white space."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def at_end(self) -> bool:
        """Step over white space; whether nothing else is left."""
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1
        return self.position == len(self.text)

    def peek(self) -> str:
        """Return the next character, or nothing at the end."""
        return "" if self.at_end() else self.text[self.position]

    def take(self, literal: str) -> bool:
        """Step over a literal if it comes next."""
        self.at_end()
        found = self.text.startswith(literal, self.position)
        self.position += len(literal) if found else 0
        return found

    def take_while(self, belongs: Callable[[str], bool]) -> str:
        """Step over all characters that belong, and return them."""
        self.at_end()
        start = self.position
        while self.position < len(self.text) and belongs(self.text[self.position]):
            self.position += 1
        return self.text[start : self.position]

    def take_quoted(self) -> str:
        """Step over text in double quotes, which comes next, and return what it says."""
        start = self.position
        end = self.text.find('"', start + 1)
        while end != -1 and self.text.startswith('""', end):
            end = self.text.find('"', end + 2)
        if end == -1:
            raise self.fault('a closing " (quotes inside text are doubled)')
        self.position = end + 1
        return self.text[start + 1 : end].replace('""', '"')

    def fault(self, expected: str, advice: str = "") -> AnalysisError:
        """Return the error that says where, what was expected and what was found."""
        if self.at_end():
            found = "the end"
        else:
            rest = self.text[self.position :]
            found = repr(rest if len(rest) <= _SHOWN else rest[:_SHOWN] + "...")
        message = f"In the slice {self.text!r}, character {self.position + 1}: expected {expected}; found {found}."
        return AnalysisError(f"{message} {advice}".rstrip())


def _read_predicate(reader: _Reader) -> Predicate:
    column = _read_column(reader)
    for symbol in _SYMBOLS:
        if reader.take(symbol):
            return Predicate(column, symbol, _read_scalar(reader, _A_VALUE))
    start = reader.position
    word = reader.take_while(str.isalpha)
    if word == "contains":
        return Predicate(column, "contains", _read_scalar(reader, _A_VALUE))
    if word == "in":
        return Predicate(column, "in", _read_collection(reader))
    if word == "is":
        for state in ("missing", "present"):
            if reader.take(state):
                return Predicate(column, "is " + state)
        raise reader.fault("missing or present", 'For a value write: column = "value".')
    reader.position = start
    raise reader.fault(_AN_OPERATOR)


def _read_column(reader: _Reader) -> str:
    first = reader.peek()
    if first == '"':
        start = reader.position
        if column := reader.take_quoted():
            return column
        reader.position = start
    elif first == "@":
        start = reader.position
        reader.take("@")
        # No white space inside a name: "@ split" is not @split.
        if reader.position < len(reader.text) and is_name_character(reader.text[reader.position]):
            return "@" + reader.take_while(is_name_character)
        reader.position = start
    elif first.isalpha():
        return reader.take_while(is_name_character)
    raise reader.fault(_A_COLUMN)


def _read_collection(reader: _Reader) -> Value:
    if reader.take("["):
        low = _read_scalar(reader, _AN_END)
        _require(reader, ",")
        high = _read_scalar(reader, _AN_END)
        _require(reader, ")", "The high end of a range is not part of it.")
        return Range(low, high)
    if reader.take("{"):
        values = [_read_scalar(reader, _A_VALUE)]
        while reader.take(","):
            values.append(_read_scalar(reader, _A_VALUE))
        if not reader.take("}"):
            raise reader.fault(", or }")
        return ValueSet(tuple(values))
    raise reader.fault("[low, high) or {values}")


def _require(reader: _Reader, literal: str, advice: str = "") -> None:
    if not reader.take(literal):
        raise reader.fault(literal, advice)


def _read_scalar(reader: _Reader, expected: str) -> Scalar:
    if reader.peek() == '"':
        return reader.take_quoted()
    start = reader.position
    word = reader.take_while(lambda character: not character.isspace() and character not in '&,(){}[]"')
    value = _read_word(word)
    if value is not None:
        return value
    reader.position = start
    if _PADDED.match(word):
        raise reader.fault(expected, f'A number has no leading zeros; as text write "{word}".')
    if _DATE.match(word):
        raise reader.fault(expected, "A date is written 2026-01-31, a time 2026-01-31T09:30:00, and both must exist.")
    raise reader.fault(expected, f'Text stands in double quotes: "{word}".' if word else "")


def _read_word(word: str) -> Scalar | None:
    """Return what an unquoted value says, or None if it says nothing."""
    if word in ("true", "false"):
        return word == "true"
    if _NUMBER.fullmatch(word) and not _PADDED.match(word):
        # Beyond 40 digits no column tells integers apart, and Python limits how many digits it converts.
        return int(word) if _INTEGER.fullmatch(word) and len(word) <= 40 else float(word)  # noqa: PLR2004
    try:
        if _DATE.fullmatch(word):
            return date.fromisoformat(word)
        return datetime.fromisoformat(word) if _TIME.fullmatch(word) else None
    except ValueError:  # such as 2026-02-30
        return None
