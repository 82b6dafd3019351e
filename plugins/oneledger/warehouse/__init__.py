"""The warehouse: one DuckDB file, one writer, admission of raw batches, and the dbt run."""
