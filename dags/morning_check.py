"""The morning check: at 06:30 something must have been published, whatever happened or did not happen."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from oneledger_airflow.operators import MorningCheckOperator
from oneledger_airflow.schedule import MORNING_CHECK_AT, TAGS, every_day_at, task_defaults

DOC = """
### 早间检查 · Morning check

06:30（北京时间）检查昨夜是否已发布；没有则变红，并说明哪一步出了问题。
At 06:30 Asia/Shanghai this fails when nothing was published since the night began, and says what broke. The deadline
alerts of the other DAGs watch runs that exist; this one also notices a night on which nothing ran at all.
"""

with DAG(
    dag_id="morning_check",
    dag_display_name="早间检查 morning check",
    description="Fail when the night published nothing",
    doc_md=DOC,
    schedule=every_day_at(MORNING_CHECK_AT),
    catchup=False,
    max_active_runs=1,
    tags=[*TAGS, "check"],
    default_args=task_defaults("市大数据局数据资源处"),
) as dag:
    MorningCheckOperator(
        task_id="published_tonight",
        task_display_name="昨夜已发布 published tonight",
        execution_timeout=timedelta(minutes=5),
    )
