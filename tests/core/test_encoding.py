"""Bins: exact quantiles, cut where the number is short."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from analysis.core.encoding import (
    bins_to_predicates,
    choose_readable_cut,
    encode_sql,
    fit_bins,
    fit_date_bins,
)
from analysis.core.predicate import ColumnSource, Slice, to_sql
from analysis.errors import AnalysisError
from analysis.store.sql import identifier, template

FINITE = st.floats(allow_nan=False, allow_infinity=False)
HISTOGRAMS = st.dictionaries(
    st.integers(-50, 50).map(float) | st.floats(-1e6, 1e6),
    st.integers(1, 30) | st.integers(1, 2000),
    min_size=1,
    max_size=40,
).map(lambda found: (np.array(sorted(found)), np.array([found[key] for key in sorted(found)])))
BINS = st.integers(1, 8)


def masses(values, counts, edges):
    """The rows in each bin."""
    return np.bincount(np.searchsorted(edges, values, side="right"), counts, len(edges) + 1)


def count_digits(number):
    """The significant digits of the shortest text of a double; zero has none."""
    return len(Decimal(repr(number)).normalize().as_tuple().digits) if number else 0


@pytest.fixture(scope="module")
def short_numbers():
    """All numbers of 1, 2, 3 and 4 digits from 1e-7 to 9999e6, ascending: the brute force."""
    return [
        np.sort(
            [
                sign * float(f"{mantissa}e{exponent}")
                for exponent in range(-7, 7)
                for mantissa in range(10 ** (digits - 1), 10**digits)
                for sign in (-1, 1)
            ]
        )
        for digits in (1, 2, 3, 4)
    ]


@settings(max_examples=300, deadline=None)
@given(st.integers(-9999, 9999), st.integers(-9999, 9999), st.integers(-4, 2))
@example(0, 1, -4)
@example(-1, 0, 0)
@example(2, 3, -1)
def test_no_number_in_the_gap_has_fewer_digits_and_none_of_as_few_is_larger(short_numbers, one, other, exponent):
    assume(one != other)
    low, high = (float(f"{end}e{exponent}") for end in sorted((one, other)))
    cut = choose_readable_cut(low, high)
    if low < 0 <= high:
        assert cut == 0
        return
    for numbers in short_numbers:
        inside = numbers[(numbers > low) & (numbers <= high)]
        if len(inside):
            assert cut == inside[-1]
            return
    pytest.fail("the high end itself has at most four digits")


@settings(max_examples=500, deadline=None)
@given(FINITE, FINITE)
@example(0.0, 5e-324)
@example(-5e-324, -0.0)
@example(-1.7976931348623157e308, -1.7976931348623155e308)
@example(0.1, math.nextafter(0.1, 1))
@example(0.3, math.nextafter(0.3, 0))
def test_a_cut_separates_its_neighbours_as_doubles(one, other):
    low, high = sorted((one, other))
    assume(low < high)
    cut = choose_readable_cut(low, high)
    assert low < cut <= high
    assert count_digits(cut) <= count_digits(high)


@given(FINITE)
def test_a_cut_separates_even_adjacent_doubles(low):
    high = math.nextafter(low, math.inf)
    assume(math.isfinite(high))
    assert choose_readable_cut(low, high) == high


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (math.nan, 1), (-math.inf, 1), (1, math.inf)])
def test_a_cut_needs_two_finite_ascending_ends(ends):
    with pytest.raises(ValueError, match="finite low < high"):
        choose_readable_cut(*ends)


@settings(max_examples=300, deadline=None)
@given(HISTOGRAMS, BINS)
def test_there_are_as_many_bins_as_asked_for_or_as_values_and_none_is_empty(histogram, bins):
    values, counts = histogram
    edges = fit_bins(values, counts, bins=bins)
    assert len(edges) + 1 == min(bins, len(values))
    assert list(edges) == sorted(set(edges))
    found = masses(values, counts, edges)
    assert (found > 0).all()
    assert found.sum() == counts.sum()


@settings(max_examples=300, deadline=None)
@given(HISTOGRAMS, st.data())
def test_where_no_value_holds_a_bins_share_each_bin_is_even_to_within_one_value(histogram, data):
    values, counts = histogram
    bins = data.draw(st.integers(1, int(counts.sum() // counts.max())))
    share = counts.sum() / bins
    found = masses(values, counts, fit_bins(values, counts, bins=bins))
    assert np.abs(found - share).max() <= counts.max()


@settings(max_examples=300, deadline=None)
@given(HISTOGRAMS, BINS)
def test_a_value_that_holds_more_than_a_bins_share_is_alone_if_there_are_bins_enough(histogram, bins):
    values, counts = histogram
    heavy = counts * bins > counts.sum()
    between = sum(1 for held, following in pairwise([True, *heavy]) if held and not following)
    assume(heavy.sum() + between <= bins)
    codes = np.searchsorted(fit_bins(values, counts, bins=bins), values, side="right")
    for code in codes[heavy]:
        assert (codes == code).sum() == 1


def fit_slowly(counts, bins):
    """The readable twin for one run of values of which none holds a bin's share: the nearest boundaries."""
    starts = range(1, len(counts))
    targets = [counts.sum() * nth / bins for nth in range(1, bins)]
    return [min(starts, key=lambda k, target=target: (abs(counts[:k].sum() - target), k)) for target in targets]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=6, max_size=60).map(np.array), st.integers(2, 6))
