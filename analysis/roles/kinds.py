"""What the rows of a file are, and which split it holds."""

import re
from typing import Final, Literal

from analysis.roles.guess import Roles

__all__ = ["Kind", "guess_kind", "guess_split"]

Kind = Literal["items", "predictions", "votes"]

_VOTE_ROLES: Final = frozenset(
    {
        "item_id", "split", "given_label", "annotator", "started_at", "labelled_at", "seconds", "batch", "team",
        "reviewer", "verdict", "suggested", "round", "guideline", "comment",
    }
)  # fmt: skip
_SPLIT_WORDS: Final = {
    "train": ("train", "training"),
    "eval": (
        "eval",
        "evaluation",
        "test",
        "testing",
        "val",
        "valid",
        "validation",
        "dev",
        "holdout",
        "heldout",
    ),
}


def guess_kind(roles: Roles, *, repeated_ids: bool, known_ids: bool, known_features: bool = False) -> tuple[Kind, str]:
    """Guess what a file's rows are.

    Parameters
    ----------
    roles
        The roles of its columns.
    repeated_ids
        An id occurs in more than one row, and the rows differ.
    known_ids
        The first ids are already items of the workspace or of another file of the same load.
    known_features
        Its features are columns of the items already.

    Returns
    -------
    tuple of Kind and str
        The kind and why.
    """
    has = roles.single.keys()
    predicts = bool({"predicted", "pred_probs"} & has or roles.probabilities)
    if "annotator" in has and "given_label" in has and not predicts:
        if repeated_ids:
            return "votes", "ids repeat and each row names an annotator"
        only_votes = has <= _VOTE_ROLES
        if known_ids and only_votes and not roles.features:
            return "votes", "each row names an annotator, and the items are known"
    if predicts and "given_label" not in has and not roles.features:
        return "predictions", "it has predictions and no labels"
    describes_items = bool(roles.features) and ("given_label" in has or known_features)
    if predicts and known_ids and not describes_items:
        return "predictions", "it has predictions and the items are known"
    return "items", "one row an item"


def guess_split(stem: str) -> str | None:
    """Read a split from a file name.

    Parameters
    ----------
    stem
        The file's name without its ending.

    Returns
    -------
    str or None
        ``"train"`` or ``"eval"`` (test, validation and dev files are read as eval), None if the name says neither
        or both.

    Examples
    --------
    >>> guess_split("adult_test"), guess_split("predictions"), guess_split("train-2026")
    ('eval', None, 'train')
    """
    words = set(re.split(r"[^a-z]+", stem.casefold()))
    found = [split for split, names in _SPLIT_WORDS.items() if words & set(names)]
    return found[0] if len(found) == 1 else None
