"""The positive class and the threshold of a binary problem, against scikit-learn and pandas on the same files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score

from analysis.commands.load import LoadOptions, load
from analysis.commands.overview import describe_overview
from analysis.commands.positive import choose_positive, describe_positive
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.workspaces import Workspace, workspace_at
from analysis.errors import AnalysisError, UnknownNameError


@pytest.fixture
def frame() -> pd.DataFrame:
    """Four in a hundred are fraud; probabilities with one decimal, so that many sit exactly on a threshold."""
    rng = np.random.default_rng(3)
    label = np.where(rng.random(2000) < 0.04, "fraud", "fine")
    p = np.clip(np.round(np.where(label == "fraud", 0.6, 0.2) + rng.normal(0, 0.2, 2000), 1), 0, 1)
    return pd.DataFrame(
        {"item_id": [f"t{k}" for k in range(2000)], "label": label, "amount": rng.integers(1, 9, 2000), "p": p}
    )


@pytest.fixture
def workspace(tmp_path: Path, frame: pd.DataFrame) -> Workspace:
    table = frame.assign(p_fine=1 - frame.p, p_fraud=frame.p).drop(columns="p")
    table.to_csv(tmp_path / "eval.csv", index=False)
    made = workspace_at(tmp_path / "w.relook")
    load(made, [tmp_path / "eval.csv"])
    yield made
    made.close()


def predicted(frame: pd.DataFrame, threshold: float) -> pd.Series:
    return pd.Series(np.where(frame.p >= threshold, "fraud", "fine"))


def test_the_rarer_class_is_the_positive_one_until_somebody_says_otherwise(workspace):
    found = describe_positive(workspace)

    assert (found.decision.positive_class, found.decision.stated) == ("fraud", False)
    assert found.decision.reason == "the rarer of the two"


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_recall_and_precision_at_a_threshold_equal_scikit_learns(workspace, frame, threshold):
    said = choose_positive(workspace, threshold=threshold).to_dict()

    expected = predicted(frame, threshold)
    options = {"pos_label": "fraud", "zero_division": 0}
    assert said["recall"] == pytest.approx(recall_score(frame.label, expected, **options), abs=1e-12)
    assert said["precision"] == pytest.approx(precision_score(frame.label, expected, **options), abs=1e-12)
    assert (said["positive_class"], said["threshold"], said["changed"]) == ("fraud", threshold, True)


def test_a_threshold_moves_every_rate_and_taking_it_away_brings_them_back(workspace, frame):
    options = SlicesOptions(by=("amount",))
    before = profile_slices(workspace, options).to_dict()

    choose_positive(workspace, threshold=0.3)
    moved = profile_slices(workspace, options).to_dict()
    choose_positive(workspace, forget_threshold=True)
    after = profile_slices(workspace, options).to_dict()

    assert moved["errors"] == int((predicted(frame, 0.3) != frame.label).sum()) != before["errors"]
    assert after["decision"]["threshold"] is None
    assert after | {"decision": None} == before | {"decision": None}


def test_the_same_rows_again_change_nothing_under_a_threshold(workspace, frame, tmp_path):
    choose_positive(workspace, threshold=0.3)
    assert not load(workspace, [tmp_path / "eval.csv"]).changed


def test_predictions_that_arrive_later_are_decided_by_the_threshold(workspace, frame, tmp_path):
    choose_positive(workspace, threshold=0.3)
    later = frame.assign(item_id="u" + frame.item_id, p_fine=1 - frame.p, p_fraud=frame.p).drop(columns="p")
    later.to_csv(tmp_path / "later.csv", index=False)

    load(workspace, [tmp_path / "later.csv"], LoadOptions(split="eval"))

    found = describe_positive(workspace, split="eval")
    assert found.predicted == 2 * int((predicted(frame, 0.3) == "fraud").sum())


def test_the_same_again_changes_nothing(workspace):
    choose_positive(workspace, "fraud", threshold=0.3)
    before = workspace.fingerprint()

    assert not choose_positive(workspace, "fraud", threshold=0.3).changed
    assert workspace.fingerprint() == before


def test_below_ten_percent_recall_and_precision_lead_on_home(workspace, frame):
    found = describe_overview(workspace)

    assert found.leads == "recall"
    assert found.decision.positive_class == "fraud"
    choose_positive(workspace, "fine")
    assert describe_overview(workspace).leads == "error_rate"


def test_metrics_of_one_class_take_the_positive_class(workspace):
    found = profile_slices(workspace, SlicesOptions(metric="recall", by=("amount",)))

    assert found.positive == "fraud"


def test_recall_and_precision_are_recommended_where_positives_are_rare(workspace):
    found = profile_slices(workspace, SlicesOptions(by=("amount",)))

    assert any("labels are 'fraud': recall and precision" in note for note in found.notes)
    assert found.to_dict()["decision"]["positive_class"] == "fraud"


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(workspace, threshold):
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        choose_positive(workspace, threshold=threshold)


def test_a_class_that_is_not_there_is_refused(workspace):
    with pytest.raises(UnknownNameError, match="Did you mean 'fraud'"):
        choose_positive(workspace, "frauds")


def test_another_class_does_not_inherit_the_threshold(workspace):
    choose_positive(workspace, "fraud", threshold=0.3)

    with pytest.raises(AnalysisError, match="the threshold for 'fine'"):
        choose_positive(workspace, "fine")


def test_more_than_two_classes_have_no_positive_one(digits):
    with pytest.raises(AnalysisError, match="two classes, this workspace has 10"):
        describe_positive(digits)
    assert describe_overview(digits).decision is None


def test_the_command_says_what_it_set(relook, workspace, frame):
    workspace.close()
    ran = relook("positive", workspace.path, "fraud", "--threshold", "0.3", "--format", "json")

    assert ran.code == 0, ran.err
    assert ran.json["threshold"] == 0.3
    assert ran.json["share"] == pytest.approx((frame.label == "fraud").mean())
    shown = relook("positive", workspace.path)
    assert "Positive class 'fraud', predicted from 0.3 on" in shown.out
    assert relook("slices", workspace.path, "--by", "amount").out.count("predicted from 0.3 on") == 1


def test_a_third_class_takes_the_threshold_away_and_says_so(workspace, frame, tmp_path):
    before = describe_positive(workspace).predicted
    choose_positive(workspace, threshold=0.3)
    votes = pd.DataFrame({"item_id": ["t0"], "annotator": ["ann"], "label": ["unsure"]})
    votes.to_csv(tmp_path / "votes.csv", index=False)

    report = load(workspace, [tmp_path / "votes.csv"], LoadOptions(kind="votes"))

    assert any("threshold 0.3 for 'fraud' is dropped" in note for note in report.notes)
    found = describe_overview(workspace)
    assert found.decision is None
    assert sum(cell.count for cell in found.cells if cell.predicted == "fraud") == before


def test_the_class_can_be_changed_by_dropping_its_threshold(workspace):
    choose_positive(workspace, "fraud", threshold=0.3)

    found = choose_positive(workspace, "fine", forget_threshold=True)

    assert (found.decision.positive_class, found.decision.threshold) == ("fine", None)
