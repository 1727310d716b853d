"""Predicates and slices as values, in words and in JSON."""

import json
import math
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from analysis.core.predicate import Predicate, Range, Slice, ValueSet
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError

at = datetime.fromisoformat


def test_true_and_one_are_different_values():
    assert Predicate("x", "=", value=True) != Predicate("x", "=", 1)
    assert Predicate("x", "=", 1) == Predicate("x", "=", 1.0)
    assert ValueSet((True,)) != ValueSet((1,))
    assert len(Slice((Predicate("x", "=", value=True), Predicate("x", "=", 1))).predicates) == 2


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003
        (np.str_("a"), "a"),
        (5.0, 5),
        (2.0**53, 2**53),
        (1e16, 1e16),
        (10**30, 1e30),
        (pd.Timestamp("2026-01-31 09:30"), at("2026-01-31T09:30")),
        (pd.Timestamp("2026-01-31 09:30", tz="Asia/Tokyo"), at("2026-01-31T00:30")),
        (date(2026, 1, 31), date(2026, 1, 31)),
    ],
)
def test_values_of_numpy_and_pandas_become_plain_ones(given_value, kept):
    found = Predicate("x", "=", given_value).value
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, pd.NaT, None, b"x", 1j, [1], np.timedelta64(5, "s"), np.datetime64("2020"), 10**400],
)
def test_what_no_column_holds_is_refused(value):
    with pytest.raises(AnalysisError):
        Predicate("x", "=", value)


@pytest.mark.parametrize(
    ("column", "op", "value"),
    [
        ("", "=", 5),
        (7, "=", 5),
        ("x", "==", 5),
        ("x", "in", 5),
        ("x", "=", Range(1, 2)),
        ("x", "<", ValueSet((1,))),
        ("x", "is missing", 5),
        ("x", "contains", 5),
        ("x", ">=", False),
    ],
)
def test_an_operator_and_its_value_must_go_together(column, op, value):
    with pytest.raises(AnalysisError):
        Predicate(column, op, value)


def test_an_empty_set_is_refused():
    with pytest.raises(AnalysisError, match="at least one value"):
        ValueSet(())


def test_midnight_is_its_date_only_where_both_mean_the_same():
    midnight = at("2020-01-05")
    assert Predicate("x", "<", midnight).to_text() == "x < 2020-01-05"
    assert Predicate("x", ">=", midnight).to_text() == "x >= 2020-01-05"
    assert Range(midnight, at("2020-01-06T12:00")).to_text() == "[2020-01-05, 2020-01-06T12:00:00)"
    assert Predicate("x", "<=", midnight).to_text() == "x <= 2020-01-05T00:00:00"
    assert Predicate("x", "=", midnight).to_text() == "x = 2020-01-05T00:00:00"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'hours-per-week >= 60 & education = "Bachelors"',
            "education is Bachelors and hours-per-week is 60 or more",
        ),
        ("all", "all items"),
        ("age in [20, 30)", "age is from 20 to below 30"),
        ("age < 30 & age > 20.5", "age is below 30 and age is above 20.5"),
        ("age <= 30 & age != 7", "age is not 7 and age is 30 or less"),
        ('@given_label = "cat" & @predicted != "dog"', "given label is cat and predicted label is not dog"),
        ('@annotator in {"a07", "a08", "a09"}', "annotator is a07, a08 or a09"),
        ('@team in {"x"}', "team is x"),
        ("workclass is missing & age is present", "age is present and workclass is missing"),
        ('title contains "rock and roll"', 'title contains "rock and roll"'),
        ('title = ""', 'title is ""'),
        ('title = "United States"', "title is United States"),
        ('"a, b" = "x & y"', '"a, b" is "x & y"'),
        ("on < 2026-01-31", "on is before 2026-01-31"),
        ("on >= 2026-01-31T09:30:00", "on is 2026-01-31 09:30:00 or later"),
        ("on in [2026-01-01, 2026-02-01)", "on is from 2026-01-01 to below 2026-02-01"),
        ("flag = true", "flag is true"),
    ],
)
def test_a_slice_reads_as_a_sentence(text, sentence):
    assert parse_slice(text).to_sentence() == sentence


def test_json_shows_column_op_and_value():
    where = parse_slice('a in [1, 2.5) & b in {"x", 3} & c is missing & d < 2026-01-31T09:30:00 & e = true')
    assert json.loads(json.dumps(where.to_json())) == [
        {"column": "a", "op": "in", "value": {"low": 1, "high": 2.5}},
        {"column": "b", "op": "in", "value": [3, "x"]},
        {"column": "c", "op": "is missing", "value": None},
        {"column": "d", "op": "<", "value": "2026-01-31T09:30:00"},
        {"column": "e", "op": "=", "value": True},
    ]


def test_level_and_columns_of_a_slice():
    where = parse_slice("b < 5 & a > 1 & b > 2")
    assert (where.level, where.columns) == (3, ("a", "b"))
    assert (Slice().level, Slice().columns) == (0, ())
