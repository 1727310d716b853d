"""Slice: why here, and which rows."""

import streamlit as st

from analysis.commands.overview import slice_of_cell
from analysis.commands.saved import forget_slice, save_slice
from analysis.commands.slice_texts import join_slices, make_predicate, read_slice
from analysis.commands.slices import SlicesOptions
from analysis.commands.text import describe_count
from analysis.errors import AnalysisError
from dashboard.parts import filter_builder, queries, slice_charts, slice_words, state, widgets
from dashboard.parts.empty import draw_empty
from dashboard.parts.frame import here
from dashboard.parts.plain import escape_markdown, to_code
from dashboard.parts.strings import EMPTY_WORKSPACE, NO_PREDICTIONS, PAGES, UNKNOWN

MOST_PICKED = 1000
ROWS_A_PAGE = 100

at = here()
info = queries.info(at)
text = state.recall("slice", "all")

if info.overall.items == 0 or at.model is None or text == "all":
    widgets.draw_title("slice")
    if info.overall.items == 0:
        draw_empty(EMPTY_WORKSPACE)
    elif at.model is None:
        draw_empty(NO_PREDICTIONS)
    else:
        st.info("No slice is open. Choose one on Slices.", icon=":material/info:")
        if st.button("Open Slices", type="primary", icon=":material/stacked_bar_chart:"):
            widgets.open_page("slices")
    st.stop()

if st.button("All slices", type="tertiary", icon=":material/arrow_back:"):
    widgets.open_page("slices")
st.header(escape_markdown(read_slice(text)[1]), help=PAGES["slice"][2], anchor=False)
st.markdown(f"{to_code(text)} :gray-badge[chosen by you, not tested]")
headline = st.container()
actions = st.container(horizontal=True)

split = filter_builder.choose_split(info, state.recall("split"))
with actions:
    relabel = st.button(
        "Relabel these",
        type="primary",
        icon=":material/outgoing_mail:",
        help="A request for items of the training split in this slice, least trusted labels first",
    )
    as_filter = st.button(
        "Use as filter", icon=":material/filter_alt:", help="All pages then count only these items; Slices shows them"
    )
    saved = {kept.slice: kept.name for kept in queries.saved_slices(at)}
    with st.popover("Saved" if text in saved else "Save", icon=":material/bookmark:"):
        name = st.text_input("Name", value=saved.get(text, ""), key=f"save name {text}", placeholder="Bold digits")
        keep = st.button("Save slice", type="primary", icon=":material/bookmark_add:", key=f"save {text}")
        drop = text in saved and st.button("Remove", icon=":material/delete:", key=f"drop {text}")
        if keep or drop:
            try:
                if keep:
                    save_slice(at.workspace, text, name)
                else:
                    forget_slice(at.workspace, text)
            except AnalysisError as error:
                st.error(escape_markdown(error.message), icon=":material/error:")
            else:
                st.rerun()
    method = filter_builder.draw_method(at, info, split=split, key="slice split", support=False)
    options = SlicesOptions(
        split=method.split, model=at.model, metric=method.metric, positive=method.positive, where=text
    )
    filter_builder.draw_copy(at, options, models=len(info.models))
if relabel:
    state.remember("request source", f"slice:{text}")
    widgets.open_page("relabel")
if as_filter:
    state.remember("filter", text)
    widgets.open_page("slices")
if method.split != split:
    state.remember("split", method.split)
    st.rerun()

found = queries.slice_detail(at, options)
profile = found.row.profile
metric_name = slice_words.describe_metric(found.metric, method.positive)
is_loss = found.metric == "log_loss"
where = escape_markdown(found.split)

# One sentence: how bad it is here, against the rest.
rate = slice_words.describe_value(found.metric, profile.rate)
interval = slice_words.describe_interval(found.metric, profile.low, profile.high)
counts = f"{describe_count(profile.errors)} of {describe_count(profile.trials)}"
if is_loss:
    counts = widgets.plural(profile.trials, "item")
if profile.support == 0:
    sentence = f"No item of {where} is in this slice"
elif profile.rate is None:
    sentence = f"{widgets.plural(profile.support, 'item')} of {where}, none of which counts for this metric"
