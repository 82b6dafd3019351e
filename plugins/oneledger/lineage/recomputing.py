"""A model's own SQL run over nothing but the rows that a trace found, beside what was published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from oneledger.lineage.pushdown import Contribution
from oneledger.publishing.content import quote

_NAMED = re.compile(r'"warehouse"\."(\w+)"\."(\w+)"')
NINE_DECIMALS = 1e-9
# The results of an evaluation run are kept to nine decimals, so what is computed from them is a little further off.
SIX_DECIMALS = 1e-6
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
    tolerance: float = NINE_DECIMALS,
) -> int:
    """How many of the wanted rows do not come again.

    Args:
        sql: the model's compiled SQL, word for word.
        reads: the relations that it reads; of those without a contribution it gets no row.
        schema: where the contributions lie as tables named after their relation.
        wanted: a table of the wanted rows with those columns that are compared.
        types: of the model's columns.
        tolerance: how far doubles may be apart, beside the larger of 1 and their size: their last bits hang on the
            order of addition.
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
    same = []
    for name in [row[0] for row in connection.execute(f"describe {wanted}").fetchall()]:
        given_value, new = f"wanted.{quote(name)}", f"again.{quote(name)}"
        if types.get(name) in _FLOATS:
            near = f"abs({given_value} - {new}) <= {tolerance} * greatest(1, abs({given_value}))"
            same.append(f"({given_value} is not distinct from {new} or {near})")
        else:
            same.append(f"{given_value} is not distinct from {new}")
    return int(
        connection.execute(
            f"select count(*) from {wanted} as wanted"
            f" where not exists (select 1 from ({again}) as again where {' and '.join(same)})"
        ).fetchall()[0][0]
    )
