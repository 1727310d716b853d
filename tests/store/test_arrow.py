"""Arrow files and streams: every type of a column survives as one that can be used."""

import io
import json
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, ipc

from analysis.errors import FileFaultError
from analysis.store.readers.arrow import read_arrow
from analysis.store.readers.parquet import read_parquet

MOMENT = datetime(2026, 3, 1, 7, 30, 15, 250_000)  # noqa: DTZ001  (as in a file)
NAMES = pa.array(["a", None, "b"])
WRITERS = {"x.arrow": ipc.new_file, "x.arrows": ipc.new_stream, "stream.arrow": ipc.new_stream}


def write(batches, opened=ipc.new_file):
    target = io.BytesIO()
    with opened(target, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return target.getvalue()


@pytest.fixture
def read(tmp_path):
    opened = []

    def run(content, name="x.arrow"):
        path = tmp_path / name
        path.write_bytes(content)
        ((scratch, table),) = read_arrow(path, None)
        opened.append(scratch)
        found = scratch.connection.sql("SELECT * EXCLUDE (row) FROM raw ORDER BY row").to_arrow_table()
        return [tuple(row.values()) for row in found.to_pylist()], table

    yield run
    for scratch in opened:
        scratch.close()


# type: (Arrow values, type in DuckDB, values read)
TYPES = {
    "text": (NAMES, "VARCHAR", ["a", None, "b"]),
    "large text": (NAMES.cast(pa.large_string()), "VARCHAR", ["a", None, "b"]),
    "text view": (NAMES.cast(pa.string_view()), "VARCHAR", ["a", None, "b"]),
    "category": (NAMES.dictionary_encode(), "VARCHAR", ["a", None, "b"]),
    "category of numbers": (pa.array([7, None, 7]).dictionary_encode(), "BIGINT", [7, None, 7]),
    "runs": (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), "VARCHAR", ["a", "a", "b"]),
    "nothing": (pa.nulls(3), "VARCHAR", [None, None, None]),
    "whole numbers": (pa.array([2**53 + 1, None, -1]), "BIGINT", [2**53 + 1, None, -1]),
    "small numbers": (pa.array([1, None, 3], pa.int8()), "TINYINT", [1, None, 3]),
    "long numbers": (pa.array([2**64 - 1, None, 3], pa.uint64()), "UBIGINT", [2**64 - 1, None, 3]),
    "half floats": (pa.array([0.5, None, 3], pa.float16()), "FLOAT", [0.5, None, 3.0]),
    "decimals": (pa.array([Decimal("1.10"), None, Decimal("-2.25")]), "DECIMAL(3,2)", [Decimal("1.10"), None, Decimal("-2.25")]),
    "short decimals": (pa.array([Decimal("1.10"), None, None], pa.decimal32(5, 2)), "DECIMAL(5,2)", [Decimal("1.10"), None, None]),
    "wide decimals": (
        pa.array([Decimal("1" * 45 + ".5"), None, None], pa.decimal256(60, 1)), "VARCHAR", ["1" * 45 + ".5", None, None],
    ),
    "truth": (pa.array([True, None, False]), "BOOLEAN", [True, None, False]),
    "dates": (pa.array([date(2026, 3, 1), None, None]), "DATE", [date(2026, 3, 1), None, None]),
    "times of day": (pa.array([time(7, 30), None, None]), "TIME", [time(7, 30), None, None]),
    "moments": (pa.array([MOMENT, None, None]), "TIMESTAMP", [MOMENT, None, None]),
    "moments in seconds": (
        pa.array([MOMENT.replace(microsecond=0), None, None], pa.timestamp("s")), "TIMESTAMP", [MOMENT.replace(microsecond=0), None, None],
    ),
    "moments in nanoseconds": (pa.array([MOMENT, None, None], pa.timestamp("ns")), "TIMESTAMP", [MOMENT, None, None]),
    "timedeltas": (pa.array([timedelta(minutes=1, milliseconds=500), None, timedelta(0)]), "DOUBLE", [60.5, None, 0.0]),
    "bytes": (pa.array([b"\x89PNG", None, b""]), "BLOB", [b"\x89PNG", None, b""]),
    "large bytes": (pa.array([b"\x89PNG", None, b""], pa.large_binary()), "BLOB", [b"\x89PNG", None, b""]),
    "bytes of one length": (pa.array([b"ab", None, b"cd"], pa.binary(2)), "BLOB", [b"ab", None, b"cd"]),
    "lists": (pa.array([[0.25, 0.75], None, []]), "DOUBLE[]", [[0.25, 0.75], None, []]),
    "lists of floats": (pa.array([[0.25], None, []], pa.list_(pa.float32())), "FLOAT[]", [[0.25], None, []]),
    "large lists": (pa.array([[0.25], None, []], pa.large_list(pa.float64())), "DOUBLE[]", [[0.25], None, []]),
    "lists of one length": (
        pa.array([[0.25, 0.75], None, [1, 0]], pa.list_(pa.float32(), 2)), "FLOAT[]", [[0.25, 0.75], None, [1, 0]],
    ),
    "lists of half floats": (pa.array([[0.5], None, []], pa.list_(pa.float16())), "FLOAT[]", [[0.5], None, []]),
    "lists of whole numbers": (pa.array([[1, 2], None, []]), "BIGINT[]", [[1, 2], None, []]),
    "lists of decimals": (pa.array([[Decimal("0.5")], None, []]), "DOUBLE[]", [[0.5], None, []]),
    "list views": (pa.array([[0.25], None, []], pa.list_view(pa.float64())), "DOUBLE[]", [[0.25], None, []]),
    "lists of text": (pa.array([["a", "ä"], None, []]), "VARCHAR", ['["a", "ä"]', None, "[]"]),
    "lists of lists": (pa.array([[[1], [2]], None, []]), "VARCHAR", ["[[1], [2]]", None, "[]"]),
    "objects": (pa.array([{"a": 1, "b": "x"}, None, None]), "VARCHAR", ['{"a": 1, "b": "x"}', None, None]),
    "pictures": (
        pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, None, {"bytes": None, "path": "b.png"}]), "BLOB", [b"\x89PNG", None, None],
    ),
    "maps": (pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())), "VARCHAR", ['{"k": 1}', None, "{}"]),
    "names of the universe": (
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([uuid.UUID(int=7).bytes, None, None], pa.binary(16))),
        "VARCHAR", [str(uuid.UUID(int=7)), None, None],
    ),
    "tensors": (
        pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [2]), pa.array([[1, 2], [3, 4], None], pa.list_(pa.float32(), 2))),
        "FLOAT[]", [[1.0, 2.0], [3.0, 4.0], None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TYPES)
