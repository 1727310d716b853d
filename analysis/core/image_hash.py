"""Near duplicates among pictures: difference hashes that differ in few bits, thumbnails that differ little.

The difference hash asks of 64 neighbouring pixels of a tiny grey picture which is brighter (Krawetz 2013, "Kind of
like that"); scaling and compressing hardly change it. Alone it takes all pictures of one simple shape for alike, so
the thumbnail confirms.
"""

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.core.buckets import iterate_buckets
from analysis.errors import AnalysisError
from analysis.watch import Watch

__all__ = ["find_near_hashes", "find_near_pictures"]

_BITS: Final = 64
_BYTES: Final = 8
_MOST_DISTANCE: Final = 14  # sixteen bands of four bits; shorter ones would find everything
_CELLS: Final = 1 << 21  # of a square of pairs, compared at once
_PAIRS_AT_ONCE: Final = 1 << 16

_Indices = NDArray[np.int64]
_Confirm = Callable[[_Indices, _Indices], NDArray[np.bool_]]


def find_near_hashes(hashes: NDArray[np.uint64], *, max_distance: int = 6, watch: Watch | None = None) -> pd.DataFrame:
    """Find all pairs of 64-bit hashes that differ in few bits.

    Parameters
    ----------
    hashes
        ``(N,) uint64``, such as difference hashes of pictures.
    max_distance
        The most bits that may differ, 0 to 14.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    DataFrame
        ``a, b, distance`` (int64), one row a pair of positions with a < b, in their order. Equal hashes are all
        paired with the first of them; other pairs name these first ones. No pair is missed.

    Raises
    ------
    AnalysisError
        If ``max_distance`` is out of range.

    Notes
    -----
    Cut into d + 2 bands, two hashes that differ in at most d bits agree in at least two bands, so that candidates
    are those that agree in two (Manku, Jain, Das Sarma 2007, "Detecting near-duplicates for web crawling"). With
    d = 6 these are 28 sorts of N keys of 16 bits and, for hashes that are spread evenly, N^2 / 4,700 candidates.

    Examples
    --------
    >>> find_near_hashes(np.array([0b1111, 0b1110, 2**63, 0b1111], dtype=np.uint64), max_distance=1)
       a  b  distance
    0  0  1         1
    1  0  3         0
    """
    firsts, again = _find_equal(hashes)
    a, b, distance = _find_pairs(hashes[firsts], max_distance, lambda a, _b: np.ones(len(a), dtype=bool), watch)
    return _to_frame(firsts, a, b, distance, again)


def find_near_pictures(
    prints: NDArray[np.uint8], *, max_distance: int = 6, max_difference: float = 2.0, watch: Watch | None = None
) -> pd.DataFrame:
    """Find all pairs of pictures that look alike.

    Parameters
    ----------
    prints
        ``(N, 8 + T) uint8``: of each picture its 64-bit difference hash, then T grey values of a thumbnail.
    max_distance
        The most bits in which hashes may differ, 0 to 14.
    max_difference
        The most grey levels (0 to 255) by which two thumbnails may differ in the mean.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    DataFrame
        As :func:`find_near_hashes` returns; equal prints are all paired with the first of them. No pair is missed.

    Raises
    ------
    AnalysisError
        If ``max_distance`` is out of range.

    Notes
    -----
    Candidates as in :func:`find_near_hashes`. Pictures that share one hash (plain areas) are compared with each
    other: time is quadratic in their number, memory is not.

    Examples
    --------
    >>> prints = np.zeros((3, 72), dtype=np.uint8)
    >>> prints[1, 8:], prints[2, 8:] = 1, 200
    >>> find_near_pictures(prints)
       a  b  distance
    0  0  1         0
    """
    rows = np.ascontiguousarray(prints)
    firsts, again = _find_equal(rows.view(np.dtype((np.void, rows.shape[1]))).ravel())
    kept = rows[firsts]
    thumbnails = kept[:, _BYTES:].astype(np.int16)
    hashes = np.ascontiguousarray(kept[:, :_BYTES]).view(np.uint64).ravel()

    def confirm(a: _Indices, b: _Indices) -> NDArray[np.bool_]:
        return np.asarray(np.abs(thumbnails[a] - thumbnails[b]).mean(axis=1) <= max_difference)

    a, b, distance = _find_pairs(hashes, max_distance, confirm, watch)
    return _to_frame(firsts, a, b, distance, again)


def _find_equal(values: NDArray[np.generic]) -> tuple[_Indices, tuple[_Indices, _Indices]]:
    """Return the first position of each value in order, and those that come again with their first."""
    _unique, places, inverse = np.unique(values, return_index=True, return_inverse=True)
    first = places[inverse.ravel()].astype(np.int64) if len(values) else np.zeros(0, dtype=np.int64)
    again = np.flatnonzero(first != np.arange(len(values)))
    return np.sort(places).astype(np.int64), (first[again], again)


def _to_frame(
    firsts: _Indices, a: _Indices, b: _Indices, distance: _Indices, again: tuple[_Indices, _Indices]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": np.concatenate([firsts[a], again[0]]),
            "b": np.concatenate([firsts[b], again[1]]),
            "distance": np.concatenate([distance, np.zeros(len(again[0]), dtype=np.int64)]),
        }
    ).sort_values(["a", "b"], ignore_index=True)


def _find_pairs(
    hashes: NDArray[np.uint64], max_distance: int, confirm: _Confirm, watch: Watch | None
) -> tuple[_Indices, _Indices, _Indices]:
    """Return the confirmed pairs among hashes, each once."""
    if not 0 <= max_distance <= _MOST_DISTANCE:
        raise AnalysisError(f"The distance is a whole number of bits from 0 to 14, got {max_distance}.")
    watch = watch or Watch()
    edges = np.linspace(0, _BITS, max_distance + 3).round().astype(int).tolist()
    bands = [(hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1) for low, high in pairwise(edges)]
    choices = list(combinations(bands, 2))
    found = np.zeros(0, dtype=np.int64)
    for number, (one, other) in enumerate(choices):
        watch.tell("Comparing pictures", number, len(choices))
        fresh = []
        for members in iterate_buckets((one << np.uint64(_BITS // 2)) | other):
            watch.check()
            fresh += _compare_all(hashes, members, max_distance, confirm)
        found = np.union1d(found, np.concatenate(fresh)) if fresh else found
    a, b = np.divmod(found, max(len(hashes), 1))
    return a, b, _count_bits(hashes[a] ^ hashes[b])


def _compare_all(hashes: NDArray[np.uint64], members: _Indices, max_distance: int, confirm: _Confirm) -> list[_Indices]:
    """Return the confirmed pairs of one bucket as ``a * N + b``; some rows of the square at a time."""
    found = []
    values = hashes[members]
    block = max(1, _CELLS // len(members))
    for low in range(0, len(members), block):
        near = _count_bits(values[low : low + block, None] ^ values[None, :]) <= max_distance
        rows, columns = np.nonzero(near)
        a, b = members[rows + low], members[columns]
        once = a < b
        a, b = a[once], b[once]
        for start in range(0, len(a), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            sure = confirm(a[part], b[part])
            found.append(a[part][sure] * len(hashes) + b[part][sure])
    return found


def _count_bits(values: NDArray[np.uint64]) -> _Indices:
    return np.asarray(np.bitwise_count(values), dtype=np.int64)
