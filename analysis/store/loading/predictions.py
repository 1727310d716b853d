"""Predictions: matched to items by id, checked as probabilities, kept under a model's name."""

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError
from analysis.store.loading.people import add_classes, order_classes
from analysis.store.loading.probabilities import DEFAULT_MODEL, find_model
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, reject_rows
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer

__all__ = ["match_items", "take_predictions"]


def match_items(writer: Writer, plan: Plan) -> None:
    """Add the column ``item`` to ``staged``: by split and id, or by an id found in one split only.

    Raises
    ------
    NeedsChoiceError
        If an id without a split is found in several splits.
    """
    writer.execute(Fragment("ALTER TABLE staged ADD COLUMN IF NOT EXISTS item INTEGER"))
    writer.execute(
        Fragment(
            "UPDATE staged SET item = i.item FROM items i WHERE i.item_id = staged.item_id AND i.split = staged.split"
        )
    )
    ambiguous = writer.fetch_all(
        Fragment(
            "SELECT s.item_id, list_sort(list(i.split)) FROM staged s JOIN items i ON i.item_id = s.item_id "
            "WHERE s.split IS NULL GROUP BY s.row, s.item_id HAVING count(*) > 1 ORDER BY s.item_id LIMIT 1"
        )
    )
    if ambiguous:
        name, splits = ambiguous[0]
        raise NeedsChoiceError(
            f"{plan.name}: id {name!r} is in the splits {', '.join(map(repr, splits))}. Say which one with --split."
        )
    writer.execute(
        Fragment(
            "UPDATE staged SET item = i.item FROM items i WHERE i.item_id = staged.item_id AND staged.split IS NULL"
        )
    )


def take_predictions(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    """Take the rows of ``staged`` in as predictions of one model.

    Parameters
    ----------
    writer, plan, tally
        The one writer, the file, the counts that grow. Where the rows were just taken in as items, repeats and
        counts are settled already.
    classes
        The order of the staged probabilities.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, no id is known, or predictions are already there with other values.
    """
    match_items(writer, plan)
    if plan.kind == "predictions":
        _check_partners(writer, plan, tally)
        _check_given_labels(writer, plan)
    without = Fragment("predicted IS NULL AND pred_probs IS NULL")
    if plan.kind == "predictions":
        # Rows of a table of items that is known already, and says no more than that they are there.
        counted = template("SELECT count(*) FROM staged WHERE item IS NOT NULL AND {without}", without=without)
        tally.already_there += int(writer.fetch_one(counted)[0])
    writer.execute(template("DELETE FROM staged WHERE item IS NULL OR ({without})", without=without))
    if not writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0]:
        return
    _compare_labels(writer, plan, classes, tally)
    _settle_predicted(writer, plan, classes, tally)
    model = _keep_model(writer, plan, classes)
    _merge(writer, plan, model, tally)


