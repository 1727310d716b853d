"""From a file with roles to the temporary table ``staged``: what identifies and describes its rows, but features.

``staged`` is narrow on purpose. The users' own columns and the probabilities flow past it, straight from the file
into the workspace.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.errors import FileFaultError
from analysis.roles import ROW_NUMBER, Kind, Roles
from analysis.store.loading.source import FEATURE_TYPES, Source
from analysis.store.readers.notes import COMMA_NOTE
from analysis.store.readers.scratch import Reject
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Writer
from analysis.watch import Watch

__all__ = [
    "LoadOptions",
    "Plan",
    "check_rejects",
    "count_staged",
    "reject_rows",
    "select_features",
    "stage",
    "stream_rows",
]


@dataclass(frozen=True)
class LoadOptions:
    """What the user said about a load; everything else is guessed and reported.

    Attributes
    ----------
    split, kind, model
        For all files of the load; None lets names and values decide.
    roles
        Role to column, overriding the guess.
    gold
        A votes file holds the votes of experts.
    classes
        The order of the classes, needed for probabilities in a list column.
    encoding
        Of text files; None lets the file decide.
    max_rejects
        The share of faulty rows, 0 to 1, over which a file is refused whole.
    replace
        Rows with known ids and other values replace what is there.
    dry_run
        Do all, keep nothing.
    """

    split: str | None = None
    kind: Kind | None = None
    model: str | None = None
    roles: tuple[tuple[str, str], ...] = ()
    gold: bool = False
    classes: tuple[str, ...] = ()
    encoding: str | None = None
    max_rejects: float = 0.01
    replace: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """How one file will be taken in.

    Attributes
    ----------
    split
        Of all its rows; None where each row says it, or the item that it is about.
    split_by_name
        What the file's name says of rows that find their items by id: it settles in which of several splits an id
        is meant, and nothing else.
    """

    source: Source
    roles: Roles
    kind: Kind
    kind_reason: str
    split: str | None
    options: LoadOptions
    split_by_name: str | None = None

    @property
    def name(self) -> str:
        """The file's name, and which part of it this is."""
        part = self.source.table.part
        return self.source.path.name if part is None else f"{self.source.path.name} ({part})"

    @property
    def predicts(self) -> bool:
        """The file has predicted labels or probabilities."""
        roles = self.roles
        return bool(roles.probabilities or roles.column("predicted") or roles.column("pred_probs"))

    @property
    def only_predicts(self) -> bool:
        """Every row must hold a prediction; a table with labels may list items that have none."""
        return self.kind == "predictions" and self.roles.column("given_label") is None


_TEXT_ROLES: Final = (
    ("split", "split"),
    ("item_id", "item_id"),
    ("given_label", "given_label"),
    ("annotator", "annotator"),
    ("group", "group_id"),
    ("gold_label", "gold_label"),
    ("predicted", "predicted"),
    ("fold", "fold"),
    ("batch", "batch"),
    ("comment", "comment"),
    ("model", "model"),
    ("team", "team"),
    ("suggested", "suggested"),
    ("guideline", "guideline"),
    ("reviewer", "reviewer"),
    ("verdict", "verdict"),
)
_OF_EVERY_ITEM: Final = {"split", "item_id", "given_label"}
_OF_EVERY_PREDICTION: Final = {"predicted", "fold", "model"}
"""What is staged of a table of items where nobody is known who labelled them; nothing asks for the rest."""


def stage(writer: Writer, plan: Plan) -> None:
    """Bring the file's narrow columns into the temporary table ``staged`` of the workspace's connection.

    A table of items gets the column ``item``: the number that the row has if no row before it is rejected or known.

    Parameters
    ----------
    writer
        The one writer.
    plan
        The file and its roles.
    """
    source, roles = plan.source, plan.roles
    named = roles.column("annotator") is not None or writer.fetch_one(Fragment("SELECT count(*) FROM annotators"))[0]
    narrow = plan.kind == "items" and not named
    needed = _OF_EVERY_ITEM | (_OF_EVERY_PREDICTION if plan.predicts else set())
    selected = [Fragment("row")]
    for role, name in _TEXT_ROLES:
        column = roles.column(role)
        if narrow and column is None and role not in needed:
            continue
        selected.append(template("{part} AS {name}", part=_to_text(plan, role, column), name=Fragment(name)))
    for role in ("started_at", "labelled_at"):
        column = roles.column(role)
        part = source.to_time(column) if column is not None else Fragment("CAST(NULL AS TIMESTAMP)")
        if column is not None or not narrow:
            selected.append(template("{part} AS {name}", part=part, name=Fragment(role)))
    column = roles.column("seconds")
    part = source.to_number(column) if column is not None else Fragment("CAST(NULL AS DOUBLE)")
    if column is not None or not narrow:
        selected.append(template("{part} AS seconds", part=part))
    column = roles.column("round")
    part = source.to_number(column) if column is not None else Fragment("NULL")
    if column is not None or not narrow:
        selected.append(template("CAST({part} AS INTEGER) AS round", part=part))
    if plan.kind == "items":
        there = writer.fetch_one(Fragment("SELECT count(*) FROM items"))[0]
        selected.append(template("CAST(row + {there} AS INTEGER) AS item", there=value(there)))
    query = template("SELECT {selected} FROM raw", selected=join(", ", selected))
    writer.take_in("staged", source.scratch.stream(query, rows=source.batch_rows))


