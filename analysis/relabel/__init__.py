"""Having labels looked at again: from candidates to tasks, and from answers to corrected labels.

A *request* asks people to look again at some items. It is built from candidates that other parts of the
analysis ranked (suspects, the rows behind a slice, one annotator's work), and it is written as files for the
tool in which people label.

A *task* is one item as a receiver gets it. It is known by an opaque token, ``relook_task``: the way back to
the item leads through the *manifest* alone. The manifest is what we keep (given labels, suggestions, reasons,
who labelled first, which items are controls); it is never sent.

The *budget* says how much may be asked for, in items or in hours of work. Candidates are taken from the top
of the ranking until it is reached; what is left out is counted by reason, never dropped in silence.

A request is *blind* unless the sender chooses otherwise: the task shows the item and nothing that we think of
it, because people who see a suggestion agree with it more than they should. An *assisted* request shows the
suggestion, which is quicker and measures less.

A *control* is an item whose label is trusted, mixed in among the suspects. How the controls are answered says
how far the answers can be trusted. Nothing in a blind task tells a control from a suspect: not its token, not
its place in the file, not who gets it.

Nobody gets an item again that they have labelled before; within that, everybody gets as many as the others.

The files, from the ground up: `spec` (what is asked for), `draws` (chance that can be repeated), `candidates`
(the door), `assignment`, `request`, `content` (what is shown), `formats` (one file a tool), `guide` and
`manifest`, `files`.
"""

from analysis.relabel.assignment import assign_items
from analysis.relabel.content import ColumnKind, compute_content_sha
from analysis.relabel.files import RequestFiles, to_files
from analysis.relabel.formats import FORMATS
from analysis.relabel.manifest import MANIFEST_FORMAT
from analysis.relabel.request import Request, build_request
from analysis.relabel.spec import (
    CANNOT_DECIDE_REASONS,
    CONFIDENCE_LEVELS,
    AnswerWords,
    Mode,
    RequestSpec,
)

__all__ = [
    "CANNOT_DECIDE_REASONS",
    "CONFIDENCE_LEVELS",
    "FORMATS",
    "MANIFEST_FORMAT",
    "AnswerWords",
    "ColumnKind",
    "Mode",
    "Request",
    "RequestFiles",
    "RequestSpec",
    "assign_items",
    "build_request",
    "compute_content_sha",
    "to_files",
]
