"""Which column is what: guessed from names and values, each guess with its reason, corrected by the user.

A *role* says what relook does with a column. Everything without a role is a *feature*: it can slice. The
guess looks at names first (how people name such columns) and then at values (a column of probabilities that is
not between 0 and 1 is none). ``--role ROLE=COLUMN`` overrides any guess.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from analysis.errors import AnalysisError, UnknownNameError

__all__ = ["ROLES", "ColumnFacts", "Kind", "RoleGuess", "Roles", "guess_kind", "guess_roles", "guess_split"]

Kind = Literal["items", "predictions", "votes"]
ColumnType = Literal["integer", "number", "boolean", "date", "text", "numbers", "bytes", "other"]

ROW_NUMBER: Final = "@row"
"""As ``--role item_id=@row``: the row's number in the file is its id."""

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    # In order of trust: an exact name of ours first, then what the field uses.
    "item_id": ("itemid", "exampleid", "sampleid", "rowid", "id", "uid", "uuid", "taskid", "task", "imageid",
                "docid", "recordid", "item", "key"),
    "split": ("split", "datasplit", "datasetsplit"),
    "given_label": ("givenlabel", "label", "labels", "target", "y", "ytrue", "truelabel", "groundtruth", "class",
                    "classlabel", "category"),
    "gold_label": ("goldlabel", "gold", "goldstandard", "expertlabel"),
    "predicted": ("predicted", "predictedlabel", "prediction", "predlabel", "pred", "ypred", "yhat",
                  "modellabel"),
    "pred_probs": ("predprobs", "predproba", "probabilities", "probs", "proba", "probability", "softmax"),
    "annotator": ("annotator", "annotatorid", "annotatorname", "worker", "workerid", "rater", "raterid",
                  "labeler", "labeller", "labelledby", "labeledby", "annotatedby", "givenby", "completedby"),
    "group": ("group", "groupid", "userid", "sessionid", "patientid", "documentid"),
    "fold": ("fold", "cvfold", "foldid"),
    "started_at": ("startedat", "starttime", "accepttime", "startedtime"),
    "labelled_at": ("labelledat", "labeledat", "submittedat", "submittime", "annotatedat", "completedat",
                    "createdat"),
    "seconds": ("seconds", "leadtime", "durations", "durationsec", "durationseconds", "worktimeinseconds",
                "timespent", "secondsspent"),
    "batch": ("batch", "batchid"),
    "comment": ("comment", "comments", "annotatorcomment"),
    "text": ("text", "sentence", "question", "body", "message", "document", "content", "review", "utterance"),
    "image": ("image", "img", "png", "jpeg", "jpg", "imagebytes", "imagepath", "imageurl", "picture"),
}  # fmt: skip

ROLES: Final = (*_NAMES, "feature")
"""Every role that ``--role`` takes."""

_VOTE_ROLES: Final = ("annotator", "started_at", "labelled_at", "seconds", "batch", "comment")
_MISSING: Final = "no role has such a name"
_PROB_WORD: Final = (
    r"(?:.*[^a-z])?(?:(?:p|pr|prob|probs|proba|probability|pred_probs?|score|softmax)[_\-:. ]+"
    # p0, p1, prob12: a number needs no sign before it.
    r"|(?:p|prob|proba)(?=\d+$))"
)
_PROB_PREFIX: Final = re.compile(_PROB_WORD, re.IGNORECASE | re.DOTALL)
_PROB_COLUMN: Final = re.compile(rf"(?P<prefix>{_PROB_WORD})(?P<suffix>.+)", re.IGNORECASE | re.DOTALL)
_MIN_PROBABILITIES: Final = 2

