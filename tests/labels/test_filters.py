"""The kernel behind `prune_by_noise_rate`: what it keeps does not depend on how rows arrive."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.labels import LabelBatch, PruneKernel, compute_confident_joint, compute_prune_counts

seeds = st.integers(0, 2**32 - 1)


def test_prune_counts_leave_one_where_the_diagonal_is_zero():
    joint = np.array([[0, 2, 1], [3, 4, 0], [0, 1, 0]])
    assert compute_prune_counts(joint).tolist() == [[0, 1, 0], [3, 0, 0], [0, 0, 0]]


@given(seed=seeds, cuts=st.lists(st.integers(0, 60), max_size=4), any_difference=st.booleans())
@settings(max_examples=80, deadline=None)
def test_prune_kernel_keeps_the_same_rows_for_any_batches_in_any_order(make_data, seed, cuts, any_difference):
    labels, probs = make_data(seed)
    joint = compute_confident_joint(labels, probs)
    wanted = compute_prune_counts(joint)
    edges = [0, *sorted(min(cut, len(labels)) for cut in cuts), len(labels)]
    batches = [LabelBatch(labels[a:b], probs[a:b], a) for a, b in pairwise(edges)]
    whole, merged, streamed = (PruneKernel(wanted, any_difference=any_difference) for _ in range(3))
    whole.update(LabelBatch(labels, probs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.labels.filters._FEWEST_PENDING", 0)
        for batch in np.random.default_rng(seed).permutation(len(batches)):
            part = PruneKernel(wanted, any_difference=any_difference)
            part.update(batches[batch])
            merged.merge(part)
            streamed.update(batches[batch])
    for kernel in (merged, streamed):
        assert kernel.result().tolist() == whole.result().tolist()
        assert kernel.short_pairs().tolist() == whole.short_pairs().tolist()
    assert not (any_difference and whole.short_pairs().any())


def test_a_row_that_ties_at_the_cut_still_enters_by_its_lower_self_confidence(monkeypatch):
    monkeypatch.setattr("analysis.labels.filters._FEWEST_PENDING", 0)
    kernel = PruneKernel(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    for row, probs in enumerate(([0.25, 0.5, 0.25], [0.125, 0.375, 0.5], [0.125, 0.375, 0.5])):
        kernel.update(LabelBatch(np.array([0]), np.array([probs]), row))
    assert kernel.result().tolist() == [1]


def test_prune_kernel_drops_what_cannot_win_while_it_streams(monkeypatch, make_data):
    monkeypatch.setattr("analysis.labels.filters._FEWEST_PENDING", 50)
    labels, probs = make_data(8, n=70_000, k=4, style="smooth")
    wanted = np.full((4, 4), 7)
    np.fill_diagonal(wanted, 0)
    kernel = PruneKernel(wanted)
    for start in range(0, 70_000, 500):
        kernel.update(LabelBatch(labels[start : start + 500], probs[start : start + 500], start))
        assert len(kernel._entries.rows) <= 7 * 12
    expected = set()
    for i in range(4):
        members = np.flatnonzero(labels == i)
        for j in range(4):
            if i != j:
                order = np.argsort(probs[members, i] - probs[members, j], kind="stable")
                expected.update(members[order[:7]].tolist())
    assert kernel.result().tolist() == sorted(expected)
