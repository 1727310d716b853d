"""What the pages ask for: Home at a glance, one item, kept slices, frames for notebooks, warnings."""

import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from analysis import open_workspace
from analysis.commands.annotators import AnnotatorsOptions, describe_annotator, review_annotators
from analysis.commands.info import describe_workspace
from analysis.commands.item import show_item
from analysis.commands.labels import LabelsOptions, find_suspects
from analysis.commands.load import LoadOptions, load, read_classes
from analysis.commands.overview import describe_overview, slice_of_cell
from analysis.commands.saved import forget_slice, list_saved_slices, save_slice
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.workspaces import check_readable, workspace_at
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError


@pytest.fixture
def make(tmp_path):
    """Load frames of the given file names into a new workspace."""
    workspace = workspace_at(tmp_path / "made.relook")

    def run(options=None, **frames):
        paths = [tmp_path / f"{name}.csv" for name in frames]
        for path, frame in zip(paths, frames.values(), strict=True):
            frame.to_csv(path, index=False)
        load(workspace, paths, options)
        return workspace

    yield run
    workspace.close()


# --- Home


def test_home_shows_the_confusion_matrix_of_scikit_learn(small):
    found = describe_overview(small.workspace)

    rows = small.items[small.items["split"] == "eval"]
    matrix = confusion_matrix(rows["label"], rows["shown"], labels=list(found.classes))
    counted = {(cell.label, cell.predicted): cell.count for cell in found.cells}
    for i, label in enumerate(found.classes):
        for j, predicted in enumerate(found.classes):
            assert counted.get((label, predicted), 0) == matrix[i, j]
    assert (found.error.hits, found.error.trials) == (len(rows) - matrix.trace(), len(rows))
    assert found.error.low < found.error.rate < found.error.high


def test_home_shows_recall_and_precision_of_each_class(small):
    found = describe_overview(small.workspace)

    rows = small.items[small.items["split"] == "eval"]
    for row in found.by_class:
        options = {"labels": [row.name], "average": "macro", "zero_division": 0}
        assert row.recall.rate == pytest.approx(recall_score(rows["label"], rows["shown"], **options))
        assert row.precision.rate == pytest.approx(precision_score(rows["label"], rows["shown"], **options))


def test_home_and_labels_count_the_same_suspects(small):
    found, labels = describe_overview(small.workspace), find_suspects(small.workspace, LabelsOptions())

    assert (found.suspects, found.suspects_split, found.suspects_of) == (labels.flagged, "train", labels.items)


def test_a_cell_of_the_matrix_is_a_slice_with_its_count(small):
    for cell in describe_overview(small.workspace).cells:
        where = slice_of_cell(cell.label, cell.predicted)

        assert parse_slice(where).to_text() == where
        assert profile_slices(small.workspace, SlicesOptions(where=where)).slices[0].profile.support == cell.count


def test_home_without_predictions_or_with_votes_alone_says_less(make):
    votes = pd.DataFrame({"item_id": ["p", "p", "q"], "annotator": ["u", "v", "u"], "label": ["a", "b", "a"]})

    found = describe_overview(make(votes=votes))

    assert (found.items, found.votes, found.annotators) == (2, 3, 2)
    assert (found.error, found.cells, found.suspects, found.model) == (None, (), None, None)


# --- One item


def test_an_item_is_shown_with_all_that_is_known_of_it(small):
    name = small.votes["item_id"].value_counts().index[0]
    row = small.items.set_index("item_id").loc[name]

    view = show_item(small.workspace, name)

    assert (view.split, view.item_id, view.given_label, view.label) == ("train", name, row["label"], row["label"])
    assert (view.text, view.image, view.predicted) == (row["text"], None, row["shown"])
    assert dict(view.probabilities) == pytest.approx({k: row[f"prob_{k}"] for k in ("3", "<=50K", ">50K")}, abs=1e-6)
    assert [p for _name, p in view.probabilities] == sorted((p for _name, p in view.probabilities), reverse=True)
    assert [column for column, _value in view.fields] == ["age", "city", "confidence"]
    expected = small.votes[small.votes["item_id"] == name]
    assert [(vote.annotator, vote.label) for vote in view.votes] == list(
        zip(expected["annotator"], expected["label"], strict=True)
    )


def test_an_item_that_is_in_two_splits_is_found_by_its_split(make):
    frame = pd.DataFrame({"item_id": ["p"], "label": ["a"], "x": [1]})
    workspace = make(train=frame, eval=frame.assign(label="b"))

    assert show_item(workspace, "p", split="train").given_label == "a"
    assert show_item(workspace, "p", split="eval").given_label == "b"
    with pytest.raises(AnalysisError, match="There is no item 'q'"):
        show_item(workspace, "q")


