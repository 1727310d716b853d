"""Names that may be one person are proposed, never merged; ids that only resemble each other are not."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.core.people import count_shared_items, fetch_people, propose_merges, resolve_names
from analysis.errors import AnalysisError
from analysis.store.merging import merge_name


def propose(*names, **columns):
    return propose_merges(pd.DataFrame({"name": names, **columns}))


def find_pairs(*names):
    return {frozenset((a, b)) for a, b in propose(*names)[["a", "b"]].itertuples(index=False)}


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ("Anna", "anna ", "they differ only in blanks and capitals"),
        (" a07", "A07", "they differ only in blanks and capitals"),
        ("Anna  Berg", "Anna Berg", "they differ only in blanks and capitals"),
        ("Anna@X.com", "anna@x.com", "the same e-mail address, written differently"),
        ("Jürgen", "Juergen", "they differ only in accents"),
        ("Jürgen", "Jurgen", "they differ only in accents"),
        ("José Peña", "Jose Pena", "they differ only in accents"),
        ("Łukasz", "Lukasz", "they differ only in accents"),
        ("anna_berg", "Anna Berg", "the same words with other signs between them"),
        ("Berg, Anna", "Anna Berg", "the same words with other signs between them"),
        ("a-07", "a_07", "the same words with other signs between them"),
        ("Berg Anna", "Anna Berg", "the same words in another order"),
        ("anna.berg@x.com", "Anna Berg", "the name in the e-mail address is the other's"),
        ("anna.berg@x.com", "anna_berg", "the name in the e-mail address is the other's"),
        ("annaberg@x.com", "Anna Berg", "the name in the e-mail address is the other's"),
        ("juergen.maier+label@x.com", "Jürgen Maier", "the name in the e-mail address is the other's"),
        ("a07@vendor.com", "a07", "the name in the e-mail address is the other's"),
        ("anna.berg@x.com", "anna.berg@y.org", "the same name at two mail domains"),
        ("ABerg", "Anna Berg", "the initial and surname fit nobody else"),
        ("a.berg@x.com", "Anna Berg", "the initial and surname fit nobody else"),
        ("A. Müller", "Anna Mueller", "the initial and surname fit nobody else"),
    ],
)
def test_names_that_may_be_one_person_are_proposed(a, b, reason):
    found = propose(a, b, "someone else", "x17")

    assert found[["a", "b", "reason"]].to_numpy().tolist() in ([[a, b, reason]], [[b, a, reason]])
    assert 0 < found["score"][0] <= 1


@pytest.mark.parametrize(
    "names",
    [
        ["a07", "a08", "a7", "a070"],
        ["1", "11", "01"],
        ["rater 1", "rater 11", "rater 2"],
        ["Anna Berg", "Anna Bergmann", "Anne Berg"],
        ["Anna", "Anna Berg", "Berg"],
        ["Michael", "Michal", "Michel"],
        ["anna@x.com", "anna@y.com"],
        ["annotator1@a.com", "annotator1@b.com", "annotator1"],
        ["info@a.com", "info@b.com"],
        ["ABerg", "Anna Berg", "Adam Berg"],
        ["AB", "Anna Berg"],
        ["a07@vendor.com", "a08"],
        ["", " x "],
    ],
)
def test_names_that_only_resemble_each_other_are_not(names):
    assert find_pairs(*names) == set()


def test_several_ways_of_writing_one_name_do_not_make_initials_ambiguous():
    assert frozenset(("ABerg", "Anna Berg")) in find_pairs("ABerg", "Anna Berg", "anna.berg@x.com", "Berg Anna")


def test_the_name_with_most_votes_is_kept_and_the_surest_pairs_come_first():
    found = propose("anna ", "Anna", "ANNA", "ABerg", "Anna Berg", votes=[5, 90, 7, 1, 2])

    assert found[["a", "b"]].to_numpy().tolist() == [["ANNA", "Anna"], ["anna ", "Anna"], ["ABerg", "Anna Berg"]]
    assert found["score"].is_monotonic_decreasing


def test_names_of_one_person_are_not_proposed_and_speak_for_the_person():
    frame = pd.DataFrame({"name": ["a07", "anna@x.com", "ANNA@x.com"], "person": ["a07", "a07", "ANNA@x.com"]})

    found = propose_merges(frame)

    assert found[["a", "b"]].to_numpy().tolist() == [["ANNA@x.com", "a07"]]


def test_the_person_of_several_names_is_kept_so_that_no_chain_is_proposed():
    frame = pd.DataFrame({"name": ["x1", "anna", "Anna"], "person": ["anna", "anna", "Anna"], "votes": [1, 1, 900]})

    assert propose_merges(frame)[["a", "b"]].to_numpy().tolist() == [["Anna", "anna"]]


@given(st.lists(st.text("aAbBÄ @._x1", max_size=7), unique=True, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_pair_is_two_people_stands_once_and_the_order_of_rows_does_not_matter(names, dice):
    found = propose(*names)
    pairs = [frozenset(pair) for pair in found[["a", "b"]].itertuples(index=False)]
    assert all(len(pair) == 2 for pair in pairs)
    assert len(set(pairs)) == len(pairs)
    assert {name for pair in pairs for name in pair} <= set(names)

    dice.shuffle(names)
    pd.testing.assert_frame_equal(propose(*names), found)


def test_a_frame_without_names_is_refused():
    with pytest.raises(AnalysisError, match="People need the column name. Found: who"):
        propose_merges(pd.DataFrame({"who": []}))


# --- In a workspace


@pytest.fixture
def writer(load_frames):
    rows = [("p", "ana", "x"), ("p", "ben", "x"), ("q", "ana", "y"), ("q", "Ana", "y"), ("r", "Ana", "x")]
    workspace = load_frames(votes=pd.DataFrame(rows, columns=["item_id", "annotator", "label"]))
    with workspace.write() as found:
        yield found
        found.discarded = True


def test_items_of_both_count_against_a_merge(writer):
    assert count_shared_items(writer, [("ana", "ben"), ("ana", "Ana"), ("ben", "Ana")]) == [1, 1, 0]
    assert count_shared_items(writer, []) == []

    merge_name(writer, "Ana", "ana", who=None)

    assert count_shared_items(writer, [("ana", "ben")]) == [1]


def test_items_whose_votes_are_the_same_work_under_two_names_count_for_nobody(load_frames):
    rows = [
        ("same", "7", "x", "10:00"), ("same", "ana@x.com", "x", "10:00"),
        ("more", "7", "x", "10:00"), ("more", "ana@x.com", "x", "10:00"), ("more", "7", "y", "11:00"),
        ("other label", "7", "x", "10:00"), ("other label", "ana@x.com", "y", "10:00"),
        ("other time", "7", "x", "10:00"), ("other time", "ana@x.com", "x", "10:01"),
        ("no time", "7", "x", None), ("no time", "ana@x.com", "x", None),
    ]  # fmt: skip
    votes = pd.DataFrame(rows, columns=["item_id", "annotator", "label", "labelled_at"])
    workspace = load_frames(votes=votes.assign(labelled_at="2026-03-02T" + votes["labelled_at"] + ":00"))
    with workspace.read() as snapshot:
        assert count_shared_items(snapshot, [("7", "ana@x.com"), ("ana@x.com", "7")]) == [3, 3]


def test_people_are_one_row_each_with_all_their_names(writer):
    merge_name(writer, "Ana", "ana", who=None)

    found = fetch_people(writer)

    assert found[["person", "votes", "reviews"]].to_numpy().tolist() == [["ana", 4, 0], ["ben", 1, 0]]
    assert [list(names) for names in found["names"]] == [["ana", "Ana"], ["ben"]]
    assert resolve_names(writer) == {"Ana": "ana"}
