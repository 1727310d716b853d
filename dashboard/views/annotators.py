"""Annotators: how people label, each against the others and against gold."""

import streamlit as st

from analysis.commands.annotators import AnnotatorsOptions
from analysis.commands.slice_texts import make_predicate
from analysis.commands.text import describe_count
from analysis.errors import AnalysisError
from dashboard.parts import people_charts, queries, state, widgets
from dashboard.parts.empty import draw_empty
from dashboard.parts.frame import here
from dashboard.parts.plain import escape_markdown
from dashboard.parts.strings import NO_VOTES, UNKNOWN

FIT = 40
SCROLLED_HEIGHT = 520
TABLE_HEIGHT = 470
SHORT = 14

at = here()
info = queries.info(at)

widgets.draw_title("annotators")
if not info.votes:
    draw_empty(NO_VOTES)
    st.stop()

sentence = st.container()
try:
    with sentence.skeleton():
        found = queries.annotators(at, AnnotatorsOptions(where=at.where, model=at.model))
except AnalysisError as error:
    draw_empty(error.message)
    st.stop()
people = found.annotators
names = [person.annotator for person in people]
sentence.markdown(f"##### {people_charts.describe_panel(found)}")

# The figure: everybody, in alphabetical order.
measure = "consensus"
if any(person.gold_trials for person in people):
    measure = st.segmented_control(
        "Compared with",
        list(people_charts.MEASURES),
        default="consensus",
        required=True,
        format_func=people_charts.MEASURES.__getitem__,
        key="annotators measure",
        persist_state="session",
    )
unmeasured = people_charts.list_unmeasured(people, measure)
drawn = len(people) - len(unmeasured)
if not drawn:
    st.info(
        "No vote can be compared with the votes of others, so agreement is unknown. "
        "Send some items to a second person.",
        icon=":material/info:",
    )
else:
    # Everybody is drawn; a long list scrolls in its own frame.
    with st.container(height=SCROLLED_HEIGHT if drawn > FIT else "content", border=drawn > FIT):
        st.plotly_chart(
            people_charts.draw_people(people, measure, dark=widgets.is_dark()),
            key=f"people {measure}",
            config=widgets.PLOT_CONFIG,
            alt=f"Each annotator compared with: {people_charts.MEASURES[measure].lower()}, with 95% intervals",
        )
    st.caption(people_charts.describe_figure(len(people), drawn, measure, scrolls=drawn > FIT))


# The table: who is chosen here is chosen below, and the other way round.
def choose_row() -> None:
    """Take the person of the clicked row."""
    rows = state.recall(table)["selection"]["rows"]
    if rows and rows[0] < len(names):
        state.remember("annotator choice", names[rows[0]])


def choose_name() -> None:
    """Mark the row of the chosen person."""
    row = names.index(state.recall("annotator choice"))
    state.remember(table, {"selection": {"rows": [row], "columns": [], "cells": []}})


if state.recall("annotator choice") not in names:
    state.remember("annotator choice", names[0])
table = f"people of {at.where}"
st.dataframe(
    people_charts.list_people(people),
    hide_index=True,
    height="content" if len(people) <= SHORT else TABLE_HEIGHT,
    on_select=choose_row,
    selection_mode="single-row-required",
    selection_default={"selection": {"rows": [names.index(state.recall("annotator choice"))]}},
    key=table,
    placeholder=UNKNOWN,
    column_config={
        "Annotator": st.column_config.TextColumn(pinned=True),
        "Votes": st.column_config.NumberColumn(format="localized", width="small"),
        "Overlap": st.column_config.NumberColumn(
            format="localized", width="small", help="Votes on items where the other people's labels have a majority"
        ),
        "Agreement": st.column_config.TextColumn(help="With the consensus of the others, 95% CI"),
        "Gold accuracy": st.column_config.TextColumn(help="On items with a gold label, 95% CI"),
        "Median seconds": st.column_config.NumberColumn(format="%.1f", width=110),
        "Suspects": st.column_config.NumberColumn(
            format="localized", width="small", help="Suspected training labels the person gave or voted for"
        ),
    },
    alt="Annotators in alphabetical order",
)
remarks = []
if any(person.median_seconds is not None for person in people):
    remarks.append("Median seconds say how somebody works, not how well: speed alone says nothing.")
if any(person.suspects is not None for person in people):
    remarks.append("Suspects are the model's view alone: they suggest items to label twice and judge nobody.")
if remarks:
    st.caption(" ".join(remarks))

# One person.
name = st.selectbox(
    "Annotator", names, key="annotator choice", on_change=choose_name, persist_state="session", width=320
)
person = people[names.index(name)]
left, right = st.columns([3, 2], gap="large")
with left:
    pairs = queries.confusion_of(at, name)
    if pairs:
        figure, shown, classes = people_charts.draw_confusion(info.classes, pairs, dark=widgets.is_dark())
        st.plotly_chart(
            figure,
            width="content",
            key="confusion of a person",
            config=widgets.PLOT_CONFIG,
            alt="What this person said in rows, the consensus of the others in columns",
        )
        st.caption(
            f"{escape_markdown(name)} against the consensus of the others, over "
            f"{widgets.plural(person.overlap, 'item')}. Blue: the same label. Orange: another."
        )
        if shown < classes:
            st.caption(f"The {shown} classes with most differences, of {describe_count(classes)}.")
    else:
        st.info("Nobody else's votes can be compared with this person's.", icon=":material/info:")
with right:
    st.table(people_charts.list_facts(person), border="horizontal")
    with st.container(horizontal=True):
        if st.button("Show their rows", icon=":material/table_rows:"):
            voted_on = [split.split for split in info.splits if split.split == "train"]
            widgets.open_slice(make_predicate("@annotator", "=", [name]), voted_on[0] if voted_on else None)
        if st.button("Relabel their labels", icon=":material/assignment_return:"):
            state.remember("request source", f"annotator:{name}")
            widgets.open_page("relabel")
widgets.draw_notes(found.notes)
