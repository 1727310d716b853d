"""The users' own columns: which there are, under which name they are kept, and of which type."""

from dataclasses import dataclass, replace
from typing import Final

from analysis.errors import FileFaultError
from analysis.roles import Roles
from analysis.store.loading.source import FEATURE_TYPES
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, identifier, template
from analysis.store.workspace import Column, Writer

__all__ = ["KeptColumn", "keep_columns"]

_OURS: Final = "item"
_KEPT_TYPES: Final = {
    "seconds": "DOUBLE",
    "started_at": "TIMESTAMP",
    "labelled_at": "TIMESTAMP",
    "probability": "DOUBLE",
    "pred_probs": "DOUBLE[]",
}
_NUMERIC: Final = {"BIGINT", "DOUBLE"}
_WORDS: Final = {"BLOB": "bytes", "DOUBLE[]": "lists of numbers"}
_UNMIXED: Final = _WORDS.keys()


@dataclass(frozen=True)
class KeptColumn:
    """A feature of the file: where it is staged, as the type that it is kept as, and where it is kept."""

    name: str
    staged: Fragment
    kept: Fragment
    type: str


def keep_columns(writer: Writer, plan: Plan) -> list[KeptColumn]:
    """Make room for the file's columns; the types of known ones widen where they must.

    Parameters
    ----------
    writer
        The one writer.
    plan
        The file and its roles.

    Returns
    -------
    list of KeptColumn
        One for each feature, in file order.

    Raises
    ------
    FileFaultError
        If a column differs from a known one in case alone, or pictures meet text.
    """
    kept: list[KeptColumn] = []
    roles = plan.roles
    role_of = _roles_by_column(roles)
    for name in plan.source.table.names:
        facts = plan.source.find(name)[2]
        is_feature = name in roles.features
        # What is kept as a label, an id or a name is kept as text, whatever the file held.
        duck_type = FEATURE_TYPES[facts.type] if is_feature else _KEPT_TYPES.get(role_of.get(name, ""), "VARCHAR")
        known = _know_column(writer, plan, name, duck_type, role_of.get(name, "feature"))
        if is_feature:
            final = duck_type
            if known.stored_as is None:
                known = _make_room(writer, known, duck_type)
            elif facts.missing < facts.rows:
                final = _widen(writer, plan, known, duck_type)
            else:
                # A column without a value says nothing about its type.
                final = known.type
            staged = Fragment(f"s.f{roles.features.index(name)}")
            if final != duck_type:
                staged = template(
                    "CAST({staged} AS {type})",
                    staged=staged,
                    type=identifier(final, FEATURE_TYPES.values(), kind="type"),
                )
            stored = str(known.stored_as)
            kept.append(KeptColumn(name, staged, identifier(stored, [stored]), final))
    return kept


def _know_column(writer: Writer, plan: Plan, name: str, duck_type: str, role: str) -> Column:
    """Return what the workspace knows of a column, after telling it what is new."""
    known = {column.name: column for column in writer.columns}
    twin = next((other for other in known if other != name and other.casefold() == name.casefold()), None)
    if twin is not None:
        raise FileFaultError(
            f"{plan.name} has a column {name!r}, the workspace has {twin!r}. Rename one of them so that they agree."
        )
    reason = plan.roles.reasons.get(name, "")
    if name not in known:
        writer.execute(
            template(
                "INSERT INTO columns SELECT coalesce(max(position), 0) + 1, {values} FROM columns",
                values=Fragment("?, ?, ?, ?, NULL", (name, role, duck_type, reason)),
            )
        )
    elif known[name].role == "feature" != role:
        writer.execute(Fragment("UPDATE columns SET role = ?, reason = ? WHERE name = ?", (role, reason, name)))
    writer.forget()
    return next(column for column in writer.columns if column.name == name)


def _roles_by_column(roles: Roles) -> dict[str, str]:
    found = {guess.column: role for role, guess in roles.single.items()}
    found.update(dict.fromkeys(roles.probabilities.values(), "probability"))
    return found


def _make_room(writer: Writer, column: Column, duck_type: str) -> Column:
    """Keep the column's values from now on."""
    stored = _choose_name(writer, column.name)
    place = identifier(stored, [stored])
    writer.execute(template("ALTER TABLE features ADD COLUMN {place} {type}", place=place, type=Fragment(duck_type)))
    writer.execute(
        Fragment("UPDATE columns SET stored_as = ?, type = ? WHERE name = ?", (stored, duck_type, column.name))
    )
    writer.forget()
    return replace(column, stored_as=stored, type=duck_type)


def _choose_name(writer: Writer, name: str) -> str:
    """Keep the user's name, unless DuckDB, which ignores case, would take it for our key."""
    taken = {_OURS, *(column.stored_as.casefold() for column in writer.columns if column.stored_as)}
    chosen = name
    while chosen.casefold() in taken:
        chosen += "_"
    return chosen


def _widen(writer: Writer, plan: Plan, column: Column, new: str) -> str:
    """Return the type that holds what is there and what comes, after changing the column to it."""
    old, stored = column.type, str(column.stored_as)
    if old == new:
        return old
    place = identifier(stored, [stored])
    (present,) = writer.fetch_one(template("SELECT count({place}) FROM features", place=place))
    if not present:
        wide = new
    elif {old, new} & _UNMIXED:
        raise FileFaultError(
            f"{plan.name}: column {column.name!r} holds {_WORDS.get(new, 'plain values')}, in the workspace it holds "
            f"{_WORDS.get(old, 'plain values')}. Rename the column."
        )
    else:
        wide = "DOUBLE" if {old, new} <= _NUMERIC else "VARCHAR"
    if wide != old:
        writer.execute(
            template(
                "ALTER TABLE features ALTER COLUMN {place} SET DATA TYPE {type} USING {values}",
                place=place,
                type=Fragment(wide),
                values=template("CAST({place} AS {type})", place=place, type=Fragment(wide))
                if present
                else Fragment("NULL"),
            )
        )
        writer.execute(Fragment("UPDATE columns SET type = ? WHERE name = ?", (wide, column.name)))
        writer.forget()
    return wide
