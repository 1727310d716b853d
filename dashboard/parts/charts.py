"""Figures, in plotly; pure functions from numbers to a figure.

Colour has a role and no other use (Okabe and Ito's palette, told apart by the colour-blind): error vermilion,
correct blue, suspect orange, confirmed green, neutral grey; lighter twins in dark mode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

__all__ = [
    "COLOURS",
    "Interval",
    "blend",
    "draw_intervals",
    "draw_matrix",
    "draw_probabilities",
    "escape_html",
    "set_inks",
]

COLOURS: Final = {
    False: {
        "error": "#D55E00",
        "correct": "#0072B2",
        "suspect": "#E69F00",
        "confirmed": "#009E73",
        "neutral": "#6B7785",
        "empty": "#EEF1F4",
        "text": "#16202B",
        "on_colour": "#FFFFFF",
        "grid": "#E1E6EB",
    },
    True: {
        "error": "#F28A3C",
        "correct": "#56B4E9",
        "suspect": "#F2BE4D",
        "confirmed": "#35C79B",
        "neutral": "#9AA6B2",
        "empty": "#222B34",
        "text": "#E8EDF2",
        "on_colour": "#10151A",
        "grid": "#323C47",
    },
}
"""Role to colour, by whether the page is dark."""

_MAX_CLASSES: Final = 40
_LONGEST_NAME: Final = 18
_LETTER: Final = 7
_SMALLEST: Final = 7
_MATRIX_LEFT: Final = 44
_MATRIX_WIDTH: Final = 490
_FONT: Final = 13


@dataclass(frozen=True)
class Interval:
    """One line of an interval chart: a name, a rate and its interval, and what a click on it means."""

    name: str
    rate: float | None
    low: float | None
    high: float | None
    key: str
    role: str = "error"


def blend(colour: str, ground: str, share: float) -> str:
    """Mix a colour into a ground; share 1 is the colour."""
    mixed = [round(int(colour[k : k + 2], 16) * share + int(ground[k : k + 2], 16) * (1 - share)) for k in (1, 3, 5)]
    return "#" + "".join(f"{part:02X}" for part in mixed)


def escape_html(text: str) -> str:
    """Return a text that plotly shows as it is; it reads tags in names, ticks and under the pointer.

    Examples
    --------
    >>> escape_html("<=50K")
    '&lt;=50K'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def set_inks(figure: go.Figure, *, dark: bool) -> go.Figure:
    """Write names, numbers and what stands under the pointer in inks that can be read (contrast 4.5 and more)."""
    colours = COLOURS[dark]
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont={"color": colours["text"]}, title={"font": {"color": colours["text"]}})
    return figure.update_layout(hoverlabel={"font": {"color": colours["text"]}})


