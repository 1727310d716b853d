"""JSON in the forms that people have it: no value changes, and what cannot be read is said with its place."""

import json

import pandas as pd
import pyarrow.json as arrow_json
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import FileFaultError
from analysis.store.readers import json_files
from analysis.store.readers.json_files import read_json, read_json_lines


@pytest.fixture
def read(tmp_path):
    opened = []

    def run(content, *, name="x.json", encoding=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        ((scratch, table),) = (read_json if name.endswith(".json") else read_json_lines)(path, encoding)
        opened.append(scratch)
        rows = scratch.connection.execute("SELECT * EXCLUDE (row) FROM raw ORDER BY row").fetchall()
        return [dict(zip(table.names, row, strict=True)) for row in rows], table

    yield run
    for scratch in opened:
        scratch.close()


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


# --- Values

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
)
NAMES = st.sampled_from(["id", "label", "n", "größe", "a.b"])


def as_kept(column):
    """Say slowly what a column becomes: its own values where they are of one type, else text."""
    found = {type(value) for value in column if value is not None}
    whole = [value for value in column if type(value) is int]
    small = all(abs(value) < 2**63 for value in whole)
    exact = all(abs(value) <= 2**53 for value in whole)
    if found <= {bool} or found <= {str} or found <= {float} or (found == {int} and small):
        return column
    if found == {int, float} and exact:
        return [None if value is None else float(value) for value in column]
    return [None if value is None else str(value) for value in column]


@given(records=st.lists(st.dictionaries(NAMES, PLAIN, min_size=1), min_size=1, max_size=6), block=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_no_value_changes_whatever_stands_beside_it(tmp_path_factory, records, block):
    path = tmp_path_factory.mktemp("json") / "x.jsonl"
    path.write_text(lines(*records))
    names = list(dict.fromkeys(name for record in records for name in record))
    kept = {name: as_kept([record.get(name) for record in records]) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_files, "_BLOCK_ROWS", block)
        ((scratch, table),) = read_json_lines(path, None)

    rows = scratch.connection.execute("SELECT * EXCLUDE (row) FROM raw ORDER BY row").fetchall()
    scratch.close()

    assert table.names == tuple(names)
    assert repr(rows) == repr(list(zip(*kept.values(), strict=True)))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([3, "3"], ["3", "3"]),
        (["007", 7], ["007", "7"]),
        ([9007199254740993, None], [9007199254740993, None]),
        ([9007199254740993, 0.5], ["9007199254740993", "0.5"]),
        ([12345678901234567890123, 1], ["12345678901234567890123", "1"]),
        ([True, "True"], ["True", "True"]),
        ([True, None], [True, None]),
        ([1, 2.5], [1.0, 2.5]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([[0.25, None], []], [[0.25, None], []]),
        ([[1], ["a", 2]], ["[1]", '["a", 2]']),
        ([[1], "x"], ["[1]", "x"]),
        ([[9007199254740993], [1]], ["[9007199254740993]", "[1]"]),
        ([[[0, 2, "ORG"]], []], ['[[0, 2, "ORG"]]', "[]"]),
        ([[{"start": 1}], None], ['[{"start": 1}]', None]),
        (["ä\U0001f600", "\u2028"], ["ä\U0001f600", "\u2028"]),
    ],
)
@pytest.mark.parametrize("block", [1, 100])
def test_columns_of_several_types_keep_every_value_as_it_is_spelled(read, monkeypatch, values, kept, block):
    monkeypatch.setattr(json_files, "_BLOCK_ROWS", block)
    for name, text in (
        ("x.json", json.dumps([{"v": v} for v in values])),
        ("x.jsonl", lines(*({"v": v} for v in values))),
    ):
        rows, _table = read(text, name=name)

        assert [row["v"] for row in rows] == kept


def test_tokens_of_python_that_are_no_numbers_are_missing_numbers(read):
    rows, table = read('[{"v": NaN, "w": [0.5, NaN]}, {"v": -Infinity, "w": [1]}, {"v": 2.5, "w": []}]')

    assert [row["v"] for row in rows] == [None, None, 2.5]
    assert rows[0]["w"] == [0.5, None]
    assert table.types == ("DOUBLE", "DOUBLE[]")


