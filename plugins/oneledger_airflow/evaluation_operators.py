"""Airflow's side of an evaluation: make a draft, hold it to its gate, ask a person, seal or reject it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from oneledger_airflow.schedule import CITY_TIMEZONE
from oneledger_airflow.turns import named

if TYPE_CHECKING:
    from airflow.sdk import Context

_MOVERS = 10
_ASKING_TAKES = timedelta(minutes=5)


class DraftEvaluationOperator(BaseOperator):
    """Make a draft on the current version. A scheduled run evaluates the quarter that ended last.

    Returns the run id, and what the person who decides is to read: subject, body, and the run that would be replaced.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.evaluation.drafting import make_draft
        from oneledger.settings import ConfigurationError, load_settings
        from oneledger_airflow.evaluation_message import approval_body, approval_subject, run_in_force

        settings = load_settings()
        period = context["params"].get("period") or _period_of_schedule(context)
        try:
            run = make_draft(settings, period=period, made_by="airflow", progress=self.log.info)
        except ConfigurationError as error:
            # The same version and rules would be refused again.
            raise AirflowFailException(str(error)) from error
        replaces = run_in_force(settings, run)
        return {
            "run_id": run.run_id,
            "state": run.state,
            "replaces": replaces,
            "subject": approval_subject(run),
            "body": approval_body(settings, run, replaces, _link(context), movers=_MOVERS),
        }


class EvaluationGateOperator(BaseOperator):
    """Fail for good when the evaluation's gate stopped the draft, and say which checks did not pass."""

    def __init__(self, *, draft_task: str, **given: Any) -> None:
        super().__init__(**given)
        self.draft_task = draft_task

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.evaluation.runs import find_run
        from oneledger.settings import load_settings
        from oneledger_airflow.evaluation_message import gate_lines

        run = find_run(load_settings(), _draft(context, self.draft_task)["run_id"])
        lines = gate_lines(run)
        if run.state == "stopped":
            raise AirflowFailException("\n".join(lines))
        for line in lines:
            self.log.info("%s", line)
        return {"run_id": run.run_id, "checks": run.record["gate"]["checks_count"]}


class ApproveEvaluationOperator(ApprovalOperator):
    """Ask a person. A rejection marks the run as rejected, with who said so and why."""

    def __init__(self, *, draft_task: str, **given: Any) -> None:
        super().__init__(
            subject=f"{{{{ ti.xcom_pull(task_ids='{draft_task}')['subject'] }}}}",
            body=f"{{{{ ti.xcom_pull(task_ids='{draft_task}')['body'] }}}}",
            **given,
        )
        self.draft_task = draft_task
        # Of the question, not of the answer: the wait is bounded by response_timeout.
        self.execution_timeout = _ASKING_TAKES

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        # Before the answer is handed on: skipping what follows ends this method with an exception.
        if "error" not in event and event["chosen_options"] == [self.REJECT]:
            from oneledger.evaluation.deciding import reject
            from oneledger.settings import load_settings

            decided = _decision(context, event)
            with named(context):
                run = reject(load_settings(), _draft(context, self.draft_task)["run_id"], **decided)
            self.log.info("%s rejected by %s: %s", run.run_id, decided["name"], decided["reason"])
        return _decision(context, super().execute_complete(context, event))


class ConfirmEvaluationOperator(BaseOperator):
    """Seal the draft that was approved, with who approved it."""

    def __init__(self, *, draft_task: str, approval_task: str, **given: Any) -> None:
        super().__init__(**given)
        self.draft_task = draft_task
        self.approval_task = approval_task

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.evaluation.deciding import DecisionRefusedError, confirm
        from oneledger.evaluation.runs import find_run
        from oneledger.settings import load_settings

        settings = load_settings()
        draft = _draft(context, self.draft_task)
        decided = context["ti"].xcom_pull(task_ids=self.approval_task)
        known = find_run(settings, draft["run_id"])
        if known.state == "confirmed" and known.decision["through"] == decided["through"]:
            self.log.info("%s was confirmed by an earlier attempt of this task", known.run_id)
            return {"run_id": known.run_id, "confirmed_by": known.decision["name"]}
        try:
            with named(context):
                run = confirm(settings, draft["run_id"], supersedes=draft["replaces"], **decided)
        except DecisionRefusedError as error:
            raise AirflowFailException(str(error)) from error
        self.log.info("%s confirmed by %s: %s", run.run_id, decided["name"], decided["reason"])
        return {"run_id": run.run_id, "confirmed_by": run.decision["name"]}


def _draft(context: Context, task_id: str) -> dict[str, Any]:
    return dict(context["ti"].xcom_pull(task_ids=task_id))


def _decision(context: Context, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Name, reason and way of a decision: what the form says, else the user who answered."""
    user = answer["responded_by_user"] or {}
    form = answer["params_input"] or {}
    option = answer["chosen_options"][0]
    return {
        "name": (form.get("name") or "").strip() or str(user.get("name") or user.get("id") or "unknown"),
        "reason": (form.get("reason") or "").strip() or f"{option} in Airflow, without a reason",
        "through": {
            "airflow_user": user.get("name") or user.get("id"),
            "dag_run_id": context["dag_run"].run_id,
            "answered_at": answer["responded_at"].isoformat(),
        },
    }


def _period_of_schedule(context: Context) -> str | None:
    """The quarter before the one in which a scheduled run is due; None for a run started by hand."""
    run = context["dag_run"]
    if str(getattr(run.run_type, "value", run.run_type)) != "scheduled":
        return None
    return quarter_before(run.run_after)


def quarter_before(instant: dt.datetime) -> str:
    """The last quarter that ended before ``instant``, by the city's calendar: ``2022-Q3`` in October 2022."""
    day = instant.astimezone(ZoneInfo(CITY_TIMEZONE)).date()
    quarter = (day.month - 1) // 3
    return f"{day.year}-Q{quarter}" if quarter else f"{day.year - 1}-Q4"


def _link(context: Context) -> str:
    """Where the question is answered, as Airflow's own pages call it."""
    from airflow.sdk.configuration import conf

    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    run = context["dag_run"]
    return f"{base}/dags/{run.dag_id}/runs/{run.run_id}/required_actions"