else:
    if found.metric == "error_rate" and profile.lift is not None:
        sentence = f"Errors are **{profile.lift:.1f}× as common here** as in all of {where}: {counts} "
    else:
        sentence = f"{escape_markdown(metric_name)} here, on {where}: {counts} "
    sentence += f"(**{rate}**, 95% CI {interval})"
    if profile.rest_rate is None:
        sentence += f". The slice is all that counts of {where}, so there is no rest"
    else:
        sentence += f" against {slice_words.describe_value(found.metric, profile.rest_rate)} in the rest"
headline.markdown(f"##### {sentence}.")
with headline:
    widgets.draw_decision(found.decision)
if at.where not in {"all", text} and join_slices([at.where, text]) != text:
    headline.caption(":material/filter_alt_off: A slice is the whole of its split: the filter is not applied here.")
if profile.support == 0:
    st.info("Nothing to show for this split. Choose another under Method.", icon=":material/info:")
    state.mirror("slice")
    st.stop()

if profile.rate is not None:
    st.plotly_chart(
        slice_charts.draw_against_rest(found, method.positive, dark=widgets.is_dark()),
        key="slice against rest",
        config=widgets.PLOT_CONFIG,
        alt=f"{metric_name} of the slice and of the rest, with 95% intervals",
    )

turn = state.recall("slice clicks", 0)
narrower: str | None = None
left, right = st.columns(2, gap="large")
with left:
    st.subheader("What it is taken for", anchor=False, help="Tick a row to open the narrower slice.")
    confused = [cell for cell in found.inside if cell.label != cell.predicted]
    if confused:
        ticked = st.dataframe(
            {
                "Label": [cell.label for cell in confused],
                "Predicted": [cell.predicted for cell in confused],
                "Items": [cell.count for cell in confused],
            },
            hide_index=True,
            height="content" if len(confused) <= 10 else 320,  # noqa: PLR2004  (rows that fit beside the people)
            on_select="rerun",
            selection_mode="single-row",
            key=f"slice confusions {turn}",
            column_config={
                "Items": st.column_config.ProgressColumn(
                    format="localized", min_value=0, max_value=confused[0].count, color="red"
                )
            },
            alt="Errors in the slice by label and prediction, most first",
        )
        if ticked.selection.rows:
            cell = confused[ticked.selection.rows[0]]
            narrower = join_slices([text, slice_of_cell(cell.label, cell.predicted)])
    else:
        st.markdown("No errors in this slice.")
with right:
    st.subheader("Who labelled these", anchor=False, help="Tick a row to open the narrower slice.")
    if found.people:
        ticked = st.dataframe(
            {
                "Person": [person.annotator for person in found.people],
                "Items": [person.items for person in found.people],
                "Expected": [person.expected for person in found.people],
                "Share": [person.share * 100 for person in found.people],
                "Difference": [None if p.difference is None else p.difference * 100 for p in found.people],
                "95% CI": [slice_words.describe_points(person.low, person.high) for person in found.people],
            },
            hide_index=True,
            placeholder=UNKNOWN,
            height="content" if len(found.people) <= 10 else 320,  # noqa: PLR2004  (as above)
            on_select="rerun",
            selection_mode="single-row",
            key=f"slice people {turn}",
            column_config={
                "Items": st.column_config.NumberColumn(format="localized", help="Items of the slice they labelled"),
                "Expected": st.column_config.NumberColumn(
                    format="%.1f", help="Items they would have here at their share of the rest"
                ),
                "Share": st.column_config.NumberColumn(format="%.1f%%", help="Of the items whose labeller is known"),
                "Difference": st.column_config.NumberColumn(
                    format="%+.1f", help="Their share here minus their share of the rest, in points"
                ),
                "95% CI": st.column_config.TextColumn(help="Newcombe's interval of the difference, in points"),
            },
            alt="Who labelled the items of the slice, against their share of the rest",
        )
        if ticked.selection.rows:
            person = found.people[ticked.selection.rows[0]].annotator
            narrower = join_slices([text, make_predicate("@annotator", "=", (person,))])
    elif info.votes:
        st.markdown(f"Nobody's votes on these items of {where} are loaded. Try another split under Method.")
    else:
        st.markdown("Not known: nobody's votes are loaded.")
