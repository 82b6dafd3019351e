"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import overview

ROUTERS = (overview.router,)
