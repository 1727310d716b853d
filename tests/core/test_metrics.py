"""Every metric is an exact integer over trials, and equals what scikit-learn computes."""

import math

import duckdb
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.core.metrics import LOSS_UNIT, METRICS, resolve_metric
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import template

CLASSES = ("cat", "dog", "eel")
LABELS = st.none() | st.sampled_from(CLASSES)
PAIRS = st.lists(st.tuples(LABELS, LABELS), max_size=40)
ONE_CLASS = ["recall", "precision", "false_negatives", "false_positives"]


@pytest.fixture(scope="module")
def count():
    """Count numerator and trials of a metric over rows of (label, predicted, probabilities)."""
    with duckdb.connect() as connection:

        def run(name, rows, positive=None, model_classes=CLASSES):
            metric = resolve_metric(name, positive=positive, classes=CLASSES, model_classes=model_classes)
            query = template(
                "SELECT coalesce(sum(CASE WHEN {trial} THEN {n} END), 0), count(*) FILTER ({trial}), "
                "count(*) FILTER (({trial}) IS NULL) FROM rows c JOIN rows p ON p.item = c.item",
                trial=metric.trial,
                n=metric.numerator,
            )
            columns = [
                [label for label, *_ in rows],
                [predicted for _, predicted, *_ in rows],
                [probs[0] if probs else None for _, _, *probs in rows],
            ]
            connection.execute(
                "CREATE OR REPLACE TABLE rows AS SELECT row_number() OVER () AS item, * FROM (SELECT "
                "unnest(CAST(? AS VARCHAR[])) AS label, unnest(CAST(? AS VARCHAR[])) AS predicted, "
                "unnest(CAST(? AS FLOAT[][])) AS pred_probs)",
                columns,
            )
            numerator, trials, unknown = connection.execute(query.text, list(query.params)).fetchall()[0]
            assert unknown == 0
            return int(numerator), int(trials)

        yield run


def known(rows):
    frame = pd.DataFrame(rows, columns=["label", "predicted"]).dropna()
    return frame["label"].to_numpy(dtype=str), frame["predicted"].to_numpy(dtype=str)


@given(PAIRS)
@settings(max_examples=25, deadline=None)
def test_the_error_rate_is_one_minus_accuracy_over_rows_with_both(count, rows):
    numerator, trials = count("error_rate", rows)
    label, predicted = known(rows)

    assert trials == len(label)
    if trials:
        assert numerator / trials == pytest.approx(1 - sklearn.metrics.accuracy_score(label, predicted))


@pytest.mark.parametrize("positive", CLASSES)
@given(rows=PAIRS)
@settings(max_examples=15, deadline=None)
def test_metrics_of_one_class_are_those_of_scikit_learn(count, positive, rows):
    found = {name: count(name, rows, positive) for name in ONE_CLASS}
    label, predicted = known(rows)
    table = np.zeros((2, 2), dtype=int)
    if len(label):
        table = sklearn.metrics.confusion_matrix(label == positive, predicted == positive, labels=[False, True])
    (true_negatives, false_positives), (false_negatives, true_positives) = table.tolist()

    assert found == {
        "recall": (true_positives, true_positives + false_negatives),
        "precision": (true_positives, true_positives + false_positives),
        "false_negatives": (false_negatives, true_positives + false_negatives),
        "false_positives": (false_positives, false_positives + true_negatives),
    }
    for name, score in (("recall", sklearn.metrics.recall_score), ("precision", sklearn.metrics.precision_score)):
        hits, trials = found[name]
        if trials:
            expected = score(label, predicted, labels=[positive], average="macro", zero_division=0)
            assert hits / trials == pytest.approx(expected)


def test_log_loss_is_that_of_scikit_learn(count):
    rng = np.random.default_rng(2)
    # Eighths: exact in float32, and their sum is exactly 1.
    probs = (1 + rng.multinomial(5, np.ones(3) / 3, 300)) / 8
    labels = rng.choice(CLASSES, 300)

    units, trials = count("log_loss", [(label, None, row.tolist()) for label, row in zip(labels, probs, strict=True)])

    exact = sklearn.metrics.log_loss(labels, probs, labels=list(CLASSES))
    # Each loss is rounded to a multiple of the unit, so the mean is off by half a unit at most.
    assert trials == 300
    assert units / LOSS_UNIT / trials == pytest.approx(exact, abs=0.5 / LOSS_UNIT + 1e-12)


def test_log_loss_is_cut_where_float32_ends(count):
    rows = [("cat", "dog", [0.0, 1.0, 0.0]), ("dog", "dog", [0.0, 1.0, 0.0]), ("cat", "dog", [1e-30, 1.0, 0.0])]

    found = [count("log_loss", [row])[0] / LOSS_UNIT for row in rows]

    assert found == pytest.approx([23 * math.log(2), 0.0, 23 * math.log(2)], abs=1 / LOSS_UNIT)


def test_what_is_no_trial_for_log_loss(count):
    """No label, no probabilities, or a label that the model does not know."""
    rows = [(None, "cat", [1.0, 0.0]), ("cat", "cat", None), ("eel", "cat", [1.0, 0.0]), ("cat", None, [0.5, 0.5])]

    units, trials = count("log_loss", rows, model_classes=("cat", "dog"))

    assert (units, trials) == (round(math.log(2) * LOSS_UNIT), 1)


def test_the_order_of_the_rows_never_changes_a_loss(count):
    rng = np.random.default_rng(3)
    rows = [("cat", None, [p, 1 - p, 0.0]) for p in rng.random(60).astype("float32").tolist()]

    assert count("log_loss", rows) == count("log_loss", rows[::-1])


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_needs(name):
    metric = METRICS[name]

    assert metric.name == name
    assert metric.better == ("higher" if name in {"recall", "precision"} else "lower")
    assert metric.needs_class == (name in ONE_CLASS)
    assert metric.kind == ("loss" if name == "log_loss" else "rate")


@pytest.mark.parametrize(
    ("name", "positive", "model_classes", "sentence"),
    [
        ("eror_rate", None, CLASSES, "There is no metric 'eror_rate'. Did you mean 'error_rate'?"),
        (
            "recall",
            None,
            CLASSES,
            "Recall is a metric of one class. Name it with --class, one of .'cat', 'dog', 'eel'.",
        ),
        ("recall", "cats", CLASSES, "There is no class 'cats'. Did you mean 'cat'?"),
        ("error_rate", "cat", CLASSES, "Error rate counts all classes; --class goes with recall"),
        ("log_loss", None, (), "Log loss needs probabilities, and this model has none. Load them, or use error_rate."),
    ],
)
def test_what_cannot_be_counted_is_refused(name, positive, model_classes, sentence):
    with pytest.raises(AnalysisError, match=sentence):
        resolve_metric(name, positive=positive, classes=CLASSES, model_classes=model_classes)


def test_an_unknown_metric_is_an_unknown_name():
    with pytest.raises(UnknownNameError):
        resolve_metric("f1", positive=None, classes=CLASSES, model_classes=CLASSES)
