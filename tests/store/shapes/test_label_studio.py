"""Label Studio's JSON export: every task an item, every annotation a vote, every prediction a prediction."""

import json

import pytest

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError

ANN = {"id": 4, "email": "ann@example.com", "first_name": "", "last_name": ""}


@pytest.fixture
def export(desk):
    """Write tasks as the tool does."""
    return lambda tasks, name="export.json": desk.put(name, json.dumps(tasks, indent=2))


def test_an_export_becomes_items_votes_and_predictions_as_first_data(desk, export, choose, annotate, make_task):
    shown = {"id": 9, "model_version": "clf-3", "score": 0.93, "result": [choose("glad")]}
    tasks = [
        make_task(1, annotate(ANN, choose("glad")), annotate(7, choose("sad")), predictions=[shown]),
        make_task(2, annotate("bob@example.com", choose("sad"), lead_time=340_298.2)),
        make_task(3, annotate(ANN, was_cancelled=True)),
        make_task(4),
    ]
    report = desk.load(export(tasks))
    assert [(file.part, file.kind, file.rows) for file in report.files] == [
        ("items", "items", 4), ("votes", "votes", 4), ("predictions", "predictions", 1)]  # fmt: skip
    assert desk.ask(
        "SELECT i.item_id, a.name, v.label, v.seconds, CAST(v.labelled_at AS VARCHAR) FROM votes v "
        "JOIN items i USING (item) JOIN annotators a USING (annotator) ORDER BY vote"
    ) == [
        ("1", "ann@example.com", "glad", 11.9, "2026-11-03 10:00:00"),
        ("1", "7", "sad", 11.9, "2026-11-03 10:00:00"),
        ("2", "bob@example.com", "sad", 340_298.2, "2026-11-03 10:00:00"),
        ("3", "ann@example.com", None, 11.9, "2026-11-03 10:00:00"),
    ]
    assert desk.ask("SELECT item_id, given_label FROM items ORDER BY item") == [(k, None) for k in "1234"]
    assert desk.ask("SELECT m.name, p.predicted, p.pred_probs FROM predictions p JOIN models m USING (model)") == [
        ("clf-3", "glad", None)
    ]
    assert "4 tasks, 4 annotations, 1 skipped, 1 prediction" in "".join(report.files[0].tally.notes)
    assert not desk.load(export(tasks)).changed


def test_an_export_adds_votes_to_items_that_are_there(desk, export, choose, annotate, make_task):
    desk.load(desk.put("train.csv", "item_id,label,channel\ni1,glad,web\ni2,sad,web\n"))
    tasks = [
        make_task(number, annotate(ANN, choose("sad")), data={"relook_item_id": f"i{number}", "text": "x"})
        for number in (1, 2)
    ]
    items, votes = desk.load(export(tasks)).files
    assert (items.tally.kept, votes.tally.kept) == (2, 2)
    assert desk.ask("SELECT item_id, given_label, channel FROM items JOIN features USING (item) ORDER BY item") == [
        ("i1", "glad", "web"),
        ("i2", "sad", "web"),
    ]


@pytest.mark.parametrize(
    ("person", "name"),
    [
        (4, "4"),
        ({"id": 4, "email": "a@example.com"}, "a@example.com"),
        ({"id": 4, "email": "", "first_name": "Ann"}, "4"),
        ({"first_name": "Ann", "last_name": "Lee"}, "Ann Lee"),
        ("a@example.com", "a@example.com"),
    ],
)
def test_whoever_completed_it_is_found(split, export, choose, annotate, make_task, person, name):
    parts = split(export([make_task(1, annotate(person, choose("glad")))]))
    assert parts.labels() == [("1", name, "glad")]


def test_the_id_is_ours_before_the_users_before_the_tools(split, export, make_task):
    def find_id(*datas, **options):
        tasks = [make_task(number, data=data) for number, data in enumerate(datas, start=101)]
        rows = split(export(tasks), **options).rows("items")
        return [row["item_id"] for row in rows]

    assert find_id({"relook_item_id": "a", "id": 1}, {"relook_item_id": "b", "id": 2}) == ["a", "b"]
    assert find_id({"item_id": "a", "id": 1}, {"item_id": "b", "id": 1}) == ["a", "b"]
    assert find_id({"id": "a", "t": 1}, {"id": "b", "t": 1}) == ["a", "b"]
    assert find_id({"id": "a", "t": 1}, {"id": "a", "t": 2}) == ["101", "102"]  # not unique
    assert find_id({"id": "a", "t": 1}, {"t": 2}) == ["101", "102"]  # not everywhere
    assert find_id({"key": "a", "t": 1}, {"key": "b", "t": 2}, roles=(("item_id", "key"),)) == ["a", "b"]
    assert find_id({"t": 1}, {"t": 2}, roles=(("item_id", "@row"),)) == ["1", "2"]


