"""Quality: row rules as SQL, Great Expectations on DuckDB, and the gates."""