_SPLIT_WORDS: Final = {
    "train": ("train", "training"),
    "eval": (
        "eval",
        "evaluation",
        "test",
        "testing",
        "val",
        "valid",
        "validation",
        "dev",
        "holdout",
        "heldout",
    ),
}


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a column before it has a role.

    Attributes
    ----------
    name
        As in the file.
    type
        What all its values are.
    rows, missing, distinct
        Counts; ``distinct`` leaves missing out.
    low, high
        Smallest and largest number, or None.
    whole
        No number among its values has a fraction.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False


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
    """

    single: Mapping[str, RoleGuess]
    probabilities: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def column(self, role: str) -> str | None:
        """Return the column in a role, or None."""
        found = self.single.get(role)
        return found.column if found else None


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _fits(role: str, facts: ColumnFacts) -> str | None:
    """Say why the values forbid a role, or None where they allow it."""
    empty = facts.missing == facts.rows
    if role == "pred_probs" and facts.type != "numbers":
        return "its values are not lists of numbers"
    if role == "seconds" and facts.type not in {"integer", "number"} and not empty:
        return "its values are not numbers"
    if role in {"started_at", "labelled_at"} and facts.type not in {"date", "text"} and not empty:
        return "its values are not times"
    if role == "image" and facts.type not in {"bytes", "text"}:
        return "its values are neither bytes nor paths"
    if role == "text" and facts.type != "text":
        return "its values are not text"
    if role in {"given_label", "gold_label", "predicted"} and facts.type in {
        "numbers",
        "bytes",
        "other",
        "date",
    }:
        return "its values are not class names"
    # Whole numbers with gaps arrive as floats: 3.0 beside a missing value is the class 3.
    if role in {"given_label", "gold_label", "predicted"} and facts.type == "number" and not facts.whole:
        return "its values are fractions, not class names"
    return None


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


def guess_roles(
    columns: Sequence[ColumnFacts], given: Sequence[tuple[str, str]] = (), labels: Collection[str] | None = None
) -> Roles:
    """Guess the role of every column.

    Parameters
    ----------
    columns
        What is known of the columns, in file order.
    given
        What the user says, as pairs of role and column; ``item_id`` may be ``@row``, and ``feature`` may come
        more than once.
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
    reasons = dict.fromkeys(taken, "you said so")
    for role, names in _NAMES.items():
        found = None if role in single else _find_named(columns, role, names, taken)
        if found is not None:
            single[role] = RoleGuess(found, f"named {found!r}")
            taken.add(found)
    picture = next((c.name for c in columns if c.type == "bytes" and c.name not in taken), None)
    if "image" not in single and picture is not None:
        single["image"] = RoleGuess(picture, "holds bytes")
        taken.add(picture)
    reasons.update((guess.column, guess.reason) for guess in single.values())
    probabilities = _find_probabilities(columns, taken, labels or ())
    if labels and "given_label" in single and not set(labels) & set(probabilities):
        # In a table with labels, numbers named for something else are scores of the user's own.
        probabilities = {}
    for suffix, column in probabilities.items():
        reasons[column] = f"named as the probability of class {suffix!r}"
    taken.update(probabilities.values())
    # Text and images are shown and searched, not only read, so they stay among the user's columns too.
    kept = {single[role].column for role in ("text", "image") if role in single}
    kept |= {column for role, column in given if role == "feature"}
    features = tuple(c.name for c in columns if c.name not in taken or c.name in kept)
    for column in features:
        reasons.setdefault(column, _MISSING)
    return Roles(single, probabilities, features, reasons)


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
            fault = _fits(role, by_name[column])
            if fault:
                raise AnalysisError(f"Column {column!r} cannot be the {role}: {fault}. Choose another column.")
        if role == "feature":
            continue
        if role in single and single[role].column != column:
            raise AnalysisError(
                f"--role {role} was given twice: {single[role].column!r} and {column!r}. One column can be the {role}."
            )
        single[role] = RoleGuess(column, "you said so")
    return single


def _find_named(columns: Sequence[ColumnFacts], role: str, names: Sequence[str], taken: set[str]) -> str | None:
    """Return the free column with the most trusted name for a role, whose values allow it."""
    for wanted in names:
        for facts in columns:
            if _fold(facts.name) == wanted and facts.name not in taken and not _fits(role, facts):
                return facts.name
    return None


def guess_kind(roles: Roles, *, repeated_ids: bool, known_ids: bool, known_features: bool = False) -> tuple[Kind, str]:
    """Guess what a file's rows are.

    Parameters
    ----------
    roles
        The roles of its columns.
    repeated_ids
        An id occurs in more than one row, and the rows differ.
    known_ids
        The first ids are already items of the workspace or of another file of the same load.
    known_features
        Its features are columns of the items already.

    Returns
    -------
    tuple of Kind and str
        The kind and why.
    """
    has = roles.single.keys()
    predicts = bool({"predicted", "pred_probs"} & has or roles.probabilities)
    if "annotator" in has and "given_label" in has and not predicts:
        if repeated_ids:
            return "votes", "ids repeat and each row names an annotator"
        only_votes = all(role in {"item_id", "given_label", "split", *_VOTE_ROLES} for role in has)
        if known_ids and only_votes and not roles.features:
            return "votes", "each row names an annotator, and the items are known"
    if predicts and "given_label" not in has and not roles.features:
        return "predictions", "it has predictions and no labels"
    describes_items = bool(roles.features) and ("given_label" in has or known_features)
    if predicts and known_ids and not describes_items:
        return "predictions", "it has predictions and the items are known"
    return "items", "one row an item"


def guess_split(stem: str) -> str | None:
    """Read a split from a file name.

    Parameters
    ----------
    stem
        The file's name without its ending.

    Returns
    -------
    str or None
        ``"train"`` or ``"eval"`` (test, validation and dev files are read as eval), None if the name says neither
        or both.

    Examples
    --------
    >>> guess_split("adult_test"), guess_split("predictions"), guess_split("train-2026")
    ('eval', None, 'train')
    """
    words = set(re.split(r"[^a-z]+", stem.casefold()))
    found = [split for split, names in _SPLIT_WORDS.items() if words & set(names)]
    return found[0] if len(found) == 1 else None
