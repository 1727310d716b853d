"""Mechanical Turk's batch results: one row an assignment, to items (the inputs) and votes (the answers)."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from analysis.errors import AnalysisError, FileFaultError, NeedsChoiceError
from analysis.roles import ROW_NUMBER
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
from analysis.store.loading.shapes.people_columns import fold
from analysis.store.loading.shapes.turk_answers import (
    ANSWER,
    Field,
    FoundAnswers,
    find_answers,
    find_fields,
    split_number,
)
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import Fragment, join, template, value

__all__ = ["is_mechanical_turk", "split_mechanical_turk"]

_MARKS: Final = {"HITId", "AssignmentId", "WorkerId"}
_INPUT: Final = "Input."
_IDS: Final = ("relookitemid", "itemid", "exampleid", "sampleid", "rowid", "id", "uid", "uuid", "taskid", "imageid",
               "docid", "recordid", "key")  # fmt: skip
_REMARKS: Final = {"comment", "comments", "feedback", "note", "notes", "remark", "remarks", "reason", "explanation"}
_OURS: Final = {"relookrequestid", "relooktask", "relooktextsha"}
_MOST_CLASSES: Final = 200
_FEW: Final = 5


@dataclass(frozen=True)
class _Layout:
    """Where the items of a row are.

    Attributes
    ----------
    name
        The label's column in the votes.
    fields
        The field that answers each item of a row, by its number; 0 where a row is about one item.
    inputs
        For each number, the columns of the item's inputs by their names in the items.
    ids
        For each number, the item's id.
    id_name, id_from
        The column of ids in the parts, and what it came from.
    """

    name: str
    fields: dict[int, str]
    inputs: dict[int, dict[str, str]]
    ids: dict[int, Fragment]
    id_name: str
    id_from: str


def is_mechanical_turk(source: Source) -> bool:
    """Tell by the columns whether a file holds the results of a batch."""
    names = source.table.names
    return set(names) >= _MARKS and any(name.startswith(ANSWER) for name in names)


def split_mechanical_turk(source: Source, options: LoadOptions) -> list[Source]:
    """Split the results of a batch into items and votes.

    Parameters
    ----------
    source
        A file for which ``is_mechanical_turk`` holds. Its scratch database is closed by the caller.
    options
        ``--role given_label=ANSWER`` chooses among several fields, ``--role item_id=INPUT`` another id.

    Returns
    -------
    list of Source

    Raises
    ------
    NeedsChoiceError
        If several fields may hold the label.
    FileFaultError
        If no field was answered by classes.
    """
    fields = find_fields(source.facts)
    found = find_answers(_read_rows(source), fields)
    layout = _lay_out(source, fields, found, options)
    _keep(source, layout, found)
    with closed_on_error() as parts:
        parts.append(_make_items(source, layout, options))
        parts.append(_make_votes(source, layout, found))
        parts[1] = settle_multi_answers(parts[1], layout.name)
        return [add_notes(parts[0], _describe(source, layout)), parts[1]]


def _read_rows(source: Source) -> Iterator[tuple[int, dict[str, str | None]]]:
    names = [name for name in source.table.names if name.startswith(ANSWER)]
    # As text whatever the type, so that true stays true and 3.0 is 3.
    columns = join(", ", [Fragment("row"), *(source.to_text(name) for name in names)])
    for batch in source.scratch.stream(template("SELECT {columns} FROM raw ORDER BY row", columns=columns)):
        for row, *cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield row, dict(zip(names, cells, strict=True))


def _lay_out(source: Source, fields: Sequence[Field], found: FoundAnswers, options: LoadOptions) -> _Layout:
    columns = {each.name: next(iter(each.columns)) for each in fields if len(each.columns) == 1}
    inputs = [name for name in source.table.names if name.startswith(_INPUT)]
    groups: dict[str, dict[int, str]] = {}
    for name in found.classes:
        numbered = split_number(name)
        if numbered is not None and any((split_number(each) or ("", -1))[1] == numbered[1] for each in inputs):
            groups.setdefault(numbered[0], {})[numbered[1]] = name
        else:
            groups[name] = {0: name}
    for base in [base for base, numbers in groups.items() if len(numbers) == 1 and 0 not in numbers]:
        name = next(iter(groups.pop(base).values()))
        groups[name] = {0: name}
    chosen = _choose(source, groups, columns, found, options)
    numbers = dict(sorted(groups[chosen].items()))
    name = columns.get(numbers[0], numbers[0] or "answer") if 0 in numbers else chosen
    split = {each: split_number(each.removeprefix(_INPUT)) for each in inputs}
    per_item: dict[int, dict[str, str]] = {}
    for number in numbers:
        per_item[number] = {}
        for each in inputs:
            part = split[each] if number else None
            if part is None or part[1] not in numbers:
                per_item[number][each.removeprefix(_INPUT)] = each
            elif part[1] == number:
                per_item[number][part[0]] = each
    return _with_ids(source, name, numbers, per_item, options)


def _choose(
    source: Source,
    groups: dict[str, dict[int, str]],
    columns: dict[str, str],
    found: FoundAnswers,
    options: LoadOptions,
) -> str:
    """Choose the field that is the label: said by the user, or the only one answered by classes."""
    said = [column for role, column in options.roles if role == "given_label"]
    for group, numbers in groups.items():
        known = {group, *numbers.values(), *(columns.get(name) for name in numbers.values())}
        known |= {ANSWER + name for name in numbers.values()}
        if known & set(said):
            return group
    fit = [
        group
        for group, numbers in groups.items()
        if fold(group.rsplit(".", 1)[0]) not in _REMARKS
        and all(_are_classes(found.classes[name]) for name in numbers.values())
    ]
    if len(fit) == 1:
        return fit[0]
    names = [
        columns.get(name, name or "answer") for group in fit or groups for name in list(groups[group].values())[:1]
    ]
    shown = ", ".join(map(repr, names[:8]))
    if fit:
        raise NeedsChoiceError(
            f"{source.path.name} has several answers: {shown}. A workspace holds one label: say which one, for example "
            f"--role given_label={names[0]}."
        )
    what = f"only {shown}, answered in free words" if names else "none at all"
    raise FileFaultError(
        f"{source.path.name} holds results of Mechanical Turk without an answer of classes: {what}. Name the answer "
        "with --role given_label=COLUMN, or export the results with their Answer columns."
    )


def _are_classes(counts: Counter[str]) -> bool:
    return len(counts) <= _FEW or (len(counts) <= _MOST_CLASSES and len(counts) <= counts.total() / 2)


def _with_ids(
    source: Source, name: str, numbers: dict[int, str], inputs: dict[int, dict[str, str]], options: LoadOptions
) -> _Layout:
    first = next(iter(inputs.values()))
    folded = {fold(each): each for each in reversed(first)}
    said = next((column.removeprefix(_INPUT) for role, column in options.roles if role == "item_id"), None)
    if said == ROW_NUMBER:
        raise AnalysisError(
            f"{source.path.name}: rows are assignments, so their numbers are no ids of items. Name one of its inputs: "
            "--role item_id=Input.NAME."
        )
    # An input that all items of a row share is no id of theirs.
    ids = [folded[each] for each in _IDS if each in folded and (len(inputs) == 1 or _differs(inputs, folded[each]))]
    wanted = said if said in first else ids[0] if ids else None
    if wanted is not None:
        made = {number: _unescape(source, columns[wanted]) for number, columns in inputs.items()}
        rest = {n: {k: c for k, c in columns.items() if k != wanted} for n, columns in inputs.items()}
        return _Layout(name, numbers, rest, made, wanted, _INPUT + wanted)
    hit = source.to_text("HITId")
    made = {
        number: template("{hit} || '-' || {n}", hit=hit, n=value(str(number))) if number else hit for number in numbers
    }
    return _Layout(name, numbers, inputs, made, find_free_name("HITId", list(first)), "HITId")


def _differs(inputs: dict[int, dict[str, str]], name: str) -> bool:
    return len({columns.get(name) for columns in inputs.values()}) == len(inputs)


def _unescape(source: Source, name: str) -> Fragment:
    """Return a column as text with the signs that the tool spells out, such as ``&#44;`` for a comma."""
    return template(
        "replace(replace(replace(replace(replace(replace(replace({cell}, '&#44;', ','), '&#34;', '\"'), "
        "'&quot;', '\"'), '&#39;', ''''), '&lt;', '<'), '&gt;', '>'), '&amp;', '&')",
        cell=source.to_text(name),
    )


