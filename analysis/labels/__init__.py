"""Labels that deserve a second look: confident learning on plain arrays.

A data set has N items and K classes. Every item has a **given label**: the class that came with it, right or
wrong. A model that was not trained on the item says how probable each class is: a row of **pred_probs**,
shape (N, K), rows summing to 1. They must be out-of-sample; a model that has seen a wrong label repeats it.

Models are surer of some classes than of others, so "0.6 for cat" means little by itself. The **confident
threshold** of a class is the mean probability that the model gives it on the items given that label, which is
what the model says of a typical member. An item is confidently of a class when its probability reaches the
threshold of that class; where several do, of the most probable among those.

Counting given label against confident class gives the **confident joint**, a (K, K) table [given, likely].
Its diagonal holds agreement. Its **off-diagonal** says how many items given i look like j: the noise between
classes. It is *calibrated* when each row is scaled to the number of items given that label; what then lies
off the diagonal estimates how many labels are wrong, before anyone has looked.

The **likely label** of an item is its best alternative: the most probable class other than the given one
among those over threshold, else among all. **Label quality** is a number from 0 to 1 for each given label,
lower is worse: by default from the normalized margin, p(given) less the highest other p, moved from -1..1
to 0..1.

A **suspect** is an item that a filter flags: the counts of the joint say how many of each pair of classes,
the margins say which. A suspect is a question to a person, not a verdict.

Source: Northcutt, Jiang, Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels",
Journal of Artificial Intelligence Research 70.
"""

from analysis.labels.confident_learning import (
    JointKernel,
    ThresholdKernel,
    compute_confident_joint,
    compute_confident_thresholds,
    estimate_issue_count,
    to_calibrated_joint,
)
from analysis.labels.filters import FILTERS, PruneKernel, compute_prune_counts
from analysis.labels.issues import (
    LabelIssues,
    compute_label_issues,
    describe_suspect,
    find_label_issues,
    find_likely_labels,
)
from analysis.labels.pred_probs import LabelBatch, to_label_batch
from analysis.labels.scores import SCORE_METHODS, score_label_quality

__all__ = [
    "FILTERS",
    "SCORE_METHODS",
    "JointKernel",
    "LabelBatch",
    "LabelIssues",
    "PruneKernel",
    "ThresholdKernel",
    "compute_confident_joint",
    "compute_confident_thresholds",
    "compute_label_issues",
    "compute_prune_counts",
    "describe_suspect",
    "estimate_issue_count",
    "find_label_issues",
    "find_likely_labels",
    "score_label_quality",
    "to_calibrated_joint",
    "to_label_batch",
]
