"""Votes that come again: told more fully, raised to those of experts, corrected."""

import itertools
import json

import pandas as pd
import pytest

VOTES = (
    "SELECT i.item_id, a.name, v.label, v.source FROM votes v JOIN items i USING (item) "
    "JOIN annotators a USING (annotator) ORDER BY v.vote"
)


def to_frame(*rows, columns=("item_id", "annotator", "label")):
    return pd.DataFrame(rows, columns=list(columns))


def tally_of(report):
    return report.files[-1].tally


# --- Told more fully


def load_in_order(desk, parts, order):
    for number in order:
        desk.load(desk.put(f"part{number}.csv", parts[number]), kind="votes")
    return desk.ask(
        "SELECT i.item_id, a.name, v.label, v.seconds, v.comment, v.round FROM votes v JOIN items i USING (item) "
        "JOIN annotators a USING (annotator) ORDER BY ALL"
    )


def test_a_vote_that_is_told_more_fully_takes_the_place_of_what_was_known_in_any_order(desk, tmp_path):
    """Three exports of the same votes: bare, with times, with comments too; and a second, other vote."""
    bare = to_frame(("p", "ana", "a"), ("q", "ana", "b"))
    timed = to_frame(
        ("p", "ana", "a", 5.0), ("q", "ana", "b", 7.0), columns=("item_id", "annotator", "label", "seconds")
    )
    full = to_frame(
        ("p", "ana", "a", 5.0, "sure", 1),
        ("p", "ana", "a", 9.0, None, 2),
        columns=("item_id", "annotator", "label", "seconds", "comment", "round"),
    )
    expected = [("p", "ana", "a", 5.0, "sure", 1), ("p", "ana", "a", 9.0, None, 2), ("q", "ana", "b", 7.0, None, None)]

    for order in itertools.permutations(range(3)):
        (tmp_path / str(order)).mkdir()
        assert load_in_order(type(desk)(tmp_path / str(order)), [bare, timed, full], order) == expected, order


def test_bare_and_timed_votes_of_one_file_are_two_in_whatever_order_the_files_come(desk, tmp_path):
    bare = to_frame(("p", "ana", "a"))
    both = to_frame(
        ("p", "ana", "a", None), ("p", "ana", "a", 5.0), columns=("item_id", "annotator", "label", "seconds")
    )

    for order in ([0, 1], [1, 0], [0, 1, 0, 1]):
        folder = tmp_path / "".join(map(str, order))
        folder.mkdir()
        found = load_in_order(type(desk)(folder), [bare, both], order)
        assert [row[3] for row in found] == [5.0, None], order


# --- Experts


def test_votes_of_experts_are_gold_and_no_vote_of_the_panel(stocked, make_votes):
    stocked.load(stocked.put("votes.csv", make_votes()))

    report = stocked.load(stocked.put("experts.csv", make_votes(5).replace({"annotator": {"ana": "dr x"}})), gold=True)

    assert report.files[0].kind_reason == "--gold says that experts voted"
    assert (tally_of(report).kept, tally_of(report).already_there) == (5, 10)
    assert tally_of(report).notes == ["Known votes that are votes of experts now: 10."]
    assert stocked.ask("SELECT source, count(*) FROM votes GROUP BY 1 ORDER BY 1") == [("expert", 15), ("vote", 170)]
    assert dict(stocked.ask("SELECT name, expert FROM annotators")) == {
        "ana": False, "ben": True, "cleo": True, "dr x": True,
    }  # fmt: skip


@pytest.mark.parametrize("order", [[False, True], [True, False], [False, True, False, True]])
def test_the_same_votes_with_and_without_gold_are_counted_once_and_stay_those_of_experts(stocked, make_votes, order):
    path = stocked.put("votes.csv", make_votes(5))

    reports = [stocked.load(path, kind="votes", gold=gold) for gold in order]

    assert stocked.ask("SELECT source, count(*) FROM votes GROUP BY 1") == [("expert", 15)]
    assert [tally_of(report).already_there for report in reports[1:]] == [15] * (len(order) - 1)
    assert [report.changed for report in reports[1:]] == [order[:2] == [False, True], False, False][: len(order) - 1]


def test_a_vote_raised_to_an_experts_keeps_what_was_known_and_one_told_more_fully_stays_an_experts(stocked):
    timed = to_frame(("i0", "ana", "a", 5.0), columns=("item_id", "annotator", "label", "seconds"))
    full = timed.assign(comment="sure")

    stocked.load(stocked.put("timed.csv", timed), kind="votes")
    stocked.load(stocked.put("gold.csv", to_frame(("i0", "ana", "a"))), gold=True)
    stocked.load(stocked.put("full.csv", full), kind="votes")

    assert stocked.ask("SELECT source, seconds, comment FROM votes") == [("expert", 5.0, "sure")]


def test_a_given_label_told_again_by_its_giver_as_an_expert_is_one_vote(desk):
    frame = to_frame(("p", "ana", "a"), ("q", "ben", "b"))
    desk.load(desk.put("train.csv", frame))

    desk.load(desk.put("gold.csv", frame), gold=True)

    assert desk.ask(VOTES) == [("p", "ana", "a", "expert"), ("q", "ben", "b", "expert")]


# --- Corrected