def test_columns_come_in_order_of_first_appearance_and_may_be_missing(read):
    rows, table = read(lines({"b": 1}, {"a": "x", "b": 2}, {"c": None}), name="x.jsonl")

    assert table.names == ("b", "a", "c")
    assert rows == [{"b": 1, "a": None, "c": None}, {"b": 2, "a": "x", "c": None}, {"b": None, "a": None, "c": None}]


def test_objects_inside_unfold_with_dots_as_pandas_does(read):
    records = [
        {"id": 1, "meta": {"source": "web", "by": {"name": "ana", "tags": ["x"]}}},
        {"id": 2, "meta": {"source": None, "by": {}}, "empty": {}},
    ]

    rows, table = read(json.dumps(records))

    normal = pd.json_normalize(records).drop(columns="meta.by", errors="ignore")
    assert table.names == ("id", "meta.source", "meta.by.name", "meta.by.tags")
    assert [row["meta.by.name"] for row in rows] == ["ana", None]
    assert set(table.names) <= set(normal.columns)
    assert table.notes == (
        "Objects inside records were unfolded into columns such as 'meta.source'.",
        "Lists that hold more than numbers are kept as JSON text: 'meta.by.tags'.",
    )


def test_what_is_nested_deeper_than_eight_levels_stays_json(read):
    deep = 1
    for level in range(12, 0, -1):
        deep = {f"k{level}": deep}

    rows, table = read(json.dumps([deep]))

    assert table.names == ("k1.k2.k3.k4.k5.k6.k7.k8",)
    assert json.loads(rows[0][table.names[0]]) == {"k9": {"k10": {"k11": {"k12": 1}}}}


def test_json_lines_agree_with_arrow_on_a_file_of_many_blocks(read, tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "_BLOCK_ROWS", 7)
    records = [{"id": f"i{k}", "n": k, "x": k / 4, "p": [k / 8, 0.5], "m": {"s": str(k)}} for k in range(100)]

    rows, _table = read(lines(*records), name="x.jsonl")

    expected = arrow_json.read_json(tmp_path / "x.jsonl").flatten().to_pylist()
    assert rows == expected


# --- Documents

RECORDS = [{"id": "a", "label": "x", "n": 1}, {"id": "b", "label": None, "n": 2}]


@pytest.mark.parametrize("key", ["data", "records", "rows", "anything"])
def test_the_one_list_of_records_in_an_object_is_read(read, key):
    rows, table = read(json.dumps({"version": 1, key: RECORDS, "info": {"by": "x"}}))

    assert rows == RECORDS
    assert table.notes == (f"The records under {key!r} were read; beside them stand 'version', 'info'.",)


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
def test_every_orientation_of_pandas_that_names_columns_is_read(read, orient):
    rows, _table = read(pd.DataFrame(RECORDS).to_json(orient=orient))

    assert rows == RECORDS


@pytest.mark.parametrize("orient", ["columns", "index", "split"])
def test_numbers_that_pandas_gave_the_rows_are_kept_where_they_say_something(read, orient):
    rows, table = read(pd.DataFrame(RECORDS, index=[10, 30]).to_json(orient=orient))

    assert rows == [{"index": 10, **RECORDS[0]}, {"index": 30, **RECORDS[1]}]
    assert "The names of the rows were read as the column 'index'." in table.notes


def test_names_of_rows_in_a_table_schema_are_a_column(read):
    rows, _table = read(pd.DataFrame(RECORDS).set_index("id").to_json(orient="table"))

    assert rows == RECORDS


