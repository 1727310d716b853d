"""The guess: names, then values, then company; what the user says comes before all of it."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from analysis.errors import AnalysisError, UnknownNameError
from analysis.roles.facts import ColumnFacts, find_doubt, find_fault
from analysis.roles.names import COMPANY_NAMES, NAMES, WEAK_NAMES

__all__ = ["ROLES", "ROW_NUMBER", "RoleGuess", "Roles", "guess_roles"]

ROW_NUMBER: Final = "@row"
"""As ``--role item_id=@row``: the row's number in the file is its id."""

_REPEATED: Final = ("vote", "probability", "feature")
ROLES: Final = (*dict.fromkeys((*NAMES, *COMPANY_NAMES)), *_REPEATED)
"""Every role that ``--role`` takes; the last three may be given to several columns."""

_MISSING: Final = "no role has such a name"
_SAID: Final = "you said so"
_PROB_WORD: Final = (
    r"(?:.*[^a-z])?(?:(?:p|pr|prob|probs|proba|probability|pred_probs?|score|softmax)[_\-:. ]+"
    # p0, p1, prob12: a number needs no sign before it.
    r"|(?:p|prob|proba)(?=\d+$))"
)
_PROB_PREFIX: Final = re.compile(_PROB_WORD, re.IGNORECASE | re.DOTALL)
_PROB_COLUMN: Final = re.compile(rf"(?P<prefix>{_PROB_WORD})(?P<suffix>.+)", re.IGNORECASE | re.DOTALL)
_MIN_PROBABILITIES: Final = 2


