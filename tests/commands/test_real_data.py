"""Real data sets, as they lie in their folder and with no option a newcomer would not think of."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from cleanlab.filter import find_label_issues
from sklearn.metrics import accuracy_score, log_loss, precision_score, recall_score

from analysis.commands.annotators import AnnotatorsOptions, review_annotators
from analysis.commands.info import describe_workspace
from analysis.commands.item import show_item
from analysis.commands.labels import LabelsOptions, find_suspects
from analysis.commands.load import LoadOptions, load
from analysis.commands.one_slice import describe_slice, fetch_slice_rows
from analysis.commands.overview import describe_overview
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.workspaces import workspace_at

RARE = ">50K"


@pytest.fixture(scope="module")
def census(shared_data) -> pd.DataFrame:
    """All rows of adult with their split and prediction, read by pandas."""
    parts = [pd.read_parquet(shared_data / "adult" / f"{s}.parquet").assign(split=s) for s in ("train", "eval")]
    predictions = pd.read_csv(shared_data / "adult" / "predictions.csv")
    return pd.concat(parts).merge(predictions, on="item_id")


def test_adult_has_all_items_and_the_published_accuracy(adult) -> None:
    info = describe_workspace(adult)

    items = {split.split: split.items for split in info.splits}
    assert items == {"train": 30_162, "eval": 15_060}
    assert info.overall.items == 30_162 + 15_060
    assert f"{info.overall.accuracy:.5f}" == "0.84868"


def test_accuracy_of_each_split_equals_scikit_learn(adult, census) -> None:
    info = describe_workspace(adult)

    for split in info.splits:
        rows = census[census["split"] == split.split]
        assert split.accuracy == accuracy_score(rows["label"], rows["predicted"])


def test_labels_and_ids_keep_their_text(adult) -> None:
    info = describe_workspace(adult)

    assert info.classes == ("<=50K", RARE)
    assert show_item(adult, "adult-00000").given_label == "<=50K"


@pytest.mark.parametrize("column", ["sex", "education", "workclass"])
def test_groups_of_a_column_equal_pandas(adult, census, column) -> None:
    result = profile_slices(adult, SlicesOptions(by=(column,)))

    rows = census[census["split"] == "eval"]
    wrong = (rows["label"] != rows["predicted"]).groupby(rows[column]).agg(["size", "sum"])
    found = {row.where.predicates[0].value: (row.profile.support, row.profile.errors) for row in result.slices}
    assert found == {name: (int(size), int(errors)) for name, (size, errors) in wrong.iterrows()}


def test_bins_of_a_number_share_out_all_rows(adult, census) -> None:
    result = profile_slices(adult, SlicesOptions(by=("age", "hours-per-week")))

    rows = census[census["split"] == "eval"]
    assert sum(row.profile.support for row in result.slices) == len(rows)
    assert sum(row.profile.errors for row in result.slices) == (rows["label"] != rows["predicted"]).sum()


def test_metrics_of_a_class_equal_scikit_learn(adult, census) -> None:
    rows = census[(census["split"] == "eval") & (census["age"] >= 60)]
    expected = {
        "recall": recall_score(rows["label"], rows["predicted"], pos_label=RARE),
        "precision": precision_score(rows["label"], rows["predicted"], pos_label=RARE),
        "false_negatives": 1 - recall_score(rows["label"], rows["predicted"], pos_label=RARE),
        "false_positives": 1 - recall_score(rows["label"], rows["predicted"], pos_label="<=50K"),
    }

    for metric, value in expected.items():
        result = profile_slices(adult, SlicesOptions(metric=metric, positive=RARE, where="age >= 60"))
        assert result.slices[0].profile.rate == pytest.approx(value, abs=1e-12), metric


def test_log_loss_equals_scikit_learn_up_to_the_stated_cut(adult, census) -> None:
    rows = census[census["split"] == "eval"]
    given = rows[["prob_<=50K", "prob_>50K"]].to_numpy().astype(np.float32).astype(np.float64)
    cut = np.maximum(given, 2.0**-23)
    picked = np.where(rows["label"] == RARE, cut[:, 1], cut[:, 0])

    result = profile_slices(adult, SlicesOptions(metric="log_loss", by=("sex",)))

    assert result.overall.rate == pytest.approx(float(-np.log(picked).mean()), abs=2.0**-20)
    whole = log_loss(rows["label"] == RARE, np.clip(given[:, 1], 2.0**-23, 1 - 2.0**-23))
    assert result.overall.rate == pytest.approx(whole, abs=1e-5)


def test_a_second_load_of_the_same_files_changes_nothing(adult, shared_data) -> None:
    before = adult.fingerprint()
    folder = shared_data / "adult"

    report = load(adult, [folder / "predictions.csv", folder / "train.parquet", folder / "eval.parquet"])

    assert not report.changed
    assert {file.tally.kept for file in report.files} == {0}
    assert adult.fingerprint() == before


def test_the_rows_behind_a_slice_are_those_of_pandas(adult, census) -> None:
    page = fetch_slice_rows(adult, 'age >= 60 & sex = "Male"', only="errors", limit=1_000)

    rows = census[(census["split"] == "eval") & (census["age"] >= 60) & (census["sex"] == "Male")]
    wrong = rows[rows["label"] != rows["predicted"]]
    assert page.total == len(wrong)
    assert set(page.rows["item_id"]) == set(wrong["item_id"])
    assert page.rows["age"].min() >= 60


def test_a_slice_and_its_rest_make_the_whole(adult, census) -> None:
    detail = describe_slice(adult, SlicesOptions(where='education = "Bachelors"'))

    rows = census[census["split"] == "eval"]
    inside = rows[rows["education"] == "Bachelors"]
    outside = rows[rows["education"] != "Bachelors"]
    assert detail.row.profile.rate == pytest.approx((inside["label"] != inside["predicted"]).mean())
    assert detail.row.profile.rest_rate == pytest.approx((outside["label"] != outside["predicted"]).mean())
    assert sum(cell.count for cell in detail.inside) == len(inside)


def test_the_confusion_matrix_equals_pandas(adult, census) -> None:
    found = describe_overview(adult)

    rows = census[census["split"] == "eval"]
    expected = rows.groupby(["label", "predicted"]).size().to_dict()
    assert {(cell.label, cell.predicted): cell.count for cell in found.cells} == expected


def test_mnist_suspects_are_those_of_cleanlab(mnist, shared_data) -> None:
    items = pd.read_parquet(shared_data / "mnist" / "items.parquet", columns=["item_id", "given_label"])
    probs = pd.read_parquet(shared_data / "mnist" / "pred_probs.parquet")
    merged = items.merge(probs, on="item_id")
    labels = merged["given_label"].astype(int).to_numpy()
    expected = find_label_issues(
        labels, merged[[f"p_{k}" for k in range(10)]].to_numpy(), return_indices_ranked_by="normalized_margin", n_jobs=1
    )

    result = find_suspects(mnist, LabelsOptions())

    assert result.flagged == len(result.issues) == 15
    assert {suspect.item_id for suspect in result.issues} == set(merged["item_id"].iloc[expected])


def test_the_first_mnist_suspects_hold_the_verified_errors(mnist, shared_data) -> None:
    verdicts = pd.read_csv(shared_data / "mnist" / "verdicts.csv")
    errors = set(verdicts.loc[verdicts["is_label_error"].astype(str).str.lower() == "true", "item_id"])

    result = find_suspects(mnist, LabelsOptions(top=15))

    assert len(errors & {suspect.item_id for suspect in result.issues}) >= 6


def test_an_mnist_item_shows_its_image(mnist) -> None:
    view = show_item(mnist, "mnist-00000")

    assert isinstance(view.image, bytes)
    assert view.image.startswith(b"\x89PNG")
    assert view.probabilities[0][0] == "7"


def test_rater_r145_stands_out_against_the_experts(raters) -> None:
    result = review_annotators(raters, AnnotatorsOptions())

    by_name = {row.annotator: row for row in result.annotators}
    assert len(by_name) == 78
    assert by_name["r145"].gold_accuracy == pytest.approx(0.214, abs=5e-4)
    assert min(by_name.values(), key=lambda row: row.gold_accuracy).annotator == "r145"
    assert by_name["r145"].high < min(row.low for name, row in by_name.items() if name != "r145")


def test_alpha_equals_the_krippendorff_package(raters, shared_data) -> None:
    votes = pd.read_parquet(shared_data / "imagenet_raters" / "votes.parquet")
    wide = votes.pivot_table(index="annotator_id", columns="item_id", values="label", aggfunc="first")
    codes = {label: code for code, label in enumerate(sorted(votes["label"].unique()))}
    table = wide.apply(lambda column: column.map(codes)).to_numpy(dtype=float)

    result = review_annotators(raters, AnnotatorsOptions())

    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")
    assert result.krippendorff_alpha.value == pytest.approx(expected, abs=1e-9)


def test_pseudonyms_are_stable_and_tell_no_name(raters) -> None:
    named = review_annotators(raters, AnnotatorsOptions())
    hidden = review_annotators(raters, AnnotatorsOptions(names=False))
    again = review_annotators(raters, AnnotatorsOptions(names=False))

    assert hidden == again
    assert not {row.annotator for row in hidden.annotators} & {row.annotator for row in named.annotators}
    assert sorted(row.votes for row in hidden.annotators) == sorted(row.votes for row in named.annotators)


def test_quiz_and_relations_load_with_no_option(shared_data, tmp_path) -> None:
    quiz = workspace_at(tmp_path / "quiz.relook")
    load(quiz, [shared_data / "quiz" / "votes.csv", shared_data / "quiz" / "items.csv"])
    relations = workspace_at(tmp_path / "relations.relook")
    load(relations, [shared_data / "relations" / "votes.csv"])

    assert describe_workspace(quiz).votes == 8_930
    assert len(review_annotators(quiz, AnnotatorsOptions()).annotators) == 360
    people = review_annotators(relations, AnnotatorsOptions()).annotators
    votes = pd.read_csv(shared_data / "relations" / "votes.csv")
    expected = votes.groupby("worker")["duration_s"].median()
    assert {row.annotator: row.median_seconds for row in people} == pytest.approx(expected.to_dict())


def test_a_dry_run_reports_and_keeps_nothing(shared_data, tmp_path) -> None:
    path = tmp_path / "none.relook"

    report = load(workspace_at(path), [shared_data / "quiz" / "items.csv"], LoadOptions(dry_run=True))

    assert report.changed
    assert report.dry_run
    assert not path.exists()
