"""Results as short texts and tables for a terminal; the same numbers as in the JSON, rounded for reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.commands.annotators import AnnotatorsResult
from analysis.commands.info import Info
from analysis.commands.labels import LabelsResult, Suspect
from analysis.commands.people import PeopleResult
from analysis.commands.positive import PositiveResult, describe_decision, say_decision
from analysis.commands.request import RequestResult
from analysis.commands.slices import SlicesResult
from analysis.intervals import wilson_interval
from analysis.store.loading import LoadReport

__all__ = [
    "Report",
    "Table",
    "describe_annotators",
    "describe_count",
    "describe_hours",
    "describe_info",
    "describe_labels",
    "describe_load",
    "describe_people",
    "describe_positive",
    "describe_rate",
    "describe_request",
    "describe_slices",
    "describe_type",
]

_SHOWN_REJECTS = 10
_TYPES = {
    "BIGINT": "whole number",
    "DOUBLE": "number",
    "VARCHAR": "text",
    "BOOLEAN": "true or false",
    "TIMESTAMP": "time",
    "BLOB": "bytes",
    "DOUBLE[]": "list of numbers",
}
_SHOWN_SUSPECTS = 20


@dataclass(frozen=True)
class Table:
    """A table of text cells; numbers are aligned right."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Report:
    """What a terminal shows: sentences first, then tables, then notes."""

    lines: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


def describe_count(number: float | None) -> str:
    """Write a count with thousands separators.

    Examples
    --------
    >>> describe_count(45222), describe_count(None)
    ('45,222', '–')
    """
    return "–" if number is None else f"{number:,.0f}"


def describe_rate(rate: float | None, low: float | None = None, high: float | None = None) -> str:
    """Write a rate as percent with one decimal, and its interval where known.

    Examples
    --------
    >>> describe_rate(0.1532, 0.148, 0.159), describe_rate(None)
    ('15.3% (14.8 to 15.9)', '–')
    """
    if rate is None:
        return "–"
    text = f"{rate:.1%}"
    return text if low is None or high is None else f"{text} ({low * 100:.1f} to {high * 100:.1f})"


def describe_hours(hours: float) -> str:
    """Write a time of work, in minutes below one hour.

    Examples
    --------
    >>> describe_hours(2.25), describe_hours(0.3)
    ('2.2 hours', '18 minutes')
    """
    if hours >= 1:
        return f"{hours:.1f} hours"
    minutes = max(1, round(hours * 60))
    return f"{minutes} minute{'s' * (minutes != 1)}"


def describe_type(duck_type: str) -> str:
    """Write a column's type in words.

    Examples
    --------
    >>> describe_type("BIGINT"), describe_type("VARCHAR")
    ('whole number', 'text')
    """
    return _TYPES.get(duck_type, duck_type.lower())


def describe_load(report: LoadReport) -> Report:
    """Describe what a load did."""
    verb = "Would load" if report.dry_run else "Loaded"
    lines = [f"{verb} {len(report.files)} file{'s' * (len(report.files) != 1)}."]
    if not report.changed:
        lines = ["Nothing changed: all rows are already there."]
    tables = []
    notes = list(report.notes)
    rows = []
    for file in report.files:
        tally = file.tally
        counts = (file.rows, tally.kept, tally.already_there, len(tally.rejects), tally.duplicates, tally.unmatched)
        rows.append((file.file, file.kind, file.split or "by id", *map(describe_count, counts)))
        notes += [f"{file.file}: {note}" for note in tally.notes]
        notes += [f"{file.file}: {column}: {n:,} values are missing now" for column, n in file.casts_failed.items()]
        if tally.renormalised:
            notes.append(f"{file.file}: {tally.renormalised:,} rows of probabilities were made to sum to 1.")
        rejects = [f"{file.file}, line {reject.line}: {reject.reason}" for reject in tally.rejects[:_SHOWN_REJECTS]]
        notes += rejects
        if len(tally.rejects) > _SHOWN_REJECTS:
            notes.append(f"{file.file}: {len(tally.rejects) - _SHOWN_REJECTS:,} more rejected rows.")
    header = ("File", "Kind", "Split", "Rows", "Kept", "Already there", "Rejected", "Duplicates", "No partner")
    tables.append(Table("Files", header, tuple(rows), frozenset(header[3:])))
    roles = [
        (file.file, role, guess.column, guess.reason)
        for file in report.files
        for role, guess in file.roles.single.items()
    ]
    roles += [
        (file.file, "probabilities", f"{len(file.roles.probabilities)} columns", ", ".join(file.roles.probabilities))
        for file in report.files
        if file.roles.probabilities
    ]
    tables.append(Table("Roles", ("File", "Role", "Column", "Why"), tuple(roles)))
    return Report(tuple(lines), tuple(tables), tuple(notes))


