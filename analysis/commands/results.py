"""What all results of commands share."""

import math
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

__all__ = ["to_json", "to_utc_text"]


def to_utc_text(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 with a Z; the workspace keeps zoneless UTC.

    Examples
    --------
    >>> to_utc_text(datetime(2026, 1, 31, 9, 30))
    '2026-01-31T09:30:00Z'
    """
    if moment is None:
        return None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def to_json(found: object) -> Any:  # noqa: ANN401  (JSON is any of its types)
    """Turn a result into what JSON knows: unknown is null and never NaN, times end in Z, tuples are lists.

    Examples
    --------
    >>> to_json({"rate": float("nan"), "names": ("a", "b")})
    {'rate': None, 'names': ['a', 'b']}
    """
    if is_dataclass(found) and not isinstance(found, type):
        return {field.name: to_json(getattr(found, field.name)) for field in fields(found)}
    if isinstance(found, dict):
        return {str(key): to_json(item) for key, item in found.items()}
    if isinstance(found, list | tuple):
        return [to_json(item) for item in found]
    if isinstance(found, datetime):
        return to_utc_text(found)
    if isinstance(found, np.generic):
        return to_json(found.item())
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return found
