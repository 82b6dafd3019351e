"""dbt's adapter for Spark with one thing more: models of DuckDB's SQL are said in Spark's.

A profile names it by ``type: oneledgerspark``; everything else in the profile is dbt-spark's. The macros of
dbt_project/macros/engine/ call ``adapter.in_spark_sql`` where SQL of a model or test goes to Spark.
"""

from dbt.adapters.base import AdapterPlugin
from dbt.adapters.oneledgerspark.impl import OneledgerSparkAdapter, OneledgerSparkCredentials
from dbt.include import oneledgerspark

Plugin = AdapterPlugin(
    adapter=OneledgerSparkAdapter,
    credentials=OneledgerSparkCredentials,
    include_path=oneledgerspark.PACKAGE_PATH,
    dependencies=["spark"],
)
