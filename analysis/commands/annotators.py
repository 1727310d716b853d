"""``relook annotators``: how people label, each against the others, with intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.annotators import (
    compute_alpha_interval,
    compute_annotator_quality,
    compute_confusion,
    compute_pace,
)
from analysis.commands.labels import LabelsOptions, find_suspects_in
from analysis.commands.results import to_json
from analysis.core.facts import Population
from analysis.core.panel import fetch_gold, fetch_panel
from analysis.core.people import resolve_names
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot, Workspace

__all__ = [
    "Alpha",
    "AnnotatorRow",
    "AnnotatorsOptions",
    "AnnotatorsResult",
    "Confusion",
    "Flag",
    "describe_annotator",
    "review_annotators",
]

_SEED = 0
_RESAMPLES = 500


@dataclass(frozen=True)
class AnnotatorsOptions:
    """What ``relook annotators`` takes.

    Attributes
    ----------
    where
        Only votes on the items of this slice, over all splits.
    names
        False writes pseudonyms: stable in this workspace, and no hash of a name.
    model
        Whose suspects are counted, and whose predictions ``where`` may name; None takes the one loaded last.
    """

    where: str = "all"
    names: bool = True
    model: str | None = None


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha, nominal, with a bootstrap interval over items; None where undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Confusion:
    """How often somebody said ``given`` where the others said ``likely``."""

    given: str
    likely: str
    count: int


@dataclass(frozen=True)
class Flag:
    """Something about a person that asks for a decision, with its evidence."""

    kind: str
    text: str
    q_value: float | None


@dataclass(frozen=True)
class AnnotatorRow:
    """One person. Rates are 0 to 1; None is unknown.

    Attributes
    ----------
    overlap
        Votes on items where the other people's labels have an untied majority.
    agreement, low, high
        The share of those that equals it, with Wilson's 95 % interval.
    enough
        The overlap is large enough to take the agreement seriously.
    suspects
        Suspected training labels that this person gave or voted for; evidence from the model alone.
    """

    annotator: str
    votes: int
    cannot_tell: int
    overlap: int
    agreement: float | None
    low: float | None
    high: float | None
    enough: bool
    gold_trials: int
    gold_accuracy: float | None
    gold_low: float | None
    gold_high: float | None
    dawid_skene_accuracy: float | None
    median_seconds: float | None
    votes_per_active_day: float | None
    worst_confusion: Confusion | None
    suspects: int | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class AnnotatorsResult:
    """All people in alphabetical order; the JSON of ``relook annotators``."""

    where: str
    krippendorff_alpha: Alpha
    annotators: tuple[AnnotatorRow, ...]
    items: int
    votes: int
    experts: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook annotators``."""
        found: dict[str, Any] = to_json(self)
        return found


def review_annotators(workspace: Workspace, options: AnnotatorsOptions) -> AnnotatorsResult:
    """Compute how people label.

    Parameters
    ----------
    workspace
        An existing workspace with votes, or with items whose given label names an annotator.
    options
        Which items, and whether names are shown.

    Returns
    -------
    AnnotatorsResult

    Raises
    ------
    AnalysisError
        If there are no votes, or the slice has none.
    """
    with workspace.read() as snapshot:
        suspects, notes = _count_suspects(snapshot, options)
        votes = _fetch_votes(snapshot, options.where, options.model)
        gold = fetch_gold(snapshot)
        quality = compute_annotator_quality(votes, gold=gold)
        pace = compute_pace(votes).set_index("annotator")
        experts = int(snapshot.fetch_one(Fragment("SELECT count(DISTINCT person) FROM people WHERE expert"))[0])
        alpha, note = _compute_alpha(votes)
        notes += [note] if note else []
        if experts:
            who = f"{experts:,} expert{'s' * (experts != 1)}"
            notes.append(f"{who} gave gold labels; those votes are not counted as the panel's.")
        shown = _fetch_names(snapshot, names=options.names)
        rows = [_to_row(found, pace.loc[found["annotator"]], suspects, shown) for found in quality.to_dict("records")]
    rows.sort(key=lambda row: row.annotator)
    return AnnotatorsResult(
        where=parse_slice(options.where).to_text(),
        krippendorff_alpha=alpha,
        annotators=tuple(rows),
        items=int(votes["item_id"].nunique()),
        votes=len(votes),
        experts=experts,
        notes=tuple(notes),
    )