def describe_info(info: Info) -> Report:
    """Describe what a workspace holds."""
    overall = info.overall
    lines = [f"{describe_count(overall.items)} items, {len(info.classes)} classes, {describe_count(info.votes)} votes."]
    if overall.accuracy is not None:
        # Of several models the one that was loaded last.
        of = f" of model {info.models[-1].model!r}" if len(info.models) > 1 else ""
        lines.append(f"Accuracy {overall.accuracy:.5f}{of} over all splits: {overall.errors:,} errors.")
    if info.decision is not None:
        lines.append(f"{describe_decision(info.decision)} ({info.decision.reason}).")
    splits = Table(
        "Splits",
        ("Split", "Items", "Labelled", "Predicted", "Errors", "Accuracy"),
        tuple(
            (
                split.split or "all",
                *map(describe_count, (split.items, split.labelled, split.predicted, split.errors)),
                "–" if split.accuracy is None else f"{split.accuracy:.5f}",
            )
            for split in (*info.splits, overall)
        ),
        frozenset(("Items", "Labelled", "Predicted", "Errors", "Accuracy")),
    )
    columns = Table(
        "Columns",
        ("Column", "Role", "Type", "Why"),
        tuple((column.column, column.role, describe_type(column.type), column.reason) for column in info.columns),
    )
    notes = [*info.notes, *(f"{warning.code}: {warning.message}" for warning in info.warnings)]
    return Report(tuple(lines), (splits, columns), tuple(notes))


def describe_positive(result: PositiveResult) -> Report:
    """Describe the positive class, the threshold and what they make of a split."""
    decision = result.decision
    lines = [f"{describe_decision(decision)} ({decision.reason})."]
    if result.trials:
        recall = describe_rate(*_with_interval(result.found, result.positives))
        precision = describe_rate(*_with_interval(result.found, result.predicted))
        lines.append(
            f"On {result.split} ({result.model}) {describe_rate(result.share)} of {describe_count(result.trials)} "
            f"labels are positive; recall {recall}, precision {precision}."
        )
    return Report(tuple(lines), (), result.notes)


def _with_interval(hits: int, trials: int) -> tuple[float | None, float | None, float | None]:
    if not trials:
        return None, None, None
    return hits / trials, *wilson_interval(hits, trials)


def describe_slices(result: SlicesResult) -> Report:
    """Describe slices."""
    overall = result.overall
    what = result.metric + (f" of {result.positive}" if result.positive else "")
    line = f"{what} on {result.split} ({result.model}): {_describe_value(result, overall.rate)} over "
    line += f"{describe_count(overall.trials)} trials"
    line += "." if result.decision is None else f"; {say_decision(result.decision)}."
    counted = {"recall": "Hits", "precision": "Hits", "log_loss": "Sum"}.get(result.metric, "Errors")
    header = ("Slice", "Rows", "Trials", counted, "Rate", "Rest", "Difference", "Lift", "Excess")
    rows = tuple(
        (
            row.where.to_text(),
            describe_count(row.profile.support),
            describe_count(row.profile.trials),
            f"{row.profile.errors:,}" if isinstance(row.profile.errors, int) else f"{row.profile.errors:,.1f}",
            _describe_value(result, row.profile.rate, row.profile.low, row.profile.high),
            _describe_value(result, row.profile.rest_rate),
            _describe_signed(result, row.profile.difference),
            "–" if row.profile.lift is None else f"{row.profile.lift:.2f}",
            "–" if row.profile.excess_errors is None else f"{round(row.profile.excess_errors, 1) + 0.0:+,.1f}",
        )
        for row in result.slices
    )
    return Report((line,), (Table("Slices", header, rows, frozenset(header[1:])),), result.notes)


def _describe_value(
    result: SlicesResult, rate: float | None, low: float | None = None, high: float | None = None
) -> str:
    if result.metric != "log_loss":
        return describe_rate(rate, low, high)
    if rate is None:
        return "–"
    return f"{rate:.4f}" if low is None or high is None else f"{rate:.4f} ({low:.4f} to {high:.4f})"


def _describe_signed(result: SlicesResult, difference: float | None) -> str:
    if difference is None:
        return "–"
    return f"{difference:+.4f}" if result.metric == "log_loss" else f"{difference * 100:+.1f} points"


def describe_labels(result: LabelsResult) -> Report:
    """Describe suspects, the first twenty."""
    line = f"{describe_count(result.flagged)} suspects among {describe_count(result.items)} labels of {result.split}; "
    line += f"{describe_count(result.estimated_issues)} label errors are estimated."
    shown = result.issues[:_SHOWN_SUSPECTS]
    rows = tuple(
        (
            suspect.item_id,
            suspect.given_label,
            suspect.likely_label,
            f"{suspect.quality:.4f}",
            suspect.annotator or "–",
            " ".join(_drop_emphasis(reason.text, suspect) for reason in suspect.reasons),
        )
        for suspect in shown
    )
    notes = list(result.notes)
    if len(result.issues) > len(shown):
        notes.append(f"The first {len(shown)} of {len(result.issues):,} are shown; --format json lists all.")
    header = ("Item", "Given", "Likely", "Quality", "Annotator", "Why")
    return Report((line,), (Table("Suspects, worst first", header, rows, frozenset(("Quality",))),), tuple(notes))


