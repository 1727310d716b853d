"""What the formats share: the file of each assignee, names for those files, image files."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.relabel.content import Content, Image
from analysis.relabel.request import Part

__all__ = ["Written", "image_name", "name_parts", "to_numbered", "to_slugs"]

_SLUG_LENGTH = 40


@dataclass(frozen=True)
class Written:
    """What a format made of a request.

    Attributes
    ----------
    files
        Name below the request's folder to bytes.
    steps
        Markdown for START_HERE: what the receiver does, click by click.
    notes
        What the sender should know, in sentences.
    """

    files: dict[str, bytes]
    steps: str
    notes: tuple[str, ...] = field(default=())


def name_parts(parts: Sequence[Part], extension: str) -> list[tuple[str, Part]]:
    """Name the task file of each part.

    Parameters
    ----------
    parts
        The parts of a request.
    extension
        Without dot.

    Returns
    -------
    list
        (file name, part), for example ``("tasks-ann.json", part)``; ``tasks.json`` where nobody is assigned.
    """
    slugs = to_slugs([part.assignee for part in parts if part.assignee is not None])
    return [
        (f"tasks.{extension}" if part.assignee is None else f"tasks-{slugs[part.assignee]}.{extension}", part)
        for part in parts
    ]


def to_slugs(names: Sequence[str]) -> dict[str, str]:
    """Turn people's names into parts of file names that are safe on every system.

    Parameters
    ----------
    names
        Distinct names.

    Returns
    -------
    dict
        Name to slug: letters and digits of any script and ``-``, at most 40 characters, all different even
        where case does not count.

    Examples
    --------
    >>> to_slugs(["Ana/B", "ana b", "..", "李雷"])
    {'Ana/B': 'Ana-B', 'ana b': 'ana-b-2', '..': 'person', '李雷': '李雷'}
    """
    slugs: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        # Composed letters: macOS and Linux would otherwise keep two files for one name.
        letters = unicodedata.normalize("NFC", name)
        words = "".join(letter if letter.isalnum() else " " for letter in letters).split()
        base = "-".join(words)[:_SLUG_LENGTH].strip("-") or "person"
        slug, count = base, 1
        while slug.casefold() in used:
            count += 1
            slug = f"{base}-{count}"
        used.add(slug.casefold())
        slugs[name] = slug
    return slugs


def image_name(token: str, position: int, image: Image, content: Content) -> str:
    """Name an image's file by its task, so that the name tells nothing of the item.

    Parameters
    ----------
    token
        The task.
    position
        The column's position in `content`.
    image
        The image.
    content
        The request's content: with several image columns the file's name says which.

    Returns
    -------
    str
        Below ``send/``, for example ``"images/t-8f3a1c0b2d.png"``.
    """
    images = [index for index, _column in content.of_kind("image")]
    which = f"-{images.index(position) + 1}" if len(images) > 1 else ""
    return f"images/{token}{which}.{image.extension}"


def to_numbered(steps: Sequence[str]) -> str:
    """Write steps as a numbered list in Markdown.

    Parameters
    ----------
    steps
        One or two sentences each.

    Returns
    -------
    str
        One line a step.

    Examples
    --------
    >>> to_numbered(["Open it.", "Close it."]).splitlines()
    ['1. Open it.', '2. Close it.']
    """
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
