"""Votes: who labelled what, as often as it happened."""

from datetime import datetime

import pandas as pd
import pytest

VOTES = (
    "SELECT i.split, i.item_id, a.name, v.label, v.source FROM votes v JOIN items i USING (item) "
    "JOIN annotators a USING (annotator) ORDER BY v.vote"
)


def to_frame(*rows, columns=("item_id", "annotator", "label")):
    return pd.DataFrame(rows, columns=list(columns))


def at(moment):
    return datetime.fromisoformat(moment)


def tally_of(report):
    return report.files[-1].tally


def test_an_id_twice_with_an_annotator_column_means_votes(stocked, make_votes):
    frame = make_votes()

    report = stocked.load(stocked.put("votes.csv", frame))

    assert (report.files[0].kind, report.files[0].kind_reason) == (
        "votes", "ids repeat and each row names an annotator",
    )  # fmt: skip
    assert (tally_of(report).kept, tally_of(report).notes) == (180, [])
    expected = [
        ("train", name, person, None if pd.isna(label) else label, "vote")
        for name, person, label in frame[["item_id", "annotator", "label"]].itertuples(index=False)
    ]
    assert stocked.ask(VOTES) == expected
    assert stocked.ask("SELECT name, expert FROM annotators ORDER BY annotator") == [
        ("ana", False), ("ben", False), ("cleo", False),
    ]  # fmt: skip
    assert stocked.ask("SELECT batch FROM batches") == [("m1",)]


def test_one_vote_an_item_is_votes_where_the_items_are_known(stocked, make_votes):
    frame = make_votes()[lambda votes: votes["annotator"] == "ana"]

    report = stocked.load(stocked.put("ana.csv", frame))

    assert (report.files[0].kind, tally_of(report).kept) == ("votes", 60)


def test_one_annotator_an_item_is_items_where_they_are_not(desk, make_items):
    report = desk.load(desk.put("train.csv", make_items().assign(labelled_by="ana")))

    assert report.files[0].kind == "items"
    assert desk.ask("SELECT count(*), min(source) FROM votes") == [(200, "given")]


@pytest.mark.parametrize(
    "second", [{"age": 1}, {}, {"split": "eval"}], ids=["other values", "the same", "another split"]
)
def test_whether_a_repeated_id_means_votes(desk, make_items, second):
    """Identical rows and rows of another split do not repeat an id; different rows do."""
    frame = make_items().assign(annotator="ana", split="train")
    frame = pd.concat([frame, frame[:1].assign(**second)])

    report = desk.load(desk.put("items.csv", frame))

    assert report.files[0].kind == ("votes" if "age" in second else "items")


def test_votes_for_unknown_ids_make_items_without_a_given_label(stocked, make_votes):
    report = stocked.load(stocked.put("votes.csv", make_votes(50, prefix="n")))

    assert tally_of(report).notes == ["Ids that were no items yet: 50. They became items without a given label."]
    assert stocked.ask(
        "SELECT i.split, count(*), count(i.given_label), count(c.label), count(f.item) FROM items i "
        "JOIN current c USING (item) JOIN features f USING (item) WHERE item_id LIKE 'n%' GROUP BY 1"
    ) == [("train", 50, 0, 0, 50)]


def test_items_that_come_after_their_votes_fill_them(desk, make_items, make_votes):
    desk.load(desk.put("votes.csv", make_votes()))

    report = desk.load(desk.put("train.csv", make_items()))

    assert tally_of(report).kept == 200
    assert desk.ask("SELECT count(*), count(given_label) FROM items") == [(200, 200)]
    assert desk.ask("SELECT count(DISTINCT item_id) FROM items JOIN votes USING (item)") == [(60,)]


def test_an_empty_label_is_a_vote_for_cannot_tell(stocked):
    stocked.load(stocked.put("votes.csv", to_frame(("i0", "ana", None), ("i0", "ben", "a"))))

    assert [label for *_, label, _source in stocked.ask(VOTES)] == [None, "a"]
    assert stocked.ask("SELECT name FROM classes ORDER BY code") == [("a",), ("b",)]


def test_identical_rows_count_once_and_a_second_vote_counts(stocked):
    rows = [("i0", "ana", "a"), ("i0", "ana", "a"), ("i0", "ana", "b"), ("i0", "ben", "a")]

    report = stocked.load(stocked.put("votes.csv", to_frame(*rows)))

    assert (tally_of(report).kept, tally_of(report).duplicates) == (3, 1)


