"""Nobody twice, nobody again, everybody alike."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.relabel import assign_items

PEOPLE = ("ann", "bob", "cid", "dot", "eve")


@st.composite
def problems(draw, max_people=5, max_items=30):
    """Items with the people who must not get them, so that k are always left."""
    people = PEOPLE[: draw(st.integers(1, max_people))]
    votes = draw(st.integers(1, len(people)))
    seen = st.sets(st.sampled_from((*people, "somebody else")), max_size=len(people) - votes)
    return draw(st.lists(seen, max_size=max_items)), people, votes


def loads_of(assignment, people):
    loads = Counter(itertools.chain.from_iterable(assignment))
    return [loads[person] for person in people]


def smallest_sum_of_squares(seen_by, people, votes):
    """Slow and readable: try every assignment."""
    choices = [itertools.combinations([p for p in people if p not in seen], votes) for seen in seen_by]
    return min(sum(load**2 for load in loads_of(way, people)) for way in itertools.product(*map(list, choices)))


@settings(max_examples=150)
@given(problems())
def test_every_item_goes_to_k_different_people_who_have_not_seen_it(problem):
    seen_by, people, votes = problem

    assignment = assign_items(seen_by, people, votes)

    assert len(assignment) == len(seen_by)
    for persons, seen in zip(assignment, seen_by, strict=True):
        assert len(set(persons)) == len(persons) == votes
        assert not set(persons) & set(seen)
        assert set(persons) <= set(people)


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(1, 5), st.data())
def test_loads_differ_by_at_most_one_where_nobody_is_excluded(items, count, data):
    people = PEOPLE[:count]
    votes = data.draw(st.integers(1, count))

    loads = loads_of(assign_items([set()] * items, people, votes), people)

    assert max(loads) - min(loads) <= 1


@settings(max_examples=100, deadline=None)
@given(problems(max_people=4, max_items=6))
def test_no_assignment_is_more_even(problem):
    seen_by, people, votes = problem

    loads = loads_of(assign_items(seen_by, people, votes), people)

    assert sum(load**2 for load in loads) == smallest_sum_of_squares(seen_by, people, votes)


def test_items_are_passed_on_through_others_when_nobody_can_hand_one_over_directly():
    # Least choice first, ann gets 1 and 3, bob 2, cid 4, dot nothing. Only cid can give to dot, only bob to cid,
    # only ann to bob: three items have to move for one person to have one fewer.
    may = [{"ann"}, {"bob", "cid"}, {"ann", "bob"}, {"bob", "cid", "dot"}]
    people = ("ann", "bob", "cid", "dot")

    assert loads_of(assign_items([set(people) - may_get for may_get in may], people, 1), people) == [1, 1, 1, 1]


def test_the_same_input_gives_the_same_assignment():
    seen_by = [{PEOPLE[row % 4]} for row in range(50)]

    assert assign_items(seen_by, PEOPLE, 2) == assign_items(seen_by, PEOPLE, 2)


def test_an_item_that_too_few_people_may_get_is_refused():
    with pytest.raises(AnalysisError, match="Item 2 needs 2 people who have not labelled it yet, but only 1 of 2"):
        assign_items([set(), {"ann"}], ("ann", "bob"), 2)
