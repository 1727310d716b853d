"""What is wrong with a workspace file that cannot be opened, read or written, said so that a person can act."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from analysis.errors import AnalysisError, FileFaultError, WorkspaceBusyError

__all__ = [
    "describe_absence",
    "describe_damage",
    "describe_fault",
    "describe_foreign",
    "is_damage",
    "is_foreign",
    "is_full",
]

_MAGIC: Final = b"DUCK"
_MAGIC_AT: Final = 8  # behind the checksum of the first block
_DAMAGE: Final = (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException)
_HOLDER: Final = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


def is_foreign(path: Path) -> bool:
    """Tell whether a file is of another format: DuckDB opens some, a CSV file say, as databases of its own.

    Asked only while this process does not hold the file: closing any handle on it would give up DuckDB's lock
    (POSIX.1-2017 ``fcntl``).
    """
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_MAGIC_AT + len(_MAGIC))
        return bool(head) and head[_MAGIC_AT:] != _MAGIC
    return False


def describe_foreign(path: Path) -> FileFaultError:
    """Describe a file that is no workspace."""
    return FileFaultError(f"{path} is not a workspace: it is not a DuckDB file. Name a file made by `relook load`.")


def is_damage(error: duckdb.Error) -> bool:
    """Tell whether the file, or the disk that it is on, is at fault, and not what was asked of it."""
    text = str(error)
    # A block whose checksum is wrong has no exception of its own, and a commit that finds no room has another's.
    corrupt = type(error) is duckdb.Error and "Corrupt database file" in text
    uncommitted = isinstance(error, duckdb.TransactionException) and "Failed to commit" in text
    return isinstance(error, _DAMAGE) or corrupt or uncommitted


def is_full(error: BaseException) -> bool:
    """Tell whether a disk (of the workspace, or of what is spilled beside it) had no room left."""
    said = str(error).casefold()
    return "no space left" in said or "not enough space" in said or "disk is full" in said or "file too large" in said


def describe_damage(path: Path, error: duckdb.Error) -> AnalysisError:
    """Describe a file that opened and could then not be read or written: cut off, damaged, or the disk is full."""
    if is_full(error):
        return FileFaultError(
            f"There is no room left on the disk of {path}. Nothing was changed; make room, then try again."
        )
    return FileFaultError(
        f"{path} cannot be read or written: {str(error).splitlines()[0].rstrip('.')}. "
        "If the disk has room, the file is damaged: take a copy of it, or load the files into a new workspace."
    )


def describe_fault(path: Path, error: duckdb.Error, waited: float) -> AnalysisError:
    """Describe why a file cannot be opened; ``waited`` seconds have gone by."""
    text = str(error)
    if "Could not set lock" in text:
        holder = _HOLDER.search(text)
        who = f"{holder['program']} (process {holder['pid']})" if holder else "another process"
        return WorkspaceBusyError(
            f"{path} is held by {who}. Waited {waited:.0f} s. Let that process finish, then try again."
        )
    if path.is_dir():
        return FileFaultError(f"{path} is a folder. Name a workspace file, for example {path / 'project.relook'}.")
    if "database does not exist" in text or not path.exists():
        return describe_absence(path)
    if "not a valid DuckDB database file" in text:
        return describe_foreign(path)
    return FileFaultError(f"{path} cannot be opened as a workspace: {text.splitlines()[0]}")


def describe_absence(path: Path) -> FileFaultError:
    """Describe that there is no file."""
    return FileFaultError(f"There is no workspace at {path}. `relook load {path} FILE...` makes one.")
