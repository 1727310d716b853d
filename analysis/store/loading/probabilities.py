"""Probabilities: in which order of classes a file holds them, and whether they are probabilities at all."""

import math
from typing import Final

from analysis.errors import FileFaultError, NeedsChoiceError
from analysis.store.loading.people import add_classes, order_classes
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, reject_rows
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Writer

__all__ = ["DEFAULT_MODEL", "check_probabilities", "choose_class_order", "find_model", "know_labels_first"]

DEFAULT_MODEL: Final = "model"
SLACK: Final = 1e-3
_ROUNDING: Final = 1e-7  # numbers that were float32 once are this far from the decimals they stand for
_SHOWN: Final = 6
_NAMED: Final = 3


def choose_class_order(writer: Writer, plan: Plan) -> tuple[str, ...]:
    """Return the classes in the order in which the file's probabilities are staged.

    Raises
    ------
    NeedsChoiceError
        If a list column leaves the order open.
    FileFaultError
        If a model that is already there has other classes.
    """
    roles = plan.roles
    known = find_model(writer, plan)
    if roles.probabilities:
        names = tuple(roles.probabilities)
        if known is not None and known.classes:
            if set(known.classes) != set(names):
                raise FileFaultError(
                    f"{plan.name} has probabilities for {list(names)}, model {known.name!r} has {list(known.classes)}. "
                    "Load it under another name with --model."
                )
            return known.classes
        return tuple(name for name in plan.options.classes if name in names) or tuple(order_classes(names))
    if roles.column("pred_probs") is None:
        return known.classes if known is not None else ()
    if known is not None and known.classes:
        # The lists are in the order that the user names; they are kept in the model's.
        if plan.options.classes and set(plan.options.classes) != set(known.classes):
            raise FileFaultError(
                f"{plan.name} has probabilities for {list(plan.options.classes)}, model {known.name!r} has "
                f"{list(known.classes)}. Load it under another name with --model."
            )
        return known.classes
    if plan.options.classes:
        return plan.options.classes
    natural = tuple(writer.classes)
    if not natural:
        raise NeedsChoiceError(
            f"{plan.name} holds probabilities in a list column, and no class is known yet. Name the classes in the "
            "order of the lists with --classes FILE, one class a line."
        )
    if natural != tuple(sorted(natural)):
        raise NeedsChoiceError(
            f"{plan.name} holds probabilities in a list column, and their class order is open: as numbers "
            f"{list(natural)[:4]}..., as text {sorted(natural)[:4]}.... Name it with --classes FILE, one class a line."
        )
    return natural


def find_model(writer: Writer, plan: Plan) -> Model | None:
    """Return the model that the file is about, if it is there already."""
    wanted = plan.options.model or DEFAULT_MODEL
    return next((model for model in writer.models if model.name == wanted), None)


def know_labels_first(writer: Writer, plan: Plan) -> None:
    """Add the labels of a table of items as classes: a list of probabilities is in their order."""
    column = plan.roles.column("given_label")
    if column is None or plan.roles.column("pred_probs") is None or plan.options.classes:
        return
    label = plan.source.to_text(column)
    rows = plan.source.scratch.fetch_all(
        template("SELECT DISTINCT {label} FROM raw WHERE {label} IS NOT NULL", label=label)
    )
    add_classes(writer, order_classes(name for (name,) in rows))


