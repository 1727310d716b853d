"""Matrices in .npy: read as NumPy reads them, matched by position, streamed, and refused with a sentence."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.errors import FileFaultError
from analysis.store.loading.matrix import stream_matrix
from analysis.store.readers.npy import read_npy

KEPT = (
    "SELECT i.item_id, p.predicted, p.pred_probs FROM predictions p JOIN items i USING (item) "
    "WHERE p.model = (SELECT max(model) FROM models) ORDER BY p.item"
)


def put(desk, name, array):
    path = desk.folder / name
    np.save(path, array)
    return path


def make_probabilities(n=200, k=2, *, seed=0, dtype="float32"):
    return np.random.default_rng(seed).dirichlet(np.ones(k), n).astype(dtype)


def reasons(report):
    return [(reject.line, reject.column, reject.reason) for reject in report.files[-1].tally.rejects]


def read(path):
    ((scratch, table),) = read_npy(path, None)
    scratch.close()
    return scratch, table


# --- What is taken in


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_what_numpy_reads(stocked, dtype, order):
    path = put(stocked, "probs.npy", np.asarray(make_probabilities(), dtype=dtype, order=order))

    report = stocked.load(path)

    read = np.load(path).astype(np.float64)
    mended = (read / read.sum(axis=1, keepdims=True)).astype(np.float32)
    kept = stocked.ask(KEPT)
    assert (report.files[0].kind, report.files[0].tally.kept) == ("predictions", 200)
    assert np.array_equal(np.array([probs for *_rest, probs in kept], dtype=np.float32), mended)
    assert [predicted for _id, predicted, _probs in kept] == [
        None if a == b else "ab"[int(b > a)] for a, b in read.tolist()
    ]
    assert [name for name, *_rest in kept] == [f"i{k}" for k in range(200)]


def test_rows_follow_the_order_in_which_the_items_were_loaded(stocked, make_items):
    """Not the order of the ids, and not that of another split that came between."""
    stocked.load(stocked.put("eval.csv", make_items(50, prefix="e")))
    stocked.load(stocked.put("train.csv", make_items(30, prefix="a")))
    probs = make_probabilities(230)

    stocked.load(put(stocked, "probs.npy", probs), split="train")

    names = [f"i{k}" for k in range(200)] + [f"a{k}" for k in range(30)]
    kept = stocked.ask(KEPT)
    assert [name for name, *_rest in kept] == names
    assert np.allclose([found for *_rest, found in kept], probs, atol=1e-6)


def test_real_probabilities_of_digits_are_what_numpy_makes_of_them(desk, shared_data):
    table = pd.read_parquet(shared_data / "mnist" / "pred_probs.parquet")
    probs = table[[f"p_{k}" for k in range(10)]].to_numpy()
    assert np.abs(probs.astype(np.float64).sum(axis=1) - 1).max() > 1e-6
    desk.load(shared_data / "mnist" / "items.parquet", split="eval")

    report = desk.load(put(desk, "pred_probs.npy", probs))

    exact = probs.astype(np.float64)
    visible = (np.abs(exact.sum(axis=1) - 1) > 1e-6) | (exact.max(axis=1) > 1)
    clipped = np.clip(exact, 0, 1)
    expected = (clipped / clipped.sum(axis=1, keepdims=True)).astype(np.float32)
    kept = desk.ask(KEPT)
    assert report.files[0].tally.renormalised == int(visible.sum()) > 0
    assert np.abs(np.array([found for *_rest, found in kept]) - expected).max() <= 6e-8
    assert [int(predicted) for _id, predicted, _probs in kept] == exact.argmax(axis=1).tolist()


def test_the_same_probabilities_are_already_there_whatever_the_file(stocked, make_items):
    """Three layouts, one way of mending: the bits agree."""
    probs = make_probabilities(dtype="float64") * (1 + 5e-4)
    stocked.load(put(stocked, "p.npy", probs))
    names = make_items()["item_id"]
    lists = pd.DataFrame({"item_id": names, "pred_probs": probs.tolist()})
    wide = pd.DataFrame({"item_id": names, "prob_a": probs[:, 0], "prob_b": probs[:, 1]})

    for path in (
        stocked.put("p.parquet", lists),
        stocked.put("p.csv", wide),
        put(stocked, "f.npy", np.asfortranarray(probs)),
    ):
        report = stocked.load(path)
        assert (report.changed, report.files[0].tally.already_there) == (False, 200), path


@pytest.mark.parametrize("dtype", ["int64", "<U1", "S1"])
def test_a_list_of_predicted_labels_is_matched_by_position(desk, make_items, dtype):
    labels = "01" if dtype == "int64" else "ab"
    items = make_items().replace({"label": {"a": labels[0], "b": labels[1]}})
    desk.load(desk.put("train.csv", items))
    said = np.array([labels[k % 3 == 0] for k in range(200)]).astype(dtype)

    desk.load(put(desk, "y_pred.npy", said))

    assert [predicted for _id, predicted, _probs in desk.ask(KEPT)] == [labels[k % 3 == 0] for k in range(200)]


def test_items_and_their_matrix_may_come_in_one_load(desk, make_items):
    desk.load(put(desk, "probs.npy", make_probabilities()), desk.put("train.csv", make_items()))

    assert desk.ask("SELECT count(*) FROM predictions") == [(200,)]


# --- Faulty rows


def test_faulty_rows_are_named_by_their_number(stocked):
    probs = make_probabilities()
    probs[3] = [np.nan, 1]
    probs[7] = [-0.002, 1.002]
    probs[9] = [0.5, 0.6]
    probs[11] = [0.5, 0.5005]

    report = stocked.load(put(stocked, "probs.npy", probs), max_rejects=0.02)

    assert reasons(report) == [
        (4, "matrix", "the probability of 'a' is missing or no number"),
        (8, "matrix", "the probability -0.002 of 'a' is not between 0 and 1"),
        (10, "matrix", "the probabilities sum to 1.1, not 1"),
    ]
    assert (report.files[0].tally.kept, report.files[0].tally.renormalised) == (197, 1)
    assert "3 of 200 rows (1.5%) are faulty" in stocked.refuse(stocked.folder / "probs.npy")


# --- Which split


def test_another_number_of_rows_than_items_is_refused_with_both(stocked):
    path = put(stocked, "probs.npy", make_probabilities(199))

    assert stocked.refuse(path) == (
        "probs.npy: wrong matrix shape. It has 199 rows, the split 'train' has 200 items. Its rows are matched by "
        "position: save one row for each item, in the order in which they were loaded, or load a table with ids instead."
    )


def test_several_splits_of_that_many_items_ask_which(stocked, make_items):
    stocked.load(stocked.put("eval.csv", make_items(prefix="e")))
    path = put(stocked, "probs.npy", make_probabilities())

    assert stocked.refuse(path) == (
        "probs.npy has 200 rows, and so many items are in each of the splits 'eval', 'train'. Say which one with --split."
    )
    named = put(stocked, "test_probs.npy", make_probabilities())
    for file, options in ((path, {"split": "eval"}), (named, {})):
        stocked.load(file, model="m" + file.stem, **options)
        assert stocked.ask(KEPT)[0][0] == "e0"


@pytest.mark.parametrize("at_once", [False, True])
def test_rows_are_not_matched_by_position_where_a_repeat_and_an_item_of_votes_even_out(desk, make_items, at_once):
    table = make_items(9)
    items = desk.put("train.csv", pd.concat([table.iloc[:1], table]))
    votes = desk.put("train_votes.csv", pd.DataFrame({"item_id": ["late"], "annotator": ["ana"], "label": ["a"]}))
    matrix = put(desk, "probs.npy", make_probabilities(10))
    if at_once:
        assert "wrong matrix shape" in desk.refuse(items, votes, matrix)
    desk.load(items, votes)

    told = desk.refuse(matrix)

    assert "1 row of train.csv did not become items: repeated or faulty" in told
    assert "Load a table with ids" in told


def test_rows_are_not_matched_by_position_where_a_row_was_left_out_or_an_item_came_from_votes(desk, make_items):
    items = make_items(100).astype({"item_id": object})
    items.loc[3, "item_id"] = None
    desk.load(desk.put("train.csv", items), max_rejects=0.1)
    assert "1 row of train.csv" in desk.refuse(put(desk, "probs.npy", make_probabilities(99)))

    desk.load(desk.put("eval.csv", make_items(20, prefix="e")))
    desk.load(put(desk, "eval.npy", make_probabilities(20)))
    votes = pd.DataFrame({"item_id": ["e0", "late"], "annotator": "ana", "label": "a"})
    desk.load(desk.put("votes.csv", votes), split="eval")
    assert "1 of them came from the votes in votes.csv" in desk.refuse(put(desk, "eval2.npy", make_probabilities(21)))


def test_rows_told_again_shift_nothing(desk, make_items):
    table = make_items(20)
    desk.load(desk.put("train.csv", table))
    desk.load(desk.put("again.csv", pd.concat([table, table])), split="train")

    desk.load(put(desk, "probs.npy", make_probabilities(20)))

    assert desk.ask("SELECT count(*) FROM predictions") == [(20,)]


def test_of_several_splits_the_one_of_that_size_is_meant(stocked, make_items):
    stocked.load(stocked.put("eval.csv", make_items(50, prefix="e")))

    stocked.load(put(stocked, "probs.npy", make_probabilities(50)))

    assert stocked.ask(KEPT)[0][0] == "e0"


def test_a_matrix_needs_items(desk):
    assert desk.refuse(put(desk, "p.npy", make_probabilities()), classes=("a", "b")) == (
        "p.npy has no ids, and there are no items yet. Load the items first."
    )


# --- Which classes, and whether these are probabilities


def test_another_number_of_columns_than_classes_is_refused_with_both(stocked):
    assert stocked.refuse(put(stocked, "p.npy", make_probabilities(k=3))) == (
        "p.npy: wrong matrix shape. It has 3 columns, but 2 classes are known: 'a', 'b'. Name the classes in the order of "
        "the columns with --classes FILE, one class a line, or use --role embedding=matrix if these are no probabilities."
    )


def test_the_order_of_the_classes_is_asked_for_where_it_is_open(desk):
    ids = [str(k) for k in range(11)]
    desk.load(desk.put("train.csv", pd.DataFrame({"item_id": ids, "label": ids})))
    path = put(desk, "p.npy", np.eye(11, dtype="float32"))

    assert "p.npy holds probabilities in a matrix, and their class order is open: as numbers" in desk.refuse(path)

    desk.load(path, classes=tuple(sorted(ids)))
    assert [predicted for _id, predicted, _probs in desk.ask(KEPT)] == sorted(ids)


def test_a_model_keeps_its_order_where_the_matrix_is_in_another(stocked):
    probs = make_probabilities()
    stocked.load(put(stocked, "p.npy", probs))

    report = stocked.load(put(stocked, "q.npy", probs[:, ::-1]), classes=("b", "a"))

    assert not report.changed


def test_rows_that_do_not_sum_to_one_are_probabilities_only_if_said(stocked):
    path = put(stocked, "p.npy", np.full((200, 2), 0.9))

    assert "200 of 200 rows (100.0%) are faulty" in stocked.refuse(path, roles=(("pred_probs", "matrix"),))


# --- What is refused


def test_pickled_objects_are_never_opened(desk, make_items):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was opened",))

    path = desk.folder / "p.npy"
    header = np.array([None, None], dtype=object)
    np.save(path, header, allow_pickle=True)
    path.write_bytes(path.read_bytes()[:128] + pickle.dumps([Bomb()]))

    assert desk.refuse(path) == (
        "p.npy holds pickled Python objects, which are never opened because reading them can run code. "
        "Save plain numbers instead: numpy.save(file, array.astype('float32'))."
    )


def test_a_matrix_that_is_cut_is_refused(desk):
    path = put(desk, "p.npy", make_probabilities())
    path.write_bytes(path.read_bytes()[:-8])

    assert desk.refuse(path) == (
        "p.npy is cut off: shape 200 x 2 of float32 needs 1,600 bytes, 1,592 are there. Copy or export it again."
    )


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 3, 4)), "an array of shape 2 x 3 x 4 and type float64"),
        (np.zeros((2, 3), dtype=int), "an array of shape 2 x 3 and type int64"),
        (np.zeros((2, 3), dtype=complex), "an array of shape 2 x 3 and type complex128"),
        (np.float32(3), "an array of shape () and type float32"),
        (np.zeros((0, 3)), "a matrix of shape 0 x 3: nothing"),
        (np.zeros(5), "a list of 5 values of type float64. A list is read as predicted labels"),
        (np.array([], dtype=int), "an empty list"),
        (np.array([b"\xff"]), "text that is not UTF-8"),
    ],
)
def test_what_is_no_matrix_of_floats_is_refused_by_name(desk, array, said):
    assert f"p.npy holds {said}" in desk.refuse(put(desk, "p.npy", array))


@pytest.mark.parametrize("cut", [3, 8, 40])
def test_a_header_that_is_cut_is_refused(desk, cut):
    path = put(desk, "p.npy", make_probabilities())
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(FileFaultError, match="is not a whole .npy file|not what its ending says|is cut off"):
        read(path)


def test_two_arrays_in_one_file_are_refused(desk):
    path = desk.folder / "p.npy"
    with path.open("wb") as file:
        np.save(file, make_probabilities())
        np.save(file, make_probabilities())

    assert "p.npy holds 1,728 bytes behind its array of shape 200 x 2. Save one array a file." in desk.refuse(path)


# --- Large ones


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_put_together_are_the_matrix(desk, order):
    matrix = np.asarray(np.random.default_rng(1).random((5_000, 1_700), dtype=np.float32), order=order)
    scratch, _table = read(put(desk, "m.npy", matrix))
    places = list(reversed(range(1_700)))

    blocks = list(stream_matrix(scratch.matrix, places))

    assert len(blocks) > 7
    assert np.array_equal(np.concatenate([block.numbers for block in blocks]), matrix[:, places])
    assert np.array_equal(np.concatenate([block.rows for block in blocks]), np.arange(1, 5_001))


LOAD = """\
import sys
from pathlib import Path
from analysis.store.loading import LoadOptions, load_files
from analysis.store.workspace import Workspace

