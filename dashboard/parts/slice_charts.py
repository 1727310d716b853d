"""Figures of slices; pure functions from a result to a figure, and what has to be said beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from analysis.commands.one_slice import SliceDetail
from analysis.commands.slices import SliceRow, SlicesResult
from analysis.commands.text import describe_count, describe_rate
from dashboard.parts import charts
from dashboard.parts.charts import COLOURS, Interval, blend, escape_html, set_inks
from dashboard.parts.slice_words import (
    LOSSES,
    Named,
    describe_interval,
    describe_metric,
    describe_value,
    is_better_higher,
    name_columns,
    name_groups,
)

__all__ = ["Heatmap", "draw_against_rest", "draw_groups", "draw_heatmap", "find_ceiling"]

_MOST_LINES: Final = 20
_MOST_LEVELS: Final = 24
_ENOUGH: Final = 30
"""From so many trials on a group sets the end of the colour scale."""

_LONGEST_NAME: Final = 22
_TEXT_FROM: Final = 42
"""A square of so many pixels has room for "100.0%"."""

_WIDTH: Final = 1000
_HEIGHT: Final = 640
_LARGEST: Final = 58
_SMALLEST: Final = 24
_FADED: Final = 0.3

_PALEST: Final = {
    False: {"error": "#FFF4EC", "correct": "#EBF4FA"},
    True: {"error": "#331800", "correct": "#0A2433"},
}
"""Where a colour scale begins, by role and whether the page is dark."""


def draw_groups(result: SlicesResult, *, dark: bool) -> tuple[go.Figure, int]:
    """Draw the groups of one column as rates with intervals, in the order of the result.

    Returns
    -------
    tuple of Figure and int
        The figure, whose points carry the slice's text, and how many groups are shown: the first 20 that have a
        rate.
    """
    role = _role(result.metric)
    lines = [
        Interval(
            f"{name[0]} ({describe_count(row.profile.support)})",
            row.profile.rate,
            row.profile.low,
            row.profile.high,
            row.where.to_text(),
            role,
        )
        for row, name in zip(result.slices, name_groups(result), strict=True)
        if row.profile.rate is not None
    ][:_MOST_LINES]
    figure = charts.draw_intervals(
        lines,
        axis=escape_html(f"{describe_metric(result.metric, result.positive)}, 95% interval"),
        overall=result.overall.rate,
        overall_name=f"overall {describe_value(result.metric, result.overall.rate)}",
        dark=dark,
        percent=result.metric not in LOSSES,
    )
    figure.update_yaxes(title={"text": f"{escape_html(name_columns(result.by)[0])} (items)", "standoff": 14})
    figure.update_layout(margin_l=figure.layout.margin.l + 24)
    return figure, len(lines)


def draw_against_rest(detail: SliceDetail, positive: str | None, *, dark: bool) -> go.Figure:
    """Draw a slice's rate against the rest of its split."""
    profile = detail.row.profile
    lines = [
        Interval("This slice", profile.rate, profile.low, profile.high, "slice", _role(detail.metric)),
        Interval("The rest", profile.rest_rate, detail.rest_low, detail.rest_high, "rest", "neutral"),
    ]
    return charts.draw_intervals(
        lines,
        axis=escape_html(f"{describe_metric(detail.metric, positive)}, 95% interval"),
        overall=detail.overall_rate,
        overall_name=f"all of {escape_html(detail.split)} {describe_value(detail.metric, detail.overall_rate)}",
        dark=dark,
        percent=detail.metric not in LOSSES,
    )


def _role(metric: str) -> str:
    return "correct" if is_better_higher(metric) else "error"


@dataclass(frozen=True)
class Heatmap:
    """A heatmap and what has to be said beside it.

    Attributes
    ----------
    figure
        Squares that carry the slice's text; combinations that hold no item are left empty.
    ceiling
        The rate at which the colour ends: the highest among groups of 30 trials or more.
    shown, groups
        How many groups are drawn, of how many. Of each column the 24 levels with most rows are drawn.
    faded
        How many of them are faded, because they have fewer than 30 trials.
    """

    figure: go.Figure
    ceiling: float
    shown: int
    groups: int
    faded: int


@dataclass(frozen=True)
class _Level:
    name: str
    order: tuple[int, float, str]
    rows: int


