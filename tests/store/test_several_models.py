"""Several models beside each other, columns named by hand, and ids that several splits share."""

import pandas as pd
import pytest


def first_tally(report):
    return report.files[-1].tally


def reasons(report):
    return [(reject.line, reject.column, reject.reason) for reject in report.files[-1].tally.rejects]


# --- Several models


def test_a_column_of_models_loads_them_in_one_go(stocked, make_predictions):
    first, second = make_predictions(), make_predictions().assign(predicted="a", prob_a=0.75, prob_b=0.25)
    frame = pd.concat([first.assign(model_name="small"), second.assign(model_name="large")]).sample(
        frac=1, random_state=0
    )

    report = stocked.load(stocked.put("p.csv", frame))

    assert first_tally(report).kept == 400
    assert stocked.ask("SELECT name, classes FROM models ORDER BY name") == [
        ("large", ["a", "b"]),
        ("small", ["a", "b"]),
    ]
    for name, expected in (("small", first), ("large", second)):
        kept = stocked.ask(
            "SELECT i.item_id, p.predicted, p.pred_probs[1] FROM predictions p JOIN items i USING (item) "
            "JOIN models m USING (model) WHERE m.name = ? ORDER BY p.item",
            name,
        )
        assert kept == list(expected[["item_id", "predicted", "prob_a"]].itertuples(index=False, name=None))
    assert not stocked.load(stocked.folder / "p.csv").changed


def test_the_name_that_the_user_gives_beats_the_column_of_models(stocked, make_predictions):
    stocked.load(stocked.put("p.csv", make_predictions().assign(model_name="small")), model="mine")

    assert stocked.ask("SELECT name FROM models") == [("mine",)]


def test_a_second_model_in_a_file_leaves_the_first_alone(stocked, make_predictions):
    frame = make_predictions()
    stocked.load(stocked.put("p.csv", frame), model="small")
    both = pd.concat([frame.assign(model_name="small", prob_a=0.5, prob_b=0.5), frame.assign(model_name="large")])

    assert "p.csv: model 'small' already has other predictions for 200 of these items." in stocked.refuse(
        stocked.put("p.csv", both)
    )
    assert stocked.ask("SELECT name FROM models") == [("small",)]


def test_a_prediction_of_no_model_is_rejected(stocked, make_predictions):
    frame = make_predictions().assign(model_name=["m1", "m2"] * 100)
    frame.loc[5, "model_name"] = None

    report = stocked.load(stocked.put("p.csv", frame))

    assert reasons(report) == [(7, "model_name", "no name of a model")]
    assert first_tally(report).kept == 199


def test_models_whose_classes_stand_in_another_order_are_not_mixed(stocked, make_predictions):
    frame = make_predictions()
    stocked.load(stocked.put("p.csv", frame), model="m1")
    stocked.load(stocked.put("p.csv", frame), model="m2", classes=("b", "a"))
    both = stocked.put("both.csv", pd.concat([frame.assign(model_name="m1"), frame.assign(model_name="m2")]))

    assert stocked.refuse(both) == (
        "both.csv holds models whose classes stand in different orders here: 'm1' has ['a', 'b'], 'm2' has ['b', 'a']. "
        "Load each from a file of its own with --model."
    )


@pytest.mark.parametrize(("folds", "expected"), [(["1", "2"] * 100, True), ([*["1"] * 199, None], None), (None, None)])
def test_a_model_is_out_of_sample_where_every_train_row_names_its_fold(stocked, make_predictions, folds, expected):
    frame = make_predictions() if folds is None else make_predictions().assign(fold=folds)

    stocked.load(stocked.put("p.csv", frame))

    assert stocked.ask("SELECT out_of_sample FROM models") == [(expected,)]


def test_folds_of_eval_rows_say_nothing_of_train(desk, make_items, make_predictions):
    desk.load(desk.put("eval.csv", make_items()), desk.put("p.csv", make_predictions().assign(fold="1")))

    assert desk.ask("SELECT out_of_sample FROM models") == [(None,)]


# --- Named by hand


def test_columns_of_probabilities_may_be_named_by_hand(stocked, make_predictions):
    frame = (
        make_predictions()
        .rename(columns={"prob_a": "softness of a", "prob_b": "softness of b"})
        .drop(columns="predicted")
    )
    said = (("probability", "softness of a"), ("probability", "softness of b"))

    report = stocked.load(stocked.put("p.csv", frame), roles=said)

    assert report.files[0].roles.probabilities == {"a": "softness of a", "b": "softness of b"}
    assert first_tally(report).kept == 200


# --- Ids in several splits


def test_ids_that_are_partly_in_two_splits_ask_which(stocked, make_items, make_predictions):
    stocked.load(stocked.put("eval.csv", pd.concat([make_items(3), make_items(50, prefix="e")])))
    frame = pd.concat([make_predictions()[5:], make_predictions(50, prefix="e")])
    path = stocked.put("p.csv", frame)

    report = stocked.load(path, dry_run=True)
    assert first_tally(report).kept == 245
    clash = stocked.put("p.csv", pd.concat([frame, make_predictions()[1:2]]))
    assert stocked.refuse(clash) == "p.csv: id 'i1' is in the splits 'eval', 'train'. Say which one with --split."

    told = stocked.put("p.csv", pd.concat([frame, make_predictions()[1:2].assign(split="eval")]))
    stocked.load(told)
    assert stocked.ask(
        "SELECT i.split, i.item_id FROM predictions JOIN items i USING (item) WHERE i.item_id IN ('i1', 'e1') ORDER BY 1, 2"
    ) == [("eval", "e1"), ("eval", "i1")]
