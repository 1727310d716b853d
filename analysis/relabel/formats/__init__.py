"""Labelling tools, one file each, both directions.

A format turns a request and the content of its items into files, and says in steps what the receiver does
with them. Which item an answer belongs to is always found by `relook_task`, never by row order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analysis.relabel.content import Content
from analysis.relabel.formats.flat_csv import write_csv
from analysis.relabel.formats.label_studio import write_label_studio
from analysis.relabel.formats.tasks import Written
from analysis.relabel.request import Request

__all__ = ["FORMATS", "Format", "Written"]


@dataclass(frozen=True)
class Format:
    """One labelling tool.

    Attributes
    ----------
    title
        Its name for people.
    extension
        Of its task files, without dot.
    returned
        What the receiver sends back, as a sentence.
    write
        Turns a request and the content of its items into files below the request's folder.
    """

    title: str
    extension: str
    returned: str
    write: Callable[[Request, Content], Written]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "label-studio": Format(
            "Label Studio", "json", "From Label Studio: the exported JSON file.", write_label_studio
        ),
        "csv": Format(
            "A spreadsheet (CSV)",
            "csv",
            "From a spreadsheet: the CSV file with the last four columns filled in.",
            write_csv,
        ),
    }
)
"""Name, as the command line says it, to the format."""
