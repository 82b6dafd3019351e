"""One app on one page: use, points, stars, sharing, money and disposition, each with its state."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from oneledger.charts.palette import PAPER
from oneledger.charts.render import svg
from oneledger.charts.stars import score_history
from oneledger.charts.waterfall import points_waterfall
from oneledger.evaluation.explaining import explain
from oneledger.settings import Settings
from oneledger.web.evaluated import evaluation_for
from oneledger.web.queries.app_usage import Quarter
from oneledger.web.reading import Row, VersionPool
from oneledger.web.why_stars import measured, why
from tests.evaluation.story import Story

from .conftest import ClientOf


def asked(settings: Settings, sql: str, **parameters: Any) -> list[Row]:
    with VersionPool(settings).reading() as reading:
        return reading.rows(sql, parameters or None)


def first_app(settings: Settings, where: str) -> str:
    found = asked(settings, f"select app_id from ({where}) order by app_id limit 1")
    assert found, f"the story has no app with: {where}"
    return str(found[0]["app_id"])


def page_of(client: ClientOf, app_id: str, **wishes: str) -> str:
    answer = client("viewer").get(f"/apps/{app_id}", params={"lang": "en", **wishes})
    assert answer.status_code == 200, answer.text[:400]
    return answer.text


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.fixture(scope="module")
def starred(story: Story) -> str:
    """An app with four stars in the confirmed run."""
    evaluation = evaluation_for(story.settings, story.second_version)
    assert evaluation is not None
    return min(row["app_id"] for row in evaluation.standings().to_pylist() if row["stars"] == 4)


@pytest.mark.parametrize("role", ["viewer", "auditor", "engineer"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_opens_for_every_role_in_both_languages(client: ClientOf, starred: str, role: str, language: str) -> None:
    answer = client(role).get(f"/apps/{starred}?lang={language}")
    assert answer.status_code == 200
    assert {"zh": "为何这些星", "en": "Why this star"}[language] in answer.text


def test_its_contents_lead_to_every_section(client: ClientOf, starred: str) -> None:
    text = page_of(client, starred)
    contents = re.findall(r'<li><a href="#(\w+)">', text)
    assert len(contents) >= 8
    assert contents == re.findall(r'<section id="(\w+)"', text)


def test_each_indicator_stands_with_its_inputs_its_points_and_a_trace(
    client: ClientOf, story: Story, starred: str
) -> None:
    text = page_of(client, starred)
    explained = explain(story.settings, starred, story.confirmed)
    assert explained["indicators"]
    for one in explained["indicators"]:
        assert f"/lineage/trace?points={starred}&amp;indicator={one['indicator_id']}" in text
        if one["status"] == "scored":
            assert f"<b>{one['points']:,.2f}</b> / {one['weight']:g}" in text
    assert f"/lineage/trace?star={starred}" in text
    assert f"{explained['score']['score']:.2f}" in text


def test_it_says_why_in_the_sentences_of_the_confirmed_run(client: ClientOf, story: Story, starred: str) -> None:
    text = plain(page_of(client, starred))
    score = explain(story.settings, starred, story.confirmed)["score"]["score"]
    assert f"{score:.2f} points, 4 stars" in text
    assert f"{story.confirmed} ✓ confirmed" in text or f"{story.confirmed} confirmed" in text


def test_the_history_shows_confirmed_runs_and_the_newest_draft_as_a_draft(
    client: ClientOf, story: Story, starred: str
) -> None:
    history = page_of(client, starred).partition('<section id="history"')[2].partition("</section>")[0]
    assert story.confirmed in history
    assert story.corrected in history
    assert "draft" in history
    assert story.ruled not in history


def test_an_app_out_of_scope_says_why_it_has_no_stars(client: ClientOf, published_home: Settings) -> None:
    out = asked(
        published_home,
        "select app_id, scope_reason_zh, scope_reason_en from evaluation.population where not is_in_scope order by 1",
    )[0]
    text = client("viewer").get(f"/apps/{out['app_id']}?lang=zh").text
    assert f"本轮未纳入评价：{out['scope_reason_zh']}" in text
    assert "未参评" in text


def test_visitors_stand_by_end_and_month_as_in_the_mart(
    client: ClientOf, published_home: Settings, starred: str
) -> None:
    text = page_of(client, starred)
    rows = asked(published_home, "select * from marts.app_usage_month where app_id = $app_id", app_id=starred)
    assert rows
    for row in rows:
        cell = rf"{str(row['month'])[:7]}</td>.*?{row['visitors_count']:,}</td>"
        assert re.search(cell, text, re.S), row
        assert f"release_end%3D{row['release_end']}&amp;key=month%3D{row['month']}" in text


def test_the_days_of_a_chosen_quarter_are_drawn(client: ClientOf, starred: str) -> None:
    third, fourth = page_of(client, starred, quarter="2022-Q3"), page_of(client, starred)
    assert "Daily visitors, 2022-Q3" in third
    assert "2022-09-15" in third
    assert "Daily visitors, 2022-Q4" in fourth
    assert "2022-09-15" not in fourth.partition('id="days"')[2].partition("Listings")[0]


def test_a_quarter_without_data_says_so(client: ClientOf, starred: str) -> None:
    assert "There is no data of 2019-Q1." in page_of(client, starred, quarter="2019-Q1")


def test_a_promotion_is_marked_and_told_with_what_it_changed(client: ClientOf, published_home: Settings) -> None:
    shown = asked(
        published_home,
        "from marts.promotion_effect where change_rate is not null order by held_on desc, app_id limit 1",
    )[0]
    text = page_of(client, shown["app_id"])
    assert "◆" in text
    assert f"{shown['held_on']} broadcast" in text
    sign = "+" if shown["change_rate"] > 0 else "−"
    assert f"{sign}{abs(shown['change_rate']) * 100:,.1f}%" in text


def test_a_delisted_app_says_when_and_why(client: ClientOf, published_home: Settings) -> None:
    gone = asked(
        published_home,
        "from marts.app_listing_history where delisted_on >= '2022-08-01' and delisting_reason is not null limit 1",
    )[0]
    text = page_of(client, gone["app_id"])
    assert str(gone["delisted_on"]) in text
    assert gone["delisting_reason"] in text
    assert "▼" in text


def test_an_app_with_its_own_app_shows_the_share_and_others_have_no_such_section(
    client: ClientOf, published_home: Settings
) -> None:
    weak = asked(
        published_home,
        "from marts.channel_share_month where matter_id = '' order by month desc, zheliban_share limit 1",
    )[0]
    text = page_of(client, weak["app_id"])
    assert f"<b>{weak['zheliban_share'] * 100:.1f}%</b>" in text
    without = first_app(
        published_home,
        "select app_id from marts.dim_app where app_id not in (select app_id from marts.channel_share_month)",
    )
    assert 'id="channel"' not in page_of(client, without)


def test_modules_without_data_are_named(client: ClientOf, published_home: Settings) -> None:
    missing = asked(published_home, "from marts.missing_module_data order by app_id, module_id limit 1")[0]
    text = page_of(client, missing["app_id"])
    assert missing["module_name"] in text
    assert missing["module_id"] in text


def test_a_key_app_that_never_asked_for_data_gives_its_reason(client: ClientOf, published_home: Settings) -> None:
    silent = asked(
        published_home, "from marts.key_app_sharing where not has_requested and no_sharing_reason is not null limit 1"
    )[0]
    text = page_of(client, silent["app_id"])
    assert "It never asked for data." in text
    assert silent["no_sharing_reason"] in text


def test_money_that_nobody_recorded_is_a_dash_and_never_zero(client: ClientOf, published_home: Settings) -> None:
    linked = asked(
        published_home,
        "select app_id, project_id, budget_cny from marts.app_project_money where budget_cny > 0 and project_id not in"
        " (select project_id from marts.budget_execution where spent_cny is not null) order by 1, 2 limit 1",
    )[0]
    money = page_of(client, linked["app_id"]).partition('<section id="money"')[2].partition("</section>")[0]
    assert f"/projects/{linked['project_id']}" in money
    row = money.partition(f"/projects/{linked['project_id']}")[2].partition("</tr>")[0]
    assert "—" in row
    assert "CNY 0" not in row


def test_a_disposition_stands_with_each_of_its_reasons_and_the_other_app(
    client: ClientOf, published_home: Settings
) -> None:
    proposed = asked(
        published_home,
        "from evaluation.disposition where subject_kind = 'app' and partner_app_id is not null"
        " and disposition in ('merge', 'transfer', 'shut_down') order by app_id limit 1",
    )[0]
    text = page_of(client, proposed["app_id"])
    for reason in proposed["reasons_en"].split("; "):
        assert f"<li>{reason}</li>" in text
    assert f'href="/apps/{proposed["partner_app_id"]}"' in text


@pytest.mark.parametrize("app_id", ["A99999999999", "nope", "a.b"])
def test_an_app_that_nobody_knows_is_not_found(client: ClientOf, app_id: str) -> None:
    answer = client("viewer").get(f"/apps/{app_id}")
    assert answer.status_code == 404
    assert app_id in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize(
    "path", ["/apps/%27", "/apps/a%20b", f"/apps/{'x' * 81}", "/apps/{app}?quarter=2022-Q5", "/apps/{app}?quarter=22",
             "/apps/{app}?quarter=0000-Q1", "/apps/{app}?quarter=%27"],
)  # fmt: skip
def test_a_wrong_code_or_quarter_is_refused_in_words(client: ClientOf, starred: str, path: str) -> None:
    answer = client("viewer").get(path.replace("{app}", starred))
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_a_quarter_knows_its_days_and_its_neighbour() -> None:
    quarter = Quarter.named("2022-Q4")
    assert (quarter.first_on, quarter.last_on) == (dt.date(2022, 10, 1), dt.date(2022, 12, 31))
    assert quarter.after == Quarter(2023, 1)
    assert Quarter.of(dt.date(2022, 6, 30)).name == "2022-Q2"


def test_the_steps_of_the_waterfall_lead_from_nothing_to_the_points_of_the_score() -> None:
    rows = [
        {"title": "a", "start": 0.0, "points": 10.0, "weight": 20.0, "kind": "scored", "text": "", "label": ""},
        {"title": "b", "start": 10.0, "points": 5.5, "weight": 8.0, "kind": "scored", "text": "", "label": ""},
        {"title": "c", "start": 15.5, "points": None, "weight": 5.0, "kind": "withheld", "text": "", "label": ""},
    ]
    drawn = points_waterfall(rows, 28.0)["data"]["values"]
    assert [(one["start"], one["end"], one["full"]) for one in drawn] == [(0, 10, 20), (10, 15.5, 18)]


def test_a_run_that_withheld_the_score_breaks_the_line_of_the_history() -> None:
    rows: list[Row] = [
        {"run": "2022-Q1|confirmed", "score": 61.0, "text": "★★★", "label": ""},
        {"run": "2022-Q2|confirmed", "score": None, "text": "withheld", "label": ""},
        {"run": "2022-Q3|confirmed", "score": 64.0, "text": "★★★", "label": ""},
        {"run": "2022-Q4|confirmed", "score": 71.0, "text": "★★★", "label": ""},
    ]
    drawn = svg(score_history(rows, [{"minimum_score": 60.0, "label": "★★★"}]), title="x", palette=PAPER)
    lines = re.findall(r'<path[^>]* d="(M[^"]+)"[^>]*stroke="#17508c"', drawn)
    # Once to begin with, and once more after the run without a score.
    assert [line.count("M") for line in lines if line.count("L")] == [2]


def indicator(**more: Any) -> dict[str, Any]:
    return {
        "title_zh": "使用", "title_en": "Use", "status": "scored", "points": 10.0, "weight": 30.0, "value": 12.0,
        "metric_id": "daily_visitors", "reason_zh": None, "reason_en": None, **more,
    }  # fmt: skip


def explained(score: dict[str, Any], stars: dict[str, Any], indicators: list[dict[str, Any]]) -> dict[str, Any]:
    return {"is_evaluated": True, "score": score, "stars": stars, "indicators": indicators, "population": {}}


BANDS = [{"stars": 3, "minimum_score": 60.0}, {"stars": 4, "minimum_score": 75.0}]


def test_weight_that_does_not_apply_is_said_to_cost_nothing() -> None:
    told = why(
        explained(
            {"score": 66.67, "status": "scored", "points": 60.0, "scored_weight": 90.0, "withheld_weight": 0.0,
             "not_applicable_weight": 10.0, "reason_zh": None, "reason_en": None},
            {"band": BANDS[0], "next_band": {**BANDS[1], "points_missing": 8.33}, "points_above_band": 6.67,
             "bands": BANDS},
            [indicator(), indicator(title_zh="成本", title_en="Cost", status="not_applicable", points=None, weight=10.0,
                                    reason_zh="未关联项目", reason_en="No project linked")],
        ),
        {"daily_visitors": "visitors_a_day"},
    )  # fmt: skip
    english = " ".join(en for _, en in told)
    assert "66.67 points, 3 stars: 6.67 above the 60 that they need, and 8.33 short of 4 stars (75)." in english
    assert "the other weight of 10 is left out and costs nothing" in english
    assert "use −20.00 (12.0 visitors a day; 10.00 of 30)" in english
    assert "Not applicable, so not counted: cost (no project linked)." in english


def test_a_withheld_score_is_never_told_as_zero() -> None:
    told = why(
        explained(
            {"score": None, "status": "withheld", "points": 0.0, "scored_weight": 10.0, "withheld_weight": 80.0,
             "not_applicable_weight": 10.0, "reason_zh": "数据不足", "reason_en": "Too little data"},
            {"band": None, "next_band": None, "points_above_band": None, "bands": BANDS},
            [indicator(status="withheld", points=None, reason_zh="门户缺报", reason_en="The portal was silent")],
        ),
        {},
    )  # fmt: skip
    assert told[0][0].startswith("暂不评，不等于 0 分：数据不足")
    assert "which is not 0 points" in told[0][1]
    assert not any("无星" in zh for zh, _ in told)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(None, "rate", "—"), (0.0, "rate", "0.0%"), (0.5, "rate", "50.0%"),
     (12.25, "visitors_a_day", "12.2 visitors a day"),
     (2.0, "step", "at least one approved"), (3.0, "count", "3")],
)  # fmt: skip
def test_a_measured_value_has_its_unit_and_a_missing_one_a_dash(value: float | None, unit: str, words: str) -> None:
    assert measured(value, unit)[1] == words
