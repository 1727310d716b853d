"""Votes: what is checked at the door, and what the codes keep."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.core.votes import check_votes, to_coded_votes, to_text, to_text_codes
from analysis.errors import AnalysisError

rows = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from(["x", "y", "z", None])), max_size=40
)


def to_votes(triples):
    return pd.DataFrame(triples, columns=["item_id", "annotator", "label"], dtype=object)


def last_votes_one_by_one(triples):
    """Keep the last row of each person and item, as a dictionary does."""
    return {(str(item), annotator): label for item, annotator, label in triples}


@settings(max_examples=60, deadline=None)
@given(rows)
def test_the_last_vote_of_a_person_on_an_item_stands_and_the_others_are_counted(triples):
    coded = to_coded_votes(to_votes(triples))
    expected = last_votes_one_by_one(triples)
    found = {
        (item, annotator): None if pd.isna(label) else label
        for item, annotator, label in coded.to_frame().itertuples(index=False)
    }
    assert found == expected
    assert coded.repeated == len(triples) - len(expected)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_codes_are_sorted_and_point_back_to_the_row_they_came_from(triples):
    coded = to_coded_votes(to_votes(triples))
    key = coded.item * 10 + coded.annotator
    assert (np.diff(key) > 0).all()
    for names in (coded.items, coded.annotators, coded.labels):
        assert names.tolist() == sorted(set(names))
    for row, item, label in zip(coded.row, coded.item, coded.label, strict=True):
        assert str(triples[row][0]) == coded.items[item]
        assert triples[row][2] == (None if label < 0 else coded.labels[label])


@settings(max_examples=30, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_where_nobody_votes_twice(triples, random):
    once = [(item, annotator, label) for (item, annotator), label in last_votes_one_by_one(triples).items()]
    shuffled = once.copy()
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(
        to_coded_votes(to_votes(once)).to_frame(), to_coded_votes(to_votes(shuffled)).to_frame()
    )


def test_every_missing_column_is_named_with_what_was_found():
    with pytest.raises(AnalysisError, match=r"Missing: annotator, label\. Found: item_id, worker"):
        check_votes(pd.DataFrame({"item_id": [1], "worker": ["a"]}))
    with pytest.raises(AnalysisError, match="Found: no column"):
        check_votes(pd.DataFrame())


@pytest.mark.parametrize("column", ["item_id", "annotator"])
def test_votes_of_nobody_or_on_nothing_are_refused_with_their_number(column):
    votes = to_votes([(1, "a", "x"), (2, "b", "y"), (3, "c", "z")])
    votes.loc[[0, 2], column] = None
    with pytest.raises(AnalysisError, match=f"needs its {column}. Found 2 of 3"):
        to_coded_votes(votes)


def test_a_label_that_only_an_overruled_vote_gave_is_not_a_label():
    coded = to_coded_votes(to_votes([(1, "a", "zebra"), (1, "a", "cat"), (2, "a", None)]))
    assert coded.labels.tolist() == ["cat"]
    assert coded.label.tolist() == [0, -1]


def test_a_later_cannot_tell_replaces_a_label():
    coded = to_coded_votes(to_votes([(1, "a", "cat"), (1, "a", None)]))
    assert coded.label.tolist() == [-1]
    assert coded.repeated == 1


def test_an_empty_frame_has_no_votes():
    coded = to_coded_votes(to_votes([]))
    assert len(coded.item) == len(coded.items) == len(coded.labels) == coded.repeated == 0
    assert list(coded.to_frame().columns) == ["item_id", "annotator", "label"]


def test_the_frame_of_the_caller_is_not_changed():
    votes = to_votes([(2, "b", "y"), (1, "a", None)])
    before = votes.copy(deep=True)
    to_coded_votes(votes)
    pd.testing.assert_frame_equal(votes, before)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pd.Series([7.0, None, 10.0]), ["10", "7"]),  # ids with one gap arrive as floats
        (pd.Series([7, 10]), ["10", "7"]),
        (pd.Series(["007", "7"]), ["007", "7"]),
        (pd.Series([1, "1", 1.0], dtype=object), ["1"]),
        (pd.Series([True, False]), ["False", "True"]),
        (pd.Series([0.5, float("inf")]), ["0.5", "inf"]),
        (pd.Series(["b", "a"], dtype=pd.CategoricalDtype(["b", "a", "unused"], ordered=True)), ["a", "b"]),
        (pd.Series([1, None], dtype="Int64"), ["1"]),
        (pd.Series([None, None], dtype=object), []),
    ],
)
def test_names_of_any_type_become_one_text_each(values, names):
    codes, found = to_text_codes(values)
    assert found.tolist() == names
    assert (codes == -1).tolist() == values.isna().tolist()


def test_codes_of_text_come_back_as_text():
    values = pd.Series(["b", None, "a", "b"], dtype="str")
    pd.testing.assert_series_equal(to_text(*to_text_codes(values)), values)


def test_ten_thousand_people_and_items_do_not_collide():
    size = 10_000
    votes = pd.DataFrame({"item_id": range(size), "annotator": range(size, 0, -1), "label": "x"})
    assert len(to_coded_votes(votes).item) == size
