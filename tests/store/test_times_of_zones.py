"""Times in text: the zone that stands behind one is minded, whatever it is written as; an unknown one is no time."""

from datetime import datetime

import duckdb
import pytest

from analysis.store.loading.values import to_time_sql
from analysis.store.sql import Fragment


def read(text):
    part = to_time_sql(Fragment("cell"), "VARCHAR")
    with duckdb.connect() as connection:
        query = f"SELECT {part.text} FROM (SELECT CAST(? AS VARCHAR) AS cell)"
        return connection.execute(query, [*part.params, text]).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-03-02 10:00:00", 10),
        ("2026-03-02T10:00", 10),
        (" 2026-03-02 10:00:00.000 ", 10),
        ("2026-03-02T10:00:00Z", 10),
        ("2026-03-02T10:00:00+0200", 8),
        ("2026-03-02 10:00 +02:00", 8),
        ("2026-03-02T10:00+02", 8),
        ("2026-03-02 10:00:00 UTC", 10),
        ("2026-03-02 10:00:00 PST", 18),
        ("2026-03-02 10:00:00 PDT", 17),
        ("2026-03-02 10:00 CET", 9),
        ("Mon Mar 02 10:00:00 PST 2026", 18),
    ],
)
def test_a_zone_is_taken_into_account(text, hour):
    assert read(text) == datetime(2026, 3, 2, hour)  # noqa: DTZ001  (kept in UTC without a zone)


@pytest.mark.parametrize(
    "text",
    ["2026-03-02 10:00:00 Europe/Berlin", "2026-03-02 10:00:00 XYZ", "Mon Mar 02 10:00:00 XYZ 2026", "2026-03-02 10:00 PM",
     "2026-13-02", "03/02/2026 10:00", "yesterday", ""],
)  # fmt: skip
def test_a_time_of_an_unknown_zone_and_what_is_no_time_are_missing(text):
    assert read(text) is None


def test_times_that_cannot_be_read_are_counted_and_most_of_a_column_is_refused(desk):
    rows = [f"i{k},ann,a,2026-03-02 10:{k:02}" for k in range(59)]
    head = "item_id,annotator,label,labelled_at"
    few = desk.put("few.csv", "\n".join([head, *rows, "i59,ann,a,yesterday"]))
    most = desk.put("most.csv", "\n".join([head, *(row.replace("2026-03-02", "03/02/2026") for row in rows)]))

    (file,) = desk.load(few, kind="votes").files
    message = desk.refuse(most, kind="votes")

    assert dict(file.casts_failed) == {"labelled_at": 1}
    assert "59 of 59 values of 'labelled_at' are no readable times, such as '03/02/2026 10:00'" in message
