"""Thresholds, joint and calibration against slow readable twins."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.labels import (
    JointKernel,
    LabelBatch,
    ThresholdKernel,
    compute_confident_joint,
    compute_confident_thresholds,
    estimate_issue_count,
    find_label_issues,
    score_label_quality,
    to_calibrated_joint,
    to_label_batch,
)
from analysis.labels.likely import to_cuts

seeds = st.integers(0, 2**32 - 1)


# ---- slow readable twins


def thresholds_twin(labels, probs):
    """The mean self-confidence, in exact arithmetic."""
    thresholds = []
    for code in range(probs.shape[1]):
        own = [Fraction(float(p)) for p in probs[labels == code, code]]
        thresholds.append(max(float(sum(own) / len(own)), 2e-6) if own else np.inf)
    return thresholds


def joint_twin(labels, probs):
    """Equation 1 of the paper, one item at a time."""
    k = probs.shape[1]
    thresholds = thresholds_twin(labels, probs)
    joint = [[0] * k for _ in range(k)]
    for given_label, row in zip(labels, probs, strict=True):
        over = [code for code in range(k) if row[code] >= thresholds[code] - 1e-12]
        if over:
            joint[given_label][max(over, key=lambda code: row[code])] += 1
    return joint


# ---- the formulas


@given(seed=seeds)
@settings(max_examples=150, deadline=None)
def test_thresholds_are_the_mean_self_confidence_of_each_class(make_data, seed):
    labels, probs = make_data(seed)
    ours = compute_confident_thresholds(labels, probs)
    # Each probability is rounded to 2^-62, which may turn the last bit of the mean.
    np.testing.assert_allclose(ours, thresholds_twin(labels, probs), rtol=0, atol=2**-52)


@given(seed=seeds)
@settings(max_examples=200, deadline=None)
def test_raw_joint_counts_the_most_probable_class_over_its_threshold(make_data, seed):
    labels, probs = make_data(seed)
    joint = compute_confident_joint(labels, probs, calibrate=False)
    assert joint.dtype == np.int64
    assert joint.tolist() == joint_twin(labels, probs)


def test_a_class_below_its_threshold_does_not_win_although_it_is_the_most_probable():
    # The last row is over the thresholds of 1 and 2, but its most probable class is 0.
    labels = [0, 1, 2, 2]
    probs = [[0.9, 0.1, 0.0], [0.7, 0.3, 0.0], [0.95, 0.0, 0.05], [0.4, 0.35, 0.25]]
    thresholds = compute_confident_thresholds(labels, probs)
    assert (np.array(probs[3]) >= thresholds).tolist() == [False, True, True]
    joint = compute_confident_joint(labels, probs, calibrate=False)
    assert joint[2].tolist() == [1, 1, 0]


def test_equal_probabilities_over_threshold_go_to_the_lowest_class():
    labels = [0, 1, 2]
    probs = [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]
    joint = compute_confident_joint(labels, probs, calibrate=False)
    assert joint.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_raw_diagonal_may_be_zero():
    probs = [[0.1, 0.9], [0.1, 0.9], [0.9, 0.1]]
    assert compute_confident_joint([0, 0, 1], probs, calibrate=False).tolist() == [[0, 2], [1, 0]]


def test_items_over_no_threshold_are_not_counted():
    probs = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]
    assert compute_confident_joint([0, 0, 1], probs, calibrate=False).tolist() == [[1, 0], [0, 1]]


def test_equal_probabilities_are_all_over_their_mean_whatever_their_number():
    # A running float sum of 300,000 x 0.9 is off by more than the tolerance of 1e-12 an item.
    labels = np.zeros(300_000, dtype=np.int64)
    labels[0] = 1
    probs = np.tile([0.9, 0.1], (300_000, 1))
    assert compute_confident_thresholds(labels, probs).tolist() == [0.9, 0.1]
    assert compute_confident_joint(labels, probs, calibrate=False).sum() == 300_000


# ---- calibration


@given(seed=seeds)
@settings(max_examples=150, deadline=None)
def test_calibrated_rows_sum_to_the_given_counts_and_are_within_one_of_their_share(make_data, seed):
    labels, probs = make_data(seed)
    raw = compute_confident_joint(labels, probs, calibrate=False)
    calibrated = compute_confident_joint(labels, probs)
    counts = np.bincount(labels, minlength=probs.shape[1])
    assert calibrated.dtype == np.int64
    assert calibrated.sum(axis=1).tolist() == counts.tolist()
    assert (calibrated >= 0).all()
    np.fill_diagonal(raw, raw.diagonal().clip(min=1))
    shares = raw / raw.sum(axis=1, keepdims=True) * counts[:, np.newaxis]
    assert np.abs(calibrated - shares).max() < 1 + 1e-9


def test_equal_remainders_round_the_higher_class_up():
    assert to_calibrated_joint(np.array([[1, 1], [0, 4]]), np.array([3, 4])).tolist() == [[1, 2], [0, 4]]
    assert to_calibrated_joint(np.array([[1, 1, 1]] * 3), np.array([1, 2, 4])).tolist() == [
        [0, 0, 1],
        [0, 1, 1],
        [1, 1, 2],
    ]


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_estimate_is_what_the_calibrated_joint_has_off_its_diagonal(make_data, seed):
    labels, probs = make_data(seed)
    joint = compute_confident_joint(labels, probs)
    off_diagonal = int(joint.sum() - joint.trace())
    assert estimate_issue_count(joint, len(labels)) == off_diagonal
    assert estimate_issue_count(joint / joint.sum(), len(labels)) == off_diagonal


@pytest.mark.parametrize("joint", [[[0, 0], [0, 0]], [[1, 2, 3], [4, 5, 6]], [1, 2]])
def test_an_estimate_needs_a_square_joint_with_mass(joint):
    with pytest.raises(AnalysisError, match="Pass the result of compute_confident_joint"):
        estimate_issue_count(joint, 3)


# ---- kernels


@given(seed=seeds, cuts=st.lists(st.integers(0, 60), max_size=4), backwards=st.booleans())
@settings(max_examples=60, deadline=None)
def test_kernels_give_the_same_bits_for_any_batches_in_any_order(make_data, seed, cuts, backwards):
    labels, probs = make_data(seed)
    k = probs.shape[1]
    edges = [0, *sorted(min(cut, len(labels)) for cut in cuts), len(labels)]
    batches = [LabelBatch(labels[a:b], probs[a:b], a) for a, b in pairwise(edges)]
    first = ThresholdKernel(k)
    for batch in batches[::-1] if backwards else batches:
        part = ThresholdKernel(k)
        part.update(batch)
        first.merge(part)
    thresholds = first.result()
    assert thresholds.tolist() == compute_confident_thresholds(labels, probs).tolist()
    assert first.given_counts.tolist() == np.bincount(labels, minlength=k).tolist()
    second = JointKernel(thresholds)
    for batch in batches:
        part = JointKernel(thresholds)
        part.update(batch)
        second.merge(part)
    assert second.result().tolist() == compute_confident_joint(labels, probs, calibrate=False).tolist()


def test_many_blocks_give_what_one_pass_of_plain_numpy_gives(make_data):
    labels, probs = make_data(5, n=200_003, k=7, style="smooth")
    thresholds = np.array([probs[labels == code, code].mean() for code in range(7)])
    np.testing.assert_allclose(compute_confident_thresholds(labels, probs), thresholds, rtol=1e-13)
    over = np.where(probs >= thresholds - 1e-12, probs, -1)
    confident = over.max(axis=1) >= 0
    joint = np.zeros((7, 7), dtype=np.int64)
    np.add.at(joint, (labels[confident], over.argmax(axis=1)[confident]), 1)
    assert compute_confident_joint(labels, probs, calibrate=False).tolist() == joint.tolist()


@given(value=st.floats(2e-6, 1))
@settings(deadline=None)
def test_a_float32_cut_decides_as_float64_would(value):
    cut = to_cuts(np.array([value]), np.dtype(np.float32))[0]
    below = np.nextafter(cut, np.float32(-1))
    assert float(cut) >= value - 1e-12
    assert float(below) < value - 1e-12


# ---- what must not matter


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_a_permutation_of_classes_permutes_thresholds_and_raw_joint(make_data, seed):
    labels, probs = make_data(seed, style="smooth")
    new = np.random.default_rng(seed).permutation(probs.shape[1])
    moved = np.empty_like(probs)
    moved[:, new] = probs
    thresholds = compute_confident_thresholds(labels, probs)
    assert compute_confident_thresholds(new[labels], moved)[new].tolist() == thresholds.tolist()
    joint = compute_confident_joint(labels, probs, calibrate=False)
    permuted = compute_confident_joint(new[labels], moved, calibrate=False)
    assert permuted[np.ix_(new, new)].tolist() == joint.tolist()


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_a_permutation_of_rows_changes_nothing(make_data, seed):
    labels, probs = make_data(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    joint = compute_confident_joint(labels, probs)
    assert compute_confident_joint(labels[order], probs[order]).tolist() == joint.tolist()


@given(seed=seeds, at=st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_a_class_without_mass_changes_nothing(make_data, seed, at):
    labels, probs = make_data(seed)
    at = min(at, probs.shape[1])
    wider = np.insert(probs, at, 0.0, axis=1)
    shifted = labels + (labels >= at)
    for calibrate in (True, False):
        joint = compute_confident_joint(shifted, wider, calibrate=calibrate)
        assert not joint[at].any()
        assert not joint[:, at].any()
        without = np.delete(np.delete(joint, at, axis=0), at, axis=1)
        assert without.tolist() == compute_confident_joint(labels, probs, calibrate=calibrate).tolist()


def test_nothing_is_over_the_threshold_of_a_class_that_nobody_was_given():
    thresholds = compute_confident_thresholds([0, 0], [[0.0, 1.0], [0.5, 0.5]])
    assert thresholds.tolist() == [0.25, np.inf]
    assert compute_confident_joint([0, 0], [[0.0, 1.0], [0.5, 0.5]]).tolist() == [[2, 0], [0, 0]]


def test_float32_float64_memory_map_column_order_and_frame_agree(make_data, tmp_path: Path):
    labels, probs = make_data(11, n=30_000, k=5, style="smooth")
    single = probs.astype(np.float32)
    exact = single.astype(np.float64)
    mapped = np.memmap(tmp_path / "probs.bin", dtype=np.float32, mode="w+", shape=single.shape)
    mapped[:] = single
    expected = compute_confident_joint(labels, exact)
    for same in (single, mapped, np.asfortranarray(single), pd.DataFrame(single), exact[::-1][::-1]):
        assert compute_confident_joint(labels, same).tolist() == expected.tolist()
    for given_labels in (labels.astype(np.int8), labels.astype(np.uint64), labels.tolist(), pd.Series(labels)):
        assert compute_confident_joint(given_labels, exact).tolist() == expected.tolist()


def test_large_arrays_are_not_copied_at_the_door():
    labels = np.zeros(10, dtype=np.int64)
    for dtype in (np.float32, np.float64):
        probs = np.full((10, 2), 0.5, dtype=dtype)
        batch = to_label_batch(labels, probs)
        assert np.shares_memory(batch.pred_probs, probs)
        assert np.shares_memory(batch.labels, labels)


# ---- the door

GOOD = [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]


def with_value(row, code, value):
    probs = np.array(GOOD)
    probs[row, code] = value
    return probs


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        ([0, 1, 2], GOOD, "labels row 2 is 2, but pred_probs has 2 columns"),
        ([0, -1, 1], GOOD, "labels row 1 is -1"),
        ([0, 1], GOOD, r"labels has shape \(2,\), but pred_probs has 3 rows"),
        ([[0], [1], [0]], GOOD, r"labels has shape \(3, 1\)"),
        ([0.0, 1.0, np.nan], GOOD, "labels must be integers from 0 to 1, but their type is float64"),
        (["0", "1", "0"], GOOD, "Encode each label as the number of its column"),
        ([True, False, True], GOOD, "their type is bool"),
        ([], np.zeros((0, 2)), "There are no items"),
        ([0, 0, 0], [[1.0], [1.0], [1.0]], r"has shape \(3, 1\); .* two columns 1 - p and p"),
        ([0, 0], [0.4, 0.6], r"has shape \(2,\)"),
        ([0], [["0.5", "0.5"]], "pred_probs must hold numbers"),
        ([0], [[None, 0.5]], "pred_probs must hold numbers"),
        ([0, 1, 0], with_value(1, 0, np.nan), r"row 1, class 0 is missing \(NaN\)"),
        ([0, 1, 0], with_value(2, 1, -0.01), "row 2, class 1 is -0.01; .* softmax"),
        ([0, 1, 0], with_value(0, 1, 1.5), "row 0, class 1 is 1.5"),
        ([0, 1, 0], with_value(0, 1, np.inf), "row 0, class 1 is inf"),
        ([0, 1, 0], with_value(1, 1, 0.7), "row 1 sums to 0.95, not 1"),
        ([0, 1, 0], with_value(1, 1, 0.7).astype(np.float32), "row 1 sums to 0.95, not 1"),
    ],
)
def test_the_door_names_what_is_wrong_and_where(labels, probs, message):
    for use in (compute_confident_joint, compute_confident_thresholds, score_label_quality, find_label_issues):
        with pytest.raises(AnalysisError, match=message):
            use(labels, probs)


def test_a_fault_in_a_later_block_is_named_by_its_row_in_the_whole():
    probs = np.full((200_000, 2), 0.5)
    probs[150_001, 1] = np.nan
    with pytest.raises(AnalysisError, match="row 150,001, class 1"):
        compute_confident_thresholds(np.zeros(200_000, dtype=int), probs)


def test_rounding_of_a_thousandth_is_let_in():
    probs = np.array([[1.00002, 0.0], [-0.0005, 1.0], [0.333, 0.6665]])
    assert compute_confident_joint([0, 1, 1], probs).sum() == 3
    assert ((score_label_quality([0, 1, 1], probs) >= 0) & (score_label_quality([0, 1, 1], probs) <= 1)).all()


def test_whole_numbers_are_probabilities_too():
    assert compute_confident_joint([0, 1], [[1, 0], [0, 1]]).tolist() == [[1, 0], [0, 1]]
