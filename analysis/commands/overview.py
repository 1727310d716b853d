"""What Home shows: how often the model is wrong, which classes it confuses, and what to do next."""

from dataclasses import dataclass

from analysis.commands.labels import LabelsOptions, find_suspects_in
from analysis.commands.positive import RARE_SHARE
from analysis.core.facts import Population
from analysis.core.predicate import Predicate, Slice
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError
from analysis.intervals import wilson_interval
from analysis.store.decision import Decision, read_decision
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Model, Snapshot, Workspace

__all__ = ["Cell", "ClassRow", "Overview", "Rate", "describe_overview", "slice_of_cell"]


@dataclass(frozen=True)
class Rate:
    """Hits over trials with Wilson's 95 % interval; None without trials."""

    hits: int
    trials: int
    rate: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, hits: int, trials: int) -> "Rate":
        """Compute the rate and its interval."""
        if not trials:
            return cls(hits, trials, None, None, None)
        low, high = wilson_interval(hits, trials)
        return cls(hits, trials, hits / trials, low, high)


@dataclass(frozen=True)
class Cell:
    """How many items with a label were predicted as a class."""

    label: str
    predicted: str
    count: int


@dataclass(frozen=True)
class ClassRow:
    """One class: items labelled so, predicted so, recall and precision."""

    name: str
    labelled: int
    predicted: int
    recall: Rate
    precision: Rate


@dataclass(frozen=True)
class Overview:
    """The state of a workspace at a glance.

    Attributes
    ----------
    error
        The error rate of the split looked at; None without predictions.
    cells
        The confusion matrix, only cells that hold anything; rows are labels as they stand.
    decision
        Of a binary problem, which class is positive and from which probability on it is predicted; else None.
    leads
        The metric to say first: ``"recall"`` (of the positive class, and its precision) where fewer than a tenth
        of the labels are positive, else ``"error_rate"``.
    suspects, suspects_of
        Suspected labels in the training split and among how many items; None where they cannot be known.
    """

    items: int
    split: str | None
    model: str | None
    error: Rate | None
    decision: Decision | None
    leads: str
    classes: tuple[str, ...]
    cells: tuple[Cell, ...]
    by_class: tuple[ClassRow, ...]
    suspects: int | None
    suspects_split: str | None
    suspects_of: int | None
    votes: int
    annotators: int
    requests: int
    notes: tuple[str, ...] = ()


def slice_of_cell(label: str, predicted: str) -> str:
    """Return the slice of one cell of the confusion matrix as text.

    Examples
    --------
    >>> slice_of_cell("4", "9")
    '@given_label = "4" & @predicted = "9"'
    """
    return Slice((Predicate("@given_label", "=", label), Predicate("@predicted", "=", predicted))).to_text()


def describe_overview(
    workspace: Workspace, *, split: str | None = None, model: str | None = None, where: str = "all"
) -> Overview:
    """Describe the state of a workspace.

    Parameters
    ----------
    workspace
        An existing workspace, perhaps empty.
    split, model
        None takes eval (or the only split) and the model loaded last.
    where
        Error rate, matrix and classes count only this slice; suspects only those in it.

    Returns
    -------
    Overview
    """
    with workspace.read() as snapshot:
        items, votes, annotators, requests = snapshot.fetch_one(
            Fragment(
                "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM votes), "
                "(SELECT count(DISTINCT person) FROM people WHERE annotator IN "
                "(SELECT annotator FROM votes WHERE source IN ('given', 'vote'))), (SELECT count(*) FROM requests)"
            )
        )
        chosen, notes = _choose(snapshot, split)
        known = snapshot.resolve_model(model) if snapshot.models else None
        cells = _count_cells(snapshot, chosen, known, parse_slice(where)) if chosen and known else ()
        suspects, suspects_split, suspects_of = _count_suspects(snapshot, known, where)
        names = snapshot.classes
        decision = read_decision(snapshot)
    right = sum(cell.count for cell in cells if cell.label == cell.predicted)
    trials = sum(cell.count for cell in cells)
    classes = tuple(name for name in names if any(name in (c.label, c.predicted) for c in cells))
    rare = decision is not None and 0 < _count_labelled(decision.positive_class, cells) < RARE_SHARE * trials
    return Overview(
        items=items,
        split=chosen,
        model=known.name if known else None,
        error=Rate.of(trials - right, trials) if trials else None,
        decision=decision,
        leads="recall" if rare else "error_rate",
        classes=classes,
        cells=cells,
        by_class=tuple(_describe_class(name, cells) for name in classes),
        suspects=suspects,
        suspects_split=suspects_split,
        suspects_of=suspects_of,
        votes=votes,
        annotators=annotators,
        requests=requests,
        notes=tuple(notes),
    )


def _choose(snapshot: Snapshot, split: str | None) -> tuple[str | None, list[str]]:
    try:
        chosen, note = snapshot.resolve_split(split, "eval")
    except AnalysisError as error:
        if split is not None:
            raise
        return (snapshot.splits[0] if snapshot.splits else None), [error.message]
    return chosen, [note] if note else []


def _count_cells(snapshot: Snapshot, split: str, model: Model, where: Slice) -> tuple[Cell, ...]:
    population = Population.of(snapshot, split=split, model=model.code, where=where)
    counted = population.select(Fragment("c.label AS label, p.predicted AS predicted, count(*) AS n"))
    query = template(
        "{counted} AND c.label IS NOT NULL AND p.predicted IS NOT NULL GROUP BY ALL ORDER BY ALL",
        counted=counted,
    )
    # A class that was only ever predicted is appended, so that no cell is lost.
    return tuple(Cell(label, predicted, n) for label, predicted, n in snapshot.fetch_all(query))


def _count_labelled(name: str, cells: tuple[Cell, ...]) -> int:
    return sum(cell.count for cell in cells if cell.label == name)


def _describe_class(name: str, cells: tuple[Cell, ...]) -> ClassRow:
    labelled = _count_labelled(name, cells)
    predicted = sum(cell.count for cell in cells if cell.predicted == name)
    right = sum(cell.count for cell in cells if cell.label == name == cell.predicted)
    return ClassRow(name, labelled, predicted, Rate.of(right, labelled), Rate.of(right, predicted))


def _count_suspects(snapshot: Snapshot, model: Model | None, where: str) -> tuple[int | None, str | None, int | None]:
    if model is None or not model.classes:
        return None, None, None
    try:
        found = find_suspects_in(snapshot, LabelsOptions(model=model.name, top=1, where=where))
    except AnalysisError:
        # Home says less where suspects cannot be known; the Labels page says why.
        return None, None, None
    return found.flagged, found.split, found.items
