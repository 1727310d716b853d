"""What does not fit, in memory, on the disk or in a cell, is said in one sentence, and nothing is lost."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import AnalysisError, FileFaultError
from analysis.store import memory
from analysis.store.loading import items, repeats
from analysis.store.loading.repeats import find_repeated

FAULTS = {
    "no memory": (
        duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 1.0 GiB"),
        "The files need more memory than a load may take. Nothing was changed; close other programs, raise "
        "RELOOK_MEMORY, or load the files in parts.",
    ),
    "no memory for Python": (MemoryError(), "The files need more memory than a load may take."),
    "a full disk": (
        duckdb.IOException('IO Error: Could not write file "x.relook": No space left on device'),
        "There is no room left on the disk of ",
    ),
    "a full temporary folder": (
        OSError(28, "No space left on device"), "There is no room left on the disk, of the workspace ",
    ),
    "a cell of over 2 GB": (
        pa.ArrowCapacityError("array cannot contain more than 2147483646 bytes, have 3000000000"),
        "A value is too large to be read: array cannot contain more than 2147483646 bytes, have 3000000000. ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_does_not_fit_is_said_in_one_sentence_and_nothing_changes(stocked, make_items, monkeypatch, case):
    error, sentence = FAULTS[case]

    def fail(*_args, **_options):
        # A new one: the one in the table would keep this test's frames, and databases in them, for ever.
        raise type(error)(*error.args)

    monkeypatch.setattr(items, "keep_columns", fail)

    message = stocked.refuse(stocked.put("eval.csv", make_items()))

    assert message.startswith(sentence)
    assert "\n" not in message


def test_what_is_no_fault_of_a_file_stays_our_own(desk, make_items, monkeypatch):
    def fail(*_args, **_options):
        raise duckdb.ParserException("Parser Error: syntax error")

    monkeypatch.setattr(items, "keep_columns", fail)

    with pytest.raises(duckdb.ParserException):
        desk.load(desk.put("train.csv", make_items()))
    assert not desk.workspace.path.exists()


def test_a_parquet_file_that_is_damaged_behind_its_beginning_is_refused_with_its_name(stocked):
    path = stocked.folder / "eval.parquet"
    rng = np.random.default_rng(0)
    table = pa.table(
        {"item_id": [f"n{k}" for k in range(50_000)], "label": ["a"] * 50_000, "x": rng.normal(size=50_000)}
    )
    pq.write_table(table, path, compression="zstd", row_group_size=5_000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4_000] = bytes(4_000)
    path.write_bytes(bytes(content))

    message = stocked.refuse(path)

    assert message.startswith("eval.parquet ")
    assert message.endswith("Export it again.")
    assert "\n" not in message


def test_a_file_that_changes_while_it_is_read_is_refused(stocked, make_items, monkeypatch):
    path = stocked.put("eval.csv", make_items())

    def change(*args, **options):
        kept = keep_columns(*args, **options)
        path.write_text("item_id,label\n1,a\n", encoding="utf-8")
        return kept

    keep_columns = items.keep_columns
    monkeypatch.setattr(items, "keep_columns", change)

    with pytest.raises(FileFaultError, match="eval.csv was changed while it was read. Load it again when it is whole."):
        stocked.load(path)
    assert stocked.ask("SELECT count(*) FROM items") == [(200,)]


@pytest.mark.parametrize(("said", "limit"), [("2GB", "409MiB"), ("1.5 gib", "307MiB"), ("800m", "160MiB")])
def test_the_memory_of_a_load_can_be_set(monkeypatch, said, limit):
    monkeypatch.setenv(memory.VARIABLE, said)

    assert memory.find_limit(0.2) == limit


@pytest.mark.parametrize("said", ["much", "2", "-1GB", "100MB", "2 GB or so"])
def test_what_is_no_size_of_memory_is_refused(desk, make_items, monkeypatch, said):
    monkeypatch.setenv(memory.VARIABLE, said)

    with pytest.raises(AnalysisError, match="RELOOK_MEMORY is a size of at least 256MB, such as 2GB; got "):
        desk.load(desk.put("train.csv", make_items()))


def test_a_load_keeps_to_the_memory_that_is_set(desk, monkeypatch):
    """Half a million rows, of which every second id is known, with 51 MB for the file and 89 MB for the workspace."""
    monkeypatch.setenv(memory.VARIABLE, "256MB")
    frame = pd.DataFrame({"item_id": [f"item number {k}" for k in range(500_000)], "label": "a", "x": 1.5})
    desk.load(desk.put("train.parquet", frame[::2]))

    report = desk.load(desk.put("train.parquet", frame))

    assert (report.files[0].tally.kept, report.files[0].tally.already_there) == (250_000, 250_000)
    assert desk.ask("SELECT count(*), max(item), count(DISTINCT item_id) FROM items") == [(500_000,) * 3]


def test_hashes_that_meet_by_chance_are_told_apart_by_the_ids(desk, make_items, monkeypatch):
    """Every hash is said to occur twice: then all rows are looked at, and none is found to repeat."""
    monkeypatch.setattr(repeats, "find_repeated", np.unique)

    report = desk.load(desk.put("train.csv", make_items()))

    assert (report.files[0].tally.kept, report.files[0].tally.duplicates) == (200, 0)
    assert find_repeated(np.array([1, 2, 3], dtype=np.uint64)).size == 0
