"""Duplicates as a short text and a table for a terminal."""

from typing import Final

from analysis.commands.duplicates import DuplicateGroup, DuplicatesResult
from analysis.commands.text import Report, Table, describe_count

__all__ = ["describe_duplicates"]

_SHOWN_GROUPS: Final = 20
_SHOWN_ITEMS: Final = 5
_WORDS: Final = {"exact": "equal columns", "text": "texts", "image": "pictures", "rows": "rounded columns"}


def describe_duplicates(result: DuplicatesResult) -> Report:
    """Describe groups of items that are alike, the first twenty."""
    alike = "almost equal" if result.near else "equal"
    inside = "" if result.split is None else f" in {result.split}"
    n = len(result.groups)
    line = f"{describe_count(n)} group{'s' * (n != 1)} of {alike} items{inside}"
    line += "." if result.split is not None or not n else f", {result.leaks:,} of them in more than one split."
    if n:
        line += f" {describe_count(result.repeats)} item{'s' * (result.repeats != 1)} repeat another of the same split."
    shown = result.groups[:_SHOWN_GROUPS]
    rows = tuple(
        (
            _WORDS[group.kind],
            describe_count(len(group.items)),
            "–" if group.similarity is None else f"{group.similarity:.3f}",
            _name_items(group),
        )
        for group in shown
    )
    notes = list(result.notes)
    if not result.near:
        notes.append("Equal is what is equal in every column; --near also finds items with the same text or picture.")
    if n > len(shown):
        notes.append(f"The first {len(shown)} of {n:,} are shown; --format json lists all.")
    header = ("Alike by", "Items", "Similarity", "Which")
    return Report((line,), (Table("Groups", header, rows, frozenset(header[1:3])),), tuple(notes))


def _name_items(group: DuplicateGroup) -> str:
    names = [f"{item.item_id} ({item.split})" for item in group.items[:_SHOWN_ITEMS]]
    rest = len(group.items) - len(names)
    return ", ".join(names) + (f" and {rest:,} more" if rest else "")
