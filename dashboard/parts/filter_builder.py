"""What narrows a question about slices: the filter, the method, and the same question on the command line."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import streamlit as st

from analysis.commands.info import Info
from analysis.commands.slice_texts import OPERATORS, ColumnChoice, join_slices, make_predicate, read_slice
from analysis.commands.slices import SlicesOptions, list_metrics
from analysis.errors import AnalysisError
from dashboard.parts import queries, state, widgets
from dashboard.parts.plain import escape_markdown
from dashboard.parts.state import Here
from dashboard.parts.strings import METRIC_HELP

__all__ = [
    "Method",
    "choose",
    "choose_split",
    "describe_command",
    "draw_add_filter",
    "draw_copy",
    "draw_empty_filter",
    "draw_method",
    "name_column",
]

_OPERATOR_WORDS: Final = {
    "=": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "in": "is one of",
    "contains": "contains",
    "is missing": "is missing",
    "is present": "is present",
}
_OUR_NAMES: Final = {
    "@given_label": "Given label",
    "@predicted": "Predicted label",
    "@annotator": "Annotator",
    "@batch": "Batch",
    "@team": "Team",
}


@dataclass(frozen=True)
class Method:
    """What stands behind "Method": the split, the metric with its class, and the fewest rows a group may have."""

    split: str
    metric: str
    positive: str | None
    min_support: int


def name_column(column: str) -> str:
    """Return how a column is called in a list of choices.

    Examples
    --------
    >>> name_column("@given_label"), name_column("stroke_width")
    ('Given label', 'stroke_width')
    """
    return _OUR_NAMES.get(column, column)


def choose_split(info: Info, wanted: str | None = None) -> str:
    """Return the split to look at: the wanted one, else eval, else the first; as the command line chooses."""
    names = [str(split.split) for split in info.splits]
    if wanted is not None:
        return wanted
    return "eval" if "eval" in names else names[0]


def choose(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str | None = None,
    lasting: bool = True,
    words: Callable[[str], str] = str,
    width: int | Literal["stretch"] = "stretch",
) -> str | None:
    """Draw a list of choices; a choice that is no longer there is dropped.

    Parameters
    ----------
    label, options, key, width
        As of ``st.selectbox``.
    default
        The choice at first; None for none, which can then be chosen again.
    lasting
        Whether the choice outlives the page.
    words
        What an option is called.
    """
    if state.recall(key) is not None and state.recall(key) not in options:
        state.forget(key)
    return st.selectbox(
        label,
        options,
        index=options.index(default) if default in options else None,
        key=key,
        format_func=words,
        placeholder="None",
        width=width,
        persist_state="session" if lasting else None,
    )


def _title(metric: str) -> str:
    return list_metrics()[metric][0]


def draw_method(at: Here, info: Info, *, split: str, key: str, support: bool) -> Method:
    """Draw the "Method" button: what is counted, on which items.

    Parameters
    ----------
    at, info
        The workspace.
    split
        The split at first.
    key
        Distinguishes the split's choice between pages; what is counted is one choice for all pages.
    support
        Whether small groups can be left out.
    """
    model = next((model for model in info.models if model.model == at.model), None)
    metrics = [name for name in list_metrics() if name != "log_loss" or (model and model.probabilities)]
    splits = [str(found.split) for found in info.splits]
    with st.popover("Method", icon=":material/tune:", help="What is counted, and on which items"):
        chosen = choose("Split", splits, key=key, default=split, lasting=support) or split
        # Where positives are rare the error rate is low whatever the model does, so recall leads.
        first = "recall" if info.rare_positives else "error_rate"
        metric = choose("Metric", metrics, key="metric", default=first, words=_title) or first
        st.caption(METRIC_HELP[metric])
        positive = None
        if list_metrics()[metric][1]:
            said = info.decision.positive_class if info.decision else info.classes[0]
            positive = choose("Class", info.classes, key="metric class", default=said)
        fewest = 0
        if support:
            fewest = st.number_input(
                "Minimum support",
                min_value=0,
                step=10,
                value=0,
                key="fewest rows",
                persist_state="session",
                help="Groups with fewer rows are left out, and counted below the table",
            )
    return Method(chosen, metric, positive, int(fewest))


def draw_add_filter(at: Here, split: str) -> None:
    """Draw the "Add filter" button: build a condition from choices, or write one."""
    # A new key is a new button: closed, with nothing chosen in it.
    turn = state.recall("filters added", 0)
    opened = st.popover(
        "Add filter",
        icon=":material/filter_alt:",
        key=f"add filter {turn}",
        on_change="rerun",
        help="Only items that fulfil a condition; the filter holds on every page",
    )
    if not opened.open:
        return
    with opened:
        built = _draw_builder(at, split, f"{turn}")
        with st.form(f"filter text {turn}", border=False):
            written = st.text_input(
                "Or write a slice",
                key=f"filter written {turn}",
                placeholder='age >= 60 & sex = "Male"',
                help='Conditions joined with &: = != < <= > >= contains, in [20, 30), in {"a", "b"}, is missing, '
                "is present. Text stands in double quotes.",
            )
            if st.form_submit_button("Add what is written", icon=":material/keyboard_return:"):
                built = written.strip()
        if built is not None:
            _add(at, split, built)


def _draw_builder(at: Here, split: str, key: str) -> str | None:
    """Draw column, comparison and value; return the condition once it is to be added."""
    column = st.selectbox("Column", queries.filter_columns(at), format_func=name_column, key=f"filter column {key}")
    choice = queries.column_choice(at, column)
    op = st.selectbox(
        "Comparison", OPERATORS[choice.kind], format_func=_OPERATOR_WORDS.__getitem__, key=f"filter op {key} {column}"
    )
    try:
        text = _draw_value(choice, op, f"{key} {column} {op}")
    except AnalysisError as error:
        text = None
        st.caption(f":material/info: {escape_markdown(error.message)}")
    if text is not None:
        matching = queries.rows(at, join_slices([at.where, text]), split=split, limit=1).total
        inside = " inside the filter" if at.where != "all" else ""
        st.caption(escape_markdown(f"{read_slice(text)[1]}: {widgets.plural(matching, 'item')} of {split}{inside}"))
    added = st.button("Add", type="primary", icon=":material/add:", disabled=text is None, key=f"filter add {key}")
    return text if added else None


def _draw_value(choice: ColumnChoice, op: str, key: str) -> str | None:
    """Draw what a column is compared with; return the predicate, or None while there is no value."""
    column = choice.column
    if op in {"is missing", "is present"}:
        return make_predicate(column, op)
    if choice.kind == "number":
        form = "%.6g" if isinstance(choice.low, float) else None
        number = st.number_input(
            "Value", value=choice.low, format=form, key=f"filter number {key}", help=_range(choice)
        )
        return None if number is None else make_predicate(column, op, number=number)
    if choice.kind == "date":
        day = st.date_input(
            "Day", value=None, min_value=date(1, 1, 1), max_value=date(9999, 12, 31), key=f"filter day {key}"
        )
        return make_predicate(column, op, (day,)) if isinstance(day, date) else None  # type: ignore[arg-type]
    if choice.kind == "boolean":
        said = st.segmented_control(
            "Value", ["true", "false"], default="true", required=True, key=f"filter truth {key}"
        )
        return make_predicate(column, op, (said == "true",))
    if op == "in":
        # More values than a list can offer are typed.
        values = st.multiselect(
            "Values", choice.values, accept_new_options=not choice.values, key=f"filter values {key}"
        )
        return make_predicate(column, op, values) if values else None
    if choice.values and op != "contains":
        value = st.selectbox("Value", choice.values, key=f"filter value {key}")
        return None if value is None else make_predicate(column, op, (value,))
    typed = st.text_input("Text", key=f"filter typed {key}")
    return make_predicate(column, op, (typed,)) if typed else None


def _range(choice: ColumnChoice) -> str | None:
    return None if choice.low is None else f"From {choice.low:,.6g} to {choice.high:,.6g} in these items"


def _add(at: Here, split: str, text: str) -> None:
    """Take a condition into the filter, if the workspace understands it."""
    try:
        joined = join_slices([at.where, text])
        # Asked for one row, so that a column that is not there is said here and not on every page.
        queries.rows(at, joined, split=split, limit=1)
    except AnalysisError as error:
        st.error(escape_markdown(error.message), icon=":material/error:")
        return
    state.remember("filter", joined)
    state.remember("filters added", state.recall("filters added", 0) + 1)
    st.rerun()


def describe_command(at: Here, options: SlicesOptions, *, models: int = 1) -> str:
    """Return the command line that gives the page's numbers as JSON.

    Examples
    --------
    ``relook slices digits.relook --split eval --by pen --format json``
    """
    words = ["relook", "slices", str(at.path)]
    if options.split is not None:
        words += ["--split", options.split]
    if models > 1 and options.model is not None:
        words += ["--model", options.model]
    if options.metric != "error_rate":
        words += ["--metric", options.metric]
    if options.positive is not None:
        words += ["--class", options.positive]
    if options.where != "all":
        words += ["--where", options.where]
    for column in options.by:
        words += ["--by", column]
    if options.min_support:
        words += ["--min-support", f"{options.min_support:g}"]
    return shlex.join([*words, "--format", "json"])


def draw_copy(at: Here, options: SlicesOptions, *, models: int) -> None:
    """Draw the "Copy as" button: this view's question, for a terminal."""
    with st.popover("Copy as", icon=":material/content_copy:", help="This view on the command line"):
        st.caption("The same numbers as JSON. Without --format json they are printed as a table.")
        st.code(describe_command(at, options, models=models), language=None, wrap_lines=True)
        if options.where != "all":
            st.caption("The slice as text")
            st.code(options.where, language=None, wrap_lines=True)


def draw_empty_filter() -> None:
    """Draw the way out of a filter that no item fulfils."""
    st.info(
        "No item fulfils the filter. Take away one condition in the sidebar, or all of them here.",
        icon=":material/filter_alt_off:",
    )
    if st.button("Take the filter away", icon=":material/filter_alt_off:", type="primary"):
        state.remember("filter", "all")
        st.rerun()
