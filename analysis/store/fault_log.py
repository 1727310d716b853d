"""Faults of ours, kept where the user can send them from."""

import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["write_fault_log"]


def write_fault_log(error: BaseException) -> Path:
    """Write what happened into a file of its own and return its path.

    Parameters
    ----------
    error
        What was raised and is no :class:`analysis.errors.AnalysisError`.

    Returns
    -------
    Path
        In a new temporary folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="relook-"))
    log = folder / f"fault-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return log
