"""Embeddings: one vector an item under a name, all of one length, kept apart from the features."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.errors import FileFaultError
from analysis.store.loading.comparing import Arriving, count_compared, tally_compared
from analysis.store.loading.matching import check_partners, find_split_by_rows, join_items
from analysis.store.loading.matrix import (
    Block,
    compute_digests,
    find_matrix,
    find_rows,
    insert_batches,
    is_wide,
    stage_batches,
    stage_digests,
    stream_lists,
    stream_matrix,
    to_lists,
    watch_blocks,
)
from analysis.store.loading.report import Tally
from analysis.store.loading.staging import Plan, check_rejects, count_staged, reject_rows
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = ["check_embeddings", "only_embeds", "take_embeddings"]

_LOOKED_AT: Final = 1_000
_TAKEN: Final = (
    "Its first rows do not sum to 1, so it was taken for an embedding. If these are probabilities, apply softmax to "
    "the scores before saving them."
)
_NAMED: Final = 3
_LISTS: Final = pa.large_list(pa.float32())
_STAGED: Final = pa.schema([("row", pa.int64()), ("first", pa.uint64()), ("second", pa.uint64()), ("vector", _LISTS)])
_KEYS: Final = pa.schema([("item", pa.int32())])
_KEPT: Final = pa.schema([("item", pa.int32()), ("vector", _LISTS)])

_VECTORS: Final = Arriving(Fragment("vectors"), (Fragment("item"),), "embeddings")

Vectors = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


@dataclass
class VectorKernel:
    """Check vectors: of one length, and of finite numbers.

    One pass; memory is that of a block and of the listed faults.

    Parameters
    ----------
    width
        How many numbers a vector has.
    listed
        How many faulty rows are described; all are counted.

    Examples
    --------
    >>> kernel = VectorKernel(2, listed=9)
    >>> rows, vectors = kernel.update(Block(np.arange(1, 3), np.array([[1.5, 2.0], [1.0, np.nan]]), np.array([2, 2])))
    >>> rows.tolist(), kernel.faults
    ([1], [(2, 'number 2 of the embedding is missing or not finite')])
    """

    width: int
    listed: int
    faulty: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)

    def update(self, block: Block) -> Vectors:
        """Take in a block, and return the rows (M,) and vectors (M, width) that are good."""
        right = block.lengths == self.width
        wrong = ~right if block.needed is None else ~right & ((block.lengths >= 0) | block.needed)
        with np.errstate(over="ignore"):
            # What is too large for what is kept becomes infinite. No negative zeros: equal rows have equal bits.
            vectors = np.add(block.numbers, 0.0, dtype=np.float32, casting="unsafe", order="C")
        finite = np.isfinite(vectors).all(axis=1)
        odd = right & ~finite
        self.faulty += int(wrong.sum() + odd.sum())
        for place in np.flatnonzero(wrong | odd)[: max(0, self.listed - len(self.faults))]:
            self.faults.append((int(block.rows[place]), self._describe(int(block.lengths[place]), vectors[place])))
        good = right & finite
        if good.all():
            return block.rows, vectors
        return block.rows[good], vectors[good]

    def _describe(self, length: int, vector: npt.NDArray[Any]) -> str:
        if length < 0:
            return "no embedding"
        if length != self.width:
            return f"{length:,} numbers, where the others have {self.width:,}"
        return f"number {int(np.flatnonzero(~np.isfinite(vector))[0]) + 1:,} of the embedding is missing or not finite"


def only_embeds(plan: Plan) -> bool:
    """Tell whether a file of known items holds embeddings and no predictions."""
    roles = plan.roles
    predicts = roles.probabilities or roles.column("predicted") or roles.column("pred_probs")
    return plan.kind == "predictions" and not predicts


def check_embeddings(writer: Writer, plan: Plan, tally: Tally, watch: Watch | None = None) -> None:
    """Make ``staged_embeddings`` of the rows that hold a vector, and take faulty rows out of ``staged``.

    The table has the columns ``row``, ``first`` and ``second`` (a digest by which equal rows are found) and
    ``vector``, NULL where the vectors together are too many to be kept twice.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or the name is known with vectors of another length.
    """
    matrix = find_matrix(plan.source)
    if matrix is not None:
        find_split_by_rows(writer, plan)
        if ("embedding", plan.roles.column("embedding")) not in plan.options.roles:
            tally.notes.append(_TAKEN)
    width = _find_width(plan)
    _check_known_width(writer, plan, width)
    listed = max(int(plan.options.max_rejects * plan.source.rows), _NAMED - 1) + 1
    kernel = VectorKernel(width, listed)
    keep = not is_wide(plan.source.rows, width)
    stage_batches(writer, "staged_embeddings", _STAGED, _stage_vectors(plan, kernel, watch or Watch(), keep=keep))
    column = plan.roles.column("embedding")
    tally.rejects.extend(reject_rows(writer, plan, [(row, column, reason) for row, reason in kernel.faults]))
    unnamed = kernel.faulty - len(kernel.faults)
    left = count_staged(writer) - unnamed
    check_rejects(plan, tally.rejects, left, unnamed=unnamed)


def _find_name(plan: Plan) -> str:
    return plan.source.path.stem if find_matrix(plan.source) else str(plan.roles.column("embedding"))


def _find_width(plan: Plan) -> int:
    """Return how many numbers most of the first vectors have, 0 where there is none."""
    matrix = find_matrix(plan.source)
    if matrix is not None:
        return matrix.columns
    listed = plan.source.find(str(plan.roles.column("embedding")))[0]
    query = template(
        "SELECT length FROM (SELECT len({listed}) AS length FROM raw WHERE {listed} IS NOT NULL LIMIT {n}) "
        "GROUP BY length ORDER BY count(*) DESC, length LIMIT 1",
        listed=listed,
        n=value(_LOOKED_AT),
    )
    return next((int(length) for (length,) in plan.source.scratch.fetch_all(query)), 0)


def _check_known_width(writer: Writer, plan: Plan, width: int) -> None:
    name = _find_name(plan)
    known = writer.fetch_all(
        template("SELECT len(vector) FROM embeddings WHERE name = {name} LIMIT 1", name=value(name))
    )
    if known and width and known[0][0] != width and not plan.options.replace:
        what = "the file" if find_matrix(plan.source) else "the column"
        raise FileFaultError(
            f"{plan.name}: wrong matrix shape. Its vectors have {width:,} numbers, those of the embedding {name!r} "
            f"here have {known[0][0]:,}. Rename {what}, after which an embedding is named, or use --replace for all "
            "items."
        )


def _stream_blocks(plan: Plan, width: int) -> Iterator[Block]:
    matrix = find_matrix(plan.source)
    if matrix is not None:
        return stream_matrix(matrix)
    needed = Fragment("TRUE") if only_embeds(plan) else Fragment("FALSE")
    return stream_lists(plan.source, str(plan.roles.column("embedding")), width, needed=needed)


def _stage_vectors(plan: Plan, kernel: VectorKernel, watch: Watch, *, keep: bool) -> Iterator[pa.RecordBatch]:
    blocks = _stream_blocks(plan, kernel.width)
    for block in watch_blocks(blocks, watch, f"Checking the embeddings of {plan.name}", plan.source.rows):
        rows, vectors = kernel.update(block)
        digests = compute_digests(vectors)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(rows),
                pa.array(digests[:, 0].copy()),
                pa.array(digests[:, 1].copy()),
                to_lists(vectors) if keep else pa.nulls(len(rows), _LISTS),
            ],
            schema=_STAGED,
        )


def take_embeddings(writer: Writer, plan: Plan, tally: Tally, watch: Watch | None = None) -> None:
    """Take the vectors of ``staged_embeddings`` in for the items of ``staged``.

    Raises
    ------
    FileFaultError
        If too many rows are faulty, or vectors are already there with other values.
    """
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE vectors AS SELECT s.row, i.item, e.first, e.second "
            "FROM staged s JOIN staged_embeddings e ON e.row = s.row {items}",
            items=join_items(writer, plan),
        )
    )
    if only_embeds(plan):
        empty = writer.fetch_all(Fragment("SELECT row FROM staged WHERE item_id IS NULL ORDER BY row"))
        if empty:
            _VECTORS.reject(writer, plan, tally, [(row, plan.roles.column("item_id"), "no id") for (row,) in empty])
        check_partners(writer, plan, tally, Fragment("vectors"), "Embeddings")
    writer.execute(Fragment("DELETE FROM vectors WHERE item IS NULL"))
    _VECTORS.drop_repeats(writer, plan, tally, counted=only_embeds(plan))
    _merge(writer, plan, tally, watch or Watch())


def _merge(writer: Writer, plan: Plan, tally: Tally, watch: Watch) -> None:
    """Compare with the vectors that are there; insert what is new."""
    name = _find_name(plan)
    width = _find_width(plan)
    query = template(
        "SELECT e.item, e.vector FROM embeddings e SEMI JOIN vectors n ON n.item = e.item WHERE e.name = {name}",
        name=value(name),
    )
    stage_digests(writer, "settled", _KEYS, query, width)
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE compared AS SELECT n.*, d.item IS NOT NULL AS known, "
            "coalesce(d.first = n.first AND d.second = n.second, FALSE) AS same "
            "FROM vectors n LEFT JOIN settled d ON d.item = n.item"
        )
    )
    fresh, same, other = count_compared(writer)
    if other and not plan.options.replace:
        raise FileFaultError(
            f"{plan.name}: the embedding {name!r} is already there with other vectors for {other:,} of these items. "
            "Use --replace to take the new ones, or give them another name."
        )
    if other:
        writer.execute(
            template(
                "DELETE FROM embeddings WHERE name = {name} AND item IN (SELECT item FROM compared WHERE NOT same)",
                name=value(name),
            )
        )
    if fresh + other:
        _insert(writer, plan, name, width, watch)
    tally_compared(tally, (fresh, same, other), counted=only_embeds(plan))


def _insert(writer: Writer, plan: Plan, name: str, width: int, watch: Watch) -> None:
    if is_wide(plan.source.rows, width):
        wanted = pa.Table.from_batches(
            writer.fetch_batches(Fragment("SELECT row, item FROM compared WHERE NOT same ORDER BY row")),
            schema=pa.schema([("row", pa.int64()), ("item", pa.int32())]),
        )
        statement = template(
            "INSERT INTO embeddings (item, name, vector) SELECT item, {name}, vector FROM arriving", name=value(name)
        )
        rows, items = wanted["row"].to_numpy(), wanted["item"].to_numpy()
        insert_batches(writer, statement, _KEPT, _to_batches(plan, rows, items, VectorKernel(width, listed=0), watch))
    else:
        writer.execute(
            template(
                "INSERT INTO embeddings (item, name, vector) SELECT c.item, {name}, e.vector FROM compared c "
                "JOIN staged_embeddings e ON e.row = c.row WHERE NOT c.same ORDER BY c.item",
                name=value(name),
            )
        )
    lengths = template("SELECT count(DISTINCT len(vector)) FROM embeddings WHERE name = {name}", name=value(name))
    if writer.fetch_one(lengths)[0] > 1:
        raise FileFaultError(
            f"{plan.name}: wrong matrix shape. Its vectors have {width:,} numbers, and some items would keep vectors "
            f"of another length under the name {name!r}. Load vectors for all items, or give them another name."
        )


def _to_batches(
    plan: Plan, wanted: npt.NDArray[np.int64], items: npt.NDArray[np.int32], kernel: VectorKernel, watch: Watch
) -> Iterator[pa.RecordBatch]:
    """Read the vectors of the file once more, and put each row's item beside it."""
    blocks = _stream_blocks(plan, kernel.width)
    for block in watch_blocks(blocks, watch, f"Keeping the embeddings of {plan.name}", plan.source.rows):
        rows, vectors = kernel.update(block)
        there, places = find_rows(wanted, rows)
        yield pa.RecordBatch.from_arrays([pa.array(items[places]), to_lists(vectors[there])], schema=_KEPT)
