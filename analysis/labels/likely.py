"""Per row: the likely label, and the class into which the confident joint counts it."""

from dataclasses import dataclass

import numpy as np

from analysis.labels.pred_probs import FloatArray, IntArray, LabelBatch, ProbabilityArray

__all__ = ["BatchReading", "read_batch", "to_cuts"]

# p counts as over a threshold from this far below it, so that an item whose probability equals the mean of
# its class (a class of one, or of equal values) is over it whatever the rounding of the mean.
_OVER_TOLERANCE = 1e-12


def to_cuts(thresholds: FloatArray, dtype: np.dtype[np.floating]) -> ProbabilityArray:
    """Convert thresholds to the smallest values of `dtype` that count as over them.

    Comparing float32 probabilities with these is exact and needs no float64 copy of the block.

    Parameters
    ----------
    thresholds
        Shape (K,), float64; infinite where nothing may pass.
    dtype
        float32 or float64: that of pred_probs.

    Returns
    -------
    numpy.ndarray
        Shape (K,), of `dtype`: p is over threshold j exactly when p >= cuts[j].

    Examples
    --------
    >>> bool(to_cuts(np.array([0.1]), np.dtype(np.float32))[0] >= 0.1 - 1e-12)
    True
    """
    exact = thresholds - _OVER_TOLERANCE
    cuts = exact.astype(dtype)
    too_low = cuts < exact
    cuts[too_low] = np.nextafter(cuts[too_low], dtype.type(np.inf))
    return cuts


@dataclass(frozen=True, slots=True, eq=False)
class BatchReading:
    """What the model says about each row of a batch, beside the given label. All shapes are (B,).

    Parameters
    ----------
    p_given
        Probability of the given label, in the type of pred_probs.
    p_best_other
        Highest probability of another class.
    likely
        The likely label: the most probable class other than the given one among those over threshold,
        else among all; of equal ones the lowest.
    p_likely
        Its probability.
    counted
        The class into which the confident joint counts the row: the most probable of all that are over
        threshold, the given one included; -1 where none is.
    """

    p_given: ProbabilityArray
    p_best_other: ProbabilityArray
    likely: IntArray
    p_likely: ProbabilityArray
    counted: IntArray


def read_batch(batch: LabelBatch, cuts: ProbabilityArray) -> BatchReading:
    """Find for each row of a batch its likely label and where the confident joint counts it.

    Parameters
    ----------
    batch
        Rows; makes one copy of their pred_probs, so pass blocks.
    cuts
        Shape (K,): from `to_cuts`, in the type of pred_probs.

    Returns
    -------
    BatchReading
        One entry a row.

    Examples
    --------
    >>> batch = LabelBatch(np.array([0]), np.array([[0.2, 0.5, 0.3]]))
    >>> read_batch(batch, np.array([0.9, 0.6, 0.3])).likely.tolist()
    [2]
    """
    rows = np.arange(len(batch))
    p_given = batch.get_given()
    others = batch.copy_others()
    likely = others.argmax(axis=1)
    p_best_other = others[rows, likely]
    over = p_best_other >= cuts[likely]
    # Where the best other class fails its own threshold, a weaker one may pass a lower threshold. Only rows
    # that reach the lowest threshold at all need the second look.
    open_rows = np.flatnonzero(~over & (p_best_other >= cuts.min()))
    if open_rows.size:
        candidates = others[open_rows]
        candidates[candidates < cuts] = -np.inf
        second = candidates.argmax(axis=1)
        passed = candidates[np.arange(len(open_rows)), second] > -np.inf
        likely[open_rows[passed]] = second[passed]
        over[open_rows[passed]] = True
    p_likely = others[rows, likely]
    given_wins = (p_given > p_likely) | ((p_given == p_likely) & (batch.labels < likely))
    stays = (p_given >= cuts[batch.labels]) & (given_wins | ~over)
    counted = np.where(stays, batch.labels, np.where(over, likely, -1))
    return BatchReading(p_given, p_best_other, likely, p_likely, counted)
