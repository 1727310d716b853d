"""What is said about a person, against slow twins, an example to check by eye, and real people."""

import importlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.annotators import compute_annotator_quality, compute_confusion, majority_vote
from analysis.errors import AnalysisError
from analysis.intervals import wilson_interval

rows = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abcd"), st.sampled_from(["x", "y", "z", None])),
    max_size=28,
    unique_by=lambda vote: vote[:2],
)

COLUMNS = [
    "annotator",
    "votes",
    "overlap",
    "agreement",
    "low",
    "high",
    "enough",
    "gold_trials",
    "gold_accuracy",
    "gold_low",
    "gold_high",
    "dawid_skene_accuracy",
    "cannot_tell",
    "worst_given",
    "worst_likely",
    "worst_count",
]


def to_votes(triples):
    return pd.DataFrame(triples, columns=["item_id", "annotator", "label"], dtype=object)


def most_frequent(labels):
    counts = Counter(label for label in labels if label is not None).most_common()
    if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def compare_one_by_one(triples, person):
    """List (given, likely) of a person's overlap, asking everybody else vote by vote."""
    compared = []
    for item, annotator, label in triples:
        likely = most_frequent([k for i, a, k in triples if i == item and a != annotator])
        if annotator == person and label is not None and likely is not None:
            compared.append((label, likely))
    return compared


@settings(max_examples=60, deadline=None)
@given(rows)
def test_agreement_and_worst_confusion_equal_asking_everybody_vote_by_vote(triples):
    quality = compute_annotator_quality(to_votes(triples))
    assert quality["annotator"].tolist() == sorted({annotator for _, annotator, _ in triples})
    for row in quality.itertuples():
        compared = compare_one_by_one(triples, row.annotator)
        hits = sum(given == likely for given, likely in compared)
        own = [label for _, annotator, label in triples if annotator == row.annotator]
        assert (row.votes, row.cannot_tell) == (len(own), own.count(None))
        assert row.overlap == len(compared)
        assert (row.low, row.high) == pytest.approx(wilson_interval(hits, len(compared)), nan_ok=True)
        if compared:
            assert row.agreement == hits / len(compared)
        else:
            assert np.isnan(row.agreement)
        wrong = Counter(pair for pair in compared if pair[0] != pair[1])
        worst = min(wrong.items(), key=lambda item: (-item[1], item[0]), default=((None, None), 0))
        found = tuple(None if pd.isna(k) else k for k in (row.worst_given, row.worst_likely))
        assert (found, row.worst_count) == worst


@settings(max_examples=40, deadline=None)
@given(rows.filter(bool))
def test_confusion_counts_every_compared_vote_once_most_frequent_first(triples):
    person = triples[0][1]
    found = compute_confusion(to_votes(triples), person)
    expected = sorted(Counter(compare_one_by_one(triples, person)).items(), key=lambda item: (-item[1], item[0]))
    assert [((r.given, r.likely), r.count) for r in found.itertuples(index=False, name="Row")] == expected


