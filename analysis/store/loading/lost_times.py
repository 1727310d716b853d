"""Times that cannot be read: counted, so that none is lost without a word."""

from typing import Final

from analysis.errors import FileFaultError
from analysis.store.loading.staging import Plan
from analysis.store.sql import template, value

__all__ = ["count_lost_times"]

_ROLES: Final = ("started_at", "labelled_at")
_SHOWN: Final = 2


def count_lost_times(plan: Plan) -> dict[str, int]:
    """Count the values of the columns of times that are no time and become missing.

    Returns
    -------
    dict of str to int
        By column, only those that lose any.

    Raises
    ------
    FileFaultError
        If more than half of a column cannot be read: it is written in a way that only its writer knows, such as
        03/02/2026, which is a day in February or in March.
    """
    lost: dict[str, int] = {}
    for role in _ROLES if plan.kind != "predictions" else ():
        column = plan.roles.column(role)
        # A column of which nearly all are times was counted with the other columns, and its losses with them.
        if column is None:
            continue
        _place, stored, facts = plan.source.find(column)
        if stored != "VARCHAR" or facts.type != "text":
            continue
        empty, said = plan.source.is_empty(column), plan.source.to_text(column)
        unread = template("NOT ({empty}) AND {time} IS NULL", empty=empty, time=plan.source.to_time(column))
        counts = template(
            "SELECT count(*) FILTER (NOT ({empty})), count(*) FILTER ({unread}) FROM raw", empty=empty, unread=unread
        )
        filled, unreadable = plan.source.scratch.fetch_all(counts)[0]
        if 2 * unreadable > filled:
            examples = template("SELECT DISTINCT {said} FROM raw WHERE {unread} ORDER BY 1", said=said, unread=unread)
            first = plan.source.scratch.fetch_all(template("{rows} LIMIT {n}", rows=examples, n=value(_SHOWN)))
            shown = " and ".join(repr(example) for (example,) in first)
            raise FileFaultError(
                f"{plan.name}: {unreadable:,} of {filled:,} values of {column!r} are no readable times, such as "
                f"{shown}. Write them as 2026-03-02 10:00 (with an offset such as +01:00 where it is not UTC), or keep "
                f"them as they are with --role feature={column}."
            )
        if unreadable:
            lost[column] = unreadable
    return lost
