"""Relabel: what is out, and a new request."""

from datetime import date
from pathlib import Path

import streamlit as st

from analysis.commands.request import FORMATS, RequestOptions, RequestResult, write_request
from analysis.commands.text import describe_count, describe_hours
from analysis.errors import AnalysisError
from dashboard.parts import queries, state, widgets
from dashboard.parts.frame import here
from dashboard.parts.plain import escape_markdown
from dashboard.parts.request_form import describe_source, draw_sources, zip_folder
from dashboard.parts.strings import EMPTY_WORKSPACE, UNKNOWN

at = here()
info = queries.info(at)
today = date.today()  # noqa: DTZ011  (due days are the user's own calendar)

widgets.draw_title("relabel")
if not info.overall.items:
    st.info(EMPTY_WORKSPACE, icon=":material/info:")
    if st.button("Load files", type="primary", icon=":material/upload:"):
        widgets.open_page("data")
    st.stop()

requests = queries.requests(at, today)
overdue = sum(request.status == "overdue" for request in requests)
sentence = f"**{widgets.plural(len(requests), 'request')}** out"
if overdue:
    sentence += f", **{overdue}** overdue"
st.markdown(f"##### {sentence}." if requests else "##### No request is out yet.")

left, right = st.columns([1, 1], gap="large")
with left:
    st.subheader("New request", anchor=False)
    with st.container(border=True):
        source = draw_sources(at, info)
        tool = st.selectbox("Format", list(FORMATS), format_func=lambda name: FORMATS[name].title, key="request tool")
        one, two = st.columns(2)
        kind = one.segmented_control(
            "Budget", ["items", "hours"], default="items", required=True, key="request budget kind"
        )
        if kind == "hours":
            hours = two.number_input("At most hours", min_value=0.1, value=2.0, step=0.5, key="request hours")
            budget = None
        else:
            budget = int(two.number_input("At most items", min_value=1, value=50, step=10, key="request budget"))
            hours = None
        mode = st.segmented_control(
            "What the receiver sees",
            ["blind", "assisted"],
            default="blind",
            required=True,
            format_func={"blind": "The item alone (blind)", "assisted": "Also the suggestion (assisted)"}.get,
            key="request mode",
            help="People who see a suggestion agree with it too often. Blind measures; assisted is quicker.",
        )
        columns, ticked = queries.content_columns(at)
        shown = st.multiselect("Columns that travel", columns, default=ticked, key="request columns")
        with st.expander("People, controls and due day"):
            assign = st.text_input(
                "Who labels, with commas",
                key="request assign",
                help="Nobody gets an item that they have labelled before.",
            )
            votes = st.number_input("Votes an item", min_value=1, value=1, key="request votes")
            controls = st.number_input(
                "Controls", min_value=0, value=0, key="request controls", help="Items with a gold label, mixed in."
            )
            due = st.date_input("Due", value=None, key="request due")
            who = st.text_input("Who asks", key="request who")
        folder = st.text_input("Folder", value=str(at.path.parent / "requests"), key="request folder")
        label = (
            f"Write request for at most {describe_count(budget)} items"
            if budget
            else f"Write request for {hours:g} hours"
        )
        if st.button(
            label, type="primary", icon=":material/outgoing_mail:", disabled=source is None, key="request write"
        ):
            options = RequestOptions(
                sources=(source,) if source and source != "basket" else (),
                basket=state.basket() if source == "basket" else (),
                out=Path(folder).expanduser(),
                tool=str(tool),
                budget=budget,
                hours=hours,
                mode="assisted" if mode == "assisted" else "blind",
                assign=tuple(name.strip() for name in assign.split(",") if name.strip()),
                votes_per_item=int(votes),
                controls=int(controls),
                due=due,
                who=who or None,
                model=at.model,
                columns=tuple(shown),
            )
            try:
                written = write_request(at.workspace, options)
            except AnalysisError as error:
                st.error(escape_markdown(error.message), icon=":material/error:")
            else:
                if source == "basket":
                    state.clear_basket()
                state.remember("request written", written)
                st.rerun()

with right:
    done: RequestResult | None = state.recall("request written")
    if done is not None:
        st.subheader(f"Written: {done.request_id}", anchor=False)
        with st.container(border=True):
            hours_text = "" if done.hours is None else f", about {describe_hours(done.hours)} of work"
            controls_text = f" and {widgets.plural(done.controls, 'control')}" if done.controls else ""
            st.markdown(f"**{widgets.plural(done.items, 'item')}**{controls_text}, {done.mode}{hours_text}.")
            st.download_button(
                "Download for the receiver",
                data=lambda: zip_folder(Path(done.folder) / "send"),
                file_name=f"{done.request_id}.zip",
                mime="application/zip",
                icon=":material/download:",
                type="primary",
            )
            st.caption(f"Send what is in {done.folder}/send. The folder beside it, private, stays with you.")
            images = sum(name.startswith("send/images/") for name in done.files)
            files = [name for name in done.files if not name.startswith("send/images/")]
            files += [f"send/images/ with {widgets.plural(images, 'image')}"] if images else []
            st.dataframe({"Files to send": files}, hide_index=True, alt="Files to send")
            st.dataframe(
                {"Given label": list(done.by_class), "Items": list(done.by_class.values())},
                hide_index=True,
                alt="Items by given label",
            )
            for out in done.left_out:
                st.caption(f":material/info: {describe_count(out.items)} left out: {escape_markdown(out.reason)}.")
            widgets.draw_notes(done.notes)
    st.subheader("Requests", anchor=False)
    if requests:
        st.dataframe(
            {
                "Request": [request.request_id for request in requests],
                "Status": [request.status for request in requests],
                "Items": [request.items for request in requests],
                "Controls": [request.controls for request in requests],
                "Work": [UNKNOWN if request.hours is None else describe_hours(request.hours) for request in requests],
                "From": [describe_source(request.sources) for request in requests],
                "Format": [request.tool for request in requests],
                "Due": [UNKNOWN if request.due is None else request.due.isoformat() for request in requests],
                "Folder": [request.folder for request in requests],
            },
            hide_index=True,
            column_config={
                "Request": st.column_config.TextColumn(pinned=True),
                "Items": st.column_config.NumberColumn(format="localized"),
            },
            alt="Requests that were written",
            key="request list",
        )
    else:
        st.markdown(
            "A request is a folder with two parts:\n"
            "- **send** is for the receiver: the tasks, a guide to the labels, and START_HERE, which says what to do "
            "and what to return.\n"
            "- **private** stays with you: the manifest names given labels, suggestions, reasons and controls."
        )
        st.caption("Requests that you write are listed here, with what is due.")
