"""Which encoding a text file is in, found over all its bytes, and the file as UTF-8.

A byte order mark or valid UTF-8 over the whole file settles it. What is left in practice is Windows-1252 (with
Latin-1 inside it) or, from old Macs, Mac-Roman: every byte is a character in both, so how the characters stand in
words decides, see :mod:`analysis.store.readers.letters`.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from analysis.errors import FileFaultError
from analysis.store.readers.letters import Letters
from analysis.store.readers.scratch import check_wanted

__all__ = ["DetectedEncoding", "check_encoding", "detect_encoding", "to_utf8"]

_BLOCK_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 1 << 16
_UTF8: Final = ("utf-8", "utf-8-sig")
# The longest first: that of UTF-32 begins like that of UTF-16.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In most text, these of every four bytes are zero: the high halves of letters from A to Z.
_ZERO_BYTES: Final = {
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
}
_MANY_ZEROS: Final = 0.3
_FEW_ZEROS: Final = 0.02
_BROKEN_SHARE: Final = 0.5


@dataclass(frozen=True)
class DetectedEncoding:
    """The encoding of a text file.

    Attributes
    ----------
    name
        As Python names it.
    reason
        What speaks for it, as a phrase for people.
    certain
        False where a person should look at some accented words.
    checked
        All bytes were seen to be valid in it.
    """

    name: str
    reason: str
    certain: bool
    checked: bool = False


def detect_encoding(path: Path) -> DetectedEncoding:
    """Find the encoding of a text file, from all its bytes.

    Parameters
    ----------
    path
        The file; read in blocks, twice at most.

    Returns
    -------
    DetectedEncoding
        ``utf-8`` for plain ASCII; ``latin-1`` for text that is the same in Windows-1252; where nothing decides,
        ``cp1252``, not certain.

    Raises
    ------
    FileFaultError
        If it is UTF-8 but for a few broken places, which any other encoding would turn into garbage.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        for mark, name in _BYTE_ORDER_MARKS:
            if head.startswith(mark):
                return DetectedEncoding(name, "it begins with a byte order mark", certain=True)
        zeros = tuple(_are_zero(head[start::4]) for start in range(4))
        if zeros in _ZERO_BYTES:
            return DetectedEncoding(_ZERO_BYTES[zeros], "its zero bytes lie as in this encoding", certain=True)
        file.seek(0)
        fault, is_ascii = _find_fault(file)
        if fault is None:
            reason = "all of it is plain ASCII" if is_ascii else "all of it is valid UTF-8"
            return DetectedEncoding("utf-8", reason, certain=True, checked=True)
        file.seek(0)
        letters = Letters()
        while block := file.read(_BLOCK_BYTES):
            check_wanted()
            letters.update(block)
    if letters.broken_bytes < _BROKEN_SHARE * letters.utf8_sequences:
        raise FileFaultError(
            f"{path.name} is UTF-8 text but for {letters.broken_bytes:,} broken byte{'s' * (letters.broken_bytes != 1)}"
            f", the first on line {_find_line(path, fault):,}. Export it again, or take it as it is with --encoding "
            "latin-1."
        )
    name, reason, certain = letters.decide()
    return DetectedEncoding(name, reason, certain)


def _are_zero(part: bytes) -> bool | None:
    """Tell whether these bytes are zero: many of them, hardly any, or neither."""
    share = part.count(0) / max(len(part), 1)
    if share >= _MANY_ZEROS:
        return True
    return False if share <= _FEW_ZEROS else None


def check_encoding(encoding: str, path: Path) -> DetectedEncoding:
    """Return the encoding that a person named.

    Raises
    ------
    FileFaultError
        If there is no such encoding of text.
    """
    try:
        name = codecs.lookup(encoding).name
        b"a".decode(encoding)
    except UnicodeError:
        pass
    except LookupError as error:
        raise FileFaultError(
            f"There is no text encoding {encoding!r} (for {path.name}). Examples: utf-8, latin-1, utf-16, mac-roman."
        ) from error
    return DetectedEncoding("utf-8" if name in _UTF8 else encoding, "you said so", certain=True)


def to_utf8(path: Path, encoding: DetectedEncoding, copy: Path) -> Path:
    """Return a file that holds the text in valid UTF-8: the file itself, or a copy.

    Raises
    ------
    FileFaultError
        If the file is not in the encoding; says where.
    """
    if encoding.checked:
        return path
    with path.open("rb") as file:
        if encoding.name in _UTF8:
            fault, _ascii = _find_fault(file)
            result = path
        else:
            with copy.open("wb") as target:
                fault = _recode(file, encoding.name, target)
            result = copy
    if fault is None:
        return result
    said = "UTF-8" if encoding.name in _UTF8 else encoding.name
    raise FileFaultError(
        f"{path.name} is not {said} text at byte {fault:,}. Name its encoding with --encoding, or name none to have it "
        "found."
    )


def _find_fault(file: BinaryIO) -> tuple[int | None, bool]:
    """Return the place of the first byte that is no UTF-8, or None, and whether all is ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    place, pending, is_ascii = 0, 0, True
    try:
        while block := file.read(_BLOCK_BYTES):
            check_wanted()
            if pending or not block.isascii():
                is_ascii = False
                decoder.decode(block)
                place, pending = place + len(block), len(decoder.getstate()[0])
            else:
                place += len(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return place - pending + error.start, False
    return None, is_ascii


def _recode(file: BinaryIO, encoding: str, target: BinaryIO) -> int | None:
    """Write the text as UTF-8; return the place of what is no text, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    place, pending = 0, 0
    try:
        while block := file.read(_BLOCK_BYTES):
            check_wanted()
            target.write(decoder.decode(block).encode())
            place, pending = place + len(block), len(decoder.getstate()[0])
        target.write(decoder.decode(b"", final=True).encode())
    except UnicodeDecodeError as error:
        return place - pending + error.start
    except UnicodeError:
        return place
    return None


def _find_line(path: Path, place: int) -> int:
    """Return the line, from 1, on which a byte lies."""
    line = 1
    with path.open("rb") as file:
        while place > 0 and (block := file.read(min(_BLOCK_BYTES, place))):
            line += block.count(b"\n")
            place -= len(block)
    return line
