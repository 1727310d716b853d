"""Given labels and probabilities as arrays, in the order of the items, for the kernels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from analysis.core.facts import Population
from analysis.core.predicate import Slice
from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Snapshot

__all__ = ["LabelledProbabilities", "fetch_probabilities"]


@dataclass(frozen=True, eq=False)
class LabelledProbabilities:
    """What confident learning needs, for every item of a split that has it.

    Attributes
    ----------
    items
        (N,) rows: ``item, item_id, split, label, annotator`` (who gave the label; missing if nobody or several).
    labels
        (N,) the current label as its place in ``classes``.
    pred_probs
        (N, K) float32, each row sums to 1.
    classes
        The K classes in the order of the columns.
    left_out
        Items of the split without a label, without probabilities, or with a label the model does not know.
    """

    items: pd.DataFrame
    labels: NDArray[np.int64]
    pred_probs: NDArray[np.float32]
    classes: tuple[str, ...]
    left_out: int


def fetch_probabilities(snapshot: Snapshot, split: str, model: Model) -> LabelledProbabilities:
    """Read labels and probabilities of a split, in batches.

    Memory: 4 bytes times N times K.

    Raises
    ------
    AnalysisError
        If the model has no probabilities for this split.
    """
    population = Population.of(snapshot, split=split, model=model.code, where=Slice(), named=("@annotator",))
    place = template("list_position({names}, c.label)", names=value(list(model.classes)))
    usable = template("coalesce({place} > 0 AND p.pred_probs IS NOT NULL, FALSE)", place=place)
    rows = population.select(Fragment("count(*)"))
    total = int(snapshot.fetch_one(rows)[0])
    columns = template(
        "i.item AS item, i.item_id AS item_id, i.split AS split, c.label AS label, g.name AS annotator, "
        "CAST({place} - 1 AS BIGINT) AS code, p.pred_probs AS pred_probs",
        place=place,
    )
    query = template("{rows} AND {usable} ORDER BY i.item", rows=population.select(columns), usable=usable)
    K = len(model.classes)
    probs: list[NDArray[np.float32]] = []
    frames: list[pd.DataFrame] = []
    for batch in snapshot.fetch_batches(query):
        probs.append(np.asarray(batch.column("pred_probs").flatten(), dtype=np.float32).reshape(-1, K))
        frames.append(pa.Table.from_batches([batch]).drop_columns(["pred_probs"]).to_pandas())
    if not frames or not sum(map(len, frames)):
        raise AnalysisError(
            f"Model {model.name!r} has no probabilities for labelled items of {split!r}. Suspects need out-of-sample "
            "probabilities: load a file with one column a class, for example prob_cat, prob_dog."
        )
    items = pd.concat(frames, ignore_index=True)
    labels = items.pop("code").to_numpy(np.int64)
    return LabelledProbabilities(items, labels, np.concatenate(probs), model.classes, total - len(items))
