"""Load a .npy matrix of probabilities that is larger than the memory it may take.

    python tests/benchmarks/bench_npy.py --rows 1280000 --columns 1000

The matrix is drawn in blocks into a temporary folder and loaded by a process of its own, whose peak of resident
memory is what the system counted. The folder, and with it about twice the size of the matrix, is always removed.
The yardstick is one plain pass over the file with numpy, block by block.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

BLOCK = 1 << 21  # numbers
DRAWN = 1_000  # different rows; the others are these with their columns turned
REPOSITORY = Path(__file__).resolve().parents[2]


def name_classes(columns: int) -> list[str]:
    return [f"c{index:04d}" for index in range(columns)]


def draw_matrix(path: Path, rows: int, columns: int, dtype: str, *, by_column: bool, seed: int) -> None:
    """Write probabilities of a model that is sure of one class and spreads the rest."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_exponential((DRAWN, columns), dtype=np.float32)
    drawn[np.arange(DRAWN), rng.integers(0, columns, DRAWN)] += columns
    drawn /= drawn.sum(axis=1, keepdims=True)
    matrix = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (rows, columns), fortran_order=by_column)
    for start in range(0, rows, DRAWN):
        matrix[start : start + DRAWN] = np.roll(drawn, start // DRAWN, axis=1)[: rows - start]
    matrix.flush()


def write_items(path: Path, rows: int, columns: int) -> None:
    labels = pa.array(name_classes(columns)).take(pa.array(np.arange(rows) % columns))
    ids = pa.array(np.arange(rows).astype(str))
    pq.write_table(pa.table({"item_id": ids, "label": labels}), path)


def read_plainly(path: Path, columns: int, dtype: str) -> float:
    """Return the seconds of one pass over the file that only adds the numbers up."""
    start = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while (block := np.fromfile(file, dtype, max(1, BLOCK // columns) * columns)).size:
            block.sum()
    return time.perf_counter() - start


def load(workspace: Path, file: Path, columns: int) -> None:
    """Load in this process, and say what it took; run by :func:`measure_load`."""
    from analysis.store.loading import LoadOptions, load_files  # noqa: PLC0415  (only the child pays for it)
    from analysis.store.workspace import Workspace  # noqa: PLC0415

    opened = Workspace(workspace)
    start = time.perf_counter()
    report = load_files(opened, [file], LoadOptions(split="train", classes=tuple(name_classes(columns))))
    opened.close()
    found = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time(),
        "peak": find_peak(),
        "kept": report.files[0].tally.kept,
    }
    sys.stdout.write(json.dumps(found))


def find_peak() -> int:
    """Return the peak of this program's resident memory in bytes.

    Not ``ru_maxrss``, which on Linux begins with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure_load(workspace: Path, file: Path, columns: int, memory: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--load", workspace, file, "--columns", str(columns)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RELOOK_MEMORY": memory, "PYTHONPATH": str(REPOSITORY)},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(folder: Path, options: argparse.Namespace) -> Table:
    matrix, workspace = folder / "pred_probs.npy", folder / "bench.relook"
    write_items(folder / "train.parquet", options.rows, options.columns)
    measure_load(workspace, folder / "train.parquet", options.columns, options.memory)
    draw_matrix(matrix, options.rows, options.columns, options.dtype, by_column=options.order == "F", seed=options.seed)
    plain = read_plainly(matrix, options.columns, options.dtype)
    ours = measure_load(workspace, matrix, options.columns, options.memory)
    if ours["kept"] != options.rows:
        raise SystemExit(f"{ours['kept']:,} of {options.rows:,} rows were kept")
    table = Table(
        title=f"{options.rows:,} x {options.columns:,} {options.dtype} ({options.order} order), "
        f"RELOOK_MEMORY={options.memory}"
    )
    for heading in ("file", "plain pass", "load", "of plain pass", "CPU", "peak memory", "workspace"):
        table.add_column(heading, justify="right")
    table.add_row(
        f"{matrix.stat().st_size / 1e9:,.2f} GB",
        f"{plain:,.1f} s",
        f"{ours['seconds']:,.1f} s",
        f"{ours['seconds'] / plain:,.1f} x",
        f"{ours['cpu']:,.1f} s",
        f"{ours['peak'] / 1e9:,.2f} GB",
        f"{workspace.stat().st_size / 1e9:,.2f} GB",
    )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_280_000)
    parser.add_argument("--columns", type=int, default=1_000)
    parser.add_argument("--dtype", choices=["float16", "float32", "float64"], default="float32")
    parser.add_argument("--order", choices=["C", "F"], default="C")
    parser.add_argument("--memory", default="2GB", help="what the load may take in all")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--load", nargs=2, type=Path, metavar=("WORKSPACE", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load(*options.load, options.columns)
        return
    needed = 3 * options.rows * options.columns * np.dtype(options.dtype).itemsize
    with tempfile.TemporaryDirectory(prefix="relook-bench-", dir=options.folder) as folder:
        if shutil.disk_usage(folder).free < needed:
            raise SystemExit(f"The temporary folder needs {needed / 1e9:,.0f} GB of free disk.")
        table = measure(Path(folder), options)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
