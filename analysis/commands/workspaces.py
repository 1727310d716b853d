"""Which workspace a command is about; the one door through which dashboard and command line open files."""

from pathlib import Path

from analysis.errors import AnalysisError
from analysis.store.workspace import Fingerprint, Workspace

__all__ = ["Fingerprint", "Workspace", "check_readable", "workspace_at"]


def workspace_at(path: str | Path) -> Workspace:
    """Return the workspace at a path; nothing is opened or made yet.

    Raises
    ------
    AnalysisError
        If the path is a folder.
    """
    found = Path(path)
    if found.is_dir():
        raise AnalysisError(f"{found} is a folder. Name a workspace file, for example {found / 'project.relook'}.")
    return Workspace(found)


def check_readable(workspace: Workspace) -> None:
    """Check that a workspace is there and can be read.

    Raises
    ------
    FileFaultError
        If it is not.
    """
    with workspace.read():
        pass
