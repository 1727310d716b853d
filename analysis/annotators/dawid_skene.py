r"""Dawid-Skene: each item's label and each person's habits, estimated from votes alone.

The model: an item's label is k with prior :math:`p_k`; a person *a* who looks at it says *l* with probability
:math:`\pi^a_{kl}`, row *k* and column *l* of their error matrix, independently of everybody else.
Expectation-maximisation estimates both by turns (equations 2.3 to 2.5 of the source), from the shares of
votes as the start.

Two warnings that belong on every page that shows it. People are *not* independent when they share a wrong
belief, and then the model trusts the crowd that errs together: majority vote can be far better. And a label's
probability is the model's, usually too sure of itself.

Source: Dawid, A. P., Skene, A. M. (1979). Maximum likelihood estimation of observer error-rates using the EM
algorithm. Journal of the Royal Statistical Society C 28, 20-28. https://doi.org/10.2307/2346806
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.annotators.expectation import (
    ModelParameters,
    PairedVotes,
    compute_expected_counts,
    compute_probabilities,
    compute_start_counts,
    estimate_parameters,
    to_paired_votes,
)
from analysis.core.votes import CodedVotes, to_coded_votes, to_text
from analysis.errors import AnalysisError

__all__ = ["DawidSkene", "ErrorMatrices", "dawid_skene", "estimate_from_codes"]

_TIE = 1e-9  # probabilities nearer than this are equal: rounding must not choose a label


class ErrorMatrices(Mapping[str, pd.DataFrame]):
    """The error matrices by annotator, built when asked for.

    ``matrices["ann"]`` is a (K, K) frame: row = the item's likely label, column = the label that ann gave; a
    row sums to 1. The diagonal is how often ann recognises each label. Where ann never met a likely label the
    row knows nothing: it is even by the smoothing, and NaN without it.

    Only the labels that a person ever used are stored: P pairs of person and label by K.
    """

    def __init__(self, data: PairedVotes, used: NDArray[np.float64], unused: NDArray[np.float64]) -> None:
        self._data = data
        self._used = used  # (P, K) probability of each label that a person gave, by likely label
        self._unused = unused  # (A, K) probability of each label that a person never gave
        self._codes = {str(name): code for code, name in enumerate(data.annotators)}

    def __getitem__(self, annotator: str) -> pd.DataFrame:
        code = self._codes[annotator]
        names = pd.Index(self._data.labels, dtype="str")
        matrix = np.repeat(self._unused[code][:, np.newaxis], len(names), axis=1)
        own = slice(self._data.start[code], self._data.start[code + 1])
        matrix[:, self._data.label[own]] = self._used[own].T
        matrix[np.isnan(self._unused[code])] = np.nan
        return pd.DataFrame(matrix, index=names.rename("likely"), columns=names.rename("given"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """What the model estimated; all parts belong to one and the same set of parameters.

    Attributes
    ----------
    labels
        One row an item, sorted by item_id: ``item_id``, ``label`` (text; NA when two are equally probable or
        nobody gave a label), ``probability`` of that label (0 to 1, lower is less sure; NaN without a label).
    error_matrices
        Annotator -> (K, K) frame, rows likely, columns given. Only people who gave a label at least once.
    priors
        (K,) probability of each label, index ``label``; sums to 1.
    log_likelihood
        (T,) natural logarithm of the probability of all votes, one an iteration. It never falls without
        smoothing. With smoothing it is the log-likelihood plus ``smoothing`` times the sum of the logarithms
        of all error-matrix cells that never falls (EM for the posterior mode under a Dirichlet prior), so
        that the path itself may fall a little.
    votes
        One row a vote with a label, sorted by item and person: ``item_id``, ``annotator``, ``label``,
        ``probability`` that this label is the item's. Lower is more suspect.
    converged
        Whether the log-likelihood came to rest; False when `max_iter` or a cancel ended the fit first.
    """

    labels: pd.DataFrame
    error_matrices: ErrorMatrices
    priors: pd.Series
    log_likelihood: NDArray[np.float64]
    votes: pd.DataFrame
    converged: bool


def dawid_skene(
    votes: pd.DataFrame,
    *,
    max_iter: int = 100,
    tol: float = 1e-6,
    smoothing: float = 0.01,
    cancel: Callable[[], bool] | None = None,
) -> DawidSkene:
    """Estimate labels, error matrices and priors by expectation-maximisation.

    Cost: a pass over the V votes an iteration, O(V K) time; memory V integers, two arrays of P x K numbers for
    the P <= V pairs of person and label that occur (refused above 1 GB, which takes thousands of labels or
    people), and a block of 32 MB of item probabilities. It may be cancelled between iterations. No randomness:
    the start is the share of votes, and the order of rows changes nothing.

    Parameters
    ----------
    votes
        One row a vote: ``item_id, annotator, label``; a missing label means "cannot tell" and says nothing to
        the model. Of a person's several votes on one item the last stands. May be empty.
    max_iter
        The most iterations, at least 1.
    tol
        The fit has come to rest when the log-likelihood per item changes by no more than this.
    smoothing
        Added to every cell of the expected counts behind the error matrices, at least 0. A small number keeps
        a label that a person never gave from being impossible; 0 is the model as published.
    cancel
        Asked after each iteration; when it says True the fit so far is returned.

    Returns
    -------
    DawidSkene
        Labels, error matrices, priors, the path of the log-likelihood, and the probability of each vote.

    Raises
    ------
    AnalysisError
        A needed column is missing, a vote has no item or person, an option is out of range, or the
        error matrices would need more than 1 GB.

    Examples
    --------
    Three people, one of whom says "cat" to nearly everything:

    >>> votes = pd.DataFrame(
    ...     {
    ...         "item_id": [1, 2, 3, 4, 5, 6] * 3,
    ...         "annotator": ["ann"] * 6 + ["bob"] * 6 + ["eve"] * 6,
    ...         "label": ["cat", "cat", "cat", "dog", "dog", "dog"] * 2 + ["cat"] * 5 + ["dog"],
    ...     }
    ... )
    >>> fit = dawid_skene(votes)
    >>> fit.labels["label"].tolist()
    ['cat', 'cat', 'cat', 'dog', 'dog', 'dog']
    >>> fit.error_matrices["eve"].round(2).loc["dog"].to_dict()
    {'cat': 0.67, 'dog': 0.33}
    """
    if max_iter < 1 or not tol >= 0 or not smoothing >= 0:
        raise AnalysisError(
            "Dawid-Skene needs max_iter of at least 1, tol and smoothing of at least 0. "
            f"Found max_iter={max_iter!r}, tol={tol!r}, smoothing={smoothing!r}."
        )
    coded = to_coded_votes(votes)
    return estimate_from_codes(coded, max_iter=max_iter, tol=tol, smoothing=smoothing, cancel=cancel)


def estimate_from_codes(
    coded: CodedVotes,
    *,
    max_iter: int = 100,
    tol: float = 1e-6,
    smoothing: float = 0.01,
    cancel: Callable[[], bool] | None = None,
) -> DawidSkene:
    """Estimate as :func:`dawid_skene` does, from votes that are coded already.

    Parameters
    ----------
    coded
        V votes, one a person and item.
    max_iter, tol, smoothing, cancel
        As for :func:`dawid_skene`; not checked again.

    Returns
    -------
    DawidSkene
        ``votes`` has the votes with a label in the order of `coded`.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": [1, 1], "annotator": ["ann", "bob"], "label": ["x", "x"]})
    >>> estimate_from_codes(to_coded_votes(votes)).labels["label"].tolist()
    ['x']
    """
    data = to_paired_votes(coded)
    expected = compute_start_counts(data)
    path: list[float] = []
    converged, stopped = False, False
    while not (converged or stopped):
        parameters = estimate_parameters(data, expected, smoothing)
        expected = compute_expected_counts(data, parameters)
        path.append(expected.log_likelihood)
        converged = len(path) > 1 and abs(path[-1] - path[-2]) <= tol * data.items
        stopped = len(path) >= max_iter or (cancel is not None and cancel())
    return _describe(coded, data, parameters, np.array(path), converged=converged)


def _describe(
    coded: CodedVotes, data: PairedVotes, parameters: ModelParameters, path: NDArray[np.float64], *, converged: bool
) -> DawidSkene:
    """Turn codes back into names: one last pass with the final parameters, which are used up."""
    label = np.full(len(coded.items), -1, dtype=np.int64)
    probability = np.full(len(coded.items), np.nan)
    given = np.flatnonzero(coded.label >= 0)
    vote_probability = np.empty(len(given))
    for block in data.blocks():
        probabilities, _ = compute_probabilities(data, parameters, block)
        highest = probabilities.max(axis=1)
        tied = (probabilities >= highest[:, np.newaxis] - _TIE).sum(axis=1) > 1
        rows = data.rows[block]
        label[rows] = np.where(tied, -1, probabilities.argmax(axis=1))
        probability[rows] = np.where(tied, np.nan, highest)
        inside = slice(data.matrix.indptr[block.start], data.matrix.indptr[block.stop])
        row = np.searchsorted(rows, coded.item[given[inside]])
        vote_probability[inside] = probabilities[row, coded.label[given[inside]]]
    labels = pd.DataFrame(
        {
            "item_id": to_text(np.arange(len(coded.items)), coded.items),
            "label": to_text(label, coded.labels),
            "probability": probability,
        }
    )
    names = pd.Index(coded.labels, dtype="str", name="label")
    used = np.exp(parameters.log_error, out=parameters.log_error)
    return DawidSkene(
        labels=labels,
        error_matrices=ErrorMatrices(data, used, parameters.unused),
        priors=pd.Series(np.exp(parameters.log_prior), index=names, name="prior"),
        log_likelihood=path,
        votes=coded.to_frame().iloc[given].reset_index(drop=True).assign(probability=vote_probability),
        converged=converged,
    )
