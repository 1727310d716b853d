"""Mechanical Turk's batch results: inputs are items, answers votes, each in the time zone of its own row."""

import csv
import io
import json

import pytest

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError

FIXED = [
    "HITId", "HITTypeId", "Title", "Description", "Keywords", "Reward", "CreationTime", "MaxAssignments",
    "RequesterAnnotation", "AssignmentDurationInSeconds", "AutoApprovalDelayInSeconds", "Expiration",
    "NumberOfSimilarHITs", "LifetimeInSeconds", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime",
    "SubmitTime", "AutoApprovalTime", "ApprovalTime", "RejectionTime", "RequesterFeedback", "WorkTimeInSeconds",
    "LifetimeApprovalRate", "Last30DaysApprovalRate", "Last7DaysApprovalRate",
]  # fmt: skip


def to_csv(*rows):
    """Write assignments as the site does: the fixed columns, inputs, answers, Approve and Reject."""
    own = list(dict.fromkeys(name for row in rows for name in row if name not in FIXED))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*FIXED, *own, "Approve", "Reject"], restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for number, row in enumerate(rows, start=1):
        writer.writerow(
            {
                "Reward": "$0.05",
                "AssignmentId": f"A{number}",
                "AssignmentStatus": "Approved",
                "AcceptTime": "Mon Aug 19 12:34:56 PDT 2019",
                "SubmitTime": "Mon Aug 19 12:35:56 PDT 2019",
                "WorkTimeInSeconds": "60",
                "RequesterAnnotation": "BatchId:2827413;OriginalHitTemplateId:921;",
                "LifetimeApprovalRate": "100% (5/5)",
                **row,
            }
        )
    return text.getvalue()


def ask(hit, worker, answer, **more):
    return {"HITId": hit, "WorkerId": worker, "Input.text": f"text of {hit}", "Answer.mood.label": answer, **more}


def test_a_batch_becomes_items_and_votes_as_first_data(desk):
    rows = [
        ask("H1", "W1", "glad", **{"Input.relook_item_id": "i1", "Input.text": "Well&#44; &#34;so&#34;"}),
        ask("H1", "W2", "sad", **{"Input.relook_item_id": "i1", "Input.text": "Well&#44; &#34;so&#34;"}),
        ask("H2", "W1", "glad", **{"Input.relook_item_id": "i2", "AssignmentStatus": "Rejected"}),
        ask("H2", "W3", "glad", **{"Input.relook_item_id": "i2", "AssignmentStatus": "Submitted"}),
    ]
    items, votes = desk.load(desk.put("Batch_1_batch_results.csv", to_csv(*rows))).files
    assert (items.rows, votes.rows) == (2, 4)
    assert desk.ask("SELECT item_id, text FROM items JOIN features USING (item) ORDER BY item") == [
        ("i1", 'Well, "so"'),
        ("i2", "text of H2"),
    ]
    assert desk.ask(
        "SELECT a.name, v.label, v.seconds, v.batch, v.verdict FROM votes v JOIN annotators a USING (annotator) "
        "ORDER BY vote"
    ) == [
        ("W1", "glad", 60.0, "2827413", "Approved"),
        ("W2", "sad", 60.0, "2827413", "Approved"),
        ("W1", "glad", 60.0, "2827413", "Rejected"),
        ("W3", "glad", 60.0, "2827413", None),
    ]
    assert "4 assignments of 2 HITs by 3 annotators" in items.tally.notes[0]
    assert "Rejected assignments: 1." in items.tally.notes[1]