def test_tasks_without_any_id_are_refused_with_what_to_say(split, export, choose, annotate):
    tasks = [{"data": {"text": "x"}, "annotations": [annotate(4, choose("glad"))]}]
    with pytest.raises(AnalysisError, match="--role item_id=@row"):
        split(export(tasks))


def test_one_of_several_controls_must_be_chosen(split, export, choose, annotate, make_task):
    result = choose("glad"), choose("loud", control="tone")
    path = export([make_task(1, annotate(4, *result)), make_task(2, annotate(4, choose("sad")))])
    with pytest.raises(NeedsChoiceError, match=r"'mood' \(2 answers\), 'tone' \(1 answer\).*--role given_label=mood"):
        split(path)
    assert split(path, roles=(("given_label", "tone"),)).labels() == [("1", "4", "loud"), ("2", "4", None)]


def test_a_control_is_found_whatever_it_is_called(split, export, choose, annotate, make_task):
    name = 'how / "ä" ~ is it?'
    parts = split(export([make_task(1, annotate(4, choose("glad", control=name)))]))
    assert parts.labels() == [("1", "4", "glad")]


@pytest.mark.parametrize("kind", ["labels", "rectanglelabels", "rating", "taxonomy"])
def test_an_export_of_regions_is_refused_naming_what_was_found(split, export, annotate, make_task, kind):
    region = {"from_name": "ner", "to_name": "text", "type": kind, "value": {"start": 0, "end": 3, kind: ["PLACE"]}}
    with pytest.raises(FileFaultError, match=rf"without choices: found {kind} \(2\)"):
        split(export([make_task(number, annotate(4, region)) for number in (1, 2)]))


def test_choices_for_a_region_are_no_label_of_the_item(split, export, choose, annotate, make_task):
    result = choose("glad"), choose("loud", control="part", start=0, end=3)
    parts = split(export([make_task(1, annotate(4, *result))]))
    assert parts.labels() == [("1", "4", "glad")]
    assert "choices for each region (1)" in parts.notes


def test_what_was_suggested_is_found_where_the_tool_says_it(split, export, choose, annotate, make_task):
    shown = {"id": 9, "model_version": "m", "result": [choose("glad")]}
    other = {"id": 8, "model_version": "m2", "result": [choose("sad")]}
    cases = [
        (annotate(1, choose("glad", origin="prediction")), []),
        (annotate(2, choose("sad", origin="prediction-changed")), [shown]),
        (annotate(3, choose("sad"), parent_prediction=9), [other, shown]),
        (annotate(4, choose("sad"), prediction={"id": 9, "result": [choose("glad")]}), []),
        (annotate(5, choose("sad")), [shown]),
    ]
    tasks = [make_task(k, annotation, predictions=said) for k, (annotation, said) in enumerate(cases, start=1)]
    rows = split(export(tasks)).rows("votes")
    assert [row["suggested"] for row in rows] == ["glad", "glad", "glad", "glad", None]


def test_ground_truth_is_a_gold_label_and_no_vote(desk, export, choose, annotate, make_task):
    tasks = [make_task(k, annotate(7, choose("sad")), annotate(8, choose("glad"))) for k in (1, 2, 3)]
    tasks[0]["annotations"].append(annotate(ANN, choose("glad"), ground_truth=True))
    tasks[1]["annotations"] += [annotate(p, choose(c), ground_truth=True) for p, c in ((ANN, "glad"), (5, "sad"))]
    desk.load(export(tasks))
    assert desk.ask("SELECT gold_label FROM items ORDER BY item") == [("glad",), (None,), (None,)]
    assert desk.ask("SELECT count(*), count(DISTINCT annotator) FROM votes") == [(6, 2)]


def test_ground_truth_on_most_annotations_came_with_an_import_and_says_nothing(
    split, export, choose, annotate, make_task
):
    tasks = [make_task(k, annotate(7, choose("sad"), ground_truth=True)) for k in (1, 2, 3)]
    parts = split(export(tasks))
    assert len(parts.labels()) == 3
    assert "3 of 3 annotations" in parts.notes
    assert "gold_label" not in dict(parts.get("items").table.roles)


def test_a_change_after_submission_is_counted_and_keeps_the_first_time(split, export, choose, annotate, make_task):
    late = annotate(4, choose("sad"), updated_at="2026-11-04T10:00:00.000000Z")
    soon = annotate(4, choose("sad"), updated_at="2026-11-03T10:00:01.000000Z")
    parts = split(export([make_task(1, late), make_task(2, soon)]))
    assert "more than a minute after they were submitted: 1 annotation." in parts.notes
    assert parts.rows("votes")[0]["labelled_at"].startswith("2026-11-03T10:00:00")


def test_a_review_is_kept_with_who_said_it(split, export, choose, annotate, make_task):
    reviews = [
        {"created_by": {"id": 2, "email": "old@example.com"}, "accepted": False, "created_at": "2026-11-04T10:00:00Z"},
        {"created_by": {"id": 3, "email": "rev@example.com"}, "accepted": True, "created_at": "2026-11-05T10:00:00Z"},
    ]
    row = split(export([make_task(1, annotate(4, choose("sad"), reviews=reviews))])).rows("votes")[0]
    assert (row["reviewer"], row["verdict"]) == ("rev@example.com", "accepted")


