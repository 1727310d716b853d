"""What a second table does to the first: it adds, fills, and never changes anything in silence."""

import pandas as pd
import pytest


def text_rows(desk, *columns):
    return desk.ask(f"SELECT {', '.join(columns)} FROM items ORDER BY item")


# --- What comes later


def test_the_same_rows_twice_change_nothing(desk, make_items):
    path = desk.put("train.csv", make_items())
    desk.load(path)
    before = desk.state()

    report = desk.load(path)

    assert (report.changed, report.files[0].tally.already_there) == (False, 200)
    assert desk.state() == before


def test_loads_add_up(desk, make_items):
    frame = make_items()
    desk.load(desk.put("train.csv", frame[:120]))

    report = desk.load(desk.put("train.csv", frame[80:]))

    assert (report.files[0].tally.kept, report.files[0].tally.already_there) == (80, 40)
    assert [name for (name,) in text_rows(desk, "item_id")] == frame["item_id"].tolist()


def test_what_was_missing_is_filled_and_counted_as_kept(desk, make_items):
    frame = make_items()
    desk.load(desk.put("train.csv", frame.assign(label=frame["label"].where(frame.index >= 20))))

    report = desk.load(desk.put("train.csv", frame))

    assert (report.changed, report.files[0].tally.kept, report.files[0].tally.replaced) == (True, 20, 0)
    assert [label for (label,) in text_rows(desk, "given_label")] == frame["label"].tolist()
    assert desk.ask("SELECT count(*) FROM current c JOIN items i USING (item) WHERE c.label != i.given_label") == [(0,)]


def test_new_columns_of_known_items_are_added(stocked, make_items):
    frame = make_items()

    report = stocked.load(stocked.put("more.csv", frame[["item_id"]].assign(height=range(200), gold="a")))

    assert report.files[0].tally.kept == 200
    assert stocked.ask("SELECT sum(height), count(city) FROM features") == [(sum(range(200)), 134)]
    assert stocked.ask("SELECT DISTINCT gold_label FROM items") == [("a",)]


@pytest.mark.parametrize("column", ["label", "age", "city"])
def test_known_ids_with_other_values_ask_for_replace(stocked, make_items, column):
    frame = make_items()
    value = {"label": "b", "age": 99, "city": "Bonn"}[column]
    frame.loc[4, column] = value
    path = stocked.put("train.csv", frame)

    message = stocked.refuse(path)
    assert message == (
        "train.csv: ids that are already there with other values: 1, for example 'i4'. "
        "Use --replace to take the new values, or load them as another --split."
    )

    report = stocked.load(path, replace=True)
    assert (report.files[0].tally.kept, report.files[0].tally.replaced) == (1, 1)
    found = stocked.ask(
        "SELECT i.given_label, f.age, f.city FROM items i JOIN features f USING (item) WHERE item_id = 'i4'"
    )
    assert value in found[0]
    assert stocked.load(path).changed is False


def test_a_replaced_label_is_the_current_label(stocked, make_items):
    frame = make_items()
    frame["label"] = frame["label"].map({"a": "b", "b": "a"})

    stocked.load(stocked.put("train.csv", frame), replace=True)

    assert [label for (label,) in stocked.ask("SELECT label FROM current ORDER BY item")] == frame["label"].tolist()


def test_a_missing_value_where_one_was_known_is_another_value(stocked, make_items):
    frame = make_items()
    frame.loc[4, "age"] = None

    assert "--replace" in stocked.refuse(stocked.put("train.csv", frame))


def test_identical_rows_count_once(desk, make_items):
    frame = make_items()

    report = desk.load(desk.put("train.csv", pd.concat([frame, frame[:3], frame[:1]])))

    assert (report.files[0].tally.kept, report.files[0].tally.duplicates) == (200, 4)
    assert report.files[0].tally.rejects == []


def test_an_id_with_two_different_rows_has_neither(desk, make_items):
    frame = pd.concat([make_items(), make_items(1).assign(age=77)])

    report = desk.load(desk.put("train.csv", frame))

    assert [(reject.line, reject.column, reject.reason) for reject in report.files[0].tally.rejects] == [
        (2, "item_id", "id 'i0' occurs 2 times with different values"),
        (202, "item_id", "id 'i0' occurs 2 times with different values"),
    ]
    assert desk.ask("SELECT count(*) FROM items WHERE item_id = 'i0'") == [(0,)]


