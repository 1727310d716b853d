"""Which item a row is about: found by its id, or by its position where the file has no ids."""

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError
from analysis.store.loading.matrix import is_by_position
from analysis.store.loading.positions import find_shift
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer

__all__ = ["check_partners", "find_split_by_rows", "join_items", "match_items"]


def join_items(writer: Writer, plan: Plan) -> Fragment:
    """Return the join of ``staged s`` with its items ``i``: by split and id, by id alone, or by position.

    Raises
    ------
    NeedsChoiceError
        If an id without a split is found in several splits, or a matrix fits several.
    FileFaultError
        If a matrix has another number of rows than its split has items.
    """
    if is_by_position(plan.source):
        return template(
            "LEFT JOIN (SELECT item, given_label, row_number() OVER (ORDER BY item) AS row FROM items "
            "WHERE split = {split}) i ON i.row = s.row",
            split=value(find_split_by_rows(writer, plan)),
        )
    if plan.kind == "items":
        # The rows were just taken in, so each knows its item.
        return Fragment("JOIN items i ON i.item = s.item")
    _settle_splits(writer, plan)
    # One hash join, whatever is known of the splits.
    return Fragment("LEFT JOIN items i ON i.item_id = s.item_id AND (s.split IS NULL OR i.split = s.split)")


def match_items(writer: Writer, plan: Plan) -> None:
    """Add the column ``item`` to ``staged``: by split and id, or by an id found in one split only.

    Raises
    ------
    NeedsChoiceError
        If an id without a split is found in several splits.
    """
    _settle_splits(writer, plan)
    writer.execute(Fragment("ALTER TABLE staged ADD COLUMN IF NOT EXISTS item INTEGER"))
    writer.execute(
        Fragment(
            "UPDATE staged SET item = i.item FROM items i WHERE i.item_id = staged.item_id "
            "AND (staged.split IS NULL OR i.split = staged.split)"
        )
    )


def _settle_splits(writer: Writer, plan: Plan) -> None:
    """Let the file's name say which item an id in several splits is; where it cannot, ask."""
    several = len(writer.splits) > 1
    if not several or not writer.fetch_one(Fragment("SELECT count(*) FROM staged WHERE split IS NULL"))[0]:
        return
    if plan.split_by_name is not None:
        writer.execute(
            template(
                "UPDATE staged SET split = {named} WHERE split IS NULL "
                "AND item_id IN (SELECT item_id FROM items WHERE split = {named}) "
                "AND item_id IN (SELECT item_id FROM items WHERE split != {named})",
                named=value(plan.split_by_name),
            )
        )
    found = writer.fetch_all(
        Fragment(
            "SELECT item_id, list(split ORDER BY split) FROM items "
            "WHERE item_id IN (SELECT item_id FROM staged WHERE split IS NULL) "
            "GROUP BY item_id HAVING count(*) > 1 ORDER BY item_id LIMIT 1"
        )
    )
    if found:
        name, splits = found[0]
        raise NeedsChoiceError(
            f"{plan.name}: id {name!r} is in the splits {', '.join(map(repr, splits))}. Say which one with --split."
        )


def check_partners(writer: Writer, plan: Plan, tally: Tally, table: Fragment, what: str) -> None:
    """Count rows whose id is no item, and refuse a file in which none is."""
    found, lost = writer.fetch_one(
        template(
            "SELECT count(*) FILTER (item IS NOT NULL), count(*) FILTER (item IS NULL) FROM {table}",
            table=table,
        )
    )
    if found == 0:
        example = writer.fetch_one(Fragment("SELECT min(item_id) FROM staged"))[0]
        where = "the workspace" if plan.split is None else f"the split {plan.split!r}"
        raise AnalysisError(
            f"{plan.name}: none of its {lost:,} ids is an item of {where}, for example {example!r}. "
            "Load the items first, or name the column of ids with --role item_id=COLUMN."
        )
    if lost:
        tally.unmatched += lost
        tally.notes.append(f"{what} for ids that are no items: {lost:,}. They were left out.")


def find_split_by_rows(writer: Writer, plan: Plan) -> str:
    """Return the split whose items the rows of a file without ids are, in the order in which they were loaded.

    Raises
    ------
    FileFaultError
        If the split has another number of items than the file has rows, or its items are not the rows of one table.
    NeedsChoiceError
        If several splits have that number, and neither the file's name nor ``--split`` says which.
    AnalysisError
        If nothing is loaded yet.
    """
    rows = plan.source.rows
    counts = dict(writer.fetch_all(Fragment("SELECT split, count(*) FROM items GROUP BY split ORDER BY split")))
    if not counts:
        raise AnalysisError(f"{plan.name} has no ids, and there are no items yet. Load the items first.")
    named = plan.split or plan.split_by_name
    fitting = [named] if named is not None else [split for split, items in counts.items() if items == rows]
    if len(fitting) > 1:
        raise NeedsChoiceError(
            f"{plan.name} has {rows:,} rows, and so many items are in each of the splits "
            f"{', '.join(map(repr, fitting))}. Say which one with --split."
        )
    if not fitting or counts.get(str(fitting[0])) != rows:
        names = fitting or list(counts)
        said = ", ".join(f"{name!r} has {counts.get(str(name), 0):,} items" for name in names)
        raise FileFaultError(
            f"{plan.name}: wrong matrix shape. It has {rows:,} rows, the split {said}. Its rows are matched by "
            "position: save one row for each item, in the order in which they were loaded, or load a table with ids "
            "instead."
        )
    shift = find_shift(writer, str(fitting[0]))
    if shift is not None:
        raise FileFaultError(
            f"{plan.name} has no ids, and the items of the split {fitting[0]!r} are not the rows of one table, so its "
            f"rows cannot be matched by position ({shift}). Load a table with ids instead, or load the items without "
            "such rows into a new workspace."
        )
    return str(fitting[0])