@pytest.mark.parametrize(
    ("said", "utc"),
    [
        ("Mon Aug 19 12:34:56 PDT 2019", "2019-08-19 19:34:56"),
        ("Fri Dec 06 12:34:56 PST 2019", "2019-12-06 20:34:56"),
        ("Fri Dec  6 12:34:56 UTC 2019", "2019-12-06 12:34:56"),
        ("Fri Dec 06 12:34:56 GMT 2019", "2019-12-06 12:34:56"),
        ("Fri Dec 06 12:34:56 EST 2019", "2019-12-06 17:34:56"),
        ("Tue Dec 31 23:30:00 PST 2019", "2020-01-01 07:30:00"),
        # The hour that the clocks of the west coast show twice: the zone tells which.
        ("Sun Nov 03 01:30:00 PDT 2019", "2019-11-03 08:30:00"),
        ("Sun Nov 03 01:30:00 PST 2019", "2019-11-03 09:30:00"),
        ("2019-12-06T12:34:56Z", "2019-12-06 12:34:56"),
        ("Fri Dec 06 12:34:56 XYZ 2019", None),
    ],
)
def test_a_time_is_read_in_the_zone_that_its_row_names(desk, split, said, utc):
    rows = [ask("H1", "W1", "glad", AcceptTime=said), ask("H2", "W1", "sad")]
    parts = split(desk.put("b.csv", to_csv(*rows)))
    assert [str(row["started_at"]) for row in parts.rows("votes")] == [str(utc), "2019-08-19 19:34:56"]
    assert ("cannot be read" in parts.notes) == (utc is None)


def test_an_input_that_is_an_id_names_the_item_else_the_hit_does(desk, split):
    def find_ids(*rows, **options):
        return [row["item_id"] for row in split(desk.put("b.csv", to_csv(*rows)), **options).rows("items")]

    assert find_ids(ask("H1", "W1", "glad"), ask("H2", "W1", "sad")) == ["H1", "H2"]
    named = [ask("H1", "W1", "glad", **{"Input.Item ID": "a"}), ask("H2", "W1", "sad", **{"Input.Item ID": "a"})]
    named = [{**row, "Input.text": "same"} for row in named]
    assert find_ids(*named) == ["a"]
    assert find_ids(*named, roles=(("item_id", "Input.text"),)) == ["same"]
    with pytest.raises(AnalysisError, match="rows are assignments"):
        find_ids(*named, roles=(("item_id", "@row"),))


def test_an_answer_in_a_column_for_each_class_is_the_class_that_is_true(desk, split):
    def answer(hit, *classes):
        truth = {f"Answer.mood.{name}": str(name in classes).lower() for name in ("glad", "sad")}
        return {"HITId": hit, "WorkerId": "W1", "Input.text": hit, **truth}

    rows = [answer(f"H{k}", "glad" if k % 2 else "sad") for k in range(8)]
    parts = split(desk.put("b.csv", to_csv(answer("H8", "glad", "sad"), answer("H9"), *rows)))
    assert [label for _item, _who, label in parts.labels()] == [None, None, *["sad", "glad"] * 4]
    assert parts.rows("votes")[0]["comment"] == '["glad", "sad"]'


def test_check_boxes_that_stand_alone_are_classes_together(desk, split):
    rows = [
        {
            "HITId": f"H{k}",
            "WorkerId": "W1",
            "Answer.cat.on": str(k % 2 == 0).lower(),
            "Answer.dog.on": str(k % 2 == 1).lower(),
        }
        for k in range(4)
    ]
    assert [label for *_rest, label in split(desk.put("b.csv", to_csv(*rows))).labels()] == ["cat", "dog"] * 2


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ({"mood": {"glad": True, "sad": False}}, "glad"),
        ({"mood": {"glad": False, "sad": False}}, None),
        ({"mood": {"label": "sad"}}, "sad"),
        ({"mood": "sad"}, "sad"),
        ({"glad": {"on": True}, "sad": {"on": False}}, "glad"),
    ],
)
def test_the_json_of_newer_forms_is_read(desk, split, answer, label):
    rows = [{"HITId": "H1", "WorkerId": "W1", "Answer.taskAnswers": json.dumps([answer])}]
    other = {**answer, "mood": {"glad": False, "sad": True}} if "mood" in answer else {"sad": {"on": True}}
    rows += [{"HITId": f"H{k}", "WorkerId": "W1", "Answer.taskAnswers": json.dumps([other])} for k in (2, 3)]
    assert split(desk.put("b.csv", to_csv(*rows))).labels()[0] == ("H1", "W1", label)


