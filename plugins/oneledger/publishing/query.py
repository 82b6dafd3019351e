"""Ask a published version in SQL: its marts, its evaluation and its daily facts, and nothing may be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from oneledger.publishing.content import quote
from oneledger.publishing.holds import reading
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import duckdb_config

_ATTACHED = "published"


class QueryRefusedError(Exception):
    """The SQL cannot be answered: it would write, it is not one statement, or DuckDB finds a fault in it."""


@contextmanager
def open_version(settings: Settings, version: PublishedVersion) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees ``marts.…``, ``evaluation.…`` and ``facts.…`` of one version and no other file.

    Daily facts are views over the version's Parquet files, as ``facts.<name>`` and ``marts.<name>``. Opened by
    itself the file names its catalogue after itself, ``marts``, and DuckDB then finds ``marts.…`` ambiguous
    (catalogue or schema?); here it is attached under another name.
    """
    with reading(version), duckdb.connect(":memory:", config=dict(duckdb_config(settings))) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach '{_literal(version.marts_path)}' as {_ATTACHED} (read_only)")
        relations = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = ?", [_ATTACHED]
        ).fetchall()
        for schema in {"marts", "evaluation", "facts"}:
            connection.execute(f"create schema {schema}")
        for schema, table in relations:
            target = f"{schema}.{quote(table)}"
            connection.execute(f"create view {target} as from {_ATTACHED}.{target}")
        for fact in version.fact_names():
            files = _literal(version.path / FACTS_DIR / fact / "*.parquet")
            for schema in ("facts", "marts"):
                connection.execute(f"create view {schema}.{quote(fact)} as from read_parquet('{files}')")
        connection.execute("set search_path = 'marts,evaluation,facts'")
        connection.execute(f"set allowed_directories = ['{_literal(version.path)}/']")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def read_only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """``sql`` when it is one statement that only reads.

    Raises:
        QueryRefusedError: it says what is wrong with it.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefusedError(f"DuckDB cannot read this SQL: {error}") from error
    if len(statements) != 1:
        raise QueryRefusedError(f"The SQL has {len(statements)} statements; give exactly one.")
    kind = statements[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.RELATION):
        raise QueryRefusedError(
            f"This is a {kind.name} statement. A published version is never changed; only SELECT (also WITH, FROM, "
            "DESCRIBE, SUMMARIZE, SHOW) and EXPLAIN are answered. To keep a result use `oneledger export`."
        )
    return statements[0].query


def run_query(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], duckdb.DuckDBPyConnection]:
    """Run one reading statement; returns the column names and the cursor that holds the rows.

    Raises:
        QueryRefusedError: the SQL would write or is wrong.
    """
    statement = read_only_statement(connection, sql)
    try:
        cursor = connection.execute(statement)
    except duckdb.Error as error:
        raise QueryRefusedError(f"{error}{_known_tables(connection, error)}") from error
    return [column[0] for column in cursor.description or []], cursor


def column_descriptions(version: PublishedVersion, table: str) -> tuple[str | None, dict[str, str]]:
    """What the models say about a table and its columns: (table description, column → description).

    Args:
        table: ``schema.name`` as the version holds it.
    """
    schema, _, name = table.rpartition(".")
    with duckdb.connect(str(version.marts_path), read_only=True) as connection:
        described = connection.execute(
            "select comment from duckdb_tables() where schema_name = ? and table_name = ?", [schema, name]
        ).fetchone()
        columns = connection.execute(
            "select column_name, comment from duckdb_columns() where schema_name = ? and table_name = ?"
            " and comment is not null",
            [schema, name],
        ).fetchall()
    return (described[0] if described else None), dict(columns)


def find_table(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """``schema.name`` of a published table given with or without its schema.

    Raises:
        ConfigurationError: the version has no such table.
    """
    wanted_schema, _, wanted = name.rpartition(".")
    found: list[tuple[str, str]] = connection.execute(
        "select schema_name, view_name from duckdb_views() where database_name = 'memory' and not internal"
        " order by schema_name desc, view_name"
    ).fetchall()
    for schema, table in found:
        if table == wanted and wanted_schema in ("", schema):
            return f"{schema}.{table}"
    known = ", ".join(sorted({f"{schema}.{table}" for schema, table in found if schema != "facts"}))
    raise ConfigurationError(f"There is no published table {name!r}. There are: {known}.")


def _known_tables(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    if not isinstance(error, duckdb.CatalogException):
        return ""
    names = connection.execute(
        "select string_agg(schema_name || '.' || view_name, ', ' order by schema_name, view_name) from duckdb_views()"
        " where database_name = 'memory' and not internal and schema_name <> 'facts'"
    ).fetchone()
    return f"\nPublished tables: {names[0]}" if names and names[0] else ""


def _literal(path: object) -> str:
    return str(path).replace("'", "''")