def draw_heatmap(result: SlicesResult, *, dark: bool) -> Heatmap:
    """Draw the groups of two columns as squares coloured by the metric (heatmaps return no clicks).

    The column with more levels lies across the page, where there is room. Each square has a rate as text where it
    fits, and its counts and interval under the pointer.
    """
    named = list(zip(result.slices, name_groups(result), strict=True))
    levels = [_rank_levels(named, place, column) for place, column in enumerate(result.by)]
    across = 1 if len(levels[1]) >= len(levels[0]) else 0
    down = 1 - across
    x_levels, y_levels = levels[across], levels[down]
    x_place = {level.name: place for place, level in enumerate(x_levels)}
    y_place = {level.name: place for place, level in enumerate(y_levels)}
    drawn = [(row, name) for row, name in named if name[across] in x_place and name[down] in y_place]
    steady = any(row.profile.trials >= _ENOUGH for row, _name in drawn)
    squares = [
        _Square(x_place[name[across]], y_place[name[down]], row, name, steady and row.profile.trials < _ENOUGH)
        for row, name in drawn
    ]
    room = _WIDTH - 160 - 7 * max(len(_shorten(level.name)) for level in y_levels)
    cell = max(_SMALLEST, min(_LARGEST, room // len(x_levels), _HEIGHT // len(y_levels)))
    ceiling = find_ceiling([row for row, _name in drawn])
    size = (len(x_levels), len(y_levels))
    figure = go.Figure(
        [
            *_draw_colours(result, squares, size, ceiling, dark=dark),
            _draw_text(result, squares, cell, ceiling, dark=dark),
        ]
    )
    titles = name_columns(result.by)
    _lay_out(figure, x_levels, y_levels, titles[across], titles[down], cell)
    set_inks(figure, dark=dark)
    return Heatmap(figure, ceiling, len(drawn), len(named), sum(square.is_faded for square in squares))


def _rank_levels(named: Sequence[tuple[SliceRow, Named]], place: int, column: str) -> list[_Level]:
    """Return the levels of one column in natural order; of too many, those with most rows."""
    found: dict[str, _Level] = {}
    for row, name in named:
        test = next(test for test in reversed(row.where.predicates) if test.column == column)
        before = found.get(name[place])
        rows = row.profile.support + (before.rows if before else 0)
        found[name[place]] = _Level(name[place], _order(test.op, test.value), rows)
    kept = sorted(found.values(), key=lambda level: (-level.rows, level.order))[:_MOST_LEVELS]
    return sorted(kept, key=lambda level: level.order)


def _order(op: str, value: object) -> tuple[int, float, str]:
    """Order the levels of a column: the open bin below, bins and values ascending, the open bin above, missing."""
    if value is None:
        return 3, 0.0, ""
    start = getattr(value, "low", value)
    number = float(start) if isinstance(start, int | float) else 0.0
    return {"<": 0, ">=": 2}.get(op, 1), number, "" if isinstance(start, int | float) else str(start)


def find_ceiling(rows: Sequence[SliceRow]) -> float:
    """Return where a scale of rates ends, so that a group of three items does not bleach all others.

    Parameters
    ----------
    rows
        Groups.

    Returns
    -------
    float
        The highest rate among groups of 30 trials or more; of all where there is none; 1 where all rates are 0.
    """
    rates = [(row.profile.rate, row.profile.trials) for row in rows if row.profile.rate is not None]
    steady = [rate for rate, trials in rates if trials >= _ENOUGH] or [rate for rate, _trials in rates]
    return max(steady, default=0.0) or 1.0


@dataclass(frozen=True)
class _Square:
    """One group on a heatmap: its place, its name, and whether it has too few trials for a full colour."""

    x: int
    y: int
    row: SliceRow
    name: Named
    is_faded: bool


def _draw_text(
    result: SlicesResult, squares: Sequence[_Square], cell: int, ceiling: float, *, dark: bool
) -> go.Scatter:
    """Draw what is read and clicked; the colours lie below, in cells that stay side by side on a narrow page."""
    role = _role(result.metric)
    inks, texts = [], []
    for square in squares:
        rate = square.row.profile.rate
        plain = rate is None or square.is_faded
        fill = blend(COLOURS[dark][role], _PALEST[dark][role], min(1.0, (rate or 0.0) / ceiling))
        inks.append(COLOURS[dark]["text"] if plain else _choose_ink(fill, dark=dark))
        short = describe_rate(rate) if result.metric not in LOSSES or rate is None else f"{rate:.2f}"
        texts.append(short if cell >= _TEXT_FROM else "")
    return go.Scatter(
        x=[square.x for square in squares],
        y=[square.y for square in squares],
        mode="markers+text",
        text=texts,
        textfont={"size": 11 if cell < 52 else 12, "color": inks},  # noqa: PLR2004  (pixels)
        marker={"symbol": "square", "size": cell - 3, "color": COLOURS[dark]["empty"], "opacity": 0},
        customdata=[[square.row.where.to_text()] for square in squares],
        hovertext=[_describe_square(result, square.row, square.name) for square in squares],
        hovertemplate="%{hovertext}<extra></extra>",
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
    )


def _draw_colours(
    result: SlicesResult, squares: Sequence[_Square], size: tuple[int, int], ceiling: float, *, dark: bool
) -> list[go.Heatmap]:
    """Draw the colours: groups with enough trials, those without, and those that have no rate at all."""
    role, colours = _role(result.metric), COLOURS[dark]
    scale = [[0.0, _PALEST[dark][role]], [1.0, colours[role]]]
    blank = [[0.0, colours["empty"]], [1.0, colours["empty"]]]
    rated = [square for square in squares if square.row.profile.rate is not None]
    layers = [
        ([square for square in rated if not square.is_faded], scale, 1.0),
        ([square for square in rated if square.is_faded], scale, _FADED),
        ([square for square in squares if square.row.profile.rate is None], blank, 1.0),
    ]
    drawn = []
    for place, (members, colorscale, opacity) in enumerate(layers):
        z: list[list[float | None]] = [[None] * size[0] for _row in range(size[1])]
        for square in members:
            z[square.y][square.x] = min(square.row.profile.rate or 0.0, ceiling)
        drawn.append(
            go.Heatmap(
                x=list(range(size[0])),
                y=list(range(size[1])),
                z=z,
                zmin=0.0,
                zmax=ceiling,
                colorscale=colorscale,
                opacity=opacity,
                xgap=2,
                ygap=2,
                hoverinfo="skip",
                showscale=place == 0,
                colorbar=_describe_scale(result, dark=dark) if place == 0 else None,
            )
        )
    return drawn


def _describe_scale(result: SlicesResult, *, dark: bool) -> dict[str, object]:
    ink = {"color": COLOURS[dark]["text"]}
    name = escape_html(describe_metric(result.metric, result.positive))
    return {
        "thickness": 10,
        "len": 1.0,
        "tickformat": ".2f" if result.metric in LOSSES else ".0%",
        "nticks": 4,
        "outlinewidth": 0,
        "xpad": 14,
        "tickfont": ink,
        "title": {"text": name, "side": "right", "font": ink},
    }


def _describe_square(result: SlicesResult, row: SliceRow, name: Named) -> str:
    profile = row.profile
    counts = f"{describe_count(profile.errors)} of {describe_count(profile.trials)}"
    if result.metric in LOSSES or profile.rate is None:
        counts = f"{describe_count(profile.support)} items"
    value = describe_value(result.metric, profile.rate)
    interval = describe_interval(result.metric, profile.low, profile.high)
    return f"{escape_html(' · '.join(name))}<br>{value} ({interval})<br>{counts}"


def _choose_ink(fill: str, *, dark: bool) -> str:
    """Return the ink with the higher contrast on a fill (WCAG 2.2, relative luminance)."""
    inks = (COLOURS[dark]["text"], COLOURS[dark]["on_colour"])
    ground = _luminance(fill)
    return max(inks, key=lambda ink: abs(math.log((_luminance(ink) + 0.05) / (ground + 0.05))))


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]  # noqa: PLR2004
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _lay_out(
    figure: go.Figure, x_levels: Sequence[_Level], y_levels: Sequence[_Level], x_title: str, y_title: str, cell: int
) -> None:
    names = [[_shorten(level.name) for level in levels] for levels in (x_levels, y_levels)]
    longest = [max((len(name) for name in shown), default=1) for shown in names]
    # Slanted where a name is longer than its square.
    slanted = longest[0] * 7 > cell
    top = 68 + (5 * longest[0] if slanted else 0)
    left = 52 + 7 * longest[1]
    right = 96 + (5 * longest[0] if slanted else 0)
    shared = {"showgrid": False, "zeroline": False, "ticks": "", "tickfont": {"size": 12}}
    figure.update_xaxes(
        **shared,
        title={"text": escape_html(x_title), "standoff": 16},
        side="top",
        tickvals=list(range(len(x_levels))),
        ticktext=[escape_html(name) for name in names[0]],
        tickangle=-45 if slanted else 0,
        range=[-0.5, len(x_levels) - 0.5],
    )
    figure.update_yaxes(
        **shared,
        title={"text": escape_html(y_title), "standoff": 16},
        tickvals=list(range(len(y_levels))),
        ticktext=[escape_html(name) for name in names[1]],
        range=[len(y_levels) - 0.5, -0.5],
    )
    figure.update_layout(
        width=len(x_levels) * cell + left + right,
        height=max(len(y_levels) * cell, 90) + top + 14,
        margin={"l": left, "r": right, "t": top, "b": 14},
        dragmode=False,
        showlegend=False,
    )


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
