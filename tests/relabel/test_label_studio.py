"""Label Studio: the config fits the tasks, and both are what its documentation asks for."""

import base64
import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.relabel import RequestSpec, build_request, to_files
from analysis.relabel.content import Content
from analysis.relabel.formats.label_studio import to_label_config

ROLES = {"text": "text", "age": "field"}


def parsed(xml):
    return ET.fromstring(xml)  # noqa: S314 - our own output


def config_of(files):
    return parsed(files.send["send/label_config.xml"])


def tasks_of(files):
    return [
        task
        for name, data in files.send.items()
        if re.fullmatch(r"send/tasks.*\.json", name)
        for task in json.loads(data)
    ]


def variables_of(config):
    return {tag.get("value")[1:] for tag in config.iter() if tag.tag in {"Text", "Image", "HyperText"}}


@pytest.fixture
def write(make_spec, make_candidates, make_content):
    def to(roles=ROLES, columns=None, count=6, **changes):
        candidates = make_candidates(count, given_by="dot", likely_label=changes.pop("likely_label", None))
        content = make_content(candidates, **(columns or {}))
        return to_files(build_request(candidates, make_spec(**changes)), content, roles, ["label-studio"])

    return to


def test_every_variable_of_the_config_is_in_every_task(write, small_png):
    roles = {"text": "text", "my photo": "image", "age": "field", "größe (cm)": "field", "id": "text"}
    columns = {"my photo": [small_png] * 6, "größe (cm)": 1.5, "id": None}

    files = write(roles, columns)

    assert variables_of(config_of(files)) == {"text", "my_photo", "data_id", "fields"}
    for task in tasks_of(files):
        assert variables_of(config_of(files)) <= set(task["data"])
    assert "Column 'id' is called 'data_id' in Label Studio's data." in files.notes


def test_every_question_belongs_to_a_shown_object_and_names_are_unique(write):
    config = config_of(write())

    names = [tag.get("name") for tag in config.iter() if tag.get("name")]
    assert len(set(names)) == len(names)
    assert {tag.get("toName") for tag in config.iter() if tag.get("toName")} == {"text"}
    assert {"new_label", "reason", "confidence", "comment"} <= set(names)


def test_the_choices_are_the_labels_then_the_two_other_answers(write):
    (choices,) = [tag for tag in config_of(write()).iter("Choices") if tag.get("name") == "new_label"]

    assert [choice.get("value") for choice in choices] == ["<=50K", ">50K", "Cannot decide", "Exclude"]
    assert choices.get("required") == "true"
    assert choices.get("choice") == "single-radio"


def test_the_reason_is_asked_with_cannot_decide_alone(write):
    (reason,) = [tag for tag in config_of(write()).iter("Choices") if tag.get("name") == "reason"]

    assert (reason.get("whenTagName"), reason.get("whenChoiceValue")) == ("new_label", "Cannot decide")
    assert "No label fits" in [choice.get("value") for choice in reason]


