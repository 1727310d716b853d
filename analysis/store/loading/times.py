"""When and how long people worked: what the times of a file say, and what they cannot say."""

from analysis.roles import Roles
from analysis.store.loading.report import Tally
from analysis.store.sql import Fragment, identifier, template, value
from analysis.store.workspace import Writer, utc_now

__all__ = ["settle_times"]

_COUNTS = Fragment(
    "SELECT count(*) FILTER (seconds < 0), count(*) FILTER (seconds IS NULL AND labelled_at >= started_at), "
    "count(*) FILTER (labelled_at < started_at) FROM staged"
)


def settle_times(writer: Writer, roles: Roles, tally: Tally) -> None:
    """Work out missing durations in ``staged``, drop impossible ones, and note times that cannot be right.

    Seconds that are missing are the time from start to end, both known; negative ones become missing. A time in the
    future or before the year 2000 is kept as it is: only its owner knows what it should be.
    """
    timed = [role for role in ("started_at", "labelled_at") if roles.column(role)]
    if not timed and not roles.column("seconds"):
        return
    negative, open_, backwards = writer.fetch_one(_COUNTS)
    if open_:
        # Before negative ones are dropped: what was said of those was wrong, not missing.
        writer.execute(
            Fragment(
                "UPDATE staged SET seconds = epoch_us(labelled_at - started_at) / 1e6 "
                "WHERE seconds IS NULL AND labelled_at >= started_at"
            )
        )
        tally.notes.append(f"Seconds worked out from start and end: {open_:,}.")
    if negative:
        writer.execute(Fragment("UPDATE staged SET seconds = NULL WHERE seconds < 0"))
        tally.notes.append(f"Votes that took less than no time: {negative:,}. Their seconds are missing now.")
    if backwards:
        tally.notes.append(f"Votes that end before they start: {backwards:,}. Their times are kept as they are.")
    _note_strange(writer, timed, tally)


def _note_strange(writer: Writer, timed: list[str], tally: Tally) -> None:
    now = value(utc_now().replace(tzinfo=None))
    for name in timed:
        early, late = writer.fetch_one(
            template(
                "SELECT count(*) FILTER ({name} < TIMESTAMP '2000-01-01'), count(*) FILTER ({name} > {now}) "
                "FROM staged",
                name=identifier(name, timed),
                now=now,
            )
        )
        what = "started" if name == "started_at" else "given"
        if early:
            tally.notes.append(f"Votes {what} before the year 2000: {early:,}. Their times are kept as they are.")
        if late:
            tally.notes.append(f"Votes {what} in the future: {late:,}. Their times are kept as they are.")
