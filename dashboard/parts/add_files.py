"""Adding files: choose, see how they are read, correct, load, and read what became of them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from analysis.commands.load import KNOWN_ENDINGS, LoadOptions, LoadReport, Watch, load
from analysis.commands.preview import ROW_NUMBER, FileReading, list_readings, preview
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError, CancelledError
from dashboard.parts import queries, state, widgets
from dashboard.parts.jobs import Job, State
from dashboard.parts.load_report import Correction, correct_roles, draw_load_report, draw_reading
from dashboard.parts.plain import escape_markdown
from dashboard.parts.progress import draw_progress
from dashboard.parts.uploads import Uploads, find_in_root, keep_uploads

__all__ = ["Chosen", "draw_add_files", "is_own"]

_QUICK_SECONDS = 0.6  # a job that is over by then needs no progress bar


@dataclass(frozen=True)
class Chosen:
    """The files on their way in and what the user said about them.

    Attributes
    ----------
    paths, options
        The files, and what was said.
    uploads
        Keeps uploaded files on the disk; None for files of the user's own.
    """

    paths: tuple[Path, ...]
    options: LoadOptions
    uploads: Uploads | None = None


@dataclass(frozen=True)
class Refused:
    """Why files cannot be loaded as they are, and how far they could be read."""

    message: str
    readings: tuple[FileReading, ...]


def draw_add_files(workspace: Path, *, key: str) -> None:
    """Draw all that leads from files to a loaded workspace.

    Parameters
    ----------
    workspace
        Its file; made by the first load.
    key
        Distinguishes the places where files can be added.
    """
    chosen: Chosen | None = state.recall("adding")
    if chosen is None:
        _draw_choice(key)
        _draw_last_report()
        return
    names = ", ".join(escape_markdown(path.name) for path in chosen.paths)
    loading: Job | None = state.recall("load job")
    if loading is not None and loading.is_about(workspace):
        if loading.ended:
            _settle(workspace, chosen, loading)
        else:
            st.markdown(f"**{names}**")
            draw_progress(loading, may_cancel=True)
        return
    st.markdown(f"**{names}**")
    checked = _check(workspace, chosen)
    if not checked.ended:
        draw_progress(checked, may_cancel=True)
    elif isinstance(checked.result, LoadReport):
        _draw_review(workspace, chosen, checked, key)
    else:
        _draw_refusal(chosen, checked, key)


def is_own(job: Job) -> bool:
    """Tell whether this session started a job."""
    return any(job is state.recall(name) for name in ("check job", "load job"))


def _draw_choice(key: str) -> None:
    """Draw the drop zone, or a path."""
    uploads = st.file_uploader(
        "Items, predictions, votes, or all in one table; exports of labelling tools; workbooks",
        type=[ending.lstrip(".") for ending in KNOWN_ENDINGS],
        accept_multiple_files=True,
        key=f"{key} files {state.recall('loads', 0)}",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Or a path",
            key=f"{key} path",
            placeholder="train.parquet",
            help=f"A file below {state.data_root()}, the folder that the dashboard may read.",
        )
        go = st.button(
            "See how they are read",
            type="primary",
            icon=":material/fact_check:",
            disabled=not (uploads or path),
            key=f"{key} read",
        )
    if not go:
        return
    try:
        kept = keep_uploads(uploads) if uploads else None
        paths = (find_in_root(path, state.data_root()),) if kept is None else kept.paths
    except AnalysisError as error:
        st.error(escape_markdown(error.message), icon=":material/error:")
        return
    state.remember("adding", Chosen(paths, LoadOptions(dry_run=True), kept))
    state.forget("load report")
    st.rerun()


def _check(workspace: Path, chosen: Chosen) -> Job:
    """Return the job that reads the files as they are now, for the workspace as it is now."""

    def work(watch: Watch) -> LoadReport | Refused:
        try:
            return _load(workspace, chosen, watch, dry_run=True)
        except CancelledError:
            raise
        except AnalysisError as error:
            return Refused(error.message, preview(chosen.paths, chosen.options, watch))

    key = (workspace, "check", _session(), chosen.paths, chosen.options, _stamp(workspace, chosen.paths))
    known: Job | None = state.recall("check job")
    if known is not None and known.key == key:
        return known
    _forget_job("check job")
    return _start("check job", key, "Reading the files", work)


def _load(workspace: Path, chosen: Chosen, watch: Watch, *, dry_run: bool) -> LoadReport:
    found = workspace_at(workspace)
    report = load(found, list(chosen.paths), replace(chosen.options, dry_run=dry_run), watch)
    if not workspace.exists():
        found.close()
    return report


def _stamp(workspace: Path, paths: tuple[Path, ...]) -> tuple[object, ...]:
    """Return what changes when a file or the workspace does: what was read before is then no longer true."""
    files = []
    for path in paths:
        try:
            found = path.stat()
            files.append((found.st_size, found.st_mtime_ns))
        except OSError:
            files.append((-1, -1))
    return (*files, workspace_at(workspace).fingerprint() if workspace.exists() else None)


def _session() -> str:
    """Return a name of this session: two people who add the same file have a job each."""
    if state.recall("session") is None:
        state.remember("session", uuid.uuid4().hex)
    name: str = state.recall("session")
    return name


def _start(name: str, key: tuple[object, ...], title: str, work: Callable[[Watch], object]) -> Job:
    """Start a job of this session; what takes longer than a moment is drawn with its progress."""
    job = queries.jobs().start(key, title, work)
    state.remember(name, job)
    if not job.wait(_QUICK_SECONDS):
        st.rerun()
    return job


def _forget_job(name: str) -> None:
    """Drop a job of this session, and stop it if it has not ended."""
    job: Job | None = state.recall(name)
    if job is not None:
        job.cancel()
        queries.jobs().forget(job.key)
        state.forget(name)


def _draw_review(workspace: Path, chosen: Chosen, checked: Job, key: str) -> None:
    """Draw how the files were read, what may be corrected, and the button that loads them."""
    report: LoadReport = checked.result
    kept = sum(file.tally.kept for file in report.files)
    # A click is meant for what was seen: after another reading it is another button.
    seen = hash(checked.key)
    with st.container(horizontal=True):
        go = st.button(
            f"Load {widgets.plural(kept, 'row')}",
            type="primary",
            icon=":material/upload:",
            disabled=not report.changed,
            key=f"{key} load {seen}",
        )
        _draw_other(chosen, key)
    if go:
        _start(
            "load job",
            (workspace, "load", checked.key),
            "Loading the files",
            lambda watch: _load(workspace, chosen, watch, dry_run=False),
        )
        st.rerun()
    draw_load_report(report)
    _draw_settings(chosen, key, expanded=False)
    _draw_roles(chosen, list_readings(report), key=f"{key} roles {seen}")


def _draw_refusal(chosen: Chosen, checked: Job, key: str) -> None:
    """Draw why the files cannot be loaded as they are, and all that may be said about them."""
    refused = checked.result if isinstance(checked.result, Refused) else None
    message = str(checked.error) if refused is None else refused.message
    draw_error = st.info if checked.state is State.CANCELLED else st.error
    draw_error(escape_markdown(message), icon=":material/error:")
    readings = () if refused is None else refused.readings
    with st.container(horizontal=True):
        if any(not reading.has_ids for reading in readings) and st.button(
            "Take the row number as id",
            icon=":material/format_list_numbered:",
            help="Where no column names the items: the first row is item 1.",
            key=f"{key} row number",
        ):
            said = tuple(pair for pair in chosen.options.roles if pair[0] != "item_id")
            _change(chosen, replace(chosen.options, roles=(*said, ("item_id", ROW_NUMBER))))
        _draw_other(chosen, key)
    _draw_settings(chosen, key, expanded=not readings)
    _draw_roles(chosen, readings, key=f"{key} roles {hash(checked.key)}")


def _draw_other(chosen: Chosen, key: str) -> None:
    if st.button("Choose other files", icon=":material/undo:", key=f"{key} other"):
        _leave(chosen)


def _draw_roles(chosen: Chosen, readings: tuple[FileReading, ...], *, key: str) -> None:
    """Draw the columns of the files; a corrected role reads them again."""
    corrected: list[Correction] = draw_reading(readings, key=key)
    if corrected:
        roles = correct_roles(chosen.options.roles, corrected)
        _change(chosen, replace(chosen.options, roles=roles))


def _draw_settings(chosen: Chosen, key: str, *, expanded: bool) -> None:
    """Draw what can be said about the files; a change reads them again."""
    options = chosen.options
    kinds = ["guessed", "items", "predictions", "votes"]
    with st.expander("How to read them", expanded=expanded), st.form(f"{key} settings", border=False):
        left, middle, right = st.columns(3)
        split = left.text_input("Split", value=options.split or "", placeholder="a column, the file name, or train")
        kind = left.selectbox("Rows are", kinds, index=kinds.index(options.kind or "guessed"))
        model = middle.text_input("Model name", value=options.model or "", placeholder="model")
        encoding = middle.text_input("Encoding of text files", value=options.encoding or "", placeholder="detected")
        rejects = right.number_input("Refuse a larger share of faulty rows", 0.0, 1.0, options.max_rejects, 0.01)
        classes = right.text_input(
            "Order of the classes",
            value=", ".join(options.classes),
            placeholder="cat, dog",
            help="Only for probabilities in a list or a matrix: the classes in their order, with commas.",
        )
        gold = st.checkbox("The votes are those of experts", value=options.gold)
        again = st.checkbox("Known ids take the new values", value=options.replace)
        if st.form_submit_button("Read again", icon=":material/refresh:"):
            _change(
                chosen,
                replace(
                    options,
                    split=split.strip() or None,
                    kind=None if kind == "guessed" else kind,
                    model=model.strip() or None,
                    encoding=encoding.strip() or None,
                    max_rejects=rejects,
                    classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
                    gold=gold,
                    replace=again,
                ),
            )


def _change(chosen: Chosen, options: LoadOptions) -> None:
    """Read the files again, with what was said; also where it is the same as before."""
    _forget_job("check job")
    state.remember("adding", replace(chosen, options=options))
    st.rerun()


def _settle(workspace: Path, chosen: Chosen, job: Job) -> None:
    """Draw the end of a load."""
    _forget_job("load job")
    if job.state is State.DONE:
        if state.workspace_path() != workspace:
            state.set_workspace(workspace)
        state.remember("load report", job.result)
        state.remember("loads", state.recall("loads", 0) + 1)
        _leave(chosen)
    (st.info if job.state is State.CANCELLED else st.error)(
        escape_markdown(str(job.error)), icon=":material/stop_circle:"
    )
    if st.button("Back to the files", icon=":material/undo:", key="adding back"):
        st.rerun()


def _leave(chosen: Chosen) -> None:
    """Forget the files."""
    _forget_job("check job")
    _forget_job("load job")
    state.forget("adding")
    if chosen.uploads is not None:
        chosen.uploads.drop()
    st.rerun()


def _draw_last_report() -> None:
    report = state.recall("load report")
    if report is not None:
        with st.container(border=True):
            draw_load_report(report)
