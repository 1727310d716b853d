"""Label Studio's JSON export: its tasks as rows, and who answered what in their nested records.

The tasks are read as any JSON is: a column for each key of their ``data`` (named ``data.KEY``), ``annotations`` and
``predictions`` as JSON. Here the answers are read from these two. An answer is what one annotator chose in one
control; which control is *the* label is not decided here.

The form is that of Label Studio 1.23 (``completed_by`` is a number, an object or an e-mail address); exports before
1.0 say ``completions`` for annotations and ``skipped`` for cancelled, and are read too.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

__all__ = ["ANNOTATIONS", "DATA", "Answers", "Task", "find_answers", "name_person"]

ANNOTATIONS: Final = ("annotations", "completions")
"""What a task calls its annotations, now and before 1.0."""

DATA: Final = "data."
"""What the columns of a task's data begin with."""

_CHUNK: Final = 20_000
_SOON: Final = timedelta(minutes=1)
_ONLY_THE_ITEM: Final = {"choices", "comment"}

_VOTES: Final = pa.schema(
    [
        ("task", pa.int64()),
        ("annotator", pa.string()),
        ("answers", pa.string()),
        ("suggestions", pa.string()),
        ("labelled_at", pa.string()),
        ("seconds", pa.float64()),
        ("comment", pa.string()),
        ("reviewer", pa.string()),
        ("verdict", pa.string()),
        ("gold", pa.bool_()),
    ]
)
_PREDICTIONS: Final = pa.schema([("task", pa.int64()), ("model", pa.string()), ("answers", pa.string())])


@dataclass(frozen=True)
class Task:
    """A task's place in the file (from 1), its annotations and its predictions."""

    row: int
    annotations: object
    predictions: object


@dataclass
class Answers:
    """What the tasks of an export hold.

    Attributes
    ----------
    votes
        One row an annotation: ``task``, ``annotator``, ``answers`` (JSON object of control to list of choices),
        ``suggestions`` (the same, of the prediction that was shown), ``labelled_at`` (when it was first submitted),
        ``seconds``, ``comment``, ``reviewer``, ``verdict``, ``gold`` (marked ``ground_truth``).
    predictions
        One row a prediction: ``task``, ``model``, ``answers``.
    controls
        For each control of choices, how many annotations or predictions answer it.
    others
        For each other type of result, how many there are.
    known_names
        For people told as objects, the name of their votes and the id that other exports give them, in file order.
    skipped, empty, later
        Annotations that were skipped, that answer no choice though not skipped, that were changed more than a minute
        after they were submitted.
    """

    votes: pa.Table = field(default_factory=_VOTES.empty_table)
    predictions: pa.Table = field(default_factory=_PREDICTIONS.empty_table)
    controls: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    known_names: dict[tuple[str, str], None] = field(default_factory=dict)
    skipped: int = 0
    empty: int = 0
    later: int = 0


def name_person(said: object) -> str | None:
    """Name who did it: an e-mail address before an id before a name; None where nobody is named.

    Examples
    --------
    >>> name_person(4), name_person({"id": 4, "email": "ann@example.com"}), name_person({})
    ('4', 'ann@example.com', None)
    """
    if isinstance(said, Mapping):
        name = " ".join(str(said[key]) for key in ("first_name", "last_name") if said.get(key))
        return next((str(found) for found in (said.get("email"), said.get("id"), name) if found), None)
    return str(said).strip() or None if isinstance(said, str | int) else None


def _find_number(said: object) -> str | None:
    """Return the id of a person who is told as an object; an export without details names them by it alone."""
    number = said.get("id") if isinstance(said, Mapping) else None
    return str(number) if isinstance(number, int | str) and not isinstance(number, bool) else None


def find_answers(tasks: Iterable[Task]) -> Answers:
    """Read the annotations and predictions of all tasks.

    Parameters
    ----------
    tasks
        In file order. Read once, as a stream; what is kept of each is what it answers.

    Returns
    -------
    Answers

    Examples
    --------
    >>> result = [{"from_name": "mood", "type": "choices", "value": {"choices": ["glad"]}}]
    >>> found = find_answers([Task(1, [{"completed_by": 4, "result": result}], [])])
    >>> found.votes.select(["annotator", "answers"]).to_pylist(), found.controls
    ([{'annotator': '4', 'answers': '{"mood": ["glad"]}'}], Counter({'mood': 1}))
    """
    found = Answers()
    votes, predictions = _Columns(_VOTES), _Columns(_PREDICTIONS)
    for task in tasks:
        shown = [each for each in _to_list(task.predictions) if isinstance(each, Mapping)]
        for annotation in _to_list(task.annotations):
            if isinstance(annotation, Mapping):
                votes.add(_read_annotation(found, task.row, annotation, shown))
        for prediction in shown:
            choices, _comment, _origins = _read_result(found, prediction.get("result"))
            if choices:
                model = prediction.get("model_version")
                name = model if isinstance(model, str) and model.strip() else "undefined"
                predictions.add((task.row, name, _to_json(choices)))
    found.votes, found.predictions = votes.to_table(), predictions.to_table()
    return found


