"""Items that are there already: compared by row, filled where values were missing, replaced where the user says so."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from analysis.errors import FileFaultError
from analysis.store.loading.columns import KeptColumn
from analysis.store.loading.report import LedgerMismatch, Tally
from analysis.store.loading.staging import Plan, select_features, stream_rows
from analysis.store.sql import Fragment, column_of, identifier, join, template
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = ["merge_known"]

_ROLE_COLUMNS: Final = {"given_label": "given_label", "group": "group_id", "gold_label": "gold_label"}
_DETAILS: Final = (
    "started_at", "labelled_at", "seconds", "batch", "comment", "suggested", "round", "guideline",
)  # fmt: skip


def merge_known(writer: Writer, plan: Plan, kept: list[KeptColumn], tally: Tally, watch: Watch) -> int:
    """Compare rows whose id is known: the same, filling gaps, or other values.

    Makes the temporary table ``known`` with ``row``, ``item``, ``conflict`` and ``fills``.

    Parameters
    ----------
    writer, plan, tally
        The one writer, a table of items that is staged, the counts that grow.
    kept
        The file's features, for which there is room already.
    watch
        Who is told how far it is.

    Returns
    -------
    int
        How many rows are known.

    Raises
    ------
    FileFaultError
        If rows have other values than are there, and ``--replace`` was not given.
    """
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT s.row, i.item, FALSE AS conflict, FALSE AS fills "
            "FROM staged s JOIN items i ON i.split = s.split AND i.item_id = s.item_id"
        )
    )
    known = int(writer.fetch_one(Fragment("SELECT count(*) FROM known"))[0])
    if not known:
        return 0
    _stage_told(writer, plan, watch)
    _compare(writer, plan, kept)
    same, other, filled = writer.fetch_one(
        Fragment(
            "SELECT count(*) FILTER (NOT conflict AND NOT fills), count(*) FILTER (conflict), "
            "count(*) FILTER (fills AND NOT conflict) FROM known"
        )
    )
    tally.already_there += same
    if other and not plan.options.replace:
        example = writer.fetch_one(
            Fragment("SELECT item_id FROM staged JOIN known USING (row) WHERE conflict ORDER BY row LIMIT 1")
        )[0]
        raise FileFaultError(
            f"{plan.name}: ids that are already there with other values: {other:,}, for example {example!r}. "
            "Use --replace to take the new values, or load them as another --split."
        )
    tally.replaced += other
    tally.kept += other + filled
    if other or filled:
        _update_known(writer, plan, kept)
        tally.changed = True
    if other:
        tally.ledger_mismatches += _find_mismatches(writer)
    return known


def _stage_told(writer: Writer, plan: Plan, watch: Watch) -> None:
    """Make ``told``: the features of the rows whose id is known, and of no others."""
    selected = select_features(plan)
    if not selected:
        return
    wanted = np.zeros(plan.source.facts[0].rows + 1, np.int64)
    for batch in writer.fetch_batches(Fragment("SELECT row FROM known")):
        rows: Any = batch.column(0).to_numpy()
        wanted[rows] = rows
    stream = stream_rows(plan.source, selected, wanted, watch, f"Comparing rows of {plan.name}", name="row")
    writer.take_in("told", stream)


def _compare(writer: Writer, plan: Plan, kept: list[KeptColumn]) -> None:
    pairs = [_pair("i", column) for column in _given_columns(plan)]
    if plan.roles.column("annotator"):
        pairs.append((Fragment("g.name"), Fragment("s.annotator")))
    pairs += [(column_of("f", column.kept), column.arriving) for column in kept]
    # When and how long: known of the vote that the given label is, and only while that vote stands.
    details = [_pair("v", role) for role in _DETAILS if plan.roles.column(role)]
    stands = Fragment("v.vote IS NOT NULL")
    conflicts = [template("({a} IS NOT NULL AND {a} IS DISTINCT FROM {b})", a=a, b=b) for a, b in pairs + details]
    fills = [template("({a} IS NULL AND {b} IS NOT NULL)", a=a, b=b) for a, b in pairs]
    fills += [template("({stands} AND {a} IS NULL AND {b} IS NOT NULL)", stands=stands, a=a, b=b) for a, b in details]
    sources = [Fragment("FROM known k JOIN staged s ON s.row = k.row JOIN items i ON i.item = k.item")]
    if kept:
        sources.append(Fragment("JOIN features f ON f.item = k.item JOIN told t ON t.row = k.row"))
    if plan.roles.column("annotator"):
        sources.append(Fragment("LEFT JOIN annotators g ON g.annotator = i.given_by"))
    if details:
        sources.append(Fragment("LEFT JOIN votes v ON v.item = i.item AND v.source = 'given'"))
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE compared AS SELECT k.row, k.item, {conflict} AS conflict, {fills} AS fills "
            "{sources}",
            conflict=_any_of(conflicts),
            fills=_any_of(fills),
            sources=join(" ", sources),
        )
    )
    writer.execute(Fragment("DROP TABLE known"))
    writer.execute(Fragment("ALTER TABLE compared RENAME TO known"))


def _pair(alias: str, column: str) -> tuple[Fragment, Fragment]:
    name = identifier(column, [*_ROLE_COLUMNS.values(), *_DETAILS])
    return column_of(alias, name), column_of("s", name)


def _given_columns(plan: Plan) -> list[str]:
    return [column for role, column in _ROLE_COLUMNS.items() if plan.roles.column(role)]


def _any_of(tests: Iterable[Fragment]) -> Fragment:
    found = list(tests)
    return join(" OR ", found) if found else Fragment("FALSE")


def _update_known(writer: Writer, plan: Plan, kept: list[KeptColumn]) -> None:
    if plan.roles.column("given_label") and not plan.roles.column("annotator"):
        _forget_givers(writer)
    sets = [
        template("{name} = {new}", name=identifier(column, _ROLE_COLUMNS.values()), new=_pair("i", column)[1])
        for column in _given_columns(plan)
    ]
    if plan.roles.column("annotator"):
        sets.append(Fragment("given_by = (SELECT g.annotator FROM annotators g WHERE g.name = s.annotator)"))
    if sets:
        writer.execute(
            template(
                "UPDATE items SET {sets} FROM staged s JOIN known k ON k.row = s.row "
                "WHERE (k.conflict OR k.fills) AND items.item = k.item",
                sets=join(", ", sets),
            )
        )
    if kept:
        values = [template("{kept} = {new}", kept=column.kept, new=column.arriving) for column in kept]
        writer.execute(
            template(
                "UPDATE features SET {sets} FROM told t JOIN known k ON k.row = t.row "
                "WHERE (k.conflict OR k.fills) AND features.item = k.item",
                sets=join(", ", values),
            )
        )
    if plan.roles.column("annotator"):
        _update_given_votes(writer, plan)
    # The ledger is kept: where it has spoken, the current label is what it said last.
    writer.execute(
        Fragment(
            "UPDATE current SET label = i.given_label FROM items i JOIN known k ON k.item = i.item "
            "WHERE current.item = i.item AND (k.conflict OR k.fills) "
            "AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.item = i.item)"
        )
    )


def _find_mismatches(writer: Writer) -> list[LedgerMismatch]:
    """Find entries of the ledger that changed a label which is another now: an item's first one says what it was."""
    rows = writer.fetch_all(
        Fragment(
            "SELECT l.seq, i.item_id, l.old, i.given_label FROM ledger l "
            "JOIN (SELECT item, min(seq) AS seq FROM ledger GROUP BY item) first ON first.seq = l.seq "
            "JOIN known k ON k.item = l.item AND k.conflict JOIN items i ON i.item = l.item "
            "WHERE l.old IS DISTINCT FROM i.given_label ORDER BY l.seq"
        )
    )
    return [LedgerMismatch(*row) for row in rows]


