"""Failures leave Airflow through this notifier: what the library knows of the cause, and else the task itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.notifier import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context

    from oneledger.notices.causes import Cause

MORNING_CHECK = "morning_check"
_ALIKE = 60


class CauseNotifier(BaseNotifier):
    """One message for each cause, by the connections ``oneledger_notice_mail`` and ``oneledger_notice_webhook``.

    A task that failed leaves outcome records, from which the causes are read. Only when none of them speaks of
    the failure (an exception outside of the steps, a time-out) the task itself is the cause. A notice that cannot
    be sent is logged and tried again with the next one: it never turns a run red by itself.
    """

    def notify(self, context: Context) -> None:
        """Send what is new. Nothing counts as recovered here: the run goes on or has just broken."""
        from oneledger.notices.causes import open_causes
        from oneledger.notices.sending import send_notices
        from oneledger.settings import load_settings

        export_channels()
        settings = load_settings()
        report = send_notices(settings, more=task_cause(context, open_causes(settings)), tells_recovered=False)
        for problem in report.problems:
            self.log.error("notice not sent: %s", problem)
        self.log.info("%d notices over %s", len(report.messages), ", ".join(report.channels) or "no channel")


def export_channels() -> list[str]:
    """Make the connections of both channels readable for the library; returns those that exist."""
    from oneledger.notices.channels import CONNECTIONS
    from oneledger.settings import ConfigurationError
    from oneledger_airflow.connections import export_connection

    found = []
    for connection_id in CONNECTIONS:
        try:
            export_connection(connection_id)
        except ConfigurationError:
            continue
        found.append(connection_id)
    return found


def task_cause(context: Any, known: list[Cause]) -> list[Cause]:
    """The failed task as a cause, unless the steps have recorded its failure: then ``known`` speaks of it.

    Our operators raise an AirflowException once a step has recorded what is wrong; what a library function
    recorded before it raised is found by its words. The morning check judges runs that left no record at all.
    """
    from airflow.sdk.exceptions import AirflowException

    from oneledger.notices.causes import Cause
    from oneledger.outcomes import utc_now
    from oneledger.runbooks import page_of

    error = context.get("exception")
    task = context.get("task_instance") or context.get("ti")
    if task is None:
        return []
    dag_id, task_id = task.dag_id, task.task_id
    is_recorded = isinstance(error, AirflowException) and bool(known) and dag_id != MORNING_CHECK
    is_told = bool(error) and any(str(error)[:_ALIKE] in cause.what for cause in known)
    if is_recorded or is_told:
        return []
    return [
        Cause(
            cause_id=f"task:{dag_id}.{task_id}",
            severity="fail",
            title=f"任务失败 task failed: {dag_id}.{task_id}",
            what=f"{type(error).__name__}: {error}" if error else "no exception was given; see the log",
            since=utc_now().isoformat(),
            owner=str(getattr(context.get("task"), "owner", "") or "市大数据局数据仓库运维"),
            remedy="read the task's log; when the cause is mended clear the task or let the next night do it",
            command="oneledger status",
            runbook=page_of("situation:task_killed"),
            link=str(getattr(task, "log_url", "") or ""),
        )
    ]
