"""Windows-1252 or Mac-Roman: how the characters beyond ASCII would stand in words.

Both give every byte a character, so that no byte is wrong; but 0x8E is é in one and Ž in the other, and a capital
does not follow a small letter. Each byte is judged in both readings by its two neighbours. A byte that occurs often
counts more than one that occurs once, but by the root of it: a text full of apostrophes is one piece of evidence.
"""

import codecs
import re
from collections.abc import Mapping
from itertools import islice
from typing import Final

import numpy as np

__all__ = ["Letters"]

WINDOWS: Final = "cp1252"
MAC: Final = "mac-roman"

_FIRST: Final = 0x80
# The neighbours of a byte.
_OTHER, _LOWER, _UPPER, _DIGIT, _HIGH = range(5)
_LETTERS: Final = (_LOWER, _UPPER)
_KINDS: Final = np.array(
    [
        _HIGH if byte >= _FIRST else _LOWER if chr(byte).islower() else _UPPER if chr(byte).isupper()
        else _DIGIT if chr(byte).isdigit() else _OTHER
        for byte in range(256)
    ]
)  # fmt: skip

# Small letters of western Europe, by where in a word they are common.
_RARE: Final = frozenset("ðþýÿšž")
_AT_START: Final = frozenset("éàâäáåæçêíîóôöøœúü")
_IN_MIDDLE: Final = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ")
_AT_END: Final = frozenset("éèàáâäåæêíñòóôöøùúüß")
_ALONE: Final = frozenset("àáèéíóòúâåøæ")
_CAPITALS: Final = frozenset("ÀÁÂÄÅÆÇÈÉÊÍÎÑÓÔÖØÚÜŒ")
# „So“ close the Germans: these two also close.
_HIGH_OPENING: Final = frozenset("\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}")
_OPENING: Final = _HIGH_OPENING | frozenset("„\N{SINGLE LOW-9 QUOTATION MARK}«¿¡")
_CLOSING: Final = frozenset("”»")
_DASHES: Final = frozenset("–—")
_BESIDE_NUMBERS: Final = frozenset("€£¥¢°ºª½¼¾²³¹±×%‰µ§")
_AFTER_WORDS: Final = frozenset("…™®©")
_IN_WORDS: Final = frozenset("\N{RIGHT SINGLE QUOTATION MARK}\N{MIDDLE DOT}\N{NO-BREAK SPACE}")

# "don't" and "l'eau": only an apostrophe is followed, or preceded, like that.
_APOSTROPHE: Final = 0x92
# The byte itself stands first in the patterns: to look for it is fast, to look behind at every place is not.
_BETWEEN_LETTERS: Final = re.compile(rb"\x92(?<=[A-Za-z]\x92)(?=[A-Za-z\x80-\xff])")
_CLITIC: Final = re.compile(
    rb"\x92(?:(?<=[A-Za-z]\x92)(?=(?:s|t|m|d|ll|re|ve)(?![A-Za-z\x80-\xff]))"
    rb"|(?:(?<=(?<![A-Za-z\x80-\xff])[ldjnscmt]\x92)|(?<=(?<![A-Za-z\x80-\xff])qu\x92))"
    rb"(?=[aeiouyh\x80-\xff][a-z\x80-\xff]{2}))",
    re.IGNORECASE,
)
_CLITIC_SHARE: Final = 0.8

_WORD: Final = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_SAMPLES: Final = 64
_MANY_BROKEN: Final = 10_000
_LONGEST_SAMPLE: Final = 30

_LEAST_MARGIN: Final = 1.0
_CLEAR_MARGIN: Final = 2.5
_FAIR_MEAN: Final = 0.2
_GOOD_MEAN: Final = 0.5