def _keep(source: Source, layout: _Layout, found: FoundAnswers) -> None:
    """Bring the answers beside the rows: one row for each item of each row, with its number and its place."""
    rows, numbers, places, labels = [], [], [], []
    for row, answers in found.rows:
        for place, (number, name) in enumerate(layout.fields.items(), start=1):
            chosen = list(dict.fromkeys(answers.get(name, ())))
            rows.append(row)
            numbers.append(number)
            places.append(place)
            several = json.dumps(chosen, ensure_ascii=False) if len(chosen) > 1 else None
            labels.append(several or (chosen[0] if chosen else None))
    arrow = pa.table(
        {
            "task": pa.array(rows, pa.int64()),
            "number": pa.array(numbers, pa.int64()),
            "place": pa.array(places, pa.int64()),
            "label": pa.array(labels, pa.string()),
        }
    )
    source.scratch.connection.register("arriving", arrow)
    source.scratch.execute(Fragment("CREATE TABLE found_answers AS SELECT * FROM arriving"))
    source.scratch.connection.unregister("arriving")


def _by_number(parts: dict[int, Fragment]) -> Fragment:
    if len(parts) == 1:
        return next(iter(parts.values()))
    whens = [template("WHEN {n} THEN {part}", n=value(number), part=part) for number, part in parts.items()]
    return template("CASE number {whens} END", whens=join(" ", whens))


