"""Teams and batches of votes: who belongs where, and when a batch was complete."""

from typing import Final

from analysis.store.loading.report import Tally
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Writer

__all__ = ["keep_batches", "keep_teams"]

_BELONGS: Final = (
    # The table, its key, the column of a vote that holds it, since when it is known best, and what to call them.
    (
        Fragment("annotators"),
        Fragment("name"),
        Fragment("annotator"),
        Fragment(
            "(SELECT a.name AS key, max(v.labelled_at) AS last FROM votes v "
            "JOIN annotators a ON a.annotator = v.annotator WHERE v.source != 'review' GROUP BY a.name)"
        ),
        "People",
    ),
    (
        Fragment("batches"),
        Fragment("batch"),
        Fragment("batch"),
        Fragment("(SELECT batch AS key, received_at AS last FROM batches)"),
        "Batches",
    ),
)


def keep_batches(writer: Writer, tally: Tally) -> None:
    """Keep the batches of the votes on ``staged`` rows, each received when its last vote was given."""
    told = Fragment(
        "(SELECT batch, max(labelled_at) AS last FROM votes WHERE batch IN (SELECT batch FROM staged) GROUP BY batch) n"
    )
    counted = template(
        "SELECT count(*) FROM {told} LEFT JOIN batches b ON b.batch = n.batch "
        "WHERE b.batch IS NULL OR coalesce(n.last > b.received_at, n.last IS NOT NULL)",
        told=told,
    )
    if not writer.fetch_one(counted)[0]:
        return
    writer.execute(
        template(
            "INSERT INTO batches (batch, received_at) SELECT n.batch, n.last FROM {told} "
            "WHERE n.batch NOT IN (SELECT batch FROM batches) ORDER BY n.batch",
            told=told,
        )
    )
    writer.execute(
        template(
            "UPDATE batches SET received_at = n.last FROM {told} WHERE n.batch = batches.batch "
            "AND coalesce(n.last > batches.received_at, n.last IS NOT NULL)",
            told=told,
        )
    )
    tally.changed = True


def keep_teams(writer: Writer, tally: Tally) -> None:
    """Keep who is in which team, and which team sent a batch: the one that the latest vote names.

    Only votes that are new (``fresh``) move somebody to another team, so that a file loaded again moves nobody, and
    only later ones than are known, so that the order of loads moves nobody either.
    """
    for table, key, column, latest, what in _BELONGS:
        writer.execute(
            template(
                "CREATE OR REPLACE TEMP TABLE teams AS SELECT s.{column} AS key, "
                "last(s.team ORDER BY f.row IS NOT NULL, s.labelled_at NULLS FIRST, s.row) AS team, "
                "count(DISTINCT s.team) AS teams, max(s.labelled_at) FILTER (f.row IS NOT NULL) AS last, "
                "count(f.row) > 0 AS new FROM staged s LEFT JOIN fresh f ON f.row = s.row "
                "WHERE s.team IS NOT NULL AND s.{column} IS NOT NULL GROUP BY s.{column}",
                column=column,
            )
        )
        writer.execute(
            template(
                "UPDATE teams SET new = new AND coalesce(teams.last >= k.last, TRUE) FROM {latest} k "
                "WHERE k.key = teams.key",
                latest=latest,
            )
        )
        known = template(
            "FROM teams n JOIN {table} k ON k.{key} = n.key WHERE (k.team IS NULL OR n.new)", table=table, key=key
        )
        _note_moves(writer, known, what, tally)
        changed = template("SELECT count(*) {known} AND k.team IS DISTINCT FROM n.team", known=known)
        if writer.fetch_one(changed)[0]:
            writer.execute(
                template(
                    "UPDATE {table} SET team = n.team FROM teams n WHERE n.key = {table}.{key} "
                    "AND ({table}.team IS NULL OR n.new)",
                    table=table,
                    key=key,
                )
            )
            tally.changed = True


def _note_moves(writer: Writer, known: Fragment, what: str, tally: Tally) -> None:
    several, example, team = writer.fetch_one(
        template(
            "SELECT count(*), min(key), arg_min(team, key) FROM "
            "(SELECT n.key, n.team {known} AND (n.teams > 1 OR k.team != n.team))",
            known=known,
        )
    )
    if several:
        tally.notes.append(
            f"{what} in more than one team: {several:,}, for example {example!r}. The latest is kept: {team!r}."
        )
