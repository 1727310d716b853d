"""People: merges are proposed and stated, never silent; a merged workspace answers as if files had one name."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.commands.annotators import AnnotatorsOptions, describe_annotator, review_annotators
from analysis.commands.candidates import choose_assignees
from analysis.commands.frames import open_workspace
from analysis.commands.info import describe_workspace
from analysis.commands.item import show_item
from analysis.commands.load import LoadOptions, load
from analysis.commands.one_slice import describe_slice
from analysis.commands.overview import describe_overview
from analysis.commands.people import PeopleOptions, read_merge, review_people
from analysis.commands.request import RequestOptions, write_request
from analysis.commands.slice_texts import describe_column_choice
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError
from analysis.store.loading.people import keep_known_names

LABELS = ["x", "y", "z"]


def make_world(folder: Path, *, names: tuple[str, str]):
    """Make a world where ana works under two names, which may be one; the second has no team and is no expert."""
    first, second = names
    items = pd.DataFrame(
        {
            "item_id": [f"i{k:02d}" for k in range(60)],
            "split": ["train", "train", "eval"] * 20,
            "label": [LABELS[(k * 7 + k // 5) % 3] for k in range(60)],
            "annotator": [first if k % 4 else second for k in range(60)],
            "size": [k % 7 for k in range(60)],
        }
    )
    votes = pd.DataFrame(
        [
            (f"i{k:02d}", who, LABELS[(k * 7 + k // 5 + (k % (5 + j) == 0)) % 3], f"m{k % 2}")
            for k in range(60)
            for j, who in enumerate((first if k % 4 else second, "ben", "cleo"))
            if k % (3 + j)
        ],
        columns=["item_id", "annotator", "label", "batch"],
    )
    votes["team"] = votes["annotator"].map({first: "acme", "ben": "zed", "cleo": "zed"})
    said = [("i00", second, "x"), ("i00", "dov", "x"), ("i01", first, "y"), ("i01", "dov", "z"), ("i02", first, "z")]
    experts = pd.DataFrame(said, columns=["item_id", "annotator", "label"])
    predictions = items[["item_id"]].assign(p_x=0.25, p_y=0.5, p_z=0.25)
    workspace = workspace_at(folder / "w.relook")
    for name, frame in {"items": items, "votes": votes, "predictions": predictions}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    load(workspace, [folder / f"{name}.csv" for name in ("items", "votes", "predictions")])
    experts.to_csv(folder / "experts.csv", index=False)
    load(workspace, [folder / "experts.csv"], LoadOptions(gold=True))
    return workspace


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Both worlds, loaded once; tests get copies."""
    folders = {}
    for name, names in {"plain": ("ana", "ana"), "twofold": ("ana", "ana@x.com")}.items():
        folders[name] = tmp_path_factory.mktemp(name)
        make_world(folders[name], names=names).close()
    return folders


@pytest.fixture
def plain(worlds, tmp_path):
    """The world as it is, and with it its files."""
    return workspace_at(shutil.copytree(worlds["plain"], tmp_path / "plain") / "w.relook")


@pytest.fixture
def twofold(worlds, tmp_path):
    """The world in which ana has two names."""
    return workspace_at(shutil.copytree(worlds["twofold"], tmp_path / "twofold") / "w.relook")


def ask_everything(workspace, out: Path) -> dict[str, object]:
    """Ask all that names people, under the name that is no other's."""
    by = SlicesOptions(split="eval", by=("@annotator",))
    inside = 'size < 5 & @annotator = "ana"'
    request = write_request(
        workspace, RequestOptions(sources=("annotator:ana",), out=out, assign=("ana", "eve"), columns=("size",), seed=1)
    )
    info = describe_workspace(workspace)
    return {
        "annotators": review_annotators(workspace, AnnotatorsOptions()).to_dict(),
        "annotators here": review_annotators(workspace, AnnotatorsOptions(where='@annotator = "ana"')).to_dict(),
        "confusion": describe_annotator(workspace, "ana"),
        "slices": profile_slices(workspace, by).to_dict(),
        "slice": profile_slices(workspace, SlicesOptions(split="eval", where=inside)).to_dict(),
        "teams": profile_slices(workspace, SlicesOptions(split="eval", by=("@team",))).to_dict(),
        "who labelled": describe_slice(workspace, SlicesOptions(split="train", where=inside)),
        "items": [show_item(workspace, f"i{k:02d}") for k in range(4)],
        "votes": open_workspace(workspace.path)
        .votes()[["item_id", "annotator", "label", "source", "batch"]]
        .sort_values(["item_id", "annotator", "label", "source"])
        .to_dict("records"),
        "choices": [describe_column_choice(workspace, name) for name in ("@annotator", "@team")],
        "counts": (info.votes, info.annotators, describe_overview(workspace).annotators),
        "request": (request.items, request.by_annotator, request.by_assignee),
    }


