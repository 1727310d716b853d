"""Time the reading of a CSV file against DuckDB reading it as text, and say how much memory it takes.

    python tests/benchmarks/bench_csv_reader.py --rows 1000000 --kind plain

Both read the same file in turn; times are medians of the repeats, in seconds of the clock and of all processors.
The memory is the largest resident size of a process of its own, with the limit that RELOOK_MEMORY sets.
"""

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.store.readers.delimited import read_delimited

KINDS = ("plain", "quoted", "multi-line", "mac-roman")
WORDS = {
    "plain": "some text",
    "quoted": '"some text, with a comma"',
    "multi-line": '"some text,\nand a line"',
    "mac-roman": "für Größe",
}
CHUNK = 10_000


def write_file(path: Path, rows: int, kind: str, seed: int) -> None:
    """Write an id, a label, a text, eight features and ten probabilities a row."""
    rng = np.random.default_rng(seed)
    header = ["id", "label", "text", *(f"x{j}" for j in range(8)), *(f"p_{k}" for k in range(10))]
    with path.open("w", encoding="mac-roman" if kind == "mac-roman" else "utf-8", newline="") as file:
        file.write(",".join(header) + "\n")
        for start in range(0, rows, CHUNK):
            numbers = np.hstack([rng.normal(size=(CHUNK, 8)), rng.dirichlet(np.full(10, 0.3), CHUNK)])
            for k, row in enumerate(numbers[: rows - start].tolist(), start=start):
                file.write(f"i{k:08d},{k % 10},{WORDS[kind]},{','.join(map(repr, row))}\n")


def read_ours(path: Path) -> None:
    ((scratch, _table),) = read_delimited(path, None)
    scratch.close()


def read_plainly(path: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(config={"temp_directory": folder}) as connection,
    ):
        connection.execute("SET enable_progress_bar = false")
        connection.execute("CREATE TABLE raw AS SELECT * FROM read_csv(?, all_varchar = true)", [str(path)])


def measure_seconds(run: Callable[[Path], None], path: Path) -> tuple[float, float]:
    start, start_cpu = time.perf_counter(), time.process_time()
    run(path)
    return time.perf_counter() - start, time.process_time() - start_cpu


def _run_alone(run: Callable[[Path], None], path: Path, answer: "multiprocessing.Queue[int]") -> None:
    run(path)
    answer.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure_peak_megabytes(run: Callable[[Path], None], path: Path) -> float:
    """Run in a process of its own, since the largest size of a process never shrinks."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_run_alone, args=(run, path, answer))
    process.start()
    peak = answer.get()
    process.join()
    return peak / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=KINDS, action="append", help="may be given several times; all if not given")
    parser.add_argument("--file", type=Path, help="a file of your own instead")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = Table(title="Reading CSV into a table of text")
    for heading in ("file", "MB", "DuckDB s (CPU)", "ours s (CPU)", "ratio (CPU)", "ours, peak MB"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ["own"] if options.file else options.kind or KINDS:
            path = options.file or Path(folder) / "x.csv"
            if not options.file:
                write_file(path, options.rows, kind, options.seed)
            theirs, ours = [], []
            for _ in range(options.repeats):
                # In turn, so that a busy machine is busy for both. DuckDB reads no Mac-Roman.
                theirs.append((float("nan"),) * 2 if kind == "mac-roman" else measure_seconds(read_plainly, path))
                ours.append(measure_seconds(read_ours, path))
            (their_wall, their_cpu), (our_wall, our_cpu) = (
                [statistics.median(column) for column in zip(*runs, strict=True)] for runs in (theirs, ours)
            )
            table.add_row(
                kind,
                f"{path.stat().st_size / 1e6:,.0f}",
                f"{their_wall:.2f} ({their_cpu:.2f})",
                f"{our_wall:.2f} ({our_cpu:.2f})",
                f"{our_wall / their_wall:.2f} ({our_cpu / their_cpu:.2f})",
                f"{measure_peak_megabytes(read_ours, path):,.0f}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
