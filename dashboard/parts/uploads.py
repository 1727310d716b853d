"""Files from the browser into a workspace: choose, see how they are read, then load."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from analysis.commands.load import LoadOptions, LoadReport, load
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError
from dashboard.parts import state
from dashboard.parts.load_report import draw_load_report
from dashboard.parts.plain import escape_markdown

__all__ = ["draw_upload", "find_in_root", "list_names", "load_paths", "load_uploads"]

_SHOWN_NAMES = 40


def find_in_root(text: str, root: Path) -> Path:
    """Return a file below the folder that the dashboard may read.

    Raises
    ------
    AnalysisError
        If the path leads out of it: whoever reaches the page must not read the whole machine.
    """
    found = (root / Path(text).expanduser()).resolve()
    if not found.is_relative_to(root.resolve()):
        raise AnalysisError(
            f"{text} is not below {root}. Start the dashboard with --data-root FOLDER to allow another folder."
        )
    return found


def load_paths(workspace: Path, paths: Sequence[Path], options: LoadOptions) -> LoadReport:
    """Load files that lie on this machine."""
    return load(workspace_at(workspace), paths, options)


def list_names(names: Sequence[str]) -> str:
    """Write names with commas, the first forty, and how many more there are."""
    shown = ", ".join(map(escape_markdown, names[:_SHOWN_NAMES]))
    rest = len(names) - _SHOWN_NAMES
    return shown + (f" and {rest:,} more" if rest > 0 else "")


def load_uploads(workspace: Path, uploads: Sequence[object], options: LoadOptions) -> LoadReport:
    """Load uploaded files: they are written to a folder of their own for as long as the load lasts."""
    with tempfile.TemporaryDirectory(prefix="relook-") as folder:
        paths = []
        for number, upload in enumerate(uploads):
            # The browser's name without any folder in it, in a folder of its own: two files may have one name.
            path = Path(folder) / str(number) / Path(str(upload.name)).name  # type: ignore[attr-defined]
            path.parent.mkdir()
            path.write_bytes(upload.getvalue())  # type: ignore[attr-defined]
            paths.append(path)
        return load(workspace_at(workspace), paths, options)


def draw_upload(workspace: Path, *, key: str) -> None:
    """Draw a drop zone that loads with no further question, and says how the files were read."""
    uploads = st.file_uploader(
        "CSV, TSV or Parquet: items, predictions, votes, or all in one table",
        type=["csv", "tsv", "txt", "parquet", "pq"],
        accept_multiple_files=True,
        key=f"{key} files",
    )
    if st.button("Load files", type="primary", icon=":material/upload:", disabled=not uploads, key=f"{key} load"):
        try:
            report = load_uploads(workspace, uploads, LoadOptions())
        except AnalysisError as error:
            st.error(escape_markdown(error.message), icon=":material/error:")
            return
        state.set_workspace(workspace)
        state.remember("load report", report)
        draw_load_report(report)
        st.rerun()
