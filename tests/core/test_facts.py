"""The one relation behind every count: the right rows, with the right columns, under the right names."""

import pandas as pd
import pytest

from analysis.core.facts import OUR_COLUMNS, Population, kind_of_column, list_columns, resolve_columns
from analysis.core.grouping import count_all
from analysis.core.panel import fetch_gold, fetch_panel
from analysis.core.predicate import OUR_COLUMNS as NAMES_IN_SLICES
from analysis.core.predicate import Predicate, Slice
from analysis.core.probabilities import fetch_probabilities
from analysis.core.rows import count_rows, fetch_rows
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment

ALL = Slice()


def ids_of(snapshot, where, **options):
    options = {"split": "eval", "model": 1, **options}
    population = Population.of(snapshot, where=parse_slice(where), **options)
    return [name for (name,) in snapshot.fetch_all(population.select(Fragment("i.item_id"))) if name]


def test_a_population_is_the_rows_of_its_split_and_slice(world, snapshot):
    items = world.items
    inside = (items["split"] == "eval") & (items["holes"] >= 2).fillna(value=False) & (items["kind"] == "u")

    assert sorted(ids_of(snapshot, 'holes >= 2 & kind = "u"')) == sorted(items.loc[inside, "item_id"])
    assert len(ids_of(snapshot, "all")) == (items["split"] == "eval").sum()
    assert len(ids_of(snapshot, "all", split=None)) == len(items)


def test_items_without_a_prediction_stay_in(world, snapshot):
    population = Population.of(snapshot, split=None, model=1, where=ALL)
    rows = snapshot.fetch_all(population.select(Fragment("i.item_id, p.predicted")))

    assert len(rows) == len(world.items)
    found = dict(rows)
    assert found == {
        name: None if pd.isna(shown) else shown
        for name, shown in zip(world.items["item_id"], world.items["shown"], strict=True)
    }


def test_without_a_model_nothing_is_predicted(snapshot):
    population = Population.of(snapshot, split=None, model=None, where=ALL)

    assert snapshot.fetch_all(population.select(Fragment("count(p.predicted)"))) == [(0,)]


def test_a_slice_and_the_rest_of_its_split_share_out_the_split(snapshot):
    population = Population.of(snapshot, split="eval", model=1, where=parse_slice("width > 7"))
    whole = snapshot.fetch_one(population.select(Fragment("count(*)"), rest=True))[0]
    inside = count_all(snapshot, population)
    outside = Population.of(snapshot, split="eval", model=1, where=parse_slice("width <= 7"))
    missing = Population.of(snapshot, split="eval", model=1, where=parse_slice("width is missing"))

    assert inside + count_all(snapshot, outside) + count_all(snapshot, missing) == whole
    assert 0 < inside < whole


def test_ours_are_written_with_an_at_sign(world, snapshot):
    wrong = world.items["label"].notna() & (world.items["shown"] == "dog") & (world.items["label"] == "cat")

    assert sorted(ids_of(snapshot, '@given_label = "cat" & @predicted = "dog"', split=None)) == sorted(
        world.items["item_id"][wrong]
    )
    assert len(ids_of(snapshot, '@split = "train"', split=None)) == (world.items["split"] == "train").sum()
    assert set(OUR_COLUMNS) == set(NAMES_IN_SLICES)


def test_annotator_holds_for_all_who_voted(world, snapshot):
    voted = set(world.votes["item_id"][world.votes["annotator"] == "ana"])
    unseen = set(world.items["item_id"]) - set(world.votes["item_id"])

    assert set(ids_of(snapshot, '@annotator = "ana"', split=None)) == voted
    assert set(ids_of(snapshot, "@annotator is missing", split=None)) == unseen
    assert set(ids_of(snapshot, '@batch = "m2"', split=None)) == set(
        world.votes["item_id"][world.votes["batch"] == "m2"]
    )


def test_annotator_holds_for_the_one_who_gave_the_label_where_that_is_known(load_frames):
    items = pd.DataFrame({"item_id": ["p", "q"], "label": ["a", "b"], "annotator": ["ana", "ben"], "x": [1, 2]})
    votes = pd.DataFrame({"item_id": ["p", "p", "q"], "annotator": ["ana", "cleo", "cleo"], "label": ["a", "b", "b"]})
    workspace = load_frames(train=items, votes=votes)

    with workspace.read() as snapshot:
        assert ids_of(snapshot, '@annotator = "ana"', split=None, model=None) == ["p"]
        assert ids_of(snapshot, '@annotator = "cleo"', split=None, model=None) == []


def test_a_name_of_ours_is_no_name_of_the_users(load_frames):
    frame = pd.DataFrame({"item_id": ["p", "q"], "label": ["a", "b"], "item": [7, 8], "predicted label 2": ["x", "y"]})
    workspace = load_frames(train=frame)

    with workspace.read() as snapshot:
        assert ids_of(snapshot, "item = 8", split=None, model=None) == ["q"]
        assert ids_of(snapshot, '"predicted label 2" = "x"', split=None, model=None) == ["p"]


def test_the_columns_that_can_slice_are_the_users_then_ours(snapshot):
    assert list_columns(snapshot) == (
        "kind", "holes", "steps", "width", "heavy", "seen", "@given_label", "@predicted", "@annotator", "@batch",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["item_id", "label", "kinds", "@labeller", "Kind"])
