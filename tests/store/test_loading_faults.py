"""What cannot be loaded is refused in one sentence, and nothing has changed."""

import io

import pandas as pd
import pytest

GOOD = "item_id,label,age\n" + "".join(f"n{k},{'ab'[k % 2]},{k}\n" for k in range(100))


def parquet(**columns):
    target = io.BytesIO()
    pd.DataFrame(columns).to_parquet(target, index=False)
    return target.getvalue()


# name: (file name, content, options, the whole sentence or its beginning)
FAULTS = {
    "missing": ("gone.csv", None, {}, "/gone.csv is not there. Name a file to load, such as items.csv."),
    "empty": ("x.csv", b"", {}, "x.csv is empty. Export it again."),
    "nothing but line ends": ("x.csv", "\n\r\n \n", {}, "x.csv is empty. Export it again."),
    "nothing but a header": ("x.csv", "item_id,label\n", {}, "x.csv has a header but no rows. Export it again."),
    "no row in Parquet": ("x.parquet", parquet(item_id=[], label=[]), {}, "x.parquet has a header but no rows."),
    "cut inside a row": (
        "x.csv", GOOD + "n100,a", {},
        "x.csv is cut off: its last line, 102, has 2 values for 3 columns. Export it again.",
    ),
    "cut inside a quoted value": (
        "x.csv", GOOD + 'n100,"a', {},
        "x.csv has a quote that is never closed, opened on line 102. Close it, or export the file again.",
    ),
    "cut Parquet": ("x.parquet", parquet(item_id=["p"], label=["a"])[:-20], {}, "x.parquet is not a whole Parquet file: "),
    "only the head of a Parquet file": ("x.parquet", b"PAR1", {}, "x.parquet is not a whole Parquet file: "),
    "CSV called Parquet": (
        "x.parquet", GOOD, {},
        "x.parquet is plain text such as CSV, not what its ending says. Rename it to x.csv, or export it again.",
    ),
    "Parquet called CSV": (
        "x.csv", parquet(item_id=["p"], label=["a"]), {},
        "x.csv is a Parquet file, not what its ending says. Rename it to x.parquet, or export it again.",
    ),
    "Excel called CSV": ("x.csv", b"PK\x03\x04" + bytes(50), {}, "x.csv is a zip or Excel file, not what its ending says."),
    "old Excel called CSV": ("x.csv", b"\xd0\xcf\x11\xe0" + bytes(50), {}, "x.csv is an Excel file of before 2007, or one with a password, not what its ending says."),
    "gzip called CSV": ("x.csv", b"\x1f\x8b\x08" + bytes(50), {}, "x.csv is a gzip file, not what its ending says."),
    "a picture called TSV": ("x.tsv", b"\x89PNG\r\n\x1a\n", {}, "x.tsv is a picture, not what its ending says."),
    "zero bytes": ("x.csv", b"\0\0\0\0\n", {}, "x.csv is not a text file: its first line holds zero bytes."),
    "an unknown ending": ("x.dat", GOOD, {}, "x.dat ends in '.dat'. Known endings: .csv, .tsv, .txt, .parquet, .pq, .arrow, "),
    "no ending": ("x", GOOD, {}, "x ends in 'nothing'. Known endings: "),
    "Latin-1 said to be UTF-8": (
        "x.csv", GOOD.replace("label", "läbel").encode("latin-1"), {"encoding": "utf-8"},
        "x.csv is not UTF-8 text at byte 9. Name its encoding with --encoding, or name none to have it found.",
    ),
    "an encoding that is none": ("x.csv", GOOD, {"encoding": "utf-9"}, "There is no text encoding 'utf-9' (for x.csv)."),
    "a column twice": (
        "x.csv", "item_id,label,label\n1,a,b\n", {},
        "x.csv has the columns 'label' and 'label', which differ at most in case. Rename one of them.",
    ),
    "twins": (
        "x.csv", "item_id,Label,label\n1,a,b\n", {},
        "x.csv has the columns 'Label' and 'label', which differ at most in case. Rename one of them.",
    ),
    "twins in Parquet": (
        "x.parquet", parquet(item_id=["1"], label=["a"], LABEL=["b"]), {},
        "x.parquet has the columns 'label' and 'LABEL', which differ at most in case. Rename one of them.",
    ),
    "a column without a name": ("x.csv", ",item_id\n0,1\n", {}, "x.csv: column 1 has no name. Give every column a name."),
    "no id": (
        "x.csv", "name,label\np,a\n", {},
        "x.csv has no column of item ids. Its columns: 'name', 'label'. Name one with --role item_id=COLUMN, "
        "or take the row number as id: --role item_id=@row.",
    ),
    "an unclosed quote": (
        "x.csv", GOOD.replace("n3,b", 'n3,"b'), {},
        "x.csv has a quote that is never closed, opened on line 5. Close it, or export the file again.",
    ),
    "an unclosed quote and another one later": (
        "x.csv", GOOD.replace("n3,b", 'n3,"b').replace("n50,a", 'n50,"a"'), {},
        "x.csv has a quote that is never closed, opened on line 5.",
    ),
    "a wrong shape": (
        "x.csv", GOOD.replace("item_id,label,age", "item_id,label"), {},
        "x.csv: 100 of 100 rows (100.0%) are faulty, and nothing is left. First: line 2: 3 values for 2 columns; ",
    ),
    "too many rows of a wrong shape": (
        "x.csv", GOOD + "n100,a\nn101,b\n", {},
        "x.csv: 2 of 102 rows (2.0%) are faulty, more than --max-rejects 0.01 allows. First: line 102: 2 values for 3 "
        "columns; line 103: 2 values for 3 columns. Mend the file, or raise --max-rejects.",
    ),
    "too many rows without an id": (
        "x.csv", GOOD + ",a,5\n,b,6\n", {},
        "x.csv: 2 of 102 rows (2.0%) are faulty, more than --max-rejects 0.01 allows. First: line 102: no id; ",
    ),
    "no row with an id": ("x.csv", "item_id,label\n,a\n,b\n", {"max_rejects": 1.0}, "x.csv: 2 of 2 rows (100.0%) are faulty, and nothing is left."),
    "a role that is none": ("x.csv", GOOD, {"roles": (("item", "age"),)}, "There is no role 'item'. Did you mean 'team' or 'item_id'?"),
    "a role for no column": (
        "x.csv", GOOD, {"roles": (("given_label", "lable"),)}, "There is no column 'lable'. Did you mean 'label'?",
    ),
    "a role that values forbid": (
        "x.csv", GOOD.replace(",5\n", ",5.5\n"), {"roles": (("given_label", "age"),)},
        "Column 'age' cannot be the given_label: its values are fractions, not class names. Choose another column.",
    ),
    "a role given twice": (
        "x.csv", GOOD, {"roles": (("item_id", "age"), ("item_id", "label"))},
        "--role item_id was given twice: 'age' and 'label'. One column can be the item_id.",
    ),
    "a kind that is none": ("x.csv", GOOD, {"kind": "item"}, "There is no kind 'item'. Did you mean 'items'?"),
    "a share that is none": ("x.csv", GOOD, {"max_rejects": 1.5}, "--max-rejects is a share between 0 and 1, got 1.5."),
    "no number as a share": ("x.csv", GOOD, {"max_rejects": float("nan")}, "--max-rejects is a share between 0 and 1, got nan."),
    "a split without a name": ("x.csv", GOOD, {"split": " "}, "--split needs a name, got ' '."),
    "predictions of nothing": ("x.csv", "item_id,predicted\nzz,a\n", {}, "x.csv: none of its 1 ids is an item of the workspace, for example 'zz'."),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_said_in_one_sentence_and_nothing_changes(stocked, case):
    name, content, options, sentence = FAULTS[case]
    path = stocked.folder / name if content is None else stocked.put(name, content)

    message = stocked.refuse(path, **options)

    assert message.removeprefix(str(stocked.folder)).startswith(sentence), message
    assert "\n" not in message


@pytest.mark.parametrize("case", ["missing", "wrong", "late"])
def test_a_refused_first_load_leaves_no_workspace(desk, case):
    good = desk.put("train.csv", GOOD)
    files = {
        "missing": [good, desk.folder / "gone.csv"],
        "wrong": [desk.put("x.csv", "item_id\n")],
        "late": [good, desk.put("predictions.csv", "item_id,predicted\nn0,z\n")],
    }[case]

    desk.refuse(*files)

    assert not desk.workspace.path.exists()


def test_one_faulty_file_refuses_all_files_of_the_load(stocked):
    good = stocked.put("eval.csv", GOOD)

    stocked.refuse(good, stocked.put("predictions.csv", "item_id,predicted\nnobody,a\n"))

    assert stocked.ask("SELECT DISTINCT split FROM items") == [("train",)]


def test_a_folder_is_no_file(stocked):
    (stocked.folder / "x.csv").mkdir()

    assert stocked.refuse(stocked.folder / "x.csv").endswith(
        "x.csv is a folder. Name a file to load, such as items.csv."
    )


def test_no_file_at_all_is_refused(stocked):
    assert stocked.refuse() == "No file was named. Name one or more: relook load WORKSPACE FILE..."


def test_a_file_that_the_system_does_not_give_is_refused(stocked, monkeypatch):
    path = stocked.put("x.csv", GOOD)

    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", deny)

    with pytest.raises(Exception, match="x.csv cannot be read: Permission denied"):
        stocked.load(path)


def test_a_name_that_is_too_long_for_the_system_is_refused(stocked):
    assert "cannot be read: File name too long" in stocked.refuse(stocked.folder / ("x" * 300 + ".csv"))


def test_a_role_must_be_in_one_of_several_files(stocked, make_predictions):
    items, predictions = stocked.put("eval.csv", GOOD), stocked.put("predictions.csv", make_predictions())

    assert "There is no column 'agee'. Did you mean 'age'?" in stocked.refuse(
        items, predictions, roles=(("group", "agee"),)
    )

    report = stocked.load(items, predictions, roles=(("group", "age"),))
    assert report.files[0].roles.single["group"].reason == "you said so"


def test_under_the_allowed_share_faulty_lines_are_named_and_the_rest_is_kept(stocked):
    text = GOOD + 'n100,a\n\nn101,"b\nb",7\n,a,1\nn102,x"y,8\n'

    report = stocked.load(stocked.put("eval.csv", text), max_rejects=0.02)

    assert [(reject.line, reject.reason) for reject in report.files[0].tally.rejects] == [
        (102, "2 values for 3 columns"),
        (106, "no id"),
    ]
    assert stocked.ask("SELECT count(*) FROM items WHERE split = 'eval'") == [(102,)]
    assert stocked.ask("SELECT given_label FROM items WHERE item_id IN ('n101', 'n102') ORDER BY 1") == [
        ("b\nb",),
        ('x"y',),
    ]
