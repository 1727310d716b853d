"""Who is who: names that are one person, with team and time zone; merges are proposed, chosen and taken back here."""

from datetime import datetime

import streamlit as st

from analysis.commands.people import PeopleOptions, PeopleResult, review_people
from analysis.errors import AnalysisError
from dashboard.parts import queries, widgets
from dashboard.parts.plain import escape_markdown
from dashboard.parts.state import Here
from dashboard.parts.strings import NO_VOTES, UNKNOWN

__all__ = ["draw_people"]


def draw_people(at: Here) -> None:
    """Draw the people, the merges that are proposed, and those that were made."""
    found = queries.people(at)
    if not found.people:
        st.info(NO_VOTES, icon=":material/info:")
        return
    _draw_table(found)
    left, right = st.columns(2, gap="large")
    with left:
        _draw_proposals(at, found)
    with right:
        _draw_merges(at, found)
    widgets.draw_notes(found.notes)


def _draw_table(found: PeopleResult) -> None:
    st.dataframe(
        {
            "Person": [person.person for person in found.people],
            "Names": [list(person.names) for person in found.people],
            "Team": [person.team or UNKNOWN for person in found.people],
            "Time zone": [person.time_zone or UNKNOWN for person in found.people],
            "Expert": [person.expert for person in found.people],
            "Votes": [person.votes for person in found.people],
            "Reviews": [person.reviews for person in found.people],
            "First vote": [_to_day(person.first_vote) for person in found.people],
            "Last vote": [_to_day(person.last_vote) for person in found.people],
        },
        hide_index=True,
        column_config={
            "Names": st.column_config.ListColumn(help="As they stand in the files"),
            "Votes": st.column_config.NumberColumn(format="localized"),
            "Reviews": st.column_config.NumberColumn(format="localized"),
        },
        alt="People, their names, teams and votes",
    )


def _draw_proposals(at: Here, found: PeopleResult) -> None:
    st.subheader("Perhaps the same person", anchor=False, help="Nothing is merged before you say so.")
    if not found.proposals:
        st.caption("No two names look like one person.")
    for proposal in found.proposals:
        with st.container(border=True):
            st.markdown(f"**{escape_markdown(proposal.a)}** and **{escape_markdown(proposal.b)}**")
            shared = ""
            if proposal.shared_items:
                shared = f" Both voted on {widgets.plural(proposal.shared_items, 'item')}, which speaks against it."
            st.caption(f"{escape_markdown(proposal.reason)}.{shared}")
            if st.button("They are one person", icon=":material/merge:", key=f"merge {proposal.a} {proposal.b}"):
                _change(at, PeopleOptions(merges=((proposal.a, proposal.b),)))
    names = sorted({name for person in found.people for name in person.names})
    with st.expander("Merge two others"), st.form("merge people", border=False):
        one = st.selectbox("Name", names, index=None, placeholder="Choose a name")
        other = st.selectbox("is", names, index=None, placeholder="Choose the person")
        if st.form_submit_button("Merge", icon=":material/merge:") and one and other:
            _change(at, PeopleOptions(merges=((one, other),)))


def _draw_merges(at: Here, found: PeopleResult) -> None:
    st.subheader("Merged", anchor=False)
    if not found.merges:
        st.caption("Nothing was merged.")
    for merge in found.merges:
        with st.container(horizontal=True, vertical_alignment="center"):
            undone = "" if merge.undone is None else " (undone)"
            who = "" if merge.who is None else f" by {escape_markdown(merge.who)}"
            names = f"{escape_markdown(merge.name)} is **{escape_markdown(merge.person)}**"
            st.markdown(f"{names}, {merge.at:%Y-%m-%d}{who}{undone}")
            if merge.undone is None and st.button("Undo", icon=":material/undo:", key=f"undo merge {merge.merge}"):
                _change(at, PeopleOptions(undo=merge.merge))


def _change(at: Here, options: PeopleOptions) -> None:
    try:
        review_people(at.workspace, options)
    except AnalysisError as error:
        st.error(escape_markdown(error.message), icon=":material/error:")
        return
    st.rerun()


def _to_day(moment: datetime | None) -> str:
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d}"
