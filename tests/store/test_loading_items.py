"""Items: what a table of items becomes, and what a second table does to the first."""

import itertools
from datetime import datetime

import pandas as pd
import pytest

FEATURES = "SELECT i.item_id, f.* EXCLUDE (item) FROM items i JOIN features f USING (item) ORDER BY i.split, i.item_id"


def text_rows(desk, *columns):
    return desk.ask(f"SELECT {', '.join(columns)} FROM items ORDER BY item")


# --- What is taken in


def test_one_table_holding_everything_gives_items_features_and_predictions(desk, make_items, make_predictions):
    whole = make_items().merge(make_predictions())

    report = desk.load(desk.put("all.csv", whole))

    assert (report.files[0].kind, report.files[0].tally.kept, report.changed) == ("items", 200, True)
    assert desk.ask("SELECT count(*), count(pred_probs) FROM predictions") == [(200, 200)]
    expected = list(zip(whole["item_id"], whole["label"], whole["predicted"], whole["age"], strict=True))
    found = desk.ask(
        "SELECT i.item_id, i.given_label, p.predicted, f.age FROM items i JOIN predictions p USING (item) "
        "JOIN features f USING (item) ORDER BY item"
    )
    assert found == expected


def test_an_item_of_one_table_without_a_prediction_is_an_item_all_the_same(desk, make_items, make_predictions):
    whole = make_items().merge(make_predictions(150), how="left")

    report = desk.load(desk.put("all.csv", whole))

    assert report.files[0].tally.rejects == []
    assert desk.ask("SELECT count(*) FROM items") == [(200,)]
    assert desk.ask("SELECT count(*) FROM predictions") == [(150,)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_items_keep_the_order_of_the_file_and_dense_numbers(desk, make_items, ending):
    frame = make_items().sample(frac=1, random_state=3)

    desk.load(desk.put(f"train.{ending}", frame))

    found = desk.ask("SELECT item, item_id FROM items ORDER BY item")
    assert found == list(enumerate(frame["item_id"], start=1))


@pytest.mark.parametrize(
    ("name", "split"), [("adult_test.csv", "eval"), ("items.csv", "train"), ("train_and_test.csv", "train")]
)
def test_the_split_is_read_from_the_file_name(desk, make_items, name, split):
    report = desk.load(desk.put(name, make_items()))

    assert report.files[0].split == split
    assert desk.ask("SELECT DISTINCT split FROM items") == [(split,)]


def test_a_split_column_beats_the_name_and_an_option_names_it_where_there_is_none(desk, make_items):
    frame = make_items(4).assign(split=["train", "eval", "", "extra"])
    path = desk.put("test.csv", frame)

    desk.load(path)
    assert [split for (split,) in text_rows(desk, "split")] == ["train", "eval", "train", "extra"]

    desk.load(desk.put("test.csv", frame.drop(columns="split")), split="mine")
    assert desk.ask("SELECT count(*) FROM items WHERE split = 'mine'") == [(4,)]


def test_the_same_id_may_be_in_two_splits(desk, make_items):
    desk.load(desk.put("train.csv", make_items()), desk.put("eval.csv", make_items(100)))

    assert desk.ask("SELECT split, count(*) FROM items GROUP BY 1 ORDER BY 1") == [("eval", 100), ("train", 200)]


def test_one_table_per_split_with_the_same_ids_stays_two_splits(desk, make_items, make_predictions):
    train, held = make_items().merge(make_predictions()), make_items(50).merge(make_predictions(50))

    for files in (["train.csv"], ["eval.csv"], ["train.csv", "eval.csv"]):
        desk.load(*(desk.put(name, train if name == "train.csv" else held) for name in files))

    assert desk.ask(
        "SELECT split, count(*), count(p.item) FROM items LEFT JOIN predictions p USING (item) GROUP BY 1 ORDER BY 1"
    ) == [("eval", 50, 50), ("train", 200, 200)]


TEXTS = [
    "3",
    "<=50K",
    "007",
    "1e5",
    "NA",
    "null",
    " b",
    "a,b",
    'say "x"',
    "Zürich\n2",
    "-",
    "True",
    "0.10",
    "=1+1",
    "\t",
]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_labels_and_ids_keep_their_text(desk, ending):
    frame = pd.DataFrame({"item_id": TEXTS, "label": TEXTS[::-1]})

    desk.load(desk.put(f"train.{ending}", frame))

    assert text_rows(desk, "item_id", "given_label") == list(zip(TEXTS, TEXTS[::-1], strict=True))
    assert {name for (name,) in desk.ask("SELECT name FROM classes")} == set(TEXTS)


def test_numbers_as_ids_and_labels_become_their_text(desk):
    frame = pd.DataFrame({"id": [7, 2**62, -1], "label": [3.0, None, 10.0], "flag": [True, False, None]})

    desk.load(desk.put("train.parquet", frame), roles=(("gold_label", "flag"),))

    assert text_rows(desk, "item_id", "given_label", "gold_label") == [
        ("7", "3", "True"), (str(2**62), None, "False"), ("-1", "10", None),
    ]  # fmt: skip


def test_classes_are_ordered_as_people_read_them(desk):
    desk.load(desk.put("train.csv", pd.DataFrame({"id": range(4), "label": ["10", "9", "b", "a"]})))

    assert desk.ask("SELECT code, name FROM classes ORDER BY code") == [(0, "9"), (1, "10"), (2, "a"), (3, "b")]


def test_pictures_cross_whole(desk):
    pictures = [b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"\0", None]

    desk.load(desk.put("train.parquet", pd.DataFrame({"id": [1, 2, 3], "label": list("aab"), "png": pictures})))

    assert desk.ask("SELECT png FROM features ORDER BY item") == [(pictures[0],), (b"\0",), (None,)]
    assert desk.ask("SELECT role, type FROM columns WHERE name = 'png'") == [("image", "BLOB")]


def test_every_column_has_its_role_with_a_reason(desk, make_items):
    report = desk.load(desk.put("train.csv", make_items()))

    assert {role: guess.column for role, guess in report.files[0].roles.single.items()} == {
        "item_id": "item_id",
        "given_label": "label",
    }
    columns = desk.ask("SELECT name, role, type, stored_as FROM columns ORDER BY position")
    assert columns == [
        ("item_id", "item_id", "VARCHAR", None),
        ("label", "given_label", "VARCHAR", None),
        ("age", "feature", "BIGINT", "age"),
        ("city", "feature", "VARCHAR", "city"),
    ]
    assert all(reason for (reason,) in desk.ask("SELECT reason FROM columns"))


def test_roles_are_settable(desk):
    frame = pd.DataFrame({"x1": ["p", "q"], "x2": ["yes", "no"], "group": [1, 2], "label": ["u", "v"]})

    report = desk.load(
        desk.put("train.csv", frame),
        roles=(("item_id", "x1"), ("given_label", "x2"), ("feature", "group"), ("feature", "label")),
    )

    assert text_rows(desk, "item_id", "given_label", "group_id") == [("p", "yes", None), ("q", "no", None)]
    assert report.files[0].roles.features == ("group", "label")
    assert report.files[0].to_dict()["roles"]["item_id"] == {"column": "x1", "reason": "you said so"}


def test_without_ids_the_row_number_can_be_the_id(desk):
    path = desk.put("train.csv", pd.DataFrame({"label": list("abab"), "x": [1, 2, 3, 4]}))
    assert "--role item_id=@row" in desk.refuse(path)

    desk.load(path, roles=(("item_id", "@row"),))

    assert text_rows(desk, "item_id", "given_label") == [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")]
    assert desk.load(path, roles=(("item_id", "@row"),)).changed is False


def test_one_label_only_is_a_warning_and_no_refusal(desk, make_items):
    report = desk.load(desk.put("train.csv", make_items().assign(label="a")))

    assert report.files[0].tally.notes == ["All rows have one label, 'a': nothing can be confused."]


def test_values_that_are_no_numbers_become_missing_and_are_counted(desk, make_items):
    frame = make_items().astype({"age": object})
    frame.loc[[3, 5], "age"] = ["unknown", "N/A"]

    report = desk.load(desk.put("train.csv", frame))

    assert dict(report.files[0].casts_failed) == {"age": 1}
    assert desk.ask("SELECT count(age), count(*) FROM features") == [(198, 200)]


def test_times_are_kept_in_utc(desk):
    times = ["2026-01-31T09:30:00+05:30", "2026-01-31T04:00:00Z", "2026-01-31 04:00:00", "2026-01-31"]

    desk.load(desk.put("train.csv", pd.DataFrame({"id": range(4), "label": list("abab"), "seen": times})))

    assert desk.ask("SELECT seen FROM features ORDER BY item") == [
        (datetime(2026, 1, 31, 4),), (datetime(2026, 1, 31, 4),), (datetime(2026, 1, 31, 4),), (datetime(2026, 1, 31),)  # noqa: DTZ001
    ]  # fmt: skip


def test_columns_may_have_any_name(desk):
    names = ["item", "ITEM_", "select", 'say "x"', "a b", "täg", "f0", "row", "%s", "{x}", "?"]
    frame = pd.DataFrame({"item_id": ["p", "q"], "label": ["u", "v"], **{name: [1, 2] for name in names}})

    desk.load(desk.put("train.csv", frame))

    assert desk.ask(FEATURES) == [("p", *[1] * len(names)), ("q", *[2] * len(names))]
    assert [name for (name,) in desk.ask("SELECT name FROM columns WHERE role = 'feature' ORDER BY position")] == names


def test_the_order_of_the_files_does_not_matter(desk, make_items, make_predictions, make_votes):
    files = [
        desk.put("train.csv", make_items()),
        desk.put("predictions.csv", make_predictions()),
        desk.put("votes.csv", make_votes().assign(channel="web")),
    ]
    seen = set()
    for order in list(itertools.permutations(files))[::2]:
        desk.workspace.path.unlink(missing_ok=True)
        report = desk.load(*order)
        assert [file.file for file in report.files] == [path.name for path in order]
        seen.add(
            tuple(
                tuple(desk.ask(f"SELECT * EXCLUDE (item) FROM {table} ORDER BY item"))
                for table in ("items", "features", "current")
            )
        )
        desk.workspace.close()

    assert len(seen) == 1
