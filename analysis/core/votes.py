"""Votes: who said what about which item.

A *vote* is one row of ``item_id, annotator, label``. A missing label means that the person looked and *cannot
tell*: the vote is kept and counted as work, and is never an agreement or a disagreement. When a person voted
twice on one item, the last vote in the order given stands, as in a poll where people may change their mind;
how many gave way is reported.

Everything that counts votes works on :class:`CodedVotes`: three integer arrays and three lists of names. Text
is compared once, at the door.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import AnalysisError

__all__ = ["VOTE_COLUMNS", "CodedVotes", "check_votes", "to_coded_votes", "to_text", "to_text_codes"]

VOTE_COLUMNS = ("item_id", "annotator", "label")
"""The columns that a frame of votes must have; it may have more."""

_EXACT_FLOAT = 2**53  # from here on a float no longer stands for one whole number


@dataclass(frozen=True, eq=False)
class CodedVotes:
    """Votes as codes: V votes of A annotators on N items with K labels, one vote a person and item.

    The votes are sorted by item, then annotator, so that every result is the same whatever the order of the
    rows, to the last digit. Names are sorted by text; a code is the position in its list.

    Attributes
    ----------
    item
        (V,) int64, position in `items`; ascending.
    annotator
        (V,) int64, position in `annotators`.
    label
        (V,) int64, position in `labels`; -1 for "cannot tell".
    row
        (V,) int64, position of the vote in the frame it came from.
    items, annotators, labels
        (N,), (A,), (K,) object arrays of text, each sorted and without repetition. An item or person whose
        every vote is "cannot tell" is in the list; a label is there because somebody gave it.
    repeated
        How many votes gave way to a later vote of the same person on the same item.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": ["i2", "i1"], "annotator": ["ann", "bob"], "label": ["cat", None]})
    >>> coded = to_coded_votes(votes)
    >>> coded.item.tolist(), coded.label.tolist(), coded.row.tolist()
    ([0, 1], [-1, 0], [1, 0])
    """

    item: NDArray[np.int64]
    annotator: NDArray[np.int64]
    label: NDArray[np.int64]
    row: NDArray[np.int64]
    items: NDArray[np.object_]
    annotators: NDArray[np.object_]
    labels: NDArray[np.object_]
    repeated: int = 0

    def to_frame(self) -> pd.DataFrame:
        """Turn the codes back into a frame of text.

        Returns
        -------
        DataFrame
            ``item_id, annotator, label``, (V, 3) text, sorted by item and annotator; label NA for "cannot
            tell".

        Examples
        --------
        >>> votes = pd.DataFrame({"item_id": [7, 7], "annotator": ["bob", "ann"], "label": [1, 2]})
        >>> to_coded_votes(votes).to_frame().to_numpy().tolist()
        [['7', 'ann', '2'], ['7', 'bob', '1']]
        """
        return pd.DataFrame(
            {
                "item_id": to_text(self.item, self.items),
                "annotator": to_text(self.annotator, self.annotators),
                "label": to_text(self.label, self.labels),
            }
        )


def check_votes(votes: pd.DataFrame) -> None:
    """Check that a frame holds votes.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``. Further columns are welcome. A missing label means
        "cannot tell" and is allowed; a missing item or person is not.

    Raises
    ------
    AnalysisError
        A needed column is missing (the message names the missing and the found ones), or votes without an
        item or a person.

    Examples
    --------
    >>> check_votes(pd.DataFrame({"item_id": [1], "annotator": ["ann"], "label": [None]}))
    """
    missing = [name for name in VOTE_COLUMNS if name not in votes.columns]
    if missing:
        found = ", ".join(map(str, votes.columns)) or "no column"
        raise AnalysisError(
            f"Votes need the columns {', '.join(VOTE_COLUMNS)}. Missing: {', '.join(missing)}. "
            f"Found: {found}. Rename the columns or set their roles."
        )
    for name in ("item_id", "annotator"):
        unknown = int(votes[name].isna().sum())
        if unknown:
            raise AnalysisError(
                f"Every vote needs its {name}. Found {unknown:,} of {len(votes):,} votes without one. "
                "Fill them in or leave these votes out."
            )


def to_coded_votes(votes: pd.DataFrame) -> CodedVotes:
    """Turn a frame of votes into codes, after the check.

    Cost: one factorisation a column and one sort of V integers; about 10 arrays of V integers at the peak.
    The frame is not changed.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``, of any type (see :func:`to_text_codes`). A missing
        label means "cannot tell". Of several votes of one person on one item the last row stands, also where
        it says "cannot tell". May be empty.

    Returns
    -------
    CodedVotes
        Sorted by item and annotator; `repeated` says how many votes gave way.

    Raises
    ------
    AnalysisError
        As for :func:`check_votes`.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": [1, 1], "annotator": ["ann", "ann"], "label": ["cat", "dog"]})
    >>> coded = to_coded_votes(votes)
    >>> coded.labels[coded.label].tolist(), coded.repeated
    (['dog'], 1)
    """
    check_votes(votes)
    item, items = to_text_codes(votes["item_id"])
    annotator, annotators = to_text_codes(votes["annotator"])
    label, labels = to_text_codes(votes["label"])
    key = item * max(len(annotators), 1) + annotator
    # A stable sort keeps the order given within one person and item, so the last of a run is the vote that
    # stands.
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    stands = np.ones(len(order), dtype=bool)
    stands[:-1] = ordered[1:] != ordered[:-1]
    row = order[stands]
    label, labels = _drop_unused(label[row], labels)
    return CodedVotes(
        item=item[row],
        annotator=annotator[row],
        label=label,
        row=row.astype(np.int64, copy=False),
        items=items,
        annotators=annotators,
        labels=labels,
        repeated=len(order) - len(row),
    )


def to_text_codes(values: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Turn any column of names into codes and sorted text.

    Whole numbers lose their ".0", because a column of ids with one gap arrives as floats: 7.0 and 7 and "7"
    are one name. Leading zeros of text stay.

    Parameters
    ----------
    values
        (V,) text, numbers, booleans or categories.

    Returns
    -------
    tuple
        (V,) int64 codes, -1 where missing, and the (K,) names, object array of text, sorted, without
        repetition.

    Examples
    --------
    >>> codes, names = to_text_codes(pd.Series([10.0, None, 9.0, 10.0]))
    >>> codes.tolist(), names.tolist()
    ([0, -1, 1, 0], ['10', '9'])
    """
    first_codes, uniques = pd.factorize(values)
    if isinstance(uniques.dtype, pd.StringDtype):
        text = uniques.to_numpy(dtype=object)
    else:
        text = np.array([_to_name(value) for value in uniques], dtype=object)
    names, text_codes = np.unique(text, return_inverse=True)
    # One more name for "missing" at the end lets the code -1 pick it.
    lookup = np.append(text_codes.astype(np.int64), -1)
    return lookup[first_codes], names


def to_text(codes: NDArray[np.int64], names: NDArray[np.object_]) -> pd.Series:
    """Turn codes back into a column of text.

    Parameters
    ----------
    codes
        (V,) positions in `names`; -1 for missing.
    names
        (K,) text.

    Returns
    -------
    Series
        (V,) text with a fresh index; NA where the code is -1.

    Examples
    --------
    >>> to_text(np.array([1, 0]), np.array(["cat", "dog"], dtype=object)).tolist()
    ['dog', 'cat']
    """
    return pd.Series(pd.array(names, dtype="str").take(codes, allow_fill=True))


def _to_name(value: object) -> str:
    """Turn one value into text; whole floats as whole numbers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return str(int(value))
    return str(value)


def _drop_unused(codes: NDArray[np.int64], names: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Leave out the names that no code uses, so that K counts labels that stand."""
    used = np.bincount(codes[codes >= 0], minlength=len(names)) > 0
    lookup = np.append(np.cumsum(used) - 1, -1)
    return lookup[codes], names[used]
