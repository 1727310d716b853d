"""Label Studio's JSON export as parts: its tasks are items, its annotations votes, its predictions predictions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

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
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.readers.label_studio import ANNOTATIONS, DATA, Answers, Task, find_answers
from analysis.store.sql import Fragment, join, template, value

__all__ = ["is_label_studio", "split_label_studio"]

_IDS: Final = ("data.relook_item_id", "data.item_id", "data.id", "id")
# What relook writes into a task for itself.
_OURS: Final = {"data.relook_item_id", "data.relook_request_id", "data.relook_task", "data.relook_text_sha"}


@dataclass(frozen=True)
class _Ids:
    """The column of ids: its name in the parts, its SQL on the tasks, and the column it came from."""

    name: str
    sql: Fragment
    column: str | None


def is_label_studio(source: Source) -> bool:
    """Tell by the columns whether a file holds Label Studio's tasks, as exported or as imported."""
    names = source.table.names
    nested = [key for key in (*ANNOTATIONS, "predictions") if key in names]
    return bool(nested) and any(name.startswith(DATA) for name in names) and _holds_results(source, nested)


def split_label_studio(source: Source, options: LoadOptions) -> list[Source]:
    """Split an export into items, votes and predictions.

    Parameters
    ----------
    source
        A file for which ``is_label_studio`` holds. Its scratch database is closed by the caller.
    options
        ``--role given_label=CONTROL`` chooses among several controls, ``--role item_id=KEY`` another id.

    Returns
    -------
    list of Source

    Raises
    ------
    NeedsChoiceError
        If several controls hold choices.
    FileFaultError
        If there are answers and none is a choice for the item as a whole.
    AnalysisError
        If the tasks have no id.
    """
    found = find_answers(_read_tasks(source))
    control = _choose_control(source, found, options)
    ids = _choose_ids(source, options)
    gold = _counts_gold(found)
    _keep(source, found)
    with closed_on_error() as parts:
        parts.append(_make_items(source, ids, control if gold else None, options))
        if control is not None and len(found.votes):
            votes = _make_votes(source, ids, control, with_gold=not gold)
            parts.append(votes)
            settled = settle_multi_answers(votes, control)
            names = tuple(found.known_names)
            parts[-1] = replace(settled, table=replace(settled.table, known_names=names))
        if control is not None and len(found.predictions):
            parts.append(_make_predictions(source, ids, control))
        return [add_notes(parts[0], _describe(source, found, control, ids, gold=gold)), *parts[1:]]


def _holds_results(source: Source, columns: Sequence[str]) -> bool:
    """Tell whether the nested columns are lists of objects, some with a result or all empty."""
    texts = [_to_json(source, name) for name in columns]
    lists = [
        template("coalesce(bool_and(regexp_matches({json}, '^\\s*\\[\\s*[\\]{{]')), TRUE)", json=json_)
        for json_ in texts
    ]
    told = [template("coalesce(bool_or(contains({json}, '\"result\"')), FALSE)", json=json_) for json_ in texts]
    open_ = [template("count(*) FILTER ({json} LIKE '%{{%') = 0", json=json_) for json_ in texts]
    query = template(
        "SELECT {lists}, ({told}) OR ({nothing}) FROM raw",
        lists=join(" AND ", lists),
        told=join(" OR ", told),
        nothing=join(" AND ", open_) if set(columns) & set(ANNOTATIONS) else Fragment("FALSE"),
    )
    return source.scratch.fetch_all(query)[0] == (True, True)


def _to_json(source: Source, name: str) -> Fragment:
    """Return a nested column as JSON text, however its reader kept it."""
    column, stored, _facts = source.find(name)
    return column if stored == "VARCHAR" else template("CAST(to_json({column}) AS VARCHAR)", column=column)


def _read_tasks(source: Source) -> Iterator[Task]:
    names = source.table.names
    nested = next((key for key in ANNOTATIONS if key in names), None)
    nothing = Fragment("CAST(NULL AS VARCHAR)")
    query = template(
        "SELECT row, {annotations}, {predictions} FROM raw ORDER BY row",
        annotations=_to_json(source, nested) if nested else nothing,
        predictions=_to_json(source, "predictions") if "predictions" in names else nothing,
    )
    for batch in source.scratch.stream(query):
        for row, annotations, predictions in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Task(row, json.loads(annotations or "[]"), json.loads(predictions or "[]"))


