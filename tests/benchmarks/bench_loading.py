"""Time a whole load into a new workspace against DuckDB making one plain table of the same file.

    python tests/benchmarks/bench_loading.py --rows 1000000 --large-rows 10000000

Every run is a process of its own; time is the median of the repeats without the start of Python, memory the largest
peak of the process. Baselines: ``CREATE TABLE AS SELECT * FROM read_parquet`` into a file, and
``read_csv(all_varchar = true)`` into a table in memory (the harder one) and into a file. The large table is loaded
once with RELOOK_MEMORY=2GB.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from analysis.store.loading import LoadOptions, load_files
from analysis.store.workspace import Workspace

CHUNK = 1_000_000
CLASSES = 10
MEMORY = "2GB"
MOST_MEGABYTES = 2000


@dataclass(frozen=True)
class Case:
    """One file, what it is compared with, and how many times as long a load may take."""

    name: str
    file: Path
    baseline: str
    target: float | None
    memory: str | None = None


def make_chunks(rows: int, *, probabilities: bool, seed: int) -> Iterator[pa.Table]:
    """Items with a text id, a label, eight numbers, four small codes as text, and a probability a class."""
    rng = np.random.default_rng(seed)
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        ids = np.char.add("i", np.char.zfill(np.arange(start, start + n).astype(str), 8))
        columns = {"id": pa.array(ids), "label": pa.array(rng.integers(0, CLASSES, n).astype(str))}
        columns |= {f"x{j}": pa.array(rng.normal(size=n)) for j in range(8)}
        columns |= {f"c{j}": pa.array(rng.integers(0, 12, n).astype(str)) for j in range(4)}
        if probabilities:
            drawn = rng.dirichlet(np.ones(CLASSES) * 0.3, n).astype("float32")
            columns |= {f"p_{k}": pa.array(drawn[:, k]) for k in range(CLASSES)}
        yield pa.table(columns)


def write_file(path: Path, chunks: Iterator[pa.Table]) -> Path:
    first = next(chunks)
    parquet = path.suffix == ".parquet"
    with (pq.ParquetWriter if parquet else pacsv.CSVWriter)(path, first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk)
    return path


def load(file: Path, target: Path) -> None:
    load_files(Workspace(target), [file], LoadOptions())


def make_table(relation: str, file: Path, target: Path | None) -> None:
    connection = duckdb.connect(str(target or ":memory:"))
    connection.execute("CREATE TABLE t AS SELECT * FROM " + relation, [str(file)])
    connection.close()


RUNS: dict[str, Callable[[Path, Path], None]] = {
    "load": load,
    "Parquet into a file": lambda file, target: make_table("read_parquet(?)", file, target),
    "CSV as text in memory": lambda file, _target: make_table("read_csv(?, all_varchar = true)", file, None),
    "CSV as text into a file": lambda file, target: make_table("read_csv(?, all_varchar = true)", file, target),
}


def run_alone(what: str, file: Path, folder: Path, memory: str | None = None) -> tuple[float, float]:
    """Run something in a process of its own; return its seconds and its peak of memory in MB."""
    target = folder / ("out.relook" if what == "load" else "out.db")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if memory is not None:
        environment["RELOOK_MEMORY"] = memory
    command = [sys.executable, __file__, "--alone", what, "--file", str(file), "--target", str(target)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    target.unlink(missing_ok=True)
    found = json.loads(ended.stdout)
    return found["seconds"], found["megabytes"]


def tell_alone(what: str, file: Path, target: Path) -> None:
    start = time.perf_counter()
    RUNS[what](file, target)
    seconds = time.perf_counter() - start
    # Linux counts the peak in kilobytes, macOS in bytes.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    sys.stdout.write(json.dumps({"seconds": seconds, "megabytes": peak}))


def measure(case: Case, folder: Path, repeats: int) -> tuple[list[str], str | None]:
    """Take ours and the baseline in turn, so that a busy moment of the machine meets both."""
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(run_alone(case.baseline, case.file, folder))
        ours.append(run_alone("load", case.file, folder, case.memory))
    seconds = statistics.median(run[0] for run in ours)
    plain = statistics.median(run[0] for run in theirs)
    peaks = [max(run[1] for run in runs) for runs in (ours, theirs)]
    ratio = seconds / plain
    fault = None
    if case.target is not None and ratio > case.target:
        fault = f"{case.name} takes {ratio:.2f} x {case.baseline}, {case.target:g} x is allowed"
    if case.memory is not None and peaks[0] > MOST_MEGABYTES:
        fault = f"{case.name} takes {peaks[0]:,.0f} MB"
    target = f"{case.target:g} x" if case.target else MEMORY if case.memory else ""
    took = (f"{seconds:.1f} s", case.baseline, f"{plain:.1f} s", f"{ratio:.2f} x")
    return [case.name, *took, target, *(f"{peak:,.0f} MB" for peak in peaks)], fault


def make_cases(options: argparse.Namespace, folder: Path) -> list[Case]:
    cases = []
    if options.rows:
        millions = f"{options.rows / 1e6:g}M x 24"
        chunks = {"probabilities": True, "seed": options.seed}
        parquet = write_file(folder / "items.parquet", make_chunks(options.rows, **chunks))
        csv = write_file(folder / "items.csv", make_chunks(options.rows, **chunks))
        cases += [
            Case(f"Parquet, {millions}", parquet, "Parquet into a file", 2),
            Case(f"CSV, {millions}", csv, "CSV as text in memory", 3),
            Case(f"CSV, {millions}", csv, "CSV as text into a file", None),
        ]
    if options.large_rows:
        chunks = {"probabilities": False, "seed": options.seed}
        large = write_file(folder / "large.parquet", make_chunks(options.large_rows, **chunks))
        name = f"Parquet, {options.large_rows / 1e6:g}M x 14, {MEMORY}"
        cases.append(Case(name, large, "Parquet into a file", None, MEMORY))
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the wide table; 0 leaves it out")
    parser.add_argument("--large-rows", type=int, default=10_000_000, help="rows of the large table; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to write the files; a temporary one if not given")
    parser.add_argument("--alone", choices=list(RUNS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        tell_alone(options.alone, options.file, options.target)
        return
    table = Table()
    for heading in ("", "ours", "baseline", "takes", "ratio", "target", "peak ours", "peak baseline"):
        table.add_column(heading, justify="left" if heading in {"", "baseline"} else "right")
    faults: list[str] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for case in make_cases(options, Path(name)):
            repeats = 1 if case.memory else options.repeats
            row, fault = measure(case, Path(name), repeats)
            table.add_row(*row)
            faults += [fault] if fault else []
    Console(width=140).print(table)
    if faults:
        sys.exit("Over the target: " + "; ".join(faults))


if __name__ == "__main__":
    main()
