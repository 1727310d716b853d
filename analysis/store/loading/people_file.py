"""A table of people: which names are one person, their team and their time zone."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from analysis.errors import FileFaultError, describe_near_names
from analysis.roles.names import COMPANY_NAMES, NAMES
from analysis.store.loading.people import add_names
from analysis.store.loading.source import Source, open_sources
from analysis.store.merging import find_person, merge_name
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Writer

__all__ = ["Told", "read_people", "take_people"]

_PERSON: Final = ("person", "personname", "realname", "fullname", "displayname")
_NAMES: Final = (
    "name", "username", "login", "email", "emailaddress", "mail", "id", "userid", "personid", "alias",
    *NAMES["annotator"],
)  # fmt: skip
_TEAMS: Final = COMPANY_NAMES["team"]
_ZONES: Final = ("timezone", "tz", "zone")


@dataclass(frozen=True)
class Told:
    """What one row says of one person: all names, the person's own first."""

    names: tuple[str, ...]
    team: str | None
    time_zone: str | None


def read_people(path: Path) -> tuple[Told, ...]:
    """Read a table of people, in any format that is loaded.

    Parameters
    ----------
    path
        With columns such as ``person``, ``name``, ``id``, ``email``, ``team``, ``time_zone``. All names in a row are
        one person's; without ``person`` the first column of names has the person's own.

    Returns
    -------
    tuple of Told
        In file order; rows without a name are left out.

    Raises
    ------
    FileFaultError
        If the file cannot be read, no column holds names, or a time zone does not exist.
    """
    sources = open_sources(Path(path), None)
    try:
        return tuple(told for source in sources for told in _read_part(source))
    finally:
        for source in sources:
            source.scratch.close()


def _read_part(source: Source) -> list[Told]:
    names = _find_columns(source, _PERSON) + _find_columns(source, _NAMES)
    if not names:
        shown = ", ".join(repr(name) for name in source.table.names[:12])
        raise FileFaultError(
            f"{source.path.name} has no column of names. Its columns: {shown}. Call one name, id, email or person."
        )
    facts = (_find_columns(source, _TEAMS)[:1], _find_columns(source, _ZONES)[:1])
    wanted = [*names, *(column for found in facts for column in found)]
    rows = source.scratch.fetch_all(
        template(
            "SELECT row, {columns} FROM raw ORDER BY row", columns=join(", ", [source.to_text(name) for name in wanted])
        )
    )
    people = []
    for row, *cells in rows:
        told = {name: cell.strip() for name, cell in zip(wanted, cells, strict=True) if cell and cell.strip()}
        called = tuple(dict.fromkeys(told[name] for name in names if name in told))
        team, zone = (told.get(column[0]) if column else None for column in facts)
        if zone is not None:
            _check_zone(source, row, zone)
        if called:
            people.append(Told(called, team, zone))
    return people


def _find_columns(source: Source, wanted: Sequence[str]) -> list[str]:
    folded = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in source.table.names}
    return [folded[name] for name in wanted if name in folded]


def _check_zone(source: Source, row: int, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = describe_near_names(zone, sorted(available_timezones()))
        raise FileFaultError(
            f"{source.path.name}, line {source.table.lines.find(row):,}: there is no time zone {zone!r}. {near}"
        ) from error


def take_people(writer: Writer, people: Collection[Told], *, who: str | None) -> tuple[int, int, int]:
    """Make the names of each row one person, and keep team and time zone; names that are not there yet are added.

    Returns
    -------
    tuple of int
        How many merges were made, and how many people got another team and another time zone.

    Raises
    ------
    AnalysisError
        If a name belongs to somebody else already, in the workspace or in the file, or the file gives one person two
        teams or two time zones.
    """
    known = {name for (name,) in writer.fetch_all(Fragment("SELECT name FROM annotators"))}
    named = list(dict.fromkeys(name for told in people for name in told.names))
    add_names(writer, [name for name in named if name not in known])
    merges = sum(merge_name(writer, name, told.names[0], who=who) for told in people for name in told.names[1:])
    for what, facts in (
        ("teams", [(told.names[0], told.team) for told in people]),
        ("time zones", [(told.names[0], told.time_zone) for told in people]),
    ):
        _check_facts(writer, what, facts)
    teams = sum(_set_fact(writer, told.names[0], Fragment("team"), told.team) for told in people)
    zones = sum(_set_fact(writer, told.names[0], Fragment("time_zone"), told.time_zone) for told in people)
    return merges, teams, zones


def _check_facts(writer: Writer, what: str, facts: Collection[tuple[str, str | None]]) -> None:
    """Refuse a person with two teams or time zones: whichever row came last would win."""
    known: dict[str, str] = {}
    for name, fact in facts:
        if fact is None:
            continue
        person = find_person(writer, name) or name
        if known.setdefault(person, fact) != fact:
            raise FileFaultError(
                f"The file of people gives {person!r} two {what}: {known[person]!r} and {fact!r}. Leave one of them."
            )


def _set_fact(writer: Writer, name: str, column: Fragment, fact: str | None) -> bool:
    """Keep a fact of the person behind a name; an empty cell says nothing."""
    person = find_person(writer, name)
    where = template(
        "name = {person} AND {column} IS DISTINCT FROM {fact}", person=value(person), column=column, fact=value(fact)
    )
    if fact is None or not writer.fetch_one(template("SELECT count(*) FROM annotators WHERE {where}", where=where))[0]:
        return False
    writer.execute(
        template("UPDATE annotators SET {column} = {fact} WHERE {where}", column=column, fact=value(fact), where=where)
    )
    return True
