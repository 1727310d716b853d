"""The Slices page shows what pandas counts from the files, and what the command line prints."""

import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner

from analysis.commands.saved import list_saved_slices, save_slice
from analysis.commands.workspaces import workspace_at
from dashboard.cli import app

TICKED = {"selection": {"rows": [1], "columns": [], "cells": []}}


@pytest.fixture(scope="module")
def digits(digits_folder):
    """Both splits with their errors, read apart from the library."""
    predictions = pd.read_csv(digits_folder / "predictions.csv", dtype=str).set_index("item_id")["predicted"]
    splits = {}
    for split in ("eval", "train"):
        frame = pd.read_parquet(digits_folder / f"{split}.parquet")
        frame["predicted"] = frame["item_id"].map(predictions)
        frame["error"] = (frame["predicted"] != frame["label"]).astype(int)
        splits[split] = frame
    return splits


@pytest.fixture
def wide_workspace(table_workspace):
    """Items in 250 groups of four, the first group wrong throughout, and one model."""
    groups = np.repeat([f"g{k:03d}" for k in range(250)], 4)
    items = pd.DataFrame({"item_id": [f"i{k:04d}" for k in range(1000)], "label": "a", "place": groups})
    items["predicted"] = np.where(items["place"] == "g000", "b", "a")
    return table_workspace({"eval": items})


def headline(at):
    return next(text.value for text in at.markdown if text.value.startswith("#####"))


def said(at):
    """Return all captions as they are read, without the backslashes that Markdown takes away."""
    return re.sub(r"\\(.)", r"\1", " ".join(caption.value for caption in at.caption))


def tile(at):
    """Return the rows of the table of groups by the text of their slice."""
    return at.dataframe[0].value.set_index("As text")


def assert_counts(table, expected):
    """Compare the table with pandas: support, errors, rate and everything that follows from them."""
    total = expected.sum()
    overall = total["errors"] / total["support"]
    assert set(table.index) == set(expected.index)
    for text, row in expected.iterrows():
        shown = table.loc[text]
        rate = row["errors"] / row["support"]
        rest = (total["errors"] - row["errors"]) / (total["support"] - row["support"])
        low, high = proportion_confint(row["errors"], row["support"], method="wilson")
        assert (shown["Support"], shown["Trials"], shown["Errors"]) == (row["support"], row["support"], row["errors"])
        assert shown["Rate"] == pytest.approx(100 * rate)
        assert shown["95% CI"] == f"{low * 100:.1f} to {high * 100:.1f}%"
        assert shown["Difference"] == pytest.approx(100 * (rate - rest))
        assert shown["Lift"] == pytest.approx(rate / overall)
        assert shown["Excess"] == pytest.approx(row["errors"] - overall * row["support"])
    assert list(table["Excess"]) == sorted(table["Excess"], reverse=True)