# --- Kept slices


def test_slices_are_kept_under_their_canonical_text(small_copy):
    kept = save_slice(small_copy, 'city = "Ulm"&age>=40', " older in Ulm ")

    assert (kept.slice, kept.name) == ('age >= 40 & city = "Ulm"', "older in Ulm")
    save_slice(small_copy, 'age >= 40 & city = "Ulm"', "renamed")
    assert [(found.slice, found.name) for found in list_saved_slices(small_copy)] == [(kept.slice, "renamed")]
    forget_slice(small_copy, kept.slice)
    assert list_saved_slices(small_copy) == ()


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        ("age >= 40", "  ", "A saved slice needs a name"),
        ("all", "everything", "'all' is no slice to save"),
        ("agee >= 40", "x", "There is no column that can slice 'agee'. Did you mean 'age'"),
        ("age >=", "x", "In the slice"),
    ],
)
def test_what_is_no_slice_is_not_kept(small_copy, text, name, sentence):
    before = small_copy.fingerprint()

    with pytest.raises(AnalysisError, match=sentence):
        save_slice(small_copy, text, name)

    assert small_copy.fingerprint() == before
    with pytest.raises(UnknownNameError, match="There is no saved slice"):
        forget_slice(small_copy, "age >= 41")


# --- Frames


def test_a_workspace_is_read_as_frames(small):
    opened = open_workspace(small.workspace.path)

    rows, labels, votes, predictions = opened.rows("age >= 40"), opened.labels(), opened.votes(), opened.predictions()

    older = small.items[small.items["age"] >= 40]
    assert rows["item_id"].tolist() == older["item_id"].tolist()
    assert rows["age"].tolist() == older["age"].tolist()
    assert labels["label"].tolist() == small.items["label"].tolist()
    assert votes[["item_id", "annotator", "label"]].to_numpy().tolist() == (
        small.votes[["item_id", "annotator", "label"]].to_numpy().tolist()
    )
    assert predictions["predicted"].tolist() == small.items["shown"].tolist()
    assert opened.labels(as_of=0).equals(labels)


def test_frames_have_the_users_names_and_tell_them_from_ours(make):
    frame = pd.DataFrame({"item_id": ["p"], "given_label": ["a"], "Item": [1], "Label": [2], "label_": [3]})
    workspace = make(train=frame)

    rows = open_workspace(workspace.path).rows()

    assert list(rows.columns) == ["split", "item_id", "given_label", "label", "Item", "Label__", "label_"]
    assert rows.iloc[0, 4:].tolist() == [1, 2, 3]


def test_what_is_not_there_cannot_be_opened(small, tmp_path):
    with pytest.raises(AnalysisError, match="There is no workspace at"):
        open_workspace(tmp_path / "nowhere.relook")
    with pytest.raises(AnalysisError, match="is a folder"):
        workspace_at(tmp_path)
    with pytest.raises(AnalysisError, match="There is no model 'x'"):
        open_workspace(small.workspace.path).predictions("x")
    for position in (-1, 1):
        with pytest.raises(AnalysisError, match="The ledger reaches from 0 to 0"):
            open_workspace(small.workspace.path).labels(as_of=position)
    check_readable(small.workspace)


# --- Warnings


def codes(workspace) -> dict[str, str]:
    return {warning.code: warning.message for warning in describe_workspace(workspace).warnings}


def test_data_that_says_less_than_it_seems_is_warned_about(make):
    train = pd.DataFrame({"item_id": [f"t{k}" for k in range(40)], "label": ["a", "b"] * 20, "x": range(40)})
    held = pd.DataFrame(
        {"item_id": [f"e{k}" for k in range(10)], "label": ["a"] * 9 + [None], "x": [0, 0, *range(50, 58)]}
    )
    predictions = pd.DataFrame({"item_id": [f"e{k}" for k in range(8)], "predicted": ["a"] * 7 + ["z"]})
    train.loc[0, "label"] = "c"

    found = codes(make(train=train, eval=held, predictions=predictions))

    assert found["rare_class"].startswith("Few items are labelled 'c' (1)")
    assert found["labels_only_in_predictions"] == "Predicted but never given: 'z' (1). All count as errors."
    assert found["no_prediction"] == "2 of 10 items in 'eval' have no prediction."
    assert found["no_label"] == "1 of 10 items in 'eval' has no label."
    assert found["leak"].startswith("1 content is in more than one split")
    assert found["duplicates"].startswith("1 item repeats the content of another in their split")


