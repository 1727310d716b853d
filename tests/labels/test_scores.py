"""Label quality against slow readable twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError, UnknownNameError
from analysis.labels import SCORE_METHODS, compute_confident_thresholds, score_label_quality
from analysis.labels.scores import rank_rows

seeds = st.integers(0, 2**32 - 1)


# ---- slow readable twins


def margin_twin(label, row):
    others = [p for code, p in enumerate(row) if code != label]
    return (row[label] - max(others) + 1) / 2


def self_confidence_twin(label, row):
    return row[label]


def entropy_twin(label, row):
    if row[label] == 0:
        return 0.0
    entropy = -sum(p * math.log(p) for p in row if p > 0) / math.log(len(row))
    ratio = entropy / row[label]
    if math.isinf(ratio):
        return 0.0
    return math.log1p(ratio) / ratio if ratio > 0 else 1.0


TWINS = {
    "normalized_margin": margin_twin,
    "self_confidence": self_confidence_twin,
    "confidence_weighted_entropy": entropy_twin,
}


def adjusted_twin(labels, probs):
    thresholds = compute_confident_thresholds(labels, probs)
    highest = max(t for t in thresholds if t < 2)
    thresholds = [t if t < 2 else highest for t in thresholds]
    shifted = [[p - t + highest for p, t in zip(row, thresholds, strict=True)] for row in probs.tolist()]
    return [[p / sum(row) for p in row] for row in shifted]


# ---- the formulas


def test_every_score_has_a_twin():
    assert set(TWINS) == set(SCORE_METHODS)


@pytest.mark.parametrize("method", SCORE_METHODS)
@given(seed=seeds)
@settings(max_examples=80, deadline=None)
def test_score_is_its_formula(make_data, method, seed):
    labels, probs = make_data(seed)
    scores = score_label_quality(labels, probs, method=method)
    twins = [TWINS[method](label, row) for label, row in zip(labels, probs.tolist(), strict=True)]
    assert scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()
    # Near certainty the entropy is a sum of cancelled digits, so its twin needs room for them.
    np.testing.assert_allclose(scores, twins, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["normalized_margin", "self_confidence"])
@given(seed=seeds)
@settings(max_examples=80, deadline=None)
def test_adjusted_score_is_that_of_shifted_and_renormalised_probabilities(make_data, method, seed):
    labels, probs = make_data(seed)
    scores = score_label_quality(labels, probs, method=method, adjust=True)
    rows = adjusted_twin(labels, probs)
    twins = [TWINS[method](label, row) for label, row in zip(labels, rows, strict=True)]
    np.testing.assert_allclose(scores, twins, rtol=0, atol=1e-12)


def test_adjusting_lifts_labels_of_a_class_of_which_the_model_is_never_sure():
    labels = [0, 0, 1, 1]
    probs = [[0.95, 0.05], [0.97, 0.03], [0.45, 0.55], [0.55, 0.45]]
    plain = score_label_quality(labels, probs)
    adjusted = score_label_quality(labels, probs, adjust=True)
    assert plain[3] < 0.5 < adjusted[3]


def test_entropy_score_goes_to_its_limits_where_the_model_is_certain():
    labels = [0, 1, 0]
    probs = [[1.0, 0.0], [1.0, 0.0], [1 - 1e-9, 1e-9]]
    scores = score_label_quality(labels, probs, method="confidence_weighted_entropy")
    assert scores[:2].tolist() == [1.0, 0.0]
    assert 0.9999 < scores[2] < 1


def test_no_score_leaves_0_to_1_where_probabilities_do_by_rounding():
    probs = np.array([[1.0005, -0.0005], [1.0005, -0.0005], [0.0, 1.0009]])
    for method in SCORE_METHODS:
        scores = score_label_quality([0, 1, 0], probs, method=method)
        assert scores[0] == 1 or method == "confidence_weighted_entropy"
        assert scores[1] == 0
        assert scores[2] == 0
        assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("method", SCORE_METHODS)
def test_many_blocks_score_as_single_rows_do(make_data, method):
    labels, probs = make_data(2, n=70_001, k=6, style="smooth")
    scores = score_label_quality(labels, probs, method=method)
    for row in (0, 21_844, 21_845, 43_690, 70_000):
        alone = score_label_quality(labels[row : row + 1], probs[row : row + 1], method=method)
        assert alone[0] == scores[row]


# ---- what must not matter


@pytest.mark.parametrize("method", SCORE_METHODS)
@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_permuting_rows_or_classes_permutes_the_scores(make_data, method, seed):
    labels, probs = make_data(seed)
    rng = np.random.default_rng(seed)
    order, new = rng.permutation(len(labels)), rng.permutation(probs.shape[1])
    moved = np.empty_like(probs)
    moved[:, new] = probs
    for adjust in (False,) if method == "confidence_weighted_entropy" else (False, True):
        scores = score_label_quality(labels, probs, method=method, adjust=adjust)
        by_row = score_label_quality(labels[order], probs[order], method=method, adjust=adjust)
        by_class = score_label_quality(new[labels], moved, method=method, adjust=adjust)
        assert by_row.tolist() == scores[order].tolist()
        # The sum over classes depends on their order in the last bits.
        np.testing.assert_allclose(by_class, scores, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("method", ["normalized_margin", "self_confidence"])
@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_class_without_mass_changes_no_score(make_data, method, adjust, seed):
    labels, probs = make_data(seed)
    wider = np.append(probs, np.zeros((len(labels), 1)), axis=1)
    scores = score_label_quality(labels, probs, method=method, adjust=adjust)
    with_class = score_label_quality(labels, wider, method=method, adjust=adjust)
    np.testing.assert_allclose(with_class, scores, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", SCORE_METHODS)
def test_float32_scores_as_the_same_values_in_float64(make_data, method):
    labels, probs = make_data(3, n=500, k=4, style="smooth")
    single = probs.astype(np.float32)
    for adjust in (False,) if method == "confidence_weighted_entropy" else (False, True):
        narrow = score_label_quality(labels, single, method=method, adjust=adjust)
        wide = score_label_quality(labels, single.astype(np.float64), method=method, adjust=adjust)
        assert narrow.tolist() == wide.tolist()


@given(
    first=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40),
    data=st.data(),
)
@settings(deadline=None)
def test_rank_rows_is_a_sort_by_all_keys_and_the_row(first, data):
    same_size = st.lists(st.sampled_from([0.0, 1.0]), min_size=len(first), max_size=len(first))
    second = data.draw(same_size)
    order = rank_rows(np.array(first), np.array(second))
    assert order.tolist() == sorted(range(len(first)), key=lambda row: (first[row], second[row], row))


# ---- refusals


def test_an_unknown_method_is_answered_with_a_near_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'normalized_margin'"):
        score_label_quality([0], [[1.0, 0.0]], method="normalised_margin")


def test_the_entropy_cannot_be_adjusted():
    with pytest.raises(AnalysisError, match="have no entropy"):
        score_label_quality([0], [[1.0, 0.0]], method="confidence_weighted_entropy", adjust=True)
