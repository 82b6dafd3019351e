"""What the source catalogue expects, written where SQL can read it: who owns an entity, and whether it comes daily."""

from __future__ import annotations

import duckdb

from oneledger.catalogue import Catalogue, Entity
from oneledger.sources.connections import is_configured

# A source that may be four days old delivers by day: weekends and holidays lie between.
DAILY_AGE_HOURS = 100.0


def is_daily(entity: Entity) -> bool:
    """Whether a partition is due for every day."""
    return (
        entity.delivery == "partition"
        and not entity.partition_by
        and entity.max_age_hours is not None
        and entity.max_age_hours <= DAILY_AGE_HOURS
    )


def note_expected(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Make ``control.expected_entity`` what the catalogue says; expected is what is connected and not optional."""
    rows = []
    for entity in catalogue.all_entities:
        source = catalogue.source(entity.source_id)
        is_expected = not source.optional and is_configured(source.connection)
        rows.append([source.id, entity.id, entity.title_zh, entity.title_en, source.owner, is_daily(entity),
                     is_expected])  # fmt: skip
    connection.execute("begin transaction")
    connection.execute("delete from control.expected_entity")
    connection.executemany("insert into control.expected_entity values (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("commit")
