"""Workspaces that the command tests ask; loaded once, copied by tests that write."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.commands.load import LoadOptions, load
from analysis.commands.workspaces import Workspace, workspace_at
from dashboard import cli


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one strict JSON object; NaN and anything beside it are faults."""

        def refuse(constant: str) -> None:
            message = f"JSON does not know {constant}"
            raise ValueError(message)

        return json.loads(self.out, parse_constant=refuse)


RunRelook = Callable[..., Ran]


@pytest.fixture(scope="session")
def relook() -> RunRelook:
    """Run the command as a user's shell does, in a process of its own."""

    def run(*words: object, cwd: Path | None = None) -> Ran:
        command = [sys.executable, "-c", "from dashboard.cli import main; main()", *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=cwd, check=False)
        assert "Traceback" not in ended.stderr, ended.stderr
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    return run


def loaded(path: Path, files: list[Path], options: LoadOptions | None = None) -> Workspace:
    workspace = workspace_at(path)
    load(workspace, files, options)
    workspace.close()
    return workspace


@pytest.fixture(scope="session")
def digits_folder(root: Path) -> Path:
    return root / "sample_data" / "digits"


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, digits_folder: Path) -> Workspace:
    """The sample; only to be read."""
    files = sorted(path for path in digits_folder.iterdir() if path.suffix in {".csv", ".parquet"})
    return loaded(tmp_path_factory.mktemp("digits") / "digits.relook", files)


@pytest.fixture
def digits_copy(digits: Workspace, tmp_path: Path) -> Workspace:
    """The sample; this test's own."""
    digits.close()
    return workspace_at(shutil.copy(digits.path, tmp_path / "digits.relook"))


@pytest.fixture(scope="session")
def adult(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Workspace:
    folder = shared_data / "adult"
    files = [folder / "train.parquet", folder / "eval.parquet", folder / "predictions.csv"]
    return loaded(tmp_path_factory.mktemp("adult") / "adult.relook", files)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Workspace:
    folder = shared_data / "mnist"
    return loaded(
        tmp_path_factory.mktemp("mnist") / "mnist.relook", [folder / "items.parquet", folder / "pred_probs.parquet"]
    )


@pytest.fixture(scope="session")
def raters(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Workspace:
    folder = shared_data / "imagenet_raters"
    path = tmp_path_factory.mktemp("raters") / "raters.relook"
    loaded(path, [folder / "votes.parquet"])
    return loaded(path, [folder / "expert_votes.parquet"], LoadOptions(gold=True))


@dataclass(frozen=True)
class Small:
    """A made-up workspace, small enough to check by pandas: text ids with zeros, labels with signs."""

    workspace: Workspace
    items: pd.DataFrame
    votes: pd.DataFrame


def make_small_items(seed: int = 8) -> pd.DataFrame:
    """Make 160 items of train and 120 of eval; `shown` is what the model predicts."""
    rng = np.random.default_rng(seed)
    n = 280
    label = rng.choice(["<=50K", ">50K", "3"], n, p=[0.5, 0.35, 0.15])
    probs = rng.dirichlet(np.ones(3) * 0.4, n)
    probs[np.arange(n), np.searchsorted(["3", "<=50K", ">50K"], label)] += 1.2
    probs = (probs / probs.sum(axis=1, keepdims=True)).round(6)
    items = pd.DataFrame(
        {
            "item_id": [f"{k:05d}" for k in range(n)],
            "split": ["train"] * 160 + ["eval"] * 120,
            # One label in eight is wrong.
            "label": np.where(rng.random(n) < 0.125, rng.permutation(label), label),
            "text": [f"Row {k}, said “so”" for k in range(n)],
            "age": rng.integers(17, 80, n),
            "city": rng.choice(["Ulm", "Köln", "a & b"], n),
            "confidence": rng.normal(size=n).round(3),
        }
    )
    items.loc[rng.random(n) < 0.1, "city"] = None
    items["gold_label"] = items["label"].where(rng.random(n) < 0.1)
    items[["prob_3", "prob_<=50K", "prob_>50K"]] = probs
    items["shown"] = np.array(["3", "<=50K", ">50K"])[probs.argmax(axis=1)]
    return items


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small workspace; only to be read."""
    folder = tmp_path_factory.mktemp("small")
    items = make_small_items()
    rng = np.random.default_rng(9)
    rows = [
        (name, person, label if rng.random() < skill else rng.choice(["<=50K", ">50K"]), float(rng.integers(2, 40)))
        for name, label in items.loc[items["split"] == "train", ["item_id", "label"]].itertuples(index=False)
        for person, skill in (("ana", 0.95), ("ben", 0.8), ("cleo", 0.5))
        if rng.random() < 0.7
    ]
    votes = pd.DataFrame(rows, columns=["item_id", "annotator", "label", "seconds"])
    items.drop(columns=["shown", "prob_3", "prob_<=50K", "prob_>50K"]).to_csv(folder / "items.csv", index=False)
    items[["item_id", "prob_3", "prob_<=50K", "prob_>50K"]].to_csv(folder / "predictions.csv", index=False)
    votes.to_csv(folder / "votes.csv", index=False)
    files = [folder / f"{name}.csv" for name in ("items", "predictions", "votes")]
    return Small(loaded(folder / "small.relook", files), items, votes)


@pytest.fixture
def small_copy(small: Small, tmp_path: Path) -> Workspace:
    """The small workspace; this test's own."""
    small.workspace.close()
    return workspace_at(shutil.copy(small.workspace.path, tmp_path / "small.relook"))


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunRelook:
    """Run the command in this process: quicker, and the same code."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["relook", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return run
