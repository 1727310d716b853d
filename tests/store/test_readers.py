"""Files become rows of text, each faulty line with its number; the rest is decided later."""

import csv
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.errors import FileFaultError
from analysis.store.readers.delimited import read_delimited
from analysis.store.readers.parquet import read_parquet
from analysis.store.readers.records import choose_delimiter, split_records, to_line

FRAME = pd.DataFrame({"id": ["1", "2", "3"], "city": ["Köln", "Ulm", None]})
ROWS = [(1, "1", "Köln"), (2, "2", "Ulm"), (3, "3", None)]


@pytest.fixture
def read(tmp_path):
    opened = []

    def run(content, *, encoding=None, name="x.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path, row_group_size=1000)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reader = read_parquet if name.endswith("parquet") else read_delimited
        ((scratch, table),) = reader(path, encoding)
        opened.append(scratch)
        return scratch.connection.execute("SELECT * FROM raw ORDER BY row").fetchall(), table

    yield run
    for scratch in opened:
        scratch.close()


# --- Text

VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', '""', ",", "\n", "\r\n", "\r", ' "', '" ', ";", "\t", "a\u2028b", "\x1c"]
)


@given(st.lists(st.lists(VALUES, min_size=2, max_size=3).map(tuple), min_size=1, max_size=6), st.sampled_from(",;\t|"))
@settings(max_examples=150, deadline=None)
def test_what_the_csv_module_writes_is_read_back(rows, delimiter):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    lines = io.StringIO(text.getvalue(), newline="")

    records = list(split_records(lines, delimiter))

    assert [record.split(delimiter) for record in records] == rows
    assert [record.fault for record in records] == [None] * len(rows)
    assert all(record.width == len(row) for record, row in zip(records, rows, strict=True))


@given(st.lists(VALUES, min_size=1, max_size=3))
@example([""])
@settings(max_examples=100, deadline=None)
def test_a_written_record_is_one_record_with_the_same_values(values):
    line = to_line(values, ",")

    assert next(csv.reader(io.StringIO(line, newline=""))) == values


def test_records_know_the_line_they_begin_on():
    text = 'a,b\n\n1,"x\ny"\n   \n2,z\n3'

    records = list(split_records(io.StringIO(text, newline=""), ","))

    assert [(record.line, record.width, record.ended) for record in records] == [
        (1, 2, True), (3, 2, True), (6, 2, True), (7, 1, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('a,"b"c"\n1,2\n', [("quote", 1), (None, 2)]),
        ('a,"b\n1,2\n', [("open", 1)]),
        ('x\na,"b\n1,"2"\n', [(None, 1), ("open", 2)]),
        ('a,5" x 6"\n', [(None, 1)]),
    ],
)
def test_quotes_that_do_not_belong_are_named(text, faults):
    records = split_records(io.StringIO(text, newline=""), ",")

    assert [(record.fault, record.line) for record in records] == faults


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b;c,d", ","), ('id;"a, b, c";x', ";"), ("a\tb", "\t"), ("a|b|c,d", "|"), ("alone", ","), ('"a;""b;c",d', ",")],
)
def test_the_delimiter_is_the_one_that_splits_the_header(header, delimiter):
    assert choose_delimiter(header) == delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_recognised(read, delimiter, ending):
    rows, table = read(FRAME.to_csv(index=False, sep=delimiter, lineterminator=ending))

    assert (rows, table.names) == (ROWS, ("id", "city"))


@pytest.mark.parametrize(
    ("codec", "option"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-8-sig", "UTF8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
     ("latin-1", "latin-1"), ("mac-roman", "mac-roman")],
)  # fmt: skip
def test_encodings_are_read_as_named(read, codec, option):
    rows, table = read(FRAME.to_csv(index=False).encode(codec), encoding=option)

    assert (rows, table.names) == (ROWS, ("id", "city"))


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "klingon"])
def test_what_is_no_text_encoding_is_refused(read, encoding):
    with pytest.raises(FileFaultError, match=f"There is no text encoding '{encoding}' .for x.csv.. Examples: utf-8"):
        read("id,x\n1,2\n", encoding=encoding)


