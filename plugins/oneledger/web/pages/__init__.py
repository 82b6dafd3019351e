"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import overview, projects

ROUTERS = (
    overview.router,
    projects.router,
)
