"""Texts as sets of shingles: runs of five characters, after case, spaces and punctuation are evened out.

Two texts are alike by the share of shingles they have in common (Broder 1997, "On the resemblance and containment
of documents"; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from analysis.watch import Watch

__all__ = ["SHINGLE_LENGTH", "ShingleSets", "compute_similarities", "fold_text", "to_shingles"]

SHINGLE_LENGTH: Final = 5
"""Characters a shingle: what chapter 3.2 of "Mining of Massive Datasets" takes for short messages."""

_NO_WORD: Final = re.compile(r"[\W_]+", re.ASCII)
_BITS: Final = 64
_PAIRS_AT_ONCE: Final = 50_000
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Knuth 6.4)


def fold_text(text: str) -> str:
    """Even out what does not tell texts apart: case, spaces, punctuation, forms of one character (NFKC).

    Examples
    --------
    >>> fold_text("  My REFUND... hasn't come!! "), fold_text("Straße"), fold_text("?!")
    ('my refund hasn t come', 'strasse', '')
    """
    if text.isascii():
        return _NO_WORD.sub(" ", text.lower()).strip()
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_SPACED).split())


class _Spacing(dict[int, int]):
    """What becomes a space: all but letters, digits and the marks on them; filled as characters turn up."""

    def __missing__(self, point: int) -> int:
        kept = unicodedata.category(chr(point))[0] in "LMN"
        self[point] = point if kept else ord(" ")
        return self[point]


_SPACED: Final = _Spacing()


@dataclass(frozen=True)
class ShingleSets:
    """The shingles of N texts, each text's in a row.

    Attributes
    ----------
    codes
        ``(S,) uint64``: the shingles of all texts, in order, repeats too.
    starts
        ``(N + 1,) int64``: text k has ``codes[starts[k]:starts[k + 1]]``, at least one.
    """

    codes: NDArray[np.uint64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1


def to_shingles(texts: Sequence[str]) -> ShingleSets:
    """Cut texts into shingles.

    Parameters
    ----------
    texts
        N texts, folded and not empty. One that is shorter than a shingle is one shingle.

    Returns
    -------
    ShingleSets
        Different shingles have different codes where the texts together have at most 4,095 different characters;
        beyond (Chinese, Japanese) two of them share a code with probability 2^-64.

    Notes
    -----
    Time and memory are linear in the characters: about 30 bytes each while it runs, 8 in the result.

    Examples
    --------
    >>> sets = to_shingles(["banana", "nab"])
    >>> sets.starts.tolist(), len(set(sets.codes.tolist()))
    ([0, 2, 3], 3)
    """
    padded = [text.ljust(SHINGLE_LENGTH, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    points = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
    # Characters are numbered by rank: few bits each, so that five fit into 64.
    present = np.zeros(0x110000, dtype=bool)
    present[points] = True
    rank = np.cumsum(present, dtype=np.uint64)
    numbers = rank[points]
    bits = int(rank[-1]).bit_length()
    count = max(len(numbers) - SHINGLE_LENGTH + 1, 0)
    codes = np.zeros(count, dtype=np.uint64)
    for offset in range(SHINGLE_LENGTH):
        if bits * SHINGLE_LENGTH <= _BITS:
            codes <<= np.uint64(bits)
        else:
            codes *= _MIX
            codes ^= codes >> np.uint64(29)
        codes += numbers[offset : offset + count]
    # Shingles that reach into the next text are left out.
    ends = np.cumsum(lengths)
    inside = np.ones(count + SHINGLE_LENGTH - 1, dtype=bool)
    for back in range(1, SHINGLE_LENGTH):
        inside[ends - back] = False
    counts = lengths - SHINGLE_LENGTH + 1
    return ShingleSets(codes[inside[:count]], np.concatenate(([0], np.cumsum(counts))))


def compute_similarities(
    sets: ShingleSets, first: NDArray[np.int64], second: NDArray[np.int64], watch: Watch | None = None
) -> NDArray[np.float64]:
    """Compute the Jaccard similarity of pairs: shingles in common over shingles in either.

    Parameters
    ----------
    sets
        The shingles of N texts.
    first, second
        ``(P,)`` texts, 0 to N - 1; the pairs are ``first[k], second[k]``.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    ndarray
        ``(P,) float64``, 0 to 1, 1 where the sets are the same. One whole number over another: exact.

    Notes
    -----
    Sorts the shingles of all texts named once (about 50 bytes a shingle), then merges two short rows a pair: some
    microseconds each.
    """
    watch = watch or Watch()
    texts, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    rows = _to_matrix(sets, texts)
    sizes = np.diff(rows.indptr).astype(np.int64)
    similarity = np.zeros(len(first))
    for low in range(0, len(first), _PAIRS_AT_ONCE):
        watch.tell("Comparing pairs of texts", low, len(first))
        a = places[low : min(low + _PAIRS_AT_ONCE, len(first))]
        b = places[len(first) + low :][: len(a)]
        common = np.asarray(rows[a].multiply(rows[b]).sum(axis=1), dtype=np.int64).ravel()
        similarity[low : low + len(a)] = common / (sizes[a] + sizes[b] - common)
    return similarity


def _to_matrix(sets: ShingleSets, texts: NDArray[np.int64]) -> csr_array:
    """Return texts by shingles, 1 where a text has one."""
    lengths = sets.starts[texts + 1] - sets.starts[texts]
    ends = np.cumsum(lengths)
    shift = np.repeat(sets.starts[texts] - (ends - lengths), lengths)
    known, columns = np.unique(sets.codes[np.arange(len(shift)) + shift], return_inverse=True)
    shape = (len(texts), max(len(known), 1))
    matrix = csr_array((np.ones(len(columns), dtype=np.int32), columns, np.append(0, ends)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
