"""Intervals against statsmodels, published numbers, slow twins and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from analysis.errors import AnalysisError
from analysis.intervals import (
    bootstrap_by_group,
    compute_q_values,
    mean_interval,
    newcombe_interval,
    wilson_interval,
)

counts = st.integers(1, 5000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
confidences = st.floats(0.5, 0.999)


@settings(max_examples=60, deadline=None)
@given(counts, confidences)
def test_wilson_equals_statsmodels(sides, confidence):
    hits, trials = sides
    expected = proportion_confint(hits, trials, alpha=1 - confidence, method="wilson")
    assert wilson_interval(hits, trials, confidence=confidence) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(counts, counts, confidences)
def test_newcombe_equals_statsmodels(side_a, side_b, confidence):
    expected = confint_proportions_2indep(*side_a, *side_b, method="newcomb", compare="diff", alpha=1 - confidence)
    found = newcombe_interval(*side_a, *side_b, confidence=confidence)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("sides", "published"),
    [  # Newcombe (1998), table II, rows (a) to (h) of method 10
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
    ],
)
def test_newcombe_gives_the_published_numbers(sides, published):
    assert newcombe_interval(*sides) == pytest.approx(published, abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(counts, counts)
def test_newcombe_turns_its_sign_when_the_sides_are_swapped(side_a, side_b):
    low, high = newcombe_interval(*side_a, *side_b)
    swapped_low, swapped_high = newcombe_interval(*side_b, *side_a)
    assert (low, high) == pytest.approx((-swapped_high, -swapped_low), abs=1e-12)
    assert -1 <= low <= side_a[0] / side_a[1] - side_b[0] / side_b[1] <= high <= 1


@settings(max_examples=60, deadline=None)
@given(counts)
def test_wilson_holds_the_rate_and_mirrors_hits_and_misses(sides):
    hits, trials = sides
    low, high = wilson_interval(hits, trials)
    mirrored = wilson_interval(trials - hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]), abs=1e-12)


def test_wilson_ends_are_exact_at_no_hits_and_at_all_hits():
    assert wilson_interval(0, 7)[0] == 0.0
    assert wilson_interval(7, 7)[1] == 1.0


def test_no_trials_give_nan_and_no_warning():
    low, high = wilson_interval(np.array([0, 3]), np.array([0, 4]))
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == wilson_interval(3, 4)
    assert all(math.isnan(bound) for bound in newcombe_interval(0, 0, 1, 2))
    assert all(math.isnan(bound) for bound in newcombe_interval(1, 2, 0, 0))
    assert all(math.isnan(bound) for bound in mean_interval(1.0, 1.0, 1))
    assert all(math.isnan(bound) for bound in mean_interval(0.0, 0.0, 0))


def test_arrays_and_series_give_arrays_equal_to_the_numbers_one_by_one():
    hits, trials = [1, 5, 9], [10, 10, 10]
    low, high = wilson_interval(pd.Series(hits), pd.Series(trials))
    assert low.dtype == high.dtype == np.float64
    for index, pair in enumerate(zip(hits, trials, strict=True)):
        assert (low[index], high[index]) == wilson_interval(*pair)
    low, high = newcombe_interval(np.array(hits), 10, 50, 100)
    for index, hit in enumerate(hits):
        assert (low[index], high[index]) == newcombe_interval(hit, 10, 50, 100)


def test_numbers_give_plain_floats_also_from_numpy_scalars():
    for interval in (
        wilson_interval(np.int64(1), np.int64(2)),
        newcombe_interval(1, 2, 3, 4),
        mean_interval(np.float64(3.0), 5.0, 2),
    ):
        assert [type(bound) for bound in interval] == [float, float]


def test_empty_arrays_give_empty_arrays():
    low, high = wilson_interval(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    assert low.shape == high.shape == (0,)
    assert compute_q_values([]).shape == (0,)


@pytest.mark.parametrize(("hits", "trials"), [(3, 2), (-1, 2), (0, -1)])
def test_impossible_counts_are_refused_with_what_was_found(hits, trials):
    with pytest.raises(AnalysisError, match=f"Found {hits} hits in {trials} trials"):
        wilson_interval(hits, trials)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, math.nan])
def test_a_confidence_that_is_no_probability_is_refused(confidence):
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence=confidence)
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        bootstrap_by_group(np.mean, [1, 2], resamples=2, seed=1, confidence=confidence)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=50))
def test_mean_interval_equals_statsmodels(losses):
    values = np.array(losses)
    found = mean_interval(values.sum(), (values**2).sum(), len(values))
    expected = DescrStatsW(values).zconfint_mean(alpha=0.05)
    # The sum of squares loses digits that the two-pass variance keeps: sqrt(1e-16) of the size of the losses.
    assert found == pytest.approx(expected, abs=1e-5)


def test_equal_losses_give_an_interval_of_no_width():
    low, high = mean_interval(0.3, 0.03, 3)
    assert low == pytest.approx(high, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=60))
def test_q_values_equal_statsmodels_and_leave_unknown_tests_out(p_values):
    values = np.array(p_values)
    known = ~np.isnan(values)
    found = compute_q_values(values)
    assert np.isnan(found[~known]).all()
    if known.any():
        expected = multipletests(values[known], method="fdr_bh")[1]
        np.testing.assert_allclose(found[known], expected, atol=1e-12)


def test_a_p_value_outside_its_range_is_refused():
    with pytest.raises(AnalysisError, match=r"Found 1\.5"):
        compute_q_values([0.2, 1.5])


def test_bootstrap_draws_whole_groups_as_often_as_there_are_groups():
    groups = np.array(["b", "a", "b", "c", "a"])
    seen = []

    def statistic(weights):
        seen.append(weights.copy())
        return 0.0

    bootstrap_by_group(statistic, groups, resamples=50, seed=3)
    for weights in seen:
        assert weights.dtype == np.int64
        assert weights[0] == weights[2]
        assert weights[1] == weights[4]
        assert weights[0] + weights[1] + weights[3] == 3
    assert len({tuple(weights) for weights in seen}) > 5


def test_bootstrap_of_a_mean_is_near_the_normal_interval_and_repeats_by_seed():
    values = np.random.default_rng(0).normal(size=400)

    def mean(weights):
        return float(weights @ values / weights.sum())

    found = bootstrap_by_group(mean, np.arange(400), resamples=2000, seed=11)
    expected = mean_interval(values.sum(), (values**2).sum(), 400)
    assert found == pytest.approx(expected, abs=0.02)
    assert found == bootstrap_by_group(mean, np.arange(400), resamples=2000, seed=11)
    assert found != bootstrap_by_group(mean, np.arange(400), resamples=2000, seed=12)


def test_alike_rows_in_groups_widen_the_bootstrap_interval():
    values = np.repeat(np.random.default_rng(1).normal(size=100), 4)

    def mean(weights):
        return float(weights @ values / weights.sum())

    low, high = bootstrap_by_group(mean, np.repeat(np.arange(100), 4), resamples=1000, seed=2)
    naive_low, naive_high = bootstrap_by_group(mean, np.arange(400), resamples=1000, seed=2)
    # Four copies of each value carry the information of one: the width doubles.
    assert (high - low) / (naive_high - naive_low) == pytest.approx(2.0, rel=0.15)


def test_bootstrap_leaves_undefined_resamples_out_and_says_nan_when_most_are():
    def often_defined(weights):
        return 1.0 if weights[0] else math.nan

    def never_defined(_weights):
        return math.nan

    assert bootstrap_by_group(often_defined, np.arange(3), resamples=100, seed=1) == (1.0, 1.0)
    assert all(math.isnan(x) for x in bootstrap_by_group(never_defined, np.arange(3), resamples=10, seed=1))
    assert all(math.isnan(x) for x in bootstrap_by_group(often_defined, [], resamples=10, seed=1))


def test_bootstrap_without_resamples_is_refused():
    with pytest.raises(AnalysisError, match="at least one resample"):
        bootstrap_by_group(np.mean, [1], resamples=0, seed=1)
