"""From a file with roles to the temporary table ``staged``: one fixed set of columns, then ``f0, f1, ...``."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.errors import FileFaultError
from analysis.roles import ROW_NUMBER, Kind, Roles
from analysis.store.loading.source import FEATURE_TYPES, Source
from analysis.store.readers.scratch import Reject
from analysis.store.sql import Fragment, join, template, value
from analysis.store.workspace import Writer

__all__ = ["LoadOptions", "Plan", "check_rejects", "find_repeats", "reject_rows", "stage"]


@dataclass(frozen=True)
class LoadOptions:
    """What the user said about a load; everything else is guessed and reported.

    Attributes
    ----------
    split, kind, model
        For all files of the load; None lets names and values decide.
    roles
        Role to column, overriding the guess.
    gold
        A votes file holds the votes of experts.
    classes
        The order of the classes, needed for probabilities in a list column.
    encoding
        Of text files; None is UTF-8.
    max_rejects
        The share of faulty rows, 0 to 1, over which a file is refused whole.
    replace
        Rows with known ids and other values replace what is there.
    dry_run
        Do all, keep nothing.
    """

    split: str | None = None
    kind: Kind | None = None
    model: str | None = None
    roles: tuple[tuple[str, str], ...] = ()
    gold: bool = False
    classes: tuple[str, ...] = ()
    encoding: str | None = None
    max_rejects: float = 0.01
    replace: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """How one file will be taken in."""

    source: Source
    roles: Roles
    kind: Kind
    kind_reason: str
    split: str | None
    options: LoadOptions

    @property
    def name(self) -> str:
        """The file's name."""
        return self.source.path.name

    @property
    def only_predicts(self) -> bool:
        """Every row must hold a prediction; a table with labels may list items that have none."""
        return self.kind == "predictions" and self.roles.column("given_label") is None


_TEXT_ROLES = (
    ("split", "split"),
    ("item_id", "item_id"),
    ("given_label", "given_label"),
    ("annotator", "annotator"),
    ("group", "group_id"),
    ("gold_label", "gold_label"),
    ("predicted", "predicted"),
    ("fold", "fold"),
    ("batch", "batch"),
    ("comment", "comment"),
)


def _probabilities_sql(plan: Plan, classes: Sequence[str]) -> Fragment:
    """Return the list of probabilities in the order of ``classes``."""
    source, roles = plan.source, plan.roles
    if plan.kind == "votes":
        return Fragment("CAST(NULL AS DOUBLE[])")
    if roles.probabilities:
        parts = join(", ", [source.to_number(roles.probabilities[name]) for name in classes])
        if plan.only_predicts:
            return template("[{parts}]", parts=parts)
        # In a table of items an item without any probability is simply not predicted.
        return template("CASE WHEN coalesce({parts}) IS NOT NULL THEN [{parts}] END", parts=parts)
    column = roles.column("pred_probs")
    if column is not None:
        listed = template("CAST({column} AS DOUBLE[])", column=source.find(column)[0])
        named = plan.options.classes
        if not named or named == tuple(classes):
            return listed
        places = value([named.index(name) + 1 for name in classes])
        # A list of another length stays as it is, so that its length can be told.
        return template(
            "CASE WHEN len({listed}) = {n} THEN list_select({listed}, {places}) ELSE {listed} END",
            listed=listed,
            n=value(len(named)),
            places=places,
        )
    return Fragment("CAST(NULL AS DOUBLE[])")


