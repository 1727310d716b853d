"""``relook request``: items out to people, as files that labelling tools take."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from analysis.commands.candidates import SOURCES, choose_assignees, describe_repeats, find_candidates, find_trusted
from analysis.commands.results import to_json
from analysis.errors import AnalysisError, UnknownNameError
from analysis.relabel import FORMATS, ColumnKind, Mode, Request, RequestFiles, RequestSpec, build_request, to_files
from analysis.store.files import remove_folder, write_folder
from analysis.store.sql import Fragment, column_of, identifier, join, template, value
from analysis.store.workspace import Model, Snapshot, Workspace, Writer, utc_now

__all__ = [
    "FORMATS",
    "SOURCES",
    "RequestOptions",
    "RequestResult",
    "RequestRow",
    "list_content_columns",
    "list_requests",
    "write_request",
]

_BUILDS: Final = 2  # one, and one more where a load came between


@dataclass(frozen=True)
class RequestOptions:
    """What ``relook request`` takes.

    Attributes
    ----------
    sources
        Where the items come from, for example ``("labels",)`` or ``('slice:age >= 60',)``.
    basket
        Picked items (split, item id), before all sources.
    tool
        One of :data:`FORMATS`, or several with commas.
    out
        The folder in which the request's folder is made.
    budget, hours
        At most so many items, or hours of work (needs known seconds).
    mode
        ``blind``: the task shows the item alone. ``assisted``: also item id and suggestion.
    assign
        Who labels; nobody is given an item again.
    columns
        The columns that travel; empty takes text and image, or else all.
    seed
        Draws tokens, order and controls; None draws one that nobody outside can guess, since a token that can
        be repeated from an id is not opaque. The manifest keeps it.
    """

    sources: tuple[str, ...]
    out: Path
    tool: str = "label-studio"
    basket: tuple[tuple[str, str], ...] = ()
    budget: int | None = None
    hours: float | None = None
    mode: Mode = "blind"
    assign: tuple[str, ...] = ()
    votes_per_item: int = 1
    controls: int = 0
    due: date | None = None
    who: str | None = None
    split: str | None = None
    model: str | None = None
    columns: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """Candidates that are not in the request, by reason."""

    reason: str
    items: int


@dataclass(frozen=True)
class RequestResult:
    """What was written; the JSON of ``relook request``.

    Attributes
    ----------
    files
        What to send, below ``folder``.
    private
        The manifest, never to be sent.
    """

    request_id: str
    mode: str
    items: int
    controls: int
    hours: float | None
    folder: str
    files: tuple[str, ...]
    private: str
    by_class: dict[str, int]
    by_annotator: dict[str, int]
    by_assignee: dict[str, int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook request``."""
        found: dict[str, Any] = to_json(self)
        return found


@dataclass(frozen=True)
class RequestRow:
    """One request in the list."""

    request_id: str
    created_at: datetime
    mode: str
    tool: str
    who: str | None
    due: date | None
    folder: str
    sources: str
    items: int
    controls: int
    hours: float | None
    status: str


@dataclass(frozen=True, eq=False)
class _Draft:
    """A request before it is kept, and the versions of what it was built from."""

    request: Request
    files: RequestFiles
    folder: Path
    notes: tuple[str, ...]
    basis: tuple[object, ...]


