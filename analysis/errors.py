"""What can go wrong, said so that a person can act on it.

Every error that reaches a user is an :class:`AnalysisError`: what is wrong, what was found, what to do.
It lies on the ground floor so that every other module may raise it.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AnalysisError",
    "CancelledError",
    "FileFaultError",
    "NeedsChoiceError",
    "UnknownNameError",
    "WorkspaceBusyError",
    "describe_near_names",
]

_SHOWN = 8


class AnalysisError(Exception):
    """Something that the user can mend.

    Parameters
    ----------
    message
        One sentence or two: what is wrong, what was found, what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class FileFaultError(AnalysisError):
    """A file as a whole cannot be used; nothing was changed."""


class NeedsChoiceError(AnalysisError):
    """More than one reading is possible and only the user can choose."""


class WorkspaceBusyError(AnalysisError):
    """Another process holds the workspace file."""


class CancelledError(AnalysisError):
    """The user stopped the work; everything is as it was before."""

    def __init__(self) -> None:
        super().__init__("Cancelled. Nothing was changed.")


class UnknownNameError(AnalysisError):
    """A name (column, split, model, class, annotator) that is not there; the message offers near ones.

    Parameters
    ----------
    kind
        What the name stands for, for example ``"column"``.
    name
        What was asked for.
    known
        The names that exist, in the order in which they should be listed.

    Examples
    --------
    >>> str(UnknownNameError("column", "agee", ["age", "sex"]))
    "There is no column 'agee'. Did you mean 'age'?"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no {kind} {name!r}. {describe_near_names(name, known)}")
        self.kind = kind
        self.name = name


def describe_near_names(name: str, known: Iterable[str]) -> str:
    """Describe which names exist, near ones first.

    Parameters
    ----------
    name
        What was asked for.
    known
        The names that exist.

    Returns
    -------
    str
        A sentence: "Did you mean ...?" if a name is near, else the list (at most eight, then a count).

    Examples
    --------
    >>> describe_near_names("evl", ["train", "eval"])
    "Did you mean 'eval'?"
    >>> describe_near_names("x", [])
    'There is none yet.'
    """
    names = list(known)
    folded = {candidate.casefold(): candidate for candidate in names}
    near = get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(repr(folded[match]) for match in near) + "?"
    if not names:
        return "There is none yet."
    shown = ", ".join(repr(candidate) for candidate in names[:_SHOWN])
    rest = len(names) - _SHOWN
    return f"There are: {shown}" + (f" and {rest} more." if rest > 0 else ".")
