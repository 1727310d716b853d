"""Writing a folder of files, all or nothing.

The only place that writes the files of a request. A folder that is half there would be taken for a whole one
and sent, so everything is written beside it first and then renamed at once: readers see no folder, or all of
it (rename within one file system is atomic, POSIX.1-2017 ``rename``).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from analysis.errors import AnalysisError

__all__ = ["check_file_name", "remove_folder", "write_folder"]

# Names that Windows keeps for devices, with or without an extension.
_DEVICES = frozenset(["con", "prn", "aux", "nul"] + [f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)])
_FORBIDDEN = frozenset('<>:"\\|?*') | {chr(code) for code in range(32)} | {"\x7f"}
_LONGEST_NAME = 255  # bytes, on the file systems in use


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder with all its files, or leave nothing behind.

    Parameters
    ----------
    folder
        Must not exist. Folders above it are made where they are missing.
    files
        Name to bytes. Names are relative with ``/`` between folders, and safe on every system.

    Raises
    ------
    AnalysisError
        If the folder exists, a name is not safe, two names are one where case does not count, or the system
        refuses to write. On any failure, an interruption included, nothing of it is left.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as somewhere:
    ...     write_folder(Path(somewhere) / "rq-1", {"send/guide.md": b"# Guide"})
    ...     (Path(somewhere) / "rq-1" / "send" / "guide.md").read_text()
    '# Guide'
    """
    _check_names(files)
    if os.path.lexists(folder):
        raise AnalysisError(f"{folder} exists already and is left as it is. Choose another name or place.")
    made = _missing_above(folder)
    done = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # mkdtemp's own folder is readable by us alone; the folder inside it gets the usual permissions.
        holder = Path(tempfile.mkdtemp(prefix=".relook-", dir=folder.parent))
        try:
            _write_files(holder / folder.name, files)
            (holder / folder.name).rename(folder)
            done = True
        finally:
            shutil.rmtree(holder, ignore_errors=True)
        _sync_folder(folder.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnalysisError(
            f"The files could not be written to {folder}: {reason}. Nothing was left there. "
            "Check the free space and the permissions, or choose another place."
        ) from error
    finally:
        if not done:
            _remove_empty(made)


def remove_folder(folder: Path) -> None:
    """Remove a folder that :func:`write_folder` made; what cannot be removed is left.

    Parameters
    ----------
    folder
        Only ever one that this very process wrote a moment ago.
    """
    shutil.rmtree(folder, ignore_errors=True)


def check_file_name(name: str) -> None:
    """Check that a relative file name stays inside its folder and is a file name on every system.

    Parameters
    ----------
    name
        With ``/`` between folders.

    Raises
    ------
    AnalysisError
        If it leads out of the folder, or Windows, macOS or Linux would refuse or change it.

    Examples
    --------
    >>> check_file_name("send/tasks-ann.csv")
    >>> check_file_name("../secret")
    Traceback (most recent call last):
    ...
    analysis.errors.AnalysisError: '../secret' is not a safe file name: '..' leads elsewhere. Rename it.
    """
    for part in name.split("/"):
        if fault := _find_fault(part):
            raise AnalysisError(f"{name!r} is not a safe file name: {fault}. Rename it.")


def _find_fault(part: str) -> str | None:
    if not part:
        return "a part of it is empty"
    if part in {".", ".."}:
        return f"{part!r} leads elsewhere"
    if forbidden := sorted(_FORBIDDEN.intersection(part)):
        return f"it holds {forbidden[0]!r}"
    if part[-1] in ". " or part[0] == " ":
        return f"{part!r} starts or ends with a space, or ends with a dot"
    if part.split(".", maxsplit=1)[0].strip().casefold() in _DEVICES:
        return f"{part!r} is a device on Windows"
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        return "it holds a character that cannot be written"
    return f"{part[:20]!r}... is longer than {_LONGEST_NAME} bytes" if size > _LONGEST_NAME else None


def _check_names(files: Mapping[str, bytes]) -> None:
    seen: dict[str, str] = {}
    for name in files:
        check_file_name(name)
        folded = name.casefold()
        if folded in seen:
            raise AnalysisError(f"{seen[folded]!r} and {name!r} are one file where case does not count. Rename one.")
        seen[folded] = name
    for folded, name in seen.items():
        for parent in PurePosixPath(folded).parents:
            if str(parent) in seen:
                raise AnalysisError(f"{seen[str(parent)]!r} is a file and the folder of {name!r}. Rename one.")


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    folders = {folder}
    for name, data in files.items():
        path = folder.joinpath(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.update(parent for parent in path.parents if parent.is_relative_to(folder))
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    for made in folders:
        _sync_folder(made)


def _sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable, where the system can."""
    if os.name == "nt":
        return
    # Some network file systems refuse this for folders; the files' bytes are safe already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _missing_above(folder: Path) -> list[Path]:
    """List the folders above that will have to be made, the deepest first."""
    missing = []
    for parent in folder.absolute().parents:
        if parent.exists():
            break
        missing.append(parent)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            # Not made after all, or somebody else has put something into it meanwhile.
            return
