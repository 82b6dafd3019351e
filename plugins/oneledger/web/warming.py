"""What the first visitor would wait for, done before: the version opened, libraries loaded, a chart drawn."""

from __future__ import annotations

import logging
import threading

from oneledger.charts.palette import SCREEN
from oneledger.charts.render import svg
from oneledger.settings import ConfigurationError
from oneledger.web.reading import VersionPool

log = logging.getLogger(__name__)


def warm_in_background(pool: VersionPool) -> threading.Thread:
    """Begin, and return at once; a visitor who comes earlier only waits as long as without it."""
    thread = threading.Thread(target=_warm, args=(pool,), name="oneledger-warming", daemon=True)
    thread.start()
    return thread


def _warm(pool: VersionPool) -> None:
    # DuckDB loads pandas when it is first handed parameters; the first chart starts the drawing engine.
    bar = {"data": {"values": [{"one": 1}]}, "mark": "bar", "encoding": {"x": {"field": "one", "type": "quantitative"}}}
    svg(bar, title="warming", palette=SCREEN)
    try:
        with pool.reading() as reading:
            reading.rows("select count(*) from evaluation.app_stars where app_id = $app_id", {"app_id": ""})
    except ConfigurationError as error:
        log.info("nothing to warm yet: %s", error)
