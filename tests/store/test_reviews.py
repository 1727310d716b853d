"""Reviews: kept beside the vote, and as evidence of its own where they say a label."""

import pandas as pd
import pytest

from analysis.core.facts import Population
from analysis.core.panel import fetch_gold, fetch_panel
from analysis.core.predicate import Predicate, Slice
from analysis.core.rows import count_rows
from analysis.store.loading.reviews import read_verdicts

REVIEWS = (
    "SELECT i.item_id, a.name, v.label, v.verdict FROM votes v JOIN items i USING (item) JOIN annotators a "
    "USING (annotator) WHERE v.source = 'review' ORDER BY v.vote"
)


def reviewed(*rows):
    columns = ["item_id", "annotator", "label", "reviewer", "review_verdict"]
    return pd.DataFrame([(item, "ana", label, who, verdict) for item, label, who, verdict in rows], columns=columns)


def load(desk, frame, **options):
    return desk.load(desk.put("votes.csv", frame), kind="votes", **options)


def test_a_verdict_says_a_label_accepts_rejects_or_is_only_kept(stocked):
    frame = reviewed(
        ("i0", "a", "rev", "Approved"),
        ("i1", "a", "rev", "b"),
        ("i2", "a", "rev", " rejected "),
        ("i3", "a", "rev", "pending"),
        ("i4", "a", "rev", "see ticket 7"),
        ("i5", "a", None, "approved"),
        ("i6", None, "rev", "OK"),
        ("i7", "a", "rev", None),
    )

    report = load(stocked, frame)

    assert stocked.ask(REVIEWS) == [
        ("i0", "rev", "a", "Approved"),
        ("i1", "rev", "b", "b"),
        ("i2", "rev", None, " rejected "),
        ("i6", "rev", None, "OK"),
    ]
    assert stocked.ask(
        "SELECT count(*), count(r.name), count(v.verdict) FROM votes v LEFT JOIN annotators r "
        "ON r.annotator = v.reviewer WHERE v.source = 'vote'"
    ) == [(8, 7, 7)]
    assert report.files[0].tally.kept == 8
    assert report.files[0].tally.notes == [
        "Verdicts that name no class and neither accept nor reject: 1, for example 'see ticket 7'. "
        "They are kept with the vote.",
        "Labels that 1 reviewer said: 4. They are evidence of their own, not votes of the panel.",
    ]


def test_the_same_reviews_twice_change_nothing(stocked):
    frame = reviewed(("i0", "a", "rev", "ok"), ("i0", "a", "rev", "ok"), ("i1", "b", "rev", "no"))
    load(stocked, frame)

    assert load(stocked, frame).changed is False
    assert len(stocked.ask(REVIEWS)) == 2


def test_a_review_that_comes_later_completes_the_vote(stocked):
    load(stocked, reviewed(("i0", "a", None, "Submitted"), ("i1", "a", None, None)))

    load(stocked, reviewed(("i0", "a", "rev", "Approved"), ("i1", "a", "rev", "Rejected")))

    assert stocked.ask("SELECT label, verdict, source FROM votes ORDER BY item, source DESC") == [
        ("a", "Approved", "vote"), ("a", "Approved", "review"), ("a", "Rejected", "vote"), (None, "Rejected", "review"),
    ]  # fmt: skip


def test_rejected_votes_without_a_reviewer_stay_and_carry_the_verdict(stocked):
    frame = pd.DataFrame(
        {
            "item_id": ["i0", "i0"],
            "WorkerId": ["u", "v"],
            "label": ["a", "b"],
            "AssignmentStatus": ["Approved", "Rejected"],
        }
    )

    stocked.load(stocked.put("batch.csv", frame))

    assert stocked.ask("SELECT label, verdict, source FROM votes ORDER BY vote") == [
        ("a", "Approved", "vote"), ("b", "Rejected", "vote"),
    ]  # fmt: skip


def test_the_reviewers_of_experts_are_experts(stocked):
    load(stocked, reviewed(("i0", "a", "rev", "ok")), gold=True)

    assert stocked.ask("SELECT name, expert FROM annotators ORDER BY name") == [("ana", True), ("rev", True)]
    assert stocked.ask("SELECT source FROM votes ORDER BY vote") == [("expert",), ("review",)]


def test_a_word_that_is_a_class_too_is_read_as_the_word_and_noted(stocked):
    report = load(stocked, reviewed(("i0", "yes", "rev", "no"), ("i1", "no", "rev", "yes")))

    assert stocked.ask(REVIEWS) == [("i0", "rev", None, "no"), ("i1", "rev", "no", "yes")]
    assert report.files[0].tally.notes[0].startswith("The verdict 'no' is a class too")


@pytest.mark.parametrize(
    ("verdicts", "classes", "expected"),
    [
        (["Cat", "accepted"], ["cat", "dog"], {"Cat": "cat", "accepted": True}),
        (["Cat"], ["cat", "CAT"], {}),
        (["yes", "dog"], ["yes", "dog"], {"yes": "yes", "dog": "dog"}),
        (["1", "0"], ["0", "1"], {"1": True, "0": False}),
        (["7", "1"], ["1", "7"], {"7": "7", "1": "1"}),
        (["True", "False", "pending"], [], {"True": True, "False": False}),
        ([], ["a"], {}),
    ],
)
def test_what_verdicts_mean(verdicts, classes, expected):
    assert read_verdicts(verdicts, classes) == expected


def test_reviews_of_given_labels_are_kept_with_them(desk, make_items):
    verdicts = ["approved", "b", None, *[None] * 197]
    frame = make_items().assign(annotator="ana", reviewed_by="rev", review_status=verdicts)
    path = desk.put("train.csv", frame)

    report = desk.load(path)

    assert report.files[0].kind == "items"
    assert desk.ask(REVIEWS) == [("i0", "rev", "a", "approved"), ("i1", "rev", "b", "b")]
    assert desk.ask(
        "SELECT count(*), count(r.name), count(verdict) FROM votes v LEFT JOIN annotators r ON r.annotator = v.reviewer "
        "WHERE source = 'given'"
    ) == [(200, 200, 2)]
    assert desk.load(path).changed is False


def test_reviews_do_not_count_as_votes_of_the_panel(stocked):
    load(stocked, reviewed(("i0", "a", "rev", "b"), ("i1", "b", "rev", "ok")))

    with stocked.workspace.read() as snapshot:
        assert fetch_panel(snapshot)["annotator"].tolist() == ["ana", "ana"]
        assert fetch_gold(snapshot).empty
        inside = Population.of(snapshot, split="train", model=None, where=Slice((Predicate("@annotator", "=", "rev"),)))
        assert count_rows(snapshot, inside) == 0
