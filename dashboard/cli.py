"""The ``relook`` command.

Exit 0: done. 2: the user can mend it (one clear message on standard error, standard output empty). 1: our fault
(one line and the path of a log). 130: interrupted. ``--format json`` prints one JSON object and nothing else.
"""

import json
import sys
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from analysis.commands import text
from analysis.commands.annotators import AnnotatorsOptions, review_annotators
from analysis.commands.duplicates import find_workspace_duplicates
from analysis.commands.faults import describe_fault
from analysis.commands.info import describe_workspace
from analysis.commands.labels import LabelsOptions, find_suspects
from analysis.commands.load import LoadOptions, load, read_classes
from analysis.commands.people import PeopleOptions, read_merge, review_people
from analysis.commands.positive import choose_positive, describe_positive
from analysis.commands.request import RequestOptions, write_request
from analysis.commands.slices import SlicesOptions, profile_slices
from analysis.commands.text_duplicates import describe_duplicates
from analysis.commands.workspaces import Workspace, check_readable, workspace_at
from analysis.errors import AnalysisError

__all__ = ["app", "main"]

_PIPE_WIDTH = 160

app = typer.Typer(
    name="relook",
    help="Error analysis that joins a model's errors with the labels and the people behind them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"relook {version('relook')}\n")
        raise typer.Exit


@app.callback()
def common_(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Error analysis that joins a model's errors with the labels and the people behind them."""


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


class _Result(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


ResultT = TypeVar("ResultT", bound=_Result)

WorkspacePath = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", help="The workspace file, for example digits.relook.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="The split to look at.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="The model; the one loaded last if not said.")]
PortOption = Annotated[int | None, typer.Option("--port", help="The port; a free one from 8501 on if not said.")]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="Do not open a browser.")]


def _show(result: ResultT, how: Format, describe: Callable[[ResultT], text.Report]) -> None:
    """Print a result: JSON whole, or sentences, tables and notes."""
    if how is Format.JSON:
        sys.stdout.write(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        return
    report = describe(result)
    # A file or a pipe has no width; 80 columns would break most cells.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for line in report.lines:
        console.print(escape(line))
    for table in report.tables:
        if not table.rows:
            continue
        drawn = RichTable(title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for name in table.header:
            drawn.add_column(name, justify="right" if name in table.numeric else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(*map(escape, row))
        console.print()
        console.print(drawn)
    for note in report.notes:
        console.print(f"\nNote: {escape(note)}")


def _existing(path: Path) -> Workspace:
    workspace = workspace_at(path)
    check_readable(workspace)
    return workspace


@app.command("load")
def load_(
    workspace: WorkspacePath,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tables, workbooks, matrices or exports.")],
    split: Annotated[
        str | None, typer.Option(help="The split of all rows; else a column, the file name, or train.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="items, predictions or votes; else guessed and reported.")] = None,
    role: Annotated[list[str] | None, typer.Option(metavar="ROLE=COLUMN", help="Say what a column is.")] = None,
    model: Annotated[str | None, typer.Option(help="The name of the model that predicted.")] = None,
    gold: Annotated[bool, typer.Option("--gold", help="The votes are those of experts.")] = False,
    classes: Annotated[Path | None, typer.Option(help="The order of the classes, one a line.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text files; detected if not said.")] = None,
    max_rejects: Annotated[float, typer.Option(help="Refuse a file with a larger share of faulty rows.")] = 0.01,
    replace: Annotated[bool, typer.Option("--replace", help="Known ids take the new values.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and keep nothing.")] = False,
    how: FormatOption = Format.TEXT,
) -> None:
    """Load tables of items, predictions and votes. Several loads add up; the same rows twice change nothing."""
    options = LoadOptions(
        split=split,
        kind=kind,  # type: ignore[arg-type]  # checked by the command, whose message names the kinds
        roles=tuple(_read_role(text_) for text_ in role or ()),
        model=model,
        gold=gold,
        classes=read_classes(classes) if classes else (),
        encoding=encoding,
        max_rejects=max_rejects,
        replace=replace,
        dry_run=dry_run,
    )
    _show(load(workspace_at(workspace), files, options), how, text.describe_load)


def _read_role(given: str) -> tuple[str, str]:
    role, equals, column = given.partition("=")
    if not equals or not role or not column:
        raise AnalysisError(f"--role takes ROLE=COLUMN, got {given!r}. For example --role item_id=image_name.")
    return role, column


@app.command("info")
def info_(workspace: WorkspacePath, how: FormatOption = Format.TEXT) -> None:
    """Say what a workspace holds."""
    _show(describe_workspace(workspace_at(workspace)), how, text.describe_info)


@app.command("duplicates")
def duplicates_(
    workspace: WorkspacePath,
    near: Annotated[bool, typer.Option("--near", help="Items that are almost equal, instead of equal ones.")] = False,
    split: SplitOption = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """List items that say the same, or almost the same, also in different splits."""
    result = find_workspace_duplicates(workspace_at(workspace), kind="near" if near else "exact", split=split)
    _show(result, how, describe_duplicates)


@app.command("positive")
def positive_(
    workspace: WorkspacePath,
    positive: Annotated[str | None, typer.Argument(metavar="[CLASS]", help="The positive class of the two.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="It is predicted where its probability is at least this.")
    ] = None,
    no_threshold: Annotated[
        bool, typer.Option("--no-threshold", help="Predict what was loaded: the more probable class.")
    ] = False,
    split: SplitOption = None,
    model: ModelOption = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """Say or set the positive class of a binary problem and the threshold from which it is predicted."""
    found = workspace_at(workspace)
    if positive is None and threshold is None and not no_threshold:
        result = describe_positive(found, split=split, model=model)
    else:
        result = choose_positive(
            found, positive, threshold=threshold, forget_threshold=no_threshold, split=split, model=model
        )
    _show(result, how, text.describe_positive)


@app.command("slices")
def slices_(
    workspace: WorkspacePath,
    split: SplitOption = None,
    model: ModelOption = None,
    metric: Annotated[
        str, typer.Option(help="error_rate, false_positives, false_negatives, recall, precision, log_loss.")
    ] = "error_rate",
    positive: Annotated[
        str | None, typer.Option("--class", help="The class of recall, precision and the like.")
    ] = None,
    where: Annotated[str, typer.Option(metavar="SLICE", help="Only these rows, for example 'age >= 60'.")] = "all",
    by: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="One or two columns.")] = None,
    min_support: Annotated[float, typer.Option(help="Leave out smaller groups: a share below 1, or rows.")] = 0.0,
    top: Annotated[int | None, typer.Option(min=1, help="Only the first so many; all if not said.")] = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """Profile the groups of one or two columns, or one slice, against the rest."""
    options = SlicesOptions(split, model, metric, positive, where, tuple(by or ()), min_support, top)
    _show(profile_slices(workspace_at(workspace), options), how, text.describe_slices)


@app.command("labels")
def labels_(
    workspace: WorkspacePath,
    split: SplitOption = None,
    model: ModelOption = None,
    filter_by: Annotated[str, typer.Option(help="Which labels are suspects.")] = "prune_by_noise_rate",
    rank_by: Annotated[str, typer.Option(help="In which order.")] = "normalized_margin",
    top: Annotated[int | None, typer.Option(min=1, help="Only the worst so many; all if not said.")] = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """List suspected labels, worst first, each with its reason."""
    options = LabelsOptions(split, model, filter_by, rank_by, top)
    _show(find_suspects(workspace_at(workspace), options), how, text.describe_labels)


@app.command("annotators")
def annotators_(
    workspace: WorkspacePath,
    where: Annotated[str, typer.Option(metavar="SLICE", help="Only votes on these items.")] = "all",
    names: Annotated[bool, typer.Option("--names/--no-names", help="Names, or pseudonyms for sharing.")] = True,
    how: FormatOption = Format.TEXT,
) -> None:
    """Show how people label, each against the others, with intervals."""
    result = review_annotators(workspace_at(workspace), AnnotatorsOptions(where, names))
    _show(result, how, text.describe_annotators)


@app.command("people")
def people_(
    workspace: WorkspacePath,
    file: Annotated[
        Path | None, typer.Option(help="A table of people: person, name, id, email, team, time_zone.")
    ] = None,
    merge: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PERSON", help="Two names are one person; may be repeated.")
    ] = None,
    undo: Annotated[int | None, typer.Option(metavar="N", help="Take the merge of this number back.")] = None,
    names: Annotated[bool, typer.Option("--names/--no-names", help="Names, or pseudonyms for sharing.")] = True,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who says so.")] = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """Say who is behind the names, propose which names are one person, merge them and undo it."""
    merges = tuple(read_merge(pair) for pair in merge or ())
    options = PeopleOptions(file=file, merges=merges, undo=undo, names=names, who=who)
    _show(review_people(workspace_at(workspace), options), how, text.describe_people)


@app.command("request")
def request_(
    workspace: WorkspacePath,
    source: Annotated[
        list[str],
        typer.Option(
            "--from", metavar="SOURCE", help="labels, slice:TEXT, annotator:NAME or ids:FILE; may be repeated."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder in which the request's folder is made.")],
    tool: Annotated[str, typer.Option("--to", help="label-studio or csv; both with a comma.")] = "label-studio",
    budget: Annotated[int | None, typer.Option(min=1, help="At most so many items.")] = None,
    hours: Annotated[float | None, typer.Option(help="At most so many hours of work.")] = None,
    blind: Annotated[
        bool, typer.Option("--blind/--assisted", help="Show the item alone, or the suggestion too.")
    ] = True,
    assign: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Who labels; may be repeated.")] = None,
    votes_per_item: Annotated[int, typer.Option(min=1, help="How many people label each item.")] = 1,
    controls: Annotated[int, typer.Option(min=0, help="Items with a gold label to mix in.")] = 0,
    due: Annotated[str | None, typer.Option(metavar="DATE", help="When the answers are wanted, as 2026-01-31.")] = None,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who asks.")] = None,
    split: SplitOption = None,
    model: ModelOption = None,
    show: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Columns that travel; else text and image.")
    ] = None,
    how: FormatOption = Format.TEXT,
) -> None:
    """Write a relabel request as files that labelling tools take."""
    options = RequestOptions(
        sources=tuple(source),
        out=out,
        tool=tool,
        budget=budget,
        hours=hours,
        mode="blind" if blind else "assisted",
        assign=tuple(assign or ()),
        votes_per_item=votes_per_item,
        controls=controls,
        due=_read_date(due) if due else None,
        who=who,
        split=split,
        model=model,
        columns=tuple(show or ()),
    )
    _show(write_request(workspace_at(workspace), options), how, text.describe_request)


def _read_date(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise AnalysisError(f"--due takes a date such as 2026-01-31, got {given!r}.") from error


@app.command("serve")
def serve_(
    workspace: WorkspacePath,
    port: PortOption = None,
    headless: HeadlessOption = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    data_root: Annotated[
        Path | None, typer.Option(help="The folder from which pages may load files; else this one.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow an address that others can reach.")] = False,
) -> None:
    """Open the dashboard on a workspace."""
    from dashboard.parts.serving import serve

    _existing(workspace)
    serve(workspace, port=port, headless=headless, host=host, data_root=data_root or Path.cwd(), insecure=insecure)


@app.command("demo")
def demo_(port: PortOption = None, headless: HeadlessOption = False) -> None:
    """Open the dashboard on the sample: support tickets, a model, and the people who labelled them."""
    from dashboard.parts.serving import make_demo, serve

    workspace, sample = make_demo()
    serve(workspace, port=port, headless=headless, host="127.0.0.1", data_root=sample, insecure=False)


def main() -> None:
    """Run the command and turn every end into the right exit code."""
    try:
        code = app(standalone_mode=False)
    except AnalysisError as error:
        sys.stderr.write(f"relook: {error.message}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        _end_interrupted()
    except Exception as error:  # noqa: BLE001  (the one edge: users never see a traceback)
        # DuckDB may see Ctrl+C before Python does, and tells it as an error of its own.
        if isinstance(error, RuntimeError) and str(error) == "Query interrupted":
            _end_interrupted()
        if _tell_usage(error):
            sys.exit(2)
        sys.stderr.write(f"relook: {describe_fault(error)}\n")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _end_interrupted() -> NoReturn:
    sys.stderr.write("relook: interrupted. The workspace is as it was.\n")
    sys.exit(130)


def _tell_usage(error: Exception) -> bool:
    """Say what is wrong with the command line itself; False if that is not what happened."""
    describe = getattr(error, "format_message", None)
    if describe is None:
        return False
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # Its message is the help itself.
        sys.stderr.write(f"{describe()}\n")
        return True
    where = context.command_path if context is not None else "relook"
    sys.stderr.write(f"relook: {describe()} See `{where} --help`.\n")
    return True
