"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import (
    apps,
    catalogue,
    evaluation,
    evaluation_simulation,
    findings,
    funding,
    funding_share,
    lineage,
    overview,
    projects,
    quality,
    reports,
    runbooks,
    sharing,
    trace,
)

ROUTERS = (
    overview.router,
    apps.router,
    projects.router,
    sharing.router,
    funding.router,
    funding_share.router,
    evaluation.router,
    findings.router,
    quality.router,
    lineage.router,
    catalogue.router,
    reports.router,
    evaluation_simulation.router,
    trace.router,
    runbooks.router,
)
