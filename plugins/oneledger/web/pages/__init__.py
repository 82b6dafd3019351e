"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import overview, projects, sharing

ROUTERS = (
    overview.router,
    projects.router,
    sharing.router,
)
