"""The publication: starts when the build has produced checked marts."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from oneledger_airflow.operators import PublishOperator, RunEndOperator
from oneledger_airflow.pools import WAREHOUSE_POOL
from oneledger_airflow.queues import on_warehouse_machine
from oneledger_airflow.schedule import MARTS, TAGS, task_defaults, within

DOC = """
### 发布 · Publish

集市闸门通过后，把集市与评价结果写成一个新的只读版本，再以一次原子改名切换 `published/current`。
旧版本保留。读者始终看到完整的一版；没有新内容时版本不变。

After the last gate the marts are written beside the version before, and one rename puts them in place: readers see
a whole version at any time. Old versions stay; with nothing new, the version stays too.

`run_end` says how the run ended and what is stale or withheld, sends what people are to be told (one message a
cause; recovered once), and is red when any step was: a red check cannot end as a green run.

The run goes on under the build's OneLedger run id, which the asset event carries. `oneledger status` shows the version.
"""

with DAG(
    dag_id="publish",
    dag_display_name="发布 publish",
    description="Put a new version of the marts in place",
    doc_md=DOC,
    schedule=[MARTS],
    catchup=False,
    max_active_runs=1,
    tags=[*TAGS, "publish"],
    # What passed its gate goes out before a build that waited for its turn admits the next: the gates would then have
    # judged other data.
    default_args=task_defaults(
        "市大数据局数据资源处",
        pool=WAREHOUSE_POOL,
        priority_weight=100,
        weight_rule="absolute",
        **on_warehouse_machine(),
    ),
    deadline=within(30, "the publication"),
) as dag:
    chain(
        PublishOperator(
            task_id="publish",
            task_display_name="发布新版本 publish",
            execution_timeout=timedelta(minutes=30),
        ),
        RunEndOperator(
            task_id="run_end",
            task_display_name="结论与通知 verdict and notices",
            trigger_rule="all_done",
            retries=0,
            on_failure_callback=None,
            execution_timeout=timedelta(minutes=5),
        ),
    )
