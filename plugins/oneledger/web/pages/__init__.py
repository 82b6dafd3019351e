"""The pages, a module an entry of the navigation; each has a ``router``."""

from oneledger.web.pages import evaluation, evaluation_simulation, overview, quality, reports

ROUTERS = (overview.router, evaluation_simulation.router, evaluation.router, quality.router, reports.router)
