"""One column an annotator: recognised by names or values, and never where the columns are features."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import NeedsChoiceError

CLASSES = ["refund", "bug", "praise", "other"]


@pytest.fixture
def make_sheet():
    """A vendor's sheet: people who mostly say what is so, and leave some cells empty."""

    def make(*people, rows=60, classes=CLASSES, seed=3, right=0.8, **more):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, len(classes), rows)
        frame = pd.DataFrame({"id": [f"t{k}" for k in range(rows)], "text": [f"text {k}" for k in range(rows)], **more})
        for person in people:
            said = np.where(rng.random(rows) < right, truth, rng.integers(0, len(classes), rows))
            frame[person] = [classes[s] if rng.random() > 0.2 else None for s in said]
        return frame

    return make


def melt(frame, names):
    """Return the votes as pandas sees them: item, annotator, label, in the order of the rows and columns."""
    return [(row["id"], names[c], row[c]) for _, row in frame.iterrows() for c in names if pd.notna(row[c])]


@pytest.mark.parametrize(
    "people",
    [
        {"Anna": "Anna", "Ben": "Ben", "Carla": "Carla"},
        {"annotator_1": "annotator_1", "annotator_2": "annotator_2"},
        {"rater1": "rater1", "rater2": "rater2", "Rater 3": "Rater 3"},
        {"Ann 1": "Ann 1", "Ann 2": "Ann 2"},
        {"coder A": "coder A", "coder B": "coder B"},
        {"label_anna": "anna", "label_ben": "ben"},
        {"vote:bob": "bob", "vote:eve": "eve"},
        {"anna_label": "anna", "ben_label": "ben"},
        {"label_1": "1", "label_2": "2"},
        {"annotator_anna": "anna", "annotator_ben": "ben"},
    ],
)
def test_columns_of_annotators_become_votes(desk, split, make_sheet, people):
    frame = make_sheet(*people)
    parts = split(desk.put("sheet.csv", frame))
    assert parts.labels() == melt(frame, people)
    assert parts.get("items").table.names == ("id", "text")
    assert "Read as one column an annotator" in parts.notes


def test_a_workbook_with_one_column_an_annotator_loads_as_first_data(desk, make_sheet):
    frame = make_sheet("Anna", "Ben", "Carla", channel=["web", "mail", "chat"] * 20)
    path = desk.folder / "vendor.xlsx"
    frame.to_excel(path, index=False)
    items, votes = desk.load(path).files
    assert (items.rows, votes.rows) == (60, len(melt(frame, {"Anna": "", "Ben": "", "Carla": ""})))
    assert desk.ask(
        "SELECT i.item_id, a.name, v.label FROM votes v JOIN items i USING (item) JOIN annotators a USING (annotator) "
        "ORDER BY vote"
    ) == melt(frame, {"Anna": "Anna", "Ben": "Ben", "Carla": "Carla"})
    assert desk.ask("SELECT channel, count(*) FROM features GROUP BY 1 ORDER BY 1") == [
        ("chat", 20), ("mail", 20), ("web", 20)]  # fmt: skip
    assert not desk.load(path).changed


def test_votes_in_columns_find_items_that_are_there(desk, make_sheet):
    frame = make_sheet("Anna", "Ben")
    desk.load(desk.put("train.csv", frame[["id", "text"]].assign(label=CLASSES * 15)))
    items, votes = desk.load(desk.put("vendor.csv", frame)).files
    assert (items.tally.kept, items.tally.already_there) == (0, 60)
    assert desk.ask("SELECT count(*), count(given_label) FROM items") == [(60, 60)]
    assert desk.ask("SELECT count(*) FROM votes") == [(votes.rows,)]


