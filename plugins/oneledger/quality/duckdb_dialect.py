"""Great Expectations on DuckDB: a read-only SQLAlchemy dialect on which every check runs inside the database.

The stock ``duckdb-engine`` dialect fails under Great Expectations: it rolls back when a connection is
handed back, and the rollback empties the result that Great Expectations reads afterwards; it reflects
columns through a PostgreSQL catalogue that DuckDB lacks; and DuckDB's ``~`` matches the whole value
where PostgreSQL's matches a part. Checks only read, so transactions need not begin or end at all.
"""

from __future__ import annotations

from typing import Any

import duckdb_engine
from sqlalchemy import URL, pool, text
from sqlalchemy.dialects import postgresql, registry
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.sql import sqltypes
from sqlalchemy.sql.elements import BinaryExpression

from oneledger.settings import Settings

DRIVER = "duckdb.oneledger"

_TYPES: dict[str, type[sqltypes.TypeEngine[Any]]] = {
    "BIGINT": sqltypes.BigInteger,
    "BOOLEAN": sqltypes.Boolean,
    "DATE": sqltypes.Date,
    "DOUBLE": sqltypes.Float,
    "FLOAT": sqltypes.Float,
    "HUGEINT": sqltypes.BigInteger,
    "INTEGER": sqltypes.Integer,
    "SMALLINT": sqltypes.Integer,
    "TIMESTAMP": sqltypes.DateTime,
    "VARCHAR": sqltypes.String,
}


class ReadOnlyCompiler(PGCompiler):
    """Writes the regular-expression operators as DuckDB's ``regexp_matches``."""

    def visit_custom_op_binary(self, element: BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """``column ~ pattern`` and ``column !~ pattern``; every other operator as PostgreSQL writes it."""
        if operator.opstring not in ("~", "!~"):
            return str(super().visit_custom_op_binary(element, operator, **kw))
        matched = f"regexp_matches({self.process(element.left, **kw)}, {self.process(element.right, **kw)})"
        return matched if operator.opstring == "~" else f"not {matched}"


class ReadOnlyDialect(duckdb_engine.Dialect):
    """DuckDB for checks: one connection, no transactions of its own, columns from ``duckdb_columns()``."""

    driver = "oneledger"
    statement_compiler = ReadOnlyCompiler
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """One connection for all: the temporary tables of a gate are seen by each of its checks."""
        return pool.StaticPool

    def do_begin(self, dbapi_connection: Any) -> None:
        """Nothing: checks only read."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing: checks only read."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing: a rollback would empty a result that is still to be read."""

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """Name, type and nullability of each column of a table or view."""
        found = connection.execute(
            text(
                "select column_name, data_type, is_nullable from duckdb_columns()"
                " where table_name = :table_name and (:schema_name is null or schema_name = :schema_name)"
                " order by column_index"
            ),
            {"table_name": table_name, "schema_name": schema},
        )
        return [
            {"name": name, "type": _sqlalchemy_type(data_type), "nullable": nullable, "default": None}
            for name, data_type, nullable in found
        ]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """None: keys here are promises that a check proves, not constraints of the file."""
        return {"constrained_columns": [], "name": None}


def _sqlalchemy_type(data_type: str) -> sqltypes.TypeEngine[Any]:
    if data_type.startswith("DECIMAL"):
        return sqltypes.Numeric()
    return _TYPES.get(data_type, sqltypes.NullType)()


def warehouse_url(settings: Settings) -> str:
    """The SQLAlchemy address under which checks read the warehouse, with our limits on memory and threads.

    The options equal those of ``oneledger.warehouse.connection``: DuckDB refuses a second connection of
    one process to one file under other options.
    """
    from oneledger.warehouse.connection import WAREHOUSE, duckdb_config

    options = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in
               duckdb_config(settings, WAREHOUSE).items()}  # fmt: skip
    return URL.create(
        "duckdb+oneledger", database=str(settings.warehouse_path), query={"access_mode": "READ_ONLY", **options}
    ).render_as_string(hide_password=False)


def use_for(execution_engine: Any) -> None:
    """Let a Great Expectations engine write PostgreSQL-like SQL, as this dialect understands it."""
    execution_engine.dialect_module = postgresql


registry.register(DRIVER, __name__, "ReadOnlyDialect")
