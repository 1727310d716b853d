"""People who label: how far they agree, how sure each one is, how fast they go.

The words, before the first import
----------------------------------
An *annotator* is a person who labels; a *vote* is what one said about one item, or that they cannot tell. The
*consensus* is the label that more people gave than any other; a tie is no consensus and is never rolled.
*Overlap* is the work of a person that somebody else has done too: a number about a person is a number about
their overlap, and says so.

*Agreement* is the share of a person's votes that equal the consensus of the *others*. It is agreement, not
accuracy: where the crowd is wrong together, the one who is right agrees least. *Gold accuracy* is measured on
items whose label was established apart from the votes. *Dawid-Skene* weighs everybody by an *error matrix*
estimated from all votes; it can beat the majority, and it can lose to it badly, so both stand side by side
and none stands alone.

*Krippendorff's alpha* and the *kappas* speak about the whole group and the task, not about a person: low
alpha with good people means that the guide or the question needs work.

*Pace* is seconds a vote and votes an active day. It explains, and accuses nobody.
"""

from analysis.annotators.agreement import (
    cohen_kappa,
    compute_alpha_interval,
    fleiss_kappa,
    krippendorff_alpha,
)
from analysis.annotators.dawid_skene import DawidSkene, dawid_skene
from analysis.annotators.pace import compute_pace
from analysis.annotators.quality import MIN_OVERLAP, compute_annotator_quality, compute_confusion
from analysis.core.consensus import majority_vote

__all__ = [
    "MIN_OVERLAP",
    "DawidSkene",
    "cohen_kappa",
    "compute_alpha_interval",
    "compute_annotator_quality",
    "compute_confusion",
    "compute_pace",
    "dawid_skene",
    "fleiss_kappa",
    "krippendorff_alpha",
    "majority_vote",
]