def test_an_id_without_a_split_and_the_same_with_train_are_one_item(desk, make_items):
    frame = make_items().assign(split="train")
    frame = pd.concat([frame, frame[:1].assign(split=None)])

    report = desk.load(desk.put("items.csv", frame))

    assert (report.files[0].tally.kept, report.files[0].tally.duplicates) == (200, 1)


def test_a_column_that_differs_from_a_known_one_in_case_alone_is_refused(stocked, make_items):
    message = stocked.refuse(stocked.put("eval.csv", make_items().rename(columns={"city": "City"})))

    assert message == "eval.csv has a column 'City', the workspace has 'city'. Rename one of them so that they agree."


# --- Types of columns over several files


def change_column(desk, *columns):
    for number, values in enumerate(columns):
        ids = [f"{number}-{k}" for k in range(len(values))]
        frame = pd.DataFrame({"item_id": ids, "label": "a", "x": values})
        desk.load(desk.put(f"part{number}.csv", frame), max_rejects=0)
    kind = desk.ask("SELECT type FROM columns WHERE name = 'x'")[0][0]
    return kind, [value for (value,) in desk.ask("SELECT x FROM features ORDER BY item")]


@pytest.mark.parametrize(
    ("columns", "kind", "values"),
    [
        ([[1, 2], [1.5, 2.5]], "DOUBLE", [1.0, 2.0, 1.5, 2.5]),
        ([[1, 2], ["u"], [3]], "VARCHAR", ["1", "2", "u", "3"]),
        ([["01"], [12]], "VARCHAR", ["01", "12"]),
        ([[True], ["maybe"]], "VARCHAR", ["true", "maybe"]),
        ([[1, 2], [None, None]], "BIGINT", [1, 2, None, None]),
        ([[None, None], [1, 2]], "BIGINT", [None, None, 1, 2]),
        ([[None], [None], [2.5], [3]], "DOUBLE", [None, None, 2.5, 3.0]),
    ],
)
def test_a_column_widens_only_as_far_as_its_values_ask(desk, columns, kind, values):
    assert change_column(desk, *columns) == (kind, values)


def test_known_items_are_compared_in_the_wider_type(desk):
    desk.load(desk.put("a.csv", pd.DataFrame({"id": ["p", "q"], "label": "u", "x": ["7", "old"]})))

    report = desk.load(desk.put("b.csv", pd.DataFrame({"id": ["p"], "label": "u", "x": [7]})))
    assert (report.changed, report.files[0].tally.already_there) == (False, 1)

    assert "--replace" in desk.refuse(desk.put("b.csv", pd.DataFrame({"id": ["q"], "label": "u", "x": [8]})))


def test_pictures_never_become_text(desk):
    desk.load(desk.put("a.parquet", pd.DataFrame({"id": ["p"], "label": "u", "png": [b"\x89PNG"]})))

    message = desk.refuse(desk.put("b.csv", pd.DataFrame({"id": ["q"], "label": "u", "png": ["q.png"]})))

    assert message == ("b.csv: column 'png' holds plain values, in the workspace it holds bytes. Rename the column.")


def test_a_role_given_later_is_taken_for_known_items(desk, make_items):
    frame = make_items().assign(family=[f"f{k // 4}" for k in range(200)])
    path = desk.put("train.csv", frame)
    desk.load(path)

    report = desk.load(path, roles=(("group", "family"),))

    assert report.files[0].tally.kept == 200
    assert [group for (group,) in text_rows(desk, "group_id")] == frame["family"].tolist()
    assert desk.ask("SELECT role, reason FROM columns WHERE name = 'family'") == [("group", "you said so")]


# --- Who gave the label


def make_given(annotator="ana", label="a", seconds=4.0):
    return pd.DataFrame(
        {
            "item_id": ["p", "q"],
            "label": [label, "b"],
            "annotator": [annotator, "ben"],
            "seconds": [seconds, 2.0],
            "x": 1,
        }
    )


VOTES = (
    "SELECT i.item_id, a.name, v.label, v.seconds, v.source FROM votes v JOIN items i USING (item) "
    "JOIN annotators a USING (annotator) ORDER BY v.item, v.vote"
)


