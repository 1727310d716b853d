"""The manifest: what we know of a request and its receivers must not.

It stays in ``private/`` and in the workspace. With it an answer file alone is enough to receive: it says
which item a token stands for, who was asked, which items are controls, and what content was shown.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.relabel.content import Content
from analysis.relabel.request import Part, Request, Task
from analysis.relabel.spec import CANNOT_DECIDE_REASONS, CONFIDENCE_LEVELS

__all__ = ["MANIFEST_FORMAT", "to_manifest"]

MANIFEST_FORMAT = "relook-request/1"


def to_manifest(
    request: Request, content: Content, formats: Sequence[str], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Write down everything about a request.

    Parameters
    ----------
    request
        The request.
    content
        What is shown of its items.
    formats
        The tools it was written for.
    files
        What is sent, by name.

    Returns
    -------
    dict
        Ready for JSON: text, numbers, null for unknown, times in UTC with a final Z. ``items`` has every item
        once, suspects by rank, then controls by token.
    """
    spec = request.spec
    words = spec.answer_words
    return {
        "format": MANIFEST_FORMAT,
        "request_id": spec.request_id,
        "round": spec.round,
        "created_at": spec.created_at.isoformat().replace("+00:00", "Z"),
        "task_type": "classification",
        "mode": spec.mode,
        "labels": list(spec.labels),
        "answer_words": {"cannot_decide": words.cannot_decide, "exclude": words.exclude},
        "cannot_decide_reasons": list(CANNOT_DECIDE_REASONS),
        "confidence_levels": list(CONFIDENCE_LEVELS),
        "definitions": dict(spec.definitions),
        "assignees": list(spec.assignees),
        "votes_per_item": spec.votes_per_item,
        # Without assignees nobody can be kept away from an item.
        "exclude_original_annotator": bool(spec.assignees),
        "budget": {"items": spec.budget_items, "hours": spec.budget_hours},
        "hours": request.hours,
        "due": spec.due.isoformat() if spec.due else None,
        "contact": spec.contact,
        "purpose": spec.purpose,
        "model": spec.model,
        "seed": spec.seed,
        "formats": list(formats),
        "columns": [{"name": column.name, "kind": column.kind} for column in content.columns],
        "files": [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ],
        "left_out": [{"reason": reason, "items": count} for reason, count in request.left_out],
        "notes": list(request.notes),
        "items": _describe_items(request.parts, content),
    }


def _describe_items(parts: Sequence[Part], content: Content) -> list[dict[str, Any]]:
    people: dict[str, list[str]] = {}
    tasks: dict[str, Task] = {}
    for part in parts:
        for task in part.tasks:
            tasks[task.token] = task
            people.setdefault(task.token, []).extend([] if task.assignee is None else [task.assignee])
    ordered = sorted(tasks.values(), key=lambda task: (task.rank is None, task.rank or 0, task.token))
    return [_describe_item(task, people[task.token], content) for task in ordered]


def _describe_item(task: Task, assignees: Sequence[str], content: Content) -> dict[str, Any]:
    item = task.item
    return {
        "relook_task": task.token,
        "split": item.split,
        "item_id": item.item_id,
        "text_sha": content.shas[item.key],
        "role": task.role,
        "rank": task.rank,
        "assignees": list(assignees),
        "given_label": item.given_label,
        "given_by": item.given_by,
        "voters": list(item.voters),
        "suggested_label": item.likely_label,
        "p_suggested": item.p_likely,
        "p_wrong": item.p_wrong,
        "seconds": item.seconds,
        "reasons": list(item.reasons),
        "source": item.source,
    }
