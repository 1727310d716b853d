"""People and their names: who is who, and which names may be one person.

A proposal is never a merge: files say names, and only somebody who knows the people can say that two names are one.
Precision comes first, so ids such as ``a07`` and ``a08`` are never alike, and initials propose only where exactly
one person fits them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import pandas as pd

from analysis.errors import AnalysisError
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Snapshot

__all__ = ["count_shared_items", "fetch_people", "propose_merges", "resolve_names"]

_EMAIL: Final = re.compile(r"(?P<local>[^@\s]+)@(?P<domain>[^@\s]+\.[^@\s]+)")
_WORD: Final = re.compile(r"[^\W_]+")
_PAIR: Final = 2
_SHORTEST_JOINED: Final = 6  # letters in "annaberg": shorter ones are too often something else
_SHORTEST_SURNAME: Final = 3
_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})
_PLAIN: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe"})

_SCORES: Final[Mapping[str, float]] = {
    "they differ only in blanks and capitals": 1.0,
    "the same e-mail address, written differently": 1.0,
    "they differ only in accents": 0.95,
    "the same words with other signs between them": 0.9,
    "the name in the e-mail address is the other's": 0.9,
    "the same words in another order": 0.85,
    "the same name at two mail domains": 0.8,
    "the initial and surname fit nobody else": 0.6,
}
_BLANKS, _ADDRESS, _ACCENTS, _SIGNS, _LOCAL, _ORDER, _DOMAINS, _INITIAL = _SCORES


_Rank: TypeAlias = tuple[bool, int, bool, str]


@dataclass(frozen=True)
class _Name:
    """A name taken apart; ``words`` come from the local part of an e-mail address."""

    name: str
    person: str
    votes: int
    plain: str
    words: tuple[str, ...]
    email: bool

    @property
    def full(self) -> bool:
        """At least two words of letters: a person's name, not an id."""
        return len(self.words) > 1 and all(word.isalpha() and len(word) > 1 for word in self.words)


def propose_merges(people: pd.DataFrame) -> pd.DataFrame:
    """Propose which names may be one person.

    Parameters
    ----------
    people
        One row a name: ``name`` (text). Optional: ``person``, the name of the person that it is known to stand for
        (itself where the column is absent), and ``votes``, by which the name to keep is chosen (0 where absent).

    Returns
    -------
    DataFrame
        ``a`` (the person to be merged), ``b`` (the person to keep), ``score`` (0 to 1, higher is surer; an order,
        not a probability), ``reason``; surest first, then by name. Of a group of n alike names n - 1 rows, each to
        the one with the most votes. Never two names that are one person already.

    Raises
    ------
    AnalysisError
        If the column ``name`` is missing.

    Examples
    --------
    >>> people = pd.DataFrame({"name": ["Anna Berg", "anna.berg@x.com", "a07", "a08"], "votes": [9, 1, 5, 5]})
    >>> propose_merges(people).to_dict("records")[0]["reason"]
    "the name in the e-mail address is the other's"
    """
    if "name" not in people.columns:
        raise AnalysisError(f"People need the column name. Found: {', '.join(map(str, people.columns)) or 'none'}.")
    named = people["name"].astype(str)
    owners = people["person"].astype(str) if "person" in people.columns else named
    votes = people["votes"].fillna(0) if "votes" in people.columns else pd.Series(0, index=people.index)
    names = [_take_apart(*row) for row in zip(named, owners, votes, strict=True)]
    rank = _rank_people(names)
    best: dict[tuple[str, str], str] = {}
    for reason, group in _find_groups(names, rank):
        # Of many alike names each is paired with the first alone: all pairs would say the same over and over.
        first, *rest = sorted({name.person for name in group}, key=lambda person: rank[person])
        for other in rest:
            known = best.get((other, first))
            if known is None or _SCORES[reason] > _SCORES[known]:
                best[other, first] = reason
    rows = sorted((-_SCORES[reason], a, b, reason) for (a, b), reason in best.items())
    return pd.DataFrame([(a, b, -low, reason) for low, a, b, reason in rows], columns=["a", "b", "score", "reason"])


