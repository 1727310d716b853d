"""Docs say what is true and in the fixed words; nothing committed names a machine or leaves an open end."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

WINGS = ("analysis/slices", "analysis/labels", "analysis/annotators", "analysis/relabel", "analysis/diagnosis")


def find_public(source):
    """Yield the functions and classes that a module names in ``__all__``."""
    names = set()
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = set(ast.literal_eval(node.value))
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
            if "overload" not in decorators:
                yield node


def find_undocumented(source):
    if not ast.get_docstring(source.tree):
        yield 1, "the module has no docstring"
    for node in find_public(source):
        if not ast.get_docstring(node):
            yield node.lineno, f"{node.name} is public and has no docstring"


def test_what_is_public_has_a_docstring(house):
    house.hold(
        find_undocumented,
        "analysis",
        but=["analysis/store/__init__.py", "analysis/store/readers/__init__.py"],
        refuses=[
            "x = 1",
            "'''Doc.'''\n__all__ = ['f']\ndef f(): ...",
            "'''Doc.'''\n__all__ = ['C']\nclass C: ...",
        ],
        allows=["'''Doc.'''\n__all__ = []\ndef f(): ...", "'''Doc.'''\n__all__ = ['f']\ndef f():\n    '''Doc.'''"],
    )


def find_missing_sections(source):
    for node in find_public(source):
        if isinstance(node, ast.ClassDef):
            continue
        doc = ast.get_docstring(node) or ""
        takes = bool(node.args.posonlyargs or node.args.args or node.args.kwonlyargs)
        gives = node.returns is not None and ast.unparse(node.returns) != "None"
        if takes and not re.search(r"^Parameters\n-", doc, re.MULTILINE):
            yield node.lineno, f"{node.name} takes arguments and its docstring has no Parameters"
        if gives and not re.search(r"^(Returns|Yields)\n-", doc, re.MULTILINE):
            yield node.lineno, f"{node.name} returns something and its docstring has no Returns"


def test_functions_usable_without_a_workspace_document_what_they_take_and_give(house):
    documented = (
        "    '''Doc.\n\n    Parameters\n    ----------\n    x\n        X.\n\n    Returns\n    -------\n    int\n    '''"
    )
    house.hold(
        find_missing_sections,
        *WINGS,
        refuses=["__all__ = ['f']\ndef f(x):\n    '''Doc.'''", "__all__ = ['f']\ndef f() -> int:\n    '''Doc.'''"],
        allows=[
            "__all__ = ['f']\ndef f() -> None:\n    '''Doc.'''",
            "__all__ = ['f']\ndef f(x) -> int:\n" + documented,
        ],
    )


# A word that is not ours, and ours.
OTHER_WORDS = {
    r"mislabel\w*": "suspect",
    r"true labels?": "given label or gold label",
    r"ground truth": "gold label",
    r"workers?": "annotator",
    r"fatigue": "change late in session",
}
# Places that must know the other word, and why.
KNOWN_WORDS = {
    ("analysis/roles/names.py", "worker"): "columns of that name are recognised as annotators",
    ("dashboard/parts/jobs.py", "worker"): "the thread that works off the queue",
}


def find_words_in(path, line, text):
    for pattern, ours in OTHER_WORDS.items():
        for found in re.finditer(rf"\b{pattern}\b", text, re.IGNORECASE):
            word = found.group().casefold()
            if (path, word.removesuffix("s")) not in KNOWN_WORDS:
                yield line + text.count("\n", 0, found.start()), f"says {word!r}, our word is {ours!r}"


def find_other_words(source):
    for text in source.strings():
        yield from find_words_in(str(source.path), text.lineno, text.value)


def test_one_word_a_thing(house):
    house.hold(
        find_other_words,
        "analysis",
        "dashboard",
        refuses=["'''Find mislabeled items.'''", "st.write('Workers')", "f'the true label of {x}'"],
        allows=["'''Find suspects.'''", "st.write('Annotators')", "worker = Thread(target=work)"],
    )


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_one_word_a_thing_in_the_docs(root, name):
    faults = [
        f"{name}:{line}: {what}" for line, what in find_words_in(name, 1, (root / name).read_text(encoding="utf-8"))
    ]
    assert not faults, "\n" + "\n".join(faults)
    assert list(find_words_in(name, 1, "the workers")), "the law is blind"


OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|(?i:coming soon)")
MACHINE_PATHS = re.compile(r"(?<![\w.~$}])/(?:work|root|home/\w+|Users/\w+|opt/\w+)/|\b[A-Z]:\\\\?Users")
REGISTRIES = re.compile(r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|anaconda|debian)\.(?:org|com|net)\b")


def assert_absent(project_texts, pattern, what):
    faults = [
        f"{name}:{number}: {what}: {found.group()}"
        for name, text in project_texts.items()
        if name != "tests/laws/test_words.py"  # shows the laws what they forbid
        for number, line in enumerate(text.split("\n"), 1)
        for found in pattern.finditer(line)
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_nothing_is_left_open(project_texts):
    for text in ("# TODO: later", "raise NotImplementedError", "Coming soon."):
        assert OPEN_ENDS.search(text), f"the law is blind to {text}"
    assert not OPEN_ENDS.search("to do it later")
    assert_absent(project_texts, OPEN_ENDS, "an open end")


def test_no_path_of_a_machine_is_committed(project_texts, root):
    for text in ('open("/work/x")', "/home/ana/data.csv", r"C:\Users\ana"):
        assert MACHINE_PATHS.search(text), f"the law is blind to {text}"
    assert not MACHINE_PATHS.search("https://example.com/work/x ../work/x analysis/work/x ~/work/x")
    here = {str(root), f"{Path.home()}/"} - {"/", "//"}
    own = re.compile("|".join(re.escape(place) for place in sorted(here)))
    assert_absent(project_texts, MACHINE_PATHS, "a path of a machine")
    assert_absent(project_texts, own, "a path of this machine")


def test_no_package_registry_is_named(project_texts):
    assert REGISTRIES.search("https://files.pythonhosted.org/x")
    assert not REGISTRIES.search("https://archive.ics.uci.edu/dataset/80")
    assert_absent(project_texts, REGISTRIES, "a registry")
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    hosts = sorted(set(re.findall(r"https?://([\w.-]+)", asked.stdout)) - {"127.0.0.1", "localhost"})
    if hosts:
        assert_absent(project_texts, re.compile("|".join(map(re.escape, hosts))), "the registry set up here")
