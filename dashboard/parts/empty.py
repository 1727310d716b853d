"""What a page says when what it needs is not loaded."""

import streamlit as st

from dashboard.parts.plain import escape_markdown
from dashboard.parts.widgets import open_page

__all__ = ["draw_empty"]


def draw_empty(sentence: str) -> None:
    """Draw one sentence that tells what is missing, and the way to load it."""
    st.info(escape_markdown(sentence), icon=":material/info:")
    if st.button("Open Data", type="primary", icon=":material/database:", key="empty to data"):
        open_page("data")
