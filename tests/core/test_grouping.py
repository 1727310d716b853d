"""Groups of a column share out the rows, and each is what its predicate says."""

import itertools
from datetime import date

import numpy as np
import pandas as pd
import pytest

from analysis.core.facts import Population
from analysis.core.grouping import MAX_LEVELS, count_groups, fit_grouping
from analysis.core.metrics import LOSS_UNIT, resolve_metric
from analysis.core.predicate import Slice
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError

COLUMNS = ["kind", "holes", "steps", "width", "heavy", "seen", "@given_label", "@predicted", "@split"]
LISTS = ["@annotator", "@batch"]


def group(world, *columns, where="all", split="eval", metric="error_rate", positive=None):
    with world.workspace.read() as snapshot:
        population = Population.of(snapshot, split=split, model=1, where=parse_slice(where), named=columns)
        chosen = resolve_metric(
            metric, positive=positive, classes=snapshot.classes, model_classes=snapshot.models[0].classes
        )
        groupings = [fit_grouping(snapshot, population, column) for column in columns]
        return count_groups(snapshot, population, chosen, groupings)


def to_counts(groups):
    return {Slice(g.predicates).to_text(): (g.support, g.trials, g.numerator, g.squares) for g in groups}


def mark(frame, predicate):
    """The slow readable twin of one predicate, on a pandas column."""
    names = {"@given_label": "label", "@predicted": "shown", "@split": "split"}
    column = frame[names.get(predicate.column, predicate.column)]
    value = pd.Timestamp(predicate.value) if isinstance(predicate.value, date) else predicate.value
    if predicate.op == "is missing":
        return column.isna().to_numpy(bool)
    if predicate.op == "is present":
        return column.notna().to_numpy(bool)
    if predicate.op == "=":
        held = column == value
    elif predicate.op == "in":
        low, high = (pd.Timestamp(end) if isinstance(end, date) else end for end in (value.low, value.high))
        held = (column >= low) & (column < high)
    else:
        held = {"<": column.lt, ">=": column.ge}[predicate.op](value)
    return held.fillna(value=False).to_numpy(bool)


@pytest.fixture(scope="module")
def frame(world):
    return world.items[world.items["split"] == "eval"].reset_index(drop=True)


def expect(frame, mask):
    rows = frame[mask]
    both = rows.dropna(subset=["label", "shown"])
    errors = int((both["label"] != both["shown"]).sum())
    return len(rows), len(both), errors, errors


@pytest.mark.parametrize("column", COLUMNS)
def test_the_groups_of_a_column_share_out_the_rows(world, frame, column):
    groups = group(world, column)

    masks = [mark(frame, found.predicates[0]) for found in groups]
    assert (np.sum(masks, axis=0) == 1).all()
    for found, mask in zip(groups, masks, strict=True):
        assert (found.support, found.trials, found.numerator, found.squares) == expect(frame, mask)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "@split"])
def test_missing_is_a_group_of_its_own_and_comes_last(world, frame, column):
    last = group(world, column)[-1]

    assert last.predicates[0].op == "is missing"
    assert last.support == mark(frame, last.predicates[0]).sum() > 0


def test_the_groups_of_two_columns_share_out_the_rows(world, frame):
    groups = group(world, "kind", "width")

    assert sum(found.support for found in groups) == len(frame)
    for found in groups:
        mask = mark(frame, found.predicates[0]) & mark(frame, found.predicates[1])
        assert (found.support, found.trials, found.numerator, found.squares) == expect(frame, mask)


def test_without_columns_there_is_one_total(world, frame):
    (total,) = group(world)

    assert (total.support, total.trials, total.numerator, total.squares) == expect(frame, np.ones(len(frame), bool))
    assert total.predicates == ()


def test_inside_a_slice_only_its_rows_are_grouped(world, frame):
    groups = group(world, "heavy", where="holes >= 2")

    inside = (frame["holes"] >= 2).fillna(value=False).to_numpy(bool)
    for found in groups:
        assert found.support == (inside & mark(frame, found.predicates[0])).sum()


def held_by(world, column, value):
    return set(world.votes["item_id"][world.votes[column.removeprefix("@")] == value])


@pytest.mark.parametrize("column", LISTS)
def test_people_overlap_each_group_is_all_items_that_the_person_voted_on(world, frame, column):
    groups = group(world, column)

    found = {g.predicates[0].value: g.support for g in groups if g.predicates[0].op == "="}
    values = world.votes[column.removeprefix("@")].unique()
    assert found == {value: frame["item_id"].isin(held_by(world, column, value)).sum() for value in values}
    assert sum(found.values()) > frame["item_id"].isin(world.votes["item_id"]).sum()
    nobody = groups[-1]
    assert nobody.predicates[0].op == "is missing"
    assert nobody.support == (~frame["item_id"].isin(world.votes["item_id"])).sum()


