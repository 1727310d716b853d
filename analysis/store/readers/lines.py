"""Small lists in text files, one entry a line."""

from pathlib import Path

from analysis.errors import FileFaultError

__all__ = ["read_lines"]


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the non-empty lines of a UTF-8 file, without the spaces around them.

    Raises
    ------
    FileFaultError
        If the file cannot be read or holds nothing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFaultError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise FileFaultError(f"{path} is empty. Write one entry a line.")
    return lines
