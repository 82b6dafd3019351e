"""One process changes a city at a time: builds it, spoils it or mends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from oneledger.locks.holding import hold
from oneledger.locks.register import CITY

LOCK_FILE = ".lock"


@contextlib.contextmanager
def changing(city_dir: Path, step: str) -> Iterator[None]:
    """Hold the city while the block runs.

    Raises:
        BusyError: another process changes it.
    """
    with hold(city_dir / LOCK_FILE, CITY.refusal, run_id=city_dir.name, step=step):
        yield
