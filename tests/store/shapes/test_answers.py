"""Answers of several classes: settled where the answers themselves show what a class is, else left alone."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import FileFaultError
from analysis.store.loading.shapes.answers import split_answer


def put_votes(desk, labels, **more):
    frame = pd.DataFrame({"task": [f"t{k // 2}" for k in range(len(labels))], "worker": [f"w{k % 2}" for k in range(len(labels))],
                          "label": labels, **more})  # fmt: skip
    return desk.put("votes.csv", frame)


@pytest.mark.parametrize("sign", ["|", ";"])
def test_a_few_combined_answers_say_cannot_tell_and_are_kept_as_comment(desk, sign):
    labels = ["a", "b"] * 10 + [f"a{sign}b", f"b {sign} a"]
    report = desk.load(put_votes(desk, labels))
    assert desk.ask("SELECT label, comment FROM votes ORDER BY vote DESC LIMIT 3") == [
        (None, f"b {sign} a"), (None, f"a{sign}b"), ("b", None)]  # fmt: skip
    assert desk.ask("SELECT name FROM classes ORDER BY name") == [("a",), ("b",)]
    assert "Answers of several classes at once: 2" in "".join(report.files[0].tally.notes)


def test_what_was_said_stands_before_a_comment_of_the_file(desk):
    labels = ["a", "b"] * 10 + ["a|b"]
    desk.load(put_votes(desk, labels, comment=["", "hm"] * 10 + ["odd"]))
    assert desk.ask("SELECT label, comment FROM votes ORDER BY vote DESC LIMIT 2") == [(None, "a|b; odd"), ("b", "hm")]


def test_a_class_whose_name_holds_a_bar_is_a_class(desk):
    labels = ["a|b", "c"] * 10
    assert not desk.load(put_votes(desk, labels)).files[0].tally.notes[0].startswith("Answers")
    assert desk.ask("SELECT DISTINCT label FROM votes ORDER BY label") == [("a|b",), ("c",)]


def test_intervals_are_classes(split, desk):
    path = put_votes(desk, ["[0, 10]", "[11, 20]"] * 10)
    assert split(path).sources[0].table.notes == ()


def test_a_list_of_one_is_that_class(desk):
    labels = ["a", '["a"]', '["b"]', "b", "[]"] * 4
    desk.load(put_votes(desk, labels))
    assert desk.ask("SELECT label, count(*) FROM votes GROUP BY 1 ORDER BY 1 NULLS FIRST") == [
        (None, 4), ("a", 8), ("b", 8)]  # fmt: skip


def test_a_file_of_several_labels_an_item_is_refused_with_what_to_do(desk):
    sentence = desk.refuse(put_votes(desk, ["a", "b", "a|b", "a"] * 5))
    assert "25% of the answers in 'label' are of several classes, for example 'a|b'" in sentence
    assert "make one file for each class" in sentence


def test_labels_of_items_are_left_alone(desk):
    frame = pd.DataFrame({"id": range(40), "label": ["a", "b", "a|b", "a"] * 10, "annotator": ["w"] * 40})
    desk.load(desk.put("train.csv", frame))
    assert desk.ask("SELECT DISTINCT label FROM current ORDER BY label") == [("a",), ("a|b",), ("b",)]


words = st.text(st.characters(codec="utf-8", exclude_characters="|;[]{}\r\n"), min_size=1).map(str.strip).filter(bool)


@given(st.lists(words, min_size=1, unique=True))
def test_what_was_joined_is_split_again(names):
    assert split_answer("|".join(names), set(names)) == tuple(names)
    assert split_answer(json.dumps(names), ()) == tuple(names)
    assert split_answer(names[0], set(names)) == (names[0],)


def test_times_far_over_all_others_are_counted_and_kept(desk):
    path = put_votes(desk, ["a", "b"] * 100, seconds=[216.0] * 199 + [340_298.0])
    report = desk.load(path)
    assert "more than ten times what 95% of the votes took: 1, up to 340,298 beside a median of 216" in "".join(
        report.files[0].tally.notes
    )
    assert desk.ask("SELECT max(seconds) FROM votes") == [(340_298.0,)]


def test_the_same_person_twice_on_an_item_is_two_votes_and_counted(desk):
    path = desk.put("votes.csv", "task,worker,label\nt1,ann,a\nt1,ann,b\nt1,bob,a\nt1,bob,a\nt2,ann,b\n")
    report = desk.load(path)
    assert "one annotator voted more than once: 1." in "".join(report.files[0].tally.notes)
    assert desk.ask("SELECT label FROM votes ORDER BY vote") == [("a",), ("b",), ("a",), ("b",)]


def test_several_classes_can_be_refused_before_anything_is_made(split, desk):
    with pytest.raises(FileFaultError, match="of several classes"):
        split(put_votes(desk, ["a", "b", "a;b"] * 5))
