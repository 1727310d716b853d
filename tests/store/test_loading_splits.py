"""Which split a row is of: what the file says, what the user says, and what a file's name may say."""

import pandas as pd
import pytest

SPLITS = "SELECT split, count(*) FROM items GROUP BY split ORDER BY split"


@pytest.fixture
def both(desk, make_items):
    """A desk with i0 to i19 in train and i20 to i29 in eval."""
    split = ["train"] * 20 + ["eval"] * 10
    desk.load(desk.put("items.csv", make_items(30).assign(split=split)))
    return desk


@pytest.fixture
def twins(stocked, make_items):
    """A desk with i0 to i199 in train, and i0 to i9 and e0 to e9 in eval."""
    stocked.load(stocked.put("eval.csv", pd.concat([make_items(10), make_items(10, prefix="e")])))
    return stocked


# --- What the name of a file may say


@pytest.mark.parametrize("name", ["train_votes.csv", "eval_votes.csv", "votes.csv"])
def test_the_name_of_a_votes_file_makes_no_item_of_an_id_that_is_known(both, make_votes, name):
    report = both.load(both.put(name, make_votes(30)))

    assert (report.files[0].split, report.files[0].tally.notes) == (None, [])
    assert both.ask(SPLITS) == [("eval", 10), ("train", 20)]
    assert both.ask("SELECT split, count(*) FROM votes JOIN items USING (item) GROUP BY 1 ORDER BY 1") == [
        ("eval", 30), ("train", 60),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["train_preds.csv", "eval_preds.csv", "preds.csv"])
def test_the_name_of_a_file_of_predictions_leaves_no_row_out(both, make_predictions, name):
    report = both.load(both.put(name, make_predictions(30)))

    assert (report.files[0].tally.kept, report.files[0].tally.unmatched) == (30, 0)
    assert both.ask("SELECT count(DISTINCT item) FROM predictions") == [(30,)]


def test_the_name_settles_which_item_an_id_in_several_splits_is(twins, make_votes, make_predictions):
    votes = pd.concat([make_votes(20), make_votes(10, prefix="e")])
    predictions = pd.concat([make_predictions(20), make_predictions(10, prefix="e")])

    twins.load(twins.put("eval_votes.csv", votes), twins.put("eval_preds.csv", predictions))

    expected = [("eval", "e", 10), ("eval", "i", 10), ("train", "i", 10)]
    for table in ("votes", "predictions"):
        assert (
            twins.ask(
                "SELECT split, left(item_id, 1), count(DISTINCT item) FROM items "
                f"JOIN {table} USING (item) GROUP BY ALL ORDER BY ALL"
            )
            == expected
        )


def test_a_name_that_no_item_of_the_id_has_settles_nothing(stocked, make_items, make_votes):
    for split in ("early", "late"):
        stocked.load(stocked.put("more.csv", make_items(5, prefix="z")), split=split)

    message = stocked.refuse(stocked.put("train_votes.csv", make_votes(5, prefix="z")))

    assert message == "train_votes.csv: id 'z0' is in the splits 'early', 'late'. Say which one with --split."


def test_the_split_that_the_user_names_still_rules(both, make_predictions):
    report = both.load(both.put("train_preds.csv", make_predictions(30)), split="eval")

    assert (report.files[0].split, report.files[0].tally.kept, report.files[0].tally.unmatched) == ("eval", 10, 20)


def test_new_ids_of_a_votes_file_go_where_its_name_says_once(both, make_votes):
    path = both.put("eval_votes.csv", make_votes(5, prefix="n"))

    both.load(path)

    assert both.ask(SPLITS) == [("eval", 15), ("train", 20)]
    assert both.load(path).changed is False


# --- What the user says, and what the file's own column says


def test_a_split_for_all_rows_is_refused_where_their_column_says_another(desk, make_items):
    frame = pd.concat([make_items(5).assign(split="train"), make_items(5).assign(split="eval")])
    path = desk.put("items.csv", frame)

    assert desk.refuse(path, split="eval") == (
        "items.csv: --split eval was given, and column 'split' also says 'train'. Leave --split off, so that the "
        "column decides, or take it as an ordinary column: --role feature=split."
    )
    desk.load(path)
    assert desk.ask(SPLITS) == [("eval", 5), ("train", 5)]


@pytest.mark.parametrize("kind", ["votes", "predictions"])
def test_so_it_is_for_votes_and_predictions(both, make_votes, make_predictions, kind):
    frame = {"votes": make_votes, "predictions": make_predictions}[kind](30)
    path = both.put("rows.csv", frame.assign(split=["train"] * (len(frame) - 1) + ["eval"]))

    assert "column 'split' also says 'eval'" in both.refuse(path, split="train")


def test_a_split_for_all_rows_may_say_what_their_column_says_or_fill_its_gaps(desk, make_items):
    desk.load(desk.put("items.csv", make_items(5).assign(split=["eval", None, "eval", "eval", None])), split="eval")

    assert desk.ask(SPLITS) == [("eval", 5)]


def test_a_column_that_is_taken_as_an_ordinary_one_says_nothing_of_splits(desk, make_items):
    frame = make_items(5).assign(split=["a", "b", "a", "b", "a"])

    desk.load(desk.put("items.csv", frame), split="eval", roles=(("feature", "split"),))

    assert desk.ask(SPLITS) == [("eval", 5)]


def test_a_table_of_items_without_a_split_goes_where_its_ids_are(desk, make_items):
    held_out = make_items()
    desk.load(desk.put("eval.csv", held_out))

    (file,) = desk.load(desk.put("more.csv", held_out[["item_id"]].assign(height=3))).files

    assert (file.kind, file.split) == ("items", "eval")
    assert desk.ask("SELECT DISTINCT split FROM items") == [("eval",)]


def test_ids_of_several_splits_make_no_second_items(desk, make_items):
    train = make_items()
    desk.load(desk.put("train.csv", train))
    desk.load(desk.put("eval.csv", train.assign(item_id="e" + train["item_id"])))
    scores = pd.DataFrame({"item_id": [*train["item_id"], *("e" + train["item_id"])], "score": 0.5})

    message = desk.refuse(desk.put("scores.csv", scores))

    assert "items of the splits 'eval', 'train' already" in message
    assert "--kind predictions" in message
