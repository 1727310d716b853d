"""CSV for a spreadsheet: one row an item, four empty cells to fill in.

UTF-8 with a byte order mark, so that Excel reads accents; lines end in CRLF; quoting as in RFC 4180. A cell
that a spreadsheet would run as a formula gets an apostrophe in front, which :func:`restore_cell` takes away
again.
"""

import csv
import io
import re
from collections.abc import Sequence

from analysis.relabel.content import Content, Image, to_keys
from analysis.relabel.formats.tasks import Written, image_name, name_parts, to_numbered
from analysis.relabel.request import Request, Task
from analysis.relabel.spec import CANNOT_DECIDE_REASONS, CONFIDENCE_LEVELS

__all__ = ["ANSWER_COLUMNS", "neutralize_cell", "restore_cell", "write_csv"]

ANSWER_COLUMNS = ("new_label", "confidence", "comment", "annotator")
"""The columns that the receiver fills in; always the last."""

# What starts a formula (OWASP, "CSV injection"), also in full width, behind any apostrophes of its own: so
# that taking one apostrophe away is always the exact inverse.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NEGATIVE_NUMBER = re.compile(r"-\d+(\.\d+)?([eE][+-]?\d+)?")
_LONGEST_CELL = 32_767  # Excel puts the rest into the next row


def write_csv(request: Request, content: Content) -> Written:
    """Write one CSV file a person, and every image as a file beside it.

    Parameters
    ----------
    request
        Who gets which items.
    content
        What is shown of them.

    Returns
    -------
    Written
        ``send/tasks[-ASSIGNEE].csv``, ``send/images/...`` and the steps. Columns ``relook_request_id,
        relook_task``, ``relook_item_id`` unless blind, ``relook_text_sha``, the ticked columns,
        ``suggestion`` when assisted, then :data:`ANSWER_COLUMNS`; ``annotator`` is filled in where somebody
        is assigned.
    """
    keys = to_keys([column.name for column in content.columns])
    header = ["relook_request_id", "relook_task"]
    header += [] if request.spec.blind else ["relook_item_id"]
    header += ["relook_text_sha", *keys.values()]
    header += [*([] if request.spec.blind else ["suggestion"]), *ANSWER_COLUMNS]
    files: dict[str, bytes] = {}
    for name, part in name_parts(request.parts, "csv"):
        rows = [_to_row(task, request, content) for task in part.tasks]
        files[f"send/{name}"] = _to_bytes([header, *rows])
        files |= {
            f"send/{image_name(task.token, position, value, content)}": value.data
            for task in part.tasks
            for position, value in enumerate(content.cells[task.item.key])
            if isinstance(value, Image)
        }
    return Written(files, _describe_steps(request, content), tuple(_describe_notes(keys, request, content)))


def neutralize_cell(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula.

    Parameters
    ----------
    text
        The cell's text.

    Returns
    -------
    str
        The text, with an apostrophe in front where it would start a formula. Negative numbers stay.

    Examples
    --------
    >>> [neutralize_cell(text) for text in ("=1+1", "-5", "-5+1", "'tis", "5 = 5")]
    ["'=1+1", '-5', "'-5+1", "'tis", '5 = 5']
    """
    if _FORMULA.match(text) and not _NEGATIVE_NUMBER.fullmatch(text):
        return "'" + text
    return text


def restore_cell(text: str) -> str:
    """Take back what :func:`neutralize_cell` did.

    Parameters
    ----------
    text
        A cell as it came back.

    Returns
    -------
    str
        The cell's own text.

    Examples
    --------
    >>> [restore_cell(text) for text in ("'=1+1", "-5", "'tis")]
    ['=1+1', '-5', "'tis"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _to_row(task: Task, request: Request, content: Content) -> list[str]:
    row = [request.spec.request_id, task.token]
    if not request.spec.blind:
        row.append(task.item.item_id)
    row.append(content.shas[task.item.key])
    for position, value in enumerate(content.cells[task.item.key]):
        if isinstance(value, Image):
            row.append(image_name(task.token, position, value, content))
        else:
            row.append(value or "")
    if not request.spec.blind:
        row.append(task.item.likely_label or "")
    return [*row, "", "", "", task.assignee or ""]


def _to_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerows([neutralize_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def _describe_notes(keys: dict[str, str], request: Request, content: Content) -> list[str]:
    notes = [f"Column {name!r} is called {key!r} in the CSV file." for name, key in keys.items() if name != key]
    chosen = {task.item.key for part in request.parts for task in part.tasks}
    cells = [value for key in chosen for value in content.cells[key] if isinstance(value, str)]
    changed = sum(neutralize_cell(cell) != cell for cell in cells)
    if changed:
        notes.append(f"{changed} cells would start a formula and have an apostrophe in front in the CSV file.")
    longer = sum(len(cell) > _LONGEST_CELL for cell in cells)
    if longer:
        notes.append(
            f"{longer} cells are longer than the {_LONGEST_CELL:,} characters that Excel keeps: use another format."
        )
    return notes


def _describe_steps(request: Request, content: Content) -> str:
    spec = request.spec
    words = spec.answer_words
    own = "your file `tasks-….csv`" if spec.assignees else "the file `tasks.csv`"
    annotator = "is already your name" if spec.assignees else "write your name, the same in every row"
    opened = (
        f"Open {own} in Excel, LibreOffice or Google Sheets. If everything stands in one column, import it as "
        "UTF-8 text with the comma as separator (in Excel: **Data**, **From Text/CSV**)."
    )
    pictures = "A cell such as `images/t-….png` names a picture in the folder beside the file."
    new_label = (
        f"`new_label`: one of the labels, spelt as in the guide, or `{words.cannot_decide}`, or "
        f"`{words.exclude}`. An empty cell counts as not answered."
    )
    comment = (
        f"`comment`: anything we should know. With `{words.cannot_decide}` say why, for example: "
        f"{'; '.join(f'“{reason}”' for reason in CANNOT_DECIDE_REASONS)}."
    )
    each = f"{spec.votes_per_item} different people label each item, each in a copy of their own."
    shared = not spec.assignees and spec.votes_per_item > 1
    steps = [
        opened,
        *([pictures] if content.of_kind("image") else []),
        "Fill in the last four columns and change nothing else. Rows may be sorted.",
        new_label,
        f"`confidence`: {', '.join(f'`{level}`' for level in CONFIDENCE_LEVELS)}, or empty.",
        comment,
        f"`annotator`: {annotator}.",
        "Save as CSV (UTF-8) under the same name.",
        *([each] if shared else []),
    ]
    return to_numbered(steps)