def test_the_same_votes_twice_change_nothing_and_new_ones_add_up(stocked, make_votes):
    frame = make_votes()
    path = stocked.put("votes.csv", frame[:150])
    stocked.load(path)
    before = stocked.state()

    assert stocked.load(path).changed is False
    assert stocked.state() == before

    report = stocked.load(stocked.put("votes.csv", frame))
    assert (tally_of(report).kept, tally_of(report).already_there) == (30, 150)


def test_a_given_label_told_again_as_a_vote_is_no_second_vote(desk):
    frame = to_frame(("p", "ana", "a"), ("q", "ben", "b"))
    path = desk.put("train.csv", frame)
    desk.load(path)

    again = desk.load(path)

    assert (again.files[0].kind, again.changed, tally_of(again).already_there) == ("votes", False, 2)
    assert [source for *_, source in desk.ask(VOTES)] == ["given", "given"]


def test_a_given_label_told_more_fully_becomes_that_vote(desk):
    desk.load(desk.put("train.csv", to_frame(("p", "ana", "a"), ("q", "ben", "b"))))
    columns = ["item_id", "annotator", "label", "seconds"]

    desk.load(desk.put("votes.csv", to_frame(("p", "ana", "a", 5.0), ("p", "ben", "b", 2.0), columns=columns)))

    assert desk.ask(VOTES) == [
        ("train", "q", "ben", "b", "given"),
        ("train", "p", "ana", "a", "vote"),
        ("train", "p", "ben", "b", "vote"),
    ]


def test_votes_find_their_items_in_whatever_split(stocked, make_items, make_votes):
    stocked.load(stocked.put("eval.csv", make_items(10, prefix="e")))

    stocked.load(stocked.put("votes.csv", pd.concat([make_votes(), make_votes(10, prefix="e")])))

    assert stocked.ask("SELECT split, count(*) FROM votes JOIN items USING (item) GROUP BY 1 ORDER BY 1") == [
        ("eval", 30), ("train", 180),
    ]  # fmt: skip


def test_a_vote_for_an_id_in_two_splits_asks_which(stocked, make_items, make_votes):
    stocked.load(stocked.put("eval.csv", make_items(10)))
    path = stocked.put("votes.csv", make_votes(10))

    assert stocked.refuse(path) == "votes.csv: id 'i0' is in the splits 'eval', 'train'. Say which one with --split."

    stocked.load(path, split="eval")
    assert stocked.ask("SELECT DISTINCT split FROM votes JOIN items USING (item)") == [("eval",)]


def test_times_are_read_with_their_zones_and_kept_in_utc(stocked):
    columns = ["item_id", "worker", "label", "start_time", "submit_time", "lead_time"]
    rows = [
        ("i0", "ana", "a", "2014-07-11 23:46:40+00", "2014-07-11 16:49:17-07", 157.0),
        ("i0", "ben", "b", "2014-07-11T16:46:40.5-07:00", "", None),
    ]

    stocked.load(stocked.put("votes.csv", to_frame(*rows, columns=columns)))

    assert stocked.ask("SELECT started_at, labelled_at, seconds FROM votes ORDER BY vote") == [
        (datetime(2014, 7, 11, 23, 46, 40), datetime(2014, 7, 11, 23, 49, 17), 157.0),  # noqa: DTZ001 - UTC is kept bare
        (datetime(2014, 7, 11, 23, 46, 40, 500_000), None, None),  # noqa: DTZ001 - same
    ]


def test_rows_without_an_id_or_a_person_are_rejected(stocked, make_votes):
    frame = pd.concat([make_votes(), to_frame(("", "ana", "a"), ("i5", "", "a"))])

    report = stocked.load(stocked.put("votes.csv", frame), max_rejects=0.02)

    assert [(reject.line, reject.column, reject.reason) for reject in tally_of(report).rejects] == [
        (182, "item_id", "no id"),
        (183, "annotator", "no annotator"),
    ]


