"""Slices by columns or by a slice: the rows of pandas, the order of the contract, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from analysis.commands.load import LoadOptions, load
from analysis.commands.one_slice import describe_slice, fetch_slice_rows
from analysis.commands.slice_texts import read_slice
from analysis.commands.slices import SlicesOptions, list_metrics, list_slice_columns, profile_slices
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError


@pytest.fixture
def held(small) -> pd.DataFrame:
    """Eval as pandas has it, with 0/1 errors."""
    rows = small.items[small.items["split"] == "eval"]
    return rows.assign(wrong=(rows["label"] != rows["shown"]).astype(int))


def texts(result) -> list[str]:
    return [row.where.to_text() for row in result.slices]


def test_groups_are_those_of_pandas_missing_among_them(small, held):
    result = profile_slices(small.workspace, SlicesOptions(by=("city",)))

    groups = held.groupby(held["city"].fillna("?"))["wrong"].agg(["size", "sum"])
    found = {row.where.predicates[0].value or "?": (row.profile.support, row.profile.errors) for row in result.slices}
    assert found == {name: tuple(row) for name, row in groups.iterrows()}
    assert result.overall.rate == pytest.approx(held["wrong"].mean())


def test_the_most_excess_errors_come_first(small):
    excess = [row.profile.excess_errors for row in profile_slices(small.workspace, SlicesOptions(by=("city",))).slices]

    assert excess == sorted(excess, reverse=True)
    assert sum(excess) == pytest.approx(0, abs=1e-9)


def test_where_higher_is_better_the_worst_come_first_too(small):
    options = SlicesOptions(by=("city",), metric="recall", positive="<=50K")

    excess = [row.profile.excess_errors for row in profile_slices(small.workspace, options).slices]

    assert excess == sorted(excess)


def test_inside_a_slice_the_rest_is_the_rest_of_that_slice(small, held):
    result = profile_slices(small.workspace, SlicesOptions(by=("city",), where="age >= 40"))

    older = held[held["age"] >= 40]
    assert result.overall.support == len(older)
    for row in result.slices:
        city = row.where.predicates[-1].value
        if city:
            assert row.profile.rest_rate == pytest.approx(older.loc[older["city"] != city, "wrong"].mean())


def test_a_slice_alone_is_compared_with_the_rest_of_its_split(small, held):
    result = profile_slices(small.workspace, SlicesOptions(where="age >= 40"))

    inside = held["age"] >= 40
    (row,) = result.slices
    assert result.overall.support == len(held)
    assert row.profile.rate == pytest.approx(held.loc[inside, "wrong"].mean())
    assert row.profile.rest_rate == pytest.approx(held.loc[~inside, "wrong"].mean())


@pytest.mark.parametrize(
    ("min_support", "least"), [(0.07, 9), (0.25, 30), (1, 1), (29.5, 30), (30, 30), (0.0, 0), (0.1, 12)]
)
def test_small_groups_are_left_out_and_counted(small, held, min_support, least):
    """A share is rounded up, as the decimal that was typed: 0.1 of 120 rows are 12."""
    result = profile_slices(small.workspace, SlicesOptions(by=("age",), min_support=min_support))
    everything = profile_slices(small.workspace, SlicesOptions(by=("age",)))

    kept = [row.profile.support for row in everything.slices if row.profile.support >= least]
    assert sorted(row.profile.support for row in result.slices) == sorted(kept)
    lost = len(everything.slices) - len(kept)
    assert any("are left out" in note for note in result.notes) == bool(lost)


def test_a_share_is_that_of_the_decimal_that_was_typed(tmp_path):
    """0.07 of 100 rows are 7 rows, though as doubles 0.07 x 100 is a little more."""
    frame = pd.DataFrame({"item_id": range(100), "label": ["a", "b"] * 50, "predicted": "a"})
    frame["kind"] = ["rare"] * 7 + ["common"] * 93
    frame.to_csv(tmp_path / "eval.csv", index=False)
    workspace = workspace_at(tmp_path / "w.relook")
    load(workspace, [tmp_path / "eval.csv"])

    assert len(profile_slices(workspace, SlicesOptions(by=("kind",), min_support=0.07)).slices) == 2
    workspace.close()


def test_the_first_few_are_said_to_be_few(small):
    everything = profile_slices(small.workspace, SlicesOptions(by=("city", "age")))

    result = profile_slices(small.workspace, SlicesOptions(by=("city", "age"), top=3))

    assert texts(result) == texts(everything)[:3]
    assert f"The first 3 of {len(everything.slices)} groups are listed." in result.notes


def test_people_overlap_and_the_page_says_so(small):
    result = profile_slices(small.workspace, SlicesOptions(split="train", by=("@annotator",)))

    assert result.overlaps
    assert "Several people may have voted on one item, so these slices overlap." in result.notes
    supports = {row.where.predicates[0].value: row.profile.support for row in result.slices}
    assert {name: supports[name] for name in ("ana", "ben", "cleo")} == small.votes.groupby(
        "annotator"
    ).size().to_dict()


def test_what_only_a_search_knows_is_null(small):
    found = profile_slices(small.workspace, SlicesOptions(by=("city",))).to_dict()

    for row in found["slices"]:
        assert [row[key] for key in ("p_value", "q_value", "confirmed", "discovery")] == [None] * 4
        assert row["folded"] == []
    assert found["exact"] is True
    assert found["labels_as_of"] == 0


def test_without_a_trial_rates_are_unknown_and_a_note_says_why(tmp_path):
    frame = pd.DataFrame({"item_id": ["p", "q"], "label": [None, None], "predicted": ["a", "b"], "size": ["s", "l"]})
    frame.to_csv(tmp_path / "eval.csv", index=False)
    workspace = workspace_at(tmp_path / "w.relook")
    load(workspace, [tmp_path / "eval.csv"])

    result = profile_slices(workspace, SlicesOptions(by=("size",)))

    workspace.close()
    assert result.overall.rate is None
    assert result.notes[-1] == "No row counts for this metric: it needs items with a label and a prediction."
    assert [row["rate"] for row in result.to_dict()["slices"]] == [None, None]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (SlicesOptions(), "Nothing to compare: name one or two columns with --by, or a slice with --where"),
        (SlicesOptions(by=("age", "age")), "--by takes one or two different columns, got"),
        (SlicesOptions(by=("age",), top=0), "--top is a number of groups from 1 on, got 0"),
        (SlicesOptions(by=("age",), top=-1), "--top is a number of groups from 1 on, got -1"),
        (SlicesOptions(by=("age",), min_support=float("nan")), "--min-support is a share below 1 or a number of rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(small, options, sentence):
    with pytest.raises(AnalysisError, match=sentence):
        profile_slices(small.workspace, options)


def test_the_metrics_and_columns_on_offer(small):
    assert {name for name, (_title, needs_class) in list_metrics().items() if needs_class} == {
        "recall", "precision", "false_positives", "false_negatives",
    }  # fmt: skip
    assert list_slice_columns(small.workspace) == (
        "text", "age", "city", "confidence", "text.words", "text.characters", "text.capitals", "text.digits",
        "text.punctuation", "@given_label", "@predicted", "@annotator",
    )  # fmt: skip


# --- One slice in full


def test_a_slice_says_who_labelled_it_against_the_rest(small):
    detail = describe_slice(small.workspace, SlicesOptions(split="train", where="age >= 40", min_support=0.9))

    votes = small.votes.merge(small.items[["item_id", "age"]])
    inside = votes[votes["age"] >= 40]
    voted = small.items[small.items["item_id"].isin(votes["item_id"])]
    known_in, known_out = (voted["age"] >= 40).sum(), (voted["age"] < 40).sum()
    for person in detail.people:
        mine = (inside["annotator"] == person.annotator).sum()
        others = ((votes["annotator"] == person.annotator) & (votes["age"] < 40)).sum()
        assert person.items == mine
        assert person.share == pytest.approx(mine / known_in)
        assert person.expected == pytest.approx(known_in * others / known_out)
        assert person.low <= person.difference <= person.high
    assert [p.difference for p in detail.people] == sorted((p.difference for p in detail.people), reverse=True)
    assert sum(cell.count for cell in detail.inside) == detail.row.profile.trials


def test_users_columns_named_as_ours_are_shown_beside_them(small):
    page = fetch_slice_rows(small.workspace, "age >= 40", limit=5)

    assert list(page.rows.columns) == [
        "item_id", "label", "predicted", "error", "confidence", "text", "age", "city", "confidence_", "text.words",
        "text.characters", "text.capitals", "text.digits", "text.punctuation",
    ]  # fmt: skip
    own = small.items.set_index("item_id").loc[page.rows["item_id"], "confidence"]
    assert np.allclose(page.rows["confidence_"], own)


def test_pages_end_where_the_slice_ends(small, held):
    total = int((held["age"] >= 40).sum())
    last = fetch_slice_rows(small.workspace, "age >= 40", offset=total - 2, limit=100)

    assert (last.total, len(last.rows), last.offset) == (total, 2, total - 2)
    assert fetch_slice_rows(small.workspace, "age >= 40", offset=total).rows.empty


def test_a_slice_is_read_into_its_canonical_text_and_a_sentence():
    assert read_slice('sex = "Male" & age>=60') == ('age >= 60 & sex = "Male"', "age is 60 or more and sex is Male")
    with pytest.raises(AnalysisError, match="In the slice"):
        read_slice("age >=")


def test_two_models_are_told_apart(small_copy, small, tmp_path):
    frame = small.items[["item_id", "label"]].rename(columns={"label": "predicted"})
    frame.to_csv(tmp_path / "perfect.csv", index=False)
    load(small_copy, [tmp_path / "perfect.csv"], LoadOptions(model="perfect"))

    last = profile_slices(small_copy, SlicesOptions(by=("city",)))
    first = profile_slices(small_copy, SlicesOptions(by=("city",), model="model"))

    small_copy.close()
    assert (last.model, last.overall.errors) == ("perfect", 0)
    assert (first.model, first.overall.errors > 0) == ("model", True)
