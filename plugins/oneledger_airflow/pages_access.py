"""Airflow's login as the way in to the pages, and which role of ours a user of Airflow has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException, Request
from starlette.requests import HTTPConnection

from oneledger.web.access import Role, Visitor

AUDITORS_VARIABLE = "ONELEDGER_WEB_AUDITORS"
# The DAG whose approval decides an evaluation.
_EVALUATE = "evaluate"


class AirflowAccess:
    """Visitors are users of Airflow, by its session or its bearer token; the auth manager's permissions give the role.

    Who may start the evaluation's DAG (and so may answer its approvals) is an ENGINEER; who is named in
    ``ONELEDGER_WEB_AUDITORS`` an AUDITOR; who may see Airflow's pages at all a VIEWER; others nobody.
    """

    def __init__(self, auditors: Collection[str]) -> None:
        self._auditors = frozenset(auditors)

    async def visitor(self, request: HTTPConnection) -> Visitor | None:
        assert isinstance(request, Request)
        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            return None
        role = self._role(user)
        return Visitor(user.get_name(), role) if role else None

    def login_address(self, request: HTTPConnection) -> str:
        return get_auth_manager().get_url_login(next_url=str(request.url))

    def _role(self, user: BaseUser) -> Role | None:
        manager = get_auth_manager()
        if manager.is_authorized_dag(method="PUT", user=user, details=DagDetails(id=_EVALUATE)):
            return Role.ENGINEER
        if not manager.is_authorized_view(access_view=AccessView.WEBSITE, user=user):
            return None
        return Role.AUDITOR if user.get_name() in self._auditors else Role.VIEWER


def auditors_of(environment: Mapping[str, str]) -> list[str]:
    """The names in ``ONELEDGER_WEB_AUDITORS``, joined by commas."""
    return [name.strip() for name in environment.get(AUDITORS_VARIABLE, "").split(",") if name.strip()]
