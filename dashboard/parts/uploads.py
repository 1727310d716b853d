"""Files on their way in: where uploads lie until they are loaded, and which paths a page may read."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from analysis.errors import AnalysisError
from dashboard.parts.plain import escape_markdown

__all__ = ["Uploads", "find_in_root", "keep_uploads", "list_names"]

_SHOWN_NAMES = 40


class Uploads:
    """Uploaded files in a folder of their own, which goes with this object at the latest.

    A session holds it, and so does a job that reads the files: once the session is closed and the job has ended,
    nobody needs them, and nobody could say so.

    Attributes
    ----------
    paths
        With the browser's names; files of one name lie in folders of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.paths: tuple[Path, ...] = ()
        self._folder = folder
        # It also runs when this process ends.
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def add(self, upload: BinaryIO) -> None:
        """Write one file of a browser."""
        # The browser's name without any folder in it.
        name = Path(upload.name).name
        path = self._folder / str(len(self.paths)) / name
        path.parent.mkdir()
        with path.open("wb") as target:
            shutil.copyfileobj(upload, target)
        self.paths += (path,)

    def drop(self) -> None:
        """Remove the files now."""
        self._remove()


def find_in_root(text: str, root: Path) -> Path:
    """Return a file below the folder that the dashboard may read.

    Raises
    ------
    AnalysisError
        If the path leads out of it: whoever reaches the page must not read the whole machine. Also if it is no path
        at all, such as one below the home of a user who does not exist.
    """
    try:
        found = (root / Path(text).expanduser()).resolve()
        inside = found.is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise AnalysisError(f"{text!r} is no path to a file. Name a file below {root}, such as train.csv.") from error
    if not inside:
        raise AnalysisError(
            f"{text} is not below {root}. Start the dashboard with --data-root FOLDER to allow another folder."
        )
    return found


def list_names(names: Sequence[str]) -> str:
    """Write names with commas, the first forty, and how many more there are."""
    shown = ", ".join(map(escape_markdown, names[:_SHOWN_NAMES]))
    rest = len(names) - _SHOWN_NAMES
    return shown + (f" and {rest:,} more" if rest > 0 else "")


def keep_uploads(uploads: Sequence[BinaryIO]) -> Uploads:
    """Write uploaded files to a folder of their own, where a job reads them.

    Raises
    ------
    AnalysisError
        If a file has a name that the disk does not take, or does not fit on it.
    """
    name = ""
    kept: Uploads | None = None
    try:
        kept = Uploads(Path(tempfile.mkdtemp(prefix="relook-upload-")))
        for upload in uploads:
            name = upload.name
            kept.add(upload)
    except (OSError, ValueError) as error:
        if kept is not None:
            kept.drop()
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        shown = name if len(name) <= _SHOWN_NAMES else name[:_SHOWN_NAMES] + "..."
        raise AnalysisError(
            f"The upload {shown!r} could not be kept: {why}. Rename it or free space on the server, or name a path."
        ) from error
    return kept
