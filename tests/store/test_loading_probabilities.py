"""Probabilities: what is none is rejected with its line, what rounding did is mended and counted."""

import math

import numpy as np
import pandas as pd
import pytest

KEPT = (
    "SELECT i.item_id, p.predicted, p.pred_probs, p.fold FROM predictions p JOIN items i USING (item) "
    "WHERE p.model = (SELECT max(model) FROM models) ORDER BY p.item"
)


def to_frame(*rows):
    """Write (id, probability of a, probability of b)."""
    return pd.DataFrame(rows, columns=["item_id", "prob_a", "prob_b"])


def first_tally(report):
    return report.files[-1].tally


def reasons(report):
    return [(reject.line, reject.column, reject.reason) for reject in report.files[-1].tally.rejects]


def pad(frame, make_predictions):
    """Put rows behind 190 good ones, so that a few faults stay under --max-rejects 0.05."""
    good = make_predictions()[["item_id", "prob_a", "prob_b"]][:190]
    return pd.concat([good, frame], ignore_index=True)


def test_faulty_rows_are_rejected_with_line_and_reason(stocked, make_predictions):
    frame = pad(
        to_frame(
            ("i190", math.nan, 1.0),
            ("i191", -0.0011, 1.0011),
            ("i192", 1.0011, -0.0001),
            ("i193", 0.5, 0.5011),
            ("i194", 0.5, 0.4989),
            ("", 0.5, 0.5),
            ("i195", "x", 0.5),
            ("i196", math.nan, math.nan),
        ),
        make_predictions,
    )

    report = stocked.load(stocked.put("predictions.csv", frame), max_rejects=0.05)

    assert reasons(report) == [
        (192, "prob_a", "the probability of 'a' is missing or no number"),
        (193, "prob_a", "the probability -0.0011 of 'a' is not between 0 and 1"),
        (194, "prob_a", "the probability 1.0011 of 'a' is not between 0 and 1"),
        (195, None, "the probabilities sum to 1.0011, not 1"),
        (196, None, "the probabilities sum to 0.9989, not 1"),
        (197, "item_id", "no id"),
        (198, "prob_a", "the probability of 'a' is missing or no number"),
        (199, "prob_a", "the probability of 'a' is missing or no number"),
    ]
    assert stocked.ask("SELECT count(*) FROM predictions") == [(190,)]


def test_what_rounding_did_is_mended_and_counted(stocked):
    rows = [
        ("i0", 1.001, -0.001),
        ("i1", 0.5, 0.501),
        ("i2", 0.5, 0.499),
        ("i3", 1.00002, 0.0),
        ("i4", 0.25, 0.75),
        ("i5", 0.3333333, 0.6666666),
    ]

    report = stocked.load(stocked.put("predictions.csv", to_frame(*rows)))

    assert (first_tally(report).kept, first_tally(report).renormalised) == (6, 4)
    for (name, a, b), (found, _predicted, probs, _fold) in zip(rows, stocked.ask(KEPT), strict=True):
        clipped = np.clip([a, b], 0, 1)
        assert found == name
        assert probs == pytest.approx(clipped / clipped.sum(), abs=1e-7)
        assert min(probs) >= 0
        assert sum(probs) == pytest.approx(1, abs=1e-6)


def test_float32_at_the_very_edge_is_not_rejected_for_its_rounding(stocked):
    frame = to_frame(("i0", 0.5, 0.501), ("i1", 1.001, 0.0)).astype({"prob_a": "float32", "prob_b": "float32"})

    report = stocked.load(stocked.put("predictions.parquet", frame))

    assert (first_tally(report).kept, reasons(report)) == (2, [])


def test_over_the_allowed_share_the_load_is_refused_whole(stocked, make_predictions):
    path = stocked.put(
        "predictions.csv", pad(to_frame(*[(f"i{k}", 0.9, 0.9) for k in range(190, 193)]), make_predictions)
    )

    assert stocked.refuse(path) == (
        "predictions.csv: 3 of 193 rows (1.6%) are faulty, more than --max-rejects 0.01 allows. First: line 192: the "
        "probabilities sum to 1.8, not 1; line 193: the probabilities sum to 1.8, not 1; line 194: the probabilities "
        "sum to 1.8, not 1. Mend the file, or raise --max-rejects."
    )
    assert first_tally(stocked.load(path, max_rejects=3 / 193)).kept == 190


def test_nothing_left_is_refused_whatever_is_allowed(stocked):
    path = stocked.put("predictions.csv", to_frame(("i0", 40, 60), ("i1", 70, 30)))

    assert "2 of 2 rows (100.0%) are faulty, and nothing is left. First: line 2: the probability 40 of 'a' is not" in (
        stocked.refuse(path, max_rejects=1.0)
    )


def test_a_fault_in_one_table_rejects_the_item_with_its_prediction(desk, make_items, make_predictions):
    whole = make_items().merge(make_predictions())
    whole.loc[7, ["prob_a", "prob_b"]] = [0.9, 0.25]

    report = desk.load(desk.put("all.csv", whole))

    assert reasons(report) == [(9, None, "the probabilities sum to 1.15, not 1")]
    assert desk.ask("SELECT count(*), count(*) FILTER (item_id = 'i7') FROM items") == [(199, 0)]
