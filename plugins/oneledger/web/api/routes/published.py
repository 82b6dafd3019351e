"""``/api/v1/stars``, ``figures``, ``findings``, ``freshness``: the tables that most programs come for."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from oneledger.web.api.calls import Call, RowsCall
from oneledger.web.api.models import Rows
from oneledger.web.api.relations import published_relations
from oneledger.web.api.routes.tables import Asked
from oneledger.web.api.rows import RowsAsked, rows_answer
from oneledger.web.api.saying import says

router = APIRouter()


@router.get(
    "/stars", name="stars",
    **says("星级", "Stars", model=Rows, has_files=True, example="/api/v1/stars?stars=5&sort=-score",
           description_zh="evaluation.app_stars：每个评价轮次、应用一行。暂不评（withheld）不是 0 星。",
           description_en="evaluation.app_stars: one row a round and app. Withheld is never the same as no star."),
)  # fmt: skip
def stars(call: RowsCall, asked: Asked) -> Response:
    """The stars of the version."""
    return _table(call, "evaluation.app_stars", asked)


@router.get(
    "/figures", name="figures",
    **says("公布数与计算数", "Published "
                             "figures", model=Rows, has_files=True, example="/api/v1/figures?is_matched=false",
           description_zh="marts.published_figure：公布数、计算数与差。",
           description_en="marts.published_figure: each published figure beside the computed one."),
)  # fmt: skip
def figures(call: RowsCall, asked: Asked) -> Response:
    """Published figures beside computed ones."""
    return _table(call, "marts.published_figure", asked)


@router.get(
    "/findings", name="findings",
    **says("审计问题", "Findings", model=Rows, has_files=True, example="/api/v1/findings?state__ne=closed",
           description_zh="marts.finding：状态、指标、期限。", description_en="marts.finding: state, metric, due "
                                                                              "dates."),
)  # fmt: skip
def findings(call: RowsCall, asked: Asked) -> Response:
    """Audit findings with their state."""
    return _table(call, "marts.finding", asked)


@router.get(
    "/freshness", name="freshness",
    **says("新鲜度", "Freshness", model=Rows, has_files=True, example="/api/v1/freshness?is_stale=true",
           description_zh="marts.source_freshness：每个来源数据的最新日期与允许的时限。",
           description_en="marts.source_freshness: the newest data of each source, and how old they may be."),
)  # fmt: skip
def freshness(call: RowsCall, asked: Asked) -> Response:
    """How old each source's data are."""
    return _table(call, "marts.source_freshness", asked)


def _table(call: Call, name: str, asked: RowsAsked) -> Response:
    relation = published_relations(call.reading).get(name)
    if relation is None:
        raise HTTPException(
            404,
            f"版本 {call.reading.version.version} 没有 {name}；换一个版本。 "
            f"Version {call.reading.version.version} has no {name}; "
            "ask a newer version.",
        )
    return rows_answer(call, relation, asked)
