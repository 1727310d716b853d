"""From sources such as ``labels`` or ``slice:TEXT`` to the candidates of a request.

Here the wings are joined: confident learning ranks, votes say who must not see an item again, and the relabel
wing gets it all as one plain frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from analysis.commands.labels import to_shortest
from analysis.core.facts import Population
from analysis.core.panel import fetch_gold, fetch_typical_seconds
from analysis.core.people import resolve_names
from analysis.core.predicate import Predicate, Slice
from analysis.core.probabilities import fetch_probabilities
from analysis.core.slice_text import parse_slice
from analysis.errors import AnalysisError, UnknownNameError
from analysis.labels import compute_label_issues
from analysis.store.readers.lines import read_lines
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Model, Snapshot

__all__ = [
    "SOURCES",
    "Evidence",
    "choose_assignees",
    "describe_repeats",
    "find_candidates",
    "find_evidence",
    "find_trusted",
]

SOURCES: Final = {
    "labels": "suspected labels, worst first",
    "slice": "the rows of a slice: slice:TEXT",
    "annotator": "what one person labelled: annotator:NAME",
    "ids": "ids from a file, one a line: ids:FILE",
}


@dataclass(frozen=True)
class Evidence:
    """What confident learning says of one item."""

    likely: str
    p_likely: float
    quality: float
    rank: int | None


def find_evidence(snapshot: Snapshot, split: str, model: Model | None) -> dict[int, Evidence]:
    """Return what the model says of each labelled item of a split; empty without probabilities."""
    if model is None or not model.classes:
        return {}
    try:
        data = fetch_probabilities(snapshot, split, model)
    except AnalysisError:
        # Without probabilities for this split there is simply no such evidence.
        return {}
    found = compute_label_issues(data.labels, data.pred_probs)
    rank = {int(row): place for place, row in enumerate(found.flagged, start=1)}
    return {
        int(item): Evidence(
            data.classes[found.likely[row]],
            to_shortest(found.p_likely[row]),
            float(found.quality[row]),
            rank.get(row),
        )
        for row, item in enumerate(data.items["item"])
    }


def find_candidates(
    snapshot: Snapshot,
    sources: Sequence[str],
    basket: Sequence[tuple[str, str]],
    *,
    split: str | None,
    model: Model | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the items of all sources, in order, and notes.

    Parameters
    ----------
    snapshot
        The workspace.
    sources
        As on the command line; see :data:`SOURCES`.
    basket
        Picked items (split, item id); they come first.
    split
        Where labels, slices and annotators look; None is train, or the only split.
    model
        Whose evidence ranks; None for no evidence.

    Returns
    -------
    tuple of DataFrame and list of str
        The frame that :func:`analysis.relabel.build_request` takes. An item of two sources stands twice; the
        builder keeps the first.

    Raises
    ------
    AnalysisError
        If a source cannot be read or names what is not there.
    """
    chosen, note = snapshot.resolve_split(split, "train")
    notes = [note] if note else []
    evidence = find_evidence(snapshot, chosen, model)
    found: list[tuple[int, str, str]] = [(item, "basket", "picked") for item in _find_picked(snapshot, basket)]
    if len(found) < len(basket):
        notes.append(f"Picked items that are no longer there: {len(basket) - len(found):,}.")
    for source in sources:
        found += _read_source(snapshot, source, chosen, model, evidence)
    if not sources and not basket:
        raise AnalysisError(f"A request needs items: --from {' | '.join(SOURCES)}.")
    details = _fetch_details(snapshot, [item for item, _source, _kind in found])
    seconds = fetch_typical_seconds(snapshot)
    rows = []
    for item, source, kind in found:
        known = evidence.get(item)
        detail = details[item]
        reasons = [kind] if known is None or known.rank is None else [kind, "confident_learning"]
        rows.append(
            {
                **detail,
                "likely_label": known.likely if known else None,
                "p_likely": known.p_likely if known else None,
                "p_wrong": None,
                "seconds": seconds,
                "reasons": tuple(dict.fromkeys(reasons)),
                "source": source,
            }
        )
    columns = ["split", "item_id", "given_label", "given_by", "voters", "likely_label", "p_likely", "p_wrong"]
    return pd.DataFrame(rows, columns=[*columns, "seconds", "reasons", "source"]), notes


def _read_source(
    snapshot: Snapshot, source: str, split: str, model: Model | None, evidence: dict[int, Evidence]
) -> list[tuple[int, str, str]]:
    kind, _colon, rest = source.partition(":")
    if kind == "labels" and not rest:
        if not evidence:
            raise AnalysisError(f"There are no suspects in {split!r}: no probabilities are loaded for it.")
        ranked = sorted((known.rank, item) for item, known in evidence.items() if known.rank is not None)
        return [(item, source, "confident_learning") for _rank, item in ranked]
    if kind == "slice" and rest:
        return _rank_slice(snapshot, parse_slice(rest), source, split, model, evidence)
    if kind == "annotator" and rest:
        names = [name for (name,) in snapshot.fetch_all(Fragment("SELECT name FROM annotators ORDER BY name"))]
        if rest not in names:
            raise UnknownNameError("annotator", rest, names)
        chosen = Slice((Predicate("@annotator", "=", rest),))
        return _rank_slice(snapshot, chosen, source, split, model, evidence)
    if kind == "ids" and rest:
        lines = read_lines(Path(rest))
        names = list(lines[1:] if lines[0] in {"item_id", "id"} else lines)
        return [(item, source, "picked") for item in _find_ids(snapshot, names)]
    if kind in SOURCES:
        raise AnalysisError(f"The source {source!r} is not complete: {SOURCES[kind]}.")
    raise UnknownNameError("source", source, SOURCES)


