"""The page to start with, the guide, the manifest, and the names of the files."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, UnknownNameError
from analysis.relabel import MANIFEST_FORMAT, RequestSpec, build_request, compute_content_sha, to_files
from analysis.relabel.formats.tasks import to_slugs
from analysis.relabel.guide import describe_guide
from analysis.store.files import check_file_name

ROLES = {"text": "text", "age": "field"}


@pytest.fixture
def write(make_spec, make_candidates, make_content):
    def to(formats=("label-studio", "csv"), **changes):
        candidates = make_candidates(9, given_by="dot")
        pool = make_candidates(3, prefix="c", given_by="dot")
        request = build_request(candidates, make_spec(controls=3, **changes), control_pool=pool)
        return to_files(request, make_content(candidates, pool), ROLES, formats)

    return to


def manifest_of(files):
    return json.loads(files.private["private/manifest.json"])


def start_of(files):
    return files.send["send/START_HERE.md"].decode()


def test_the_start_page_says_how_many_until_when_whom_to_ask_and_which_file(write):
    start = start_of(write())

    assert start.startswith("# Please label 12 items\n")
    assert "Wanted back: 2026-12-01" in start
    assert "Questions: lead@example.com" in start
    assert "| ann | 4 | `tasks-ann.json` | `tasks-ann.csv` |" in start
    assert "guide.md" in start


def test_the_purpose_is_shown_only_where_it_cannot_bias(write):
    assert "slice" not in start_of(write())
    assert "Suspects of the slice sex = Male" in start_of(write(mode="assisted"))


def test_every_file_the_start_page_names_is_sent(write):
    files = write()

    for name in ("tasks-ann.json", "tasks-bob.csv", "label_config.xml", "guide.md"):
        assert f"`{name}`" in start_of(files)
        assert f"send/{name}" in files.send


def test_only_the_chosen_formats_are_written(write):
    assert sorted(write(["csv"], assignees=()).send) == ["send/START_HERE.md", "send/guide.md", "send/tasks.csv"]
    assert "label_config" not in start_of(write(["csv"]))


def test_unknown_missing_and_repeated_formats_are_refused(write):
    with pytest.raises(UnknownNameError, match="Did you mean 'label-studio'"):
        write(["labelstudio"])
    with pytest.raises(AnalysisError, match="No format is chosen"):
        write([])
    with pytest.raises(AnalysisError, match="chosen twice"):
        write(["csv", "csv"])


def test_the_guide_has_every_label_with_its_definition_and_says_what_to_do_when_unsure(make_spec):
    spec = make_spec(
        labels=("<=50K", "a`b", "*"), definitions={"<=50K": "At most\n50,000 a year"}, guideline="## Edge cases\nNone."
    )

    guide = describe_guide(spec)

    assert "- `<=50K`: At most 50,000 a year\n" in guide
    assert "- ``a`b``\n" in guide
    assert "- `*`\n" in guide
    assert "`Cannot decide`" in guide
    assert "`Exclude`" in guide
    assert "No label fits" in guide
    assert guide.endswith("## Guideline\n\n## Edge cases\nNone.\n")


def test_the_manifest_knows_every_item_once_with_all_that_is_hidden(write, make_candidates):
    manifest = manifest_of(write(votes_per_item=2, budget_items=9))

    assert manifest["format"] == MANIFEST_FORMAT == "relook-request/1"
    assert manifest["created_at"] == "2026-11-21T21:00:00Z"
    assert (manifest["mode"], manifest["labels"], manifest["model"]) == ("blind", ["<=50K", ">50K"], "rf-1")
    assert manifest["budget"] == {"items": 9, "hours": None}
    assert manifest["purpose"] == "Suspects of the slice sex = Male"
    items = manifest["items"]
    assert [item["rank"] for item in items] == [*range(1, 10), None, None, None]
    assert [item["role"] for item in items] == ["suspect"] * 9 + ["control"] * 3
    assert len({item["relook_task"] for item in items}) == 12
    first = make_candidates(9).iloc[0]
    assert items[0]["item_id"] == first["item_id"]
    assert items[0]["given_label"] == first["given_label"]
    assert items[0]["suggested_label"] == first["likely_label"]
    assert items[0]["given_by"] == "dot"
    assert items[0]["reasons"] == ["confident_learning"]
    assert all(len(set(item["assignees"])) == 2 for item in items)


def test_the_manifest_alone_tells_whose_task_and_what_content_it_was(write):
    files = write(assignees=())
    by_token = {item["relook_task"]: item for item in manifest_of(files)["items"]}

    for task in json.loads(files.send["send/tasks.json"]):
        item = by_token[task["data"]["relook_task"]]
        assert task["data"]["text"] == f"text of {item['item_id']}"
        assert task["data"]["relook_text_sha"] == item["text_sha"]
    age = {f"i{n:04d}": 20 + n for n in range(9)} | {f"c{n:04d}": 29 + n for n in range(3)}
    for item in by_token.values():
        shown = {"text": f"text of {item['item_id']}", "age": str(age[item["item_id"]])}
        assert compute_content_sha(shown) == item["text_sha"]


def test_the_manifest_has_a_fingerprint_of_every_sent_file(write):
    files = write()

    listed = {file["name"]: (file["bytes"], file["sha256"]) for file in manifest_of(files)["files"]}

    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.send.items()}


def test_the_same_request_gives_the_same_bytes(write):
    assert write().all == write().all


def test_another_seed_gives_other_tokens_for_the_same_items(write):
    one, two = manifest_of(write(seed=1)), manifest_of(write(seed=2))

    assert {item["item_id"] for item in one["items"]} == {item["item_id"] for item in two["items"]}
    assert not {item["relook_task"] for item in one["items"]} & {item["relook_task"] for item in two["items"]}


@pytest.mark.parametrize("name", ["Ana/B", "..", "CON", "a\\b", "  ", "e\u0301", "x" * 300, "李雷", "😀"])
def test_any_name_becomes_a_safe_part_of_a_file_name(name):
    slug = to_slugs([name])[name]

    check_file_name(f"tasks-{slug}.json")
    assert 0 < len(slug) <= 40


@given(st.lists(st.text() | st.sampled_from(["Ana", "ana", "a na", "ana-2", "..", "/"]), unique=True, max_size=12))
def test_different_people_get_different_files_even_where_case_does_not_count(names):
    slugs = to_slugs(names)

    folded = [slug.casefold() for slug in slugs.values()]
    assert len(set(folded)) == len(names)
    for slug in slugs.values():
        check_file_name(f"tasks-{slug}.csv")


def test_names_that_would_collide_get_files_of_their_own(make_candidates, make_content):
    people = ("Ana/B", "ana b", "..", "Müller")
    spec = RequestSpec(
        request_id="rq", created_at=datetime(2026, 1, 1, tzinfo=UTC), labels=("a", "b"), assignees=people
    )
    candidates = make_candidates(8)

    files = to_files(build_request(candidates, spec), make_content(candidates), ROLES, ["csv"])

    tasks = {name for name in files.send if name.endswith(".csv")}
    assert tasks == {
        "send/tasks-Ana-B.csv", "send/tasks-ana-b-2.csv", "send/tasks-person.csv", "send/tasks-Müller.csv",
    }  # fmt: skip