def test_a_merged_workspace_answers_as_if_files_had_one_name(plain, twofold, tmp_path):
    expected = ask_everything(plain, tmp_path)
    apart = ask_everything(twofold, tmp_path)
    assert apart != expected

    review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),)))

    found = ask_everything(twofold, tmp_path)
    for question, answer in expected.items():
        assert found[question] == answer, question

    review_people(twofold, PeopleOptions(undo=1))
    assert ask_everything(twofold, tmp_path) == apart


def test_a_slice_kept_under_a_merged_name_still_holds(twofold):
    review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),)))

    for test in ('@annotator = "ana@x.com"', '@annotator in {"ana@x.com", "ana"}'):
        found = profile_slices(twofold, SlicesOptions(split="train", where=test))
        known = profile_slices(twofold, SlicesOptions(split="train", where='@annotator = "ana"'))
        assert found.slices[0].profile == known.slices[0].profile, test
    assert describe_annotator(twofold, "ana@x.com") == describe_annotator(twofold, "ana")


def test_no_name_of_a_person_gets_their_items_again(twofold, tmp_path):
    review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),)))

    for name in ("ana", "ana@x.com"):
        asked = RequestOptions(
            sources=("annotator:ana",), out=tmp_path, assign=(name, "eve"), columns=("size",), seed=1
        )
        assert write_request(twofold, asked).by_assignee.get(name, 0) == 0

    notes = []
    with twofold.read() as snapshot:
        assert choose_assignees(snapshot, ["ana@x.com", "eve", "ana"], notes) == ("ana@x.com", "eve")
    assert notes == ["'ana' and 'ana@x.com' are one person, who is asked as 'ana@x.com'."]


def test_the_same_files_again_change_nothing_after_a_merge(twofold):
    review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),)))
    folder = twofold.path.parent

    assert load(twofold, [folder / f"{name}.csv" for name in ("items", "votes", "predictions")]).changed is False


# --- What is listed


def test_people_proposals_and_merges_are_listed(twofold):
    found = review_people(twofold, PeopleOptions())

    assert [(p.person, p.names, p.team, p.expert) for p in found.people] == [
        ("ana", ("ana",), "acme", True),
        ("ana@x.com", ("ana@x.com",), None, True),
        ("ben", ("ben",), "zed", False),
        ("cleo", ("cleo",), "zed", False),
        ("dov", ("dov",), None, True),
    ]
    assert [(p.a, p.b, p.reason) for p in found.proposals] == [
        ("ana@x.com", "ana", "the name in the e-mail address is the other's")
    ]
    assert found.proposals[0].shared_items == 0
    assert (found.merges, found.changed) == ((), False)


def test_a_merge_is_numbered_and_bumps_the_facts_and_undo_takes_it_back(twofold):
    before = twofold.fingerprint()

    merged = review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),), who="lead"))

    assert twofold.fingerprint().facts == before.facts + 1
    assert (merged.changed, merged.proposals) == (True, ())
    assert [(m.merge, m.name, m.person, m.who, m.undone) for m in merged.merges] == [
        (1, "ana@x.com", "ana", "lead", None)
    ]  # fmt: skip
    again = review_people(twofold, PeopleOptions(merges=(("ana@x.com", "ana"),)))
    assert (again.changed, len(again.merges), twofold.fingerprint().facts) == (False, 1, before.facts + 1)

    undone = review_people(twofold, PeopleOptions(undo=1))

    assert undone.merges[0].undone is not None
    assert [p.person for p in undone.people][:2] == ["ana", "ana@x.com"]
    assert undone.proposals == ()  # what was taken back is not proposed again


