"""What the halves for discovery and confirmation go by: fixed when the first items come, for ever.

Kept apart from the halves themselves (``analysis.core.halves``), because loading fixes it and may not know of them.
"""

from typing import Final, Literal

from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot, Writer

__all__ = ["HalvesBy", "are_halves_fixed", "fix_halves", "halves_by", "has_groups"]

HalvesBy = Literal["item", "group"]

_KEY: Final = "halves_by"


def halves_by(snapshot: Snapshot) -> HalvesBy:
    """Return what the halves go by: what was fixed, else groups where there are any."""
    fixed = snapshot.meta.get(_KEY)
    if fixed is not None:
        return "group" if fixed == "group" else "item"
    return "group" if has_groups(snapshot) else "item"


def are_halves_fixed(snapshot: Snapshot) -> bool:
    """Tell whether items have come, so that nothing moves them between the halves any more."""
    return _KEY in snapshot.meta


def has_groups(snapshot: Snapshot) -> bool:
    """Tell whether an item has a group."""
    return bool(snapshot.fetch_one(Fragment("SELECT count(*) > 0 FROM items WHERE group_id IS NOT NULL"))[0])


def fix_halves(writer: Writer) -> HalvesBy | None:
    """Fix what the halves go by, once there are items; later calls change nothing.

    Every load calls it, before it takes anything in and after. Groups that are loaded later do not move items between
    the halves: the answers already given would then rest on rows they were searched in.

    Parameters
    ----------
    writer
        The one writer; no version needs bumping, since nothing that anybody sees changes.

    Returns
    -------
    {"item", "group"} or None
        None where there are no items yet: nothing is fixed then.
    """
    if not are_halves_fixed(writer):
        if not writer.fetch_one(Fragment("SELECT count(*) > 0 FROM items"))[0]:
            return None
        by = value(halves_by(writer))
        writer.execute(template("INSERT INTO meta (key, value) VALUES ({key}, {by})", key=value(_KEY), by=by))
        writer.forget()
    return halves_by(writer)
