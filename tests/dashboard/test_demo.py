"""The demo: both samples open, once made they are kept, and one of another version is put aside."""

import pytest

from analysis.commands.info import describe_workspace
from analysis.commands.workspaces import workspace_at
from analysis.store.sql import Fragment
from dashboard.parts import serving
from dashboard.parts.serving import SAMPLES, make_demo


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(serving.platformdirs, "user_data_dir", lambda *_a, **_k: str(tmp_path / "data"))
    return tmp_path / "data"


def test_tickets_come_first_and_digits_second():
    assert list(SAMPLES) == ["tickets", "digits"]


def test_the_demo_opens_tickets_with_the_names_of_its_people(home):
    path, folder = make_demo()

    info = describe_workspace(workspace_at(path))
    assert (path.name, folder.name) == ("tickets.relook", "tickets")
    assert (info.overall.items, info.annotators) == (12_000, 25)
    assert [model.model for model in info.models] == ["model-1"]


def test_a_demo_that_is_there_is_kept_as_it_is(home):
    path, _folder = make_demo("digits")
    before = workspace_at(path).fingerprint()

    assert workspace_at(make_demo("digits")[0]).fingerprint() == before


def test_a_demo_of_another_version_is_put_aside_and_made_anew(home):
    path, _folder = make_demo("digits")
    with workspace_at(path).write() as writer:
        writer.execute(Fragment("UPDATE meta SET value = '1' WHERE key = 'schema_version'"))

    make_demo("digits")

    assert describe_workspace(workspace_at(path)).overall.items == 1797
    assert sorted(found.name for found in home.iterdir()) == ["digits-old.relook", "digits.relook"]
