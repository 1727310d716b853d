"""``relook slices``: a metric by one or two columns, or inside one slice, against the rest."""

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from analysis.commands.positive import Decision, advise_rare
from analysis.commands.results import to_json
from analysis.core.facts import Population, list_columns
from analysis.core.grouping import GroupCounts, count_groups, fit_grouping
from analysis.core.metrics import LOSS_UNIT, METRICS, MetricSql, resolve_metric
from analysis.core.predicate import Slice
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError
from analysis.slices import SliceProfile, compute_profile
from analysis.store.decision import read_decision
from analysis.store.workspace import Snapshot, Workspace

__all__ = [
    "SliceRow",
    "SlicesOptions",
    "SlicesResult",
    "list_metrics",
    "list_slice_columns",
    "profile_slices",
    "profile_slices_in",
]

_MAX_BY = 2
_PLAIN = METRICS["error_rate"]


@dataclass(frozen=True)
class SlicesOptions:
    """What ``relook slices`` takes.

    Attributes
    ----------
    split, model
        None takes the default (eval; the model loaded last).
    metric, positive
        The metric, and its class where it is one of a class; None there takes the positive class of a binary
        problem.
    where
        A slice as text: only these rows are grouped, and "rest" is the rest of them. Without ``by`` the slice
        itself is the one row, against the rest of the split.
    by
        One or two columns.
    min_support
        Below 1 a share of the rows, from 1 on a number of rows: smaller groups are counted out and noted.
    top
        Only the first so many groups; None for all.
    """

    split: str | None = None
    model: str | None = None
    metric: str = "error_rate"
    positive: str | None = None
    where: str = "all"
    by: tuple[str, ...] = ()
    min_support: float = 0.0
    top: int | None = None


@dataclass(frozen=True)
class SliceRow:
    """One slice with its profile."""

    where: Slice
    profile: SliceProfile

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of one slice; what only a search knows is null."""
        found = to_json(self.profile)
        return {
            "slice": self.where.to_text(),
            "sentence": self.where.to_sentence(),
            "predicates": to_json(self.where.to_json()),
            "level": self.where.level,
            **found,
            "p_value": None,
            "q_value": None,
            "confirmed": None,
            "folded": [],
            "discovery": None,
        }


@dataclass(frozen=True)
class SlicesResult:
    """A metric by group; the JSON of ``relook slices --by``."""

    split: str
    model: str
    metric: str
    positive: str | None
    labels_as_of: int
    where: str
    by: tuple[str, ...]
    overall: SliceProfile
    overlaps: bool
    slices: tuple[SliceRow, ...]
    notes: tuple[str, ...] = ()
    decision: Decision | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook slices``."""
        return {
            "split": self.split,
            "model": self.model,
            "metric": self.metric,
            "class": self.positive,
            "decision": to_json(self.decision),
            "labels_as_of": self.labels_as_of,
            "where": self.where,
            "by": list(self.by),
            "rows": self.overall.support,
            "trials": self.overall.trials,
            "errors": self.overall.errors,
            "overall_rate": self.overall.rate,
            "exact": True,
            "search_rows": None,
            "confirm_rows": None,
            "fdr": None,
            "null_check": None,
            "left_out": [],
            "slices": [row.to_dict() for row in self.slices],
            "notes": list(self.notes),
        }


def list_metrics() -> dict[str, tuple[str, bool]]:
    """Return the metrics by name: title, and whether it is a metric of one class."""
    return {metric.name: (metric.title, metric.needs_class) for metric in METRICS.values()}


def list_slice_columns(workspace: Workspace) -> tuple[str, ...]:
    """Return the columns that can slice."""
    with workspace.read() as snapshot:
        return list_columns(snapshot)


def profile_slices(workspace: Workspace, options: SlicesOptions) -> SlicesResult:
    """Profile the groups of one or two columns, or one slice.

    Parameters
    ----------
    workspace
        An existing workspace with items and predictions.
    options
        What to group and count.

    Returns
    -------
    SlicesResult
        Slices by excess errors, largest first (for recall and precision: fewest first), then level, then text.

    Raises
    ------
    AnalysisError
        If a name does not exist, or neither columns nor a slice is given.
    """
    with workspace.read() as snapshot:
        return profile_slices_in(snapshot, options)


