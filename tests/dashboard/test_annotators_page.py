"""The Annotators page against the sample's files, read here with pandas alone, and against other libraries."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

krippendorff = pytest.importorskip("krippendorff")
proportion = pytest.importorskip("statsmodels.stats.proportion")

PEOPLE = ["ana", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivy"]


def find_consensus(labels):
    """The most frequent label; missing where there is none or two are equally frequent."""
    counts = Counter(labels).most_common(2)
    tied = len(counts) == 2 and counts[0][1] == counts[1][1]
    return None if not counts or tied else counts[0][0]


@pytest.fixture(scope="module")
def votes(digits_folder):
    """Every vote of the sample, with the consensus of the others beside it."""
    found = pd.read_csv(digits_folder / "votes.csv", dtype={"item_id": str, "label": str})
    by_item = {item: list(zip(own["annotator"], own["label"], strict=True)) for item, own in found.groupby("item_id")}
    others = [
        find_consensus([label for name, label in by_item[item] if name != person and isinstance(label, str)])
        for item, person in zip(found["item_id"], found["annotator"], strict=True)
    ]
    return found.assign(others=others)


def read_sentence(at):
    return next(element.value for element in at.markdown if element.value.startswith("#####"))


def read_people(at):
    return at.dataframe[0].value.set_index("Annotator")


def read_facts(at):
    return at.table[0].value["value"].to_dict()


def read_figure(at, start):
    chart = next(chart for chart in at.get("plotly_chart") if chart.key.startswith(start))
    return json.loads(chart.proto.spec)


def write_rate(hits, trials):
    low, high = proportion.proportion_confint(hits, trials, method="wilson")
    return f"{hits / trials:.1%} ({low * 100:.1f} to {high * 100:.1f})"


def test_the_sentence_counts_people_votes_and_items_and_gives_alpha(open_app, digits_workspace, votes):
    table = votes.assign(label=votes["label"].astype(float)).pivot_table("label", "annotator", "item_id")
    alpha = krippendorff.alpha(table.to_numpy(), level_of_measurement="nominal")
    sentence = read_sentence(open_app(digits_workspace, "annotators"))
    assert sentence.startswith(
        f"##### **9 annotators**, {len(votes):,} votes on {votes['item_id'].nunique():,} items; "
        f"Krippendorff's alpha {alpha:.2f} (95% CI "
    )


def test_people_stand_in_alphabetical_order_without_a_grade(open_app, digits_workspace):
    at = open_app(digits_workspace, "annotators")
    people = read_people(at)
    assert people.index.tolist() == PEOPLE
    assert people.columns.tolist() == [
        "Votes", "Overlap", "Agreement", "Gold accuracy", "Median seconds", "Most frequent confusion", "Suspects",
    ]  # fmt: skip
    assert [name for (name,) in read_figure(at, "people")["data"][0]["customdata"]] == PEOPLE


def test_agreement_is_the_share_that_equals_the_consensus_of_the_others(open_app, digits_workspace, votes):
    people = read_people(open_app(digits_workspace, "annotators"))
    for person, own in votes.groupby("annotator"):
        compared = own.dropna(subset=["label", "others"])
        hits = int((compared["label"] == compared["others"]).sum())
        assert people.loc[person, "Votes"] == len(own)
        assert people.loc[person, "Overlap"] == len(compared)
        assert people.loc[person, "Agreement"] == write_rate(hits, len(compared))


def test_gold_accuracy_has_its_interval_and_its_trials(open_app, digits_workspace, votes, digits_folder):
    items = pd.read_parquet(digits_folder / "train.parquet").astype({"item_id": str})
    gold = items.dropna(subset=["gold_label"]).set_index("item_id")["gold_label"].astype(int).astype(str)
    people = read_people(open_app(digits_workspace, "annotators"))
    for person, own in votes.dropna(subset=["label"]).groupby("annotator"):
        judged = own[own["item_id"].isin(gold.index)]
        hits = int((judged["label"] == judged["item_id"].map(gold)).sum())
        assert people.loc[person, "Gold accuracy"] == f"{write_rate(hits, len(judged))} of {len(judged)}"


def test_pace_and_the_most_frequent_confusion_are_those_of_the_votes(open_app, digits_workspace, votes):
    people = read_people(open_app(digits_workspace, "annotators"))
    for person, own in votes.groupby("annotator"):
        assert people.loc[person, "Median seconds"] == pytest.approx(own["seconds"].median())
        differs = own.dropna(subset=["label", "others"]).query("label != others")
        most = differs.groupby(["label", "others"]).size().max()
        said, others, count = people.loc[person, "Most frequent confusion"].replace("said ", "").replace(
            ", others ", ":"
        ).split(":")  # fmt: skip
        assert int(count) == most
        assert ((differs["label"] == said) & (differs["others"] == others.strip())).sum() == most


def test_suspects_are_those_the_person_voted_for(open_app, digits_workspace, votes, digits_folder):
    find_label_issues = pytest.importorskip("cleanlab.filter").find_label_issues
    items = pd.read_parquet(digits_folder / "train.parquet").astype({"item_id": str, "label": str})
    predictions = pd.read_csv(digits_folder / "predictions.csv", dtype={"item_id": str})
    table = items.merge(predictions, on="item_id")
    probs = table[[f"p_{digit}" for digit in range(10)]].to_numpy()
    flagged = find_label_issues(
        table["label"].astype(int).to_numpy(), probs / probs.sum(axis=1, keepdims=True), n_jobs=1
    )
    suspects = table.loc[flagged, ["item_id", "label"]]
    expected = votes.merge(suspects, on=["item_id", "label"]).groupby("annotator").size()
    people = read_people(open_app(digits_workspace, "annotators"))
    assert people["Suspects"].to_dict() == expected.reindex(PEOPLE, fill_value=0).to_dict()


def test_one_person_is_chosen_by_name_and_the_row_follows(open_app, digits_workspace, votes):
    at = open_app(digits_workspace, "annotators")
    at.selectbox(key="annotator choice").set_value("dan").run()
    assert not at.exception
    facts, people = read_facts(at), read_people(at)
    own = votes[votes["annotator"] == "dan"]
    days = pd.to_datetime(own["labelled_at"]).dt.date.nunique()
    assert facts["Votes"] == str(len(own))
    assert facts["Cannot tell"] == str(own["label"].isna().sum())
    assert facts["Agreement"] == people.loc["dan", "Agreement"]
    assert facts["Votes an active day"] == f"{len(own) / days:,.0f}"
    chosen = at.session_state[at.dataframe[0].key]["selection"]["rows"]
    assert chosen == [PEOPLE.index("dan")]


def test_the_matrix_of_a_person_counts_what_they_said_against_the_others(open_app, digits_workspace, votes):
    at = open_app(digits_workspace, "annotators", **{"annotator choice": "dan"})
    compared = votes[votes["annotator"] == "dan"].dropna(subset=["label", "others"])
    expected = compared.groupby(["label", "others"]).size().to_dict()
    points = read_figure(at, "confusion")["data"][0]["customdata"]
    assert {(said, others): count for said, others, count in points if count} == expected
    axes = read_figure(at, "confusion")["layout"]
    assert (axes["yaxis"]["title"]["text"], axes["xaxis"]["title"]["text"]) == ("Said", "Others")


def test_the_figure_can_compare_with_gold_instead(open_app, digits_workspace):
    at = open_app(digits_workspace, "annotators")
    at.get("segmented_control")[0].set_value("gold").run()
    figure = read_figure(at, "people")
    assert figure["layout"]["xaxis"]["title"]["text"] == "Accuracy on items with a gold label"
    shown = [f"{rate:.1%}" for rate in figure["data"][0]["x"]]
    assert shown == [text.split(" ")[0] for text in read_people(at)["Gold accuracy"]]
    assert any(element.value.startswith("Accuracy: the share") for element in at.caption)


def test_their_rows_are_a_slice(open_app, digits_workspace):
    at = open_app(digits_workspace, "annotators", **{"annotator choice": "finn"})
    next(button for button in at.button if button.label == "Show their rows").click().run()
    assert not at.exception
    assert at.session_state["slice"] == '@annotator = "finn"'
    assert "Show their rows" not in {button.label for button in at.button}, "another page is shown"


def test_their_labels_go_to_the_relabel_page(open_app, digits_workspace):
    at = open_app(digits_workspace, "annotators", **{"annotator choice": "finn"})
    next(button for button in at.button if button.label == "Relabel their labels").click().run()
    assert not at.exception
    assert at.session_state["request source"] == "annotator:finn"
    assert at.header[0].value == "Relabel"


def test_the_active_filter_counts_only_votes_on_its_items(open_app, digits_workspace, votes, digits_folder):
    items = pd.read_parquet(digits_folder / "train.parquet").astype({"item_id": str})
    inside = votes[votes["item_id"].isin(items.loc[items["pen"] == "bold", "item_id"])]
    at = open_app(digits_workspace, "annotators", url={"filter": 'pen = "bold"'})
    assert f"{len(inside):,} votes on {inside['item_id'].nunique():,} items" in read_sentence(at)
    assert read_people(at)["Votes"].to_dict() == inside.groupby("annotator").size().to_dict()


def test_a_filter_without_votes_asks_for_a_wider_one(open_app, digits_workspace):
    at = open_app(digits_workspace, "annotators", url={"filter": '@split = "eval"'})
    assert "Nobody voted on the items of" in at.info[0].value
    assert "Choose a wider slice" in at.info[0].value


def make_votes(people, items, seed=0):
    rng = np.random.default_rng(seed)
    rows = [(f"i{item}", person, rng.choice(["cat", "dog"])) for item in range(items) for person in people]
    return pd.DataFrame(rows, columns=["item_id", "annotator", "label"])


def test_people_with_few_votes_are_grey_and_said_to_have_few(open_app, table_workspace):
    few = make_votes(["ann", "bob", "cid"], 40)
    few = few[(few["annotator"] != "cid") | few["item_id"].isin([f"i{k}" for k in range(5)])]
    at = open_app(table_workspace({"votes": few}), "annotators")
    figure = read_figure(at, "people")
    names = figure["layout"]["yaxis"]["ticktext"]
    colours = figure["data"][0]["marker"]["color"]
    assert names == ["ann", "bob", "cid (few votes)"]
    assert colours[0] == colours[1] != colours[2]
    assert read_people(at)["Agreement"].map(lambda text: text.endswith("few votes")).tolist() == [False, False, True]


def test_everybody_of_a_large_panel_is_drawn_and_listed(open_app, table_workspace):
    panel = [f"a{number:03d}" for number in range(60)]
    at = open_app(table_workspace({"votes": make_votes(panel, 35)}), "annotators")
    assert [name for (name,) in read_figure(at, "people")["data"][0]["customdata"]] == panel
    assert read_people(at).index.tolist() == panel
    assert any("All 60 annotators are drawn" in element.value and "scroll" in element.value for element in at.caption)


def test_experts_are_the_gold_and_are_noted_but_not_listed(open_app, table_workspace):
    workspace = table_workspace({"votes": make_votes(["ann", "bob"], 40)})
    table_workspace({"expert_votes": make_votes(["eve"], 40, seed=1)}, into=workspace, gold=True, kind="votes")
    at = open_app(workspace, "annotators")
    assert read_people(at).index.tolist() == ["ann", "bob"]
    assert read_people(at)["Gold accuracy"].str.endswith(" of 40").all()
    assert any("1 expert gave gold labels" in element.value for element in at.caption)


def test_one_label_an_item_compares_nobody_and_says_so(open_app, table_workspace):
    items = pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(30)],
            "size": range(30),
            "label": ["cat", "dog"] * 15,
            "annotator": ["*ann*", "bob", "[c](d)"] * 10,
        }
    )
    at = open_app(table_workspace({"train": items}), "annotators")
    assert read_people(at)["Agreement"].tolist() == ["–"] * 3
    assert not [chart for chart in at.get("plotly_chart") if chart.key.startswith("people")]
    assert "Send some items to a second person" in at.info[0].value


def test_tables_without_gold_pace_or_model_leave_those_columns_out(open_app, table_workspace):
    at = open_app(table_workspace({"votes": make_votes(["ann", "bob"], 40)}), "annotators")
    assert read_people(at).columns.tolist() == ["Votes", "Overlap", "Agreement", "Most frequent confusion"]
    assert not at.get("segmented_control")
    assert not any("Median seconds" in element.value for element in at.caption)
