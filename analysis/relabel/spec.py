"""What a request asks for: the answer scheme, the people, the budget and the day.

A :class:`RequestSpec` is decided by the user and checked once, here; everything behind it trusts it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, get_args

from analysis.errors import AnalysisError, UnknownNameError

__all__ = [
    "CANNOT_DECIDE_REASONS",
    "CONFIDENCE_LEVELS",
    "NOT_IN_XML",
    "AnswerWords",
    "Mode",
    "RequestSpec",
]

Mode = Literal["blind", "assisted"]

CONFIDENCE_LEVELS = ("high", "medium", "low")
"""How sure an annotator may say to be; an empty answer is unknown, not "medium"."""

CANNOT_DECIDE_REASONS = (
    "Not enough information",
    "More than one label fits",
    "No label fits",
    "The guide does not cover this",
)
"""Why an annotator cannot decide. Each asks for a different next step, so they are not one answer."""

# An answer word that is also a class would make two meanings one; then the next form is used. No form
# has a comma: Label Studio reads commas in its conditions as lists.
_CANNOT_DECIDE_FORMS = ("Cannot decide", "Cannot decide (none of the labels)", "[Cannot decide]")
_EXCLUDE_FORMS = ("Exclude", "Exclude (not a usable item)", "[Exclude]")

# The id names a folder and stands in URLs and file cells: plain characters, no dot or dash at the ends.
_REQUEST_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot hold, not even escaped (https://www.w3.org/TR/xml/#charsets)."""


@dataclass(frozen=True)
class AnswerWords:
    """The two answers that are not labels, in the words that this request uses.

    Attributes
    ----------
    cannot_decide
        The annotator looked and could not tell; comes with a reason or a comment.
    exclude
        The item should not be in the data at all (broken, empty, not of this task).
    """

    cannot_decide: str
    exclude: str


@dataclass(frozen=True, kw_only=True)
class RequestSpec:
    """What a request asks for. Checked on construction.

    Attributes
    ----------
    request_id
        Letters, digits, ``.``, ``_`` and ``-``; at most 64 characters; names the folder.
    created_at
        With a time zone; kept in UTC.
    labels
        The answer scheme, in the order in which it is shown. At least two.
    mode
        ``"blind"``: a task shows the item alone. ``"assisted"``: also item id and suggestion.
    definitions
        Label to one or a few sentences, for the guide. Labels without one are listed without one.
    guideline
        Free text for the guide, in Markdown, as the user wrote it.
    budget_items
        At most this many suspects; controls come on top. None: no limit.
    budget_hours
        At most this many hours of work in all, controls included. None: no limit.
    assignees
        Who labels; empty: one file for whoever takes it.
    votes_per_item
        How many different people label each item.
    controls
        How many items with a trusted label are mixed in.
    due
        The day the answers are wanted back. None: not said.
    contact
        Whom to ask. None: not said.
    purpose
        Why the request is made, for the manifest; a blind request never shows it, since it may name the
        slice or the suspicion.
    seed
        Draws controls, tokens and order. The same seed and request id give the same request.
    model
        The model whose suggestions are shown. None: not said.
    round
        Which round of labelling the answers belong to. None: not said.

    Raises
    ------
    AnalysisError
        If a value cannot be used; the message says which and why.
    ValueError
        If ``created_at`` has no time zone: a mistake in our own code.

    Examples
    --------
    >>> spec = RequestSpec(
    ...     request_id="rq-2026-11-21-a",
    ...     created_at=datetime(2026, 11, 21, 21, 0, tzinfo=UTC),
    ...     labels=("Negative", "Positive"),
    ... )
    >>> spec.mode, spec.answer_words.cannot_decide
    ('blind', 'Cannot decide')
    """

    request_id: str
    created_at: datetime
    labels: tuple[str, ...]
    mode: Mode = "blind"
    definitions: Mapping[str, str] = field(default_factory=dict)
    guideline: str = ""
    budget_items: int | None = None
    budget_hours: float | None = None
    assignees: tuple[str, ...] = ()
    votes_per_item: int = 1
    controls: int = 0
    due: date | None = None
    contact: str | None = None
    purpose: str = ""
    seed: int = 0
    model: str | None = None
    round: int | None = None

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            message = "created_at needs a time zone"
            raise ValueError(message)
        object.__setattr__(self, "created_at", self.created_at.astimezone(UTC))
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "assignees", tuple(self.assignees))
        _check_names(self)
        _check_numbers(self)

    @property
    def blind(self) -> bool:
        """Whether a task shows the item alone."""
        return self.mode == "blind"

    @property
    def answer_words(self) -> AnswerWords:
        """The words of the two answers that are not labels; never equal to a label, in any case."""
        return AnswerWords(
            cannot_decide=_first_free(_CANNOT_DECIDE_FORMS, self.labels),
            exclude=_first_free(_EXCLUDE_FORMS, self.labels),
        )