# Not ru_maxrss, which begins with the peak of the process that started this one.
find_peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
workspace, before = Workspace(Path(sys.argv[1])), find_peak()
report = load_files(workspace, [Path(sys.argv[2])], LoadOptions(classes=tuple(f"c{k:04d}" for k in range(400))))
workspace.close()
print(report.files[0].tally.kept, find_peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
def test_a_matrix_is_never_whole_in_memory(desk):
    """The file has 192 MB, and as much again would be needed to mend it; twice read, as it is too wide to be kept."""
    rows, width = 60_000, 400
    names = [f"c{k:04d}" for k in range(width)]
    desk.load(
        desk.put("train.csv", pd.DataFrame({"item_id": range(rows), "label": [names[k % width] for k in range(rows)]}))
    )
    block = np.random.default_rng(0).dirichlet(np.ones(width), 500)
    path = desk.folder / "probs.npy"
    matrix = np.lib.format.open_memmap(path, "w+", np.float64, (rows, width))
    for start in range(0, rows, len(block)):
        matrix[start : start + len(block)] = np.roll(block, start // len(block), axis=1)
    del matrix
    desk.workspace.close()

    # A file, as DuckDB takes `python -c` for a person and draws a bar for them.
    script = desk.put("load.py", LOAD)
    done = subprocess.run(
        [sys.executable, script, desk.workspace.path, path],
        capture_output=True,
        text=True,
        check=False,
        env={"RELOOK_MEMORY": "256MB", "PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )

    assert done.returncode == 0, done.stderr
    kept, grown = map(int, done.stdout.split())
    assert kept == rows
    # In KB. Read whole, the numbers alone would take 192 MB, and mended 96 MB more, beside what DuckDB takes.
    assert grown < 240_000
    for item in (0, 499, 500, 39_999):
        expected = np.roll(block, item // len(block), axis=1)[item % len(block)]
        found = desk.ask(
            "SELECT pred_probs, predicted FROM predictions JOIN items USING (item) WHERE item_id = ?", str(item)
        )
        assert np.allclose(found[0][0], expected, atol=1e-7)
        assert found[0][1] == names[int(expected.argmax())]
    assert desk.ask("SELECT count(*), min(len(pred_probs)), max(len(pred_probs)) FROM predictions") == [
        (rows, width, width)
    ]