def _choose_control(source: Source, found: Answers, options: LoadOptions) -> str | None:
    said = [column for role, column in options.roles if role == "given_label" and column in found.controls]
    if said:
        return said[0]
    if not found.controls:
        if not found.others:
            return None
        others = ", ".join(f"{kind} ({times:,})" for kind, times in found.others.most_common(4))
        raise FileFaultError(
            f"{source.path.name} is a Label Studio export without choices: found {others}. relook reads "
            "classification, one class an item, from a Choices control."
        )
    if len(found.controls) == 1:
        return next(iter(found.controls))
    names = ", ".join(f"{name!r} ({describe_count(times, 'answer')})" for name, times in found.controls.most_common())
    first = found.controls.most_common(1)[0][0]
    raise NeedsChoiceError(
        f"{source.path.name} has several controls of choices: {names}. A workspace holds one label: say which one, "
        f"for example --role given_label={first}."
    )


def _choose_ids(source: Source, options: LoadOptions) -> _Ids:
    names = source.table.names
    said = next((column for role, column in options.roles if role == "item_id"), None)
    if said == ROW_NUMBER:
        return _Ids(_name_apart("task", names), Fragment("CAST(row AS VARCHAR)"), None)
    wanted = _IDS if said is None else (DATA + said, said)
    for column in wanted:
        if column in names and (said is not None or _is_unique(source, column)):
            bare = column.removeprefix(DATA)
            name = bare if column.startswith(DATA) else _name_apart(bare, names)
            return _Ids(name, source.to_text(column), column)
    raise AnalysisError(
        f"{source.path.name}: its tasks have no id that is theirs alone. Name a key of their data with "
        f"--role item_id=KEY, or take the row number as id: --role item_id={ROW_NUMBER}."
    )


def _name_apart(wanted: str, names: Sequence[str]) -> str:
    return find_free_name(wanted, [name.removeprefix(DATA) for name in names if name.startswith(DATA)])


def _is_unique(source: Source, column: str) -> bool:
    query = template("SELECT count(*) = count(DISTINCT {id}) FROM raw", id=source.to_text(column))
    return bool(source.scratch.fetch_all(query)[0][0])


def _counts_gold(found: Answers) -> bool:
    """Tell whether annotations marked ``ground_truth`` are gold labels; where most are, an import marked them so."""
    marked = _count_gold(found)
    return 0 < marked <= len(found.votes) / 2


def _count_gold(found: Answers) -> int:
    return sum(bool(marked) for marked in found.votes.column("gold").to_pylist())


def _keep(source: Source, found: Answers) -> None:
    """Bring what was found beside the tasks, with the order in the file as ``n``."""
    scratch = source.scratch
    scratch.connection.register("arriving", found.votes)
    scratch.execute(Fragment("CREATE TABLE found_votes AS SELECT row_number() OVER () AS n, * FROM arriving"))
    scratch.connection.register("arriving", found.predictions)
    scratch.execute(Fragment("CREATE TABLE found_predictions AS SELECT row_number() OVER () AS n, * FROM arriving"))
    scratch.connection.unregister("arriving")


def _pick(column: Fragment, control: str, *, lists: bool) -> Fragment:
    """Return what was chosen in a control: the class, or for several their list as JSON (or nothing)."""
    place = "/" + control.replace("~", "~0").replace("/", "~1")
    several = template("CAST(json_extract({column}, {place}) AS VARCHAR)", column=column, place=value(place))
    return template(
        "CASE WHEN json_array_length({column}, {place}) = 1 THEN json_extract_string({column}, {first}) "
        "WHEN json_array_length({column}, {place}) > 1 THEN {several} END",
        column=column,
        place=value(place),
        first=value(place + "/0"),
        several=several if lists else Fragment("NULL"),
    )


def _make_items(source: Source, ids: _Ids, gold_of: str | None, options: LoadOptions) -> Source:
    data = [name for name in source.table.names if name.startswith(DATA) and name not in _OURS and name != ids.column]
    names = [ids.name, *(name.removeprefix(DATA) for name in data)]
    columns = [ids.sql, *(source.find(name)[0] for name in data)]
    roles = [("item_id", ids.name), *rename_roles(options, {name: name.removeprefix(DATA) for name in data})]
    gold = Fragment("(SELECT CAST(NULL AS BIGINT) AS task, CAST(NULL AS VARCHAR) AS label)")
    if gold_of is not None:
        names.append(find_free_name("ground_truth", names))
        roles.append(("gold_label", names[-1]))
        columns.append(Fragment("g.label"))
        gold = template(
            # Two experts who disagree leave no gold label.
            "(SELECT task, CASE WHEN count(DISTINCT label) = 1 THEN min(label) END AS label FROM "
            "(SELECT task, {label} AS label FROM found_votes WHERE gold) GROUP BY task)",
            label=_pick(Fragment("answers"), gold_of, lists=False),
        )
    query = template(
        "SELECT row, {columns} FROM raw LEFT JOIN {gold} g ON g.task = raw.row ORDER BY row",
        columns=join(", ", columns),
        gold=gold,
    )
    return make_part(source, query, names, part="items", kind="items", roles=roles, rejects=source.table.rejects)


