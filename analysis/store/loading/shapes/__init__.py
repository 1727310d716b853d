"""Shapes: files of labelling tools and one column an annotator, taken apart into items, votes and predictions.

A shape is told by its columns, never by a file's name, and the notes of its parts say what was recognised.
"""

from collections.abc import Mapping, Sequence

from analysis.roles import ROW_NUMBER, Roles
from analysis.store.loading.shapes.answers import settle_multi_answers
from analysis.store.loading.shapes.label_studio import is_label_studio, split_label_studio
from analysis.store.loading.shapes.label_studio_flat import is_label_studio_flat, split_label_studio_flat
from analysis.store.loading.shapes.mechanical_turk import is_mechanical_turk, split_mechanical_turk
from analysis.store.loading.shapes.parts import (
    add_notes,
    closed_on_error,
    describe_outliers,
    describe_repeated,
    guess_source_roles,
    select_kinds,
)
from analysis.store.loading.shapes.wide import split_wide
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import template

__all__ = ["split_shapes"]

_TOOLS = (
    (is_label_studio, split_label_studio),
    (is_label_studio_flat, split_label_studio_flat),
    (is_mechanical_turk, split_mechanical_turk),
)


def split_shapes(sources: Sequence[Source], options: LoadOptions) -> list[Source]:
    """Take files apart that hold several kinds of rows.

    Parameters
    ----------
    sources
        Files as read, in their order.
    options
        What the user said. With ``--kind`` only the parts of that kind are kept; ``--role vote=COLUMN`` names an
        annotator's column, ``--role given_label=NAME`` the control or answer that is the label.

    Returns
    -------
    list of Source
        Each recognised file replaced by its parts: items before votes before predictions. Answers of several
        classes are settled in all votes. The scratch databases of replaced files are closed.

    Raises
    ------
    NeedsChoiceError
        If more than one reading is possible.
    FileFaultError
        If a recognised file holds nothing that can be read as classification.
    """
    with closed_on_error() as done:
        for source in sources:
            parts = _split(source, options)
            done.extend(parts)
            if not any(part.scratch is source.scratch for part in parts):
                source.scratch.close()
            if parts[0].table.part is not None and len(parts) > 1:
                done[-len(parts) :] = parts = select_kinds(parts, options.kind)
            done[-len(parts) :] = [_describe_votes(part) for part in parts]
        return list(done)


def _split(source: Source, options: LoadOptions) -> list[Source]:
    if source.table.kind is None:
        for is_one, split in _TOOLS:
            if is_one(source):
                return split(source, options)
    roles = guess_source_roles(source, options)
    parts = split_wide(source, roles, options)
    if parts is not None:
        return parts
    if not _holds_votes(source, roles, options):
        return [source]
    settled = settle_multi_answers(source, str(roles.column("given_label")), roles.column("comment"))
    return [_describe(settled, {role: guess.column for role, guess in roles.single.items()})]


def _holds_votes(source: Source, roles: Roles, options: LoadOptions) -> bool:
    """Tell whether the rows are votes: an id stands in several, and each names an annotator."""
    if not {"annotator", "given_label", "item_id"} <= roles.single.keys() or roles.column("item_id") == ROW_NUMBER:
        return False
    if options.gold or "votes" in {options.kind, source.table.kind}:
        return True
    query = template(
        # By their hashes, which take less memory than ids.
        "SELECT count(*) > count(DISTINCT hash({id})) FROM raw WHERE {id} IS NOT NULL",
        id=source.to_text(str(roles.column("item_id"))),
    )
    return options.kind is None and bool(source.scratch.fetch_all(query)[0][0])


def _describe_votes(part: Source) -> Source:
    made = part.table.part is not None and part.table.kind == "votes"
    return _describe(part, dict(part.table.roles)) if made else part


def _describe(votes: Source, columns: Mapping[str, str]) -> Source:
    """Add what a person should know of the times, and of those who voted twice."""
    notes = describe_outliers(votes, columns["seconds"]) if "seconds" in columns else []
    if {"item_id", "annotator"} <= columns.keys():
        notes += describe_repeated(votes, columns["item_id"], columns["annotator"])
    return add_notes(votes, notes)
