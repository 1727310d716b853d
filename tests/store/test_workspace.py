"""A workspace answers from one version, changes by whole transactions, and says so in its fingerprint."""

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from analysis.commands.saved import forget_slice, save_slice
from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError, UnknownNameError
from analysis.store.loading import LoadOptions, load_files
from analysis.store.schema import SCHEMA_VERSION, TABLES
from analysis.store.sql import Fragment
from analysis.store.workspace import Fingerprint, Workspace


@pytest.fixture(scope="module")
def content(tmp_path_factory, make_items, make_predictions):
    """A workspace with items and predictions, loaded once."""
    folder = tmp_path_factory.mktemp("content")
    make_items().to_csv(folder / "train.csv", index=False)
    make_predictions().to_csv(folder / "predictions.csv", index=False)
    workspace = Workspace(folder / "w.relook")
    load_files(workspace, [folder / "train.csv", folder / "predictions.csv"], LoadOptions())
    workspace.close()
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def loaded(desk, content):
    for name, data in content.items():
        desk.put(name, data)
    return desk


def versions(workspace):
    found = workspace.fingerprint()
    return found.facts, found.labels, found.work


def make_database(path, *statements):
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


# --- Versions and fingerprints


def test_a_load_changes_facts_and_labels(loaded, make_items):
    assert versions(loaded.workspace) == (1, 1, 0)

    loaded.load(loaded.put("eval.csv", make_items()))

    assert versions(loaded.workspace) == (2, 2, 0)


def test_saving_a_slice_changes_the_work_alone(loaded):
    save_slice(loaded.workspace, "age >= 60", "older")
    forget_slice(loaded.workspace, "age >= 60")

    assert versions(loaded.workspace) == (1, 1, 2)


def test_what_changes_nothing_leaves_fingerprint_and_file_as_they_were(loaded, make_items):
    state, fingerprint = loaded.state(), loaded.workspace.fingerprint()

    again = loaded.load(loaded.folder / "train.csv")
    dry = loaded.load(loaded.folder / "train.csv", split="eval", dry_run=True)

    assert (again.changed, dry.changed, dry.dry_run) == (False, True, True)
    assert loaded.workspace.fingerprint() == fingerprint
    assert loaded.state() == state


def test_a_refused_write_leaves_fingerprint_and_file_as_they_were(loaded):
    fingerprint = loaded.workspace.fingerprint()
    changed = pd.read_csv(loaded.folder / "train.csv").assign(label="b")

    message = loaded.refuse(loaded.put("train.csv", changed))

    assert "--replace" in message
    assert loaded.workspace.fingerprint() == fingerprint


def test_a_fault_in_the_middle_of_a_write_rolls_all_of_it_back(loaded):
    state = loaded.state()

    with pytest.raises(RuntimeError), loaded.workspace.write() as writer:
        writer.execute(Fragment("DELETE FROM items"))
        writer.bump("facts")
        raise RuntimeError

    assert loaded.state() == state


def test_a_discarded_write_keeps_nothing(loaded):
    state = loaded.state()

    with loaded.workspace.write() as writer:
        writer.execute(Fragment("DELETE FROM items"))
        writer.bump("facts")
        assert writer.fetch_one(Fragment("SELECT count(*) FROM items")) == (0,)
        writer.discarded = True

    assert loaded.state() == state


def test_the_fingerprint_tells_workspaces_models_and_versions_apart(desk, loaded, tmp_path):
    other = Workspace(tmp_path / "other.relook")
    with other.write(create=True):
        pass

    first = loaded.workspace.fingerprint()

    assert first == loaded.workspace.fingerprint()
    assert len({first, loaded.workspace.fingerprint("m"), other.fingerprint()}) == 3
    assert isinstance(hash(first), int)
    assert {"workspace_id", "stamp", "facts", "labels", "work", "model", "labels_as_of"} <= set(
        Fingerprint.__dataclass_fields__
    )
    other.close()


