"""Predictions: matched by id, checked as probabilities, kept under a model's name."""

import numpy as np
import pandas as pd
import pytest

KEPT = (
    "SELECT i.item_id, p.predicted, p.pred_probs, p.fold FROM predictions p JOIN items i USING (item) "
    "WHERE p.model = (SELECT max(model) FROM models) ORDER BY p.item"
)


def to_frame(*rows):
    """Write (id, probability of a, probability of b)."""
    return pd.DataFrame(rows, columns=["item_id", "prob_a", "prob_b"])


def first_tally(report):
    return report.files[-1].tally


def reasons(report):
    return [(reject.line, reject.column, reject.reason) for reject in report.files[-1].tally.rejects]


# --- What is taken in


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_one_column_a_class_is_matched_by_its_suffix(stocked, make_predictions, ending):
    frame = make_predictions()

    report = stocked.load(stocked.put(f"predictions.{ending}", frame))

    assert (report.files[0].kind, first_tally(report).kept) == ("predictions", 200)
    assert report.files[0].roles.probabilities == {"a": "prob_a", "b": "prob_b"}
    assert stocked.ask("SELECT name, classes FROM models") == [("model", ["a", "b"])]
    expected = frame[["item_id", "predicted", "prob_a", "prob_b"]].to_numpy().tolist()
    assert [[name, predicted, *probs] for name, predicted, probs, _fold in stocked.ask(KEPT)] == expected


def test_the_order_of_the_columns_does_not_matter(stocked, make_predictions):
    frame = make_predictions()[["prob_b", "item_id", "prob_a"]]

    stocked.load(stocked.put("predictions.csv", frame))

    assert stocked.ask(KEPT)[0][1:3] == ("b", [0.25, 0.75])


def test_class_names_may_hold_anything(desk):
    classes = ["<=50K", ">50K", "p_1", "a.b", "x,y", "3"]
    ids = [f"n{k}" for k in range(6)]
    columns = {f"prob_{name}": np.eye(6)[k] for k, name in enumerate(classes)}

    desk.load(
        desk.put("train.csv", pd.DataFrame({"item_id": ids, "label": classes})),
        desk.put("predictions.csv", pd.DataFrame({"item_id": ids, **columns})),
    )

    assert [(name, predicted) for name, predicted, _probs, _fold in desk.ask(KEPT)] == list(
        zip(ids, classes, strict=True)
    )


def test_a_list_column_is_in_the_order_of_the_classes(stocked, make_predictions):
    frame = make_predictions()
    frame["pred_probs"] = frame[["prob_a", "prob_b"]].to_numpy().tolist()

    stocked.load(stocked.put("predictions.parquet", frame[["item_id", "predicted", "pred_probs"]]))

    assert [(probs, predicted) for _id, predicted, probs, _fold in stocked.ask(KEPT)] == list(
        zip(frame["pred_probs"], frame["predicted"], strict=True)
    )


def test_a_list_column_whose_order_is_open_asks_for_classes(desk, tmp_path):
    ids = [str(k) for k in range(11)]
    frame = pd.DataFrame({"item_id": ids, "label": ids, "probs": np.eye(11).tolist()})
    path = desk.put("train.parquet", frame)

    assert "class order is open: as numbers ['0', '1', '2', '3']..., as text ['0', '1', '10', '2']" in desk.refuse(path)

    desk.load(path, classes=tuple(sorted(ids)))
    assert [predicted for _id, predicted, _probs, _fold in desk.ask(KEPT)] == sorted(ids)


def test_a_list_column_in_another_order_is_found_out_by_its_predicted_labels(stocked, make_predictions):
    frame = make_predictions()
    frame["pred_probs"] = frame[["prob_b", "prob_a"]].to_numpy().tolist()
    path = stocked.put("predictions.parquet", frame[["item_id", "predicted", "pred_probs"]])

    assert "the most probable class is the predicted label in only 0 of 200 rows" in stocked.refuse(path)

    stocked.load(path, classes=("b", "a"))
    assert stocked.ask("SELECT classes FROM models") == [(["b", "a"],)]


def test_lists_of_another_length_than_there_are_classes_name_both(stocked):
    frame = pd.DataFrame({"item_id": ["i0", "i1"], "pred_probs": [[0.2, 0.3, 0.5]] * 2})

    assert stocked.refuse(stocked.put("p.parquet", frame)) == (
        "p.parquet: the lists in 'pred_probs' hold 3 probabilities, but 2 classes are known: 'a', 'b'. "
        "Name the classes in the order of the lists with --classes FILE, one class a line."
    )


def test_without_any_known_class_a_list_asks_for_them(desk):
    frame = pd.DataFrame({"item_id": ["p", "q"], "pred_probs": [[0.2, 0.8]] * 2, "x": [1, 2]})

    assert "no class is known yet. Name the classes in the order of the lists" in desk.refuse(
        desk.put("t.parquet", frame)
    )