def test_only_looking_writes_nothing(twofold):
    before = twofold.fingerprint()
    review_people(twofold)
    assert twofold.fingerprint() == before


@pytest.mark.parametrize(
    ("merges", "sentence"),
    [
        ([("anna", "ana")], "There is no annotator 'anna'. Did you mean 'ana'?"),
        ([("ben", "bn")], "There is no annotator 'bn'. Did you mean 'ben'?"),
        ([("ben", "ben")], "'ben' cannot be merged with itself. Name two annotators: --merge NAME=PERSON."),
        ([("ben", "cleo"), ("dov", "ben")], "'ben' is itself a name of 'cleo'. Merge into 'cleo', the person."),
        ([("ben", "cleo"), ("ben", "dov")], "'ben' is already a name of 'cleo'. Undo that first: --undo 1."),
        (
            [("ben", "cleo"), ("cleo", "dov")],
            "'cleo' is the person behind 'ben', and merges make no chains. Merge the other way round, or undo 1 first.",
        ),
    ],
)
def test_chains_circles_and_unknown_names_are_refused_and_nothing_is_done(twofold, merges, sentence):
    before = twofold.fingerprint()

    with pytest.raises(AnalysisError) as refused:
        review_people(twofold, PeopleOptions(merges=tuple(merges)))

    assert refused.value.message == sentence
    assert twofold.fingerprint() == before


def test_a_circle_is_no_second_merge(twofold):
    found = review_people(twofold, PeopleOptions(merges=(("ben", "cleo"), ("cleo", "ben"))))

    assert len(found.merges) == 1


def test_names_that_a_file_gives_for_one_person_are_proposed_first(twofold):
    with twofold.write() as writer:
        for _again in range(2):
            keep_known_names(writer, [("ben", "cleo"), ("ben", "ben"), ("ben", "nobody")], "the export gives both")
        assert len(writer.fetch(_known_names())) == 2

    found = review_people(twofold)

    first = found.proposals[0]
    assert (first.a, first.b, first.reason) == ("ben", "cleo", "the export gives both")
    # Items of both do not send back what a file states.
    assert first.shared_items > 0


def _known_names():
    from analysis.store.sql import Fragment  # noqa: PLC0415

    return Fragment("SELECT * FROM known_names")


# --- A table of people


def tell(twofold, frame: pd.DataFrame, name: str = "people.csv"):
    path = twofold.path.parent / name
    frame.to_parquet(path, index=False) if name.endswith("parquet") else frame.to_csv(path, index=False)
    return review_people(twofold, PeopleOptions(file=path, who="lead"))


@pytest.mark.parametrize("name", ["people.csv", "people.tsv", "people.parquet"])
def test_a_table_states_who_is_who_in_which_team_and_where(twofold, name):
    frame = pd.DataFrame(
        {
            "Person": ["Ana Ruiz", "Ana Ruiz", "ben"],
            "E-mail": ["ana@x.com", None, "ben@x.com"],
            "ID": ["ana", "12", "17"],
            "Agency": [None, "north", None],
            "Time zone": ["America/Bogota", None, "Asia/Manila"],
        }
    )
    if name.endswith("tsv"):
        frame.to_csv(twofold.path.parent / name, sep="\t", index=False)
        found = review_people(twofold, PeopleOptions(file=twofold.path.parent / name, who="lead"))
    else:
        found = tell(twofold, frame, name)

    assert [(p.person, p.names, p.team, p.time_zone) for p in found.people[:2]] == [
        ("Ana Ruiz", ("Ana Ruiz", "12", "ana", "ana@x.com"), "north", "America/Bogota"),
        ("ben", ("ben", "17", "ben@x.com"), "zed", "Asia/Manila"),
    ]
    assert found.notes == ("From the file: merges 5, teams 1, time zones 2, new names 4.",)
    assert {m.who for m in found.merges} == {"lead"}
    again = review_people(twofold, PeopleOptions(file=twofold.path.parent / name))
    assert (again.changed, again.notes[-1]) == (False, "Nothing changed: all of it was known.")


