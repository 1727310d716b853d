"""One desk for all tests of the store: a folder with files and a workspace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.store.loading import LoadOptions, LoadReport, load_files
from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace


class Desk:
    """A folder with files and one workspace, as a user has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "w.relook")

    def put(self, name: str, content: str | bytes | pd.DataFrame) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            if path.suffix == ".parquet":
                content.to_parquet(path, index=False)
            else:
                content.to_csv(path, index=False)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return path

    def load(self, *files: Path, **options: Any) -> LoadReport:
        report = load_files(self.workspace, files, LoadOptions(**options))
        check_sums(report)
        return report

    def refuse(self, *files: Path, **options: Any) -> str:
        """Load what must be refused, and return the sentence; nothing may have changed."""
        before = self.state()
        with pytest.raises(AnalysisError) as caught:
            self.load(*files, **options)
        assert self.state() == before
        return caught.value.message

    def state(self) -> tuple[bytes | None, dict[str, bytes]]:
        """Return the workspace's bytes and those of all files beside it."""
        self.workspace.close()
        found = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        return found.pop("w.relook", None), found

    def ask(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        with self.workspace.read() as snapshot:
            return snapshot.fetch_all(Fragment(sql, params))


def check_sums(report: LoadReport) -> None:
    """Check that every row of every file is accounted for."""
    for file in report.files:
        tally = file.tally
        parts = tally.kept + tally.already_there + len(tally.rejects) + tally.duplicates + tally.unmatched
        assert parts == file.rows, file.file


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.workspace.close()


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory, make_items: Callable[..., pd.DataFrame]) -> bytes:
    """A workspace with 200 items in train, loaded once; tests get a copy."""
    made = Desk(tmp_path_factory.mktemp("stock"))
    made.load(made.put("train.csv", make_items()))
    content, _files = made.state()
    assert content is not None
    return content


@pytest.fixture
def stocked(desk: Desk, stock: bytes) -> Desk:
    """A desk whose workspace holds the items i0 to i199 of make_items in train."""
    desk.workspace.path.write_bytes(stock)
    return desk


@pytest.fixture(scope="session")
def make_items() -> Callable[..., pd.DataFrame]:
    """Items with ids i0, i1, ...: labels a and b in turn, and two features."""

    def make(n: int = 200, *, prefix: str = "i") -> pd.DataFrame:
        return pd.DataFrame(
            {
                "item_id": [f"{prefix}{k}" for k in range(n)],
                "label": ["ab"[k % 2] for k in range(n)],
                "age": [20 + k % 50 for k in range(n)],
                "city": [["Ulm", "Köln", None][k % 3] for k in range(n)],
            }
        )

    return make


@pytest.fixture(scope="session")
def make_predictions() -> Callable[..., pd.DataFrame]:
    """Predictions for ids i0, i1, ...: every third is an error for the labels of make_items."""

    def make(n: int = 200, *, prefix: str = "i") -> pd.DataFrame:
        says_a = [(k % 2 == 0) != (k % 3 == 0) for k in range(n)]
        return pd.DataFrame(
            {
                "item_id": [f"{prefix}{k}" for k in range(n)],
                "predicted": ["a" if a else "b" for a in says_a],
                "prob_a": [0.75 if a else 0.25 for a in says_a],
                "prob_b": [0.25 if a else 0.75 for a in says_a],
            }
        )

    return make


@pytest.fixture(scope="session")
def make_votes() -> Callable[..., pd.DataFrame]:
    """Three people vote on each of the first n items; every fifth vote differs, every eleventh cannot tell."""

    def make(n: int = 60, *, prefix: str = "i") -> pd.DataFrame:
        rows = []
        for k in range(n):
            for j, name in enumerate(["ana", "ben", "cleo"]):
                label = "ab"[(k + ((3 * k + j) % 5 == 0)) % 2]
                rows.append((f"{prefix}{k}", name, None if (3 * k + j) % 11 == 0 else label, 5.0 + j, "m1"))
        return pd.DataFrame(rows, columns=["item_id", "annotator", "label", "seconds", "batch"])

    return make
