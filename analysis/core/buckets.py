"""Equal keys brought together: how candidates are found without comparing everything with everything."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["iterate_buckets"]


def iterate_buckets(key: NDArray[np.unsignedinteger]) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of each value that occurs more than once.

    Parameters
    ----------
    key
        ``(N,)`` numbers.

    Yields
    ------
    ndarray
        ``(M,) int64``, M > 1, in order; values from the smallest on. One sort of the N keys.

    Examples
    --------
    >>> [bucket.tolist() for bucket in iterate_buckets(np.array([7, 3, 7, 5], dtype=np.uint64))]
    [[0, 2]]
    """
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order])) + 1
    starts, ends = np.concatenate(([0], bounds)), np.append(bounds, len(key))
    for k in np.flatnonzero(ends - starts > 1):
        yield order[starts[k] : ends[k]]
