"""Data for the tests of the labels wing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

MakeData = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Mnist:
    labels: np.ndarray
    pred_probs: np.ndarray
    item_ids: np.ndarray
    verified_errors: frozenset[str]


@pytest.fixture(scope="session")
def mnist(shared_data: Path) -> Mnist:
    items = pd.read_parquet(shared_data / "mnist" / "items.parquet", columns=["item_id", "given_label"])
    probs = pd.read_parquet(shared_data / "mnist" / "pred_probs.parquet")
    assert (items["item_id"] == probs["item_id"]).all()
    verdicts = pd.read_csv(shared_data / "mnist" / "verdicts.csv")
    return Mnist(
        items["given_label"].astype("int64").to_numpy(),
        probs[[f"p_{digit}" for digit in range(10)]].to_numpy(),
        items["item_id"].to_numpy(dtype=object),
        frozenset(verdicts.loc[verdicts["is_label_error"], "item_id"]),
    )


def _make_data(
    seed: int, *, n: int | None = None, k: int | None = None, style: str | None = None, full: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Small random data: rare and empty classes, wrong labels, and by style none or many ties.

    "smooth": no ties. "eighths": probabilities are multiples of 1/8, exact in float32, full of ties.
    "certain": many rows are saturated at 0 and 1. `full`: every class has an item.
    """
    rng = np.random.default_rng(seed)
    k = k or int(rng.integers(2, 7))
    n = max(n or int(rng.integers(1, 60)), k if full else 1)
    style = style or str(rng.choice(["smooth", "eighths", "certain"]))
    weights = rng.choice([0.02, 1.0, 3.0], size=k)
    labels = rng.choice(k, size=n, p=weights / weights.sum())
    if full:
        labels[:k] = rng.permutation(k)
    looks_like = np.where(rng.random(n) < 0.3, rng.integers(0, k, n), labels)
    if style == "eighths":
        shares = rng.dirichlet(np.full(k, 0.7), size=n)
        shares[np.arange(n), looks_like] += 0.7
        probs = np.array([rng.multinomial(8, row / row.sum()) for row in shares]) / 8
        return labels, probs
    logits = rng.standard_normal((n, k)) * (40 if style == "certain" else rng.choice([0.5, 1.5]))
    logits[np.arange(n), looks_like] += 30 if style == "certain" else rng.choice([1.0, 3.0])
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels, probs / probs.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    return _make_data