class Letters:
    """What is beyond ASCII in a text, counted block by block.

    Examples
    --------
    >>> letters = Letters()
    >>> letters.update("Müller, Ångström und Größe".encode("mac-roman"))
    >>> letters.decide()[0]
    'mac-roman'
    """

    def __init__(self) -> None:
        self._counts = np.zeros((5, 128, 5), np.int64)
        self._tail = b"\n"
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._samples: dict[bytes, None] = {}
        self._between = 0
        self._clitics = 0
        self.utf8_sequences = 0
        self.broken_bytes = 0

    def update(self, block: bytes) -> None:
        """Take in the next bytes of the text."""
        if block.isascii() and self._tail.isascii():
            self._tail = (self._tail + block[-2:])[-2:]
            return
        if self.broken_bytes < _MANY_BROKEN:
            valid = self._decoder.decode(block)
            ascii_bytes = int((np.frombuffer(block, np.uint8) < _FIRST).sum())
            self.utf8_sequences += len(valid) - ascii_bytes
            self.broken_bytes += len(block) - len(valid.encode())
        self._count(self._tail + block)
        self._tail = (self._tail + block[-2:])[-2:]
        self._between += len(_BETWEEN_LETTERS.findall(block))
        self._clitics += len(_CLITIC.findall(block))
        if len(self._samples) < _SAMPLES:
            found = (word[0][:_LONGEST_SAMPLE] for word in _WORD.finditer(block))
            self._samples |= dict.fromkeys(islice(found, _SAMPLES))

    def _count(self, data: bytes) -> None:
        """Count the bytes between the first and the last by their neighbours."""
        codes = np.frombuffer(data, np.uint8)
        places = np.flatnonzero(codes[1:-1] >= _FIRST) + 1
        place = (_KINDS[codes[places - 1]] * 128 + (codes[places] - _FIRST)) * 5 + _KINDS[codes[places + 1]]
        self._counts += np.bincount(place, minlength=self._counts.size).reshape(self._counts.shape)

    def decide(self) -> tuple[str, str, bool]:
        """Return the encoding, what speaks for it, and whether that is clear; nothing may follow."""
        self._count(self._tail + b"\n")
        self._tail = b"\n"
        windows, windows_mean = self._judge(WINDOWS)
        mac, mac_mean = self._judge(MAC)
        if mac - windows >= _LEAST_MARGIN and mac_mean > max(windows_mean, _FAIR_MEAN):
            certain = mac - windows >= _CLEAR_MARGIN and mac_mean >= _GOOD_MEAN
            return MAC, self._describe(MAC, WINDOWS, certain=certain), certain
        certain = windows - mac >= _CLEAR_MARGIN and windows_mean >= _GOOD_MEAN
        used = self._counts.sum(axis=(0, 2))
        name = WINDOWS
        if any(used[byte - _FIRST] for byte in range(_FIRST, 0x100) if not _decode(byte, WINDOWS)):
            name, certain = "latin-1", False
        elif certain and not used[: 0xA0 - _FIRST].any():
            name = "latin-1"
        if max(mac_mean, windows_mean) <= _FAIR_MEAN:
            return name, self._describe_misfit(name), False
        return name, self._describe(name, MAC, certain=certain), certain

    def _judge(self, encoding: str) -> tuple[float, float]:
        """Return the points of a reading: in sum by kinds of bytes, and in the mean over all bytes."""
        total, weighted, count = 0.0, 0.0, 0
        for code in np.flatnonzero(self._counts.sum(axis=(0, 2))):
            table = self._counts[:, code]
            character = _decode(_FIRST + int(code), encoding)
            points = sum(
                _judge(character, int(before), int(after)) * int(table[before, after])
                for before, after in np.argwhere(table)
            )
            seen = int(table.sum())
            if code == _APOSTROPHE - _FIRST and self._between and self._clitics >= _CLITIC_SHARE * self._between:
                points = seen * (1.0 if encoding == WINDOWS else -1.0)
            total += points / seen * seen**0.5
            weighted += points
            count += seen
        return total, weighted / max(count, 1)

    def _describe(self, chosen: str, other: str, *, certain: bool) -> str:
        words: Mapping[str, str] = {
            word.decode(chosen, "replace"): word.decode(other, "replace") for word in self._samples
        }
        # The longest says most; the first of these, so that the choice does not hang on the order of a set.
        told = [word for word in sorted(words, key=len, reverse=True) if word != words[word]]
        if not told:
            return "its bytes are valid in it" if certain else "nothing in the text decides"
        if certain:
            return f"{told[0]!r} reads better in it than {words[told[0]]!r} in {other}"
        return f"{told[0]!r} might be {words[told[0]]!r} in {other}"

    def _describe_misfit(self, chosen: str) -> str:
        odd = max((word.decode(chosen, "replace") for word in self._samples), key=_count_high)
        return (
            f"much reads like no language of western Europe, such as {odd!r}; perhaps it is cp1250, cp1251 or another"
        )


def _count_high(word: str) -> int:
    return sum(not character.isascii() for character in word)


def _decode(byte: int, encoding: str) -> str:
    return bytes([byte]).decode(encoding, "ignore")


def _judge(character: str, before: int, after: int) -> float:
    """Return how well a character stands between its neighbours, about -2 to 1; no character at all is worse."""
    if not character or "\x80" <= character <= "\x9f":
        return -6.0
    if character in _IN_MIDDLE or character in _RARE:
        return _judge_small(character, before, after)
    if character.isupper():
        return _judge_capital(character, before, after)
    return _judge_mark(character, before, after)


def _judge_mark(character: str, before: int, after: int) -> float:
    letters = (before in _LETTERS) + (after in _LETTERS)
    points = -0.25 - 0.75 * letters
    if character in _OPENING:
        points = 1.0 if after != _OTHER else 0.25
        if before in _LETTERS:
            points = 0.75 if character in _HIGH_OPENING and after == _OTHER else -1.0
    elif character in _CLOSING:
        points = -1.0 if after in {_LOWER, _UPPER, _DIGIT} else 1.0 if before != _OTHER else 0.5
    elif character in _DASHES:
        points = 0.75 if letters == 2 else 1.0 if before == after else 0.25  # noqa: PLR2004 (both neighbours)
    elif character in _IN_WORDS:
        points = 0.5 if before in _LETTERS else 0.25
    elif character in _BESIDE_NUMBERS:
        points = 0.75 if _DIGIT in {before, after} else 0.25 - letters
    elif character in _AFTER_WORDS:
        points = -0.5 if after in _LETTERS else 0.75
    return points


def _judge_small(character: str, before: int, after: int) -> float:
    if after == _UPPER or before == _DIGIT:
        return -1.0
    if before == _OTHER and after in {_OTHER, _DIGIT}:
        return 0.25 if character in _ALONE else -1.0
    if before == _HIGH and after == _HIGH:
        return -1.0
    if character not in _IN_MIDDLE:
        return -0.5
    if before == _OTHER:
        return 1.0 if character in _AT_START else -0.25
    if after in {_OTHER, _DIGIT}:
        # Many a word ends in an apostrophe too.
        return (0.5 if character == "í" else 1.0) if character in _AT_END else -0.25
    # Between letters í and an apostrophe are as likely; what follows them is looked at elsewhere.
    return 0.5 if character == "í" else 1.0


def _judge_capital(character: str, before: int, after: int) -> float:
    if before == _LOWER:
        return -2.0
    if before == _HIGH and after in {_HIGH, _LOWER}:
        return -1.0
    if before == _DIGIT:
        return -0.5
    good = 1.0 if character in _CAPITALS else -0.25
    return good if after in {_LOWER, _UPPER, _HIGH} else good - 0.75
