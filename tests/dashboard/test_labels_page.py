"""The Labels page against cleanlab and against the sample's files, read here with pandas alone."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.labels import FILTERS, SCORE_METHODS
from dashboard.parts import label_charts
from dashboard.parts.label_queue import PAGE_ROWS

cleanlab_filter = pytest.importorskip("cleanlab.filter")
cleanlab_count = pytest.importorskip("cleanlab.count")

DIGITS = [str(digit) for digit in range(10)]


class Expected:
    """What cleanlab finds in a split of the sample, from its files."""

    def __init__(self, folder, split):
        items = pd.read_parquet(folder / f"{split}.parquet").astype({"item_id": str, "label": str})
        predictions = pd.read_csv(folder / "predictions.csv", dtype={"item_id": str, "predicted": str})
        table = items.merge(predictions, on="item_id")
        probs = table[[f"p_{digit}" for digit in DIGITS]].to_numpy()
        self.table = table
        self.probs = probs / probs.sum(axis=1, keepdims=True)
        self.labels = table["label"].astype(int).to_numpy()
        options = {"filter_by": "prune_by_noise_rate", "return_indices_ranked_by": "normalized_margin", "n_jobs": 1}
        self.rows = cleanlab_filter.find_label_issues(self.labels, self.probs, **options)
        self.ids = table["item_id"].to_numpy()[self.rows].tolist()
        self.joint = cleanlab_count.compute_confident_joint(self.labels, self.probs, calibrate=True)

    def likely(self, row):
        """The most probable other class among those over threshold, else among all."""
        thresholds = [self.probs[self.labels == digit, digit].mean() for digit in range(10)]
        others = [digit for digit in range(10) if digit != self.labels[row]]
        over = [digit for digit in others if self.probs[row, digit] >= thresholds[digit]]
        return max(over or others, key=lambda digit: self.probs[row, digit])


@pytest.fixture(scope="module")
def train(digits_folder):
    return Expected(digits_folder, "train")


def read_sentence(at):
    return next(element.value for element in at.markdown if element.value.startswith("#####"))


def read_queue(at):
    return next(table.value for table in at.dataframe if "Quality" in table.value.columns)


def read_heading(at):
    return next(element.value for element in at.markdown if ", rank " in element.value)


def find_button(at, start):
    return next(button for button in at.button if button.label.startswith(start))


def test_the_sentence_and_the_budget_say_what_cleanlab_finds(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    off_diagonal = train.joint.sum() - np.trace(train.joint)
    assert read_sentence(at) == (
        f"##### **{len(train.ids)} suspects** among 1,197 labels of train; "
        f"about {off_diagonal} label errors are estimated."
    )
    assert at.number_input[0].value == min(50, len(train.ids))


def test_the_queue_is_in_cleanlabs_order_with_quality_from_the_margin(open_app, digits_workspace, train):
    queue = read_queue(open_app(digits_workspace, "labels"))
    assert queue["Item"].tolist() == train.ids[:PAGE_ROWS]
    assert queue["Rank"].tolist() == list(range(1, PAGE_ROWS + 1))
    for row, item in zip(train.rows, queue.itertuples(), strict=False):
        given = train.labels[row]
        best_other = np.delete(train.probs[row], given).max()
        assert (item.Given, item.Likely) == (str(given), str(train.likely(row)))
        assert item.Quality == pytest.approx((train.probs[row, given] - best_other + 1) / 2, abs=1e-6)
    assert "Annotator" not in queue.columns, "a consensus of three people has no one person"


def test_the_chosen_item_is_shown_with_its_reasons_labels_and_votes(open_app, digits_workspace, train, digits_folder):
    at = open_app(digits_workspace, "labels")
    row = train.rows[0]
    given, likely = train.labels[row], train.likely(row)
    reason, votes = (element.value for element in at.text)
    assert reason.startswith(f"Given {given}; the model says {likely} with {train.probs[row, likely]:.2f}")
    every = pd.read_csv(digits_folder / "votes.csv", dtype=str)
    own = every[every["item_id"] == train.ids[0]]
    for label, count in own["label"].value_counts().items():
        assert f"{count} x {label}" in votes
    assert at.table[0].value["value"].to_dict() == {
        "Given": str(given),
        "Likely": str(likely),
        "Predicted": str(likely),
    }
    shown = next(table.value for table in at.dataframe if "Batch" in table.value.columns)
    assert sorted(shown["Annotator"]) == sorted(own["annotator"])


def test_next_and_previous_walk_the_queue_and_the_url_follows(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    assert find_button(at, "Previous").disabled
    for place in (1, 2):
        find_button(at, "Next").click().run()
        assert at.query_params["item"] == train.ids[place]
    find_button(at, "Previous").click().run()
    assert not at.exception
    assert read_heading(at) == f"**{train.ids[1]}**, rank 2"
    assert at.query_params["item"] == train.ids[1]


def test_a_link_opens_its_item_on_its_page_of_the_queue(open_app, digits_workspace, train):
    wanted = PAGE_ROWS + 4
    at = open_app(digits_workspace, "labels", url={"split": "train", "item": train.ids[wanted]})
    assert read_heading(at) == f"**{train.ids[wanted]}**, rank {wanted + 1}"
    assert read_queue(at)["Item"].tolist() == train.ids[PAGE_ROWS : 2 * PAGE_ROWS]
    find_button(at, "Next").click().run()
    assert read_heading(at) == f"**{train.ids[wanted + 1]}**, rank {wanted + 2}"


def test_page_numbers_turn_the_queue_and_the_last_item_has_no_next(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    at.pagination[0].set_value(3).run()
    assert not at.exception
    assert read_queue(at)["Item"].tolist() == train.ids[2 * PAGE_ROWS :]
    for _step in range(len(train.ids) - 2 * PAGE_ROWS - 1):
        find_button(at, "Next").click().run()
    assert read_heading(at) == f"**{train.ids[-1]}**, rank {len(train.ids)}"
    assert find_button(at, "Next").disabled


def test_the_budget_cuts_the_queue_and_fills_the_basket_with_it(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    at.number_input[0].set_value(5).run()
    assert read_queue(at)["Item"].tolist() == train.ids[:5]
    find_button(at, "Add the first 5").click().run()
    assert not at.exception
    assert at.session_state["basket"] == tuple(("train", item) for item in train.ids[:5])
    assert read_queue(at)["Basket"].all()
    assert at.toast[0].value == "5 items added to the basket."


def test_one_item_goes_into_the_basket_and_out_again(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    find_button(at, "Add to basket").click().run()
    assert at.session_state["basket"] == (("train", train.ids[0]),)
    assert read_queue(at)["Basket"].tolist() == [True] + [False] * (PAGE_ROWS - 1)
    find_button(at, "Remove from basket").click().run()
    assert at.session_state["basket"] == ()


def test_the_time_is_the_budget_at_the_median_pace_of_all_votes(open_app, digits_workspace, digits_folder, train):
    pace = pd.read_csv(digits_folder / "votes.csv")["seconds"].median()
    minutes = round(len(train.ids) * pace / 60)
    at = open_app(digits_workspace, "labels")
    assert f"About {minutes} minutes at {pace:.1f} seconds each" in [element.value for element in at.caption]


def test_the_matrix_is_the_calibrated_confident_joint(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    chart = next(chart for chart in at.get("plotly_chart") if chart.key.startswith("joint"))
    counts = {(given, likely): count for given, likely, count in json.loads(chart.proto.spec)["data"][0]["customdata"]}
    assert counts == {(given, likely): train.joint[int(given), int(likely)] for given in DIGITS for likely in DIGITS}


def test_the_pairs_beside_it_count_suspects_and_estimates(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    pairs = next(table.value for table in at.dataframe if "Estimated" in table.value.columns)
    listed = pd.Series([(str(train.labels[row]), str(train.likely(row))) for row in train.rows]).value_counts()
    assert pairs.set_index(["Given", "Likely"])["Suspects"].loc[lambda n: n > 0].to_dict() == listed.to_dict()
    assert pairs["Suspects"].is_monotonic_decreasing
    assert pairs["Estimated"].sum() == train.joint.sum() - np.trace(train.joint)


def test_a_cell_filters_the_queue_and_a_button_shows_all_again(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels", **{"labels pair": (("train", "model"), ("8", "9"))})
    wanted = [
        (rank, item)
        for rank, (row, item) in enumerate(zip(train.rows, train.ids, strict=True), start=1)
        if (train.labels[row], train.likely(row)) == (8, 9)
    ]
    queue = read_queue(at)
    assert list(zip(queue["Rank"], queue["Item"], strict=True)) == wanted
    assert at.number_input[0].value == len(wanted)
    find_button(at, "Given 8, likely 9").click().run()
    assert len(read_queue(at)) == PAGE_ROWS


def test_a_cell_without_suspects_says_so(open_app, digits_workspace):
    at = open_app(digits_workspace, "labels", **{"labels pair": (("train", "model"), ("0", "1"))})
    assert [element.value for element in at.info] == ["None of the suspects is in this cell."]


def test_the_active_filter_lists_only_its_suspects(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels", url={"filter": 'pen = "bold"'})
    bold = set(train.table.loc[train.table["pen"] == "bold", "item_id"])
    inside = [item for item in train.ids if item in bold]
    assert 0 < len(inside) < len(train.ids)
    assert read_sentence(at).startswith(
        f"##### **{len(inside)} suspects** inside the filter; about 53 label errors are"
    )
    assert read_queue(at)["Item"].tolist() == inside[:PAGE_ROWS]


def test_eval_is_a_click_away_and_stays_in_the_url(open_app, digits_workspace, digits_folder):
    expected = Expected(digits_folder, "eval")
    at = open_app(digits_workspace, "labels")
    at.get("segmented_control")[0].set_value("eval").run()
    assert not at.exception
    assert read_sentence(at).startswith(f"##### **{len(expected.ids)} suspects** among 600 labels of eval")
    assert read_queue(at)["Item"].tolist() == expected.ids[:PAGE_ROWS]
    assert at.query_params["split"] == "eval"


def test_the_split_of_an_open_slice_is_not_taken_for_that_of_the_labels(open_app, digits_workspace):
    at = open_app(digits_workspace, "labels", slice='pen = "bold"', split="eval")
    assert "labels of train" in read_sentence(at)


def test_another_filter_and_another_order_are_behind_method(open_app, digits_workspace, train):
    at = open_app(digits_workspace, "labels")
    at.selectbox(key="labels filter").set_value("predicted_neq_given").run()
    at.selectbox(key="labels order").set_value("self_confidence").run()
    differs = np.flatnonzero(train.probs.argmax(axis=1) != train.labels)
    own = train.probs[differs, train.labels[differs]]
    assert read_sentence(at).startswith(f"##### **{len(differs)} suspects**")
    assert read_queue(at)["Item"].iloc[0] == train.table["item_id"].iloc[differs[own.argmin()]]


def test_every_method_of_the_library_is_offered_with_a_sentence():
    assert list(label_charts.FILTERS) == list(FILTERS)
    assert list(label_charts.SCORES) == list(SCORE_METHODS)
    assert all(text.endswith(".") for text in (*label_charts.FILTERS.values(), *label_charts.SCORES.values()))


def make_panel(labels, probs, classes, **columns):
    ids = [f"i{row:03d}" for row in range(len(labels))]
    # A column of the user's own: items with an annotator and nothing else would be read as votes.
    given = [classes[label] for label in labels]
    items = pd.DataFrame({"item_id": ids, "size": range(len(ids)), "label": given, **columns})
    predicted = [classes[label] for label in probs.argmax(axis=1)]
    values = {f"prob_{name}": probs[:, column] for column, name in enumerate(classes)}
    return items, pd.DataFrame({"item_id": ids, "predicted": predicted, **values})


def test_labels_that_are_markdown_are_shown_as_they_are(open_app, table_workspace):
    classes = ["*a* $x$", "<b>b</b> [c](d)", ":smile: _e_"]
    labels = np.repeat([0, 1, 2], 20)
    probs = np.full((60, 3), 0.1)
    probs[np.arange(60), labels] = 0.8
    probs[0] = [0.05, 0.9, 0.05]
    items, predictions = make_panel(labels, probs, classes, annotator=["*ann*"] * 60)
    at = open_app(table_workspace({"train": items, "predictions": predictions}), "labels")
    assert at.text[0].value.startswith("Given *a* $x$; the model says <b>b</b> [c](d) with 0.90")
    assert read_queue(at).iloc[0][["Given", "Likely", "Annotator"]].tolist() == [classes[0], classes[1], "*ann*"]
    assert at.table[0].value["value"].tolist()[0] == r"\*a\* \$x\$"


def test_labels_the_model_repeats_are_no_suspects_and_the_page_says_so(open_app, table_workspace):
    labels = np.repeat([0, 1], 20)
    probs = np.full((40, 2), 0.1)
    probs[np.arange(40), labels] = 0.9
    items, predictions = make_panel(labels, probs, ["cat", "dog"])
    at = open_app(table_workspace({"train": items, "predictions": predictions}), "labels")
    assert read_sentence(at).startswith("##### **0 suspects** among 40 labels of train; about 0 label errors are")
    assert [element.value for element in at.info] == ["No label of train is a suspect."]


def test_probabilities_that_look_in_sample_are_warned_about(open_app, table_workspace):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    probs = np.full((400, 2), 0.02)
    probs[np.arange(400), labels] = 0.98
    probs[300:] = np.where(rng.random((100, 1)) < 0.2, probs[300:, ::-1], probs[300:])
    items, predictions = make_panel(labels, probs, ["cat", "dog"])
    frames = {"train": items[:300], "eval": items[300:], "predictions": predictions}
    at = open_app(table_workspace(frames), "labels")
    assert "out-of-sample" in at.warning[0].value
    assert sum("in-sample" in element.value for element in (*at.caption, *at.warning)) == 1


def test_predictions_without_probabilities_lead_to_data(open_app, table_workspace):
    labels = np.array([0, 1] * 10)
    items, predictions = make_panel(labels, np.eye(2)[labels], ["cat", "dog"])
    at = open_app(table_workspace({"train": items, "predictions": predictions[["item_id", "predicted"]]}), "labels")
    assert "has no probabilities" in at.info[0].value
    find_button(at, "Open Data")
