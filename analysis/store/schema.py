"""The tables of a workspace, in one place.

The full schema is created at once, so that a later version adds rows, not surprises. Labels, ids and names
are text: ``"3"`` stays ``"3"`` and ``"007"`` keeps its zeros. The users' own columns live in ``features``
under their own names, apart from ours.
"""

from typing import Final

__all__ = ["CREATE_TABLES", "SCHEMA_VERSION", "TABLES"]

SCHEMA_VERSION: Final = 2

TABLES: Final[dict[str, str]] = {
    "meta": "CREATE TABLE meta(key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
    "loads": """CREATE TABLE loads(load INTEGER PRIMARY KEY, file VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
        kind VARCHAR NOT NULL, rows BIGINT NOT NULL, kept BIGINT NOT NULL, rejected BIGINT NOT NULL,
        "at" TIMESTAMP NOT NULL, report VARCHAR NOT NULL)""",
    # position keeps the user's order for exports; stored_as is the name in features, which differs from the
    # user's only where DuckDB, which ignores case, would take it for ours.
    "columns": """CREATE TABLE columns(position INTEGER PRIMARY KEY, name VARCHAR UNIQUE NOT NULL,
        role VARCHAR NOT NULL, type VARCHAR NOT NULL, reason VARCHAR NOT NULL, stored_as VARCHAR)""",
    "classes": "CREATE TABLE classes(code INTEGER PRIMARY KEY, name VARCHAR UNIQUE NOT NULL)",
    # The tables that grow with the data have no index: building one takes longer than all else of a load, and must
    # fit in memory. Loading keeps (split, item_id) unique and item dense; a test holds both.
    # Ids are nearly all different: trying every other way to compress them takes three times as long.
    "items": """CREATE TABLE items(item INTEGER NOT NULL, split VARCHAR NOT NULL,
        item_id VARCHAR NOT NULL USING COMPRESSION zstd, given_label VARCHAR, given_by INTEGER, group_id VARCHAR,
        gold_label VARCHAR)""",
    "features": "CREATE TABLE features(item INTEGER NOT NULL)",
    "embeddings": "CREATE TABLE embeddings(item INTEGER NOT NULL, name VARCHAR NOT NULL, vector FLOAT[])",
    "models": """CREATE TABLE models(model INTEGER PRIMARY KEY, name VARCHAR UNIQUE NOT NULL,
        classes VARCHAR[] NOT NULL, out_of_sample BOOLEAN, trained_as_of BIGINT)""",
    # said is what was loaded; predicted differs from it only where the workspace has a threshold.
    "predictions": """CREATE TABLE predictions(item INTEGER NOT NULL, model INTEGER NOT NULL, predicted VARCHAR,
        said VARCHAR, pred_probs FLOAT[], fold VARCHAR)""",
    "annotators": """CREATE TABLE annotators(annotator INTEGER PRIMARY KEY, name VARCHAR UNIQUE NOT NULL,
        pseudonym VARCHAR UNIQUE NOT NULL, alias_of INTEGER, team VARCHAR, expert BOOLEAN NOT NULL,
        time_zone VARCHAR)""",
    # Who is behind each name: what is asked about annotators is asked here, so that a merge rewrites nothing.
    "people": """CREATE VIEW people AS SELECT a.annotator, p.annotator AS person, p.name, p.pseudonym,
        coalesce(p.team, n.team) AS team, n.expert, coalesce(p.time_zone, n.time_zone) AS time_zone
        FROM annotators a JOIN annotators p ON p.annotator = coalesce(a.alias_of, a.annotator)
        JOIN (SELECT coalesce(alias_of, annotator) AS person, min(team) AS team, bool_or(expert) AS expert,
        min(time_zone) AS time_zone FROM annotators GROUP BY 1) n ON n.person = p.annotator""",
    # name and person are annotators; other names that a file gives for one person wait in known_names.
    "merges": """CREATE TABLE merges(merge INTEGER PRIMARY KEY, name INTEGER NOT NULL, person INTEGER NOT NULL,
        who VARCHAR, "at" TIMESTAMP NOT NULL, undone TIMESTAMP)""",
    "known_names": """CREATE TABLE known_names(name VARCHAR NOT NULL, other VARCHAR NOT NULL,
        reason VARCHAR NOT NULL)""",
    "batches": """CREATE TABLE batches(batch VARCHAR PRIMARY KEY, team VARCHAR, received_at TIMESTAMP,
        status VARCHAR)""",
    "votes": """CREATE TABLE votes(vote INTEGER NOT NULL, item INTEGER NOT NULL, annotator INTEGER NOT NULL,
        label VARCHAR, suggested VARCHAR, started_at TIMESTAMP, labelled_at TIMESTAMP, seconds DOUBLE,
        batch VARCHAR, round INTEGER, source VARCHAR NOT NULL, guideline VARCHAR, comment VARCHAR,
        reviewer INTEGER, verdict VARCHAR)""",
    "current": "CREATE TABLE current(item INTEGER NOT NULL, label VARCHAR)",
    "ledger": """CREATE TABLE ledger(seq BIGINT PRIMARY KEY, item INTEGER NOT NULL, action VARCHAR NOT NULL,
        old VARCHAR, new VARCHAR, who VARCHAR, "at" TIMESTAMP NOT NULL, request VARCHAR, round INTEGER,
        reason VARCHAR, undoes BIGINT)""",
    "saved_slices": """CREATE TABLE saved_slices(slice VARCHAR PRIMARY KEY, name VARCHAR NOT NULL,
        "at" TIMESTAMP NOT NULL)""",
    "decisions": """CREATE TABLE decisions(decision INTEGER PRIMARY KEY, kind VARCHAR NOT NULL,
        subject VARCHAR NOT NULL, choice VARCHAR NOT NULL, owner VARCHAR, note VARCHAR, due DATE,
        done BOOLEAN NOT NULL, "at" TIMESTAMP NOT NULL)""",
    "requests": """CREATE TABLE requests(request VARCHAR PRIMARY KEY, created_at TIMESTAMP NOT NULL,
        mode VARCHAR NOT NULL, tool VARCHAR NOT NULL, who VARCHAR, due DATE, folder VARCHAR NOT NULL,
        sources VARCHAR NOT NULL, items BIGINT NOT NULL, controls BIGINT NOT NULL, hours DOUBLE,
        manifest VARCHAR NOT NULL)""",
    "request_items": """CREATE TABLE request_items(request VARCHAR NOT NULL, task VARCHAR NOT NULL,
        item INTEGER NOT NULL, assignee VARCHAR, role VARCHAR NOT NULL, rank INTEGER)""",
    "answers": """CREATE TABLE answers(request VARCHAR NOT NULL, task VARCHAR NOT NULL, vote INTEGER,
        received_at TIMESTAMP NOT NULL, file_sha256 VARCHAR NOT NULL, status VARCHAR NOT NULL)""",
    "guidelines": """CREATE TABLE guidelines(version VARCHAR PRIMARY KEY, text VARCHAR NOT NULL,
        published_at TIMESTAMP)""",
    "searches": """CREATE TABLE searches(search INTEGER PRIMARY KEY, "at" TIMESTAMP NOT NULL, half VARCHAR NOT NULL,
        options VARCHAR NOT NULL)""",
    "results": """CREATE TABLE results(fingerprint VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        payload BLOB NOT NULL, PRIMARY KEY (fingerprint, kind))""",
}

CREATE_TABLES: Final = tuple(TABLES.values())