def test_the_sentence_and_the_groups_are_those_of_the_files(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", by="pen")
    errors, items = digits["eval"]["error"].sum(), len(digits["eval"])
    low, high = proportion_confint(errors, items, method="wilson")
    assert headline(at) == (
        f"##### The model is wrong on **{errors / items:.1%}** of eval "
        f"(95% CI {low * 100:.1f} to {high * 100:.1f}%, {errors} of {items})."
    )
    expected = digits["eval"].groupby("pen")["error"].agg(support="size", errors="sum")
    expected.index = [f'pen = "{pen}"' for pen in expected.index]
    assert_counts(tile(at), expected)


def test_two_columns_give_a_square_for_each_combination_that_holds_an_item(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", **{"by": "holes", "and by": "@given_label"})
    expected = digits["eval"].groupby(["label", "holes"])["error"].agg(support="size", errors="sum")
    expected.index = [f'@given_label = "{label}" & holes = {holes}' for label, holes in expected.index]
    assert_counts(tile(at), expected)
    squares = json.loads(at.get("plotly_chart")[0].proto.spec)["data"][-1]
    texts = dict(zip([key for (key,) in squares["customdata"]], squares["text"], strict=True))
    rates = expected["errors"] / expected["support"]
    assert texts == {text: f"{rate:.1%}" for text, rate in rates.items()}
    assert len(expected) < digits["eval"]["label"].nunique() * digits["eval"]["holes"].nunique()
    assert "Empty: no item" in said(at)


def test_the_first_feature_is_the_start(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices")
    features = [name for name in digits["eval"].columns if name not in {"item_id", "label", "image"}]
    assert at.selectbox(key="by").value == features[0]
    assert at.selectbox(key="and by").value is None


@pytest.mark.parametrize(
    "chosen",
    [
        {"by": "stroke_width"},
        {"by": "@annotator", "slices split": "train", "fewest rows": 100},
        {"by": "pen", "and by": "@given_label", "filter": "stroke_width >= 1.2"},
        {"by": "pen", "metric": "recall", "metric class": "8"},
        {"by": "pen", "metric": "log_loss"},
    ],
    ids=["bins", "annotators", "filtered", "recall", "log loss"],
)
def test_the_copied_command_prints_the_numbers_of_the_page(open_app, digits_workspace, chosen):
    at = open_app(digits_workspace, "slices", **chosen)
    program, *arguments = shlex.split(at.code[0].value)
    assert program == "relook"
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code == 0, printed.output
    found = json.loads(printed.stdout)
    table = at.dataframe[0].value
    assert list(table["As text"]) == [row["slice"] for row in found["slices"]]
    scale = 1 if chosen.get("metric") == "log_loss" else 100
    for name, key, times in (
        ("Support", "support", 1),
        ("Trials", "trials", 1),
        ("Errors", "errors", 1),
        ("Rate", "rate", scale),
        ("Difference", "difference", scale),
        ("Lift", "lift", 1),
        ("Excess", "excess_errors", 1),
    ):
        expected = [np.nan if row[key] is None else row[key] * times for row in found["slices"]]
        np.testing.assert_allclose(table[name].astype(float), expected, rtol=1e-12)
    for note in found["notes"]:
        assert note in said(at)


def test_inside_a_filter_only_its_items_are_grouped(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", by="pen", filter="holes = 1")
    inside = digits["eval"][digits["eval"]["holes"] == 1]
    assert f"**{inside['error'].mean():.1%}** of eval where holes is 1 " in headline(at)
    assert f"{inside['error'].sum()} of {len(inside)})" in headline(at)
    expected = inside.groupby("pen")["error"].agg(support="size", errors="sum")
    expected.index = [f'holes = 1 & pen = "{pen}"' for pen in expected.index]
    assert_counts(tile(at), expected)
    assert sorted(at.dataframe[0].value["Slice"]) == sorted(digits["eval"]["pen"].unique())


def test_recall_is_named_with_its_class_and_counts_only_it(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", **{"by": "pen", "metric": "recall", "metric class": "8"})
    eights = digits["eval"][digits["eval"]["label"] == "8"]
    assert f"Recall of 8 on eval is **{1 - eights['error'].mean():.1%}**" in headline(at)
    table = tile(at)
    for pen, rows in eights.groupby("pen"):
        shown = table.loc[f'pen = "{pen}"']
        assert (shown["Trials"], shown["Errors"]) == (len(rows), (rows["error"] == 0).sum())
        assert shown["Support"] == (digits["eval"]["pen"] == pen).sum()


def test_a_filter_that_nothing_fulfils_gets_a_sentence_and_a_way_out(open_app, digits_workspace):
    at = open_app(digits_workspace, "slices", by="pen", filter="holes = 99")
    assert headline(at) == "##### No item of eval where holes is 99."
    assert not at.dataframe
    button = next(button for button in at.button if button.label == "Take the filter away")
    button.click().run()
    assert at.session_state["filter"] == "all"
    assert not at.info
    assert len(at.dataframe[0].value) == 3


def test_a_condition_built_from_choices_becomes_the_filter(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", **{"add filter 0": True})
    at.selectbox(key="filter column 0").select("pen").run()
    at.selectbox(key="filter op 0 pen").select("=").run()
    at.selectbox(key="filter value 0 pen =").select("bold").run()
    bold = (digits["eval"]["pen"] == "bold").sum()
    assert f"pen is bold: {bold} items of eval" in said(at)
    at.button(key="filter add 0").click().run()
    assert not at.exception
    assert at.session_state["filter"] == 'pen = "bold"'
    assert at.query_params["filter"] == 'pen = "bold"'
    assert f"{bold})" in headline(at)


@pytest.mark.parametrize(
    ("column", "op", "act", "expected"),
    [
        ("holes", "<=", lambda at: at.number_input(key="filter number 0 holes <=").set_value(1), "holes <= 1"),
        ("top_heavy", "=", lambda at: at.get_by_key("filter truth 0 top_heavy ="), "top_heavy = true"),
        ("pen", "is missing", lambda at: at, "pen is missing"),
        (
            "@annotator",
            "in",
            lambda at: at.multiselect(key="filter values 0 @annotator in").set_value(["ben", "ana"]),
            '@annotator in {"ana", "ben"}',
        ),
        ("pen", "contains", lambda at: at.text_input(key="filter typed 0 pen contains").set_value("o"), "pen contains"),
    ],
)
def test_each_kind_of_column_has_its_comparisons_and_its_value(open_app, digits_workspace, column, op, act, expected):
    at = open_app(digits_workspace, "slices", **{"add filter 0": True})
    at.selectbox(key="filter column 0").select(column).run()
    at.selectbox(key=f"filter op 0 {column}").select(op).run()
    act(at)
    at.run()
    at.button(key="filter add 0").click().run()
    assert not at.exception
    assert at.session_state["filter"].startswith(expected)


def test_days_are_compared_as_dates(open_app, table_workspace):
    days = pd.date_range("2026-01-01", periods=40)
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(40)], "label": "a", "predicted": "a", "day": days})
    at = open_app(table_workspace({"eval": frame}), "slices", **{"add filter 0": True})
    at.selectbox(key="filter column 0").select("day").run()
    at.date_input(key="filter day 0 day >=").set_value(days[30].date()).run()
    at.button(key="filter add 0").click().run()
    assert at.session_state["filter"] == "day >= 2026-01-31"
    assert tile(at)["Support"].sum() == 10


def test_a_slice_can_be_written_and_joins_the_filter(open_app, digits_workspace):
    at = open_app(digits_workspace, "slices", filter="holes = 1", **{"add filter 0": True})
    at.text_input(key="filter written 0").set_value('pen = "bold" & holes = 1')
    at.form_submit_button[0].click().run()
    assert at.session_state["filter"] == 'holes = 1 & pen = "bold"'


@pytest.mark.parametrize(
    ("written", "message"),
    [("pen = bold", "expected"), ("pne = 1", "Did you mean 'pen'"), ("pen >= 3", "pen"), ("", "expected")],
)
def test_what_is_no_slice_is_said_and_changes_nothing(open_app, digits_workspace, written, message):
    at = open_app(digits_workspace, "slices", **{"add filter 0": True})
    at.text_input(key="filter written 0").set_value(written)
    at.form_submit_button[0].click().run()
    assert message in at.error[0].value.replace("\\", "")
    assert "filter" not in at.query_params
    assert len(at.dataframe[0].value) == 5


def test_a_ticked_row_opens_its_slice_and_is_forgotten(open_app, digits_workspace):
    at = open_app(digits_workspace, "slices", by="pen")
    text = at.dataframe[0].value["As text"].iloc[1]
    at.session_state["slices table 0"] = TICKED
    at.run()
    assert at.session_state["slice"] == text
    assert at.query_params["slice"] == text
    assert at.query_params["split"] == "eval"
    at.switch_page("views/slices.py").run()
    assert at.header[0].value == "Slices"


def test_a_clicked_dot_opens_its_slice(open_app, digits_workspace):
    at = open_app(digits_workspace, "slices", by="pen")
    dots = json.loads(at.get("plotly_chart")[0].proto.spec)["data"][0]
    assert [key for (key,) in dots["customdata"]] == list(at.dataframe[0].value["As text"])
    at.session_state["slices figure 0"] = {"selection": {"points": [{"customdata": dots["customdata"][2]}]}}
    at.run()
    assert at.session_state["slice"] == dots["customdata"][2][0]
    assert at.query_params["split"] == "eval"


def test_more_than_200_groups_are_listed_in_part_with_both_numbers_said(open_app, wide_workspace):
    at = open_app(wide_workspace, "slices", by="place")
    table = at.dataframe[0].value
    assert len(table) == 200
    assert table["Slice"].iloc[0] == "g000"
    assert "The first 200 of 250 groups" in said(at)
    assert "The first 20 of 250 groups" in said(at)


def test_small_groups_can_be_left_out_and_are_counted(open_app, digits_workspace, digits):
    at = open_app(digits_workspace, "slices", **{"by": "width", "fewest rows": 50})
    sizes = digits["eval"]["width"].value_counts()
    assert len(at.dataframe[0].value) == (sizes >= 50).sum()
    assert f"{(sizes < 50).sum()} groups with fewer than 50 rows are left out" in said(at)


def test_a_choice_that_is_no_longer_there_is_dropped(open_app, digits_workspace):
    chosen = {"by": "gone", "and by": "gone", "slices split": "gone", "metric": "gone", "metric class": "gone"}
    at = open_app(digits_workspace, "slices", **chosen)
    assert at.selectbox(key="by").value == "ink"
    assert "of eval" in headline(at)


def test_without_predictions_the_page_says_what_to_load(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": ["a", "b"], "label": ["x", "y"]})
    at = open_app(table_workspace({"eval": frame}), "slices")
    assert "No predictions are loaded" in at.info[0].value.replace("\\", "")
    assert any(button.label == "Open Data" for button in at.button)


def test_one_row_of_one_class_is_a_page(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": ["a"], "label": ["x"], "predicted": ["x"], "size": [1.5], "empty": [None]})
    path = table_workspace({"eval": frame})
    for by in ("size", "@given_label"):
        at = open_app(path, "slices", by=by)
        assert "0 of 1)" in headline(at)
        row = at.dataframe[0].value.iloc[0]
        assert (row["Support"], row["Errors"], row["Rate"]) == (1, 0, 0)
        # There is no rest to compare with.
        assert row["Difference 95% CI"] == "–"


def test_items_without_labels_have_no_rate_and_the_page_says_so(open_app, table_workspace):
    frame = pd.DataFrame({"item_id": ["a", "b"], "label": [None, None], "predicted": ["x", "y"], "size": [1, 2]})
    train = pd.DataFrame({"item_id": ["c"], "label": ["x"], "predicted": ["x"], "size": [1]})
    at = open_app(table_workspace({"eval": frame, "train": train}), "slices", by="size")
    assert "2 items of eval, and no rate to show" in headline(at)
    assert list(at.dataframe[0].value["Support"]) == [1, 1]
    assert "needs items with a label and a prediction" in said(at)


def test_names_of_users_are_shown_as_they_are(open_app, table_workspace):
    frame = pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "label": ["<b>*1*</b>", ":red[x]", "$5$"],
            "predicted": ["<b>*1*</b>", "$5$", "$5$"],
            "my *column* & more": ["<i>", 'say "hi"', "a | b"],
        }
    )
    path = table_workspace({"eval": frame})
    at = open_app(path, "slices", by="my *column* & more", **{"and by": "@given_label"})
    assert set(at.dataframe[0].value["Support"]) == {1}
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert "&lt;i&gt;" in json.dumps(spec)
    assert "<i>" not in spec["layout"]["xaxis"]["ticktext"] + spec["layout"]["yaxis"]["ticktext"]
    filtered = open_app(path, "slices", filter='"my *column* & more" = "say ""hi"""')
    assert r"\*column\*" in headline(filtered)
    assert 'where "my *column* & more" is "say ""hi"""' in re.sub(r"\\(.)", r"\1", headline(filtered))


def test_saved_slices_are_listed_opened_and_removed(open_app, digits_copy):
    # Copies of one workspace have one id, so what was kept of another copy is dropped.
    st.cache_data.clear()
    workspace = workspace_at(digits_copy)
    save_slice(workspace, 'pen = "bold"', "Bold *pen*")
    workspace.close()
    at = open_app(digits_copy, "slices")
    assert any(button.label == r"Bold \*pen\*" for button in at.button)
    at.button(key='open pen = "bold"').click().run()
    assert at.session_state["slice"] == 'pen = "bold"'
    at = open_app(digits_copy, "slices")
    at.button(key='remove pen = "bold"').click().run()
    assert not at.exception
    assert list_saved_slices(workspace_at(digits_copy)) == ()
    assert not any(subheader.value == "Saved slices" for subheader in at.subheader)


def test_log_loss_is_no_percentage(open_app, digits_workspace):
    at = open_app(digits_workspace, "slices", by="pen", metric="log_loss")
    assert "Log loss on eval is **0." in headline(at)
    assert "%" not in headline(at).replace("95%", "")
