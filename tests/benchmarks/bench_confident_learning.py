"""Time confident learning against cleanlab and against one plain pass of numpy.

    python tests/benchmarks/bench_confident_learning.py --n 1000000 --k 10

Time is the median of the repeats. Memory is the peak of Python's own allocations above the input, from one
separate run, since tracing slows a run down; cleanlab runs in one process then, so that all of it is seen.
"""

import argparse
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.labels import compute_confident_joint, find_label_issues, score_label_quality


@dataclass(frozen=True)
class Case:
    """One piece of work and its counterparts; None where there is none."""

    name: str
    ours: Callable[[], object]
    cleanlab: Callable[[int | None], object] | None


def make_data(n: int, k: int, dtype: str, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Softmax of Gaussian logits around the class; a share of the given labels is redrawn."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    probs = rng.standard_normal((n, k), dtype=np.float32)
    probs *= 2
    probs[np.arange(n), labels] += 5
    np.exp(probs, out=probs)
    probs /= probs.sum(axis=1, keepdims=True)
    given = np.where(rng.random(n) < noise, rng.integers(0, k, n), labels)
    return given, probs.astype(dtype, copy=False)


def make_cases(labels: np.ndarray, probs: np.ndarray, *, with_cleanlab: bool) -> list[Case]:
    ours = {
        "find_label_issues": lambda: find_label_issues(labels, probs),
        "compute_confident_joint": lambda: compute_confident_joint(labels, probs),
        "score_label_quality": lambda: score_label_quality(labels, probs),
    }
    theirs: dict[str, Callable[[int | None], object]] = {}
    if with_cleanlab:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from cleanlab import count, filter, rank  # noqa: A004, PLC0415 (slow to load, may be absent)
        theirs = {
            "find_label_issues": lambda jobs: filter.find_label_issues(
                labels, probs, return_indices_ranked_by="normalized_margin", n_jobs=jobs
            ),
            "compute_confident_joint": lambda _: count.compute_confident_joint(labels, probs),
            "score_label_quality": lambda _: rank.get_label_quality_scores(labels, probs, method="normalized_margin"),
        }
    return [Case(name, run, theirs.get(name)) for name, run in ours.items()]


def measure_seconds(run: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure_peak_bytes(run: Callable[[], object]) -> int:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="items")
    parser.add_argument("--k", type=int, default=10, help="classes")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--noise", type=float, default=0.1, help="share of given labels that are redrawn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-cleanlab", action="store_true")
    options = parser.parse_args()
    labels, probs = make_data(options.n, options.k, options.dtype, options.noise, options.seed)
    plain = measure_seconds(lambda: probs.argmax(axis=1), options.repeats)
    table = Table(
        title=f"{options.n:,} items x {options.k:,} classes, {options.dtype}, {probs.nbytes / 1e6:,.0f} MB; "
        f"one plain pass (argmax of each row) {plain * 1e3:,.0f} ms"
    )
    for heading in ("", "ours", "of plain pass", "cleanlab", "cleanlab / ours", "peak ours", "peak cleanlab"):
        table.add_column(heading, justify="right")
    for case in make_cases(labels, probs, with_cleanlab=not options.without_cleanlab):
        ours = measure_seconds(case.ours, options.repeats)
        cells = [case.name, f"{ours * 1e3:,.0f} ms", f"{ours / plain:.1f} x", "", ""]
        cells += [f"{measure_peak_bytes(case.ours) / 1e6:,.0f} MB", ""]
        theirs = case.cleanlab
        if theirs is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seconds = measure_seconds(lambda run=theirs: run(None), options.repeats)
                peak = measure_peak_bytes(lambda run=theirs: run(1))
            cells[3:5] = [f"{seconds * 1e3:,.0f} ms", f"{seconds / ours:.1f} x"]
            cells[6] = f"{peak / 1e6:,.0f} MB"
        table.add_row(*cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
