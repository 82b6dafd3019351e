"""A model's own SQL run over nothing but the rows that a trace found, beside what was published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from oneledger.lineage.pushdown import Contribution
from oneledger.publishing.content import quote

_NAMED = re.compile(r'"warehouse"\."(\w+)"\."(\w+)"')
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


def differing_rows(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    *,
    reads: Iterable[str],
    contributions: Sequence[Contribution],
    schema: str,
    wanted: str,
    types: Mapping[str, str],
) -> int:
    """How many of the wanted rows do not come again.

    Args:
        sql: the model's compiled SQL, word for word.
        reads: the relations that it reads; of those without a contribution it gets no row.
        schema: where the contributions lie as tables named after their relation.
        wanted: a table of the wanted rows with those columns that are compared.
        types: of the model's columns; the last bits of doubles hang on the order of addition and do not count.
    """
    given = {one.relation for one in contributions}
    for relation in reads:
        if relation not in given:
            name, _, table = relation.partition(".")
            connection.execute(
                f"create table if not exists {schema}.{quote(relation)} as "
                f'from "warehouse".{quote(name)}.{quote(table)} limit 0'
            )
    again = _NAMED.sub(lambda match: f"{schema}.{quote(f'{match[1]}.{match[2]}')}", sql)
    names = [row[0] for row in connection.execute(f"describe {wanted}").fetchall()]
    columns = ", ".join(
        f"round({quote(name)}, 9) as {quote(name)}" if types.get(name) in _FLOATS else quote(name) for name in names
    )
    return int(
        connection.execute(
            f"select count(*) from (select {columns} from {wanted} except select {columns} from ({again}))"
        ).fetchall()[0][0]
    )
