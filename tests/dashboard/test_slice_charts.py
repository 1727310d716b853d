"""Heatmaps and names of groups: what is drawn is what was counted."""

import numpy as np
import pandas as pd
import pytest

from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.workspaces import workspace_at
from dashboard.parts import charts, slice_charts, slice_words


@pytest.fixture
def wide_workspace(table_workspace):
    """Items in 250 groups of four, the first group wrong throughout, and one model."""
    groups = np.repeat([f"g{k:03d}" for k in range(250)], 4)
    items = pd.DataFrame({"item_id": [f"i{k:04d}" for k in range(1000)], "label": "a", "place": groups})
    items["predicted"] = np.where(items["place"] == "g000", "b", "a")
    return table_workspace({"eval": items})


def test_a_heatmap_orders_bins_from_low_to_high(digits_workspace):
    options = SlicesOptions(split="eval", by=("stroke_width", "holes"))
    result = profile_slices(workspace_at(digits_workspace), options)
    figure = slice_charts.draw_heatmap(result, dark=False).figure
    across, down = list(figure.layout.xaxis.ticktext), list(figure.layout.yaxis.ticktext)
    assert across[0].startswith("below ")
    assert across[-1].endswith(" or more")
    starts = [float(name.split()[1]) for name in across[1:-1]]
    assert starts == sorted(starts)
    assert down == sorted(down, key=float)


def test_a_heatmap_of_many_levels_draws_the_largest_and_says_how_many(wide_workspace):
    options = SlicesOptions(split="eval", by=("place", "@given_label"))
    heatmap = slice_charts.draw_heatmap(profile_slices(workspace_at(wide_workspace), options), dark=True)
    assert (heatmap.shown, heatmap.groups) == (24, 250)


def test_every_rate_on_a_heatmap_can_be_read(digits_workspace):
    result = profile_slices(workspace_at(digits_workspace), SlicesOptions(split="eval", by=("pen", "@given_label")))
    for dark in (False, True):
        *layers, text = slice_charts.draw_heatmap(result, dark=dark).figure.data
        steady = layers[0]
        (_start, pale), (_end, full) = steady.colorscale
        seen = 0
        for x, y, ink in zip(text.x, text.y, text.textfont.color, strict=True):
            if steady.z[y][x] is not None:
                fill = charts.blend(full, pale, steady.z[y][x] / steady.zmax)
                light, dim = sorted((slice_charts._luminance(ink), slice_charts._luminance(fill)), reverse=True)
                assert (light + 0.05) / (dim + 0.05) >= 4
                seen += 1
        assert seen


def test_each_square_of_a_heatmap_has_one_colour(digits_workspace):
    options = SlicesOptions(split="eval", by=("holes", "@given_label"), metric="recall", positive="8")
    result = profile_slices(workspace_at(digits_workspace), options)
    *layers, text = slice_charts.draw_heatmap(result, dark=False).figure.data
    rates = {row.where.to_text(): row.profile.rate for row in result.slices}
    coloured = 0
    for x, y, (key,) in zip(text.x, text.y, text.customdata, strict=True):
        found = [layer.z[y][x] for layer in layers if layer.z[y][x] is not None]
        assert found == [min(rates[key] or 0.0, layers[0].zmax)]
        assert (layers[2].z[y][x] is None) == (rates[key] is not None)
        coloured += 1
    assert coloured == sum(cell is not None for layer in layers for row in layer.z for cell in row)


def test_groups_are_named_by_what_differs(digits_workspace):
    options = SlicesOptions(split="eval", by=("pen",), where='pen in {"bold", "thin"} & holes = 1')
    result = profile_slices(workspace_at(digits_workspace), options)
    assert sorted(slice_words.name_groups(result)) == [("bold",), ("thin",)]
