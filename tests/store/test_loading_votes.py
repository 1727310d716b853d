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


def test_votes_of_experts_are_gold_and_no_vote_of_the_panel(stocked, make_votes):
    stocked.load(stocked.put("votes.csv", make_votes()))

    report = stocked.load(stocked.put("experts.csv", make_votes(5).replace({"annotator": {"ana": "dr x"}})), gold=True)

    assert report.files[0].kind_reason == "--gold says that experts voted"
    assert stocked.ask("SELECT source, count(*) FROM votes GROUP BY 1 ORDER BY 1") == [("expert", 15), ("vote", 180)]
    assert dict(stocked.ask("SELECT name, expert FROM annotators")) == {
        "ana": False, "ben": True, "cleo": True, "dr x": True,
    }  # fmt: skip


def test_gold_without_an_annotator_is_refused_and_never_taken_for_given_labels(stocked, make_items):
    message = stocked.refuse(stocked.put("gold.csv", make_items().assign(label="a")), gold=True, replace=True)

    assert message.startswith("--gold is for votes of experts, and no column names the annotator.")
    assert "--role gold_label=COLUMN" in message


def test_pseudonyms_are_distinct_stable_and_say_nothing_of_the_name(stocked, make_votes):
    stocked.load(stocked.put("votes.csv", make_votes()))
    first = dict(stocked.ask("SELECT name, pseudonym FROM annotators"))

    stocked.load(stocked.put("more.csv", to_frame(("i0", "zoe", "a"), ("i0", "ana", "b"))))

    found = dict(stocked.ask("SELECT name, pseudonym FROM annotators"))
    assert {name: found[name] for name in first} == first
    assert len(set(found.values())) == len(found) == 4
    assert all(name not in pseudonym for name, pseudonym in found.items())