def test_a_column_that_cannot_slice_is_refused(snapshot, name):
    with pytest.raises(UnknownNameError, match=f"There is no column that can slice '{name}'"):
        resolve_columns(snapshot, [name])


def test_bytes_and_lists_cannot_slice(load_frames):
    frame = pd.DataFrame({"item_id": ["p"], "label": ["a"], "png": [b"x"], "vector": [[1.0, 2.0]]})

    with load_frames(train=frame).read() as snapshot:
        assert list_columns(snapshot) == ("@given_label",)
        with pytest.raises(UnknownNameError):
            resolve_columns(snapshot, ["vector"])
    assert [kind_of_column(kind) for kind in ("BLOB", "DOUBLE[]", "BOOLEAN")] == [None, None, "boolean"]


# --- Rows, probabilities and votes of a population


def test_pages_of_rows_follow_each_other(world, snapshot):
    population = Population.of(snapshot, split="eval", model=1, where=Slice((Predicate("kind", "=", "u"),)))
    total = count_rows(snapshot, population)
    pages = [fetch_rows(snapshot, population, offset=start, limit=50) for start in range(0, total, 50)]
    rows = pd.concat(pages, ignore_index=True)

    expected = world.items[(world.items["split"] == "eval") & (world.items["kind"] == "u")]
    assert total == len(expected)
    assert rows["item_id"].tolist() == expected["item_id"].tolist()
    assert list(rows.columns) == [
        "item_id", "label", "predicted", "error", "confidence", "kind", "holes", "steps", "width", "heavy", "seen",
    ]  # fmt: skip
    assert rows["error"].sum() == count_rows(snapshot, population, "errors")


def test_errors_and_correct_rows_share_out_the_rows_with_both(world, snapshot):
    population = Population.of(snapshot, split="eval", model=1, where=ALL)
    errors, correct = (fetch_rows(snapshot, population, only=only, limit=1000) for only in ("errors", "correct"))

    assert errors["error"].all()
    assert (errors["label"] != errors["predicted"]).all()
    assert (correct["label"] == correct["predicted"]).all()
    both = snapshot.fetch_one(
        population.select(Fragment("count(*) FILTER (c.label IS NOT NULL AND p.predicted IS NOT NULL)"))
    )
    assert len(errors) + len(correct) == both[0]


def test_users_columns_with_names_of_ours_are_told_apart(load_frames):
    frame = pd.DataFrame({"item_id": ["p"], "y": ["a"], "Error": [1], "error_": [2], "confidence": [3], "label 2": [4]})

    with load_frames(train=frame).read() as snapshot:
        rows = fetch_rows(snapshot, Population.of(snapshot, split=None, model=None, where=ALL))

    assert list(rows.columns)[5:] == ["Error__", "error_", "confidence_", "label 2"]
    assert rows.iloc[0, 5:].tolist() == [1, 2, 3, 4]


def test_probabilities_are_those_of_the_file_in_the_order_of_the_items(world, snapshot):
    found = fetch_probabilities(snapshot, "eval", snapshot.models[0])

    items = world.items[world.items["split"] == "eval"]
    usable = items[items["label"].notna() & items["prob_cat"].notna()]
    assert found.items["item_id"].tolist() == usable["item_id"].tolist()
    assert [found.classes[code] for code in found.labels] == usable["label"].tolist()
    assert found.pred_probs == pytest.approx(usable[["prob_cat", "prob_dog", "prob_eel"]].to_numpy(), abs=1e-6)
    assert found.left_out == len(items) - len(usable)


def test_a_split_without_probabilities_says_so(load_frames):
    frame = pd.DataFrame({"item_id": ["p", "q"], "label": ["a", "b"], "predicted": ["a", "a"], "x": [1, 2]})

    with load_frames(train=frame).read() as snapshot:
        with pytest.raises(AnalysisError, match="Model 'model' has no probabilities for labelled items of 'train'"):
            fetch_probabilities(snapshot, "train", snapshot.models[0])


def test_the_panel_is_all_votes_of_the_population(world, snapshot):
    everybody = fetch_panel(snapshot)
    some = fetch_panel(snapshot, Population.of(snapshot, split="eval", model=1, where=parse_slice('kind = "u"')))

    joined = world.votes.merge(world.items[["item_id", "split", "kind"]])
    assert len(everybody) == len(world.votes)
    assert len(some) == ((joined["split"] == "eval") & (joined["kind"] == "u")).sum()


def test_gold_is_the_gold_label_else_the_untied_majority_of_experts(load_frames, tmp_path):
    from analysis.store.loading import LoadOptions, load_files  # noqa: PLC0415 - only here

    items = pd.DataFrame({"item_id": list("pqrs"), "label": list("aaaa"), "gold": ["b", None, None, None], "x": 1})
    workspace = load_frames(train=items)
    votes = pd.DataFrame(
        [("p", "e1", "a"), ("q", "e1", "b"), ("q", "e2", "b"), ("q", "e3", "a"), ("r", "e1", "a"), ("r", "e2", "b")],
        columns=["item_id", "annotator", "label"],
    )
    votes.to_csv(tmp_path / "experts.csv", index=False)
    load_files(workspace, [tmp_path / "experts.csv"], LoadOptions(gold=True))

    with workspace.read() as snapshot:
        assert fetch_gold(snapshot)["label"].tolist() == ["b", "b"]
        assert fetch_panel(snapshot).empty
