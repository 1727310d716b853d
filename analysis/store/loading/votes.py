"""Votes: who labelled what, as often as it happened; identical rows count once."""

from analysis.errors import AnalysisError
from analysis.store.loading.people import add_annotators, add_classes, order_classes
from analysis.store.loading.predictions import match_items
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, reject_rows
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer

__all__ = ["take_votes"]

_SAME = Fragment(
    "v.item = n.item AND v.annotator = n.annotator AND v.label IS NOT DISTINCT FROM n.label "
    "AND v.labelled_at IS NOT DISTINCT FROM n.labelled_at AND v.seconds IS NOT DISTINCT FROM n.seconds "
    "AND v.batch IS NOT DISTINCT FROM n.batch AND (v.source = n.source OR (v.source = 'given' AND n.source = 'vote'))"
)
"""A given label that is told as a vote again, and no more fully, is the same vote."""


def take_votes(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Take the rows of ``staged`` in as votes; ids that are no items yet become items without a given label.

    Raises
    ------
    AnalysisError
        If no column names the annotator.
    FileFaultError
        If too many rows are faulty.
    """
    if plan.roles.column("annotator") is None or plan.roles.column("given_label") is None:
        missing = "annotator" if plan.roles.column("annotator") is None else "given_label"
        raise AnalysisError(
            f"{plan.name} is read as votes, but no column is the {missing}. Name it with --role {missing}=COLUMN."
        )
    faults = writer.fetch_all(
        Fragment("SELECT row, item_id IS NULL FROM staged WHERE item_id IS NULL OR annotator IS NULL ORDER BY row")
    )
    columns = plan.roles
    tally.rejects.extend(
        reject_rows(
            writer,
            plan,
            [
                (
                    row,
                    columns.column("item_id" if no_id else "annotator"),
                    "no id" if no_id else "no annotator",
                )
                for row, no_id in faults
            ],
        )
    )
    check_rejects(plan, tally.rejects, int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0]))
    add_annotators(writer, expert=plan.options.gold)
    labels = writer.fetch_all(Fragment("SELECT DISTINCT given_label FROM staged WHERE given_label IS NOT NULL"))
    add_classes(writer, plan.options.classes)
    add_classes(writer, order_classes(label for (label,) in labels))
    _make_items(writer, plan, tally)
    _merge(writer, plan, tally)


def _make_items(writer: Writer, plan: Plan, tally: Tally) -> None:
    match_items(writer, plan)
    writer.execute(Fragment("UPDATE staged SET split = 'train' WHERE item IS NULL AND split IS NULL"))
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT split, item_id, (SELECT coalesce(max(item), 0) FROM items) "
            "+ row_number() OVER (ORDER BY min(row)) AS item FROM staged WHERE item IS NULL GROUP BY split, item_id"
        )
    )
    made = int(writer.fetch_one(Fragment("SELECT count(*) FROM fresh"))[0])
    if not made:
        return
    writer.execute(
        Fragment("INSERT INTO items SELECT item, split, item_id, NULL, NULL, NULL, NULL, NULL FROM fresh ORDER BY item")
    )
    writer.execute(Fragment("INSERT INTO features (item) SELECT item FROM fresh ORDER BY item"))
    writer.execute(Fragment("INSERT INTO current SELECT item, NULL FROM fresh ORDER BY item"))
    writer.execute(
        Fragment(
            "UPDATE staged SET item = f.item FROM fresh f WHERE staged.item IS NULL AND f.item_id = staged.item_id "
            "AND f.split = staged.split"
        )
    )
    writer.forget()
    tally.notes.append(f"Ids that were no items yet: {made:,}. They became items without a given label.")


def _merge(writer: Writer, plan: Plan, tally: Tally) -> None:
    source = value("expert" if plan.options.gold else "vote")
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE incoming AS SELECT min(s.row) AS row, s.item, g.annotator, "
            "s.given_label AS label, s.started_at, s.labelled_at, s.seconds, s.batch, s.comment, {source} AS source "
            "FROM staged s JOIN annotators g ON g.name = s.annotator "
            "GROUP BY s.item, g.annotator, s.given_label, s.started_at, s.labelled_at, s.seconds, s.batch, s.comment",
            source=source,
        )
    )
    rows = int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])
    distinct = int(writer.fetch_one(Fragment("SELECT count(*) FROM incoming"))[0])
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT n.* FROM incoming n "
            "WHERE NOT EXISTS (SELECT 1 FROM votes v WHERE {same})",
            same=_SAME,
        )
    )
    new = int(writer.fetch_one(Fragment("SELECT count(*) FROM fresh"))[0])
    # A vote that was so far known only as an item's given label is told more fully now.
    writer.execute(
        Fragment(
            "DELETE FROM votes WHERE source = 'given' AND EXISTS (SELECT 1 FROM fresh n WHERE n.item = votes.item "
            "AND n.annotator = votes.annotator AND n.label IS NOT DISTINCT FROM votes.label AND n.source = 'vote')"
        )
    )
    writer.execute(
        Fragment(
            "INSERT INTO votes SELECT (SELECT coalesce(max(vote), 0) FROM votes) + row_number() OVER (ORDER BY row), "
            "item, annotator, label, NULL, started_at, labelled_at, seconds, batch, NULL, source, NULL, comment "
            "FROM fresh ORDER BY row"
        )
    )
    writer.execute(
        Fragment(
            "INSERT INTO batches (batch) SELECT DISTINCT batch FROM fresh WHERE batch IS NOT NULL "
            "AND batch NOT IN (SELECT batch FROM batches) ORDER BY batch"
        )
    )
    tally.kept += new
    tally.already_there += distinct - new
    tally.duplicates += rows - distinct
    tally.changed = tally.changed or new > 0
