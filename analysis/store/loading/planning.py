"""Before anything is taken in: what each file is, in which order the files go, and to which split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.errors import AnalysisError, FileFaultError, UnknownNameError
from analysis.roles import ROW_NUMBER, Kind, Roles, guess_kind, guess_roles, guess_split
from analysis.store.loading.people import order_classes
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions, Plan
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Snapshot

__all__ = ["Arrival", "check_options", "find_labels", "make_plan", "to_arrivals"]

_KINDS: tuple[Kind, ...] = ("items", "predictions", "votes")
_LOOKED_AT = 100


@dataclass(frozen=True)
class Arrival:
    """A file on its way in.

    Attributes
    ----------
    source, roles
        The file, and what its columns are as far as the file alone tells.
    given
        The roles that the user gave and that this file can have.
    repeated
        An id stands in several rows that differ.
    """

    source: Source
    roles: Roles
    given: tuple[tuple[str, str], ...]
    repeated: bool = False

    @property
    def predicts(self) -> bool:
        """The file has predicted labels or probabilities."""
        return _predicts(self.roles)


def check_options(files: Sequence[object], options: LoadOptions) -> None:
    """Check what can be checked before a file is read.

    Raises
    ------
    AnalysisError
        If no file is named, or an option has a value that it cannot have.
    """
    if not files:
        raise AnalysisError("No file was named. Name one or more: relook load WORKSPACE FILE...")
    if options.kind is not None and options.kind not in _KINDS:
        raise UnknownNameError("kind", options.kind, _KINDS)
    if not 0 <= options.max_rejects <= 1:
        raise AnalysisError(f"--max-rejects is a share between 0 and 1, got {options.max_rejects:g}.")
    for what, name in (("split", options.split), ("model", options.model)):
        if name is not None and not name.strip():
            raise AnalysisError(f"--{what} needs a name, got {name!r}.")


def to_arrivals(sources: Sequence[Source], options: LoadOptions) -> list[Arrival]:
    """Guess the roles of all files, and put the files in order: later ones are matched to earlier ones.

    Items come before predictions before votes; items with predictions come after items without.

    Raises
    ------
    UnknownNameError
        If a role was given to a column that no file has.
    AnalysisError
        If experts are said to have voted and no column names them.
    """
    for role, column in options.roles:
        known = [name for source in sources for name in source.table.names]
        if not (role == "item_id" and column == ROW_NUMBER) and column not in known:
            raise UnknownNameError("column", column, list(dict.fromkeys(known)))
    arrivals: list[Arrival] = []
    for source in sources:
        names = {*source.table.names, ROW_NUMBER}
        given = tuple((role, column) for role, column in options.roles if column in names)
        arrival = Arrival(source, guess_roles(source.facts, given), given)
        arrivals.append(replace(arrival, repeated=_find_repeated(arrival, options)))
    if options.gold and not any(arrival.roles.column("annotator") for arrival in arrivals):
        # It would be ignored, and the labels taken for given ones.
        raise AnalysisError(
            "--gold is for votes of experts, and no column names the annotator. Name it with --role annotator=COLUMN, "
            "or load trusted labels as a column of the items: --role gold_label=COLUMN."
        )
    return sorted(arrivals, key=lambda arrival: _rank(arrival, options))


def _predicts(roles: Roles) -> bool:
    return bool(roles.probabilities or roles.column("predicted") or roles.column("pred_probs"))


def _find_repeated(arrival: Arrival, options: LoadOptions) -> bool:
    """Tell whether an id stands in several rows of a split that differ; matters only where annotators are named."""
    source, roles = arrival.source, arrival.roles
    name = roles.column("item_id")
    if name is None or name == ROW_NUMBER or roles.column("annotator") is None:
        return False
    split = roles.column("split") if options.split is None else None
    key = [source.to_text(column) for column in (split, name) if column is not None]
    query = template(
        "SELECT count(*) > count(DISTINCT ({key})) FROM (SELECT DISTINCT * EXCLUDE (row) FROM raw) "
        "WHERE {id} IS NOT NULL",
        key=join(", ", key),
        id=key[-1],
    )
    return bool(source.scratch.fetch_all(query)[0][0])


def _rank(arrival: Arrival, options: LoadOptions) -> int:
    if options.kind is not None:
        return 0
    has_label = arrival.roles.column("given_label") is not None
    votes = arrival.roles.column("annotator") is not None and has_label and not arrival.predicts
    if votes and (arrival.repeated or not arrival.roles.features):
        return 3
    if arrival.predicts:
        return 1 if has_label else 2
    return 0


def find_labels(snapshot: Snapshot, arrival: Arrival) -> list[str]:
    """Return all classes that are known once this file's own labels are: those of the workspace first."""
    column = arrival.roles.column("given_label")
    known = list(snapshot.classes)
    if column is None:
        return known
    rows = arrival.source.scratch.fetch_all(
        template("SELECT DISTINCT {label} FROM raw", label=arrival.source.to_text(column))
    )
    return known + order_classes({str(name) for (name,) in rows if name is not None} - set(known))


