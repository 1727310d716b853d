"""Names that become codes: annotators and classes. Codes are append-only and never change their meaning."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from analysis.store.sql import Fragment
from analysis.store.workspace import Writer

__all__ = ["add_annotators", "add_classes", "order_classes"]

_WHOLE: Final = re.compile(r"-?\d{1,18}")


def order_classes(names: Iterable[str]) -> list[str]:
    """Order class names as people read them: numbers by value, then text.

    Examples
    --------
    >>> order_classes(["10", "9", "b", "a"])
    ['9', '10', 'a', 'b']
    """
    return sorted(names, key=lambda name: (0, int(name), name) if _WHOLE.fullmatch(name) else (1, 0, name))


def add_classes(writer: Writer, names: Iterable[str]) -> tuple[str, ...]:
    """Append the classes that are new, and return them."""
    fresh = [name for name in names if name not in writer.classes]
    start = len(writer.classes)
    writer.execute_many(
        Fragment("INSERT INTO classes VALUES (?, ?)"),
        [(start + index, name) for index, name in enumerate(fresh)],
    )
    writer.forget()
    return tuple(fresh)


def add_annotators(writer: Writer, *, expert: bool) -> None:
    """Append the annotators of ``staged`` that are new, in order of their name.

    A pseudonym is drawn from the workspace's id and the code, so it is stable here and says nothing elsewhere.
    """
    if expert:
        writer.execute(Fragment("UPDATE annotators SET expert = TRUE WHERE name IN (SELECT annotator FROM staged)"))
    fresh = writer.fetch_all(
        Fragment(
            "SELECT DISTINCT annotator FROM staged WHERE annotator IS NOT NULL "
            "AND annotator NOT IN (SELECT name FROM annotators) ORDER BY annotator"
        )
    )
    start = int(writer.fetch_one(Fragment("SELECT coalesce(max(annotator), 0) + 1 FROM annotators"))[0])
    secret = writer.meta["workspace_id"]
    rows = [
        (start + index, name, _draw_pseudonym(secret, start + index), None, None, expert, None)
        for index, (name,) in enumerate(fresh)
    ]
    writer.execute_many(Fragment("INSERT INTO annotators VALUES (?, ?, ?, ?, ?, ?, ?)"), rows)


def _draw_pseudonym(secret: str, code: int) -> str:
    """Draw from the random workspace id, not from the name: a hash of a name can be guessed back."""
    digest = hashlib.sha256(f"{secret}/{code}".encode()).hexdigest()
    return f"person-{digest[:10]}"
