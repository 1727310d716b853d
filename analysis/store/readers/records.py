"""Delimited text as records: where each begins, what is wrong with it, and how it is written without doubt.

RFC 4180: a value that begins with a quote ends at the next quote that is not doubled, line breaks included;
in any other value a quote is a character like all others. What a database guesses about a faulty file is
its own affair; here every line that is left out is named.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

__all__ = ["DELIMITERS", "Record", "choose_delimiter", "split_records", "to_line"]

DELIMITERS: Final = (",", "\t", ";", "|")
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*(?:"|$)')
_BREAKS: Final = "\r\n"


class Record(NamedTuple):
    """One record of a delimited text.

    Attributes
    ----------
    line
        The line it begins on, or on which the quote at fault opened; the first line of a text is 1.
    width
        How many values it has.
    text
        The record as one that can be read in one way only, with one line feed at its end.
    values
        The values without their quotes; empty for a record without quotes, whose values need no reading.
    fault
        ``"open"``: a quote is never closed, or closed on a later line and followed by text; ``"quote"``: text
        follows a closing quote on its own line; None: well formed.
    ended
        A line break follows; only the last record of a text may lack it.
    """

    line: int
    width: int
    text: str
    values: tuple[str, ...]
    fault: str | None
    ended: bool

    def split(self, delimiter: str) -> tuple[str, ...]:
        """Return the values, of a record without quotes too."""
        return self.values or tuple(self.text.removesuffix("\n").split(delimiter))


def choose_delimiter(first_line: str) -> str:
    """Return the delimiter that splits a header: the most frequent one outside quotes, a comma if there is none.

    Examples
    --------
    >>> choose_delimiter('id;"a, b, c";label')
    ';'
    """
    bare = _QUOTED.sub("", first_line)
    return max(DELIMITERS, key=bare.count)


def split_records(lines: Iterable[str], delimiter: str, *, first: int = 1) -> Iterator[Record]:
    r"""Split lines into records; lines of nothing but spaces are no records.

    Parameters
    ----------
    lines
        With their line breaks, as from a file opened with ``newline=""``.
    delimiter
        One character.
    first
        The number of the first line.

    Yields
    ------
    Record
        After one with the fault ``"quote"`` the next line begins a new record; after ``"open"`` nothing more
        can be trusted.

    Examples
    --------
    >>> for record in split_records(["a,b\n", "\n", '"x\n', 'y",5" z\n'], ","):
    ...     print(record.line, record.width, repr(record.text))
    1 2 'a,b\n'
    3 2 '"x\ny","5"" z"\n'
    """
    numbered = enumerate(lines, start=first)
    for number, line in numbered:
        # A line of tabs alone may be a record of empty values.
        if not line.strip() and delimiter not in line:
            continue
        body = line.rstrip(_BREAKS)
        if '"' in body or "\r" in body:
            yield _split_quoted(number, body, line, numbered, delimiter)
        else:
            yield Record(number, body.count(delimiter) + 1, body + "\n", (), None, len(body) < len(line))


def _split_quoted(first: int, body: str, line: str, more: Iterator[tuple[int, str]], delimiter: str) -> Record:
    """Split a record that holds a quote, taking in more lines while a quoted value is open."""
    values: list[str] = []
    number, start = first, 0
    while True:
        if not body.startswith('"', start):
            value, comma, _rest = body[start:].partition(delimiter)
            values.append(value)
            start += len(value) + 1
            if not comma:
                return _to_record(first, values, delimiter, ended=len(body) < len(line))
            continue
        value, opened, start = "", number, start + 1
        while True:
            end = body.find('"', start)
            if end < 0:
                value += line[start:]
                following = next(more, None)
                if following is None:
                    return _to_record(opened, values, delimiter, fault="open")
                number, line = following
                body, start = line.rstrip(_BREAKS), 0
            elif body.startswith('"', end + 1):
                value += body[start : end + 1]
                start = end + 2
            else:
                value += body[start:end]
                start = end + 1
                break
        values.append(value)
        after = body[start : start + 1]
        if not after:
            return _to_record(first, values, delimiter, ended=len(body) < len(line))
        if after != delimiter:
            # On a later line than it opened on, the quote was most likely never meant to close here.
            return _to_record(opened, values, delimiter, fault="quote" if number == opened else "open")
        start += 1


def _to_record(line: int, values: list[str], delimiter: str, *, fault: str | None = None, ended: bool = True) -> Record:
    return Record(line, len(values), to_line(values, delimiter), tuple(values), fault, ended)


def to_line(values: Iterable[str], delimiter: str) -> str:
    r"""Write values as one record that can be read in one way only.

    Examples
    --------
    >>> to_line(["a", "5, 6", 'an "x" here'], ",")
    'a,"5, 6","an ""x"" here"\n'
    """
    line = delimiter.join(_quote(value, delimiter) for value in values)
    # The one empty value of a one-column file must not look like a line that is no record.
    return (line or '""') + "\n"


def _quote(value: str, delimiter: str) -> str:
    if '"' in value or delimiter in value or "\n" in value or "\r" in value:
        return '"' + value.replace('"', '""') + '"'
    return value
