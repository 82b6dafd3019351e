"""What killed processes left behind and nobody else takes away: removed by whoever begins to write the warehouse.

Most of what a kill leaves is finished or removed by the next holder of the lock under which it was made: partial
batches by the next ingest of the source, partial versions by the next start of publishing. Here is the rest: what
DuckDB had spilled, and records that were being written under a partial name by processes that share no lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from oneledger.outcomes import utc_now
from oneledger.settings import Settings
from oneledger.warehouse.spilling import clear_spills_of_the_dead

# A record is written in milliseconds. What lies under a partial name for longer than this was never finished.
STALE_AFTER = dt.timedelta(hours=1)


def clear_leftovers(settings: Settings, now: dt.datetime | None = None) -> list[str]:
    """Remove what the dead left; returns the paths from the home.

    Args:
        now: the time as of which an unfinished record is stale.
    """
    removed = [f"scratch/duckdb/{name}" for name in clear_spills_of_the_dead(settings)]
    oldest = ((now or utc_now()) - STALE_AFTER).timestamp()
    for path in _partial_records(settings):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
                removed.append(str(path.relative_to(settings.home)))
        except FileNotFoundError:
            continue  # finished meanwhile
    return removed


def _partial_records(settings: Settings) -> Iterator[Path]:
    # Steps end within a month: unfinished outcomes of older months were cleared by an earlier night.
    for folder in sorted(settings.outcomes_dir.glob("????-??"))[-2:]:
        yield from folder.glob(".*.partial")
    yield from (settings.seals_dir / "documents").glob("*/.*.partial")
