"""Which columns hold one annotator's answers each: said by the user, told by their names, or by their values.

Names are believed only where the values fit, values only where the columns agree more than chance does: features
with the same few values (``priority``, ``urgency``) look alike and do not.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

from analysis.errors import NeedsChoiceError
from analysis.roles import ColumnFacts, Roles
from analysis.store.loading.shapes.parts import EVERY_ROLE, list_names
from analysis.store.loading.source import Source
from analysis.store.loading.staging import LoadOptions
from analysis.store.sql import template

__all__ = ["EXTRAS", "SKIPS", "Family", "find_family", "fold", "split_extra"]

_SIGN: Final = r"[\s_.:/#-]"
_PEOPLE: Final = (
    r"annotators?|annot|anno|ann|raters?|coders?|labell?ers?|judges?|experts?|work(?:er)s?|persons?|assessors?|"
    r"evaluators?|graders?|readers?"
)
_LABELS: Final = r"labels?|votes?|annotations?|answers?|ratings?|responses?|judge?ments?|choices?"
# annotator_1, rater2, Ann 3, coder A, coderB
_NUMBERED: Final = re.compile(rf"(?i:(?P<word>{_PEOPLE}))(?:{_SIGN}*\d+|{_SIGN}+[A-Za-z]|[A-Z])")
# label_anna, vote:bob, label1
_LABEL_FIRST: Final = re.compile(rf"(?i:(?P<word>{_LABELS}))(?:{_SIGN}+(?P<name>.+)|(?P<number>\d+))")
# annotator_anna
_PEOPLE_FIRST: Final = re.compile(rf"(?i:(?P<word>{_PEOPLE})){_SIGN}+(?P<name>.+)")
# anna_label
_LABEL_LAST: Final = re.compile(rf"(?P<name>.+?){_SIGN}+(?i:(?P<word>{_LABELS}))")

EXTRAS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("seconds", "second", "secs", "sec", "duration", "durations", "leadtime", "timespent"), "seconds"),
    "time": "time",
    **dict.fromkeys(("comment", "comments", "note", "notes", "remark", "remarks"), "comment"),
    **dict.fromkeys(("startedat", "started", "start", "starttime"), "started_at"),
    **dict.fromkeys(("labelledat", "labeledat", "submittedat", "timestamp", "date", "datetime", "at"), "labelled_at"),
    "confidence": "",
}
"""What a column says of one annotator's answer, by the folded word in its name; ``time`` may be two things."""

SKIPS: Final = ("?", "??", "skip", "skipped", "cannot tell", "can't tell", "unsure", "not sure", "n/a")
"""What people write who could not tell, in small letters."""

_WORD_STEMS: Final = {"r", "w", "u", "user", "p"}
_YES_NO: Final = {"yes", "no", "y", "n", "true", "false", "t", "f", "0", "1", "maybe", "unknown", "none", "x"}
_TYPES: Final = {"text", "integer", "boolean"}
_MOST_VALUES: Final = 50
_MOST_CLASSES: Final = 2_000
_OF_LABELS: Final = 0.95
_BY_NAME: Final = 0.5
_BY_VALUE: Final = 0.9
_PAIRS: Final = 60
_FEW: Final = 5
_AGREE: Final = 0.1
_AGREE_YES_NO: Final = 0.25
_SHOWN: Final = 3
_ASKED: Final = 8


@dataclass(frozen=True)
class Family:
    """The columns of one annotator each.

    Attributes
    ----------
    people
        Column to annotator's name, in file order.
    reason
        Why they are taken for that.
    named_by
        Column to the column whose values name the annotator, where the file has such.
    """

    people: Mapping[str, str]
    reason: str
    named_by: Mapping[str, str]


