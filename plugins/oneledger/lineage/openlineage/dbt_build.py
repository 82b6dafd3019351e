"""A finished ``dbt build`` as the events of it need it: manifest, results, and what the warehouse now holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from oneledger.lineage.openlineage.datasets import DatasetName, warehouse_table
from oneledger.lineage.openlineage.warehouse_tables import TableColumns, warehouse_tables
from oneledger.publishing.content import quote
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse

# Counting nulls reads every column; of larger tables only the rows are counted, which DuckDB knows by heart.
MOST_ROWS_FOR_NULLS = 200_000


@dataclass(frozen=True)
class TableCounts:
    """Rows of a table, and nulls of each of its columns where they were counted."""

    rows: int
    nulls: Mapping[str, int] = field(default_factory=dict)


@dataclass
class DbtBuild:
    """One build.

    Attributes:
        settings: whose warehouse it was.
        manifest: dbt's manifest of it, as the object that dbt works with.
        results: dbt's results, tests included.
        rows_written: rows that an incremental model appended, by its unique id.
        full_refresh: whether incremental models were built from nothing.
    """

    settings: Settings
    manifest: Any
    results: Sequence[Any]
    rows_written: Mapping[str, int]
    full_refresh: bool

    def node(self, unique_id: str) -> Any:
        """A model, seed or test of the manifest, or a source.

        Raises:
            KeyError: there is none.
        """
        return self.manifest.nodes.get(unique_id) or self.manifest.sources[unique_id]

    def is_dataset(self, unique_id: str) -> bool:
        return unique_id.partition(".")[0] in ("model", "seed", "source", "snapshot")

    def relation(self, unique_id: str) -> str:
        """``schema.name`` of a model, seed or source."""
        node = self.node(unique_id)
        return f"{node.schema}.{getattr(node, 'alias', None) or node.identifier}"

    def dataset(self, unique_id: str) -> DatasetName:
        return warehouse_table(self.settings, self.relation(unique_id))

    def parents(self, unique_id: str) -> list[str]:
        """The data sets that a model or test reads."""
        found = getattr(self.node(unique_id), "depends_on_nodes", [])
        return [one for one in dict.fromkeys(found) if self.is_dataset(one)]

    @cached_property
    def columns(self) -> dict[str, TableColumns]:
        """Every table and view of the warehouse."""
        return warehouse_tables(self.settings)

    def counts(self, unique_ids: Iterable[str]) -> dict[str, TableCounts]:
        """Rows and nulls of these tables, by unique id: two queries for all of them."""
        relations = {one: self.relation(one) for one in unique_ids}
        relations = {one: relation for one, relation in relations.items() if relation in self.columns}
        if not relations:
            return {}
        with open_warehouse(self.settings, read_only=True) as connection:
            rows = dict(connection.execute(" union all ".join(
                f"select '{one}', count(*) from {_quoted(relation)}" for one, relation in relations.items()
            )).fetchall())  # fmt: skip
            small = {one: list(self.columns[relations[one]].types) for one, n in rows.items()
                     if 0 < n <= MOST_ROWS_FOR_NULLS}  # fmt: skip
            nulls: dict[str, list[int]] = {}
            if small:
                nulls = dict(connection.execute(" union all ".join(
                    f"select '{one}', [{', '.join(f'count(*) - count({quote(name)})' for name in names)}] "
                    f"from {_quoted(relations[one])}"
                    for one, names in small.items()
                )).fetchall())  # fmt: skip
        return {one: TableCounts(n, dict(zip(small.get(one, ()), nulls.get(one, ()), strict=True)))
                for one, n in rows.items()}  # fmt: skip


def span(result: Any) -> tuple[dt.datetime, dt.datetime]:
    """When a node was executed; of one that was never begun, now."""
    for timing in result.timing:
        if timing.name == "execute" and timing.started_at and timing.completed_at:
            return _utc(timing.started_at), _utc(timing.completed_at)
    now = dt.datetime.now(dt.UTC)
    return now, now


def _utc(instant: dt.datetime) -> dt.datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def _quoted(relation: str) -> str:
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"