@dataclass(frozen=True)
class RoleGuess:
    """The column in a role, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class Roles:
    """The roles of one file.

    Attributes
    ----------
    single
        Role to column, for roles that one column holds.
    probabilities
        Columns that hold the probability of one class each, by class name, in file order.
    features
        The columns that can slice, in file order.
    reasons
        For every column, why it is what it is.
    votes
        Columns that hold the labels of one annotator each, in file order.
    """

    single: Mapping[str, RoleGuess]
    probabilities: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    votes: tuple[str, ...] = ()

    def column(self, role: str) -> str | None:
        """Return the column in a role, or None."""
        found = self.single.get(role)
        return found.column if found else None


def guess_roles(
    columns: Sequence[ColumnFacts], given: Sequence[tuple[str, str]] = (), labels: Collection[str] | None = None
) -> Roles:
    """Guess the role of every column.

    Parameters
    ----------
    columns
        What is known of the columns, in file order.
    given
        What the user says, as pairs of role and column; ``item_id`` may be ``@row``, and ``feature``, ``vote`` and
        ``probability`` may come more than once.
    labels
        The known classes, by which columns of probabilities are recognised; None where nothing is known yet.

    Returns
    -------
    Roles

    Raises
    ------
    UnknownNameError
        If the user names a role or column that does not exist.
    AnalysisError
        If a column the user chose cannot hold the role, or a role was given to two columns.

    Examples
    --------
    >>> facts = [ColumnFacts("id", "text", 2, 0, 2), ColumnFacts("Label", "text", 2, 0, 2)]
    >>> roles = guess_roles(facts)
    >>> roles.column("given_label"), roles.single["given_label"].reason
    ('Label', "named 'Label'")
    """
    single = _check_given(columns, given)
    taken = {column for _role, column in given}
    reasons = dict.fromkeys(taken, _SAID)
    for role, names in NAMES.items():
        found = None if role in single else _find_named(columns, role, names, taken)
        if found is not None:
            single[role] = RoleGuess(found, f"named {found!r}")
            taken.add(found)
    picture = next((c.name for c in columns if c.type == "bytes" and c.name not in taken), None)
    if "image" not in single and picture is not None:
        single["image"] = RoleGuess(picture, "holds bytes")
        taken.add(picture)
    probabilities = _name_given_probabilities(columns, given, labels or ())
    if not probabilities:
        probabilities = _find_probabilities(columns, taken, labels or ())
        if labels and "given_label" in single and not set(labels) & set(probabilities):
            # In a table with labels, numbers named for something else are scores of the user's own.
            probabilities = {}
    for suffix, column in probabilities.items():
        reasons.setdefault(column, f"named as the probability of class {suffix!r}")
    taken.update(probabilities.values())
    _find_in_company(columns, single, taken, predicts=bool(probabilities))
    reasons.update((guess.column, guess.reason) for guess in single.values())
    # Text and images are shown and searched, not only read, so they stay among the user's columns too.
    kept = {single[role].column for role in ("text", "image") if role in single}
    kept |= {column for role, column in given if role == "feature"}
    features = tuple(c.name for c in columns if c.name not in taken or c.name in kept)
    for column in features:
        reasons.setdefault(column, _MISSING)
    ballots = {column for role, column in given if role == "vote"}
    return Roles(single, probabilities, features, reasons, tuple(c.name for c in columns if c.name in ballots))


def _check_given(columns: Sequence[ColumnFacts], given: Sequence[tuple[str, str]]) -> dict[str, RoleGuess]:
    """Check what the user said, and return it for the roles that one column holds."""
    by_name = {facts.name: facts for facts in columns}
    single: dict[str, RoleGuess] = {}
    for role, column in given:
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        if not (role == "item_id" and column == ROW_NUMBER):
            if column not in by_name:
                raise UnknownNameError("column", column, by_name)
            fault = find_fault(role, by_name[column])
            if fault:
                raise AnalysisError(f"Column {column!r} cannot be the {role}: {fault}. Choose another column.")
        if role in _REPEATED:
            continue
        if role in single and single[role].column != column:
            raise AnalysisError(
                f"--role {role} was given twice: {single[role].column!r} and {column!r}. One column can be the {role}."
            )
        single[role] = RoleGuess(column, _SAID)
    return single


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _find_named(columns: Sequence[ColumnFacts], role: str, names: Sequence[str], taken: set[str]) -> str | None:
    """Return the free column with the most trusted name for a role, whose values allow it."""
    for wanted in names:
        for facts in columns:
            if _fold(facts.name) == wanted and facts.name not in taken and not find_fault(role, facts):
                return facts.name
    return None


def _find_in_company(
    columns: Sequence[ColumnFacts], single: dict[str, RoleGuess], taken: set[str], *, predicts: bool
) -> None:
    """Add the roles whose names mean something only beside others: who voted, or what was predicted."""
    company: set[str] = {"annotator", "given_label", "reviewer"} & single.keys()
    if predicts or {"predicted", "pred_probs"} & single.keys():
        company.add("predictions")
    free = [facts for facts in columns if facts.name not in taken]
    waiting = {name for names in COMPANY_NAMES.values() for name in names}
    describes_items = any(_fold(facts.name) not in waiting for facts in free) or {"text", "image"} & single.keys()
    for role, names in COMPANY_NAMES.items():
        for name in () if role in single else names:
            if describes_items and name in WEAK_NAMES:
                continue
            beside = _find_company(role, name, company)
            found = _find_named(free, role, (name,), taken) if beside else None
            facts = next((facts for facts in free if facts.name == found), None)
            if facts is None or find_doubt(role, facts) or (role == "team" and _outnumbers(facts, columns, single)):
                continue
            single[role] = RoleGuess(facts.name, f"named {facts.name!r}, beside {beside}")
            taken.add(facts.name)
            company.add(role)
            break


def _find_company(role: str, name: str, company: Collection[str]) -> str | None:
    """Say beside what a name stands that makes it believable, or return None."""
    if role == "model":
        # A table of labels that also predicts may be one of cars.
        alone = name in WEAK_NAMES and "given_label" in company
        return "predictions" if "predictions" in company and not alone else None
    if name == "status":
        return "the reviewer" if "reviewer" in company else None
    return "the annotator" if "annotator" in company else None


def _outnumbers(facts: ColumnFacts, columns: Sequence[ColumnFacts], single: Mapping[str, RoleGuess]) -> bool:
    """Tell whether there are clearly more values than annotators: then it is no team of theirs."""
    people = next((c.distinct for c in columns if c.name == single["annotator"].column), 0)
    # Both numbers are estimates.
    return facts.distinct > people * 1.1 + 1


def _name_given_probabilities(
    columns: Sequence[ColumnFacts], given: Sequence[tuple[str, str]], labels: Collection[str]
) -> dict[str, str]:
    """Find which class each column is for that the user calls a probability: a known label, else what its name ends in.

    Raises
    ------
    AnalysisError
        If two columns are for one class.
    """
    said = {column for role, column in given if role == "probability"}
    found: dict[str, str] = {}
    for facts in columns:
        if facts.name not in said:
            continue
        match = _PROB_COLUMN.fullmatch(facts.name)
        known = max((label for label in labels if facts.name.endswith(label)), key=len, default=None)
        name = known or (match["suffix"] if match else facts.name)
        if name in found:
            raise AnalysisError(
                f"Columns {found[name]!r} and {facts.name!r} are both the probability of class {name!r}. "
                "Rename one of them."
            )
        found[name] = facts.name
    return found


def _find_probabilities(columns: Sequence[ColumnFacts], taken: set[str], labels: Collection[str]) -> dict[str, str]:
    """Find columns such as ``prob_cat, prob_dog``: one prefix, one column a class.

    A column that ends in a known label is one whatever it holds: its faulty rows are named one by one. Where no
    label is known its numbers decide.
    """
    free = [facts for facts in columns if facts.name not in taken]
    matched = Counter(
        facts.name.removesuffix(label)
        for facts in free
        for label in labels
        if facts.name.endswith(label) and _PROB_PREFIX.fullmatch(facts.name.removesuffix(label))
    )
    if matched:
        prefix = max(matched, key=lambda found: matched[found])
        family = {
            facts.name.removeprefix(prefix): facts.name
            for facts in free
            if facts.name.startswith(prefix)
            and facts.name != prefix
            and (facts.name.removeprefix(prefix) in labels or _holds_probabilities(facts))
        }
        return family if len(family) >= _MIN_PROBABILITIES else {}
    families: dict[str, dict[str, str]] = {}
    for facts in free:
        match = _PROB_COLUMN.fullmatch(facts.name)
        if match is not None and _holds_probabilities(facts):
            families.setdefault(match["prefix"], {})[match["suffix"]] = facts.name
    best = max(families.values(), key=len, default={})
    return best if len(best) >= _MIN_PROBABILITIES else {}


def _holds_probabilities(facts: ColumnFacts) -> bool:
    """Tell whether the values may be probabilities; rows a little outside are rejected one by one."""
    if facts.type not in {"integer", "number"}:
        return False
    return facts.low is None or facts.high is None or (facts.low >= -1 and facts.high <= 2)  # noqa: PLR2004
