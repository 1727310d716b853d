"""Requests: the right items go out, and files and record are there both or not at all."""

from datetime import date

import pandas as pd
import pytest

from analysis.commands.labels import LabelsOptions, find_suspects
from analysis.commands.request import RequestOptions, list_content_columns, list_requests, write_request
from analysis.errors import AnalysisError


def ask(workspace, out, *sources, **options):
    return write_request(workspace, RequestOptions(sources=sources, out=out, tool="csv", **options))


def sent(workspace):
    """Return the ids of all requested items, in their order."""
    from analysis.store.sql import Fragment  # noqa: PLC0415 - only here

    query = "SELECT i.item_id FROM request_items r JOIN items i USING (item) WHERE r.role = 'suspect' ORDER BY r.request, r.rank"
    with workspace.read() as snapshot:
        return [name for (name,) in snapshot.fetch_all(Fragment(query))]


def test_suspects_go_out_worst_first(small_copy, tmp_path):
    worst = [suspect.item_id for suspect in find_suspects(small_copy, LabelsOptions()).issues]

    result = ask(small_copy, tmp_path / "out", "labels", budget=4)

    assert (result.items, sent(small_copy)) == (4, worst[:4])
    assert (tmp_path / "out" / result.request_id / "private" / "manifest.json").is_file()
    assert all((tmp_path / "out" / result.request_id / name).is_file() for name in result.files)


def test_a_slice_goes_out_by_label_quality(small_copy, small, tmp_path):
    ask(small_copy, tmp_path / "out", 'slice:city = "Ulm"')

    inside = small.items[(small.items["split"] == "train") & (small.items["city"] == "Ulm")]
    assert set(sent(small_copy)) == set(inside["item_id"])


def test_what_one_person_labelled_goes_out(small_copy, small, tmp_path):
    ask(small_copy, tmp_path / "out", "annotator:cleo")

    assert set(sent(small_copy)) == set(small.votes.loc[small.votes["annotator"] == "cleo", "item_id"])


def test_ids_of_a_file_and_picked_items_go_out_in_their_order(small_copy, tmp_path):
    (tmp_path / "ids.txt").write_text("item_id\n00009\n00003\n")

    ask(small_copy, tmp_path / "out", f"ids:{tmp_path / 'ids.txt'}", basket=(("train", "00005"), ("eval", "00200")))

    assert sent(small_copy) == ["00005", "00200", "00009", "00003"]


def test_an_id_that_is_no_item_refuses_the_request(small_copy, tmp_path):
    (tmp_path / "ids.txt").write_text("00009\nnobody\n")

    with pytest.raises(AnalysisError, match="1 of 2 ids are no items of the workspace, for example 'nobody'"):
        ask(small_copy, tmp_path / "out", f"ids:{tmp_path / 'ids.txt'}")


def test_nobody_gets_an_item_again_that_they_voted_on(small_copy, small, tmp_path):
    ask(small_copy, tmp_path / "out", 'slice:city = "Ulm"', assign=("ana", "zoe"))

    tasks = pd.concat(
        pd.read_csv(path, dtype=str).assign(who=path.stem.removeprefix("tasks-"))
        for path in tmp_path.rglob("tasks-*.csv")
    )
    texts = small.items.set_index("text")["item_id"]
    anas = set(tasks.loc[tasks["who"] == "ana", "text"].map(texts))
    assert anas
    assert not anas & set(small.votes.loc[small.votes["annotator"] == "ana", "item_id"])


def test_controls_have_a_gold_label(small_copy, small, tmp_path):
    result = ask(small_copy, tmp_path / "out", "labels", controls=3)

    assert result.controls == 3
    golden = small.items[(small.items["split"] == "train") & small.items["gold_label"].notna()]
    assert len(golden) >= 3


def test_a_blind_request_holds_nothing_of_what_is_known(small_copy, tmp_path):
    result = ask(small_copy, tmp_path / "out", "labels")

    folder = tmp_path / "out" / result.request_id / "send"
    issue = find_suspects(small_copy, LabelsOptions()).issues[0]
    for path in folder.rglob("*.csv"):
        frame = pd.read_csv(path, dtype=str)
        assert "relook_item_id" not in frame
        assert not (frame == issue.item_id).any(axis=None)


def test_a_request_changes_the_work_and_no_label(small_copy, tmp_path):
    before = small_copy.fingerprint()

    ask(small_copy, tmp_path / "out", "labels")

    after = small_copy.fingerprint()
    assert (after.facts, after.labels, after.work) == (before.facts, before.labels, before.work + 1)


def test_requests_are_listed_newest_first_and_overdue_ones_are_called_so(small_copy, tmp_path):
    first = ask(small_copy, tmp_path / "out", "labels", due=date(2030, 1, 31), who="lead")
    second = ask(small_copy, tmp_path / "out", "labels")

    found = list_requests(small_copy, today=date(2030, 2, 1))

    assert [row.request_id for row in found] == [second.request_id, first.request_id]
    assert [(row.status, row.who) for row in found] == [("out", None), ("overdue", "lead")]
    assert {row.status for row in list_requests(small_copy, today=date(2030, 1, 31))} == {"out"}
    assert (first.request_id[-1], second.request_id[-1]) == ("a", "b")


def test_a_folder_that_cannot_be_written_leaves_no_record(small_copy, tmp_path):
    (tmp_path / "out").write_text("a file")
    before = small_copy.fingerprint()

    with pytest.raises(AnalysisError, match="could not be written"):
        ask(small_copy, tmp_path / "out", "labels")

    assert small_copy.fingerprint() == before
    assert list_requests(small_copy, today=date(2030, 1, 1)) == ()
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize(
    ("sources", "options", "sentence"),
    [
        ((), {}, "A request needs items: --from labels"),
        (("lables",), {}, "There is no source 'lables'. Did you mean 'labels'"),
        (("annotator:anna",), {}, "There is no annotator 'anna'. Did you mean 'ana'"),
        (("slice:age >",), {}, "In the slice"),
        (("slice:age > 200",), {}, "There is nothing to send"),
        (("labels",), {"columns": ("citi",)}, "There is no column 'citi'. Did you mean 'city'"),
        (("labels",), {"split": "evall"}, "There is no split 'evall'. Did you mean 'eval'"),
        (("labels",), {"model": "m"}, "There is no model 'm'"),
        (("labels",), {"hours": float("nan")}, "hours"),
        (("labels",), {"hours": -1.0}, "hours"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(small_copy, tmp_path, sources, options, sentence):
    with pytest.raises(AnalysisError, match=sentence):
        ask(small_copy, tmp_path / "out", *sources, **options)

    assert not (tmp_path / "out").exists()
    assert list_requests(small_copy, today=date(2030, 1, 1)) == ()


def test_text_and_pictures_travel_unless_other_columns_are_ticked(small_copy, tmp_path):
    assert list_content_columns(small_copy) == (("text", "age", "city", "confidence"), ("text",))

    result = ask(small_copy, tmp_path / "out", "labels", columns=("city", "age"))

    frame = pd.read_csv(next((tmp_path / "out" / result.request_id / "send").glob("tasks*.csv")))
    assert {"city", "age"} <= set(frame.columns)
    assert "text" not in frame.columns
