"""Whatever the table holds: CSV and Parquet of one frame are the same items, and text stays text."""

import tempfile
from datetime import datetime
from pathlib import Path

import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.store.loading import LoadOptions, load_files
from analysis.store.sql import Fragment
from analysis.store.workspace import Workspace

# A bare carriage return at the end of a line of CSV is lost: pandas writes it without quotes.
TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["007", "1e5", "NA", "nan", "null", "?", "inf", " 3", "<=50K", 'say "x"', "a,b", "true", "2020-01-01", "é\u2028"]
)
IDS = TEXT.filter(lambda text: text.strip() != "")
# One example takes a third of a second: shrinking would take minutes and is left to a person.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "item_id": IDS,
            "label": st.none() | TEXT,
            "whole": st.none() | st.integers(-(10**15), 10**15),
            "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "truth": st.none() | st.booleans(),
            "moment": st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - kept bare
            "words": st.none() | TEXT,
        }
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row["item_id"],
)


def load(frame, folder, ending):
    """Return the loaded rows as they are kept, with their types."""
    path = folder / f"train.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    workspace = Workspace(folder / f"{ending}.relook")
    load_files(workspace, [path], LoadOptions())
    with workspace.read() as snapshot:
        rows = snapshot.fetch_all(
            Fragment(
                "SELECT i.item_id, i.given_label, f.* EXCLUDE (item) FROM items i JOIN features f USING (item) ORDER BY item"
            )
        )
        classes = snapshot.classes
    workspace.close()
    return rows, classes


@given(ROWS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
def test_csv_and_parquet_of_one_frame_are_the_same_items(rows):
    # A column of nothing but dates or fractions would be no label, whatever its name.
    rows = [*rows, {**dict.fromkeys(rows[0]), "item_id": "the last one", "label": "a word"}]
    frame = pd.DataFrame(rows).astype({"whole": "Int64", "truth": "boolean", "moment": "datetime64[us]"})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from_csv, from_parquet = (load(frame, folder, ending) for ending in ("csv", "parquet"))

    assert from_csv == from_parquet
    kept, classes = from_csv
    # Empty text and no text cannot be told apart in CSV: both are missing.
    assert [row[:2] for row in kept] == [(row["item_id"], row["label"] or None) for row in rows]
    assert set(classes) == {row["label"] for row in rows if row["label"]}
