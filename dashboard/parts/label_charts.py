"""What the Labels page draws and says: its sentence, the confident joint, the methods in words."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from analysis.commands.labels import LabelsResult
from analysis.commands.text import describe_count
from dashboard.parts import charts
from dashboard.parts.plain import escape_markdown

__all__ = [
    "FILTERS",
    "SCORES",
    "Pair",
    "describe_suspects",
    "describe_time",
    "draw_joint",
    "list_pairs",
]

_SECONDS_AN_HOUR: Final = 3600

FILTERS: Final = {
    "prune_by_noise_rate": "For each pair of given and likely label, as many items as the confident joint counts: "
    "those in which the likely label is furthest ahead.",
    "prune_by_class": "For each given label, as many items as the confident joint counts off the diagonal: "
    "those whose given label is least probable.",
    "both": "Items that the two filters above agree on.",
    "off_diagonal": "Items that the confident joint itself counts off the diagonal.",
    "predicted_neq_given": "All items for which the model prefers another class.",
    "low_normalized_margin": "Items with the lowest normalized margin, as many as label errors are estimated.",
    "low_self_confidence": "Items with the lowest self-confidence, as many as label errors are estimated.",
}
"""Filter to a sentence that says which labels it flags."""

SCORES: Final = {
    "normalized_margin": "Probability of the given label minus that of the most probable other one, brought to 0 to 1. "
    "Below 0.5 the model prefers another label.",
    "self_confidence": "Probability of the given label.",
    "confidence_weighted_entropy": "How unsure the model is, weighted by the probability of the given label.",
}
"""Score to a sentence that says what label quality means by it; 0 to 1, lower is worse."""


@dataclass(frozen=True)
class Pair:
    """A given and a likely label: the estimated count of the confident joint, and the suspects in the list."""

    given: str
    likely: str
    estimated: int
    suspects: int


def describe_suspects(result: LabelsResult, *, filtered: bool) -> str:
    """Say in one sentence how many labels deserve a second look and how many label errors are estimated."""
    flagged = f"**{describe_count(result.flagged)} suspect{'s' * (result.flagged != 1)}**"
    labels = f"{describe_count(result.items)} label{'s' * (result.items != 1)} of {escape_markdown(result.split)}"
    errors = f"{describe_count(result.estimated_issues)} label error{'s' * (result.estimated_issues != 1)}"
    verb = "is" if result.estimated_issues == 1 else "are"
    if filtered:
        return f"{flagged} inside the filter; about {errors} {verb} estimated among all {labels}."
    return f"{flagged} among {labels}; about {errors} {verb} estimated."


def describe_time(items: int, seconds: float) -> str:
    """Say how long a look at some items takes.

    Examples
    --------
    >>> describe_time(50, 7.7), describe_time(5000, 7.7), describe_time(1, 2)
    ('about 6 minutes', 'about 10.7 hours', 'under a minute')
    """
    total = items * seconds
    if total >= _SECONDS_AN_HOUR:
        return f"about {total / _SECONDS_AN_HOUR:,.1f} hours"
    minutes = round(total / 60)
    return "under a minute" if minutes < 1 else f"about {minutes} minute{'s' * (minutes != 1)}"


def list_pairs(result: LabelsResult) -> tuple[Pair, ...]:
    """Return the pairs off the diagonal that hold anything, those with most suspects first."""
    listed = Counter((suspect.given_label, suspect.likely_label) for suspect in result.issues)
    estimated = {
        (given, likely): count
        for given, row in zip(result.classes, result.joint, strict=True)
        for likely, count in zip(result.classes, row, strict=True)
        if count and given != likely
    }
    pairs = [Pair(*key, estimated.get(key, 0), listed[key]) for key in {*estimated, *listed}]
    return tuple(sorted(pairs, key=lambda pair: (-pair.suspects, -pair.estimated, pair.given, pair.likely)))


def draw_joint(result: LabelsResult, *, dark: bool) -> tuple[go.Figure, int]:
    """Draw the calibrated confident joint; points carry ``[given, likely, count]``.

    Returns
    -------
    tuple of Figure and int
        The figure, and how many classes it shows.
    """
    cells = {
        (given, likely): count
        for given, row in zip(result.classes, result.joint, strict=True)
        for likely, count in zip(result.classes, row, strict=True)
    }
    return charts.draw_matrix(result.classes, cells, rows="Given", columns="Likely", dark=dark, off="suspect")
