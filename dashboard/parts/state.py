"""What a session remembers, and what the address bar shows; the only file that touches either.

The filter, the model, the open slice and the open item are in the URL, so that a link shows the same thing. The
basket is the session's own.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import streamlit as st

from analysis.commands.slice_texts import read_slice
from analysis.commands.workspaces import Fingerprint, Workspace, workspace_at
from analysis.errors import AnalysisError

__all__ = [
    "Here",
    "add_to_basket",
    "basket",
    "clear_basket",
    "data_root",
    "first_path",
    "forget",
    "mirror",
    "recall",
    "remember",
    "remove_from_basket",
    "set_workspace",
    "workspace_path",
]

_IN_URL: Final = ("filter", "model", "slice", "split", "item")
_ON_PAGE: Final = {"slice": ("slice", "split"), "labels": ("split", "item")}
_EVERYWHERE: Final = ("filter", "model")


@dataclass(frozen=True)
class Here:
    """What every page needs to ask a question.

    Attributes
    ----------
    path
        The workspace's file.
    fingerprint
        The key under which answers are kept.
    model
        The model looked at; None where no predictions are loaded.
    where
        The active filter as text; "all" for none.
    """

    path: Path
    fingerprint: Fingerprint
    model: str | None
    where: str

    @property
    def workspace(self) -> Workspace:
        """The workspace."""
        return workspace_at(self.path)


def workspace_path() -> Path | None:
    """Return the workspace in use: the one opened in this session, else the one the server was started with."""
    chosen = st.session_state.get("workspace_path")
    if chosen is not None:
        return Path(chosen)
    return Path(sys.argv[1]) if len(sys.argv) > 1 else None


def first_path() -> Path:
    """Return the workspace in use, or where one is made with the first files."""
    return workspace_path() or Path.cwd() / "project.relook"


def set_workspace(path: Path) -> None:
    """Open another workspace in this session; what belonged to the old one is forgotten."""
    for name in (*_IN_URL, "basket"):
        st.session_state.pop(name, None)
    st.session_state["workspace_path"] = str(path)


def data_root() -> Path:
    """Return the folder from which pages may load files: the one the server was started with, else this one."""
    return Path(sys.argv[2]) if len(sys.argv) > 2 else Path.cwd()  # noqa: PLR2004  (script, workspace, folder)


def remember(name: str, value: Any) -> None:  # noqa: ANN401  (whatever a page wants to keep)
    """Keep a value for this session."""
    st.session_state[name] = value


def recall(name: str, default: Any = None) -> Any:  # noqa: ANN401  (see above)
    """Return a kept value; where there is none, what the URL says, for the names that are in it."""
    if name not in st.session_state and name in _IN_URL:
        found = st.query_params.get(name)
        if found is not None:
            st.session_state[name] = _checked(name, found)
    value = st.session_state.get(name)
    return default if value is None else value


def _checked(name: str, found: str) -> str | None:
    """Take nothing from a URL that is no slice; anybody can write a link."""
    if name not in {"filter", "slice"}:
        return found
    try:
        return read_slice(found)[0]
    except AnalysisError:
        return None


def forget(name: str) -> None:
    """Drop a kept value."""
    st.session_state.pop(name, None)


def mirror(page: str) -> None:
    """Write into the URL what the page is about, and nothing else."""
    for name in _IN_URL:
        shown = name in _EVERYWHERE or name in _ON_PAGE.get(page, ())
        value = recall(name) if shown else None
        if value in (None, "all"):
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != value:
            st.query_params[name] = value


def basket() -> tuple[tuple[str, str], ...]:
    """Return the picked items, each a split and an id, in the order in which they were picked."""
    return tuple(st.session_state.get("basket", ()))


def add_to_basket(items: Iterable[tuple[str, str]]) -> int:
    """Add items; return how many were new."""
    before = basket()
    after = tuple(dict.fromkeys([*before, *items]))
    st.session_state["basket"] = after
    return len(after) - len(before)


def remove_from_basket(items: Sequence[tuple[str, str]]) -> None:
    """Take items out."""
    gone = set(items)
    st.session_state["basket"] = tuple(item for item in basket() if item not in gone)


def clear_basket() -> None:
    """Take all items out."""
    st.session_state["basket"] = ()
