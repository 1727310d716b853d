"""The SQL of a slice holds for the rows that a slow readable twin and pandas find."""

import math
from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.core.predicate import ColumnSource, Predicate, Range, Slice, ValueSet, to_sql
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, identifier, join, template

at = datetime.fromisoformat

# One table with all kinds of columns; values meet the compared ones often, and are missing often.
TYPES = {
    "small": ("TINYINT", "number", [-3, 0, 1, 5, 100]),
    "whole": ("BIGINT", "number", [-3, 0, 1, 5, 2**53, 2**53 + 1, 2**62]),
    "huge": ("UBIGINT", "number", [0, 5, 2**53 + 1, 2**63 + 1, 2**64 - 1]),
    "double": ("DOUBLE", "number", [-1e300, -0.5, -0.0, 0.1, 5.0, 2.0**53, 1e300, math.inf, -math.inf]),
    "single": ("FLOAT", "number", [-0.5, 0.25, 5.0, 16777216.0, 2.0**99]),
    "money": ("DECIMAL(9, 2)", "number", [-1, 0, 5, 100]),
    "word": (
        "VARCHAR",
        "text",
        ["", "a", "A", "Éa", "100%", "a_b", "true", "5", "é\u00a0\n\"'", "\U0001f600"],
    ),
    "flag": ("BOOLEAN", "boolean", [True, False]),
    "day": ("DATE", "date", [date(1969, 7, 20), date(2020, 1, 5), date(2020, 1, 6)]),
    "moment": (
        "TIMESTAMP",
        "date",
        [
            at("1969-07-20T20:17"),
            at("2020-01-04T23:59:59.999999"),
            at("2020-01-05"),
            at("2020-01-05T12:30:00.000001"),
            at("2020-01-06"),
        ],
    ),
    "team members": ("VARCHAR[]", "list", [[], ["a"], ["a", "A"], ["b", "100%", "a"], ["5"], [""]]),
}
COLUMNS = {name: ColumnSource(identifier(name, TYPES), kind) for name, (_, kind, _) in TYPES.items()}


@pytest.fixture(scope="module")
def frame():
    """300 rows with a fifth of the values missing."""
    dice = np.random.default_rng(7)
    return pd.DataFrame(
        {
            name: pd.Series(
                [None if dice.random() < 0.2 else pool[dice.integers(len(pool))] for _ in range(100)],
                dtype=object,
            )
            for name, (_, _, pool) in TYPES.items()
        }
    )


@pytest.fixture(scope="module")
def cursor(frame):
    with duckdb.connect() as connection:
        # Far from UTC: whoever compares in the time zone of the session fails.
        connection.execute("SET TimeZone = 'Pacific/Kiritimati'")
        names = join(", ", [identifier(name, TYPES) for name in TYPES])
        columns = join(", ", [Fragment(f'"{name}" {sql_type}') for name, (sql_type, _, _) in TYPES.items()])
        table = template("CREATE TABLE plain (item INTEGER, {columns})", columns=columns)
        connection.execute(table.text)
        places = Fragment(", ".join("?" * len(TYPES)))
        insert = template("INSERT INTO plain (item, {names}) VALUES (?, {places})", names=names, places=places)
        rows = [[item, *row] for item, row in enumerate(frame.itertuples(index=False))]
        connection.executemany(insert.text, rows)
        connection.execute(
            "CREATE TABLE items AS SELECT *, CAST(CAST(moment AS VARCHAR) || '+00' AS TIMESTAMPTZ) AS zoned FROM plain"
        )
        yield connection


def select(cursor, condition):
    """Return the condition's value for each row, NULL as None."""
    query = template("SELECT {condition} FROM items ORDER BY item", condition=condition)
    return [found for (found,) in cursor.execute(query.text, list(query.params)).fetchall()]


def matches(frame, where):
    """The slow readable twin of the SQL: value by value, in plain Python, on a pandas frame."""
    holds = pd.Series(data=True, index=frame.index)
    for each in where.predicates:
        holds &= frame[each.column].map(lambda found, each=each: holds_for(found, each)).astype(bool)
    return holds.tolist()


def holds_for(found, predicate):
    op, value = predicate.op, predicate.value
    missing = found is None or found == []
    if op in ("is missing", "is present"):
        return missing == (op == "is missing")
    if missing:
        return op == "!="
    if isinstance(value, Range):
        return as_moment(value.low) <= as_moment(found) < as_moment(value.high)
    if op in ("=", "!=", "in"):
        values = value.values if isinstance(value, ValueSet) else (value,)  # noqa: PD011 - not pandas
        held = found if isinstance(found, list) else [found]
        return any(is_equal(each, other) for each in held for other in values) == (op != "!=")
    if op == "contains":
        return value.lower() in found.lower()
    return is_ordered(as_moment(found), op, value)


