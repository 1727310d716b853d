"""The rules of a load beyond single values: what is refused by name, what the format says, what a replacement undoes."""

import dataclasses
import json

import pandas as pd
import pytest

from analysis.store.loading import source as sources
from analysis.store.loading.planning import _WEIGHTS
from analysis.store.sql import Fragment

# --- Columns that are refused by their name


@pytest.mark.parametrize(
    "name", ["weight", "Weights", "sample_weight", "case-weight", "importanceWeight", "instance weights"]
)
def test_a_column_that_looks_like_a_sample_weight_is_refused_with_a_way_out(stocked, make_items, name):
    path = stocked.put("eval.csv", make_items().assign(**{name: 1.5}))

    assert stocked.refuse(path) == (
        f"eval.csv: column {name!r} looks like a sample weight, and relook counts every row once; use "
        f"--role feature={name} to keep it as an ordinary column."
    )

    report = stocked.load(path, roles=(("feature", name),))
    assert name in report.files[0].roles.features


@pytest.mark.parametrize("name", ["fnlwgt", "weight_kg", "body_weight", "w", "weighted_score", "birthweight"])
def test_other_columns_about_weights_are_ordinary(stocked, make_items, name):
    stocked.load(stocked.put("eval.csv", make_items().assign(**{name: 1.5})))


def test_words_in_a_column_called_weight_are_ordinary(stocked, make_items):
    stocked.load(stocked.put("eval.csv", make_items().assign(weight="heavy")))


def test_no_real_data_set_has_a_column_that_looks_like_a_weight(shared_data):
    names = set()
    for path in [*shared_data.rglob("*.parquet"), *shared_data.rglob("*.csv")]:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, nrows=1)
        names |= {str(name).casefold().replace("_", "") for name in frame.columns}
    assert names & {"fnlwgt", "education"}
    assert not names & _WEIGHTS


@pytest.mark.parametrize("name", ["@annotator", "@Split", "@row"])
def test_a_column_that_is_called_like_ours_is_refused(stocked, make_items, name):
    message = stocked.refuse(stocked.put("eval.csv", make_items().assign(**{name: 1})))

    assert message == f"eval.csv has a column {name!r}, which is relook's own name for something else. Rename it."


# --- What the format says


@pytest.fixture
def stating(monkeypatch):
    """Let the format of every file say what its columns and rows are."""

    def state(**said):
        count_part = sources.count_part

        def count_stated(path, sha256, scratch, table):
            return count_part(path, sha256, scratch, dataclasses.replace(table, **said))

        monkeypatch.setattr(sources, "count_part", count_stated)

    return state


def test_what_the_format_says_beats_the_guess_and_is_reported(desk, make_items, stating):
    stating(roles=(("item_id", "code"), ("gold_label", "city")), kind="items", part="tasks", notes=("Skips: 3.",))

    report = desk.load(desk.put("train.csv", make_items().assign(code=[f"c{k}" for k in range(200)])))

    file = report.files[0].to_dict()
    assert file["roles"]["item_id"] == {"column": "code", "reason": "the format says so"}
    assert file["roles"]["gold_label"]["reason"] == "the format says so"
    assert file["roles"]["given_label"]["reason"] == "named 'label'"
    assert (file["kind"], file["kind_reason"], file["part"]) == ("items", "the format says so", "tasks")
    assert file["notes"] == ["Skips: 3."]
    assert desk.ask("SELECT item_id, gold_label FROM items ORDER BY item LIMIT 2") == [("c0", "Ulm"), ("c1", "Köln")]


def test_what_the_user_says_beats_the_format(desk, make_items, stating):
    stating(roles=(("item_id", "code"), ("gold_label", "city")), kind="votes")
    path = desk.put("train.csv", make_items().assign(code=[f"c{k}" for k in range(200)]))

    report = desk.load(path, roles=(("item_id", "item_id"), ("feature", "city")), kind="items")

    file = report.files[0]
    assert (file.kind, file.kind_reason, file.roles.column("gold_label")) == ("items", "you said so", None)
    assert file.roles.single["item_id"].reason == "you said so"
    assert desk.ask("SELECT item_id FROM items WHERE item = 1") == [("i0",)]


# --- Rejects


