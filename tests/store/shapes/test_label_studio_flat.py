"""Label Studio's CSV and JSON_MIN exports, as the tool's own converter (label-studio-sdk 2.1.2) writes them."""

import json

import pytest

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError

# Five tasks: optional free text, a skip (which is left out), several choices, a data key called like the control, a
# task without annotations.
CSV = (
    '"_data_sentiment","annotation_id","annotator","channel","created_at","id","lead_time","reason","relook_item_id",'
    '"sentiment","text","updated_at"\r\n'
    '"old",5002,"bob@example.com","web","2026-11-03T10:02:00.000000Z",101,6,"sarcasm","i1","Positive",'
    '"Good, ""very"" good","2026-11-03T10:02:00.000000Z"\r\n'
    '"old",5001,"ann@example.com","web","2026-11-03T10:01:00.000000Z",101,11.9,"","i1","Positive",'
    '"Good, ""very"" good","2026-11-03T10:01:00.000000Z"\r\n'
    '"old",5003,"ann@example.com","mail","2026-11-03T10:03:00.000000Z",102,8.5,"","i2","Negative",'
    '"Bad\nreally","2026-11-03T10:09:00.000000Z"\r\n'
    '"new",5006,"bob@example.com","web","2026-11-03T10:06:00.000000Z",103,340298.0,"","i3","Negative",'
    '"Both","2026-11-03T10:06:00.000000Z"\r\n'
    '"new",5005,"ann@example.com","web","2026-11-03T10:05:00.000000Z",103,20,"","i3",'
    '"{""choices"":[""Positive"",""Negative""]}","Both","2026-11-03T10:05:00.000000Z"\r\n'
    '"new",5008,"bob@example.com","web","2026-11-03T10:08:00.000000Z",104,9,"fine","i4","Positive",'
    '"More","2026-11-03T10:08:00.000000Z"\r\n'
    '"new",5007,"ann@example.com","web","2026-11-03T10:07:00.000000Z",104,9,"","i4","Positive",'
    '"More","2026-11-03T10:07:00.000000Z"\r\n'
    '"new","","","web","",105,"","","i5","","None",""\r\n'
)
JSON_MIN = [
    {"text": "Good", "channel": "web", "relook_item_id": "i1", "id": 101, "sentiment": "Positive", "reason": "sarcasm",
     "annotator": "bob@example.com", "annotation_id": 5002, "created_at": "2026-11-03T10:02:00.000000Z",
     "updated_at": "2026-11-03T10:02:00.000000Z", "lead_time": 6},
    {"text": "Good", "channel": "web", "relook_item_id": "i1", "id": 101, "sentiment": "Positive",
     "annotator": "ann@example.com", "annotation_id": 5001, "created_at": "2026-11-03T10:01:00.000000Z",
     "updated_at": "2026-11-03T10:01:00.000000Z", "lead_time": 11.9},
    {"text": "Bad", "channel": "mail", "relook_item_id": "i2", "id": 102, "sentiment": "Negative",
     "annotator": 4, "annotation_id": 5003, "created_at": "2026-11-03T10:03:00.000000Z",
     "updated_at": "2026-11-03T10:03:00.000000Z", "lead_time": 8.5},
    {"text": "So so", "channel": "mail", "relook_item_id": "i3", "id": 103, "sentiment": "Negative",
     "annotator": "ann@example.com", "annotation_id": 5004, "created_at": "2026-11-03T10:04:00.000000Z",
     "updated_at": "2026-11-03T10:04:00.000000Z", "lead_time": 8.5},
    {"text": "Both", "channel": "web", "relook_item_id": "i4", "id": 104,
     "sentiment": {"choices": ["Positive", "Negative"]}, "annotator": "ann@example.com", "annotation_id": 5005,
     "created_at": "2026-11-03T10:05:00.000000Z", "updated_at": "2026-11-03T10:05:00.000000Z", "lead_time": 20},
    {"text": "Fine", "channel": "web", "relook_item_id": "i5", "id": 105, "sentiment": "Positive",
     "annotator": "ann@example.com", "annotation_id": 5006, "created_at": "2026-11-03T10:06:00.000000Z",
     "updated_at": "2026-11-03T10:06:00.000000Z", "lead_time": 21},
]  # fmt: skip


