"""Data answers: what do I have, and how was it read."""

import streamlit as st

from analysis.commands.positive import choose_positive
from analysis.commands.text import describe_count, describe_type
from analysis.errors import AnalysisError
from dashboard.parts import queries, widgets
from dashboard.parts.add_files import draw_add_files
from dashboard.parts.frame import here
from dashboard.parts.people_table import draw_people
from dashboard.parts.plain import escape_markdown
from dashboard.parts.uploads import list_names

KNOWN = {None: "not known", True: "yes", False: "no"}

at = here()
info = queries.info(at)

widgets.draw_title("data")
overall = info.overall
if overall.items:
    st.markdown(
        f"##### {widgets.plural(overall.items, 'item')} in {widgets.plural(len(info.splits), 'split')}, "
        f"{widgets.plural(len(info.classes), 'class', 'classes')}, {widgets.plural(info.votes, 'vote')} by "
        f"{widgets.plural(info.annotators, 'annotator')}."
    )
else:
    st.markdown("##### Nothing is loaded yet.")

with st.container(border=True):
    st.subheader("Add files", anchor=False)
    draw_add_files(at.path, key="data")

for warning in info.warnings:
    st.warning(escape_markdown(warning.message), icon=":material/warning:")
widgets.draw_notes(info.notes)

looked = st.segmented_control(
    "Look at", ["Splits and models", "Columns", "People", "Files"], default="Splits and models", key="data part"
)

if looked == "Splits and models":
    left, right = st.columns(2, gap="large")
    with left:
        if info.splits:
            st.markdown("**Splits**")
            st.dataframe(
                {
                    "Split": [split.split for split in info.splits],
                    "Items": [describe_count(split.items) for split in info.splits],
                    "Labelled": [describe_count(split.labelled) for split in info.splits],
                    "Predicted": [describe_count(split.predicted) for split in info.splits],
                },
                hide_index=True,
                alt="Items by split",
            )
        if info.models:
            st.markdown("**Models**")
            st.dataframe(
                {
                    "Model": [model.model for model in info.models],
                    "Items": [describe_count(model.items) for model in info.models],
                    "With probabilities": [describe_count(model.probabilities) for model in info.models],
                    "Out-of-sample": [KNOWN[model.out_of_sample] for model in info.models],
                },
                hide_index=True,
                alt="Models",
            )
    with right:
        if info.classes:
            st.markdown("**Classes**")
            st.caption(list_names(info.classes))
        if info.decision is not None:
            decision = info.decision
            with st.form("positive"):
                st.markdown("**Positive class and threshold**")
                why = f"{escape_markdown(decision.positive_class)}: {escape_markdown(decision.reason)}."
                st.caption(f"{why} Both are set once, for every rate in this workspace.")
                positive = st.selectbox(
                    "Positive class", info.classes, index=info.classes.index(decision.positive_class)
                )
                threshold = st.number_input(
                    "Predicted from this probability on",
                    min_value=0.0,
                    max_value=1.0,
                    value=decision.threshold,
                    step=0.05,
                    placeholder="where it is the more probable",
                )
                if st.form_submit_button("Set", icon=":material/tune:"):
                    try:
                        choose_positive(at.workspace, positive, threshold=threshold, forget_threshold=threshold is None)
                    except AnalysisError as error:
                        st.error(escape_markdown(error.message), icon=":material/error:")
                    else:
                        st.rerun()
elif looked == "Columns":
    st.dataframe(
        {
            "Column": [column.column for column in info.columns],
            "Role": [column.role for column in info.columns],
            "Type": [describe_type(column.type) for column in info.columns],
            "Why": [column.reason for column in info.columns],
        },
        hide_index=True,
        alt="Columns and their roles",
        column_config={"Column": st.column_config.TextColumn(pinned=True)},
    )
elif looked == "People":
    draw_people(at)
elif looked == "Files":
    files = queries.files(at)
    st.dataframe(
        {
            "File": [file.file for file in files],
            "Rows are": [file.kind for file in files],
            "Rows": [file.rows for file in files],
            "Kept": [file.kept for file in files],
            "Rejected": [file.rejected for file in files],
            "Loaded": [file.at for file in files],
            "SHA-256": [file.sha256[:12] for file in files],
        },
        hide_index=True,
        alt="Files that were loaded",
        column_config={
            "Loaded": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC", help="UTC"),
        },
    )
