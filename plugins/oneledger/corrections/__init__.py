"""Backfills and corrections as reviewed records: planned on a copy, looked at, applied by name, the outcome kept."""
