"""What the content hash of a table counts, and what it does not."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.publishing.content import hash_relation

Row = tuple[str | None, float | None]
ROWS = st.lists(st.tuples(st.none() | st.text(max_size=5), st.none() | st.floats(-1e6, 1e6)), max_size=8)


def hash_of(rows: list[Row]) -> str:
    with duckdb.connect(":memory:") as connection:
        connection.execute("create table one (name varchar, value double)")
        for row in rows:
            connection.execute("insert into one values (?, ?)", list(row))
        return hash_relation(connection, "one", "one").content_hash


@settings(max_examples=40)
@given(rows=ROWS, order=st.randoms())
def test_the_order_of_rows_does_not_count(rows: list[Row], order: object) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert hash_of(shuffled) == hash_of(rows)


def test_a_repeated_row_a_null_and_a_changed_value_count() -> None:
    rows: list[Row] = [("a", 1.0), (None, 2.0)]
    others: list[list[Row]] = [[*rows, ("a", 1.0)], [("a", 1.0), ("", 2.0)], [("a", 1.000001), (None, 2.0)]]
    hashes = {hash_of(rows), *map(hash_of, others)}
    assert len(hashes) == 4


def test_the_last_bits_of_a_sum_and_the_sign_of_a_zero_do_not_count() -> None:
    assert hash_of([("a", 0.1 + 0.2)]) == hash_of([("a", 0.3)])
    assert hash_of([("a", -0.0)]) == hash_of([("a", 0.0)])
