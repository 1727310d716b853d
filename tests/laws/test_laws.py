"""The laws of the house that import-linter, ruff and mypy cannot hold.

Each law is a function that yields its faults in one file. A test shows first that the law sees what it forbids,
then that the project keeps it.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = "analysis"
PAGES = "dashboard"
STORE = "analysis/store"
SQL = "analysis/store/sql.py"

# SQL text that is no constant: plain names of ours, chosen by our code and never by a file or a person.
# An entry without its place in the code is stale and fails the test.
PLAIN_NAMES = {
    ("analysis/store/loading/staging.py", "name"): "a staged column, from the constant _TEXT_ROLES",
    ("analysis/store/loading/staging.py", "role"): "started_at or labelled_at, from the tuple in the loop",
    ("analysis/store/loading/staging.py", "kind"): "a DuckDB type, from the constant FEATURE_TYPES",
    ("analysis/store/loading/columns.py", "duck_type"): "a DuckDB type, from FEATURE_TYPES or _KEPT_TYPES",
    ("analysis/store/loading/columns.py", "wide"): "DOUBLE or VARCHAR",
    ("analysis/store/workspace.py", "table"): "a temporary table; checked to be a plain identifier",
}


def is_text(node):
    """Tell whether a node is a text in the source, or a choice between two of them."""
    if isinstance(node, ast.IfExp):
        return is_text(node.body) and is_text(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def find_counters(tree):
    """Return the names that a loop over ``enumerate`` or ``range`` binds: whole numbers, by construction."""
    counters = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call):
            made_by = getattr(node.iter.func, "id", "")
            target = node.target.elts[0] if made_by == "enumerate" else node.target
            if made_by in {"enumerate", "range"} and isinstance(target, ast.Name):
                counters.add(target.id)
    return counters


def is_numbered_name(node, counters):
    """Tell whether an f-string is a plain name with a counter, such as f"c{index}" or f"s.f{index}"."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), ast.FormattedValue(value=number, conversion=-1)]):
            counted = isinstance(number, ast.Name) and number.id in counters
            looked_up = isinstance(number, ast.Call) and getattr(number.func, "attr", "") == "index"
            return bool(re.fullmatch(r"([a-z]\.)?[a-z]+", prefix)) and (counted or looked_up)
    return False


def find_made_up_sql(source):
    counters = find_counters(source.tree)
    for call, name, on_something in source.calls():
        if name not in {"template", "Fragment", "join"} or (name == "join" and on_something):
            continue
        text = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "text"), None)
        if text is None or is_text(text):
            continue
        if name == "Fragment" and is_numbered_name(text, counters):
            continue
        if name == "Fragment" and (str(source.path), ast.unparse(text)) in PLAIN_NAMES:
            continue
        yield (
            call.lineno,
            f"the SQL of {name}({ast.unparse(text)[:60]}) is no constant; use template, value, identifier",
        )


def test_law_2_sql_text_is_a_constant_in_the_source(house):
    house.hold(
        find_made_up_sql,
        LIBRARY,
        PAGES,
        but=[SQL],
        refuses=[
            "template(query)",
            "template(f'SELECT {x}')",
            "template('SELECT ' + x)",
            "template('SELECT %s' % x)",
            "template('SELECT {}'.format(x))",
            "Fragment('item' if x else y)",
            "template(text=query)",
            "sql.template(query)",
            "join(separator, parts)",
            "Fragment(name)",
            "Fragment(f'SELECT {index}')",
            "Fragment(f'c{name}')",
            "[Fragment(f'c{name}') for index, name in enumerate(names)]",
            "[Fragment(f'c {index}') for index, name in enumerate(names)]",
            "[Fragment(f'{index}; DROP TABLE x') for index in range(3)]",
        ],
        allows=[
            "template('SELECT {x}', x=value(1))",
            "template('SELECT {x} ' 'FROM y', x=value(1))",
            "join(', ', parts)",
            "', '.join(parts)",
            "Fragment('item' if named else 'NULL')",
            "Fragment('SELECT ?', (name,))",
            "[Fragment(f'c{index}') for index, name in enumerate(names)]",
            "[Fragment(f's.f{index}') for index in range(3)]",
            "Fragment(f's.f{names.index(name)}')",
        ],
    )


