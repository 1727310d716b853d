"""Pages under Streamlit's AppTest: the whole app runs in this process, with no browser and no server."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analysis.commands.load import LoadOptions, load
from analysis.commands.workspaces import workspace_at

OpenApp = Callable[..., AppTest]
TableWorkspace = Callable[..., Path]


def load_all(workspace: Path, files: list[Path], options: LoadOptions | None = None) -> Path:
    """Load files and let the workspace go, so that the app opens it as a user's would."""
    opened = workspace_at(workspace)
    load(opened, files, options)
    opened.close()
    return workspace


def let_fault_through(error: Exception) -> str:
    """Stand in for the frame's polite line on a fault of ours: a test shall see the fault."""
    raise error


@pytest.fixture(scope="session")
def digits_folder(root: Path) -> Path:
    """The sample's files, for numbers that are computed apart from the library."""
    return root / "sample_data" / "digits"


@pytest.fixture(scope="session")
def digits_workspace(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, loaded; shared by all tests, so only to be read."""
    files = sorted(path for path in digits_folder.iterdir() if path.suffix in {".csv", ".parquet"})
    return load_all(tmp_path_factory.mktemp("digits") / "digits.relook", files)


@pytest.fixture
def digits_copy(digits_workspace: Path, tmp_path: Path) -> Path:
    """The sample, loaded; this test's own, which it may write into."""
    return Path(shutil.copy(digits_workspace, tmp_path / "digits.relook"))


@pytest.fixture(scope="session")
def table_workspace(tmp_path_factory: pytest.TempPathFactory) -> TableWorkspace:
    """Make a workspace of small tables, another one at each call.

    ``table_workspace({"train": items, "votes": votes})`` writes each frame to a Parquet file of that name and loads
    them together; the name says the split, as a user's file name does. ``into=`` adds to a workspace; further
    keywords are those of ``LoadOptions`` (``gold=True``, ``roles=(("group", "user"),)``).
    """

    def make(frames: Mapping[str, pd.DataFrame], *, into: Path | None = None, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("tables")
        files = []
        for name, frame in frames.items():
            files.append(folder / f"{name}.parquet")
            frame.to_parquet(files[-1], index=False)
        return load_all(into or folder / "tables.relook", files, LoadOptions(**options))

    return make


@pytest.fixture
def open_app(root: Path, monkeypatch: pytest.MonkeyPatch) -> OpenApp:
    """Open the dashboard on a workspace and run a page, the way a browser would.

    ``open_app(path, "labels")`` returns the page after its first run; a path of None starts the app with no
    workspace. ``url`` holds what the address says after the question mark; further keywords are put into the
    session before the run. A fault of ours, which the frame would put into one line, is in ``at.exception``.
    """

    def open_page(
        path: Path | None, page: str | None = None, *, url: Mapping[str, str] | None = None, **session: Any
    ) -> AppTest:
        script = root / "dashboard" / "streamlit_app.py"
        arguments = [] if path is None else [str(path), str(path.parent)]
        monkeypatch.setattr("sys.argv", [str(script), *arguments])
        monkeypatch.setattr("analysis.commands.faults.describe_fault", let_fault_through)
        at = AppTest.from_file(str(script), default_timeout=60)
        for name, value in session.items():
            at.session_state[name] = value
        for name, value in (url or {}).items():
            at.query_params[name] = value
        if page is not None:
            # Our pages' addresses are their file names, so the first run can already be of this page.
            at.switch_page(f"views/{page}.py")
        at.run()
        assert not at.exception, [error.value for error in at.exception]
        return at

    return open_page
