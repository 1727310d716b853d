"""What a later load, another model or a long request must not lose or mix."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.commands.annotators import AnnotatorsOptions, review_annotators
from analysis.commands.candidates import find_trusted
from analysis.commands.frames import open_workspace
from analysis.commands.info import describe_workspace
from analysis.commands.item import show_item
from analysis.commands.load import LoadOptions, load
from analysis.commands.overview import describe_overview
from analysis.commands.request import RequestOptions, write_request
from analysis.commands.workspaces import Workspace, workspace_at
from analysis.errors import AnalysisError, NeedsChoiceError
from analysis.store.sql import Fragment

N = 8


@pytest.fixture
def desk(tmp_path):
    """Put frames into files and load them, one load a call."""

    def put(frames: dict[str, pd.DataFrame], **options: object) -> Workspace:
        workspace = workspace_at(tmp_path / "w.relook")
        paths = []
        for name, frame in frames.items():
            path = tmp_path / f"{name}.parquet"
            frame.to_parquet(path)
            paths.append(path)
        load(workspace, paths, LoadOptions(**options))
        return workspace

    return put


def make_items(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [str(k) for k in range(N)], "label": ["a", "b"] * (N // 2), **columns})


def read_votes(workspace: Workspace) -> pd.DataFrame:
    return open_workspace(workspace.path).votes()


def test_a_new_column_leaves_what_is_known_of_a_vote(desk) -> None:
    desk({"train": make_items(annotator="ann", seconds=12.5, batch="b1")})

    workspace = desk({"more": make_items(annotator="ann", height=range(N))}, split="train")

    votes = read_votes(workspace)
    assert set(votes["seconds"]) == {12.5}
    assert set(votes["batch"]) == {"b1"}
    assert len(votes) == N


def test_a_file_without_labels_makes_nobody_unsure(desk) -> None:
    desk({"train": make_items(annotator="ann")})
    names = make_items(annotator="ann", height=range(N)).drop(columns="label")

    workspace = desk({"more": names}, split="train", kind="items")

    assert list(read_votes(workspace)["label"]) == ["a", "b"] * (N // 2)


def test_an_item_without_a_label_is_no_vote(desk) -> None:
    frame = make_items(annotator="ann")
    frame.loc[3, "label"] = None

    workspace = desk({"train": frame})

    assert len(read_votes(workspace)) == N - 1
    assert review_annotators(workspace, AnnotatorsOptions()).annotators[0].cannot_tell == 0


def test_an_error_into_a_class_that_nobody_gave_is_in_the_matrix(desk) -> None:
    workspace = desk({"eval": make_items(predicted=["a", "b", "c", "b"] * 2)})

    found = describe_overview(workspace)

    assert found.classes == ("a", "b", "c")
    assert sum(cell.count for cell in found.cells) == N
    assert found.error.hits == 2


def test_lists_in_the_order_that_is_named_are_kept_in_the_models(desk) -> None:
    workspace = desk({"train": make_items(probs=[[0.9, 0.1]] * N)}, roles=(("pred_probs", "probs"),))
    extra = pd.DataFrame({"item_id": ["x"], "label": ["a"], "probs": [[0.1, 0.9]]})

    desk({"more": extra}, split="train", roles=(("pred_probs", "probs"),), classes=("b", "a"))

    assert dict(show_item(workspace, "x").probabilities) == {"a": 0.9, "b": 0.1}


def test_lists_of_other_classes_are_refused(desk) -> None:
    desk({"train": make_items(probs=[[0.9, 0.1]] * N)}, roles=(("pred_probs", "probs"),))
    extra = pd.DataFrame({"item_id": ["x"], "label": ["a"], "probs": [[0.1, 0.9]]})

    with pytest.raises(AnalysisError, match="another name with --model"):
        desk({"more": extra}, split="train", roles=(("pred_probs", "probs"),), classes=("b", "c"))


def test_each_model_has_errors_of_its_own(desk) -> None:
    workspace = desk({"eval": make_items(predicted=["a", "b"] * (N // 2))}, model="good")
    desk({"predictions": make_items(predicted="a").drop(columns="label")}, model="bad")

    assert describe_workspace(workspace, "good").overall.errors == 0
    assert describe_workspace(workspace, "bad").overall.errors == N // 2
    assert describe_workspace(workspace).overall.errors == N // 2


def test_two_copies_of_a_file_that_went_apart_have_other_fingerprints(desk, tmp_path) -> None:
    workspace = desk({"train": make_items()})
    workspace.close()
    copy = workspace_at(tmp_path / "copy.relook")
    copy.path.write_bytes(workspace.path.read_bytes())
    assert copy.fingerprint() == workspace.fingerprint()
    workspace.close()
    copy.close()

    for name, where in (("one", workspace), ("two", copy)):
        path = tmp_path / f"{name}.parquet"
        pd.DataFrame({"item_id": [name], "label": ["a"]}).to_parquet(path)
        load(where, [path])

    assert copy.fingerprint() != workspace.fingerprint()


def test_labels_as_of_a_position_follow_an_undo_back_to_none(desk) -> None:
    frame = make_items()
    frame.loc[0, "label"] = None
    workspace = desk({"train": frame})
    entry = "INSERT INTO ledger VALUES (?, 1, ?, ?, ?, 'me', now()::TIMESTAMP, NULL, NULL, NULL, NULL)"
    with workspace.write() as writer:
        writer.execute(Fragment(entry, (1, "relabel", None, "a")))
        writer.execute(Fragment(entry, (2, "undo", "a", None)))

    opened = open_workspace(workspace.path)

    assert pd.isna(opened.labels(as_of=0)["label"].iloc[0])
    assert opened.labels(as_of=1)["label"].iloc[0] == "a"
    assert pd.isna(opened.labels()["label"].iloc[0])


def test_labels_that_experts_agree_on_serve_as_controls(desk) -> None:
    desk({"train": make_items()})
    votes = make_items(annotator="expert").head(3)

    workspace = desk({"votes": votes}, gold=True)

    with workspace.read() as snapshot:
        assert list(find_trusted(snapshot, None)["item_id"]) == ["0", "1", "2"]


def test_a_picked_item_that_is_gone_is_said(desk, tmp_path) -> None:
    workspace = desk({"train": make_items(text=[f"text {k}" for k in range(N)])})

    basket = (("train", "1"), ("train", "no such"))
    result = write_request(workspace, RequestOptions(sources=(), out=tmp_path / "out", basket=basket))

    assert result.items == 1
    assert "Picked items that are no longer there: 1." in result.notes


def test_tokens_of_two_requests_for_the_same_item_differ(desk, tmp_path) -> None:
    workspace = desk({"train": make_items(text=[f"text {k}" for k in range(N)])})
    options = RequestOptions(sources=(), out=tmp_path / "out", basket=(("train", "1"),))

    folders = [Path(write_request(workspace, options).folder) for _turn in range(2)]

    again = write_request(workspace, options)
    assert f"Items that are already out in {folders[0].name}: 1." in again.notes
    tasks = [(folder / "send" / "tasks.json").read_text(encoding="utf-8") for folder in folders]
    assert tasks[0] != tasks[1]


def test_an_id_in_several_splits_is_asked_for(desk) -> None:
    desk({"train": make_items()})
    workspace = desk({"eval": make_items()})

    with pytest.raises(NeedsChoiceError, match="'eval', 'train'"):
        show_item(workspace, "1")
    assert show_item(workspace, "1", split="eval").split == "eval"
    with pytest.raises(AnalysisError, match="There is no item '99'"):
        show_item(workspace, "99")
