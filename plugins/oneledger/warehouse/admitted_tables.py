"""The tables of schema ``admitted``: one an entity, or one a shape, built from the catalogue."""

from __future__ import annotations

import duckdb

from oneledger.catalogue import Catalogue, Entity
from oneledger.settings import ConfigurationError
from oneledger.warehouse.contract import date_column, sql_type

IDENTITY_COLUMNS = {
    "_batch_id": "varchar",
    "_file_id": "varchar",
    "_row_number": "bigint",
    "_business_on": "date",
}


def table_columns(entities: tuple[Entity, ...]) -> dict[str, str]:
    """Column name → DuckDB type in table order, for a table that these entities are admitted into.

    Raises:
        ConfigurationError: two entities of one shape give one column different types.
    """
    first = entities[0]
    columns = {"source": "varchar"} if first.shape else {}
    for entity in entities:
        for column in entity.columns:
            known = columns.setdefault(column.name, sql_type(column))
            if known != sql_type(column):
                raise ConfigurationError(
                    f"The source catalogue gives column {column.name} of shape {entity.shape} the type "
                    f"{sql_type(column)} in {entity.full_id} and {known} elsewhere. One shape is one table: "
                    f"make the types (and money units) equal, or name the column differently."
                )
    if first.shape:
        columns["_missing_states"] = "varchar"
    if first.shape or first.delivery == "full":
        columns["_is_omitted"] = "boolean"
    return columns | IDENTITY_COLUMNS


def create_admitted_tables(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> list[str]:
    """Make the tables what the catalogue says.

    A table whose columns changed is dropped and its batches are forgotten, in one transaction: they are
    admitted again from raw, and its dates are to be published anew.

    Returns:
        The tables that were dropped and created again.
    """
    existing: dict[str, dict[str, str]] = {}
    for table, name, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'admitted' order by column_index"
    ).fetchall():
        existing.setdefault(table, {})[name] = kind.lower().replace(",", ", ")
    renewed = []
    for table in sorted({entity.admitted_table for entity in catalogue.all_entities}):
        conforming = catalogue.entities_of_table(table)
        columns = table_columns(conforming)
        found = existing.get(table)
        if found is not None and list(found.items()) == list(columns.items()):
            continue
        listed = ", ".join(f"{name} {kind}{_compression(kind)}" for name, kind in columns.items())
        connection.execute("begin transaction")
        try:
            if found is not None:
                _forget_table(connection, table, found, conforming)
                renewed.append(table)
            connection.execute(f"create table admitted.{table} ({listed})")
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
    return renewed


def _compression(kind: str) -> str:
    # Codes, names and row identities repeat; to say so saves the load a third of its time: nothing else is tried.
    return " using compression dict_fsst" if kind == "varchar" else ""


def _forget_table(
    connection: duckdb.DuckDBPyConnection, table: str, found: dict[str, str], conforming: tuple[Entity, ...]
) -> None:
    first = conforming[0]
    if date_column(first) in found:
        connection.execute(
            f"insert or ignore into control.pending_date select distinct ?, {date_column(first)} from admitted.{table}",
            [first.shape],
        )
    connection.execute(f"drop table admitted.{table}")
    for entity in conforming:
        for control_table in ("control.admitted_batch", "quarantine.row", "checks.row_finding"):
            connection.execute(
                f"delete from {control_table} where source = ? and entity = ?", [entity.source_id, entity.id]
            )