def test_a_predicted_label_alone_is_enough(stocked, make_predictions):
    frame = make_predictions()[["item_id", "predicted"]].assign(fold=["f1", "f2"] * 100)

    stocked.load(stocked.put("predictions.csv", frame))

    assert stocked.ask("SELECT classes FROM models") == [([],)]
    assert stocked.ask(KEPT)[:2] == [("i0", "b", None, "f1"), ("i1", "b", None, "f2")]


def test_without_a_predicted_label_the_most_probable_class_is_it_and_a_tie_is_left_open(stocked):
    frame = to_frame(("i0", 0.4, 0.6), ("i1", 0.5, 0.5))

    report = stocked.load(stocked.put("predictions.csv", frame))

    assert [predicted for _id, predicted, _probs, _fold in stocked.ask(KEPT)] == ["b", None]
    assert "Rows where several classes are most probable: 1. They predict none of them." in report.files[0].tally.notes


def test_numbers_named_like_scores_of_no_class_stay_columns_of_the_user(desk, make_items):
    frame = make_items().assign(score_math=0.5, score_art=0.25, p_value=0.01)

    report = desk.load(desk.put("train.csv", frame))

    assert report.files[0].roles.probabilities == {}
    assert report.files[0].roles.features == ("age", "city", "score_math", "score_art", "p_value")


def test_columns_that_are_no_predictions_are_named_as_left_out(stocked, make_predictions):
    report = stocked.load(stocked.put("predictions.csv", make_predictions().assign(took=1)))

    assert first_tally(report).notes == ["These columns are not kept, as the rows are predictions: 'took'."]


# --- Partners


def test_ids_without_a_partner_are_counted_and_named(stocked, make_predictions):
    report = stocked.load(stocked.put("predictions.csv", make_predictions(203)))

    assert (first_tally(report).kept, first_tally(report).unmatched) == (200, 3)
    assert first_tally(report).notes == ["Predictions for ids that are no items: 3. They were left out."]


def test_no_partner_at_all_is_refused_with_an_example(stocked, make_predictions):
    path = stocked.put("predictions.csv", make_predictions(prefix="x"))

    assert stocked.refuse(path) == (
        "predictions.csv: none of its 200 ids is an item of the workspace, for example 'x0'. "
        "Load the items first, or name the column of ids with --role item_id=COLUMN."
    )


def test_predictions_without_a_split_match_an_id_found_in_one_split_only(stocked, make_items, make_predictions):
    stocked.load(stocked.put("eval.csv", make_items(50, prefix="e")))
    frame = pd.concat([make_predictions(), make_predictions(50, prefix="e")])

    stocked.load(stocked.put("predictions.csv", frame))

    assert stocked.ask("SELECT split, count(*) FROM predictions JOIN items USING (item) GROUP BY 1 ORDER BY 1") == [
        ("eval", 50),
        ("train", 200),
    ]


def test_an_id_in_two_splits_asks_which(stocked, make_items, make_predictions):
    stocked.load(stocked.put("eval.csv", make_items(50)))
    path = stocked.put("predictions.csv", make_predictions(50))

    assert stocked.refuse(path) == (
        "predictions.csv: id 'i0' is in the splits 'eval', 'train'. Say which one with --split."
    )
    assert "There is no split 'evl'. Did you mean 'eval'?" in stocked.refuse(path, split="evl")

    stocked.load(path, split="eval")
    assert stocked.ask("SELECT DISTINCT split FROM predictions JOIN items USING (item)") == [("eval",)]


def test_the_file_name_says_which_split_where_it_is_there(stocked, make_items, make_predictions):
    stocked.load(stocked.put("eval.csv", make_items(50)))

    report = stocked.load(stocked.put("test_predictions.csv", make_predictions(50)))

    assert first_tally(report).kept == 50
    assert stocked.ask("SELECT DISTINCT split FROM predictions JOIN items USING (item)") == [("eval",)]


# --- Classes


def test_labels_that_only_one_side_knows_are_reported(stocked):
    frame = pd.DataFrame({"item_id": ["i0", "i1"], "prob_a": [0.6, 0.9], "prob_c": [0.4, 0.1]})

    report = stocked.load(stocked.put("predictions.csv", frame))

    assert first_tally(report).labels_only_in_predictions == ("c",)
    assert first_tally(report).labels_only_in_items == ("b",)
    assert first_tally(report).notes == [
        "No item is labelled 'c', which the model predicts or has a probability for.",
        "The model knows no class 'b': items labelled so are always errors.",
    ]