def _make_items(source: Source, layout: _Layout, options: LoadOptions) -> Source:
    names = [name for name in next(iter(layout.inputs.values())) if fold(name) not in _OURS]
    missing = Fragment("CAST(NULL AS VARCHAR)")
    columns = [_by_number(layout.ids)]
    columns += [
        _by_number(
            {n: _unescape(source, found[name]) if name in found else missing for n, found in layout.inputs.items()}
        )
        for name in names
    ]
    query = template(
        "SELECT min(row), {columns} FROM raw JOIN found_answers ON task = row GROUP BY ALL ORDER BY 1, min(place)",
        columns=join(", ", columns),
    )
    renamed = {column: name for found in layout.inputs.values() for name, column in found.items() if name in names}
    roles = [("item_id", layout.id_name), *rename_roles(options, renamed)]
    return make_part(source, query, [layout.id_name, *names], part="items", kind="items", roles=roles)


def _make_votes(source: Source, layout: _Layout, found: FoundAnswers) -> Source:
    width = len(layout.fields)
    known = source.table.names
    columns = {
        "item_id": (layout.id_name, _by_number(layout.ids)),
        "annotator": ("WorkerId", source.to_text("WorkerId")),
        "given_label": (layout.name, Fragment("label")),
    }
    for role, name in (("started_at", "AcceptTime"), ("labelled_at", "SubmitTime")):
        if name in known:
            columns[role] = (name, source.to_time(name))
    if "WorkTimeInSeconds" in known:
        share = template("{seconds} / {width}", seconds=source.to_number("WorkTimeInSeconds"), width=value(width))
        columns["seconds"] = ("WorkTimeInSeconds", share)
    if "AssignmentStatus" in known:
        verdict = template("nullif({status}, 'Submitted')", status=source.to_text("AssignmentStatus"))
        columns["verdict"] = ("AssignmentStatus", verdict)
    if "RequesterAnnotation" in known:
        batch = template(
            "nullif(regexp_extract({note}, 'BatchId:(\\d+)', 1), '')", note=source.to_text("RequesterAnnotation")
        )
        columns["batch"] = ("RequesterAnnotation", batch)
    remark = next((name for name in found.classes if fold(name) in _REMARKS and ANSWER + name in known), None)
    if remark is not None:
        columns["comment"] = (ANSWER + remark, _unescape(source, ANSWER + remark))
    rest = template(
        # A HIT that nobody took is an item, and no vote.
        "FROM raw JOIN found_answers ON task = row "
        "WHERE coalesce({annotator}, {assignment}) IS NOT NULL ORDER BY row, place",
        annotator=source.to_text("WorkerId"),
        assignment=source.to_text("AssignmentId"),
    )
    return make_votes(source, columns, rest, rejects=source.table.rejects)


def _describe(source: Source, layout: _Layout) -> list[str]:
    scratch = source.scratch
    hits, people = scratch.fetch_all(
        template(
            "SELECT count(DISTINCT {hit}), count(DISTINCT {annotator}) FROM raw",
            hit=source.to_text("HITId"),
            annotator=source.to_text("WorkerId"),
        )
    )[0]
    rows = source.rows - len(source.table.rejects)
    counts = f"{describe_count(rows, 'assignment')} of {describe_count(hits, 'HIT')}"
    columns = f"The label is {layout.name!r}, the id {layout.id_from!r}."
    notes = [f"Read as results of Mechanical Turk: {counts} by {describe_count(people, 'annotator')}. {columns}"]
    if len(layout.fields) > 1:
        notes.append(
            f"Each HIT asks for {len(layout.fields)} items: each became a vote, with an equal share of the seconds."
        )
    if "AssignmentStatus" in source.table.names:
        query = template("SELECT count(*) FROM raw WHERE {c} = 'Rejected'", c=source.to_text("AssignmentStatus"))
        rejected = scratch.fetch_all(query)[0][0]
        if rejected:
            notes.append(f"Rejected assignments: {rejected:,}. They are kept, with that verdict.")
    for name in ("AcceptTime", "SubmitTime"):
        if name in source.table.names:
            query = template(
                "SELECT count(*) FROM raw WHERE {cell} IS NOT NULL AND {time} IS NULL",
                cell=source.to_text(name),
                time=source.to_time(name),
            )
            lost = scratch.fetch_all(query)[0][0]
            if lost:
                notes.append(f"Times in {name!r} that cannot be read, such as those of another time zone: {lost:,}.")
    return notes