def is_ordered(found, op, value):
    # A date stands for its whole day: "<=" goes up to its last moment, ">" begins after it.
    if op in ("<=", ">") and isinstance(value, date) and not isinstance(value, datetime):
        value += timedelta(days=1)
        op = {"<=": "<", ">": ">="}[op]
    right = as_moment(value)
    return {"<": found < right, "<=": found <= right, ">": found > right, ">=": found >= right}[op]


def is_equal(found, value):
    if isinstance(value, date) and not isinstance(value, datetime):
        return as_moment(found).date() == value
    return as_moment(found) == as_moment(value)


def as_moment(value):
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    return at(value.isoformat()) if is_day else value


def predicates_for(name):
    _, kind, pool = TYPES[name]
    if kind == "number":
        near = [5.5, -0.25, 4, 2**53 - 1, 1e16, 300]
        # Only columns of integers tell such numbers from their neighbours.
        near += [2**53 + 1, 2**63 + 1] if name in ("whole", "huge") else []
        values = st.sampled_from([x for x in pool if math.isfinite(x)] + near)
        ops = ["=", "!=", "<", "<=", ">", ">="]
    elif kind == "text":
        values, ops = st.sampled_from([*pool, "%", "_", "b"]), ["=", "!=", "<", "<=", ">", ">=", "contains"]
    elif kind == "date":
        days = st.dates(date(2020, 1, 4), date(2020, 1, 7)) | st.just(date(1969, 7, 20))
        moments = [*TYPES["moment"][2], at("2020-01-05T12:30"), at("2020-01-05T12:30:00.000002")]
        values, ops = days | st.sampled_from(moments), ["=", "!=", "<", "<=", ">", ">="]
    else:
        values = st.sampled_from(pool if kind == "boolean" else ["a", "A", "b", "100%", "", "zzz"])
        ops = ["=", "!="]
    built = [
        st.builds(Predicate, st.just(name), st.sampled_from(ops), values),
        st.builds(Predicate, st.just(name), st.sampled_from(["is missing", "is present"])),
        st.lists(values, min_size=1, max_size=4).map(lambda drawn: Predicate(name, "in", ValueSet(tuple(drawn)))),
    ]
    if kind in ("number", "date"):
        pairs = st.tuples(values, values).filter(lambda pair: as_moment(pair[0]) < as_moment(pair[1]))
        built.append(pairs.map(lambda pair: Predicate(name, "in", Range(*pair))))
    return st.one_of(built)


SLICES = st.lists(st.sampled_from(sorted(TYPES)).flatmap(predicates_for), max_size=3).map(tuple).map(Slice)


@settings(max_examples=250, deadline=None)
@given(SLICES)
@example(parse_slice('word != "a"'))
@example(parse_slice('word contains ""'))
@example(parse_slice('word contains "A"'))
@example(parse_slice('word contains "É"'))
@example(parse_slice("whole in {-3, 9007199254740992, 1e+16}"))
@example(parse_slice("whole = 9007199254740993 & huge > 9007199254740993"))
def test_slice_and_rest_share_out_all_rows_and_agree_with_the_twin(frame, cursor, where):
    condition = to_sql(where, COLUMNS)
    found = select(cursor, condition)
    rest = select(cursor, template("NOT {condition}", condition=condition))
    assert found == matches(frame, where)
    assert rest == [not each for each in found]


@settings(max_examples=100, deadline=None)
@given(predicates_for("moment"))
def test_times_with_a_zone_are_compared_in_utc_whatever_the_session_says(frame, cursor, predicate):
    zoned = {"moment": ColumnSource(identifier("zoned", ["zoned"]), "date")}
    where = Slice((predicate,))
    assert select(cursor, to_sql(where, zoned)) == matches(frame, where)


def test_a_single_precision_column_is_compared_in_double_precision():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE items AS SELECT 1 AS item, 16777216::FLOAT AS x, 0.1::FLOAT AS tenth")
        single = {name: ColumnSource(identifier(name, ["x", "tenth"]), "number") for name in ("x", "tenth")}
        assert select(connection, to_sql(parse_slice("x = 16777217"), single)) == [False]
        assert select(connection, to_sql(parse_slice("x in {16777216}"), single)) == [True]
        assert select(connection, to_sql(parse_slice("tenth in [0.1, 0.11)"), single)) == [True]
        assert select(connection, to_sql(parse_slice("tenth = 0.1"), single)) == [False]