def fold(name: str) -> str:
    """Return a name's letters and digits, small."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def split_extra(name: str) -> tuple[str, str] | None:
    """Split ``anna_seconds`` or ``seconds_anna`` into whose it is and what it says; None for other names.

    Examples
    --------
    >>> split_extra("Anna lead time"), split_extra("comment_1"), split_extra("anna")
    (('Anna', 'seconds'), ('1', 'comment'), None)
    """
    words = re.split(f"{_SIGN}+", name)
    for size in (2, 1):
        if len(words) > size:
            for whose, what in ((words[:-size], words[-size:]), (words[size:], words[:size])):
                if fold("".join(what)) in EXTRAS:
                    return " ".join(whose), EXTRAS[fold("".join(what))]
    return None


def find_family(source: Source, roles: Roles, options: LoadOptions) -> tuple[Family | None, tuple[str, ...]]:
    """Find the columns that hold one annotator's answers each.

    Parameters
    ----------
    source
        A whole file.
    roles
        The roles of its columns as far as names and the user tell.
    options
        ``--role vote=COLUMN`` names such columns; ``--role feature=COLUMN`` says that one is none.

    Returns
    -------
    tuple of Family (or None) and tuple of str
        The columns, and what a person should know where none are taken.

    Raises
    ------
    NeedsChoiceError
        If some columns may be that or features.
    """
    said = [name for name in source.table.names if (EVERY_ROLE, name) in options.roles]
    if said:
        return Family(_name_people(said), "you said so", {}), ()
    if options.kind in {"items", "predictions"} or roles.column("annotator") is not None:
        return None, ()
    taken = {column for _role, column in options.roles}
    pool = [
        facts
        for facts in source.facts
        if facts.name in roles.features and facts.name not in taken
        # Whole numbers with a gap arrive as numbers.
        if facts.type in _TYPES or (facts.type == "number" and facts.whole)
    ]
    counts = _Counts(source)
    family = _find_named(counts, pool, roles)
    if family is not None:
        return family, ()
    if {"given_label", "predicted", "pred_probs"} & roles.single.keys() or roles.probabilities:
        return None, ()
    return _find_alike(counts, [facts for facts in pool if facts.type == "text"])


class _Counts:
    """How often each value stands in a column, asked once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._known: dict[str, Counter[str]] = {}

    def find(self, name: str) -> Counter[str]:
        if name not in self._known:
            query = template(
                "SELECT trim({label}), count(*) FROM raw WHERE trim({label}) != '' GROUP BY 1",
                label=self.source.to_text(name),
            )
            self._known[name] = Counter(
                {str(found): int(times) for found, times in self.source.scratch.fetch_all(query)}
            )
        return self._known[name]

    def classes(self, name: str) -> Counter[str]:
        """Return the counts without the words for "cannot tell"."""
        return Counter({found: times for found, times in self.find(name).items() if found.casefold() not in SKIPS})

    def agreement(self, names: Sequence[str]) -> tuple[int, float]:
        """Return in how many pairs of cells two columns both answer, and Cohen's kappa over all of them."""
        pairs = both = alike = 0
        expected = 0.0
        for first, second in islice(combinations(names, 2), _PAIRS):
            query = template(
                "SELECT count(*), count(*) FILTER (trim({a}) = trim({b})) FROM raw "
                "WHERE trim({a}) != '' AND trim({b}) != ''",
                a=self.source.to_text(first),
                b=self.source.to_text(second),
            )
            both, same = self.source.scratch.fetch_all(query)[0]
            one, other = self.find(first), self.find(second)
            chance = sum(one[found] * other[found] for found in one) / max(1, one.total() * other.total())
            pairs, alike, expected = pairs + both, alike + same, expected + both * chance
        return pairs, (alike - expected) / (pairs - expected) if pairs > expected else 0.0


def _name_people(columns: Sequence[str]) -> dict[str, str]:
    """Name the annotators: the columns' names without what the names have in common, such as ``label_``."""
    for pattern in (_LABEL_FIRST, _LABEL_LAST, _PEOPLE_FIRST):
        found = [pattern.fullmatch(name) for name in columns]
        if all(match and not _NUMBERED.fullmatch(match[0]) for match in found) and len(columns) > 1:
            names = [match.groupdict().get("name") or match.groupdict().get("number") for match in found if match]
            if len({fold(str(name)) for name in names}) == len(columns):
                return {column: str(name) for column, name in zip(columns, names, strict=True)}
    return {column: column for column in columns}


def _find_named(counts: _Counts, pool: Sequence[ColumnFacts], roles: Roles) -> Family | None:
    families: dict[tuple[str, str], list[str]] = {}
    for facts in pool:
        extra = split_extra(facts.name)
        for pattern, kind in (
            (_NUMBERED, "who"),
            (_LABEL_FIRST, "label"),
            (_LABEL_LAST, "label"),
            (_PEOPLE_FIRST, "who"),
        ):
            match = pattern.fullmatch(facts.name)
            if match is not None and extra is None:
                families.setdefault((kind, match["word"].casefold().rstrip("s")), []).append(facts.name)
                break
    labels = roles.column("given_label")
    fitting: dict[tuple[str, str], list[str]] = {}
    for key, names in families.items():
        kept = _share_values(counts, names, labels)
        if len(kept) > 1:
            fitting[key] = kept
    answering = {key: names for key, names in fitting.items() if key[0] == "label"} or fitting
    if not answering:
        return None
    if len(answering) > 1:
        raise _ask(counts.source, [name for names in answering.values() for name in names])
    key, names = next(iter(answering.items()))
    naming = {}
    if key[0] == "label":
        ends = {_find_end(name): name for kind, others in families.items() if kind[0] == "who" for name in others}
        naming = {name: ends[_find_end(name)] for name in names if _find_end(name) in ends}
    named_by = naming if len(naming) == len(names) else {}
    if not named_by and labels is None and _are_texts(counts, names):
        return None
    reason = f"named {list_names(names, _SHOWN)}, with values of one small set"
    return Family(_name_people(names), reason, named_by)


