"""The consensus of votes against slow readable twins and published shares."""

from collections import Counter, defaultdict

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.core.consensus import compute_consensus_of_others, compute_label_counts, majority_vote
from analysis.core.votes import to_coded_votes
from analysis.errors import AnalysisError

rows = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("abcdef"), st.sampled_from(["x", "y", "z", None])),
    max_size=60,
    unique_by=lambda vote: vote[:2],
)


def to_votes(triples):
    return pd.DataFrame(triples, columns=["item_id", "annotator", "label"], dtype=object)


def most_frequent(labels):
    """Name the label given most often; None when two are level or there is none."""
    counts = Counter(label for label in labels if label is not None).most_common()
    if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def labels_by_item(triples):
    labels = defaultdict(list)
    for item, _, label in triples:
        labels[str(item)].append(label)
    return labels


def to_names(labels):
    return [None if pd.isna(label) else label for label in labels]


@settings(max_examples=80, deadline=None)
@given(rows)
def test_majority_equals_counting_item_by_item(triples):
    found = majority_vote(to_votes(triples))
    by_item = labels_by_item(triples)
    assert found["item_id"].tolist() == sorted(by_item)
    assert to_names(found["label"]) == [most_frequent(by_item[item]) for item in found["item_id"]]
    for item, share, tied in zip(found["item_id"], found["share"], found["tied"], strict=True):
        given_labels = [label for label in by_item[item] if label is not None]
        if not given_labels:
            assert pd.isna(share)
            assert not tied
            continue
        counts = sorted(Counter(given_labels).values(), reverse=True)
        assert share == counts[0] / len(given_labels)
        assert tied == (counts[:2] == [counts[0]] * 2)


@settings(max_examples=150, deadline=None)
@given(rows)
def test_consensus_of_others_equals_asking_everybody_else_vote_by_vote(triples):
    coded = to_coded_votes(to_votes(triples))
    expected = [
        most_frequent([label for i, a, label in triples if i == triples[row][0] and a != triples[row][1]])
        for row in coded.row
    ]
    found = [None if code < 0 else coded.labels[code] for code in compute_consensus_of_others(coded)]
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(rows)
def test_counts_sum_to_the_votes_with_a_label(triples):
    pairs = compute_label_counts(to_coded_votes(to_votes(triples)))
    assert pairs.count.sum() == sum(label is not None for _, _, label in triples)
    assert len(set(zip(pairs.item.tolist(), pairs.label.tolist(), strict=True))) == len(pairs.item)


@settings(max_examples=40, deadline=None)
@given(rows, st.permutations(["x", "y", "z"]))
def test_renaming_the_labels_renames_the_majority_and_nothing_else(triples, renamed):
    names = dict(zip("xyz", renamed, strict=True)) | {None: None}
    before = majority_vote(to_votes(triples))
    after = majority_vote(to_votes([(item, annotator, names[label]) for item, annotator, label in triples]))
    assert to_names(after["label"]) == [names[label] for label in to_names(before["label"])]
    pd.testing.assert_frame_equal(before.drop(columns="label"), after.drop(columns="label"))


@settings(max_examples=40, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_majority(triples, random):
    shuffled = triples.copy()
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(majority_vote(to_votes(triples)), majority_vote(to_votes(shuffled)))


def test_a_tie_is_a_value_and_not_a_roll():
    found = majority_vote(to_votes([(1, "a", "x"), (1, "b", "y")])).iloc[0]
    assert pd.isna(found["label"])
    assert found["tied"]
    assert found["share"] == 0.5


def test_an_item_where_nobody_can_tell_has_no_label_and_is_not_tied():
    found = majority_vote(to_votes([(1, "a", None), (1, "b", None)])).iloc[0]
    assert pd.isna(found["label"])
    assert pd.isna(found["share"])
    assert not found["tied"]


def test_one_vote_has_no_others():
    assert compute_consensus_of_others(to_coded_votes(to_votes([(1, "a", "x")]))).tolist() == [-1]


def test_no_votes_give_an_empty_frame_of_the_same_columns():
    found = majority_vote(to_votes([]))
    assert found.empty
    assert list(found.columns) == ["item_id", "label", "share", "tied"]
    assert compute_consensus_of_others(to_coded_votes(to_votes([]))).shape == (0,)


def test_a_missing_column_is_named():
    with pytest.raises(AnalysisError, match="Missing: annotator"):
        majority_vote(pd.DataFrame({"item_id": [1], "label": ["x"]}))


def test_majority_on_the_quiz_gives_the_published_shares_with_ties_counted_as_not_right(shared_data):
    votes = pd.read_csv(shared_data / "quiz" / "votes.csv", dtype="str").rename(columns={"annotator_id": "annotator"})
    items = pd.read_csv(shared_data / "quiz" / "items.csv", dtype="str")
    found = majority_vote(votes).merge(items, on="item_id", validate="one_to_one")
    right = (found["label"] == found["gold_label"]).groupby(found["subset"]).mean()
    published = {
        "CHINESE": 0.625,
        "ENGLISH": 0.40,
        "ITMANAGE": 0.68,
        "MEDICINE": 0.667,
        "POKEMON": 0.65,
        "SCIENCE": 0.55,
    }
    assert right.to_dict() == pytest.approx(published, abs=5e-4)
    assert found["tied"].sum() == 6


def test_majority_on_imagenet_questions_is_near_the_experts_and_rater_r145_is_far(shared_data):
    folder = shared_data / "imagenet_raters"
    votes, expert_votes = (
        pd.read_parquet(folder / name).rename(columns={"annotator_id": "annotator"})
        for name in ("votes.parquet", "expert_votes.parquet")
    )
    truth = majority_vote(expert_votes).set_index("item_id")["label"]
    majority = majority_vote(votes).set_index("item_id")["label"]
    assert (majority == truth).mean() == pytest.approx(0.910, abs=0.015)
    rater = votes[votes["annotator"] == "r145"].set_index("item_id")["label"]
    assert (rater == truth).mean() == pytest.approx(0.214, abs=0.0005)
