"""Duplicates of a workspace: exact, near, between splits, kept; and the warnings that follow from them."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from analysis.commands import duplicates as module
from analysis.commands import warnings as warnings_module
from analysis.commands.duplicates import find_workspace_duplicates
from analysis.commands.info import describe_workspace
from analysis.commands.load import LoadOptions, load
from analysis.commands.request import list_content_columns
from analysis.commands.slice_texts import list_filter_columns
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.text_duplicates import describe_duplicates
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError, CancelledError
from analysis.store.sql import Fragment
from analysis.watch import Watch


@pytest.fixture
def desk(tmp_path):
    """Load frames, by split, into one workspace."""
    workspace = workspace_at(tmp_path / "w.relook")

    def put(options=None, **frames):
        paths = []
        for split, frame in frames.items():
            paths.append(tmp_path / f"{split}.parquet")
            frame.to_parquet(paths[-1], index=False)
        load(workspace, paths, options)
        return workspace

    yield put
    workspace.close()


def make(ids, **columns):
    return pd.DataFrame(
        {"item_id": list(ids), "label": ["a", "b"] * (len(ids) // 2) + ["a"] * (len(ids) % 2), **columns}
    )


def names(result):
    return [tuple(item.item_id for item in group.items) for group in result.groups]


def codes(workspace):
    return {warning.code: warning.message for warning in describe_workspace(workspace).warnings}


def test_exact_duplicates_are_those_of_pandas(desk):
    rng = np.random.default_rng(4)
    train = make([f"t{k}" for k in range(400)], x=rng.integers(0, 12, 400), y=rng.choice(["p", "q", None], 400))
    held = make([f"e{k}" for k in range(100)], x=rng.integers(6, 18, 100), y=rng.choice(["p", "q", None], 100))
    workspace = desk(train=train, eval=held)
    result = find_workspace_duplicates(workspace)
    both = pd.concat([train.assign(split="train"), held.assign(split="eval")], ignore_index=True)
    groups = both.groupby(["x", "y"], dropna=False, sort=False)
    expected = [tuple(group["item_id"]) for _key, group in groups if len(group) > 1]
    assert sorted(names(result)) == sorted(expected)
    splits = groups["split"].nunique()
    assert result.leaks == (splits > 1).sum()
    assert result.repeats == (groups.size() - splits).sum()
    found = codes(workspace)
    assert found["leak"].startswith(f"{result.leaks:,} contents are in more than one split")
    assert found["duplicates"].startswith(f"{result.repeats:,} items repeat the content of another")


def test_of_one_split_only_what_repeats_inside_it_is_listed(desk):
    train, held = make(["a", "b", "c"], x=[1, 1, 2]), make(["d", "e", "f"], x=[2, 3, 3])
    workspace = desk(train=train, eval=held)
    assert names(find_workspace_duplicates(workspace)) == [("a", "b"), ("c", "d"), ("e", "f")]
    inside = find_workspace_duplicates(workspace, split="eval")
    assert (names(inside), inside.leaks, inside.repeats) == ([("e", "f")], 0, 1)
    with pytest.raises(AnalysisError, match="There is no split 'evl'"):
        find_workspace_duplicates(workspace, split="evl")


def test_items_without_any_value_are_like_no_other(desk):
    workspace = desk(train=make(["a", "b", "c", "d"], x=[None, None, 1.0, 1.0], y=[None, None, None, None]))
    assert names(find_workspace_duplicates(workspace)) == [("c", "d")]


TEXTS = [
    "My parcel has not arrived and nobody answers the phone or replies to any of my letters",
    "my parcel has not arrived, and nobody answers the phone or replies to any of my letters!",
    "My parcel has not arrived and nobody answers my phone or replies to any of my letters",
    "How do I change the address of my account?",
    "My parcel has not arrived and nobody answers the phone or replies to any of my letters",
]


def test_near_texts_are_found_within_and_between_splits_and_told_apart_from_equal_ones(desk):
    train, held = make([f"t{k}" for k in range(5)], text=TEXTS), make(["e0", "e1"], text=[TEXTS[3][:-1], "Else"])
    workspace = desk(train=train, eval=held)
    near = find_workspace_duplicates(workspace, kind="near")
    assert names(near) == [("t0", "t1", "t2", "t4"), ("t3", "e0")]
    assert [group.kind for group in near.groups] == ["text", "text"]
    assert [group.leak for group in near.groups] == [False, True]
    assert 0.8 <= near.groups[0].similarity < 1
    assert near.groups[1].similarity == 1
    assert (near.leaks, near.repeats) == (1, 3)
    assert names(find_workspace_duplicates(workspace)) == [("t0", "t4")]
    found = codes(workspace)
    assert found["near_leak"].startswith("1 group of almost equal items is in more than one split")
    assert found["near_duplicates"].startswith("3 items are almost equal to another in their split. If they belong")


def test_texts_that_are_all_exactly_equal_are_no_near_duplicates(desk):
    workspace = desk(train=make(["a", "b", "c"], text=[TEXTS[0], TEXTS[0], TEXTS[3]]))
    assert names(find_workspace_duplicates(workspace, kind="near")) == []
    assert names(find_workspace_duplicates(workspace)) == [("a", "b")]


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_picture_compressed_again_is_a_near_duplicate(desk):
    one, other = (Image.fromarray(pixels).resize((120, 80)) for pixels in load_sample_images().images)
    train = make(["a", "b", "c"], image=[save(one, "PNG"), save(other, "PNG"), save(one, "JPEG", quality=80)])
    workspace = desk(train=train, eval=make(["d"], image=[save(other, "JPEG", quality=60)]))
    near = find_workspace_duplicates(workspace, kind="near")
    assert names(near) == [("a", "c"), ("b", "d")]
    assert {group.kind for group in near.groups} == {"image"}
    assert all(0.9 <= group.similarity <= 1 for group in near.groups)


def test_rows_that_agree_after_rounding_are_near_duplicates(desk):
    train = make(list("abcdef"), x=[1234.4, 1231.2, 1260.0, 0.0, -0.0, 5.5], y=["A b", "a  B!", "A b", "n", "n", None])
    few = find_workspace_duplicates(desk(train=train), kind="near")
    assert (few.groups, few.notes) == (
        (),
        ("Rows of one or two columns often agree after rounding by chance, so none are listed.",),
    )
    train["z"] = True
    near = find_workspace_duplicates(desk(train=train), kind="near")
    assert names(near) == [("a", "b")]
    assert (near.groups[0].kind, near.groups[0].similarity) == ("rows", None)


def test_near_duplicates_are_computed_once_a_load(desk, monkeypatch):
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS))
    first = find_workspace_duplicates(workspace, kind="near")
    module._RECENT.clear()
    monkeypatch.setattr(module, "find_near_groups", lambda *_: pytest.fail("computed again"))
    again = find_workspace_duplicates(workspace, kind="near")
    assert again == first
    with workspace.write() as writer:
        writer.bump("labels")
    assert find_workspace_duplicates(workspace, kind="near") == first
    monkeypatch.undo()
    workspace = desk(more=make(["n0"], text=[TEXTS[3].upper()]))
    assert ("t3", "n0") in names(find_workspace_duplicates(workspace, kind="near"))
    with workspace.read() as snapshot:
        assert snapshot.fetch_one(Fragment("SELECT count(*) FROM results")) == (1,)


def test_a_workspace_that_cannot_be_written_still_answers(desk, monkeypatch):
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS))

    def refuse(*_args, **_options):
        raise AnalysisError("held by another process")

    monkeypatch.setattr(workspace, "write", refuse)
    assert len(find_workspace_duplicates(workspace, kind="near").groups) == 1


def test_a_search_can_be_cancelled_and_leaves_nothing(desk):
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS))
    watch = Watch()
    watch.cancel()
    with pytest.raises(CancelledError):
        find_workspace_duplicates(workspace, kind="near", watch=watch)
    with workspace.read() as snapshot:
        assert snapshot.fetch_one(Fragment("SELECT count(*) FROM results")) == (0,)


def test_in_a_large_workspace_near_duplicates_are_looked_for_only_when_asked(desk, monkeypatch):
    monkeypatch.setattr(warnings_module, "NEAR_AT_ONCE", 4)
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS))
    info = describe_workspace(workspace)
    assert "near_duplicates" not in {warning.code for warning in info.warnings}
    assert info.notes == (
        "Near duplicates were not looked for among 5 items: relook duplicates WORKSPACE --near does.",
    )
    find_workspace_duplicates(workspace, kind="near")
    info = describe_workspace(workspace)
    assert "near_duplicates" in {warning.code for warning in info.warnings}
    assert info.notes == ()


# --- Groups


def make_people(n=200, size=4):
    people = [f"u{k // size}" for k in range(n)]
    return make([f"t{k}" for k in range(n)], x=range(n), customer_id=people)


def test_a_column_of_repeated_ids_suggests_groups(desk):
    (message,) = [message for code, message in codes(desk(train=make_people())).items() if code == "groups"]
    assert message.startswith("'customer_id' has 50 values, each 4.0 times")
    assert "--role group=customer_id" in message


def test_with_a_group_role_nothing_is_suggested_and_repeats_inside_a_group_are_no_fault(desk):
    frame = make_people()
    frame["x"] = [k // 4 for k in range(200)]
    workspace = desk(LoadOptions(roles=(("group", "customer_id"),)), train=frame)
    assert codes(workspace) == {}
    assert describe_workspace(workspace).halves.by == "group"


def test_repeats_in_different_groups_are_told_as_such(desk):
    frame = make_people()
    frame.loc[[0, 100], "x"] = -1
    found = codes(desk(LoadOptions(roles=(("group", "customer_id"),)), train=frame))
    assert found == {
        "duplicates": "1 item repeats the content of another in their split. They are in different groups."
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("customer_id", [f"u{k}" for k in range(200)]),  # each once: an id of the row
        ("customer_id", [f"u{k % 4}" for k in range(200)]),  # four values: a class of people
        ("colour", [f"u{k // 4}" for k in range(200)]),  # the name says nothing of the kind
        ("paid", [k // 4 for k in range(200)]),
    ],
)
def test_other_columns_do_not_suggest_groups(desk, name, values):
    frame = make([f"t{k}" for k in range(200)], x=range(200), **{name: values})
    assert "groups" not in codes(desk(train=frame))


@pytest.mark.parametrize("name", ["userId", "patient", "doc-id", "SESSION", "conversation_uuid", "speakers_id"])
def test_names_of_groups_are_known_however_they_are_written(name):
    assert warnings_module._sounds_alike(name)


def test_halves_fixed_before_groups_were_known_are_warned_about(desk):
    frame = make_people()
    workspace = desk(train=frame)
    before = describe_workspace(workspace).halves
    workspace = desk(LoadOptions(roles=(("group", "customer_id"),)), train=frame)
    info = describe_workspace(workspace)
    assert "halves_before_groups" in {warning.code for warning in info.warnings}
    assert (info.halves.discovery, info.halves.confirmation) == (before.discovery, before.confirmation)


# --- Computed features in slices, filters and requests


def test_features_of_texts_slice_and_filter_but_are_not_sent(desk):
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS, channel=list("abcab")).assign(predicted="a"))
    columns = list_filter_columns(workspace)
    assert columns[:2] == ("text", "channel")
    assert {"text.words", "text.capitals"} <= set(columns)
    found = profile_slices(workspace, SlicesOptions(split="train", where="text.words >= 10"))
    assert [row.profile.support for row in found.slices] == [4]
    offered, ticked = list_content_columns(workspace)
    assert not [name for name in (*offered, *ticked) if name.startswith("text.")]


# --- On a terminal


def test_the_text_names_groups_and_says_what_is_left_out(desk):
    frame = make([f"t{k}" for k in range(60)], x=[k // 2 for k in range(60)])
    report = describe_duplicates(find_workspace_duplicates(desk(train=frame)))
    assert report.lines == (
        "30 groups of equal items, 0 of them in more than one split. 30 items repeat another of the same split.",
    )
    assert report.tables[0].rows[0] == ("equal columns", "2", "1.000", "t0 (train), t1 (train)")
    assert report.notes[-1] == "The first 20 of 30 are shown; --format json lists all."


def test_nothing_alike_is_one_sentence(desk):
    report = describe_duplicates(find_workspace_duplicates(desk(train=make(["a", "b"], x=[1, 2]))))
    assert report.lines == ("0 groups of equal items.",)


def test_a_workspace_without_items_is_refused(tmp_path, small_copy):
    with small_copy.write() as writer:
        writer.execute(Fragment("DELETE FROM items"))
    with pytest.raises(AnalysisError, match="holds no items yet"):
        find_workspace_duplicates(small_copy)


def test_two_copies_that_went_different_ways_do_not_share_answers(desk, tmp_path):
    workspace = desk(train=make([f"t{k}" for k in range(5)], text=TEXTS))
    find_workspace_duplicates(workspace, kind="near")
    workspace.close()
    copy = workspace_at(shutil.copy(workspace.path, tmp_path / "copy.relook"))
    path = tmp_path / "other.parquet"
    make(["z"], text=["How do I change the address of my accounts?"]).to_parquet(path, index=False)
    load(copy, [path])
    assert len(find_workspace_duplicates(copy, kind="near").groups) == 2
    assert len(find_workspace_duplicates(workspace, kind="near").groups) == 1
    copy.close()