def test_probabilities_beside_votes_are_left_aside(stocked):
    columns = ["item_id", "annotator", "label", "prob_a", "prob_b"]
    path = stocked.put(
        "votes.csv", to_frame(("i0", "ana", "a", 0.5, 0.5), ("i0", "ben", "b", 0.5, 0.5), columns=columns)
    )

    stocked.load(path, kind="votes")

    assert stocked.ask("SELECT (SELECT count(*) FROM votes), (SELECT count(*) FROM predictions)") == [(2, 0)]


def test_votes_need_an_annotator_and_a_label(stocked, make_items):
    path = stocked.put("v.csv", make_items())

    assert stocked.refuse(path, kind="votes") == (
        "v.csv is read as votes, but no column is the annotator. Name it with --role annotator=COLUMN."
    )


# --- Experts


def test_gold_without_an_annotator_is_refused_and_never_taken_for_given_labels(stocked, make_items):
    message = stocked.refuse(stocked.put("gold.csv", make_items().assign(label="a")), gold=True, replace=True)

    assert message.startswith("--gold is for votes of experts, and no column names the annotator.")
    assert "--role gold_label=COLUMN" in message


def test_pseudonyms_are_distinct_stable_and_say_nothing_of_the_name(stocked, make_votes):
    stocked.load(stocked.put("votes.csv", make_votes()))
    first = dict(stocked.ask("SELECT name, pseudonym FROM annotators"))

    stocked.load(stocked.put("more.csv", to_frame(("i0", "zoe", "a"), ("i99", "ana", "b"))))

    found = dict(stocked.ask("SELECT name, pseudonym FROM annotators"))
    assert {name: found[name] for name in first} == first
    assert len(set(found.values())) == len(found) == 4
    assert all(name not in pseudonym for name, pseudonym in found.items())


# --- What is said about a vote

DETAILS = ("suggested_label", "round", "guideline_version", "notes", "batch", "started_at", "submitted_at", "seconds")


def test_all_that_is_said_about_a_vote_is_kept(stocked):
    said = ("a", 2, "v3", "blurred", "m1", "2026-01-05T09:00:00Z", "2026-01-05T09:00:12Z", 11.5)
    frame = to_frame(
        ("i0", "ana", "b", *said),
        ("i0", "ben", "a", *[None] * 8),
        columns=("item_id", "annotator", "label", *DETAILS),
    )

    report = stocked.load(stocked.put("votes.csv", frame))

    assert tally_of(report).notes == []
    assert stocked.ask(
        "SELECT suggested, round, guideline, comment, batch, started_at, labelled_at, seconds FROM votes ORDER BY vote"
    ) == [("a", 2, "v3", "blurred", "m1", at("2026-01-05 09:00:00"), at("2026-01-05 09:00:12"), 11.5), (None,) * 8]
    assert stocked.ask("SELECT batch, team, received_at FROM batches") == [("m1", None, at("2026-01-05 09:00:12"))]


@pytest.mark.parametrize("detail", ["suggested_label", "round", "guideline_version", "notes", "batch", "seconds"])
def test_two_votes_that_differ_in_a_detail_are_two(stocked, detail):
    values = (1, 2) if detail in {"round", "seconds"} else ("x", "y")
    rows = [("i0", "ana", "a", value) for value in (*values, values[1])]
    path = stocked.put("votes.csv", to_frame(*rows, columns=("item_id", "annotator", "label", detail)))

    report = stocked.load(path, kind="votes")

    assert (tally_of(report).kept, tally_of(report).duplicates) == (2, 1)
    assert stocked.load(path, kind="votes").changed is False


# --- Times that cannot be right


def timed(*rows):
    return to_frame(*rows, columns=("item_id", "annotator", "label", "started_at", "submitted_at", "seconds"))


def test_missing_seconds_are_worked_out_and_negative_ones_dropped(stocked):
    frame = timed(
        ("i0", "ana", "a", "2026-01-05 09:00:00", "2026-01-05 09:00:12.5", None),
        ("i1", "ana", "a", "2026-01-05 09:00:00", "2026-01-05 09:00:12", 3.0),
        ("i2", "ana", "a", "2026-01-05 09:00:00", "2026-01-05 08:00:00", None),
        ("i3", "ana", "a", "2026-01-05 09:00:00", "2026-01-05 09:00:12", -3.0),
        ("i4", "ana", "a", "2026-01-05 09:00:00", None, None),
    )
    path = stocked.put("votes.csv", frame)

    report = stocked.load(path)

    assert stocked.ask("SELECT seconds FROM votes ORDER BY vote") == [(12.5,), (3.0,), (None,), (None,), (None,)]
    assert tally_of(report).notes == [
        "Seconds worked out from start and end: 1.",
        "Votes that took less than no time: 1. Their seconds are missing now.",
        "Votes that end before they start: 1. Their times are kept as they are.",
    ]
    assert stocked.load(path).changed is False


