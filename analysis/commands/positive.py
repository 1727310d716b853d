"""``relook positive``: the positive class of a binary problem and the threshold from which it is predicted."""

from dataclasses import dataclass
from typing import Any, Final

from analysis.commands.results import to_json
from analysis.core.facts import Population
from analysis.core.predicate import Slice
from analysis.errors import AnalysisError
from analysis.store.decision import Decision, require_decision, write_decision
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Snapshot, Workspace

__all__ = [
    "RARE_SHARE",
    "Decision",
    "PositiveResult",
    "advise_rare",
    "choose_positive",
    "describe_decision",
    "describe_positive",
    "say_decision",
]

RARE_SHARE: Final = 0.1
"""Below this share of positives recall and precision lead: the error rate of saying no to all is already low."""


@dataclass(frozen=True)
class PositiveResult:
    """The decision and what it makes of a split; the JSON of ``relook positive``.

    Attributes
    ----------
    split, model
        Where the counts are from; None where there is none.
    positives, trials
        Items labelled positive, among those with a label and a prediction.
    found, predicted
        Positives that were predicted so, and items predicted so: recall is found/positives, precision
        found/predicted.
    """

    decision: Decision
    split: str | None
    model: str | None
    positives: int
    trials: int
    found: int
    predicted: int
    changed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """The share of positives, 0 to 1."""
        return self.positives / self.trials if self.trials else None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook positive``."""
        return {
            **to_json(self.decision),
            "split": self.split,
            "model": self.model,
            "positives": self.positives,
            "trials": self.trials,
            "share": self.share,
            "recall": self.found / self.positives if self.positives else None,
            "precision": self.found / self.predicted if self.predicted else None,
            "changed": self.changed,
            "notes": list(self.notes),
        }


def say_decision(decision: Decision) -> str:
    """Say the positive class and how it is predicted, in a few words that stand beside a rate.

    Examples
    --------
    >>> say_decision(Decision(">50K", "<=50K", 0.4, True, "you said so"))
    "positive class '>50K', predicted from 0.4 on"
    >>> say_decision(Decision("1", "0", None, False, "named '1'"))
    "positive class '1', predicted where it is the more probable"
    """
    how = "where it is the more probable" if decision.threshold is None else f"from {decision.threshold:g} on"
    return f"positive class {decision.positive_class!r}, predicted {how}"


def describe_decision(decision: Decision) -> str:
    """Describe a decision as :func:`say_decision` does, as the beginning of a sentence.

    Examples
    --------
    >>> describe_decision(Decision("1", "0", 0.25, True, "you said so"))
    "Positive class '1', predicted from 0.25 on"
    """
    said = say_decision(decision)
    return said[0].upper() + said[1:]


def advise_rare(snapshot: Snapshot, decision: Decision, split: str, model: Model) -> list[str]:
    """Say that recall and precision tell more than the error rate, where positives are rare."""
    positives, trials, _found, _predicted = _count(snapshot, decision, split, model)
    if not 0 < positives < RARE_SHARE * trials:
        return []
    share = f"{positives / trials:.1%} of {trials:,} labels are {decision.positive_class!r}"
    return [f"Only {share}: recall and precision tell more than the error rate (--metric recall, --metric precision)."]


def describe_positive(workspace: Workspace, *, split: str | None = None, model: str | None = None) -> PositiveResult:
    """Describe the positive class and the threshold, with what they make of a split.

    Parameters
    ----------
    workspace
        An existing workspace.
    split, model
        None takes eval (or the only split) and the model loaded last.

    Returns
    -------
    PositiveResult

    Raises
    ------
    AnalysisError
        If there are not exactly two classes.
    """
    with workspace.read() as snapshot:
        return _describe(snapshot, split, model, changed=False)


def choose_positive(
    workspace: Workspace,
    positive: str | None = None,
    *,
    threshold: float | None = None,
    forget_threshold: bool = False,
    split: str | None = None,
    model: str | None = None,
) -> PositiveResult:
    """Set the positive class, the threshold, or both.

    Parameters
    ----------
    workspace
        An existing workspace.
    positive, threshold, forget_threshold
        See :func:`analysis.store.decision.write_decision`.
    split, model
        Where to count what it makes of the predictions.

    Returns
    -------
    PositiveResult

    Raises
    ------
    AnalysisError
        If there are not exactly two classes, or a value cannot be.
    """
    if threshold is not None and forget_threshold:
        raise AnalysisError("--threshold and --no-threshold contradict each other. Give one of them.")
    with workspace.write() as writer:
        changed = write_decision(writer, positive=positive, threshold=threshold, forget_threshold=forget_threshold)
        if changed:
            writer.bump("facts")
        result = _describe(writer, split, model, changed=changed)
        writer.discarded = not changed
    return result


def _describe(snapshot: Snapshot, split: str | None, model: str | None, *, changed: bool) -> PositiveResult:
    decision = require_decision(snapshot)
    if not snapshot.models:
        return PositiveResult(decision, None, None, 0, 0, 0, 0, changed=changed, notes=("No predictions are loaded.",))
    known = snapshot.resolve_model(model)
    chosen, note = snapshot.resolve_split(split, "eval")
    counts = _count(snapshot, decision, chosen, known)
    return PositiveResult(decision, chosen, known.name, *counts, changed=changed, notes=(note,) if note else ())


def _count(snapshot: Snapshot, decision: Decision, split: str, model: Model) -> tuple[int, int, int, int]:
    """Count positives, trials, positives found, and items predicted positive."""
    population = Population.of(snapshot, split=split, model=model.code, where=Slice())
    query = population.select(
        template(
            "count(*) FILTER ({both} AND c.label = {positive}), count(*) FILTER ({both}), "
            "count(*) FILTER ({both} AND c.label = {positive} AND p.predicted = {positive}), "
            "count(*) FILTER ({both} AND p.predicted = {positive})",
            both=Fragment("c.label IS NOT NULL AND p.predicted IS NOT NULL"),
            positive=value(decision.positive_class),
        )
    )
    positives, trials, found, predicted = snapshot.fetch_one(query)
    return positives, trials, found, predicted