def _drop_emphasis(text: str, suspect: Suspect) -> str:
    """Write a reason without the asterisks that Markdown reads around labels; a terminal shows them."""
    for label in {suspect.given_label, suspect.likely_label}:
        text = text.replace(f"*{label}*", label)
    return text


def describe_annotators(result: AnnotatorsResult) -> Report:
    """Describe how people label."""
    alpha = result.krippendorff_alpha
    lines = [f"{len(result.annotators):,} annotators, {result.votes:,} votes on {result.items:,} items."]
    if alpha.value is not None:
        interval = "" if alpha.low is None or alpha.high is None else f" ({alpha.low:.3f} to {alpha.high:.3f})"
        lines.append(f"Krippendorff's alpha {alpha.value:.3f}{interval}.")
    header = (
        "Annotator", "Votes", "Overlap", "Agreement", "Gold", "Median seconds", "Most frequent confusion", "Suspects",
    )  # fmt: skip
    rows = []
    for row in result.annotators:
        worst = row.worst_confusion
        agreement = describe_rate(row.agreement, row.low, row.high)
        rows.append(
            (
                row.annotator,
                describe_count(row.votes),
                describe_count(row.overlap),
                agreement if row.enough or row.agreement is None else f"{agreement}, few",
                describe_rate(row.gold_accuracy, row.gold_low, row.gold_high),
                "–" if row.median_seconds is None else f"{row.median_seconds:,.1f}",
                "–" if worst is None else f"said {worst.given}, others {worst.likely}: {worst.count}",
                describe_count(row.suspects),
            )
        )
    table = Table("Annotators", header, tuple(rows), frozenset(header[1:6]) | {"Suspects"})
    return Report(tuple(lines), (table,), result.notes)


def describe_people(result: PeopleResult) -> Report:
    """Describe who is who, what may be merged and what was."""
    several = sum(len(person.names) > 1 for person in result.people)
    line = f"{len(result.people):,} people, {several:,} of them under several names."
    if result.proposals:
        pairs = f"{len(result.proposals):,} pair{'s' * (len(result.proposals) != 1)}"
        line += f" {pairs} may be one person; nothing is merged until you say so: --merge A=B."
    header = ("Person", "Other names", "Team", "Time zone", "Votes", "Reviews", "First vote", "Last vote")
    people = tuple(
        (
            person.person + (", expert" if person.expert else ""),
            ", ".join(person.names[1:]) or "–",
            person.team or "–",
            person.time_zone or "–",
            describe_count(person.votes),
            describe_count(person.reviews),
            _describe_moment(person.first_vote),
            _describe_moment(person.last_vote),
        )
        for person in result.people
    )
    proposals = tuple((p.a, p.b, p.reason, describe_count(p.shared_items)) for p in result.proposals)
    merges = tuple(
        (str(m.merge), m.name, m.person, m.who or "–", _describe_moment(m.at), _describe_moment(m.undone))
        for m in result.merges
    )
    tables = (
        Table("People", header, people, frozenset(("Votes", "Reviews"))),
        Table("Perhaps one person", ("A", "B", "Why", "Items of both"), proposals, frozenset(("Items of both",))),
        Table("Merges", ("Merge", "Name", "Person", "By", "When", "Undone"), merges, frozenset(("Merge",))),
    )
    return Report((line,), tables, result.notes)


def _describe_moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def describe_request(result: RequestResult) -> Report:
    """Describe what was written."""
    hours = "" if result.hours is None else f", about {describe_hours(result.hours)} of work"
    controls = f" and {result.controls:,} controls" if result.controls else ""
    lines = [
        f"Wrote {result.mode} request {result.request_id}: {result.items:,} items{controls}{hours}.",
        f"Send what is in {result.folder}/send. Keep {result.folder}/{result.private} to yourself.",
    ]
    images = [name for name in result.files if name.startswith("send/images/")]
    files = [name for name in result.files if name not in images]
    files += [f"send/images/ with {len(images):,} images"] if images else []
    tables = [
        _count_table("Files to send", ("File",), ((name,) for name in files)),
        _count_table("By given label", ("Label", "Items"), result.by_class.items()),
    ]
    if result.left_out:
        tables.append(
            _count_table("Left out", ("Reason", "Items"), ((out.reason, out.items) for out in result.left_out))
        )
    return Report(tuple(lines), tuple(tables), result.notes)


def _count_table(title: str, header: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Table:
    cells = tuple(tuple(f"{c:,}" if isinstance(c, int) else str(c) for c in row) for row in rows)
    return Table(title, header, cells, frozenset(header[1:]))
