"""A fast proof that a block of delimited text is well formed, for whole blocks of bytes at once.

What passes here can be read in one way only, so that the database may read it as it stands. What does not pass is
not called faulty: :mod:`analysis.store.readers.records` looks at it record by record and says what it is.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CARRIAGE_RETURN_LINE_FEED", "LINE_FEED", "Plain", "Shape", "scan_records"]

LINE_FEED: Final = b"\n"
CARRIAGE_RETURN_LINE_FEED: Final = b"\r\n"
_FEED: Final = 10
_RETURN: Final = 13
_QUOTE: Final = 34
_ONE: Final = np.uint64(1)


class Shape(NamedTuple):
    """What the records of a text look like where they are well formed.

    Attributes
    ----------
    delimiter
        One ASCII byte.
    width
        Values in a record, at least two: in a single column a record cannot be told from a line that is none.
    line_end
        A line feed, with or without a carriage return before it.
    """

    delimiter: bytes
    width: int
    line_end: bytes


@dataclass(frozen=True, slots=True)
class Plain:
    """The well-formed records with which a block begins.

    Attributes
    ----------
    end
        The bytes that they take.
    records, lines
        How many records and how many lines those are.
    longest
        The bytes of the longest record, without the last line feed.
    quoted
        A quote stands somewhere in the block.
    begins
        (records,) The line on which each record begins, the first being 0; None where record and line are the same.
    """

    end: int
    records: int
    lines: int
    longest: int
    quoted: bool
    begins: NDArray[np.int64] | None = None


def scan_records(data: bytes, shape: Shape) -> Plain | None:
    r"""Return the records that end in a block, if they leave no doubt.

    Every quote opens a value at its beginning, closes it at its end, or stands doubled inside; all lines outside
    quotes end alike; each record has the right number of values; nothing is blank, and no zero byte is there.

    Parameters
    ----------
    data
        UTF-8 text that begins where a record begins.
    shape
        What the records should look like.

    Returns
    -------
    Plain or None
        With no records if none ends in the block; None if anything is odd.

    Examples
    --------
    >>> comma = Shape(b",", 2, LINE_FEED)
    >>> found = scan_records(b'a,"x\n""y"" z"\nb,2\nc,', comma)
    >>> found.end, found.records, found.lines, found.begins.tolist()
    (18, 2, 3, [0, 2])
    >>> scan_records(b"a,b\nc\n", comma) is None
    True
    """
    if b"\0" in data:
        return None
    return _scan_quoted(data, shape) if b'"' in data else _scan_unquoted(data, shape)


def _scan_unquoted(data: bytes, shape: Shape) -> Plain | None:
    end = data.rfind(b"\n") + 1
    if not end:
        return Plain(0, 0, 0, 0, quoted=False)
    records = data.count(b"\n", 0, end)
    returns = records if shape.line_end == CARRIAGE_RETURN_LINE_FEED else 0
    if data.count(b"\r", 0, end) != returns or (returns and data.count(b"\r\n", 0, end) != returns):
        return None
    block = np.frombuffer(data, np.uint8, end)
    ends = _find_ends(_pack(block == ord(shape.delimiter)), _pack(block == _FEED), shape.width)
    return None if ends is None else Plain(end, records, records, _find_longest(ends), quoted=False)


def _pack(marks: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return marks as bits, 64 a word, the first being the lowest."""
    packed = np.packbits(marks, bitorder="little")
    return np.concatenate([packed, np.zeros(-len(packed) % 8, np.uint8)]).view("<u8")


