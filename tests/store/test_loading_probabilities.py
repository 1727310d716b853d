"""Probabilities: what is none is rejected with its line, what rounding did is mended and counted."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.store.loading.matrix import Block
from analysis.store.loading.probability_kernel import ProbabilityKernel

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


def to_table(*pairs, sep=","):
    lines = [sep.join((f"i{k}", "ab"[k % 2], *pair)) for k, pair in enumerate(pairs)]
    return "\n".join([sep.join(("item_id", "label", "prob_a", "prob_b")), *lines, ""])


def test_items_without_any_probability_are_not_predicted(desk):
    pairs = [("0.7", "0.3"), ("", ""), ("NA", "nan"), ("0.2", "0.8")]

    tally = first_tally(desk.load(desk.put("all.csv", to_table(*pairs))))

    assert (tally.kept, len(tally.rejects)) == (4, 0)
    assert desk.ask("SELECT i.item_id FROM predictions JOIN items i USING (item) ORDER BY item") == [("i0",), ("i3",)]


@pytest.mark.parametrize("word", ["70%", "oops", "inf"])
def test_items_with_probabilities_that_are_no_numbers_are_rejected(desk, word):
    pairs = [("0.7", "0.3")] * 28 + [(word, word), ("", "")]

    report = desk.load(desk.put("all.csv", to_table(*pairs)), max_rejects=0.05)

    assert reasons(report) == [(30, "prob_a", "the probability of 'a' is missing or no number")]
    assert first_tally(report).kept == 29
    assert desk.ask("SELECT count(*) FROM predictions") == [(28,)]


def test_items_half_of_whose_probabilities_are_percentages_are_refused(desk):
    path = desk.put("all.csv", to_table(*[("0.7", "0.3"), ("70%", "30%")] * 15))

    assert "15 of 30 rows (50.0%) are faulty, more than" in desk.refuse(path)


def test_probabilities_with_a_decimal_comma_are_refused_with_the_reason(desk):
    path = desk.put("all.csv", to_table(*[("0,7", "0,3")] * 29, ("1", "0"), sep=";"))

    assert (
        "29 of 30 rows (96.7%) are faulty, more than --max-rejects 0.01 allows. First: line 2: the probability of "
        "'a' is missing or no number"
    ) in (refused := desk.refuse(path))
    assert (
        "These columns hold numbers with a comma, such as 3,14, and are read as text: 'prob_a', 'prob_b'. "
        "To use them as numbers, export the file with decimal points. Mend the file"
    ) in refused


@pytest.mark.parametrize("named", [("a", "b"), ("a", "b", "c", "d")])
def test_classes_other_than_those_of_the_columns_are_refused(stocked, named):
    path = stocked.put("predictions.csv", "item_id,prob_a,prob_b,prob_c\ni0,0.6,0.3995,0.0005\n")

    assert stocked.refuse(path, classes=named) == (
        f"predictions.csv has probabilities for ['a', 'b', 'c'], but --classes names {list(named)}. "
        "Name exactly the classes of the columns, or leave --classes off."
    )
    assert first_tally(stocked.load(path, classes=("c", "b", "a"))).kept == 1


@pytest.mark.parametrize("allowed", [0.0, 0.004, 0.01])
def test_how_many_rows_are_faulty_does_not_depend_on_how_many_are_allowed(stocked, make_predictions, allowed):
    frame = make_predictions()[["item_id", "prob_a", "prob_b"]]
    frame.loc[::10, "prob_a"] = 0.9

    assert "20 of 200 rows (10.0%) are faulty, more than" in stocked.refuse(
        stocked.put("p.csv", frame), max_rejects=allowed
    )


def test_faults_of_every_kind_are_listed_in_the_order_of_the_file(stocked, make_predictions):
    lists = [[0.25, 0.75]] * 200
    lists[:140:20] = [[0.5, 0.6], [1.0], None, [0.2, 0.3, 0.5], [2.0, -1.0], [None, 1.0], []]
    frame = make_predictions()[["item_id"]].assign(pred_probs=lists)

    report = stocked.load(stocked.put("p.parquet", frame), max_rejects=0.05)

    assert reasons(report) == [
        (1, "pred_probs", "the probabilities sum to 1.1, not 1"),
        (21, "pred_probs", "1 probabilities for 2 classes"),
        (41, "pred_probs", "no prediction"),
        (61, "pred_probs", "3 probabilities for 2 classes"),
        (81, "pred_probs", "the probability 2 of 'a' is not between 0 and 1"),
        (101, "pred_probs", "the probability of 'a' is missing or no number"),
        (121, "pred_probs", "0 probabilities for 2 classes"),
    ]


@pytest.mark.parametrize("wide", [False, True])
def test_rows_that_are_too_many_to_keep_are_read_twice_to_the_same_end(stocked, make_predictions, monkeypatch, wide):
    frame = make_predictions().assign(fold="1", model_name=["m1", "m2"] * 100)
    lists = (frame[["prob_a", "prob_b"]].to_numpy() * (1 + 4e-4)).tolist()
    lists[8:10] = [[0.9, 0.9], None]
    frame = frame.drop(columns=["prob_a", "prob_b"]).assign(pred_probs=lists)
    frame = pd.concat([frame, frame[20:22]]).sample(frac=1, random_state=0)
    if wide:
        monkeypatch.setattr("analysis.store.loading.matrix._WIDE", 10)

    tally = first_tally(stocked.load(stocked.put("p.parquet", frame)))

    assert (tally.kept, tally.duplicates, len(tally.rejects), tally.renormalised) == (199, 2, 1, 200)
    kept = stocked.ask(
        "SELECT i.item_id, m.name, p.predicted, p.pred_probs, p.fold FROM predictions p JOIN items i USING (item) "
        "JOIN models m USING (model) ORDER BY p.item"
    )
    says = make_predictions()["predicted"].tolist()
    assert kept == [
        (f"i{k}", f"m{k % 2 + 1}", says[k], None if k == 9 else [0.75, 0.25] if says[k] == "a" else [0.25, 0.75], "1")
        for k in range(200)
        if k != 8
    ]
    assert not stocked.load(stocked.folder / "p.parquet").changed


@given(
    block=arrays(np.float64, st.tuples(st.integers(1, 40), st.sampled_from([1, 2, 5, 70])), elements=st.floats(0, 1)),
    noise=st.sampled_from([0.0, 5e-7, 9e-4, 2e-3, -5e-4]),
    cut=st.integers(0, 40),
)
@settings(max_examples=60, deadline=None)
def test_the_kernel_agrees_with_a_slow_twin_however_rows_fall_into_blocks(block, noise, cut):
    probs = (block + 1e-3) / (block + 1e-3).sum(axis=1, keepdims=True)
    probs[::3] *= 1 + noise
    probs[1::7, 0] = np.nan
    classes = tuple(f"c{k}" for k in range(probs.shape[1]))
    rows = np.arange(1, len(probs) + 1)
    lengths = np.full(len(probs), probs.shape[1])
    whole, left, right = (ProbabilityKernel(classes, listed=99) for _ in range(3))

    mended = whole.update(Block(rows, probs, lengths))
    parts = [
        kernel.update(Block(rows[part], probs[part], lengths[part]))
        for kernel, part in ((left, slice(None, cut)), (right, slice(cut, None)))
    ]
    left.merge(right)

    good, off = [], 0
    for row, numbers in enumerate(probs.tolist(), start=1):
        total = math.fsum(numbers)
        if not math.isnan(total) and abs(total - 1) <= 1.0001e-3:
            good.append(row)
            off += abs(total - 1) > 1e-6 or max(numbers) > 1
    assert mended.rows.tolist() == good
    assert [fault.row for fault in whole.faults] == sorted(set(rows.tolist()) - set(good))
    assert (whole.faulty, whole.renormalised) == (len(probs) - len(good), off)
    assert (left.faulty, left.renormalised, left.faults) == (whole.faulty, whole.renormalised, whole.faults)
    assert np.array_equal(np.concatenate([part.numbers for part in parts]), mended.numbers)
    for numbers, best, row in zip(mended.numbers, mended.best, mended.rows, strict=True):
        exact = probs[row - 1]
        assert numbers == pytest.approx(exact / exact.sum(), abs=1e-7)
        assert (
            best == (exact.argmax() if (exact == exact.max()).sum() == 1 else -1)
            or np.isclose(np.sort(exact)[-2:], exact.max()).all()
        )
