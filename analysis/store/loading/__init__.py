"""Loading: files in, one transaction, a report out. Nothing is lost and nothing is half done.

All files of a load are read first, each in its own scratch database, then taken in by one transaction: items
before predictions before votes, whatever their order on the command line. A file fault refuses the whole load;
a row fault rejects the row, with line and reason.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from analysis.store.decision import apply_threshold
from analysis.store.halves import fix_halves
from analysis.store.loading.derived import derive_features
from analysis.store.loading.embeddings import check_embeddings, take_embeddings
from analysis.store.loading.faults import described_faults, whole_file
from analysis.store.loading.fresh_predictions import take_fresh_predictions
from analysis.store.loading.items import take_items
from analysis.store.loading.lost_times import count_lost_times
from analysis.store.loading.people import keep_known_names
from analysis.store.loading.planning import Arrival, check_options, make_plan, to_arrivals
from analysis.store.loading.predictions import take_predictions
from analysis.store.loading.probabilities import check_probabilities, choose_class_order, know_labels_first
from analysis.store.loading.report import FileReport, LoadReport, Tally
from analysis.store.loading.shapes import split_shapes
from analysis.store.loading.source import Source, open_sources
from analysis.store.loading.staging import LoadOptions, Plan, check_rejects, stage
from analysis.store.loading.votes import take_votes
from analysis.store.readers.scratch import watching
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Workspace, Writer, utc_now
from analysis.watch import Watch

__all__ = ["FileReport", "LoadOptions", "LoadReport", "load_files"]


def load_files(
    workspace: Workspace, files: Sequence[Path], options: LoadOptions, watch: Watch | None = None
) -> LoadReport:
    """Load files into a workspace, all of them or none.

    Parameters
    ----------
    workspace
        Where to; made if it does not exist.
    files
        Files of any format that is read. Several loads add up; the same rows twice change nothing.
    options
        What the user said.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    LoadReport
        With the files in the order in which they were named.

    Raises
    ------
    AnalysisError
        If anything needs the user; the workspace is then as before.
    """
    watch = watch or Watch()
    check_options(files, options)
    with ExitStack() as stack, described_faults(workspace.path), watching(watch):
        sources: list[Source] = []
        columns: list[str] = []
        notes: list[str] = []
        for path in files:
            watch.tell(f"Reading {Path(path).name}")
            opened = open_sources(Path(path), options.encoding)
            columns += [name for source in opened for name in source.table.names]
            for source in opened:
                stack.callback(source.scratch.close)
            split = split_shapes(opened, options)
            for source in split:
                stack.callback(source.scratch.close)
            sources += split
        arrivals = to_arrivals(sources, options, columns)
        with workspace.write(create=True) as writer, watch.interrupting(writer.interrupt):
            fix_halves(writer)  # of a workspace whose items came before loads did this
            taken = {id(arrival.source): _take_in(writer, arrival, options, watch) for arrival in arrivals}
            reports = tuple(taken[id(source)] for source in sources)
            changed = any(file.tally.changed for file in reports)
            if changed:
                fix_halves(writer)
                dropped = apply_threshold(writer)
                notes += [dropped] if dropped else []
                for file in reports:
                    _keep_report(writer, file)
                writer.bump("facts")
                writer.bump("labels")
            # A load that changes nothing leaves no trace either, not even a new version.
            writer.discarded = options.dry_run or not changed
            watch.tell("Writing the workspace")
    return LoadReport(options.dry_run, changed, reports, tuple(notes))


def _take_in(writer: Writer, arrival: Arrival, options: LoadOptions, watch: Watch) -> FileReport:
    source = arrival.source
    with watch.interrupting(source.scratch.interrupt), whole_file(source.path, source.scratch):
        plan = make_plan(writer, arrival, options)
        tally = Tally(rejects=list(source.table.rejects), notes=list(source.table.notes))
        watch.tell(f"Checking {plan.name}")
        lost = count_lost_times(plan)
        _take_rows(writer, plan, tally, watch)
        check_rejects(plan, tally.rejects, plan.source.rows - len(tally.rejects), final=True)
        source.check_unchanged()
        head = source.fetch_head()
    return _report(plan, tally, head, {**source.casts_failed, **lost})


def _take_rows(writer: Writer, plan: Plan, tally: Tally, watch: Watch) -> None:
    roles = plan.roles
    predicts = plan.kind != "votes" and plan.predicts
    if predicts and plan.kind == "items":
        know_labels_first(writer, plan)
    classes = choose_class_order(writer, plan) if predicts else ()
    stage(writer, plan)
    if predicts:
        watch.tell(f"Checking the predictions of {plan.name}")
        check_probabilities(writer, plan, classes, tally, watch)
    embeds = plan.kind != "votes" and roles.column("embedding") is not None
    if embeds:
        watch.tell(f"Checking the embedding of {plan.name}")
        check_embeddings(writer, plan, tally, watch)
    if plan.kind == "items":
        touched = take_items(writer, plan, tally, watch)
        writer.forget()
        tally.notes += derive_features(writer, plan, watch, touched=touched)
    elif roles.features:
        names = ", ".join(repr(name) for name in roles.features)
        tally.notes.append(f"These columns are not kept, as the rows are {plan.kind}: {names}.")
    if plan.kind == "votes":
        watch.tell(f"Keeping votes of {plan.name}")
        take_votes(writer, plan, tally)
        keep_known_names(writer, plan.source.table.known_names, "the export gives both for one person")
    elif predicts:
        watch.tell(f"Keeping the predictions of {plan.name}")
        if not take_fresh_predictions(writer, plan, classes, tally):
            take_predictions(writer, plan, classes, tally, watch)
    if embeds:
        watch.tell(f"Keeping the embedding of {plan.name}")
        take_embeddings(writer, plan, tally, watch)


def _report(
    plan: Plan, tally: Tally, head: Mapping[str, tuple[str | None, ...]], casts_failed: Mapping[str, int]
) -> FileReport:
    source = plan.source
    tally.rejects.sort(key=lambda reject: reject.line)
    return FileReport(
        source.path.name,
        source.sha256,
        plan.kind,
        plan.kind_reason,
        plan.split,
        source.rows,
        tally,
        casts_failed,
        plan.roles,
        source.table.part,
        dict(source.table.dialect),
        head,
    )


def _keep_report(writer: Writer, file: FileReport) -> None:
    tally = file.tally
    row = (
        file.file,
        file.sha256,
        file.kind,
        file.rows,
        tally.kept,
        len(tally.rejects),
        utc_now().replace(tzinfo=None),
        json.dumps(file.to_dict(), ensure_ascii=False),
    )
    writer.execute(
        template(
            'INSERT INTO loads (load, file, sha256, kind, rows, kept, rejected, "at", report) '
            "SELECT coalesce(max(load), 0) + 1, {row} FROM loads",
            row=Fragment("?, ?, ?, ?, ?, ?, CAST(? AS TIMESTAMP), ?", row),
        )
    )
