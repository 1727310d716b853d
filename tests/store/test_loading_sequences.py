"""Whatever is loaded in whatever order: the workspace stays whole, and a refusal changes nothing."""

import random

import pandas as pd
import pytest

from analysis.errors import AnalysisError

LOADS = 10

# What must be none, whatever was loaded.
BROKEN = {
    "a current label that is not the given one, though the ledger is empty": (
        "SELECT count(*) FROM items i FULL JOIN current c USING (item) "
        "WHERE i.item IS NULL OR c.item IS NULL OR i.given_label IS DISTINCT FROM c.label"
    ),
    "an item without a row of features": (
        "SELECT count(*) FROM items i FULL JOIN features f USING (item) WHERE i.item IS NULL OR f.item IS NULL"
    ),
    "a gap in the numbers of the items": "SELECT count(*) - coalesce(max(item), 0) FROM items",
    "a number of an item twice": (
        "SELECT (SELECT count(*) - count(DISTINCT item) FROM items) + (SELECT count(*) - count(DISTINCT item) FROM features) "
        "+ (SELECT count(*) - count(DISTINCT item) FROM current)"
    ),
    "an id twice in a split": "SELECT count(*) - count(DISTINCT (split, item_id)) FROM items",
    "a prediction of no item or no model": (
        "SELECT count(*) FROM predictions p LEFT JOIN items i USING (item) LEFT JOIN models m USING (model) "
        "WHERE i.item IS NULL OR m.model IS NULL"
    ),
    "probabilities of another length than the classes": (
        "SELECT count(*) FROM predictions p JOIN models m USING (model) WHERE len(p.pred_probs) != len(m.classes)"
    ),
    "probabilities that do not sum to 1": (
        "SELECT count(*) FROM predictions WHERE abs(list_sum(pred_probs) - 1) > 1e-5 OR list_min(pred_probs) < 0"
    ),
    "a vote of nobody or on nothing": (
        "SELECT count(*) FROM votes v LEFT JOIN items i USING (item) LEFT JOIN annotators a USING (annotator) "
        "WHERE i.item IS NULL OR a.annotator IS NULL"
    ),
    "a given vote that is not the given label": (
        "SELECT count(*) FROM votes v JOIN items i USING (item) WHERE v.source = 'given' "
        "AND (v.annotator IS DISTINCT FROM i.given_by OR v.label IS DISTINCT FROM i.given_label)"
    ),
    "a label that is no class": (
        "SELECT count(*) FROM items WHERE given_label IS NOT NULL AND given_label NOT IN (SELECT name FROM classes)"
    ),
    "the same vote twice": (
        "SELECT count(*) - count(DISTINCT (item, annotator, label, started_at, labelled_at, seconds, batch, source, "
        "comment)) FROM votes"
    ),
}


def draw_frame(dice):
    """Draw a small table of any kind, with gaps, repeats, faults and clashes."""
    n = dice.randint(1, 12)
    columns = {"item_id": [f"{dice.randrange(12):02d}" if dice.random() < 0.95 else None for _ in range(n)]}
    pools = {
        "label": ["a", "b", "c", None],
        "annotator": ["u", "v", None],
        "predicted": ["a", "b", "z", None],
        "split": ["train", "eval", None],
        "seconds": [1.5, 2.0, None],
        "gold_label": ["a", None],
        "group": ["g", None],
        "x": dice.choice([[0, 1], [0.5, 1.5], ["q", None], [None], [True, False], ["2026-01-01"]]),
    }
    for name, pool in pools.items():
        if dice.random() < {"label": 0.7, "x": 0.5}.get(name, 0.3):
            columns[name] = [dice.choice(pool) for _ in range(n)]
    if dice.random() < 0.35:
        columns["prob_a"] = [dice.choice([0.2, 0.5, 0.9, 1.5, None]) for _ in range(n)]
        columns["prob_b"] = [None if p is None else 1 - p for p in columns["prob_a"]]
    return pd.DataFrame(columns)


def draw_options(dice):
    return {
        "max_rejects": dice.choice([0.3, 1.0]),
        "replace": dice.random() < 0.3,
        "gold": dice.random() < 0.1,
        "kind": dice.choice([None, None, None, "items", "predictions", "votes"]),
        "split": dice.choice([None, None, None, "eval"]),
        "model": dice.choice([None, None, "second"]),
    }


@pytest.mark.parametrize("seed", [2, 31])
def test_the_workspace_stays_whole(desk, seed):
    dice = random.Random(seed)  # noqa: S311 - drawn again by whoever repeats the test
    taken = 0
    for number in range(LOADS):
        ending = dice.choice(["csv", "parquet"])
        path = desk.put(f"{dice.choice(['part', 'train', 'eval'])}{number}.{ending}", draw_frame(dice))
        options = draw_options(dice)
        before = desk.state()
        try:
            # That all rows are accounted for is checked by every load of the desk.
            changed = desk.load(path, **options).changed
        except AnalysisError:
            assert desk.state() == before
            continue
        taken += changed
        if desk.workspace.path.exists():
            found = {fault: desk.ask(query)[0][0] for fault, query in BROKEN.items()}
            assert {fault: n for fault, n in found.items() if n} == {}, number
            after = desk.workspace.fingerprint()
            assert desk.load(path, **options).changed is False, number
            assert desk.workspace.fingerprint() == after
    assert taken >= 2


def test_a_file_that_brings_no_new_items_hides_nothing_of_the_next_one(desk):
    """DuckDB 2.0.0 does not see what a transaction inserts after an insert of no rows; 100,000 rows show it."""
    rows = 130_000
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(rows)], "label": ["a", "b"] * (rows // 2)})
    frame["p_a"], frame["p_b"] = 0.25, 0.75
    desk.load(desk.put("train.parquet", frame))
    changed = frame[:50].assign(label="b")[["item_id", "label"]]

    desk.load(
        desk.put("train.csv", changed),
        desk.put("eval.parquet", frame.assign(item_id="e" + frame.item_id)),
        replace=True,
    )

    assert desk.ask("SELECT count(*), count(DISTINCT item) FROM predictions") == [(2 * rows, 2 * rows)]