def _find_end(name: str) -> str:
    """Return the number or letter that tells ``annotator_1`` from ``annotator_2``."""
    return re.split(r"(?<=\D)(?=\d+$)|" + _SIGN, name)[-1].casefold()


def _are_texts(counts: _Counts, names: Sequence[str]) -> bool:
    """Tell whether nearly every value is another: answers in free words, not classes."""
    values: Counter[str] = sum((counts.classes(name) for name in names), Counter())
    return len(values) > _FEW and len(values) > values.total() / 2


def _share_values(counts: _Counts, names: Sequence[str], labels: str | None) -> list[str]:
    """Return the columns whose values are those of the others, and of the file's own labels if it has any."""
    facts = {facts.name: facts for facts in counts.source.facts}
    names = [name for name in names if facts[name].distinct <= _MOST_CLASSES]
    if labels is not None:
        known = counts.find(labels).keys()
        names = [name for name in names if _find_share(counts.classes(name), known) >= _OF_LABELS]
        return [name for name in names if counts.find(name)]
    if all(not counts.classes(name) for name in names):
        return []
    kept = []
    for name in names:
        mine = counts.classes(name)
        others = {found for other in names if other != name for found in counts.classes(other)}
        if mine.total() < _FEW or _find_share(mine, others) >= _BY_NAME:
            kept.append(name)
    return kept


def _find_share(values: Counter[str], known: Iterable[str]) -> float:
    """Return the share of cells whose value is known; 1 for a column without values."""
    among = set(known)
    total = values.total()
    return sum(times for found, times in values.items() if found in among) / total if total else 1.0


def _find_alike(counts: _Counts, pool: Sequence[ColumnFacts]) -> tuple[Family | None, tuple[str, ...]]:
    """Find text columns that hold the same few values and agree more than chance does."""
    names = [
        facts.name
        for facts in pool
        if facts.distinct <= 2 * _MOST_VALUES and split_extra(facts.name) is None and counts.classes(facts.name)
    ]
    groups: list[list[str]] = []
    for name in names:
        near = [group for group in groups if any(_are_alike(counts, name, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), name])
    groups = [kept for group in groups if len(kept := _keep_alike(counts, group)) > 1]
    judged = [(group, _judge(counts, group)) for group in groups]
    unclear = [group for group, verdict in judged if verdict == "ask"]
    taken = [group for group, verdict in judged if verdict == "take"]
    if unclear or len(taken) > 1:
        raise _ask(counts.source, (unclear or taken)[0])
    if taken:
        reason = f"{list_names(taken[0], _SHOWN)} hold the same few values and agree"
        return Family({name: name for name in taken[0]}, reason, {}), ()
    return None, tuple(
        f"The columns {list_names(group, _ASKED)} hold the same few values. They are read as features; if each holds "
        f"one annotator's answers, say --role vote={group[0]} --role vote={group[1]} and so on."
        for group, verdict in judged
        if verdict == "tell"
    )


def _are_alike(counts: _Counts, first: str, second: str) -> bool:
    one, other = counts.classes(first), counts.classes(second)
    return _find_share(one, other) >= _BY_NAME and _find_share(other, one) >= _BY_NAME


def _keep_alike(counts: _Counts, group: Sequence[str]) -> list[str]:
    """Return the columns of a group whose values nearly all stand in the others, if all are few and repeat."""
    values: Counter[str] = sum((counts.classes(name) for name in group), Counter())
    if not 1 < len(values) <= _MOST_VALUES or len(values) > values.total() / 2:
        return []
    return [
        name
        for name in group
        if _find_share(
            counts.classes(name), {found for other in group if other != name for found in counts.classes(other)}
        )
        >= _BY_VALUE
    ]


def _judge(counts: _Counts, group: Sequence[str]) -> str:
    """Say of columns with the same values: ``take`` as annotators, ``ask``, ``tell`` of them, or ``leave`` them."""
    pairs, kappa = counts.agreement(group)
    agree = pairs < _FEW or kappa >= _AGREE
    yes_no = {found.casefold() for name in group for found in counts.classes(name)} <= _YES_NO
    stems = {re.sub(r"\d+$", "", name).casefold().strip(" _.-") for name in group}
    words = [set(re.split(f"{_SIGN}+", name.casefold())) for name in group]
    if yes_no and (pairs < _FEW or kappa < _AGREE_YES_NO):
        return "leave"
    if len(stems) == 1 and stems.isdisjoint(_WORD_STEMS):
        return "ask" if agree else "leave"
    if len(stems) > 1 and set.intersection(*words):
        return "tell"
    return "take" if agree else "ask"


def _ask(source: Source, names: Sequence[str]) -> NeedsChoiceError:
    return NeedsChoiceError(
        f"{source.path.name}: the columns {list_names(names, _ASKED)} hold the same few values. If each holds one "
        f"annotator's answers, say so with --role vote={names[0]} --role vote={names[1]} and so on; if they describe "
        f"the items, say --role feature={names[0]}."
    )
