"""The dbt project on Apache Spark: a cluster of one master and two workers, the marts, and whether they are DuckDB's.

Models are written once, in DuckDB's SQL. What Spark needs to be said differently lies in two places: the grammar and
the functions in ``dialect`` (applied by the adapter ``dbt.adapters.oneledgerspark``), and how relations are made,
seeds loaded and sources read in ``dbt_project/macros/engine/``.
"""