def test_a_writer_sees_its_own_changes_at_once(loaded):
    with loaded.workspace.write() as writer:
        before = writer.fingerprint()
        writer.bump("labels")

        assert writer.fingerprint().labels == before.labels + 1
        writer.discarded = True


# --- Files that come and go


def test_a_discarded_first_write_leaves_no_file(desk):
    with desk.workspace.write(create=True) as writer:
        writer.discarded = True

    assert list(desk.folder.iterdir()) == []


def test_a_failed_first_write_leaves_no_file(desk):
    with pytest.raises(RuntimeError), desk.workspace.write(create=True):
        raise RuntimeError

    assert list(desk.folder.iterdir()) == []


def test_the_whole_schema_is_there_from_the_first_write(desk):
    with desk.workspace.write(create=True):
        pass

    found = desk.ask("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1")
    assert {name for (name,) in found} == set(TABLES)


NO_WORKSPACE = "There is no workspace at .*`relook load .* FILE...` makes one"
CASES = {
    "missing": (None, NO_WORKSPACE),
    "text": (b"item_id,label\n1,a\n", "is not a workspace: it is not a DuckDB file. Name a file made by `relook load`"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not a workspace: it is not a DuckDB file"),
    "empty": (b"", "is not a workspace: it is not a DuckDB file"),
    "cut": (b"\0" * 8 + b"DUCK", "is not a workspace|cannot be opened as a workspace"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["read", "write"])
def test_what_is_no_workspace_is_refused_in_one_sentence_and_left_alone(tmp_path, case, way):
    content, pattern = CASES[case]
    path = tmp_path / "x.relook"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(FileFaultError, match=pattern) as caught, getattr(Workspace(path), way)():
        pass

    assert "\n" not in caught.value.message
    assert (path.read_bytes() if path.exists() else None) == content
    assert len(list(tmp_path.iterdir())) == (content is not None)


@pytest.mark.parametrize("way", ["read", "write"])
@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE t AS SELECT 1 AS x",),
        ("CREATE TABLE meta(a INTEGER, b INTEGER)",),
        ("CREATE TABLE meta(key INTEGER, value INTEGER)", "INSERT INTO meta VALUES (1, 2)"),
    ],
)
def test_a_database_of_somebody_else_is_refused_and_left_alone(tmp_path, way, statements):
    path = tmp_path / "theirs.db"
    make_database(path, *statements)
    before = path.read_bytes()

    with pytest.raises(FileFaultError, match="is a DuckDB file, but not a workspace"), getattr(Workspace(path), way)():
        pass

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (str(SCHEMA_VERSION + 1), "Install a newer relook"),
        ("0", "Load the files into a new workspace"),
        ("two", "Load the files into a new workspace"),
    ],
)
def test_another_schema_version_is_refused_with_both_numbers(desk, version, advice):
    with desk.workspace.write(create=True) as writer:
        writer.execute(Fragment("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,)))
    before = desk.state()

    for way in (desk.workspace.read, desk.workspace.write):
        with (
            pytest.raises(
                FileFaultError, match=f"schema version {version}, .* reads version {SCHEMA_VERSION}"
            ) as caught,
            way(),
        ):
            pass
        assert advice in caught.value.message
    assert desk.state() == before


def test_a_folder_is_no_workspace(tmp_path):
    for way in ("read", "write"):
        with pytest.raises(FileFaultError, match="is a folder"), getattr(Workspace(tmp_path), way)():
            pass


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_workspace_is_refused_when_its_rows_are_missed(desk, make_items, share):
    desk.load(desk.put("train.csv", make_items(20_000)))
    whole, _files = desk.state()
    desk.workspace.path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(FileFaultError, match="cannot be (opened|read)"), desk.workspace.read() as snapshot:
        snapshot.fetch(Fragment("SELECT * FROM items JOIN features USING (item) ORDER BY item"))
    with pytest.raises(FileFaultError, match="cannot be (opened|read)"):
        desk.load(desk.folder / "train.csv")


def test_a_workspace_is_not_made_where_there_is_no_folder(tmp_path):
    path = tmp_path / "nowhere" / "x.relook"

    with pytest.raises(FileFaultError, match=r"The folder .*nowhere does not exist\. Make it first"):
        with Workspace(path).write(create=True):
            pass

    assert not path.parent.exists()


def test_an_empty_file_of_the_users_is_not_taken_for_a_new_workspace(tmp_path):
    path = tmp_path / "x.relook"
    path.touch()

    with pytest.raises(FileFaultError, match="is not a workspace"), Workspace(path).write(create=True):
        pass

    assert path.read_bytes() == b""


# --- What a snapshot tells


def test_one_snapshot_is_one_version(loaded):
    """Everything asked inside one `with` comes from one transaction; a writer has to wait for it."""
    with loaded.workspace.read() as snapshot:
        first = snapshot.fetch_one(Fragment("SELECT count(*) FROM items"))
        began = snapshot.fetch_one(Fragment("SELECT txid_current()"))

        assert snapshot.fetch_one(Fragment("SELECT txid_current()")) == began
        assert snapshot.fetch_one(Fragment("SELECT count(*) FROM items")) == first


def test_batches_are_the_rows_of_the_frame(loaded):
    query = Fragment("SELECT item, item_id FROM items WHERE item > ? ORDER BY item", (7,))
    with loaded.workspace.read() as snapshot:
        frame = snapshot.fetch(query)
        batches = pa.Table.from_batches(snapshot.fetch_batches(query, rows=50)).to_pandas()

    assert batches["item_id"].tolist() == frame["item_id"].tolist()
    assert len(frame) == 193


def test_a_split_that_is_absent_falls_back_to_the_only_one_with_a_note(loaded):
    with loaded.workspace.read() as snapshot:
        assert snapshot.resolve_split(None, "train") == ("train", None)
        assert snapshot.resolve_split("train", "eval") == ("train", None)
        chosen, note = snapshot.resolve_split(None, "eval")
        assert chosen == "train"
        assert note == "There is no split 'eval': 'train', the only one, is used."
        with pytest.raises(UnknownNameError, match="There is no split 'trian'. Did you mean 'train'"):
            snapshot.resolve_split("trian", "eval")


def test_several_splits_without_the_default_ask_which(desk, make_items):
    desk.load(desk.put("a.csv", make_items()), split="north")
    desk.load(desk.put("a.csv", make_items()), split="south")

    with desk.workspace.read() as snapshot, pytest.raises(NeedsChoiceError, match="--split: 'north', 'south'"):
        snapshot.resolve_split(None, "eval")


def test_the_model_is_the_one_named_else_the_one_loaded_last(loaded):
    loaded.load(loaded.folder / "predictions.csv", model="second")

    with loaded.workspace.read() as snapshot:
        assert snapshot.resolve_model(None).name == "second"
        assert snapshot.resolve_model("model").name == "model"
        assert snapshot.resolve_model("model").classes == ("a", "b")
        with pytest.raises(UnknownNameError, match="There is no model 'secnd'. Did you mean 'second'"):
            snapshot.resolve_model("secnd")


def test_an_empty_workspace_says_what_to_do(desk):
    with desk.workspace.write(create=True):
        pass

    with desk.workspace.read() as snapshot:
        with pytest.raises(AnalysisError, match="holds no items yet. Load a table of items first"):
            snapshot.resolve_split(None, "eval")
        with pytest.raises(AnalysisError, match="No predictions are loaded yet"):
            snapshot.resolve_model(None)


def test_temporary_tables_of_ours_have_plain_names(desk):
    with desk.workspace.write(create=True) as writer:
        with pytest.raises(ValueError, match="plain name"):
            writer.take_in("x; DROP TABLE items", pa.table({"a": [1]}))
        writer.take_in("mine", pa.table({"a": [1, 2]}))
        assert writer.fetch_all(Fragment("SELECT a FROM mine ORDER BY a")) == [(1,), (2,)]
        writer.discarded = True
