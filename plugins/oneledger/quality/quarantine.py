"""Rows that were kept out: how many and why, and where each stands in the file as received."""

from __future__ import annotations

from typing import Any

from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse


def quarantine_counts(settings: Settings) -> list[dict[str, Any]]:
    """Rows, batches and newest batch by source, entity and rule, the most first."""
    return _read(
        settings,
        "select source, entity, rule_id, count(distinct (file_id, row_number)) as rows_count,"
        " count(distinct batch_id) as batches_count, max(batch_id) as newest_batch_id,"
        " any_value(reason_zh) as reason_zh, any_value(reason_en) as reason_en,"
        " any_value(remedy_zh) as remedy_zh, any_value(remedy_en) as remedy_en"
        " from quarantine.row group by all order by rows_count desc, source, entity, rule_id",
        [],
    )


def quarantined_rows(
    settings: Settings,
    *,
    source: str | None = None,
    entity: str | None = None,
    rule_id: str | None = None,
    batch_id: str | None = None,
    limit: int = 20,
) -> list[dict[str, Any]]:
    """The rows themselves, newest batch first.

    Each has ``file`` (the landed file, below the home), ``row_number`` (the record in it), ``column_name``,
    ``value``, reason and remedy in both languages, and ``line``, the record as received.
    """
    given = {"source": source, "entity": entity, "rule_id": rule_id, "batch_id": batch_id}
    wanted = {name: value for name, value in given.items() if value is not None}
    where = " and ".join(["true", *(f"{name} = ?" for name in wanted)])
    rows = _read(
        settings,
        "select source, entity, batch_id, file_id, row_number, column_name, value, rule_id, reason_zh, reason_en,"
        f" remedy_zh, remedy_en, received::varchar as line, found_at from quarantine.row where {where}"
        " order by found_at desc, batch_id desc, row_number limit ?",
        [*wanted.values(), limit],
    )
    for row in rows:
        row["file"] = landed_file(settings, row)
    return rows


def landed_file(settings: Settings, row: dict[str, Any]) -> str:
    """Where the bytes of a row lie, relative to the home: ``landing/zheliban/usage/20221031/r001/…``."""
    prefix = f"{row['source']}.{row['entity']}."
    partition, _, revision = str(row["batch_id"]).removeprefix(prefix).rpartition(".")
    name = str(row["file_id"]).removeprefix(f"{row['batch_id']}/")
    path = settings.landing_dir / row["source"] / row["entity"] / partition / revision / name
    return str(path.relative_to(settings.home))


def _read(settings: Settings, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    with open_warehouse(settings, read_only=True) as connection:
        cursor = connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