def _take_apart(name: str, person: str, votes: float) -> _Name:
    tidy = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    address = _EMAIL.fullmatch(tidy)
    said = address["local"].partition("+")[0] if address else tidy
    if not address and said.count(",") == 1:
        # Berg, Anna
        last, first = said.split(",")
        said = f"{first} {last}"
    return _Name(name, person, int(votes), tidy, tuple(_WORD.findall(said)), address is not None)


def _rank_people(names: Sequence[_Name]) -> dict[str, _Rank]:
    """Rank people, whom to keep first: who has several names already, then by votes, then real names before ids."""
    known: dict[str, list[_Name]] = {}
    for name in names:
        known.setdefault(name.person, []).append(name)
    return {
        person: (
            len(group) == 1,
            -sum(name.votes for name in group),
            not any(name.full and not name.email for name in group),
            person,
        )
        for person, group in known.items()
    }


def _find_groups(names: Sequence[_Name], rank: Mapping[str, _Rank]) -> Iterator[tuple[str, list[_Name]]]:
    """Give groups of names that are alike, each with the reason; a name may be in several."""
    addresses = [name for name in names if name.email]
    others = [name for name in names if not name.email]
    for group in _gather(names, lambda name: {name.plain}):
        yield (_ADDRESS if group[0].email else _BLANKS), group
    for group in _gather(others, lambda name: _fold_accents(name.plain)):
        yield _ACCENTS, group
    for group in _gather(others, lambda name: _spell(name) if len(name.words) > 1 else set()):
        yield _SIGNS, group
    for group in _gather(others, lambda name: _fold_accents(" ".join(sorted(name.words))) if name.full else set()):
        yield _ORDER, group
    for group in _gather(addresses, lambda name: _spell(name) if name.full else set()):
        yield _DOMAINS, group
    for group in _gather(names, _find_local_keys):
        senders = {name.plain for name in group if name.email}
        # Of annotator1@a.com and annotator1@b.com the name tells nothing.
        if senders and len(senders) < len(group) and (len(senders) == 1 or all(name.full for name in group)):
            yield _LOCAL, group
    yield from _find_initials(names, rank)


def _gather(names: Iterable[_Name], find_keys: Callable[[_Name], Iterable[str]]) -> Iterator[list[_Name]]:
    """Give the groups of several people whose names share a key."""
    found: dict[str, list[_Name]] = {}
    for name in names:
        for key in find_keys(name):
            found.setdefault(key, []).append(name)
    return (group for group in found.values() if len({name.person for name in group}) > 1)


def _fold_accents(text: str) -> set[str]:
    """Return a text without accents, in both ways of writing it: Jürgen is Jurgen and Juergen."""
    return {
        "".join(
            sign for sign in unicodedata.normalize("NFKD", text.translate(table)) if not unicodedata.combining(sign)
        )
        for table in (_GERMAN, _PLAIN)
    }


def _find_local_keys(name: _Name) -> set[str]:
    """Return what the part of an address before the @ may be compared with: anna.berg is Anna Berg and annaberg."""
    joined = "".join(name.words)
    long = len(joined) >= _SHORTEST_JOINED or len(name.words) == 1
    return _spell(name) | (_fold_accents(joined) if long else set())


def _find_initials(names: Sequence[_Name], rank: Mapping[str, _Rank]) -> Iterator[tuple[str, list[_Name]]]:
    """Pair ABerg and a.berg with Anna Berg where no other full name fits."""
    full: dict[str, list[_Name]] = {}
    for name in sorted(names, key=lambda name: rank[name.person]):
        if name.full and len(name.words[-1]) >= _SHORTEST_SURNAME:
            for key in _fold_accents(name.words[0][0] + name.words[-1]):
                full.setdefault(key, []).append(name)
    for name in names:
        short = len(name.words) == _PAIR and len(name.words[0]) == 1
        if not "".join(name.words).isalpha() or not (short or len(name.words) == 1):
            continue
        fitting = [found for key in _fold_accents("".join(name.words)) for found in full.get(key, [])]
        # Several ways of writing one full name are one person.
        if fitting and all(_spell(found) & _spell(fitting[0]) for found in fitting):
            yield _INITIAL, [name, fitting[0]]


