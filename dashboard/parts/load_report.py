"""What a load did, or would do, drawn; and how its files were read, to be corrected."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from analysis.commands.load import ROLES, LoadReport
from analysis.commands.preview import ROW_NUMBER, FileReading
from analysis.commands.rejects import to_rejects_csv
from analysis.commands.text import describe_load
from dashboard.parts.plain import escape_markdown
from dashboard.parts.uploads import list_names

__all__ = ["Correction", "correct_roles", "draw_load_report", "draw_reading"]

_EXAMPLES = 3
_REPEATED = ROLES[-3:]  # the roles that several columns of a file may have


@dataclass(frozen=True)
class Correction:
    """What the user said about a column.

    Attributes
    ----------
    column, role
        The column and its new role; None where its role was emptied.
    beside
        All columns of its file.
    """

    column: str
    role: str | None
    beside: tuple[str, ...]


def draw_load_report(report: LoadReport) -> None:
    """Draw the sentence, the files, the notes, and the rejected rows to download."""
    text = describe_load(report)
    for line in text.lines:
        st.markdown(f"**{escape_markdown(line)}**")
    for table in text.tables:
        if table.rows and table.title == "Files":
            st.dataframe(
                {name: [row[k] for row in table.rows] for k, name in enumerate(table.header)},
                hide_index=True,
                alt=table.title,
            )
    for note in text.notes:
        st.caption(f":material/info: {escape_markdown(note)}")
    rejected = sum(len(file.tally.rejects) for file in report.files)
    if rejected:
        st.download_button(
            f"Download {rejected:,} rejected row{'s' * (rejected != 1)}",
            data=lambda: to_rejects_csv(report),
            file_name="rejects.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"rejects {id(report)}",
        )


def correct_roles(said: Sequence[tuple[str, str]], corrections: Sequence[Correction]) -> tuple[tuple[str, str], ...]:
    """Return what the user says about the columns after some corrections, as pairs of role and column.

    An emptied role takes back what was said of the column; where nothing was, it is an ordinary column from now on.
    A role that one column can have leaves the one that had it.

    Examples
    --------
    >>> correct_roles([("item_id", "a")], [Correction("b", "item_id", ("a", "b"))])
    (('item_id', 'b'),)
    >>> correct_roles([("batch", "c")], [Correction("c", None, ("b", "c")), Correction("b", None, ("b", "c"))])
    (('feature', 'b'),)
    """
    roles = list(said)
    for found in corrections:
        kept = [pair for pair in roles if pair[1] != found.column]
        role = found.role or ("feature" if len(kept) == len(roles) else None)
        if role is not None and role not in _REPEATED:
            kept = [pair for pair in kept if pair[0] != role or pair[1] not in {*found.beside, ROW_NUMBER}]
        roles = [*kept, (role, found.column)] if role is not None else kept
    return tuple(roles)


def draw_reading(readings: Sequence[FileReading], *, key: str) -> list[Correction]:
    """Draw each file's columns with their roles and first rows; return the roles that were changed."""
    changed: list[Correction] = []
    for number, file in enumerate(readings):
        part = f", {file.part}" if file.part else ""
        kind = f": {file.kind}" if file.kind else ""
        with st.expander(f"{escape_markdown(file.file + part)}{kind}", expanded=number == 0):
            said = ", ".join(f"{name} {how}" for name, how in file.dialect.items())
            read_as = f"Read as {file.kind}: {escape_markdown(str(file.kind_reason))}." if file.kind else ""
            st.caption(" ".join(part for part in (read_as, f"{escape_markdown(said)}." * bool(said)) if part))
            edited = st.data_editor(
                {
                    "Column": [row.column for row in file.columns],
                    "Role": [row.role for row in file.columns],
                    "Why": [row.reason for row in file.columns],
                    "First values": [", ".join(_examples(file.head.get(row.column, ()))) for row in file.columns],
                },
                hide_index=True,
                disabled=["Column", "Why", "First values"],
                column_config={
                    "Role": st.column_config.SelectboxColumn(
                        options=list(ROLES), help="Choose another to correct it; empty it for an ordinary column"
                    )
                },
                key=f"{key} {number}",
            )
            beside = tuple(row.column for row in file.columns)
            changed += [
                Correction(row.column, new or None, beside)
                for row, new in zip(file.columns, edited["Role"], strict=True)
                if (new or "") != row.role
            ]
            shared = _list_shared(file, readings)
            if shared:
                st.caption(f"A role given here also holds in the other files that have the column: {shared}.")
            st.dataframe(dict(file.head), hide_index=True, height=250, alt=f"First rows of {file.file}")
    return changed


def _list_shared(file: FileReading, readings: Sequence[FileReading]) -> str:
    """Name the columns that another file has too: what is said of a column is said of all files of the load."""
    others = {row.column for other in readings if other.file != file.file for row in other.columns}
    return list_names([row.column for row in file.columns if row.column in others])


def _examples(values: tuple[str | None, ...]) -> list[str]:
    return [value[:30] for value in dict.fromkeys(values) if value is not None][:_EXAMPLES]
