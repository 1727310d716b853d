"""What is written is read back, and what cannot be read is explained."""

from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.core.predicate import OUR_COLUMNS, Predicate, Range, Slice, ValueSet
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError

COLUMNS = st.text(min_size=1) | st.sampled_from([*OUR_COLUMNS, "all", "in", "is", "age", "a.b-c_d", 'say "x"'])
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
DATES = (
    st.dates()
    | st.datetimes()
    | st.datetimes(
        min_value=datetime.fromisoformat("0002-01-01"),
        max_value=datetime.fromisoformat("9998-01-01"),
        timezones=st.just(timezone(timedelta(hours=9))),
    )
)
SCALARS = st.booleans() | NUMBERS | DATES | st.text()


def ranges(ends):
    def build(pair):
        try:
            return Range(*pair)
        except AnalysisError:  # the pair was not ascending
            return None

    return st.tuples(ends, ends).map(build).filter(lambda built: built is not None)


PREDICATES = st.one_of(
    st.builds(Predicate, COLUMNS, st.sampled_from(["=", "!="]), SCALARS),
    st.builds(Predicate, COLUMNS, st.sampled_from(["<", "<=", ">", ">="]), NUMBERS | DATES | st.text()),
    st.builds(Predicate, COLUMNS, st.just("contains"), st.text()),
    st.builds(Predicate, COLUMNS, st.sampled_from(["is missing", "is present"])),
    st.builds(Predicate, COLUMNS, st.just("in"), ranges(NUMBERS) | ranges(DATES)),
    st.builds(Predicate, COLUMNS, st.just("in"), st.lists(SCALARS, min_size=1, max_size=4).map(tuple).map(ValueSet)),
)
SLICES = st.lists(PREDICATES, max_size=4).map(tuple).map(Slice)


@settings(max_examples=400, deadline=None)
@given(SLICES)
@example(Slice((Predicate("x", "=", 1e16), Predicate("x", "=", 10**16))))
@example(Slice((Predicate("x", "=", value=True), Predicate("x", "=", 1), Predicate("x", "=", "true"))))
@example(Slice((Predicate("x", "=", -0.0), Predicate("x", "<", 5e-324), Predicate("x", ">", -1.5e300))))
def test_every_slice_is_read_back_from_its_text(where):
    again = parse_slice(where.to_text())
    assert again == where
    assert hash(again) == hash(where)
    assert again.to_json() == where.to_json()
    assert again.to_text() == where.to_text()


@settings(max_examples=100, deadline=None)
@given(SLICES)
def test_every_slice_is_read_back_from_its_url(where):
    url = where.to_url()
    assert not set(url) & set("&#?=+/ \"'<>")
    assert parse_slice(unquote(url)) == where


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([*'ab"@&=!<>[](){},.- 05', "in ", "is ", "missing", "contains ", "2026-01-05"])))
def test_any_text_is_a_slice_or_an_explained_error(pieces):
    text = "".join(pieces)
    try:
        where = parse_slice(text)
    except AnalysisError:
        return
    assert parse_slice(where.to_text()) == where


SPACED = [
    ["age", ">=", "60", "&", "sex", "!=", '"Male"'],
    ["age", "in", "[", "20", ",", "30.5", ")"],
    ["@annotator", "in", "{", '"a07"', ",", '"a 8"', "}", "&", '"work class"', "contains", '"gov"'],
    ["x", "is", "missing", "&", "y", "is", "present"],
    ["on", "<", "2026-01-31T09:30:00", "&", "flag", "=", "true"],
]


@pytest.mark.parametrize("parts", SPACED)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_white_space_between_the_parts_does_not_matter(parts, data):
    gaps = st.text(" \t\n\u2003", min_size=1, max_size=3)
    spaced = "".join(data.draw(gaps) + part for part in parts) + data.draw(gaps)
    assert parse_slice(spaced) == parse_slice(" ".join(parts))


def test_white_space_may_be_absent_where_no_word_would_run_into_another():
    assert parse_slice('age>=60&sex="Male"&n in[1,2)&w in{"a","b"}').to_text() == (
        'age >= 60 & n in [1, 2) & sex = "Male" & w in {"a", "b"}'
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("5.0", 5),
        ("-5.50", -5.5),
        (".5", 0.5),
        ("5.", 5),
        ("1e3", 1000),
        ("1e+16", 1e16),
        ("9007199254740993", 2**53 + 1),
        ("18446744073709551616", 2.0**64),
        ("1" + "0" * 60, 1e60),
        ("2.5E-7", 2.5e-07),
        ("-0", 0),
        ("true", True),
        ("2026-01-31", date(2026, 1, 31)),
        ("2026-01-31T09:30", datetime.fromisoformat("2026-01-31T09:30")),
        ("2026-01-31T09:30:00.25", datetime.fromisoformat("2026-01-31T09:30:00.250000")),
        ("2026-01-31T09:30:00Z", datetime.fromisoformat("2026-01-31T09:30")),
        ("2026-01-31T09:30:00+09:00", datetime.fromisoformat("2026-01-31T00:30")),
        ('"007"', "007"),
        ('"say ""hi"""', 'say "hi"'),
        ('""', ""),
    ],
)
def test_a_value_is_read_as_what_it_is(text, value):
    (found,) = parse_slice("x = " + text).predicates
    assert found.value == value
    assert type(found.value) is type(value)


