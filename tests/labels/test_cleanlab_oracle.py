"""Confident learning against cleanlab 2.9, which nobody here wrote.

cleanlab breaks ties by ``np.argsort`` with its default, unstable sort, whose outcome depends on the processor
(with AVX-512 it differs from row five on). The fixture gives it a stable one: nothing else of it is touched.
"""

import functools
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.labels import (
    FILTERS,
    compute_confident_joint,
    compute_confident_thresholds,
    compute_label_issues,
    estimate_issue_count,
    find_label_issues,
    score_label_quality,
)

with warnings.catch_warnings():
    # Only loading it: modules that cleanlab imports warn about each other's versions.
    warnings.simplefilter("ignore")
    from cleanlab import count, filter, rank  # noqa: A004 (the oracle's own name)

pytestmark = pytest.mark.filterwarnings("ignore:May not flag all label issues in class:UserWarning")

seeds = st.integers(0, 2**32 - 1)
CLEANLAB_NAMES = {"off_diagonal": "confident_learning"}
# cleanlab takes another number of these; see test_low_filters_flag_the_calibrated_number.
SAME_RULE = [name for name in FILTERS if not name.startswith("low_")]


@pytest.fixture(scope="module", autouse=True)
def stable_oracle():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "argsort", functools.partial(np.argsort, kind="stable"))
        yield


def rows_read_otherwise(labels, probs):
    """Rows for which the paper and cleanlab count another class, or whose tolerance decides."""
    thresholds = count.get_confident_thresholds(labels, probs)
    over = probs >= thresholds - 1e-12
    argmax_fails = ~over[np.arange(len(labels)), probs.argmax(axis=1)]
    in_tolerance = (over != (probs >= thresholds - 1e-6)).any(axis=1)
    return ((over.sum(axis=1) > 1) & argmax_fails) | in_tolerance


def find_by_cleanlab(labels, probs, filter_by, **options):
    mask = filter.find_label_issues(
        labels, probs, filter_by=CLEANLAB_NAMES.get(filter_by, filter_by), n_jobs=1, **options
    )
    return np.flatnonzero(mask).tolist()


# ---- random data, every class given to someone


@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_thresholds_equal_cleanlab(make_data, seed):
    labels, probs = make_data(seed, full=True)
    ours = compute_confident_thresholds(labels, probs)
    np.testing.assert_allclose(ours, count.get_confident_thresholds(labels, probs), rtol=1e-13)


@given(seed=seeds)
@settings(max_examples=150, deadline=None)
def test_raw_joint_differs_from_cleanlab_by_the_rows_it_reads_otherwise_and_the_diagonal(make_data, seed):
    labels, probs = make_data(seed, style="smooth", full=True)
    otherwise = rows_read_otherwise(labels, probs)
    ours = compute_confident_joint(labels, probs, calibrate=False)
    theirs = count.compute_confident_joint(labels, probs, calibrate=False)
    thresholds = compute_confident_thresholds(labels, probs)
    for x in np.flatnonzero(otherwise):
        over = np.flatnonzero(probs[x] >= thresholds - 1e-12)
        ours[labels[x], over[probs[x, over].argmax()]] -= 1
        ours[labels[x], probs[x].argmax()] += 1
    np.fill_diagonal(ours, ours.diagonal().clip(min=1))
    assert ours.tolist() == theirs.tolist()


@given(seed=seeds)
@settings(max_examples=200, deadline=None)
def test_calibrated_joint_and_estimate_equal_cleanlab_to_the_last_rounding(make_data, seed):
    labels, probs = make_data(seed, full=True)
    assume(not rows_read_otherwise(labels, probs).any())
    joint = compute_confident_joint(labels, probs)
    assert joint.tolist() == count.compute_confident_joint(labels, probs).tolist()
    expected = count.num_label_issues(labels, probs, estimation_method="off_diagonal_calibrated")
    assert estimate_issue_count(joint, len(labels)) == expected


