"""Filters, ranking and likely labels against slow readable twins."""

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import UnknownNameError
from analysis.labels import (
    FILTERS,
    SCORE_METHODS,
    compute_confident_joint,
    compute_confident_thresholds,
    compute_label_issues,
    describe_suspect,
    estimate_issue_count,
    find_label_issues,
    find_likely_labels,
    score_label_quality,
)

seeds = st.integers(0, 2**32 - 1)


# ---- slow readable twins: each returns the set of flagged rows


def best_other(label, row):
    return max(p for code, p in enumerate(row) if code != label)


def prefers_other(labels, probs):
    return {
        x
        for x, (label, row) in enumerate(zip(labels, probs, strict=True))
        if best_other(label, row) > row[label] + 1e-6
    }


def noise_rate_twin(labels, probs):
    joint = compute_confident_joint(labels, probs)
    flagged = set()
    for i in range(len(joint)):
        members = np.flatnonzero(labels == i)
        if len(members) <= 1:
            continue
        for j in range(len(joint)):
            wanted = joint[i, j] - (1 if joint[i, i] == 0 else 0)
            if i != j and wanted > 0:
                order = sorted(members, key=lambda x: (probs[x, i] - probs[x, j], probs[x, i], x))
                flagged.update(order[:wanted])
    return flagged & prefers_other(labels, probs)


def by_class_twin(labels, probs):
    joint = compute_confident_joint(labels, probs)
    margin = score_label_quality(labels, probs)
    flagged = set()
    for i in range(len(joint)):
        members = sorted(np.flatnonzero(labels == i), key=lambda x: (probs[x, i], margin[x], x))
        flagged.update(members[: max(0, len(members) - max(joint[i, i], 1))])
    return flagged & prefers_other(labels, probs)


def off_diagonal_twin(labels, probs):
    thresholds = compute_confident_thresholds(labels, probs)
    counted = set()
    for x, row in enumerate(probs):
        over = [code for code, p in enumerate(row) if p >= thresholds[code] - 1e-12]
        if over and max(over, key=lambda code: row[code]) != labels[x]:
            counted.add(x)
    return counted & prefers_other(labels, probs)


def lowest_twin(method, other):
    def twin(labels, probs):
        n = estimate_issue_count(compute_confident_joint(labels, probs), len(labels))
        first = score_label_quality(labels, probs, method=method)
        second = score_label_quality(labels, probs, method=other)
        return set(sorted(range(len(labels)), key=lambda x: (first[x], second[x], x))[:n])

    return twin


TWINS = {
    "prune_by_noise_rate": noise_rate_twin,
    "prune_by_class": by_class_twin,
    "both": lambda labels, probs: noise_rate_twin(labels, probs) & by_class_twin(labels, probs),
    "off_diagonal": off_diagonal_twin,
    "predicted_neq_given": prefers_other,
    "low_normalized_margin": lowest_twin("normalized_margin", "self_confidence"),
    "low_self_confidence": lowest_twin("self_confidence", "normalized_margin"),
}


def likely_twin(labels, probs):
    thresholds = compute_confident_thresholds(labels, probs)
    likely = []
    for label, row in zip(labels, probs, strict=True):
        others = [code for code in range(len(row)) if code != label]
        over = [code for code in others if row[code] >= thresholds[code] - 1e-12]
        likely.append(max(over or others, key=lambda code: row[code]))
    return likely


# ---- the formulas


def test_every_filter_has_a_twin():
    assert set(TWINS) == set(FILTERS)


@pytest.mark.parametrize("filter_by", FILTERS)
@given(seed=seeds)
@settings(max_examples=120, deadline=None)
def test_filter_flags_what_its_twin_flags(make_data, filter_by, seed):
    labels, probs = make_data(seed)
    flagged = find_label_issues(labels, probs, filter_by=filter_by)
    assert flagged.dtype == np.int64
    assert len(set(flagged.tolist())) == len(flagged)
    assert set(flagged.tolist()) == {int(x) for x in TWINS[filter_by](labels, probs)}


@given(seed=seeds)
@settings(max_examples=150, deadline=None)
def test_likely_label_is_the_best_other_class_over_threshold_else_the_best_other(make_data, seed):
    labels, probs = make_data(seed)
    likely = find_likely_labels(labels, probs)
    assert likely.tolist() == likely_twin(labels, probs)
    assert (likely != labels).all()