def test_law_2_every_exception_for_plain_names_is_in_use(house):
    used = {
        (str(source.path), ast.unparse(call.args[0]))
        for source in house.sources
        for call, name, _ in source.calls()
        if name == "Fragment" and call.args
    }
    assert not PLAIN_NAMES.keys() - used, "stale entries"


SQL_TEXT = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|COPY|WITH|ATTACH|SET|FROM|WHERE|ORDER BY)\s"
)


def find_glued_sql(source):
    for node in ast.walk(source.tree):
        match node:
            case ast.JoinedStr(values=[first, _, *_]):
                pass
            case ast.BinOp(left=first, op=ast.Mod() | ast.Add()):
                pass
            case ast.Call(func=ast.Attribute(value=first, attr="format" | "format_map" | "replace")):
                pass
            case _:
                continue
        if is_text(first) and SQL_TEXT.match(first.value):
            yield node.lineno, f"SQL is glued together: {first.value[:60]!r}"


def test_law_2_no_f_string_percent_plus_or_format_makes_sql(house):
    house.hold(
        find_glued_sql,
        LIBRARY,
        PAGES,
        refuses=[
            "f'SELECT {x}'",
            "'SELECT %s' % x",
            "'DROP TABLE ' + x",
            "'WHERE {}'.format(x)",
            "' ORDER BY x'.replace('x', y)",
        ],
        allows=["f'Select {x} here'", "'SELECT 1'", "f'{x} rows'"],
    )


def find_sql_run(source):
    for line, module in source.imports():
        if module.split(".")[0] == "duckdb":
            yield line, "imports duckdb; ask the store"
    for call, name, on_something in source.calls():
        receiver = ast.unparse(call.func.value) if on_something else ""
        literal = bool(call.args) and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
        if name in {"executemany", "sql", "cursor"} and on_something:
            yield call.lineno, f"runs SQL: {receiver}.{name}(...)"
        if name in {"execute", "execute_many"} and (receiver != "writer" or literal):
            yield call.lineno, f"runs SQL: {receiver}.{name}(...); statements are fragments given to the one writer"


def test_law_2_only_the_store_runs_sql(house):
    house.hold(
        find_sql_run,
        LIBRARY,
        PAGES,
        but=[STORE],
        refuses=[
            "import duckdb",
            "from duckdb import connect",
            "def f():\n    import duckdb.typing",
            "connection.execute('SELECT 1')",
            "connection.execute(query)",
            "writer.execute('DELETE FROM items')",
            "writer.execute(f'DELETE FROM {x}')",
            "cursor.executemany(query, rows)",
            "connection.sql(query)",
            "connection.cursor()",
        ],
        allows=["writer.execute(Fragment('DELETE FROM staged'))", "writer.execute_many(insert, rows)", "source.sql"],
    )


FILE_ACCESS = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "rmdir"}
FRAME_READERS = {"read_csv", "read_table", "read_parquet", "read_excel", "read_json", "read_feather"}


def find_file_access(source):
    for call, name, _ in source.calls():
        if name in FILE_ACCESS | FRAME_READERS:
            yield call.lineno, f"{ast.unparse(call.func)}(...) opens a file"
    for line, module in source.imports():
        if module.split(".")[0] in {"shutil", "tempfile", "glob"}:
            yield line, f"imports {module}: files are the store's"


def test_law_2_only_the_store_opens_files(house):
    house.hold(
        find_file_access,
        LIBRARY,
        but=[STORE],
        refuses=[
            "open('x')",
            "path.open('rb')",
            "Path('x').read_text()",
            "path.write_bytes(data)",
            "pd.read_csv(path)",
            "import tempfile",
        ],
        allows=["path.name", "opened(x)"],
    )


def find_streamlit(source):
    return ((line, f"imports {module}") for line, module in source.imports() if module.split(".")[0] == "streamlit")


def test_law_1_the_library_never_imports_streamlit(house):
    house.hold(
        find_streamlit,
        LIBRARY,
        refuses=[
            "import streamlit as st",
            "from streamlit.runtime import get_instance",
            "def f():\n    import streamlit",
        ],
        allows=["from analysis.errors import AnalysisError"],
    )


