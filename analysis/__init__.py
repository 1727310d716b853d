"""relook: error analysis that joins a model's errors with the labels and the people behind them.

item
    One thing that was labelled, known by its id in a split.
given label
    The label that came with the item. Never called true: it is what is under question.
suspect
    An item whose given label deserves a second look.
slice
    The items that fulfil some predicates, such as ``age >= 60 & sex = "Male"``.
workspace
    One file that holds items, predictions, votes and what was done with them.

The pieces work without a workspace: :mod:`analysis.slices`, :mod:`analysis.labels`, :mod:`analysis.annotators`
and :mod:`analysis.relabel` take plain arrays and frames. :mod:`analysis.commands` joins them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.commands.frames import open_workspace as open_workspace

__all__ = ["open_workspace"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (whatever the module holds)
    # Only who opens a workspace pays for DuckDB; `from analysis.labels import ...` stays light.
    if name == "open_workspace":
        from analysis.commands.frames import open_workspace  # noqa: PLC0415  (see above)

        return open_workspace
    message = f"module 'analysis' has no attribute {name!r}"
    raise AttributeError(message)
