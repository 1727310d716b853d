"""Predictions: matched to items, compared with what their model already said, kept beside those of other models."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from analysis.errors import FileFaultError, NeedsChoiceError
from analysis.store.loading.comparing import Arriving, count_compared, count_rows, tally_compared
from analysis.store.loading.matching import check_partners, join_items
from analysis.store.loading.matrix import find_rows, insert_batches, is_wide, stage_digests, to_lists
from analysis.store.loading.models import keep_models, note_out_of_sample, number_models, to_code_sql
from analysis.store.loading.people import add_classes, order_classes
from analysis.store.loading.probabilities import stream_mended
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Writer
from analysis.watch import Watch

__all__ = ["compare_labels", "settle_predicted", "take_predictions"]

_SHOWN: Final = 6
_INCOMING: Final = Arriving(Fragment("incoming"), (Fragment("item"), Fragment("model")), "predictions")
_KEYS: Final = pa.schema([("item", pa.int32()), ("model", pa.int32())])
_WANTED: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("item", pa.int32()),
        ("model", pa.int32()),
        ("predicted", pa.string()),
        ("fold", pa.string()),
    ]
)
_KEPT: Final = pa.schema(
    [
        ("item", pa.int32()),
        ("model", pa.int32()),
        ("predicted", pa.string()),
        ("pred_probs", pa.large_list(pa.float32())),
        ("fold", pa.string()),
    ]
)


def take_predictions(
    writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally, watch: Watch | None = None
) -> None:
    """Take the rows of ``staged`` and ``staged_predictions`` in as predictions of one model or several.

    Parameters
    ----------
    writer, plan, tally
        The one writer, the file, the counts that grow. Where the rows were just taken in as items, repeats and
        counts are settled already.
    classes
        The order of the staged probabilities.
    watch
        Who is told how far it is, where the file is read once more.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, no id is known, or predictions are already there with other values.
    """
    codes, known = number_models(writer, plan)
    tally.model = ", ".join(codes)
    _gather(writer, plan, to_code_sql(plan, codes))
    _check_rows(writer, plan, tally)
    if plan.kind == "predictions":
        check_partners(writer, plan, tally, Fragment("incoming"), "Predictions")
        _check_given_labels(writer, plan)
        # Rows of a table of items that is known already, and says no more than that they are there.
        tally.already_there += count_rows(
            writer, Fragment("SELECT count(*) FROM incoming WHERE item IS NOT NULL AND NOT predicts")
        )
    writer.execute(Fragment("DELETE FROM incoming WHERE item IS NULL OR NOT predicts"))
    if not _INCOMING.count(writer):
        return
    compare_labels(writer, plan, classes, tally)
    settle_predicted(writer, plan, classes, tally)
    _INCOMING.drop_repeats(writer, plan, tally, counted=plan.kind == "predictions")
    keep_models(writer, classes, codes, known)
    _merge(writer, plan, classes, known, tally, watch or Watch())
    note_out_of_sample(writer)


def _gather(writer: Writer, plan: Plan, model: Fragment) -> None:
    """Make ``incoming``: what the file says of each item, without the probabilities themselves.

    Where no label was predicted, the most probable class is the prediction; a tie is left open.
    """
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE incoming AS SELECT s.row, i.item, {model} AS model, "
            "coalesce(s.predicted, p.best) AS predicted, s.fold, p.first, p.second, "
            "s.predicted IS NOT NULL OR p.row IS NOT NULL AS predicts FROM staged s {items} "
            "LEFT JOIN staged_predictions p ON p.row = s.row",
            model=model,
            items=join_items(writer, plan),
        )
    )


def _check_rows(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Reject rows without an id, and predictions of no model."""
    faults: list[tuple[int, str | None, str]] = []
    if plan.kind == "predictions":
        empty = writer.fetch_all(Fragment("SELECT row FROM staged WHERE item_id IS NULL ORDER BY row"))
        faults += [(row, plan.roles.column("item_id"), "no id") for (row,) in empty]
    nameless = writer.fetch_all(Fragment("SELECT row FROM incoming WHERE model IS NULL AND predicts ORDER BY row"))
    told = {row for row, _column, _reason in faults}
    faults += [(row, plan.roles.column("model"), "no name of a model") for (row,) in nameless if row not in told]
    _INCOMING.reject(writer, plan, tally, faults)