def stage(writer: Writer, plan: Plan, classes: Sequence[str]) -> None:
    """Bring the file's rows into the temporary table ``staged`` of the workspace's connection.

    Parameters
    ----------
    writer
        The one writer.
    plan
        The file and its roles.
    classes
        The order for the probabilities.
    """
    source, roles = plan.source, plan.roles
    selected = [Fragment("row")]
    for role, name in _TEXT_ROLES:
        column = roles.column(role)
        if role == "split" and plan.split is not None:
            part = value(plan.split)
        elif column == ROW_NUMBER:
            part = Fragment("CAST(row AS VARCHAR)")
        else:
            part = source.to_text(column) if column is not None else Fragment("CAST(NULL AS VARCHAR)")
        selected.append(template("{part} AS {name}", part=part, name=Fragment(name)))
    for role in ("started_at", "labelled_at"):
        column = roles.column(role)
        part = source.to_time(column) if column is not None else Fragment("CAST(NULL AS TIMESTAMP)")
        selected.append(template("{part} AS {name}", part=part, name=Fragment(role)))
    column = roles.column("seconds")
    part = source.to_number(column) if column is not None else Fragment("CAST(NULL AS DOUBLE)")
    selected.append(template("{part} AS seconds", part=part))
    selected.append(template("{part} AS pred_probs", part=_probabilities_sql(plan, classes)))
    for index, feature in enumerate(roles.features):
        kind = FEATURE_TYPES[source.find(feature)[2].type]
        part = template("CAST({part} AS {kind})", part=source.to_feature(feature), kind=Fragment(kind))
        selected.append(template("{part} AS {name}", part=part, name=Fragment(f"f{index}")))
    query = template("SELECT {selected} FROM raw ORDER BY row", selected=join(", ", selected))
    writer.take_in("staged", source.scratch.stream(query))


def reject_rows(writer: Writer, plan: Plan, faults: Sequence[tuple[int, str | None, str]]) -> list[Reject]:
    """Take faulty rows out of ``staged`` and name where they stand in the file."""
    lines = plan.source.table.lines
    rejects = [Reject(lines.find(row), column, reason) for row, column, reason in faults]
    rows = Fragment("?", ([row for row, _column, _reason in faults],))
    if faults:
        writer.execute(template("DELETE FROM staged WHERE row = ANY({rows})", rows=rows))
    return rejects


def find_repeats(writer: Writer, plan: Plan) -> tuple[int, list[tuple[int, str | None, str]]]:
    """Count rows that say the same thing twice, and find ids that say two things.

    Returns
    -------
    tuple of int and list
        How many identical rows were dropped, and the faulty rows (row, column, reason).
    """
    repeated = Fragment("SELECT count(*) - count(DISTINCT (split, item_id)) FROM staged WHERE item_id IS NOT NULL")
    if writer.fetch_one(repeated)[0] == 0:
        return 0, []
    before = int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])
    writer.execute(
        Fragment(
            "CREATE OR REPLACE TEMP TABLE once AS SELECT min(row) AS row, * EXCLUDE (row) FROM staged GROUP BY ALL"
        )
    )
    writer.execute(Fragment("CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM once ORDER BY row"))
    after = int(writer.fetch_one(Fragment("SELECT count(*) FROM staged"))[0])
    clashing = writer.fetch_all(
        Fragment(
            "SELECT row, item_id, count(*) OVER (PARTITION BY split, item_id) AS n FROM staged "
            "WHERE item_id IS NOT NULL QUALIFY n > 1 ORDER BY row"
        )
    )
    column = plan.roles.column("item_id")
    faults = [(row, column, f"id {name!r} occurs {n} times with different values") for row, name, n in clashing]
    return before - after, faults


def check_rejects(plan: Plan, rejects: Sequence[Reject], kept: int, *, unnamed: int = 0) -> None:
    """Refuse the file where too many rows are faulty, or none is left.

    Parameters
    ----------
    plan, rejects
        The file, and its faulty rows so far.
    kept
        Rows that are left.
    unnamed
        Faulty rows beyond those in ``rejects``.

    Raises
    ------
    FileFaultError
        With the first reasons.
    """
    rows = plan.source.rows
    faulty = len(rejects) + unnamed
    if not faulty or (faulty <= plan.options.max_rejects * rows and kept > 0):
        return
    ordered = sorted(rejects, key=lambda reject: reject.line)
    first = "; ".join(f"line {reject.line:,}: {reject.reason}" for reject in ordered[:3])
    share = f"{faulty:,} of {rows:,} rows ({faulty / rows:.1%}) are faulty"
    if kept == 0:
        raise FileFaultError(f"{plan.name}: {share}, and nothing is left. First: {first}. Mend the file.")
    raise FileFaultError(
        f"{plan.name}: {share}, more than --max-rejects {plan.options.max_rejects:g} allows. First: {first}. "
        "Mend the file, or raise --max-rejects."
    )
