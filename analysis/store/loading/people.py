"""Names that become codes: annotators and classes. Codes are append-only and never change their meaning."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from analysis.store.sql import Fragment, identifier, template
from analysis.store.workspace import Writer

__all__ = ["add_annotators", "add_classes", "add_names", "keep_known_names", "order_classes"]

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


def add_annotators(writer: Writer, *, expert: bool, column: Literal["annotator", "reviewer"] = "annotator") -> None:
    """Append the annotators (or reviewers) of ``staged`` that are new, in order of their name."""
    named = template("SELECT DISTINCT {column} FROM staged", column=identifier(column, ["annotator", "reviewer"]))
    if expert:
        writer.execute(template("UPDATE annotators SET expert = TRUE WHERE name IN ({named})", named=named))
    fresh = writer.fetch_all(
        template(
            "SELECT name FROM ({named}) AS named(name) WHERE name IS NOT NULL "
            "AND name NOT IN (SELECT name FROM annotators) ORDER BY name",
            named=named,
        )
    )
    add_names(writer, [name for (name,) in fresh], expert=expert)


def add_names(writer: Writer, names: Sequence[str], *, expert: bool = False) -> None:
    """Append annotators that are not there yet.

    A pseudonym is drawn from the workspace's id and the code, so it is stable here and says nothing elsewhere.
    """
    start = int(writer.fetch_one(Fragment("SELECT coalesce(max(annotator), 0) + 1 FROM annotators"))[0])
    secret = writer.meta["workspace_id"]
    rows = [(start + index, name, _draw_pseudonym(secret, start + index), expert) for index, name in enumerate(names)]
    writer.execute_many(
        Fragment("INSERT INTO annotators (annotator, name, pseudonym, expert) VALUES (?, ?, ?, ?)"), rows
    )


def keep_known_names(writer: Writer, pairs: Iterable[tuple[str, str]], reason: str) -> None:
    """Keep that a file gives two names for one person, such as an id and an e-mail; it proposes a merge, no more.

    Parameters
    ----------
    writer
        The one writer.
    pairs
        The name that the votes carry, and the other one.
    reason
        Where it is said, as a sentence of a proposal: "the export gives both".
    """
    known = set(writer.fetch_all(Fragment("SELECT name, other FROM known_names")))
    fresh = [(name, other, reason) for name, other in dict.fromkeys(pairs) if name != other]
    writer.execute_many(
        Fragment("INSERT INTO known_names (name, other, reason) VALUES (?, ?, ?)"),
        [row for row in fresh if row[:2] not in known],
    )


def _draw_pseudonym(secret: str, code: int) -> str:
    """Draw from the random workspace id, not from the name: a hash of a name can be guessed back."""
    digest = hashlib.sha256(f"{secret}/{code}".encode()).hexdigest()
    return f"person-{digest[:10]}"
