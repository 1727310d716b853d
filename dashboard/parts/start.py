"""The ``relook`` command from its very first moment: Ctrl+C ends it quietly even while libraries are imported."""

import sys

__all__ = ["main"]


def main() -> None:
    """Import the command line and run it."""
    try:
        from dashboard.cli import main as run  # noqa: PLC0415  (what takes long is imported where Ctrl+C is caught)
    except KeyboardInterrupt:
        sys.exit(130)
    run()
