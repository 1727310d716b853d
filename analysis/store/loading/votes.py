"""Votes: who labelled what, as often as it happened; identical rows count once.

A vote that is told again, and no more fully, is the same vote. One that is told more fully, with its time or its
review say, takes the place of what was known.
"""

from typing import Final

from analysis.errors import AnalysisError, FileFaultError
from analysis.store.loading.matching import match_items
from analysis.store.loading.people import add_annotators, add_classes, order_classes
from analysis.store.loading.positions import keep_shift
from analysis.store.loading.report import Tally
from analysis.store.loading.reviews import PENDING, take_reviews
from analysis.store.loading.staging import Plan, check_rejects, count_staged, reject_rows
from analysis.store.loading.teams import keep_batches, keep_teams
from analysis.store.loading.times import settle_times
from analysis.store.sql import Fragment, column_of, identifier, join, template, value
from analysis.store.workspace import Writer

__all__ = ["take_votes"]

_DETAILS: Final = (
    "started_at", "labelled_at", "seconds", "batch", "round", "suggested", "guideline", "comment", "reviewer",
    "verdict",
)  # fmt: skip
_ALIKE: Final = Fragment("v.item = n.item AND v.annotator = n.annotator AND v.label IS NOT DISTINCT FROM n.label")
"""Whether as a given label, a vote or an expert's: somebody said it of the item, and is not counted twice."""
_OCCASION: Final = ("started_at", "batch", "round")
"""What tells two answers of one person apart beside the time: not a correction, but another occasion."""