def test_a_csv_export_becomes_items_and_votes(desk, split):
    parts = split(desk.put("project-29.csv", CSV))
    assert [(row["item_id"], row["channel"], row["sentiment"]) for row in parts.rows("items")] == [
        ("i1", "web", "old"), ("i2", "mail", "old"), ("i3", "web", "new"), ("i4", "web", "new"), ("i5", "web", "new")]  # fmt: skip
    assert [(*labels, row["comment"]) for labels, row in zip(parts.labels(), parts.rows("votes"), strict=True)] == [
        ("i1", "bob@example.com", "Positive", "sarcasm"),
        ("i1", "ann@example.com", "Positive", None),
        ("i2", "ann@example.com", "Negative", None),
        ("i3", "bob@example.com", "Negative", None),
        ("i3", "ann@example.com", None, '{"choices":["Positive","Negative"]}'),
        ("i4", "bob@example.com", "Positive", "fine"),
        ("i4", "ann@example.com", "Positive", None),
    ]
    assert "CSV export: 5 tasks, 7 annotations. The label is the column 'sentiment'" in parts.notes
    assert "submitted: 1 annotation." in parts.notes
    # A quoted line break: the lines are those of the file.
    assert parts.lines("votes") == [2, 3, 4, 6, 7, 8, 9]


def test_a_csv_export_loads_as_first_data(desk):
    report = desk.load(desk.put("project-29.csv", CSV))
    assert [(file.kind, file.rows, file.tally.kept) for file in report.files] == [("items", 5, 5), ("votes", 7, 7)]
    assert desk.ask("SELECT max(seconds), min(CAST(labelled_at AS VARCHAR)) FROM votes") == [
        (340_298.0, "2026-11-03 10:01:00")
    ]


def test_a_json_min_export_becomes_items_and_votes(desk, split):
    parts = split(desk.put("project-29.json", json.dumps(JSON_MIN)))
    assert parts.labels() == [
        ("i1", "bob@example.com", "Positive"),
        ("i1", "ann@example.com", "Positive"),
        ("i2", "4", "Negative"),
        ("i3", "ann@example.com", "Negative"),
        ("i4", "ann@example.com", None),
        ("i5", "ann@example.com", "Positive"),
    ]
    assert [row["item_id"] for row in parts.rows("items")] == ["i1", "i2", "i3", "i4", "i5"]
    assert "JSON_MIN export" in parts.notes


def test_where_several_columns_may_be_the_label_the_user_is_asked(desk, split):
    rows = [f'{k},"ann","{"web" if k % 3 else "mail"}","2026-11-03T10:02:00Z",{k},6,"{"ab"[k % 2]}"' for k in range(20)]
    text = "\n".join(["annotation_id,annotator,channel,created_at,id,lead_time,tone", *rows]) + "\n"
    path = desk.put("export.csv", text)
    with pytest.raises(NeedsChoiceError, match="'channel', 'tone'.*--role given_label=channel"):
        split(path)
    parts = split(path, roles=(("given_label", "tone"),))
    assert {label for _item, _who, label in parts.labels()} == {"a", "b"}
    assert parts.get("items").table.names == ("id", "channel")


def test_what_differs_between_the_annotations_of_a_task_is_its_label(desk, split):
    rows = []
    for k in range(20):
        for j in range(2):
            label = "ab"[(k + (j and k % 5 == 0)) % 2]
            rows.append(f'{2 * k + j},"p{j}","{"web" if k % 3 else "mail"}","2026-11-03T10:02:00Z",{k},6,"{label}"')
    text = "\n".join(["annotation_id,annotator,channel,created_at,id,lead_time,tone", *rows]) + "\n"
    parts = split(desk.put("export.csv", text))
    assert dict(parts.get("votes").table.roles)["given_label"] == "tone"


def test_one_task_with_two_texts_is_a_fault_with_its_lines(desk):
    header = "annotation_id,annotator,created_at,id,lead_time,sentiment,text\n"
    rows = [f"{2 * k + j},p{j},2026-11-03T10:02:00Z,{k},6,{'ab'[k % 2]},text {k}\n" for k in range(300) for j in (0, 1)]
    rows[41] = rows[41].replace("text 20", "text twenty")
    report = desk.load(desk.put("export.csv", header + "".join(rows)))
    assert [(reject.line, reject.reason) for reject in report.files[0].tally.rejects] == [
        (42, "id '20' occurs 2 times with different values"),
        (43, "id '20' occurs 2 times with different values"),
    ]


def test_an_export_of_regions_is_refused(desk, split):
    records = [{**record, "sentiment": [{"start": 0, "end": 3, "labels": ["PLACE"]}]} for record in JSON_MIN]
    for number, record in enumerate(records):
        record.pop("reason", None)
        record |= {"text": f"text {number}", "channel": f"c{number}"}
    with pytest.raises(FileFaultError, match="regions, not of classes"):
        split(desk.put("export.json", json.dumps(records)))


def test_the_row_number_is_no_id_of_a_task(desk, split):
    with pytest.raises(AnalysisError, match="rows are annotations"):
        split(desk.put("export.csv", CSV), roles=(("item_id", "@row"),))
