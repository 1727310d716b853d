"""The only place where SQL text comes into being.

A :class:`Fragment` is SQL with its bound values. Fragments are written with :func:`template`, whose text is
a constant in the source; what varies is either a value (bound with ``?``), an identifier (quoted here, after
a check that the column exists), or another fragment. No f-string, ``%`` or ``.format`` makes SQL anywhere.

Examples
--------
>>> where = template("{column} >= {low}", column=identifier("age", ["age"]), low=value(30))
>>> query = template("SELECT count(*) FROM items WHERE {where}", where=where)
>>> query.text, query.params
('SELECT count(*) FROM items WHERE "age" >= ?', (30,))
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from analysis.errors import UnknownNameError

__all__ = ["Fragment", "column_of", "identifier", "join", "list_value", "literal", "template", "value"]


@dataclass(frozen=True)
class Fragment:
    """A piece of SQL and the values bound in it, in order.

    Attributes
    ----------
    text
        SQL with one ``?`` for each bound value.
    params
        The values, in the order of their ``?``.
    """

    text: str
    params: tuple[Any, ...] = ()


def quote(name: str) -> str:
    """Quote one identifier; a quote inside is doubled, as the SQL standard says."""
    return '"' + name.replace('"', '""') + '"'


def identifier(name: str, known: Iterable[str], *, kind: str = "column") -> Fragment:
    """Return the quoted identifier, after the check that it exists.

    Parameters
    ----------
    name
        The identifier as the user or a file spells it.
    known
        The names that exist. The match is exact: DuckDB would ignore case, users' columns do not.
    kind
        What the name stands for, used in the error.

    Returns
    -------
    Fragment

    Raises
    ------
    UnknownNameError
        If ``name`` is not among ``known``.

    Examples
    --------
    >>> identifier('a"b', ['a"b']).text
    '"a""b"'
    """
    names = list(known)
    if name not in names:
        raise UnknownNameError(kind, name, names)
    return Fragment(quote(name))


def column_of(alias: str, column: Fragment) -> Fragment:
    """Return ``alias.column``; the alias is ours, never the user's."""
    if not alias.isidentifier():
        message = f"alias must be a plain identifier, got {alias!r}"
        raise ValueError(message)
    return Fragment(alias + "." + column.text, column.params)


def value(bound: object) -> Fragment:
    """Return a bound value."""
    return Fragment("?", (bound,))


def literal(text: str) -> Fragment:
    """Return text as a quoted constant, for the few places that cannot bind a value, such as a view.

    Raises
    ------
    ValueError
        If the text holds a zero byte, which would end the statement.

    Examples
    --------
    >>> literal("it's here.parquet").text
    "'it''s here.parquet'"
    """
    if "\0" in text:
        message = f"no statement can hold a zero byte, got {text!r}"
        raise ValueError(message)
    return Fragment("'" + text.replace("'", "''") + "'")


def list_value(bound: Sequence[object]) -> Fragment:
    """Return a list as one bound value, for ``= ANY({...})``.

    An empty Python list has no type that DuckDB could infer, hence the explicit cast to text.
    """
    return Fragment("?", (list(bound),)) if bound else Fragment("CAST([] AS VARCHAR[])")


def join(separator: str, parts: Iterable[Fragment]) -> Fragment:
    """Join fragments with a constant separator such as ``", "`` or ``" AND "``."""
    pieces = list(parts)
    return Fragment(
        separator.join(piece.text for piece in pieces),
        tuple(bound for piece in pieces for bound in piece.params),
    )


def template(text: str, **parts: Fragment) -> Fragment:
    """Fill the ``{name}`` places of a constant SQL text with fragments.

    Parameters
    ----------
    text
        A literal in the source (a test holds that). Literal braces are doubled.
    **parts
        One fragment for each place. A place may be used more than once.

    Returns
    -------
    Fragment
        The text with all places filled and the bound values in the order of their places.

    Raises
    ------
    KeyError
        If a place has no fragment: a mistake in our own code.

    Examples
    --------
    >>> template("SELECT {x}, {x}", x=value(1)).params
    (1, 1)
    """
    pieces: list[str] = []
    params: list[Any] = []
    for literal, name, _spec, _conversion in Formatter().parse(text):
        pieces.append(literal)
        if name is not None:
            part = parts[name]
            pieces.append(part.text)
            params.extend(part.params)
    return Fragment("".join(pieces), tuple(params))