def test_lists_of_one_length_are_columns(read):
    rows, _table = read(json.dumps({"id": ["a", "b"], "label": ["x", None], "n": [1, 2]}))

    assert rows == RECORDS


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "x.json holds no record. Export it again."),
        ('{"data": []}', "x.json holds no record. Export it again."),
        ("  \n", "x.json is empty. Export it again."),
        ('"text"', "x.json holds text, not records. Export a list of records, one object an item (pandas: orient='records')"),
        ("[1, 2]", "x.json is a list of numbers, which name no columns. Export a list of records"),
        (pd.DataFrame(RECORDS).to_json(orient="values"), "x.json is a list of lists, which name no columns."),
        ('{"id": "a", "n": 1}', "x.json holds one object with 'id' (text), 'n' (a number), not one list of records."),
        ("{}", "x.json holds an empty object, not one list of records."),
        (
            '{"info": {}, "images": [{"id": 1}], "annotations": [{"id": 1}, {"id": 2}]}',
            "x.json holds one object with 'info' (an object), 'images' (a list of 1), 'annotations' (a list of 2), not one",
        ),
        ('{"id": [1, 2], "label": ["x"]}', "x.json holds lists of different lengths: 'id' 2, 'label' 1."),
        (
            '{"x": {"a": 1}, "y": {"a": 2}}',
            "x.json holds one object with 'x' (an object), 'y' (an object): whether its keys name columns or rows cannot",
        ),
        ('{"columns": ["a", "b"], "data": [[1]]}', "x.json: row 1 of 'data' has 1 values for 2 'columns'. Export it again."),
        ('{"columns": ["a", "a"], "data": [[1, 2]]}', "x.json has the column 'a' twice. Rename one of them."),
        ('{"data": [{"a": 1}], "data": [{"a": 2}]}', "x.json is not whole JSON: the key 'data' stands twice."),
        ('[{"a": 1}', "x.json is not whole JSON: it ends inside the list. Export it again."),
        ('[{"a": 1},\n {"a": ', "x.json is not whole JSON: Expecting value at line 2, column 8. Export it again."),
        ('{"data": [{"a": 1}', "x.json is not whole JSON: Expecting ',' delimiter at character 19. Export it again."),
        ('[{"a": 1}] []', "x.json is not whole JSON: data follows the end at character 12. Export it again."),
        ('[{"a": 1} {"a": 2}]', "x.json is not whole JSON: Expecting ',' at character 11. Export it again."),
        ("[" * 100_000, "x.json is not whole JSON: values are nested too deeply. Export it again."),
        ('[{"a": ' + "1" * 5000 + "}]", "x.json is not whole JSON: a number has too many digits. Export it again."),
        (
            json.dumps([{str(k): 1 for k in range(start, start + 1000)} for start in range(0, 11_000, 1000)]),
            "x.json has more than 10,000 keys, such as '10999': they seem to be values rather than names of columns.",
        ),
    ],
)  # fmt: skip
def test_what_is_no_list_of_records_is_refused_with_what_was_found(read, content, sentence):
    with pytest.raises(FileFaultError) as caught:
        read(content)

    assert caught.value.message.startswith(sentence)
    assert "\n" not in caught.value.message


def test_json_over_the_limit_is_sent_to_json_lines(read, monkeypatch):
    monkeypatch.setattr(json_files, "_LARGEST", 10)

    with pytest.raises(FileFaultError, match="x.json has 0.0 GB. JSON is read up to .* convert it to JSON Lines"):
        read(json.dumps(RECORDS))


def test_records_one_a_line_are_read_whatever_the_ending(read):
    rows, table = read(lines(*RECORDS))

    assert rows == RECORDS
    assert table.notes == ("It holds one record a line and was read as JSON Lines.",)
    assert [table.lines.find(row) for row in (1, 2)] == [1, 2]


# --- Rows at fault


