"""Near duplicates among plain texts, and groups of whatever is alike.

Nothing here compares everything with everything: candidates come from equal parts (bands), and every candidate is
then measured exactly. What is returned is therefore right; what could be missed is said of each function.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analysis.core.buckets import iterate_buckets
from analysis.core.shingles import ShingleSets, compute_similarities, fold_text, to_shingles
from analysis.errors import AnalysisError
from analysis.watch import Watch

__all__ = ["choose_bands", "find_near_texts", "to_groups"]

_MISSED: Final = 1e-3
"""The probability with which a pair exactly at the threshold is missed."""
_MOST_HASHES: Final = 160
_MOST_ROWS: Final = 16
_CROWD: Final = 100
_WITNESSES: Final = 8
_SHINGLES_AT_ONCE: Final = 1 << 16  # their hashes stay in the processor's cache

_Indices = NDArray[np.int64]


def choose_bands(threshold: float) -> tuple[int, int]:
    """Choose bands and rows of a MinHash signature so that a pair at the threshold is missed once in a thousand.

    A pair of similarity s is a candidate with probability ``1 - (1 - s^rows)^bands`` (Leskovec, Rajaraman, Ullman,
    section 3.4.2). Among all choices with at most 160 hashes the one with most rows has the fewest false candidates.

    Parameters
    ----------
    threshold
        The similarity from which on pairs are wanted, above 0, at most 1.

    Returns
    -------
    tuple of int and int
        Bands and rows.

    Raises
    ------
    AnalysisError
        If the threshold is out of range, or too low for 160 hashes.

    Examples
    --------
    >>> choose_bands(0.8), choose_bands(0.5)
    ((23, 6), (52, 3))
    """
    if not 0 < threshold <= 1:
        raise AnalysisError(f"The threshold of similarity is a number above 0 and at most 1, got {threshold:g}.")
    best = None
    for rows in range(1, _MOST_ROWS + 1):
        chance = threshold**rows
        bands = 1 if chance >= 1 else math.ceil(math.log(_MISSED) / math.log1p(-chance))
        if bands * rows <= _MOST_HASHES:
            best = bands, rows
    if best is None:
        raise AnalysisError(f"A threshold of {threshold:g} is too low to find pairs by bands. Take 0.05 or more.")
    return best


def find_near_texts(
    texts: Sequence[str | None], *, threshold: float = 0.8, seed: int = 0, watch: Watch | None = None
) -> pd.DataFrame:
    """Find pairs of texts that say almost the same.

    Texts are folded (:func:`~analysis.core.shingles.fold_text`) and compared by the Jaccard similarity of their
    five-character shingles. Candidates come from MinHash signatures cut into bands.

    Parameters
    ----------
    texts
        N texts; missing ones, and those without a letter or digit, are like no other.
    threshold
        The least similarity of a pair, above 0 to 1.
    seed
        Of the hash functions.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    DataFrame
        ``a, b, similarity`` (int64, int64, float64 in threshold..1), one row a pair of positions with a < b, in
        their order. Similarities are exact. Texts equal after folding are all paired with the first of them, with
        similarity 1; other pairs name these first ones. A pair at the threshold is missed with probability 0.001,
        one above it with less.

    Raises
    ------
    AnalysisError
        If the threshold is out of range.

    Notes
    -----
    Time: (characters x about 140 hashes) + candidates; memory: about 40 bytes a character. Where more than 100
    different texts share a band (a template with a number in it), each is compared with the first eight of them in
    that band, not with all: most such groups come out whole, but not all their pairs are listed.
    ``attrs["crowded"]`` counts the texts that this concerns.

    Examples
    --------
    >>> find_near_texts(["My parcel never came.", "my parcel NEVER came", "Thanks", "My parcel never came!!! 1"])
       a  b  similarity
    0  0  1    1.000000
    1  0  3    0.888889
    """
    bands, rows = choose_bands(threshold)
    watch = watch or Watch()
    watch.tell("Comparing texts", 0, len(texts))
    first: dict[str, int] = {}
    same: list[tuple[int, int]] = []
    for position, text in enumerate(texts):
        folded = fold_text(text) if text is not None else ""
        if folded and first.setdefault(folded, position) != position:
            same.append((first[folded], position))
    sets = to_shingles(list(first))
    places = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    signatures = _compute_signatures(sets, bands * rows, seed, watch)
    keys = [_to_key(signatures[:, k * rows : (k + 1) * rows]) for k in range(bands)]
    a, b, crowded = _find_candidates(keys, len(sets), watch)
    similarity = compute_similarities(sets, a, b, watch)
    near = similarity >= threshold
    equal = np.asarray(same, dtype=np.int64).reshape(-1, 2)
    found = pd.DataFrame(
        {
            "a": np.concatenate([places[a[near]], equal[:, 0]]),
            "b": np.concatenate([places[b[near]], equal[:, 1]]),
            "similarity": np.concatenate([similarity[near], np.ones(len(equal))]),
        }
    ).sort_values(["a", "b"], ignore_index=True)
    found.attrs["crowded"] = crowded
    return found


def _compute_signatures(sets: ShingleSets, hashes: int, seed: int, watch: Watch) -> NDArray[np.uint32]:
    """Return ``(N, hashes)``: for each hash function the least value over a text's shingles (Broder 1997).

    The functions are the upper half of a x + b modulo 2^64 with a odd (Dietzfelbinger 1996).
    """
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, 2**64, hashes, dtype=np.uint64) | np.uint64(1)
    shifts = rng.integers(0, 2**64, hashes, dtype=np.uint64)
    # Codes that differ only in high bits would keep their order under every such function.
    codes = _scatter(sets.codes)
    signatures = np.empty((len(sets), hashes), dtype=np.uint32)
    text = 0
    while text < len(sets):
        end = int(np.searchsorted(sets.starts, sets.starts[text] + _SHINGLES_AT_ONCE, side="right")) - 1
        end = min(max(end, text + 1), len(sets))
        watch.tell("Comparing texts", text, len(sets))
        low, high = sets.starts[text], sets.starts[end]
        block, starts = codes[low:high], sets.starts[text:end] - low
        for k in range(hashes):
            hashed = (block * factors[k] + shifts[k]) >> np.uint64(32)
            signatures[text:end, k] = np.minimum.reduceat(hashed, starts)
        text = end
    return signatures


def _scatter(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread codes over 64 bits, one to one (the finaliser of MurmurHash3, Appleby)."""
    mixed = codes ^ (codes >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _to_key(rows: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return one number for each band; bands that differ may share one, which costs a candidate and no more."""
    key = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        key = _scatter(key + column.astype(np.uint64) + np.uint64(1))
    return key


def _find_candidates(
    keys: Sequence[NDArray[np.unsignedinteger]], n: int, watch: Watch
) -> tuple[_Indices, _Indices, int]:
    """Return the pairs that share a key, each once, and how many texts are in crowds."""
    found = np.zeros(0, dtype=np.int64)
    crowded: set[int] = set()
    for number, key in enumerate(keys):
        watch.tell("Looking for candidates", number, len(keys))
        fresh = []
        for members in iterate_buckets(key):
            # Witnesses are the first and therefore often the same in every band.
            known = members[:_WITNESSES] if len(members) > _CROWD else members
            if len(members) > _CROWD:
                crowded.update(members.tolist())
            a, b = np.repeat(known, len(members)), np.tile(members, len(known))
            fresh.append((a * n + b)[a < b])
        if fresh:
            found = np.union1d(found, np.concatenate(fresh))
    return found // n if n else found, found % n if n else found, len(crowded)


def to_groups(pairs: pd.DataFrame, n: int) -> NDArray[np.int64]:
    """Join pairs to groups: whoever is connected through pairs is together (connected components).

    Parameters
    ----------
    pairs
        With columns ``a`` and ``b``, positions from 0 to n - 1.
    n
        How many there are.

    Returns
    -------
    ndarray
        ``(n,) int64``: for each its group's first member, its own position where it is alone.

    Examples
    --------
    >>> to_groups(pd.DataFrame({"a": [0, 3], "b": [3, 4]}), 5).tolist()
    [0, 1, 2, 0, 0]
    """
    a, b = pairs["a"].to_numpy(np.int64), pairs["b"].to_numpy(np.int64)
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    _count, label = connected_components(graph, directed=False)
    firsts = np.full(n, n, dtype=np.int64)
    np.minimum.at(firsts, label, np.arange(n, dtype=np.int64))
    return np.asarray(firsts[label], dtype=np.int64)
