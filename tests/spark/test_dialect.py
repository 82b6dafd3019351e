"""DuckDB's SQL in Spark's: each rule by an example, and what no rule covers is refused."""

from __future__ import annotations

import pytest
import sqlglot

from oneledger_spark.dialect import TranslationError, in_spark_sql, in_spark_type


@pytest.mark.parametrize(
    ("duckdb_sql", "spark_sql"),
    [
        # Dates: what the minus between two values means is told by the grammar of names.
        ("select due_on - opened_on as d from t", "CAST(datediff(due_on, opened_on) AS BIGINT)"),
        ("select due_on - 3 as d from t", "date_sub(due_on, CAST(3 AS INT))"),
        ("select visitors_count - 3 as d from t", "visitors_count - 3"),
        ("select due_on - interval 1 month as d from t", "due_on - INTERVAL '1' MONTH"),
        ("select due_on - to_months(x) as d from t", "add_months(due_on, -CAST(x AS INT))"),
        (
            "select date_diff('month', a_on, b_on) as d from t",
            "CAST(((YEAR(b_on) - YEAR(a_on)) * 12 + MONTH(b_on) - MONTH(a_on)) AS BIGINT)",
        ),
        ("select isodow(due_on) as d from t", "(weekday(due_on) + 1)"),
        ("select try_strptime(a, '%Y年%m月') as d from t", "try_to_timestamp(a, 'yyyy\\'年\\'M\\'月\\'')"),
        # Numbers: DuckDB's quotient is a double, its rounding one of the binary value.
        ("select a / b as d from t", "CAST(a AS DOUBLE) / b"),
        ("select round(a, 2) as d from t", "(ROUND(CAST(a AS DOUBLE) * 1e2) / 1e2)"),
        ("select round(cast(a as decimal(5, 4)), 2) as d from t", "ROUND(CAST(a AS DECIMAL(5, 4)), 2)"),
        (
            "select avg(a) over (partition by b) as d from t",
            "CASE WHEN typeof(a) LIKE 'decimal%' THEN CAST(AVG(CAST(a AS DECIMAL(38, 18))) OVER (PARTITION BY b) "
            "AS DOUBLE) ELSE AVG(CAST(a AS DOUBLE)) OVER (PARTITION BY b) END AS d",
        ),
        (
            "select avg(a) filter (where b > 0) as d from t group by c",
            "CASE WHEN typeof(MIN(a)) LIKE 'decimal%' THEN CAST(AVG(CAST(a AS DECIMAL(38, 18))) FILTER(WHERE b > 0) "
            "AS DOUBLE) ELSE AVG(CAST(a AS DOUBLE)) FILTER(WHERE b > 0) END AS d",
        ),
        ("select avg(cast(a as double)) as d from t", "SELECT AVG(CAST(a AS DOUBLE)) AS d FROM t"),
        (
            "select measured_value || 'x' as d from t",
            "CASE WHEN typeof(measured_value) = 'double' THEN engine.text_of_double(CAST(measured_value AS STRING)) "
            "ELSE CAST(measured_value AS STRING) END || 'x'",
        ),
        ("select visitors_count || 'x' as d from t", "visitors_count || 'x'"),
        (
            "select cast(rule.value as integer) as d from t as rule",
            "CASE WHEN typeof(rule.value) = 'double' THEN CAST(rint(rule.value) AS INT) "
            "ELSE CAST(rule.value AS INT) END",
        ),
        ("select cast(is_late as integer) as d from t", "SELECT CAST(is_late AS INT) AS d"),
        # Lists: len is the size of a list, length that of a text.
        ("select len(a) as d from t", "SIZE(a)"),
        ("select length(a) as d from t", "LENGTH(a)"),
        ("select arg_max(a, b) as d from t", "max_by(a, b) FILTER(WHERE NOT a IS NULL)"),
        ("select arg_max_null(a, b) as d from t", "max_by(a, b)"),
        ("select list_reduce(a, (x, y) -> x || y) as d from t", "aggregate(slice(a, 2, SIZE(a)), element_at(a, 1), "),
        # Rows: a list in the select list becomes a lateral view, an empty series no error.
        (
            "select cast(unnest(generate_series(a_on, b_on, interval 1 day)) as date) as d from t",
            "SELECT CAST(unnested_1 AS DATE) AS d FROM t LATERAL VIEW EXPLODE(CASE WHEN a_on <= b_on THEN "
            "SEQUENCE(a_on, b_on, INTERVAL '1' DAY) END) unnested AS unnested_1",
        ),
        (
            "select unnest(['x', 'y']) as a, unnest([1, 2]) as b from t",
            "LATERAL VIEW INLINE(arrays_zip(ARRAY('x', 'y'), ARRAY(1, 2))) unnested AS unnested_1, unnested_2",
        ),
        (
            "with p as (unpivot (select d, a, b from m) on a, b into name n value v) select d, n, v from p",
            "SELECT * FROM (SELECT d, a, b FROM m) UNPIVOT(v FOR n IN (a, b))",
        ),
        (
            "select last(a order by b) filter (where c) as d from t",
            "COLLECT_LIST(STRUCT(b AS key_0, a AS listed)) FILTER(WHERE c)",
        ),
        (
            "select count(distinct a) over (partition by b) as d from t",
            "CAST(SIZE(COLLECT_SET(a) OVER (PARTITION BY b)) AS BIGINT)",
        ),
        ("select any_value(a) filter (where c) as d from t", "any_value(a, TRUE) FILTER(WHERE c)"),
        ("select a from t qualify row_number() over (partition by a order by b) = 1", "ROW_NUMBER() OVER"),
    ],
)  # fmt: skip
def test_a_rule_says_in_spark_what_duckdb_does(duckdb_sql: str, spark_sql: str) -> None:
    translated = in_spark_sql(duckdb_sql)
    assert spark_sql.casefold() in translated.casefold()
    sqlglot.parse_one(translated, read="spark")


def test_sql_that_a_mart_holds_as_text_stays_duckdbs() -> None:
    translated = in_spark_sql("select 'select arg_max(a, b) / len(c) from marts.ledger' as value_query")
    assert "'select arg_max(a, b) / len(c) from marts.ledger'" in translated


def test_quotes_and_backslashes_of_a_literal_are_escaped_as_spark_reads_them() -> None:
    assert "'it\\'s \\\\d'" in in_spark_sql("select 'it''s \\d' as pattern")


def test_a_function_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(TranslationError, match="list_zip"):
        in_spark_sql("select list_zip(a, b) as c from t")


def test_text_that_is_no_query_is_refused() -> None:
    with pytest.raises(TranslationError):
        in_spark_sql("select 1; select 2")


@pytest.mark.parametrize(
    ("duckdb_type", "spark_type"),
    [("varchar", "string"), ("timestamp", "timestamp_ntz"), ("hugeint", "decimal(38, 0)"), ("integer", "int"),
     ("decimal(18, 2)", "decimal(18, 2)"), ("varchar[]", "array<string>"), ("double", "double")],
)  # fmt: skip
def test_a_type_of_a_contract_has_its_name_in_spark(duckdb_type: str, spark_type: str) -> None:
    assert in_spark_type(duckdb_type) == spark_type
