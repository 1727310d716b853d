"""How files would be read, without loading them: what there is to correct when a load is refused."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from analysis.commands.load import ColumnRole, LoadOptions, LoadReport, Watch, list_column_roles
from analysis.errors import AnalysisError, CancelledError
from analysis.roles import ROW_NUMBER, Roles, guess_roles
from analysis.store.loading.faults import described_faults
from analysis.store.loading.source import Source, open_sources
from analysis.store.readers.scratch import watching

__all__ = ["ROW_NUMBER", "FileReading", "list_readings", "preview"]


@dataclass(frozen=True)
class FileReading:
    """How one file, or part of one, is read.

    Attributes
    ----------
    file, part
        Its name, and which part of it (None for the whole).
    kind, kind_reason
        What its rows are and why; None where that is not settled.
    dialect
        How it was read, for people.
    columns
        What each column was taken for, in file order.
    head
        The first rows as text, by column.
    has_ids
        A column, or the row number, is the item id.
    """

    file: str
    part: str | None
    kind: str | None
    kind_reason: str | None
    dialect: Mapping[str, str]
    columns: tuple[ColumnRole, ...]
    head: Mapping[str, tuple[str | None, ...]]
    has_ids: bool


def list_readings(report: LoadReport) -> tuple[FileReading, ...]:
    """Return how the files of a load were read."""
    return tuple(
        FileReading(
            file.file,
            file.part,
            file.kind,
            file.kind_reason,
            file.dialect,
            list_column_roles(file),
            file.head,
            file.roles.column("item_id") is not None,
        )
        for file in report.files
    )


def preview(files: Sequence[Path], options: LoadOptions, watch: Watch | None = None) -> tuple[FileReading, ...]:
    """Read the columns and first rows of files and guess their roles, whatever a load would refuse.

    Parameters
    ----------
    files
        Files as for a load. One that cannot be opened is left out: the load says why.
    options
        What the user said; roles that a column cannot hold are left to the guess.
    watch
        Who is told how far it is and may cancel.

    Returns
    -------
    tuple of FileReading
        The parts of each file as they lie there, in order; their kind is not settled.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    watch = watch or Watch()
    found: list[FileReading] = []
    for path in files:
        watch.tell(f"Reading {Path(path).name}")
        try:
            with ExitStack() as stack, described_faults(Path(path)), watching(watch):
                sources = open_sources(Path(path), options.encoding)
                for source in sources:
                    stack.callback(source.scratch.close)
                found += [_read(source, options) for source in sources]
        except CancelledError:
            raise
        except AnalysisError:
            continue
    return tuple(found)


def _read(source: Source, options: LoadOptions) -> FileReading:
    roles = _guess(source, options)
    table = source.table
    head = source.fetch_head()
    taken = {guess.column: role for role, guess in roles.single.items()}
    taken.update(dict.fromkeys(roles.probabilities.values(), "probability"))
    taken.update(dict.fromkeys(roles.votes, "vote"))
    columns = tuple(
        ColumnRole(name, taken.get(name, "feature" if name in roles.features else ""), roles.reasons.get(name, ""))
        for name in table.names
    )
    has_ids = roles.column("item_id") is not None
    return FileReading(source.path.name, table.part, None, None, dict(table.dialect), columns, head, has_ids)


def _guess(source: Source, options: LoadOptions) -> Roles:
    """Guess the roles, with as much of what the user and the format say as the columns allow."""
    names = {*source.table.names, ROW_NUMBER}
    given: list[tuple[str, str]] = []
    for pair in (*options.roles, *source.table.roles):
        if pair[1] not in names or any(column == pair[1] for _role, column in given):
            continue
        try:
            guess_roles(source.facts, [*given, pair])
        except AnalysisError:
            continue
        given.append(pair)
    return guess_roles(source.facts, given)