def draw_matrix(
    classes: Sequence[str],
    cells: Mapping[tuple[str, str], int],
    *,
    rows: str,
    columns: str,
    dark: bool,
    diagonal: str = "correct",
    off: str = "error",
) -> tuple[go.Figure, int]:
    """Draw a clickable matrix of counts, as squares (heatmaps return no clicks).

    Parameters
    ----------
    classes
        Row and column names.
    cells
        (row, column) to count.
    rows, columns
        The names of the axes.
    dark
        Whether the page is dark.
    diagonal, off
        The colour roles.

    Returns
    -------
    tuple of Figure and int
        The figure, whose points carry ``[row, column, count]``, and how many classes are shown: above 40, those
        with most counts off the diagonal.
    """
    classes = _choose_classes(classes, cells)
    points = [(row, column, cells.get((row, column), 0)) for row in classes for column in classes]
    places = list(range(len(classes)))
    cell, number_size = _measure_cell(classes, points)
    strengths = _weigh_cells(points)
    colours = COLOURS[dark]
    figure = go.Figure(
        go.Scatter(
            x=[column for _row in places for column in places],
            y=[row for row in places for _column in places],
            mode="markers+text",
            text=[f"{count:,}" if count and number_size else "" for _row, _column, count in points],
            textfont={
                "size": number_size or 1,
                "color": [colours["on_colour" if strength > 0.6 else "text"] for strength in strengths],  # noqa: PLR2004
            },
            # The squares below are seen; these are clicked.
            marker={"symbol": "square", "size": cell - 2, "color": colours["empty"], "opacity": 0},
            customdata=[list(point) for point in points],
            hovertext=[
                f"{rows} {escape_html(row)}<br>{columns} {escape_html(column)}<br>{count:,} items"
                for row, column, count in points
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
        )
    )
    for role, on_diagonal in ((diagonal, True), (off, False)):
        figure.add_heatmap(
            x=places,
            y=places,
            z=[
                [strengths[row * len(places) + column] if (row == column) == on_diagonal else None for column in places]
                for row in places
            ],
            zmin=0,
            zmax=1,
            colorscale=[[0, colours["empty"]], [1, colours[role]]],
            showscale=False,
            xgap=1.5,
            ygap=1.5,
            hoverinfo="skip",
        )
    _lay_out_matrix(figure, classes, cell, rows=rows, columns=columns)
    return set_inks(figure, dark=dark), len(classes)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _measure_cell(classes: Sequence[str], points: Sequence[tuple[str, str, int]]) -> tuple[int, int]:
    """Return a cell's side and its numbers' size in pixels; size 0 where numbers do not fit.

    Few classes get room for their names and counts; many share what half a page has.
    """
    digits = max((len(f"{count:,}") for _row, _column, count in points), default=1)
    longest = max((len(_cut(name)) for name in classes), default=1)
    room = (_MATRIX_WIDTH - _MATRIX_LEFT - _LETTER * longest) // max(len(classes), 1)
    if 8 * longest > min(room, 96):
        # Slanted names need room on the right.
        room -= 3 * longest // max(len(classes), 1)
    cell = min(max(46, 9 * digits + 8, min(96, 8 * longest + 8)), max(room, 8))
    number_size = min(_FONT, cell // 3 + 1, int((cell - 3) / (0.6 * digits)))
    return cell, number_size if number_size >= _SMALLEST else 0


def _choose_classes(classes: Sequence[str], cells: Mapping[tuple[str, str], int]) -> list[str]:
    """Keep all classes, or of more than 40 those with most counts off the diagonal, in their order."""
    if len(classes) <= _MAX_CLASSES:
        return list(classes)
    weight = dict.fromkeys(classes, 0)
    for (row, column), count in cells.items():
        if row != column:
            weight[row] = weight.get(row, 0) + count
            weight[column] = weight.get(column, 0) + count
    kept = set(sorted(weight, key=lambda name: (-weight[name], name))[:_MAX_CLASSES])
    return [name for name in classes if name in kept]


def _weigh_cells(points: Sequence[tuple[str, str, int]]) -> list[float]:
    """Return how strongly each cell is coloured, 0 to 1, by its share of the row."""
    totals: dict[str, int] = {}
    for row, _column, count in points:
        totals[row] = totals.get(row, 0) + count
    strengths = []
    for row, column, count in points:
        share = count / (totals[row] or 1)
        # Off the diagonal small shares matter, so they are lifted; a count is never invisible.
        strengths.append(0.0 if not count else 0.25 + 0.6 * share if row == column else min(0.9, 0.22 + 2.2 * share))
    return strengths


def _lay_out_matrix(figure: go.Figure, classes: Sequence[str], cell: int, *, rows: str, columns: str) -> None:
    n = len(classes)
    longest = max((len(_cut(name)) for name in classes), default=1)
    fits = 8 * longest <= cell
    left = _MATRIX_LEFT + _LETTER * longest
    top = 52 if fits else 40 + 6 * longest
    right = 12 if fits else max(12, 5 * longest - cell // 2)

    def name_every(pixels: int) -> dict[str, object]:
        # Where cells are smaller than a line of text some classes are not named; the pointer names all.
        named = range(0, n, -(-pixels // cell))
        return {
            "tickvals": list(named),
            "ticktext": [escape_html(_cut(classes[place])) for place in named],
            "tickfont": {"size": 12},
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
        }

    figure.update_xaxes(
        **name_every(1 if fits else 30),
        title=columns,
        side="top",
        range=[-0.5, n - 0.5],
        tickangle=0 if fits else -45,
        ticklabeloverflow="allow",
    )
    figure.update_yaxes(**name_every(14), title=rows, range=[n - 0.5, -0.5])
    figure.update_layout(
        width=n * cell + left + right,
        height=n * cell + top + 12,
        margin={"l": left, "r": right, "t": top, "b": 12},
        dragmode=False,
        showlegend=False,
    )


def draw_intervals(
    lines: Sequence[Interval], *, axis: str, overall: float | None, overall_name: str, dark: bool, percent: bool = True
) -> go.Figure:
    """Draw rates as dots with their intervals, one line each, and the overall rate as a dashed line.

    Points carry their ``key``.
    """
    colours = COLOURS[dark]
    known = [line for line in lines if line.rate is not None]
    figure = go.Figure(_plot_intervals(known, colours, percent=percent))
    if overall is not None:
        figure.add_vline(
            x=overall,
            line={"dash": "dot", "width": 1.2, "color": colours["neutral"]},
            annotation={"text": overall_name, "font": {"size": 11, "color": colours["neutral"]}, "yshift": 4},
            annotation_position="top",
        )
    names = [line.name for line in known]
    longest = max((len(name) for name in names), default=1)
    figure.update_yaxes(
        tickvals=list(range(len(known))),
        ticktext=[escape_html(name if len(name) <= 46 else name[:45] + "…") for name in names],  # noqa: PLR2004
        range=[len(known) - 0.4, -0.6],
        tickfont={"size": 12},
        showgrid=False,
        zeroline=False,
        ticks="",
    )
    figure.update_xaxes(
        title=axis,
        tickformat=".0%" if percent else ".2f",
        rangemode="tozero",
        zeroline=False,
        showgrid=True,
        gridcolor=colours["grid"],
    )
    figure.update_layout(
        height=max(120, 26 * len(known) + 86),
        margin={"l": min(330, 24 + 7 * longest), "r": 16, "t": 26, "b": 44},
        showlegend=False,
        dragmode=False,
    )
    return set_inks(figure, dark=dark)


def _plot_intervals(lines: Sequence[Interval], colours: Mapping[str, str], *, percent: bool) -> go.Scatter:
    rates = [line.rate or 0.0 for line in lines]
    up = [(line.high if line.high is not None else rate) - rate for line, rate in zip(lines, rates, strict=True)]
    down = [rate - (line.low if line.low is not None else rate) for line, rate in zip(lines, rates, strict=True)]
    form = "{:.1%}" if percent else "{:.4f}"
    hover = [
        f"{escape_html(line.name)}<br>{form.format(rate)}"
        + ("" if line.low is None or line.high is None else f" ({form.format(line.low)} to {form.format(line.high)})")
        for line, rate in zip(lines, rates, strict=True)
    ]
    return go.Scatter(
        x=rates,
        y=list(range(len(lines))),
        mode="markers",
        marker={"size": 9, "color": [colours[line.role] for line in lines]},
        error_x={
            "type": "data",
            "array": up,
            "arrayminus": down,
            "thickness": 1.6,
            "width": 0,
            "color": colours["neutral"],
        },
        customdata=[[line.key] for line in lines],
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 1}},
    )


def draw_probabilities(
    pairs: Sequence[tuple[str, float]], *, given: str | None, likely: str | None, dark: bool
) -> go.Figure:
    """Draw the model's probabilities as bars: the given label grey, the likely one orange."""
    colours = COLOURS[dark]
    role = {given: "neutral", likely: "suspect"}
    figure = go.Figure(
        go.Bar(
            x=[p for _name, p in pairs],
            y=list(range(len(pairs))),
            orientation="h",
            marker={"color": [colours[role[name]] if name in role else colours["grid"] for name, _p in pairs]},
            text=[_describe_probability(p) for _name, p in pairs],
            textposition="outside",
            cliponaxis=False,
            hovertext=[escape_html(name) for name, _p in pairs],
            hovertemplate="%{hovertext}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_yaxes(
        tickvals=list(range(len(pairs))),
        ticktext=[escape_html(_cut(name)) for name, _p in pairs],
        autorange="reversed",
        showgrid=False,
        ticks="",
        title="Class",
    )
    figure.update_xaxes(
        range=[0, 1.2], tickvals=[0, 0.5, 1], showgrid=False, zeroline=False, title="Probability", tickformat=".0%"
    )
    longest = max((len(_cut(name)) for name, _p in pairs), default=1)
    figure.update_layout(
        height=max(110, 26 * len(pairs) + 62),
        margin={"l": 44 + 6 * longest, "r": 24, "t": 8, "b": 44},
        showlegend=False,
        dragmode=False,
        bargap=0.3,
    )
    return set_inks(figure, dark=dark)


def _describe_probability(p: float) -> str:
    if 0 < p < 0.005:  # noqa: PLR2004  (what two decimals would show as 0)
        return "<0.01"
    if 0.995 <= p < 1:  # noqa: PLR2004  (what two decimals would show as 1)
        return ">0.99"
    return f"{p:.2f}"
