"""Discovery and confirmation: two halves of the items, fixed once per workspace.

What is found in one half is confirmed in the other, so nothing may ever reroll them. The half of an item is one bit
of an MD5 sum (RFC 1321) of the workspace's seed and the item's key: the same in every version of every database,
on every machine, and without a stored table. The key is the group where the item has one, so that a group is whole
in one half (rows of one person in both halves "confirm" whatever is peculiar to that person), else split and id.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from analysis.store.halves import HalvesBy, are_halves_fixed, fix_halves, halves_by, has_groups
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot

__all__ = ["Halves", "HalvesBy", "describe_halves", "find_half", "fix_halves", "half_sql", "halves_by"]

Half = Literal["discovery", "confirmation"]

_SIGN: Final = "\x1f"  # ASCII's unit separator: in no seed, and in hardly any id


@dataclass(frozen=True)
class Halves:
    """The halves of one split, or of all items.

    Attributes
    ----------
    by
        Whether whole groups or single items are in a half.
    fixed
        Items have come, and so the halves stay by what they are.
    split
        Of which split; None for all items.
    discovery, confirmation
        How many items are in each.
    late_groups
        Groups became known after the halves were fixed by item: rows of one group may be in both.
    """

    by: HalvesBy
    fixed: bool
    split: str | None
    discovery: int
    confirmation: int
    late_groups: bool


def find_half(seed: str, split: str, item_id: str, group_id: str | None = None) -> Half:
    """Return the half of one item; what :func:`half_sql` says, in Python.

    Parameters
    ----------
    seed
        The workspace's ``meta.seed``, a number as text.
    split, item_id
        The item.
    group_id
        Its group, or None where it has none or the halves are by item.

    Returns
    -------
    {"discovery", "confirmation"}

    Examples
    --------
    >>> find_half("1", "eval", "i7"), find_half("1", "eval", "i8", "ana") == find_half("1", "train", "i9", "ana")
    ('discovery', True)
    """
    key = ("item", split, item_id) if group_id is None else ("group", group_id)
    digest = hashlib.md5(_SIGN.join((seed, *key)).encode("utf-8"), usedforsecurity=False).digest()
    return "confirmation" if digest[-1] & 1 else "discovery"


def half_sql(snapshot: Snapshot) -> Fragment:
    """Return the half of an item as SQL: ``'discovery'`` or ``'confirmation'``.

    Parameters
    ----------
    snapshot
        The workspace, for its seed and what the halves go by.

    Returns
    -------
    Fragment
        An expression over ``i``, the items.
    """
    sign = value(_SIGN)
    one = template("concat_ws({sign}, 'item', i.split, i.item_id)", sign=sign)
    key = one
    if halves_by(snapshot) == "group":
        key = template(
            "CASE WHEN i.group_id IS NULL THEN {one} ELSE concat_ws({sign}, 'group', i.group_id) END",
            one=one,
            sign=sign,
        )
    # The last hexadecimal digit holds the sum's last bit.
    return template(
        "CASE WHEN right(md5(concat_ws({sign}, {seed}, {key})), 1) IN ('1', '3', '5', '7', '9', 'b', 'd', 'f') "
        "THEN 'confirmation' ELSE 'discovery' END",
        sign=sign,
        seed=value(snapshot.meta["seed"]),
        key=key,
    )


def describe_halves(snapshot: Snapshot, split: str | None = None) -> Halves:
    """Count the items of the halves.

    Parameters
    ----------
    snapshot
        The workspace.
    split
        Which split; None counts all items.

    Returns
    -------
    Halves
    """
    by = halves_by(snapshot)
    fixed = are_halves_fixed(snapshot)
    inside = Fragment("TRUE") if split is None else template("i.split = {split}", split=value(split))
    discovery, items = snapshot.fetch_one(
        template(
            "SELECT count(*) FILTER ({half} = 'discovery'), count(*) FROM items i WHERE {inside}",
            half=half_sql(snapshot),
            inside=inside,
        )
    )
    late = fixed and by == "item" and has_groups(snapshot)
    return Halves(by, fixed, split, discovery, items - discovery, late)
