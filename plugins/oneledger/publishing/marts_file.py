"""``marts.duckdb`` of a version: the file of the version before, with what changed written anew.

Every table is compared with the version before month by month (a table without a column ``month`` as a whole) by the
hash of its rows, which reads the warehouse and writes nothing. Only the months that differ are replaced and counted
into the content hash again, so that a night's publication costs what the night changed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.publishing.before import Before
from oneledger.publishing.content import (
    RUN_TABLES,
    Digest,
    TableContent,
    add_up,
    content_columns,
    content_of,
    digest_sql,
    quote,
)
from oneledger.publishing.parts import Parts, TablePart
from oneledger.time_left import TimeLeft

PUBLISHED_SCHEMAS = ("marts", "evaluation")
WHOLE = "all"
_ATTACHED = "version_in_the_making"


@dataclass(frozen=True)
class _Table:
    """A relation of the warehouse on its way into the file."""

    schema: str
    name: str
    source: str
    columns: dict[str, str]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def target(self) -> str:
        return f"{_ATTACHED}.{self.schema}.{quote(self.name)}"

    @property
    def signature(self) -> str:
        return hashlib.sha256(repr(list(self.columns.items())).encode()).hexdigest()[:16]

    @property
    def part(self) -> str:
        """SQL of the month of a row."""
        if self.columns.get("month") != "DATE":
            return f"'{WHOLE}'"
        return "coalesce(strftime(month, '%Y-%m'), 'none')"

    @property
    def fingerprint(self) -> str:
        """SQL of what is equal for equal rows; floating-point values count as the content hash counts them."""
        values = [
            f"round({quote(name)}, 9) + 0.0" if kind in ("DOUBLE", "FLOAT") else quote(name)
            for name, kind in self.columns.items()
        ]
        row = f"hash({', '.join(values)})"
        return f"concat_ws('-', count(*), sum({row}::hugeint), bit_xor({row}))"


def write_marts(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    parts: Parts,
    *,
    run_id: str,
    before: Before | None,
    progress: Callable[[str], None],
) -> list[TableContent]:
    """Write the marts file of a version in the making and note its parts.

    Args:
        parts: the parts of the version in the making, which are added to.
        before: the version that the new one may be built on; None writes all of it.
        progress: told one line a table.

    Returns:
        Rows and content hash of every table.
    """
    known = Parts()
    ground = before.marts_to_build_on() if before else None
    if before and ground:
        shutil.copyfile(ground, path)
        known = before.parts
    warehouse = connection.execute("select current_database()").fetchall()[0][0]
    connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as {_ATTACHED}")
    try:
        relations = _published_relations(connection)
        _drop_others(connection, {f"{schema}.{name}" for schema, name in relations})
        contents = []
        left = TimeLeft()
        for number, (schema, name) in enumerate(relations):
            progress(f"{schema}.{name} ({number + 1} of {len(relations)} tables{left.words(number, len(relations))})")
            connection.execute(f"create schema if not exists {_ATTACHED}.{schema}")
            source = f"{quote(warehouse)}.{schema}.{quote(name)}"
            described = connection.execute(f"describe select * from {source}").fetchall()
            table = _Table(schema, name, source, {row[0]: row[1] for row in described})
            contents.append(_write_table(connection, table, parts, known, warehouse, run_id))
        connection.execute(f"checkpoint {_ATTACHED}")
    finally:
        connection.execute(f"detach {_ATTACHED}")
    return contents


def _write_table(
    connection: duckdb.DuckDBPyConnection, table: _Table, parts: Parts, known: Parts, warehouse: str, run_id: str
) -> TableContent:
    is_about_runs = table.full_name in RUN_TABLES
    earlier: dict[str, TablePart] = {}
    if not is_about_runs and known.columns.get(table.full_name) == table.signature:
        earlier = known.tables.get(table.full_name, {})
    present = dict(
        connection.execute(f"select {table.part} as part, {table.fingerprint} from {table.source} group by part")
        .fetchall()
    )  # fmt: skip
    changed = sorted(part for part, mark in present.items() if part not in earlier or earlier[part].fingerprint != mark)
    if not earlier or set(changed) == set(present):
        connection.execute(f"create or replace table {table.target} as select * from {table.source}")
        _copy_comments(connection, warehouse, table)
        if is_about_runs:
            _add_outcomes_of_run(connection, table, warehouse, run_id)
    elif gone := sorted({*changed, *(earlier.keys() - present.keys())}):
        connection.execute(f"delete from {table.target} where {table.part} in ({_texts(gone)})")
        if changed:
            connection.execute(
                f"insert into {table.target} select * from {table.source} where {table.part} in ({_texts(changed)})"
            )
    # A table about the runs holds more than the warehouse did when it was read.
    digests = _digests(connection, table, None if is_about_runs else changed)
    kept = {part: earlier[part].digest for part in present if part not in changed}
    digest = add_up([*digests.values(), *kept.values()])
    parts.columns[table.full_name] = table.signature
    parts.tables[table.full_name] = {
        part: TablePart(mark, kept.get(part) or digests.get(part, Digest())) for part, mark in sorted(present.items())
    }
    return content_of(table.full_name, content_columns(connection, table.target), digest)


def _digests(connection: duckdb.DuckDBPyConnection, table: _Table, changed: list[str] | None) -> dict[str, Digest]:
    """The digest of each part that was written; of all parts for None."""
    if changed == []:
        return {}
    where = f"where {table.part} in ({_texts(changed)})" if changed is not None else ""
    row, numbers = digest_sql(content_columns(connection, table.target))
    found = connection.execute(
        f"with hashed as (select {table.part} as part, {row} as digest from {table.target} {where})"
        f" select part, {numbers} from hashed group by part"
    ).fetchall()
    return {part: Digest(rows, int(total), int(parity)) for part, rows, total, parity in found}


def _drop_others(connection: duckdb.DuckDBPyConnection, wanted: set[str]) -> None:
    """Take tables out that the warehouse has no more."""
    for schema, name in connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [_ATTACHED]
    ).fetchall():
        if f"{schema}.{name}" not in wanted:
            connection.execute(f"drop table {_ATTACHED}.{quote(schema)}.{quote(name)}")


def _published_relations(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Tables and views of month grain or coarser: all but the daily facts, which go to Parquet."""
    return connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = current_database() and list_contains(?, table_schema)"
        " and not (table_schema = 'marts' and regexp_full_match(table_name, 'fct_.*_day'))"
        " order by table_schema, table_name",
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()


