"""Whether the rows of a file without ids can be matched to the items of a split by their position.

They are rows of the same table that the items came from. Where rows of that table were left out, or items came from
elsewhere, the counts may still agree by chance, and every row would silently go to its neighbour's item.
"""

from typing import Final

from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot, Writer

__all__ = ["find_shift", "keep_shift"]

_KEY: Final = "shifted:"


def keep_shift(writer: Writer, items: Fragment, why: str) -> None:
    """Remember of the splits of some items that their order is no longer that of one table.

    Parameters
    ----------
    writer
        The one writer, after the items were taken in.
    items
        A table or query with the column ``split``.
    why
        A clause for people, such as ``"3 rows of eval.csv were left out"``; the first one of a split is kept.
    """
    for (split,) in writer.fetch_all(template("SELECT DISTINCT split FROM {items} ORDER BY 1", items=items)):
        if find_shift(writer, split) is None:
            writer.execute(
                template("INSERT INTO meta (key, value) VALUES ({key}, {why})", key=value(_KEY + split), why=value(why))
            )
            writer.forget()


def find_shift(snapshot: Snapshot, split: str) -> str | None:
    """Return why items of a split are not in the order of one table; None where they are."""
    return snapshot.meta.get(_KEY + split)