@settings(max_examples=30, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(triples, random):
    shuffled = triples.copy()
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(
        compute_annotator_quality(to_votes(triples)), compute_annotator_quality(to_votes(shuffled))
    )


@settings(max_examples=30, deadline=None)
@given(rows, st.dictionaries(st.integers(0, 8), st.sampled_from(["x", "y", "never given", None])))
def test_gold_accuracy_counts_votes_with_a_label_on_items_with_gold(triples, gold):
    frame = pd.DataFrame({"item_id": list(gold), "label": list(gold.values())}, dtype=object)
    for row in compute_annotator_quality(to_votes(triples), gold=frame).itertuples():
        trials = [
            (label, gold[item])
            for item, annotator, label in triples
            if annotator == row.annotator and label is not None and gold.get(item) is not None
        ]
        hits = sum(label == truth for label, truth in trials)
        assert row.gold_trials == len(trials)
        assert (row.gold_low, row.gold_high) == pytest.approx(wilson_interval(hits, len(trials)), nan_ok=True)
        if trials:
            assert row.gold_accuracy == hits / len(trials)
        else:
            assert np.isnan(row.gold_accuracy)


def test_columns_and_their_order_are_a_promise():
    assert list(compute_annotator_quality(to_votes([(1, "a", "x")])).columns) == COLUMNS


def test_no_votes_give_no_rows_and_all_columns():
    quality = compute_annotator_quality(to_votes([]), gold=pd.DataFrame({"item_id": [1], "label": ["x"]}))
    assert quality.empty
    assert list(quality.columns) == COLUMNS


def test_without_overlap_every_rate_is_unknown_and_nothing_is_enough():
    row = compute_annotator_quality(to_votes([(i, "a", "x") for i in range(50)])).iloc[0]
    assert (row["votes"], row["overlap"]) == (50, 0)
    assert not row["enough"]
    for name in ("agreement", "low", "high", "gold_accuracy", "dawid_skene_accuracy", "worst_given"):
        assert pd.isna(row[name])


def test_who_always_says_cannot_tell_is_counted_and_not_judged():
    triples = [(i, a, "x") for i in range(5) for a in "ab"] + [(i, "c", None) for i in range(5)]
    row = compute_annotator_quality(to_votes(triples)).set_index("annotator").loc["c"]
    assert (row["votes"], row["cannot_tell"], row["overlap"]) == (5, 5, 0)
    assert np.isnan(row["agreement"])
    assert np.isnan(row["dawid_skene_accuracy"])


def test_a_cannot_tell_neither_agrees_nor_disagrees():
    triples = [(1, "a", "x"), (1, "b", "x"), (1, "c", None), (2, "a", "x"), (2, "c", None)]
    quality = compute_annotator_quality(to_votes(triples)).set_index("annotator")
    assert quality["overlap"].to_dict() == {"a": 1, "b": 1, "c": 0}
    assert quality.loc["a", "agreement"] == 1.0


def test_the_second_vote_of_a_person_on_an_item_stands():
    triples = [(1, "a", "y"), (1, "b", "x"), (1, "c", "x"), (1, "a", "x")]
    quality = compute_annotator_quality(to_votes(triples)).set_index("annotator")
    assert (quality.loc["a", "votes"], quality.loc["a", "agreement"]) == (1, 1.0)


def test_enough_begins_at_thirty_trials_or_where_it_is_told():
    triples = [(i, a, "x") for i in range(30) for a in "ab"] + [(i, "c", "x") for i in range(29)]
    quality = compute_annotator_quality(to_votes(triples)).set_index("annotator")
    assert quality["enough"].to_dict() == {"a": True, "b": True, "c": False}
    assert compute_annotator_quality(to_votes(triples), min_overlap=29)["enough"].all()


def test_gold_ids_match_as_text_and_gold_without_a_label_is_no_gold():
    votes = to_votes([("7", "a", "x"), ("8", "a", "x")])
    gold = pd.DataFrame({"item_id": [7.0, 8.0], "label": ["x", None]})
    row = compute_annotator_quality(votes, gold=gold).iloc[0]
    assert (row["gold_trials"], row["gold_accuracy"]) == (1, 1.0)


def test_two_gold_labels_of_one_item_are_refused_and_the_same_twice_is_one():
    votes = to_votes([(1, "a", "x")])
    with pytest.raises(AnalysisError, match="Found 1 items with several, the first is '1'"):
        compute_annotator_quality(votes, gold=pd.DataFrame({"item_id": [1, 1], "label": ["x", "y"]}))
    twice = pd.DataFrame({"item_id": [1, 1], "label": ["x", "x"]})
    assert compute_annotator_quality(votes, gold=twice)["gold_trials"].tolist() == [1]
    with pytest.raises(AnalysisError, match="Missing: label"):
        compute_annotator_quality(votes, gold=pd.DataFrame({"item_id": [1]}))


def test_confusion_of_nobody_offers_near_names():
    with pytest.raises(AnalysisError, match="Did you mean 'anna'"):
        compute_confusion(to_votes([(1, "anna", "x")]), "ana")


def test_dawid_skene_accuracy_is_near_the_share_of_right_votes_when_the_model_is_true():
    generator = np.random.default_rng(4)
    truth = generator.integers(4, size=3000)
    accuracy = {"a": 0.95, "b": 0.85, "c": 0.75, "d": 0.6, "e": 0.4}
    triples = []
    for person, rate in accuracy.items():
        wrong = (truth + generator.integers(1, 4, size=3000)) % 4
        label = np.where(generator.random(3000) < rate, truth, wrong)
        triples += [(i, person, f"k{k}") for i, k in enumerate(label)]
    gold = pd.DataFrame({"item_id": range(3000), "label": [f"k{k}" for k in truth]})
    quality = compute_annotator_quality(to_votes(triples), gold=gold)
    np.testing.assert_allclose(quality["dawid_skene_accuracy"], quality["gold_accuracy"], atol=0.03)
    np.testing.assert_allclose(quality["gold_accuracy"], list(accuracy.values()), atol=0.03)


def test_the_other_measures_hold_where_the_model_does_not_fit_into_memory(monkeypatch):
    module = importlib.import_module("analysis.annotators.expectation")
    votes = to_votes([(1, "a", "x"), (1, "b", "x"), (2, "a", "y"), (2, "b", "y")])
    whole = compute_annotator_quality(votes)
    monkeypatch.setattr(module, "_MOST_CELLS", 7)
    found = compute_annotator_quality(votes)
    assert found["dawid_skene_accuracy"].isna().all()
    without = ["dawid_skene_accuracy"]
    pd.testing.assert_frame_equal(found.drop(columns=without), whole.drop(columns=without))


def test_imagenet_rater_r145_stands_out_in_all_three_measures(shared_data):
    folder = shared_data / "imagenet_raters"
    votes, expert_votes = (
        pd.read_parquet(folder / name).rename(columns={"annotator_id": "annotator"})
        for name in ("votes.parquet", "expert_votes.parquet")
    )
    quality = compute_annotator_quality(votes, gold=majority_vote(expert_votes)).set_index("annotator")
    assert quality.loc["r145", "gold_accuracy"] == pytest.approx(0.214, abs=0.0005)
    for measure in ("agreement", "gold_accuracy", "dawid_skene_accuracy"):
        assert quality[measure].idxmin() == "r145"
    assert quality["enough"].all()
    assert (quality["gold_low"] < quality["gold_accuracy"]).all()
    worst = compute_confusion(votes, "r145").query("given != likely").iloc[0]
    assert worst["count"] == quality.loc["r145", "worst_count"]
