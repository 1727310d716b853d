"""The Slice page: one slice against the rest, who labelled it and its rows, compared with pandas on the files."""

import re

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from analysis.commands.saved import list_saved_slices
from analysis.commands.workspaces import workspace_at

BOLD = 'pen = "bold"'
CLICKED = {"row": 0, "label": ":material/open_in_full:"}


def tick(*rows):
    return {"selection": {"rows": list(rows), "columns": [], "cells": []}}


@pytest.fixture(scope="module")
def digits(digits_folder):
    """Both splits with their errors, read apart from the library."""
    predictions = pd.read_csv(digits_folder / "predictions.csv", dtype=str).set_index("item_id")["predicted"]
    splits = {}
    for split in ("eval", "train"):
        frame = pd.read_parquet(digits_folder / f"{split}.parquet")
        frame["predicted"] = frame["item_id"].map(predictions)
        frame["error"] = frame["predicted"] != frame["label"]
        splits[split] = frame
    return splits


@pytest.fixture
def large_workspace(table_workspace):
    """1,500 items, 1,200 of them wrong, all in one place."""
    frame = pd.DataFrame({"item_id": [f"i{k:04d}" for k in range(1500)], "label": "a", "place": "here"})
    frame["predicted"] = np.where(np.arange(1500) < 1200, "b", "a")
    return table_workspace({"eval": frame})


def sentence(at):
    return next(text.value for text in at.markdown if text.value.startswith("#####")).replace("\\", "")


def words(at):
    """Return everything that is said, without the backslashes that Markdown takes away."""
    return re.sub(r"\\(.)", r"\1", " ".join(text.value for text in [*at.markdown, *at.caption, *at.info]))


def tables(at):
    """Return the tables by their first column; the rows behind the slice begin with the item."""
    return {table.value.columns[0]: table.value for table in at.dataframe}


def button(at, label):
    return next(found for found in at.button if found.label == label)


@pytest.mark.parametrize(
    ("text", "split", "holds"),
    [
        (BOLD, "eval", lambda frame: frame["pen"] == "bold"),
        ('holes = 1 & pen in {"bold", "thin"}', "train", lambda f: (f["holes"] == 1) & f["pen"].isin(["bold", "thin"])),
    ],
)
def test_the_sentence_is_what_the_files_say(open_app, digits_workspace, digits, text, split, holds):
    at = open_app(digits_workspace, "slice", slice=text, split=split)
    frame = digits[split]
    inside, rest = frame[holds(frame)]["error"], frame[~holds(frame)]["error"]
    low, high = proportion_confint(inside.sum(), len(inside), method="wilson")
    assert sentence(at) == (
        f"##### Errors are **{inside.mean() / frame['error'].mean():.1f}× as common here** as in all of {split}: "
        f"{inside.sum()} of {len(inside)} (**{inside.mean():.1%}**, 95% CI {low * 100:.1f} to {high * 100:.1f}%) "
        f"against {rest.mean():.1%} in the rest."
    )
    assert f"`{text}` :gray-badge[chosen by you, not tested]" in [found.value for found in at.markdown]
    assert at.get("plotly_chart")


def test_the_title_is_the_slice_in_words(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice='holes = 1 & pen = "bold"', split="eval")
    assert at.header[0].value == "holes is 1 and pen is bold"


def test_errors_are_listed_by_what_they_are_taken_for(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="train")
    inside = digits["train"][(digits["train"]["pen"] == "bold") & digits["train"]["error"]]
    expected = inside.groupby(["label", "predicted"]).size()
    shown = tables(at)["Label"]
    assert shown.set_index(["Label", "Predicted"])["Items"].to_dict() == expected.to_dict()
    assert list(shown["Items"]) == sorted(expected, reverse=True)


def test_a_ticked_confusion_opens_the_narrower_slice(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    first = tables(at)["Label"].iloc[0]
    at.session_state["slice confusions 0"] = tick(0)
    at.run()
    narrower = f'@given_label = "{first["Label"]}" & @predicted = "{first["Predicted"]}" & {BOLD}'
    assert at.session_state["slice"] == narrower
    assert at.query_params["slice"] == narrower
    assert f"{first['Items']} of {first['Items']} " in sentence(at)


def test_who_labelled_these_is_compared_with_their_share_of_the_rest(open_app, digits_workspace, digits, digits_folder):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="train")
    votes = pd.read_csv(digits_folder / "votes.csv", dtype=str).merge(digits["train"], on="item_id")
    bold = votes["pen"] == "bold"
    n_in, n_out = votes[bold]["item_id"].nunique(), votes[~bold]["item_id"].nunique()
    inside = votes[bold].groupby("annotator")["item_id"].nunique()
    outside = votes[~bold].groupby("annotator")["item_id"].nunique()
    shown = tables(at)["Person"].set_index("Person")
    assert set(shown.index) == set(inside.index)
    for person, row in shown.iterrows():
        a, b = inside[person], outside[person]
        assert row["Items"] == a
        assert row["Share"] == pytest.approx(100 * a / n_in)
        assert row["Expected"] == pytest.approx(n_in * b / n_out)
        assert row["Difference"] == pytest.approx(100 * (a / n_in - b / n_out))
        low, high = confint_proportions_2indep(a, n_in, b, n_out, compare="diff", method="newcomb")
        assert row["95% CI"] == f"{low * 100:+.1f} to {high * 100:+.1f}"