@pytest.mark.parametrize("name", WRITERS)
def test_every_type_arrives_as_one_that_can_be_used(read, case, name):
    values, stored, expected = TYPES[case]

    rows, table = read(write([pa.record_batch([values], names=["c"])], WRITERS[name]), name)

    assert table.types == (stored,)
    assert [value for (value,) in rows] == expected


IN_PARQUET = set(TYPES) - {"runs", "wide decimals"}
"""Parquet has no run lengths, and DuckDB reads its widest decimals as floats."""


@pytest.mark.parametrize("case", sorted(IN_PARQUET))
def test_every_type_of_parquet_arrives_as_in_arrow(tmp_path, case):
    values, stored, expected = TYPES[case]
    pq.write_table(pa.table({"c": values}), tmp_path / "x.parquet")

    ((scratch, table),) = read_parquet(tmp_path / "x.parquet", None)
    found = scratch.connection.sql("SELECT c0 FROM raw ORDER BY row").to_arrow_table()["c0"].to_pylist()
    scratch.close()

    assert [json.loads(v) if v and "JSON text" in str(table.notes) else v for v in found] == [
        json.loads(v) if v and "JSON text" in str(table.notes) else v for v in expected
    ]
    known = {"nothing": '"NULL"', "moments in nanoseconds": "TIMESTAMP_NS", "names of the universe": "UUID"}
    assert table.types == (known.get(case, stored),)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_zone_is_kept_as_the_moment_it_says(desk, unit):
    moment = MOMENT.replace(microsecond=0)
    zoned = pa.array([moment.replace(tzinfo=UTC)], pa.timestamp(unit, "Asia/Kolkata"))
    batch = pa.record_batch({"item_id": ["a"], "label": ["x"], "seen": zoned})
    pq.write_table(pa.Table.from_batches([batch]), desk.folder / "x.parquet")

    for path in (desk.put("x.arrow", write([batch])), desk.folder / "x.parquet"):
        desk.load(path, split=path.suffix)

    assert desk.ask("SELECT seen FROM features") == [(moment,), (moment,)]


def test_what_changed_its_type_is_said(read):
    batch = pa.record_batch(
        {"took": TYPES["timedeltas"][0], "meta": TYPES["objects"][0], "tags": TYPES["lists of text"][0]}
    )

    _rows, table = read(write([batch]))

    assert table.notes == ("Read as seconds: 'took'.", "Read as JSON text: 'meta', 'tags'.")


def test_every_type_loads_as_a_feature(desk):
    columns = {case: values for case, (values, _stored, _expected) in TYPES.items()}
    batch = pa.record_batch({"item_id": ["a", "b", "c"], "label": ["x", "y", "x"], **columns})

    report = desk.load(desk.put("x.arrow", write([batch])))

    assert report.files[0].tally.kept == 3
    assert set(columns) <= set(report.files[0].roles.features) | {
        guess.column for guess in report.files[0].roles.single.values()
    }
    found = desk.ask('SELECT "category", "moments", "lists of one length", "timedeltas" FROM features ORDER BY item')
    assert found[0] == ("a", MOMENT, [0.25, 0.75], 60.5)