def test_times_in_the_future_or_long_ago_are_kept_and_noted(stocked):
    frame = timed(
        ("i0", "ana", "a", "1970-01-01 00:00:00", "2026-01-05 09:00:12", 5.0),
        ("i1", "ana", "a", "2026-01-05 09:00:00", "2999-01-05 09:00:12", 5.0),
        ("i2", "ana", "a", "2026-01-05 09:00:00", "1999-12-31 23:59:59", 5.0),
    )

    report = stocked.load(stocked.put("votes.csv", frame))

    assert stocked.ask("SELECT min(started_at), max(labelled_at) FROM votes") == [
        (at("1970-01-01 00:00:00"), at("2999-01-05 09:00:12"))
    ]
    assert tally_of(report).notes[1:] == [
        "Votes started before the year 2000: 1. Their times are kept as they are.",
        "Votes given before the year 2000: 1. Their times are kept as they are.",
        "Votes given in the future: 1. Their times are kept as they are.",
    ]


# --- Teams


def teamed(*rows):
    return to_frame(*rows, columns=("item_id", "annotator", "label", "vendor", "batch", "submitted_at"))


def test_a_team_belongs_to_the_person_and_the_batch(stocked):
    frame = teamed(
        ("i0", "ana", "a", "acme", "m1", "2026-01-05"),
        ("i1", "ana", "a", "acme", "m1", "2026-01-07"),
        ("i2", "ben", "a", "zed", "m2", None),
    )

    report = stocked.load(stocked.put("votes.csv", frame))

    assert tally_of(report).notes == []
    assert stocked.ask("SELECT name, team FROM annotators ORDER BY name") == [("ana", "acme"), ("ben", "zed")]
    assert stocked.ask("SELECT batch, team, received_at FROM batches ORDER BY batch") == [
        ("m1", "acme", at("2026-01-07 00:00:00")), ("m2", "zed", None),
    ]  # fmt: skip


def test_who_changes_teams_is_in_the_latest_whatever_the_order_of_rows_and_loads(stocked, desk):
    late = teamed(("i0", "ana", "a", "zed", "m1", "2026-02-05"), ("i1", "ben", "a", "acme", "m1", "2026-02-04"))
    early = teamed(("i2", "ana", "a", "acme", "m1", "2026-01-05"), ("i3", "ana", "b", "third", "m1", "2026-01-04"))
    paths = [stocked.put("late.csv", late), stocked.put("early.csv", early)]

    stocked.load(paths[0])
    report = stocked.load(paths[1])

    assert tally_of(report).notes == []
    assert [stocked.load(path).changed for path in paths] == [False, False]
    assert stocked.ask("SELECT name, team FROM annotators ORDER BY name") == [("ana", "zed"), ("ben", "acme")]
    assert stocked.ask("SELECT team FROM batches") == [("zed",)]


def test_a_move_is_noted(stocked):
    stocked.load(stocked.put("a.csv", teamed(("i0", "ana", "a", "acme", None, "2026-01-05"))), kind="votes")

    report = stocked.load(stocked.put("b.csv", teamed(("i1", "ana", "a", "zed", None, "2026-01-06"))), kind="votes")

    assert tally_of(report).notes == [
        "People in more than one team: 1, for example 'ana'. The latest is kept: 'zed'."
    ]  # fmt: skip
    assert stocked.ask("SELECT team FROM annotators") == [("zed",)]


def test_a_team_that_is_told_later_is_filled_in(stocked, make_votes):
    frame = make_votes(20)
    stocked.load(stocked.put("votes.csv", frame))

    report = stocked.load(stocked.put("again.csv", frame.assign(team="acme")))

    assert (tally_of(report).kept, report.changed) == (0, True)
    assert stocked.ask("SELECT DISTINCT team FROM annotators") == [("acme",)]
