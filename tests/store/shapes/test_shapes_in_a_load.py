"""What the user says of a file that is taken apart, and where its parts belong, in a whole load."""

import json

import pandas as pd

from analysis.commands.people import review_people

WIDE = pd.DataFrame(
    {
        "item_id": [f"i{k}" for k in range(12)],
        "label_anna": ["cat", "dog", "dog"] * 4,
        "label_ben": ["cat", "dog", "cat"] * 4,
    }
)


def test_a_column_an_annotator_can_be_named_by_the_user(desk):
    frame = WIDE.rename(columns={"label_anna": "first opinion", "label_ben": "second opinion"})
    path = desk.put("wide.csv", frame)

    desk.load(path, roles=(("vote", "first opinion"), ("vote", "second opinion")))

    assert desk.ask("SELECT name FROM annotators ORDER BY name") == [("first opinion",), ("second opinion",)]
    assert desk.ask("SELECT count(*) FROM votes") == [(24,)]


def test_the_row_number_of_the_file_joins_its_parts(desk):
    path = desk.put("wide.csv", WIDE.drop(columns="item_id").assign(size=range(12)))

    desk.load(path, roles=(("item_id", "@row"),))

    assert desk.ask("SELECT count(*) FROM items") == [(12,)]
    assert desk.ask("SELECT count(DISTINCT item), count(*) FROM votes") == [(12, 24)]


def test_an_export_of_items_that_are_there_goes_to_their_split(desk):
    desk.load(desk.put("eval.csv", WIDE[["item_id"]].assign(size=range(12), label="cat")))

    desk.load(desk.put("wide.csv", WIDE.assign(size=range(12))))

    assert desk.ask("SELECT DISTINCT split FROM items") == [("eval",)]
    assert desk.ask("SELECT count(*) FROM votes") == [(24,)]


def test_the_two_names_that_an_export_gives_to_a_person_are_proposed_as_one(desk, choose, annotate, make_task):
    task = make_task(1, annotate({"id": 4, "email": "ann@example.com"}, choose("glad")))
    desk.load(desk.put("export.json", json.dumps([task])))
    desk.load(
        desk.put("votes.csv", pd.DataFrame({"item_id": ["9"], "annotator": ["4"], "label": ["glad"]})), kind="votes"
    )

    (proposal,) = review_people(desk.workspace).proposals

    assert {proposal.a, proposal.b} == {"4", "ann@example.com"}
    assert "the export gives both" in proposal.reason