def test_a_ticked_person_opens_the_narrower_slice(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="train")
    person = tables(at)["Person"]["Person"].iloc[2]
    at.session_state["slice people 0"] = tick(2)
    at.run()
    assert at.session_state["slice"] == f'@annotator = "{person}" & {BOLD}'


def test_where_nobody_is_known_to_have_labelled_the_page_says_why(open_app, digits_workspace, large_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    assert "Nobody's votes on these items of eval are loaded" in words(at)
    at = open_app(large_workspace, "slice", slice='place = "here"', split="eval")
    assert "nobody's votes are loaded" in words(at)


@pytest.mark.parametrize("only", ["errors", "correct", "all"])
def test_the_rows_are_those_of_the_files(open_app, digits_workspace, digits, only):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval", **{f"slice rows {BOLD} eval": only})
    inside = digits["eval"][digits["eval"]["pen"] == "bold"]
    kept = {"errors": inside["error"], "correct": ~inside["error"], "all": inside["error"] | True}[only]
    expected = inside[kept]
    shown = tables(at)["item_id"]
    assert list(shown["item_id"]) == list(expected["item_id"][:100])
    assert list(shown["predicted"]) == list(expected["predicted"][:100])
    assert list(shown["stroke_width"]) == list(expected["stroke_width"][:100])
    assert f"1 to {min(100, len(expected))} of {len(expected)}." in words(at)


def test_rows_beyond_a_hundred_are_on_the_next_page(open_app, large_workspace):
    chosen = {'slice page place = "here" eval errors': 12}
    at = open_app(large_workspace, "slice", slice='place = "here"', split="eval", **chosen)
    shown = tables(at)["item_id"]
    assert list(shown["item_id"]) == [f"i{k:04d}" for k in range(1100, 1200)]
    assert "1,101 to 1,200 of 1,200." in words(at)


def test_the_errors_are_added_to_the_basket_and_the_button_says_how_many(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    wrong = digits["eval"][(digits["eval"]["pen"] == "bold") & digits["eval"]["error"]]
    button(at, f"Add {len(wrong)} errors to basket").click().run()
    assert at.session_state["basket"] == tuple(("eval", item) for item in wrong["item_id"])
    assert f":gray-badge[{len(wrong)} items]" in words(at)


def test_of_many_errors_the_first_thousand_are_added_with_both_numbers_said(open_app, large_workspace):
    at = open_app(large_workspace, "slice", slice='place = "here"', split="eval")
    button(at, "Add the first 1,000 of 1,200 errors to basket").click().run()
    assert len(at.session_state["basket"]) == 1000


def test_ticked_rows_are_added_to_the_basket(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    shown = tables(at)["item_id"]["item_id"]
    at.session_state[f"slice items {BOLD} eval errors 1"] = tick(1, 4)
    at.run()
    button(at, "Add 2 rows to basket").click().run()
    assert at.session_state["basket"] == (("eval", shown[1]), ("eval", shown[4]))


def test_an_item_opens_beside_the_page(open_app, digits_workspace, digits, digits_folder):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="train")
    item = tables(at)["item_id"]["item_id"].iloc[0]
    at.session_state["open item"] = CLICKED
    at.run()
    votes = pd.read_csv(digits_folder / "votes.csv", dtype=str).query("item_id == @item")
    assert sorted(tables(at)["Annotator"]["Annotator"]) == sorted(votes["annotator"])
    row = digits["train"].set_index("item_id").loc[item]
    labels = at.table[0].value.iloc[:, 0].to_dict()
    assert (labels["Given"], labels["Predicted"]) == (row["label"], row["predicted"])
    assert at.button(key="add item").label == "Add to basket"


def test_the_slice_becomes_the_filter(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval", filter="holes = 1")
    assert "the filter is not applied here" in words(at)
    button(at, "Use as filter").click().run()
    assert at.session_state["filter"] == BOLD
    assert at.header[0].value == "Slices"
    assert "where pen is bold" in sentence(at)


def test_its_items_can_be_asked_for_again(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    button(at, "Relabel these").click().run()
    assert not at.exception
    assert at.session_state["request source"] == f"slice:{BOLD}"
    assert at.header[0].value == "Relabel"


def test_a_slice_is_saved_by_name_and_forgotten(open_app, digits_copy):
    # Copies of one workspace have one id, so what was kept of another copy is dropped.
    st.cache_data.clear()
    at = open_app(digits_copy, "slice", slice=BOLD, split="eval")
    at.button(key=f"save {BOLD}").click().run()
    assert "needs a name" in at.error[0].value
    at.text_input(key=f"save name {BOLD}").set_value("Bold digits")
    at.button(key=f"save {BOLD}").click().run()
    assert not at.exception
    assert [(kept.slice, kept.name) for kept in list_saved_slices(workspace_at(digits_copy))] == [(BOLD, "Bold digits")]
    at.button(key=f"drop {BOLD}").click().run()
    assert list_saved_slices(workspace_at(digits_copy)) == ()


def test_the_split_is_chosen_under_method_and_stays_in_the_address(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval")
    at.selectbox(key="slice split").select("train").run()
    assert at.query_params["split"] == "train"
    assert f" of {(digits['train']['pen'] == 'bold').sum()} " in sentence(at)


def test_another_metric_is_named(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval", metric="recall", **{"metric class": "8"})
    eights = digits["eval"][digits["eval"]["label"] == "8"]
    inside, rest = (eights[(eights["pen"] == "bold") == side]["error"] for side in (True, False))
    assert "Recall of 8 here, on eval" in sentence(at)
    assert f"**{1 - inside.mean():.1%}**" in sentence(at)
    assert f"against {1 - rest.mean():.1%} in the rest" in sentence(at)
    at = open_app(digits_workspace, "slice", slice=BOLD, split="eval", metric="log_loss")
    assert re.search(r"Log loss here, on eval: 210 items \(\*\*0\.\d{4}\*\*", sentence(at))


@pytest.mark.parametrize("slice_", [None, "all", "not & a slice"])
def test_without_a_slice_the_page_points_to_slices(open_app, digits_workspace, slice_):
    at = open_app(digits_workspace, "slice", url={} if slice_ is None else {"slice": slice_})
    assert "No slice is open" in at.info[0].value
    button(at, "Open Slices").click().run()
    assert at.header[0].value == "Slices"


def test_a_link_opens_the_slice(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", url={"slice": BOLD, "split": "train"})
    assert at.header[0].value == "pen is bold"
    assert "as in all of train" in sentence(at)


@pytest.mark.parametrize("link", [{"slice": "pne = 1"}, {"slice": BOLD, "split": "evil"}])
def test_a_link_to_what_is_not_there_is_answered_in_a_sentence(open_app, digits_workspace, link):
    at = open_app(digits_workspace, "slice", url=link)
    assert "Did you mean" in at.error[0].value.replace("\\", "")


def test_a_slice_that_holds_no_item_says_so(open_app, digits_workspace):
    at = open_app(digits_workspace, "slice", slice="holes = 99", split="eval")
    assert "No item of eval is in this slice" in sentence(at)
    assert not at.dataframe
    assert at.query_params["slice"] == "holes = 99"


def test_a_slice_without_errors_shows_all_its_rows(open_app, digits_workspace, digits):
    frame = digits["eval"]
    clean = next(width for width, rows in frame.groupby("width") if not rows["error"].any())
    at = open_app(digits_workspace, "slice", slice=f"width = {clean}", split="eval")
    assert "No errors in this slice" in words(at)
    assert len(tables(at)["item_id"]) == (frame["width"] == clean).sum()
    assert not any("errors to basket" in found.label for found in at.button)


def test_a_slice_with_no_rest_says_so(open_app, large_workspace):
    at = open_app(large_workspace, "slice", slice='place = "here"', split="eval")
    assert "Errors are **1.0× as common here**" in sentence(at)
    assert "so there is no rest" in sentence(at)


def test_one_row_and_no_error_at_all_is_a_page(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": ["a"], "label": ["x"], "predicted": ["x"], "open": ["yes"]})
    at = open_app(table_workspace({"eval": frame}), "slice", slice='open = "yes"', split="eval")
    assert "0 of 1" in sentence(at)
    # A column of the user may have the name of ours.
    assert list(tables(at)["item_id"]["open"]) == ["yes"]


def test_without_predictions_the_page_says_what_to_load(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": ["a", "b"], "label": ["x", "y"], "size": [1, 2]})
    at = open_app(table_workspace({"eval": frame}), "slice", slice="size = 1", split="eval")
    assert "No predictions are loaded" in at.info[0].value.replace("\\", "")


def test_names_of_users_are_shown_as_they_are(open_app, table_workspace):
    frame = pd.DataFrame(
        {"item_id": ["*a*", "b"], "label": ["<b>", "$5$"], "predicted": ["$5$", "$5$"], "`x`": ["[y](z)", "n"]}
    )
    at = open_app(table_workspace({"eval": frame}), "slice", slice='"`x`" = "[y](z)"', split="eval")
    assert r"\[y\]" in at.header[0].value
    assert re.sub(r"\\(.)", r"\1", at.header[0].value) == '"`x`" is "[y](z)"'
    at.session_state["open item"] = CLICKED
    at.run()
    assert not at.exception
