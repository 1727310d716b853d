"""The users' own columns: which there are, under which name they are kept, and of which type."""

from dataclasses import dataclass, replace
from typing import Final

from analysis.errors import FileFaultError
from analysis.roles import Roles
from analysis.store.loading.derived import give_way
from analysis.store.loading.source import FEATURE_TYPES
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, identifier, join, template
from analysis.store.workspace import Column, Writer

__all__ = ["KeptColumn", "keep_columns"]

_OURS: Final = "item"
_KEPT_TYPES: Final = {
    "seconds": "DOUBLE",
    "started_at": "TIMESTAMP",
    "labelled_at": "TIMESTAMP",
    "probability": "DOUBLE",
    "pred_probs": "DOUBLE[]",
    "embedding": "FLOAT[]",
    "round": "INTEGER",
}
_NUMERIC: Final = {"BIGINT", "DOUBLE"}
_WORDS: Final = {"BLOB": "bytes", "DOUBLE[]": "lists of numbers"}
_UNMIXED: Final = _WORDS.keys()


@dataclass(frozen=True)
class KeptColumn:
    """A feature of the file on its way in.

    Attributes
    ----------
    name
        As in the file.
    arriving
        Its value among the rows that arrive (``t``), in the type that it is kept as.
    kept
        Its column in ``features``.
    type
        The type that it is kept as.
    """

    name: str
    arriving: Fragment
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
    give_way(writer, plan.source.table.names)
    kept: list[KeptColumn] = []
    roles = plan.roles
    role_of = _roles_by_column(roles)
    places = {name: index for index, name in enumerate(roles.features)}
    book = _Book(writer, plan)
    for name in plan.source.table.names:
        facts = plan.source.find(name)[2]
        # What is kept as a label, an id or a name is kept as text, whatever the file held.
        duck_type = FEATURE_TYPES[facts.type] if name in places else _KEPT_TYPES.get(role_of.get(name, ""), "VARCHAR")
        known = book.know(name, duck_type, role_of.get(name, "feature"))
        if name not in places:
            continue
        final = duck_type
        if known.stored_as is None:
            known = book.make_room(known, duck_type)
        elif facts.missing < facts.rows:
            final = _widen(writer, plan, known, duck_type)
        else:
            # A column without a value says nothing about its type.
            final = known.type
        arriving = Fragment(f"t.f{roles.features.index(name)}")
        if final != duck_type:
            arriving = template(
                "CAST({arriving} AS {type})",
                arriving=arriving,
                type=identifier(final, FEATURE_TYPES.values(), kind="type"),
            )
        stored = str(known.stored_as)
        kept.append(KeptColumn(name, arriving, identifier(stored, [stored]), final))
    book.close()
    return kept


class _Book:
    """What the workspace knows of columns, while a file tells it more."""

    def __init__(self, writer: Writer, plan: Plan) -> None:
        self._writer = writer
        self._plan = plan
        self._columns = {column.name: column for column in writer.columns}
        self._folded = {name.casefold(): name for name in self._columns}
        self._taken = {_OURS, *(column.stored_as.casefold() for column in writer.columns if column.stored_as)}
        self._next = int(writer.fetch_one(Fragment("SELECT coalesce(max(position), 0) + 1 FROM columns"))[0])
        # Nothing is in the table yet: it is made once with all its columns, not widened one by one.
        self._made: list[Fragment] | None = (
            [] if len(self._taken) == 1 and not writer.fetch_one(Fragment("SELECT count(*) FROM features"))[0] else None
        )

    def know(self, name: str, duck_type: str, role: str) -> Column:
        """Return what the workspace knows of a column, after telling it what is new."""
        twin = self._folded.get(name.casefold(), name)
        if twin != name:
            raise FileFaultError(
                f"{self._plan.name} has a column {name!r}, the workspace has {twin!r}. Rename one of them so that "
                "they agree."
            )
        reason = self._plan.roles.reasons.get(name, "")
        column = self._columns.get(name)
        if column is None:
            column = Column(name, role, duck_type, reason, None)
            self._writer.execute(
                Fragment(
                    "INSERT INTO columns (position, name, role, type, reason) VALUES (?, ?, ?, ?, ?)",
                    (self._next, name, role, duck_type, reason),
                )
            )
            self._next += 1
        elif column.role == "feature" != role:
            column = replace(column, role=role, reason=reason)
            self._writer.execute(
                Fragment("UPDATE columns SET role = ?, reason = ? WHERE name = ?", (role, reason, name))
            )
        self._columns[name] = column
        self._folded[name.casefold()] = name
        return column

    def make_room(self, column: Column, duck_type: str) -> Column:
        """Keep the column's values from now on."""
        stored = column.name
        # The user's name, unless DuckDB, which ignores case, would take it for our key.
        while stored.casefold() in self._taken:
            stored += "_"
        self._taken.add(stored.casefold())
        place = template("{name} {type}", name=identifier(stored, [stored]), type=Fragment(duck_type))
        if self._made is not None:
            self._made.append(place)
        else:
            self._writer.execute(template("ALTER TABLE features ADD COLUMN {place}", place=place))
        self._writer.execute(
            Fragment("UPDATE columns SET stored_as = ?, type = ? WHERE name = ?", (stored, duck_type, column.name))
        )
        return replace(column, stored_as=stored, type=duck_type)

    def close(self) -> None:
        """Make the table, where it was not there yet."""
        if self._made:
            columns = join(", ", [Fragment("item INTEGER NOT NULL"), *self._made])
            self._writer.execute(template("CREATE OR REPLACE TABLE features({columns})", columns=columns))
        self._writer.forget()


def _roles_by_column(roles: Roles) -> dict[str, str]:
    found = {guess.column: role for role, guess in roles.single.items()}
    found.update(dict.fromkeys(roles.probabilities.values(), "probability"))
    found.update(dict.fromkeys(roles.votes, "vote"))
    return found


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
