"""Pace: medians that bear a lunch break, and days as the wall clock has them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.annotators import compute_pace
from analysis.errors import AnalysisError

rows = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.one_of(st.none(), st.floats(0, 1e6)),
        st.one_of(st.none(), st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-05"))),
    ),
    max_size=30,
)


def to_frame(triples):
    frame = pd.DataFrame(triples, columns=["annotator", "seconds", "labelled_at"], dtype=object)
    return frame.assign(seconds=frame["seconds"].astype("float64"), labelled_at=pd.to_datetime(frame["labelled_at"]))


@settings(max_examples=50, deadline=None)
@given(rows)
def test_pace_equals_going_through_person_by_person(triples):
    pace = compute_pace(to_frame(triples))
    assert pace["annotator"].tolist() == sorted({person for person, _, _ in triples})
    for row in pace.itertuples():
        own = [vote for vote in triples if vote[0] == row.annotator]
        seconds = [vote[1] for vote in own if vote[1] is not None]
        days = [vote[2].date() for vote in own if vote[2] is not None]
        median = float(np.median(seconds)) if seconds else np.nan
        assert (row.votes, row.timed) == (len(own), len(seconds))
        assert row.median_seconds == pytest.approx(median, nan_ok=True)
        assert row.idle == sum(second > 1800 for second in seconds)
        assert row.active_days == len(set(days))
        per_day = len(days) / len(set(days)) if days else np.nan
        assert row.votes_per_active_day == pytest.approx(per_day, nan_ok=True)


def test_a_lunch_break_moves_the_median_little_and_is_counted():
    frame = to_frame([("a", 216.0, None)] * 5 + [("a", 340298.0, None)])
    row = compute_pace(frame).iloc[0]
    assert (row["median_seconds"], row["idle"]) == (216.0, 1)


def test_exactly_thirty_minutes_is_not_idle():
    frame = to_frame([("a", 1800.0, None), ("a", 1800.5, None)])
    assert compute_pace(frame)["idle"].tolist() == [1]
    assert compute_pace(frame, idle_seconds=60)["idle"].tolist() == [2]


def test_a_clock_that_ran_backwards_gives_an_unknown_time():
    row = compute_pace(to_frame([("a", -5.0, None), ("a", float("inf"), None), ("a", 7.0, None)])).iloc[0]
    assert (row["votes"], row["timed"], row["median_seconds"]) == (3, 1, 7.0)


def test_a_day_is_the_day_on_the_wall_of_the_column_s_zone():
    late_and_early = pd.to_datetime(["2024-05-01T23:30:00Z", "2024-05-02T00:30:00Z"])
    frame = pd.DataFrame({"annotator": "a", "seconds": 1.0, "labelled_at": late_and_early})
    assert compute_pace(frame)["active_days"].tolist() == [2]
    there = frame.assign(labelled_at=frame["labelled_at"].dt.tz_convert("America/Los_Angeles"))
    assert compute_pace(there)["active_days"].tolist() == [1]


def test_text_with_mixed_zones_is_read_in_utc():
    frame = pd.DataFrame(
        {
            "annotator": "a",
            "seconds": 1.0,
            "labelled_at": ["2014-07-11 23:46:40+00", "2014-07-11T17:00:00-07:00", None],
        }
    )
    row = compute_pace(frame).iloc[0]
    assert (row["active_days"], row["votes_per_active_day"]) == (2, 1.0)


def test_without_any_time_pace_is_unknown_and_the_votes_are_counted():
    frame = pd.DataFrame({"annotator": ["a", "b"], "seconds": [None, None], "labelled_at": [None, None]})
    pace = compute_pace(frame)
    assert pace["votes"].tolist() == [1, 1]
    assert pace["median_seconds"].isna().all()
    assert pace["votes_per_active_day"].isna().all()
    assert pace["idle"].tolist() == [0, 0]


def test_no_votes_give_no_rows():
    pace = compute_pace(to_frame([]))
    assert pace.empty
    assert list(pace.columns)[:2] == ["annotator", "votes"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seconds": ["soon"]}, "Seconds must be numbers"),
        (
            {"seconds": pd.to_timedelta([1], unit="s")},
            "Seconds must be numbers. Found a column of timedelta64",
        ),
        ({"labelled_at": ["yesterday"]}, "labelled_at must be times or ISO 8601"),
        ({"annotator": [None]}, "Every vote needs its annotator. Found 1 of 1"),
    ],
)
def test_what_cannot_be_read_is_said(change, reason):
    frame = to_frame([("a", 1.0, None)]).assign(**change)
    with pytest.raises(AnalysisError, match=reason):
        compute_pace(frame)


def test_missing_columns_are_named():
    with pytest.raises(AnalysisError, match=r"Missing: seconds, labelled_at\. Found: annotator"):
        compute_pace(pd.DataFrame({"annotator": ["a"]}))


def test_real_times_of_labelling_give_a_median_below_the_mean(shared_data):
    votes = pd.read_csv(shared_data / "relations" / "votes.csv").rename(
        columns={"worker": "annotator", "duration_s": "seconds", "submitted_at": "labelled_at"}
    )
    pace = compute_pace(votes).set_index("annotator")
    expected = votes.groupby("annotator")["seconds"].median()
    pd.testing.assert_series_equal(pace["median_seconds"], expected, check_names=False, check_index_type=False)
    assert pace["votes"].sum() == len(votes)