def _copy_comments(connection: duckdb.DuckDBPyConnection, warehouse: str, table: _Table) -> None:
    """Carry the descriptions of table and columns over: an export's definitions come from them."""
    described = connection.execute(
        "select comment from (select database_name, schema_name, table_name, comment from duckdb_tables()"
        " union all select database_name, schema_name, view_name, comment from duckdb_views())"
        " where database_name = ? and schema_name = ? and table_name = ? and comment is not null",
        [warehouse, table.schema, table.name],
    ).fetchone()
    if described:
        connection.execute(f"comment on table {table.target} is {_text(described[0])}")
    for column, comment in connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = ? and schema_name = ?"
        " and table_name = ? and comment is not null",
        [warehouse, table.schema, table.name],
    ).fetchall():
        connection.execute(f"comment on column {table.target}.{quote(column)} is {_text(comment)}")


def _add_outcomes_of_run(connection: duckdb.DuckDBPyConnection, table: _Table, warehouse: str, run_id: str) -> None:
    """The model was built before the last gate; add what this run has recorded since."""
    given = {row[0] for row in connection.execute(f"describe {quote(warehouse)}.control.outcome").fetchall()}
    if "outcome_id" not in table.columns or not set(table.columns) <= given:
        return
    names = ", ".join(quote(name) for name in table.columns)
    connection.execute(
        f"insert into {table.target} ({names}) select {names} from {quote(warehouse)}.control.outcome as made"
        f" where made.run_id = ? and not exists (from {table.target} as known"
        " where known.outcome_id = made.outcome_id)",
        [run_id],
    )


def _texts(values: list[str]) -> str:
    return ", ".join(map(_text, values))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
