"""Before anything is taken in: what each file is, in which order the files go, and to which split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError, UnknownNameError
from analysis.roles import ROLES, ROW_NUMBER, Kind, RoleGuess, Roles, guess_kind, guess_roles, guess_split
from analysis.roles.facts import find_fault
from analysis.store.loading.people import order_classes
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions, Plan
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Snapshot

__all__ = ["Arrival", "check_options", "find_labels", "make_plan", "merge_given", "to_arrivals"]

_KINDS: tuple[Kind, ...] = ("items", "predictions", "votes")
_LOOKED_AT = 1000
_SAID_BY_FORMAT: Final = "the format says so"
_SAID_BEFORE: Final = "you said so of an earlier file"
_REPEATABLE: Final = {"feature", "vote", "probability"}
_OURS: Final = ("@given_label", "@predicted", "@annotator", "@batch", "@split", "@team", "@vote_error", ROW_NUMBER)
_WEIGHTS: Final = frozenset(
    f"{what}weight{end}"
    for what in ("", "sample", "case", "importance", "instance", "example", "row", "item", "observation")
    for end in ("", "s")
)


@dataclass(frozen=True)
class Arrival:
    """A file on its way in.

    Attributes
    ----------
    source, roles
        The file, and what its columns are as far as the file alone tells.
    given
        The roles that the user gave, and then those that the format says, as far as this file can have them.
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


def to_arrivals(sources: Sequence[Source], options: LoadOptions, columns: Sequence[str] = ()) -> list[Arrival]:
    """Guess the roles of all files, and put the files in order: later ones are matched to earlier ones.

    Items come before predictions before votes; items with predictions come after items without.

    Parameters
    ----------
    sources, options
        The files or their parts, and what the user said.
    columns
        The columns of the files as they lie there: a column an annotator, say, is in none of the parts.

    Raises
    ------
    UnknownNameError
        If a role was given to a column that no file has.
    AnalysisError
        If experts are said to have voted and no column names them.
    """
    for role, column in options.roles:
        known = [*columns, *(name for source in sources for name in source.table.names)]
        if not (role == "item_id" and column == ROW_NUMBER) and column not in known:
            raise UnknownNameError("column", column, list(dict.fromkeys(known)))
    arrivals: list[Arrival] = []
    for source in sources:
        _check_names(source)
        given = merge_given(source, options)
        arrival = Arrival(source, _guess(source, given, options), given)
        _check_weights(arrival)
        arrivals.append(replace(arrival, repeated=_find_repeated(arrival, options)))
    if options.gold and not any(arrival.roles.column("annotator") for arrival in arrivals):
        # It would be ignored, and the labels taken for given ones.
        raise AnalysisError(
            "--gold is for votes of experts, and no column names the annotator. Name it with --role annotator=COLUMN, "
            "or load trusted labels as a column of the items: --role gold_label=COLUMN."
        )
    return sorted(arrivals, key=lambda arrival: _rank(arrival, options))


def merge_given(source: Source, options: LoadOptions) -> tuple[tuple[str, str], ...]:
    """Return what the user says of a file's columns, and what its format says beside that."""
    names = {*source.table.names, ROW_NUMBER}
    said = [(role, column) for role, column in options.roles if column in names and role != "vote"]
    if source.table.part is not None and "item_id" in dict(source.table.roles):
        # The parts of a file are matched by the ids that it was split by: a row of one is no row of another.
        said = [pair for pair in said if pair != ("item_id", ROW_NUMBER)]
    columns, single = {column for _role, column in said}, {role for role, _column in said} - _REPEATABLE
    said += [(role, column) for role, column in source.table.roles if column not in columns and role not in single]
    return tuple(said)


def _guess(
    source: Source, given: Sequence[tuple[str, str]], options: LoadOptions, labels: Sequence[str] | None = None
) -> Roles:
    """Guess the roles, and tell apart in the reasons what the user said and what the format says."""
    roles = guess_roles(source.facts, given, labels)
    stated = {column for _role, column in given} - {column for _role, column in options.roles}
    return _reason(roles, stated, _SAID_BY_FORMAT)


def _reason(roles: Roles, columns: set[str], reason: str) -> Roles:
    """Give some columns another reason for their role."""
    single = {
        role: RoleGuess(guess.column, reason) if guess.column in columns else guess
        for role, guess in roles.single.items()
    }
    return replace(roles, single=single, reasons={**roles.reasons, **dict.fromkeys(columns, reason)})


