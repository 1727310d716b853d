"""Embeddings: kept apart from the features, one length a name, compared row by row."""

import math

import numpy as np
import pandas as pd
import pytest

KEPT = "SELECT i.item_id, e.name, e.vector FROM embeddings e JOIN items i USING (item) ORDER BY e.name, e.item"


def make_vectors(n=200, width=8, *, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


def to_frame(vectors, *, prefix="i"):
    return pd.DataFrame({"item_id": [f"{prefix}{k}" for k in range(len(vectors))], "embedding": list(vectors)})


def reasons(report):
    return [(reject.line, reject.column, reject.reason) for reject in report.files[-1].tally.rejects]


def fetch_vectors(desk):
    return np.array([vector for *_rest, vector in desk.ask(KEPT)], dtype=np.float32)


def test_a_list_column_in_a_table_of_items_is_no_feature(desk, make_items):
    vectors = make_vectors()

    report = desk.load(
        desk.put("train.parquet", make_items().assign(embedding=list(vectors), sizes=[[1.0, 2.0]] * 200))
    )

    assert report.files[0].kind == "items"
    assert report.files[0].roles.column("embedding") == "embedding"
    # Lists of numbers that are no embedding are features as before.
    assert report.files[0].roles.features == ("age", "city", "sizes")
    assert [name for (name,) in desk.ask("SELECT column_name FROM (DESCRIBE features)")] == [
        "item",
        "age",
        "city",
        "sizes",
    ]
    assert np.array_equal(fetch_vectors(desk), vectors)
    assert {name for _id, name, _vector in desk.ask(KEPT)} == {"embedding"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_of_its_own_is_matched_by_id(stocked, dtype):
    vectors = make_vectors().astype(dtype)

    report = stocked.load(stocked.put("vectors.parquet", to_frame(vectors).sample(frac=1, random_state=0)))

    assert (report.files[0].kind, report.files[0].tally.kept) == ("predictions", 200)
    assert np.array_equal(fetch_vectors(stocked), vectors.astype(np.float32))
    assert stocked.ask("SELECT count(*) FROM models") == [(0,)]


def test_a_matrix_is_named_after_its_file(stocked):
    path = stocked.folder / "clip_b32.npy"
    np.save(path, make_vectors())

    report = stocked.load(path)

    assert (report.files[0].kind, report.files[0].tally.kept) == ("predictions", 200)
    assert {name for _id, name, _vector in stocked.ask(KEPT)} == {"clip_b32"}
    assert np.array_equal(fetch_vectors(stocked), make_vectors())


def test_what_sums_to_one_is_an_embedding_if_said(stocked):
    path = stocked.folder / "topics.npy"
    topics = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    np.save(path, topics)

    stocked.load(path, roles=(("embedding", "matrix"),))

    assert np.array_equal(fetch_vectors(stocked), topics.astype(np.float32))


def test_several_embeddings_stand_side_by_side(stocked):
    for name, width in (("small", 2), ("large", 16)):
        np.save(stocked.folder / f"{name}.npy", make_vectors(width=width))
        stocked.load(stocked.folder / f"{name}.npy")

    assert stocked.ask(
        "SELECT name, count(*), min(len(vector)), max(len(vector)) FROM embeddings GROUP BY 1 ORDER BY 1"
    ) == [
        ("large", 200, 16, 16),
        ("small", 200, 2, 2),
    ]


def test_the_same_vectors_twice_change_nothing(stocked):
    path = stocked.put("vectors.parquet", to_frame(make_vectors()))
    stocked.load(path)

    report = stocked.load(path)

    assert (report.changed, report.files[0].tally.already_there) == (False, 200)


def test_other_vectors_ask_for_replace(stocked):
    vectors = make_vectors()
    stocked.load(stocked.put("vectors.parquet", to_frame(vectors)))
    vectors[3] += 1
    path = stocked.put("vectors.parquet", to_frame(vectors))

    assert stocked.refuse(path) == (
        "vectors.parquet: the embedding 'embedding' is already there with other vectors for 1 of these items. "
        "Use --replace to take the new ones, or give them another name."
    )

    tally = stocked.load(path, replace=True).files[0].tally
    assert (tally.kept, tally.replaced, tally.already_there) == (1, 1, 199)
    kept = stocked.ask("SELECT i.item_id, e.vector FROM embeddings e JOIN items i USING (item) ORDER BY i.item")
    assert np.array_equal(np.array([vector for _id, vector in kept], dtype=np.float32), vectors)


def test_all_vectors_of_a_name_have_one_length(stocked):
    stocked.load(stocked.put("vectors.parquet", to_frame(make_vectors())))
    path = stocked.put("vectors.parquet", to_frame(make_vectors(width=4)))

    assert "Its vectors have 4 numbers, those of the embedding 'embedding' here have 8." in stocked.refuse(path)
    part = stocked.put("part.parquet", to_frame(make_vectors(50, width=4)))
    assert "some items would keep vectors of another length" in stocked.refuse(part, replace=True)

    stocked.load(path, replace=True)
    assert stocked.ask("SELECT DISTINCT len(vector) FROM embeddings") == [(4,)]


def test_faulty_vectors_are_rejected_with_row_and_reason(stocked):
    zeros = [0.0] * 7
    vectors = make_vectors().astype(float).tolist()
    vectors[3:13:2] = [[1.0, math.nan, *zeros[1:]], [math.inf, *zeros], zeros, None, [1e300, *zeros]]

    report = stocked.load(stocked.put("vectors.parquet", to_frame(vectors)), max_rejects=0.05)

    assert reasons(report) == [
        (4, "embedding", "number 2 of the embedding is missing or not finite"),
        (6, "embedding", "number 1 of the embedding is missing or not finite"),
        (8, "embedding", "7 numbers, where the others have 8"),
        (10, "embedding", "no embedding"),
        (12, "embedding", "number 1 of the embedding is missing or not finite"),
    ]
    assert report.files[0].tally.kept == 195
    assert "5 of 200 rows (2.5%) are faulty" in stocked.refuse(stocked.folder / "vectors.parquet")


def test_an_item_without_a_vector_is_an_item_all_the_same(desk, make_items):
    vectors = [None if k == 4 else vector for k, vector in enumerate(make_vectors())]

    report = desk.load(desk.put("train.parquet", make_items().assign(embedding=vectors)))

    assert (report.files[0].tally.kept, reasons(report)) == (200, [])
    assert desk.ask("SELECT count(*) FROM embeddings") == [(199,)]


def test_an_item_with_a_faulty_vector_is_rejected_whole(desk, make_items):
    vectors = make_vectors()
    vectors[4, 2] = np.nan

    report = desk.load(desk.put("train.parquet", make_items().assign(embedding=list(vectors))))

    assert reasons(report) == [(5, "embedding", "number 3 of the embedding is missing or not finite")]
    assert desk.ask("SELECT count(*) FROM items") == [(199,)]
    assert desk.ask("SELECT count(*) FROM embeddings") == [(199,)]


def test_ids_without_an_item_are_counted_and_clashing_rows_rejected(stocked):
    vectors = make_vectors(204)
    frame = pd.concat([to_frame(vectors), to_frame(vectors[:2]), to_frame(vectors[5:6] + 1).assign(item_id="i7")])

    report = stocked.load(stocked.put("vectors.parquet", frame), max_rejects=0.02)

    tally = report.files[0].tally
    assert (tally.kept, tally.unmatched, tally.duplicates) == (199, 4, 2)
    assert tally.notes[-1] == "Embeddings for ids that are no items: 4. They were left out."
    assert reasons(report) == [
        (8, "item_id", "id 'i7' has 2 different embeddings"),
        (207, "item_id", "id 'i7' has 2 different embeddings"),
    ]


def test_predictions_and_embeddings_may_share_a_file(stocked, make_predictions):
    frame = make_predictions().assign(embedding=list(make_vectors()))

    report = stocked.load(stocked.put("both.parquet", frame))

    assert report.files[0].tally.kept == 200
    assert stocked.ask("SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM embeddings)") == [(200, 200)]
    assert not stocked.load(stocked.folder / "both.parquet").changed


def test_many_vectors_are_read_twice_and_not_kept_on_the_way(stocked, monkeypatch):
    monkeypatch.setattr("analysis.store.loading.matrix._WIDE", 100)
    vectors = make_vectors()
    faulty = vectors.copy()
    faulty[3] = np.nan

    report = stocked.load(stocked.put("vectors.parquet", to_frame(faulty).sample(frac=1, random_state=1)))

    assert report.files[0].tally.kept == 199
    assert np.array_equal(
        np.array(
            [vector for _id, _name, vector in sorted(stocked.ask(KEPT), key=lambda row: int(row[0][1:]))],
            dtype=np.float32,
        ),
        np.delete(vectors, 3, axis=0),
    )