@pytest.mark.parametrize(
    ("content", "encoding", "place"),
    [
        ("id,x\n1,Köln\n".encode("latin-1"), "utf-8", "UTF-8 text at byte 8"),
        (b"id,x\n", "utf-16", "utf-16 text at byte 0"),
    ],
)
def test_text_in_another_encoding_than_named_names_the_place_and_the_way_out(read, content, encoding, place):
    with pytest.raises(FileFaultError, match=f"x.csv is not {place}. Name its encoding with --encoding, or name none"):
        read(content, encoding=encoding)


def test_faulty_lines_are_named_and_the_lines_after_them_keep_their_numbers(read):
    text = 'id,x\n\n1,"a\nb"\n2\n3,c,d\n4,"e"f"\n5,g\n'

    rows, table = read(text)

    assert rows == [(1, "1", "a\nb"), (2, "5", "g")]
    assert [(reject.line, reject.reason) for reject in table.rejects] == [
        (5, "1 value for 2 columns"),
        (6, "3 values for 2 columns"),
        (7, "a quote inside a quoted value is not doubled"),
    ]
    assert [table.lines.find(row) for row in (1, 2)] == [3, 8]


@pytest.mark.parametrize("blank", ["", "\n", "   \n\n"])
def test_lines_before_the_header_may_be_blank(read, blank):
    rows, table = read(blank + "id,x\n1,2\n")

    assert (rows, table.names) == ([(1, "1", "2")], ("id", "x"))
    assert table.lines.find(1) == blank.count("\n") + 2


def test_long_values_are_read_whole(read):
    rows, _table = read("id,x\n1," + "é" * 3_000_000 + "\n2,y\n")

    assert [(row, key, len(text)) for row, key, text in rows] == [(1, "1", 3_000_000), (2, "2", 1)]


def test_rows_keep_the_order_of_a_long_file(read):
    rows, _table = read("id,x\n" + "".join(f"{k},{k % 7}\n" for k in range(60_000)))

    assert all(row == int(key) + 1 for row, key, _x in rows)


def test_a_carriage_return_is_a_line_break_only_where_lines_end_in_it(read):
    rows, _table = read("id,x\n1,a\rb\n2,c\r\n")

    assert rows == [(1, "1", "a\rb"), (2, "2", "c")]


def test_one_column_is_enough(read):
    rows, table = read('id\n1\n""\n\n3\n')

    assert rows == [(1, "1"), (2, None), (3, "3")]
    assert [table.lines.find(row) for row in (1, 2, 3)] == [2, 3, 5]


def test_the_copy_that_is_read_is_gone_afterwards(read, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    ((scratch, _table),) = read_delimited(_write(tmp_path / "x.csv", "id,x\n1,2\n"), None)
    scratch.close()

    assert list((tmp_path / "t").iterdir()) == []


def _write(path, text):
    path.write_text(text)
    return path


# --- Parquet


def test_parquet_rows_keep_their_order_and_names(read):
    table = pa.table({"file_row_number": range(5000), "filename": ["x"] * 5000, "ROW": range(5000)})

    rows, found = read(table, name="x.parquet")

    assert found.names == ("file_row_number", "filename", "ROW")
    assert all(row[0] == row[1] + 1 == row[3] + 1 for row in rows)


def test_twins_in_parquet_keep_their_names_so_that_they_can_be_refused(read):
    _rows, found = read(pa.table([[1], [2]], names=["label", "Label"]), name="x.parquet")

    assert found.names == ("label", "Label")


@pytest.mark.parametrize("name", ["split=eval/x.parquet", "train[1].parquet", "a*b?.parquet", "it's.parquet"])
def test_what_a_path_looks_like_does_not_matter(read, name):
    rows, found = read(pa.table({"id": [7]}), name=name)

    assert (rows, found.names) == ([(1, 7)], ("id",))


def test_a_reader_sees_its_own_file_and_no_other(read, tmp_path):
    secret = _write(tmp_path / "secret.csv", "id\n1\n")
    ((scratch, _table),) = read_delimited(_write(tmp_path / "x.csv", "id\n1\n"), None)
    with scratch:
        for path in (secret, "/etc/passwd"):
            with pytest.raises(Exception, match="Permission Error|disabled"):
                scratch.connection.execute("SELECT * FROM read_text(?)", [str(path)]).fetchall()
        with pytest.raises(Exception, match="configuration has been locked"):
            scratch.connection.execute("SET allowed_paths = ['/etc/passwd']")
