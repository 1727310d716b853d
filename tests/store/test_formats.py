"""One frame in every format gives one workspace; a file that is not what its ending says is refused by name."""

import io
import json
import zipfile
from datetime import UTC, datetime

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc

from analysis.commands import load as load_command
from analysis.errors import FileFaultError
from analysis.store.loading.source import KNOWN_ENDINGS, open_sources
from analysis.store.readers.endings import READERS

ROWS = 60
FRAME = pd.DataFrame(
    {
        "item_id": [f"{k:03d}" for k in range(ROWS)],
        "label": [["cat", "dog", "bird"][k % 3] for k in range(ROWS)],
        "city": [["Köln", "São Paulo", None][k % 3] for k in range(ROWS)],
        "age": [20 + k % 50 for k in range(ROWS)],
        "score": [None if k % 7 == 0 else k / 8 for k in range(ROWS)],
        "member": [k % 2 == 0 for k in range(ROWS)],
        "seen": [datetime(2026, 3, 1 + k % 28, k % 24, 30) for k in range(ROWS)],  # noqa: DTZ001  (as in a file)
        "note": ['a "b", c', "+49 170", "x\ny"] * (ROWS // 3),
    }
)
TYPES = ["VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "VARCHAR"]


def to_arrow(frame, *, stream):
    table, target = pa.Table.from_pandas(frame, preserve_index=False), io.BytesIO()
    with (ipc.new_stream if stream else ipc.new_file)(target, table.schema) as writer:
        writer.write_table(table, max_chunksize=25)
    return target.getvalue()


def to_excel(frame, engine):
    target = io.BytesIO()
    frame.to_excel(target, index=False, engine=engine)
    return target.getvalue()


def written(write):
    target = io.BytesIO()
    write(target)
    return target.getvalue()


def to_zip(members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def to_records(frame):
    return json.loads(frame.to_json(orient="records", date_format="iso"))


# How each format is written by a library of its own, and how pandas reads the same bytes.
WRITERS = {
    "items.csv": lambda frame: frame.to_csv(index=False).encode(),
    "items.tsv": lambda frame: frame.to_csv(index=False, sep="\t").encode(),
    "items.parquet": lambda frame: written(lambda target: frame.to_parquet(target, index=False)),
    "items.arrow": lambda frame: to_arrow(frame, stream=False),
    "items.arrows": lambda frame: to_arrow(frame, stream=True),
    "stream.arrow": lambda frame: to_arrow(frame, stream=True),
    "items.ipc": lambda frame: to_arrow(frame, stream=False),
    "items.feather": lambda frame: written(frame.to_feather),
    "items.json": lambda frame: frame.to_json(orient="records", date_format="iso").encode(),
    "wrapped.json": lambda frame: json.dumps({"version": 2, "data": to_records(frame)}).encode(),
    "columns.json": lambda frame: frame.to_json(orient="columns", date_format="iso").encode(),
    "index.json": lambda frame: frame.to_json(orient="index", date_format="iso").encode(),
    "split.json": lambda frame: frame.to_json(orient="split", date_format="iso").encode(),
    "table.json": lambda frame: frame.to_json(orient="table").encode(),
    "lists.json": lambda frame: json.dumps(pd.DataFrame(to_records(frame)).to_dict("list")).replace("NaN", "null").encode(),
    "lines.json": lambda frame: frame.to_json(orient="records", lines=True, date_format="iso").encode(),
    "items.jsonl": lambda frame: frame.to_json(orient="records", lines=True, date_format="iso").encode(),
    "items.ndjson": lambda frame: frame.to_json(orient="records", lines=True, date_format="iso", force_ascii=False).encode(),
    "items.xlsx": lambda frame: to_excel(frame, "openpyxl"),
    "xlsxwriter.xlsx": lambda frame: to_excel(frame, "xlsxwriter"),
    "items.xlsm": lambda frame: to_excel(frame, "openpyxl"),
}  # fmt: skip
READERS_OF_PANDAS = {
    "items.csv": lambda path: pd.read_csv(path, dtype={"item_id": str}, parse_dates=["seen"]),
    "items.parquet": pd.read_parquet,
    "items.feather": pd.read_feather,
    "items.json": lambda path: pd.read_json(path, dtype={"item_id": str}),
    "items.jsonl": lambda path: pd.read_json(path, dtype={"item_id": str}, lines=True),
    "items.xlsx": lambda path: pd.read_excel(path, dtype={"item_id": str}, keep_default_na=True),
}
COLUMNS = ["city", "age", "score", "member", "seen", "note"]


def to_plain(frame):
    plain = frame.astype(object)
    return [tuple(None if pd.isna(v) else v for v in row) for row in plain.itertuples(index=False, name=None)]


def ask_items(desk):
    listed = ", ".join(f"f.{name}" for name in COLUMNS)
    return desk.ask(
        f"SELECT i.item_id, i.given_label, {listed} FROM items i JOIN features f USING (item) ORDER BY item"
    )


@pytest.mark.parametrize("name", WRITERS)
def test_a_frame_in_any_format_becomes_the_same_items(desk, name):
    report = desk.load(desk.put(name, WRITERS[name](FRAME)))

    assert ask_items(desk) == to_plain(FRAME)
    assert (report.files[0].kind, report.files[0].tally.kept) == ("items", ROWS)
    types = dict(desk.ask("SELECT name, type FROM columns"))
    assert [types[column] for column in COLUMNS] == TYPES


@pytest.mark.parametrize("name", READERS_OF_PANDAS)
def test_what_is_loaded_is_what_pandas_reads_from_the_same_file(desk, name):
    path = desk.put(name, WRITERS[name](FRAME))

    desk.load(path)

    frame = READERS_OF_PANDAS[name](path)
    frame["seen"] = pd.to_datetime(frame["seen"]).dt.tz_localize(None)
    assert ask_items(desk) == to_plain(frame)


@pytest.mark.parametrize("name", ["items.csv", "items.arrow", "items.jsonl", "items.xlsx"])
def test_the_same_items_from_another_format_change_nothing(desk, name):
    desk.load(desk.put("train.parquet", WRITERS["items.parquet"](FRAME)))

    report = desk.load(desk.put(name, WRITERS[name](FRAME)))

    assert (report.changed, report.files[0].tally.already_there) == (False, ROWS)


@pytest.mark.parametrize("name", ["p.arrow", "p.feather", "p.json", "p.jsonl", "p.parquet"])
def test_lists_of_probabilities_arrive_from_every_format_that_has_lists(stocked, make_predictions, name):
    frame = make_predictions()
    frame["pred_probs"] = frame[["prob_a", "prob_b"]].to_numpy().tolist()
    path = stocked.put(name, WRITERS[name.replace("p.", "items.")](frame[["item_id", "predicted", "pred_probs"]]))

    stocked.load(path, classes=("a", "b"))

    found = stocked.ask("SELECT pred_probs FROM predictions ORDER BY item")
    assert np.allclose(np.array([row for (row,) in found]), frame[["prob_a", "prob_b"]])


def test_real_sentences_in_json_lines_meet_their_votes(desk, shared_data):
    folder = shared_data / "relations"
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    votes = pd.read_csv(folder / "votes.csv")

    report = desk.load(folder / "items.jsonl", folder / "votes.csv")

    assert [(file.kind, file.tally.kept, len(file.tally.rejects)) for file in report.files] == [
        ("items", len(items), 0),
        ("votes", len(votes), 0),
    ]
    found = desk.ask(
        "SELECT i.item_id, f.sentence, f.expert_decision FROM items i JOIN features f USING (item) ORDER BY item"
    )
    assert found == [(item["item_id"], item["sentence"], item["expert_decision"]) for item in items]
    counted = dict(desk.ask("SELECT a.name, count(*) FROM votes v JOIN annotators a USING (annotator) GROUP BY ALL"))
    assert counted == votes["worker"].value_counts().to_dict()


# --- Endings

SEEMS = {
    "csv": ("plain text such as CSV", FRAME.to_csv(index=False).encode()),
    "utf-16": ("plain text such as CSV", FRAME.to_csv(index=False).encode("utf-16")),
    "parquet": ("a Parquet file", WRITERS["items.parquet"](FRAME)),
    "arrow": ("an Arrow file", WRITERS["items.arrow"](FRAME)),
    "arrows": ("an Arrow file", WRITERS["items.arrows"](FRAME)),
    "json": ("JSON", WRITERS["items.json"](FRAME)),
    "pretty json": ("JSON", FRAME.to_json(orient="records", date_format="iso", indent=2).encode()),
    "jsonl": ("JSON Lines (one record a line)", WRITERS["items.jsonl"](FRAME)),
    "object": ("a JSON object", WRITERS["wrapped.json"](FRAME)),
    "xlsx": ("an Excel workbook", WRITERS["items.xlsx"](FRAME)),
    "npy": ("a NumPy matrix", written(lambda target: np.save(target, np.ones((3, 2))))),
    "html": ("an HTML page", FRAME.to_html().encode()),
    "xml": ("an XML file", b'<?xml version="1.0"?><a/>'),
    "gzip": ("a gzip file", b"\x1f\x8b\x08" + bytes(50)),
    "picture": ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(50)),
    "feather 1": ("a Feather file of version 1", b"FEA1" + bytes(50)),
    "sqlite": ("an SQLite database", b"SQLite format 3\0" + bytes(50)),
    "pickle": ("a Python pickle", b"\x80\x04\x95" + bytes(50)),
}  # fmt: skip
FITS = {
    "csv": {".csv", ".tsv", ".txt"},
    "utf-16": {".csv", ".tsv", ".txt"},
    "parquet": {".parquet", ".pq"},
    "arrow": {".arrow", ".arrows", ".ipc", ".feather"},
    "arrows": {".arrow", ".arrows", ".ipc", ".feather"},
    "json": {".json"},
    "pretty json": {".json"},
    "jsonl": {".json", ".jsonl", ".ndjson"},
    "object": {".json", ".jsonl", ".ndjson"},
    "xlsx": {".xlsx", ".xlsm"},
    "npy": {".npy"},
}


@pytest.mark.parametrize("what", SEEMS)
def test_a_file_that_is_not_what_its_ending_says_is_named_under_every_ending(tmp_path, what):
    said, content = SEEMS[what]
    fits = FITS.get(what, set())
    for ending in set(KNOWN_ENDINGS) - fits:
        path = tmp_path / f"x{ending}"
        path.write_bytes(content)

        with pytest.raises(FileFaultError) as caught:
            open_sources(path, None)

        message = caught.value.message
        assert message.startswith(f"x{ending} is {said}")
        assert "\n" not in message
        offered = [ending for ending in KNOWN_ENDINGS if f" x{ending}, or " in message]
        assert set(offered) <= fits
        assert len(offered) == bool(fits)


def test_every_ending_that_is_offered_is_read_and_shown_in_one_place():
    assert set().union(*FITS.values()) == set(KNOWN_ENDINGS) == set(READERS)
    assert load_command.KNOWN_ENDINGS is KNOWN_ENDINGS


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.xls", b"\xd0\xcf\x11\xe0" + bytes(50), "Open it in Excel or LibreOffice and save it as .xlsx. Known endings: "),
        ("x.xls", SEEMS["html"][1], "It is an HTML page. Open it in a spreadsheet and save it as .xlsx. "),
        ("x.xls", SEEMS["csv"][1], "It seems to be plain text such as CSV: if so, rename it to x.csv. "),
        ("x.xls", SEEMS["xlsx"][1], "It seems to be an Excel workbook: if so, rename it to x.xlsx. "),
        ("x.xlsb", b"PK\x03\x04" + bytes(50), "Open it in Excel or LibreOffice and save it as .xlsx. Known endings: "),
        ("x.ods", b"PK\x03\x04" + bytes(50), "Open it in LibreOffice or Excel and save it as .xlsx. "),
        ("x.csv.gz", SEEMS["gzip"][1], "Unpack it first. "),
        ("x.zip", b"PK\x03\x04" + bytes(50), "Unpack it and name the files inside. "),
        ("x.pkl", SEEMS["pickle"][1], "Save it as Parquet; a pickle may run any code when it is opened. "),
        ("x.data", SEEMS["parquet"][1], "It seems to be a Parquet file: if so, rename it to x.parquet. "),
        ("x", SEEMS["jsonl"][1], "It seems to be JSON Lines (one record a line): if so, rename it to x.jsonl. "),
    ],
)  # fmt: skip
def test_an_ending_that_is_not_read_says_what_to_do(desk, name, content, sentence):
    message = desk.refuse(desk.put(name, content))

    assert message.startswith(f"{name} ends in ")
    assert sentence in message
    assert message.endswith(f"Known endings: {', '.join(KNOWN_ENDINGS)}.")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("xl/workbook.bin", "x.xlsx is a binary Excel workbook (.xlsb), not what its ending says. Open it in Excel and save"),
        ("word/document.xml", "x.xlsx is a Word document, not what its ending says. Export it again."),
        ("META-INF/manifest.xml", "x.xlsx is an OpenDocument file, not what its ending says."),
        ("items.csv", "x.xlsx is a zip archive, not what its ending says."),
    ],
)  # fmt: skip
def test_other_files_in_a_zip_are_no_workbooks(desk, member, said):
    assert desk.refuse(desk.put("x.xlsx", to_zip({member: b"x"}))).startswith(said)


