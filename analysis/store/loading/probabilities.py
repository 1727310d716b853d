"""Probabilities: in which order of classes a file holds them, and whether they are probabilities at all."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from analysis.errors import FileFaultError, NeedsChoiceError
from analysis.store.loading.matching import find_split_by_rows
from analysis.store.loading.matrix import (
    Block,
    compute_digests,
    find_matrix,
    is_by_position,
    is_wide,
    stage_batches,
    stream_columns,
    stream_lists,
    stream_matrix,
    to_lists,
    watch_blocks,
)
from analysis.store.loading.models import find_known_model
from analysis.store.loading.people import add_classes, order_classes
from analysis.store.loading.probability_kernel import Mended, ProbabilityKernel
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, count_staged, reject_rows
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = ["check_probabilities", "choose_class_order", "know_labels_first", "stream_mended"]

_SHOWN: Final = 6
# Of more faulty rows than both this and --max-rejects allow only the number is said.
_NAMED: Final = 100_000
_LISTS: Final = pa.large_list(pa.float32())
_STAGED: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("best", pa.string()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("pred_probs", _LISTS),
    ]
)


def choose_class_order(writer: Writer, plan: Plan) -> tuple[str, ...]:
    """Return the classes in the order in which the file's probabilities are kept.

    Raises
    ------
    NeedsChoiceError
        If a list column or a matrix leaves the order open.
    FileFaultError
        If a model that is already there has other classes, or ``--classes`` names others than the columns.
    """
    roles = plan.roles
    known = find_known_model(writer, plan)
    if roles.probabilities:
        names = tuple(roles.probabilities)
        if plan.options.classes and set(plan.options.classes) != set(names):
            # Never a part of them: the rest would be dropped, or not be there.
            raise FileFaultError(
                f"{plan.name} has probabilities for {list(names)}, but --classes names {list(plan.options.classes)}. "
                "Name exactly the classes of the columns, or leave --classes off."
            )
        if known is not None and known.classes:
            if set(known.classes) != set(names):
                raise FileFaultError(
                    f"{plan.name} has probabilities for {list(names)}, model {known.name!r} has {list(known.classes)}. "
                    "Load it under another name with --model."
                )
            return known.classes
        return plan.options.classes or tuple(order_classes(names))
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
    return _follow_workspace(writer, plan)


def _follow_workspace(writer: Writer, plan: Plan) -> tuple[str, ...]:
    """Return the classes of the workspace where their order leaves no doubt."""
    what = "in a matrix" if is_by_position(plan.source) else "in a list column"
    rows = "columns" if is_by_position(plan.source) else "lists"
    natural = tuple(writer.classes)
    if not natural:
        raise NeedsChoiceError(
            f"{plan.name} holds probabilities {what}, and no class is known yet. Name the classes in the "
            f"order of the {rows} with --classes FILE, one class a line."
        )
    if natural != tuple(sorted(natural)):
        raise NeedsChoiceError(
            f"{plan.name} holds probabilities {what}, and their class order is open: as numbers "
            f"{list(natural)[:4]}..., as text {sorted(natural)[:4]}.... Name it with --classes FILE, one class a line."
        )
    return natural


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


def check_probabilities(
    writer: Writer, plan: Plan, classes: tuple[str, ...], tally: Tally, watch: Watch | None = None
) -> None:
    """Make ``staged_predictions`` of the rows that hold probabilities, and take faulty rows out of ``staged``.

    The table has the columns ``row``, ``best`` (the most probable class, NULL where several are), ``first`` and
    ``second`` (a digest by which equal rows are found) and ``pred_probs``, in the order of ``classes``. Where the
    rows together are too many to be kept twice, ``pred_probs`` is NULL, and :func:`stream_mended` gives them again.

    Parameters
    ----------
    writer, plan, tally
        The one writer, the file, the counts that grow.
    classes
        The order to keep.
    watch
        Who is told how far it is.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or the rows have another length than there are classes.
    """
    listed = max(int(plan.options.max_rejects * plan.source.rows), _NAMED - 1) + 1
    faults: list[tuple[int, str | None, str]]
    if plan.roles.probabilities or plan.roles.column("pred_probs") is not None:
        _check_width(writer, plan, classes)
        kernel = ProbabilityKernel(classes, listed)
        keep = not is_wide(plan.source.rows, len(classes))
        stage_batches(writer, "staged_predictions", _STAGED, _to_batches(plan, kernel, watch or Watch(), keep=keep))
        _check_lengths(plan, kernel)
        whole = plan.roles.column("pred_probs") if not plan.roles.probabilities else None
        columns = plan.roles.probabilities
        faults = [
            (fault.row, whole if fault.place is None else columns.get(classes[fault.place], whole), fault.reason)
            for fault in kernel.faults
        ]
        faulty = kernel.faulty
        tally.renormalised += kernel.renormalised
    else:
        stage_batches(writer, "staged_predictions", _STAGED, iter(()))
        faults, faulty = _find_unpredicted(writer, plan, listed)
    tally.rejects.extend(reject_rows(writer, plan, faults))
    unnamed = faulty - len(faults)
    left = count_staged(writer) - unnamed
    check_rejects(plan, tally.rejects, left, unnamed=unnamed)


def stream_mended(plan: Plan, classes: tuple[str, ...], watch: Watch) -> Iterator[Mended]:
    """Stream the rows of the file that hold probabilities, in the order of ``classes``, a second time."""
    kernel = ProbabilityKernel(classes, listed=0)
    blocks = _stream_blocks(plan, classes)
    for block in watch_blocks(blocks, watch, f"Keeping the predictions of {plan.name}", plan.source.rows):
        yield kernel.update(block)


def _to_batches(plan: Plan, kernel: ProbabilityKernel, watch: Watch, *, keep: bool) -> Iterator[pa.RecordBatch]:
    names = pa.array(kernel.classes, pa.string())
    blocks = _stream_blocks(plan, kernel.classes)
    for block in watch_blocks(blocks, watch, f"Checking the predictions of {plan.name}", plan.source.rows):
        mended = kernel.update(block)
        best = pa.array(mended.best, mask=mended.best < 0)
        digests = compute_digests(mended.numbers)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(mended.rows),
                names.take(best),
                pa.array(np.ascontiguousarray(digests[:, 0])),
                pa.array(np.ascontiguousarray(digests[:, 1])),
                to_lists(mended.numbers) if keep else pa.nulls(len(mended.rows), _LISTS),
            ],
            schema=_STAGED,
        )


def _stream_blocks(plan: Plan, classes: tuple[str, ...]) -> Iterator[Block]:
    """Stream the numbers as they stand in the file, their columns in the order of ``classes``."""
    source, roles = plan.source, plan.roles
    if roles.probabilities:
        # In a table of items an item without any probability is simply not predicted.
        return stream_columns(source, [roles.probabilities[name] for name in classes], sparse=not plan.only_predicts)
    named = plan.options.classes
    places = [named.index(name) for name in classes] if named and named != classes else None
    matrix = find_matrix(source)
    if matrix is not None:
        return stream_matrix(matrix, places)
    needed = Fragment("FALSE")
    if plan.only_predicts:
        predicted = roles.column("predicted")
        said = source.to_text(predicted) if predicted is not None else Fragment("NULL")
        needed = template("({said} IS NULL)", said=said)
    return stream_lists(source, str(roles.column("pred_probs")), len(classes), places=places, needed=needed)


def _find_unpredicted(writer: Writer, plan: Plan, listed: int) -> tuple[list[tuple[int, str | None, str]], int]:
    """Find the rows of a file of predicted labels that hold none; return some of them and how many there are."""
    if not plan.only_predicts:
        return [], 0
    rows = writer.fetch_all(
        template("SELECT row FROM staged WHERE predicted IS NULL ORDER BY row LIMIT {n}", n=value(listed))
    )
    (count,) = writer.fetch_one(Fragment("SELECT count(*) FROM staged WHERE predicted IS NULL"))
    return [(row, None, "no prediction") for (row,) in rows], int(count)


def _check_width(writer: Writer, plan: Plan, classes: tuple[str, ...]) -> None:
    """Refuse a matrix of another shape before it is read."""
    matrix = find_matrix(plan.source)
    if matrix is None:
        return
    if matrix.columns != len(classes):
        raise FileFaultError(
            f"{plan.name}: wrong matrix shape. It has {matrix.columns:,} columns, but {len(classes):,} classes are "
            f"known: {_show(classes)}. Name the classes in the order of the columns with --classes FILE, one class a "
            f"line, or use --role embedding={plan.roles.column('pred_probs')} if these are no probabilities."
        )
    find_split_by_rows(writer, plan)


def _check_lengths(plan: Plan, kernel: ProbabilityKernel) -> None:
    """Refuse lists of another length than there are classes, where that is no fault of single rows."""
    column = plan.roles.column("pred_probs")
    if column is None or plan.roles.probabilities or kernel.lengths[len(kernel.classes)] * 2 >= kernel.rows:
        return
    found = max(kernel.lengths, key=lambda length: (kernel.lengths[length], -length))
    raise FileFaultError(
        f"{plan.name}: the lists in {column!r} hold {found} probabilities, but {len(kernel.classes)} classes are "
        f"known: {_show(kernel.classes)}. Name the classes in the order of the lists with --classes FILE, one class a "
        "line."
    )


def _show(classes: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in classes[:_SHOWN]) + (", ..." if len(classes) > _SHOWN else "")
