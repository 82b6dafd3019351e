"""The few calls of Airflow's REST API that `make up` and `make run` need, with a token of our own user."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any
from urllib.parse import quote

import httpx

_BUSY = frozenset({500, 502, 503, 504})
_TRIES = 5


class _PatientTransport(httpx.HTTPTransport):
    """Asks again when Airflow was too busy to answer: on SQLite a call fails while another process writes.

    Nor does it answer while a loaded machine starts it once more.

    Only what may be said twice is: a run that was started is not started again.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        is_repeatable = request.method in ("GET", "PATCH", "DELETE") or request.url.path.endswith("/pools")
        for tried in range(_TRIES):
            is_last = not is_repeatable or tried == _TRIES - 1
            try:
                answer = super().handle_request(request)
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if answer.status_code not in _BUSY or is_last:
                    break
                answer.close()
            time.sleep(0.5 * 2**tried)
        return answer


class AirflowApi:
    """A client of one Airflow on the loopback address. Errors of HTTP are raised as ``httpx.HTTPStatusError``."""

    def __init__(self, base_url: str) -> None:
        # trust_env off: a proxy for the outer world has no business between our own processes.
        self._client = httpx.Client(base_url=base_url, timeout=60, trust_env=False, transport=_PatientTransport())
        self._quick = httpx.Client(base_url=base_url, timeout=5, trust_env=False)

    def close(self) -> None:
        self._client.close()
        self._quick.close()

    def health(self, since: dt.datetime) -> dict[str, str]:
        """Status by component: ``healthy``, ``unhealthy`` or ``unknown``; empty when the server does not answer.

        A heartbeat before ``since`` comes from an earlier start and does not count as healthy.
        """
        try:
            answer = self._quick.get("/api/v2/monitor/health")
            answer.raise_for_status()
        except httpx.HTTPError:
            return {}
        return {name: _status(name, part or {}, since) for name, part in answer.json().items()}

    def log_in(self, user: str, password: str) -> None:
        answer = self._client.post("/auth/token", json={"username": user, "password": password})
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> dict[str, dict[str, Any]]:
        """The DAGs that the scheduler knows, by id."""
        return {dag["dag_id"]: dag for dag in self._get("/api/v2/dags", limit=100)["dags"]}

    def import_errors(self) -> list[dict[str, Any]]:
        return list(self._get("/api/v2/importErrors")["import_errors"])

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make the pool when it does not exist; one whose slots someone changed stays as it is."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        answer = self._client.post("/api/v2/pools", json=body)
        if answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()

    def unpause(self, dag_id: str) -> None:
        self._client.patch(f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": False}).raise_for_status()

    def forget_waiting_events(self, dag_id: str) -> None:
        """Drop asset events that wait for others since an earlier night: a run started now needs all of its own."""
        answer = self._client.delete(f"/api/v2/dags/{quote(dag_id)}/assets/queuedEvents")
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def trigger(self, dag_id: str, run_id: str, logical_date: dt.datetime, conf: dict[str, Any]) -> None:
        body = {"dag_run_id": run_id, "logical_date": logical_date.isoformat(), "conf": conf}
        self._client.post(f"/api/v2/dags/{quote(dag_id)}/dagRuns", json=body).raise_for_status()

    def runs_since(self, dag_id: str, instant: dt.datetime) -> list[dict[str, Any]]:
        """Runs of the DAG that were due at ``instant`` or later, the oldest first."""
        query = {"run_after_gte": instant.isoformat(), "order_by": "run_after", "limit": 50}
        return list(self._get(f"/api/v2/dags/{quote(dag_id)}/dagRuns", **query)["dag_runs"])

    def runs_under_way(self, dag_id: str) -> list[str]:
        """The ids of runs that are running or queued."""
        query = {"state": ["running", "queued"], "limit": 50}
        runs = self._get(f"/api/v2/dags/{quote(dag_id)}/dagRuns", **query)["dag_runs"]
        return [str(run["dag_run_id"]) for run in runs]

    def end_interrupted_runs(self, dag_id: str, before: dt.datetime) -> list[str]:
        """Mark runs that were under way when an earlier Airflow was killed as failed; returns their ids."""
        query = {"state": ["running", "queued"], "run_after_lt": before.isoformat(), "limit": 50}
        runs = self._get(f"/api/v2/dags/{quote(dag_id)}/dagRuns", **query)["dag_runs"]
        for run in runs:
            path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            body = {"state": "failed", "note": "interrupted: Airflow was stopped while this run was under way"}
            self._client.patch(path, json=body).raise_for_status()
        return [run["dag_run_id"] for run in runs]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self._get(path)["task_instances"])

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return dict(answer.json())


def _status(name: str, part: dict[str, Any], since: dt.datetime) -> str:
    heartbeat = part.get(f"latest_{name}_heartbeat")
    if heartbeat is not None and dt.datetime.fromisoformat(heartbeat) < since:
        return "unknown"
    return str(part.get("status") or "unknown")