def test_the_order_and_repetition_of_predicates_do_not_matter():
    one = parse_slice('sex = "Male" & age < 30 & age < 30.0')
    two = parse_slice('age < 30 & sex = "Male"')
    assert one == two
    assert {one: "found"}[two] == "found"
    assert one.to_text() == 'age < 30 & sex = "Male"'


@pytest.mark.parametrize("text", ["all", " all\n"])
def test_all_is_the_slice_without_predicates(text):
    assert parse_slice(text) == Slice()
    assert Slice().to_text() == "all"


def test_a_column_may_be_called_like_a_word_of_the_grammar():
    where = parse_slice('all = 1 & in in {2} & is is missing & contains contains "x"')
    assert where.columns == ("all", "contains", "in", "is")


def test_letters_of_all_scripts_need_no_quotes():
    assert parse_slice("größe > 5 & 年齢 < 3").columns == ("größe", "年齢")


@pytest.mark.parametrize(
    ("text", "position", "expected", "advice"),
    [
        ("", 1, "a column", ""),
        ("   ", 4, "a column", ""),
        ("age", 4, "one of =, !=", ""),
        ("age >> 5", 6, "a number, true", '"> 5"'.strip('"')),
        ("age = ", 7, "a number, true", "found the end"),
        ("education = Bachelors", 13, "a number, true", 'Text stands in double quotes: "Bachelors"'),
        ("zip = 00501", 7, "a number, true", 'as text write "00501"'),
        ("on < 2026-02-30", 6, "a number, true", "both must exist"),
        ("on < 2026-01-31 09:30:00", 17, "& and another predicate", ""),
        ('sex = "Male', 7, 'a closing "', "doubled"),
        ('sex = "Male" or age < 3', 14, "& and another predicate", "'or age < 3'"),
        ('sex = "Male" &', 15, "a column", "found the end"),
        ("all & age < 3", 5, "one of =, !=", ""),
        ("age in 5", 8, "[low, high) or {values}", ""),
        ("age in [1 2)", 11, ",", ""),
        ("age in [1, 2]", 13, ")", "high end"),
        ("age in {1; 2}", 9, "a number, true", ""),
        ("age in {1", 10, ", or }", "found the end"),
        ("age is not missing", 8, "missing or present", 'column = "value"'),
        ("age like 5", 5, "one of =, !=", ""),
        ("5 > age", 1, "a column", ""),
        ('"" = 5', 1, "a column", ""),
        ("@ split = 5", 1, "a column", ""),
        ("age = 1_000", 7, "a number, true", ""),
        ("age = nan", 7, "a number, true", ""),
    ],
)
def test_an_error_says_where_what_was_expected_and_what_was_found(text, position, expected, advice):
    with pytest.raises(AnalysisError) as caught:
        parse_slice(text)
    assert caught.value.message.startswith(f"In the slice {text!r}, character {position}: expected {expected}")
    assert "found " in caught.value.message
    assert advice in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age in [5, 5)", r"The range \[5, 5\) is empty"),
        ("age in [5, 4)", r"The range \[5, 4\) is empty"),
        ("age in [1, 2026-01-31)", "from number to number or from date to date"),
        ('age in ["a", "b")', "from number to number or from date to date"),
        ("age contains 5", 'contains goes with text; found 5. Write: "5"'),
        ("flag < true", "needs an order"),
        ("age < 1e999", "finite numbers; found inf"),
        ("on < 0001-01-01T00:00:00+05:00", "outside the years 1 to 9999"),
    ],
)
def test_what_reads_well_but_means_nothing_is_refused(text, message):
    with pytest.raises(AnalysisError, match=message):
        parse_slice(text)


def test_times_of_different_zones_but_one_instant_are_one_slice():
    tokyo = datetime(2026, 1, 31, 18, 30, tzinfo=timezone(timedelta(hours=9)))
    utc = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert Slice((Predicate("on", "<", tokyo), Predicate("on", "<", utc))).to_text() == "on < 2026-01-31T09:30:00"
