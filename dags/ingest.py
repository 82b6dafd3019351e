"""One ingestion DAG for each source of the catalogue, every night at 02:00 in the city."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from oneledger.catalogue import Source, load_catalogue
from oneledger.settings import load_settings
from oneledger_airflow.operators import IngestSourceOperator
from oneledger_airflow.pools import source_pool
from oneledger_airflow.schedule import INGEST_AT, TAGS, every_day_at, is_awaited, landing, listed, task_defaults, within

DOC = """
### 采集 {source.title_zh} · Ingest {source.title_en}

每晚 02:00（北京时间）读取来源 `{source.id}` 的全部实体（{entities}），原样落地后载入原始层。
失败时按指数退避重试三次；每次尝试都留下结果记录。责任单位：{source.owner}。

Every night at 02:00 Asia/Shanghai, everything of `{source.id}` that has not landed yet is read, kept as
received and loaded into raw. Three retries with growing pauses; each attempt leaves an outcome record.

**catchup is off** on purpose: ingestion works out by itself what has not landed, so one run after an
outage of a week brings the whole week; seven runs would bring the same. 补采无需回填：一次运行即补齐所有未落地的数据。

**as_of** (optional): the business date for deliveries that name none; default is yesterday in the city.

Red? `oneledger status` says what is wrong and who should act. Pool `{pool}` (one slot) keeps a source from
being read twice at once.
"""


def ingestion(source: Source, *, is_scheduled: bool) -> DAG:
    """The DAG of one source; an optional source that is not connected is there, but only started by hand."""
    pool = source_pool(source.id)
    with DAG(
        dag_id=f"ingest_{source.id}",
        dag_display_name=f"采集 ingest · {source.title_zh}",
        description=f"Land and load what is new in {source.title_en}",
        doc_md=DOC.format(source=source, entities=listed(source.entities), pool=pool),
        schedule=every_day_at(INGEST_AT) if is_scheduled else None,
        catchup=False,
        max_active_runs=1,
        tags=[*TAGS, "ingest", source.id],
        default_args=task_defaults(source.owner),
        params={
            "as_of": Param(
                None,
                type=["null", "string"],
                format="date",
                title="业务日期 Business date",
                description="yyyy-mm-dd; empty: yesterday in the city",
            )
        },
        deadline=within(150, f"ingestion of {source.id}"),
    ) as dag:
        IngestSourceOperator(
            task_id="ingest",
            task_display_name="落地并载入 land and load",
            source=source.id,
            pool=pool,
            outlets=[landing(source.id)],
            retries=3,
            retry_delay=timedelta(minutes=1),
            retry_exponential_backoff=2.0,
            max_retry_delay=timedelta(minutes=20),
            execution_timeout=timedelta(minutes=45),
        )
    return dag


for each in load_catalogue(load_settings()).sources.values():
    globals()[f"ingest_{each.id}"] = ingestion(each, is_scheduled=is_awaited(each))