def make_plan(snapshot: Snapshot, arrival: Arrival, options: LoadOptions) -> Plan:
    """Decide how a file is taken in, now that the workspace and the files before it are known.

    Raises
    ------
    AnalysisError
        If the file has no ids, or cannot be what the user says it is.
    """
    source = arrival.source
    roles = guess_roles(source.facts, arrival.given, find_labels(snapshot, arrival))
    _check_item_id(source, roles)
    features = [column.name for column in snapshot.columns if column.stored_as is not None]
    kind, reason = guess_kind(
        roles,
        repeated_ids=arrival.repeated,
        known_ids=_knows_ids(snapshot, source, roles),
        known_features=any(name in features for name in roles.features),
    )
    if options.kind is not None:
        kind, reason = options.kind, "you said so"
    elif options.gold and roles.column("annotator") is not None:
        kind, reason = "votes", "--gold says that experts voted"
    if kind == "predictions" and not _predicts(roles):
        raise FileFaultError(
            f"{source.path.name} is read as predictions, but has neither a predicted label nor probabilities. "
            "Name them with --role predicted=COLUMN or --role pred_probs=COLUMN."
        )
    return Plan(source, roles, kind, reason, _choose_split(snapshot, source, roles, kind, options), options)


def _check_item_id(source: Source, roles: Roles) -> None:
    if roles.column("item_id") is None:
        names = ", ".join(repr(name) for name in source.table.names[:12])
        raise AnalysisError(
            f"{source.path.name} has no column of item ids. Its columns: {names}. Name one with "
            f"--role item_id=COLUMN, or take the row number as id: --role item_id={ROW_NUMBER}."
        )


def _knows_ids(snapshot: Snapshot, source: Source, roles: Roles) -> bool:
    """Tell whether one of the file's first ids is an item already, in whatever split."""
    name = roles.column("item_id")
    ids = Fragment("CAST(row AS VARCHAR)") if name in {None, ROW_NUMBER} else source.to_text(str(name))
    first = source.scratch.fetch_all(
        template("SELECT {ids} FROM raw ORDER BY row LIMIT {n}", ids=ids, n=value(_LOOKED_AT))
    )
    wanted = [found for (found,) in first if found is not None]
    if not wanted:
        return False
    query = template("SELECT count(*) > 0 FROM items WHERE item_id = ANY({wanted})", wanted=value(wanted))
    return bool(snapshot.fetch_one(query)[0])


def _choose_split(snapshot: Snapshot, source: Source, roles: Roles, kind: Kind, options: LoadOptions) -> str | None:
    if options.split is not None:
        if kind == "predictions" and snapshot.splits and options.split not in snapshot.splits:
            raise UnknownNameError("split", options.split, snapshot.splits)
        return options.split
    if roles.column("split") is not None:
        return None
    named = guess_split(source.path.stem)
    if kind == "items":
        return named or "train"
    # Predictions and votes find their items by id; a name only helps where such a split exists.
    return named if named in snapshot.splits else None
