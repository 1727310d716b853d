"""A load that is cancelled stops soon and leaves everything as it was."""

import threading
import time

import numpy as np
import pandas as pd
import pytest

from analysis.errors import CancelledError
from analysis.store.loading import LoadOptions, load_files
from analysis.watch import Watch

ROWS = 400_000
SOON = 0.6  # seconds of work, of all threads: other programs on the machine do not count


def make_large():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"item_id": [f"i{k:07d}" for k in range(ROWS)], "label": rng.integers(0, 9, ROWS).astype(str)})
    for name in "abcdef":
        frame[name] = rng.normal(size=ROWS)
    return frame


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "train.parquet"
    make_large().to_parquet(path)
    return path


def load_and_cancel(desk, path, step):
    """Cancel from another thread as soon as a step is told; return how much it worked after that."""
    asked = []

    def tell(progress):
        if progress.step.startswith(step) and not asked:
            asked.append(time.process_time())
            threading.Thread(target=watch.cancel).start()

    watch = Watch(tell)
    with pytest.raises(CancelledError, match="Cancelled. Nothing was changed."):
        load_files(desk.workspace, [path], LoadOptions(), watch)
    assert asked, "the step was never told"
    return time.process_time() - asked[0]


def look_at(desk):
    tables = ("meta", "items", "features", "current", "columns", "classes", "loads")
    return [desk.ask(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]


STEPS = ["Reading", "Checking train", "Checking ids", "Keeping items", "Keeping columns"]


@pytest.mark.parametrize("step", STEPS)
def test_a_cancelled_first_load_stops_soon_and_leaves_no_file(desk, large, step):
    took = load_and_cancel(desk, large, step)

    assert took < SOON
    desk.workspace.close()
    assert list(desk.folder.iterdir()) == []


@pytest.mark.parametrize("step", ["Reading", "Keeping columns"])
def test_a_cancelled_later_load_leaves_the_workspace_as_it_was(stocked, large, step):
    before = look_at(stocked)

    load_and_cancel(stocked, large, step)

    assert look_at(stocked) == before
    assert list(stocked.folder.iterdir()) == [stocked.workspace.path]


def test_a_load_that_is_cancelled_before_it_begins_reads_nothing(desk):
    watch = Watch()
    watch.cancel()

    with pytest.raises(CancelledError):
        load_files(desk.workspace, [desk.folder / "gone.csv"], LoadOptions(), watch)


def test_a_watched_load_tells_its_steps_in_order_with_counts(desk, large):
    seen = []
    load_files(desk.workspace, [large], LoadOptions(), Watch(seen.append))

    steps = list(dict.fromkeys(progress.step for progress in seen))
    assert steps == [
        "Reading train.parquet",
        "Checking train.parquet",
        "Checking ids of train.parquet",
        "Comparing ids of train.parquet",
        "Keeping items of train.parquet",
        "Keeping columns of train.parquet",
        "Writing the workspace",
    ]
    counted = [(progress.done, progress.total) for progress in seen if progress.step.startswith("Keeping columns")]
    assert counted[0] == (0, ROWS)
    assert counted == sorted(counted)
    assert len(counted) > 3