@pytest.mark.parametrize("faulty", [1, 3])
def test_how_many_rows_are_faulty_does_not_depend_on_how_many_may_be(stocked, make_items, make_predictions, faulty):
    """Faults of every kind: a line of another width, probabilities, ids that are missing or clash."""
    frame = make_items(100, prefix="n").merge(make_predictions(100, prefix="n"))
    frame.loc[:faulty, "prob_a"] = 0.9
    frame.loc[50 : 50 + faulty, "item_id"] = None
    frame = pd.concat([frame, frame[60:61].assign(age=3)])
    path = stocked.put("eval.csv", frame.to_csv(index=False) + "n900,a\n")
    said = []
    for allowed in (0.0, 0.01, 0.02, 0.03, 0.05):
        message = stocked.refuse(path, max_rejects=allowed)
        said.append(message.split(" rows ")[0])
    report = stocked.load(path, max_rejects=0.2, dry_run=True)

    expected = len(report.files[0].tally.rejects)
    assert expected == 2 * (faulty + 1) + 3
    assert said == [f"eval.csv: {expected} of 102"] * 5


def test_rejected_rows_leave_no_gap_and_no_other_features(desk, make_items):
    frame = make_items(1000)
    frame.loc[[0, 500, 999], "item_id"] = None

    desk.load(desk.put("train.parquet", frame))

    kept = frame.dropna(subset="item_id")
    assert desk.ask("SELECT item, item_id, age FROM items JOIN features USING (item) ORDER BY item") == list(
        zip(range(1, 998), kept["item_id"], kept["age"], strict=True)
    )


def test_new_and_known_rows_of_one_file_find_their_features(stocked, make_items):
    frame = pd.concat([make_items(300)[150:], make_items(150)]).assign(height=range(300))

    report = stocked.load(stocked.put("train.parquet", frame))

    assert (report.files[0].tally.kept, report.files[0].tally.replaced) == (300, 0)
    found = stocked.ask("SELECT item_id, age, height FROM items JOIN features USING (item) ORDER BY item_id")
    assert found == sorted(zip(frame["item_id"], frame["age"], frame["height"], strict=True))
    assert stocked.ask("SELECT count(*), max(item) FROM items") == [(300, 300)]


def test_rows_that_differ_in_their_probabilities_alone_are_no_repeats(desk, make_items, make_predictions):
    whole = make_items().merge(make_predictions())
    other = whole[:1].assign(prob_a=0.6, prob_b=0.4)

    report = desk.load(desk.put("all.csv", pd.concat([whole, other, whole[5:6]])))

    tally = report.files[0].tally
    assert [(reject.line, reject.reason) for reject in tally.rejects] == [
        (2, "id 'i0' occurs 2 times with different values"),
        (202, "id 'i0' occurs 2 times with different values"),
    ]
    assert (tally.kept, tally.duplicates) == (199, 1)


# --- The ledger


def relabel(desk, name, old, new):
    with desk.workspace.write() as writer:
        writer.execute(
            Fragment(
                'INSERT INTO ledger (seq, item, action, old, new, "at") SELECT (SELECT coalesce(max(seq), 0) + 1 FROM '
                "ledger), item, 'relabel', ?, ?, TIMESTAMP '2026-01-01' FROM items WHERE item_id = ?",
                (old, new, name),
            )
        )
        writer.execute(
            Fragment(
                "UPDATE current SET label = ? WHERE item = (SELECT item FROM items WHERE item_id = ?)", (new, name)
            )
        )
        writer.bump("labels")


def test_a_replaced_label_keeps_the_ledger_and_names_the_entries_it_contradicts(stocked, make_items):
    relabel(stocked, "i0", "a", "b")
    relabel(stocked, "i0", "b", "a")
    relabel(stocked, "i2", "a", "b")
    relabel(stocked, "i4", "a", "b")
    frame = make_items()
    frame.loc[[0, 1], "label"] = ["b", "a"]
    frame.loc[2, "age"] = 99

    report = stocked.load(stocked.put("train.csv", frame), replace=True)

    file = report.files[0].to_dict()
    assert file["ledger_mismatches"] == [{"seq": 1, "item_id": "i0", "old": "a", "now": "b"}]
    assert file["replaced"] == 3
    assert stocked.ask("SELECT count(*) FROM ledger") == [(4,)]
    current = "SELECT i.item_id, c.label FROM current c JOIN items i USING (item) WHERE item <= 5 ORDER BY item"
    assert stocked.ask(current) == [("i0", "a"), ("i1", "a"), ("i2", "b"), ("i3", "b"), ("i4", "b")]


def test_the_report_is_kept_with_all_its_keys(stocked, make_predictions):
    stocked.load(stocked.put("predictions.csv", make_predictions()), model="second")

    kept = json.loads(stocked.ask("SELECT report FROM loads ORDER BY load")[-1][0])
    assert (kept["model"], kept["part"], kept["ledger_mismatches"]) == ("second", None, [])
    assert {"dialect", "notes", "roles", "rejects", "sha256"} <= kept.keys()
    assert "head" not in kept
