import doctest
import hashlib

import numpy as np
import pandas as pd
import pytest

from analysis.commands.info import describe_workspace
from analysis.commands.load import load
from analysis.commands.workspaces import workspace_at
from analysis.core.slice_text import parse_slice
from analysis.relabel.draws import draw_tokens

CLASSES = {"billing", "refund", "delivery", "account access", "bug report", "cancellation"}
LABELS_WRONG = 'language = "de" & product = "mobile plan"'
REQUEST = "rq-2026-03-09-a"


# --- how it is made ---------------------------------------------------------------------------------------


def test_the_committed_tickets_votes_and_people_are_what_the_script_makes(folder, fresh):
    for name in ("train.parquet", "eval.parquet", "votes.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / name), pd.read_parquet(fresh / name))
    assert (folder / "people.csv").read_bytes() == (fresh / "people.csv").read_bytes()


def test_the_same_rows_give_the_same_bytes(sample, folder, import_maker, tmp_path):
    write = import_maker("tickets").write_parquet
    for frame in (sample.eval, sample.models[1]):
        for name in ("one", "two"):
            write(frame, tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    request = import_maker("tickets_request")
    rows = sample.answers.to_dict("records")
    assert request.to_workbook(rows) == request.to_workbook(rows)


def test_the_committed_predictions_are_those_of_the_model_up_to_the_float_noise_of_a_fit(sample, import_maker):
    models = import_maker("tickets_models")
    fitted = models.make_model().fit(sample.train["text"], sample.train["label"])
    fresh = pd.DataFrame(fitted.predict_proba(sample.eval["text"]), columns=[f"p_{name}" for name in fitted.classes_])
    committed = sample.models[1].set_index("item_id").loc[sample.eval["item_id"], list(fresh.columns)]
    np.testing.assert_allclose(fresh, committed, rtol=0, atol=0.01)


def test_the_examples_in_the_scripts_run(import_maker):
    names = (
        "tickets",
        "tickets_items",
        "tickets_models",
        "tickets_people",
        "tickets_request",
        "tickets_text",
        "tickets_votes",
    )
    results = [doctest.testmod(import_maker(name)) for name in names]
    assert sum(result.attempted for result in results) > 2
    assert sum(result.failed for result in results) == 0


def test_both_samples_stay_under_five_megabytes(root):
    assert sum(path.stat().st_size for path in (root / "sample_data").rglob("*") if path.is_file()) < 5_000_000


def test_the_library_knows_nothing_of_the_sample(root, sample):
    words = [*sample.people["name"], *sample.people["team"], "FluxLink", "CloudBox", "Flux Mobile", "week-5", "TK-1"]
    for path in (root / "analysis").rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        assert [word for word in words if word in code] == [], path


# --- tickets ----------------------------------------------------------------------------------------------


def test_ids_are_unique_and_every_ticket_has_a_text_and_a_label(sample):
    assert sample.items["item_id"].is_unique
    assert set(sample.items["label"]) == CLASSES
    assert sample.items["text"].str.len().min() > 10
    assert (sample.items["length"] == sample.items["text"].str.len()).all()
    assert not sample.items["text"].str.contains(r"[{}]", regex=True).any()


def test_each_language_is_the_language_of_its_texts(sample):
    words = {"en": "the", "de": "ich", "fr": "est", "es": "el", "it": "il"}
    for language, word in words.items():
        share = sample.items.groupby("language")["text"].apply(
            lambda texts, word=word: texts.str.contains(rf"\b{word}\b", case=False, regex=True).mean()
        )
        assert share.idxmax() == language


def test_the_class_of_a_ticket_can_be_read_off_its_words(retrained, sample):
    planted = np.logical_or.reduce([holds(sample.eval) for holds in sample.slices.values()])
    assert retrained[~planted].mean() < 0.08


def test_nobody_delivers_a_service(sample, known):
    services = sample.items["product"].isin(["cloud storage", "mobile plan", "music"])
    assert "delivery" not in set(known.loc[sample.items.loc[services, "item_id"], "truth"])


# --- votes ------------------------------------------------------------------------------------------------


def test_each_ticket_of_train_has_votes_of_three_people_of_one_vendor(sample):
    by_item = sample.votes.groupby("item_id")
    assert set(by_item.size()) == {3}
    assert set(by_item["annotator"].nunique()) == {3}
    assert set(by_item["team"].nunique()) == {1}
    assert set(sample.votes["item_id"]) == set(sample.train["item_id"])


def test_the_recorded_label_is_the_majority_and_the_first_vote_decides_a_tie(sample):
    ballots = {}
    for item, label in sample.votes[["item_id", "label"]].itertuples(index=False):
        if isinstance(label, str):
            ballots.setdefault(item, []).append(label)
    for item, recorded in sample.train[["item_id", "label"]].itertuples(index=False):
        most = max(map(ballots[item].count, ballots[item]))
        assert recorded == next(label for label in ballots[item] if ballots[item].count(label) == most)


def test_votes_are_listed_as_they_came_in_with_times_that_agree(sample):
    votes = sample.votes
    assert votes["labelled_at"].is_monotonic_increasing
    between = (votes["labelled_at"] - votes["started_at"]).dt.total_seconds()
    assert (between - votes["seconds"]).abs().max() <= 1.05  # both times are rounded to a second
    assert votes["seconds"].min() >= 1.5


def test_nobody_labels_two_tickets_at_once(sample):
    for _, own in sample.counted.groupby("annotator"):
        assert (own["started_at"].to_numpy()[1:] >= own["labelled_at"].to_numpy()[:-1]).all()


def test_people_work_in_the_day_of_their_time_zone_with_lunch_and_without_weekends(sample):
    zones = sample.people.set_index("annotator")["time_zone"]
    for annotator, own in sample.votes.groupby("annotator"):
        local = own["started_at"].dt.tz_convert(zones[annotator])
        assert local.dt.day_of_week.max() <= 4
        assert local.dt.hour.between(8, 18).all(), annotator
    per_sitting = sample.counted.groupby("sitting")
    minutes = (per_sitting["labelled_at"].max() - per_sitting["started_at"].min()).dt.total_seconds() / 60
    assert minutes.median() > 45


def test_the_two_vendors_take_turns(sample):
    first = sample.votes.groupby("batch", sort=False).agg(at=("labelled_at", "min"), team=("team", "first"))
    assert first.sort_values("at")["team"].tolist() == ["Northlight", "Brightdesk"] * 8


def test_the_people_table_names_everybody_who_voted_once(sample):
    assert set(sample.people["annotator"]) == set(sample.votes["annotator"])
    for column in ("annotator", "name", "email"):
        assert sample.people[column].is_unique
    teams = dict(sample.votes[["annotator", "team"]].drop_duplicates().itertuples(index=False))
    assert dict(zip(sample.people["annotator"], sample.people["team"], strict=True)) == teams


# --- models -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_probabilities_sum_to_one_and_the_predicted_label_is_the_most_probable(sample, number):
    frame = sample.models[number]
    columns = [name for name in frame.columns if name.startswith("p_")]
    pred_probs = frame[columns].to_numpy(dtype=np.float64)
    assert {name.removeprefix("p_") for name in columns} == CLASSES
    assert pred_probs.min() > 0
    assert (pred_probs.sum(axis=1) == 1).all()
    assert [columns[place].removeprefix("p_") for place in pred_probs.argmax(axis=1)] == frame["predicted"].tolist()
    assert set(frame["model"]) == {f"model-{number}"}


@pytest.mark.parametrize("number", [1, 2])
def test_every_ticket_of_train_is_in_one_of_five_folds_and_eval_in_none(sample, number):
    frame = sample.models[number].set_index("item_id")
    assert set(frame.index) == set(sample.items["item_id"])
    folds = frame.loc[sample.train["item_id"], "fold"].value_counts()
    assert set(folds.index) == {1, 2, 3, 4, 5}
    assert folds.max() - folds.min() <= 1
    assert frame.loc[sample.eval["item_id"], "fold"].isna().all()


# --- the request ------------------------------------------------------------------------------------------


def test_the_request_is_the_one_that_relook_writes_for_its_name_and_seed(sample, folder):
    manifest = sample.manifest
    keys = {(item["split"], item["item_id"]): item["relook_task"] for item in manifest["items"]}
    assert draw_tokens(manifest["seed"], REQUEST, keys) == keys
    sent = {path.name for path in (folder / "request" / REQUEST / "send").iterdir()}
    assert {f"send/{name}" for name in sent} == {file["name"] for file in manifest["files"]}
    for file in manifest["files"]:
        data = (folder / "request" / REQUEST / file["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]


def test_the_request_asks_for_the_slice_with_wrong_labels_and_for_controls(sample):
    train = sample.train.set_index("item_id")
    inside = train.index[sample.slices[LABELS_WRONG](train) & (train["label"] == "refund")]
    by_role = {"suspect": set(), "control": set()}
    for item in sample.manifest["items"]:
        by_role[item["role"]].add(item["item_id"])
    assert by_role["suspect"] == set(inside)
    assert by_role["control"] <= set(train.index[train["gold_label"].notna()])
    assert parse_slice(sample.manifest["purpose"].removeprefix("slice:")).to_text() in sample.manifest["purpose"]


def test_nothing_that_was_sent_shows_given_labels_ids_or_who_voted(sample, folder):
    sent = "".join(
        path.read_text(encoding="utf-8") for path in (folder / "request" / REQUEST / "send").glob("tasks*.csv")
    )
    names = {voter for item in sample.manifest["items"] for voter in item["voters"]}
    assert [word for word in [*names, "TK-", *sample.people["name"]] if word in sent] == []


def test_the_workbook_came_back_sorted_by_text(sample):
    texts = sample.answers["text"].str.casefold().str.replace("fluxmobile", "flux mobile").tolist()
    assert texts == sorted(texts)
    sent = pd.concat([sample.answers["relook_task"]]).tolist()
    assert sent != sorted(sent)


def test_the_second_model_learned_from_the_labels_on_which_both_people_agree(sample, import_maker):
    corrections = sample.corrections
    labels = sample.train["item_id"].map(corrections).fillna(sample.train["label"])
    models = import_maker("tickets_models")
    fitted = models.make_model().fit(sample.train["text"], labels)
    fresh = pd.DataFrame(fitted.predict_proba(sample.eval["text"]), columns=[f"p_{name}" for name in fitted.classes_])
    committed = sample.models[2].set_index("item_id").loc[sample.eval["item_id"], list(fresh.columns)]
    np.testing.assert_allclose(fresh, committed, rtol=0, atol=0.01)


# --- it loads ---------------------------------------------------------------------------------------------


def test_the_files_load_together_without_options_and_the_second_model_later(folder, sample, tmp_path):
    workspace = workspace_at(tmp_path / "tickets.relook")
    names = ["train.parquet", "eval.parquet", "votes.parquet", "predictions-model-1.parquet"]
    report = load(workspace, [folder / name for name in names])
    assert {file["file"]: (file["kind"], file["kept"], file["rejected"]) for file in report.to_dict()["files"]} == {
        "train.parquet": ("items", len(sample.train), 0),
        "eval.parquet": ("items", len(sample.eval), 0),
        "votes.parquet": ("votes", len(sample.votes), 0),
        "predictions-model-1.parquet": ("predictions", len(sample.items), 0),
    }
    load(workspace, [folder / "predictions-model-2.parquet"])
    assert [model.model for model in describe_workspace(workspace).models] == ["model-1", "model-2"]
