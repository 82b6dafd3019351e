"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import findings, funding, funding_share, overview, projects, sharing

ROUTERS = (
    overview.router,
    projects.router,
    sharing.router,
    funding.router,
    funding_share.router,
    findings.router,
)