def _remember(snapshot: Snapshot, arrival: Arrival) -> tuple[tuple[str, str], ...]:
    """Return what the user said of this file's columns when they came with an earlier file, and not otherwise now."""
    said = {column: role for role, column in arrival.given}
    taken = {role for role, _column in arrival.given} - _REPEATABLE
    facts = {column.name: column for column in arrival.source.facts}
    found = []
    for column in snapshot.columns:
        stated = column.reason in {"you said so", _SAID_BEFORE} and column.role in ROLES
        if not stated or column.name not in facts or column.name in said or column.role in taken:
            continue
        if find_fault(column.role, facts[column.name]) is None:
            found.append((column.role, column.name))
            taken |= {column.role} - _REPEATABLE
    return tuple(found)


def _check_names(source: Source) -> None:
    """Refuse columns that are called like ours: a slice could not tell them apart."""
    for name in source.table.names:
        if name.casefold() in _OURS:
            raise FileFaultError(
                f"{source.path.name} has a column {name!r}, which is relook's own name for something else. Rename it."
            )


def _check_weights(arrival: Arrival) -> None:
    """Refuse numbers that look like sample weights: taken for a feature, they would be ignored in silence."""
    given = {column for _role, column in arrival.given}
    for facts in arrival.source.facts:
        folded = re.sub(r"[^a-z]", "", facts.name.casefold())
        numeric = facts.type in {"integer", "number"}
        if folded in _WEIGHTS and numeric and facts.name not in given and facts.name in arrival.roles.features:
            raise FileFaultError(
                f"{arrival.source.path.name}: column {facts.name!r} looks like a sample weight, and relook counts "
                f"every row once; use --role feature={facts.name} to keep it as an ordinary column."
            )


def _predicts(roles: Roles) -> bool:
    return bool(roles.probabilities or roles.column("predicted") or roles.column("pred_probs"))


def _find_repeated(arrival: Arrival, options: LoadOptions) -> bool:
    """Tell whether an id stands in several rows of a split that differ; matters only where annotators are named.

    Rows are compared by 64-bit hashes of their id and of all their values.
    """
    source, roles = arrival.source, arrival.roles
    name = roles.column("item_id")
    if name is None or name == ROW_NUMBER or roles.column("annotator") is None:
        return False
    split = roles.column("split") if options.split is None else None
    key = [source.to_text(column) for column in (split, name) if column is not None]
    query = template(
        "SELECT hash({key}) AS k, hash({values}) AS v FROM raw WHERE {id} IS NOT NULL",
        key=join(", ", key),
        values=join(", ", [source.find(column)[0] for column in source.table.names]),
        id=key[-1],
    )
    batches = list(source.scratch.stream(query))
    if not batches:
        return False
    keys, values = (np.concatenate([batch.column(at).to_numpy() for batch in batches]) for at in (0, 1))
    order = np.argsort(keys)
    keys, values = keys[order], values[order]
    return bool(((keys[1:] == keys[:-1]) & (values[1:] != values[:-1])).any())


def _rank(arrival: Arrival, options: LoadOptions) -> int:
    if options.kind is not None:
        return 0
    stated = arrival.source.table.kind
    if stated is not None:
        return {"items": 1 if arrival.predicts else 0, "predictions": 2, "votes": 3}[stated]
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
    remembered = _remember(snapshot, arrival)
    roles = _guess(source, (*arrival.given, *remembered), options, find_labels(snapshot, arrival))
    roles = _reason(roles, {column for _role, column in remembered}, _SAID_BEFORE)
    _check_item_id(source, roles)
    features = [column.name for column in snapshot.columns if column.stored_as is not None]
    known_ids = _knows_ids(snapshot, source, roles)
    kind, reason = guess_kind(
        roles,
        repeated_ids=arrival.repeated,
        known_ids=known_ids,
        known_features=any(name in features for name in roles.features),
    )
    describes = roles.features or roles.column("given_label") is not None
    if kind == "items" and roles.column("embedding") is not None and known_ids and not describes:
        kind, reason = "predictions", "it has an embedding, and the items are known"
    if options.kind is not None:
        kind, reason = options.kind, "you said so"
    elif source.table.kind is not None:
        kind, reason = source.table.kind, _SAID_BY_FORMAT
    elif options.gold and roles.column("annotator") is not None:
        kind, reason = "votes", "--gold says that experts voted"
    if kind == "predictions" and not _predicts(roles) and roles.column("embedding") is None:
        raise FileFaultError(
            f"{source.path.name} is read as predictions, but has neither a predicted label nor probabilities. "
            "Name them with --role predicted=COLUMN or --role pred_probs=COLUMN."
        )
    split, by_name = _choose_split(snapshot, source, roles, kind, options)
    return Plan(source, roles, kind, reason, split, options, by_name)