def _rank_slice(
    snapshot: Snapshot,
    where: Slice,
    source: str,
    split: str,
    model: Model | None,
    evidence: dict[int, Evidence],
) -> list[tuple[int, str, str]]:
    """Order a slice by label quality, lowest first; items of which the model says nothing come last."""
    population = Population.of(snapshot, split=split, model=model.code if model else None, where=where)
    query = template("{rows} ORDER BY i.item", rows=population.select(Fragment("i.item")))
    items = [int(item) for (item,) in snapshot.fetch_all(query)]
    items.sort(key=lambda item: evidence[item].quality if item in evidence else 1.0)
    return [(item, source, source.partition(":")[0]) for item in items]


def _find_picked(snapshot: Snapshot, basket: Sequence[tuple[str, str]]) -> list[int]:
    """Return the picked items that are still there, in the order in which they were picked."""
    if not basket:
        return []
    rows = snapshot.fetch_all(
        template(
            "SELECT split, item_id, item FROM items WHERE item_id = ANY({names})",
            names=value([name for _split, name in basket]),
        )
    )
    by_key = {(split, name): int(item) for split, name, item in rows}
    return [by_key[key] for key in basket if key in by_key]


def _find_ids(snapshot: Snapshot, names: list[str]) -> list[int]:
    """Return the items of ids in the order given."""
    rows = snapshot.fetch_all(
        template("SELECT item_id, split, item FROM items WHERE item_id = ANY({names})", names=value(names))
    )
    by_name: dict[str, list[int]] = {}
    for name, _split, item in rows:
        by_name.setdefault(name, []).append(int(item))
    lost = [name for name in names if name not in by_name]
    if lost:
        raise AnalysisError(
            f"{len(lost):,} of {len(names):,} ids are no items of the workspace, for example {lost[0]!r}. "
            "Take them out of the list, or load them first."
        )
    doubled = next((name for name in names if len(by_name[name]) > 1), None)
    if doubled is not None:
        raise AnalysisError(f"Id {doubled!r} is in several splits, so a list of ids does not say which is meant.")
    return [by_name[name][0] for name in names]


def _fetch_details(snapshot: Snapshot, items: list[int]) -> dict[int, dict[str, Any]]:
    rows = snapshot.fetch_all(
        template(
            "SELECT i.item, i.split, i.item_id, c.label, g.name, v.names FROM items i "
            "JOIN current c ON c.item = i.item LEFT JOIN people g ON g.annotator = i.given_by "
            "LEFT JOIN (SELECT v.item, list_sort(list(DISTINCT a.name)) AS names FROM votes v "
            # Whoever voted is known under each of their names, so that none of them gets the item again.
            "JOIN people p ON p.annotator = v.annotator JOIN people o ON o.person = p.person "
            "JOIN annotators a ON a.annotator = o.annotator GROUP BY v.item) v ON v.item = i.item "
            "WHERE i.item = ANY({items})",
            items=value(items) if items else Fragment("CAST([] AS INTEGER[])"),
        )
    )
    return {
        int(item): {
            "split": split,
            "item_id": name,
            "given_label": label,
            "given_by": given_by,
            "voters": tuple(voters or ()),
        }
        for item, split, name, label, given_by, voters in rows
    }


def describe_repeats(snapshot: Snapshot, tasks: pd.DataFrame) -> list[str]:
    """Say which items of a request are out already in an earlier one; sending them twice may be wanted."""
    rows = snapshot.fetch_all(
        template(
            "SELECT r.request, count(DISTINCT r.item) FROM request_items r JOIN items i ON i.item = r.item "
            "WHERE (i.split, i.item_id) IN (SELECT unnest({splits}), unnest({ids})) "
            "GROUP BY r.request ORDER BY r.request",
            splits=value([str(name) for name in tasks["split"]]),
            ids=value([str(name) for name in tasks["item_id"]]),
        )
    )
    return [f"Items that are already out in {request}: {items:,}." for request, items in rows]


def choose_assignees(snapshot: Snapshot, names: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Return who labels, as named; of several names of one person the first, with a note."""
    owners = resolve_names(snapshot)
    chosen: dict[str, str] = {}
    for name in names:
        kept = chosen.setdefault(owners.get(name, name), name)
        if kept != name:
            notes.append(f"{name!r} and {kept!r} are one person, who is asked as {kept!r}.")
    return tuple(chosen.values())


def find_trusted(snapshot: Snapshot, split: str | None) -> pd.DataFrame:
    """Return items with a trusted label, given as gold or by experts, from which controls are drawn."""
    chosen, _note = snapshot.resolve_split(split, "train")
    inside = snapshot.fetch_all(template("SELECT item FROM items WHERE split = {split}", split=value(chosen)))
    trusted = {int(item) for item in fetch_gold(snapshot)["item_id"]} & {int(item) for (item,) in inside}
    details = _fetch_details(snapshot, sorted(trusted))
    seconds = fetch_typical_seconds(snapshot)
    return pd.DataFrame(
        [{**details[item], "seconds": seconds} for item in sorted(details)],
        columns=["split", "item_id", "given_label", "given_by", "voters", "seconds"],
    )