def describe_annotator(workspace: Workspace, annotator: str, where: str = "all") -> tuple[Confusion, ...]:
    """Return one person's confusion against the consensus of the others, agreements among them.

    Raises
    ------
    UnknownNameError
        If the person has no votes here.
    """
    with workspace.read() as snapshot:
        votes = _fetch_votes(snapshot, where)
        annotator = resolve_names(snapshot).get(annotator, annotator)
    if annotator not in set(votes["annotator"]):
        raise UnknownNameError("annotator", annotator, sorted(set(votes["annotator"])))
    table = compute_confusion(votes, annotator)
    return tuple(
        Confusion(str(given), str(likely), int(count))
        for given, likely, count in table[["given", "likely", "count"]].itertuples(index=False)
    )


def _fetch_votes(snapshot: Snapshot, where: str, model: str | None = None) -> pd.DataFrame:
    chosen = parse_slice(where)
    population = None
    if chosen.predicates:
        known = snapshot.resolve_model(model).code if snapshot.models else None
        population = Population.of(snapshot, split=None, model=known, where=chosen)
    votes = fetch_panel(snapshot, population)
    if votes.empty:
        raise AnalysisError(
            "There are no votes here. Load who labelled what: a table with the columns item_id, annotator and label, "
            "or items with a column that names who gave the label."
            if not chosen.predicates
            else f"Nobody voted on the items of {chosen.to_text()}. Choose a wider slice."
        )
    return votes


def _compute_alpha(votes: pd.DataFrame) -> tuple[Alpha, str | None]:
    try:
        return Alpha(*(_known(n) for n in compute_alpha_interval(votes, resamples=_RESAMPLES, seed=_SEED))), None
    except AnalysisError as error:
        return Alpha(None, None, None), error.message


def _fetch_names(snapshot: Snapshot, *, names: bool) -> dict[str, str]:
    return {
        name: name if names else pseudonym
        for name, pseudonym in snapshot.fetch_all(Fragment("SELECT DISTINCT name, pseudonym FROM people"))
    }


def _count_suspects(snapshot: Snapshot, options: AnnotatorsOptions) -> tuple[dict[str, int] | None, list[str]]:
    """Count suspected training labels by the people who gave them or voted for them."""
    if not any(model.classes for model in snapshot.models):
        return None, []
    try:
        found = find_suspects_in(snapshot, LabelsOptions(model=options.model, where=options.where))
    except AnalysisError as error:
        return None, [f"Suspects by person are unknown: {error.message}"]
    if not found.issues:
        return {}, []
    rows = snapshot.fetch_all(
        template(
            "SELECT a.name, count(DISTINCT v.item) FROM votes v JOIN people a ON a.annotator = v.annotator "
            "JOIN items i ON i.item = v.item JOIN (SELECT unnest({ids}) AS item_id, unnest({labels}) AS label) s "
            "ON s.item_id = i.item_id AND s.label = v.label "
            "WHERE i.split = {split} AND v.source IN ('given', 'vote') GROUP BY a.name ORDER BY a.name",
            ids=value([suspect.item_id for suspect in found.issues]),
            labels=value([suspect.given_label for suspect in found.issues]),
            split=value(found.split),
        )
    )
    return dict(rows), []


def _known(number: float) -> float | None:
    return None if pd.isna(number) or not np.isfinite(number) else float(number)


def _to_row(
    found: dict[str, Any], pace: pd.Series, suspects: dict[str, int] | None, shown: dict[str, str]
) -> AnnotatorRow:
    confusion = None
    if found["worst_count"]:
        confusion = Confusion(str(found["worst_given"]), str(found["worst_likely"]), int(found["worst_count"]))
    return AnnotatorRow(
        annotator=shown[found["annotator"]],
        votes=int(found["votes"]),
        cannot_tell=int(found["cannot_tell"]),
        overlap=int(found["overlap"]),
        agreement=_known(found["agreement"]),
        low=_known(found["low"]),
        high=_known(found["high"]),
        enough=bool(found["enough"]),
        gold_trials=int(found["gold_trials"]),
        gold_accuracy=_known(found["gold_accuracy"]),
        gold_low=_known(found["gold_low"]),
        gold_high=_known(found["gold_high"]),
        dawid_skene_accuracy=_known(found["dawid_skene_accuracy"]),
        median_seconds=_known(pace["median_seconds"]),
        votes_per_active_day=_known(pace["votes_per_active_day"]),
        worst_confusion=confusion,
        suspects=None if suspects is None else suspects.get(found["annotator"], 0),
        flags=(),
    )