def test_faulty_lines_are_rejected_with_their_numbers(read):
    text = '{"a":1}\n\n{"a":2,"a":3}\n[1]\nnope\n{"a":"\\ud800"}\n{"a":4} 5\n{"m":{"k":1},"m.k":2}\n{"a":6,"s":"\\ud83d\\ude00"}\n'

    rows, table = read(text, name="x.jsonl")

    assert rows == [{"a": 1, "s": None}, {"a": 6, "s": "\U0001f600"}]
    assert [(reject.line, reject.reason) for reject in table.rejects] == [
        (3, "the key 'a' stands twice"),
        (4, "a list, not an object"),
        (5, "no JSON: Expecting value at character 1"),
        (6, "a text holds half a character (a lone surrogate)"),
        (7, "no JSON: data follows the end at character 9"),
        (8, "two values for 'm.k'"),
    ]
    assert [table.lines.find(row) for row in (1, 2)] == [1, 9]


def test_faulty_records_of_a_list_are_rejected_with_their_place_in_it(read):
    rows, table = read('[{"a": 1}, null, {"b": {"c": 1, "c": 2}}, {"a": "\\udc00"}, {"a": 5}]')

    assert [row["a"] for row in rows] == [1, 5]
    assert [(reject.line, reject.reason) for reject in table.rejects] == [
        (2, "null, not an object"),
        (3, "the key 'c' stands twice"),
        (4, "a text holds half a character (a lone surrogate)"),
    ]


def test_rejected_lines_count_towards_the_share_that_is_allowed(desk):
    good = lines(*({"item_id": f"i{k}", "label": "ab"[k % 2]} for k in range(99)))

    report = desk.load(desk.put("a.jsonl", good + "nope\n"))
    assert [(reject.line, reject.reason) for reject in report.files[0].tally.rejects] == [
        (100, "no JSON: Expecting value at character 1")
    ]

    message = desk.refuse(desk.put("b.jsonl", good + "nope\n[]\n"))
    assert message.startswith("b.jsonl: 2 of 101 rows (2.0%) are faulty, more than --max-rejects 0.01 allows.")


def test_a_file_that_ends_inside_its_last_line_is_cut_off(desk):
    message = desk.refuse(desk.put("x.jsonl", lines(*RECORDS) + '{"id": "c", "lab'))

    assert message == (
        "x.jsonl is cut off: its last line, 3, is no whole record (Unterminated string starting at at character 13). "
        "Export it again."
    )


def test_a_last_line_without_a_line_feed_may_be_whole(read):
    rows, _table = read(lines(*RECORDS).rstrip("\n"), name="x.jsonl")

    assert rows == RECORDS


def test_lines_of_which_none_is_a_record_are_refused(read):
    with pytest.raises(FileFaultError) as caught:
        read('{"a": 1, "a": 2}\n{"a"}\n', name="x.jsonl")

    assert caught.value.message == (
        "x.jsonl: none of its 2 records can be read. First: line 1: the key 'a' stands twice. Export one object an item."
    )


@pytest.mark.parametrize("fault", ['{"Id": 1, "id": 2}', '{"": 1, "id": 2}'])
def test_keys_that_cannot_be_columns_are_refused(desk, fault):
    message = desk.refuse(desk.put("x.jsonl", fault + "\n"))

    assert "differ at most in case" in message or "column 1 has no name" in message


# --- Encodings


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_unicode_encodings_are_told_from_the_first_bytes(read, codec, name):
    text = json.dumps(RECORDS, ensure_ascii=False) if name == "x.json" else lines(*RECORDS)

    rows, _table = read(text.replace('"x"', '"Köln"').encode(codec), name=name)

    assert rows[0]["label"] == "Köln"


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_an_encoding_may_be_named(read, name):
    text = '[{"a": "Köln"}]' if name == "x.json" else '{"a": "Köln"}\n'

    rows, table = read(text.encode("mac-roman"), name=name, encoding="mac-roman")

    assert rows == [{"a": "Köln"}]
    assert table.dialect["encoding"] == "mac-roman"


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_text_that_is_not_in_the_named_encoding_is_refused(read, name):
    with pytest.raises(FileFaultError, match=f"{name} is not utf-8 text at byte 9. Name its encoding"):
        read('[{"a": "Köln"}]'.encode("latin-1"), name=name, encoding="utf-8")
    with pytest.raises(FileFaultError, match="There is no text encoding 'klingon'"):
        read("[]", name=name, encoding="klingon")
