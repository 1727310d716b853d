"""Words that users read on more than one page; one place for each."""

from typing import Final

__all__ = [
    "EMPTY_WORKSPACE",
    "METRIC_HELP",
    "NO_PREDICTIONS",
    "NO_VOTES",
    "PAGES",
    "UNKNOWN",
]

UNKNOWN: Final = "–"
"""Shown for what cannot be known."""

PAGES: Final = {
    "home": ("Home", ":material/home:", "What needs me today?"),
    "slices": ("Slices", ":material/stacked_bar_chart:", "Where does the model fail?"),
    "slice": ("Slice", ":material/filter_alt:", "Why here, and which rows?"),
    "labels": ("Labels", ":material/label:", "Which labels deserve a second look?"),
    "annotators": ("Annotators", ":material/groups:", "Coach, return, or clarify?"),
    "relabel": ("Relabel", ":material/assignment_return:", "What is out?"),
    "data": ("Data", ":material/database:", "What do I have, and how was it read?"),
}
"""Page to title, icon and the question it answers."""

EMPTY_WORKSPACE: Final = (
    "This workspace holds no items yet. Load a table with one row an item: an id, the label it was given, and any "
    "columns that describe it."
)
NO_PREDICTIONS: Final = (
    "No predictions are loaded, so there are no errors to analyse. Load a table with an id and the predicted label, "
    "best with one probability column a class."
)
NO_VOTES: Final = (
    "Nobody's votes are loaded. Load a table with the columns item_id, annotator and label, or items with a column "
    "that names who gave the label."
)
METRIC_HELP: Final = {
    "error_rate": "Share of labelled and predicted items whose prediction differs from the label.",
    "false_positives": "Share of items of other classes that were predicted as this class.",
    "false_negatives": "Share of items of this class that were predicted as another.",
    "recall": "Share of items of this class that were predicted as it.",
    "precision": "Share of items predicted as this class that are of it.",
    "log_loss": "Mean of minus the logarithm of the probability of the label.",
}
