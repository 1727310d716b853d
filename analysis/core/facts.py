"""The one relation that every count starts from: an item, its current label, a model's prediction, the features.

Aliases are fixed: ``i`` items, ``c`` current label, ``p`` prediction, ``f`` the user's columns, ``g`` who gave
the label, ``w`` who voted. Joins that a question does not need are left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from analysis.core.people import resolve_names
from analysis.core.predicate import Predicate, Slice, to_sql
from analysis.core.predicate_sql import ColumnKind, ColumnSource
from analysis.core.slice_values import ValueSet
from analysis.errors import UnknownNameError
from analysis.store.sql import Fragment, column_of, identifier, template, value
from analysis.store.workspace import Snapshot

__all__ = ["OUR_COLUMNS", "Population", "kind_of_column", "list_columns", "resolve_columns"]

_KINDS: Final[Mapping[str, ColumnKind]] = {
    "BIGINT": "number",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "date",
    "VARCHAR": "text",
}

OUR_COLUMNS: Final[Mapping[str, ColumnSource]] = {
    "@given_label": ColumnSource(Fragment("i.given_label"), "text"),
    "@predicted": ColumnSource(Fragment("p.predicted"), "text"),
    # Where one person gave the label it is that person's; where it is a consensus, everyone's who voted.
    "@annotator": ColumnSource(Fragment("CASE WHEN g.name IS NOT NULL THEN [g.name] ELSE w.names END"), "list"),
    "@batch": ColumnSource(Fragment("w.batches"), "list"),
    "@team": ColumnSource(Fragment("w.teams"), "list"),
    "@split": ColumnSource(Fragment("i.split"), "text"),
}
"""Columns of ours that a slice may name, written with ``@`` so that users' columns keep their names."""

_WHO: Final = Fragment(
    "(SELECT v.item, list_sort(list(DISTINCT a.name)) AS names, "
    "list_sort(list(DISTINCT v.batch) FILTER (v.batch IS NOT NULL)) AS batches, "
    "list_sort(list(DISTINCT a.team) FILTER (a.team IS NOT NULL)) AS teams "
    "FROM votes v JOIN people a ON a.annotator = v.annotator WHERE v.source IN ('given', 'vote') GROUP BY v.item)"
)


def kind_of_column(duck_type: str) -> ColumnKind | None:
    """Return how a column can be compared, or None for bytes and lists, which cannot slice.

    Examples
    --------
    >>> kind_of_column("BIGINT"), kind_of_column("BLOB")
    ('number', None)
    """
    return _KINDS.get(duck_type)


def list_columns(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the columns that can slice: the user's in their order, computed ones, then ours that hold anything."""
    kept = [column for column in snapshot.columns if column.stored_as and kind_of_column(column.type)]
    users = [column.name for column in sorted(kept, key=lambda column: column.role == "derived")]
    people, batches, teams = snapshot.fetch_one(
        Fragment(
            "SELECT (SELECT count(*) FROM votes WHERE source IN ('given', 'vote')) > 0, "
            "(SELECT count(*) FROM batches) > 0, (SELECT count(*) FROM people WHERE team IS NOT NULL) > 0"
        )
    )
    ours = ["@given_label", "@predicted"] if snapshot.models else ["@given_label"]
    shown = (("@annotator", people), ("@batch", batches), ("@team", teams))
    return (*users, *ours, *(name for name, there in shown if there))


def resolve_columns(snapshot: Snapshot, names: Iterable[str]) -> dict[str, ColumnSource]:
    """Return where the named columns come from.

    Parameters
    ----------
    snapshot
        The workspace.
    names
        Columns of the user or of ours.

    Returns
    -------
    dict of str to ColumnSource
        Only those asked for.

    Raises
    ------
    UnknownNameError
        If one does not exist or cannot slice.
    """
    users = {column.name: column for column in snapshot.columns}
    found: dict[str, ColumnSource] = {}
    for name in names:
        if name in OUR_COLUMNS:
            found[name] = OUR_COLUMNS[name]
            continue
        column = users.get(name)
        kind = kind_of_column(column.type) if column is not None else None
        if column is None or kind is None or column.stored_as is None:
            raise UnknownNameError("column that can slice", name, list_columns(snapshot))
        place = column_of("f", identifier(column.stored_as, [column.stored_as]))
        found[name] = ColumnSource(place, kind)
    return found


def _name_people(snapshot: Snapshot, where: Slice) -> Slice:
    """Read a name that was merged as the person's: a slice kept under it still holds."""
    if "@annotator" not in where.columns or not (known := resolve_names(snapshot)):
        return where
    named = []
    for test in where.predicates:
        compared = test.value
        if test.column == "@annotator" and isinstance(compared, str):
            compared = known.get(compared, compared)
        elif test.column == "@annotator" and isinstance(compared, ValueSet):
            compared = ValueSet(tuple(known.get(str(each), each) for each in compared.values))
        named.append(Predicate(test.column, test.op, compared))
    return Slice(tuple(named))


@dataclass(frozen=True)
class Population:
    """The rows that a question is about: a split, a model's predictions of it, and a slice.

    Attributes
    ----------
    columns
        Every column that the question names, with its source.
    source
        ``FROM ... WHERE ...`` without the slice: the whole split.
    inside
        The slice as a condition that is TRUE or FALSE.
    """

    columns: Mapping[str, ColumnSource]
    source: Fragment
    inside: Fragment

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        *,
        split: str | None,
        model: int | None,
        where: Slice,
        named: Iterable[str] = (),
    ) -> "Population":
        """Build the relation for a split (None: all), a model (None: no predictions), a slice and more columns."""
        columns = resolve_columns(snapshot, dict.fromkeys([*where.columns, *named]))
        needs_who = any(source.kind == "list" for source in columns.values())
        source = template(
            "FROM items i JOIN current c ON c.item = i.item "
            "LEFT JOIN predictions p ON p.item = i.item AND p.model = {model} "
            "LEFT JOIN features f ON f.item = i.item {who} WHERE {inside}",
            model=value(model),
            inside=Fragment("TRUE") if split is None else template("i.split = {split}", split=value(split)),
            who=template(
                "LEFT JOIN people g ON g.annotator = i.given_by LEFT JOIN {who} w ON w.item = i.item",
                who=_WHO,
            )
            if needs_who
            else Fragment(""),
        )
        return cls(columns, source, to_sql(_name_people(snapshot, where), columns))

    def select(self, columns: Fragment, *, rest: bool = False) -> Fragment:
        """Return a query over the slice, or with ``rest`` over the whole split."""
        if rest:
            return template("SELECT {columns} {source}", columns=columns, source=self.source)
        return template(
            "SELECT {columns} {source} AND {inside}", columns=columns, source=self.source, inside=self.inside
        )
