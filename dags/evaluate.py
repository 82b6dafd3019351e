"""The evaluation: a draft each quarter and on demand, its gate, a person's approval, the seal, the report."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain

from oneledger_airflow.evaluation_operators import (
    ApproveEvaluationOperator,
    ConfirmEvaluationOperator,
    DraftEvaluationOperator,
    EvaluationGateOperator,
)
from oneledger_airflow.pools import EVALUATION_POOL
from oneledger_airflow.report_operators import ReportOperator
from oneledger_airflow.schedule import every_day_at, task_defaults, within

# The fifth day after the quarter's end, when late deliveries of its last days are in.
EVALUATE_AT = "0 8 5 1,4,7,10 *"
ANSWER_WITHIN = timedelta(days=14)

DOC = f"""
### 评价 · Evaluation

每季度结束后第五天 08:00（北京时间）对已发布版本生成评价草案；也可手动触发并指定周期（`period`，如 2022-Q3）。
On the fifth day after each quarter, 08:00 Asia/Shanghai, and on demand with `period`, a draft is made on the current
published version, which exists only when the build's gates passed. A period whose data are not complete is refused.

`draft`（草案）→ `gate`（评价闸门）→ `approval`（人工确认）→ `confirm`（封存）→ `report`（通报）

The gate looks at the coverage of each indicator, the share withheld and the movement of the star distribution against
the last confirmed run; a draft that it stops cannot be confirmed. 草案未过闸门时不能确认。

A person answers under *Required Actions* within {ANSWER_WITHIN.days} days, with name and reason. Approve seals the run:
it never changes again, and the next nightly takes it over into the marts. Reject marks it as rejected.
批准后结果封存、不再改变，下一次夜间构建写入集市；退回则标记为已退回。

`report` makes the circular (HTML, PDF, Word) and the workbook in both languages under `reports/<run>/`, and seals them.
It can be cleared and run again: the same run gives the same bytes. 通报与工作簿随确认自动生成并封存，可重跑。

On the command line: `oneledger evaluate`, `oneledger evaluate confirm RUN --name … --reason …`, `oneledger report`.
**catchup is off**: a quarter that was missed is evaluated on demand.
"""

with DAG(
    dag_id="evaluate",
    dag_display_name="评价 evaluate",
    description="Draft, gate, approval, seal and report of an evaluation",
    doc_md=DOC,
    schedule=every_day_at(EVALUATE_AT),
    catchup=False,
    max_active_runs=1,
    tags=["oneledger", "evaluation"],
    params={
        "period": Param(
            None,
            type=["null", "string"],
            pattern=r"^\d{4}-Q[1-4]$",
            title="周期 Period",
            description="A quarter as 2022-Q3; empty: the newest quarter whose data are in.",
        )
    },
    # A second attempt would make a second draft; a refusal stays one until somebody acts.
    default_args=task_defaults("市大数据局办公室", pool=EVALUATION_POOL, retries=0),
    deadline=within(15 * 24 * 60, "the decision on an evaluation"),
) as dag:
    chain(
        DraftEvaluationOperator(
            task_id="draft",
            task_display_name="草案 draft",
            execution_timeout=timedelta(minutes=30),
        ),
        EvaluationGateOperator(
            task_id="gate",
            task_display_name="评价闸门 gate",
            draft_task="draft",
            execution_timeout=timedelta(minutes=5),
        ),
        ApproveEvaluationOperator(
            task_id="approval",
            task_display_name="人工确认 approval",
            draft_task="draft",
            response_timeout=ANSWER_WITHIN,
            params={
                "name": Param("", type="string", title="姓名 Name", description="Who decides; empty: your user name."),
                "reason": Param("", type="string", title="理由 Reason", description="Kept with the run for good."),
            },
        ),
        ConfirmEvaluationOperator(
            task_id="confirm",
            task_display_name="封存 confirm",
            draft_task="draft",
            approval_task="approval",
            execution_timeout=timedelta(minutes=10),
        ),
        ReportOperator(
            task_id="report",
            task_display_name="通报 report",
            confirm_task="confirm",
            # Making it again makes the same, so a process that died is no reason to ask a person.
            retries=1,
            execution_timeout=timedelta(minutes=20),
        ),
    )
