"""What columns hold: counted in one pass over batches, held to a slow twin that asks the database value by value."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.store.loading.facts import count_columns
from analysis.store.loading.source import open_sources
from analysis.store.loading.values import MISSING_MARKS
from analysis.store.readers.scratch import Scratch, SourceTable
from analysis.store.sql import Fragment

SLOW = r"""
WITH v AS (SELECT trim(c0) AS v, c0 IS NULL OR c0 = '' AS gone FROM raw),
n AS (SELECT *, gone OR lower(v) = ANY(?) AS absent, CASE WHEN isfinite(d) THEN d END AS number FROM
    (SELECT *, CASE WHEN regexp_full_match(v, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') THEN TRY_CAST(v AS DOUBLE) END AS d FROM v))
SELECT count(*), count(*) FILTER (gone), count(*) FILTER (NOT absent), count(number),
    count(*) FILTER (number IS NOT NULL AND regexp_full_match(v, '[+-]?\d{1,18}')),
    count(*) FILTER (number != trunc(number)), count(*) FILTER (NOT absent AND regexp_matches(v, '^[+-]?(0\d|\d{19,}$)')),
    count(*) FILTER (NOT absent AND lower(v) IN ('true', 'false')),
    count(*) FILTER (NOT absent AND regexp_matches(v, '^\d{4}-\d{2}-\d{2}') AND TRY_CAST(v AS TIMESTAMP) IS NOT NULL),
    min(number), max(number) FROM n
"""

ODD = [
    "", " ", "0", "-0", "+0", "00", "007", "-007", "+5", " 5", "5 ", "\t5", "5.", ".5", "-.5", "1e5", "1E+5", "1e", "1e400",
    "0x10", "0b1", "1_000", "inf", "-Infinity", "NaN", "nan(a)", "NA", "n/a", "none", "-", "?", "true", "False", "yes",
    "1234567890123456789", "123456789012345678", "0.1234567890123456789", "9" * 30, "0" * 20, "2026-01-31", "2026-01-31 10:00",
    "2026-13-01", " 2026-01-31", "1,5", "٣", "é", "0e3", "1-2", "-", "--1", "+", "1.0", "-3.50", "12-3-4-5-6", "NULL",
]  # fmt: skip
CELLS = st.none() | st.sampled_from(ODD) | st.integers(-(10**19), 10**19).map(str) | st.floats(width=32).map(repr)


def count(values, *, batch_rows=2048):
    with Scratch(Path(__file__)) as scratch:
        table = pa.table({"row": range(1, len(values) + 1), "c0": pa.array(values, pa.string())})
        scratch.connection.register("arriving", table)
        scratch.execute(Fragment("CREATE TABLE raw AS SELECT * FROM arriving"))
        (found,) = count_columns(scratch, SourceTable(("x",), ("VARCHAR",)), len(values), batch_rows)
        (slow,) = scratch.fetch_all(Fragment(SLOW, (list(MISSING_MARKS),)))
    return found, slow


def choose(slow):
    """Choose the type from the slow twin's counts, and return it with the missing, lost, low and high."""
    rows, gone, present, numbers, integers, fractions, codes, truths, times, low, high = slow
    if present and not codes and numbers >= max(1, 0.99 * present):
        kind = "integer" if integers == numbers else "number"
        return kind, rows - numbers, present - numbers, low, high, not fractions
    if present and truths == present:
        return "boolean", rows - truths, 0, None, None, False
    if present and times >= max(1, 0.99 * present):
        return "date", rows - times, present - times, None, None, False
    return "text", gone, 0, None, None, False


def described(found):
    facts = found.facts
    low, high = (None if bound is None else float(bound) for bound in (facts.low, facts.high))
    return facts.type, facts.missing, found.failed, low, high, facts.whole


@given(st.lists(CELLS, min_size=1, max_size=12), st.sampled_from([1, 300]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_spelling_counts_as_the_slow_twin_counts_it(cells, copies):
    found, slow = count(cells * copies)

    assert described(found) == choose(slow)


@pytest.mark.parametrize("cell", ODD)
def test_one_odd_cell_among_numbers_is_counted_as_the_slow_twin_counts_it(cell):
    found, slow = count([str(k % 97) for k in range(500)] + [cell] + ["3"] * 20)

    assert described(found) == choose(slow)


def test_a_column_that_shows_only_late_what_it_is_is_counted_to_its_end():
    found, _slow = count(["x"] * 100 + [str(k) for k in range(20_000)])
    assert (found.facts.type, found.failed, found.facts.high) == ("integer", 100, 19_999)

    found, _slow = count([str(k) for k in range(20_000)] + ["x"] * 300)
    assert found.facts.type == "text"

    found, _slow = count([str(k) for k in range(1, 20_000)] + ["007"])
    assert found.facts.type == "text"


def test_whole_numbers_with_gaps_in_parquet_have_exact_bounds(tmp_path):
    path = tmp_path / "x.parquet"
    frame = pd.DataFrame(
        {"whole": [1.0, None, 3.0], "fraction": [0.5, float("inf"), None], "big": [2**62, -1, 0], "empty": [None] * 3}
    )
    frame.to_parquet(path)

    (source,) = open_sources(path, None)
    with source.scratch:
        found = {facts.name: facts for facts in source.facts}

    assert (found["whole"].low, found["whole"].high, found["whole"].whole, found["whole"].missing) == (1, 3, True, 1)
    assert (found["fraction"].missing, found["fraction"].high, found["fraction"].whole) == (2, 0.5, False)
    assert (found["big"].low, found["big"].high, found["big"].type) == (-1, 2**62, "integer")
    assert (found["empty"].type, found["empty"].missing) == ("text", 3)
    assert "fraction" not in source.clean


def test_the_first_rows_are_shown_as_text(desk, make_items):
    report = desk.load(desk.put("train.csv", make_items()))

    head = report.files[0].head
    assert list(head) == ["item_id", "label", "age", "city"]
    assert head["item_id"] == tuple(f"i{k}" for k in range(20))
    assert head["city"][:3] == ("Ulm", "Köln", None)
    assert "head" not in report.files[0].to_dict()