def _find_ends(delimiters: NDArray[np.uint64], feeds: NDArray[np.uint64], width: int) -> NDArray[np.int64] | None:
    """Return the places of the line feeds, if up to each of them there are as many delimiters as there should be.

    Words of bits are counted instead of bytes looked at, which is twice as fast: only words with a line feed are
    opened, and from all of these at once one line feed after the other is taken.
    """
    in_word, delimiters_in_word = np.bitwise_count(feeds), np.bitwise_count(delimiters)
    up_to_word = np.cumsum(in_word, dtype=np.int64)
    delimiters_up_to_word = np.cumsum(delimiters_in_word, dtype=np.int64)
    ends = np.empty(int(up_to_word[-1]), np.int64)
    opened = np.flatnonzero(feeds)
    left, beside, start = feeds[opened], delimiters[opened], 64 * opened
    record = up_to_word[opened] - in_word[opened]
    before = delimiters_up_to_word[opened] - delimiters_in_word[opened]
    while len(left):
        lowest = left & (~left + _ONE)
        below = lowest - _ONE
        ends[record] = start + np.bitwise_count(below)
        record += 1
        if (before + np.bitwise_count(beside & below) != record * (width - 1)).any():
            return None
        left ^= lowest
        more = left != 0
        left, beside, start, record, before = left[more], beside[more], start[more], record[more], before[more]
    return ends


def _scan_quoted(data: bytes, shape: Shape) -> Plain | None:
    block = np.frombuffer(data, np.uint8)
    marks = block == ord(shape.delimiter)
    marks |= block == _FEED
    marks |= block == _QUOTE
    places = np.flatnonzero(marks)
    kinds = block[places]
    quotes = kinds == _QUOTE
    inside = np.logical_xor.accumulate(quotes)
    if not _quotes_belong(block, places, quotes, inside, shape):
        return None
    feeds = kinds == _FEED
    outer = feeds & ~inside
    ends = places[outer]
    if not len(ends):
        return Plain(0, 0, 0, 0, quoted=True)
    end = int(ends[-1]) + 1
    if not _returns_belong(data[:end], block, places, inside, ends, shape):
        return None
    count = int(np.searchsorted(places, end))
    values = kinds[:count][~(quotes | inside)[:count]]
    if len(values) != len(ends) * shape.width or (values[shape.width - 1 :: shape.width] != _FEED).any():
        return None
    lines = np.cumsum(feeds)[outer]
    begins = None
    if lines[-1] != len(ends):
        begins = np.concatenate([np.zeros(1, np.int64), lines[:-1].astype(np.int64)])
    return Plain(end, len(ends), int(lines[-1]), _find_longest(ends), quoted=True, begins=begins)


def _quotes_belong(
    block: NDArray[np.uint8],
    places: NDArray[np.int64],
    quotes: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    shape: Shape,
) -> bool:
    """Tell whether values begin with every opening quote and end with every closing one.

    The two quotes of a doubled one close and open again, so that each has a quote for its neighbour.
    """
    allowed = np.zeros(256, np.bool_)
    allowed[[ord(shape.delimiter), _FEED, _QUOTE]] = True
    openers = places[quotes & inside]
    before = block[np.maximum(openers - 1, 0)]
    # The block begins where a record begins: there a quote is its own neighbour, and passes.
    if not allowed[before].all():
        return False
    closers = places[quotes & ~inside]
    if shape.line_end == CARRIAGE_RETURN_LINE_FEED:
        allowed[_RETURN] = True
    # What follows a quote at the very end is seen with the next block.
    after = block[np.minimum(closers + 1, len(block) - 1)]
    return bool(allowed[after].all())


def _returns_belong(
    text: bytes,
    block: NDArray[np.uint8],
    places: NDArray[np.int64],
    inside: NDArray[np.bool_],
    ends: NDArray[np.int64],
    shape: Shape,
) -> bool:
    """Tell whether carriage returns stand in line ends or, where lines end without, inside quotes."""
    returns = text.count(b"\r")
    if shape.line_end == CARRIAGE_RETURN_LINE_FEED:
        return returns == text.count(b"\r\n") and bool((block[ends - 1] == _RETURN).all()) and ends[0] > 0
    if not returns:
        return True
    mark_before = np.searchsorted(places, np.flatnonzero(block[: len(text)] == _RETURN)) - 1
    return bool(mark_before[0] >= 0 and inside[mark_before].all())


def _find_longest(ends: NDArray[np.int64]) -> int:
    return max(int(ends[0]), int(np.diff(ends).max(initial=1)) - 1)
