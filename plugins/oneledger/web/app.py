"""The application: pages and API behind a way in, over the published versions of one installation."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from oneledger.settings import Settings
from oneledger.web import errors, headers, login, static
from oneledger.web.access import Access
from oneledger.web.api.mounting import mount
from oneledger.web.heads import AnswersHead
from oneledger.web.limits import RateLimits, requests_a_minute
from oneledger.web.pages import ROUTERS
from oneledger.web.queueing import WORKERS, Queue
from oneledger.web.reading import VersionPool
from oneledger.web.remembered import Shelf
from oneledger.web.tokens import TokenAccess


def create_app(settings: Settings, access: Access, *, is_embedded: bool = False) -> FastAPI:
    """The web application.

    Args:
        access: how a request becomes a visitor.
        is_embedded: whether it lies inside Airflow, whose login and navigation are used.
    """
    # A page asks many small questions, and several people ask at once: one thread for each question does best, and
    # leaves the other cores to the night.
    pool = VersionPool(dataclasses.replace(settings, threads=1))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = WORKERS
        yield
        pool.close()

    app = FastAPI(title="OneLedger 一本账", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.settings = settings
    app.state.access = access
    app.state.pool = pool
    app.state.limits = RateLimits()
    app.state.shelf = Shelf()
    app.state.api_rate = requests_a_minute(os.environ)
    app.state.is_embedded = is_embedded
    app.add_middleware(Queue)
    app.middleware("http")(headers.guard)
    app.add_middleware(AnswersHead)
    errors.install(app)
    app.include_router(static.router)
    if isinstance(access, TokenAccess):
        app.include_router(login.router)
    for router in ROUTERS:
        app.include_router(router)
    mount(app)
    return app
