"""What predictions and embeddings share on their way in: repeats, rejects, and the comparison with what is there.

Each has a temporary table of what arrives, one row a row of the file, with ``row``, ``item`` and two digests of the
numbers; then one called ``compared``, which says of each whether it is known and whether it is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.store.loading.matrix import is_by_position
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, reject_rows
from analysis.store.sql import Fragment, column_of, join, template, value
from analysis.store.workspace import Writer

__all__ = ["Arriving", "count_compared", "count_rows", "tally_compared"]


def count_rows(writer: Writer, query: Fragment) -> int:
    """Return the number that a query counts."""
    return int(writer.fetch_one(query)[0])


@dataclass(frozen=True)
class Arriving:
    """A temporary table of what arrives.

    Attributes
    ----------
    table
        Its name.
    keys
        The columns of which a workspace holds each combination once.
    what
        What is in it, in the plural.
    """

    table: Fragment
    keys: tuple[Fragment, ...]
    what: str

    def count(self, writer: Writer) -> int:
        """Return how many rows are left."""
        return count_rows(writer, template("SELECT count(*) FROM {table}", table=self.table))

    def reject(self, writer: Writer, plan: Plan, tally: Tally, faults: Sequence[tuple[int, str | None, str]]) -> None:
        """Take faulty rows out of ``staged`` and out of here; refuse the file where they are too many."""
        tally.rejects.extend(reject_rows(writer, plan, faults))
        if faults:
            gone = value([row for row, _column, _reason in faults])
            writer.execute(template("DELETE FROM {table} WHERE row = ANY({gone})", table=self.table, gone=gone))
        check_rejects(plan, tally.rejects, self.count(writer))

    def drop_repeats(self, writer: Writer, plan: Plan, tally: Tally, *, counted: bool) -> None:
        """Keep identical rows once, and reject all of those that contradict each other.

        Parameters
        ----------
        writer, plan, tally
            The one writer, the file, the counts that grow.
        counted
            The rows of the file are counted here, and not as items.
        """
        key = join(", ", self.keys)
        repeated = template("SELECT count(*) - count(DISTINCT ({key})) FROM {table}", key=key, table=self.table)
        if is_by_position(plan.source) or not count_rows(writer, repeated):
            return
        before = self.count(writer)
        writer.execute(
            template(
                "CREATE OR REPLACE TEMP TABLE {table} AS SELECT min(row) AS row, * EXCLUDE (row) FROM {table} "
                "GROUP BY ALL",
                table=self.table,
            )
        )
        if counted:
            tally.duplicates += before - self.count(writer)
        clashing = writer.fetch_all(
            template(
                "SELECT n.row, s.item_id, count(*) OVER (PARTITION BY {key}) AS times FROM {table} n "
                "JOIN staged s ON s.row = n.row QUALIFY times > 1 ORDER BY n.row",
                key=join(", ", [column_of("n", key) for key in self.keys]),
                table=self.table,
            )
        )
        column = plan.roles.column("item_id")
        if clashing:
            told = [(row, column, f"id {name!r} has {n} different {self.what}") for row, name, n in clashing]
            self.reject(writer, plan, tally, told)


def count_compared(writer: Writer) -> tuple[int, int, int]:
    """Count in ``compared`` what is new, what is there already, and what is there with other values."""
    fresh, same, other = writer.fetch_one(
        Fragment(
            "SELECT count(*) FILTER (NOT known), count(*) FILTER (same), count(*) FILTER (known AND NOT same) "
            "FROM compared"
        )
    )
    return int(fresh), int(same), int(other)


def tally_compared(tally: Tally, counts: tuple[int, int, int], *, counted: bool) -> None:
    """Add what :func:`count_compared` found to the counts of a file, where its rows are counted here."""
    fresh, same, other = counts
    tally.changed = tally.changed or fresh + other > 0
    if counted:
        tally.kept += fresh + other
        tally.already_there += same
        tally.replaced += other
