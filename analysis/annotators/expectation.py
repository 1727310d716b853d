"""The two steps of Dawid-Skene on arrays: counts from probabilities, parameters from counts.

Votes are a sparse matrix of items by pairs of person and label, so that both steps are products of it: the
E-step adds up the logarithms of the pairs that an item has, the M-step adds up the probabilities of the items
that a pair has. Only pairs that occur are stored. Items are taken in blocks; what is held for all of them is
two arrays of P x K numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from analysis.core.votes import CodedVotes
from analysis.errors import AnalysisError

__all__ = [
    "Expected",
    "ModelParameters",
    "PairedVotes",
    "compute_expected_counts",
    "compute_probabilities",
    "compute_start_counts",
    "estimate_parameters",
    "to_paired_votes",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

_BLOCK_CELLS = 2**22  # numbers held at once in a pass: 32 MB
_MOST_CELLS = 2**26  # numbers in each of the two large arrays: 512 MB


@dataclass(frozen=True, eq=False)
class PairedVotes:
    """Votes with a label as a sparse matrix of ones: M items by P pairs of person and label.

    Attributes
    ----------
    matrix
        (M, P) sparse; a row has a one for each vote of the item.
    label
        (P,) code of each pair's label. Pairs are sorted by person, then label.
    start
        (A + 1,) where each person's pairs begin.
    rows
        (M,) code of each item in the coded votes: those with at least one label.
    annotators
        (A,) those who gave at least one label, as text.
    labels
        (K,) as text.
    """

    matrix: sparse.csr_array
    label: IntArray
    start: IntArray
    rows: IntArray
    annotators: NDArray[np.object_]
    labels: NDArray[np.object_]

    @property
    def items(self) -> int:
        """M, the number of items with a label."""
        return len(self.rows)

    def blocks(self) -> Iterator[slice]:
        """Cut the items so that a block's probabilities stay small."""
        return _cut(self.items, len(self.labels))


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected counts, and the log-likelihood of the parameters that they were counted with.

    Attributes
    ----------
    pair_counts
        (P, K) votes of each pair by likely label.
    label_counts
        (K,) items by likely label.
    log_likelihood
        Natural logarithm; 0 at the start, where there are no parameters yet.
    """

    pair_counts: FloatArray
    label_counts: FloatArray
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class ModelParameters:
    """Priors and error matrices.

    Attributes
    ----------
    log_prior
        (K,) logarithms of the priors.
    log_error
        (P, K) logarithms of the cells of the error matrices that are used: -inf where impossible or unknown.
    unused
        (A, K) probability of each label that a person never gave, by likely label. NaN: a likely label of
        which the whole row is unknown.
    """

    log_prior: FloatArray
    log_error: FloatArray
    unused: FloatArray


def to_paired_votes(coded: CodedVotes) -> PairedVotes:
    """Lay the votes with a label out as a sparse matrix.

    Parameters
    ----------
    coded
        V votes; those without a label are left out.

    Returns
    -------
    PairedVotes
        With V ones or fewer.

    Raises
    ------
    AnalysisError
        The error matrices would not fit into memory.

    Examples
    --------
    >>> import pandas as pd
    >>> from analysis.core.votes import to_coded_votes
    >>> votes = pd.DataFrame({"item_id": [1, 1, 2], "annotator": ["ann", "bob", "ann"], "label": ["x", "y", "x"]})
    >>> to_paired_votes(to_coded_votes(votes)).matrix.toarray().tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    given = coded.label >= 0
    labels = max(len(coded.labels), 1)
    key, pair = np.unique(coded.annotator[given] * labels + coded.label[given], return_inverse=True)
    if len(key) * labels > _MOST_CELLS:
        raise AnalysisError(
            f"Dawid-Skene would need {len(key) * labels * 16 / 2**30:.0f} GB for the error matrices of "
            f"{len(coded.annotators):,} annotators with {labels:,} labels; at most 1 GB is taken. "
            "Use majority_vote, or fit groups of labels or people apart."
        )
    people, own = np.unique(key // labels, return_inverse=True)
    rows, votes = np.unique(coded.item[given], return_counts=True)
    matrix = sparse.csr_array(
        (np.ones(len(pair)), pair, np.concatenate([[0], np.cumsum(votes)])), shape=(len(rows), len(key))
    )
    start = np.searchsorted(own, np.arange(len(people) + 1))
    return PairedVotes(matrix, key % labels, start, rows, coded.annotators[people], coded.labels)


def compute_start_counts(data: PairedVotes) -> Expected:
    """Count as if each item's label were spread like its votes: the start, equation 3.1 of the paper.

    Parameters
    ----------
    data
        The votes.

    Returns
    -------
    Expected
        With a log-likelihood of 0.
    """
    pairs, labels = len(data.label), len(data.labels)
    says = sparse.csr_array((np.ones(pairs), (np.arange(pairs), data.label)), shape=(pairs, labels))

    def spread(block: slice) -> tuple[FloatArray, float]:
        counts = (data.matrix[block] @ says).toarray()
        return counts / counts.sum(axis=1, keepdims=True), 0.0

    return _count(data, spread)


def compute_expected_counts(data: PairedVotes, parameters: ModelParameters) -> Expected:
    """Count with the probabilities that the parameters give: the E-step, equation 2.5 of the paper.

    Parameters
    ----------
    data
        The votes.
    parameters
        Priors and error matrices.

    Returns
    -------
    Expected
        With the log-likelihood of `parameters`.
    """
    return _count(data, lambda block: compute_probabilities(data, parameters, block))


def compute_probabilities(data: PairedVotes, parameters: ModelParameters, block: slice) -> tuple[FloatArray, float]:
    """Compute the probabilities of a block's labels, and the log-likelihood of its votes.

    A product over many votes leaves the range of floats, so it is summed in logarithms, and the largest one
    is taken out before the exponential: at least one term is then exactly 1.

    Parameters
    ----------
    data
        The votes.
    parameters
        Priors and error matrices.
    block
        m items of ``data.blocks()``.

    Returns
    -------
    tuple
        (m, K) probabilities, rows sum to 1, and the log-likelihood.
    """
    joint: FloatArray = data.matrix[block] @ parameters.log_error
    joint += parameters.log_prior
    largest = joint.max(axis=1, keepdims=True)
    joint -= largest
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    joint /= total
    return joint, float(largest.sum() + np.log(total).sum())


def estimate_parameters(data: PairedVotes, expected: Expected, smoothing: float) -> ModelParameters:
    """Compute the parameters that make the expected counts most probable: the M-step, equations 2.3 and 2.4.

    Parameters
    ----------
    data
        The votes.
    expected
        The counts. Their large array is turned into the large array of the parameters, to hold it only once:
        they are used up.
    smoothing
        Added to every cell of the counts behind the error matrices.

    Returns
    -------
    ModelParameters
        Without smoothing, the row of a likely label that a person never met is 0/0: unknown, and impossible
        for the votes, as its probability was 0 before.
    """
    labels = len(data.labels)
    own = np.repeat(np.arange(len(data.annotators)), np.diff(data.start))
    log_error = expected.pair_counts
    # Pairs are sorted by person and everybody here has one, so each run of rows sums to one person.
    totals = np.add.reduceat(log_error, data.start[:-1], axis=0) + labels * smoothing
    divisor = np.where(totals > 0, totals, 1.0)
    with np.errstate(divide="ignore"):  # the logarithm of an impossible cell is -inf
        for rows in _cut(len(own), labels):
            log_error[rows] += smoothing
            log_error[rows] /= divisor[own[rows]]
            np.log(log_error[rows], out=log_error[rows])
        log_prior = np.log(expected.label_counts / max(data.items, 1))
    unused = np.where(totals > 0, smoothing / divisor, np.nan)
    return ModelParameters(log_prior, log_error, unused)


def _count(data: PairedVotes, probabilities_of: Callable[[slice], tuple[FloatArray, float]]) -> Expected:
    """Sum what the items' probabilities say about pairs and labels, block by block."""
    pair_counts = np.zeros((len(data.label), len(data.labels)))
    label_counts = np.zeros(len(data.labels))
    log_likelihood = 0.0
    for block in data.blocks():
        probabilities, block_log_likelihood = probabilities_of(block)
        votes = data.matrix[block]
        # A block has few of the pairs: the product is made for these alone, not for all P of them.
        used = np.flatnonzero(np.bincount(votes.indices, minlength=len(data.label)))
        number = np.empty(len(data.label), dtype=np.int64)
        number[used] = np.arange(len(used))
        compact = sparse.csr_array((votes.data, number[votes.indices], votes.indptr), shape=(votes.shape[0], len(used)))
        pair_counts[used] += compact.T @ probabilities
        label_counts += probabilities.sum(axis=0)
        log_likelihood += block_log_likelihood
    return Expected(pair_counts, label_counts, log_likelihood)


def _cut(rows: int, columns: int) -> Iterator[slice]:
    """Cut rows of some columns into blocks of at most `_BLOCK_CELLS` numbers, at least one row each."""
    size = max(_BLOCK_CELLS // max(columns, 1), 1)
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))
