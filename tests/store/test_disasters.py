"""A full disk, a damaged file, a file of another version: a sentence each, and nothing lost."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.store.loading import LoadOptions, load_files
from analysis.store.workspace import Workspace

ROWS = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, and a file whose load would make it several times as large."""
    made = tmp_path_factory.mktemp("disasters")
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(ROWS)], "label": rng.choice(list("ab"), ROWS)})
    for k in range(12):
        frame[f"x{k}"] = rng.normal(size=ROWS)
    frame[:2000].to_parquet(made / "train.parquet", index=False)
    frame.to_parquet(made / "eval.parquet", index=False)
    workspace = Workspace(made / "base.relook")
    load_files(workspace, [made / "train.parquet"], LoadOptions())
    workspace.close()
    return made


def run(code: str, *words: object, root: Path, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which may write no file larger than so many bytes."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
        timeout=120,
        preexec_fn=limit,
    )


RELOOK = "from dashboard.cli import main; main()"


def test_a_disk_that_is_full_is_said_and_the_workspace_is_as_before(folder: Path, tmp_path: Path, root: Path) -> None:
    path = Path(shutil.copy(folder / "base.relook", tmp_path / "w.relook"))
    before = path.read_bytes()

    ran = run(RELOOK, "load", path, folder / "eval.parquet", root=root, largest=path.stat().st_size + 200_000)

    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert "disk" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert run(RELOOK, "info", path, root=root).stdout.startswith("2,000 items")
    assert path.read_bytes()[: len(before)] == before or Workspace(path).fingerprint().facts == 1


def test_a_first_load_onto_a_full_disk_leaves_no_file(folder: Path, tmp_path: Path, root: Path) -> None:
    ran = run(RELOOK, "load", tmp_path / "w.relook", folder / "eval.parquet", root=root, largest=500_000)

    assert ran.returncode == 2, ran.stderr
    assert "disk" in ran.stderr
    assert list(tmp_path.iterdir()) == []


# A damaged page may end the process, so that each try has one of its own.
ASK = """
import os, sys
from pathlib import Path
from analysis.commands.info import describe_workspace
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            describe_workspace(workspace_at(Path(name)))
            print("fine", flush=True)
        except AnalysisError as error:
            print("said:", error.message.replace("\\n", " "), flush=True)
        except BaseException as error:
            print("fault:", repr(error)[:200], flush=True)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    if status:
        print("died:", status, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_damaged_workspace_is_a_sentence_or_does_not_matter(folder: Path, tmp_path: Path, root: Path) -> None:
    whole = (folder / "base.relook").read_bytes()
    dice = np.random.default_rng(3)
    damaged = []
    for number in range(24):
        broken = bytearray(whole)
        if number % 4 == 0:
            del broken[int(dice.integers(len(broken))) :]
        else:
            at = int(dice.integers(len(broken) - 512))
            broken[at : at + 512] = dice.bytes(512)
        path = tmp_path / f"{number}.relook"
        path.write_bytes(broken)
        damaged.append(path)

    said = run(ASK, *damaged, root=root).stdout.splitlines()

    assert len(said) == len(damaged)
    assert [line for line in said if not line.startswith(("fine", "said:"))] == []
    assert sum(line.startswith("said:") for line in said) >= 5, "the damage is real"
