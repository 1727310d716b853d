"""Time duplicates and text features against named peers.

    python tests/benchmarks/bench_duplicates.py --n 100000 --sample 4000

Near duplicates among texts: scikit-learn's binary counts of the same shingles with all products of a sample (brute
force, which also says what share of its pairs is found), and datasketch's MinHashLSH where it is installed. Exact
duplicates: pandas. Text features: pandas' string methods. Times are medians of the repeats in one run; a ratio above
1 says how many times longer the peer takes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import CountVectorizer

from analysis.core.duplicates import find_near_texts
from analysis.core.same_rows import count_repeats
from analysis.core.shingles import fold_text
from analysis.store.loading.text_features import TextMeasure
from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace

THRESHOLD = 0.8


def make_texts(n: int, seed: int) -> list[str]:
    """Texts of 8 to 30 words drawn as in natural language (Zipf); a twentieth is another with one word changed."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(20_000)])
    weights = 1 / np.arange(1, len(words) + 1)
    weights /= weights.sum()
    fresh = n - n // 20
    lengths = rng.integers(8, 30, fresh)
    drawn = np.split(rng.choice(words, lengths.sum(), p=weights), np.cumsum(lengths)[:-1])
    texts = [" ".join(parts) for parts in drawn]
    for _ in range(n - fresh):
        parts = texts[rng.integers(fresh)].split()
        parts[rng.integers(len(parts))] = "changed"
        texts.append(" ".join(parts))
    return texts


def pair_by_scikit_learn(texts: list[str]) -> set[tuple[int, int]]:
    """Return all pairs from the threshold on, by the product of every text with every other."""
    counted = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, lowercase=False, dtype=np.int32)
    rows = counted.fit_transform([fold_text(text) for text in texts])
    sizes = np.asarray(rows.sum(axis=1)).ravel()
    common = (rows @ rows.T).tocoo()
    upper = common.row < common.col
    a, b, shared = common.row[upper], common.col[upper], common.data[upper]
    near = shared / (sizes[a] + sizes[b] - shared) >= THRESHOLD
    return set(zip(a[near].tolist(), b[near].tolist(), strict=True))


def pair_by_datasketch(texts: list[str]) -> set[tuple[int, int]]:
    """Return the pairs that MinHashLSH proposes, not verified."""
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415  (may be absent)

    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    found = set()
    for position, text in enumerate(texts):
        folded = fold_text(text)
        sketch = MinHash(num_perm=128)
        sketch.update_batch([folded[k : k + 5].encode() for k in range(max(1, len(folded) - 4))])
        found |= {(other, position) for other in lsh.query(sketch)}
        lsh.insert(position, sketch)
    return found


def pair_by_ours(texts: list[str]) -> set[tuple[int, int]]:
    found = find_near_texts(texts, threshold=THRESHOLD)
    return set(zip(found["a"].tolist(), found["b"].tolist(), strict=True))


def measure_seconds(run: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def add_near(table: Table, options: argparse.Namespace) -> None:
    texts = make_texts(options.n, options.seed)
    sample = make_texts(options.sample, options.seed + 1)
    whole = measure_seconds(lambda: pair_by_ours(texts), 1)
    table.add_row(f"near texts, {options.n:,}", f"{whole:,.2f} s", "", "", "", "")
    ours, wanted = measure_seconds(lambda: pair_by_ours(sample), options.repeats), pair_by_scikit_learn(sample)
    found = f"{len(wanted & pair_by_ours(sample)) / len(wanted):.1%}"
    peers: dict[str, Callable[[list[str]], set[tuple[int, int]]]] = {"scikit-learn, all pairs": pair_by_scikit_learn}
    try:
        pair_by_datasketch(["a"])
        peers["datasketch 128"] = pair_by_datasketch
    except ImportError:
        pass
    for peer, run in peers.items():
        theirs = measure_seconds(lambda run=run: run(sample), options.repeats)
        share = f"{len(wanted & run(sample)) / len(wanted):.1%}"
        name = f"near texts, {options.sample:,}"
        table.add_row(name, f"{ours:,.2f} s", peer, f"{theirs:,.2f} s", f"{theirs / ours:.1f}", f"{found} / {share}")


def add_exact(table: Table, options: argparse.Namespace) -> None:
    rng = np.random.default_rng(options.seed)
    n = options.rows
    frame = pd.DataFrame({f"x{k}": rng.integers(0, 40, n) for k in range(4)} | {"city": rng.choice(["a", "b", "c"], n)})
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "w.relook")
        with workspace.write(create=True) as writer:
            writer.take_in("arriving_rows", pa.Table.from_pandas(frame))
            writer.execute(Fragment("DROP TABLE features"))
            writer.execute(
                Fragment(
                    "CREATE TABLE features AS SELECT CAST(row_number() OVER () AS INTEGER) AS item, * FROM arriving_rows"
                )
            )
            writer.execute(
                Fragment("INSERT INTO items (item, split, item_id) SELECT item, 'train', item FROM features")
            )
            writer.execute_many(
                Fragment("INSERT INTO columns VALUES (?, ?, 'feature', ?, '', ?)"),
                [
                    (k, name, "VARCHAR" if name == "city" else "BIGINT", name)
                    for k, name in enumerate(frame.columns, start=1)
                ],
            )
        with workspace.read() as snapshot:
            ours = measure_seconds(lambda: count_repeats(snapshot), options.repeats)
            repeats = count_repeats(snapshot).repeats
        workspace.close()
    theirs = measure_seconds(lambda: frame.duplicated().sum(), options.repeats)
    same = "same count" if repeats == frame.duplicated().sum() else "DIFFERENT COUNT"
    table.add_row(f"equal rows, {n:,}", f"{ours:,.2f} s", "pandas", f"{theirs:,.2f} s", f"{theirs / ours:.1f}", same)


def add_features(table: Table, options: argparse.Namespace) -> None:
    texts = make_texts(options.n, options.seed)
    column, series = pa.array(texts), pd.Series(texts)

    def by_ours() -> None:
        measure = TextMeasure()
        for start in range(0, len(column), 8_192):
            measure.measure(column.slice(start, 8_192))

    def by_pandas() -> None:
        series.str.split().str.len()
        series.str.len()
        for pattern in ("[A-Z]", "[a-zA-Z]", "[0-9]", r"[^\w\s]"):
            series.str.count(pattern)

    ours, theirs = measure_seconds(by_ours, options.repeats), measure_seconds(by_pandas, options.repeats)
    name = f"text features, {options.n:,}"
    table.add_row(name, f"{ours:,.2f} s", "pandas, ASCII only", f"{theirs:,.2f} s", f"{theirs / ours:.1f}", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000, help="texts")
    parser.add_argument("--sample", type=int, default=4_000, help="texts that are also compared by brute force")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that are compared exactly")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = Table()
    for heading in ("", "ours", "peer", "peer takes", "peer / ours", "pairs found, ours / peer"):
        table.add_column(heading, justify="left" if heading in {"", "peer"} else "right")
    add_near(table, options)
    add_exact(table, options)
    add_features(table, options)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
