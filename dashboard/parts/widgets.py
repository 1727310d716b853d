"""Small pieces of page that more than one page draws."""

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.runtime.media_file_storage import MediaFileStorageError

from analysis.commands.item import ItemView
from analysis.commands.positive import Decision, describe_decision
from analysis.commands.slice_texts import drop_predicate, list_chips
from analysis.commands.text import describe_count
from analysis.errors import AnalysisError
from dashboard.parts import charts, state
from dashboard.parts.plain import escape_markdown
from dashboard.parts.strings import PAGES, UNKNOWN
from dashboard.parts.uploads import find_in_root

__all__ = [
    "draw_basket",
    "draw_decision",
    "draw_filter_chips",
    "draw_item",
    "draw_notes",
    "draw_title",
    "is_dark",
    "open_page",
    "open_slice",
    "plural",
    "selected_keys",
]

PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}
SHOWN_CLASSES = 8
SHOWN_FIELDS = 15


def is_dark() -> bool:
    """Tell whether the page is drawn dark."""
    return st.context.theme.type == "dark"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: "1 item", "1,200 items"."""
    return f"{describe_count(number)} {one if number == 1 else many or one + 's'}"


def draw_title(page: str) -> None:
    """Draw a page's title with the question it answers."""
    title, _icon, question = PAGES[page]
    st.header(title, help=question, anchor=False)


def draw_decision(decision: Decision | None) -> None:
    """Draw which class is positive and from which probability on it is predicted; it belongs to every rate."""
    if decision is not None:
        st.caption(f":material/tune: {escape_markdown(describe_decision(decision))}. Set it on Data.")


def open_page(page: str) -> None:
    """Go to another page."""
    st.switch_page(f"views/{page}.py")


def open_slice(text: str, split: str | None = None) -> None:
    """Go to the Slice page on a slice."""
    state.remember("slice", text)
    state.remember("split", split)
    open_page("slice")


def draw_filter_chips() -> None:
    """Draw the active filter, a chip a predicate; a click takes it away."""
    where = state.recall("filter", "all")
    chips = list_chips(where)
    if not chips:
        st.caption("No filter. Add one on Slices.")
        return
    for chip in chips:
        if st.button(
            escape_markdown(chip.sentence),
            icon=":material/close:",
            icon_position="right",
            key=f"chip {chip.text}",
            help="Take this condition away",
            width="stretch",
        ):
            state.remember("filter", drop_predicate(where, chip.text))
            st.rerun()


def draw_basket() -> None:
    """Draw how many items are picked, and the way to a request."""
    picked = state.basket()
    st.markdown(f"**Basket** :gray-badge[{plural(len(picked), 'item')}]")
    if picked:
        with st.container(horizontal=True):
            if st.button("Send", icon=":material/outgoing_mail:", key="basket send", help="Write a relabel request"):
                state.remember("request source", "basket")
                open_page("relabel")
            if st.button("Empty", key="basket empty", help="Take all items out of the basket"):
                state.clear_basket()
                st.rerun()


def draw_notes(notes: Sequence[str]) -> None:
    """Draw what the reader should know about the numbers."""
    for note in notes:
        st.caption(f":material/info: {escape_markdown(note)}")


def selected_keys(event: object) -> list[list[object]]:
    """Return what the clicked points of a chart carry."""
    selection = event.get("selection") if isinstance(event, Mapping) else None
    points = selection["points"] if selection else []
    return [list(point["customdata"]) for point in points if point.get("customdata")]


def draw_item(view: ItemView, *, likely: str | None, key: str, names: bool = True) -> None:
    """Draw an item large: what was labelled, the labels it has, what the model says, how people voted.

    Parameters
    ----------
    view
        The item.
    likely
        The label that the model prefers to the given one, or None.
    key
        Distinguishes the charts of several items on a page.
    names
        Whether annotators are named.
    """
    pictured = view.image is not None or view.text is not None
    left, right = st.columns([2, 3] if pictured else [1, 1], gap="medium")
    with left:
        if view.image is not None:
            _draw_image(view.image, f"Item {view.item_id}")
        if view.text is not None:
            with st.container(border=True):
                st.text(view.text)
        if not pictured:
            _draw_fields(view, height="content" if len(view.fields) <= SHOWN_FIELDS else 500)
    # What is labelled stands beside what is known of it, whichever is long.
    with left if pictured else right:
        _draw_labels(view, likely)
    with right:
        if view.probabilities:
            _draw_probabilities(view, likely, key)
    if view.votes:
        _draw_votes(view, key, names=names)
    if view.fields and pictured:
        with st.expander("Columns of this item"):
            _draw_fields(view, height="content")


def _draw_labels(view: ItemView, likely: str | None) -> None:
    labels = [("Given", view.given_label), ("Likely", likely), ("Predicted", view.predicted), ("Gold", view.gold_label)]
    # A table of Streamlit's reads its cells as Markdown, and labels are the users'.
    st.table(
        {
            name: UNKNOWN if label is None else escape_markdown(label)
            for name, label in labels
            if label is not None or name == "Given"
        },
        border="horizontal",
    )


def _draw_probabilities(view: ItemView, likely: str | None, key: str) -> None:
    # The given label is always among them, however improbable it is.
    shown = [pair for k, pair in enumerate(view.probabilities) if k < SHOWN_CLASSES or pair[0] == view.given_label]
    st.plotly_chart(
        charts.draw_probabilities(shown, given=view.given_label, likely=likely, dark=is_dark()),
        key=f"{key} probabilities",
        config=PLOT_CONFIG,
        alt="Probability of each class",
    )
    if len(view.probabilities) > len(shown):
        rest = " and the given label" if len(shown) > SHOWN_CLASSES else ""
        st.caption(f"The {SHOWN_CLASSES} most probable of {describe_count(len(view.probabilities))} classes{rest}.")


def _draw_votes(view: ItemView, key: str, *, names: bool) -> None:
    columns: dict[str, list[object]] = {
        "Annotator": [vote.annotator if names else UNKNOWN for vote in view.votes],
        "Label": [vote.label if vote.label is not None else "cannot tell" for vote in view.votes],
        "When": [vote.labelled_at for vote in view.votes],
        "Seconds": [vote.seconds for vote in view.votes],
        "Batch": [vote.batch for vote in view.votes],
    }
    st.dataframe(
        {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)},
        hide_index=True,
        placeholder=UNKNOWN,
        column_config={
            "When": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
        alt="Votes on this item",
        key=f"{key} votes",
    )


def _draw_image(image: bytes | str, name: str) -> None:
    """Draw a picture from its bytes, or from a file below the folder that the dashboard may read.

    An address on the net is shown and not fetched: no cell of a table makes a browser call anybody.
    """
    try:
        if isinstance(image, str):
            if "://" in image:
                st.caption(f":material/link: {escape_markdown(image)}")
                return
            image = find_in_root(image, state.data_root()).read_bytes()
        st.image(image, width=220, alt=name)
    except AnalysisError as error:
        st.caption(f":material/broken_image: {escape_markdown(error.message)}")
    except (OSError, ValueError, MediaFileStorageError):
        st.caption(":material/broken_image: The image of this item cannot be shown.")


def _draw_fields(view: ItemView, *, height: int | str) -> None:
    st.dataframe(
        {
            "Column": [name for name, _cell in view.fields],
            "Value": [UNKNOWN if cell is None else _describe_cell(cell) for _name, cell in view.fields],
        },
        hide_index=True,
        height=height,
        alt="Columns of this item",
    )


def _describe_cell(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.6g}"
    return str(cell)
