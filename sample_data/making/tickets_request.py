"""A request that relook wrote for the sample, and the workbook that came back.

The team saw that the model takes German withdrawals for refunds, and asked two of its own support leads to look
at the train labels again. The request is built by relook itself from the sample's files, with a fixed name, day
and seed: so its tasks are the same in every run.
"""

import csv
import io
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xlsxwriter

from analysis.commands.candidates import find_candidates, find_trusted
from analysis.commands.load import load
from analysis.commands.workspaces import workspace_at
from analysis.relabel import RequestFiles, RequestSpec, build_request, to_files
from making.tickets_items import NEIGHBOURS
from making.tickets_text import CLASSES

REQUEST = "rq-2026-03-09-a"
CREATED = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
DUE = date(2026, 3, 20)
RETURNED = datetime(2026, 3, 18, 15, 5, tzinfo=UTC)
SOURCE = 'slice:@given_label = "refund" & language = "de" & product = "mobile plan"'
LEADS = ("Katrin Vogt", "Tom Ellis")
CONTROLS = 12
COLUMNS = {"text": "text", "product": "field", "language": "field"}

LEAD_ERROR = 0.03
CANNOT_DECIDE = 3
SURE = 0.8
WIDTHS = {"text": 90, "product": 16, "new_label": 18, "comment": 34, "annotator": 14}


def build_files(folder: Path, seed: int) -> RequestFiles:
    """Load the sample as its user would, and write the request to memory.

    Parameters
    ----------
    folder
        With the sample's files, the first model's predictions among them.
    seed
        Of the request: tokens, order and controls are drawn from it.
    """
    files = ("train.parquet", "eval.parquet", "votes.parquet", "predictions-model-1.parquet")
    with tempfile.TemporaryDirectory() as aside:
        workspace = workspace_at(Path(aside) / "tickets.relook")
        load(workspace, [folder / name for name in files])
        with workspace.read() as snapshot:
            model = snapshot.resolve_model(None)
            candidates, _notes = find_candidates(snapshot, [SOURCE], [], split="train", model=model)
            pool = find_trusted(snapshot, "train")
        workspace.close()
    spec = RequestSpec(
        request_id=REQUEST,
        created_at=CREATED,
        labels=CLASSES,
        assignees=LEADS,
        votes_per_item=2,
        controls=CONTROLS,
        due=DUE,
        contact="Data team",
        purpose=SOURCE,
        seed=seed,
        model="model-1",
    )
    train = pd.read_parquet(folder / "train.parquet").assign(split="train")
    content = train.set_index(["split", "item_id"])[list(COLUMNS)]
    return to_files(build_request(candidates, spec, control_pool=pool), content, COLUMNS, ["csv"])


def answer_tasks(files: RequestFiles, truth: dict[str, str], rng: np.random.Generator) -> list[dict[str, str]]:
    """Fill in the task files as two people who know their trade, and make the mistakes that people make.

    Parameters
    ----------
    files
        The request.
    truth
        Task to the class that its ticket was written for.
    rng
        The only source of randomness.

    Returns
    -------
    list of dict
        The rows of the workbook, sorted by text: one row twice, one label typed with a space before it, one text
        edited, some answers "Cannot decide".
    """
    rows = [row for name in sorted(files.send) if name.endswith(".csv") for row in read_tasks(files.send[name])]
    undecided = set(rng.permutation(len(rows))[:CANNOT_DECIDE].tolist())
    for place, row in enumerate(rows):
        label = truth[row["relook_task"]]
        if rng.random() < LEAD_ERROR:
            label = max(NEIGHBOURS[label], key=lambda other: NEIGHBOURS[label][other])
        sure = rng.random() < SURE
        row["new_label"] = "Cannot decide" if place in undecided else label
        row["confidence"] = "low" if place in undecided else "high" if sure else "medium"
        row["comment"] = "More than one label fits" if place in undecided else ""
    rows.sort(key=lambda row: (row["text"].casefold(), row["annotator"]))
    refunds = [row for row in rows if row["new_label"] == "refund"]
    refunds[len(refunds) // 2]["new_label"] = " refund"
    clean = [place for place, row in enumerate(rows) if row["new_label"] == "cancellation"]
    edited, repeated = clean[len(clean) // 3], clean[2 * len(clean) // 3]
    rows[edited]["text"] = rows[edited]["text"].replace("Flux Mobile", "FluxMobile")
    rows[edited]["comment"] = "typo corrected"
    return [*rows[: repeated + 1], dict(rows[repeated]), *rows[repeated + 1 :]]


def read_tasks(data: bytes) -> list[dict[str, str]]:
    """Read a task file as a spreadsheet does."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def to_workbook(rows: list[dict[str, str]]) -> bytes:
    """Write the rows as the one sheet of a workbook; the same rows give the same bytes."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"author": LEADS[0], "created": RETURNED.replace(tzinfo=None)})
    sheet = book.add_worksheet("tasks")
    names = list(rows[0])
    bold = book.add_format({"bold": True})
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, bold)
        sheet.set_column(column, column, WIDTHS.get(name, 12))
    for line, row in enumerate(rows, start=1):
        for column, name in enumerate(names):
            if row[name]:
                sheet.write_string(line, column, row[name])
    sheet.freeze_panes(1, 0)
    book.close()
    return buffer.getvalue()


def find_corrections(rows: list[dict[str, str]], items: dict[str, str]) -> dict[str, str]:
    """Return the labels on which both people agree, by item.

    Parameters
    ----------
    rows
        The workbook's.
    items
        Task to item id, for the tasks that are to be corrected: controls are not among them.
    """
    said: dict[str, dict[str, str]] = {}
    for row in rows:
        label = row["new_label"].strip()
        if label in CLASSES and row["relook_task"] in items:
            said.setdefault(items[row["relook_task"]], {})[row["annotator"]] = label
    return {
        item: next(iter(labels.values()))
        for item, labels in said.items()
        if len(labels) == len(LEADS) and len(set(labels.values())) == 1
    }