@pytest.mark.parametrize("rank_by", SCORE_METHODS)
@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_suspects_stand_worst_first_with_ties_by_the_other_score_then_by_row(make_data, rank_by, seed):
    labels, probs = make_data(seed, style="eighths")
    flagged = find_label_issues(labels, probs, filter_by="predicted_neq_given", rank_by=rank_by)
    first = score_label_quality(labels, probs, method=rank_by)
    other = "self_confidence" if rank_by == "normalized_margin" else "normalized_margin"
    second = score_label_quality(labels, probs, method=other)
    assert flagged.tolist() == sorted(flagged.tolist(), key=lambda x: (first[x], second[x], x))


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_one_run_holds_what_the_single_functions_give(make_data, seed):
    labels, probs = make_data(seed)
    rows = np.arange(len(labels))
    for rank_by in SCORE_METHODS:
        issues = compute_label_issues(labels, probs, filter_by="both", rank_by=rank_by)
        joint = compute_confident_joint(labels, probs)
        assert issues.thresholds.tolist() == compute_confident_thresholds(labels, probs).tolist()
        assert issues.confident_joint.tolist() == joint.tolist()
        assert issues.estimated_issues == estimate_issue_count(joint, len(labels))
        assert issues.flagged.tolist() == find_label_issues(labels, probs, filter_by="both", rank_by=rank_by).tolist()
        assert issues.likely.tolist() == find_likely_labels(labels, probs).tolist()
        assert issues.quality.tolist() == score_label_quality(labels, probs, method=rank_by).tolist()
        assert issues.p_given.tolist() == probs[rows, labels].tolist()
        assert issues.p_likely.tolist() == probs[rows, issues.likely].tolist()


# ---- rare classes


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "prune_by_class", "both"])
@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_pruning_never_flags_a_whole_class(make_data, filter_by, seed):
    labels, probs = make_data(seed)
    flagged = find_label_issues(labels, probs, filter_by=filter_by)
    left = np.delete(labels, flagged)
    assert set(left.tolist()) == set(labels.tolist())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_rare_class_whose_items_all_look_like_another_keeps_one(size):
    labels = np.repeat([0, 1], [30, size])
    probs = np.tile([0.9, 0.1], (30 + size, 1))
    probs[30:, 0] -= np.arange(size) * 0.01
    probs[30:, 1] = 1 - probs[30:, 0]
    for filter_by in ("prune_by_noise_rate", "prune_by_class", "both"):
        flagged = find_label_issues(labels, probs, filter_by=filter_by)
        # Row 30 looks most like class 0; the calibrated joint leaves class 1 at least one right label.
        assert len(flagged) < size
        assert flagged.tolist() == list(range(30, 30 + len(flagged)))


def test_a_class_of_one_and_an_empty_class_are_no_obstacle():
    probs = [[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.9, 0.1, 0.0]]
    for filter_by in FILTERS:
        assert set(find_label_issues([0, 0, 1], probs, filter_by=filter_by).tolist()) <= {0, 1, 2}
    assert find_label_issues([0, 0, 1], probs).tolist() == []
    assert find_label_issues([0, 0, 1], probs, filter_by="predicted_neq_given").tolist() == [2]


def test_a_single_item_is_no_obstacle():
    issues = compute_label_issues([1], [[0.7, 0.3]])
    assert issues.flagged.tolist() == []
    assert issues.likely.tolist() == [0]
    assert issues.thresholds.tolist() == [np.inf, 0.3]


@pytest.mark.parametrize("filter_by", [name for name in FILTERS if not name.startswith("low_")])
def test_a_lead_of_a_millionth_makes_no_suspect(filter_by):
    labels = np.repeat([0, 1], 10)
    probs = np.repeat([[0.9, 0.1], [0.1, 0.9]], 10, axis=0)
    # A threshold of 0.5 for class 1, which the first row is just over.
    probs[10:] = 0.5
    for lead, expected in ((0.9e-6, []), (1.1e-6, [0])):
        probs[0] = [(1 - lead) / 2, (1 + lead) / 2]
        assert find_label_issues(labels, probs, filter_by=filter_by).tolist() == expected


def test_more_than_65536_pairs_of_classes_are_sorted_rightly():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 300, 3_000)
    logits = rng.standard_normal((3_000, 300))
    logits[np.arange(3_000), np.where(rng.random(3_000) < 0.6, labels, rng.integers(0, 300, 3_000))] += 6
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    assert set(find_label_issues(labels, probs).tolist()) == noise_rate_twin(labels, probs)


# ---- what must not matter


@pytest.mark.parametrize("filter_by", FILTERS)
@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_permutation_of_rows_permutes_the_suspects(make_data, filter_by, seed):
    labels, probs = make_data(seed, style="smooth")
    order = np.random.default_rng(seed).permutation(len(labels))
    flagged = find_label_issues(labels, probs, filter_by=filter_by)
    assert order[find_label_issues(labels[order], probs[order], filter_by=filter_by)].tolist() == flagged.tolist()


