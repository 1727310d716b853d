"""Pace: how long a vote takes a person, and how many they give on a day they work.

Times of labelling tools run on while a person is at lunch: among real ones a lead time of 340,298 s stands
beside a median of 216 s. So the middle is a median, never a mean, and votes that took longer than half an
hour are counted as idle beside it. Nothing is cut off.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.core.votes import to_text, to_text_codes
from analysis.errors import AnalysisError

__all__ = ["IDLE_SECONDS", "PACE_COLUMNS", "compute_pace"]

PACE_COLUMNS = ("annotator", "seconds", "labelled_at")
"""The columns that pace needs; it may have more."""

IDLE_SECONDS = 1800.0
"""A vote that took longer (30 minutes) was probably not worked on all the time."""


def compute_pace(votes: pd.DataFrame, *, idle_seconds: float = IDLE_SECONDS) -> pd.DataFrame:
    """Compute one row a person: median seconds, idle votes, votes an active day.

    Every row is work and counts, also "cannot tell" and a second vote on the same item.

    Parameters
    ----------
    votes
        One row a vote: ``annotator``; ``seconds`` it took (NA if unknown; a negative or infinite time is a
        clock's fault and unknown too); ``labelled_at``, a time or ISO 8601 text, NA if unknown. Times with a
        zone are read in the zone of the column (text: in UTC), times without one as they are.
    idle_seconds
        A vote that took longer is idle.

    Returns
    -------
    DataFrame
        Sorted by annotator as text: ``annotator``, ``votes``, ``timed`` (votes whose seconds are known),
        ``median_seconds`` (over the timed ones, idle ones among them, which a median bears; NaN if none),
        ``idle`` (how many of the timed ones took longer than `idle_seconds`), ``active_days`` (calendar days
        with at least one vote), ``votes_per_active_day`` (votes with a known time over active days; NaN if
        none). Higher is neither better nor worse.

    Raises
    ------
    AnalysisError
        A needed column is missing, a vote has no person, or seconds or times cannot be read.

    Examples
    --------
    >>> votes = pd.DataFrame(
    ...     {
    ...         "annotator": ["ann", "ann", "ann", "bob"],
    ...         "seconds": [12.0, 16.0, 340298.0, None],
    ...         "labelled_at": ["2024-05-01T09:00:00Z", "2024-05-01T09:01:00Z", "2024-05-02T09:00:00Z", None],
    ...     }
    ... )
    >>> compute_pace(votes)[["annotator", "median_seconds", "idle", "votes_per_active_day"]]
      annotator  median_seconds  idle  votes_per_active_day
    0       ann            16.0     1                   1.5
    1       bob             NaN     0                   NaN
    """
    _check_columns(votes)
    person, names = to_text_codes(votes["annotator"])
    people = len(names)
    seconds = _to_seconds(votes["seconds"])
    day = _to_days(votes["labelled_at"])
    timed = ~np.isnan(seconds)
    median = pd.Series(seconds[timed]).groupby(person[timed]).median().reindex(range(people))
    dated = day >= 0
    days = int(day.max()) + 1 if dated.any() else 1
    active = np.bincount(np.unique(person[dated] * days + day[dated]) // days, minlength=people)
    dated_votes = np.bincount(person[dated], minlength=people)
    return pd.DataFrame(
        {
            "annotator": to_text(np.arange(people), names),
            "votes": np.bincount(person, minlength=people),
            "timed": np.bincount(person[timed], minlength=people),
            "median_seconds": median.to_numpy(dtype=np.float64),
            "idle": np.bincount(person[timed & (seconds > idle_seconds)], minlength=people),
            "active_days": active,
            "votes_per_active_day": dated_votes / np.where(active > 0, active, np.nan),
        }
    )


def _check_columns(votes: pd.DataFrame) -> None:
    """Refuse a frame without the columns of pace or with votes of nobody."""
    missing = [name for name in PACE_COLUMNS if name not in votes.columns]
    if missing:
        found = ", ".join(map(str, votes.columns)) or "no column"
        raise AnalysisError(
            f"Pace needs the columns {', '.join(PACE_COLUMNS)}. Missing: {', '.join(missing)}. Found: {found}."
        )
    unknown = int(votes["annotator"].isna().sum())
    if unknown:
        raise AnalysisError(
            f"Every vote needs its annotator. Found {unknown:,} of {len(votes):,} votes without one. "
            "Fill them in or leave these votes out."
        )


def _to_seconds(values: pd.Series) -> NDArray[np.float64]:
    """Read durations; NaN where unknown or impossible."""
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise AnalysisError(f"Seconds must be numbers. Found a column of {values.dtype}. Convert it to seconds first.")
    try:
        seconds = pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise AnalysisError(f"Seconds must be numbers. Found text: {error}.") from error
    return np.where(np.isfinite(seconds) & (seconds >= 0), seconds, np.nan)


def _to_days(values: pd.Series) -> NDArray[np.int64]:
    """Turn times into calendar days, numbered from 0; -1 where the time is unknown."""
    times = values
    if not pd.api.types.is_datetime64_any_dtype(values):
        try:
            times = pd.to_datetime(values, utc=True, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise AnalysisError(
                f"labelled_at must be times or ISO 8601 text such as 2024-05-01T09:00:00Z. {error}"
            ) from error
    # Without its zone a time is the clock on the wall, and the wall's date is the working day.
    wall = times.dt.tz_localize(None) if times.dt.tz is not None else times
    codes: NDArray[np.int64] = pd.factorize(wall.dt.normalize())[0].astype(np.int64)
    return codes
