"""The JSON of every command has every key of the contract, and nothing that JSON does not know."""

import json
from pathlib import Path

import pandas as pd
import pytest

SPLIT = {"split", "items", "labelled", "predicted", "errors", "accuracy"}
KEYS = {
    "load": {"dry_run", "changed", "files", "notes"},
    "load.files": {
        "file", "kind", "split", "rows", "kept", "already_there", "rejected", "rejects", "casts_failed", "duplicates",
        "labels_only_in_predictions", "labels_only_in_items", "roles",
    },
    "load.files.rejects": {"line", "column", "reason"},
    "info": {
        "schema_version", "label_kind", "classes", "splits", "overall", "models", "votes", "annotators", "requests",
        "ledger_entries", "columns", "halves", "warnings", "notes",
    },
    "info.splits": SPLIT,
    "info.models": {"model", "items", "probabilities", "out_of_sample"},
    "info.columns": {"column", "role", "type", "reason"},
    "info.warnings": {"code", "message"},
    "duplicates": {"near", "split", "groups", "leaks", "repeats", "notes"},
    "duplicates.groups": {"kind", "items", "similarity", "leak"},
    "duplicates.groups.items": {"item_id", "split", "group"},
    "slices": {
        "split", "model", "metric", "labels_as_of", "rows", "trials", "errors", "overall_rate", "exact", "search_rows",
        "confirm_rows", "fdr", "null_check", "left_out", "slices", "notes",
    },
    "slices.slices": {
        "slice", "predicates", "level", "support", "trials", "errors", "rate", "low", "high", "rest_rate", "difference",
        "lift", "excess_errors", "p_value", "q_value", "confirmed", "folded", "discovery",
    },
    "slices.slices.predicates": {"column", "op", "value"},
    "labels": {
        "split", "model", "filter_by", "rank_by", "estimated_issues", "flagged", "in_sample", "issues", "notes",
    },
    "labels.issues": {
        "item_id", "given_label", "likely_label", "p_given", "p_likely", "quality", "p_wrong", "annotator", "reasons",
    },
    "labels.issues.reasons": {"kind", "text"},
    "annotators": {"krippendorff_alpha", "annotators", "notes"},
    "annotators.annotators": {
        "annotator", "votes", "overlap", "agreement", "low", "high", "enough", "gold_accuracy", "dawid_skene_accuracy",
        "median_seconds", "votes_per_active_day", "worst_confusion", "suspects", "flags",
    },
    "request": {
        "request_id", "mode", "items", "controls", "hours", "files", "private", "by_class", "by_annotator", "left_out",
        "notes",
    },
    "request.left_out": {"reason", "items"},
}  # fmt: skip


def check_keys(found: dict, name: str) -> None:
    """Every object at a place of the contract has its keys; lists are walked whole."""
    missing = KEYS[name] - set(found)
    assert not missing, f"{name} lacks {sorted(missing)}"
    for key, value in found.items():
        place = f"{name}.{key}"
        if place in KEYS and isinstance(value, list):
            for part in value:
                check_keys(part, place)


@pytest.fixture
def faulty_file(tmp_path: Path) -> Path:
    """A file with one faulty row in 200, so that rejects are listed."""
    rows = pd.DataFrame({"item_id": [f"{k:03d}" for k in range(200)], "label": ["a", "b"] * 100})
    rows.loc[17, "item_id"] = None
    path = tmp_path / "faulty.csv"
    rows.to_csv(path, index=False)
    return path


def test_load(relook, faulty_file, tmp_path) -> None:
    found = relook("load", tmp_path / "w.relook", faulty_file, "--format", "json").json

    check_keys(found, "load")
    (reject,) = found["files"][0]["rejects"]
    assert reject == {"line": 19, "column": "item_id", "reason": "no id"}
    assert found["files"][0]["roles"]["item_id"] == {"column": "item_id", "reason": "named 'item_id'"}
    assert found["files"][0]["casts_failed"] == {}


def test_info(relook, digits) -> None:
    found = relook("info", digits.path, "--format", "json").json

    check_keys(found, "info")
    assert SPLIT - {"split"} <= set(found["overall"])
    assert {"by", "discovery", "confirmation"} <= set(found["halves"])
    assert found["classes"] == [str(k) for k in range(10)]


def test_duplicates(relook, digits) -> None:
    for options in ((), ("--near",), ("--near", "--split", "train")):
        found = relook("duplicates", digits.path, *options, "--format", "json").json
        check_keys(found, "duplicates")
        assert found["near"] is bool(options)


def test_slices_by(relook, digits) -> None:
    found = relook("slices", digits.path, "--by", "pen", "--by", "holes", "--format", "json").json

    check_keys(found, "slices")
    assert found["split"] == "eval"
    assert found["exact"] is True
    for row in found["slices"]:
        assert row["p_value"] is row["q_value"] is row["confirmed"] is row["discovery"] is None
        assert row["level"] == 2
    order = [-row["excess_errors"] for row in found["slices"]]
    assert order == sorted(order)


def test_labels(relook, digits) -> None:
    found = relook("labels", digits.path, "--format", "json").json

    check_keys(found, "labels")
    assert found["split"] == "train"
    assert found["flagged"] == len(found["issues"])
    quality = [issue["quality"] for issue in found["issues"]]
    assert quality == sorted(quality)
    assert all(isinstance(issue["item_id"], str) and isinstance(issue["given_label"], str) for issue in found["issues"])


def test_annotators(relook, digits) -> None:
    found = relook("annotators", digits.path, "--format", "json").json

    check_keys(found, "annotators")
    assert set(found["krippendorff_alpha"]) == {"value", "low", "high"}
    names = [row["annotator"] for row in found["annotators"]]
    assert names == sorted(names)
    assert {"given", "likely", "count"} == set(found["annotators"][0]["worst_confusion"])


def test_request(relook, digits_copy, tmp_path) -> None:
    out = tmp_path / "out"
    words = ["--from", "labels", "--to", "label-studio,csv", "--out", out, "--budget", 5, "--format", "json"]

    found = relook("request", digits_copy.path, *words).json

    check_keys(found, "request")
    folder = out / found["request_id"]
    assert found["items"] == 5
    assert all((folder / name).is_file() for name in found["files"])
    assert (folder / found["private"]).is_file()
    assert len(json.loads((folder / "send" / "tasks.json").read_text(encoding="utf-8"))) == 5
    assert relook("info", digits_copy.path, "--format", "json").json["requests"] == 1


def test_a_default_split_that_is_absent_is_noted_and_several_are_asked_for(relook, tmp_path) -> None:
    rows = pd.DataFrame({"item_id": ["1", "2"], "label": ["a", "b"], "predicted": ["a", "a"], "size": ["s", "l"]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    relook("load", tmp_path / "w.relook", tmp_path / "rows.csv", "--split", "north")

    only = relook("slices", tmp_path / "w.relook", "--by", "size", "--format", "json").json
    relook("load", tmp_path / "w.relook", tmp_path / "rows.csv", "--split", "south")
    several = relook("slices", tmp_path / "w.relook", "--by", "size", "--format", "json")

    assert only["split"] == "north"
    assert any("'north', the only one, is used" in note for note in only["notes"])
    assert several.code == 2
    assert several.out == ""
    assert "'north'" in several.err
    assert "'south'" in several.err