def _check_item_id(source: Source, roles: Roles) -> None:
    if roles.column("item_id") is None:
        names = ", ".join(repr(name) for name in source.table.names[:12])
        raise AnalysisError(
            f"{source.path.name} has no column of item ids. Its columns: {names}. Name one with "
            f"--role item_id=COLUMN, or take the row number as id: --role item_id={ROW_NUMBER}."
        )


def _knows_ids(snapshot: Snapshot, source: Source, roles: Roles) -> bool:
    """Tell whether one of the file's first ids is an item already, in whatever split."""
    wanted = _first_ids(source, roles)
    if not wanted:
        return False
    query = template("SELECT count(*) > 0 FROM items WHERE item_id = ANY({wanted})", wanted=value(wanted))
    return bool(snapshot.fetch_one(query)[0])


def _first_ids(source: Source, roles: Roles) -> list[str]:
    name = roles.column("item_id")
    ids = Fragment("CAST(row AS VARCHAR)") if name in {None, ROW_NUMBER} else source.to_text(str(name))
    first = source.scratch.fetch_all(template("SELECT {ids} FROM raw LIMIT {n}", ids=ids, n=value(_LOOKED_AT)))
    return [str(found) for (found,) in first if found is not None]


def _find_split(snapshot: Snapshot, source: Source, roles: Roles) -> str | None:
    """Return the split in which the first ids are items already, where nothing else says one.

    Raises
    ------
    NeedsChoiceError
        If they are items of several splits: each would become a second item of one of them.
    """
    wanted = _first_ids(source, roles) if snapshot.splits else []
    if not wanted:
        return None
    query = template("SELECT DISTINCT split FROM items WHERE item_id = ANY({wanted}) ORDER BY 1", wanted=value(wanted))
    found = [str(split) for (split,) in snapshot.fetch_all(query)]
    if len(found) > 1:
        raise NeedsChoiceError(
            f"{source.path.name}: its ids are items of the splits {', '.join(map(repr, found))} already, and nothing "
            "says which these are. Name one with --split, add a column split, or say that they are predictions with "
            "--kind predictions and the role of their column."
        )
    return found[0] if found else None


def _check_other_splits(source: Source, roles: Roles, split: str) -> None:
    """Refuse a split for all rows where their own column says another: one id in two splits would become one item."""
    column = roles.column("split")
    if column is None:
        return
    said = source.to_text(column)
    query = template(
        "SELECT DISTINCT {said} AS said FROM raw WHERE {said} IS NOT NULL AND {said} != {split} ORDER BY said LIMIT 3",
        said=said,
        split=value(split),
    )
    others = [str(name) for (name,) in source.scratch.fetch_all(query)]
    if others:
        raise AnalysisError(
            f"{source.path.name}: --split {split} was given, and column {column!r} also says "
            f"{', '.join(map(repr, others))}. Leave --split off, so that the column decides, or take it as an "
            f"ordinary column: --role feature={column}."
        )


def _choose_split(
    snapshot: Snapshot, source: Source, roles: Roles, kind: Kind, options: LoadOptions
) -> tuple[str | None, str | None]:
    """Return the split of all rows, and what the file's name says of rows that find their items by id."""
    if options.split is not None:
        if kind == "predictions" and snapshot.splits and options.split not in snapshot.splits:
            raise UnknownNameError("split", options.split, snapshot.splits)
        _check_other_splits(source, roles, options.split)
        return options.split, None
    if roles.column("split") is not None:
        return None, None
    named = guess_split(source.path.stem) or guess_split(source.table.part or "")
    if kind == "items":
        return named or _find_split(snapshot, source, roles) or "train", None
    # Predictions and votes find their items by id; a name only helps where such a split exists.
    return None, named if named in snapshot.splits else None
