"""Items whose columns say the same: exactly, or after rounding. Counted in SQL.

Rows are first told apart by a hash and then, where hashes are equal, by their values: what is returned is equal,
not probably equal. Columns that relook computed itself (role ``derived``) are left out: they follow from others.
"""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.store.sql import Fragment, column_of, identifier, join, template
from analysis.store.workspace import Column, Snapshot

__all__ = ["Repeats", "count_repeats", "find_same_items", "list_content"]

_NUMBERS: Final = ("BIGINT", "DOUBLE")


@dataclass(frozen=True)
class Repeats:
    """How often contents repeat.

    Attributes
    ----------
    leaks
        Contents that stand in more than one split.
    repeats
        Items beyond the first of each content in their split; items of one group count as one.
    """

    leaks: int
    repeats: int


def list_content(snapshot: Snapshot) -> list[Column]:
    """Return the user's columns that are kept, without those that relook computed."""
    return [column for column in snapshot.columns if column.stored_as is not None and column.role != "derived"]


def _places(snapshot: Snapshot, *, rounded: bool) -> list[Fragment]:
    places = []
    for column in list_content(snapshot):
        stored = str(column.stored_as)
        place = column_of("f", identifier(stored, [stored]))
        if rounded and column.type in _NUMBERS:
            # Adding zero makes -0 and 0 one number.
            place = template("format('{{:.2e}}', CAST({place} AS DOUBLE) + 0.0)", place=place)
        elif rounded and column.type == "VARCHAR":
            place = template(
                "trim(regexp_replace(lower(nfc_normalize({place})), '[^\\p{{L}}\\p{{M}}\\p{{N}}]+', ' ', 'g'))",
                place=place,
            )
        places.append(place)
    return places


def _same_items(snapshot: Snapshot, *, rounded: bool) -> Fragment | None:
    """Return a query for ``item, first``: items that are not alone, each with the first item that says the same."""
    places = _places(snapshot, rounded=rounded)
    if not places:
        return None
    return template(
        "WITH hashed AS (SELECT f.item, hash({places}) AS h FROM features f WHERE NOT ({absent})), "
        "repeated AS (SELECT item FROM hashed WHERE h IN (SELECT h FROM hashed GROUP BY h HAVING count(*) > 1)), "
        "content AS (SELECT f.item, min(f.item) OVER (PARTITION BY {places}) AS first, "
        "count(*) OVER (PARTITION BY {places}) AS n FROM features f WHERE f.item IN (SELECT item FROM repeated)) "
        "SELECT item, first FROM content WHERE n > 1",
        places=join(", ", places),
        absent=join(" AND ", [template("{place} IS NULL", place=place) for place in places]),
    )


def find_same_items(snapshot: Snapshot, *, rounded: bool = False) -> pd.DataFrame:
    """Find items that say the same as another.

    Parameters
    ----------
    snapshot
        The workspace.
    rounded
        Compare numbers by their first three digits, and texts by letters and digits in lower case. Numbers on two
        sides of a rounding border differ then, however near they are.

    Returns
    -------
    DataFrame
        ``item, first`` (int64): every item that is not alone, with the first item that says the same, by first and
        item. Items without any value are like no other; two missing values say the same.
    """
    query = _same_items(snapshot, rounded=rounded)
    if query is None:
        return pd.DataFrame({"item": [], "first": []}, dtype="int64")
    return snapshot.fetch(template("{query} ORDER BY first, item", query=query)).astype("int64")


def count_repeats(snapshot: Snapshot) -> Repeats:
    """Count exact repeats inside splits and between them."""
    query = _same_items(snapshot, rounded=False)
    if query is None:
        return Repeats(0, 0)
    leaks, repeats = snapshot.fetch_one(
        template(
            "SELECT count(*) FILTER (splits > 1), coalesce(sum(members - splits), 0) FROM ("
            "SELECT count(DISTINCT i.split) AS splits, count(DISTINCT (i.split, i.group_id IS NULL, "
            "coalesce(i.group_id, CAST(i.item AS VARCHAR)))) AS members "
            "FROM ({query}) s JOIN items i ON i.item = s.item GROUP BY s.first)",
            query=query,
        )
    )
    return Repeats(int(leaks), int(repeats))
