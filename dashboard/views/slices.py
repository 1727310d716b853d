"""Slices: where the model fails, by one or two columns."""

import streamlit as st

from analysis.commands.saved import forget_slice
from analysis.commands.slice_texts import read_slice
from analysis.commands.slices import SlicesOptions
from analysis.commands.text import describe_count
from dashboard.parts import filter_builder, queries, slice_charts, slice_words, state, widgets
from dashboard.parts.empty import draw_empty
from dashboard.parts.frame import here
from dashboard.parts.plain import escape_markdown, to_code
from dashboard.parts.strings import EMPTY_WORKSPACE, NO_PREDICTIONS, UNKNOWN

MOST_ROWS = 200

at = here()
info = queries.info(at)

widgets.draw_title("slices")
if info.overall.items == 0:
    draw_empty(EMPTY_WORKSPACE)
    st.stop()
if at.model is None:
    draw_empty(NO_PREDICTIONS)
    st.stop()

# The sentence stands first and needs the answer, so its place is kept.
headline = st.container()
columns = queries.filter_columns(at)
features = [column.column for column in info.columns if column.role == "feature" and column.column in columns]
with st.container(horizontal=True, vertical_alignment="bottom"):
    first = (
        filter_builder.choose(
            "By",
            columns,
            key="by",
            default=features[0] if features else columns[0],
            words=filter_builder.name_column,
            width=230,
        )
        or columns[0]
    )
    second = filter_builder.choose(
        "and by",
        [column for column in columns if column != first],
        key="and by",
        words=filter_builder.name_column,
        width=230,
    )
    filter_builder.draw_add_filter(at, filter_builder.choose_split(info, state.recall("slices split")))
    method = filter_builder.draw_method(
        at, info, split=filter_builder.choose_split(info), key="slices split", support=True
    )
    options = SlicesOptions(
        split=method.split,
        model=at.model,
        metric=method.metric,
        positive=method.positive,
        where=at.where,
        by=(first,) if second is None else (first, second),
        min_support=float(method.min_support),
    )
    filter_builder.draw_copy(at, options, models=len(info.models))

body = st.container()
with body.skeleton(height=420):
    found = queries.slices(at, options)
overall = found.overall
metric_name = slice_words.describe_metric(found.metric, found.positive)
is_loss = found.metric == "log_loss"

# One sentence: the rate of everything that is grouped.
inside = "" if at.where == "all" else f" where {escape_markdown(read_slice(at.where)[1])}"
split = escape_markdown(found.split)
if overall.support == 0:
    sentence = f"No item of {split}{inside}"
elif overall.rate is None:
    sentence = f"{widgets.plural(overall.support, 'item')} of {split}{inside}, and no rate to show"
else:
    rate = slice_words.describe_value(found.metric, overall.rate)
    interval = slice_words.describe_interval(found.metric, overall.low, overall.high)
    counts = f"{describe_count(overall.errors)} of {describe_count(overall.trials)}"
    if found.metric == "error_rate":
        sentence = f"The model is wrong on **{rate}** of {split}{inside} (95% CI {interval}, {counts})"
    else:
        counts = f"{describe_count(overall.trials)} items" if is_loss else counts
        sentence = f"{escape_markdown(metric_name)} on {split}{inside} is **{rate}** (95% CI {interval}, {counts})"
headline.markdown(f"##### {sentence}.")
with headline:
    widgets.draw_decision(found.decision)

if overall.support == 0:
    filter_builder.draw_empty_filter()

names = slice_words.name_groups(found)
turn = state.recall("slices clicks", 0)
opened: str | None = None

if overall.rate is not None and found.slices:
    figure_slot = body.container()
    if second is None:
        figure, shown = slice_charts.draw_groups(found, dark=widgets.is_dark())
        order = "Fewest excess hits" if slice_words.is_better_higher(found.metric) else "Most excess errors"
        said = f"{order} first. Click a dot to open the slice."
        if shown < len(found.slices):
            said = f"The first {shown} of {describe_count(len(found.slices))} groups. {said}"
        picture = f"{metric_name} by {first}, with 95% intervals"
    else:
        heatmap = slice_charts.draw_heatmap(found, dark=widgets.is_dark())
        figure, shown = heatmap.figure, heatmap.shown
        top = slice_words.describe_value(found.metric, heatmap.ceiling)
        said = f"The colour ends at {top}. {'Faded: under 30 trials. ' if heatmap.faded else ''}"
        said += "Empty: no item. Click a square to open the slice."
        if shown < len(found.slices):
            said = f"{describe_count(shown)} of {describe_count(len(found.slices))} groups: the largest. {said}"
        picture = f"{metric_name} by {first} and {second}"
    # Squares keep their size: on a narrow page the heatmap scrolls.
    row = figure_slot if second is None else figure_slot.grid(1, min_column_width=int(figure.layout.width), wrap=False)
    event = row.plotly_chart(
        figure,
        width="stretch" if second is None else "content",
        on_select="rerun",
        selection_mode="points",
        key=f"slices figure {turn}",
        config=widgets.PLOT_CONFIG,
        alt=picture,
    )
    figure_slot.caption(said)
    clicked = widgets.selected_keys(event)
    opened = str(clicked[0][0]) if clicked else None