def test_cuts_lie_at_the_boundaries_nearest_to_the_quantiles(counts, bins):
    assume(counts.max() * bins <= counts.sum())
    edges = fit_bins(np.arange(len(counts), dtype=float), counts, bins=bins)
    assert list(edges) == fit_slowly(counts, bins)


@pytest.mark.parametrize("bins", [2, 3, 5, 7, 10])
def test_bins_of_distinct_values_have_the_sizes_of_pandas_qcut(bins):
    values = np.sort(np.random.default_rng(3).lognormal(size=1001))
    ours = masses(values, np.ones(1001, dtype=np.int64), fit_bins(values, np.ones(1001), bins=bins))
    theirs = pd.qcut(values, bins).value_counts().to_numpy()
    assert np.abs(ours - theirs).max() <= 1


def test_the_rest_beside_a_heavy_value_is_not_one_lump():
    values, counts = np.arange(20.0), np.array([910] + [5] * 19)
    assert masses(values, counts, fit_bins(values, counts)).tolist() == [910, 25, 20, 25, 25]
    values, counts = np.arange(-19.0, 1.0), counts[::-1]
    assert masses(values, counts, fit_bins(values, counts)).tolist() == [25, 20, 25, 25, 910]


def test_what_is_heavy_among_the_rest_gets_its_own_bin_too():
    counts = np.array([900, 50, 2, 2, 2, 2])
    assert masses(np.arange(6), counts, fit_bins(np.arange(6), counts)).tolist() == [900, 50, 2, 4, 2]


def test_the_fuller_side_of_a_heavy_value_gets_more_bins():
    counts = np.array([2] * 5 + [100] + [2] * 15)
    assert masses(np.arange(21), counts, fit_bins(np.arange(21), counts)).tolist() == [10, 100, 10, 10, 10]
    assert masses(np.arange(21), counts[::-1], fit_bins(np.arange(21), counts[::-1])).tolist() == [
        10,
        10,
        10,
        100,
        10,
    ]


def test_heavy_values_with_values_between_them_never_make_more_bins_than_asked_for():
    counts = np.array([1, 100, 1, 100, 1, 100, 1])
    assert masses(np.arange(7), counts, fit_bins(np.arange(7), counts, bins=4)).tolist() == [1, 100, 101, 102]


def test_the_census_is_cut_into_readable_bins(shared_data):
    census = pd.read_parquet(shared_data / "adult" / "train.parquet")
    fitted = {}
    for name in ("age", "capital-gain", "hours-per-week"):
        found = census[name].value_counts().sort_index()
        fitted[name] = fit_bins(found.index.to_numpy(), found.to_numpy())
    assert fitted == {
        "age": (26, 34, 41, 50),
        "capital-gain": (100, 3460, 7000, 14000),
        "hours-per-week": (29, 40, 41, 51),
    }
    shares = census["capital-gain"].pipe(np.digitize, fitted["capital-gain"])
    assert (np.bincount(shares) / len(census)).round(3).tolist() == [0.916, 0.021, 0.019, 0.023, 0.021]
    assert [Slice((each,)).to_sentence() for each in bins_to_predicates("age", fitted["age"])[:2]] == [
        "age is below 26",
        "age is from 26 to below 34",
    ]


