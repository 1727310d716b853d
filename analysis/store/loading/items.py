"""Items: new ones are added, known ones filled where something was missing, never changed in silence."""

from collections.abc import Iterable
from typing import Final

from analysis.errors import FileFaultError
from analysis.store.loading.columns import KeptColumn, keep_columns
from analysis.store.loading.people import add_annotators, add_classes, order_classes
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, find_repeats, reject_rows
from analysis.store.sql import Fragment, identifier, join, template, value
from analysis.store.workspace import Writer

__all__ = ["take_items"]

_ROLE_COLUMNS: Final = (("given_label", "given_label"), ("group", "group_id"), ("gold_label", "gold_label"))
_DETAILS: Final = ("started_at", "labelled_at", "seconds", "batch", "comment")


def take_items(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Take the rows of ``staged`` in as items.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or known ids come with other values and ``--replace`` was not given.
    """
    if plan.roles.column("split") is not None:
        # Before repeats are looked for: an id without a split may be there with one too.
        writer.execute(Fragment("UPDATE staged SET split = 'train' WHERE split IS NULL"))
    _reject_faults(writer, plan, tally)
    kept = keep_columns(writer, plan)
    add_annotators(writer, expert=False)
    labels = writer.fetch_all(
        Fragment(
            "SELECT DISTINCT label FROM (SELECT given_label AS label FROM staged UNION ALL SELECT gold_label FROM "
            "staged) WHERE label IS NOT NULL"
        )
    )
    if labels and len(labels) == 1:
        tally.notes.append(f"All rows have one label, {labels[0][0]!r}: nothing can be confused.")
    add_classes(writer, plan.options.classes or order_classes(label for (label,) in labels))
    add_classes(writer, order_classes(label for (label,) in labels))
    _merge_known(writer, plan, kept, tally)
    _insert_fresh(writer, kept, tally)
    _insert_given_votes(writer)
    tally.changed = tally.changed or tally.kept > 0


def _reject_faults(writer: Writer, plan: Plan, tally: Tally) -> None:
    repeats, clashing = find_repeats(writer, plan)
    tally.duplicates += repeats
    empty = writer.fetch_all(Fragment("SELECT row FROM staged WHERE item_id IS NULL ORDER BY row"))
    faults = [(row, plan.roles.column("item_id"), "no id") for (row,) in empty] + clashing
    tally.rejects.extend(reject_rows(writer, plan, faults))
    left = int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])
    check_rejects(plan, tally.rejects, left)


def _merge_known(writer: Writer, plan: Plan, kept: list[KeptColumn], tally: Tally) -> None:
    """Compare rows whose id is known: the same, filling gaps, or other values."""
    pairs = [(Fragment(f"i.{column}"), Fragment(f"s.{column}")) for column in _given_columns(plan)]
    if plan.roles.column("annotator"):
        pairs.append((Fragment("g.name"), Fragment("s.annotator")))
    pairs += [(template("f.{kept}", kept=column.kept), column.staged) for column in kept]
    # When and how long: known of the vote that the given label is, and only while that vote stands.
    details = [(Fragment(f"v.{role}"), Fragment(f"s.{role}")) for role in _DETAILS if plan.roles.column(role)]
    told = Fragment("v.vote IS NOT NULL")
    conflicts = [template("({a} IS NOT NULL AND {a} IS DISTINCT FROM {b})", a=a, b=b) for a, b in pairs + details]
    fills = [template("({a} IS NULL AND {b} IS NOT NULL)", a=a, b=b) for a, b in pairs]
    fills += [template("({told} AND {a} IS NULL AND {b} IS NOT NULL)", told=told, a=a, b=b) for a, b in details]
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT s.row, i.item, {conflict} AS conflict, {fills} AS fills "
            "FROM staged s JOIN items i ON i.split = s.split AND i.item_id = s.item_id "
            "JOIN features f ON f.item = i.item LEFT JOIN annotators g ON g.annotator = i.given_by "
            "LEFT JOIN votes v ON v.item = i.item AND v.source = 'given'",
            conflict=_any_of(conflicts),
            fills=_any_of(fills),
        )
    )
    counts = Fragment(
        "SELECT count(*) FILTER (NOT conflict AND NOT fills), count(*) FILTER (conflict), "
        "count(*) FILTER (fills AND NOT conflict) FROM known"
    )
    same, other, filled = writer.fetch_one(counts)
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


def _given_columns(plan: Plan) -> list[str]:
    return [column for role, column in _ROLE_COLUMNS if plan.roles.column(role)]


def _any_of(tests: Iterable[Fragment]) -> Fragment:
    found = list(tests)
    return join(" OR ", found) if found else Fragment("FALSE")


def _update_known(writer: Writer, plan: Plan, kept: list[KeptColumn]) -> None:
    if plan.roles.column("given_label") and not plan.roles.column("annotator"):
        _forget_givers(writer)
    sets = [template("{name} = s.{name}", name=Fragment(column)) for column in _given_columns(plan)]
    if plan.roles.column("annotator"):
        sets.append(Fragment("given_by = (SELECT g.annotator FROM annotators g WHERE g.name = s.annotator)"))
    changed = Fragment("FROM staged s JOIN known k ON k.row = s.row WHERE (k.conflict OR k.fills)")
    if sets:
        writer.execute(
            template(
                "UPDATE items SET {sets} {changed} AND items.item = k.item",
                sets=join(", ", sets),
                changed=changed,
            )
        )
    if kept:
        values = [template("{kept} = {staged}", kept=column.kept, staged=column.staged) for column in kept]
        writer.execute(
            template(
                "UPDATE features SET {sets} {changed} AND features.item = k.item",
                sets=join(", ", values),
                changed=changed,
            )
        )
        writer.execute(
            template(
                "UPDATE items SET content_sha = {content} FROM features f JOIN known k ON k.item = f.item "
                "WHERE items.item = k.item AND (k.conflict OR k.fills)",
                content=_to_content(writer),
            )
        )
    if plan.roles.column("annotator"):
        _update_given_votes(writer, plan)
    # The ledger is kept: where it has spoken, the current label is what it said last.
    writer.execute(
        Fragment(
            "UPDATE current SET label = i.given_label FROM items i JOIN known k ON k.item = i.item "
            "WHERE current.item = i.item AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.item = i.item)"
        )
    )


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
    writer.execute(
        template(
            "UPDATE votes SET started_at = coalesce(s.started_at, votes.started_at), "
            "labelled_at = coalesce(s.labelled_at, votes.labelled_at), seconds = coalesce(s.seconds, votes.seconds), "
            "batch = coalesce(s.batch, votes.batch), comment = coalesce(s.comment, votes.comment) {told} {same}",
            told=told,
            same=same,
        )
    )
    writer.execute(
        template(
            "DELETE FROM votes WHERE EXISTS (SELECT 1 {told}) AND NOT EXISTS (SELECT 1 {told} {same})",
            told=told,
            same=same,
        )
    )


def _to_content(writer: Writer) -> Fragment:
    """Return the hash of all that the user's columns (``f``) say of an item; what is missing does not count.

    md5 only tells equal contents from different ones; nothing secret hangs on it.
    """
    stored = sorted(str(column.stored_as) for column in writer.columns if column.stored_as is not None)
    texts = [
        template("{name} || chr(30) || CAST(f.{place} AS VARCHAR)", name=value(name), place=identifier(name, stored))
        for name in stored
    ]
    if not texts:
        return Fragment("NULL")
    return template("nullif(md5(concat_ws(chr(31), {texts})), md5(''))", texts=join(", ", texts))


def _insert_fresh(writer: Writer, kept: list[KeptColumn], tally: Tally) -> None:
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT s.row, "
            "(SELECT coalesce(max(item), 0) FROM items) + row_number() OVER (ORDER BY s.row) AS item "
            "FROM staged s WHERE s.row NOT IN (SELECT row FROM known)"
        )
    )
    writer.execute(
        template(
            "INSERT INTO features ({names}) SELECT {values} FROM fresh n JOIN staged s ON s.row = n.row "
            "ORDER BY n.item",
            names=join(", ", [Fragment("item"), *(column.kept for column in kept)]),
            values=join(", ", [Fragment("n.item"), *(column.staged for column in kept)]),
        )
    )
    writer.execute(
        template(
            "INSERT INTO items SELECT n.item, s.split, s.item_id, s.given_label, g.annotator, s.group_id, "
            "s.gold_label, {content} FROM fresh n JOIN staged s ON s.row = n.row JOIN features f ON f.item = n.item "
            "LEFT JOIN annotators g ON g.name = s.annotator ORDER BY n.item",
            content=_to_content(writer),
        )
    )
    writer.execute(
        Fragment(
            "INSERT INTO current SELECT n.item, s.given_label FROM fresh n JOIN staged s ON s.row = n.row "
            "ORDER BY n.item"
        )
    )
    tally.kept += int(writer.fetch_one(Fragment("SELECT count(*) FROM fresh"))[0])


def _insert_given_votes(writer: Writer) -> None:
    """Keep a given label whose annotator is known as that person's vote, once; no label is no vote."""
    writer.execute(
        Fragment(
            "INSERT INTO votes SELECT (SELECT coalesce(max(vote), 0) FROM votes) "
            "+ row_number() OVER (ORDER BY i.item), i.item, i.given_by, "
            "i.given_label, NULL, s.started_at, s.labelled_at, s.seconds, s.batch, NULL, "
            "'given', NULL, s.comment FROM staged s JOIN items i ON i.split = s.split AND i.item_id = s.item_id "
            "WHERE i.given_by IS NOT NULL AND i.given_label IS NOT NULL AND NOT EXISTS (SELECT 1 FROM votes v "
            "WHERE v.item = i.item AND v.annotator = i.given_by AND v.label = i.given_label) ORDER BY i.item"
        )
    )
    writer.execute(
        Fragment(
            "INSERT INTO batches (batch) SELECT DISTINCT batch FROM votes WHERE batch IS NOT NULL "
            "AND batch NOT IN (SELECT batch FROM batches) ORDER BY batch"
        )
    )
