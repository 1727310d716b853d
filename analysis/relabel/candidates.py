"""The door of the wing: frames of candidates and controls become checked items.

Columns that are not there count as all missing, so a caller gives what it knows: ids from a file come with
two columns, suspects from confident learning with ten.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.core.votes import to_text_codes
from analysis.errors import AnalysisError

__all__ = ["CANDIDATE_COLUMNS", "Item", "Role", "to_items"]

Role = Literal["suspect", "control"]

CANDIDATE_COLUMNS = (
    "split",
    "item_id",
    "given_label",
    "likely_label",
    "p_likely",
    "p_wrong",
    "seconds",
    "given_by",
    "voters",
    "reasons",
    "source",
)
"""The columns that are read from candidates and controls; ``split`` and ``item_id`` must be there."""

_REQUIRED = ("split", "item_id")
_TEXTS = ("split", "item_id", "given_label", "likely_label", "given_by", "source")
_NUMBERS = ("p_likely", "p_wrong", "seconds")
_TUPLES = ("voters", "reasons")
# Probabilities a hair above 1 come out of real softmaxes; anything more is another quantity.
_PROBABILITY_SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class Item:
    """One candidate or control. None is unknown.

    Attributes
    ----------
    split, item_id
        Which item; together unique in a request.
    given_label, likely_label
        As text.
    p_likely, p_wrong
        Probabilities, 0 to 1: of the likely label; that the given label is wrong.
    seconds
        Expected seconds for one vote, > 0.
    given_by
        Who gave the label.
    voters
        All who have voted on the item.
    reasons
        Kinds of reason why the item is a candidate.
    source
        Text of the source that it came from.
    """

    split: str
    item_id: str
    given_label: str | None = None
    likely_label: str | None = None
    p_likely: float | None = None
    p_wrong: float | None = None
    seconds: float | None = None
    given_by: str | None = None
    voters: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    source: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Split and item id."""
        return (self.split, self.item_id)

    @property
    def seen_by(self) -> frozenset[str]:
        """Everybody who must not get the item again: who voted on it and who gave its label."""
        return frozenset(self.voters) | ({self.given_by} if self.given_by is not None else set())


def to_items(frame: pd.DataFrame, kind: str) -> list[Item]:
    """Turn a frame of candidates or controls into items, in row order.

    Parameters
    ----------
    frame
        (N,) rows with :data:`CANDIDATE_COLUMNS`; all but ``split`` and ``item_id`` may be missing or NA.
        Other columns are not read. Not changed.
    kind
        What the rows are, for messages: ``"candidates"`` or ``"controls"``.

    Returns
    -------
    list of Item
        One a row; repeated items are kept.

    Raises
    ------
    AnalysisError
        If a required column is missing or has gaps, or a number is out of range.

    Examples
    --------
    >>> frame = pd.DataFrame({"split": ["train"], "item_id": [7], "voters": [("ann", "bob")]})
    >>> to_items(frame, "candidates")[0].voters
    ('ann', 'bob')
    """
    for column in _REQUIRED:
        if column not in frame.columns:
            raise AnalysisError(
                f"The {kind} have no column {column!r}; found {[str(name) for name in frame.columns]!r}. "
                "Each item is named by its split and item id."
            )
        if gaps := int(frame[column].isna().sum()):
            raise AnalysisError(f"The column {column!r} of the {kind} is empty in {gaps} rows. Name every item.")
    columns: dict[str, Iterable[object]] = {}
    for name in CANDIDATE_COLUMNS:
        if name not in frame.columns:
            columns[name] = [() if name in _TUPLES else None] * len(frame)
        elif name in _TEXTS:
            columns[name] = _read_texts(frame[name])
        elif name in _NUMBERS:
            columns[name] = _read_numbers(frame[name], name, kind)
        else:
            columns[name] = [_read_tuple(value) for value in frame[name]]
    rows: Iterator[tuple[object, ...]] = zip(*columns.values(), strict=True)
    return [Item(*row) for row in rows]  # type: ignore[arg-type]  # each column was read as its type above


def _read_texts(values: pd.Series) -> list[str | None]:
    codes, names = to_text_codes(values)
    return [None if code < 0 else str(names[code]) for code in codes]


def _read_numbers(values: pd.Series, name: str, kind: str) -> list[float | None]:
    numbers = [None if pd.isna(value) else float(value) for value in values]
    for number in numbers:
        if number is None:
            continue
        if name == "seconds":
            if not (number > 0 and math.isfinite(number)):
                raise AnalysisError(
                    f"The expected seconds of the {kind} must be more than 0, found {number!r}. Use NA for unknown."
                )
        elif not -_PROBABILITY_SLACK <= number <= 1 + _PROBABILITY_SLACK:
            raise AnalysisError(
                f"The column {name!r} of the {kind} must hold probabilities from 0 to 1, found {number!r}."
            )
    if name == "seconds":
        return numbers
    return [None if number is None else min(max(number, 0.0), 1.0) for number in numbers]


def _read_tuple(value: object) -> tuple[str, ...]:
    # A plain text is one name: tuple("a07") would be three people.
    if isinstance(value, str):
        return (value,)
    if value is None or not isinstance(value, Iterable):
        return ()
    return tuple(str(part) for part in value if not pd.isna(part))