def profile_slices_in(snapshot: Snapshot, options: SlicesOptions) -> SlicesResult:
    """Profile slices in a snapshot that is already open; see :func:`profile_slices`."""
    if len(options.by) > _MAX_BY or len(set(options.by)) != len(options.by):
        raise AnalysisError(f"--by takes one or two different columns, got {list(options.by)}.")
    if options.top is not None and options.top < 1:
        raise AnalysisError(f"--top is a number of groups from 1 on, got {options.top}.")
    where = parse_slice(options.where)
    if not options.by and not where.predicates:
        raise AnalysisError(
            "Nothing to compare: name one or two columns with --by, or a slice with --where, for example "
            "--by age --by @annotator, or --where 'age >= 60'."
        )
    split, note = snapshot.resolve_split(options.split, "eval")
    model = snapshot.resolve_model(options.model)
    decision = read_decision(snapshot)
    if options.positive is None and decision is not None and METRICS.get(options.metric, _PLAIN).needs_class:
        options = replace(options, positive=decision.positive_class)
    metric = resolve_metric(
        options.metric,
        positive=options.positive,
        classes=snapshot.classes,
        model_classes=model.classes,
    )
    population = Population.of(snapshot, split=split, model=model.code, where=where, named=options.by)
    notes = [note] if note else []
    if decision is not None and options.metric == "error_rate":
        notes += advise_rare(snapshot, decision, split, model)
    result = _profile(snapshot, population, metric, options, where, notes)
    return replace(result, split=split, model=model.name, labels_as_of=snapshot.labels_as_of, decision=decision)


def _profile(
    snapshot: Snapshot,
    population: Population,
    metric: MetricSql,
    options: SlicesOptions,
    where: Slice,
    notes: list[str],
) -> SlicesResult:
    unit = LOSS_UNIT if metric.metric.kind == "loss" else 1
    groupings = [fit_grouping(snapshot, population, column) for column in options.by]
    overall = count_groups(snapshot, population, metric, whole_split=not options.by)[0]
    groups = count_groups(snapshot, population, metric, groupings)
    if overall.trials == 0:
        notes.append("No row counts for this metric: it needs items with a label and a prediction.")
    overlaps = any(grouping.overlaps for grouping in groupings)
    if overlaps:
        notes.append("Several people may have voted on one item, so these slices overlap.")
    least = _least_support(options.min_support, overall.support)
    kept = [group for group in groups if group.support >= least]
    if len(kept) < len(groups):
        notes.append(f"{len(groups) - len(kept):,} groups with fewer than {least:,} rows are left out.")
    profiles = compute_profile([_to_counts(group) for group in kept], _to_counts(overall), unit=unit)
    rows = [
        SliceRow(Slice((*where.predicates, *group.predicates)), profile)
        for group, profile in zip(kept, profiles, strict=True)
    ]
    sign = 1 if metric.metric.better == "lower" else -1
    rows.sort(key=lambda row: (-sign * (row.profile.excess_errors or 0.0), row.where.level, row.where.to_text()))
    if options.top is not None and len(rows) > options.top:
        notes.append(f"The first {options.top:,} of {len(rows):,} groups are listed.")
        rows = rows[: options.top]
    return SlicesResult(
        split="",
        model="",
        metric=metric.metric.name,
        positive=options.positive,
        labels_as_of=0,
        where=where.to_text(),
        by=options.by,
        overall=compute_profile([_to_counts(overall)], _to_counts(overall), unit=unit)[0],
        overlaps=overlaps,
        slices=tuple(rows),
        notes=tuple(notes),
    )


def _least_support(min_support: float, rows: int) -> int:
    """Below 1 a share, rounded up; from 1 on a number of rows."""
    if not 0 <= min_support < math.inf:
        raise AnalysisError(f"--min-support is a share below 1 or a number of rows, got {min_support:g}.")
    if min_support >= 1:
        return math.ceil(min_support)
    # The decimal that was typed: 0.07 of 100 rows are 7, and as doubles they are a little more.
    return math.ceil(Decimal(str(min_support)) * rows)


def _to_counts(group: GroupCounts) -> tuple[int, int, int, int]:
    return group.support, group.trials, group.numerator, group.squares
