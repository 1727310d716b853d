"""Data answers: what do I have, and how was it read."""

import streamlit as st

from analysis.commands.load import ROLES, LoadOptions
from analysis.commands.text import describe_count, describe_type
from analysis.errors import AnalysisError
from dashboard.parts import queries, state, widgets
from dashboard.parts.frame import here
from dashboard.parts.load_report import draw_load_report
from dashboard.parts.plain import escape_markdown
from dashboard.parts.uploads import find_in_root, list_names, load_paths, load_uploads

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

left, right = st.columns([2, 3], gap="large")
with left:
    st.subheader("Add files", anchor=False)
    with st.container(border=True):
        uploads = st.file_uploader(
            "CSV, TSV or Parquet: items, predictions, votes, or all in one table",
            type=["csv", "tsv", "txt", "parquet", "pq"],
            accept_multiple_files=True,
            key=f"data files {state.recall('loads', 0)}",
        )
        path = st.text_input(
            "Or a path",
            key="data path",
            placeholder="train.parquet",
            help=f"A file below {state.data_root()}, the folder that the dashboard may read.",
        )
        with st.expander("How to read them"):
            split = st.text_input("Split", key="data split", placeholder="from a column, the file name, or train")
            kind = st.selectbox(
                "Rows are", ["guessed", "items", "predictions", "votes"], key="data kind", help="The guess is reported."
            )
            encoding = st.text_input("Encoding of text files", key="data encoding", placeholder="utf-8")
            rejects = st.number_input(
                "Refuse a file with a larger share of faulty rows", 0.0, 1.0, 0.01, 0.01, key="data rejects"
            )
            model = st.text_input("Model name", key="data model", placeholder="model")
            gold = st.checkbox("The votes are those of experts", key="data gold")
            replace = st.checkbox("Known ids take the new values", key="data replace")
            roles = st.data_editor(
                {"Role": [""], "Column": [""]},
                num_rows="dynamic",
                hide_index=True,
                column_config={"Role": st.column_config.SelectboxColumn(options=list(ROLES))},
                key="data roles",
            )
        with st.container(horizontal=True):
            load = st.button(
                "Load files", type="primary", icon=":material/upload:", disabled=not (uploads or path), key="data load"
            )
            dry = st.button(
                "Only report", icon=":material/fact_check:", disabled=not (uploads or path), key="data dry run"
            )
    if load or dry:
        options = LoadOptions(
            split=split or None,
            kind=None if kind == "guessed" else kind,
            model=model or None,
            encoding=encoding or None,
            max_rejects=rejects,
            gold=gold,
            replace=replace,
            roles=tuple((r, c) for r, c in zip(roles["Role"], roles["Column"], strict=True) if r and c),
            dry_run=dry,
        )
        try:
            with st.spinner("Reading"):
                report = (
                    load_uploads(at.path, uploads, options)
                    if uploads
                    else load_paths(at.path, [find_in_root(path, state.data_root())], options)
                )
        except AnalysisError as error:
            st.error(escape_markdown(error.message), icon=":material/error:")
        else:
            state.remember("load report", report)
            if report.changed and not dry:
                state.remember("loads", state.recall("loads", 0) + 1)
            st.rerun()
    report = state.recall("load report")
    if report is not None:
        with st.container(border=True):
            draw_load_report(report)

with right:
    st.subheader("What is there", anchor=False)
    if info.splits:
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
        known = {None: "not known", True: "yes", False: "no"}
        st.dataframe(
            {
                "Model": [model.model for model in info.models],
                "Items": [describe_count(model.items) for model in info.models],
                "With probabilities": [describe_count(model.probabilities) for model in info.models],
                "Out-of-sample": [known[model.out_of_sample] for model in info.models],
            },
            hide_index=True,
            alt="Models",
        )
    if info.columns:
        st.markdown("**Columns and their roles**")
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
    if info.classes:
        st.markdown("**Classes**")
        st.caption(list_names(info.classes))
    for warning in info.warnings:
        st.warning(escape_markdown(warning.message), icon=":material/warning:")
    widgets.draw_notes(info.notes)