if found.slices:
    listed = found.slices[:MOST_ROWS]
    st.subheader("Groups", anchor=False, help="Tick a row to open the slice.")
    if len(listed) < len(found.slices):
        st.caption(
            f"The first {MOST_ROWS} of {describe_count(len(found.slices))} groups, by excess errors. "
            "Leave out small groups under Method to see fewer."
        )
    scale = 1 if is_loss else 100
    form = "%.4f" if is_loss else "%.1f%%"
    profiles = [row.profile for row in listed]
    # Bars of tiny groups end at the edge instead of making all others short.
    top_rate = slice_charts.find_ceiling(listed)
    ticked = st.dataframe(
        {
            "Slice": [" · ".join(name) for name in names[:MOST_ROWS]],
            "Support": [profile.support for profile in profiles],
            "Trials": [profile.trials for profile in profiles],
            "Errors": [profile.errors for profile in profiles],
            "Rate": [None if profile.rate is None else profile.rate * scale for profile in profiles],
            "95% CI": [slice_words.describe_interval(found.metric, p.low, p.high) for p in profiles],
            "Difference": [None if profile.difference is None else profile.difference * scale for profile in profiles],
            "Difference 95% CI": [slice_words.describe_points(p.difference_low, p.difference_high) for p in profiles],
            "Lift": [profile.lift for profile in profiles],
            "Excess": [profile.excess_errors for profile in profiles],
            "As text": [row.where.to_text() for row in listed],
        },
        hide_index=True,
        placeholder=UNKNOWN,
        height="content" if len(listed) <= 15 else 560,  # noqa: PLR2004  (rows that fit below the figure)
        on_select="rerun",
        selection_mode="single-row",
        key=f"slices table {turn}",
        column_config={
            "Slice": st.column_config.TextColumn(
                " · ".join(map(filter_builder.name_column, found.by)),
                pinned=True,
                width=None if second is None else 260,
            ),
            "Support": st.column_config.NumberColumn(format="localized", help="Rows in the slice"),
            "Trials": st.column_config.NumberColumn(format="localized", help="Rows that count for the metric"),
            "Errors": st.column_config.NumberColumn(
                "Hits" if slice_words.is_better_higher(found.metric) else "Loss" if is_loss else "Errors",
                format="localized" if not is_loss else "%.1f",
                help="What the metric counts among the trials",
            ),
            "Rate": st.column_config.ProgressColumn(
                metric_name,
                format=form,
                min_value=0,
                max_value=top_rate * scale,
                color=slice_words.name_colour(found.metric),
            ),
            "95% CI": st.column_config.TextColumn(help="Wilson's interval; normal for a loss"),
            "Difference": st.column_config.NumberColumn(
                format="%+.4f" if is_loss else "%+.1f", help="To the rest, in points; a loss in its own unit"
            ),
            "Difference 95% CI": st.column_config.TextColumn(help="Newcombe's interval of the difference, in points"),
            "Lift": st.column_config.NumberColumn(format="%.2f", help="The rate over the overall rate"),
            "Excess": st.column_config.NumberColumn(
                format="%+.1f", help="Errors beyond those that the overall rate lets expect"
            ),
            "As text": st.column_config.TextColumn(help="The slice as the command line and the filter take it"),
        },
        alt=f"Groups by {' and '.join(found.by)}, most excess errors first",
    )
    if ticked.selection.rows:
        opened = found.slices[ticked.selection.rows[0]].where.to_text()
if overall.support:
    widgets.draw_notes(found.notes)

saved = queries.saved_slices(at)
if saved:
    st.subheader("Saved slices", anchor=False)
    for kept in saved:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(escape_markdown(kept.name), icon=":material/bookmark:", key=f"open {kept.slice}"):
                opened = kept.slice
            st.markdown(to_code(kept.slice), width="content")
            if st.button("Remove", icon=":material/delete:", type="tertiary", key=f"remove {kept.slice}"):
                forget_slice(at.workspace, kept.slice)
                st.rerun()

if opened is not None and opened != "all":
    # A new key forgets the selection, so that coming back does not open the slice again.
    state.remember("slices clicks", turn + 1)
    widgets.open_slice(opened, found.split)
