"""Binary problems: which of the two classes is the positive one, and from which probability on it is predicted.

Both are set once for the workspace and shown beside every rate, because recall, precision and the error rate
mean nothing without them. What a file said a model predicted stays in ``predictions.said``; ``predicted`` is what
follows from the threshold, so that taking the threshold away brings everything back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot, Writer

__all__ = ["Decision", "apply_threshold", "guess_positive", "read_decision", "require_decision", "write_decision"]

_POSITIVE_WORDS: Final = frozenset({"1", "true", "yes", "y", "t", "positive", "pos", "+", "+1"})
_BINARY: Final = 2


@dataclass(frozen=True)
class Decision:
    """How a binary model's probabilities become a prediction.

    Attributes
    ----------
    positive_class, negative_class
        The class that is looked for, and the other one.
    threshold
        The positive class is predicted where its probability is at least this, 0 to 1; None where the prediction
        is what was loaded (the more probable class, unless the file said otherwise).
    stated
        The user chose the positive class; else it is a guess.
    reason
        Why this class is the positive one.
    """

    positive_class: str
    negative_class: str
    threshold: float | None
    stated: bool
    reason: str


def guess_positive(counts: Sequence[tuple[str, int]]) -> tuple[str, str]:
    """Guess which of two classes is the positive one.

    Parameters
    ----------
    counts
        The two classes in their order, each with how many items are labelled so.

    Returns
    -------
    tuple of str and str
        The class and why: a name such as ``1``, ``true`` or ``yes``, else the rarer label, else the second class.

    Examples
    --------
    >>> guess_positive([("<=50K", 22654), (">50K", 7508)])
    ('>50K', 'the rarer of the two')
    >>> guess_positive([("no", 3), ("yes", 9)])
    ('yes', "named 'yes'")
    """
    named = [name for name, _n in counts if name.strip().casefold() in _POSITIVE_WORDS]
    if len(named) == 1:
        return named[0], f"named {named[0]!r}"
    (first, many), (second, few) = counts
    if many == few:
        return second, "the second of the two, which are equally frequent"
    return (second if few < many else first), "the rarer of the two"


def read_decision(snapshot: Snapshot) -> Decision | None:
    """Return the positive class and the threshold, or None where there are not exactly two classes."""
    names = snapshot.classes
    if len(names) != _BINARY:
        return None
    meta = snapshot.meta
    said = meta.get("positive_class")
    if said in names:
        positive, reason, stated = said, "you said so", True
    else:
        counted = dict(
            snapshot.fetch_all(
                Fragment("SELECT given_label, count(*) FROM items WHERE given_label IS NOT NULL GROUP BY given_label")
            )
        )
        positive, reason = guess_positive([(name, counted.get(name, 0)) for name in names])
        stated = False
    threshold = meta.get("threshold")
    other = names[0] if positive == names[1] else names[1]
    return Decision(positive, other, None if threshold is None else float(threshold), stated, reason)


def require_decision(snapshot: Snapshot) -> Decision:
    """Return the positive class and the threshold.

    Raises
    ------
    AnalysisError
        If there are not exactly two classes.
    """
    decision = read_decision(snapshot)
    if decision is None:
        raise AnalysisError(
            f"A positive class belongs to a problem of two classes, this workspace has {len(snapshot.classes)}. "
            "Look at one class at a time with --class."
        )
    return decision


def write_decision(
    writer: Writer, *, positive: str | None = None, threshold: float | None = None, forget_threshold: bool = False
) -> bool:
    """Set the positive class and the threshold of a workspace.

    Parameters
    ----------
    writer
        The one writer.
    positive
        The class; None keeps what is set or guessed.
    threshold
        Strictly between 0 and 1; None keeps what is set. A threshold belongs to a class, so it settles the guess.
    forget_threshold
        Go back to what was loaded.

    Returns
    -------
    bool
        Something changed.

    Raises
    ------
    AnalysisError
        If there are not exactly two classes, the threshold is no probability, or no model has probabilities.
    UnknownNameError
        If the class is not one of the two.
    """
    before = require_decision(writer)
    if positive is not None and positive not in writer.classes:
        raise UnknownNameError("class", positive, writer.classes)
    if threshold is not None:
        _check_threshold(writer, threshold)
    chosen = positive or before.positive_class
    moves = chosen != before.positive_class and before.threshold is not None
    if moves and threshold is None and not forget_threshold:
        raise AnalysisError(
            f"The threshold {before.threshold:g} is one for {before.positive_class!r}. Give the threshold for "
            f"{chosen!r} with it, or drop it first with --no-threshold."
        )
    wanted = None if forget_threshold else before.threshold if threshold is None else threshold
    states = before.stated or positive is not None or threshold is not None
    if (chosen, wanted, states) == (before.positive_class, before.threshold, before.stated):
        return False
    writer.execute(Fragment("DELETE FROM meta WHERE key IN ('positive_class', 'threshold')"))
    if states:
        writer.execute(Fragment("INSERT INTO meta (key, value) VALUES ('positive_class', ?)", (chosen,)))
    if wanted is not None:
        writer.execute(Fragment("INSERT INTO meta (key, value) VALUES ('threshold', ?)", (repr(wanted),)))
    writer.forget()
    if wanted != before.threshold or chosen != before.positive_class:
        _decide_anew(writer)
    return True


def apply_threshold(writer: Writer) -> str | None:
    """Decide predictions that have just arrived by the threshold, if there is one.

    Returns
    -------
    str or None
        What the user should know: a threshold belongs to two classes, and is dropped where a third has come.
    """
    decision = read_decision(writer)
    threshold = writer.meta.get("threshold")
    if threshold is None:
        return None
    if decision is not None:
        _decide_anew(writer)
        return None
    was = writer.meta.get("positive_class")
    writer.execute(Fragment("DELETE FROM meta WHERE key IN ('positive_class', 'threshold')"))
    writer.forget()
    _decide_anew(writer)
    return (
        f"The threshold {float(threshold):g} for {was!r} is dropped: there are {len(writer.classes)} classes now. "
        "Predictions are again what was loaded."
    )


def _check_threshold(writer: Writer, threshold: float) -> None:
    if not (math.isfinite(threshold) and 0 < threshold < 1):
        raise AnalysisError(f"A threshold is a probability between 0 and 1, got {threshold:g}. For example 0.4.")
    if not any(model.classes for model in writer.models):
        raise AnalysisError("A threshold needs probabilities, and no model here has any. Load them first.")


def _decide_anew(writer: Writer) -> None:
    """Make ``predicted`` what the threshold says, and where there is none, or no probability, what was loaded."""
    decision = read_decision(writer)
    threshold = None if decision is None else decision.threshold
    writer.execute(Fragment("UPDATE predictions SET predicted = said WHERE predicted IS DISTINCT FROM said"))
    if decision is None or threshold is None:
        return
    for model in writer.models:
        if decision.positive_class not in model.classes:
            continue
        place = value(model.classes.index(decision.positive_class) + 1)
        # Probabilities are kept as FLOAT, and 0.7 as FLOAT is less than 0.7: both sides are FLOAT here, so that a
        # probability written as 0.7 reaches the threshold 0.7.
        reaches = template(
            "list_extract(pred_probs, {place}) >= CAST({threshold} AS FLOAT)", place=place, threshold=value(threshold)
        )
        writer.execute(
            template(
                "UPDATE predictions SET predicted = CASE WHEN {reaches} THEN {positive} ELSE {negative} END "
                "WHERE model = {model} AND pred_probs IS NOT NULL",
                reaches=reaches,
                positive=value(decision.positive_class),
                negative=value(decision.negative_class),
                model=value(model.code),
            )
        )
