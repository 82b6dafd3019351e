"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import lineage, overview

ROUTERS = (overview.router, lineage.router)
