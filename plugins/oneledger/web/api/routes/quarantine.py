"""``/api/v1/quarantine``: how many rows were kept out and why; for auditors the rows themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import Response

from oneledger.publishing.lineage_basis import FOLDER, INPUTS_DIR
from oneledger.quality.quarantine import Filter, count_rows, quarantined_rows
from oneledger.web.api.calls import AuditorCall, Call, RowsCall, page_links
from oneledger.web.api.caps import CAPS
from oneledger.web.api.models import QuarantinedRows, Rows
from oneledger.web.api.plain import plain
from oneledger.web.api.relations import Relation, view
from oneledger.web.api.routes.tables import Asked
from oneledger.web.api.rows import rows_answer
from oneledger.web.api.saying import says
from oneledger.web.queries.quality import kept_results

router = APIRouter()

Name = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get(
    "/quarantine/counts", name="quarantine_counts",
    **says("隔离计数", "Quarantine, "
                       "counted", model=Rows, has_files=True, example="/api/v1/quarantine/counts?sort=-rows_count",
           description_zh="该版本隔离的行数，按来源、实体、规则。",
           description_en="Rows that this version left out, by source, entity and rule."),
)  # fmt: skip
def counts(call: RowsCall, asked: Asked) -> Response:
    """Quarantined rows of the version, counted."""
    return rows_answer(call, _counts(call), asked)


@router.get(
    "/quarantine/rows", name="quarantine_rows",
    **says("隔离行", "Quarantined rows", model=QuarantinedRows, more_errors=(503,),
           example="/api/v1/quarantine/rows?source=zheliban&limit=20",
           description_zh="审计员可见：行的位置、原样内容（身份证号与手机号已掩码）、原因与处理。",
           description_en="For auditors: where each row stands, what it says (identity-card and mobile numbers "
                          "masked), "
           "why it was kept out and what to do."),
)  # fmt: skip
def rows(
    call: AuditorCall,
    source: Name = None,
    entity: Name = None,
    rule: Name = None,
    batch: Name = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page: Annotated[int, Query(ge=1, le=CAPS.offset)] = 1,
) -> Response:
    """Rows as they were received, newest batch first."""
    chosen = Filter(source, entity, rule, batch)
    with kept_results(call.settings) as copies:
        total = count_rows(call.settings, chosen, connection=copies.connection)
        found = quarantined_rows(
            call.settings, chosen, limit=limit, offset=(page - 1) * limit, connection=copies.connection
        )
    body = {"total": total, "limit": limit, "page": page, "items": plain(found)}
    return call.answer_of_now(body, page_links(call, page=page, limit=limit, total=total))


def _counts(call: Call) -> Relation:
    folder = call.reading.version.path / FOLDER / INPUTS_DIR / "quarantine.row"
    if not any(folder.glob("*.parquet")):
        raise HTTPException(
            404,
            "此版本没有记录隔离行；换一个更新的版本。 "
            "This version does not say what was kept out; ask a newer version.",
        )
    files = str(folder / "*.parquet").replace("'", "''")
    sql = (
        "select source, entity, rule_id, count(distinct (file_id, row_number)) as rows_count,"
        " count(distinct batch_id) as batches_count, max(batch_id) as newest_batch_id, min(found_at) as since_at,"
        " any_value(reason_zh) as reason_zh, any_value(reason_en) as reason_en, any_value(remedy_zh) as remedy_zh,"
        f" any_value(remedy_en) as remedy_en from read_parquet('{files}') group by source, entity, rule_id"
    )
    return view(
        call.reading, "quarantine/counts", sql, ("source", "entity", "rule_id"), (),
        title_zh="隔离计数", title_en="Quarantine, counted", description="One row a source, entity and rule.",
    )  # fmt: skip
