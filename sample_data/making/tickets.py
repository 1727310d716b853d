"""The sample tickets: support tickets, a panel of two vendors, two models and a request that came back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from making.tickets_items import choose_gold, make_items
from making.tickets_models import compute_predictions
from making.tickets_people import PANEL
from making.tickets_request import REQUEST, answer_tasks, build_files, find_corrections, to_workbook
from making.tickets_votes import simulate_votes, to_recorded_labels

SEED = 3
SHOWN = ["item_id", "text", "channel", "product", "language", "length", "tier", "label"]


def write_tickets(folder: Path) -> None:
    """Make the sample and write it to a folder, replacing what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    items, train, held_out = write_people_and_items(folder)
    write_parquet(compute_predictions(train, held_out, "model-1", SEED), folder / "predictions-model-1.parquet")
    corrections = write_request(folder, items)
    relabelled = train.assign(label=train["item_id"].map(corrections).fillna(train["label"]))
    second = compute_predictions(relabelled, held_out, "model-2", SEED)
    write_parquet(second, folder / "predictions-model-2.parquet")


def write_people_and_items(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make and write all that comes before the first model.

    Returns
    -------
    tuple of DataFrame
        All items with what only their author knows, train as written, eval as written.
    """
    items_rng, votes_rng, gold_rng = np.random.default_rng(SEED).spawn(3)
    items = make_items(items_rng)
    in_train = items["split"] == "train"
    votes = simulate_votes(items[in_train].reset_index(drop=True), votes_rng)
    items["label"] = items["item_id"].map(to_recorded_labels(votes)).where(in_train, items["truth"])
    items["gold_label"] = choose_gold(items, votes.groupby("item_id")["batch"].first(), gold_rng)
    train, held_out = items.loc[in_train, [*SHOWN, "gold_label"]], items.loc[~in_train, SHOWN]
    write_parquet(train, folder / "train.parquet")
    write_parquet(held_out, folder / "eval.parquet")
    write_parquet(votes, folder / "votes.parquet")
    people = pd.DataFrame(
        {
            "annotator": [person.annotator for person in PANEL],
            "name": [person.name for person in PANEL],
            "email": [person.email for person in PANEL],
            "team": [person.vendor.name for person in PANEL],
            "time_zone": [person.vendor.time_zone for person in PANEL],
        }
    )
    people.to_csv(folder / "people.csv", index=False, lineterminator="\n")
    return items, train.reset_index(drop=True), held_out.reset_index(drop=True)


def write_request(folder: Path, items: pd.DataFrame) -> dict[str, str]:
    """Write the request and its answers below ``request/``; return the corrected labels by item."""
    files = build_files(folder, SEED)
    place = folder / "request" / REQUEST
    shutil.rmtree(place, ignore_errors=True)
    for name, data in files.all.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    tasks = json.loads(files.private["private/manifest.json"])["items"]
    truths = dict(zip(items["item_id"], items["truth"], strict=True))
    truth = {task["relook_task"]: truths[task["item_id"]] for task in tasks}
    rows = answer_tasks(files, truth, np.random.default_rng([SEED, 1]))
    (folder / "request" / "answers.xlsx").write_bytes(to_workbook(rows))
    return find_corrections(rows, {task["relook_task"]: task["item_id"] for task in tasks if task["role"] == "suspect"})


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame without the index and without pandas' own notes, as another tool would."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    numbers = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_floating(field.type)}
    numbers |= {field.name: "DELTA_BINARY_PACKED" for field in table.schema if pa.types.is_timestamp(field.type)}
    repeating = [name for name in frame.columns if name not in {"text", *numbers}]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=repeating,
        column_encoding=numbers or None,
        coerce_timestamps="ms",
        data_page_size=2**24,
    )