def _check_given_labels(writer: Writer, plan: Plan) -> None:
    """Labels beside predictions are not taken in, so they must say what the items say."""
    column = plan.roles.column("given_label")
    if column is None:
        return
    other, example, split = writer.fetch_one(
        Fragment(
            "SELECT count(*), min(s.item_id), min(i.split) FROM staged s JOIN incoming n ON n.row = s.row "
            "JOIN items i ON i.item = n.item WHERE s.given_label != i.given_label"
        )
    )
    if other:
        raise FileFaultError(
            f"{plan.name}: ids with another label than the items have: {other:,}, for example {example!r}. Use "
            f"--kind items --split {split} --replace to take the new labels, or --role feature={column} to leave them."
        )


def compare_labels(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    """Add what ``incoming`` predicts to the classes, and note labels that only one side has.

    Raises
    ------
    FileFaultError
        If no label is on both sides.
    """
    given = _fetch_names(writer, Fragment("SELECT DISTINCT given_label FROM items WHERE given_label IS NOT NULL"))
    said = set(classes) | _fetch_names(
        writer, Fragment("SELECT DISTINCT predicted FROM incoming WHERE predicted IS NOT NULL")
    )
    # Also what is only predicted is a class: its errors are counted and it can be asked for.
    add_classes(writer, order_classes(said))
    tally.labels_only_in_predictions = tuple(order_classes(said - given))
    if classes:
        tally.labels_only_in_items = tuple(order_classes(given - said))
    if given and not said & given:
        raise FileFaultError(
            f"{plan.name} predicts {order_classes(said)[:_SHOWN]}, the items are labelled "
            f"{order_classes(given)[:_SHOWN]}: no class is in both. Rename the classes on one side."
        )
    if given and tally.labels_only_in_predictions:
        names = ", ".join(map(repr, tally.labels_only_in_predictions[:_SHOWN]))
        tally.notes.append(f"No item is labelled {names}, which the model predicts or has a probability for.")
    if tally.labels_only_in_items:
        names = ", ".join(map(repr, tally.labels_only_in_items[:_SHOWN]))
        tally.notes.append(f"The model knows no class {names}: items labelled so are always errors.")


def _fetch_names(writer: Writer, query: Fragment) -> set[str]:
    return {name for (name,) in writer.fetch_all(query)}


def settle_predicted(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    """Say how many rows are left open, and refuse an order of classes that the predicted labels contradict."""
    tied = count_rows(writer, Fragment("SELECT count(*) FROM incoming WHERE predicted IS NULL"))
    if tied:
        tally.notes.append(f"Rows where several classes are most probable: {tied:,}. They predict none of them.")
    if plan.roles.column("predicted") is None or not plan.roles.column("pred_probs"):
        return
    agree, rows = writer.fetch_one(
        Fragment(
            "SELECT count(*) FILTER (p.best IS NULL OR p.best = coalesce(s.predicted, p.best)), count(*) "
            "FROM incoming n JOIN staged s ON s.row = n.row JOIN staged_predictions p ON p.row = n.row"
        )
    )
    if rows and agree * 2 < rows:
        raise NeedsChoiceError(
            f"{plan.name}: in the order {list(classes)[:_SHOWN]} the most probable class is the predicted label in "
            f"only {agree:,} of {rows:,} rows. Name the order of the classes with --classes FILE, one class a line."
        )


def _merge(
    writer: Writer, plan: Plan, classes: tuple[str, ...], known: tuple[Model, ...], tally: Tally, watch: Watch
) -> None:
    """Compare with what the models already predicted; insert what is new."""
    _stage_known(writer, known)
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE compared AS SELECT n.*, p.item IS NOT NULL AS known, p.item IS NOT NULL "
            "AND p.said IS NOT DISTINCT FROM n.predicted AND p.fold IS NOT DISTINCT FROM n.fold "
            "AND d.first IS NOT DISTINCT FROM n.first AND d.second IS NOT DISTINCT FROM n.second AS same "
            "FROM incoming n LEFT JOIN predictions p ON p.item = n.item AND p.model = n.model "
            "LEFT JOIN settled d ON d.item = n.item AND d.model = n.model"
        )
    )
    fresh, same, other = count_compared(writer)
    if other and not plan.options.replace:
        name, count = writer.fetch_one(
            Fragment(
                "SELECT m.name, count(*) FROM compared c JOIN models m ON m.model = c.model WHERE known AND NOT same "
                "GROUP BY m.name ORDER BY m.name"
            )
        )
        raise FileFaultError(
            f"{plan.name}: model {name!r} already has other predictions for {count:,} of these items. "
            "Give a second model a name with --model NAME, or use --replace to take the new values."
        )
    if other:
        writer.execute(
            Fragment(
                "DELETE FROM predictions USING compared c WHERE c.item = predictions.item "
                "AND c.model = predictions.model AND NOT c.same"
            )
        )
    if fresh + other:
        _insert(writer, plan, classes, watch)
    tally_compared(tally, (fresh, same, other), counted=plan.kind == "predictions")


