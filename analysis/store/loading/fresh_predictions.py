"""The predictions that come with new items: nothing to compare with, so they go in as they were checked.

Each new item has one row, and where no row was rejected its number is the row's plus a constant. Then no join, no
comparison and no second copy is needed.
"""

from analysis.store.loading.matrix import is_wide
from analysis.store.loading.models import keep_models, note_out_of_sample, number_models
from analysis.store.loading.predictions import compare_labels, settle_predicted
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer

__all__ = ["take_fresh_predictions"]

_BESIDE = ("predicted", "fold", "model")


def take_fresh_predictions(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> bool:
    """Take ``staged_predictions`` in where every row is an item that was just made, of a model that is new.

    Parameters
    ----------
    writer, plan, tally
        The one writer, the file, the counts that grow.
    classes
        The order of the probabilities.

    Returns
    -------
    bool
        Whether this was possible; if not, nothing was done.
    """
    roles = plan.roles
    if plan.kind != "items" or not classes or any(roles.column(role) for role in _BESIDE):
        return False
    codes, known = number_models(writer, plan)
    shift = _find_shift(writer)
    if known or len(codes) != 1 or shift is None or is_wide(plan.source.rows, len(classes)):
        return False
    ((name, code),) = codes.items()
    tally.model = name
    writer.execute(Fragment("DROP TABLE IF EXISTS incoming"))
    writer.execute(Fragment("CREATE TEMP VIEW incoming AS SELECT row, best AS predicted FROM staged_predictions"))
    compare_labels(writer, plan, classes, tally)
    settle_predicted(writer, plan, classes, tally)
    writer.execute(Fragment("DROP VIEW incoming"))
    keep_models(writer, classes, codes, known)
    writer.execute(
        template(
            "INSERT INTO predictions (item, model, predicted, said, pred_probs) "
            "SELECT CAST(row + {shift} AS INTEGER), {code}, best, best, pred_probs FROM staged_predictions",
            shift=value(shift),
            code=value(code),
        )
    )
    note_out_of_sample(writer)
    tally.changed = True
    return True


def _find_shift(writer: Writer) -> int | None:
    """Return what every row's number differs from its item's, where that is one number and all rows are predicted."""
    rows, least, most = writer.fetch_one(Fragment("SELECT count(*), min(item - row), max(item - row) FROM staged"))
    predicted, first, last = writer.fetch_one(Fragment("SELECT count(*), min(row), max(row) FROM staged_predictions"))
    staged = writer.fetch_one(Fragment("SELECT min(row), max(row) FROM staged"))
    dense = rows == predicted and (first, last) == staged and least == most and last - first + 1 == rows
    return int(least) if rows and dense else None
