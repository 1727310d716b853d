"""Label Studio's CSV and JSON_MIN exports: one row an annotation, the task's data beside it, to items and votes.

Such an export does not say which columns are data and which are controls. What differs between the annotations of
one task is no data; where that does not tell, few values do, and where several columns may be the label the user
is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError
from analysis.roles import ROW_NUMBER, ColumnFacts
from analysis.store.loading.shapes.answers import settle_multi_answers
from analysis.store.loading.shapes.parts import (
    add_notes,
    closed_on_error,
    describe_count,
    find_free_name,
    make_part,
    make_votes,
    rename_roles,
)
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import Fragment, join, template

__all__ = ["is_label_studio_flat", "split_label_studio_flat"]

_MARKS: Final = {"annotation_id", "annotator", "id", "lead_time"}
_OWN: Final = _MARKS | {"created_at", "updated_at", "agreement", "history"}
_OURS: Final = {"relook_item_id", "relook_request_id", "relook_task", "relook_text_sha"}
_DATA_TWIN: Final = "_data_"
_CHOICES: Final = ".choices"
# What the tool's own templates call the control of a classification.
_USUAL: Final = {"label", "labels", "choice", "choices", "class", "category", "sentiment", "answer"}
_TYPES: Final = {"text", "integer", "boolean"}
_MOST_CLASSES: Final = 200
_FEW: Final = 5
_OFTEN: Final = 0.2


@dataclass(frozen=True)
class _Layout:
    """The columns: the label, other controls of free text, and what belongs to the task."""

    control: str
    texts: tuple[str, ...]
    data: tuple[str, ...]
    id_column: str


def is_label_studio_flat(source: Source) -> bool:
    """Tell by the columns whether a file is a CSV or JSON_MIN export."""
    names = set(source.table.names)
    return names >= _MARKS and bool(names & {"created_at", "updated_at"})


def split_label_studio_flat(source: Source, options: LoadOptions) -> list[Source]:
    """Split an export into items and votes.

    Parameters
    ----------
    source
        A file for which ``is_label_studio_flat`` holds. Its scratch database is closed by the caller.
    options
        ``--role given_label=CONTROL`` says which column is the label, ``--role item_id=COLUMN`` another id.

    Returns
    -------
    list of Source

    Raises
    ------
    NeedsChoiceError
        If several columns may be the label.
    FileFaultError
        If none may be.
    """
    layout = _lay_out(source, options)
    with closed_on_error() as parts:
        parts.append(_make_items(source, layout, options))
        parts.append(_make_votes(source, layout))
        parts[1] = settle_multi_answers(parts[1], layout.control)
        return [add_notes(parts[0], _describe(source, layout)), parts[1]]


def _lay_out(source: Source, options: LoadOptions) -> _Layout:
    id_column = _choose_id(source, options)
    names = [name for name in source.table.names if name not in {*_OWN, *_OURS, id_column}]
    lists = {name.removesuffix(_CHOICES) for name in names if name.endswith(_CHOICES)}
    differing, gaps, several = _find_differing(source, names)
    answered = {name for name in names if differing[name] or gaps[name]}
    sure = {name.removeprefix(_DATA_TWIN) for name in names if name.startswith(_DATA_TWIN)}
    sure |= lists | answered | set(_find_between(source.table.names))
    facts = {each.name: each for each in source.facts}
    regions = _find_regions(source, names)
    single = [name for name in names if name not in regions]
    repeating = [name for name in single if name in lists or _are_classes(facts[name])]
    few = [name for name in single if _are_classes(facts[name], once=True)]
    likely = next((found for among in (repeating, few) if (found := sure.intersection(among))), set())
    control = _choose(source, likely or set(repeating) or set(few), options, names)
    # One task whose data is told in two ways is a fault of the file; where many differ, people wrote it.
    texts = [name for name in names if gaps[name] or differing[name] > _OFTEN * several]
    texts = [name for name in texts if name not in {*repeating, control, control + _CHOICES}]
    others = {*texts, control, control + _CHOICES, *(answered.intersection(repeating))}
    return _Layout(control, tuple(texts), tuple(name for name in names if name not in others), id_column)


def _find_differing(source: Source, names: Sequence[str]) -> tuple[dict[str, int], dict[str, int], int]:
    """Count for each column the tasks with several values and those with some and none; and all of several rows."""
    if not names:
        return {}, {}, 0
    texts = [source.to_text(name) for name in names]
    query = template(
        "SELECT [{distinct}] AS distinct_values, [{present}] AS present, count(*) AS rows FROM raw "
        "GROUP BY {id} HAVING count(*) > 1",
        distinct=join(", ", [template("count(DISTINCT {text_})", text_=each) for each in texts]),
        present=join(", ", [template("count({text_})", text_=each) for each in texts]),
        id=source.to_text("id"),
    )
    tasks = source.scratch.fetch_all(
        template("SELECT distinct_values, present, rows, count(*) FROM ({query}) GROUP BY ALL", query=query)
    )
    differing, gaps = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for distinct, present, rows, times in tasks:
        for name, values, filled in zip(names, distinct, present, strict=True):
            differing[name] += times * (values > 1)
            gaps[name] += times * (0 < filled < rows)
    return differing, gaps, sum(times for *_counts, times in tasks)


def _are_classes(facts: ColumnFacts, *, once: bool = False) -> bool:
    """Tell whether a column may hold classes: few values, which repeat (or each stand once, in a short file)."""
    present = facts.rows - facts.missing
    if facts.type not in _TYPES or not present:
        return False
    if facts.distinct <= _FEW:
        return once or facts.distinct < present
    return facts.distinct <= min(_MOST_CLASSES, present / 2)


def _find_between(names: Sequence[str]) -> Sequence[str]:
    """Return the controls of a JSON_MIN export: it writes the data, ``id``, the controls, ``annotator``."""
    if list(names) == sorted(names):
        return ()
    first, last = names.index("id"), names.index("annotator")
    return [name.removesuffix(_CHOICES) for name in names[first + 1 : last] if name not in _OWN]


def _choose(source: Source, likely: set[str], options: LoadOptions, names: Sequence[str]) -> str:
    said = [column for role, column in options.roles if role == "given_label"]
    known = {*names, *(name.removesuffix(_CHOICES) for name in names)}
    chosen = [column for column in said if column in known]
    if chosen:
        return chosen[0].removesuffix(_CHOICES)
    ordered = [name for name in dict.fromkeys(each.removesuffix(_CHOICES) for each in names) if name in likely]
    usual = [name for name in ordered if name.casefold() in _USUAL]
    if len(ordered) == 1 or len(usual) == 1:
        return (ordered if len(ordered) == 1 else usual)[0]
    if ordered:
        shown = ", ".join(map(repr, ordered[:8]))
        raise NeedsChoiceError(
            f"{source.path.name} is a Label Studio export, and several of its columns may be the label: {shown}. Say "
            f"which one, for example --role given_label={ordered[0]}. (The JSON export, not JSON_MIN or CSV, says so "
            "itself.)"
        )
    shown = ", ".join(map(repr, names[:8])) or "none"
    if _find_regions(source, names):
        raise FileFaultError(
            f"{source.path.name} is a Label Studio export of regions, not of classes (its columns: {shown}). relook "
            "reads classification, one class an item, from a Choices control."
        )
    raise FileFaultError(
        f"{source.path.name} is a Label Studio export, and none of its columns looks like answers of classes: {shown}. "
        "Name the control with --role given_label=COLUMN."
    )


def _find_regions(source: Source, names: Sequence[str]) -> set[str]:
    """Find the columns that hold lists of objects: regions, with their places."""
    if not names:
        return set()
    held = [template("bool_or(starts_with({said}, '[{{'))", said=source.to_text(name)) for name in names]
    found = source.scratch.fetch_all(template("SELECT {held} FROM raw", held=join(", ", held)))[0]
    return {name for name, holds in zip(names, found, strict=True) if holds}


def _choose_id(source: Source, options: LoadOptions) -> str:
    said = next((column for role, column in options.roles if role == "item_id"), None)
    if said == ROW_NUMBER:
        raise AnalysisError(
            f"{source.path.name}: rows are annotations, so their numbers are no ids of items. Name a column of the "
            "tasks: --role item_id=COLUMN."
        )
    if said in source.table.names:
        return str(said)
    for name in ("relook_item_id", "item_id"):
        if name in source.table.names:
            query = template(
                "SELECT count(DISTINCT ({id}, {other})) = count(DISTINCT {id}) AND count(DISTINCT {id}) = "
                "count(DISTINCT {other}) FROM raw",
                id=source.to_text("id"),
                other=source.to_text(name),
            )
            if source.scratch.fetch_all(query)[0][0]:
                return name
    return "id"


def _make_items(source: Source, layout: _Layout, options: LoadOptions) -> Source:
    bare = {name.removeprefix(_DATA_TWIN): name for name in layout.data}
    columns = [source.to_text(layout.id_column), *(source.find(name)[0] for name in bare.values())]
    # Another row for an id with other data is a fault, told with its line when the items are taken in.
    query = template("SELECT min(row) AS row, {columns} FROM raw GROUP BY ALL ORDER BY 1", columns=join(", ", columns))
    return make_part(
        source,
        query,
        [layout.id_column, *bare],
        part="items",
        kind="items",
        roles=[
            ("item_id", layout.id_column),
            *rename_roles(options, {old: new for new, old in bare.items() if old != new}),
        ],
    )


def _make_votes(source: Source, layout: _Layout) -> Source:
    names = source.table.names
    label = source.to_text(layout.control) if layout.control in names else Fragment("NULL")
    if layout.control + _CHOICES in names:
        several = template("CAST(to_json({c}) AS VARCHAR)", c=source.find(layout.control + _CHOICES)[0])
        if source.find(layout.control + _CHOICES)[1] == "VARCHAR":
            several = source.to_text(layout.control + _CHOICES)
        label = template("coalesce({label}, {several})", label=label, several=several)
    columns = {
        "item_id": (layout.id_column, source.to_text(layout.id_column)),
        "given_label": (layout.control, label),
        "annotator": ("annotator", source.to_text("annotator")),
        "seconds": ("lead_time", source.to_number("lead_time")),
    }
    time = "created_at" if "created_at" in names else "updated_at"
    columns["labelled_at"] = (time, source.to_time(time))
    if layout.texts:
        said = join(", ", [source.to_text(name) for name in layout.texts])
        columns["comment"] = (
            find_free_name("comment", [layout.control]),
            template("nullif(concat_ws('; ', {said}), '')", said=said),
        )
    rest = template(
        # A task that nobody answered stands there without an annotation.
        "FROM raw WHERE {annotation} IS NOT NULL ORDER BY row",
        annotation=source.to_text("annotation_id"),
    )
    return make_votes(source, columns, rest, rejects=source.table.rejects)


def _describe(source: Source, layout: _Layout) -> list[str]:
    tasks, annotations = source.scratch.fetch_all(
        template(
            "SELECT count(DISTINCT {id}), count({annotation}) FROM raw",
            id=source.to_text("id"),
            annotation=source.to_text("annotation_id"),
        )
    )[0]
    form = "CSV" if source.path.suffix.lower() in {".csv", ".tsv", ".txt"} else "JSON_MIN"
    counts = f"{describe_count(tasks, 'task')}, {describe_count(annotations, 'annotation')}"
    columns = f"The label is the column {layout.control!r}, the id {layout.id_column!r}."
    notes = [f"Read as a Label Studio {form} export: {counts}. {columns} Skips are only in the JSON export."]
    if {"created_at", "updated_at"} <= set(source.table.names):
        query = template(
            "SELECT count(*) FROM raw WHERE {updated} - {created} > INTERVAL 1 MINUTE",
            updated=source.to_time("updated_at"),
            created=source.to_time("created_at"),
        )
        later = int(source.scratch.fetch_all(query)[0][0])
        if later:
            notes.append(
                f"Changed more than a minute after they were submitted: {describe_count(later, 'annotation')}. The "
                "label is the later one, the time the first."
            )
    return notes
