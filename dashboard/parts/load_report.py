"""What a load did, drawn."""

import streamlit as st

from analysis.commands.load import LoadReport
from analysis.commands.text import describe_load
from dashboard.parts.plain import escape_markdown

__all__ = ["draw_load_report"]


def draw_load_report(report: LoadReport) -> None:
    """Draw the sentence, the files, the roles with their reasons, and the notes."""
    text = describe_load(report)
    for line in text.lines:
        st.markdown(f"**{line}**")
    for table in text.tables:
        if table.rows:
            st.markdown(table.title)
            st.dataframe(
                {name: [row[k] for row in table.rows] for k, name in enumerate(table.header)},
                hide_index=True,
                alt=table.title,
            )
    for note in text.notes:
        st.caption(f":material/info: {escape_markdown(note)}")