@pytest.mark.parametrize("values", [[], [5.0]])
def test_fewer_than_two_values_have_no_edges(values):
    assert fit_bins(np.array(values), np.ones(len(values), dtype=np.int64)) == ()
    assert fit_date_bins(np.array(values), np.ones(len(values), dtype=np.int64)) == ()


def test_infinite_values_lie_in_the_outer_bins():
    values = np.array([-math.inf, 1.0, 2.0, math.inf])
    edges = fit_bins(values, np.ones(4, dtype=np.int64), bins=4)
    assert all(map(math.isfinite, edges))
    assert np.searchsorted(edges, values, side="right").tolist() == [0, 1, 2, 3]


def test_integers_that_one_double_stands_for_are_one_value():
    values = np.array([0, 2**53, 2**53 + 1, 2**60], dtype=np.int64).astype(np.float64)
    assert fit_bins(values, np.array([1, 1, 1, 1])) == (9e15, 1e18)


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([2, 1], [1, 1]),
        ([1, math.nan], [1, 1]),
        ([1, 2], [1]),
        ([1, 2], [1, 0]),
        ([[1]], [[1]]),
    ],
)
def test_what_is_no_histogram_is_refused(values, counts):
    with pytest.raises(ValueError, match=r"must be|of one length"):
        fit_bins(np.array(values), np.array(counts))


def test_there_must_be_a_bin():
    with pytest.raises(AnalysisError, match="at least one bin"):
        fit_bins(np.array([1.0, 2.0]), np.array([1, 1]), bins=0)


MOMENTS = st.lists(
    st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01")),
    min_size=2,
    max_size=30,
    unique=True,
).map(sorted)


def to_seconds(moment):
    return moment.replace(tzinfo=UTC).timestamp()


@settings(max_examples=200, deadline=None)
@given(MOMENTS, BINS)
def test_bins_of_times_are_those_of_their_seconds_cut_at_the_coarsest_beginning(moments, bins):
    seconds = np.array(list(map(to_seconds, moments)))
    counts = np.ones(len(seconds), dtype=np.int64)
    edges = fit_date_bins(seconds, counts, bins=bins)
    codes = [sum(edge <= moment for edge in edges) for moment in moments]
    assert codes == np.searchsorted(fit_bins(seconds, counts, bins=bins), seconds, side="right").tolist()
    for edge in edges:
        low = max(moment for moment in moments if moment < edge)
        high = min(moment for moment in moments if moment >= edge)
        units = ("Y", "M", "D", "h", "m", "s", "us")
        begins = [np.datetime64(high, unit).astype("M8[us]").item() for unit in units]
        assert edge == next(begin for begin in begins if begin > low)


@pytest.mark.parametrize(
    ("low", "high", "edge"),
    [
        ("2019-05-03T10:00", "2021-02-01T00:00", "2021-01-01T00:00"),
        ("2021-02-03T10:00", "2021-05-20T00:00", "2021-05-01T00:00"),
        ("2021-05-03T10:00", "2021-05-20T08:00", "2021-05-20T00:00"),
        ("2021-05-20T08:10", "2021-05-20T19:10", "2021-05-20T19:00"),
        ("2021-05-20T08:10:10", "2021-05-20T08:12:10", "2021-05-20T08:12"),
        ("2021-05-20T08:10:10.1", "2021-05-20T08:10:10.3", "2021-05-20T08:10:10.3"),
        ("2020-12-31T23:59:59.999999", "2021-01-01T00:00", "2021-01-01T00:00"),
    ],
)
def test_times_are_cut_where_a_unit_begins(low, high, edge):
    seconds = np.array([to_seconds(datetime.fromisoformat(end)) for end in (low, high)])
    assert fit_date_bins(seconds, np.array([1, 1])) == (datetime.fromisoformat(edge),)