def test_one_class_is_warned_about(make):
    assert "one_class" in codes(make(train=pd.DataFrame({"item_id": ["p", "q"], "label": "a", "x": [1, 2]})))


def test_sound_data_has_no_warning(small):
    assert codes(small.workspace) == {}


# --- Suspects and people


def test_suspects_are_ordered_explained_and_cut(small):
    everything = find_suspects(small.workspace, LabelsOptions())

    some = find_suspects(small.workspace, LabelsOptions(top=3))

    assert (some.flagged, some.issues) == (everything.flagged, everything.issues[:3])
    labels = small.items.set_index("item_id")["label"]
    for suspect in everything.issues:
        assert suspect.given_label == labels[suspect.item_id] != suspect.likely_label
        assert suspect.reasons[0].kind == "confident_learning"
        assert suspect.quality == pytest.approx((suspect.p_given - suspect.p_likely + 1) / 2, abs=0.5)
    with pytest.raises(AnalysisError, match="--top is a number of suspects from 1 on, got 0"):
        find_suspects(small.workspace, LabelsOptions(top=0))


def test_probabilities_that_repeat_their_labels_are_called_in_sample(make):
    n = 400
    labels = pd.Series(["a", "b"] * (n // 2))
    train = pd.DataFrame({"item_id": [f"t{k}" for k in range(n)], "label": labels, "x": range(n)})
    train["prob_a"] = (labels == "a").map({True: 0.99, False: 0.01})
    held = pd.DataFrame({"item_id": [f"e{k}" for k in range(n)], "label": labels, "x": range(n)})
    held["prob_a"] = [0.9 if (k % 2 == 0) != (k % 5 == 0) else 0.1 for k in range(n)]
    workspace = make(train=train.assign(prob_b=1 - train["prob_a"]), eval=held.assign(prob_b=1 - held["prob_a"]))

    assert find_suspects(workspace, LabelsOptions()).in_sample is True
    assert find_suspects(workspace, LabelsOptions(split="eval")).in_sample is None
    with pytest.raises(AnalysisError, match="There is no filter|There is no"):
        find_suspects(workspace, LabelsOptions(filter_by="both of them"))


def test_people_are_counted_by_pandas(small):
    found = {row.annotator: row for row in review_annotators(small.workspace, AnnotatorsOptions()).annotators}

    for name, votes in small.votes.groupby("annotator"):
        assert found[name].votes == len(votes)
        assert found[name].median_seconds == votes["seconds"].median()
    assert found["ana"].agreement > found["cleo"].agreement
    suspects = {
        suspect.item_id: suspect.given_label for suspect in find_suspects(small.workspace, LabelsOptions()).issues
    }
    for name, row in found.items():
        mine = small.votes[(small.votes["annotator"] == name) & small.votes["item_id"].isin(suspects)]
        assert row.suspects == (mine["label"] == mine["item_id"].map(suspects)).sum()


def test_people_inside_a_slice_are_judged_by_its_items_alone(small):
    found = review_annotators(small.workspace, AnnotatorsOptions(where="age >= 40"))

    older = set(small.items.loc[small.items["age"] >= 40, "item_id"])
    assert found.votes == small.votes["item_id"].isin(older).sum()
    assert sum(cell.count for cell in describe_annotator(small.workspace, "ana", "age >= 40")) <= found.votes
    with pytest.raises(UnknownNameError, match="There is no annotator 'annna'. Did you mean 'ana'"):
        describe_annotator(small.workspace, "annna")


def test_without_votes_people_cannot_be_judged(make):
    workspace = make(train=pd.DataFrame({"item_id": ["p", "q"], "label": ["a", "b"], "x": [1, 2]}))

    with pytest.raises(AnalysisError, match="There are no votes here. Load who labelled what"):
        review_annotators(workspace, AnnotatorsOptions())


def test_the_order_of_classes_is_read_from_a_file(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\ufeffb\n a \n\nc\n", encoding="utf-8")

    assert read_classes(path) == ("b", "a", "c")
    for content, sentence in (("a\na\n", "must name each class once"), ("\n", "is empty. Write one entry a line")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(AnalysisError, match=sentence):
            read_classes(path)


def test_a_load_through_the_command_is_the_load_of_the_store(make, small):
    report = load(small.workspace, [small.workspace.path.parent / "votes.csv"], LoadOptions(dry_run=True))

    assert (report.changed, report.files[0].tally.already_there) == (False, len(small.votes))
