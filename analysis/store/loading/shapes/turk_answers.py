"""What Mechanical Turk's ``Answer.*`` columns hold: which field each answers, and what was chosen in a row.

One field may stand in one column (``Answer.mood.label``, ``Answer.mood``), in a column for each class that is true or
false (``Answer.mood.glad``, ``Answer.glad.on``), or in the JSON of ``Answer.taskAnswers``.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from analysis.roles import ColumnFacts

__all__ = ["ANSWER", "Field", "FoundAnswers", "find_answers", "find_fields", "split_number"]

ANSWER: Final = "Answer."
_JSON: Final = "Answer.taskAnswers"
_ON: Final = ".on"
_LABEL: Final = ".label"
_NUMBER: Final = re.compile(r"(?P<base>.*?[^\d_.-])[_.-]?(?P<number>\d+)")


@dataclass(frozen=True)
class Field:
    """A field that people answered.

    Attributes
    ----------
    name
        As the form calls it; empty for check boxes that stand alone.
    columns
        Column to class; the class is None where the column holds what was chosen as text.
    """

    name: str
    columns: Mapping[str, str | None]


@dataclass
class FoundAnswers:
    """The answers of all rows.

    Attributes
    ----------
    rows
        For each row its number and its answers: field to the classes chosen.
    classes
        For each field, how often each class was chosen.
    """

    rows: list[tuple[int, dict[str, list[str]]]] = field(default_factory=list)
    classes: dict[str, Counter[str]] = field(default_factory=dict)


def split_number(name: str) -> tuple[str, int] | None:
    """Split ``text_12`` into its base and number; None for names without a number.

    Examples
    --------
    >>> split_number("text_12"), split_number("q3"), split_number("text")
    (('text', 12), ('q', 3), None)
    """
    match = _NUMBER.fullmatch(name)
    return (match["base"], int(match["number"])) if match else None


def find_fields(columns: Sequence[ColumnFacts]) -> list[Field]:
    """Find the fields that the ``Answer.*`` columns answer, but for those inside ``Answer.taskAnswers``.

    Examples
    --------
    >>> facts = [ColumnFacts(f"Answer.mood.{name}", "boolean", 9, 0, 2) for name in ("glad", "sad")]
    >>> find_fields([*facts, ColumnFacts("Answer.why", "text", 9, 0, 9)])
    [Field(name='mood', columns={'Answer.mood.glad': 'glad', 'Answer.mood.sad': 'sad'}), \
Field(name='why', columns={'Answer.why': None})]
    """
    fields: dict[str, dict[str, str | None]] = {}
    for facts in columns:
        if not facts.name.startswith(ANSWER) or facts.name == _JSON:
            continue
        name = facts.name.removeprefix(ANSWER)
        truth = facts.type == "boolean" or facts.missing == facts.rows
        bare = name.removesuffix(_ON)
        if name.endswith(_LABEL):
            fields[name.removesuffix(_LABEL)] = {facts.name: None}
        elif truth and (name.endswith(_ON) or "." in name):
            group, _dot, class_ = bare.rpartition(".") if name.endswith(_ON) else name.partition(".")
            fields.setdefault(group, {})[facts.name] = class_
        else:
            fields[name] = {facts.name: None}
    return [Field(*_settle(name, held)) for name, held in fields.items()]


def _settle(name: str, columns: dict[str, str | None]) -> tuple[str, dict[str, str | None]]:
    """Read a single box as a field of its own, answered by true or false."""
    if len(columns) == 1 and None not in columns.values():
        column = next(iter(columns))
        return column.removeprefix(ANSWER), {column: None}
    return name, columns


def find_answers(rows: Iterable[tuple[int, Mapping[str, str | None]]], fields: Sequence[Field]) -> FoundAnswers:
    """Read what was chosen in every row.

    Parameters
    ----------
    rows
        Each row's number, and its ``Answer.*`` columns as text.
    fields
        The fields of the columns; those inside ``Answer.taskAnswers`` are found on the way.

    Returns
    -------
    FoundAnswers

    Examples
    --------
    >>> found = find_answers([(1, {"Answer.taskAnswers": '[{"mood": {"glad": true, "sad": false}}]'})], [])
    >>> found.rows
    [(1, {'mood': ['glad']})]
    """
    found = FoundAnswers()
    for row, cells in rows:
        answers = {each.name: _read_field(each, cells) for each in fields}
        answers |= _read_json(cells.get(_JSON))
        answers = {name: chosen for name, chosen in answers.items() if chosen}
        for name, chosen in answers.items():
            found.classes.setdefault(name, Counter()).update(chosen)
        found.rows.append((row, answers))
    return found


def _read_field(each: Field, cells: Mapping[str, str | None]) -> list[str]:
    chosen = []
    for column, class_ in each.columns.items():
        cell = (cells.get(column) or "").strip()
        if class_ is None:
            chosen += [html.unescape(cell)] if cell and cell != "{}" else []
        elif cell.casefold() in {"true", "on", "1"}:
            chosen.append(html.unescape(class_))
    return chosen


def _read_json(cell: str | None) -> dict[str, list[str]]:
    """Read ``[{"mood": {"glad": true, "sad": false}, "kind": {"label": "x"}, "why": "..."}]``."""
    if not cell:
        return {}
    try:
        said = json.loads(cell)
    except ValueError:
        return {}
    answers: dict[str, list[str]] = {}
    boxes: list[str] = []
    for form in said if isinstance(said, list) else [said]:
        for name, value in form.items() if isinstance(form, Mapping) else ():
            if isinstance(value, Mapping) and set(value) == {"on"}:
                boxes += [str(name)] if value["on"] else []
            else:
                answers.setdefault(str(name), []).extend(_read_value(value))
    if boxes:
        answers[""] = boxes
    return answers


def _read_value(value: Any) -> list[str]:  # noqa: ANN401  (whatever JSON holds)
    if isinstance(value, Mapping):
        if "label" in value:
            return [str(value["label"])] if value["label"] else []
        if "labels" in value and isinstance(value["labels"], list):
            return [str(each) for each in value["labels"]]
        return [str(name) for name, ticked in value.items() if ticked is True]
    if isinstance(value, list):
        return [str(each) for each in value if isinstance(each, str | int)]
    return [] if value is None or value == "" else [str(value)]
