"""How readers name what a person should know of a reading."""

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["COMMA_NOTE", "describe_changes", "list_some"]

COMMA_NOTE: Final = "These columns hold numbers with a comma"
"""How the note on decimal commas begins, which is told again where it may be why rows are faulty."""

_SHOWN: Final = 5


def list_some(names: Sequence[str]) -> str:
    """Write the first five of several names, and how many more there are.

    Examples
    --------
    >>> list_some(["'a'", "'b'"])
    "'a', 'b'"
    >>> list_some([*"abcdefg"])
    'a, b, c, d, e and 2 more'
    """
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def describe_changes(names: Iterable[str], words: Iterable[str]) -> tuple[str, ...]:
    """Say which columns were read as something else than they are in the file.

    Parameters
    ----------
    names, words
        The columns, and for each what it was read as; empty where it was not changed.

    Examples
    --------
    >>> describe_changes(["id", "took", "meta", "tags"], ["", "seconds", "JSON text", "JSON text"])
    ("Read as seconds: 'took'.", "Read as JSON text: 'meta', 'tags'.")
    """
    changed: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        if word:
            changed.setdefault(word, []).append(repr(name))
    return tuple(f"Read as {word}: {list_some(listed)}." for word, listed in changed.items())