def test_seconds_times_and_comments_go_with_their_annotator(desk, split):
    text = (
        "id,label_anna,label_ben,anna_seconds,seconds ben,Anna comment,ben_time\n"
        "1,a,b,5,7,odd,2026-01-01 10:00\n2,b,b,6.5,,,\n3,a,a,,9,,2026-01-02\n"
    )
    votes = split(desk.put("sheet.csv", text)).rows("votes")
    assert [(v["annotator"], v["seconds"], v["comment"], str(v["labelled_at"])) for v in votes] == [
        ("anna", 5.0, "odd", "None"),
        ("ben", 7.0, None, "2026-01-01 10:00:00"),
        ("anna", 6.5, None, "None"),
        ("ben", None, None, "None"),
        ("anna", None, None, "None"),
        ("ben", 9.0, None, "2026-01-02 00:00:00"),
    ]


def test_names_in_columns_of_their_own_are_the_annotators(desk, split):
    text = "id,annotator_1,label_1,annotator_2,label_2\n1,ann,a,bob,b\n2,cyd,b,ann,b\n3,bob,a,cyd,a\n"
    parts = split(desk.put("sheet.csv", text))
    assert parts.labels() == [
        ("1", "ann", "a"),
        ("1", "bob", "b"),
        ("2", "cyd", "b"),
        ("2", "ann", "b"),
        ("3", "bob", "a"),
        ("3", "cyd", "a"),
    ]


def test_an_empty_cell_is_no_vote_and_words_of_doubt_are_cannot_tell(desk, split, make_sheet):
    frame = make_sheet("Anna", "Ben")
    frame.loc[0, "Anna"], frame.loc[1, "Ben"], frame.loc[2, "Anna"] = "?", "Unsure", " "
    parts = split(desk.put("sheet.csv", frame))
    assert ("t0", "Anna", None) in parts.labels()
    assert ("t1", "Ben", None) in parts.labels()
    assert ("t2", "Anna") not in {(item, who) for item, who, _label in parts.labels()}
    assert 'Read as "cannot tell": ' in parts.notes


def test_a_word_of_doubt_that_is_a_class_stays_one(desk, split):
    text = "id,label,rater1,rater2\n" + "".join(f"{k},{'ok' if k % 2 else 'unsure'},unsure,ok\n" for k in range(20))
    labels = {label for *_rest, label in split(desk.put("sheet.csv", text)).labels()}
    assert labels == {"unsure", "ok"}


def test_a_given_label_in_the_file_stays_with_the_items(desk, split, make_sheet):
    frame = make_sheet("rater_1", "rater_2", label=CLASSES * 15)
    parts = split(desk.put("sheet.csv", frame))
    assert parts.get("items").table.names == ("id", "text", "label")
    # Numbers of another scale beside the label are no votes.
    frame = make_sheet("rater_1", "rater_2", label=["x", "y"] * 30)
    assert split(desk.put("sheet.csv", frame)).kinds == [None]


def test_the_user_says_which_columns_are_annotators(desk, split):
    text = "id,x,y,z\n1,a,b,q\n2,b,b,q\n3,a,a,r\n"
    path = desk.put("sheet.csv", text)
    parts = split(path, roles=(("vote", "x"), ("vote", "y")))
    assert parts.labels()[:2] == [("1", "x", "a"), ("1", "y", "b")]
    assert parts.get("items").table.names == ("id", "z")


def test_rows_can_be_their_own_ids(desk, split, make_sheet):
    frame = make_sheet("rater1", "rater2", rows=5).drop(columns="id")
    parts = split(desk.put("sheet.csv", frame), roles=(("item_id", "@row"),))
    assert {item for item, *_rest in parts.labels()} <= {"1", "2", "3", "4", "5"}


def test_ids_that_are_numbers_with_a_gap_lose_their_point(desk, split):
    parts = split(desk.put("sheet.csv", "id,rater1,rater2\n1.0,1.0,2.0\n2.0,2.0,\n3.0,1.0,1.0\n"))
    assert parts.labels() == [
        ("1", "rater1", "1"),
        ("1", "rater2", "2"),
        ("2", "rater1", "2"),
        ("3", "rater1", "1"),
        ("3", "rater2", "1"),
    ]


