"""A reader beside the nights: asks the published version again and again, and writes down what it was told."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb

from oneledger.publishing.query import open_version
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.settings import Settings

PAUSE_SECONDS = 0.02
# Rows of three marts and of the daily facts: told by one version, or by none.
FIGURES = """
select town.as_of_on::varchar, town.visitors_count::bigint, town.apps_count, town.budget_cny::bigint,
    (select count(*) from {marts}.dim_app), (select sum(visitors_count)::bigint from {marts}.app_usage_month),
    (select sum(visitors_count)::bigint from {facts}), (select count(*) from {facts})
from {marts}.town as town
"""


def figures_of(settings: Settings, version: PublishedVersion) -> tuple[object, ...]:
    """As the product's own connection to a version tells them."""
    with open_version(settings, version) as connection:
        sql = FIGURES.format(marts="marts", facts="facts.fct_app_usage_day")
        return tuple(connection.execute(sql).fetchall()[0])


def figures_by_file(folder: Path) -> tuple[object, ...]:
    """As any client of DuckDB tells them, who opens the files of the folder that ``current`` points at."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{folder / 'marts.duckdb'}' as published (read_only)")
        facts = f"read_parquet('{folder}/facts/fct_app_usage_day/*.parquet')"
        return tuple(connection.execute(FIGURES.format(marts="published.marts", facts=facts)).fetchall()[0])


def main() -> None:
    """Home, a file that says when to end, and the file for the answers."""
    home, done, answers = (Path(one) for one in sys.argv[1:4])
    settings = Settings(home=home, memory_limit="256MB", threads=1)
    told: Counter[str] = Counter()
    errors: list[str] = []
    reads = 0
    while not done.exists():
        try:
            if reads % 2:
                found = figures_by_file((home / "published" / "current").resolve())
            else:
                found = figures_of(settings, resolve(settings))
            told[json.dumps(found)] += 1
        except Exception as error:  # each of them is what the test is about
            errors.append(f"{type(error).__name__}: {error}")
        reads += 1
        time.sleep(PAUSE_SECONDS)
    answers.write_text(json.dumps({"reads": reads, "told": told, "errors": errors}), "utf-8")


if __name__ == "__main__":
    main()
