"""From a request to the bytes of its files: what is sent, and what stays.

Nothing is written to disk here; :func:`analysis.store.files.write_folder` does that, all or nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.errors import AnalysisError, UnknownNameError
from analysis.relabel.candidates import Item
from analysis.relabel.content import ColumnKind, Content
from analysis.relabel.formats import FORMATS, Written
from analysis.relabel.guide import describe_guide, describe_start
from analysis.relabel.manifest import to_manifest
from analysis.relabel.request import Request

__all__ = ["RequestFiles", "to_files"]

# A column that agrees with the given label this often shows the label, whatever it is called.
_TELLING_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class RequestFiles:
    """The files of a request, by name below its folder.

    Attributes
    ----------
    send
        What the receiver gets, names below ``send/``.
    private
        What is never sent, names below ``private/``.
    notes
        What the sender should know, in sentences.
    """

    send: dict[str, bytes]
    private: dict[str, bytes]
    notes: tuple[str, ...]

    @property
    def all(self) -> dict[str, bytes]:
        """Every file, as it lies below the request's folder."""
        return {**self.send, **self.private}


def to_files(
    request: Request, content: pd.DataFrame, roles: Mapping[str, ColumnKind], formats: Sequence[str]
) -> RequestFiles:
    """Write a request as files for one or more labelling tools.

    In a blind request ``send`` depends on the items, their content and who is assigned to them, and on
    nothing else: not on given or likely labels, probabilities, reasons, sources, ranks, or on which items are
    controls.

    Parameters
    ----------
    request
        Who gets which items.
    content
        Index ``(split, item_id)``; the ticked columns. Image columns hold bytes (PNG, JPEG, GIF, WebP, BMP)
        or addresses that the tool can reach.
    roles
        Ticked column to ``"text"``, ``"image"`` or ``"field"``, in the order in which they are shown.
    formats
        Names in :data:`~analysis.relabel.formats.FORMATS`; at least one, each once.

    Returns
    -------
    RequestFiles
        ``send/guide.md``, ``send/START_HERE.md``, the files of each format, ``private/manifest.json``.

    Raises
    ------
    AnalysisError
        If a format or column does not exist, an item has no content, or a blind request would show the given
        label, the suggestion, the item id or the first annotator in a ticked column.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from analysis.relabel import RequestSpec, build_request
    >>> spec = RequestSpec(request_id="rq-1", created_at=datetime(2026, 11, 21, tzinfo=UTC), labels=("cat", "dog"))
    >>> request = build_request(pd.DataFrame({"split": ["train"], "item_id": ["7"]}), spec)
    >>> index = pd.MultiIndex.from_tuples([("train", "7")], names=["split", "item_id"])
    >>> files = to_files(request, pd.DataFrame({"text": ["meow"]}, index=index), {"text": "text"}, ["csv"])
    >>> sorted(files.all)
    ['private/manifest.json', 'send/START_HERE.md', 'send/guide.md', 'send/tasks.csv']
    """
    _check_formats(formats)
    items = list({task.item.key: task.item for part in request.parts for task in part.tasks}.values())
    shown = Content.from_frame(content, roles, [item.key for item in items])
    if request.spec.blind:
        _check_blind(items, shown)
    written: dict[str, Written] = {name: FORMATS[name].write(request, shown) for name in formats}
    send = {
        "send/START_HERE.md": describe_start(request, written).encode(),
        "send/guide.md": describe_guide(request.spec).encode(),
    }
    for result in written.values():
        send |= result.files
    manifest = to_manifest(request, shown, formats, send)
    data = json.dumps(manifest, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    notes = dict.fromkeys(note for result in written.values() for note in result.notes)
    return RequestFiles(send, {"private/manifest.json": data.encode()}, (*notes, *_describe_image_addresses(shown)))


def _check_formats(formats: Sequence[str]) -> None:
    if not formats:
        raise AnalysisError(f"No format is chosen. Choose among {list(FORMATS)!r}.")
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    if len(set(formats)) < len(formats):
        raise AnalysisError(f"A format is chosen twice: {list(formats)!r}. Choose each once.")


def _check_blind(items: Sequence[Item], content: Content) -> None:
    """Check that no ticked column shows what a blind request hides.

    The classic ways: the label column itself is ticked, or an image's path names the folder of its class.
    """
    hidden: dict[str, Callable[[Item], str | None]] = {
        "the given label": lambda item: item.given_label,
        "the likely label": lambda item: item.likely_label,
        "the item id": lambda item: item.item_id,
        "who gave the label": lambda item: item.given_by,
    }
    for position, column in enumerate(content.columns):
        for what, secret_of in hidden.items():
            pairs = list(_pair_up(items, content, position, secret_of))
            telling = sum(secret in parts for secret, parts in pairs)
            if pairs and telling >= _TELLING_SHARE * len(pairs):
                raise AnalysisError(
                    f"The column {column.name!r} shows {what} (in {telling} of {len(pairs)} items), which a "
                    "blind request hides. Untick it, or choose an assisted request."
                )


def _pair_up(
    items: Sequence[Item], content: Content, position: int, secret_of: Callable[[Item], str | None]
) -> Iterator[tuple[str, set[str]]]:
    """Yield (secret, what the cell could be read as) for items where both are known."""
    is_image = content.columns[position].kind == "image"
    for item in items:
        secret = secret_of(item)
        value = content.cells[item.key][position]
        if secret is None or not isinstance(value, str):
            continue
        readings = {value.strip()}
        if is_image:
            # "train/cat/0017.png": folders, and the file with and without its extension.
            parts = re.split(r"[/\\]", value)
            readings |= {*parts, parts[-1].rsplit(".", 1)[0]}
        yield secret, readings


def _describe_image_addresses(content: Content) -> list[str]:
    return [
        f"Column {column.name!r} holds addresses of images: a receiver sees those that the tool can reach."
        for position, column in content.of_kind("image")
        if any(isinstance(values[position], str) for values in content.cells.values())
    ]
