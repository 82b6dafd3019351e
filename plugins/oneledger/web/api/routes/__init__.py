"""The addresses of the API, a module a subject; each has a ``router``."""

from oneledger.web.api.routes import apps, described, lineage, metrics, published, quarantine, running, start, tables

ROUTERS = (
    start.router,
    tables.router,
    apps.router,
    published.router,
    metrics.router,
    running.router,
    quarantine.router,
    lineage.router,
    described.router,
)
