"""``/api/v1/tables``: every published table, its columns, and its rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path
from starlette.responses import Response

from oneledger.web.api.calls import Call, RowsCall, ViewerCall
from oneledger.web.api.filters import OPERATORS
from oneledger.web.api.models import Columns, Rows, Tables
from oneledger.web.api.problems import shown, unknown
from oneledger.web.api.relations import Column, Relation, published_relations
from oneledger.web.api.rows import RowsAsked, rows_answer
from oneledger.web.api.saying import says

router = APIRouter()

Schema = Annotated[str, Path(pattern="^[a-z_]{1,63}$", description="marts, evaluation or facts")]
Table = Annotated[str, Path(pattern="^[a-z0-9_]{1,63}$")]
Asked = Annotated[RowsAsked, Depends(RowsAsked)]


@router.get(
    "/tables", name="tables",
    **says("全部表", "Tables", model=Tables, example="/api/v1/tables",
           description_zh="集市、评价表、规则表与日事实。", description_en="Marts, evaluation, rules and daily facts."),
)  # fmt: skip
def tables(call: ViewerCall) -> Response:
    """Every table of the version."""
    return call.answer(
        lambda: {
            "items": [
                {"name": one.name, "kind": one.kind, "title_zh": one.title_zh, "title_en": one.title_en,
                 "grain": one.grain, "owner": one.owner, "rows_count": one.rows_count, "key": list(one.key)}
                for one in published_relations(call.reading).values()
            ]
        }
    )  # fmt: skip


@router.get(
    "/tables/{schema}.{table}/columns", name="columns",
    **says("一张表的列", "Columns of a table", model=Columns, example="/api/v1/tables/marts.app_usage_month/columns",
           description_zh="名称、含义、单位、主键与可用的筛选方式。",
           description_en="Titles, descriptions, units, the key, and how each column may be filtered."),
)  # fmt: skip
def columns(call: ViewerCall, schema: Schema, table: Table) -> Response:
    """What the table and its columns mean."""
    relation = _relation(call, schema, table)
    address = call.address(f"/tables/{relation.name}", {"version": call.request.query_params.get("version")})
    return call.answer(
        lambda: {
            "name": relation.name,
            "kind": relation.kind,
            "title_zh": relation.title_zh,
            "title_en": relation.title_en,
            "description": relation.description,
            "grain": relation.grain,
            "owner": relation.owner,
            "key": list(relation.key),
            "items": [_described(one, relation) for one in relation.columns.values()],
        },
        {"rows": address},
    )


@router.get(
    "/tables/{schema}.{table}", name="rows",
    **says("一张表的行", "Rows of a table", model=Rows, has_files=True,
           example="/api/v1/tables/marts.app_usage_month?month__gte=2022-09&release_end=zheliban_app&limit=50",
           description_zh="任何列都可筛选：列=值、列__gte、__gt、__lte、__lt、__ne、__in=a,b、__contains、__isnull=true。日事实可按"
           " month=yyyy-mm 取一个月。",
           description_en="Any column filters: column=value, column__gte, __gt, __lte, __lt, __ne, __in=a,b, "
                          "__contains "
           "(text, either case), __isnull=true. Of daily facts month=yyyy-mm takes one month."),
)  # fmt: skip
def rows(call: RowsCall, schema: Schema, table: Table, asked: Asked) -> Response:
    """Rows, filtered, sorted, page by page or as a file."""
    return rows_answer(call, _relation(call, schema, table), asked)


def _relation(call: Call, schema: str, table: str) -> Relation:
    known = published_relations(call.reading)
    name = f"{schema}.{table}"
    if name not in known:
        raise HTTPException(404, f"{shown(name)}: {unknown('table', name, known, '表', 'table').expected}")
    return known[name]


def _described(column: Column, relation: Relation) -> dict[str, object]:
    unit = column.unit
    return {
        "name": column.name, "type": column.type, "title_zh": column.title_zh, "title_en": column.title_en,
        "description": column.description, "unit_zh": unit[0] if unit else None, "unit_en": unit[1] if unit else None,
        "is_key": column.name in relation.key, "operators": _operators(column),
    }  # fmt: skip


def _operators(column: Column) -> list[str]:
    if column.family == "other":
        return ["isnull"]
    left_out = {"contains"} if column.family != "text" else set()
    if column.family == "boolean":
        left_out |= {"gt", "gte", "lt", "lte"}
    return [one for one in OPERATORS if one not in left_out]
