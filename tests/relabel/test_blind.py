"""A blind request shows the item and nothing that we think of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.relabel import RequestFiles, RequestSpec, build_request, to_files

ROLES = {"text": "text", "age": "field"}
FORMATS = ["label-studio", "csv"]


@dataclass
class Base:
    """A request in which dot, whom nobody assigns, gave every label; `write` writes it with changes."""

    candidates: pd.DataFrame
    pool: pd.DataFrame
    content: pd.DataFrame
    make_spec: Callable[..., RequestSpec]

    def write(self, candidates=None, pool=None, **changes) -> RequestFiles:
        candidates = self.candidates if candidates is None else candidates
        pool = self.pool if pool is None else pool
        request = build_request(candidates, self.make_spec(controls=len(pool), **changes), control_pool=pool)
        return to_files(request, self.content, ROLES, FORMATS)


@pytest.fixture
def base(make_spec, make_candidates, make_content) -> Base:
    candidates = make_candidates(20, given_by="dot")
    pool = make_candidates(5, prefix="c", given_by="dot")
    return Base(candidates, pool, make_content(candidates, pool), make_spec)


@pytest.mark.parametrize(
    "changes",
    [
        {"given_label": "something else"},
        {"given_label": None},
        {"likely_label": "<=50K"},
        {"p_likely": 0.123, "p_wrong": 0.456},
        {"reasons": [("late_in_session", "knn_disagree")] * 20},
        {"source": "slice: sex = Male"},
        {"given_by": "eve"},
        {"voters": [("dot", "eve")] * 20},
        {"seconds": 99.0},
    ],
    ids="+".join,
)
def test_what_is_sent_does_not_change_with_what_we_think_of_the_items(base, changes):
    changed = base.write(base.candidates.assign(**changes))

    assert changed.send == base.write().send
    assert changed.private != base.write().private


def test_what_is_sent_does_not_change_with_the_ranking(base):
    assert base.write(base.candidates[::-1]).send == base.write().send


def test_what_is_sent_does_not_change_with_which_items_are_controls(base):
    everything = pd.concat([base.candidates, base.pool], ignore_index=True)

    # The last five candidates become the controls, and the controls become candidates.
    swapped = base.write(everything.drop(index=range(15, 20)), everything.loc[15:19])

    assert swapped.send == base.write().send
    assert swapped.private != base.write().private


def test_what_is_sent_does_not_change_with_purpose_model_and_budget(base):
    assert base.write(purpose="other", model="other", budget_items=20).send == base.write().send


@settings(max_examples=15, deadline=None)
@given(
    given=st.lists(st.sampled_from(["<=50K", ">50K", None]), min_size=6, max_size=6),
    likely=st.lists(st.sampled_from(["<=50K", ">50K", None]), min_size=6, max_size=6),
    order=st.permutations(range(6)),
)
def test_no_combination_of_secrets_changes_what_is_sent(given, likely, order):
    frame = pd.DataFrame({"split": "train", "item_id": list("abcdef")})
    content = pd.DataFrame({"text": "text", "age": 1}, index=pd.MultiIndex.from_frame(frame))
    spec = RequestSpec(request_id="rq", created_at=datetime(2026, 1, 1, tzinfo=UTC), labels=("<=50K", ">50K"))

    plain = to_files(build_request(frame, spec), content, ROLES, FORMATS)
    secret = frame.assign(given_label=given, likely_label=likely).iloc[list(order)]

    assert to_files(build_request(secret, spec), content, ROLES, FORMATS).send == plain.send


def test_a_blind_task_has_three_keys_of_ours_and_no_others(base):
    files = base.write()

    for name, data in files.send.items():
        if name.endswith(".json"):
            for task in json.loads(data):
                assert set(task) == {"data"}
                assert set(task["data"]) == {
                    "relook_request_id", "relook_task", "relook_text_sha", "text", "fields",
                }  # fmt: skip


def test_no_item_id_and_no_secret_word_is_in_what_is_sent(base):
    # Ids that are no part of the text, so that a hit is a leak.
    candidates = base.candidates.assign(source="SOURCE", reasons=[("REASON",)] * 20, likely_label="LIKELY")
    files = base.write(candidates.assign(given_label="GIVEN", given_by="GIVENBY"), model="MODEL", purpose="PURPOSE")

    sent = b"".join([*files.send.values(), *(name.encode() for name in files.send)])

    for secret in (b"SOURCE", b"REASON", b"LIKELY", b"GIVEN", b"MODEL", b"PURPOSE", b"control", b"suspect"):
        assert secret not in sent


def test_the_manifest_is_private_and_only_it_is(base):
    files = base.write()

    assert set(files.private) == {"private/manifest.json"}
    assert all(name.startswith("send/") for name in files.send)
    assert files.all == {**files.send, **files.private}


def test_an_assisted_request_shows_item_id_and_suggestion_for_controls_too(base):
    files = base.write(mode="assisted")

    for name, data in files.send.items():
        if name.endswith(".json"):
            tasks = json.loads(data)
            assert all("relook_item_id" in task["data"] for task in tasks)
            assert all(len(task["predictions"]) == 1 for task in tasks)
            assert all("score" in task["predictions"][0] for task in tasks)


def test_a_control_without_likely_label_suggests_its_trusted_label(base):
    files = base.write(pool=base.pool.assign(likely_label=None), mode="assisted")

    items = json.loads(files.private["private/manifest.json"])["items"]
    controls = [item for item in items if item["role"] == "control"]
    assert len(controls) == 5
    assert all(item["suggested_label"] == item["given_label"] for item in controls)


def test_a_score_is_shown_for_every_task_or_for_none(base):
    files = base.write(pool=base.pool.assign(p_likely=None), mode="assisted")

    tasks = [task for name in files.send if name.endswith(".json") for task in json.loads(files.send[name])]
    assert tasks
    assert not any("score" in task["predictions"][0] for task in tasks)


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("given_label", "the given label"),
        ("likely_label", "the likely label"),
        ("item_id", "the item id"),
        ("given_by", "who gave the label"),
    ],
)
def test_a_ticked_column_that_shows_a_secret_is_refused(make_spec, make_candidates, make_content, secret, what):
    candidates = make_candidates(10, given_by="dot")
    content = make_content(candidates, Label=candidates[secret].to_numpy())
    roles = {"text": "text", "Label": "field"}

    with pytest.raises(AnalysisError, match=f"'Label' shows {what} .in 10 of 10 items.*Untick it"):
        to_files(build_request(candidates, make_spec()), content, roles, FORMATS)
    assert to_files(build_request(candidates, make_spec(mode="assisted")), content, roles, FORMATS).send


def test_an_earlier_label_that_mostly_agrees_is_refused_and_a_coincidence_is_not(
    make_spec, make_candidates, make_content
):
    candidates = make_candidates(20, likely_label=None)
    given = candidates["given_label"].to_numpy()
    request = build_request(candidates, make_spec())

    for agreeing, refused in ((19, True), (10, False)):
        content = make_content(candidates, earlier=[*given[:agreeing], *["?"] * (20 - agreeing)])
        if refused:
            with pytest.raises(AnalysisError, match="in 19 of 20 items"):
                to_files(request, content, {"earlier": "field"}, ["csv"])
        else:
            assert to_files(request, content, {"earlier": "field"}, ["csv"]).send


def test_an_image_path_that_names_the_class_is_refused(make_spec, make_candidates, make_content):
    candidates = make_candidates(4)
    paths = [f"https://example.com/{label}/x.png" for label in candidates["given_label"]]
    request = build_request(candidates, make_spec())

    with pytest.raises(AnalysisError, match="'photo' shows the given label"):
        to_files(request, make_content(candidates, photo=paths), {"photo": "image"}, FORMATS)
    named_by_id = [f"photos\\{item}.jpg" for item in candidates["item_id"]]
    with pytest.raises(AnalysisError, match="'photo' shows the item id"):
        to_files(request, make_content(candidates, photo=named_by_id), {"photo": "image"}, FORMATS)
