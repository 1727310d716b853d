"""Ids that stand in several rows of a file: found by 64-bit hashes, settled by the rows themselves.

Most files repeat no id. Sorting one number a row shows that in a moment and in little memory, whatever the ids are;
only rows whose number occurs twice are looked at.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.store.loading.staging import Plan, count_staged, select_features, stream_rows
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = ["find_repeated", "find_repeats"]


def find_repeated(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the hashes that occur more than once, each once, in order.

    Parameters
    ----------
    hashes
        (N,); it is sorted in place.

    Examples
    --------
    >>> find_repeated(np.array([7, 3, 7, 7], dtype=np.uint64)).tolist()
    [7]
    """
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def find_repeats(writer: Writer, plan: Plan, watch: Watch) -> tuple[int, list[tuple[int, str | None, str]]]:
    """Take rows that say the same thing twice out of ``staged``, and find ids that say two things.

    Parameters
    ----------
    writer, plan
        The one writer, and a table of items that is staged.
    watch
        Who may cancel.

    Returns
    -------
    tuple of int and list
        How many identical rows were dropped, and the faulty rows (row, column, reason).
    """
    query = Fragment("SELECT hash(split, item_id) AS h FROM staged WHERE item_id IS NOT NULL")
    found = [batch.column(0).to_numpy() for batch in writer.fetch_batches(query)]
    doubled = find_repeated(np.concatenate(found)) if found else np.empty(0, np.uint64)
    if not doubled.size:
        return 0, []
    writer.take_in("doubled", pa.table({"h": doubled}))
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE doubtful AS SELECT s.* EXCLUDE (item) FROM staged s "
            "JOIN doubled d ON d.h = hash(s.split, s.item_id) WHERE s.item_id IS NOT NULL"
        )
    )
    _stage_values(writer, plan, watch)
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE once AS SELECT min(row) AS row, * EXCLUDE (row) FROM "
            "(SELECT d.*, t.* EXCLUDE (row) FROM doubtful d JOIN told t ON t.row = d.row) GROUP BY ALL"
        )
    )
    before = count_staged(writer)
    writer.execute(
        Fragment("DELETE FROM staged WHERE row IN (SELECT row FROM doubtful) AND row NOT IN (SELECT row FROM once)")
    )
    clashing = writer.fetch_all(
        Fragment(
            "SELECT row, item_id, count(*) OVER (PARTITION BY split, item_id) AS n FROM once QUALIFY n > 1 ORDER BY row"
        )
    )
    column = plan.roles.column("item_id")
    faults = [(row, column, f"id {name!r} occurs {n} times with different values") for row, name, n in clashing]
    return before - count_staged(writer), faults


def _stage_values(writer: Writer, plan: Plan, watch: Watch) -> None:
    """Make ``told``: what the doubtful rows say beyond what is staged."""
    source, roles = plan.source, plan.roles
    selected = select_features(plan)
    for index, column in enumerate(roles.probabilities.values()):
        selected.append(template("{number} AS {name}", number=source.to_number(column), name=Fragment(f"p{index}")))
    for index, role in enumerate(("pred_probs", "embedding")):
        name = roles.column(role)
        if name is not None:
            selected.append(template("{column} AS {name}", column=source.find(name)[0], name=Fragment(f"q{index}")))
    rows = writer.fetch_batches(Fragment("SELECT row FROM doubtful"))
    wanted = np.zeros(source.facts[0].rows + 1, np.int64)
    for batch in rows:
        doubtful = batch.column(0).to_numpy()
        wanted[doubtful] = doubtful
    writer.take_in("told", stream_rows(source, selected, wanted, watch, f"Comparing rows of {plan.name}", name="row"))
