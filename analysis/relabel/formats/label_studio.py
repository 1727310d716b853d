"""Label Studio: a labelling config and one import file a person.

Checked against Label Studio 1.23: the config is accepted, the tasks import and export again, predictions fit
the config. Two of its habits shape this file. It fills ``$name`` into *any* shown text, so a literal ``$`` in
a class or column name is kept apart from what follows it. And everything in a task's ``data`` can be seen by
annotators in its Data Manager, so a blind task holds nothing but its content and three opaque keys.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree as ET

from analysis.relabel.content import Content, Image, to_keys
from analysis.relabel.formats.tasks import Written, image_name, name_parts, to_numbered
from analysis.relabel.request import Part, Request, Task
from analysis.relabel.spec import CANNOT_DECIDE_REASONS, CONFIDENCE_LEVELS, NOT_IN_XML, RequestSpec

__all__ = ["FIELDS_KEY", "LABEL_CONTROL", "to_label_config", "write_label_studio"]

LABEL_CONTROL = "new_label"
"""Name of the control that holds the answer in an export; the others: `reason`, `confidence`, `comment`."""
FIELDS_KEY = "fields"
"""Key of a task's data under which all fields stand, as one table."""

_INLINE_IMAGE_BYTES = 50 * 1024
_INLINE_FILE_BYTES = 40_000_000  # room for the text below the import limit
_IMPORT_LIMIT_BYTES = 50_000_000
_NO_MODEL = "relook"  # model version of suggestions whose model has no name
# Beyond this many labels a list that can be searched is quicker than buttons.
_MOST_BUTTONS = 25
_MOST_IN_LINE = 8
_VARIABLE = re.compile(r"\$(?=[\w\[\].{}])")
_WORD_JOINER = "\u2060"