def check_probabilities(writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally) -> None:
    """Reject rows of ``staged`` that hold no probabilities or no prediction; mend what rounding did to the others.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or the lists have another length than there are classes.
    """
    _check_length(writer, plan, classes)
    bad = template(
        "pred_probs IS NOT NULL AND (len(pred_probs) != {k} OR list_contains(list_transform(pred_probs, "
        "lambda p: coalesce(p < -{slack} OR p > 1 + {slack} OR isnan(p), TRUE)), TRUE) "
        "OR abs(list_sum(pred_probs) - 1) > {slack})",
        k=value(len(classes)),
        slack=value(SLACK + _ROUNDING),
    )
    # In a table of items an item without a prediction is an item all the same.
    empty = Fragment("pred_probs IS NULL AND predicted IS NULL") if plan.only_predicts else Fragment("FALSE")
    faulty = template("coalesce({bad}, FALSE) OR ({empty})", bad=bad, empty=empty)
    allowed = int(plan.options.max_rejects * plan.source.rows)
    rows = writer.fetch_all(
        template(
            "SELECT row, pred_probs FROM staged WHERE {faulty} ORDER BY row LIMIT {n}",
            faulty=faulty,
            n=value(max(allowed, _NAMED - 1) + 1),
        )
    )
    tally.rejects.extend(reject_rows(writer, plan, [_describe_bad(plan, classes, *row) for row in rows]))
    unnamed, left = writer.fetch_one(
        template("SELECT count(*) FILTER ({faulty}), count(*) FILTER (NOT ({faulty})) FROM staged", faulty=faulty)
    )
    check_rejects(plan, tally.rejects, left, unnamed=unnamed)
    tally.renormalised += _renormalise(writer)


def _check_length(writer: Writer, plan: Plan, classes: tuple[str, ...]) -> None:
    """Refuse lists of another length than there are classes, where that is no fault of single rows."""
    column = plan.roles.column("pred_probs")
    if column is None or plan.roles.probabilities:
        return
    rows, right, found = writer.fetch_one(
        template(
            "SELECT count(*), count(*) FILTER (len(pred_probs) = {k}), mode(len(pred_probs)) FROM staged "
            "WHERE pred_probs IS NOT NULL",
            k=value(len(classes)),
        )
    )
    if rows and right * 2 < rows:
        shown = ", ".join(repr(name) for name in classes[:_SHOWN]) + (", ..." if len(classes) > _SHOWN else "")
        raise FileFaultError(
            f"{plan.name}: the lists in {column!r} hold {found} probabilities, but {len(classes)} classes are known: "
            f"{shown}. Name the classes in the order of the lists with --classes FILE, one class a line."
        )


def _renormalise(writer: Writer) -> int:
    """Make probabilities lie between 0 and 1 and sum to 1; return how many rows were visibly off."""
    off = writer.fetch_one(
        Fragment(
            "SELECT count(*) FROM staged WHERE pred_probs IS NOT NULL AND (list_min(pred_probs) < 0 "
            "OR list_max(pred_probs) > 1 OR abs(list_sum(pred_probs) - 1) > 1e-6)"
        )
    )
    writer.execute(
        Fragment(
            "UPDATE staged SET pred_probs = list_transform(pred_probs, lambda p: least(greatest(p, 0), 1)) "
            "WHERE list_min(pred_probs) < 0 OR list_max(pred_probs) > 1"
        )
    )
    writer.execute(
        Fragment(
            "UPDATE staged SET pred_probs = list_transform(pred_probs, lambda p: p / list_sum(pred_probs)) "
            "WHERE list_sum(pred_probs) != 1"
        )
    )
    return int(off[0])


def _describe_bad(
    plan: Plan, classes: tuple[str, ...], row: int, probs: list[float | None] | None
) -> tuple[int, str | None, str]:
    """Return the row, the column at fault (None for the whole row) and what is wrong."""
    columns = plan.roles.probabilities
    whole = plan.roles.column("pred_probs") if not columns else None
    if probs is None:
        return row, whole, "no prediction"
    if len(probs) != len(classes):
        return row, whole, f"{len(probs)} probabilities for {len(classes)} classes"
    for name, p in zip(classes, probs, strict=True):
        if p is None or math.isnan(p):
            return row, columns.get(name, whole), f"the probability of {name!r} is missing or no number"
        if not -SLACK - _ROUNDING <= p <= 1 + SLACK + _ROUNDING:
            return row, columns.get(name, whole), f"the probability {p:g} of {name!r} is not between 0 and 1"
    total = math.fsum(p for p in probs if p is not None)
    return row, whole, f"the probabilities sum to {total:g}, not 1"
