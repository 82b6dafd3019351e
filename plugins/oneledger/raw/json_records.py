"""HTTP pages and newline-delimited JSON as DuckDB relations: one JSON record a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from oneledger.catalogue import Entity
from oneledger.raw.contract import ColumnPlan, plan_columns, refuse_too_many_columns
from oneledger.raw.sql_text import identifier, literal
from oneledger.sources.refusal import RefusalError


def pages_sql(paths: Sequence[Path], records: str, largest_bytes: int) -> str:
    """Rows ``_file_name, record, _row_number`` of pages whose rows stand under the dotted path ``records``."""
    path = "$" + "".join(f".{_path_part(part)}" for part in records.split(".") if part)
    files = ", ".join(literal(str(path)) for path in paths)
    return (
        f"select parse_filename(filename) as _file_name, unnest(items) as record, "
        f"generate_subscripts(items, 1) as _row_number from (select filename, "
        f"(json -> {literal(path)})::json[] as items from read_json_objects([{files}], format = 'unstructured', "
        f"filename = true, maximum_object_size = {largest_bytes + 1024}))"
    )


def lines_sql(path: Path) -> str:
    """Rows ``_file_name, record, _row_number`` of one gzip file with a JSON record a line."""
    return (
        f"select parse_filename(filename) as _file_name, json as record, row_number() over () as _row_number "
        f"from read_json_objects({literal(str(path))}, format = 'newline_delimited', filename = true, "
        f"compression = 'gzip', maximum_object_size = 67108864)"
    )


def record_plan(
    connection: duckdb.DuckDBPyConnection, entity: Entity, table: str, where: str
) -> tuple[ColumnPlan, frozenset[str]]:
    """The keys of all records of a table (``_file_name, record, _row_number``) against the catalogue.

    A key is missing when no record has it; without any record nothing is missing.

    Returns:
        The plan, and those source names that reach into an object (``owner.name``).
    """
    strange = connection.execute(
        f"select _file_name, _row_number, record::varchar from {table} "
        f"where json_type(record) is distinct from 'OBJECT' limit 1"
    ).fetchone()
    if strange:
        raise RefusalError(
            f"{where}: row {strange[1]} of {strange[0]} is {str(strange[2])[:120]}, not an object with keys.",
            "The owner of the API mends it, or `http.records` in the catalogue names another list.",
            {"file": strange[0], "row": strange[1]},
            problem="unreadable_answer",
        )
    keys = [row[0] for row in connection.execute(
        f"select key, min(position) as first_at from (select unnest(json_keys(record)) as key, "
        f"generate_subscripts(json_keys(record), 1) as position from {table}) group by key "
        f"order by first_at, key").fetchall()]  # fmt: skip
    refuse_too_many_columns(len(keys), where)
    wanted = [column.source_name for column in entity.delivered_columns if column.source_name]
    if not connection.execute(f"select 1 from {table} limit 1").fetchone():
        return plan_columns(entity, wanted, where), frozenset()
    # A dotted `from` reaches into an object; the contract is that the object itself is there.
    nested = {name: name.split(".")[0] for name in wanted if "." in name and name not in keys}
    arrived = [key for key in keys if key not in nested.values()]
    arrived += [name for name, top in nested.items() if top in keys]
    return plan_columns(entity, arrived, where), frozenset(nested)


def record_struct(plan: ColumnPlan, nested: frozenset[str]) -> str:
    """SQL that takes the mapped keys of ``record`` as text in one pass; the struct's fields are source names."""
    flat = [source for source in dict.fromkeys(plan.mapping.values()) if source not in nested]
    if not flat:
        return "null"
    shape = ", ".join(f'"{_json_text(source)}": "VARCHAR"' for source in flat)
    return f"json_transform(record, {literal('{' + shape + '}')})"


def column_sql(source: str, nested: frozenset[str]) -> str:
    """One mapped column as text."""
    if source not in nested:
        return f"taken.{identifier(source)}"
    path = "$" + "".join(f".{_path_part(part)}" for part in source.split("."))
    return f"record ->> {literal(path)}"


def extra_sql(plan: ColumnPlan) -> str:
    """JSON text of the keys that the catalogue does not know (null without any); of a record with nested values,
    which cannot be parted into columns, the record itself."""
    parts = ", ".join(f"{literal(name)}, record -> {literal('$.' + _path_part(name))}" for name in plan.extra)
    extra = f"json_object({parts})::varchar" if parts else "null::varchar"
    whole = """json_object('_malformed', record, 'nested_keys', nested_keys)::varchar"""
    return f"case when nested_keys is null then {extra} else {whole} end"


def nested_keys_sql(plan: ColumnPlan, nested: frozenset[str]) -> str:
    """The mapped keys (a list, null for none) under which an object or a list stands instead of one value."""
    flat = [source for source in dict.fromkeys(plan.mapping.values()) if source not in nested]
    if not flat:
        return "cast(null as varchar[])"
    # Most values do not even begin like an object; only those that do are looked at.
    may_be = " or ".join(f"taken.{identifier(name)}[1] in ('{{', '[')" for name in flat)
    found = ", ".join(
        f"case when json_type(record, {literal('$.' + _path_part(name))}) in ('OBJECT', 'ARRAY') "
        f"then {literal(name)} end"
        for name in flat
    )
    keys = f"list_filter([{found}], lambda key: key is not null)"
    return f"case when {may_be} then case when len({keys}) > 0 then {keys} end end"


def _path_part(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'


def _json_text(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