def test_without_a_person_the_first_name_in_a_row_is_it(twofold):
    found = tell(twofold, pd.DataFrame({"email": ["ana@x.com", None], "name": ["ana", "ben"]}))

    assert found.people[0].names == ("ana", "ana@x.com")


def test_votes_that_come_later_find_their_person(twofold):
    tell(twofold, pd.DataFrame({"person": ["ben"], "id": ["17"]}))
    votes = pd.DataFrame({"item_id": ["i00", "i01"], "annotator": ["17", "17"], "label": ["x", "y"]})
    votes.to_csv(twofold.path.parent / "late.csv", index=False)
    before = next(p for p in review_people(twofold).people if p.person == "ben").votes

    load(twofold, [twofold.path.parent / "late.csv"], LoadOptions(kind="votes"))

    assert next(p for p in review_people(twofold).people if p.person == "ben").votes == before + 2


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (
            pd.DataFrame({"name": ["ana", "ben"], "tz": ["Europe/Berlin", "Europe/Berlim"]}),
            "people.csv, line 3: there is no time zone 'Europe/Berlim'. Did you mean 'Europe/Berlin'",
        ),
        (pd.DataFrame({"name": ["ana"], "tz": ["../../etc/passwd"]}), "there is no time zone '../../etc/passwd'"),
        (
            pd.DataFrame({"crew": ["x"], "tz": ["Europe/Berlin"]}),
            "people.csv has no column of names. Its columns: 'crew', 'tz'. Call one name, id, email or person.",
        ),
        (
            pd.DataFrame({"person": ["ana", "ben"], "id": ["7", "7"]}),
            "'7' is already a name of 'ana'. Undo that first: --undo 1.",
        ),
        (
            pd.DataFrame({"person": ["ben", "ben"], "team": ["red", "blue"]}),
            "The file of people gives 'ben' two teams: 'red' and 'blue'. Leave one of them.",
        ),
        (
            pd.DataFrame({"person": ["Ben B", "Ben B"], "id": ["ben", "8"], "tz": ["Europe/Berlin", "Europe/Paris"]}),
            "gives 'Ben B' two time zones: 'Europe/Berlin' and 'Europe/Paris'.",
        ),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_whole(twofold, frame, sentence):
    before = twofold.fingerprint()

    with pytest.raises(AnalysisError) as refused:
        tell(twofold, frame)

    assert sentence in refused.value.message
    assert twofold.fingerprint() == before


# --- The command line


def test_the_command_lists_merges_and_undoes(main, twofold):
    twofold.close()
    path = twofold.path

    assert "1 pair may be one person; nothing is merged until you say so" in main("people", path).out
    assert main("people", path, "--merge", "ana@x.com=ana", "--as", "lead").code == 0
    found = main("people", path, "--format", "json").json
    assert set(found) == {"people", "proposals", "merges", "changed", "notes"}
    assert set(found["people"][0]) >= {
        "annotator", "person", "names", "team", "time_zone", "expert", "votes", "first_vote", "last_vote",
    }  # fmt: skip
    assert set(found["merges"][0]) == {"merge", "name", "person", "who", "at", "undone"}
    assert found["merges"][0]["at"].endswith("Z")

    undone = main("people", path, "--undo", "1", "--format", "json").json
    assert (undone["changed"], undone["merges"][0]["undone"][-1]) == (True, "Z")
    refused = main("people", path, "--undo", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "Merge 1 of 'ana@x.com' and 'ana' was undone before." in refused.err


def test_pseudonyms_stand_for_all_names(main, twofold):
    twofold.close()
    ended = main("people", twofold.path, "--merge", "ana@x.com=ana", "--as", "lead", "--no-names", "--format", "json")

    assert not [name for name in ("ana", "ben", "cleo", "dov", "lead") if f'"{name}' in ended.out]
    first = ended.json["people"][0]
    assert first["names"][0] == first["person"] == first["annotator"]
    assert len(first["names"]) == 2


@pytest.mark.parametrize("given", ["ana", "=ana", "ana="])
def test_a_merge_that_names_one_person_is_refused(given):
    with pytest.raises(AnalysisError, match="--merge takes NAME=PERSON, got "):
        read_merge(given)


def test_there_is_no_workspace_to_look_at(main, tmp_path):
    assert main("people", tmp_path / "none.relook").code == 2