widgets.draw_notes(found.notes)
if narrower is not None and narrower != text:
    # A new key forgets the selection, so that coming back does not open the slice again.
    state.remember("slice clicks", turn + 1)
    widgets.open_slice(narrower, found.split)


def show_item(item_id: str) -> None:
    """Draw one item; of what happens in it only this is run again."""
    widgets.draw_item(queries.item(at, item_id, found.split), likely=None, key="slice item")
    if st.button("Add to basket", icon=":material/add_shopping_cart:", key="add item"):
        state.add_to_basket([(found.split, item_id)])
        st.rerun()


st.subheader("Items", anchor=False)
with st.container(horizontal=True, vertical_alignment="center"):
    only = st.segmented_control(
        "Items shown",
        ["errors", "correct", "all"],
        default="errors" if confused else "all",
        required=True,
        format_func=str.capitalize,
        label_visibility="collapsed",
        key=f"slice rows {text} {found.split}",
    )
    errors = queries.rows(at, text, split=found.split, only="errors", limit=1).total
    if errors:
        many = f"{describe_count(errors)} errors" if errors > 1 else "1 error"
        if errors > MOST_PICKED:
            many = f"the first {describe_count(MOST_PICKED)} of {many}"
        if st.button(f"Add {many} to basket", icon=":material/add_shopping_cart:"):
            picked = queries.rows(at, text, split=found.split, only="errors", limit=MOST_PICKED).rows
            state.add_to_basket((found.split, str(item_id)) for item_id in picked["item_id"])
            st.rerun()
    with_ticked = st.container()

table = st.container()
total = queries.rows(at, text, split=found.split, only=only, limit=1).total
pages = max(1, -(-total // ROWS_A_PAGE))
number = 1
if pages > 1:
    number = st.pagination(pages, key=f"slice page {text} {found.split} {only}")
shown = queries.rows(at, text, split=found.split, only=only, offset=(number - 1) * ROWS_A_PAGE, limit=ROWS_A_PAGE)
if shown.rows.empty:
    table.markdown({"errors": "No errors here.", "correct": "Nothing correct here.", "all": "No items."}[only])
else:
    rows = shown.rows.assign(confidence=shown.rows["confidence"] * 100)
    # A user's column may be called so, too.
    button = next(name for name in ("open", "open_", "open__", "open___") if name not in rows.columns)
    rows.insert(1, button, ":material/open_in_full:")
    event = table.dataframe(
        rows.drop(columns="error") if only != "all" else rows,
        hide_index=True,
        placeholder=UNKNOWN,
        height="content" if len(rows) <= 10 else 420,  # noqa: PLR2004  (rows on one screen)
        on_select="rerun",
        selection_mode="multi-row",
        key=f"slice items {text} {found.split} {only} {number}",
        column_config={
            "item_id": st.column_config.TextColumn("Item", pinned=True),
            button: st.column_config.ButtonColumn("Open", type="tertiary", key="open item", pinned=True, width=60),
            "label": st.column_config.TextColumn("Label"),
            "predicted": st.column_config.TextColumn("Predicted"),
            "error": st.column_config.CheckboxColumn("Error"),
            "confidence": st.column_config.NumberColumn(
                "Confidence", format="%.1f%%", help="The model's highest probability"
            ),
        },
        alt="Items of the slice",
    )
    last = (number - 1) * ROWS_A_PAGE + len(rows)
    table.caption(
        f"{describe_count(last - len(rows) + 1)} to {describe_count(last)} of {describe_count(total)}. "
        "Tick rows to add them to the basket."
    )
    chosen = [str(rows["item_id"].iloc[row]) for row in event.selection.rows]
    if chosen and with_ticked.button(
        f"Add {widgets.plural(len(chosen), 'row')} to basket", icon=":material/add_shopping_cart:"
    ):
        state.add_to_basket((found.split, item_id) for item_id in chosen)
        st.rerun()
    clicked = state.recall("open item")
    if clicked is not None:
        item = str(rows["item_id"].iloc[clicked["row"]])
        st.dialog(f"Item {escape_markdown(item)}", width="medium", position="right")(show_item)(item)