def test_times_that_no_calendar_holds_are_refused():
    with pytest.raises(AnalysisError, match="years 1 to 9999"):
        fit_date_bins(np.array([0.0, 1e12]), np.array([1, 1]))


def codes_and_bins(connection, source, edges):
    """The code of each row, and for each row the list of the predicates that hold."""
    code = encode_sql(source, edges)
    query = template("SELECT {code} FROM items ORDER BY item", code=code)
    codes = [found for (found,) in connection.execute(query.text, list(query.params)).fetchall()]
    holds = []
    for predicate in bins_to_predicates("x", edges):
        query = template(
            "SELECT {condition} FROM items ORDER BY item",
            condition=to_sql(Slice((predicate,)), {"x": source}),
        )
        holds.append([found for (found,) in connection.execute(query.text, list(query.params)).fetchall()])
    return codes, [[k for k, held in enumerate(row) if held] for row in zip(*holds, strict=True)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | st.integers(-5, 5) | st.floats(-1e3, 1e3).filter(lambda x: x != 0), min_size=1),
    st.integers(1, 6),
)
def test_codes_in_sql_are_those_of_numpy_and_of_the_predicates(rows, bins):
    values, counts = np.unique(np.array([row for row in rows if row is not None], float), return_counts=True)
    edges = fit_bins(values, counts, bins=bins)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE items AS SELECT unnest(?::DOUBLE[]) AS x, unnest(range(?)) AS item",
            [rows, len(rows)],
        )
        source = ColumnSource(identifier("x", ["x"]), "number")
        codes, holds = codes_and_bins(connection, source, edges)
    expected = [None if row is None else int(np.searchsorted(edges, row, side="right")) for row in rows]
    assert codes == expected
    assert holds == [[] if code is None else [code] for code in expected]


@pytest.mark.parametrize(
    ("table", "step"),
    [
        ("CREATE TABLE items AS SELECT item, x::DATE AS x FROM raw", timedelta(days=1)),
        ("CREATE TABLE items AS SELECT item, x FROM raw", timedelta(hours=7, microseconds=3)),
        (
            "CREATE TABLE items AS SELECT item, (x::VARCHAR || '+00')::TIMESTAMPTZ AS x FROM raw",
            timedelta(minutes=7, microseconds=3),
        ),
    ],
    ids=["date", "timestamp", "timestamp with time zone"],
)
def test_codes_of_times_in_sql_are_those_of_their_bins(table, step):
    moments = [datetime.fromisoformat("2019-11-05T00:00") + step * n for n in range(200)]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Pacific/Kiritimati'")
        connection.execute(
            "CREATE TABLE raw AS SELECT unnest(?::TIMESTAMP[]) AS x, unnest(range(201)) AS item",
            [[*moments, None]],
        )
        connection.execute(table)
        counted = connection.execute(
            "SELECT epoch(x) AS s, count(*) AS n FROM items WHERE x IS NOT NULL GROUP BY s ORDER BY s"
        ).fetchnumpy()
        edges = fit_date_bins(counted["s"], counted["n"], bins=5)
        codes, holds = codes_and_bins(connection, ColumnSource(identifier("x", ["x"]), "date"), edges)
    assert codes == [sum(edge <= moment for edge in edges) for moment in moments] + [None]
    assert holds == [[] if code is None else [code] for code in codes]
    assert len(edges) == 4


def test_without_edges_every_value_has_code_zero():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE items AS SELECT unnest([5, NULL]) AS x, unnest([0, 1]) AS item")
        codes, holds = codes_and_bins(connection, ColumnSource(identifier("x", ["x"]), "number"), ())
    assert codes == [0, None]
    assert holds == [[0], []]


def test_only_numbers_and_dates_have_bins():
    word = ColumnSource(identifier("x", ["x"]), "text")
    with pytest.raises(AnalysisError, match="kind text"):
        encode_sql(word, (1.0,))
    with pytest.raises(AnalysisError, match="holds dates"):
        encode_sql(ColumnSource(identifier("x", ["x"]), "date"), (1.0,))
