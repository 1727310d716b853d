"""Dawid-Skene against the formulas written out loop by loop, known parameters, and real votes."""

import importlib
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.annotators import dawid_skene, majority_vote
from analysis.errors import AnalysisError

module = importlib.import_module("analysis.annotators.expectation")

rows = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from("abcd"), st.sampled_from(["x", "y", "z", None])),
    min_size=1,
    max_size=24,
    unique_by=lambda vote: vote[:2],
)


def to_votes(triples):
    return pd.DataFrame(triples, columns=["item_id", "annotator", "label"], dtype=object)


def maximise(by_item, shares, labels, people, smoothing):
    """The M-step of Dawid and Skene (1979), equations 2.3 and 2.4, with smoothed cells."""
    priors = {k: sum(shares[i][k] for i in by_item) / len(by_item) for k in labels}
    matrices = {}
    for person in people:
        for k in labels:
            cells = dict.fromkeys(labels, smoothing)
            for i, votes in by_item.items():
                for who, label in votes:
                    if who == person:
                        cells[label] += shares[i][k]
            total = sum(cells.values())
            for label in labels:
                matrices[person, k, label] = cells[label] / total if total else math.nan
    return priors, matrices


def expect(by_item, priors, matrices, labels):
    """The E-step, equation 2.5, and the log-likelihood."""
    shares, log_likelihood = {}, 0.0
    for i, votes in by_item.items():
        joint = {}
        for k in labels:
            joint[k] = priors[k]
            for who, label in votes:
                factor = matrices[who, k, label]
                joint[k] *= 0.0 if math.isnan(factor) else factor
        total = sum(joint.values())
        log_likelihood += math.log(total)
        shares[i] = {k: joint[k] / total for k in labels}
    return shares, log_likelihood


def dawid_skene_by_loops(triples, iterations, smoothing):
    by_item = defaultdict(list)
    for item, annotator, label in triples:
        if label is not None:
            by_item[str(item)].append((annotator, label))
    labels = sorted({label for votes in by_item.values() for _, label in votes})
    people = sorted({who for votes in by_item.values() for who, _ in votes})
    shares = {
        i: {k: sum(label == k for _, label in votes) / len(votes) for k in labels} for i, votes in by_item.items()
    }
    path = []
    for _ in range(iterations):
        priors, matrices = maximise(by_item, shares, labels, people, smoothing)
        shares, log_likelihood = expect(by_item, priors, matrices, labels)
        path.append(log_likelihood)
    return shares, priors, matrices, path


