"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import lineage, overview, trace

ROUTERS = (overview.router, lineage.router, trace.router)
