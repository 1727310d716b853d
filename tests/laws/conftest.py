"""The house as syntax trees, for the tests that hold its laws."""

import ast
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

Fault = tuple[int, str]


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str, path: str) -> "Source":
        return cls(PurePosixPath(path), text, ast.parse(text))

    def is_in(self, *places: str) -> bool:
        return any(self.path.is_relative_to(place) for place in places)

    def calls(self) -> Iterator[tuple[ast.Call, str, bool]]:
        """Yield every call with the last part of the called name, and whether it is called on something."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node, node.func.id, False
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node, node.func.attr, True

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the full name of every imported module."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, node.module or ""

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def strings(self) -> Iterator[ast.Constant]:
        """Yield every constant text, docstrings and the constant parts of f-strings too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


Finder = Callable[[Source], Iterable[Fault]]


class House:
    """All Python files of the project, and how a law is held against them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = [
            Source.of(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
            for place in ("analysis", "dashboard", "sample_data")
            for path in sorted((root / place).rglob("*.py"))
        ]

    def hold(
        self,
        find: Finder,
        *places: str,
        but: Iterable[str] = (),
        refuses: Iterable[str],
        allows: Iterable[str] = (),
        as_if: str = "analysis/slices/made_up.py",
    ) -> None:
        """Check that the law can see what it forbids, lets pass what it allows, and is kept in ``places``.

        ``refuses`` and ``allows`` are pieces of code, each judged as if it stood in the file ``as_if``.
        """
        for code in refuses:
            assert list(find(Source.of(code, as_if))), f"the law is blind to:\n{code}"
        for code in allows:
            assert not list(find(Source.of(code, as_if))), f"the law is too strict, it refuses:\n{code}"
        chosen = [source for source in self.sources if source.is_in(*places) and not source.is_in(*but)]
        assert chosen, f"no file in {places}: the law would hold for nothing"
        faults = [f"{source.path}:{line}: {what}" for source in chosen for line, what in sorted(find(source))]
        assert not faults, "\n" + "\n".join(faults)


@pytest.fixture(scope="session")
def house(root: Path) -> House:
    return House(root)


@pytest.fixture(scope="session")
def project_texts(root: Path) -> dict[str, str]:
    """Every text file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: nothing is committed from here")
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        try:
            found[name] = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or a file that was removed and not yet committed
    return found
