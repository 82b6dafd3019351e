"""``/api/v1/metrics``: the metrics of the semantic layer, and their values by what they can be grouped by."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from oneledger.metrics import Dimension, Filter, find_metric, list_dimensions, list_metrics, query_metrics
from oneledger.settings import ConfigurationError
from oneledger.web.api.calls import Call, MetricCall, ViewerCall
from oneledger.web.api.caps import CAPS
from oneledger.web.api.filters import LONGEST_VALUE, MOST_VALUES
from oneledger.web.api.models import Metrics, MetricValues
from oneledger.web.api.plain import plain
from oneledger.web.api.problems import BadParameter, BadQuestionError, unknown
from oneledger.web.api.saying import says

router = APIRouter()

_OPERATORS = {"eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in", "isnull": "is null"}
_GRAINS = {"day", "week", "month", "quarter", "year"}
Names = Annotated[str | None, Query(max_length=1000, pattern=r"^-?[a-z0-9_]+(,-?[a-z0-9_]+)*$")]


@router.get(
    "/metrics", name="metrics",
    **says("指标", "Metrics", model=Metrics, example="/api/v1/metrics",
           description_zh="语义层定义的全部指标及可用维度。",
           description_en="Every metric of the semantic layer, and what each can be grouped by."),
)  # fmt: skip
def metrics(call: ViewerCall) -> Response:
    """Every metric of the version."""
    return call.answer(lambda: {"items": [plain(one.as_dict()) for one in list_metrics(call.reading.version)]})


@router.get(
    "/metrics/{metric_name}", name="metric",
    **says("一个指标的值", "Values of a metric", model=MetricValues,
           example="/api/v1/metrics/page_views?group_by=metric_time,app__side&grain=month&start_on=2022-08-01",
           description_zh="按维度分组；以 维度=值、维度__ne、__gt、__gte、__lt、__lte、__in=a,b、__isnull=true 筛选。"
           "与 MetricFlow 的结果相同。",
           description_en="Grouped by dimensions; filtered by dimension=value, dimension__ne, __gt, __gte, __lt, "
           "__lte, __in=a,b, __isnull=true. The values are those that MetricFlow gives."),
)  # fmt: skip
def metric(
    call: MetricCall,
    metric_name: Annotated[str, Path(pattern="^[a-z0-9_]{1,100}$")],
    group_by: Annotated[
        str | None,
        Query(max_length=1000, pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$", description="Dimensions joined by commas."),
    ] = None,
    grain: Annotated[
        str | None, Query(pattern="^(day|week|month|quarter|year)$", description="Of metric_time.")
    ] = None,
    start_on: Annotated[dt.date | None, Query(description="First day; widens to whole periods of the grain.")] = None,
    end_on: Annotated[dt.date | None, Query(description="Last day; widens to whole periods of the grain.")] = None,
    order_by: Names = None,
    limit: Annotated[int, Query(ge=1, le=CAPS.page)] = 1000,
) -> Response:
    """Values of one metric."""
    found = find_metric(call.reading.version, metric_name)
    dimensions = {one.name: one for one in list_dimensions(call.reading.version, [metric_name])}
    filters = _filters(call, dimensions)

    def make() -> dict[str, Any]:
        try:
            answer = query_metrics(
                call.settings, call.reading.version, metrics=[metric_name],
                group_by=group_by.split(",") if group_by else [], filters=filters, grain=grain,
                start_on=start_on, end_on=end_on, order_by=order_by.split(",") if order_by else [], limit=limit,
                connection=call.reading.cursor(),
            )  # fmt: skip
        except ConfigurationError as error:
            raise BadQuestionError(
                [
                    BadParameter(
                        metric_name, call.request.url.query, f"指标不能这样问。 The metric cannot be asked so. {error}"
                    )
                ]
            ) from error
        told = answer.as_dict()
        return {
            "metric": plain(found.as_dict()),
            "dimensions": [plain(one.as_dict()) for one in dimensions.values()],
            **{part: plain(told[part]) for part in ("columns", "items", "sql", "parameters")},
        }

    return call.answer(make, {"metrics": call.address("/metrics")})


def _filters(call: Call, dimensions: dict[str, Dimension]) -> list[Filter]:
    """Filters of the address; the name of a time may end in its grain (``metric_time__month``)."""
    filters, problems, seen = [], [], set()
    for name, text in call.filters:
        target, _, operator = name.rpartition("__")
        if operator not in _OPERATORS or not target:
            target, operator = name, "eq"
        bare = target.rpartition("__")[0] if target.rpartition("__")[2] in _GRAINS else target
        if bare not in dimensions and target not in dimensions:
            problems.append(
                unknown(name, target, [*dimensions, *call.reserved], "维度或参数", "dimension or parameter")
            )
        elif name in seen:
            problems.append(BadParameter(name, text, "只能给一次。 Give it once."))
        elif len(text) > LONGEST_VALUE or "\0" in text or (operator == "in" and text.count(",") >= MOST_VALUES):
            problems.append(BadParameter(name, text, "值过长。 The value is too long, or holds a null character."))
        elif operator == "isnull" and text not in ("true", "false"):
            problems.append(BadParameter(name, text, "应为 true 或 false。 Expected true or false."))
        elif operator == "isnull":
            filters.append(Filter(target, "is null" if text == "true" else "is not null"))
        else:
            filters.append(Filter(target, _OPERATORS[operator], text.split(",") if operator == "in" else text))
        seen.add(name)
    if problems:
        raise BadQuestionError(problems)
    return filters