def write_label_studio(request: Request, content: Content) -> Written:
    """Write the config, the import files and the images that are too large to stand in them.

    Parameters
    ----------
    request
        Who gets which items.
    content
        What is shown of them.

    Returns
    -------
    Written
        ``send/label_config.xml``, ``send/tasks[-ASSIGNEE].json``, ``send/images/...`` and the steps.
        Images of at most 50 KB stand in the task itself as data URIs, as long as these stay below 40 MB a
        file; others are files that Label Studio serves from a folder.
    """
    config = to_label_config(request.spec, content)
    files = {"send/label_config.xml": config}
    notes = []
    for name, part in name_parts(request.parts, "json"):
        plan = _plan_part(part, request, content)
        tasks = [_to_task(task, request.spec, content, plan) for task in part.tasks]
        data = (json.dumps(tasks, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()
        files[f"send/{name}"] = data
        files |= {
            f"send/{image_name(task.token, position, image, content)}": image.data
            for task in part.tasks
            for position, image in _images(task, content)
            if not _stands_in_task(image, plan)
        }
        if len(data) > _IMPORT_LIMIT_BYTES:
            notes.append(
                f"{name} has {len(data) / 1e6:.0f} MB and Label Studio imports at most 50 MB at once: "
                "assign more people or ask for fewer items."
            )
    renamed = {name: key for name, key in _object_keys(content).items() if name != key}
    notes += [f"Column {name!r} is called {key!r} in Label Studio's data." for name, key in renamed.items()]
    served = any(name.startswith("send/images/") for name in files)
    return Written(files, _describe_steps(request, served=served), tuple(notes))


def to_label_config(spec: RequestSpec, content: Content) -> bytes:
    """Build the labelling config: what is shown, and the four questions.

    Parameters
    ----------
    spec
        Gives the labels.
    content
        Gives the columns; their values are not read.

    Returns
    -------
    bytes
        XML in UTF-8. Controls `new_label` (required), `reason` (shown with the answer "cannot decide"),
        `confidence`, `comment`. The same for blind and assisted requests.
    """
    root = ET.Element("View")
    item, view = _add_panes(root, content)
    shown = _add_objects(item, content)
    words = spec.answer_words
    ET.SubElement(view, "Header", value="Which label fits best?")
    many = len(spec.labels) > _MOST_BUTTONS
    label = _add_choices(
        view,
        LABEL_CONTROL,
        shown,
        (*spec.labels, words.cannot_decide, words.exclude),
        choice="single" if many else "single-radio",
        layout="select" if many else "inline" if len(spec.labels) <= _MOST_IN_LINE else "vertical",
    )
    # Label Studio numbers its keys from 1, so that on digits the key 1 would answer "0".
    if all(re.fullmatch("[0-9a-z]", text) for text in spec.labels):
        for choice in label[: len(spec.labels)]:
            choice.set("hotkey", choice.attrib["value"])
    label.set("required", "true")
    label.set("requiredMessage", f"Choose a label, or {words.cannot_decide!r} or {words.exclude!r}.")
    # The question appears with the answer that needs it; hidden, it is not required.
    condition = {"visibleWhen": "choice-selected", "whenTagName": LABEL_CONTROL}
    condition["whenChoiceValue"] = words.cannot_decide
    why = ET.SubElement(view, "View", condition)
    ET.SubElement(why, "Header", value="Why can you not decide?", size="5")
    reason = _add_choices(why, "reason", shown, CANNOT_DECIDE_REASONS, choice="single-radio")
    reason.attrib |= condition
    reason.set("required", "true")
    reason.set("requiredMessage", "Say why you cannot decide.")
    ET.SubElement(view, "Header", value="How sure are you? (optional)", size="5")
    _add_choices(view, "confidence", shown, CONFIDENCE_LEVELS, choice="single")
    ET.SubElement(view, "Header", value="Comment (optional)", size="5")
    comment = {"name": "comment", "toName": shown, "rows": "1", "maxSubmissions": "1", "editable": "true"}
    ET.SubElement(view, "TextArea", comment)
    ET.indent(root)
    return (ET.tostring(root, encoding="unicode") + "\n").encode()


def _object_keys(content: Content) -> dict[str, str]:
    """Name the task data of texts and images; fields stand together under one key, in their own names."""
    return to_keys([column.name for column in content.columns if column.kind != "field"], plain=True)


def _add_objects(view: ET.Element, content: Content) -> str:
    """Add what is shown; returns the name of the object to which the questions belong."""
    keys = _object_keys(content)
    with_headers = len(content.columns) > 1
    names = []
    for column in content.columns:
        if column.kind == "field":
            continue
        key = keys[column.name]
        names.append(key)
        if with_headers:
            ET.SubElement(view, "Header", value=_literal(NOT_IN_XML.sub("\ufffd", column.name)), size="5")
        if column.kind == "image":
            ET.SubElement(view, "Image", name=key, value=f"${key}", zoom="true", zoomControl="true")
        else:
            # Without valueType a text that starts with "http" may be fetched instead of shown.
            ET.SubElement(view, "Text", name=key, value=f"${key}", valueType="text")
    if content.of_kind("field"):
        names.append(FIELDS_KEY)
        value = f"${FIELDS_KEY}"
        ET.SubElement(view, "HyperText", name=FIELDS_KEY, value=value, valueType="text", inline="true")
    return names[0]


def _add_panes(root: ET.Element, content: Content) -> tuple[ET.Element, ET.Element]:
    """Return where the item and where the questions go: side by side for images, else one below the other.

    Label Studio draws an image as wide as its place, so that questions below it would be out of sight.
    """
    if not content.of_kind("image"):
        return root, root
    root.set("style", "display: flex; gap: 1rem; align-items: flex-start")
    item = ET.SubElement(root, "View", style="flex: 3; min-width: 0")
    questions = ET.SubElement(root, "View", style="flex: 2; min-width: 0")
    return item, questions


def _add_choices(
    view: ET.Element, name: str, shown: str, choices: Sequence[str], *, choice: str, layout: str = "inline"
) -> ET.Element:
    element = ET.SubElement(view, "Choices", name=name, toName=shown, choice=choice, layout=layout)
    for text in choices:
        literal = _literal(text)
        attributes = {"value": literal}
        if literal != text:
            attributes["alias"] = text  # what the answer says, to the letter
        ET.SubElement(element, "Choice", attributes)
    return element


def _literal(text: str) -> str:
    """Keep Label Studio from filling a variable in: "$50" would become the task's value "50"."""
    return _VARIABLE.sub(f"${_WORD_JOINER}", text)


@dataclass(frozen=True)
class _Plan:
    """What is decided once for all tasks of a file."""

    keys: dict[str, str]  # text or image column to its key
    shown: str  # the object to which the questions belong
    inline: bool  # small images stand in the task
    scored: bool  # suggestions carry their probability


def _plan_part(part: Part, request: Request, content: Content) -> _Plan:
    keys = _object_keys(content)
    sizes = [len(image.data) for task in part.tasks for _position, image in _images(task, content)]
    # Base64 writes three bytes as four characters.
    inline_bytes = sum(size for size in sizes if size <= _INLINE_IMAGE_BYTES) * 4 // 3
    # A score on some tasks only would tell controls from suspects: all or none.
    items = [task.item for part in request.parts for task in part.tasks]
    scored = all(item.p_likely is not None for item in items if item.likely_label is not None)
    return _Plan(keys, next(iter(keys.values()), FIELDS_KEY), inline_bytes <= _INLINE_FILE_BYTES, scored)


def _to_task(task: Task, spec: RequestSpec, content: Content, plan: _Plan) -> dict[str, object]:
    data: dict[str, object] = {"relook_request_id": spec.request_id, "relook_task": task.token}
    if not spec.blind:
        data["relook_item_id"] = task.item.item_id
    data["relook_text_sha"] = content.shas[task.item.key]
    fields: list[tuple[str, str]] = []
    values = content.cells[task.item.key]
    for position, (column, value) in enumerate(zip(content.columns, values, strict=True)):
        if isinstance(value, Image):
            served = f"{spec.request_id}/{image_name(task.token, position, value, content)}"
            inline = _stands_in_task(value, plan)
            data[plan.keys[column.name]] = _to_data_uri(value) if inline else f"/data/local-files/?d={served}"
        elif column.kind == "field":
            fields.append((column.name, value or ""))
        else:
            data[plan.keys[column.name]] = value or ""
    if fields:
        data[FIELDS_KEY] = _to_table(fields)
    written: dict[str, object] = {"data": data}
    if not spec.blind and task.item.likely_label is not None:
        written["predictions"] = [_to_prediction(task, spec, plan)]
    return written


def _to_prediction(task: Task, spec: RequestSpec, plan: _Plan) -> dict[str, object]:
    result = {
        "id": f"p-{task.token}",
        "from_name": LABEL_CONTROL,
        "to_name": plan.shown,
        "type": "choices",
        "value": {"choices": [task.item.likely_label]},
    }
    prediction: dict[str, object] = {"model_version": spec.model or _NO_MODEL, "result": [result]}
    return prediction | ({"score": task.item.p_likely} if plan.scored else {})


def _to_table(fields: Sequence[tuple[str, str]]) -> str:
    """Write all fields as one small table: Label Studio's own sorts them and hides all after ten."""
    rows = "".join(f"<tr><td><b>{escape(name)}</b>&emsp;</td><td>{escape(text)}</td></tr>" for name, text in fields)
    return f"<table>{rows}</table>"


def _images(task: Task, content: Content) -> list[tuple[int, Image]]:
    values = content.cells[task.item.key]
    return [(position, value) for position, value in enumerate(values) if isinstance(value, Image)]


def _stands_in_task(image: Image, plan: _Plan) -> bool:
    return plan.inline and len(image.data) <= _INLINE_IMAGE_BYTES


def _to_data_uri(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


def _describe_steps(request: Request, *, served: bool) -> str:
    """Say what to click; the words in bold are those on Label Studio's own buttons."""
    spec = request.spec
    own = "your file `tasks-….json`" if spec.assignees else "the file `tasks.json`"
    folder = f"/srv/labels/{spec.request_id}/images"
    serve = (
        "Once, before Label Studio starts, by whoever runs it: choose a folder (here `/srv/labels`) and copy "
        f"the folder `images` to `{folder}`. Set the environment variables "
        "`LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and "
        "`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=/srv/labels`. Then start it."
    )
    connect = (
        "In the project choose **Settings**, **Cloud Storage**, **Add Source Storage**, **Local Files**. Give "
        f"`{folder}` as absolute local path, go on to the last page and choose **Save** without syncing."
    )
    create = "Choose **Create** and give the project a name of at least three letters."
    setup = (
        "Open **Labeling Setup**, choose **Custom template**, then **Code**. Replace what stands there by the "
        "text of `label_config.xml` and choose **Save**."
    )
    upload = f"In the project choose **Import**, **Upload Files**, take {own}, and choose **Import**."
    suggest = (
        "Choose **Settings**, **Annotation**. **Use predictions to prelabel tasks** should be on, with "
        f"`{spec.model or _NO_MODEL}`: each item then opens with the suggestion chosen, to be kept or changed."
    )
    label = (
        "Choose **Label All Tasks**. For each item choose an answer, then **Submit**. Do not use *Skip*: "
        f"“{spec.answer_words.cannot_decide}” says more."
    )
    export = "When all are done, choose **Export**, the format **JSON** (not JSON-MIN or CSV), and **Export**."
    each = f"{spec.votes_per_item} different people label each item, each in a project of their own."
    shared = not spec.assignees and spec.votes_per_item > 1
    steps = [*([serve] if served else []), create, setup, *([connect] if served else []), upload]
    steps += [*([] if spec.blind else [suggest]), label, export, *([each] if shared else [])]
    return to_numbered(steps)
