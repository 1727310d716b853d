"""Home answers: what needs me today."""

from datetime import date

import streamlit as st

from analysis.commands.overview import Rate, slice_of_cell
from analysis.commands.slice_texts import join_slices
from analysis.commands.text import describe_count, describe_rate
from dashboard.parts import charts, queries, state, widgets
from dashboard.parts.filter_builder import draw_empty_filter
from dashboard.parts.frame import here
from dashboard.parts.plain import escape_markdown
from dashboard.parts.strings import EMPTY_WORKSPACE, NO_PREDICTIONS, UNKNOWN

at = here()
found = queries.overview(at)

widgets.draw_title("home")

if found.items == 0:
    st.info(EMPTY_WORKSPACE, icon=":material/info:")
    if st.button("Load files", type="primary", icon=":material/upload:"):
        widgets.open_page("data")
    st.stop()

if at.where != "all" and at.model is not None and found.error is None:
    draw_empty_filter()
    st.stop()


def say_interval(rate: Rate) -> str:
    """Say a rate's interval and counts."""
    if rate.low is None or rate.high is None:
        return "none to count"
    return (
        f"95% CI {rate.low * 100:.1f} to {rate.high * 100:.1f}%, "
        f"{describe_count(rate.hits)} of {describe_count(rate.trials)}"
    )


# One sentence: how often the model is wrong, and how many labels deserve a second look.
if found.error is not None:
    error = found.error
    who = "The model" if at.where == "all" else "Inside the filter the model"
    split = escape_markdown(str(found.split))
    rare = next((row for row in found.by_class if found.decision and row.name == found.decision.positive_class), None)
    if found.leads == "recall" and rare is not None:
        # Where positives are rare the error rate is low whatever the model does.
        sentence = (
            f"{who} finds **{describe_rate(rare.recall.rate)}** of {escape_markdown(rare.name)} in {split} "
            f"({say_interval(rare.recall)}), and **{describe_rate(rare.precision.rate)}** of what it takes for it is "
            f"({say_interval(rare.precision)}); {describe_rate(error.rate)} of all is wrong"
        )
    else:
        sentence = f"{who} is wrong on **{describe_rate(error.rate)}** of {split} ({say_interval(error)})"
else:
    sentence = f"**{widgets.plural(found.items, 'item')}** loaded"
if found.suspects is not None:
    where = escape_markdown(str(found.suspects_split))
    sentence += f"; **{widgets.plural(found.suspects, 'label')}** of {where} deserve a second look"
st.markdown(f"##### {sentence}.")
widgets.draw_decision(found.decision)
if found.model is None:
    st.info(NO_PREDICTIONS, icon=":material/info:")

# At most three next steps, a button each.
steps = st.container(horizontal=True)
fails = found.error is not None and found.error.hits > 0
if fails and steps.button("See where it fails", type="primary", icon=":material/stacked_bar_chart:"):
    widgets.open_page("slices")
if found.suspects and steps.button(
    f"Look at {widgets.plural(found.suspects, 'suspected label')}",
    type="secondary" if fails else "primary",
    icon=":material/label:",
):
    widgets.open_page("labels")
if found.annotators and steps.button(
    f"Review {widgets.plural(found.annotators, 'annotator')}", icon=":material/groups:"
):
    widgets.open_page("annotators")
if found.model is None and steps.button("Load predictions", type="primary", icon=":material/upload:"):
    widgets.open_page("data")

requests = queries.requests(at, date.today())  # noqa: DTZ011  (due days are the user's own calendar)
if requests:
    overdue = sum(request.status == "overdue" for request in requests)
    late = f", {overdue:,} overdue" if overdue else ""
    st.markdown(f":material/outgoing_mail: {widgets.plural(len(requests), 'request')} out{late}.")

left, right = st.columns([9, 11], gap="medium")
if found.cells:
    with left:
        st.subheader("Confusion matrix", anchor=False, help="Click a cell to open its items.")
        cells = {(cell.label, cell.predicted): cell.count for cell in found.cells}
        figure, shown = charts.draw_matrix(
            found.classes, cells, rows="Label", columns="Predicted", dark=widgets.is_dark()
        )
        event = st.plotly_chart(
            figure,
            width="content",
            on_select="rerun",
            selection_mode="points",
            key=f"confusion {state.recall('confusion clicks', 0)}",
            config=widgets.PLOT_CONFIG,
            alt="Confusion matrix: labels in rows, predictions in columns",
        )
        st.caption("Blue: correct. Orange: errors. Click a cell to open its items.")
        if shown < len(found.classes):
            st.caption(f"The {shown} classes with most errors, of {len(found.classes)}.")
        clicked = widgets.selected_keys(event)
        if clicked:
            # A new key forgets the selection, so that coming back does not open the slice again.
            state.remember("confusion clicks", state.recall("confusion clicks", 0) + 1)
            cell = slice_of_cell(str(clicked[0][0]), str(clicked[0][1]))
            widgets.open_slice(join_slices([at.where, cell]), found.split)
    with right:
        st.subheader("By class", anchor=False)
        st.dataframe(
            {
                "Class": [row.name for row in found.by_class],
                "Labelled": [row.labelled for row in found.by_class],
                "Predicted": [row.predicted for row in found.by_class],
                "Recall": [describe_rate(row.recall.rate, row.recall.low, row.recall.high) for row in found.by_class],
                "Precision": [
                    describe_rate(row.precision.rate, row.precision.low, row.precision.high) for row in found.by_class
                ],
            },
            hide_index=True,
            column_config={
                "Labelled": st.column_config.NumberColumn(format="localized", width="small"),
                "Predicted": st.column_config.NumberColumn(format="localized", width="small"),
                "Recall": st.column_config.TextColumn(help="Share of the class that is predicted as it, 95% CI"),
                "Precision": st.column_config.TextColumn(help="Share of these predictions that are right, 95% CI"),
            },
            alt="Recall and precision by class",
        )

info = queries.info(at)
with right if found.cells else st.container():
    st.subheader("Data", anchor=False)
    st.dataframe(
        {
            "Split": [split.split for split in info.splits],
            "Items": [describe_count(split.items) for split in info.splits],
            "Labelled": [describe_count(split.labelled) for split in info.splits],
            "Predicted": [describe_count(split.predicted) for split in info.splits],
            "Errors": [describe_count(split.errors) for split in info.splits],
            "Accuracy": [UNKNOWN if s.accuracy is None else f"{s.accuracy:.1%}" for s in info.splits],
        },
        hide_index=True,
        alt="Items by split",
    )
    # More than one would push the answer off the screen; Data has them all.
    if len(info.warnings) == 1:
        st.warning(escape_markdown(info.warnings[0].message), icon=":material/warning:")
    elif info.warnings:
        with st.expander(f"{len(info.warnings)} warnings about the data", icon=":material/warning:"):
            for warning in info.warnings:
                st.markdown(f"- {escape_markdown(warning.message)}")
widgets.draw_notes(found.notes)
