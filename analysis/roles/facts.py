"""What is known of a column before it has a role, and which roles its values rule out."""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ColumnFacts", "ColumnType", "find_doubt", "find_fault"]

ColumnType = Literal["integer", "number", "boolean", "date", "text", "numbers", "bytes", "other"]

_CLASSES: Final = ("given_label", "gold_label", "predicted", "suggested")
_WORDS: Final = ("team", "reviewer", "verdict", "guideline", "model")
_FEW_VALUES: Final = ("team", "reviewer", "verdict", "suggested", "guideline", "round", "model")
_FEW: Final = 20
_LARGEST_ROUND: Final = 2**31 - 1


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a column before it has a role.

    Attributes
    ----------
    name
        As in the file.
    type
        What all its values are.
    rows, missing, distinct
        Counts; ``distinct`` leaves missing out.
    low, high
        Smallest and largest number, or None.
    whole
        No number among its values has a fraction.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False

    @property
    def empty(self) -> bool:
        """No row has a value."""
        return self.missing == self.rows


def find_fault(role: str, facts: ColumnFacts) -> str | None:
    """Say why the values forbid a role, whoever asks for it, or return None where they allow it.

    Examples
    --------
    >>> find_fault("seconds", ColumnFacts("seconds", "text", rows=9, missing=0, distinct=9))
    'its values are not numbers'
    """
    kind = facts.type
    if role in {"pred_probs", "embedding"} and kind != "numbers":
        return "its values are not lists of numbers"
    if role in {"seconds", "probability"} and kind not in {"integer", "number"} and not facts.empty:
        return "its values are not numbers"
    if role in {"started_at", "labelled_at"} and kind not in {"date", "text"} and not facts.empty:
        return "its values are not times"
    if role == "image" and kind not in {"bytes", "text"}:
        return "its values are neither bytes nor paths"
    if role == "text" and kind != "text":
        return "its values are not text"
    if role == "round":
        return _find_round_fault(facts)
    if role in _WORDS and kind in {"numbers", "bytes", "other"}:
        return "its values are not words"
    return _find_class_fault(facts) if role in {*_CLASSES, "vote"} else None


def _find_class_fault(facts: ColumnFacts) -> str | None:
    if facts.type in {"numbers", "bytes", "other", "date"}:
        return "its values are not class names"
    # Whole numbers with gaps arrive as floats: 3.0 beside a missing value is the class 3.
    if facts.type == "number" and not facts.whole:
        return "its values are fractions, not class names"
    return None


def _find_round_fault(facts: ColumnFacts) -> str | None:
    if facts.empty:
        return None
    if facts.type not in {"integer", "number"} or not facts.whole:
        return "its values are not whole numbers"
    if (facts.low or 0) < 0 or (facts.high or 0) > _LARGEST_ROUND:
        return "its values do not count rounds from 0 on"
    return None


def find_doubt(role: str, facts: ColumnFacts) -> str | None:
    """Say why a name alone is not enough for a role; what the user says needs no more.

    Examples
    --------
    >>> find_doubt("team", ColumnFacts("company", "text", rows=1000, missing=0, distinct=990))
    'nearly every row has another value'
    """
    if role in _FEW_VALUES and facts.distinct > _FEW and 2 * facts.distinct > facts.rows - facts.missing:
        return "nearly every row has another value"
    if role == "comment" and facts.type != "text":
        return "its values are not text"
    return None
