"""``relook load``: files in, a report out."""

from collections.abc import Sequence
from pathlib import Path

from analysis.errors import NeedsChoiceError
from analysis.roles import ROLES
from analysis.store.loading import LoadOptions, LoadReport, load_files
from analysis.store.readers.lines import read_lines
from analysis.store.workspace import Workspace

__all__ = ["ROLES", "LoadOptions", "LoadReport", "load", "read_classes"]


def load(workspace: Workspace, files: Sequence[Path], options: LoadOptions | None = None) -> LoadReport:
    """Load files into a workspace, all of them or none.

    Parameters
    ----------
    workspace
        Made if it does not exist.
    files
        CSV, TSV or Parquet files.
    options
        What the user said; None leaves all to the guess.

    Returns
    -------
    LoadReport

    Raises
    ------
    AnalysisError
        If anything needs the user; the workspace is then as before.
    """
    return load_files(workspace, files, options or LoadOptions())


def read_classes(path: Path) -> tuple[str, ...]:
    """Read the order of the classes, one a line.

    Raises
    ------
    FileFaultError
        If the file cannot be read or is empty.
    NeedsChoiceError
        If a class stands there twice.
    """
    names = read_lines(path)
    if len(set(names)) < len(names):
        raise NeedsChoiceError(f"{path} must name each class once, one a line; found {len(names)} lines, some twice.")
    return names