def _to_text(plan: Plan, role: str, column: str | None) -> Fragment:
    if role == "split" and plan.split is not None:
        return value(plan.split)
    if column == ROW_NUMBER:
        return Fragment("CAST(row AS VARCHAR)")
    if column is None:
        return Fragment("CAST(NULL AS VARCHAR)")
    part = plan.source.to_text(column)
    if role == "split" and plan.kind == "items":
        # Before repeats are looked for: an id without a split may be there with one too.
        return template("coalesce({part}, 'train')", part=part)
    return part


def select_features(plan: Plan) -> list[Fragment]:
    """Return the file's features as they are kept, as ``f0, f1, ...`` in their order."""
    source = plan.source
    selected = []
    for index, feature in enumerate(plan.roles.features):
        kind = FEATURE_TYPES[source.find(feature)[2].type]
        part = template("CAST({part} AS {kind})", part=source.to_feature(feature), kind=Fragment(kind))
        selected.append(template("{part} AS {name}", part=part, name=Fragment(f"f{index}")))
    return selected


def stream_rows(
    source: Source,
    selected: Sequence[Fragment],
    numbers: npt.NDArray[np.int64] | int,
    watch: Watch,
    step: str,
    *,
    name: str = "item",
) -> pa.RecordBatchReader:
    """Stream rows of a file with a number in place of the row, which they are kept under.

    Parameters
    ----------
    source
        The file.
    selected
        What is asked of each row, with its name.
    numbers
        The number by row, 0 where the row is left out; shape (rows + 1,), as rows are counted from 1. Or what is
        added to every row.
    watch, step
        Who is told how far it is.
    name
        Of the number.

    Returns
    -------
    RecordBatchReader
        The number (INTEGER) and what was selected.
    """
    query = template("SELECT {selected} FROM raw", selected=join(", ", [Fragment("row"), *selected]))
    stream = source.scratch.stream(query, rows=source.batch_rows)
    schema = stream.schema.set(0, pa.field(name, pa.int32()))
    total = source.facts[0].rows if source.facts else None

    def renumber() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in stream:
            watch.tell(step, done, total)
            done += len(batch)
            rows: npt.NDArray[Any] = batch.column(0).to_numpy(zero_copy_only=False)
            items = rows + numbers if isinstance(numbers, int) else numbers[rows]
            columns = [pa.array(items.astype(np.int32)), *batch.columns[1:]]
            renumbered = pa.RecordBatch.from_arrays(columns, schema=schema)
            if not isinstance(numbers, int) and not items.all():
                renumbered = renumbered.filter(pa.array(items != 0))
            yield renumbered

    return pa.RecordBatchReader.from_batches(schema, renumber())


def count_staged(writer: Writer) -> int:
    """Count the rows that are still in ``staged``."""
    return int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])


def reject_rows(writer: Writer, plan: Plan, faults: Sequence[tuple[int, str | None, str]]) -> list[Reject]:
    """Take faulty rows out of ``staged`` and name where they stand in the file."""
    lines = plan.source.table.lines
    rejects = [Reject(lines.find(row), column, reason) for row, column, reason in faults]
    rows = Fragment("?", ([row for row, _column, _reason in faults],))
    if faults:
        writer.execute(template("DELETE FROM staged WHERE row = ANY({rows})", rows=rows))
    return rejects


def check_rejects(plan: Plan, rejects: Sequence[Reject], kept: int, *, unnamed: int = 0, final: bool = False) -> None:
    """Refuse the file where no row is left, and at the end where too many are faulty.

    Not before: how many rows are said to be faulty would depend on how many may be, as each check would hide those
    after it.

    Parameters
    ----------
    plan, rejects
        The file, and its faulty rows so far.
    kept
        Rows that are left.
    unnamed
        Faulty rows beyond those in ``rejects``; they are too many to be taken out one by one, so the file is
        refused here where they are too many.
    final
        All checks are done.

    Raises
    ------
    FileFaultError
        With the first reasons.
    """
    rows = plan.source.rows
    faulty = len(rejects) + unnamed
    too_many = faulty > plan.options.max_rejects * rows and (final or unnamed)
    if not faulty or (kept > 0 and not too_many):
        return
    ordered = sorted(rejects, key=lambda reject: reject.line)
    first = "; ".join(f"line {reject.line:,}: {reject.reason}" for reject in ordered[:3])
    share = f"{faulty:,} of {rows:,} rows ({faulty / rows:.1%}) are faulty"
    hint = "".join(f"{note} " for note in plan.source.table.notes if note.startswith(COMMA_NOTE))
    if kept == 0:
        raise FileFaultError(f"{plan.name}: {share}, and nothing is left. First: {first}. {hint}Mend the file.")
    raise FileFaultError(
        f"{plan.name}: {share}, more than --max-rejects {plan.options.max_rejects:g} allows. First: {first}. "
        f"{hint}Mend the file, or raise --max-rejects."
    )
