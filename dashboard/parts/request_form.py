"""Where the items of a request come from, and its files as one download."""

import io
import zipfile
from pathlib import Path

import streamlit as st

from analysis.commands.info import Info
from analysis.commands.slice_texts import read_slice
from analysis.errors import AnalysisError
from dashboard.parts import queries, state, widgets
from dashboard.parts.plain import escape_markdown, to_code
from dashboard.parts.state import Here

__all__ = ["describe_source", "draw_sources", "zip_folder"]

_CHOICES = {
    "labels": "Suspected labels, worst first",
    "basket": "The basket",
    "slice": "The rows of a slice",
    "annotator": "What one person labelled",
}


def describe_source(source: str) -> str:
    """Say in words where items came from.

    Examples
    --------
    >>> describe_source("labels"), describe_source("annotator:dan")
    ('suspected labels', 'annotator dan')
    """
    kind, _colon, rest = source.partition(":")
    if kind == "labels":
        return "suspected labels"
    return f"{kind} {rest}".strip()


def draw_sources(at: Here, info: Info) -> str | None:
    """Draw the choice of items; return the source as the command line takes it, or None while it is incomplete."""
    asked = str(state.recall("request source", ""))
    picked = state.basket()
    known = [choice for choice in _CHOICES if choice != "annotator" or info.annotators]
    wanted = asked.partition(":")[0]
    start = wanted if wanted in known else ("basket" if picked else "labels")
    choice = st.selectbox(
        "Items", known, index=known.index(start), format_func=_CHOICES.__getitem__, key=f"request source {asked}"
    )
    if choice == "basket":
        if not picked:
            st.caption(":material/info: The basket is empty. Pick items on Labels or on a slice.")
            return None
        st.caption(f"{widgets.plural(len(picked), 'item')}, in the order in which they were picked.")
        return "basket"
    if choice == "slice":
        return _draw_slice(at, asked)
    if choice == "annotator":
        names = queries.column_choice(at, "@annotator").values
        before = asked.partition(":")[2]
        index = names.index(before) if before in names else 0
        name = st.selectbox("Person", names, index=index, key=f"request person {asked}")
        return f"annotator:{name}" if name else None
    return "labels"


def _draw_slice(at: Here, asked: str) -> str | None:
    before = asked.partition(":")[2] or (at.where if at.where != "all" else "")
    saved = {kept.slice: kept.name for kept in queries.saved_slices(at)}
    text = st.text_input(
        "Slice", value=before, key=f"request slice {asked}", placeholder='pen = "bold" & ink >= 0.3', help=_help(saved)
    )
    if not text:
        return None
    try:
        canonical, sentence = read_slice(text)
    except AnalysisError as error:
        st.error(escape_markdown(error.message), icon=":material/error:")
        return None
    shown = escape_markdown(sentence[:1].upper() + sentence[1:])
    st.caption(f"{shown}. Rows of the training split, least trusted labels first.")
    return f"slice:{canonical}"


def _help(saved: dict[str, str]) -> str:
    if not saved:
        return "Conditions joined with &. Slices that you save are listed here."
    return "Saved slices:\n" + "\n".join(f"- {escape_markdown(name)}: {to_code(text)}" for text, name in saved.items())


def zip_folder(folder: Path) -> bytes:
    """Return a folder as a zip file, made only when it is downloaded."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return packed.getvalue()
