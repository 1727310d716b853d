"""From candidates to a request: duplicates, budget, controls, tokens, counts."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError, UnknownNameError
from analysis.relabel import RequestSpec, build_request, draws
from analysis.relabel.draws import draw, draw_tokens


def test_the_first_of_repeated_candidates_stands_and_the_others_are_counted(make_spec, make_candidates):
    first = make_candidates(3)
    second = make_candidates(3).assign(source="slice: all")

    request = build_request(pd.concat([first, second]), make_spec())

    assert request.items == 3
    assert set(request.tasks["source"]) == {"labels"}
    assert request.left_out == (("already listed from another source", 3),)


def test_the_same_id_in_another_split_is_another_item(make_spec, make_candidates):
    both = pd.concat([make_candidates(2), make_candidates(2, split="eval")])

    assert build_request(both, make_spec()).items == 4


def test_a_budget_in_items_takes_the_first_and_counts_the_rest(make_spec, make_candidates):
    request = build_request(make_candidates(10), make_spec(budget_items=4))

    assert sorted(request.tasks["item_id"]) == ["i0000", "i0001", "i0002", "i0003"]
    assert request.left_out == (("beyond the budget", 6),)


def test_hours_are_votes_times_seconds_over_3600(make_spec, make_candidates):
    # 3 items x 2 votes x 30 s + 1 control x 2 votes x 60 s = 300 s.
    request = build_request(
        make_candidates(3),
        make_spec(votes_per_item=2, controls=1),
        control_pool=make_candidates(1, prefix="c", seconds=60.0, given_by="dot"),
    )

    assert request.hours == pytest.approx(300 / 3600)


def test_a_budget_in_hours_pays_for_every_vote_and_for_the_controls(make_spec, make_candidates):
    # 0.1 h = 360 s. Two controls cost 2 x 2 x 30 = 120 s; 240 s are left for items of 2 x 30 s: four.
    request = build_request(
        make_candidates(10),
        make_spec(votes_per_item=2, controls=2, budget_hours=0.1),
        control_pool=make_candidates(5, prefix="c", given_by="dot"),
    )

    assert (request.items, request.controls) == (4, 2)
    assert request.hours == pytest.approx(0.1)
    assert dict(request.left_out) == {"beyond the budget": 6}


def test_the_budget_in_hours_holds_an_exact_fit_of_floats(make_spec, make_candidates):
    # 3,600 x 0.1 s add up to 360.00000000001336 s.
    request = build_request(make_candidates(3_601, seconds=0.1), make_spec(budget_hours=0.1, assignees=()))

    assert request.items == 3_600


def test_one_endless_item_does_not_use_up_the_budget(make_spec, make_candidates):
    seconds = [30.0, 340_298.0, 30.0, 30.0]

    request = build_request(make_candidates(4, seconds=seconds), make_spec(budget_hours=1.0))

    assert request.items == 3
    assert request.left_out == (("takes longer than the whole budget", 1),)


def test_the_budget_in_hours_ends_at_the_first_item_that_does_not_fit(make_spec, make_candidates):
    request = build_request(make_candidates(3, seconds=[30.0, 40.0, 10.0]), make_spec(budget_hours=60 / 3600))

    assert list(request.tasks["item_id"]) == ["i0000"]
    assert request.left_out == (("beyond the budget", 2),)


def test_a_budget_in_hours_without_any_seconds_is_refused_with_advice(make_spec, make_candidates):
    with pytest.raises(AnalysisError, match=r"needs to know how long a vote takes.*give a budget in items"):
        build_request(make_candidates(3, seconds=pd.NA), make_spec(budget_hours=1.0))


def test_unknown_seconds_count_as_the_median_and_are_noted(make_spec, make_candidates):
    request = build_request(make_candidates(4, seconds=[10.0, None, 30.0, 50.0]), make_spec())

    assert request.hours == pytest.approx((10 + 30 + 30 + 50) / 3600)
    assert "unknown for 1 of 4 items" in request.notes[0]


def test_hours_are_unknown_where_no_seconds_are_known(make_spec, make_candidates):
    assert build_request(make_candidates(3, seconds=None), make_spec()).hours is None


def test_items_that_too_few_people_may_label_are_passed_over_for_the_next(make_spec, make_candidates):
    # "ann" gave the first and "bob" has voted on it: nobody is left. The budget goes on with the others.
    voters = [("bob",), (), ()]
    candidates = make_candidates(3, voters=voters, given_by="ann")

    request = build_request(candidates, make_spec(assignees=("ann", "bob"), budget_items=1))

    assert list(request.tasks["item_id"]) == ["i0001"]
    assert dict(request.left_out) == {
        "too few of the assigned people have not labelled it yet": 1,
        "beyond the budget": 1,
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sets(st.sampled_from("abcd"))), min_size=1, max_size=25))
def test_no_item_goes_back_to_who_gave_its_label_or_voted(history):
    candidates = pd.DataFrame(
        {
            "split": "train",
            "item_id": [str(row) for row in range(len(history))],
            "given_by": [given_by for given_by, _voters in history],
            "voters": [tuple(voters) for _given_by, voters in history],
        }
    )
    spec = RequestSpec(
        request_id="rq", created_at=datetime(2026, 1, 1, tzinfo=UTC), labels=("x", "y"), assignees=tuple("abcd")
    )
    askable = sum(len({given_by, *voters}) < 4 for given_by, voters in history)
    if not askable:
        with pytest.raises(AnalysisError, match="nothing to send"):
            build_request(candidates, spec)
        return

    tasks = build_request(candidates, spec).tasks

    assert len(tasks) == askable
    for row in tasks.itertuples():
        assert row.assignee != row.given_by
        assert row.assignee not in row.voters


def test_controls_come_from_the_pool_and_never_from_the_candidates(make_spec, make_candidates):
    candidates = make_candidates(5)
    pool = pd.concat([candidates, make_candidates(5, prefix="c")])

    request = build_request(candidates, make_spec(controls=4, budget_items=2), control_pool=pool)

    controls = request.tasks[request.tasks["role"] == "control"]
    assert request.controls == len(controls) == 4
    assert set(controls["item_id"]) <= set(pool["item_id"]) - set(candidates["item_id"])
    assert controls["rank"].isna().all()


def test_the_seed_draws_the_controls(make_spec, make_candidates):
    def controls_of(seed):
        spec = make_spec(controls=5, seed=seed)
        tasks = build_request(make_candidates(3), spec, control_pool=make_candidates(50, prefix="c")).tasks
        return frozenset(tasks.loc[tasks["role"] == "control", "item_id"])

    assert controls_of(1) == controls_of(1)
    assert len({controls_of(seed) for seed in range(10)}) == 10


def test_every_pool_item_is_drawn_about_equally_often(make_spec, make_candidates):
    drawn = pd.concat(
        build_request(
            make_candidates(1), make_spec(controls=5, seed=seed), control_pool=make_candidates(20, prefix="c")
        ).tasks
        for seed in range(80)
    )
    counts = drawn.loc[drawn["role"] == "control", "item_id"].value_counts()

    # 80 draws of 5 out of 20: 20 expected, standard deviation 3.9; four of them are allowed.
    assert len(counts) == 20
    assert counts.between(20 - 16, 20 + 16).all()


def test_too_small_a_pool_is_noted_and_an_empty_one_refused(make_spec, make_candidates):
    request = build_request(
        make_candidates(3), make_spec(controls=5), control_pool=make_candidates(2, prefix="c", given_by="dot")
    )
    assert "Only 2 of 5 controls could be drawn." in request.notes

    with pytest.raises(AnalysisError, match="Load gold labels"):
        build_request(make_candidates(3), make_spec(controls=5))


def test_the_counts_say_whose_labels_are_looked_at_again(make_spec, make_candidates):
    candidates = make_candidates(
        6, given_label=["a", "a", "a", "b", None, None], given_by=["x", "y", "x", None, "x", "y"]
    )

    request = build_request(candidates, make_spec())

    assert request.by_class == {"a": 3, "(no given label)": 2, "b": 1}
    assert request.by_annotator == {"x": 3, "y": 2, "(not known)": 1}
    assert request.by_assignee == {"ann": 2, "bob": 2, "cid": 2}


def test_the_tasks_are_one_row_a_task_and_person(make_spec, make_candidates):
    tasks = build_request(make_candidates(4, given_by="dot"), make_spec(votes_per_item=2)).tasks

    assert len(tasks) == 8
    assert tasks.groupby("item_id")["relook_task"].nunique().eq(1).all()
    assert tasks.groupby("item_id")["assignee"].nunique().eq(2).all()
    assert sorted(set(tasks["rank"])) == [1, 2, 3, 4]
    assert tasks["relook_task"].map(lambda token: bool(re.fullmatch("t-[0-9a-f]{10}", token))).all()


def test_without_assignees_there_is_one_file_for_anybody(make_spec, make_candidates):
    request = build_request(make_candidates(3), make_spec(assignees=(), votes_per_item=3))

    assert len(request.parts) == 1
    assert request.tasks["assignee"].isna().all()
    assert any("Nobody is assigned" in note for note in request.notes)


def test_rank_cannot_be_read_off_the_order_of_a_file(make_spec, make_candidates):
    ranks = build_request(make_candidates(400), make_spec(assignees=())).tasks["rank"].astype(float)

    # Spearman's correlation of place and rank; for 400 the standard deviation is 0.05.
    assert abs(ranks.reset_index(drop=True).corr(pd.Series(range(400)))) < 0.2


def test_the_candidates_are_not_changed(make_spec, make_candidates):
    candidates = make_candidates(5)
    before = candidates.copy(deep=True)

    build_request(candidates, make_spec(mode="assisted"))

    pd.testing.assert_frame_equal(candidates, before)


def test_ids_alone_are_enough(make_spec):
    request = build_request(pd.DataFrame({"split": "train", "item_id": [7, 8]}), make_spec())

    assert sorted(request.tasks["item_id"]) == ["7", "8"]
    assert request.hours is None


def test_a_suggestion_outside_the_answer_scheme_is_refused_when_it_would_be_shown(make_spec, make_candidates):
    candidates = make_candidates(2, likely_label="50K and more")

    assert build_request(candidates, make_spec()).items == 2
    with pytest.raises(AnalysisError, match=r"'50K and more' .* is not among the labels"):
        build_request(candidates, make_spec(mode="assisted"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p_wrong": 1.5}, "probabilities from 0 to 1, found 1.5"),
        ({"seconds": 0.0}, "must be more than 0, found 0.0"),
        ({"seconds": float("inf")}, "must be more than 0"),
        ({"item_id": None}, "'item_id' of the candidates is empty in 2 rows"),
    ],
)
def test_columns_out_of_range_are_refused(make_spec, make_candidates, changes, message):
    with pytest.raises(AnalysisError, match=message):
        build_request(make_candidates(2, **changes), make_spec())


def test_probabilities_a_hair_above_one_count_as_one(make_spec, make_candidates):
    tasks = build_request(make_candidates(2, p_likely=1.00002), make_spec()).tasks

    assert tasks["p_likely"].tolist() == [1.0, 1.0]


def test_frames_without_items_are_refused(make_spec, make_candidates):
    with pytest.raises(AnalysisError, match="no column 'item_id'"):
        build_request(pd.DataFrame({"split": ["train"]}), make_spec())
    with pytest.raises(AnalysisError, match="the sources hold no items"):
        build_request(make_candidates(0), make_spec())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request_id": "../up"}, "cannot name a folder"),
        ({"request_id": "rq."}, "cannot name a folder"),
        ({"labels": ("one",)}, "at least two labels"),
        ({"labels": ("a", "a")}, "'a' is given twice"),
        ({"labels": ("a", " ")}, "A label is empty"),
        ({"labels": ("a", "b\x0b")}, "control character"),
        ({"budget_items": 0}, "at least one item"),
        ({"budget_hours": float("nan")}, "more than 0 hours"),
        ({"votes_per_item": 0}, "at least one vote"),
        ({"votes_per_item": 4}, "only 3 are assigned"),
        ({"controls": -1}, "cannot be negative"),
        ({"assignees": ("ann", "")}, "An assignee is empty"),
        ({"definitions": {">50k": "rich"}}, "Did you mean '>50K'"),
        ({"labels": ("Exclude", "exclude (not a usable item)", "[EXCLUDE]")}, "all taken"),
    ],
)
def test_a_spec_that_cannot_work_is_refused(make_spec, changes, message):
    with pytest.raises(AnalysisError, match=message):
        make_spec(**changes)


def test_an_unknown_mode_is_refused_and_a_naive_time_is_our_own_mistake(make_spec):
    with pytest.raises(UnknownNameError, match="Did you mean 'blind'"):
        make_spec(mode="blnd")
    with pytest.raises(ValueError, match="time zone"):
        make_spec(created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is the point


def test_answer_words_step_aside_for_labels_of_the_same_name(make_spec):
    words = make_spec(labels=("yes", "no", "cannot decide")).answer_words

    assert words.cannot_decide == "Cannot decide (none of the labels)"
    assert words.exclude == "Exclude"


def test_tokens_differ_and_do_not_depend_on_the_order_of_the_items():
    keys = [("train", str(number)) for number in range(20_000)]

    tokens = draw_tokens(0, "rq", keys)

    assert len(set(tokens.values())) == len(keys)
    assert draw_tokens(0, "rq", reversed(keys)) == tokens


def test_tokens_that_meet_are_drawn_again_in_the_same_way_whatever_the_order(monkeypatch):
    monkeypatch.setattr(draws, "TOKEN_DIGITS", 1)
    keys = [("train", str(number)) for number in range(16)]

    tokens = draw_tokens(0, "rq", keys)

    assert len(set(tokens.values())) == 16
    assert draw_tokens(0, "rq", reversed(keys)) == tokens


def test_draws_keep_apart_what_joins_to_the_same_text():
    assert draw(0, "rq", "task", "a", "bc") != draw(0, "rq", "task", "ab", "c")
