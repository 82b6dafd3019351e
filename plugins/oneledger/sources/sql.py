"""Read tables or queries of a database into newline-delimited JSON, in the order of the natural key.

One connection serves all entities of a source, in one snapshot where the database gives one
(PostgreSQL: repeatable read; SQLite: a read transaction), so that tables fit together.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from oneledger.catalogue import Entity
from oneledger.sources.connections import Connection
from oneledger.sources.received import Received, ReceivedFile
from oneledger.sources.refusal import RefusalError

PAYLOAD_NAME = "rows.ndjson.gz"
_ROWS_AT_A_TIME = 2000


@contextmanager
def open_snapshot(connection: Connection, timeout_seconds: int = 15) -> Iterator[sa.Connection]:
    """One read transaction on the source's database.

    Args:
        timeout_seconds: how long to wait for a connection, and for a lock that somebody else holds.

    Raises:
        RefusalError: the database cannot be read: unreachable, wrong login, locked, or no database.
    """
    sqlite_file = connection.sqlite_file()
    if sqlite_file:
        engine = sa.create_engine(
            "sqlite+pysqlite://", creator=lambda: _open_read_only(sqlite_file, timeout_seconds), poolclass=sa.NullPool
        )
    else:
        engine = sa.create_engine(
            connection.database_url(), isolation_level="REPEATABLE READ", poolclass=sa.NullPool,
            connect_args={"connect_timeout": timeout_seconds},
        )  # fmt: skip
    try:
        try:
            database = engine.connect()
            # SQLite's own driver starts a transaction only for writing; a snapshot needs one for reading too.
            database.execute(sa.text("begin" if sqlite_file else "set transaction read only"))
            if sqlite_file:
                # The first look into the file: a locked one, and one that is no database, are found here.
                database.execute(sa.text("select count(*) from sqlite_master")).scalar_one()
        except SQLAlchemyError as error:
            raise RefusalError(
                f"The database of connection {connection.id} cannot be reached: {_first_line(error)}.",
                f"Check that it runs, that nobody keeps it locked, and that {connection.variable} names it and its "
                f"login rightly.",
                {"connection": connection.id},
                problem="unreachable_database",
            ) from error
        with database:
            yield database
    finally:
        engine.dispose()


def _open_read_only(path: Path, timeout_seconds: int) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=timeout_seconds)


def receive_rows(
    entity: Entity,
    database: sa.Connection,
    directory: Callable[[], Path],
    as_of: dt.date,
    since: str | None = None,
    progress: Callable[[int, int | None], None] = lambda rows, of: None,
) -> Received:
    """Stream one table or query to ``rows.ndjson.gz`` in a new partial directory.

    The bytes are the same whenever the rows are: sorted by natural key, keys as the database names them,
    gzip without a time. Dates are ISO 8601, decimals text (exact), binary values base64.

    Args:
        entity: names ``table`` or ``query``, the columns and the natural key.
        database: the open snapshot.
        directory: makes the partial directory.
        as_of: the business date of the delivery.
        since: for deliveries of changes, the newest ``updated_at`` that is landed (inclusive).
        progress: called with the number of rows so far; how many there are, a query does not say (None).

    Raises:
        RefusalError: table or query cannot be read.
    """
    try:
        statement = _statement(entity, database, since)
        target = directory()
        with (target / PAYLOAD_NAME).open("wb") as stream:
            rows = _write_rows(database, statement, stream, progress)
    except SQLAlchemyError as error:
        database.rollback()
        what = f"table {entity.table}" if entity.table else "the query of the catalogue"
        raise RefusalError(
            f"{entity.full_id}: {what} cannot be read: {_first_line(error)}.",
            "If the table or a column was renamed, correct the entity in the catalogue; "
            "otherwise the owner of the database mends it.",
            {"table": entity.table},
            problem="unreachable_database",
        ) from error
    payload = target / PAYLOAD_NAME
    with payload.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    file = ReceivedFile(PAYLOAD_NAME, sha256, payload.stat().st_size, entity.table or "query", rows)
    return Received(f"{as_of:%Y%m%d}", as_of, target, (file,), since=since, watermark_cap=as_of + dt.timedelta(days=1))


def _statement(entity: Entity, database: sa.Connection, since: str | None) -> sa.Select[Any]:
    relation: sa.FromClause
    if entity.table:
        schema, _, name = entity.table.rpartition(".")
        inspector = sa.inspect(database)
        if not (inspector.has_table(name, schema or None) or name in inspector.get_view_names(schema or None)):
            raise RefusalError(
                f"{entity.full_id}: the database has no table {entity.table}.",
                "If it was renamed, correct `table` in the catalogue; otherwise the owner of the database restores it.",
                {"table": entity.table, "tables": sorted(inspector.get_table_names(schema or None))[:50]},
                problem="missing_table",
            )
        columns = [column["name"] for column in inspector.get_columns(name, schema or None)]
        relation = sa.table(name, *map(sa.column, columns), schema=schema or None)
    else:
        # The query comes from the catalogue, which only the operator of this installation writes.
        query = sa.text(str(entity.query).rstrip().rstrip(";"))
        columns = list(database.execute(sa.text(f"select * from ({query.text}) as probe where 1 = 0")).keys())
        relation = query.columns(*map(sa.column, columns)).subquery("delivery")
    keys = [entity.column(name).source_name for name in entity.natural_key]
    order = [relation.c[key] for key in keys if key in columns] or list(relation.c)
    statement = sa.select(relation).order_by(*order)
    changed = entity.column(entity.updated_at).source_name if entity.updated_at else None
    if since is not None and changed in columns:
        statement = statement.where(relation.c[changed] >= since)
    return statement


def _write_rows(
    database: sa.Connection, statement: sa.Select[Any], stream: IO[bytes], progress: Callable[[int, int | None], None]
) -> int:
    count = 0
    result = database.execution_options(stream_results=True, yield_per=_ROWS_AT_A_TIME).execute(statement)
    names = list(result.keys())
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=6) as packed:
        for rows in result.partitions():
            lines = [
                json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=_jsonable) for row in rows
            ]
            packed.write(("\n".join(lines) + "\n").encode())
            count += len(lines)
            progress(count, None)
    return count


def _jsonable(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return str(value)


def _first_line(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).strip().splitlines()[0]
