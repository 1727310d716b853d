"""A slice against the rest: by hand with masks, and intervals as statsmodels gives them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from analysis.slices import compute_profile

FIELDS = (
    "rate", "low", "high", "rest_rate", "difference", "difference_low", "difference_high", "lift", "excess_errors",
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    """Errors (0 or 1) of 500 rows, some of which are no trial, and three slices as masks."""
    rng = np.random.default_rng(4)
    trial = rng.random(500) < 0.9
    error = (rng.random(500) < 0.2) & trial
    masks = [rng.random(500) < share for share in (0.05, 0.3, 0.8)]
    return trial, error, masks


def counts(trial, error, mask):
    return int(mask.sum()), int(trial[mask].sum()), int(error[mask].sum()), int(error[mask].sum())


def test_rates_are_what_masks_say(data):
    trial, error, masks = data
    everything = np.ones(500, dtype=bool)

    profiles = compute_profile([counts(trial, error, mask) for mask in masks], counts(trial, error, everything))

    for mask, profile in zip(masks, profiles, strict=True):
        rate, rest, overall = error[mask & trial].mean(), error[~mask & trial].mean(), error[trial].mean()
        assert (profile.support, profile.trials, profile.errors) == (
            mask.sum(),
            (mask & trial).sum(),
            error[mask].sum(),
        )
        assert profile.rate == pytest.approx(rate)
        assert profile.rest_rate == pytest.approx(rest)
        assert profile.difference == pytest.approx(rate - rest)
        assert profile.lift == pytest.approx(rate / overall)
        assert profile.excess_errors == pytest.approx(error[mask].sum() - overall * (mask & trial).sum())


def test_intervals_of_rates_are_those_of_statsmodels(data):
    trial, error, masks = data
    everything = np.ones(500, dtype=bool)

    profiles = compute_profile([counts(trial, error, mask) for mask in masks], counts(trial, error, everything))

    for mask, profile in zip(masks, profiles, strict=True):
        inside, outside = mask & trial, ~mask & trial
        wilson = proportion_confint(error[inside].sum(), inside.sum(), method="wilson")
        newcombe = confint_proportions_2indep(
            error[inside].sum(), inside.sum(), error[outside].sum(), outside.sum(), compare="diff", method="newcomb"
        )
        assert (profile.low, profile.high) == pytest.approx(wilson)
        assert (profile.difference_low, profile.difference_high) == pytest.approx(newcombe)


def test_a_loss_is_scaled_by_its_unit_and_has_a_normal_interval():
    rng = np.random.default_rng(5)
    unit = 2**20
    units = np.round(rng.exponential(0.7, 400) * unit).astype(int)
    mask = rng.random(400) < 0.25

    def count(rows):
        return len(rows), len(rows), int(rows.sum()), sum(int(row) ** 2 for row in rows)

    (profile,) = compute_profile([count(units[mask])], count(units), unit=unit)

    losses = units / unit
    assert profile.rate == pytest.approx(losses[mask].mean())
    assert profile.errors == pytest.approx(losses[mask].sum())
    assert profile.rest_rate == pytest.approx(losses[~mask].mean())
    assert profile.lift == pytest.approx(losses[mask].mean() / losses.mean())
    assert profile.excess_errors == pytest.approx(losses[mask].sum() - losses.mean() * mask.sum())
    assert (profile.low, profile.high) == pytest.approx(DescrStatsW(losses[mask]).zconfint_mean(), rel=1e-9)
    assert (profile.difference_low, profile.difference_high) == (None, None)


def test_what_cannot_be_known_is_none_and_never_nan():
    no_trials, no_rest, clean = compute_profile([(5, 0, 0, 0), (90, 80, 8, 8), (10, 10, 0, 0)], (90, 80, 8, 8))

    assert (no_trials.rate, no_trials.low, no_trials.high, no_trials.lift) == (None, None, None, None)
    assert no_trials.rest_rate == 0.1
    assert no_trials.excess_errors == 0
    assert (no_rest.rate, no_rest.lift, no_rest.rest_rate, no_rest.difference) == (0.1, 1.0, None, None)
    assert (clean.rate, clean.lift, clean.excess_errors) == (0.0, 0.0, -1.0)


def test_without_any_error_there_is_no_lift():
    (profile,) = compute_profile([(10, 10, 0, 0)], (50, 50, 0, 0))

    assert (profile.rate, profile.rest_rate, profile.lift, profile.excess_errors) == (0.0, 0.0, None, 0.0)


def test_no_slice_no_profile():
    assert compute_profile([], (10, 10, 1, 1)) == []


COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).map(
    lambda c: (max(c[0], c[1]), c[1], min(c[2], c[1]), c[3])
)


@given(COUNTS, COUNTS)
@settings(max_examples=150, deadline=None)
def test_whatever_the_counts_the_profile_is_sound(inside, outside):
    slice_counts = (*inside[:3], inside[2])
    overall = tuple(a + b for a, b in zip(slice_counts, (*outside[:3], outside[2]), strict=True))

    (profile,) = compute_profile([slice_counts], overall)

    found = {name: getattr(profile, name) for name in FIELDS}
    assert all(value is None or math.isfinite(value) for value in found.values())
    assert (profile.rate is None) == (inside[1] == 0)
    assert (profile.rest_rate is None) == (outside[1] == 0)
    if profile.rate is not None:
        assert 0 <= profile.low <= profile.rate <= profile.high <= 1
    if profile.difference is not None:
        assert -1 <= profile.difference_low <= profile.difference <= profile.difference_high <= 1
    if profile.excess_errors is not None and outside[1] and inside[1]:
        rest = compute_profile([tuple(a - b for a, b in zip(overall, slice_counts, strict=True))], overall)[0]
        assert profile.excess_errors + rest.excess_errors == pytest.approx(0, abs=1e-9)