def take_votes(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Take the rows of ``staged`` in as votes; ids that are no items yet become items without a given label.

    Raises
    ------
    AnalysisError
        If no column names the annotator.
    FileFaultError
        If too many rows are faulty.
    """
    roles = plan.roles
    if roles.column("annotator") is None or roles.column("given_label") is None:
        missing = "annotator" if roles.column("annotator") is None else "given_label"
        raise AnalysisError(
            f"{plan.name} is read as votes, but no column is the {missing}. Name it with --role {missing}=COLUMN."
        )
    faults = writer.fetch_all(
        Fragment("SELECT row, item_id IS NULL FROM staged WHERE item_id IS NULL OR annotator IS NULL ORDER BY row")
    )
    named = [
        (row, roles.column("item_id" if no_id else "annotator"), "no id" if no_id else "no annotator")
        for row, no_id in faults
    ]
    tally.rejects.extend(reject_rows(writer, plan, named))
    check_rejects(plan, tally.rejects, count_staged(writer))
    settle_times(writer, roles, tally)
    add_annotators(writer, expert=plan.options.gold)
    if roles.column("reviewer"):
        add_annotators(writer, expert=plan.options.gold, column="reviewer")
    labels = writer.fetch_all(Fragment("SELECT DISTINCT given_label FROM staged WHERE given_label IS NOT NULL"))
    add_classes(writer, plan.options.classes)
    add_classes(writer, order_classes(label for (label,) in labels))
    _make_items(writer, plan, tally)
    _merge(writer, plan, tally)
    keep_batches(writer, tally)
    if roles.column("team"):
        keep_teams(writer, tally)
    if roles.column("reviewer") and roles.column("verdict"):
        take_reviews(writer, tally)


def _make_items(writer: Writer, plan: Plan, tally: Tally) -> None:
    match_items(writer, plan)
    writer.execute(
        template(
            "UPDATE staged SET split = {split} WHERE item IS NULL AND split IS NULL",
            split=value(plan.split_by_name or "train"),
        )
    )
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT split, item_id, (SELECT coalesce(max(item), 0) FROM items) "
            "+ row_number() OVER (ORDER BY min(row)) AS item FROM staged WHERE item IS NULL GROUP BY split, item_id"
        )
    )
    made = int(writer.fetch_one(Fragment("SELECT count(*) FROM fresh"))[0])
    if not made:
        return
    writer.execute(
        Fragment("INSERT INTO items (item, split, item_id) SELECT item, split, item_id FROM fresh ORDER BY item")
    )
    writer.execute(Fragment("INSERT INTO features (item) SELECT item FROM fresh ORDER BY item"))
    writer.execute(Fragment("INSERT INTO current (item, label) SELECT item, NULL FROM fresh ORDER BY item"))
    writer.execute(
        Fragment(
            "UPDATE staged SET item = f.item FROM fresh f WHERE staged.item IS NULL AND f.item_id = staged.item_id "
            "AND f.split = staged.split"
        )
    )
    writer.forget()
    keep_shift(writer, Fragment("fresh"), f"{made:,} of them came from the votes in {plan.name}")
    tally.notes.append(f"Ids that were no items yet: {made:,}. They became items without a given label.")


def _merge(writer: Writer, plan: Plan, tally: Tally) -> None:
    """Make ``incoming``, each vote of the file once, and ``fresh``, those that say more than is known; keep these."""
    told = [name for name in _DETAILS if plan.roles.column(name) or name == "seconds"]
    columns = [Fragment("r.annotator") if name == "reviewer" else _detail("s", name) for name in told]
    identity = [Fragment("s.item"), Fragment("g.annotator"), Fragment("s.given_label"), *columns]
    reviewers = Fragment("LEFT JOIN annotators r ON r.name = s.reviewer")
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE incoming AS SELECT min(s.row) AS row, s.item, g.annotator, "
            "s.given_label AS label, {details}, {source} AS source FROM staged s "
            "JOIN annotators g ON g.name = s.annotator {reviewed} GROUP BY {identity}",
            details=join(", ", [_under(name, column) for name, column in zip(told, columns, strict=True)]),
            source=value("expert" if plan.options.gold else "vote"),
            reviewed=reviewers if "reviewer" in told else Fragment(""),
            identity=join(", ", identity),
        )
    )
    if plan.options.gold:
        _raise_to_experts(writer, told, tally)
    rows = count_staged(writer)
    distinct = int(writer.fetch_one(Fragment("SELECT count(*) FROM incoming"))[0])
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM incoming WHERE row NOT IN "
            "(SELECT n.row FROM incoming n JOIN votes v ON {alike} WHERE {nothing_new})",
            alike=_ALIKE,
            nothing_new=join(" AND ", [_tells_nothing_new("n", "v", name) for name in told]),
        )
    )
    _drop_outdone(writer, told)
    tally.replaced += _drop_corrected(writer, plan, told)
    new = int(writer.fetch_one(Fragment("SELECT count(*) FROM fresh"))[0])
    # An insert of no rows would hide what the same transaction inserts later; see _insert_items.
    if new:
        writer.execute(
            template(
                "INSERT INTO votes (vote, item, annotator, label, source, {names}) SELECT "
                "(SELECT coalesce(max(vote), 0) FROM votes) + row_number() OVER (ORDER BY row), item, annotator, "
                "label, source, {names} FROM fresh ORDER BY row",
                names=join(", ", [identifier(name, _DETAILS) for name in told]),
            )
        )
    tally.kept += new
    tally.already_there += distinct - new
    tally.duplicates += rows - distinct
    tally.changed = tally.changed or new > 0


def _detail(alias: str, name: str) -> Fragment:
    return column_of(alias, identifier(name, _DETAILS))


def _under(name: str, column: Fragment) -> Fragment:
    return template("{column} AS {name}", column=column, name=identifier(name, _DETAILS))


def _raise_to_experts(writer: Writer, told: list[str], tally: Tally) -> None:
    """Make known votes that are told again, as those of experts, votes of experts."""
    known = template(
        "SELECT v.vote FROM incoming n JOIN votes v ON {alike} WHERE v.source != 'expert' AND {nothing_new}",
        alike=_ALIKE,
        nothing_new=join(" AND ", [_tells_nothing_new("n", "v", name) for name in told]),
    )
    raised = int(writer.fetch_one(template("SELECT count(DISTINCT vote) FROM ({known})", known=known))[0])
    if raised:
        writer.execute(template("UPDATE votes SET source = 'expert' WHERE vote IN ({known})", known=known))
        tally.notes.append(f"Known votes that are votes of experts now: {raised:,}.")
        tally.changed = True


def _drop_outdone(writer: Writer, told: list[str]) -> None:
    """Drop votes that are told more fully now: known only as a given label, or with gaps that are filled.

    One that the same file tells again as it was known is no less complete vote, but another.
    """
    untold = [template("{open} IS NULL", open=_detail("v", name)) for name in _DETAILS if name not in told]
    filled = join(" AND ", [*untold, *(_tells_nothing_new("v", "n", name) for name in told)])
    same = [template("{a} IS NOT DISTINCT FROM {b}", a=_detail("v", name), b=_detail("n", name)) for name in told]
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE outdone AS SELECT v.vote, v.source, n.row FROM fresh n JOIN votes v "
            "ON {alike} WHERE (v.source = 'given' OR ({filled})) AND v.vote NOT IN "
            "(SELECT v.vote FROM incoming n JOIN votes v ON {alike} WHERE {same})",
            alike=_ALIKE,
            filled=filled,
            same=join(" AND ", [*untold, *same]),
        )
    )
    _drop_for(writer, Fragment("outdone"))


def _drop_corrected(writer: Writer, plan: Plan, told: list[str]) -> int:
    """Drop votes that are told with another label now, and return how many they are.

    It is the same vote if the person gave it at the same time. Where no time is known it is, if it is the only one
    of the person for the item. A given label is not touched: what stands there is for a table of items to say.

    Raises
    ------
    FileFaultError
        If there are any, and ``--replace`` was not given.
    """
    at = _detail("n", "labelled_at") if "labelled_at" in told else Fragment("CAST(NULL AS TIMESTAMP)")
    apart = [
        template("coalesce({a} != {b}, FALSE)", a=_detail("v", name), b=_detail("n", name))
        for name in _OCCASION
        if name in told
    ]
    writer.execute(
        template(
            "CREATE OR REPLACE TEMP TABLE corrected AS SELECT v.vote, v.source, n.row FROM fresh n JOIN votes v "
            "ON v.item = n.item AND v.annotator = n.annotator WHERE v.label IS DISTINCT FROM n.label "
            "AND v.source != 'given' AND v.labelled_at IS NOT DISTINCT FROM {at} AND NOT ({apart}) "
            "AND (v.labelled_at IS NOT NULL OR (SELECT count(*) FROM votes o WHERE o.item = v.item "
            "AND o.annotator = v.annotator) = 1) AND v.vote NOT IN "
            "(SELECT v.vote FROM incoming n JOIN votes v ON {alike} WHERE v.labelled_at IS NOT DISTINCT FROM {at})",
            at=at,
            apart=join(" OR ", apart) if apart else Fragment("FALSE"),
            alike=_ALIKE,
        )
    )
    count, person, item = writer.fetch_one(
        Fragment(
            "SELECT count(DISTINCT c.vote), arg_min(a.name, c.row), arg_min(i.item_id, c.row) FROM corrected c "
            "JOIN votes v ON v.vote = c.vote JOIN annotators a ON a.annotator = v.annotator "
            "JOIN items i ON i.item = v.item"
        )
    )
    if count and not plan.options.replace:
        raise FileFaultError(
            f"{plan.name}: votes that are already there with another label: {count:,}, for example of {person!r} for "
            f"{item!r}. Use --replace to take the new labels; to keep both, tell them apart by a column of times, "
            "rounds or batches."
        )
    if count:
        _drop_for(writer, Fragment("corrected"))
    return int(count)


def _drop_for(writer: Writer, gone: Fragment) -> None:
    """Drop votes in favour of rows of ``fresh``; what an expert said stays an expert's."""
    writer.execute(
        template(
            "UPDATE fresh SET source = 'expert' WHERE row IN (SELECT row FROM {gone} WHERE source = 'expert')",
            gone=gone,
        )
    )
    writer.execute(template("DELETE FROM votes WHERE vote IN (SELECT vote FROM {gone})", gone=gone))


def _tells_nothing_new(teller: str, known: str, name: str) -> Fragment:
    """Hold where one vote leaves a detail open or says it as the other does; a review to come is an open one."""
    mine, theirs = _detail(teller, name), _detail(known, name)
    open_ = template("{mine} IS NULL", mine=mine)
    if name == "verdict":
        open_ = template("({open} OR lower(trim({mine})) = ANY({words}))", open=open_, mine=mine, words=value(PENDING))
    return template("({open} OR {mine} IS NOT DISTINCT FROM {theirs})", open=open_, mine=mine, theirs=theirs)