# What a spec accepts; it refuses blank labels and what XML cannot hold, which other tests look at.
LABEL = st.text(st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cc"]), max_size=9)
AWKWARD = st.sampled_from(["<=50K", 'say "x"', "a&b", "$50", "${x}", "a\tb\r\nc", "]]>", "'", "&#10;", " x "])


@settings(max_examples=60, deadline=None)
@given(st.lists(LABEL.filter(str.strip) | AWKWARD, min_size=2, max_size=8, unique=True), st.text(max_size=8))
def test_any_label_and_column_name_comes_through_the_xml_to_the_letter(labels, column):
    spec = RequestSpec(request_id="rq", created_at=datetime(2026, 1, 1, tzinfo=UTC), labels=labels)
    frame = pd.DataFrame({column: ["x"], "other": ["y"]}, index=pd.MultiIndex.from_tuples([("train", "7")]))
    content = Content.from_frame(frame, {column: "text", "other": "text"}, [("train", "7")])

    config = parsed(to_label_config(spec, content))

    (choices,) = [tag for tag in config.iter("Choices") if tag.get("name") == "new_label"]
    answers = [choice.get("alias") or choice.get("value") for choice in choices]
    assert answers[: len(labels)] == labels
    assert {tag.get("value") for tag in config.iter("Text")} == {f"${tag.get('name')}" for tag in config.iter("Text")}


def test_dollar_signs_in_labels_are_not_filled_in_as_variables(write):
    config = config_of(write(labels=("$50", "US$ 50", "costs $"), columns={}))

    (choices,) = [tag for tag in config.iter("Choices") if tag.get("name") == "new_label"]
    # Label Studio's own pattern of a variable (web/libs/editor/src/utils/data.js).
    assert not any(re.search(r"\$[\w[\].{}]+", choice.get("value"), re.ASCII) for choice in choices)
    assert [choice.get("alias") for choice in choices][:3] == ["$50", None, None]


def test_keys_are_the_labels_where_these_are_single_digits_or_letters(write):
    (choices,) = [
        tag for tag in config_of(write(labels=tuple("0123"))).iter("Choices") if tag.get("name") == "new_label"
    ]

    assert [choice.get("hotkey") for choice in choices] == ["0", "1", "2", "3", None, None]


def test_many_labels_become_a_list_that_can_be_searched(write):
    (choices,) = [
        tag for tag in config_of(write(labels=[f"class {n}" for n in range(40)])).iter("Choices")
        if tag.get("name") == "new_label"
    ]  # fmt: skip

    assert choices.get("layout") == "select"


def test_the_config_is_the_same_for_blind_and_assisted(write):
    assert write().send["send/label_config.xml"] == write(mode="assisted").send["send/label_config.xml"]


def test_an_assisted_task_carries_a_prediction_that_fits_the_config(write):
    files = write(mode="assisted", likely_label=">50K")

    for task in tasks_of(files):
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert prediction["model_version"] == "rf-1"
        assert 0 <= prediction["score"] <= 1
        assert (result["from_name"], result["to_name"], result["type"]) == ("new_label", "text", "choices")
        assert result["value"] == {"choices": [">50K"]}
        assert task["data"]["relook_item_id"].startswith("i000")


def test_a_task_without_suggestion_has_no_prediction(write):
    assert not any("predictions" in task for task in tasks_of(write(mode="assisted")))


def test_fields_stand_in_one_table_in_their_order_and_cannot_run(write):
    files = write({"z": "field", "a<b": "field"}, {"z": "<script>alert(1)</script>", "a<b": "x & y"})

    table = parsed(tasks_of(files)[0]["data"]["fields"].replace("&emsp;", ""))
    assert [["".join(cell.itertext()) for cell in row] for row in table] == [
        ["z", "<script>alert(1)</script>"],
        ["a<b", "x & y"],
    ]
    assert config_of(files).find(".//Choices").get("toName") == "fields"


def test_small_images_stand_in_the_task_and_large_ones_in_a_folder(write, small_png, large_png):
    assert len(large_png) > 50 * 1024
    files = write({"photo": "image"}, {"photo": [small_png, large_png] * 3})

    shown = {task["data"]["photo"] for task in tasks_of(files)}
    inline = [value for value in shown if value.startswith("data:image/png;base64,")]
    served = [value for value in shown if value.startswith("/data/local-files/?d=rq-2026-11-21-a/images/t-")]
    assert base64.b64decode(inline[0].split(",")[1]) == small_png
    assert len(served) == 3
    for value in served:
        assert files.send["send/" + value.split("rq-2026-11-21-a/")[1]] == large_png
    start = files.send["send/START_HERE.md"].decode()
    assert "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true" in start
    assert "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=" in start


def test_steps_about_serving_files_are_there_only_where_files_are_served(write, small_png):
    files = write({"photo": "image"}, {"photo": [small_png] * 6})

    assert "LOCAL_FILES" not in files.send["send/START_HERE.md"].decode()
    assert not any("images/" in name for name in files.send)


def test_addresses_of_images_are_passed_on_with_a_note(write):
    address = "https://example.com/x.png"
    files = write({"photo": "image"}, {"photo": address})

    assert tasks_of(files)[0]["data"]["photo"] == address
    assert any("holds addresses of images" in note for note in files.notes)


def test_an_import_file_too_large_for_label_studio_is_noted(write):
    files = write({"text": "text"}, {"text": "x" * 10_000_000}, assignees=())

    assert any("60 MB and Label Studio imports at most 50 MB" in note for note in files.notes)


def test_real_digits_come_through_to_the_byte(shared_data, make_spec):
    digits = pd.read_parquet(shared_data / "mnist" / "items.parquet").head(100).assign(split="eval")
    content = digits.set_index(["split", "item_id"])[["png"]]
    request = build_request(digits[["split", "item_id", "given_label"]], make_spec(labels=tuple("0123456789")))

    tasks = tasks_of(to_files(request, content, {"png": "image"}, ["label-studio"]))

    assert len(tasks) == 100
    sent = sorted(base64.b64decode(task["data"]["png"].split(",")[1]) for task in tasks)
    assert sent == sorted(digits["png"])