def list_content_columns(workspace: Workspace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that may travel with a task, and those ticked by default."""
    with workspace.read() as snapshot:
        kinds = _content_kinds(snapshot)
    return tuple(kinds), _default_columns(kinds)


def list_requests(workspace: Workspace, *, today: date) -> tuple[RequestRow, ...]:
    """Return all requests, the newest first; one past its due day without an answer is overdue."""
    query = Fragment(
        "SELECT r.request, r.created_at, r.mode, r.tool, r.who, r.due, r.folder, r.sources, r.items, r.controls, "
        "r.hours, (SELECT count(*) FROM answers a WHERE a.request = r.request) FROM requests r "
        "ORDER BY r.created_at DESC, r.request DESC"
    )
    with workspace.read() as snapshot:
        rows = snapshot.fetch_all(query)
    found = []
    for row in rows:
        due, answers = row[5], row[-1]
        status = "overdue" if due is not None and due < today and not answers else "out"
        found.append(RequestRow(*row[:-1], status))  # type: ignore[call-arg]  # a row of the query is one of these
    return tuple(found)


def write_request(workspace: Workspace, options: RequestOptions) -> RequestResult:
    """Write a request: its files below ``out``, and its record in the workspace, both or neither.

    Parameters
    ----------
    workspace
        An existing workspace.
    options
        Which items, for whom, in which form.

    Returns
    -------
    RequestResult

    Raises
    ------
    AnalysisError
        If the sources hold nothing, a name does not exist, the folder cannot be written, or the workspace changed
        twice while the request was built.
    """
    tools = tuple(options.tool.split(","))
    for tool in tools:
        if tool not in FORMATS:
            raise UnknownNameError("format", tool, FORMATS)
    draft = _record(workspace, options, tools)
    request, files = draft.request, draft.files
    return RequestResult(
        request_id=request.spec.request_id,
        mode=request.spec.mode,
        items=request.items,
        controls=request.controls,
        hours=request.hours,
        folder=str(draft.folder),
        files=tuple(sorted(files.send)),
        private="private/manifest.json",
        by_class=request.by_class,
        by_annotator=request.by_annotator,
        by_assignee=request.by_assignee,
        left_out=tuple(LeftOut(reason, items) for reason, items in request.left_out),
        notes=(*draft.notes, *request.notes, *files.notes),
    )


def _record(workspace: Workspace, options: RequestOptions, tools: Sequence[str]) -> _Draft:
    """Build the request while others may read, and keep it in a write of a moment.

    A request of which the name was taken meanwhile is built again (its tasks are drawn from the name), and one of
    which the facts or labels changed too, but that only once.
    """
    changes = 0
    while changes < _BUILDS:
        with workspace.read() as snapshot:
            draft = _draft(snapshot, options, tools)
        made = False
        try:
            with workspace.write() as writer:
                if _basis(writer) != draft.basis:
                    changes += 1
                    continue
                if not _is_free(writer, draft.folder):
                    continue
                _keep(writer, draft, options)
                writer.bump("work")
                # Last: if this fails the record is rolled back.
                write_folder(draft.folder, draft.files.all)
                made = True
        except BaseException:
            # The commit failed, or came and was interrupted: the folder stays only beside its record.
            if made and not _is_recorded(workspace, draft.folder):
                remove_folder(draft.folder)
            raise
        return draft
    raise AnalysisError("The workspace changed while the request was built; try again.")


def _basis(snapshot: Snapshot) -> tuple[object, ...]:
    """Return the versions of all that a request is built from."""
    found = snapshot.fingerprint()
    return found.workspace_id, found.facts, found.labels, found.labels_as_of


def _is_free(snapshot: Snapshot, folder: Path) -> bool:
    return not os.path.lexists(folder) and folder.name not in _fetch_ids(snapshot)


def _is_recorded(workspace: Workspace, folder: Path) -> bool:
    with suppress(AnalysisError), workspace.read() as snapshot:
        return folder.name in _fetch_ids(snapshot)
    return False


def _fetch_ids(snapshot: Snapshot) -> set[str]:
    return {name for (name,) in snapshot.fetch_all(Fragment("SELECT request FROM requests"))}


def _draft(snapshot: Snapshot, options: RequestOptions, tools: Sequence[str]) -> _Draft:
    model = snapshot.resolve_model(options.model) if snapshot.models or options.model else None
    request, notes = _build(snapshot, options, model)
    kinds = _content_kinds(snapshot)
    roles = {name: _kind_of(name, kinds) for name in options.columns or _default_columns(kinds)}
    files = to_files(request, _fetch_content(snapshot, request, tuple(roles)), roles, tools)
    folder = Path(options.out) / request.spec.request_id
    notes += describe_repeats(snapshot, request.tasks)
    return _Draft(request, files, folder, tuple(notes), _basis(snapshot))


def _build(snapshot: Snapshot, options: RequestOptions, model: Model | None) -> tuple[Request, list[str]]:
    candidates, notes = find_candidates(snapshot, options.sources, options.basket, split=options.split, model=model)
    if not snapshot.classes:
        raise AnalysisError("The workspace has no classes to choose from. Load labels first.")
    now = utc_now()
    spec = RequestSpec(
        request_id=_choose_id(snapshot, options.out, now.date()),
        created_at=now,
        labels=snapshot.classes,
        mode=options.mode,
        budget_items=options.budget,
        budget_hours=options.hours,
        assignees=choose_assignees(snapshot, options.assign, notes),
        votes_per_item=options.votes_per_item,
        controls=options.controls,
        due=options.due,
        contact=options.who,
        purpose="; ".join([*options.sources, *(["basket"] if options.basket else [])]),
        seed=secrets.randbits(63) if options.seed is None else options.seed,
        model=model.name if model else None,
    )
    pool = find_trusted(snapshot, options.split) if options.controls else None
    return build_request(candidates, spec, control_pool=pool), notes


def _choose_id(snapshot: Snapshot, out: Path, today: date) -> str:
    """Return the day's next free name: rq-2026-11-21-a, -b, ..., -z, -aa."""
    taken = _fetch_ids(snapshot)
    number = 0
    while True:
        letters, rest = "", number
        while rest >= 0:
            letters = chr(ord("a") + rest % 26) + letters
            rest = rest // 26 - 1
        name = f"rq-{today.isoformat()}-{letters}"
        if name not in taken and not os.path.lexists(Path(out) / name):
            return name
        number += 1


def _content_kinds(snapshot: Snapshot) -> dict[str, ColumnKind]:
    """Return the columns that may travel: text and images as such, all else as a line beside them."""
    kinds: dict[str, ColumnKind] = {}
    for column in snapshot.columns:
        if column.stored_as is None or column.type == "DOUBLE[]" or column.role == "derived":
            continue
        if column.role == "image" or column.type == "BLOB":
            kinds[column.name] = "image"
        else:
            kinds[column.name] = "text" if column.role == "text" else "field"
    return kinds


def _default_columns(kinds: dict[str, ColumnKind]) -> tuple[str, ...]:
    shown = tuple(name for name, kind in kinds.items() if kind != "field")
    return shown or tuple(kinds)


def _kind_of(name: str, kinds: dict[str, ColumnKind]) -> ColumnKind:
    if name not in kinds:
        raise UnknownNameError("column", name, kinds)
    return kinds[name]


def _fetch_content(snapshot: Snapshot, request: Request, names: Sequence[str]) -> pd.DataFrame:
    """Return the ticked columns of the request's items, indexed by split and id."""
    stored = {column.name: column.stored_as for column in snapshot.columns if column.stored_as}
    selected = [
        template(
            "{place} AS {name}",
            place=column_of("f", identifier(stored[name], stored.values())),
            name=Fragment(f"c{index}"),
        )
        for index, name in enumerate(names)
    ]
    tasks = request.tasks
    query = template(
        "SELECT i.split AS k0, i.item_id AS k1, {selected} FROM items i JOIN features f ON f.item = i.item "
        "WHERE (i.split, i.item_id) IN (SELECT unnest({splits}), unnest({ids})) ORDER BY i.item",
        selected=join(", ", selected),
        splits=value([str(name) for name in tasks["split"]]),
        ids=value([str(name) for name in tasks["item_id"]]),
    )
    frame = snapshot.fetch(query).set_index(["k0", "k1"])
    frame.index.names = ["split", "item_id"]
    frame.columns = pd.Index(list(names))
    return frame


def _keep(writer: Writer, draft: _Draft, options: RequestOptions) -> None:
    request, spec = draft.request, draft.request.spec
    row = (
        spec.request_id,
        spec.created_at.replace(tzinfo=None),
        spec.mode,
        options.tool,
        options.who,
        spec.due,
        str(draft.folder),
        spec.purpose,
        request.items,
        request.controls,
        request.hours,
        draft.files.private["private/manifest.json"].decode("utf-8"),
    )
    writer.execute(Fragment("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row))
    names = ["relook_task", "split", "item_id", "assignee", "role", "rank"]
    writer.take_in("asked", pa.Table.from_pandas(request.tasks[names], preserve_index=False))
    writer.execute(
        Fragment(
            "INSERT INTO request_items SELECT ?, a.relook_task, i.item, a.assignee, a.role, a.rank "
            "FROM asked a JOIN items i ON i.split = a.split AND i.item_id = a.item_id ORDER BY a.rowid",
            (spec.request_id,),
        )
    )
    writer.execute(Fragment("DROP TABLE asked"))
