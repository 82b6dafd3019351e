"""Measurements of the nightly, each beside plain DuckDB SQL on the same files in the same run."""
