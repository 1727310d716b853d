"""Slices: conjunctions of predicates, and how a metric behaves inside one against the rest.

support
    Rows in the slice.
trials
    Rows that count for the metric (for the error rate: rows with a label and a prediction).
overall
    The metric over all rows looked at; *rest* is all rows but the slice.
lift
    The slice's rate over the overall rate; 1 is ordinary.
excess errors
    Numerator minus what the overall rate would give: the errors that would go away if the slice were ordinary.
"""

from analysis.slices.profile import SliceProfile, compute_profile

__all__ = ["SliceProfile", "compute_profile"]
