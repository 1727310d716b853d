"""What the tests of both samples share: the scripts that make them, and how their README is read."""

import importlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pytest

REQUEST = "rq-2026-03-09-a"
CLASSES = {"billing", "refund", "delivery", "account access", "bug report", "cancellation"}
# Each with what it holds, told apart from the library.
SLICES = {
    'language = "de" & product = "mobile plan"': lambda t: (t["language"] == "de") & (t["product"] == "mobile plan"),
    'language = "it"': lambda t: t["language"] == "it",
    'channel = "chat" & product = "speaker"': lambda t: (t["channel"] == "chat") & (t["product"] == "speaker"),
}


@pytest.fixture(scope="session")
def import_maker(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of ``sample_data/making``, which is no part of the installed package."""
    place = str(root / "sample_data")
    sys.path.insert(0, place)
    yield lambda name: importlib.import_module(f"making.{name}")
    sys.path.remove(place)


@pytest.fixture(scope="session")
def run_maker(root: Path) -> Callable[..., None]:
    """Run Python in ``sample_data`` with a hash seed of its own; it must say nothing, warnings least of all."""

    def run(hash_seed: str, *words: str) -> None:
        command = [sys.executable, "-W", "error::UserWarning", *words]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            command, cwd=root / "sample_data", env=environment, check=False, capture_output=True, text=True
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

    return run


@pytest.fixture(scope="session")
def read_section(root: Path) -> Callable[[str], str]:
    """Return what the README says under a heading of the first level."""
    readme = (root / "sample_data" / "README.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in f"\n{readme}".split("\n# ")[1:]}
    return lambda heading: sections[heading]


@pytest.fixture(scope="session")
def read_table() -> Callable[[str, str], list[list[str]]]:
    """Return the rows of the table whose first heading is given, as lists of cells."""

    def read(markdown: str, heading: str) -> list[list[str]]:
        rows, inside = [], False
        for line in markdown.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
            if cells and cells[0] == heading:
                inside = True
            elif cells and inside and not set(cells[0]) <= {"-", " "}:
                rows.append(cells)
            elif not cells:
                inside = False
        return rows

    return read


@pytest.fixture(scope="session")
def folder(root):
    return root / "sample_data" / "tickets"


@pytest.fixture(scope="session")
def sample(folder, root):
    """The files of the sample, and what counts are made of."""
    banks = [tomllib.loads(path.read_text(encoding="utf-8")) for path in (root / "sample_data").rglob("*.toml")]
    made = SimpleNamespace(
        train=pd.read_parquet(folder / "train.parquet"),
        eval=pd.read_parquet(folder / "eval.parquet"),
        votes=pd.read_parquet(folder / "votes.parquet"),
        people=pd.read_csv(folder / "people.csv"),
        models={n: pd.read_parquet(folder / f"predictions-model-{n}.parquet") for n in (1, 2)},
        manifest=json.loads((folder / "request" / REQUEST / "private" / "manifest.json").read_text(encoding="utf-8")),
        endings=[sentence for bank in banks for sentence in bank["follow_up"]],
        answers=read_workbook(folder / "request" / "answers.xlsx"),
    )
    made.items = pd.concat([made.train.assign(split="train"), made.eval.assign(split="eval")], ignore_index=True)
    made.slices = SLICES
    made.counted = count_votes(made)
    made.corrections = find_corrections(made)
    predicted = {number: frame.set_index("item_id")["predicted"] for number, frame in made.models.items()}
    made.errors = {n: made.eval["item_id"].map(found) != made.eval["label"] for n, found in predicted.items()}
    return made


def read_workbook(path):
    header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return pd.DataFrame(rows, columns=header).fillna("")


def count_votes(made):
    """Add to each vote its ticket, what the other two said where they agree, and the time since the sitting began."""
    votes = made.votes.merge(
        made.train[["item_id", "product", "label", "gold_label"]], on="item_id", suffixes=("", "_")
    )
    votes = votes.rename(columns={"label_": "recorded"}).sort_values(["item_id", "annotator"], ignore_index=True)
    said = votes["label"].fillna("").to_numpy().reshape(-1, 3)
    others = np.stack([said[:, [1, 2]], said[:, [0, 2]], said[:, [0, 1]]], axis=1).reshape(-1, 2)
    agree = (others[:, 0] == others[:, 1]) & (others[:, 0] != "")
    votes["peers"] = pd.Series(others[:, 0]).where(agree)
    votes = votes.sort_values(["annotator", "started_at"], ignore_index=True)
    pause = votes["started_at"] - votes.groupby("annotator")["labelled_at"].shift()
    votes["sitting"] = (pause.isna() | (pause > pd.Timedelta(minutes=30))).cumsum()
    begun = votes.groupby("sitting")["started_at"].transform("min")
    votes["late"] = votes["labelled_at"] - begun > pd.Timedelta(hours=2)
    return votes


@pytest.fixture(scope="session")
def fresh(run_maker, tmp_path_factory):
    """All that comes before the models, made again, and what only the tickets' author knows."""
    code = (
        "import sys; from pathlib import Path; from making.tickets import write_people_and_items; "
        "out = Path(sys.argv[1]); write_people_and_items(out)[0].to_pickle(out / 'known.pickle')"
    )
    out = tmp_path_factory.mktemp("tickets")
    run_maker("1", "-c", code, str(out))
    return out


@pytest.fixture(scope="session")
def known(fresh):
    """The class that each ticket was written for, and its theme; in no file of the sample for train."""
    return pd.read_pickle(fresh / "known.pickle").set_index("item_id")  # noqa: S301 - written above


@pytest.fixture(scope="session")
def retrained(sample, known, import_maker):
    """Errors in eval of a model that learned the classes that the tickets were written for."""
    model = import_maker("tickets_models").make_model()
    model.fit(sample.train["text"], known.loc[sample.train["item_id"], "truth"])
    return pd.Series(model.predict(sample.eval["text"])) != sample.eval["label"]


def find_corrections(sample):
    suspects = {item["relook_task"]: item["item_id"] for item in sample.manifest["items"] if item["role"] == "suspect"}
    answers = sample.answers.assign(
        said=sample.answers["new_label"].str.strip(), item=lambda a: a["relook_task"].map(suspects)
    )
    answers = answers[answers["said"].isin(CLASSES)].dropna(subset="item").drop_duplicates(["item", "annotator"])
    by_item = answers.groupby("item")["said"].agg(["size", "nunique", "first"])
    return by_item.loc[(by_item["size"] == 2) & (by_item["nunique"] == 1), "first"].to_dict()
