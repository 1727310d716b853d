"""Chance that can be repeated: every draw is a hash of the seed, the request and what is drawn for.

A hash and not a random generator, for three reasons. The same seed gives the same draw on every version of
Python and numpy. A draw for one item does not depend on the others, nor on the order in which they come,
so neither rank nor role of an item can be read off its token or place. And nothing global is touched.
The idea is that of splink's deterministic sampling: rows are picked by a hash of the id with the seed mixed
in.
"""

import hashlib
import json
from collections.abc import Iterable

__all__ = ["TOKEN_DIGITS", "draw", "draw_tokens"]

TOKEN_DIGITS = 10
"""Hexadecimal digits of a token: 40 bits, so that two of 10,000 items meet once in 22,000 requests."""


def draw(seed: int, request_id: str, purpose: str, *key: str) -> str:
    """Draw for one thing: 64 hexadecimal digits, uniform over all values.

    Parameters
    ----------
    seed, request_id
        What makes this request's draws its own.
    purpose
        What is drawn; draws for different purposes are independent.
    *key
        What it is drawn for, for example split and item id.

    Returns
    -------
    str
        Sort by it to shuffle; take the first n of the sorted to sample.

    Examples
    --------
    >>> draw(0, "rq-1", "order", "train", "7")[:8]
    '1da587f1'
    """
    # JSON keeps ("a", "bc") and ("ab", "c") apart.
    text = json.dumps([seed, request_id, purpose, *key])
    return hashlib.sha256(text.encode()).hexdigest()


def draw_tokens(seed: int, request_id: str, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Draw one opaque token an item.

    Parameters
    ----------
    seed, request_id
        As for :func:`draw`.
    keys
        ``(split, item_id)`` of the items, in any order.

    Returns
    -------
    dict
        Item to token, ``"t-"`` and ten hexadecimal digits; all tokens differ.

    Examples
    --------
    >>> draw_tokens(0, "rq-1", [("train", "7")])
    {('train', '7'): 't-d366d0033a'}
    """
    tokens: dict[tuple[str, str], str] = {}
    used: set[str] = set()
    # In the order of the keys, so that even the one item in a billion that has to draw again
    # draws the same whatever the order of the candidates was.
    for key in sorted(set(keys)):
        attempt = 0
        while (token := "t-" + draw(seed, request_id, "task", *key, str(attempt))[:TOKEN_DIGITS]) in used:
            attempt += 1
        used.add(token)
        tokens[key] = token
    return tokens
