"""Items: new ones are added, known ones filled where something was missing, never changed in silence.

A first load numbers its rows as they stand, and their features flow from the file into the workspace without being
kept on the way. Only where ids are known already are rows compared, and only those.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.roles import Roles
from analysis.store.loading.columns import KeptColumn, keep_columns
from analysis.store.loading.known import merge_known
from analysis.store.loading.people import add_annotators, add_classes, order_classes
from analysis.store.loading.positions import keep_shift
from analysis.store.loading.repeats import find_repeats
from analysis.store.loading.report import Tally
from analysis.store.loading.reviews import review_given
from analysis.store.loading.staging import Plan, check_rejects, count_staged, reject_rows, select_features, stream_rows
from analysis.store.loading.teams import keep_batches, keep_teams
from analysis.store.loading.times import settle_times
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = ["take_items"]


@dataclass(frozen=True)
class _Fresh:
    """The rows that are new items.

    Attributes
    ----------
    first
        The highest number of an item before them.
    count
        How many they are.
    numbers
        The item by row, 0 where it is none; or what is added to every row, where all rows are new items.
    """

    first: int
    count: int
    numbers: npt.NDArray[np.int64] | int


def take_items(writer: Writer, plan: Plan, tally: Tally, watch: Watch) -> Fragment:
    """Take the rows of ``staged`` in as items.

    Returns
    -------
    Fragment
        A query for the items that the file brought or changed.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or known ids come with other values and ``--replace`` was not given.
    """
    _reject_faults(writer, plan, tally, watch)
    kept = keep_columns(writer, plan)
    named = plan.roles.column("annotator") is not None
    if named:
        settle_times(writer, plan.roles, tally)
        add_annotators(writer, expert=False)
    labels = writer.fetch_all(Fragment("SELECT DISTINCT given_label FROM staged WHERE given_label IS NOT NULL"))
    if plan.roles.column("gold_label"):
        gold = writer.fetch_all(Fragment("SELECT DISTINCT gold_label FROM staged WHERE gold_label IS NOT NULL"))
        labels = list(dict.fromkeys(labels + gold))
    if len(labels) == 1:
        tally.notes.append(f"All rows have one label, {labels[0][0]!r}: nothing can be confused.")
    add_classes(writer, plan.options.classes or order_classes(label for (label,) in labels))
    add_classes(writer, order_classes(label for (label,) in labels))
    watch.tell(f"Comparing ids of {plan.name}")
    known = merge_known(writer, plan, kept, tally, watch)
    fresh = _number_fresh(writer, plan, known=known)
    watch.tell(f"Keeping items of {plan.name}")
    _insert_items(writer, plan.roles, fresh)
    _insert_features(writer, plan, kept, fresh, watch)
    tally.kept += fresh.count
    left_out = plan.source.rows - count_staged(writer)
    if fresh.count and left_out:
        lost = "1 row" if left_out == 1 else f"{left_out:,} rows"
        keep_shift(writer, Fragment("staged"), f"{lost} of {plan.name} did not become items: repeated or faulty")
    _insert_given_votes(writer)
    if named:
        keep_batches(writer, tally)
    if named and plan.roles.column("verdict"):
        review_given(writer, plan.roles, tally)
    if named and plan.roles.column("team"):
        rows = template("SELECT row FROM staged WHERE item > {first}", first=value(fresh.first))
        writer.execute(template("CREATE OR REPLACE TEMP TABLE fresh AS {rows}", rows=rows))
        keep_teams(writer, tally)
    tally.changed = tally.changed or tally.kept > 0
    return template(
        "SELECT item FROM staged WHERE item > {first} UNION ALL SELECT item FROM known WHERE conflict OR fills",
        first=value(fresh.first),
    )


def _reject_faults(writer: Writer, plan: Plan, tally: Tally, watch: Watch) -> None:
    watch.tell(f"Checking ids of {plan.name}")
    repeats, clashing = find_repeats(writer, plan, watch)
    tally.duplicates += repeats
    empty = writer.fetch_all(Fragment("SELECT row FROM staged WHERE item_id IS NULL ORDER BY row"))
    faults = [(row, plan.roles.column("item_id"), "no id") for (row,) in empty] + clashing
    tally.rejects.extend(reject_rows(writer, plan, faults))
    check_rejects(plan, tally.rejects, count_staged(writer))


def _number_fresh(writer: Writer, plan: Plan, *, known: int) -> _Fresh:
    """Give the rows that are new items their numbers, in the order of the file and without a gap."""
    first = int(writer.fetch_one(Fragment("SELECT count(*) FROM items"))[0])
    staged = count_staged(writer)
    rows = plan.source.facts[0].rows
    if staged == rows and not known:
        # All rows are staged with the right number already.
        return _Fresh(first, rows, first)
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE numbered AS SELECT s.row, "
            "CAST({first} + row_number() OVER (ORDER BY s.row) AS INTEGER) AS item "
            "FROM staged s ANTI JOIN known k ON k.row = s.row",
            first=value(first),
        )
    )
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE renumbered AS SELECT s.* REPLACE (coalesce(n.item, k.item) AS item) "
            "FROM staged s LEFT JOIN numbered n ON n.row = s.row LEFT JOIN known k ON k.row = s.row"
        )
    )
    writer.execute(Fragment("DROP TABLE staged"))
    writer.execute(Fragment("ALTER TABLE renumbered RENAME TO staged"))
    numbers = np.zeros(rows + 1, np.int64)
    count = 0
    for batch in writer.fetch_batches(Fragment("SELECT row, item FROM numbered")):
        numbers[batch.column(0).to_numpy()] = batch.column(1).to_numpy()
        count += len(batch)
    return _Fresh(first, count, numbers)


def _insert_items(writer: Writer, roles: Roles, fresh: _Fresh) -> None:
    if not fresh.count:
        # Not only to save time: after an insert of no rows DuckDB 2.0.0 does not see, until the commit, what the
        # same transaction inserts later, so that the next file's predictions would find no items.
        return
    named = roles.column("annotator") is not None
    giver = Fragment("g.annotator") if named else Fragment("NULL")
    givers = Fragment("LEFT JOIN annotators g ON g.name = s.annotator") if named else Fragment("")
    # Rows that were numbered anew, or joined, may have lost their order.
    order = Fragment("ORDER BY s.item") if named or not isinstance(fresh.numbers, int) else Fragment("")
    writer.execute(
        template(
            "INSERT INTO items (item, split, item_id, given_label, given_by, group_id, gold_label) "
            "SELECT s.item, s.split, s.item_id, s.given_label, {giver}, {group}, {gold} "
            "FROM staged s {givers} WHERE s.item > {first} {order}",
            giver=giver,
            group=Fragment("s.group_id") if roles.column("group") else Fragment("NULL"),
            gold=Fragment("s.gold_label") if roles.column("gold_label") else Fragment("NULL"),
            givers=givers,
            first=value(fresh.first),
            order=order,
        )
    )
    writer.execute(
        template(
            "INSERT INTO current (item, label) SELECT s.item, s.given_label FROM staged s "
            "WHERE s.item > {first} {order}",
            first=value(fresh.first),
            order=order,
        )
    )


def _insert_features(writer: Writer, plan: Plan, kept: list[KeptColumn], fresh: _Fresh, watch: Watch) -> None:
    if not fresh.count:
        return
    names = join(", ", [Fragment("item"), *(column.kept for column in kept)])
    if not kept:
        statement = template(
            "INSERT INTO features (item) SELECT item FROM staged WHERE item > {n}", n=value(fresh.first)
        )
        writer.execute(statement)
        return
    values = join(", ", [Fragment("item"), *(column.arriving for column in kept)])
    statement = template("INSERT INTO features ({names}) SELECT {values} FROM arriving t", names=names, values=values)
    stream = stream_rows(plan.source, select_features(plan), fresh.numbers, watch, f"Keeping columns of {plan.name}")
    writer.execute(statement, stream)


def _insert_given_votes(writer: Writer) -> None:
    """Keep a given label whose annotator is known as that person's vote, once; no label is no vote."""
    if not writer.fetch_one(Fragment("SELECT count(*) FROM annotators"))[0]:
        return
    untold = Fragment(
        "FROM staged s JOIN items i ON i.item = s.item "
        "WHERE i.given_by IS NOT NULL AND i.given_label IS NOT NULL AND NOT EXISTS (SELECT 1 FROM votes v "
        "WHERE v.item = i.item AND v.annotator = i.given_by AND v.label = i.given_label)"
    )
    # An insert of no rows would hide later ones; see _insert_items.
    if not writer.fetch_one(template("SELECT count(*) {untold}", untold=untold))[0]:
        return
    writer.execute(
        template(
            "INSERT INTO votes (vote, item, annotator, label, suggested, started_at, labelled_at, seconds, batch, "
            "round, source, guideline, comment) SELECT (SELECT coalesce(max(vote), 0) FROM votes) "
            "+ row_number() OVER (ORDER BY i.item), i.item, i.given_by, i.given_label, s.suggested, s.started_at, "
            "s.labelled_at, s.seconds, s.batch, s.round, 'given', s.guideline, s.comment {untold} ORDER BY i.item",
            untold=untold,
        )
    )
