"""``/api/v1/apps``: apps with their stars; one app with its points and use."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import Response

from oneledger.web.api.calls import Call, RowsCall, ViewerCall
from oneledger.web.api.models import App, Rows
from oneledger.web.api.plain import plain
from oneledger.web.api.problems import shown
from oneledger.web.api.relations import Relation, view
from oneledger.web.api.routes.tables import Asked
from oneledger.web.api.rows import rows_answer
from oneledger.web.api.saying import says

router = APIRouter()

# An app that is not evaluated has no stars row: its status is null, which is neither withheld nor without stars.
_APPS = """
    with newest_stars as (
        select app_id, period, stars, score, status, stars_state
        from evaluation.app_stars
        qualify row_number() over (partition by app_id order by period desc, run_id desc) = 1
    )
    select apps.*, newest_stars.* exclude (app_id)
    from marts.dim_app as apps
    left join newest_stars on newest_stars.app_id = apps.app_id
"""


@router.get(
    "/apps", name="apps",
    **says("应用", "Apps", model=Rows, has_files=True, example="/api/v1/apps?side=service&stars__in=4,5&sort=-score",
           description_zh="marts.dim_app 加最近一期星级（由此版本的数据算出；已确认的评价封存不变，"
           "见页面 /evaluation）；status 为空表示未参评。",
           description_en="marts.dim_app with the newest stars, as computed from this version's data (a confirmed "
                          "evaluation is frozen and may differ: the page /evaluation); status is null for an app that "
                          "is not evaluated."),
)  # fmt: skip
def apps(call: RowsCall, asked: Asked) -> Response:
    """Apps with their newest stars."""
    return rows_answer(call, _apps(call), asked)


@router.get(
    "/apps/{app_id}", name="app",
    **says("一个应用", "One app", model=App, example="/api/v1/apps/A33050000001?months=12",
           description_zh="登记信息、各期星级、最近一期得分、去留建议与月度使用。",
           description_en="What it is, its stars of every period, points and disposition of the newest, and monthly "
                          "use."),
)  # fmt: skip
def app(
    call: ViewerCall,
    app_id: Annotated[str, Path(max_length=100, description="Code of the app on IRS.")],
    months: Annotated[int, Query(ge=1, le=240, description="Newest months of use.")] = 24,
) -> Response:
    """One app with its stars, points and use."""
    found = call.reading.one(f"select * from ({_APPS}) where app_id = $app_id", {"app_id": app_id})
    if found is None:
        raise HTTPException(404, f"没有应用 {shown(app_id)}；/api/v1/apps 列出全部。 "
                                 f"There is no app {shown(app_id)}; /api/v1/apps "
                            "lists all.")  # fmt: skip
    return call.answer(lambda: _one_app(call, found, app_id, months), {"apps": call.address("/apps")})


def _one_app(call: Call, found: dict[str, Any], app_id: str, months: int) -> dict[str, Any]:
    asked = {"app_id": app_id}
    newest = (
        "run_id = (select run_id from evaluation.app_stars where app_id = $app_id order by period desc, run_id desc"
        " limit 1)"
    )
    rows = call.reading.rows
    return {
        "app": plain(found),
        "stars": plain(
            rows("select * from evaluation.app_stars where app_id = $app_id order by period desc, run_id desc", asked)
        ),
        "points": plain(
            rows(
                f"select * from evaluation.indicator_points where app_id = $app_id and {newest}"
                " order by weight desc, indicator_id", asked,
            )
        ),
        "disposition": plain(
            rows(
                f"select * from evaluation.disposition where app_id = $app_id and {newest}"
                " order by subject_kind, subject_id", asked,
            )
        ),
        "usage": plain(
            rows(
                "select * from marts.app_usage_month where app_id = $app_id and month > (select max(month)"
                " from marts.app_usage_month where app_id = $app_id) - to_months($months)"
                " order by month desc, release_end", {**asked, "months": months},
            )
        ),
    }  # fmt: skip


def _apps(call: Call) -> Relation:
    return view(
        call.reading, "apps", _APPS, ("app_id",), ("marts.dim_app", "evaluation.app_stars"),
        title_zh="应用", title_en="Apps", description="One row an app, with its newest stars.",
    )  # fmt: skip
