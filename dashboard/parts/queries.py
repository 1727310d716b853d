"""Questions to the library, each answered once for a fingerprint; the only file that caches.

The fingerprint is the first argument of the cached function: it changes with every write, so an answer can never
be older than the workspace. What has a leading underscore is no part of the key.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from analysis.commands.annotators import (
    AnnotatorsOptions,
    AnnotatorsResult,
    Confusion,
    describe_annotator,
    review_annotators,
)
from analysis.commands.files import LoadedFile, list_loaded_files
from analysis.commands.info import Info, describe_workspace
from analysis.commands.item import ItemView, show_item
from analysis.commands.labels import LabelsOptions, LabelsResult, find_suspects
from analysis.commands.one_slice import RowsPage, SliceDetail, describe_slice, fetch_slice_rows
from analysis.commands.overview import Overview, describe_overview
from analysis.commands.people import PeopleOptions, PeopleResult, review_people
from analysis.commands.request import RequestRow, list_content_columns, list_requests
from analysis.commands.saved import SavedSlice, list_saved_slices
from analysis.commands.slice_texts import ColumnChoice, describe_column_choice, list_filter_columns
from analysis.commands.slices import SlicesOptions, SlicesResult, profile_slices
from analysis.commands.workspaces import Fingerprint, Workspace, workspace_at
from dashboard.parts.jobs import Jobs
from dashboard.parts.state import Here

__all__ = [
    "annotators",
    "column_choice",
    "confusion_of",
    "content_columns",
    "files",
    "filter_columns",
    "info",
    "item",
    "jobs",
    "overview",
    "people",
    "requests",
    "rows",
    "saved_slices",
    "slice_detail",
    "slices",
    "suspects",
]

_ENTRIES = 512
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def _ask(
    here: Here,
    question: Callable[Concatenate[Workspace, Asked], Answer],
    *args: Asked.args,
    **options: Asked.kwargs,
) -> Answer:
    """Return the answer to a question about the workspace as it is now."""
    named = tuple(sorted(options.items()))
    answer: Answer = _answer(here.fingerprint, question.__qualname__, args, named, here.path, question)
    return answer


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _answer(
    key: Fingerprint,
    name: str,
    args: tuple[Any, ...],
    options: tuple[tuple[str, Any], ...],
    _path: Path,
    _question: Callable[..., Any],
) -> Any:  # noqa: ANN401  (whatever the question answers)
    del key, name
    return _question(workspace_at(_path), *args, **dict(options))


@st.cache_resource
def jobs() -> Jobs:
    """Return the jobs of this process: one queue for all sessions."""
    return Jobs()


def files(here: Here) -> tuple[LoadedFile, ...]:
    """Return the files that were loaded."""
    return _ask(here, list_loaded_files)


def info(here: Here) -> Info:
    """Return what the workspace holds."""
    return _ask(here, describe_workspace, here.model)


def overview(here: Here) -> Overview:
    """Return what Home shows, inside the active filter."""
    return _ask(here, describe_overview, model=here.model, where=here.where)


def slices(here: Here, options: SlicesOptions) -> SlicesResult:
    """Return a metric by one or two columns."""
    return _ask(here, profile_slices, options)


def slice_detail(here: Here, options: SlicesOptions) -> SliceDetail:
    """Return one slice in full."""
    return _ask(here, describe_slice, options)


def rows(
    here: Here, where: str, *, split: str | None, only: str = "all", offset: int = 0, limit: int = 100
) -> RowsPage:
    """Return one page of the rows behind a slice."""
    return _ask(here, fetch_slice_rows, where, split=split, model=here.model, only=only, offset=offset, limit=limit)


def suspects(here: Here, options: LabelsOptions) -> LabelsResult:
    """Return suspected labels, worst first."""
    return _ask(here, find_suspects, options)


def item(here: Here, item_id: str, split: str | None) -> ItemView:
    """Return everything about one item."""
    return _ask(here, show_item, item_id, split=split, model=here.model)


def annotators(here: Here, options: AnnotatorsOptions) -> AnnotatorsResult:
    """Return how people label."""
    return _ask(here, review_annotators, options)


def confusion_of(here: Here, annotator: str) -> tuple[Confusion, ...]:
    """Return one person's votes against the consensus of the others."""
    return _ask(here, describe_annotator, annotator, here.where)


def people(here: Here) -> PeopleResult:
    """Return who is who."""
    return _ask(here, review_people, PeopleOptions())


def filter_columns(here: Here) -> tuple[str, ...]:
    """Return the columns that can filter and group."""
    return _ask(here, list_filter_columns)


def column_choice(here: Here, column: str) -> ColumnChoice:
    """Return what a filter on a column may be."""
    return _ask(here, describe_column_choice, column)


def saved_slices(here: Here) -> tuple[SavedSlice, ...]:
    """Return the slices kept by name."""
    return _ask(here, list_saved_slices)


def requests(here: Here, today: date) -> tuple[RequestRow, ...]:
    """Return all requests, the newest first."""
    return _ask(here, list_requests, today=today)


def content_columns(here: Here) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that may travel with a task, and those ticked by default."""
    return _ask(here, list_content_columns)