def test_several_items_of_a_hit_are_votes_of_their_own(desk, split):
    rows = [
        {
            "HITId": hit, "WorkerId": worker, "Input.topic": "films", "WorkTimeInSeconds": "90",
            **{f"Input.id{k}": f"{hit}-{k}" for k in (1, 2, 3)}, **{f"Input.text{k}": f"text {k}" for k in (1, 2, 3)},
            **{f"Answer.mood{k}": "glad" if k > 1 else "sad" for k in (1, 2, 3)},
        }
        for hit in ("H1", "H2") for worker in ("W1", "W2")
    ]  # fmt: skip
    parts = split(desk.put("b.csv", to_csv(*rows)))
    assert parts.labels()[:4] == [
        ("H1-1", "W1", "sad"),
        ("H1-2", "W1", "glad"),
        ("H1-3", "W1", "glad"),
        ("H1-1", "W2", "sad"),
    ]
    assert [row["seconds"] for row in parts.rows("votes")] == [30.0] * 12
    assert parts.rows("items")[1] == {"item_id": "H1-2", "topic": "films", "text": "text 2"}
    assert parts.lines("votes")[:4] == [2, 2, 2, 3]
    without = [{k: v for k, v in row.items() if not k.startswith("Input.id")} for row in rows]
    assert [row["item_id"] for row in split(desk.put("b.csv", to_csv(*without))).rows("items")][:2] == ["H1-1", "H1-2"]


def test_two_questions_about_one_item_must_be_chosen_from(desk, split):
    rows = [
        ask(f"H{k}", "W1", "glad" if k % 2 else "sad", **{"Answer.tone": "loud" if k % 3 else "low"}) for k in range(6)
    ]
    path = desk.put("b.csv", to_csv(*rows))
    with pytest.raises(
        NeedsChoiceError, match="'Answer.mood.label', 'Answer.tone'.*--role given_label=Answer.mood.label"
    ):
        split(path)
    parts = split(path, roles=(("given_label", "Answer.tone"),))
    assert {label for *_rest, label in parts.labels()} == {"loud", "low"}


def test_free_words_are_no_classes_and_remarks_are_the_comment(desk, split):
    rows = [
        ask(f"H{k}", "W1", "glad" if k % 2 else "sad", **{"Answer.comment": f"so {k}", "Answer.why": f"w {k}"})
        for k in range(9)
    ]
    parts = split(desk.put("b.csv", to_csv(*rows)))
    assert (parts.rows("votes")[3]["given_label"], parts.rows("votes")[3]["comment"]) == ("glad", "so 3")
    words = [{k: v for k, v in row.items() if k != "Answer.mood.label"} for row in rows]
    with pytest.raises(FileFaultError, match="without an answer of classes.*free words"):
        split(desk.put("b.csv", to_csv(*words)))


def test_one_hit_with_two_texts_is_a_fault(desk):
    rows = [ask(f"H{k // 2}", f"W{k % 2}", "glad" if k % 4 else "sad") for k in range(800)]
    rows[5]["Input.text"] = "another"
    report = desk.load(desk.put("b.csv", to_csv(*rows)))
    assert [reject.line for reject in report.files[0].tally.rejects] == [6, 7]


def test_what_the_user_says_of_an_input_holds_for_the_items(desk, split):
    rows = [ask("H1", "W1", "glad", **{"Input.said": "x"}), ask("H2", "W1", "sad", **{"Input.said": "y"})]
    parts = split(desk.put("b.csv", to_csv(*rows)), roles=(("group", "Input.said"),))
    assert ("group", "said") in parts.get("items").table.roles