def _forget_givers(writer: Writer) -> None:
    """Forget who gave a label that is another now and told without a name; what they said stays as their vote."""
    other = Fragment(
        "FROM staged s JOIN known k ON k.row = s.row JOIN items i ON i.item = k.item "
        "WHERE i.given_label IS NOT NULL AND i.given_label IS DISTINCT FROM s.given_label"
    )
    writer.execute(
        template(
            "UPDATE votes SET source = 'vote' WHERE source = 'given' AND item IN (SELECT k.item {other})", other=other
        )
    )
    writer.execute(template("UPDATE items SET given_by = NULL WHERE item IN (SELECT k.item {other})", other=other))


def _update_given_votes(writer: Writer, plan: Plan) -> None:
    """Drop a given vote that is told otherwise now; one that is told again keeps what it knew."""
    told = Fragment(
        "FROM staged s JOIN known k ON k.row = s.row JOIN annotators g ON g.name = s.annotator "
        "WHERE k.item = votes.item AND votes.source = 'given'"
    )
    same = Fragment("AND g.annotator = votes.annotator")
    if plan.roles.column("given_label"):
        same = template("{same} AND votes.label IS NOT DISTINCT FROM s.given_label", same=same)
    sets = [template("{name} = coalesce(s.{name}, votes.{name})", name=identifier(role, _DETAILS)) for role in _DETAILS]
    writer.execute(template("UPDATE votes SET {sets} {told} {same}", sets=join(", ", sets), told=told, same=same))
    writer.execute(
        template(
            "DELETE FROM votes WHERE EXISTS (SELECT 1 {told}) AND NOT EXISTS (SELECT 1 {told} {same})",
            told=told,
            same=same,
        )
    )