def sample_votes(seed, items, people, votes_per_item, accuracy):
    """Draw votes from the model itself, with three labels of priors 0.5, 0.3, 0.2."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, size=items, p=[0.5, 0.3, 0.2])
    matrices = np.array([np.full((3, 3), (1 - a) / 2) + np.eye(3) * (a - (1 - a) / 2) for a in accuracy])
    item = np.repeat(np.arange(items), votes_per_item)
    who = np.concatenate([generator.permutation(people)[:votes_per_item] for _ in range(items)])
    cumulated = matrices[who, truth[item]].cumsum(axis=1)
    label = (generator.random(len(item))[:, None] > cumulated).sum(axis=1)
    frame = pd.DataFrame({"item_id": item, "annotator": [f"p{k}" for k in who], "label": [f"label {k}" for k in label]})
    return frame, truth, matrices


@settings(max_examples=40, deadline=None)
@given(rows.filter(lambda triples: any(label for *_, label in triples)), st.sampled_from([0.0, 0.01, 0.5]))
def test_fit_equals_the_formulas_written_out(triples, smoothing):
    fit = dawid_skene(to_votes(triples), max_iter=4, tol=0, smoothing=smoothing)
    steps = len(fit.log_likelihood)
    shares, priors, matrices, path = dawid_skene_by_loops(triples, steps, smoothing)
    assert fit.log_likelihood == pytest.approx(path, abs=1e-9)
    assert fit.priors.to_dict() == pytest.approx(priors, abs=1e-9)
    for person, matrix in fit.error_matrices.items():
        for k in matrix.index:
            for label in matrix.columns:
                expected = matrices[person, k, label]
                assert matrix.loc[k, label] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    for vote in fit.votes.itertuples():
        assert vote.probability == pytest.approx(shares[vote.item_id][vote.label], abs=1e-9)
    for row in fit.labels.itertuples():
        if isinstance(row.label, str):
            assert row.probability == pytest.approx(max(shares[row.item_id].values()), abs=1e-9)
            assert row.probability == pytest.approx(shares[row.item_id][row.label], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_the_log_likelihood_never_falls_without_smoothing(triples):
    path = dawid_skene(to_votes(triples), smoothing=0, max_iter=30).log_likelihood
    assert (np.diff(path) >= -1e-9).all()


@settings(max_examples=25, deadline=None)
@given(rows.filter(lambda triples: any(label for *_, label in triples)), st.sampled_from([0.01, 0.2, 1.0]))
def test_with_smoothing_the_penalised_log_likelihood_never_falls(triples, smoothing):
    penalised = []
    for iterations in range(1, 9):
        fit = dawid_skene(to_votes(triples), smoothing=smoothing, max_iter=iterations, tol=0)
        cells = np.concatenate([matrix.to_numpy().ravel() for matrix in fit.error_matrices.values()])
        penalised.append(fit.log_likelihood[-1] + smoothing * np.log(cells).sum())
    assert (np.diff(penalised) >= -1e-9).all()


@settings(max_examples=25, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_to_the_last_digit(triples, random):
    shuffled = triples.copy()
    random.shuffle(shuffled)
    fit, other = dawid_skene(to_votes(triples)), dawid_skene(to_votes(shuffled))
    pd.testing.assert_frame_equal(fit.labels, other.labels, check_exact=True)
    assert fit.log_likelihood.tolist() == other.log_likelihood.tolist()


@settings(max_examples=25, deadline=None)
@given(rows, st.permutations(["x", "y", "z"]))
def test_renaming_the_labels_renames_the_result(triples, renamed):
    names = dict(zip("xyz", renamed, strict=True)) | {None: None}
    fit = dawid_skene(to_votes(triples), max_iter=10, tol=0)
    other = dawid_skene(to_votes([(i, a, names[k]) for i, a, k in triples]), max_iter=10, tol=0)
    assert [names[k] if isinstance(k, str) else None for k in fit.labels["label"]] == [
        k if isinstance(k, str) else None for k in other.labels["label"]
    ]
    np.testing.assert_allclose(fit.labels["probability"], other.labels["probability"], atol=1e-9)
    steps = min(len(fit.log_likelihood), len(other.log_likelihood))
    np.testing.assert_allclose(fit.log_likelihood[:steps], other.log_likelihood[:steps], atol=1e-9)


def test_known_parameters_are_recovered():
    accuracy = [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.34]
    votes, truth, matrices = sample_votes(0, 4000, 8, 5, accuracy)
    fit = dawid_skene(votes)
    assert fit.converged
    np.testing.assert_allclose(fit.priors, [0.5, 0.3, 0.2], atol=0.03)
    for person, matrix in enumerate(matrices):
        np.testing.assert_allclose(fit.error_matrices[f"p{person}"], matrix, atol=0.07)
    right = fit.labels.set_index("item_id")["label"].loc[[str(i) for i in range(4000)]]
    majority = majority_vote(votes).set_index("item_id")["label"].loc[right.index]
    truth_names = np.array([f"label {k}" for k in truth])
    assert (right == truth_names).mean() > (majority == truth_names).mean() + 0.03


def test_probabilities_are_calibrated_when_the_model_is_true():
    votes, truth, _ = sample_votes(1, 4000, 8, 3, [0.9, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4])
    fit = dawid_skene(votes)
    given_right = fit.votes["label"] == [f"label {truth[int(i)]}" for i in fit.votes["item_id"]]
    assert fit.votes["probability"].mean() == pytest.approx(given_right.mean(), abs=0.02)


def test_on_imagenet_questions_it_is_worse_than_the_majority(shared_data):
    folder = shared_data / "imagenet_raters"
    votes, expert_votes = (
        pd.read_parquet(folder / name).rename(columns={"annotator_id": "annotator"})
        for name in ("votes.parquet", "expert_votes.parquet")
    )
    truth = majority_vote(expert_votes)["label"]
    fit = dawid_skene(votes)
    assert (fit.labels["label"] == truth).mean() == pytest.approx(0.790, abs=0.015)
    assert (majority_vote(votes)["label"] == truth).mean() == pytest.approx(0.910, abs=0.015)
    assert fit.converged


def test_small_blocks_give_the_same_fit(monkeypatch):
    votes, _, _ = sample_votes(2, 200, 6, 3, [0.9, 0.8, 0.7, 0.6, 0.6, 0.5])
    whole = dawid_skene(votes, max_iter=10, tol=0)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 3 * 7)
    blocks = dawid_skene(votes, max_iter=10, tol=0)
    np.testing.assert_allclose(blocks.votes["probability"], whole.votes["probability"], atol=1e-12)
    np.testing.assert_allclose(blocks.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert blocks.labels["label"].equals(whole.labels["label"])


def test_error_matrices_that_do_not_fit_into_memory_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(module, "_MOST_CELLS", 7)
    with pytest.raises(AnalysisError, match="error matrices of 2 annotators with 2 labels"):
        dawid_skene(to_votes([(1, "a", "x"), (1, "b", "x"), (2, "a", "y"), (2, "b", "y")]))


def test_equal_probabilities_are_a_tie_and_not_a_roll():
    fit = dawid_skene(to_votes([(1, "a", "x"), (1, "b", "y")]))
    assert fit.labels["label"].isna().all()
    assert fit.labels["probability"].isna().all()
    assert fit.votes["probability"].tolist() == pytest.approx([0.5, 0.5])


def test_items_where_nobody_can_tell_stay_in_the_list_without_a_label():
    fit = dawid_skene(to_votes([(1, "a", "x"), (1, "b", "x"), (2, "a", None), (3, "c", None)]))
    assert fit.labels["item_id"].tolist() == ["1", "2", "3"]
    assert fit.labels["label"].isna().tolist() == [False, True, True]
    assert list(fit.error_matrices) == ["a", "b"]
    assert len(fit.votes) == 2


def test_no_votes_give_an_empty_fit():
    fit = dawid_skene(to_votes([]))
    assert fit.labels.empty
    assert list(fit.labels.columns) == ["item_id", "label", "probability"]
    assert len(fit.error_matrices) == len(fit.priors) == len(fit.votes) == 0
    assert fit.converged


def test_matrix_rows_sum_to_one_and_what_was_never_met_is_even_or_unknown():
    triples = [(i, a, "x") for i in range(5) for a in "ab"] + [(9, "c", "y"), (9, "d", "y")]
    smoothed = dawid_skene(to_votes(triples)).error_matrices
    for matrix in smoothed.values():
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    assert smoothed["a"].loc["y"].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    published = dawid_skene(to_votes(triples), smoothing=0).error_matrices
    assert published["a"].loc["x"].tolist() == [1.0, 0.0]
    assert published["a"].loc["y"].isna().all()


def test_matrices_behave_as_a_mapping():
    matrices = dawid_skene(to_votes([(1, "a", "x"), (1, "b", "x")])).error_matrices
    assert "a" in matrices
    assert "nobody" not in matrices
    assert matrices.get("nobody") is None
    assert matrices["b"].index.name == "likely"
    assert matrices["b"].columns.name == "given"


def test_a_cancelled_fit_is_returned_as_far_as_it_came():
    votes, _, _ = sample_votes(3, 300, 6, 3, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    answers = iter([False, False, True])
    fit = dawid_skene(votes, cancel=lambda: next(answers), tol=0)
    assert len(fit.log_likelihood) == 3
    assert not fit.converged
    assert dawid_skene(votes, max_iter=3, tol=0).labels.equals(fit.labels)


@pytest.mark.parametrize("option", [{"max_iter": 0}, {"tol": -1}, {"smoothing": -0.1}, {"smoothing": math.nan}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(AnalysisError, match="Dawid-Skene needs"):
        dawid_skene(to_votes([(1, "a", "x")]), **option)


def test_a_thousand_votes_on_one_item_do_not_leave_the_range_of_floats():
    triples = [(1, f"p{k}", "x" if k % 3 else "y") for k in range(3000)] + [(2, "p0", "y"), (2, "p1", "y")]
    fit = dawid_skene(to_votes(triples))
    assert np.isfinite(fit.log_likelihood).all()
    assert fit.labels["label"].iloc[0] == "x"
