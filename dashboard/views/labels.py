"""Labels: which labels deserve a second look."""

import streamlit as st

from analysis.commands.labels import LabelsOptions
from analysis.commands.text import describe_count
from analysis.errors import AnalysisError
from dashboard.parts import label_charts, label_queue, queries, state, widgets
from dashboard.parts.empty import draw_empty
from dashboard.parts.frame import here
from dashboard.parts.plain import drop_emphasis, escape_markdown
from dashboard.parts.strings import EMPTY_WORKSPACE

NO_PROBABILITIES = (
    "No predictions are loaded, so no label can be a suspect. Load out-of-sample probabilities: a table with an id and "
    "one column a class, for example prob_cat, prob_dog."
)
FIRST = 50
SHOWN_PAIRS = 100
SHORT = 15
PAIRS_HEIGHT = 490

at = here()
info = queries.info(at)
splits = [split.split or "" for split in info.splits]
filtered = at.where != "all"

widgets.draw_title("labels")
if not info.overall.items or at.model is None:
    draw_empty(NO_PROBABILITIES if info.overall.items else EMPTY_WORKSPACE)
    st.stop()

# The sentence and the controls have their places before the suspects are known.
sentence = st.container()
controls = st.container(horizontal=True, vertical_alignment="bottom")

# The Slice page keeps its own split under the same name in the URL: it is not taken for this page's.
known_split = state.recall("labels split", None if state.recall("slice") else state.recall("split"))
split = known_split if known_split in splits else "train" if "train" in splits else splits[0]
if len(splits) > 1:
    split = controls.segmented_control(
        "Split", splits, default=split, required=True, key="labels split choice", format_func=escape_markdown
    )
state.remember("labels split", split)
state.remember("split", split)

with controls.popover("Method", icon=":material/tune:"):
    filter_by = st.selectbox("Filter", list(label_charts.FILTERS), key="labels filter", persist_state="session")
    st.caption(label_charts.FILTERS[filter_by])
    rank_by = st.selectbox("Order", list(label_charts.SCORES), key="labels order", persist_state="session")
    st.caption(label_charts.SCORES[rank_by])
    st.caption("Label quality is 0 to 1, lower is worse. The worst come first.")

try:
    with sentence.skeleton():
        found = queries.suspects(at, LabelsOptions(split, at.model, filter_by, rank_by, where=at.where))
except AnalysisError as error:
    draw_empty(error.message)
    st.stop()

sentence.markdown(f"##### {label_charts.describe_suspects(found, filtered=filtered)}")
in_sample = [note for note in found.notes if found.in_sample and "in-sample" in note]
for note in in_sample:
    sentence.warning(note, icon=":material/warning:")

# The queue: the suspects, or those of one cell of the joint, cut to the budget.
context = f"{split} {at.model} {filter_by} {rank_by} {at.where}"
pair_of, pair = state.recall("labels pair", (None, None))
pair = pair if pair_of == (split, at.model) else None
ranked = list(enumerate(found.issues, start=1))
ranked = [(rank, one) for rank, one in ranked if pair in (None, (one.given_label, one.likely_label))]
if ranked:
    place = label_queue.find_place(ranked)
    budget = controls.number_input(
        "Look at the first",
        min_value=1,
        max_value=len(ranked),
        # A link to an item beyond the default reaches it.
        value=min(len(ranked), max(FIRST, place + 1)),
        key=f"budget {context} {pair}",
        persist_state="session",
        width=130,
    )
    ranked = ranked[:budget]
    queue = [one for _rank, one in ranked]
    controls.button(
        f"Add the first {describe_count(len(queue))} to the basket",
        icon=":material/add_shopping_cart:",
        on_click=label_queue.pick,
        args=(queue,),
    )
    if found.seconds_per_vote is not None:
        controls.caption(
            f"{label_charts.describe_time(len(queue), found.seconds_per_vote).capitalize()} at "
            f"{found.seconds_per_vote:.1f} seconds each",
            help="The median time of all votes, one vote an item.",
        )

