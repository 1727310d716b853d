"""What stands on every page: workspace, model, filter, basket; and the first page of a new user."""

from pathlib import Path

import streamlit as st

from analysis.commands.workspaces import Workspace
from dashboard.parts import queries, state, widgets
from dashboard.parts.add_files import draw_add_files
from dashboard.parts.plain import escape_markdown
from dashboard.parts.serving import SAMPLES, make_demo
from dashboard.parts.state import Here

__all__ = ["draw_frame", "draw_welcome", "here"]

_CAPTIONS = (
    "12,000 support tickets in five languages, 25 annotators of two vendors, a trained model",
    "1,797 images of handwritten digits, nine annotators, a trained model",
)


def here() -> Here:
    """Return what the page asks its questions about."""
    found: Here = state.recall("here")
    return found


def draw_frame(workspace: Workspace) -> None:
    """Draw the sidebar and settle which model and filter the page is about."""
    fingerprint = workspace.fingerprint()
    base = Here(workspace.path, fingerprint, None, state.recall("filter", "all"))
    models = [model.model for model in queries.info(base).models]
    with st.sidebar:
        st.markdown(
            f":material/folder_open: **{escape_markdown(workspace.path.name)}**",
            help=escape_markdown(str(workspace.path)),
        )
        model = _choose_model(models)
        st.markdown("**Filter**")
        widgets.draw_filter_chips()
        widgets.draw_basket()
    state.remember("here", Here(workspace.path, fingerprint, model, state.recall("filter", "all")))


def _choose_model(models: list[str]) -> str | None:
    if not models:
        return None
    known = state.recall("model")
    chosen: str = known if known in models else models[-1]
    if len(models) > 1:
        chosen = st.selectbox("Model", models, index=models.index(chosen), key="model choice")
        state.remember("model", chosen)
    return chosen


def draw_welcome(path: Path | None) -> None:
    """Draw what a new user sees: a place for their files, and the sample."""
    st.title("Where does the model fail, and which labels caused it?", anchor=False)
    st.markdown(
        "Load a model's predictions and the labels it was trained on. See the errors by feature and by annotator, find "
        "the labels that deserve a second look, and send them out again."
    )
    if path is not None:
        st.info(
            f"There is no workspace at {escape_markdown(str(path))} yet. It is made with the first files.",
            icon=":material/info:",
        )
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader("Your files", anchor=False)
        draw_add_files(state.first_path(), key="welcome")
    with right, st.container(border=True):
        st.subheader("A sample", anchor=False)
        st.markdown("What is real in it and what is planted is written beside its files.")
        name = st.radio("Sample", SAMPLES, captions=_CAPTIONS, label_visibility="collapsed", key="sample choice")
        if st.button("Open sample", icon=":material/play_arrow:", type="primary"):
            workspace, _files = make_demo(name)
            state.set_workspace(workspace)
            st.rerun()
