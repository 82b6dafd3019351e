"""dbt shows it beside the adapter's name: dbt-spark's version, which this adapter adds to."""

from dbt.adapters.spark.__version__ import version

__all__ = ["version"]
