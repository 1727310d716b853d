"""Metrics as exact integers over trials.

A rate counts hits; a loss is rounded once to a multiple of 2^-20 and summed as an integer. So the same rows give
the same number in any order, on any number of threads, which sums of floats do not (measured). Trials are the
metric's own denominator; a row that is no trial is counted nowhere but in the support.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, template, value

__all__ = ["LOSS_UNIT", "METRICS", "Metric", "MetricSql", "resolve_metric"]

LOSS_UNIT: Final = 2**20
"""A loss of 1 is this many integer units."""

_SMALLEST_PROBABILITY: Final = 2.0**-23
"""Log loss is cut here: the spacing of float32 near 1, the precision in which probabilities are kept."""


@dataclass(frozen=True)
class Metric:
    """What is counted.

    Attributes
    ----------
    name, title
        The name in the contract, and in words.
    kind
        ``rate`` (0 to 1) or ``loss`` (0 and up).
    better
        Which direction is better.
    needs_class
        It is the metric of one class.
    """

    name: str
    title: str
    kind: Literal["rate", "loss"]
    better: Literal["lower", "higher"]
    needs_class: bool


METRICS: Final = {
    metric.name: metric
    for metric in (
        Metric("error_rate", "Error rate", "rate", "lower", needs_class=False),
        Metric("false_positives", "False positive rate", "rate", "lower", needs_class=True),
        Metric("false_negatives", "False negative rate", "rate", "lower", needs_class=True),
        Metric("recall", "Recall", "rate", "higher", needs_class=True),
        Metric("precision", "Precision", "rate", "higher", needs_class=True),
        Metric("log_loss", "Log loss", "loss", "lower", needs_class=False),
    )
}


@dataclass(frozen=True)
class MetricSql:
    """A metric as two expressions over the relation of :mod:`analysis.core.facts`.

    Attributes
    ----------
    trial
        TRUE where the row counts, never NULL.
    numerator
        The row's whole number; asked for only where ``trial`` holds.
    """

    metric: Metric
    trial: Fragment
    numerator: Fragment


def resolve_metric(
    name: str, *, positive: str | None, classes: Sequence[str], model_classes: Sequence[str]
) -> MetricSql:
    """Return a metric's SQL.

    Parameters
    ----------
    name
        One of :data:`METRICS`.
    positive
        The class, for metrics of one class; must be None for the others.
    classes
        The workspace's classes.
    model_classes
        The order of the model's probabilities; empty where it has none.

    Returns
    -------
    MetricSql

    Raises
    ------
    UnknownNameError
        If the metric or the class is not there.
    AnalysisError
        If a class is missing or superfluous, or log loss has no probabilities.
    """
    metric = METRICS.get(name)
    if metric is None:
        raise UnknownNameError("metric", name, METRICS)
    if metric.needs_class and positive is None:
        raise AnalysisError(f"{metric.title} is a metric of one class. Name it with --class, one of {list(classes)}.")
    if not metric.needs_class and positive is not None:
        raise AnalysisError(f"{metric.title} counts all classes; --class goes with recall, precision and the like.")
    if positive is not None and positive not in classes:
        raise UnknownNameError("class", positive, classes)
    both = Fragment("(p.predicted IS NOT NULL AND c.label IS NOT NULL)")
    if name == "log_loss":
        return _log_loss(metric, model_classes)
    if positive is None:
        return MetricSql(metric, both, Fragment("CAST(p.predicted != c.label AS BIGINT)"))
    chosen = value(positive)
    right = template("CAST(p.predicted = {chosen} AS BIGINT)", chosen=chosen)
    wrong = template("CAST(p.predicted != {chosen} AS BIGINT)", chosen=chosen)
    is_class = template("{both} AND c.label = {chosen}", both=both, chosen=chosen)
    parts = {
        "false_positives": (template("{both} AND c.label != {chosen}", both=both, chosen=chosen), right),
        "false_negatives": (is_class, wrong),
        "recall": (is_class, right),
        "precision": (
            template("{both} AND p.predicted = {chosen}", both=both, chosen=chosen),
            template("CAST(c.label = {chosen} AS BIGINT)", chosen=chosen),
        ),
    }
    trial, numerator = parts[name]
    return MetricSql(metric, template("coalesce({trial}, FALSE)", trial=trial), numerator)


def _log_loss(metric: Metric, model_classes: Sequence[str]) -> MetricSql:
    if not model_classes:
        raise AnalysisError("Log loss needs probabilities, and this model has none. Load them, or use error_rate.")
    place = template("list_position({names}, c.label)", names=value(list(model_classes)))
    trial = template("coalesce(p.pred_probs IS NOT NULL AND {place} > 0, FALSE)", place=place)
    numerator = template(
        "CAST(round(-ln(greatest(CAST(list_extract(p.pred_probs, {place}) AS DOUBLE), {least})) * {unit}) AS BIGINT)",
        place=place,
        least=value(_SMALLEST_PROBABILITY),
        unit=value(LOSS_UNIT),
    )
    return MetricSql(metric, trial, numerator)
