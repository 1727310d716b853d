"""The queue of suspects: a page of it at a time, one row chosen, and the ways to move on.

The chosen item is kept by its id, in the URL too. The table, the page numbers and the buttons only follow it, so
they cannot disagree, and the chosen row is always in sight.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from analysis.commands.labels import Suspect
from dashboard.parts import state, widgets
from dashboard.parts.strings import UNKNOWN

__all__ = ["PAGE_ROWS", "draw_basket_button", "draw_queue", "draw_steps", "find_place", "measure_width", "pick"]

PAGE_ROWS: Final = 18

Ranked = Sequence[tuple[int, Suspect]]


def find_place(ranked: Ranked) -> int:
    """Return the place of the chosen item; the first where it is not in the queue."""
    wanted = state.recall("item")
    return next((place for place, (_rank, suspect) in enumerate(ranked) if suspect.item_id == wanted), 0)


def draw_queue(ranked: Ranked, *, key: str) -> int:
    """Draw the page of the queue that holds the chosen item, and return the item's place in the whole queue."""
    place = find_place(ranked)
    state.remember("item", ranked[place][1].item_id)
    page, row = divmod(place, PAGE_ROWS)
    shown = ranked[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
    table = f"{key} {page}"
    chosen = {"selection": {"rows": [row], "columns": [], "cells": []}}
    if state.recall(table) != chosen:
        state.remember(table, chosen)
    columns = _list_columns(shown, state.basket())
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        on_select=partial(_choose_row, table, shown),
        selection_mode="single-row-required",
        key=table,
        placeholder=UNKNOWN,
        column_config={
            "Rank": st.column_config.NumberColumn(format="localized", width=52),
            **{
                name: st.column_config.TextColumn(width=measure_width(columns[name]))
                for name in ("Item", "Given", "Likely", "Annotator")
                if name in columns
            },
            "Quality": st.column_config.ProgressColumn(
                help="Label quality, 0 to 1, lower is worse", format="%.2f", min_value=0, max_value=1, width=84
            ),
            "Basket": st.column_config.CheckboxColumn(help="Picked for a request", width=60),
        },
        alt="Suspects, worst first",
    )
    if len(ranked) > PAGE_ROWS:
        # Another key for each page: the numbers follow the chosen item, also where a button or a link chose it.
        pages = f"{key} pages {page}"
        st.pagination(
            -(-len(ranked) // PAGE_ROWS),
            default=page + 1,
            key=pages,
            on_change=_choose_page,
            args=(pages, ranked),
            width="stretch",
        )
    return place


def measure_width(texts: Sequence[str | None]) -> int:
    """Return a column's width in pixels: what its longest text needs, within limits."""
    return min(120, max(58, 16 + 8 * max(len(text or "") for text in texts)))


def draw_steps(ranked: Ranked, place: int) -> None:
    """Draw the buttons to the item before and the item after; the keys k and j press them."""
    st.button(
        "Previous",
        icon=":material/arrow_upward:",
        shortcut="k",
        disabled=place == 0,
        on_click=_choose,
        args=(ranked, place - 1),
    )
    st.button(
        "Next",
        icon=":material/arrow_downward:",
        shortcut="j",
        disabled=place + 1 == len(ranked),
        on_click=_choose,
        args=(ranked, place + 1),
    )


def draw_basket_button(suspect: Suspect) -> None:
    """Draw the button that puts a suspect into the basket or takes it out; the key n presses it."""
    item = (suspect.split, suspect.item_id)
    if item in state.basket():
        st.button(
            "Remove from basket",
            icon=":material/remove_shopping_cart:",
            shortcut="n",
            on_click=state.remove_from_basket,
            args=([item],),
        )
    else:
        st.button(
            "Add to basket",
            icon=":material/add_shopping_cart:",
            shortcut="n",
            type="primary",
            on_click=pick,
            args=([suspect],),
        )


def pick(suspects: Sequence[Suspect]) -> None:
    """Put suspects into the basket, and say how many were new."""
    new = state.add_to_basket((suspect.split, suspect.item_id) for suspect in suspects)
    st.toast(f"{widgets.plural(new, 'item')} added to the basket.")


def _list_columns(shown: Ranked, picked: Collection[tuple[str, str]]) -> dict[str, list[Any]]:
    """Return the table's columns; the annotator only where one is known for any item."""
    suspects = [suspect for _rank, suspect in shown]
    columns: dict[str, list[Any]] = {
        "Rank": [rank for rank, _suspect in shown],
        "Item": [suspect.item_id for suspect in suspects],
        "Given": [suspect.given_label for suspect in suspects],
        "Likely": [suspect.likely_label for suspect in suspects],
        "Quality": [suspect.quality for suspect in suspects],
    }
    if any(suspect.annotator is not None for suspect in suspects):
        columns["Annotator"] = [suspect.annotator for suspect in suspects]
    columns["Basket"] = [(suspect.split, suspect.item_id) in picked for suspect in suspects]
    return columns


def _choose(ranked: Ranked, place: int) -> None:
    state.remember("item", ranked[place][1].item_id)


def _choose_row(table: str, shown: Ranked) -> None:
    rows = state.recall(table)["selection"]["rows"]
    if rows:
        _choose(shown, min(rows[0], len(shown) - 1))


def _choose_page(pages: str, ranked: Ranked) -> None:
    _choose(ranked, (state.recall(pages) - 1) * PAGE_ROWS)