def _spell(name: _Name) -> set[str]:
    return _fold_accents(" ".join(name.words))


def fetch_people(snapshot: Snapshot) -> pd.DataFrame:
    """Return everybody, one row a person, in order of their name.

    Returns
    -------
    DataFrame
        ``person, pseudonym, names`` (a list, the person's own first), ``pseudonyms`` (of these), ``team, time_zone``
        (NA where unknown), ``expert, votes`` (reviews left out), ``reviews, first_vote, last_vote`` (UTC, NaT where
        no time is known).
    """
    return snapshot.fetch(
        Fragment(
            "WITH counted AS (SELECT annotator, count(*) FILTER (source != 'review') AS votes, "
            "count(*) FILTER (source = 'review') AS reviews, min(labelled_at) AS first_vote, "
            "max(labelled_at) AS last_vote FROM votes GROUP BY annotator) "
            "SELECT p.name AS person, p.pseudonym, list(a.name ORDER BY a.name != p.name, a.name) AS names, "
            "list(a.pseudonym ORDER BY a.name != p.name, a.name) AS pseudonyms, "
            "p.team, p.time_zone, p.expert, coalesce(sum(c.votes), 0) AS votes, "
            "coalesce(sum(c.reviews), 0) AS reviews, min(c.first_vote) AS first_vote, max(c.last_vote) AS last_vote "
            "FROM people p JOIN annotators a ON a.annotator = p.annotator "
            "LEFT JOIN counted c ON c.annotator = p.annotator GROUP BY ALL ORDER BY p.name"
        )
    )


def resolve_names(snapshot: Snapshot) -> dict[str, str]:
    """Return the person behind every name that was merged; other names stand for themselves and are left out."""
    return dict(
        snapshot.fetch_all(
            Fragment(
                "SELECT a.name, p.name FROM annotators a JOIN people p ON p.annotator = a.annotator "
                "WHERE a.alias_of IS NOT NULL ORDER BY a.name"
            )
        )
    )


def count_shared_items(snapshot: Snapshot, pairs: Sequence[tuple[str, str]]) -> list[int]:
    """Count for each pair of people the items that both labelled: evidence that they are two.

    An item where all that one of them said the other said too, at the same moment, is none: that is one person's work,
    told under two names. Votes without a time are nobody else's.

    Parameters
    ----------
    snapshot
        The workspace.
    pairs
        P pairs of names of people.

    Returns
    -------
    list of int
        P counts; reviews are left out, since people review what others labelled.
    """
    if not pairs:
        return []
    rows = snapshot.fetch_all(
        template(
            "WITH pairs AS (SELECT unnest({left}) AS a, unnest({right}) AS b), "
            "asked AS (SELECT a AS name FROM pairs UNION SELECT b FROM pairs), "
            "done AS (SELECT p.name, v.item, list(DISTINCT CASE WHEN v.labelled_at IS NULL "
            "THEN CAST(v.vote AS VARCHAR) ELSE concat_ws(' ', v.labelled_at, v.label) END) AS said "
            "FROM votes v JOIN people p ON p.annotator = v.annotator "
            "JOIN asked q ON q.name = p.name WHERE v.source != 'review' GROUP BY p.name, v.item) "
            "SELECT q.a, q.b, count(*) FROM pairs q JOIN done x ON x.name = q.a "
            "JOIN done y ON y.name = q.b AND y.item = x.item "
            "WHERE NOT list_has_all(x.said, y.said) AND NOT list_has_all(y.said, x.said) GROUP BY q.a, q.b",
            left=value([a for a, _b in pairs]),
            right=value([b for _a, b in pairs]),
        )
    )
    found = {(a, b): int(n) for a, b, n in rows}
    return [found.get(pair, 0) for pair in pairs]
