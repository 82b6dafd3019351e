"""The adapter, its connections and its credentials: dbt-spark's, and what DuckDB's SQL needs beyond them."""

from __future__ import annotations

from dbt.adapters.base.meta import available
from dbt.adapters.spark import SparkAdapter, SparkConnectionManager, SparkCredentials
from dbt_common.exceptions import CompilationError

from oneledger_spark.dialect import TranslationError, in_spark_sql, in_spark_type


class OneledgerSparkCredentials(SparkCredentials):
    @property
    def type(self) -> str:
        # dbt looks for the package by the adapter class's name in small letters.
        return "oneledgerspark"

    def __post_init__(self) -> None:
        super().__post_init__()
        # dbt-spark turns it off. Without it a sum that overflows or a text that is no number gives a wrong value or
        # null where DuckDB ends with an error.
        self.server_side_parameters["spark.sql.ansi.enabled"] = "true"


class OneledgerSparkConnectionManager(SparkConnectionManager):
    TYPE = "oneledgerspark"


class OneledgerSparkAdapter(SparkAdapter):
    ConnectionManager = OneledgerSparkConnectionManager

    @available
    def in_spark_sql(self, sql: str) -> str:
        """A query of a model or test, written in DuckDB's SQL, in Spark's."""
        try:
            return in_spark_sql(sql)
        except TranslationError as error:
            raise CompilationError(str(error)) from error

    @available
    def in_spark_type(self, data_type: str) -> str:
        """A type of a contract or seed by its name in Spark."""
        return in_spark_type(data_type)

    @available
    def names_of_query(self, sql: str) -> list[str]:
        """The columns that a query of Spark's SQL gives; the query is only analysed."""
        _, cursor = self.connections.add_select_query(f"select * from ({sql}) as asked limit 0")
        return [column[0] for column in cursor.description]

    @classmethod
    def is_cancelable(cls) -> bool:
        return False