class _Columns:
    """Rows that become Arrow every now and then, so that they take little room."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _CHUNK:
            self._pack()

    def to_table(self) -> pa.Table:
        self._pack()
        return pa.Table.from_batches(self._batches, self._schema)

    def _pack(self) -> None:
        if self._rows:
            arrays = [
                pa.array(column, kind.type)
                for column, kind in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._rows = []


def _to_list(said: object) -> list[Any]:
    return said if isinstance(said, list) else []


def _to_json(choices: Mapping[str, list[str]]) -> str | None:
    return json.dumps(choices, ensure_ascii=False) if choices else None


def _read_annotation(found: Answers, row: int, annotation: Mapping[str, Any], shown: list[Any]) -> tuple[Any, ...]:
    choices, comment, origins = _read_result(found, annotation.get("result"))
    skipped = bool(annotation.get("was_cancelled") or annotation.get("skipped"))
    found.skipped += skipped
    found.empty += not skipped and not choices
    found.later += _is_later(annotation.get("created_at"), annotation.get("updated_at"))
    by, number = name_person(annotation.get("completed_by")), _find_number(annotation.get("completed_by"))
    if by is not None and number is not None:
        found.known_names[by, number] = None
    reviewer, verdict = _read_review(annotation.get("reviews"))
    seconds = annotation.get("lead_time")
    created = annotation.get("created_at")
    return (
        row,
        by,
        # What was chosen before it was skipped was not submitted.
        None if skipped else _to_json(choices),
        _to_json(_find_suggestions(annotation, choices, origins, shown)),
        created if isinstance(created, str) else None,
        float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None,
        comment,
        reviewer,
        verdict,
        bool(annotation.get("ground_truth")) and not skipped,
    )


def _read_result(found: Answers | None, result: object) -> tuple[dict[str, list[str]], str | None, dict[str, str]]:
    """Return what was chosen in each control, the free text, and where each choice came from."""
    choices: dict[str, list[str]] = {}
    origins: dict[str, str] = {}
    texts: list[str] = []
    for each in _to_list(result):
        if not isinstance(each, Mapping):
            continue
        kind, name, said = str(each.get("type")), each.get("from_name"), each.get("value")
        said = said if isinstance(said, Mapping) else {}
        if kind == "textarea":
            text = said.get("text")
            texts.extend(str(line) for line in (text if isinstance(text, list) else [text]) if line)
        elif kind == "choices" and isinstance(name, str) and set(said) <= _ONLY_THE_ITEM:
            chosen = choices.setdefault(name, [])
            chosen.extend(str(choice) for choice in _to_list(said.get("choices")) if str(choice) not in chosen)
            origins[name] = str(each.get("origin") or "manual")
        elif found is not None:
            # Choices with a place of their own belong to a region of the item, not to the item.
            found.others["choices for each region" if kind == "choices" else kind] += 1
    choices = {name: chosen for name, chosen in choices.items() if chosen}
    if found is not None:
        found.controls.update(choices.keys())
    return choices, "; ".join(texts) or None, origins


def _find_suggestions(
    annotation: Mapping[str, Any], choices: Mapping[str, list[str]], origins: Mapping[str, str], shown: list[Any]
) -> dict[str, list[str]]:
    """Find what was suggested: of the prediction that the annotation began from, or by where each choice came from."""
    begun_from = annotation.get("prediction")
    if not (isinstance(begun_from, Mapping) and begun_from.get("result")):
        parent = annotation.get("parent_prediction")
        begun_from = next((each for each in shown if parent is not None and each.get("id") == parent), None)
    if begun_from is None and len(shown) == 1 and "prediction-changed" in origins.values():
        begun_from = shown[0]
    suggested = _read_result(None, begun_from["result"])[0] if begun_from and begun_from.get("result") else {}
    for name, origin in origins.items():
        if origin == "prediction" and name in choices:
            suggested.setdefault(name, list(choices[name]))
    return suggested


def _read_review(reviews: object) -> tuple[str | None, str | None]:
    """Return who reviewed last and the verdict (Enterprise only)."""
    listed = [each for each in _to_list(reviews) if isinstance(each, Mapping)]
    if not listed:
        return None, None
    last = max(listed, key=lambda each: str(each.get("created_at") or ""))
    accepted = last.get("accepted")
    verdict = None if accepted is None else "accepted" if accepted else "rejected"
    if accepted and last.get("fixed_annotation_history"):
        verdict = "fixed"
    return name_person(last.get("created_by")), verdict


def _is_later(created: object, updated: object) -> bool:
    if not isinstance(created, str) or not isinstance(updated, str) or created == updated:
        return False
    try:
        return _to_utc(updated) - _to_utc(created) > _SOON
    except ValueError:
        return False


def _to_utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
