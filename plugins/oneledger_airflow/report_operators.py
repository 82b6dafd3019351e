"""Airflow's side of reports: make the circular and the workbook of the run that was just confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from oneledger_airflow.turns import named

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportOperator(BaseOperator):
    """Make every report of a confirmed run. The same run gives the same files, so a second attempt changes nothing.

    Returns run id, folder, the hash of the inputs and the name of each file.
    """

    def __init__(self, *, confirm_task: str, **given: Any) -> None:
        super().__init__(**given)
        self.confirm_task = confirm_task

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.reports import make_report
        from oneledger.settings import ConfigurationError, load_settings

        run_id = context["ti"].xcom_pull(task_ids=self.confirm_task)["run_id"]
        try:
            with named(context):
                made = make_report(load_settings(), run_id, progress=self.log.info)
        except ConfigurationError as error:
            # The same run would be refused again.
            raise AirflowFailException(
                f"{error} 评价已确认并封存，只差通报；处理后清除本任务重跑，或执行 The evaluation stays confirmed "
                "and sealed, only its "
                f"report is missing. Mend it and clear this task, or type: oneledger report --run {run_id}"
            ) from error
        for one in made.files:
            self.log.info("%s  %s  %d bytes  sha256 %s", one.path, one.language, one.size_bytes, one.sha256)
        return {
            "run_id": run_id,
            "folder": str(made.folder),
            "inputs_hash": made.record["inputs_hash"],
            "files": [one.path.name for one in made.files],
            "is_unchanged": made.is_unchanged,
        }