def _check_partners(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Reject rows without an id, and count those whose id is no item."""
    empty = writer.fetch_all(Fragment("SELECT row FROM staged WHERE item_id IS NULL ORDER BY row"))
    column = plan.roles.column("item_id")
    tally.rejects.extend(reject_rows(writer, plan, [(row, column, "no id") for (row,) in empty]))
    found, lost = writer.fetch_one(
        Fragment("SELECT count(*) FILTER (item IS NOT NULL), count(*) FILTER (item IS NULL) FROM staged")
    )
    check_rejects(plan, tally.rejects, found + lost)
    if found == 0:
        example = writer.fetch_one(Fragment("SELECT min(item_id) FROM staged"))[0]
        where = "the workspace" if plan.split is None else f"the split {plan.split!r}"
        raise AnalysisError(
            f"{plan.name}: none of its {lost:,} ids is an item of {where}, for example {example!r}. "
            "Load the items first, or name the column of ids with --role item_id=COLUMN."
        )
    if lost:
        tally.unmatched += lost
        tally.notes.append(f"Predictions for ids that are no items: {lost:,}. They were left out.")


def _check_given_labels(writer: Writer, plan: Plan) -> None:
    """Labels beside predictions are not taken in, so they must say what the items say."""
    column = plan.roles.column("given_label")
    if column is None:
        return
    other, example, split = writer.fetch_one(
        Fragment(
            "SELECT count(*), min(s.item_id), min(i.split) FROM staged s JOIN items i ON i.item = s.item "
            "WHERE s.given_label != i.given_label"
        )
    )
    if other:
        raise FileFaultError(
            f"{plan.name}: ids with another label than the items have: {other:,}, for example {example!r}. Use "
            f"--kind items --split {split} --replace to take the new labels, or --role feature={column} to leave them."
        )


def _compare_labels(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    given = {
        name
        for (name,) in writer.fetch_all(
            Fragment("SELECT DISTINCT given_label FROM items WHERE given_label IS NOT NULL")
        )
    }
    predicted = {
        name
        for (name,) in writer.fetch_all(Fragment("SELECT DISTINCT predicted FROM staged WHERE predicted IS NOT NULL"))
    }
    said = predicted | set(classes)
    # Also what is only predicted is a class: its errors are counted and it can be asked for.
    add_classes(writer, order_classes(said))
    tally.labels_only_in_predictions = tuple(order_classes(said - given))
    if classes:
        tally.labels_only_in_items = tuple(order_classes(given - said))
    if given and not said & given:
        raise FileFaultError(
            f"{plan.name} predicts {order_classes(said)[:6]}, the items are labelled {order_classes(given)[:6]}: "
            "no class is in both. Rename the classes on one side."
        )
    if given and tally.labels_only_in_predictions:
        names = ", ".join(map(repr, tally.labels_only_in_predictions[:6]))
        tally.notes.append(f"No item is labelled {names}, which the model predicts or has a probability for.")
    if tally.labels_only_in_items:
        names = ", ".join(map(repr, tally.labels_only_in_items[:6]))
        tally.notes.append(f"The model knows no class {names}: items labelled so are always errors.")


def _settle_predicted(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    """Where no label was predicted, the most probable class is the prediction; a tie is left open."""
    if not classes:
        return
    writer.execute(
        template(
            "UPDATE staged SET predicted = list_extract({names}, list_position(pred_probs, list_max(pred_probs))) "
            "WHERE predicted IS NULL AND list_extract(list_reverse_sort(pred_probs), 2) < list_max(pred_probs)",
            names=value(list(classes)),
        )
    )
    tied = int(
        writer.fetch_one(Fragment("SELECT count(*) FROM staged WHERE predicted IS NULL AND pred_probs IS NOT NULL"))[0]
    )
    if tied:
        tally.notes.append(f"Rows where several classes are most probable: {tied:,}. They predict none of them.")
    if plan.roles.column("predicted") is None or not plan.roles.column("pred_probs"):
        return
    agree, rows = writer.fetch_one(
        template(
            "SELECT count(*) FILTER (predicted = list_extract({names}, list_position(pred_probs, "
            "list_max(pred_probs)))), count(*) FROM staged WHERE pred_probs IS NOT NULL",
            names=value(list(classes)),
        )
    )
    if rows and agree * 2 < rows:
        raise NeedsChoiceError(
            f"{plan.name}: in the order {list(classes)[:6]} the most probable class is the predicted label in only "
            f"{agree:,} of {rows:,} rows. Name the order of the classes with --classes FILE, one class a line."
        )


def _keep_model(writer: Writer, plan: Plan, classes: tuple[str, ...]) -> int:
    known = find_model(writer, plan)
    if known is not None:
        if classes and not known.classes:
            writer.execute(
                template(
                    "UPDATE models SET classes = {classes} WHERE model = {code}",
                    classes=value(list(classes)),
                    code=value(known.code),
                )
            )
        return known.code
    code = len(writer.models) + 1
    name = plan.options.model or DEFAULT_MODEL
    writer.execute(
        Fragment("INSERT INTO models VALUES (?, ?, CAST(? AS VARCHAR[]), NULL, NULL)", (code, name, list(classes)))
    )
    writer.forget()
    return code


def _merge(writer: Writer, plan: Plan, model: int, tally: Tally) -> None:
    """Compare with what the model already predicted; insert what is new."""
    rows = int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE incoming AS SELECT min(row) AS row, item, predicted, fold, probs FROM "
            "(SELECT row, item, predicted, fold, CAST(pred_probs AS FLOAT[]) AS probs FROM staged) "
            "GROUP BY item, predicted, fold, probs"
        )
    )
    repeats = rows - int(writer.fetch_one(Fragment("SELECT count(*) FROM incoming"))[0])
    _reject_clashes(writer, plan, tally)
    compared = template(
        "SELECT count(*) FILTER (p.item IS NULL), count(*) FILTER (p.item IS NOT NULL AND {same}), "
        "count(*) FILTER (p.item IS NOT NULL AND NOT {same}) "
        "FROM incoming n LEFT JOIN predictions p ON p.item = n.item AND p.model = {model}",
        same=Fragment(
            "(p.predicted IS NOT DISTINCT FROM n.predicted AND p.pred_probs IS NOT DISTINCT FROM n.probs "
            "AND p.fold IS NOT DISTINCT FROM n.fold)"
        ),
        model=value(model),
    )
    fresh, same, other = writer.fetch_one(compared)
    if other and not plan.options.replace:
        name = plan.options.model or DEFAULT_MODEL
        raise FileFaultError(
            f"{plan.name}: model {name!r} already has other predictions for {other:,} of these items. "
            "Give a second model a name with --model NAME, or use --replace to take the new values."
        )
    writer.execute(
        template(
            "INSERT OR REPLACE INTO predictions SELECT item, {model}, predicted, probs, fold FROM incoming "
            "ORDER BY item",
            model=value(model),
        )
    )
    tally.changed = tally.changed or fresh + other > 0
    if plan.kind == "predictions":
        tally.kept += fresh + other
        tally.already_there += same
        tally.replaced += other
        tally.duplicates += repeats


def _reject_clashes(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Reject both of two different predictions for one item; identical rows count once."""
    clashing = writer.fetch_all(
        Fragment(
            "SELECT n.row, s.item_id, count(*) OVER (PARTITION BY n.item) AS times FROM incoming n "
            "JOIN staged s ON s.row = n.row QUALIFY times > 1 ORDER BY n.row"
        )
    )
    column = plan.roles.column("item_id")
    faults = [(row, column, f"id {name!r} has {n} different predictions") for row, name, n in clashing]
    tally.rejects.extend(reject_rows(writer, plan, faults))
    if faults:
        gone = value([row for row, _column, _reason in faults])
        writer.execute(template("DELETE FROM incoming WHERE row = ANY({gone})", gone=gone))
        left = int(writer.fetch_one(Fragment("SELECT count(*) FROM incoming"))[0])
        check_rejects(plan, tally.rejects, left)