def _stage_known(writer: Writer, known: tuple[Model, ...]) -> None:
    """Make ``settled``: digests of the probabilities that are there for the items and models that arrive."""
    query = template(
        # Only of these models: the probabilities of others need not be read.
        "SELECT p.item, p.model, p.pred_probs FROM predictions p SEMI JOIN incoming n "
        "ON n.item = p.item AND n.model = p.model WHERE p.model = ANY({codes}) AND p.pred_probs IS NOT NULL",
        codes=template("CAST({codes} AS INTEGER[])", codes=value([model.code for model in known])),
    )
    stage_digests(writer, "settled", _KEYS, query, max((len(model.classes) for model in known), default=1))


def _insert(writer: Writer, plan: Plan, classes: tuple[str, ...], watch: Watch) -> None:
    """Insert what ``compared`` found to be new; probabilities that were not kept are read once more."""
    wide = bool(classes) and is_wide(plan.source.rows, len(classes))
    if wide:
        # Asked before the insert begins: the connection is busy then.
        wanted = pa.Table.from_batches(
            writer.fetch_batches(
                Fragment(
                    "SELECT row, item, model, predicted, fold FROM compared "
                    "WHERE NOT same AND first IS NOT NULL ORDER BY row"
                )
            ),
            schema=_WANTED,
        ).combine_chunks()
        statement = Fragment(
            "INSERT INTO predictions (item, model, predicted, said, pred_probs, fold) "
            "SELECT item, model, predicted, predicted, pred_probs, fold FROM arriving"
        )
        insert_batches(writer, statement, _KEPT, _to_batches(plan, classes, wanted, watch))
        # An insert of no rows would hide what the same transaction inserts later; see items.py.
        if not count_rows(writer, Fragment("SELECT count(*) FROM compared WHERE NOT same AND first IS NULL")):
            return
    writer.execute(
        template(
            "INSERT INTO predictions (item, model, predicted, said, pred_probs, fold) "
            "SELECT c.item, c.model, c.predicted, c.predicted, p.pred_probs, c.fold FROM compared c "
            "LEFT JOIN staged_predictions p ON p.row = c.row WHERE NOT c.same {rest}",
            rest=Fragment("AND c.first IS NULL") if wide else Fragment(""),
        )
    )


def _to_batches(plan: Plan, classes: tuple[str, ...], wanted: pa.Table, watch: Watch) -> Iterator[pa.RecordBatch]:
    """Read the probabilities of the file once more, and put each row's item and model beside it."""
    rows = wanted["row"].to_numpy()
    for mended in stream_mended(plan, classes, watch):
        there, places = find_rows(rows, mended.rows)
        chosen = wanted.take(pa.array(places)).combine_chunks()
        item, model, predicted, fold = (chosen[name].chunk(0) for name in ("item", "model", "predicted", "fold"))
        yield pa.RecordBatch.from_arrays([item, model, predicted, to_lists(mended.numbers[there]), fold], schema=_KEPT)
