"""A text that is scanned in blocks reads as one that is split record by record, and its dialect is said."""

import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.errors import FileFaultError
from analysis.store.readers import outline
from analysis.store.readers.delimited import read_delimited
from analysis.store.readers.records import split_records

VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', '""', ",", "\n", "\r\n", "\r", ' "', '" ', ";", "\t", "a\u2028b", "\x1c"]
)


@pytest.fixture
def read(tmp_path):
    def run(content, *, name="x.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        ((scratch, table),) = read_delimited(path, None)
        with scratch:
            return scratch.connection.execute("SELECT * FROM raw ORDER BY row").fetchall(), table

    return run


class SharedScratch:
    """A scratch database that stays open: to open one takes longer than to read a hundred small files."""

    connection = duckdb.connect()

    def __init__(self, _path):
        self.connection.execute("DROP VIEW IF EXISTS raw")

    def execute(self, statement):
        self.fetch_all(statement)

    def fetch_all(self, query):
        return self.connection.execute(query.text, list(query.params)).fetchall()

    def close(self):
        pass


def _read_shared(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.store.readers.delimited.Scratch", SharedScratch)
        ((scratch, table),) = read_delimited(path, None)
    return scratch.connection.execute("SELECT * FROM raw ORDER BY row").fetchall(), table


def _write(path, text):
    path.write_text(text)
    return path


# --- Blocks that are scanned, and blocks that are split record by record

PIECES = st.sampled_from(
    [
        "a",
        "b",
        "1",
        " ",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        '"',
        '""',
        ',"',
        '",',
        '"\n',
        "\r",
        "\t",
        "é",
        "\x00",
        "x" * 9,
        "\u2028",
        '"a"',
        '"a,b"',
        '"x\ny"',
        '"x\r\ny"',
        "a,b\n",
        "1,2\n",
        '"p","q"\n',
        "a,b\r\n",
        ",\n",
        "\n\n",
    ]
)
HEADERS = st.sampled_from(
    ["h,k\n", "h,k\r\n", "h,k\r", '"h",k\n', "\nh,k\n", "sep=,\nh,k\n", "h\n", '"h\nx",k\n', "h,k,l\n", "\ufeffh,k\n"]
)


@st.composite
def almost_good_texts(draw):
    """What the csv module writes, with at most one piece put in or over it."""
    rows = draw(st.lists(st.tuples(VALUES, VALUES), max_size=12))
    text = io.StringIO(newline="")
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(
        text, lineterminator=ending, quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ).writerows(rows)
    body = text.getvalue()
    place, over = draw(st.integers(0, len(body))), draw(st.integers(0, 2))
    return "h,k" + ending + body[:place] + draw(PIECES | st.just("")) + body[place + over :]


@given(
    st.tuples(HEADERS, st.lists(PIECES, max_size=30).map("".join)).map("".join) | almost_good_texts(),
    st.sampled_from([5, 32, 1 << 18]),
)
@example("h,k\na,b\n\n\n", 32)
@example("h,k\r\na,b\r\n\n\r\n", 32)
@example('h,k\na,"b\n\n', 32)
@example('h,k\n"a","b"', 5)
@settings(max_examples=300, deadline=None)
def test_a_scanned_file_reads_exactly_as_one_that_is_split_record_by_record(text, block_bytes):
    def run():
        try:
            rows, table = _read_shared(path)
        except FileFaultError as error:
            return error.message
        return rows, table, [table.lines.find(row[0]) for row in rows]

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode())
        patch.setattr(outline, "_BLOCK_BYTES", block_bytes)
        patch.setattr(outline, "_LARGEST_BLOCK_BYTES", max(block_bytes, 64))
        scanned = run()
        patch.setattr(outline, "scan_records", lambda _data, _shape: None)
        split = run()

    if isinstance(scanned, tuple):
        # Where rows begin may be noted in other steps; what is found is the same.
        scanned, split = ((rows, replace(table, lines=None), lines) for rows, table, lines in (scanned, split))
    assert scanned == split


@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=150, deadline=None)
def test_what_the_csv_module_writes_comes_back_from_the_database(rows, delimiter, ending):
    text = io.StringIO(newline="")
    # The module leaves a carriage return without quotes where lines end in a line feed alone.
    quoting = csv.QUOTE_ALL if ending == "\n" else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=quoting).writerows([("h", "k"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.getvalue().encode())
        found, table = _read_shared(path)

    assert [row[1:] for row in found] == [tuple(value or None for value in row) for row in rows]
    assert (table.rejects, table.dialect["line_end"]) == ((), "LF" if ending == "\n" else "CRLF")


def test_a_well_formed_file_is_read_as_it_stands_and_another_one_from_a_copy(tmp_path):
    good = _write(tmp_path / "good.csv", 'id,x\n1,"a\nb"\n2,c\n\n')
    odd = _write(tmp_path / "odd.csv", "id,x\n1,a\n\n2,b\n")

    assert outline.outline_text(good, "good.csv", tmp_path / "copy").file == good
    assert outline.outline_text(odd, "odd.csv", tmp_path / "copy").file.read_text() == "1,a\n2,b\n"


def test_one_faulty_line_in_a_long_file_is_named_and_only_its_block_is_split(read, monkeypatch):
    lines = ["id,x", *(f"{k},{k % 7}" for k in range(200_000))]
    lines[150_001] = '150000,"a"b'
    lines[160_001] = '160000,"a\nb"'
    split = []
    monkeypatch.setattr(
        outline, "split_records", lambda *a, **k: (split.append(r) or r for r in split_records(*a, **k))
    )

    rows, table = read("\n".join(lines) + "\n")

    assert [(reject.line, reject.reason) for reject in table.rejects] == [
        (150_002, "a quote inside a quoted value is not doubled")
    ]
    assert len(rows) == 199_999
    assert [table.lines.find(row) for row in (1, 150_000, 150_001, 160_000, 160_001)] == [
        2,
        150_001,
        150_003,
        160_002,
        160_004,
    ]
    assert all(
        line.split(",")[0] == key for line, (_row, key, _x) in zip(lines[150_002:160_000], rows[150_000:], strict=False)
    )
    assert len(split) < 100_000


@pytest.mark.parametrize("blank", ["", "\n", "\r\n\r\n"])
def test_rows_that_look_like_rows_inside_quotes_stay_values(read, blank):
    # Longer than what the database gives a thread: reading with several, it lost its way here and said nothing.
    cell = '"' + "1,2\n3,4\n" * 20_000 + '"'
    rows, table = read("id,x\n" + "".join(f"{k},{cell}\n" for k in range(300)) + blank)

    assert [row[:2] for row in rows] == [(k + 1, str(k)) for k in range(300)]
    assert {row[2] for row in rows} == {cell.strip('"')}
    assert [table.lines.find(row) for row in (1, 2, 300)] == [2, 40_003, 2 + 299 * 40_001]


# --- The dialect


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ("id,x\n1,2\n", ("utf-8", "comma", "LF")),
        ("id;x\r\n1;2\r\n", ("utf-8", "semicolon", "CRLF")),
        ("id\tx\r1\t2\r", ("utf-8", "tab", "CR")),
        ("id|x\n1|2\n".encode("utf-16"), ("utf-16", "bar", "LF")),
        ("sep=;\r\nid;x\r\n1;2\r\n", ("utf-8", "semicolon", "CRLF")),
        ("sep=^\nid^x\n1^2\n", ("utf-8", "^", "LF")),
        ('"sep=|"\nid|x\n1|2\n', ("utf-8", "bar", "LF")),
        ("\ufeffsep=\t\nid\tx\n1\t2\n", ("utf-8-sig", "tab", "LF")),
    ],
)
def test_the_dialect_is_said(read, content, dialect):
    rows, table = read(content)

    assert (rows, table.names) == ([(1, "1", "2")], ("id", "x"))
    assert tuple(table.dialect[key] for key in ("encoding", "delimiter", "line_end")) == dialect
    assert table.dialect["quote"] == "double quote"


