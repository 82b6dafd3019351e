"""The build: starts when every awaited source has landed, or at the cut-off with what is there."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from oneledger.catalogue import load_catalogue
from oneledger.settings import load_settings
from oneledger_airflow.operators import AdmitOperator, BuildModelsOperator, GateOperator, ReportArrivalsOperator
from oneledger_airflow.pools import WAREHOUSE_POOL
from oneledger_airflow.queues import on_warehouse_machine
from oneledger_airflow.schedule import (
    CUT_OFF_AT,
    MARTS,
    TAGS,
    all_landed_or_at,
    awaited_sources,
    listed,
    task_defaults,
    within,
)

SOURCES = awaited_sources(load_catalogue(load_settings()))

DOC = f"""
### 构建 · Build

所有来源（{listed(SOURCES)}）到齐后立即开始；最迟 05:00（北京时间）用已到的数据开始，并说明缺少哪些来源。
Starts as soon as every awaited source has landed; at 05:00 Asia/Shanghai at the latest, with what is there, saying
what is missing. When all that came is published already, nothing is checked, built or published again.

`arrivals` → `admit`（入库与隔离）→ `gate_sources`（来源闸门）→ `build_models`（dbt）→ `gate_marts`（集市闸门）→ publish

A shut gate ends the run; the last published version stays in place. Its message says what is wrong, in which data,
since when, who should act and how. 闸门未通过时不再继续，已发布的版本不变。

All tasks run in pool `{WAREHOUSE_POOL}` (one slot): the warehouse has one writer. **catchup is off**: what is to be
done is read from what is published, never from the clock, so one run after an outage does all of it.
"""

with DAG(
    dag_id="build",
    dag_display_name="构建 build",
    description="Admit, check, build the marts, check again",
    doc_md=DOC,
    schedule=all_landed_or_at(CUT_OFF_AT, SOURCES),
    catchup=False,
    max_active_runs=1,
    tags=[*TAGS, "build"],
    default_args=task_defaults("市大数据局数据资源处", pool=WAREHOUSE_POOL, **on_warehouse_machine()),
    deadline=within(75, "the build"),
) as dag:
    chain(
        ReportArrivalsOperator(
            task_id="arrivals",
            task_display_name="到数情况 arrivals",
            sources=SOURCES,
            execution_timeout=timedelta(minutes=5),
        ),
        AdmitOperator(
            task_id="admit",
            task_display_name="入库与隔离 admit",
            execution_timeout=timedelta(hours=1),
        ),
        GateOperator(
            task_id="gate_sources",
            task_display_name="来源闸门 gate: sources",
            gate="sources",
            execution_timeout=timedelta(minutes=30),
        ),
        BuildModelsOperator(
            task_id="build_models",
            task_display_name="模型 build models",
            execution_timeout=timedelta(hours=1),
        ),
        GateOperator(
            task_id="gate_marts",
            task_display_name="集市闸门 gate: marts",
            gate="marts",
            outlets=[MARTS],
            execution_timeout=timedelta(minutes=30),
        ),
    )
