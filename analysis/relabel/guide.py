"""What people read who are asked to look again: the guide, and the page to start with.

Both go to the receiver. In a blind request neither says why these items were chosen, which model doubts them,
or how many of them are controls.
"""

import re
from collections.abc import Sequence

from analysis.relabel.formats import FORMATS, Written
from analysis.relabel.formats.tasks import name_parts
from analysis.relabel.request import Request
from analysis.relabel.spec import CANNOT_DECIDE_REASONS, RequestSpec

__all__ = ["describe_guide", "describe_start"]

_BLIND_PURPOSE = (
    "We are checking the labels of a data set. Please look at each item afresh and choose the label that "
    "fits best. Earlier labels are not shown: your own answer is what helps."
)
_ASSISTED_PURPOSE = (
    "We are checking the labels of a data set. Each item comes with a suggestion. It can be wrong, so look at "
    "the item first and then choose the label that fits best."
)


def describe_guide(spec: RequestSpec) -> str:
    """Write the guide: the labels, what they mean, and what to do when unsure.

    Parameters
    ----------
    spec
        Gives labels, definitions and the user's own guideline.

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> spec = RequestSpec(request_id="rq-1", created_at=datetime(2026, 11, 21, tzinfo=UTC), labels=("cat", "dog"))
    >>> describe_guide(spec).splitlines()[4]
    '- `cat`'
    """
    lines = ["# Guide", "", "## Labels", ""]
    for label in spec.labels:
        definition = " ".join(spec.definitions.get(label, "").split())
        lines.append(f"- {_code(label)}" + (f": {definition}" if definition else ""))
    words = spec.answer_words
    exclude = (
        "- If the item should not be in the data at all (empty, broken, of another kind), answer "
        f"{_code(words.exclude)} and say why in the comment."
    )
    lines += [
        "",
        "## When you are not sure",
        "",
        "- If one label fits better than the others, choose it and set the confidence to `low`.",
        f"- If you cannot choose, answer {_code(words.cannot_decide)} and say why: "
        + ", ".join(f"“{reason}”" for reason in CANNOT_DECIDE_REASONS)
        + ". A guess is worth less than this answer.",
        exclude,
        "- Use the comment for anything that the labels cannot say. Do not ask others what they chose.",
    ]
    if spec.guideline.strip():
        lines += ["", "## Guideline", "", spec.guideline.strip()]
    return "\n".join(lines) + "\n"


def describe_start(request: Request, written: dict[str, Written]) -> str:
    """Write START_HERE: what it is about, until when, which file, what to click, what to return.

    Parameters
    ----------
    request
        The request.
    written
        What each format made of it, by the format's name.

    Returns
    -------
    str
        Markdown. The sender's own purpose is in it only if the request is assisted.
    """
    spec = request.spec
    count = len({task.token for part in request.parts for task in part.tasks})
    lines = [f"# Please label {_count_items(count)}", "", f"Request {_code(spec.request_id)}.", ""]
    lines.append(_BLIND_PURPOSE if spec.blind else _ASSISTED_PURPOSE)
    if spec.purpose.strip() and not spec.blind:
        lines += ["", spec.purpose.strip()]
    lines += ["", f"- Wanted back: {spec.due.isoformat() if spec.due else 'no day is set'}"]
    if spec.contact:
        lines.append(f"- Questions: {spec.contact}")
    lines += ["- Read first: `guide.md` (what each label means, what to do when unsure)"]
    lines += ["", "## Your file", "", *_describe_files(request, list(written))]
    if len(written) > 1:
        lines += ["", "The files hold the same items. Use one way, not both."]
    for name, result in written.items():
        lines += ["", f"## {FORMATS[name].title}", "", result.steps]
    lines += ["", "## What to return", "", *_describe_return(list(written))]
    return "\n".join(lines) + "\n"


def _describe_files(request: Request, formats: Sequence[str]) -> list[str]:
    names = [[name for name, _part in name_parts(request.parts, FORMATS[form].extension)] for form in formats]
    lines = [
        f"| For | Items | {' | '.join(FORMATS[form].title for form in formats)} |",
        f"| --- | --- | {' | '.join('---' for _ in formats)} |",
    ]
    for part, files in zip(request.parts, zip(*names, strict=True), strict=True):
        person = "everybody" if part.assignee is None else _cell(part.assignee)
        lines.append(f"| {person} | {len(part.tasks)} | {' | '.join(f'`{name}`' for name in files)} |")
    return lines


def _describe_return(formats: Sequence[str]) -> list[str]:
    return [f"- {FORMATS[form].returned}" for form in formats]


def _count_items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"


def _code(text: str) -> str:
    """Show a text to the letter, whatever it holds: `<=50K` is no tag and `*` no emphasis."""
    line = " ".join(text.split()) or " "
    # A code span is closed by as many backticks as opened it (CommonMark 6.1).
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
