"""What the tests of shapes need: files taken apart without a workspace, and Label Studio's records in short."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from analysis.store.loading.shapes import split_shapes
from analysis.store.loading.source import Source, open_sources
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import Fragment


class Parts:
    """What a file became."""

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources

    @property
    def kinds(self) -> list[str | None]:
        return [source.table.kind for source in self.sources]

    @property
    def notes(self) -> str:
        return "\n".join(note for source in self.sources for note in source.table.notes)

    def get(self, kind: str) -> Source:
        return next(source for source in self.sources if source.table.kind == kind)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows of a part by role where it has one, else by column."""
        source = self.get(kind)
        called = {column: role for role, column in source.table.roles}
        names = [called.get(name, name) for name in source.table.names]
        rows = source.scratch.fetch_all(Fragment("SELECT * EXCLUDE (row) FROM raw ORDER BY row"))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def labels(self) -> list[tuple[str, str, str | None]]:
        return [(row["item_id"], row["annotator"], row["given_label"]) for row in self.rows("votes")]

    def lines(self, kind: str) -> list[int]:
        source = self.get(kind)
        rows = source.scratch.fetch_all(Fragment("SELECT row FROM raw ORDER BY row"))
        return [source.table.lines.find(row) for (row,) in rows]


@pytest.fixture
def split() -> Iterator[Callable[..., Parts]]:
    """Read a file and take it apart."""
    with ExitStack() as stack:

        def take_apart(path: Path, **options: Any) -> Parts:
            sources = open_sources(path, None)
            for source in sources:
                stack.callback(source.scratch.close)
            made = split_shapes(sources, LoadOptions(**options))
            for source in made:
                stack.callback(source.scratch.close)
            return Parts(made)

        yield take_apart


@pytest.fixture(scope="session")
def choose() -> Callable[..., dict[str, Any]]:
    """One result of a Choices control, as Label Studio writes it."""

    def make(*choices: str, control: str = "mood", origin: str = "manual", **value: Any) -> dict[str, Any]:
        return {
            "id": "x1",
            "from_name": control,
            "to_name": "text",
            "type": "choices",
            "origin": origin,
            "value": {"choices": list(choices), **value},
        }

    return make


@pytest.fixture(scope="session")
def annotate() -> Callable[..., dict[str, Any]]:
    """One annotation, as the JSON export of Label Studio 1.23 writes it."""

    def make(person: object, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "id": 5001,
            "completed_by": person,
            "result": list(result),
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": "2026-11-03T10:00:00.000000Z",
            "updated_at": "2026-11-03T10:00:00.000000Z",
            "draft_created_at": None,
            "lead_time": 11.9,
            "prediction": {},
            "result_count": 0,
            "unique_id": "3bc9da85-967f-47a1-bfa8-410206e54cf9",
            "parent_prediction": None,
            **more,
        }

    return make


@pytest.fixture(scope="session")
def make_task() -> Callable[..., dict[str, Any]]:
    """One task, as the JSON export writes it."""

    def make(number: int, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "id": number,
            "data": {"text": f"text {number}"},
            "meta": {},
            "drafts": [],
            "predictions": [],
            "annotations": list(annotations),
            "created_at": "2026-11-02T09:10:00.000000Z",
            "updated_at": "2026-11-03T10:00:00.000000Z",
            "inner_id": 1,
            "project": 29,
            "file_upload": "example.json",
            **more,
        }

    return make