def _check_names(spec: RequestSpec) -> None:
    if not _REQUEST_ID.fullmatch(spec.request_id):
        raise AnalysisError(
            f"The request id {spec.request_id!r} cannot name a folder everywhere: use 1 to 64 letters, "
            "digits, '.', '_' or '-', with a letter or digit first and last."
        )
    if spec.mode not in get_args(Mode):
        raise UnknownNameError("mode", spec.mode, get_args(Mode))
    _check_distinct("label", spec.labels)
    _check_distinct("assignee", spec.assignees)
    if len(spec.labels) < 2:  # noqa: PLR2004 - one label is no question
        raise AnalysisError(
            f"A request needs at least two labels to choose from, got {list(spec.labels)!r}. Give the classes."
        )
    for label in spec.labels:
        if NOT_IN_XML.search(label):
            raise AnalysisError(
                f"The label {label!r} holds a control character that labelling tools cannot show. "
                "Rename the class before the request is written."
            )
    for label in spec.definitions:
        if label not in spec.labels:
            raise UnknownNameError("label", label, spec.labels)
    # Found out now and not while writing: a scheme that uses up every form of an answer word.
    _ = spec.answer_words


def _check_distinct(kind: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise AnalysisError(f"An {kind} is empty. Give each a name.".replace("An label", "A label"))
        if name in seen:
            raise AnalysisError(f"The {kind} {name!r} is given twice. Name each once.")
        seen.add(name)


def _check_numbers(spec: RequestSpec) -> None:
    if spec.budget_items is not None and spec.budget_items < 1:
        raise AnalysisError(f"The budget must be at least one item, got {spec.budget_items}.")
    # "not <" and not ">=": NaN compares false with everything and must be refused too.
    if spec.budget_hours is not None and not 0 < spec.budget_hours < math.inf:
        raise AnalysisError(f"The budget must be more than 0 hours, and a number, got {spec.budget_hours}.")
    if spec.votes_per_item < 1:
        raise AnalysisError(f"Each item needs at least one vote, got {spec.votes_per_item} votes an item.")
    if spec.controls < 0:
        raise AnalysisError(f"The number of controls cannot be negative, got {spec.controls}.")
    if spec.assignees and spec.votes_per_item > len(spec.assignees):
        raise AnalysisError(
            f"{spec.votes_per_item} votes an item need as many different people, but only "
            f"{len(spec.assignees)} are assigned. Assign more people, ask for fewer votes an item, or assign "
            "nobody."
        )


def _first_free(forms: Sequence[str], labels: Sequence[str]) -> str:
    taken = {label.strip().casefold() for label in labels}
    for form in forms:
        if form.casefold() not in taken:
            return form
    raise AnalysisError(
        f"The labels {list(forms)!r} are all taken, so no word is left for an answer that is not a label. "
        "Rename one of these classes."
    )
