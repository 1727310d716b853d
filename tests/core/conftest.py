"""A small world in a workspace, and the same world as frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.store.loading import LoadOptions, load_files
from analysis.store.workspace import Snapshot, Workspace

CLASSES = ("cat", "dog", "eel")


@dataclass(frozen=True)
class World:
    """Items of eval and train with everything about them in one frame, and the votes on them.

    ``shown`` is the prediction as it counts: the predicted label, else the most probable class.
    """

    workspace: Workspace
    items: pd.DataFrame
    votes: pd.DataFrame


def _make_frames(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    n = 700
    label = rng.choice(CLASSES, n)
    predicted = np.where(rng.random(n) < 0.3, rng.choice(CLASSES, n), label)
    probs = rng.dirichlet(np.ones(3) * 0.5, n).astype("float32")
    probs /= probs.sum(axis=1, keepdims=True)
    items = pd.DataFrame(
        {
            "item_id": [f"n{k:04}" for k in range(n)],
            "split": np.where(rng.random(n) < 0.8, "eval", "train"),
            "label": label,
            "predicted": predicted,
            "kind": rng.choice(["u", "v", "w x"], n, p=[0.6, 0.3, 0.1]),
            "holes": rng.integers(0, 5, n),
            "steps": rng.integers(0, 200, n),
            "width": np.round(rng.lognormal(2, 1, n), 2),
            "heavy": rng.random(n) < 0.4,
            "seen": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 200 * 24, n), unit="h"),
        }
    ).astype({"holes": "Int64", "steps": "Int64", "heavy": "boolean"})
    for column in ("label", "predicted", "kind", "holes", "steps", "width", "heavy", "seen"):
        items.loc[rng.random(n) < 0.07, column] = None
    items[[f"prob_{name}" for name in CLASSES]] = probs
    items.loc[items["predicted"].isna() & (rng.random(n) < 0.5), [f"prob_{name}" for name in CLASSES]] = np.nan
    rows = [
        (items["item_id"][k], name, rng.choice(CLASSES), rng.choice(["m1", "m2"], p=[0.7, 0.3]))
        for k in rng.choice(n, 500, replace=False)
        for name in rng.choice(["ana", "ben", "cleo", "dov"], rng.integers(1, 4), replace=False)
    ]
    return items, pd.DataFrame(rows, columns=["item_id", "annotator", "label", "batch"])


@pytest.fixture(scope="session")
def load_frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Workspace]]:
    """Load frames, as Parquet files of the given names, into a new workspace."""
    made: list[Workspace] = []

    def load(**frames: pd.DataFrame) -> Workspace:
        folder: Path = tmp_path_factory.mktemp("world")
        files = []
        for name, frame in frames.items():
            files.append(folder / f"{name}.parquet")
            frame.to_parquet(files[-1], index=False)
        workspace = Workspace(folder / "world.relook")
        load_files(workspace, files, LoadOptions())
        made.append(workspace)
        return workspace

    yield load
    for workspace in made:
        workspace.close()


def _predict(items: pd.DataFrame) -> pd.Series:
    probs = items[[f"prob_{name}" for name in CLASSES]]
    best = np.array(CLASSES, dtype=object)[probs.fillna(-1).to_numpy().argmax(axis=1)]
    likely = pd.Series(best, index=items.index).where(probs["prob_cat"].notna())
    return items["predicted"].where(items["predicted"].notna(), likely)


@pytest.fixture(scope="session")
def world(load_frames: Callable[..., Workspace]) -> World:
    items, votes = _make_frames(11)
    return World(load_frames(items=items, votes=votes), items.assign(shown=_predict(items)), votes)


@pytest.fixture(scope="session")
def shuffled(load_frames: Callable[..., Workspace], world: World) -> World:
    """The same world with the rows of both files in another order."""
    items, votes = (frame.sample(frac=1, random_state=5) for frame in (world.items, world.votes))
    return World(load_frames(items=items.drop(columns="shown"), votes=votes), items, votes)


@pytest.fixture
def snapshot(world: World) -> Iterator[Snapshot]:
    with world.workspace.read() as found:
        yield found