def test_a_given_label_whose_annotator_is_known_is_that_persons_vote(desk):
    desk.load(desk.put("train.csv", make_given()))

    assert desk.ask(VOTES) == [("p", "ana", "a", 4.0, "given"), ("q", "ben", "b", 2.0, "given")]
    assert desk.ask("SELECT a.name FROM items i JOIN annotators a ON a.annotator = i.given_by ORDER BY item") == [
        ("ana",), ("ben",),
    ]  # fmt: skip
    assert desk.load(desk.folder / "train.csv").changed is False


@pytest.mark.parametrize(
    ("change", "vote"),
    [
        ({"annotator": "eva"}, ("p", "eva", "a", 4.0, "given")),
        ({"label": "b"}, ("p", "ana", "b", 4.0, "given")),
        ({"seconds": 9.0}, ("p", "ana", "a", 9.0, "given")),
    ],
)
def test_a_given_label_told_otherwise_replaces_its_vote_and_adds_none(desk, change, vote):
    desk.load(desk.put("train.csv", make_given()))
    path = desk.put("train.csv", make_given(**change))
    assert "--replace" in desk.refuse(path)

    desk.load(path, replace=True)

    assert desk.ask(VOTES) == [vote, ("q", "ben", "b", 2.0, "given")]
    assert desk.load(path).changed is False


GIVERS = "SELECT i.item_id, a.name FROM items i LEFT JOIN annotators a ON a.annotator = i.given_by ORDER BY item"


def test_a_label_replaced_without_a_name_is_nobodys_and_what_was_said_stays_a_vote(desk):
    desk.load(desk.put("train.csv", make_given()))
    path = desk.put("train.csv", make_given(label="b").drop(columns=["annotator", "seconds"]))

    desk.load(path, replace=True)

    assert desk.ask(GIVERS) == [("p", None), ("q", "ben")]
    assert desk.ask(VOTES) == [("p", "ana", "a", 4.0, "vote"), ("q", "ben", "b", 2.0, "given")]
    assert desk.load(path).changed is False


def test_a_label_told_after_its_giver_is_that_persons_vote(desk):
    desk.load(desk.put("train.csv", make_given().drop(columns="label")))
    assert desk.ask(VOTES) == []

    desk.load(desk.put("train.csv", make_given()[["item_id", "label"]]))

    assert desk.ask(GIVERS) == [("p", "ana"), ("q", "ben")]
    assert [(name, label, source) for _id, name, label, _seconds, source in desk.ask(VOTES)] == [
        ("ana", "a", "given"),
        ("ben", "b", "given"),
    ]


def test_another_giver_of_the_same_label_takes_its_vote_along(desk):
    desk.load(desk.put("train.csv", make_given()))

    desk.load(desk.put("people.csv", make_given(annotator="eva")[["item_id", "annotator", "x"]]), replace=True)

    assert desk.ask(GIVERS) == [("p", "eva"), ("q", "ben")]
    assert [(name, label, source) for _id, name, label, _seconds, source in desk.ask(VOTES)] == [
        ("eva", "a", "given"),
        ("ben", "b", "given"),
    ]


# --- What was said of a column once


def test_a_role_that_was_stated_holds_for_the_same_column_of_later_files(desk, make_items):
    train = make_items().assign(customer=lambda frame: frame.index.astype(str).str[:1])
    held_out = train.assign(item_id="e" + train["item_id"])
    desk.load(desk.put("train.csv", train), roles=(("group", "customer"),))

    (file,) = desk.load(desk.put("eval.csv", held_out)).files

    assert file.roles.single["group"].reason == "you said so of an earlier file"
    assert desk.ask("SELECT count(*) FROM items WHERE group_id IS NULL") == [(0,)]
    assert not desk.load(desk.put("train.csv", train)).changed


def test_what_is_said_now_beats_what_was_said_before(desk, make_items):
    train = make_items().assign(customer="c", session="s")
    desk.load(desk.put("train.csv", train), roles=(("group", "customer"),))

    later = train.assign(item_id="e" + train["item_id"])
    desk.load(desk.put("eval.csv", later), roles=(("group", "session"),))

    assert desk.ask("SELECT DISTINCT split, group_id FROM items ORDER BY split") == [("eval", "s"), ("train", "c")]