def test_a_sheet_of_ids_and_votes_alone_needs_no_items(desk, split):
    parts = split(desk.put("sheet.csv", "id,rater1,rater2\n1,a,b\n2,b,b\n3,a,a\n"))
    assert parts.kinds == ["votes"]
    # But an item that nobody was asked about is one.
    assert split(desk.put("sheet.csv", "id,rater1,rater2\n1,a,b\n2,b,b\n3,a,a\n4,,\n")).kinds == ["items", "votes"]


def test_columns_that_hold_the_same_values_without_agreeing_are_asked_about(desk, split, make_sheet):
    frame = make_sheet("priority", "urgency", rows=400, classes=["low", "mid", "high"], right=0)
    path = desk.put("sheet.csv", frame)
    with pytest.raises(NeedsChoiceError, match="'priority', 'urgency'.*--role vote=priority.*--role feature=priority"):
        split(path)
    assert split(path, roles=(("feature", "priority"),)).kinds == [None]
    assert split(path, kind="items").kinds == [None]


@pytest.mark.parametrize(
    ("people", "classes"),
    [
        (("smoker", "diabetic"), ["yes", "no"]),
        (("home_team", "away_team"), ["Ulm", "Köln", "Bonn"]),
    ],
)
def test_features_with_the_same_values_stay_features(desk, split, make_sheet, people, classes):
    parts = split(desk.put("sheet.csv", make_sheet(*people, rows=400, classes=classes, right=0)))
    assert parts.kinds == [None]


def test_features_beside_a_label_or_predictions_stay_features(desk, split, make_sheet):
    frame = make_sheet("c0", "c1", "c2")
    for more in (
        {"label": list("ab") * 30},
        {"predicted": list("ab") * 30},
        {"prob_a": [0.5] * 60, "prob_b": [0.5] * 60},
    ):
        assert split(desk.put("sheet.csv", frame.assign(**more))).kinds == [None]
    # Of c0, c1, c2 alone nobody can say what they are.
    with pytest.raises(NeedsChoiceError):
        split(desk.put("sheet.csv", frame))


def test_free_text_of_two_people_is_no_vote(desk, split):
    text = "id,text_a,answer_1,answer_2\n" + "".join(f"{k},x,it is {k},well {k}\n" for k in range(30))
    assert split(desk.put("sheet.csv", text)).kinds == [None]


@pytest.mark.parametrize(
    "name",
    ["adult/train.parquet", "adult/predictions.csv", "mnist/items.parquet", "quiz/items.csv", "relations/items.jsonl"],
)
def test_real_tables_of_items_are_left_as_they_are(split, shared_data, name):
    assert split(shared_data / name).kinds == [None]


def test_real_votes_are_the_same_long_and_wide(desk, split, shared_data):
    long = pd.read_parquet(shared_data / "imagenet_raters" / "votes.parquet")
    wide = long.pivot_table(index="item_id", columns="annotator_id", values="label", aggfunc="first").iloc[:, :20]
    parts = split(desk.put("wide.csv", wide.reset_index()))
    expected = long[long.annotator_id.isin(wide.columns)]
    assert sorted(parts.labels()) == sorted(
        expected[["item_id", "annotator_id", "label"]].itertuples(index=False, name=None)
    )


def test_real_long_votes_load_as_they_are(desk, shared_data):
    report = desk.load(shared_data / "relations" / "votes.csv")
    assert desk.ask("SELECT count(*), count(started_at), count(labelled_at) FROM votes") == [(750, 750, 750)]
    assert report.files[0].kind == "votes"


def test_rejects_of_a_sheet_name_its_lines(desk, make_sheet):
    frame = make_sheet("Anna", "Ben", rows=300)
    frame.loc[10, "id"] = None
    report = desk.load(desk.put("sheet.csv", frame), max_rejects=0.1)
    assert {reject.line for file in report.files for reject in file.tally.rejects} == {12}