@pytest.mark.parametrize("name", WRITERS)
def test_dictionaries_may_differ_from_batch_to_batch(read, name):
    batches = [pa.record_batch({"c": pa.array(part).dictionary_encode()}) for part in (["a", "b"], ["c", "a"])]
    opened = (
        ipc.new_stream
        if name != "x.arrow"
        else lambda target, schema: ipc.new_file(target, schema, options=ipc.IpcWriteOptions(unify_dictionaries=True))
    )
    target = io.BytesIO()
    with opened(target, batches[0].schema) as writer:
        writer.write_table(pa.Table.from_batches(batches))

    rows, _table = read(target.getvalue(), name)

    assert [value for (value,) in rows] == ["a", "b", "c", "a"]


def test_a_frame_of_many_batches_keeps_its_order(read):
    frame = pd.DataFrame({"id": [f"i{k}" for k in range(5000)], "n": np.arange(5000)})
    table = pa.Table.from_pandas(frame, preserve_index=False)

    rows, _table = read(write(table.to_batches(max_chunksize=97)))

    assert rows == list(zip(frame["id"], frame["n"], strict=True))


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_read_whatever_its_compression(desk, compression):
    frame = pd.DataFrame({"item_id": ["a", "b"], "label": ["x", "y"], "kind": pd.Categorical(["p", "q"])})
    frame.to_feather(desk.folder / "x.feather", compression=compression)

    desk.load(desk.folder / "x.feather")

    assert desk.ask("SELECT i.item_id, f.kind FROM items i JOIN features f USING (item) ORDER BY item") == [
        ("a", "p"),
        ("b", "q"),
    ]


def test_embeddings_of_one_length_and_float_probabilities_load(stocked, make_predictions):
    frame = make_predictions()
    probabilities = frame[["prob_a", "prob_b"]].to_numpy(dtype=np.float32)
    table = pa.table(
        {
            "item_id": frame["item_id"].to_list(),
            "predicted": frame["predicted"].to_list(),
            "pred_probs": pa.FixedSizeListArray.from_arrays(probabilities.ravel(), 2),
        }
    )

    stocked.load(stocked.put("p.arrow", write(table.to_batches())), classes=("a", "b"))

    found = np.array([row for (row,) in stocked.ask("SELECT pred_probs FROM predictions ORDER BY item")])
    assert np.allclose(found, probabilities)


# --- Faults

WHOLE = pa.table({"item_id": [f"i{k}" for k in range(1000)], "label": ["x", "y"] * 500}).to_batches(max_chunksize=250)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_was_cut_anywhere_is_refused(desk, name):
    content = write(WHOLE, WRITERS[name])
    for length in [*range(8, len(content), 997), len(content) - 1, len(content) - 8]:
        message = desk.refuse(desk.put(name, content[:length]))

        assert message.startswith(f"{name} is not a whole Arrow file: "), length
        assert message.endswith(". Export it again."), length
        assert "\n" not in message


def test_a_stream_that_was_cut_between_two_batches_is_refused(desk):
    target = io.BytesIO()
    writer = ipc.new_stream(target, WHOLE[0].schema)
    writer.write_batch(WHOLE[0])

    message = desk.refuse(desk.put("x.arrows", target.getvalue()))

    assert "its end mark is missing, so it is cut off or was still being written" in message


def test_a_second_stream_behind_the_first_is_refused(desk):
    message = desk.refuse(desk.put("x.arrows", write(WHOLE, ipc.new_stream) * 2))

    assert "data follows the end of the stream at byte" in message


def test_damage_inside_is_refused_or_harmless(read):
    content = bytearray(write(WHOLE))
    random = np.random.default_rng(5)
    for place in random.integers(8, len(content), 25):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        with suppress(FileFaultError):
            read(bytes(damaged))


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_without_rows_is_refused(desk, name):
    empty = pa.record_batch({"item_id": pa.array([], pa.string()), "label": pa.array([], pa.string())})

    assert (
        desk.refuse(desk.put(name, write([empty], WRITERS[name])))
        == f"{name} has a header but no rows. Export it again."
    )


def test_the_first_version_of_feather_is_refused_with_a_way_out(desk):
    message = desk.refuse(desk.put("x.feather", b"FEA1" + bytes(40) + b"FEA1"))

    assert message == (
        "x.feather is a Feather file of version 1, which is no longer written. Save it again with pandas or Arrow as version 2."
    )


def test_json_text_is_json(read):
    values = pa.array([{"when": MOMENT, "raw": b"\x00", "share": float("nan")}])

    rows, _table = read(write([pa.record_batch([values], names=["c"])]))

    assert json.loads(rows[0][0]) == {"when": "2026-03-01 07:30:15.250000", "raw": "00", "share": None}


def test_what_feather_writes_is_an_arrow_file(tmp_path):
    feather.write_feather(pa.table({"id": [1]}), tmp_path / "x.feather")
    ((scratch, table),) = read_arrow(tmp_path / "x.feather", None)
    scratch.close()

    assert table.dialect == {"format": "Arrow file"}
