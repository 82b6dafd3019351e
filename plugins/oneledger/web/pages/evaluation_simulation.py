"""A change of rules tried out: sliders for weights and star lines; nothing is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from oneledger.charts import evaluation as charts
from oneledger.charts import render
from oneledger.evaluation.rule_tables import RuleSet
from oneledger.settings import ConfigurationError
from oneledger.web.page import Page, ViewerPage
from oneledger.web.pages.evaluation import band_titles
from oneledger.web.queries import simulation as queries
from oneledger.web.queries.evaluation import PAGE_ROWS

router = APIRouter(include_in_schema=False)

Family = Annotated[
    Literal["major_application", "application_system", "infrastructure", "operations"],
    Query(description="the family whose weights are shown"),
]
Rescale = Annotated[Literal["", "yes"], Query(description="yes: bring weights back to 100 in proportion")]
_PREFIXES = ("weight.", "stars.")
_OWN = {"family", "rescale", "page", "lang", "version"}


@router.get("/evaluation/simulate")
def simulation(
    page: ViewerPage,
    family: Family = "application_system",
    rescale: Rescale = "",
    number: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1,
) -> HTMLResponse:
    """The form, and who rises and falls under what was chosen."""
    rules, choice = _choice(page, is_rescaled=rescale == "yes")
    result = _simulated(page, rules, choice)
    item = result.item
    apps = item.get("apps", [])
    is_refused = bool(item) and not item["ok"]
    return page.show(
        "evaluation/simulate.html",
        status_code=422 if is_refused else 200,
        choice=choice,
        family=family,
        result=result,
        item=item,
        is_refused=is_refused,
        drawn=page.reading.remembered(("simulation chart", result.draft, page.language), lambda: _drawn(page, result))
        if item.get("ok")
        else None,
        apps=apps[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
        total=len(apps),
        number=number,
        pages=-(-len(apps) // PAGE_ROWS),
        draft_query={
            name: text
            for name, text in page.request.query_params.multi_items()
            if name not in ("page", "lang", "family")
        },
    )


@router.get("/evaluation/simulate/draft.yml")
def draft(page: ViewerPage, rescale: Rescale = "") -> Response:
    """The chosen numbers as a draft, to evaluate with."""
    rules, choice = _choice(page, is_rescaled=rescale == "yes")
    result = _simulated(page, rules, choice)
    if result.answer is None:
        raise HTTPException(
            404, "没有改动任何数值，草案为空。先在模拟页上改动。 Nothing was changed: change a number first."
        )
    if not result.item["ok"]:
        raise HTTPException(422, f"这份草案不能使用。 This draft is refused: {result.item['problem']}")
    version = page.reading.version.version
    head = (
        f"# 草案：在版本 {version} 的规则上模拟所得。 A draft tried out on the rules of version {version}.\n"
        "# oneledger simulate --rules draft.yml\n# oneledger evaluate --rules draft.yml\n"
    )
    return PlainTextResponse(
        head + result.draft,
        media_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="draft.yml"'},
    )


def _choice(page: Page, *, is_rescaled: bool) -> tuple[RuleSet, queries.Choice]:
    try:
        rules = page.reading.remembered(
            ("published rules",), lambda: queries.rules_of_version(page.reading.version)
        )  # fmt: skip
    except ConfigurationError as error:
        raise HTTPException(404, f"这个版本不能模拟。 This version cannot be simulated: {error}") from error
    given = [
        (name, text) for name, text in page.request.query_params.multi_items()
        if name.startswith(_PREFIXES) or name not in _OWN
    ]  # fmt: skip
    return rules, queries.choose(rules, given, is_rescaled=is_rescaled)


def _simulated(page: Page, rules: RuleSet, choice: queries.Choice) -> queries.Simulation:
    key: tuple[Any, ...] = ("simulation", choice.is_rescaled, tuple((one.name, one.value) for one in choice.changed))
    try:
        return page.reading.remembered(
            key, lambda: queries.run_simulation(page.settings, page.reading.version, rules, choice)
        )
    except ConfigurationError as error:
        raise HTTPException(409, f"现在不能模拟。 This cannot be simulated now: {error}") from error


def _drawn(page: Page, result: queries.Simulation) -> str:
    answer = result.answer or {}
    titles = {
        **band_titles(page), "before": page.t("现行规则", "published rules"),
        "after": page.t("模拟规则", "chosen rules"), "apps": page.t("应用数", "apps"),
    }  # fmt: skip
    return render.svg(
        charts.stars_before_and_after(answer["base"]["distribution"], result.item["distribution"], titles=titles),
        title=page.t("现行与模拟规则下的星级分布", "Stars under the published and the chosen rules"),
    )
