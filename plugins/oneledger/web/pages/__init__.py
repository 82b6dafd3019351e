"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import apps, overview

ROUTERS = (
    overview.router,
    apps.router,
)
