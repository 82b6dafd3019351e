"""The content hash: equal data gives an equal hash, whoever built it, when, and in which order the rows lie."""

from __future__ import annotations

import functools
import hashlib
import operator
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


@dataclass(frozen=True)
class Digest:
    """Rows, and sum and exclusive or of the MD5 numbers of their texts: the content of a set of rows.

    Digests of separate sets add up, and one set can be taken out of another: what did not change is not read again.
    """

    rows_count: int = 0
    total: int = 0
    parity: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(
            self.rows_count + other.rows_count, self.total + other.total, operator.xor(self.parity, other.parity)
        )

    def __sub__(self, other: Digest) -> Digest:
        return Digest(
            self.rows_count - other.rows_count, self.total - other.total, operator.xor(self.parity, other.parity)
        )


def add_up(digests: Iterable[Digest]) -> Digest:
    """The digest of all these sets together."""
    return functools.reduce(operator.add, digests, Digest())


def content_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns that say what a row holds, in alphabetical order, with their types."""
    columns = connection.execute(f"describe select * from {relation}").fetchall()
    return {column: data_type for column, data_type, *_ in sorted(columns) if column not in PROVENANCE_COLUMNS}


def digest_sql(columns: dict[str, str]) -> tuple[str, str]:
    """SQL of a row's MD5 number, and of the three numbers of a digest over rows that have it as ``digest``."""
    parts = [f"coalesce({value_text(column, data_type)}, chr(1))" for column, data_type in columns.items()]
    row_text = " || chr(31) || ".join(parts) if parts else "''"
    return (
        f"md5_number_lower({row_text})",
        "count(*), coalesce(sum(digest::hugeint), 0)::varchar, coalesce(bit_xor(digest), 0)::varchar",
    )


def digest_of(connection: duckdb.DuckDBPyConnection, relation: str, where: str = "true") -> Digest:
    """The digest of the rows of ``relation`` (a table name or ``read_parquet(…)``) that ``where`` meets."""
    row, numbers = digest_sql(content_columns(connection, relation))
    found = connection.execute(
        f"with hashed as (select {row} as digest from {relation} where {where}) select {numbers} from hashed"
    ).fetchone()
    if found is None:
        raise RuntimeError(f"counting the rows of {relation} gave no answer")
    return Digest(found[0], int(found[1]), int(found[2]))


def content_of(name: str, columns: Iterable[str], digest: Digest) -> TableContent:
    """The content hash of rows with these columns (``content_columns``) and this digest."""
    numbers = (digest.rows_count, digest.total, digest.parity)
    text = "|".join((",".join(sorted(columns)), *map(str, numbers)))
    return TableContent(name, digest.rows_count, hashlib.sha256(text.encode()).hexdigest())


def hash_relation(connection: duckdb.DuckDBPyConnection, relation: str, name: str, where: str = "true") -> TableContent:
    """Hash the rows of ``relation`` (a table name or ``read_parquet(…)``) regardless of their order.

    Each row becomes text (its columns in alphabetical order, null apart from empty), each text an MD5;
    the sum and the exclusive or of these and the number of rows make the hash, so repeated rows count.
    Floating-point values count to nine decimals: their last bits depend on the order of a parallel sum.
    """
    return content_of(name, content_columns(connection, relation), digest_of(connection, relation, where))


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
