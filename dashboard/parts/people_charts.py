"""What the Annotators page draws: people against the others or against gold, one person's matrix and facts.

People stand in alphabetical order, and nothing here adds up to one grade of a person.
"""

from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go

from analysis.commands.annotators import AnnotatorRow, AnnotatorsResult, Confusion
from analysis.commands.text import describe_count, describe_rate
from dashboard.parts import charts
from dashboard.parts.charts import Interval
from dashboard.parts.strings import UNKNOWN

__all__ = [
    "MEASURES",
    "describe_figure",
    "describe_panel",
    "draw_confusion",
    "draw_people",
    "list_facts",
    "list_people",
    "list_unmeasured",
]

MEASURES: Final = {"consensus": "Consensus of the others", "gold": "Gold labels"}
"""What people's votes are compared with."""

_AXES: Final = {
    "consensus": "Agreement with the consensus of the others",
    "gold": "Accuracy on items with a gold label",
}

_EXPLANATIONS: Final = {
    "consensus": "Agreement: the share of a person's votes that equal the majority of the other people's labels on the "
    "same item, where that is not tied. Votes of experts and gold labels are no part of it.",
    "gold": "Accuracy: the share of a person's votes that equal the gold label of the item.",
}


def describe_panel(result: AnnotatorsResult) -> str:
    """Say in one sentence how many people voted, on what, and how far they agree."""
    people, votes, items = len(result.annotators), result.votes, result.items
    sentence = (
        f"**{describe_count(people)} annotator{'s' * (people != 1)}**, "
        f"{describe_count(votes)} vote{'s' * (votes != 1)} on {describe_count(items)} item{'s' * (items != 1)}"
    )
    alpha = result.krippendorff_alpha
    if alpha.value is None:
        return f"{sentence}."
    interval = "" if alpha.low is None or alpha.high is None else f" (95% CI {alpha.low:.2f} to {alpha.high:.2f})"
    return f"{sentence}; Krippendorff's alpha {alpha.value:.2f}{interval}."


def _to_line(row: AnnotatorRow, measure: str) -> Interval:
    if measure == "gold":
        return Interval(row.annotator, row.gold_accuracy, row.gold_low, row.gold_high, row.annotator, "correct")
    if row.enough:
        return Interval(row.annotator, row.agreement, row.low, row.high, row.annotator, "correct")
    return Interval(f"{row.annotator} (few votes)", row.agreement, row.low, row.high, row.annotator, "neutral")


def draw_people(rows: Sequence[AnnotatorRow], measure: str, *, dark: bool) -> go.Figure:
    """Draw a line a person: agreement with the others or accuracy on gold, with its interval.

    People whose overlap is too small to take the number seriously are grey and said to have few votes; people
    without any are left out, see :func:`list_unmeasured`.
    """
    lines = [_to_line(row, measure) for row in rows]
    figure = charts.draw_intervals(lines, axis=_AXES[measure], overall=None, overall_name="", dark=dark)
    # A long list scrolls: its axis stands where reading begins. The range is that of a share.
    figure.update_xaxes(side="top", range=[0, 1.01])
    figure.update_yaxes(title="Annotator")
    figure.update_layout(margin={"t": 54, "b": 8, "l": figure.layout.margin.l + 30})
    return figure


def describe_figure(people: int, drawn: int, measure: str, *, scrolls: bool) -> str:
    """Say what is measured against what, and how many people the figure shows."""
    who = (
        f"All {describe_count(people)} annotators are" if drawn == people else f"{drawn:,} of {people:,} annotators are"
    )
    missing = people - drawn
    rest = f"; {describe_count(missing)} {'has' if missing == 1 else 'have'} no vote to compare" if missing else ""
    scroll = " (scroll to see them)" if scrolls else ""
    return f"{_EXPLANATIONS[measure]} {who} drawn, in alphabetical order, with 95% intervals{scroll}{rest}."


def list_unmeasured(rows: Sequence[AnnotatorRow], measure: str) -> list[str]:
    """Return the people without a single trial of a measure."""
    return [row.annotator for row in rows if (row.gold_accuracy if measure == "gold" else row.agreement) is None]


def list_people(rows: Sequence[AnnotatorRow]) -> dict[str, list[Any]]:
    """Return the columns of the table of people; gold, seconds and suspects only where known for anybody."""
    columns: dict[str, list[Any]] = {
        "Annotator": [row.annotator for row in rows],
        "Votes": [row.votes for row in rows],
        "Overlap": [row.overlap for row in rows],
        "Agreement": [_describe_agreement(row) for row in rows],
    }
    if any(row.gold_trials for row in rows):
        columns["Gold accuracy"] = [_describe_gold(row) for row in rows]
    if any(row.median_seconds is not None for row in rows):
        columns["Median seconds"] = [row.median_seconds for row in rows]
    columns["Most frequent confusion"] = [_describe_confusion(row.worst_confusion) for row in rows]
    if any(row.suspects is not None for row in rows):
        columns["Suspects"] = [row.suspects for row in rows]
    return columns


def list_facts(row: AnnotatorRow) -> dict[str, str]:
    """Return what is known of one person, by name."""
    facts = {
        "Votes": describe_count(row.votes),
        "Cannot tell": describe_count(row.cannot_tell),
        "Overlap": describe_count(row.overlap),
        "Agreement": _describe_agreement(row),
    }
    if row.gold_trials:
        facts["Gold accuracy"] = _describe_gold(row)
    if row.median_seconds is not None:
        facts["Median seconds"] = f"{row.median_seconds:,.1f}"
    if row.votes_per_active_day is not None:
        facts["Votes an active day"] = describe_count(row.votes_per_active_day)
    if row.suspects is not None:
        facts["Suspects"] = describe_count(row.suspects)
    return facts


def draw_confusion(classes: Sequence[str], pairs: Sequence[Confusion], *, dark: bool) -> tuple[go.Figure, int, int]:
    """Draw what a person said where the others said another label.

    Returns
    -------
    tuple of Figure, int and int
        The figure, how many classes it shows, and how many there are.
    """
    said = {name for pair in pairs for name in (pair.given, pair.likely)}
    # A label that is no class of the workspace any more comes last, so that no vote is lost.
    names = [*(name for name in classes if name in said), *sorted(said - set(classes))]
    cells = {(pair.given, pair.likely): pair.count for pair in pairs}
    figure, shown = charts.draw_matrix(names, cells, rows="Said", columns="Others", dark=dark)
    return figure, shown, len(names)


def _describe_agreement(row: AnnotatorRow) -> str:
    shown = describe_rate(row.agreement, row.low, row.high)
    return shown if row.enough or row.agreement is None else f"{shown}, few votes"


def _describe_gold(row: AnnotatorRow) -> str:
    shown = describe_rate(row.gold_accuracy, row.gold_low, row.gold_high)
    return f"{shown} of {describe_count(row.gold_trials)}" if row.gold_trials else shown


def _describe_confusion(worst: Confusion | None) -> str:
    return UNKNOWN if worst is None else f"said {worst.given}, others {worst.likely}: {describe_count(worst.count)}"