def test_many_values_and_many_dates_fit_into_one_set(cursor):
    numbers = ValueSet(tuple(range(3000)))
    days = ValueSet(tuple(date(2020, 1, 1) + timedelta(days=n) for n in range(1500)))
    where = Slice((Predicate("small", "in", numbers), Predicate("moment", "in", days)))
    assert any(select(cursor, to_sql(where, COLUMNS)))


def test_all_holds_for_every_row(cursor):
    assert set(select(cursor, to_sql(Slice(), {}))) == {True}


def test_an_infinite_date_counts_as_missing():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE items AS SELECT 1 AS item, CAST('infinity' AS TIMESTAMP) AS seen")
        seen = {"seen": ColumnSource(identifier("seen", ["seen"]), "date")}
        assert select(connection, to_sql(parse_slice("seen is missing"), seen)) == [True]
        assert select(connection, to_sql(parse_slice("seen > 2020-01-01"), seen)) == [False]


@pytest.mark.parametrize("name", ['a"b', "x; DROP TABLE items", "it's", "Größe\n", "?", "{x}", "select"])
def test_names_and_values_never_become_sql(name):
    with duckdb.connect() as connection:
        quoted = identifier(name, [name])
        table = template("CREATE TABLE items AS SELECT 1 AS item, '?' AS {name}", name=quoted)
        connection.execute(table.text)
        where = parse_slice(Slice((Predicate(name, "=", "' OR 1=1 --"),)).to_text())
        assert select(connection, to_sql(where, {name: ColumnSource(quoted, "text")})) == [False]
        assert select(connection, to_sql(parse_slice("all"), {})) == [True]


REAL = [
    (
        'education = "Bachelors" & hours-per-week >= 60',
        lambda census: census["education"].eq("Bachelors") & census["hours-per-week"].ge(60),
    ),
    (
        "age in [30, 40) & capital-gain > 0",
        lambda census: census["age"].between(30, 39) & census["capital-gain"].gt(0),
    ),
    (
        'workclass in {"Private", "State-gov"} & sex != "Male"',
        lambda census: census["workclass"].isin(["Private", "State-gov"]) & census["sex"].ne("Male"),
    ),
    (
        'occupation contains "SALES"',
        lambda census: census["occupation"].str.contains("sales", case=False, regex=False),
    ),
]


@pytest.mark.parametrize(("text", "mask"), REAL, ids=[text for text, _ in REAL])
def test_slices_of_the_census_hold_the_rows_that_pandas_finds(shared_data, text, mask):
    census = pd.read_parquet(shared_data / "adult" / "eval.parquet")
    kinds = {
        name: ColumnSource(identifier(name, census.columns), "text" if census[name].dtype == "str" else "number")
        for name in census.columns
    }
    condition = to_sql(parse_slice(text), kinds)
    query = template("SELECT item_id FROM read_parquet(?) WHERE {condition}", condition=condition)
    with duckdb.connect() as connection:
        path = str(shared_data / "adult" / "eval.parquet")
        found = connection.execute(query.text, [path, *query.params]).fetchall()
    assert sorted(item for (item,) in found) == sorted(census.loc[mask(census), "item_id"])
    assert found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("word = 5", 'word holds text, but is compared with 5. Write it in quotes: "5".'),
        ("word in {true}", "word holds text, but is compared with true"),
        ('whole = "5"', 'whole holds numbers, but is compared with "5". Write a number without quotes'),
        ("whole = 2020-01-05", "whole holds numbers, but is compared with 2020-01-05"),
        ("flag = 1", "flag holds true and false, but is compared with 1. Write true or false"),
        ('flag = "true"', 'flag holds true and false, but is compared with "true"'),
        ("day < 5", "day holds dates, but is compared with 5. Write a date"),
        ('day in {2020-01-05, "x"}', 'day holds dates, but is compared with "x"'),
        ("word in [1, 2)", "word holds text, but is compared with 1"),
        ('whole contains "5"', "whole holds numbers and knows no contains"),
        ('"team members" < "a"', '"team members" holds several texts an item and knows no <'),
        ('"team members" = 5', 'Write it in quotes: "5".'),
        ('flag > "a"', "flag holds true and false and knows no >"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_advice(text, message):
    with pytest.raises(AnalysisError) as caught:
        to_sql(parse_slice(text), COLUMNS)
    assert message in caught.value.message


def test_an_unknown_column_is_refused_with_near_names():
    with pytest.raises(UnknownNameError, match="Did you mean 'whole'"):
        to_sql(parse_slice("whol = 5"), COLUMNS)
    with pytest.raises(UnknownNameError):
        to_sql(parse_slice("Whole = 5"), COLUMNS)