def has_rounding_tie(labels, probs):
    """Whether two entries in a row of the calibrated joint have the same remainder."""
    raw = compute_confident_joint(labels, probs, calibrate=False)
    np.fill_diagonal(raw, raw.diagonal().clip(min=1))
    counts = np.bincount(labels, minlength=len(raw))
    remainders = [
        [Fraction(int(c) * int(n), int(row.sum())) % 1 for c in row] for row, n in zip(raw, counts, strict=True)
    ]
    return any(len({r for r in row if r}) < sum(r > 0 for r in row) for row in remainders)


@pytest.mark.parametrize("filter_by", FILTERS)
@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_permutation_of_classes_changes_no_suspect_unless_rounding_ties(make_data, filter_by, seed):
    labels, probs = make_data(seed, n=40, k=3, style="smooth")
    assume(not has_rounding_tie(labels, probs))
    new = np.random.default_rng(seed).permutation(probs.shape[1])
    moved = np.empty_like(probs)
    moved[:, new] = probs
    flagged = find_label_issues(labels, probs, filter_by=filter_by)
    assert find_label_issues(new[labels], moved, filter_by=filter_by).tolist() == flagged.tolist()
    assert find_likely_labels(new[labels], moved).tolist() == new[find_likely_labels(labels, probs)].tolist()


@pytest.mark.parametrize("filter_by", FILTERS)
@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_class_without_mass_changes_no_suspect(make_data, filter_by, seed):
    labels, probs = make_data(seed)
    wider = np.append(probs, np.zeros((len(labels), 1)), axis=1)
    flagged = find_label_issues(labels, probs, filter_by=filter_by)
    assert find_label_issues(labels, wider, filter_by=filter_by).tolist() == flagged.tolist()
    assert find_likely_labels(labels, wider).tolist() == find_likely_labels(labels, probs).tolist()


@pytest.mark.parametrize("filter_by", FILTERS)
def test_float32_float64_and_memory_map_agree(make_data, tmp_path: Path, filter_by):
    labels, probs = make_data(21, n=30_000, k=5, style="smooth")
    single = probs.astype(np.float32)
    mapped = np.memmap(tmp_path / "probs.bin", dtype=np.float32, mode="w+", shape=single.shape)
    mapped[:] = single
    expected = find_label_issues(labels, single.astype(np.float64), filter_by=filter_by).tolist()
    assert len(expected) > 100
    assert find_label_issues(labels, single, filter_by=filter_by).tolist() == expected
    assert find_label_issues(labels, mapped, filter_by=filter_by).tolist() == expected
    assert find_label_issues(labels, np.asfortranarray(single), filter_by=filter_by).tolist() == expected


@pytest.mark.parametrize("filter_by", FILTERS)
def test_memory_grows_with_the_items_and_not_with_the_matrix(filter_by):
    labels = np.arange(40_000) % 200
    probs = np.full((40_000, 200), 0.1 / 199, dtype=np.float32)
    probs[np.arange(40_000), np.where(labels % 7 == 0, (labels + 1) % 200, labels)] = 0.9
    tracemalloc.start()
    compute_label_issues(labels, probs, filter_by=filter_by)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The matrix has 32 MB. 100 bytes an item, a few K x K tables and a few blocks.
    assert peak < 40_000 * 100 + 200 * 200 * 8 * 12 + 8_000_000


# ---- words


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("8", "9", 0.97, 0.94, 0.01),
            "Given *8*; the model says *9* with 0.97 (threshold for 9: 0.94) and 8 with 0.01.",
        ),
        (
            ("8", "9", 0.9999, 0.9999, 0.0001),
            "Given *8*; the model says *9* with >0.99 (threshold for 9: >0.99) and 8 with <0.01.",
        ),
        (
            ("<=50K", "dr. who", 1.0, 1.0, 0.0),
            "Given *<=50K*; the model says *dr. who* with 1.00 (threshold for dr. who: 1.00) and <=50K with 0.00.",
        ),
        (
            ("a", "b", 0.3, 0.5, 0.2),
            "Given *a*; the model says *b* with 0.30 (below the threshold for b: 0.50) and a with 0.20.",
        ),
        (
            ("a", "b", 0.3, float("inf"), 0.2),
            "Given *a*; the model says *b* with 0.30 (no threshold for b: no item was given it) and a with 0.20.",
        ),
    ],
)
def test_the_reason_is_one_sentence_that_never_rounds_to_certainty(arguments, sentence):
    assert describe_suspect(*arguments) == sentence


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'prune_by_class'"):
        find_label_issues([0], [[1.0, 0.0]], filter_by="prune_by_clas")
    with pytest.raises(UnknownNameError, match="Did you mean 'self_confidence'"):
        find_label_issues([0], [[1.0, 0.0]], rank_by="selfconfidence")
