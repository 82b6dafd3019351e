"""Of which state of the warehouse the published version was made, so that a night without news is quick."""

from __future__ import annotations

import duckdb

from oneledger.outcomes import Outcome
from oneledger.publishing.build import hash_of_files, published_models
from oneledger.publishing.versions import current_version
from oneledger.quality.gate_state import closed_gates, warehouse_state
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.evaluation_runs import decisions_hash
from oneledger.warehouse.outcomes_due import note_outcomes_due

_TABLE = (
    "control.published_state (version varchar, state varchar, models_hash varchar, expectations_hash varchar,"
    " evaluations_hash varchar)"
)


def note_published(
    connection: duckdb.DuckDBPyConnection, settings: Settings, version: str, outcomes: list[Outcome] | None = None
) -> None:
    """Nothing is pending any more: ``version`` holds what the warehouse holds now, and the outcomes are due."""
    connection.execute("begin transaction")
    connection.execute(f"create or replace table {_TABLE}")
    connection.execute(
        "insert into control.published_state values (?, ?, ?, ?, ?)", [version, *_present(connection, settings)]
    )
    connection.execute("delete from control.pending_date")
    note_outcomes_due(connection, outcomes or [])
    connection.execute("commit")


def noted_version(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The version that ``note_published`` noted last."""
    connection.execute(f"create table if not exists {_TABLE}")
    noted = connection.execute("select version from control.published_state").fetchone()
    return str(noted[0]) if noted else None


def is_all_published(settings: Settings) -> bool:
    """True when the current version was made of just this data, these models and these expectations.

    A version from before versions carried their lineage is made anew.
    """
    published = current_version(settings)
    if published is None or not published.manifest.get("lineage"):
        return False
    with open_warehouse(settings) as connection:
        create_control_tables(connection)
        connection.execute(f"create table if not exists {_TABLE}")
        noted = connection.execute("select * from control.published_state").fetchone()
        if noted != (published.version, *_present(connection, settings)) or closed_gates(connection):
            return False
        pending = connection.execute("select count(*) from control.pending_date").fetchall()[0][0]
        judged = connection.execute("select as_of_on from checks.gate").fetchall()
    # A gate that judged as of another day may find a source stale today.
    same_day = settings.as_of is None or all(day == settings.as_of for (day,) in judged)
    return bool(pending == 0 and same_day)


def _present(connection: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[str, ...]:
    return (
        warehouse_state(connection),
        published_models(settings),
        hash_of_files(settings.project_root, ("expectations",)),
        decisions_hash(settings.evaluations_dir),
    )


def unpublished(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """What changed since the current version was published and comes with the next one, in words; empty for nothing."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'control' and table_name = 'published_state'"
    ).fetchone()
    noted = connection.execute("select * exclude (version) from control.published_state").fetchone() if known else None
    if noted is None:
        return []
    words = (
        "data that are admitted and not published",
        "models or rules that changed",
        "expectations that changed",
        "evaluations that were decided on",
    )
    present = _present(connection, settings)
    return [word for word, was, now in zip(words, noted, present, strict=True) if was != now]