def test_a_vote_with_another_label_asks_for_replace_which_replaces_it(stocked, make_votes):
    frame = make_votes(20).drop(columns="seconds")
    stocked.load(stocked.put("votes.csv", frame))
    frame.loc[7, "label"] = "c"
    path = stocked.put("votes.csv", frame)

    assert stocked.refuse(path) == (
        "votes.csv: votes that are already there with another label: 1, for example of 'ben' for 'i2'. Use --replace "
        "to take the new labels; to keep both, tell them apart by a column of times, rounds or batches."
    )
    report = stocked.load(path, replace=True)

    assert (tally_of(report).kept, tally_of(report).replaced, tally_of(report).already_there) == (1, 1, 59)
    assert stocked.ask("SELECT count(*), count(*) FILTER (label = 'c') FROM votes") == [(60, 1)]
    assert stocked.load(path).changed is False


def test_a_corrected_cell_of_a_wide_workbook_asks_for_replace_too(desk):
    people = {name: ["yes" if k % n else "no" for k in range(30)] for n, name in enumerate(["anna", "bert", "cara"], 2)}
    frame = pd.DataFrame({"id": [f"i{k}" for k in range(30)], "text": [f"t {k}" for k in range(30)], **people})
    roles = tuple(("vote", name) for name in people)
    desk.load(desk.put("wide.csv", frame), roles=roles)
    before = desk.ask("SELECT count(*) FROM votes")
    frame.loc[5, "anna"] = "no"
    path = desk.put("wide.csv", frame)

    assert "votes that are already there with another label: 1, for example of 'anna' for 'i5'" in desk.refuse(
        path, roles=roles
    )
    desk.load(path, roles=roles, replace=True)

    assert desk.ask("SELECT count(*) FROM votes") == before
    assert ("i5", "anna", "no", "vote") in desk.ask(VOTES)
    assert desk.load(path, roles=roles).changed is False


def to_export(choices):
    """Write a Label Studio export: one person's annotation a task, with the same times whatever they chose."""
    tasks = []
    for number, choice in enumerate(choices, 1):
        result = {"from_name": "l", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}
        annotation = {
            "id": number, "completed_by": 1, "was_cancelled": False, "created_at": "2026-03-01T10:00:00Z",
            "lead_time": 5.0, "result": [result],
        }  # fmt: skip
        tasks.append({"id": number, "data": {"text": f"t {number}"}, "annotations": [annotation], "predictions": []})
    return json.dumps(tasks)


def test_an_annotation_that_is_exported_again_with_a_new_answer_asks_for_replace_too(desk):
    desk.load(desk.put("tasks.json", to_export(["pos", "neg", "pos", "neg"])))
    path = desk.put("tasks.json", to_export(["pos", "neg", "neg", "neg"]))

    assert "votes that are already there with another label: 1" in desk.refuse(path)
    desk.load(path, replace=True)

    assert [label for _name, _person, label, _source in desk.ask(VOTES)].count("neg") == 3
    assert desk.ask("SELECT count(*) FROM votes") == [(4,)]


TIMED = ("item_id", "annotator", "label", "labelled_at", "round")


@pytest.mark.parametrize(
    ("known", "told", "changed"),
    [
        (("a", "2026-03-02 10:00:00", 1), ("b", "2026-03-02 10:00:00", 1), True),
        (("a", "2026-03-02 10:00:00", None), ("b", "2026-03-02 10:00:00", 2), True),
        (("a", "2026-03-02 10:00:00", 1), ("b", "2026-03-02 10:00:00", 2), False),
        (("a", "2026-03-02 10:00:00", 1), ("b", "2026-03-03 10:00:00", 1), False),
        (("a", None, 1), ("b", None, 1), True),
        (("a", None, 1), ("b", None, 2), False),
        (("a", None, 1), ("b", "2026-03-03 10:00:00", 1), False),
        ((None, None, 1), ("b", None, 1), True),
    ],
)
def test_what_is_a_correction_and_what_another_vote(stocked, known, told, changed):
    # Others tell of what kind the columns are, where these rows leave them empty.
    rest = [(f"i{k}", "zoe", "a", "2026-03-01 10:00:00", 1) for k in range(1, 9)]
    stocked.load(stocked.put("known.csv", to_frame(("i0", "ana", *known), *rest, columns=TIMED)), kind="votes")
    path = stocked.put("told.csv", to_frame(("i0", "ana", *told), *rest, columns=TIMED))

    if changed:
        assert "for example of 'ana' for 'i0'" in stocked.refuse(path, kind="votes")
        stocked.load(path, kind="votes", replace=True)
    else:
        stocked.load(path, kind="votes")

    labels = [label for name, person, label, _source in stocked.ask(VOTES) if person == "ana"]
    assert labels == (["b"] if changed else ["a", "b"])


def test_a_second_vote_beside_one_that_is_told_again_is_no_correction(stocked):
    first, second = ("i0", "ana", "a"), ("i0", "ana", "b")
    stocked.load(stocked.put("one.csv", to_frame(first)), kind="votes")

    report = stocked.load(stocked.put("two.csv", to_frame(first, second)), kind="votes")

    assert (tally_of(report).kept, tally_of(report).already_there) == (1, 1)
    third = to_frame(("i0", "ana", "c"))
    assert tally_of(stocked.load(stocked.put("three.csv", third), kind="votes")).kept == 1


def test_an_experts_vote_that_is_corrected_stays_an_experts(stocked):
    stocked.load(stocked.put("gold.csv", to_frame(("i0", "ana", "a"))), gold=True)

    stocked.load(stocked.put("votes.csv", to_frame(("i0", "ana", "b"))), kind="votes", replace=True)

    assert stocked.ask(VOTES) == [("i0", "ana", "b", "expert")]
