"""What a load did, file by file: the JSON of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.roles import Kind, Roles
from analysis.store.readers.scratch import Reject

__all__ = ["FileReport", "LedgerMismatch", "LoadReport", "Tally"]


@dataclass(frozen=True)
class LedgerMismatch:
    """An entry of the ledger that changed a label which the file has since replaced.

    Attributes
    ----------
    seq, item_id
        The entry and its item.
    old, now
        The given label as the entry found it, and as it is now; None for no label.
    """

    seq: int
    item_id: str
    old: str | None
    now: str | None


@dataclass
class Tally:
    """Counts that grow while a file is taken in.

    ``rows = kept + already_there + rejected + duplicates + unmatched`` for every file.
    """

    kept: int = 0
    already_there: int = 0
    duplicates: int = 0
    unmatched: int = 0
    renormalised: int = 0
    replaced: int = 0
    changed: bool = False
    model: str | None = None
    rejects: list[Reject] = field(default_factory=list)
    labels_only_in_predictions: tuple[str, ...] = ()
    labels_only_in_items: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    ledger_mismatches: list[LedgerMismatch] = field(default_factory=list)


@dataclass(frozen=True)
class FileReport:
    """How one file was read and what was taken from it.

    Attributes
    ----------
    file, kind, split, rows
        The file's name, what its rows are, the split (None where it comes from the items), all its rows.
    tally
        The counts.
    casts_failed
        Column to number of values that became missing because they were no number or time.
    roles
        Which column is what, and why.
    part, dialect
        Which part of the file this is (None for the whole), and how it was read, for people.
    head
        The first rows as text, by column; not part of the JSON.
    """

    file: str
    sha256: str
    kind: Kind
    kind_reason: str
    split: str | None
    rows: int
    tally: Tally
    casts_failed: Mapping[str, int]
    roles: Roles
    part: str | None = None
    dialect: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of one file."""
        tally = self.tally
        roles: dict[str, Any] = {
            role: {"column": guess.column, "reason": guess.reason} for role, guess in self.roles.single.items()
        }
        if self.roles.probabilities:
            roles["probabilities"] = {
                "column": list(self.roles.probabilities.values()),
                "reason": "one column a class: " + ", ".join(self.roles.probabilities),
            }
        return {
            "file": self.file,
            "part": self.part,
            "dialect": dict(self.dialect),
            "sha256": self.sha256,
            "kind": self.kind,
            "kind_reason": self.kind_reason,
            "split": self.split,
            "model": tally.model,
            "rows": self.rows,
            "kept": tally.kept,
            "already_there": tally.already_there,
            "rejected": len(tally.rejects),
            "rejects": [
                {"line": reject.line, "column": reject.column, "reason": reject.reason} for reject in tally.rejects
            ],
            "casts_failed": dict(self.casts_failed),
            "duplicates": tally.duplicates,
            "unmatched": tally.unmatched,
            "renormalised": tally.renormalised,
            "replaced": tally.replaced,
            "labels_only_in_predictions": list(tally.labels_only_in_predictions),
            "labels_only_in_items": list(tally.labels_only_in_items),
            "ledger_mismatches": [
                {"seq": found.seq, "item_id": found.item_id, "old": found.old, "now": found.now}
                for found in tally.ledger_mismatches
            ],
            "roles": roles,
            "features": list(self.roles.features),
            "notes": list(tally.notes),
        }


@dataclass(frozen=True)
class LoadReport:
    """What a whole load did.

    Attributes
    ----------
    dry_run
        Nothing was kept on purpose.
    changed
        The workspace differs (or would differ) from before.
    """

    dry_run: bool
    changed: bool
    files: tuple[FileReport, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``relook load``."""
        return {
            "dry_run": self.dry_run,
            "changed": self.changed,
            "files": [file.to_dict() for file in self.files],
            "notes": list(self.notes),
        }