left, right = st.columns([9, 11], gap="medium")
with left:
    if pair is not None and st.button(
        f"Given {escape_markdown(pair[0])}, likely {escape_markdown(pair[1])}",
        icon=":material/close:",
        icon_position="right",
        help="Show all suspects again",
        key="clear pair",
    ):
        state.forget("labels pair")
        st.rerun()
    if not found.issues:
        st.info(
            f"No label of {escape_markdown(split)} is a suspect{' inside the filter' if filtered else ''}.",
            icon=":material/info:",
        )
    elif not ranked:
        st.info("None of the suspects is in this cell.", icon=":material/info:")
    else:
        place = label_queue.draw_queue(ranked, key=f"queue {context} {pair} {len(ranked)}")

if ranked:
    rank, suspect = ranked[place]
    view = queries.item(at, suspect.item_id, suspect.split)
    with right:
        with st.container(horizontal=True, vertical_alignment="center"):
            label_queue.draw_steps(ranked, place)
            label_queue.draw_basket_button(suspect)
        st.markdown(f"**{escape_markdown(suspect.item_id)}**, rank {describe_count(rank)}")
        labels = {*found.classes, *(vote.label or "cannot tell" for vote in view.votes)}
        for reason in suspect.reasons:
            st.text(drop_emphasis(reason.text, labels))
        widgets.draw_item(view, likely=suspect.likely_label, key="suspect")

st.subheader("Given and likely labels", anchor=False, help="The calibrated confident joint")
left, right = st.columns([1, 1], gap="large")
with left:
    figure, shown = label_charts.draw_joint(found, dark=widgets.is_dark())
    clicks = state.recall("joint clicks", 0)
    event = st.plotly_chart(
        figure,
        width="content",
        on_select="rerun",
        selection_mode="points",
        key=f"joint {clicks}",
        config=widgets.PLOT_CONFIG,
        alt="Confident joint: given labels in rows, likely labels in columns, estimated counts",
    )
    st.caption(
        f"How many of all {describe_count(found.items)} labels of {escape_markdown(split)} are estimated to be "
        "given as the row and to be the column. Click an orange cell to see its suspects."
    )
    if shown < len(found.classes):
        st.caption(f"The {shown} classes with most counts off the diagonal, of {describe_count(len(found.classes))}.")
    clicked = widgets.selected_keys(event)
    if clicked:
        given, likely = str(clicked[0][0]), str(clicked[0][1])
        # A new key forgets the click, so that it is not answered twice.
        state.remember("joint clicks", clicks + 1)
        state.remember("labels pair", ((split, at.model), (given, likely) if given != likely else None))
        st.rerun()
with right:
    pairs = label_charts.list_pairs(found)
    if pairs:
        st.dataframe(
            {
                "Given": [one.given for one in pairs[:SHOWN_PAIRS]],
                "Likely": [one.likely for one in pairs[:SHOWN_PAIRS]],
                "Suspects": [one.suspects for one in pairs[:SHOWN_PAIRS]],
                "Estimated": [one.estimated for one in pairs[:SHOWN_PAIRS]],
            },
            hide_index=True,
            height="content" if len(pairs) <= SHORT else PAIRS_HEIGHT,
            column_config={
                "Given": st.column_config.TextColumn(width=label_queue.measure_width([one.given for one in pairs])),
                "Likely": st.column_config.TextColumn(width=label_queue.measure_width([one.likely for one in pairs])),
                "Suspects": st.column_config.NumberColumn(format="localized", help="How many the filter flags"),
                "Estimated": st.column_config.NumberColumn(format="localized", help="Count of the confident joint"),
            },
            alt="Suspects and estimated counts by given and likely label",
        )
        if len(pairs) > SHOWN_PAIRS:
            st.caption(f"The {SHOWN_PAIRS} pairs with most suspects, of {describe_count(len(pairs))}.")

widgets.draw_notes([note for note in found.notes if note not in in_sample])