@pytest.mark.parametrize("filter_by", SAME_RULE)
@given(seed=seeds)
@settings(max_examples=80, deadline=None)
def test_filters_flag_what_cleanlab_flags(make_data, filter_by, seed):
    labels, probs = make_data(seed, style="smooth", full=True)
    assume(not rows_read_otherwise(labels, probs).any())
    ours = find_label_issues(labels, probs, filter_by=filter_by)
    assert sorted(ours.tolist()) == find_by_cleanlab(labels, probs, filter_by)


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "prune_by_class", "both"])
@given(seed=seeds)
@settings(max_examples=80, deadline=None)
def test_pruning_by_our_joint_flags_what_cleanlab_flags_by_it(make_data, filter_by, seed):
    labels, probs = make_data(seed, style="smooth")
    assume(len(set(labels.tolist())) > 1)
    ours = find_label_issues(labels, probs, filter_by=filter_by)
    joint = compute_confident_joint(labels, probs)
    assert sorted(ours.tolist()) == find_by_cleanlab(labels, probs, filter_by, confident_joint=joint)


@pytest.mark.parametrize("filter_by", ["low_normalized_margin", "low_self_confidence"])
@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_low_filters_flag_the_calibrated_number(make_data, filter_by, seed):
    labels, probs = make_data(seed, style="smooth", full=True)
    assume(not rows_read_otherwise(labels, probs).any())
    n = count.num_label_issues(labels, probs, estimation_method="off_diagonal_calibrated")
    scores = rank.get_label_quality_scores(labels, probs, method=filter_by.removeprefix("low_"))
    ours = find_label_issues(labels, probs, filter_by=filter_by)
    assert sorted(ours.tolist()) == sorted(np.argsort(scores)[:n].tolist())


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("method", ["normalized_margin", "self_confidence"])
@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_scores_equal_cleanlab(make_data, method, adjust, seed):
    labels, probs = make_data(seed, full=True)
    theirs = rank.get_label_quality_scores(labels, probs, method=method, adjust_pred_probs=adjust)
    ours = score_label_quality(labels, probs, method=method, adjust=adjust)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_entropy_score_equals_cleanlab_where_it_floors_nothing(make_data, seed):
    labels, probs = make_data(seed, full=True)
    method = "confidence_weighted_entropy"
    theirs = rank.get_label_quality_scores(labels, probs, method=method)
    ours = score_label_quality(labels, probs, method=method)
    p_given = probs[np.arange(len(labels)), labels]
    # log(1 + s) / s is near 1 - s / 2, so a ratio above cleanlab's floor shows as a score below this.
    unfloored = (p_given >= 1e-6) & (ours < 1 - 1e-6)
    np.testing.assert_allclose(ours[unfloored], theirs[unfloored], rtol=1e-9)


# ---- real data


def test_mnist_joint_thresholds_and_suspects_equal_cleanlab(mnist):
    issues = compute_label_issues(mnist.labels, mnist.pred_probs)
    theirs = filter.find_label_issues(
        mnist.labels, mnist.pred_probs, return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    assert issues.flagged.tolist() == theirs.tolist()
    assert len(issues.flagged) == 15
    assert issues.estimated_issues == 15
    joint = count.compute_confident_joint(mnist.labels, mnist.pred_probs)
    assert issues.confident_joint.tolist() == joint.tolist()
    thresholds = count.get_confident_thresholds(mnist.labels, mnist.pred_probs)
    np.testing.assert_allclose(issues.thresholds, thresholds, rtol=1e-13)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_every_filter_flags_on_mnist_what_cleanlab_flags(mnist, filter_by):
    ours = find_label_issues(mnist.labels, mnist.pred_probs, filter_by=filter_by)
    assert sorted(ours.tolist()) == find_by_cleanlab(mnist.labels, mnist.pred_probs, filter_by)


def test_the_first_fifteen_by_margin_hold_at_least_six_errors_that_people_verified(mnist):
    assert len(mnist.verified_errors) == 15
    for first in (
        np.argsort(score_label_quality(mnist.labels, mnist.pred_probs), kind="stable")[:15],
        find_label_issues(mnist.labels, mnist.pred_probs),
    ):
        assert len(mnist.verified_errors & set(mnist.item_ids[first])) >= 6
