"""The content hash: equal data gives an equal hash, whoever built it, when, and in which order the rows lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

# Who computed a row and from which delivery; not what the row says.
PROVENANCE_COLUMNS = frozenset(
    {
        "run_id", "batch_id", "newest_batch_id", "_batch_id", "_file_id", "_row_number", "file_id", "outcome_id",
        "computed_at", "built_at",
    }
)  # fmt: skip
# Tables about the runs themselves, which differ from run to run by nature.
RUN_TABLES = frozenset({"marts.run_outcome"})


@dataclass(frozen=True)
class TableContent:
    """Rows and content hash (64 hex digits) of one table or file; ``name`` as ``marts.app_usage_month``."""

    name: str
    rows_count: int
    content_hash: str

    @property
    def counts(self) -> bool:
        """False for tables about the runs themselves, which the overall hash leaves out."""
        return self.name not in RUN_TABLES


def hash_relation(connection: duckdb.DuckDBPyConnection, relation: str, name: str, where: str = "true") -> TableContent:
    """Hash the rows of ``relation`` (a table name or ``read_parquet(…)``) regardless of their order.

    Each row becomes text (its columns in alphabetical order, null apart from empty), each text an MD5;
    the sum and the exclusive or of these and the number of rows make the hash, so repeated rows count.
    Floating-point values count to nine decimals: their last bits depend on the order of a parallel sum.
    """
    columns = connection.execute(f"describe select * from {relation} where {where}").fetchall()
    parts = [
        f"coalesce({value_text(column, data_type)}, chr(1))"
        for column, data_type, *_ in sorted(columns)
        if column not in PROVENANCE_COLUMNS
    ]
    row_text = " || chr(31) || ".join(parts) if parts else "''"
    found = connection.execute(
        f"with hashed as (select md5_number_lower({row_text}) as digest from {relation} where {where}) "
        "select count(*), coalesce(sum(digest::hugeint), 0)::varchar, coalesce(bit_xor(digest), 0)::varchar from hashed"
    ).fetchone()
    if found is None:
        raise RuntimeError(f"counting the rows of {name} gave no answer")
    names = ",".join(sorted(f"{column}" for column, *_ in columns if column not in PROVENANCE_COLUMNS))
    digest = hashlib.sha256("|".join((names, *map(str, found))).encode()).hexdigest()
    return TableContent(name, found[0], digest)


def overall_hash(contents: Iterable[TableContent]) -> str:
    """One hash over all tables and fact files, by name; tables about the runs themselves do not count."""
    lines = sorted(f"{one.name}\t{one.rows_count}\t{one.content_hash}" for one in contents if one.counts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def value_text(column: str, data_type: str) -> str:
    """SQL of a value as the content hash sees it: floating-point numbers to nine decimals."""
    quoted = quote(column)
    if data_type in ("DOUBLE", "FLOAT"):
        return f"(round({quoted}, 9) + 0.0)::varchar"  # a minus zero is a zero
    return f"{quoted}::varchar"


def quote(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_all(identifiers: Sequence[str]) -> str:
    return ", ".join(quote(one) for one in identifiers)
