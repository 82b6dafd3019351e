"""A model's own SQL run over nothing but the rows that a trace found, beside what was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from oneledger.lineage.constraints import FLOATS
from oneledger.lineage.ground import CATALOGUE, NAMED, quoted
from oneledger.lineage.pushdown import Contribution
from oneledger.publishing.content import quote

NINE_DECIMALS = 1e-9
# The results of an evaluation run are kept to nine decimals, so what is computed from them is a little further off.
SIX_DECIMALS = 1e-6


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
    columns: Iterable[str] | None = None,
    types_of: Mapping[str, Mapping[str, str]] | None = None,
) -> int:
    """How many of the wanted rows do not come again.

    Args:
        sql: the model's compiled SQL, word for word.
        reads: the relations that it reads; of those without a contribution it gets no row.
        schema: where tables without a row are made.
        wanted: a table of the wanted rows.
        types: of the model's columns.
        columns: those of the wanted rows that are compared; all when not given.
        types_of: by relation its columns with their types; asked of the relation when not given.
        tolerance: how far doubles may be apart, beside the larger of 1 and their size: their last bits hang on the
            order of addition.
    """
    tables = {one.relation: one.table for one in contributions}
    for relation in reads:
        if relation not in tables:
            tables[relation] = f"{schema}.{quote(relation)}"
            known = (types_of or {}).get(relation)
            shape = f" ({', '.join(f'{quote(name)} {kind}' for name, kind in known.items())})" if known else (
                f" as from {CATALOGUE}.{quoted(relation)} limit 0"
            )  # fmt: skip
            connection.execute(f"create table if not exists {tables[relation]}{shape}")
    again = NAMED.sub(lambda match: tables.get(f"{match[1]}.{match[2]}", match[0]), sql)
    compared = columns or [row[0] for row in connection.execute(f"describe {wanted}").fetchall()]
    same = []
    for name in compared:
        given_value, new = f"wanted.{quote(name)}", f"again.{quote(name)}"
        if types.get(name) in FLOATS:
            near = f"abs({given_value} - {new}) <= {tolerance} * greatest(1, abs({given_value}))"
            same.append(f"({given_value} is not distinct from {new} or {near})")
        else:
            same.append(f"{given_value} is not distinct from {new}")
    return int(
        connection.execute(
            f"select count(*) from {wanted} as wanted anti join ({again}) as again on {' and '.join(same)}"
        ).fetchall()[0][0]
    )
