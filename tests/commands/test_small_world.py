"""Every command on a small workspace: strict JSON of one shape, text with the same numbers, and no surprise."""

import json
import re

import pytest

from analysis.commands import results
from dashboard import cli

READERS = {
    "info": (),
    "slices": ("--by", "city", "--by", "age"),
    "labels": (),
    "annotators": (),
}


def shape(found, place=""):
    """Return every place at which an object has a key."""
    if isinstance(found, dict):
        return {f"{place}.{key}" for key in found} | {
            name for key, value in found.items() for name in shape(value, f"{place}.{key}")
        }
    if isinstance(found, list):
        return {name for part in found for name in shape(part, f"{place}[]")}
    return set()


def walk(found, key=None):
    """Yield every (key, value) that is neither object nor list."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from walk(value, name)
    elif isinstance(found, list):
        for value in found:
            yield from walk(value, key)
    else:
        yield key, found


@pytest.mark.parametrize("command", READERS)
def test_the_keys_do_not_depend_on_the_data(main, small, digits, command):
    """Keys are always present: what is unknown is null, and never left out."""
    words = {"slices": ("--by", "pen", "--by", "ink")}.get(command, ())
    made, sample = (
        main(command, workspace.path, *options, "--format", "json")
        for workspace, options in ((small.workspace, READERS[command]), (digits, words))
    )

    assert (made.code, sample.code, made.err) == (0, 0, "")
    found, other = shape(made.json), shape(sample.json)
    free = re.compile(r"worst_confusion|warnings\[\]|\.value\.")
    assert {name for name in found ^ other if not free.search(name)} == set()


@pytest.mark.parametrize("command", READERS)
def test_ids_and_labels_are_strings_and_rates_lie_between_0_and_1(main, small, command):
    found = main(command, small.workspace.path, *READERS[command], "--format", "json").json

    for key, value in walk(found):
        if key in {"item_id", "given_label", "likely_label", "annotator", "given", "likely", "classes"}:
            assert value is None or isinstance(value, str), key
        if key in {"rate", "rest_rate", "overall_rate", "accuracy", "agreement", "p_given", "p_likely", "quality"}:
            assert value is None or 0 <= value <= 1, key
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("command", READERS)
def test_json_is_one_object_on_one_line_and_nothing_else(main, small, command):
    ended = main(command, small.workspace.path, *READERS[command], "--format", "json")

    assert ended.out.count("\n") == 1
    assert ended.out.startswith("{")
    assert ended.err == ""
    assert isinstance(ended.json["notes"], list)


def test_ids_keep_their_zeros_and_labels_their_signs(main, small):
    found = main("labels", small.workspace.path, "--format", "json").json

    assert found["flagged"] == len(found["issues"]) > 0
    assert {issue["item_id"] for issue in found["issues"]} <= set(small.items["item_id"])
    assert {issue["given_label"] for issue in found["issues"]} <= {"<=50K", ">50K", "3"}


def test_text_holds_the_numbers_of_the_json(main, small):
    info = main("info", small.workspace.path, "--format", "json").json
    text = main("info", small.workspace.path).out
    for split in [*info["splits"], info["overall"]]:
        assert f"{split['items']:,}" in text
        assert f"{split['accuracy']:.5f}" in text

    labels = main("labels", small.workspace.path, "--format", "json").json
    text = main("labels", small.workspace.path).out
    assert f"{labels['flagged']:,} suspects" in text
    assert f"{labels['estimated_issues']:,} label errors are estimated" in text
    for issue in labels["issues"][:20]:
        assert f"{issue['quality']:.4f}" in text

    people = main("annotators", small.workspace.path, "--format", "json").json
    text = main("annotators", small.workspace.path).out
    assert f"Krippendorff's alpha {people['krippendorff_alpha']['value']:.3f}" in text
    for row in people["annotators"]:
        assert f"{row['agreement']:.1%}" in text


def test_a_load_says_what_it_did(main, small, tmp_path):
    folder = small.workspace.path.parent
    files = [folder / "items.csv", folder / "predictions.csv"]

    text = main("load", tmp_path / "w.relook", *files)
    again = main("load", tmp_path / "w.relook", *files)

    assert (text.code, text.err) == (0, "")
    assert "Loaded 2 files." in text.out
    assert re.search(r"items\.csv +items +by id +280 +280 +0 +0 +0 +0", text.out)
    assert "Nothing changed: all rows are already there." in again.out


def test_a_dry_run_keeps_nothing(main, small, tmp_path):
    ended = main(
        "load", tmp_path / "w.relook", small.workspace.path.parent / "items.csv", "--dry-run", "--format", "json"
    )

    assert (ended.code, ended.json["dry_run"], ended.json["changed"]) == (0, True, True)
    assert list(tmp_path.iterdir()) == []


def test_without_names_no_name_is_printed(main, small):
    for words in ((), ("--format", "json")):
        printed = main("annotators", small.workspace.path, "--no-names", *words)

        assert printed.code == 0
        assert not any(name in printed.out for name in ("ana", "ben", "cleo"))
        assert "person-" in printed.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["slices", "W", "--by", "age", "--by", "city", "--by", "text"], "--by takes one or two different columns"),
        (["slices", "W", "--by", "age", "--by", "age"], "--by takes one or two different columns"),
        (["slices", "W", "--by", "age", "--min-support", "nan"], "--min-support is a share below 1 or a number of rows"),
        (["slices", "W", "--by", "age", "--min-support", "-1"], "--min-support is a share below 1 or a number of rows"),
        (["slices", "W", "--by", "age", "--min-support", "inf"], "--min-support is a share below 1 or a number of rows"),
        (["slices", "W", "--by", "age", "--top", "0"], "--top"),
        (["slices", "W", "--by", "label"], "There is no column that can slice 'label'"),
        (["slices", "W", "--by", "age", "--where", 'city = "Ulm'], "In the slice"),
        (["slices", "W", "--by", "age", "--model", "m2"], "There is no model 'm2'"),
        (["slices", "W", "--metric", "recall", "--class", "50K", "--by", "age"], "There is no class '50K'. Did you mean"),
        (["labels", "W", "--split", "evla"], "There is no split 'evla'. Did you mean 'eval'?"),
        (["labels", "W", "--rank-by", "margin"], "margin"),
        (["labels", "W", "--top", "-3"], "--top"),
        (["annotators", "W", "--where", "all &"], "In the slice"),
        (["annotators", "W", "--where", "age > 200"], "Nobody voted on the items of age > 200"),
        (["load", "W", "W"], "Known endings"),
        (["load", "items.csv", "predictions.csv"], "items.csv is not a workspace: it is not a DuckDB file"),
        (["load", "W", "items.csv", "--max-rejects", "nan"], "--max-rejects is a share between 0 and 1, got nan"),
        (["load", "W", "items.csv", "--kind", "rows"], "There is no kind 'rows'"),
        (["load", "W", "items.csv", "--role", "group:city"], "--role takes ROLE=COLUMN, got 'group:city'"),
        (["load", "W", "items.csv", "--classes", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["load", "W"], "Missing argument 'FILE...'"),
        (["request", "W", "--from", "labels", "--out", "out", "--budget", "0"], "--budget"),
        (["request", "W", "--from", "labels", "--out", "out", "--hours", "nan"], "hours"),
        (["request", "W", "--from", "labels", "--out", "out", "--hours", "-2"], "hours"),
        (["request", "W", "--from", "labels", "--out", "items.csv"], "could not be written"),
        (["request", "W", "--from", "annotator:anna", "--out", "out"], "There is no annotator 'anna'. Did you mean 'ana'"),
        (["request", "W", "--from", "ids:ids.txt", "--out", "out"], "ids.txt cannot be read"),
        (["request", "W", "--from", "slice:", "--out", "out"], "The source 'slice:' is not complete"),
        (["request", "W", "--from", "labels", "--out", "out", "--show", "citi"], "There is no column 'citi'. Did you mean 'city'"),
        (["request", "W", "--from", "labels", "--out", "out", "--votes-per-item", "3", "--assign", "zoe"], "only 1 are assigned"),
    ],
)  # fmt: skip
def test_what_can_be_mended_exits_with_2_says_so_and_changes_nothing(
    main, small_copy, small, tmp_path, monkeypatch, words, said
):
    folder = small.workspace.path.parent
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    workspace = small_copy.path.read_bytes()

    ended = main(*(small_copy.path if word == "W" else word for word in words))

    small_copy.close()
    small.workspace.close()
    assert (ended.code, ended.out) == (2, ""), ended
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert ended.err.startswith("relook: ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert small_copy.path.read_bytes() == workspace
    assert [path.name for path in tmp_path.iterdir()] == ["small.relook"]


def test_an_interrupt_inside_a_command_exits_with_130(main, small, monkeypatch):
    def interrupt(_workspace):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "describe_workspace", interrupt)

    ended = main("info", small.workspace.path)

    assert (ended.code, ended.out) == (130, "")


def test_a_fault_of_ours_prints_one_line_and_no_result(main, small, monkeypatch):
    def fail(_workspace):
        raise RuntimeError("of our own making")

    monkeypatch.setattr(cli, "describe_workspace", fail)

    ended = main("info", small.workspace.path, "--format", "json")

    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.strip().splitlines()) == 1
    assert "of our own making" not in ended.err


def test_help_is_printed_and_is_no_fault(main):
    for words in (["--help"], ["load", "--help"], ["slices", "--help"]):
        ended = main(*words)

        assert ended.code == 0
        assert "Usage" in ended.out


def test_unknown_is_null_and_times_end_in_z():
    assert results.to_json({"a": float("nan"), "b": float("inf"), "c": None}) == {"a": None, "b": None, "c": None}