def test_free_text_is_the_comment_and_several_choices_are_no_class(split, export, choose, annotate, make_task):
    why = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": ["odd"]}}
    tasks = [make_task(k, annotate(4, choose("sad" if k % 2 else "glad"))) for k in range(2, 9)]
    parts = split(export([make_task(1, annotate(4, choose("sad", "glad"), why)), *tasks]))
    row = parts.rows("votes")[0]
    assert (row["given_label"], row["comment"]) == (None, '["sad","glad"]; odd')
    assert "Answers of several classes at once: 1" in parts.notes


def test_only_the_last_of_a_models_predictions_for_a_task_counts(split, export, choose, annotate, make_task):
    said = [{"id": k, "model_version": "m", "result": [choose(c)]} for k, c in enumerate(("sad", "glad"))]
    said.append({"id": 9, "model_version": None, "result": [choose("sad")]})
    parts = split(export([make_task(1, annotate(4, choose("sad")), predictions=said)]))
    assert [(row["model"], row["predicted"]) for row in parts.rows("predictions")] == [
        ("m", "glad"),
        ("undefined", "sad"),
    ]


def test_tasks_that_nobody_answered_are_items(split, export, make_task):
    parts = split(export([make_task(1, drafts=[{"id": 1, "result": []}]), make_task(2)]))
    assert parts.kinds == ["items"]
    assert [row["item_id"] for row in parts.rows("items")] == ["1", "2"]


def test_an_export_of_before_1_0_is_read_too(split, export, choose):
    old = {"id": 1, "result": [choose("glad")], "lead_time": 3.5, "completed_by": {"id": 4, "email": "ann@example.com"}}
    tasks = [
        {"id": 1, "data": {"text": "x"}, "completions": [old], "predictions": []},
        {"id": 2, "data": {"text": "y"}, "completions": [{**old, "skipped": True, "result": []}], "predictions": []},
    ]
    assert split(export(tasks)).labels() == [("1", "ann@example.com", "glad"), ("2", "ann@example.com", None)]


def test_data_becomes_columns_under_its_own_names(split, export, make_task):
    data = {"text": "x", "n": 3, "tags": ["a", "b"], "meta": {"source": "web"}, "relook_request_id": "rq", "ok": True}
    parts = split(export([make_task(1, data=data)]))
    row = parts.rows("items")[0]
    assert (row["text"], row["n"], json.loads(row["tags"]), row["ok"]) == ("x", 3, ["a", "b"], True)
    assert "relook_request_id" not in row


def test_only_the_parts_of_a_kind_are_taken_where_the_user_names_one(split, export, choose, annotate, make_task):
    path = export([make_task(1, annotate(4, choose("glad")))])
    assert split(path, kind="votes").kinds == ["votes"]
    with pytest.raises(FileFaultError, match="holds items, votes, and no predictions"):
        split(path, kind="predictions")


def test_rejects_name_the_task_that_an_annotation_belongs_to(desk, export, choose, annotate, make_task):
    tasks = [make_task(k, annotate(4, choose("glad")), annotate(5, choose("sad"))) for k in range(1, 100)]
    tasks[41]["annotations"][1]["completed_by"] = None
    report = desk.load(export(tasks))
    assert [(r.line, r.reason) for file in report.files for r in file.tally.rejects] == [(42, "no annotator")]


def test_tasks_one_a_line_are_read_too(desk, split, choose, annotate, make_task):
    tasks = [make_task(k, annotate(4, choose("glad"))) for k in (1, 2)]
    parts = split(desk.put("export.jsonl", "\n".join(map(json.dumps, tasks)) + "\n"))
    assert parts.labels() == [("1", "4", "glad"), ("2", "4", "glad")]


def test_what_the_user_says_of_a_key_holds_for_the_items(split, export, make_task):
    parts = split(export([make_task(1, data={"who": "u1"})]), roles=(("group", "data.who"),))
    assert ("group", "who") in parts.get("items").table.roles


@pytest.mark.parametrize(
    "more", [{"predictions": [0.2, 0.8]}, {"predictions": []}, {"annotations": ["a", "b"]}, {"annotations": "none"}]
)
def test_records_that_only_look_like_tasks_are_left_alone(split, export, more):
    assert split(export([{"id": 1, "data": {"x": 1}, **more}, {"id": 2, "data": {"x": 2}, **more}])).kinds == [None]


def test_an_import_file_with_predictions_alone_is_read(split, export, choose):
    tasks = [
        {"id": k, "data": {"x": k}, "predictions": [{"model_version": "m", "result": [choose("glad")]}]} for k in (1, 2)
    ]
    assert split(export(tasks)).kinds == ["items", "predictions"]