def test_utc_is_kept_whatever_the_zone_a_format_writes(desk):
    seen = pd.date_range("2026-03-28 22:30", periods=ROWS, freq="h", tz="Europe/Berlin")
    frame = FRAME.assign(seen=seen)
    expected = [moment.astimezone(UTC).replace(tzinfo=None) for moment in seen.to_pydatetime()]
    for name in ("a.csv", "a.parquet", "a.arrow", "a.feather", "a.jsonl"):
        path = desk.put(name, WRITERS[name.replace("a.", "items.")](frame))
        desk.load(path, split=path.suffix)
        found = desk.ask(
            "SELECT f.seen FROM items i JOIN features f USING (item) WHERE i.split = ? ORDER BY item", path.suffix
        )
        assert [moment for (moment,) in found] == expected, name


def test_a_workbook_cannot_hold_a_zone_so_pandas_refuses_to_write_it():
    with pytest.raises(ValueError, match="timezone"):
        to_excel(FRAME.assign(seen=pd.to_datetime(FRAME["seen"], utc=True)), "openpyxl")


def test_an_uppercase_ending_is_the_same_ending(desk):
    for name in ("A.XLSX", "b.Json", "c.JSONL", "d.Feather"):
        path = desk.put(name, WRITERS["items." + name.split(".")[1].lower()](FRAME))
        assert desk.load(path, split=name).files[0].tally.kept == ROWS


def test_a_workbook_of_openpyxl_without_rows_is_refused(desk):
    book = openpyxl.Workbook()
    book.active.append(["item_id", "label"])
    path = desk.folder / "x.xlsx"
    book.save(path)

    assert "x.xlsx has no sheet with a table" in desk.refuse(path)
