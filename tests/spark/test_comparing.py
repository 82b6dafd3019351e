"""The comparison of two builds finds one bit, one row too many, and a type; equal marts it calls the same."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from oneledger_spark.comparing import Comparison, Mart, compare_marts

ROWS = "select * from (values (1::bigint, 0.1::double, 'a'), (1, 0.1, 'a'), (2, null, 'b')) as t(id, rate, name)"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("create schema marts")
        warehouse.execute(f"create table marts.app as {ROWS}")
    return path


def compared(built: Path, spark_rows: str) -> Comparison:
    mart = Mart("marts", "app", built.parent / "app")
    mart.parquet.mkdir()
    duckdb.sql(spark_rows).write_parquet(str(mart.parquet / "part-0.parquet"))
    return compare_marts(built, [mart], memory_limit="512MB")[0]


def test_the_same_rows_in_another_order_are_the_same(built: Path) -> None:
    found = compared(built, f"select * from ({ROWS}) order by id desc")
    assert found.is_same
    assert (found.rows_count, found.spark_rows_count) == (3, 3)


def test_a_double_may_differ_in_its_last_bit_and_the_row_is_counted(built: Path) -> None:
    found = compared(built, f"select id, rate + 2e-17 * (id = 1)::integer as rate, name from ({ROWS})")
    assert found.is_same
    assert found.last_bits_count == 2
    assert 0 < found.largest_difference < 1e-15


def test_a_double_that_differs_by_more_differs(built: Path) -> None:
    found = compared(built, f"select id, rate * 1.00000000001 as rate, name from ({ROWS})")
    assert not found.is_same
    assert (found.missing_count, found.extra_count, found.differing_columns) == (2, 2, ("rate",))


def test_a_row_that_stands_once_instead_of_twice_is_missing(built: Path) -> None:
    found = compared(built, f"select distinct * from ({ROWS})")
    assert (found.missing_count, found.extra_count, found.is_same) == (1, 0, False)


def test_a_column_of_another_type_differs_though_its_values_are_equal(built: Path) -> None:
    found = compared(built, f"select id::integer as id, rate, name from ({ROWS})")
    assert not found.is_same
    assert found.differing_columns == ("id: BIGINT, on Spark INTEGER",)


def test_null_and_a_value_are_not_the_same(built: Path) -> None:
    found = compared(built, f"select id, coalesce(rate, 0) as rate, name from ({ROWS})")
    assert (found.missing_count, found.extra_count) == (1, 1)


def test_a_view_is_compared_by_the_rows_that_it_reads(built: Path) -> None:
    with duckdb.connect(str(built)) as warehouse:
        warehouse.execute("alter table marts.app rename to app_held")
        warehouse.execute("create view marts.app as select id, rate, name from warehouse.marts.app_held")
    assert compared(built, ROWS).is_same
