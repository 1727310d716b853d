"""Two models, really trained: words of the text, logistic regression.

Train is predicted out of fold, eval by the model that learned from all of train. Probabilities are kept as whole
numbers of 65,536ths, which float32 holds exactly: so they sum to one, and the noise of the last bits of a fit
does not reach the file.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

STEPS = 2**16
FOLDS = 5


def make_model() -> Pipeline:
    """Return the pipeline, not fitted."""
    words = TfidfVectorizer(min_df=3, sublinear_tf=True)
    # saga takes half a second where the default solver takes ten.
    return make_pipeline(words, LogisticRegression(C=3.0, solver="saga", tol=1e-3, max_iter=60, random_state=0))


def compute_predictions(train: pd.DataFrame, held_out: pd.DataFrame, name: str, seed: int) -> pd.DataFrame:
    """Train a model and predict every ticket with one that has not seen it.

    Parameters
    ----------
    train
        ``item_id, text, label``.
    held_out
        ``item_id, text``.
    name
        The model's.
    seed
        Of the folds.

    Returns
    -------
    DataFrame
        Train, then eval: ``item_id, model, fold`` (1 to 5; missing in eval), ``predicted``, and one column a class
        with its probability.
    """
    texts, labels = train["text"].to_numpy(), train["label"].to_numpy()
    classes = np.unique(labels)
    pred_probs = np.empty((len(train) + len(held_out), len(classes)))
    fold = np.zeros(len(pred_probs), dtype=np.int64)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (inside, outside) in enumerate(folds.split(texts, labels), start=1):
        pred_probs[outside] = make_model().fit(texts[inside], labels[inside]).predict_proba(texts[outside])
        fold[outside] = number
    pred_probs[len(train) :] = make_model().fit(texts, labels).predict_proba(held_out["text"].to_numpy())
    rounded = to_exact_sums(pred_probs)
    frame = pd.DataFrame(rounded.astype(np.float32), columns=[f"p_{label}" for label in classes])
    frame.insert(0, "item_id", [*train["item_id"], *held_out["item_id"]])
    frame.insert(1, "model", name)
    frame.insert(2, "fold", pd.array(fold, dtype="Int8"))
    frame["fold"] = frame["fold"].mask(fold == 0)
    frame.insert(3, "predicted", classes[rounded.argmax(axis=1)])
    return frame


def to_exact_sums(pred_probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round probabilities to 65,536ths; the largest of a row takes what is left, so that each row sums to one.

    Parameters
    ----------
    pred_probs
        Shape (N, K), rows that sum to one.

    Returns
    -------
    (N, K) array
        None of them is 0.

    Examples
    --------
    >>> float(to_exact_sums(np.array([[1 / 3, 2 / 3, 0.0]])).sum())
    1.0
    """
    steps = np.maximum(np.round(pred_probs * STEPS), 1)
    rows = np.arange(len(steps))
    steps[rows, pred_probs.argmax(axis=1)] += STEPS - steps.sum(axis=1)
    return steps / STEPS
