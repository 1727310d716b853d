"""``relook load``: files in, a report out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import NeedsChoiceError
from analysis.roles import ROLES
from analysis.store.loading import FileReport, LoadOptions, LoadReport, load_files
from analysis.store.readers.endings import KNOWN_ENDINGS
from analysis.store.readers.lines import read_lines
from analysis.store.workspace import Workspace
from analysis.watch import Progress, Watch

__all__ = [
    "KNOWN_ENDINGS",
    "ROLES",
    "ColumnRole",
    "LoadOptions",
    "LoadReport",
    "Progress",
    "Watch",
    "list_column_roles",
    "load",
    "read_classes",
]


def load(
    workspace: Workspace, files: Sequence[Path], options: LoadOptions | None = None, watch: Watch | None = None
) -> LoadReport:
    """Load files into a workspace, all of them or none.

    Parameters
    ----------
    workspace
        Made if it does not exist.
    files
        Files with one of :data:`KNOWN_ENDINGS`.
    options
        What the user said; None leaves all to the guess.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    LoadReport

    Raises
    ------
    AnalysisError
        If anything needs the user; the workspace is then as before.
    """
    return load_files(workspace, files, options or LoadOptions(), watch)


@dataclass(frozen=True)
class ColumnRole:
    """A column of a file on its way in: its role ("" for one that is not kept) and why."""

    column: str
    role: str
    reason: str


def list_column_roles(file: FileReport) -> tuple[ColumnRole, ...]:
    """Return what each column of a file was taken for, in file order."""
    roles = file.roles
    taken = {guess.column: role for role, guess in roles.single.items()}
    taken.update(dict.fromkeys(roles.probabilities.values(), "probability"))
    kept = set(roles.features) if file.kind == "items" else set()
    return tuple(
        ColumnRole(name, taken.get(name, "feature" if name in kept else ""), roles.reasons.get(name, ""))
        for name in file.head
    )


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
