"""Serve the city's HTTP API in this process until it is ended."""

from __future__ import annotations

import datetime as dt
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oneledger.city.allowance import Allowance
from oneledger.city.city_manifest import require_manifest
from oneledger.city.connections_file import IRS, irs_uri, known_token, write_connections
from oneledger.city.irs_store import store_dir
from oneledger.settings import ConfigurationError, Settings

# Requests a second for each unit of scale: a load of the reference city meets a few 429.
RATE_PER_SCALE = 8.0
BURST_SECONDS = 1.0


@dataclass(frozen=True)
class ServePlan:
    """How to serve. ``port`` 0 takes a free one; ``rate`` None takes the default of the city's scale, 0 no limit."""

    host: str = "127.0.0.1"
    port: int = 0
    as_of: dt.date | None = None
    token: str | None = None
    rate: float | None = None


def serve_city(plan: ServePlan, settings: Settings, city_dir: Path, said: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; the address and token are in ``connections.env`` once it answers.

    Raises:
        ConfigurationError: no city, a day that it does not know, or a port that is taken.
    """
    manifest = require_manifest(city_dir)
    as_of = plan.as_of or manifest.last_on
    if not manifest.first_on <= as_of <= manifest.last_on:
        raise ConfigurationError(
            f"--as-of is {as_of}; this city knows {manifest.first_on} to {manifest.last_on}. "
            f"Choose a day of it, or add days: oneledger city build --to {as_of}"
        )
    listener = _listen(plan.host, plan.port)
    port = listener.getsockname()[1]
    token = plan.token or known_token(city_dir) or secrets.token_urlsafe(24)

    import uvicorn

    from oneledger.city.api import ApiSetup, make_api
    from oneledger.city.asking import Store

    rate = RATE_PER_SCALE * manifest.scale if plan.rate is None else plan.rate
    store = Store(city_dir, settings.duckdb_memory_limit)
    setup = ApiSetup(
        store, str(store_dir(city_dir)), token, manifest.last_on, as_of,
        Allowance(rate, max(1, int(rate * BURST_SECONDS))),
    )  # fmt: skip

    class AnnouncingServer(uvicorn.Server):
        """Tells the address once requests are answered."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            path = write_connections(city_dir, {IRS: irs_uri(plan.host, port, token)})
            said(f"合成城市 synthetic city: http://{plan.host}:{port}/v1/ as of {as_of} (token in {path})")

    config = uvicorn.Config(make_api(setup), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    try:
        AnnouncingServer(config).run(sockets=[listener])
    except KeyboardInterrupt:
        said("ended 已停止")
    finally:
        store.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} on {host} cannot be used: {error.strerror}. End what holds it, or take any free one: --port 0"
        ) from error
    return listener