def test_no_class_on_both_sides_is_refused(stocked):
    path = stocked.put("predictions.csv", pd.DataFrame({"item_id": ["i0", "i1"], "predicted": ["A", "B"]}))

    assert stocked.refuse(path) == (
        "predictions.csv predicts ['A', 'B'], the items are labelled ['a', 'b']: no class is in both. "
        "Rename the classes on one side."
    )


# --- What comes later


def test_the_same_predictions_twice_change_nothing(stocked, make_predictions):
    path = stocked.put("predictions.csv", make_predictions())
    stocked.load(path)
    before = stocked.state()

    report = stocked.load(path)

    assert (report.changed, first_tally(report).already_there) == (False, 200)
    assert stocked.state() == before


def test_other_predictions_ask_for_a_name_or_for_replace(stocked, make_predictions):
    frame = make_predictions()
    stocked.load(stocked.put("predictions.csv", frame))
    frame.loc[:1, ["prob_a", "prob_b"]] = 0.5
    path = stocked.put("predictions.csv", frame)

    assert stocked.refuse(path) == (
        "predictions.csv: model 'model' already has other predictions for 2 of these items. "
        "Give a second model a name with --model NAME, or use --replace to take the new values."
    )

    second = stocked.load(path, model="second")
    assert first_tally(second).kept == 200
    replaced = stocked.load(path, replace=True)
    assert (first_tally(replaced).kept, first_tally(replaced).replaced, first_tally(replaced).already_there) == (
        2,
        2,
        198,
    )
    assert stocked.ask("SELECT name FROM models ORDER BY model") == [("model",), ("second",)]


def test_a_model_keeps_its_classes(stocked, make_predictions):
    stocked.load(stocked.put("predictions.csv", make_predictions()))
    frame = pd.DataFrame({"item_id": ["i0"], "prob_a": [0.5], "prob_c": [0.5]})

    message = stocked.refuse(stocked.put("more.csv", frame))

    assert message == (
        "more.csv has probabilities for ['a', 'c'], model 'model' has ['a', 'b']. Load it under another name with --model."
    )


def test_labels_and_probabilities_of_one_model_may_come_in_two_files(stocked, make_predictions):
    frame = make_predictions()
    stocked.load(stocked.put("labels.csv", frame[["item_id", "predicted"]][:100]))

    stocked.load(stocked.put("probabilities.csv", frame.drop(columns="predicted")[100:]))

    assert stocked.ask("SELECT count(*), count(pred_probs) FROM predictions") == [(200, 100)]
    assert stocked.ask("SELECT classes FROM models") == [(["a", "b"],)]


def test_identical_rows_count_once_and_different_ones_are_both_rejected(stocked, make_predictions):
    frame = make_predictions()
    frame = pd.concat([frame, frame[:2], frame[5:6].assign(predicted="b", prob_a=0.5, prob_b=0.5)])

    report = stocked.load(stocked.put("predictions.csv", frame))

    assert (first_tally(report).kept, first_tally(report).duplicates) == (199, 2)
    assert reasons(report) == [
        (7, "item_id", "id 'i5' has 2 different predictions"),
        (204, "item_id", "id 'i5' has 2 different predictions"),
    ]


def test_labels_beside_predictions_must_say_what_the_items_say(stocked, make_items, make_predictions):
    frame = make_predictions().merge(make_items()[["item_id", "label"]])
    report = stocked.load(stocked.put("p.csv", frame), dry_run=True)
    assert (report.files[0].kind, first_tally(report).kept) == ("predictions", 200)
    frame.loc[3, "label"] = "a"
    path = stocked.put("p.csv", frame)

    assert stocked.refuse(path) == (
        "p.csv: ids with another label than the items have: 1, for example 'i3'. Use --kind items --split train "
        "--replace to take the new labels, or --role feature=label to leave them."
    )

    stocked.load(path, kind="items", split="train", replace=True)
    assert stocked.ask("SELECT given_label FROM items WHERE item_id = 'i3'") == [("a",)]
    assert stocked.ask("SELECT count(*) FROM predictions") == [(200,)]


def test_a_table_of_items_with_gaps_in_its_predictions_may_come_twice(desk, make_items, make_predictions):
    """Without features it looks like predictions the second time; its gaps are no faults then either."""
    frame = make_items()[["item_id", "label"]].merge(make_predictions(150), how="left")
    path = desk.put("all.csv", frame)
    desk.load(path)

    again = desk.load(path)

    assert (again.changed, again.files[0].kind, first_tally(again).already_there) == (False, "predictions", 200)


def test_predictions_need_predictions(stocked, make_items):
    assert stocked.refuse(stocked.put("p.csv", make_items()), kind="predictions") == (
        "p.csv is read as predictions, but has neither a predicted label nor probabilities. "
        "Name them with --role predicted=COLUMN or --role pred_probs=COLUMN."
    )
