"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import catalogue, lineage, overview, trace

ROUTERS = (overview.router, lineage.router, catalogue.router, trace.router)
