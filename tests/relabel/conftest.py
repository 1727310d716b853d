"""Requests small enough to check by eye."""

import struct
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.relabel import RequestSpec

LABELS = ("<=50K", ">50K")


@pytest.fixture
def make_spec() -> Callable[..., RequestSpec]:
    def make(**changes: Any) -> RequestSpec:
        options: dict[str, Any] = {
            "request_id": "rq-2026-11-21-a",
            "created_at": datetime(2026, 11, 21, 21, 0, tzinfo=UTC),
            "labels": LABELS,
            "assignees": ("ann", "bob", "cid"),
            "due": date(2026, 12, 1),
            "contact": "lead@example.com",
            "purpose": "Suspects of the slice sex = Male",
            "model": "rf-1",
        }
        return RequestSpec(**(options | changes))

    return make


@pytest.fixture
def make_candidates() -> Callable[..., pd.DataFrame]:
    def make(count: int, prefix: str = "i", **changes: Any) -> pd.DataFrame:
        rows = np.arange(count)
        frame = pd.DataFrame(
            {
                "split": "train",
                "item_id": [f"{prefix}{row:04d}" for row in rows],
                "given_label": np.array(LABELS)[rows % 2],
                "likely_label": np.array(LABELS)[(rows + 1) % 2],
                "p_likely": 0.9 - rows / (10 * count),
                "p_wrong": 0.8 - rows / (10 * count),
                "seconds": 30.0,
                "given_by": np.array(["ann", "bob", "dot"])[rows % 3],
                "voters": [() for _ in rows],
                "reasons": [("confident_learning",) for _ in rows],
                "source": "labels",
            }
        )
        return frame.assign(**changes)

    return make


@pytest.fixture
def make_content() -> Callable[..., pd.DataFrame]:
    """Content for items that `make_candidates` names."""

    def make(*frames: pd.DataFrame, **columns: Any) -> pd.DataFrame:
        items = pd.concat([frame[["split", "item_id"]] for frame in frames], ignore_index=True)
        index = pd.MultiIndex.from_frame(items)
        texts = [f"text of {item}" for item in items["item_id"]]
        return pd.DataFrame({"text": texts, "age": np.arange(len(items)) + 20} | columns, index=index)

    return make


def to_png(pixels: np.ndarray) -> bytes:
    """Write a grey PNG by its specification; big when the pixels are random."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def small_png() -> bytes:
    return to_png(np.arange(64).reshape(8, 8))


@pytest.fixture
def large_png() -> bytes:
    return to_png(np.random.default_rng(0).integers(0, 256, (300, 300)))