def test_law_1_the_command_line_starts_without_streamlit(root):
    code = "import sys, dashboard.cli; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_law_1_imports_run_downwards_only(root):
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists() and shutil.which("lint-imports") is None:
        pytest.skip("import-linter is not installed; .ci/run runs it in any case")
    command = [str(program) if program.exists() else "lint-imports", "--no-cache"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_law_1_every_folder_of_code_is_a_package_so_that_import_linter_sees_it(house, root):
    folders = {source.path.parent for source in house.sources if source.is_in(LIBRARY, PAGES)}
    assert [str(folder) for folder in sorted(folders) if not (root / folder / "__init__.py").is_file()] == []


SEEDED = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}
UNSEEDED_SQL = re.compile(r"\brandom\(\)|\bUSING SAMPLE\b|\bTABLESAMPLE\b")


def has_seed(call, *names):
    """Tell whether a call says its seed and does not say None."""
    given = [k.value for k in call.keywords if k.arg in names] or (call.args if "seed" in names else [])
    return any(not (isinstance(seed, ast.Constant) and seed.value is None) for seed in given)


def find_unseeded(source):
    modules = {module for _, module in source.imports()}
    for call, name, on_something in source.calls():
        dotted = ast.unparse(call.func)
        if re.fullmatch(r"(np|numpy)\.random\.\w+", dotted) and name not in SEEDED:
            yield call.lineno, f"{dotted} draws from numpy's global state"
        if name in {"default_rng", "SeedSequence", "Random"} and not has_seed(call, "seed"):
            yield call.lineno, f"{dotted}() has no seed"
        if "random" in modules and on_something and dotted.startswith("random.") and name != "Random":
            yield call.lineno, f"{dotted} draws from Python's global state"
        shuffles = any(k.arg == "shuffle" and getattr(k.value, "value", True) is True for k in call.keywords)
        if shuffles and not has_seed(call, "random_state"):
            yield call.lineno, f"{dotted} shuffles without random_state"
        if name == "sample" and on_something and not has_seed(call, "random_state"):
            yield call.lineno, f"{dotted} samples without random_state"
    for text in source.strings():
        if UNSEEDED_SQL.search(text.value):
            yield text.lineno, "SQL that draws without a seed"


def test_law_6_nothing_is_random_without_a_seed(house):
    house.hold(
        find_unseeded,
        LIBRARY,
        PAGES,
        "sample_data",
        refuses=[
            "np.random.seed(1)",
            "numpy.random.permutation(5)",
            "np.random.default_rng()",
            "default_rng(None)",
            "default_rng(seed=None)",
            "import random\nrandom.shuffle(rows)",
            "import random\nrandom.Random()",
            "KFold(5, shuffle=True)",
            "KFold(5, shuffle=True, random_state=None)",
            "frame.sample(10)",
            "Fragment('SELECT * FROM items USING SAMPLE 10')",
        ],
        allows=[
            "np.random.default_rng(seed)",
            "default_rng(seed=0)",
            "import random\nrandom.Random(seed)",
            "KFold(5, shuffle=True, random_state=seed)",
            "rng.random(3)",
            "def f(rng: np.random.Generator): ...",
        ],
    )


LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def find_long_pieces(source):
    lines = source.text.count("\n")
    if lines > LONGEST_FILE:
        yield 1, f"{lines} lines, at most {LONGEST_FILE}"
    for function in source.functions():
        length = function.end_lineno - function.lineno + 1
        if ast.get_docstring(function) is not None:
            # A docstring that says shapes, units and sources is no reason to split a function.
            length -= function.body[0].end_lineno - function.body[0].lineno + 1
        if length > LONGEST_FUNCTION:
            yield (
                function.lineno,
                f"{function.name} has {length} lines besides its docstring, at most {LONGEST_FUNCTION}",
            )


def test_law_7_files_and_functions_stay_short(house):
    house.hold(
        find_long_pieces,
        LIBRARY,
        PAGES,
        "sample_data",
        refuses=["x = 1\n" * 401, "def f():\n" + "    x = 1\n" * 60],
        allows=["x = 1\n" * 400, "def f():\n" + "    x = 1\n" * 59, 'def f():\n    """A\n' + "\n" * 80 + '    """\n'],
    )


def find_prints(source):
    for call, name, on_something in source.calls():
        if name in {"print", "pprint", "breakpoint"} and not on_something:
            yield call.lineno, f"{name}(...)"


def test_nothing_prints(house):
    house.hold(find_prints, LIBRARY, PAGES, refuses=["print(1)", "breakpoint()"], allows=["console.print(1)"])