def test_lines_count_on_behind_the_delimiter_that_excel_writes_first(read):
    rows, table = read("sep=;\nid;x\n1;2\n3;4;5\n6;7\n")

    assert [table.lines.find(row[0]) for row in rows] == [3, 5]
    assert [reject.line for reject in table.rejects] == [4]


def test_numbers_with_a_comma_stay_text_and_are_named(read):
    rows, table = read("id;price;sum;word;gone\n1;3,14;1.234,50;a,b;\n2;-2,5;7;1,5;\n")

    assert rows[0] == (1, "1", "3,14", "1.234,50", "a,b", None)
    assert table.notes == (
        "These columns hold numbers with a comma, such as 3,14, and are read as text: 'price', 'sum'. "
        "To use them as numbers, export the file with decimal points.",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "id,x\n1,2\n\n3,\0\n",
            "x.csv is damaged: there are zero bytes in the row that begins on line 4. Export it again.",
        ),
        (
            "id,x\n" + "1,2\n" * 99 + "\0" * 500,
            "x.csv is damaged: there are zero bytes in the row that begins on line 101.",
        ),
        ("id,x\n1,2\n3," + "x" * 2000, "x.csv: line 3 is longer than 0 MB, too long for a row of a table. "),
        ("id," + "x" * 2000 + "\n1,2\n", "x.csv: line 1 is longer than 0 MB, too long for a row of a table. "),
        (
            'id,x\n1,2\n3,"' + "x\n" * 2000 + '"\n',
            "x.csv: a row that goes on to line 501 is longer than 0 MB. Most likely a quote before it is never closed",
        ),
        (
            "id,x\n1,2\n" + '3,"' + "4,5\n" * 2000,
            "x.csv: a row that goes on to line 252 is longer than 0 MB. Most likely a quote",
        ),
        ("id,x\r1,2\r3," + "x" * 2000, "x.csv: line 3 is longer than 0 MB, too long for a row of a table. "),
    ],
)
def test_what_no_table_can_hold_is_refused_with_its_line(read, monkeypatch, content, sentence):
    monkeypatch.setattr(outline, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(outline, "_BLOCK_BYTES", 256)
    monkeypatch.setattr(outline, "_LARGEST_BLOCK_BYTES", 512)

    with pytest.raises(FileFaultError) as caught:
        read(content)

    assert caught.value.message.startswith(sentence)


def test_a_file_that_changes_while_it_is_read_is_refused(read, monkeypatch):
    def outline_less(*arguments):
        found = outline.outline_text(*arguments)
        found.rows -= 1
        return found

    monkeypatch.setattr("analysis.store.readers.delimited.outline_text", outline_less)

    with pytest.raises(
        FileFaultError, match="^x.csv had 1 rows at first and 2 a moment later. Wait until it is written"
    ):
        read("id,x\n1,2\n3,4\n")


@pytest.mark.parametrize("name", ["split=eval/x.csv", "train[1].csv", "a*b?.csv", "it's {1,2}.csv", "x.gz.csv"])
def test_what_the_path_of_a_text_looks_like_does_not_matter(read, tmp_path, name):
    _write(tmp_path / "train1.csv", "id,x\n9,9\n")

    rows, table = read("id,x\n7,a\n", name=name)

    assert (rows, table.names) == ([(1, "7", "a")], ("id", "x"))
