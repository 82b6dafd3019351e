"""Rows that were kept out: how many and why, and where each stands in the file as received.

Identity-card and mobile numbers are masked where the reports are made (``oneledger.warehouse.row_staging``), so
nothing that is read here holds one; the bytes in landing do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection as Connection

from oneledger.quality.row_rules import DUPLICATE_RULE_ID
from oneledger.settings import Settings
from oneledger.warehouse.reader_copies import open_reader_copies


@dataclass(frozen=True)
class Filter:
    """Which quarantined rows are meant; what is None is not asked."""

    source: str | None = None
    entity: str | None = None
    rule_id: str | None = None
    batch_id: str | None = None

    @property
    def given(self) -> dict[str, str]:
        named = {"source": self.source, "entity": self.entity, "rule_id": self.rule_id, "batch_id": self.batch_id}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def where(self) -> str:
        """SQL condition with one parameter for each value of ``given``."""
        return " and ".join(["true", *(f"{name} = ?" for name in self.given)])

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.given.items()) or "all quarantined rows"


def quarantine_counts(
    settings: Settings, chosen: Filter | None = None, *, connection: Connection | None = None
) -> list[dict[str, Any]]:
    """Rows, batches and newest batch by source, entity and rule, the most first; ``since`` is when the first came.

    Args:
        connection: has ``quarantine.row`` (``reader_copies``); None opens the warehouse.
    """
    chosen = chosen or Filter()
    return _read(
        connection or settings,
        "select source, entity, rule_id, count(distinct (file_id, row_number)) as rows_count,"
        " count(distinct batch_id) as batches_count, max(batch_id) as newest_batch_id, min(found_at) as since,"
        " any_value(reason_zh) as reason_zh, any_value(reason_en) as reason_en,"
        " any_value(remedy_zh) as remedy_zh, any_value(remedy_en) as remedy_en"
        f" from quarantine.row where {chosen.where} group by source, entity, rule_id"
        " order by rows_count desc, source, entity, rule_id",
        list(chosen.given.values()),
    )


def quarantined_rows(
    settings: Settings,
    chosen: Filter | None = None,
    *,
    limit: int | None = 20,
    offset: int = 0,
    connection: Connection | None = None,
) -> list[dict[str, Any]]:
    """The rows themselves, newest batch first; a row that breaks two rules stands here twice.

    Each has ``file`` (the landed file, below the home), ``row_number`` (the record in it), ``column_name``,
    ``value``, reason and remedy in both languages, ``line`` (the record as received, JSON), ``run_id`` and, of a
    conflict, ``others``: the rows of the same key, each with the columns in which it differs.
    """
    chosen = chosen or Filter()
    rows = _read(
        connection or settings,
        "select run_id, source, entity, batch_id, file_id, row_number, column_name, value, rule_id, reason_zh,"
        f" reason_en, remedy_zh, remedy_en, received::varchar as line, found_at, record_key from quarantine.row"
        f" where {chosen.where} order by found_at desc, batch_id desc, record_key, row_number, rule_id"
        " limit ? offset ?",
        [*chosen.given.values(), limit, offset],
    )
    conflicts = [row for row in rows if row["rule_id"] == DUPLICATE_RULE_ID]
    others = _conflicting(connection or settings, conflicts) if conflicts else {}
    for row in rows:
        row["file"] = landed_file(settings, row)
        key = (row["batch_id"], row.pop("record_key"))
        if row["rule_id"] == DUPLICATE_RULE_ID:
            row["others"] = _side_by_side(row, others.get(key, []))
    return rows


def count_rows(settings: Settings, chosen: Filter, *, connection: Connection | None = None) -> int:
    """Reports that the filter meets: pairs of row and rule, as ``quarantined_rows`` lists them."""
    found = _read(connection or settings, f"select count(*) as n from quarantine.row where {chosen.where}",
                  list(chosen.given.values()))  # fmt: skip
    return int(found[0]["n"])


def landed_file(settings: Settings, row: dict[str, Any]) -> str:
    """Where the bytes of a row lie, relative to the home: ``landing/zheliban/usage/20221031/r001/…``."""
    prefix = f"{row['source']}.{row['entity']}."
    partition, _, revision = str(row["batch_id"]).removeprefix(prefix).rpartition(".")
    name = str(row["file_id"]).removeprefix(f"{row['batch_id']}/")
    path = settings.landing_dir / row["source"] / row["entity"] / partition / revision / name
    return str(path.relative_to(settings.home))


def _conflicting(
    source: Settings | Connection, rows: list[dict[str, Any]]
) -> dict[tuple[str, str | None], list[dict[str, Any]]]:
    """All rows of the conflicts that these rows belong to, by batch and key."""
    found = _read(
        source,
        "select batch_id, record_key, file_id, row_number, received::varchar as line from quarantine.row"
        " where rule_id = ? and batch_id in (select unnest(?)) order by file_id, row_number",
        [DUPLICATE_RULE_ID, sorted({row["batch_id"] for row in rows})],
    )
    grouped: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for row in found:
        grouped.setdefault((row["batch_id"], row["record_key"]), []).append(row)
    return grouped


def _side_by_side(row: dict[str, Any], of_key: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The other rows of a conflict: where each stands, and column by column ``[here, there]`` where they differ."""
    own = json.loads(row["line"])
    return [
        {
            "file_id": other["file_id"],
            "row_number": other["row_number"],
            "differs": {
                name: [own.get(name), value]
                for name, value in json.loads(other["line"]).items()
                if own.get(name) != value
            },
        }
        for other in of_key
        if (other["file_id"], other["row_number"]) != (row["file_id"], row["row_number"])
    ]


def _read(source: Settings | Connection, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    if isinstance(source, Settings):
        with open_reader_copies(source, needs=("quarantine.row",)) as copies:
            return _read(copies.connection, sql, parameters)
    cursor = source.execute(sql, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
