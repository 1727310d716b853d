"""Loading: files in, one transaction, a report out. Nothing is lost and nothing is half done.

All files of a load are read first, each in its own scratch database, then taken in by one transaction: items
before predictions before votes, whatever their order on the command line. A file fault refuses the whole load;
a row fault rejects the row, with line and reason.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from analysis.roles import Roles
from analysis.store.loading.items import take_items
from analysis.store.loading.planning import Arrival, check_options, make_plan, to_arrivals
from analysis.store.loading.predictions import take_predictions
from analysis.store.loading.probabilities import check_probabilities, choose_class_order, know_labels_first
from analysis.store.loading.report import FileReport, LoadReport, Tally
from analysis.store.loading.source import open_source
from analysis.store.loading.staging import LoadOptions, Plan, stage
from analysis.store.loading.votes import take_votes
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Workspace, Writer, utc_now

__all__ = ["FileReport", "LoadOptions", "LoadReport", "load_files"]


def load_files(workspace: Workspace, files: Sequence[Path], options: LoadOptions) -> LoadReport:
    """Load files into a workspace, all of them or none.

    Parameters
    ----------
    workspace
        Where to; made if it does not exist.
    files
        CSV, TSV or Parquet files. Several loads add up; the same rows twice change nothing.
    options
        What the user said.

    Returns
    -------
    LoadReport
        With the files in the order in which they were named.

    Raises
    ------
    AnalysisError
        If anything needs the user; the workspace is then as before.
    """
    check_options(files, options)
    with ExitStack() as stack:
        sources = []
        for path in files:
            source = open_source(Path(path), options.encoding)
            stack.callback(source.scratch.close)
            sources.append(source)
        arrivals = to_arrivals(sources, options)
        with workspace.write(create=True) as writer:
            taken = {id(arrival.source): _take_in(writer, arrival, options) for arrival in arrivals}
            reports = tuple(taken[id(source)] for source in sources)
            changed = any(file.tally.changed for file in reports)
            if changed:
                for file in reports:
                    _keep_report(writer, file)
                writer.bump("facts")
                writer.bump("labels")
            # A load that changes nothing leaves no trace either, not even a new version.
            writer.discarded = options.dry_run or not changed
    return LoadReport(options.dry_run, changed, reports)


def _take_in(writer: Writer, arrival: Arrival, options: LoadOptions) -> FileReport:
    source = arrival.source
    plan = make_plan(writer, arrival, options)
    roles = plan.roles
    tally = Tally(rejects=list(source.table.rejects))
    predicts = plan.kind != "votes" and bool(
        roles.probabilities or roles.column("predicted") or roles.column("pred_probs")
    )
    if predicts and plan.kind == "items":
        know_labels_first(writer, plan)
    classes = choose_class_order(writer, plan) if predicts else ()
    stage(writer, plan, classes)
    if predicts:
        check_probabilities(writer, plan, classes, tally)
    if plan.kind == "items":
        take_items(writer, plan, tally)
        writer.forget()
    elif roles.features:
        names = ", ".join(repr(name) for name in roles.features)
        tally.notes.append(f"These columns are not kept, as the rows are {plan.kind}: {names}.")
    if plan.kind == "votes":
        take_votes(writer, plan, tally)
    elif predicts:
        take_predictions(writer, plan, classes, tally)
    return _report(plan, roles, tally)


def _report(plan: Plan, roles: Roles, tally: Tally) -> FileReport:
    source = plan.source
    tally.rejects.sort(key=lambda reject: reject.line)
    return FileReport(
        plan.name,
        source.sha256,
        plan.kind,
        plan.kind_reason,
        plan.split,
        source.rows,
        tally,
        source.casts_failed,
        roles,
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
            "INSERT INTO loads SELECT coalesce(max(load), 0) + 1, {row} FROM loads",
            row=Fragment("?, ?, ?, ?, ?, ?, CAST(? AS TIMESTAMP), ?", row),
        )
    )
