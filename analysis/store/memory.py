"""How much memory the databases of a load may take; what does not fit is spilled to disk.

DuckDB alone would take four fifths of the machine, and a load runs two of them beside Python: one that reads the
files and one that writes the workspace. So each has its share.
"""

import os
import re
from typing import Final

from analysis.errors import AnalysisError

__all__ = ["READING", "VARIABLE", "WRITING", "find_limit"]

VARIABLE: Final = "RELOOK_MEMORY"
"""The environment variable with what a load may take in all, such as ``2GB``; the machine's memory if not set."""

READING: Final = 0.2
"""Share of the memory for a file that is read."""
WRITING: Final = 0.35
"""Share of the memory for the workspace while it is written; the rest is for Python and for batches on their way."""

_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(k|m|g|t)i?b?\s*", re.IGNORECASE)
_BYTES: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SMALLEST: Final = 256 << 20


def find_limit(share: float) -> str:
    """Return a database's memory limit as DuckDB takes it.

    Parameters
    ----------
    share
        Of all the memory, 0 to 1.

    Raises
    ------
    AnalysisError
        If the environment variable is no size, or smaller than a load can work in.

    Examples
    --------
    >>> find_limit(0.35)
    '35%'
    """
    said = os.environ.get(VARIABLE)
    if not said:
        return f"{share:.0%}"
    size = _SIZE.fullmatch(said)
    found = float(size[1]) * _BYTES[size[2].lower()] if size is not None else 0.0
    if found < _SMALLEST:
        raise AnalysisError(f"{VARIABLE} is a size of at least 256MB, such as 2GB; got {said!r}.")
    return f"{int(found * share) >> 20}MiB"
