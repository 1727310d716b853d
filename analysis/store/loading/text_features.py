"""What a text looks like, in five numbers: a kernel over Arrow arrays of text.

Counts go over code points. Their classes are Unicode's general categories as Python's ``unicodedata`` knows them,
looked up in a table that is filled as new characters turn up; no regular expression runs per text, which was
measured five times slower.
"""

import unicodedata
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["TextMeasure", "measure_texts"]

_LETTER, _CAPITAL, _DIGIT, _PUNCTUATION, _SPACE, _UNKNOWN = 1, 2, 4, 8, 16, 128
_UNICODE: Final = 0x110000
_ASCII: Final = 0x80


class TextMeasure:
    """The classes of the characters seen so far; one for a batch of texts after the other.

    Examples
    --------
    >>> table = TextMeasure().measure(pa.array(["Call 112, NOW!", None, "..."]))
    >>> table.column("words").to_pylist(), table.column("characters").to_pylist()
    ([3, None, 1], [14, None, 3])
    >>> table.column("capitals").to_pylist(), table.column("punctuation").to_pylist()
    ([0.5714285714285714, None, None], [0.14285714285714285, None, 1.0])
    """

    def __init__(self) -> None:
        self._classes = np.full(_UNICODE, _UNKNOWN, dtype=np.uint8)
        self._learn(np.arange(_ASCII, dtype=np.uint32))

    def measure(self, texts: pa.Array) -> pa.Table:
        """Measure a batch of texts.

        Parameters
        ----------
        texts
            Strings, perhaps missing.

        Returns
        -------
        pyarrow.Table
            A row for each text, all missing where the text is:

            - ``words``: runs of characters that are no white space, as ``str.split`` counts them;
            - ``characters``: code points;
            - ``capitals``: upper-case letters (Lu) over letters (L), missing without a letter;
            - ``digits``, ``punctuation``: characters of category N and P over all, missing for an empty text.
        """
        points, ends = _to_code_points(texts)
        starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        kinds = np.take(self._classes, points)
        if points.dtype != np.uint8 and (unknown := kinds == _UNKNOWN).any():
            self._learn(np.unique(points[unknown]))
            kinds = np.take(self._classes, points)
        letters, capitals, digits, marks = (
            _sum_between((kinds & kind) != 0, starts, ends) for kind in (_LETTER, _CAPITAL, _DIGIT, _PUNCTUATION)
        )
        space = (kinds & _SPACE) != 0
        # A word starts where no space stands and the text begins, or a space stood before.
        begins = np.empty(len(space), dtype=bool)
        begins[1:] = space[:-1]
        begins[starts[starts < len(space)]] = True
        words = _sum_between(begins & ~space, starts, ends)
        characters = ends - starts
        absent = np.asarray(texts.is_null())
        return pa.table(
            {
                "words": pa.array(words, mask=absent),
                "characters": pa.array(characters, mask=absent),
                "capitals": _to_share(capitals, letters, absent),
                "digits": _to_share(digits, characters, absent),
                "punctuation": _to_share(marks, characters, absent),
            }
        )

    def _learn(self, points: NDArray[np.uint32]) -> None:
        for point in points.tolist():
            character = chr(point)
            category = unicodedata.category(character)
            self._classes[point] = (
                _LETTER * (category[0] == "L")
                | _CAPITAL * (category == "Lu")
                | _DIGIT * (category[0] == "N")
                | _PUNCTUATION * (category[0] == "P")
                | _SPACE * character.isspace()
            )


def measure_texts(texts: pa.Array) -> pa.Table:
    """Measure one batch of texts; see :meth:`TextMeasure.measure`."""
    return TextMeasure().measure(texts)


def _to_code_points(texts: pa.Array) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return all characters of all texts in a row, and where each text ends."""
    if not len(texts):
        return np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int64)
    plain = texts.cast(pa.large_string()).fill_null("")
    # Filling makes a copy only where something is missing; a slice keeps its offset.
    bounds = np.frombuffer(plain.buffers()[1], dtype=np.int64)[plain.offset : plain.offset + len(plain) + 1]
    first = int(bounds[0])
    buffer = plain.buffers()[2]
    data = np.frombuffer(buffer if buffer is not None else b"", dtype=np.uint8)[first : int(bounds[-1])]
    ends: NDArray[np.int64] = bounds[1:] - first
    if not len(data) or int(data.max()) < _ASCII:
        return data, ends
    # Bytes 10xxxxxx continue a character in UTF-8 (RFC 3629).
    up_to = np.concatenate(([0], np.cumsum((data & 0xC0) != _ASCII)))
    points = np.frombuffer(data.tobytes().decode("utf-8").encode("utf-32-le"), dtype=np.uint32)
    return points, up_to[ends]


def _sum_between(marked: NDArray[np.bool_], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count what is marked in each text."""
    sums = np.zeros(len(starts), dtype=np.int64)
    filled = ends > starts
    if filled.any():
        # Between two texts that hold something nothing is left out, so that their starts alone cut the row.
        sums[filled] = np.add.reduceat(marked, starts[filled], dtype=np.int64)
    return sums


def _to_share(part: NDArray[np.int64], whole: NDArray[np.int64], absent: NDArray[np.bool_]) -> pa.Array:
    empty = whole == 0
    return pa.array(part / np.where(empty, 1, whole), mask=empty | absent)