def test_two_overlapping_columns_are_crossed_not_paired(world, frame):
    groups = group(world, "@annotator", "@batch")

    found = {tuple(p.value for p in g.predicates): g.support for g in groups if g.predicates[0].op == "="}
    expected = {
        (name, batch): (
            frame["item_id"].isin(held_by(world, "@annotator", name) & held_by(world, "@batch", batch))
        ).sum()
        for name, batch in itertools.product(["ana", "ben", "cleo", "dov"], ["m1", "m2"])
    }
    assert found == {key: count for key, count in expected.items() if count}


def test_a_person_and_a_column_of_the_items_go_together(world, frame):
    for found in group(world, "kind", "@annotator"):
        who = found.predicates[1].value
        mask = mark(frame, found.predicates[0]) & (
            frame["item_id"].isin(held_by(world, "@annotator", who) if who else set()).to_numpy()
            if who
            else ~frame["item_id"].isin(world.votes["item_id"]).to_numpy()
        )
        assert (found.support, found.trials, found.numerator, found.squares) == expect(frame, mask)


@pytest.mark.parametrize("columns", [*[(name,) for name in COLUMNS + LISTS], ("kind", "width"), ("@annotator", "seen")])
def test_permuting_the_rows_of_the_files_changes_nothing(world, shuffled, columns):
    assert to_counts(group(world, *columns)) == to_counts(group(shuffled, *columns))


def test_permuting_the_rows_changes_no_loss(world, shuffled):
    assert to_counts(group(world, "kind", metric="log_loss")) == to_counts(group(shuffled, "kind", metric="log_loss"))


def test_losses_are_summed_as_whole_units_and_so_are_their_squares(world, frame):
    names = {"cat": "prob_cat", "dog": "prob_dog", "eel": "prob_eel"}
    usable = frame[frame["label"].notna() & frame["prob_cat"].notna()]
    p = np.array([row[names[row["label"]]] for _, row in usable.iterrows()], dtype="float32").astype(float)
    units = np.round(-np.log(np.maximum(p, 2.0**-23)) * LOSS_UNIT).astype(int)

    (total,) = group(world, metric="log_loss")

    assert (total.trials, total.numerator) == (len(usable), pytest.approx(units.sum(), abs=len(usable)))
    assert total.squares == pytest.approx(sum(int(unit) ** 2 for unit in units), rel=1e-6)


def test_whole_numbers_of_few_values_are_levels_and_of_many_are_bins(world):
    levels, bins = group(world, "holes"), group(world, "steps")

    assert [g.predicates[0].to_text() for g in levels] == [*[f"holes = {k}" for k in range(5)], "holes is missing"]
    assert len(bins) == 6
    assert {g.predicates[0].op for g in bins} == {"<", "in", ">=", "is missing"}


def test_twenty_whole_numbers_are_levels_and_one_more_is_not(load_frames):
    ids = [f"n{k}" for k in range(210)]
    frame = pd.DataFrame(
        {"item_id": ids, "label": "a", "x": [k % 20 for k in range(210)], "y": [k % 21 for k in range(210)]}
    )

    with load_frames(train=frame).read() as snapshot:
        population = Population.of(snapshot, split=None, model=None, where=Slice(), named=("x", "y"))
        found = {name: fit_grouping(snapshot, population, name) for name in ("x", "y")}

    assert found["x"].predicates is None
    assert len(found["y"].predicates) == 5


def test_text_of_too_many_values_names_items_and_is_refused(load_frames):
    n = MAX_LEVELS + 1
    frame = pd.DataFrame({"item_id": range(n), "label": "a", "name": [f"x{k}" for k in range(n)]})

    with load_frames(train=frame).read() as snapshot:
        population = Population.of(snapshot, split=None, model=None, where=Slice(), named=("name",))
        with pytest.raises(AnalysisError, match="Column 'name' has 2,001 values, more than 2,000: it names items"):
            fit_grouping(snapshot, population, "name")
        few = Population.of(snapshot, split=None, model=None, where=parse_slice('name contains "x20"'), named=("name",))
        assert fit_grouping(snapshot, few, "name").predicates is None


def test_a_column_without_values_is_one_group(load_frames):
    frame = pd.DataFrame(
        {"item_id": ["p", "q"], "label": ["a", "b"], "x": [None, None], "y": pd.Series([None, None], dtype="float64")}
    )

    with load_frames(train=frame).read() as snapshot:
        for name in ("x", "y"):
            population = Population.of(snapshot, split=None, model=None, where=Slice(), named=(name,))
            metric = resolve_metric("error_rate", positive=None, classes=("a", "b"), model_classes=())
            (only,) = count_groups(snapshot, population, metric, [fit_grouping(snapshot, population, name)])
            assert (only.predicates[0].to_text(), only.support) == (f"{name} is missing", 2)
