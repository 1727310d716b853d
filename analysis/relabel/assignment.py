"""Who gets which item: k different people each, nobody who has already labelled it, loads as even as can be.

Giving items to people so that loads are even is the semi-matching problem. A greedy start is improved along
cost-reducing paths: as long as somebody can hand an item on, perhaps through others, to a person with at
least two items fewer, the items move one place along that path. When no such path is left the loads are the
most even possible: no other assignment has a smaller maximum or a smaller sum of squares (Harvey, Ladner,
Lovász and Tamir, "Semi-matchings for bipartite graphs and load balancing", Journal of Algorithms 59, 2006,
theorem 3.1; https://doi.org/10.1016/j.jalgor.2005.01.003).
"""

from collections import deque
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from analysis.errors import AnalysisError

__all__ = ["assign_items"]


def assign_items(
    seen_by: Sequence[Collection[str]], people: Sequence[str], votes_per_item: int
) -> list[tuple[str, ...]]:
    """Give each item to k people who have not labelled it, as evenly as possible.

    No chance is involved: the same input gives the same assignment. Callers bring the items in an order that
    says nothing about them, so that the assignment says nothing either.

    Parameters
    ----------
    seen_by
        (N,) for each item, who must not get it. Names that are not among `people` are ignored.
    people
        (P,) who can get items; distinct.
    votes_per_item
        k >= 1, people an item.

    Returns
    -------
    list of tuple of str
        (N,) k different people for each item, in the order of `people`. The loads have the smallest possible
        sum of squares; where nobody is excluded they differ by at most one.

    Raises
    ------
    AnalysisError
        If fewer than k people may get an item.

    Notes
    -----
    Memory is O(N P). The greedy start takes O(N P); each step along a path O(N k) at worst, and there are
    none where nobody is excluded.

    Examples
    --------
    >>> assign_items([{"ann"}, {"bob"}, set()], ["ann", "bob", "cid"], 2)
    [('bob', 'cid'), ('ann', 'cid'), ('ann', 'bob')]
    """
    position = {person: index for index, person in enumerate(people)}
    everyone = frozenset(range(len(people)))
    allowed = [everyone - {position[name] for name in seen if name in position} for seen in seen_by]
    for index, may in enumerate(allowed):
        if len(may) < votes_per_item:
            raise AnalysisError(
                f"Item {index + 1} needs {votes_per_item} people who have not labelled it yet, but only "
                f"{len(may)} of {len(people)} have not. Assign more people or ask for fewer votes an item."
            )
    holders = _assign_greedily(allowed, len(people), votes_per_item)
    _even_out(allowed, holders, len(people))
    return [tuple(people[person] for person in sorted(held)) for held in holders]


def _assign_greedily(allowed: Sequence[AbstractSet[int]], people: int, votes: int) -> list[set[int]]:
    """Give each item to the least loaded who may have it; items with the least choice first."""
    loads = [0] * people
    holders: list[set[int]] = [set() for _ in allowed]
    for item in sorted(range(len(allowed)), key=lambda index: (len(allowed[index]), index)):
        chosen = sorted(allowed[item], key=lambda person: (loads[person], person))[:votes]
        for person in chosen:
            loads[person] += 1
        holders[item].update(chosen)
    return holders


def _even_out(allowed: Sequence[AbstractSet[int]], holders: list[set[int]], people: int) -> None:
    """Move items along cost-reducing paths until there is none; changes `holders` in place."""
    # Dictionaries as ordered sets: a set of items would be walked in hash order.
    held: list[dict[int, None]] = [{} for _ in range(people)]
    for item, persons in enumerate(holders):
        for person in sorted(persons):
            held[person][item] = None
    settled: set[int] = set()
    while len(settled) < people:
        heaviest = max(
            (person for person in range(people) if person not in settled),
            key=lambda person: (len(held[person]), -person),
        )
        lightest = min(len(items) for items in held)
        if len(held[heaviest]) - lightest <= 1:
            return
        path = _find_path(heaviest, allowed, holders, held)
        if not path:
            # Nobody within reach is two lighter, and that stays so. Who is still open has no more items than
            # this person, and whoever this person reaches has at most one fewer: so no later path can end
            # among them, and what they hold no longer changes.
            settled.add(heaviest)
        for item, giver, taker in path:
            holders[item].remove(giver)
            holders[item].add(taker)
            del held[giver][item]
            held[taker][item] = None


def _find_path(
    start: int,
    allowed: Sequence[AbstractSet[int]],
    holders: Sequence[AbstractSet[int]],
    held: Sequence[dict[int, None]],
) -> list[tuple[int, int, int]]:
    """Find moves (item, giver, taker) that lead from `start` to the lightest person within reach.

    Empty if nobody within reach has at least two items fewer.
    """
    came_by: dict[int, tuple[int, int, int]] = {}
    reached = {start}
    queue = deque([start])
    while queue and len(reached) < len(held):
        giver = queue.popleft()
        for item in held[giver]:
            for taker in sorted(allowed[item] - holders[item] - reached):
                reached.add(taker)
                came_by[taker] = (item, giver, taker)
                queue.append(taker)
            if len(reached) == len(held):
                break
    end = min(reached, key=lambda person: (len(held[person]), person))
    if len(held[start]) - len(held[end]) <= 1:
        return []
    path = []
    while end != start:
        path.append(came_by[end])
        end = came_by[end][1]
    return path[::-1]