def _make_votes(source: Source, ids: _Ids, control: str, *, with_gold: bool) -> Source:
    details = ("labelled_at", "seconds", "comment", "reviewer", "verdict")
    counted = Fragment("TRUE") if with_gold else Fragment("NOT gold")
    suggested = _pick(Fragment("suggestions"), control, lists=False)
    present = source.scratch.fetch_all(
        template(
            "SELECT count({suggested}), count(labelled_at), count(seconds), count(comment), count(reviewer), "
            "count(verdict) FROM found_votes WHERE {counted}",
            suggested=suggested,
            counted=counted,
        )
    )[0]
    columns = {
        "item_id": (ids.name, ids.sql),
        "given_label": (control, _pick(Fragment("answers"), control, lists=True)),
    }
    known = {
        "annotator": Fragment("annotator"),
        "suggested": suggested,
        "labelled_at": Fragment("labelled_at"),
        "seconds": Fragment("seconds"),
        "comment": Fragment("comment"),
        "reviewer": Fragment("reviewer"),
        "verdict": Fragment("verdict"),
    }
    told = {"annotator", *(name for name, times in zip(("suggested", *details), present, strict=True) if times)}
    for role, column in known.items():
        if role in told:
            columns[role] = (find_free_name(role, [name for name, _column in columns.values()]), column)
    rest = template("FROM found_votes JOIN raw ON raw.row = task WHERE {counted} ORDER BY n", counted=counted)
    return make_votes(source, columns, rest)


def _make_predictions(source: Source, ids: _Ids, control: str) -> Source:
    """Make the part of predictions; of several by one model for a task the last counts, as the tool shows it."""
    label = _pick(Fragment("answers"), control, lists=False)
    chosen = template(
        "SELECT n, task, model, {label} AS label FROM found_predictions "
        "WHERE {label} IS NOT NULL QUALIFY row_number() OVER (PARTITION BY task, model ORDER BY n DESC) = 1",
        label=label,
    )
    query = template(
        "SELECT row, {id}, model, label FROM ({chosen}) JOIN raw ON raw.row = task ORDER BY n",
        id=ids.sql,
        chosen=chosen,
    )
    names = [ids.name, find_free_name("model_version", [ids.name]), find_free_name("predicted", [ids.name])]
    roles = list(zip(("item_id", "model", "predicted"), names, strict=True))
    notes = ["A score of Label Studio says nothing of the other classes, so these predictions have no probabilities."]
    return make_part(source, query, names, part="predictions", kind="predictions", roles=roles, notes=notes)


def _describe(source: Source, found: Answers, control: str | None, ids: _Ids, *, gold: bool) -> list[str]:
    counts = [describe_count(source.rows, "task"), describe_count(len(found.votes), "annotation")]
    counts += [f"{found.skipped:,} skipped"] if found.skipped else []
    counts += [describe_count(len(found.predictions), "prediction")] if len(found.predictions) else []
    label = f" The label is the control {control!r}." if control else ""
    came = f"{ids.column!r}" if ids.column else "the row number"
    notes = [f"Read as a Label Studio JSON export: {', '.join(counts)}.{label} The id is {came}."]
    if found.skipped or found.empty:
        notes.append(
            f'Skipped, or submitted without a choice: {found.skipped + found.empty:,}. They count as "cannot tell".'
        )
    if found.later:
        notes.append(
            f"Changed more than a minute after they were submitted: {describe_count(found.later, 'annotation')}. The "
            "label is the later one, the time the first."
        )
    if found.others:
        others = ", ".join(f"{kind} ({times:,})" for kind, times in found.others.most_common(4))
        notes.append(f"Answers that are no choice for the whole item are not kept: {others}.")
    marked = _count_gold(found)
    if gold:
        notes.append(
            f"Marked as gold (ground_truth): {describe_count(marked, 'annotation')}. They are gold labels, not votes."
        )
    elif marked:
        notes.append(
            f"Marked as gold (ground_truth): {marked:,} of {describe_count(len(found.votes), 'annotation')}. Label "
            "Studio marks imported annotations so by itself, so they are read as votes; --gold makes them votes of "
            "experts."
        )
    return notes
