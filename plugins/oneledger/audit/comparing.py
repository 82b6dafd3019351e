"""Two versions side by side: which rows and cells of a table differ, by the key of its grain.

A table or month whose content hash is the same in both is not read at all. What is read is compared inside DuckDB by
one join on the key; where a table has no key, whole rows are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from oneledger.audit.version_parts import Part, parts_of
from oneledger.publishing.content import PROVENANCE_COLUMNS, quote, quote_all
from oneledger.publishing.holds import reading
from oneledger.publishing.relations import Relations, read_relations
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings
from oneledger.warehouse.connection import duckdb_config

Sides = tuple[Part | None, Part | None]
CHANGED = "changed_row"
_DECIMALS = 9
_BATCH = "_batch_id"


@dataclass(frozen=True)
class Cell:
    """One cell that is not what it was; ``difference`` is new − old of numbers, else None."""

    key: dict[str, Any]
    column: str
    old: Any
    new: Any
    difference: float | None


@dataclass(frozen=True)
class TableChange:
    """What differs in one table or daily fact.

    Attributes:
        relation: ``marts.app_usage_month``; a daily fact as ``marts.fct_app_usage_day``.
        key_columns: by which rows were matched; empty when whole rows were compared.
        added_count, removed_count, changed_count: rows; without a key a changed row is one removed and one added.
        columns: by column, in how many rows it differs.
        cells: the first of them; ``added_keys``, ``removed_keys``: the first keys (or rows, without a key).
        columns_added, columns_removed: the table has another form.
        months: of a daily fact, those that were compared.
    """

    relation: str
    key_columns: tuple[str, ...]
    added_count: int
    removed_count: int
    changed_count: int
    columns: dict[str, int] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    added_keys: tuple[dict[str, Any], ...] = ()
    removed_keys: tuple[dict[str, Any], ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    months: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Two versions, opened: attached as ``old`` and ``new``."""

    connection: duckdb.DuckDBPyConnection
    old: PublishedVersion
    new: PublishedVersion
    old_relations: Relations
    new_relations: Relations

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The answer of a query as dicts."""
        cursor = self.connection.execute(sql, parameters or [])
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def key_of(self, relation: str) -> tuple[str, ...]:
        """The key of a table as the newer version says it, else the older one."""
        for version, relations in ((self.new, self.new_relations), (self.old, self.old_relations)):
            fact = relation.partition(".")[2]
            key = tuple((version.manifest.get("fact_keys") or {}).get(fact, ())) or relations.key_of(relation)
            if key:
                return key
        return ()


@contextmanager
def open_pair(settings: Settings, old: PublishedVersion, new: PublishedVersion) -> Iterator[Pair]:
    """Hold and attach both versions; daily facts are read from their files."""
    with ExitStack() as held:
        held.enter_context(reading(old))
        held.enter_context(reading(new))
        connection = held.enter_context(duckdb.connect(":memory:", config=dict(duckdb_config(settings))))
        connection.execute("set preserve_insertion_order = false")
        for name, version in (("old", old), ("new", new)):
            path = str(version.marts_path).replace("'", "''")
            connection.execute(f"attach '{path}' as {name} (read_only)")
        yield Pair(connection, old, new, read_relations(old), read_relations(new))


def differing(old: PublishedVersion, new: PublishedVersion) -> dict[str, Sides]:
    """The tables and daily facts whose content differs, each as it is in both (None: not there), by name.

    Of a daily fact only the months that differ are left in the parts.
    """
    before, after = parts_of(old), parts_of(new)
    found: dict[str, Sides] = {}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one and other and one.is_fact and other.is_fact:
            one, other = one.without_months_of(other), other.without_months_of(one)
            if not one.hashes and not other.hashes:
                continue
        elif one and other and one.hashes == other.hashes:
            continue
        found[name] = (one, other)
    return found


def compare(pair: Pair, before: Part | None, after: Part | None, *, limit: int) -> TableChange:
    """Compare one table; leaves what differs in the temporary table ``changed_row`` when it has a key.

    Args:
        limit: how many cells, added and removed keys are given as examples; the counts are of all.
    """
    part = after or before
    if part is None:
        raise ValueError("a table that neither version has cannot be compared")
    pair.connection.execute(f"drop table if exists {CHANGED}")
    old_source, new_source = _sources(before, after)
    old_columns, new_columns = _columns(pair, old_source), _columns(pair, new_source)
    months = tuple(sorted({*(before.months if before else ()), *(after.months if after else ())}))
    if not old_columns or not new_columns:
        count = (after or part).rows_count
        return TableChange(
            part.relation, (), count if after else 0, 0 if after else count, 0, months=months,
            columns_added=tuple(new_columns) if not before else (),
            columns_removed=tuple(old_columns) if not after else (),
        )  # fmt: skip
    key = pair.key_of(part.relation)
    if (
        not key
        or not set(key) <= set(old_columns) & set(new_columns)
        or not _tells_apart(pair, key, (old_source, new_source))
    ):
        key = ()
    shape = {
        "columns_added": tuple(sorted(set(new_columns) - set(old_columns))),
        "columns_removed": tuple(sorted(set(old_columns) - set(new_columns))),
        "months": months,
    }
    values = [
        name for name in new_columns if name in old_columns and name not in key and name not in PROVENANCE_COLUMNS
    ]
    if not key:
        return _compare_rows(pair, part.relation, old_source, new_source, values, limit, shape)
    _join(pair, key, values, old_columns, new_columns, old_source, new_source)
    counts = dict(pair.connection.execute(f"select _kind, count(*) from {CHANGED} group by 1").fetchall())
    columns = _changed_columns(pair, values)
    return TableChange(
        part.relation,
        key,
        counts.get("added", 0),
        counts.get("removed", 0),
        counts.get("changed", 0),
        columns,
        _cells(pair, key, values, columns, limit),
        tuple(_keys(pair, key, "added", limit)),
        tuple(_keys(pair, key, "removed", limit)),
        **shape,
    )


def _sources(before: Part | None, after: Part | None) -> tuple[str, str]:
    """The relations to select from; empty where there is none. Of a daily fact the months that differ only."""
    sources = [_source(name, part) if part else "" for name, part in (("old", before), ("new", after))]
    # A fact that has these months in one version only is compared with no rows.
    for number, part in enumerate((before, after)):
        if part and part.is_fact and not part.files:
            sources[number] = f"(select * from {sources[1 - number]} where false)" if sources[1 - number] else ""
    return sources[0], sources[1]


def _source(name: str, part: Part) -> str:
    if part.is_fact:
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in part.files)
        return f"read_parquet([{files}])"
    schema, _, table = part.relation.partition(".")
    return f"{name}.{quote(schema)}.{quote(table)}"


def _columns(pair: Pair, source: str) -> dict[str, str]:
    if not source:
        return {}
    return {row[0]: row[1] for row in pair.connection.execute(f"describe select * from {source}").fetchall()}


def _tells_apart(pair: Pair, key: tuple[str, ...], sources: tuple[str, str]) -> bool:
    return not any(
        pair.connection.execute(
            f"select 1 from {source} group by {quote_all(key)} having count(*) > 1 limit 1"
        ).fetchone()
        for source in sources
    )


def _value(side: str, column: str, kind: str, other_kind: str) -> str:
    name = f"{side}.{quote(column)}"
    if kind != other_kind:
        return f"cast({name} as varchar)"
    return f"round({name}, {_DECIMALS})" if kind in ("DOUBLE", "FLOAT") else name


def _join(
    pair: Pair,
    key: tuple[str, ...],
    values: list[str],
    old_columns: dict[str, str],
    new_columns: dict[str, str],
    old_source: str,
    new_source: str,
) -> None:
    parts = [
        "case when o._is_there is null then 'added' when n._is_there is null then 'removed' else 'changed' end"
        " as _kind",
        *(f"coalesce(n.{quote(one)}, o.{quote(one)}) as {quote(one)}" for one in key),
        *(
            f"{_value(side, one, kinds[one], others[one])} as {quote(f'{label}.{one}')}"
            for one in values
            for side, label, kinds, others in (
                ("o", "old", old_columns, new_columns), ("n", "new", new_columns, old_columns)
            )
        ),
        f"o.{_BATCH} as _old_batch" if _BATCH in old_columns else "cast(null as varchar) as _old_batch",
        f"n.{_BATCH} as _new_batch" if _BATCH in new_columns else "cast(null as varchar) as _new_batch",
    ]  # fmt: skip
    on = " and ".join(f"o.{quote(one)} is not distinct from n.{quote(one)}" for one in key)
    differs = " or ".join(f"{quote(f'old.{one}')} is distinct from {quote(f'new.{one}')}" for one in values) or "false"
    pair.connection.execute(
        f"create temp table {CHANGED} as select * from (select {', '.join(parts)}"
        f" from (select *, true as _is_there from {old_source}) as o"
        f" full join (select *, true as _is_there from {new_source}) as n on {on})"
        f" where _kind <> 'changed' or {differs}"
    )


def _changed_columns(pair: Pair, values: list[str]) -> dict[str, int]:
    if not values:
        return {}
    counted = ", ".join(
        f"count(*) filter ({quote(f'old.{one}')} is distinct from {quote(f'new.{one}')})" for one in values
    )
    counts = pair.connection.execute(f"select {counted} from {CHANGED} where _kind = 'changed'").fetchall()[0]
    return {name: count for name, count in zip(values, counts, strict=True) if count}


def _cells(
    pair: Pair, key: tuple[str, ...], values: list[str], columns: dict[str, int], limit: int
) -> tuple[Cell, ...]:
    found = []
    for column in columns:
        old, new = quote(f"old.{column}"), quote(f"new.{column}")
        for row in pair.connection.execute(
            f"select {quote_all(key)}, {old}, {new} from {CHANGED}"
            f" where _kind = 'changed' and {old} is distinct from {new} order by {quote_all(key)} limit ?",
            [limit],
        ).fetchall():
            *of_key, before, after = row
            found.append(Cell(dict(zip(key, of_key, strict=True)), column, before, after, _difference(before, after)))
    # Row by row, each with its columns in the order of the table.
    found.sort(key=lambda cell: tuple(str(value) for value in cell.key.values()))
    return tuple(found[:limit])


def _difference(before: Any, after: Any) -> float | None:
    if isinstance(before, bool) or isinstance(after, bool):
        return None
    try:
        return round(float(after) - float(before), _DECIMALS) if not isinstance(before, str) else None
    except (TypeError, ValueError):
        return None


def _keys(pair: Pair, key: tuple[str, ...], kind: str, limit: int) -> list[dict[str, Any]]:
    return pair.rows(
        f"select {quote_all(key)} from {CHANGED} where _kind = ? order by {quote_all(key)} limit ?", [kind, limit]
    )


def _compare_rows(
    pair: Pair, relation: str, old_source: str, new_source: str, values: list[str], limit: int, shape: dict[str, Any]
) -> TableChange:
    columns = quote_all(values)
    gone = f"select {columns} from {old_source} except all select {columns} from {new_source}"
    come = f"select {columns} from {new_source} except all select {columns} from {old_source}"
    counts = pair.connection.execute(
        f"select (select count(*) from ({come})), (select count(*) from ({gone}))"
    ).fetchall()[0]
    return TableChange(
        relation,
        (),
        counts[0],
        counts[1],
        0,
        added_keys=tuple(pair.rows(f"select * from ({come}) order by all limit ?", [limit])),
        removed_keys=tuple(pair.rows(f"select * from ({gone}) order by all limit ?", [limit])),
        **shape,
    )
