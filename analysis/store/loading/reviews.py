"""Reviews: what a reviewer said of a vote, kept beside it, and as evidence of its own where it says a label.

A verdict that names a class says that label. One that accepts says the label of the vote. One that rejects without
a class says none. Anything else is only kept.
"""

from collections.abc import Iterable
from typing import Final

from analysis.roles import Roles
from analysis.store.loading.people import add_annotators
from analysis.store.loading.report import Tally
from analysis.store.sql import Fragment, template, value
from analysis.store.workspace import Writer

__all__ = ["ACCEPTED", "PENDING", "REJECTED", "read_verdicts", "review_given", "take_reviews"]

# What was fixed is exported as it was fixed: the label is the reviewer's.
ACCEPTED: Final = (
    "accept", "accepted", "approve", "approved", "ok", "okay", "correct", "right", "yes", "y", "pass", "passed",
    "agree", "agreed", "true", "1", "fixed", "fix and accept", "fixed and accepted",
)  # fmt: skip
REJECTED: Final = (
    "reject", "rejected", "decline", "declined", "incorrect", "wrong", "no", "n", "fail", "failed", "disagree",
    "disagreed", "false", "0",
)  # fmt: skip
PENDING: Final = (
    "submitted", "pending", "open", "new", "todo", "in review", "not reviewed", "unreviewed", "none", "n/a", "na", "-",
)  # fmt: skip


def read_verdicts(verdicts: Iterable[str], classes: Iterable[str]) -> dict[str, str | bool]:
    """Read what verdicts mean.

    Where every verdict of a file is a word for accepted, rejected or pending, that is what they are, also for
    classes called yes and no; else the name of a class comes first.

    Parameters
    ----------
    verdicts
        All that differ, as written.
    classes
        The names of the classes.

    Returns
    -------
    dict of str to (str or bool)
        The class that a verdict names, or whether it accepts; pending and unknown ones are left out.

    Examples
    --------
    >>> read_verdicts(["Accepted", "dog", "later"], ["cat", "dog"])
    {'Accepted': True, 'dog': 'dog'}
    """
    found = list(verdicts)
    words = {verdict: _read_word(verdict) for verdict in found}
    only_words = all(words[verdict] is not None or _fold(verdict) in PENDING for verdict in found)
    names = {name: name for name in classes}
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(_fold(name), []).append(name)
    meanings: dict[str, str | bool] = {}
    for verdict in found:
        twins = folded.get(_fold(verdict), [])
        named = None if only_words else names.get(verdict, twins[0] if len(twins) == 1 else None)
        meaning = named if named is not None else words[verdict]
        if meaning is not None:
            meanings[verdict] = meaning
    return meanings


def _fold(verdict: str) -> str:
    return verdict.strip().casefold()


def _read_word(verdict: str) -> bool | None:
    word = _fold(verdict)
    return True if word in ACCEPTED else False if word in REJECTED else None


def review_given(writer: Writer, roles: Roles, tally: Tally) -> None:
    """Keep what was said of given labels, for items in ``staged`` (with numbers) that name who gave the label.

    The given label's vote gets reviewer and verdict where it has none; what the reviewer says counts as in
    :func:`take_reviews`.
    """
    if roles.column("reviewer"):
        add_annotators(writer, expert=False, column="reviewer")
    told = Fragment(
        "FROM staged s JOIN annotators g ON g.name = s.annotator LEFT JOIN annotators r ON r.name = s.reviewer "
        "WHERE votes.item = s.item AND votes.annotator = g.annotator AND votes.source = 'given' "
        "AND votes.label = s.given_label AND (s.verdict IS NOT NULL OR r.annotator IS NOT NULL) "
        "AND votes.reviewer IS NULL AND votes.verdict IS NULL"
    )
    if writer.fetch_one(template("SELECT count(*) FROM votes WHERE EXISTS (SELECT 1 {told})", told=told))[0]:
        writer.execute(template("UPDATE votes SET reviewer = r.annotator, verdict = s.verdict {told}", told=told))
        tally.changed = True
    take_reviews(writer, tally)


def take_reviews(writer: Writer, tally: Tally) -> None:
    """Keep what reviewers said of the votes in ``staged`` (with items) as votes of source ``review``, each once."""
    found = writer.fetch_all(
        Fragment(
            "SELECT verdict, count(*) FROM staged WHERE reviewer IS NOT NULL AND verdict IS NOT NULL "
            "GROUP BY verdict ORDER BY verdict"
        )
    )
    meanings = read_verdicts([verdict for verdict, _rows in found], writer.classes)
    unread = [(verdict, rows) for verdict, rows in found if verdict not in meanings and _fold(verdict) not in PENDING]
    if unread:
        tally.notes.append(
            f"Verdicts that name no class and neither accept nor reject: {sum(rows for _verdict, rows in unread):,}, "
            f"for example {unread[0][0]!r}. They are kept with the vote."
        )
    both = next((name for name in meanings if name in writer.classes and isinstance(meanings[name], bool)), None)
    if both is not None:
        tally.notes.append(f"The verdict {both!r} is a class too; it is read as a word for accepted or rejected.")
    if not meanings:
        return
    accepting = [verdict for verdict, meaning in meanings.items() if meaning is True]
    naming = {verdict: meaning for verdict, meaning in meanings.items() if isinstance(meaning, str)}
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE said AS SELECT min(s.row) AS row, s.item, g.annotator, s.verdict, "
            "CASE WHEN s.verdict = ANY({accepting}) THEN s.given_label ELSE c.label END AS label "
            "FROM staged s JOIN annotators g ON g.name = s.reviewer "
            "LEFT JOIN (SELECT unnest({verdicts}) AS verdict, unnest({labels}) AS label) c ON c.verdict = s.verdict "
            "WHERE s.verdict = ANY({read}) GROUP BY ALL",
            accepting=_texts(accepting),
            verdicts=_texts(list(naming)),
            labels=_texts(list(naming.values())),
            read=_texts(list(meanings)),
        )
    )
    _insert_said(writer, tally)


def _texts(names: list[str]) -> Fragment:
    return template("CAST({names} AS VARCHAR[])", names=value(names))


def _insert_said(writer: Writer, tally: Tally) -> None:
    known = Fragment(
        "EXISTS (SELECT 1 FROM votes v WHERE v.source = 'review' AND v.item = n.item AND v.annotator = n.annotator "
        "AND v.label IS NOT DISTINCT FROM n.label AND v.verdict = n.verdict)"
    )
    writer.execute(template("DELETE FROM said n WHERE {known}", known=known))
    new, people = writer.fetch_one(Fragment("SELECT count(*), count(DISTINCT annotator) FROM said"))
    if not new:
        return
    writer.execute(
        Fragment(
            "INSERT INTO votes (vote, item, annotator, label, source, verdict) "
            "SELECT (SELECT coalesce(max(vote), 0) FROM votes) + row_number() OVER (ORDER BY row), item, annotator, "
            "label, 'review', verdict FROM said ORDER BY row"
        )
    )
    who = f"{people:,} reviewer{'s' * (people != 1)}"
    tally.notes.append(f"Labels that {who} said: {new:,}. They are evidence of their own, not votes of the panel.")
    tally.changed = True
