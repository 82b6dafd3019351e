"""The pages inside Airflow: behind its login and roles, in its navigation, in its language."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from oneledger_airflow.pages_address import PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class PagesApplication:
    """The pages, made when the first of them is asked for.

    Every process of Airflow loads its plugins; only the API server serves pages, and only it should pay for DuckDB
    and the rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.concurrency import run_in_threadpool

        if self._made is None:
            await run_in_threadpool(self._make)
        assert self._made is not None
        await self._made(scope, receive, send)

    def _make(self) -> None:
        with self._lock:
            if self._made is not None:
                return
            from oneledger.settings import load_settings
            from oneledger.web.app import create_app
            from oneledger_airflow.pages_access import AirflowAccess, auditors_of

            self._made = create_app(load_settings(), AirflowAccess(auditors_of(os.environ)), is_embedded=True)


def _applications() -> list[Any]:
    return [{"app": PagesApplication(), "url_prefix": PREFIX, "name": "OneLedger 一本账"}]


def _places() -> list[Any]:
    return [
        {
            "name": "一本账 OneLedger",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "oneledger",
            "nav_top_level": True,
        }
    ]


class OneLedgerPages(AirflowPlugin):
    """The pages as an entry of Airflow's navigation."""

    name = "oneledger_pages"
    fastapi_apps = _applications()
    external_views = _places()
