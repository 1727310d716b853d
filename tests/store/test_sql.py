"""SQL comes into being in one place: values are bound, identifiers are quoted after a check."""

import ast

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import UnknownNameError
from analysis.store.sql import Fragment, column_of, identifier, join, list_value, quote, template, value

# Any text that DuckDB takes for a name: not empty, no zero byte, no half of a surrogate pair.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        yield made


@pytest.fixture(scope="module")
def run(connection):
    return lambda query: connection.execute(query.text, list(query.params)).fetchall()


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_any_name_can_be_an_identifier_and_stays_one(connection, name):
    query = template("SELECT {column} FROM (SELECT 7 AS {column})", column=identifier(name, [name]))

    found = connection.execute(query.text)

    assert found.description[0][0] == name
    assert found.fetchall() == [(7,)]


@pytest.mark.parametrize("name", ['a"b', '"', 'x" FROM secret --', "a;b", "a?b", "{x}", "SELECT"])
def test_hostile_names_are_names(run, name):
    query = template("SELECT {c} FROM (SELECT 1 AS {c}) WHERE {c} = {v}", c=identifier(name, [name]), v=value(1))

    assert run(query) == [(1,)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_value_comes_back_as_it_went_in(run, text):
    assert run(template("SELECT {x}", x=value(text))) == [(text,)]


def test_an_identifier_that_does_not_exist_is_refused_with_near_names():
    with pytest.raises(UnknownNameError, match=r"There is no column 'agee'\. Did you mean 'age'\?"):
        identifier("agee", ["age", "sex"])


def test_identifiers_match_exactly_though_the_database_ignores_case():
    with pytest.raises(UnknownNameError, match="Did you mean 'Age'"):
        identifier("age", ["Age"])


def test_values_are_bound_in_the_order_of_their_places():
    first, second = value("one"), join(" AND ", [value(2), value(3)])

    built = template("{b} OR {a} OR {b}", a=first, b=second)

    assert built == Fragment("? AND ? OR ? OR ? AND ?", (2, 3, "one", 2, 3))


def test_a_place_without_a_fragment_is_a_fault_of_ours():
    with pytest.raises(KeyError, match="missing"):
        template("SELECT {missing}")


def test_doubled_braces_are_braces():
    assert template(r"'\d{{4}}'").text == r"'\d{4}'"


def test_question_marks_inside_values_are_not_places(run):
    assert run(template("SELECT {x}, {y}", x=value("?"), y=value("it's"))) == [("?", "it's")]


def test_an_alias_of_ours_is_a_plain_identifier():
    assert column_of("f", identifier("a b", ["a b"])).text == 'f."a b"'
    with pytest.raises(ValueError, match="alias must be a plain identifier"):
        column_of("f; DROP TABLE items", identifier("a", ["a"]))


@pytest.mark.parametrize(
    ("values", "wanted", "found"), [(["a", "b"], "a", True), (["a", "b"], "c", False), ([], "a", False)]
)
def test_a_list_is_one_bound_value_even_when_empty(run, values, wanted, found):
    query = template("SELECT {x} = ANY({list})", x=value(wanted), list=list_value(values))

    assert run(query) == [(found,)]


def test_quotes_are_doubled():
    assert quote('say "x"') == '"say ""x"""'


def test_no_sql_is_made_by_formatting(root):
    """Fragments and templates are literals in the source: no f-string, ``%``, ``+`` or ``.format`` makes SQL."""
    faults = []
    for path in sorted((root / "analysis").rglob("*.py")):
        if path.name == "sql.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "template":
                text = node.args[0]
                if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                    faults.append(f"{path.relative_to(root)}:{node.lineno}")
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"execute", "sql", "executemany"}:
                text = node.args[0] if node.args else None
                if isinstance(text, ast.JoinedStr | ast.BinOp):
                    faults.append(f"{path.relative_to(root)}:{node.lineno}")

    assert faults == []


def test_sql_runs_in_the_store_alone(root):
    """Nothing outside the store holds a connection of its own."""
    users = {
        str(path.relative_to(root / "analysis").parts[0])
        for path in (root / "analysis").rglob("*.py")
        if "import duckdb" in path.read_text(encoding="utf-8")
    }

    assert users == {"store"}
