"""The flow of tables, one table, one column: what the pages say is what the version's own SQL says."""

from __future__ import annotations

import re

import pytest

from oneledger.lineage.column_reading import read_graph
from oneledger.lineage.ground import read_models
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings

from .conftest import ClientOf

PAGES = (
    "/lineage",
    "/lineage?table=marts.low_use_verdict",
    "/lineage?table=evaluation.app_stars&direction=back",
    "/lineage?q=visitor&layer=marts",
    "/lineage/tables/marts.app_usage_month",
    "/lineage/tables/evaluation.star_band",
    "/lineage/tables/zheliban.usage",
    "/lineage/columns/marts.app_usage_month.visitors_count",
    "/lineage/columns/marts.app_usage_month.visitors_count?closeness=decides&uses=rows",
    "/lineage/columns/zheliban.usage.访客数",
)
_NODE = re.compile(r'data-node="([^"]+)"')


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_page_answers_a_viewer_in_both_languages(client: ClientOf, path: str, language: str) -> None:
    answer = client("viewer").get(path, params={"lang": language} if "?" not in path else None)
    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_the_whole_flow_shows_every_model_rule_and_source(client: ClientOf, published_home: Settings) -> None:
    version = resolve(published_home)
    shown = set(_NODE.findall(client("viewer").get("/lineage").text))
    assert set(read_models(version).relations) <= shown
    assert {
        name for name, one in read_graph(published_home, version).relations.items() if one["layer"] == "source"
    } <= shown


def test_a_table_in_focus_shows_what_it_is_made_of_and_used_for_and_nothing_else(
    client: ClientOf, published_home: Settings
) -> None:
    relations = read_models(resolve(published_home)).relations
    shown = set(_NODE.findall(client("viewer").get("/lineage?table=marts.low_use_verdict").text))
    assert set(relations["marts.low_use_verdict"].reads) <= shown
    assert {name for name, one in relations.items() if "marts.low_use_verdict" in one.reads} <= shown
    assert "zheliban.usage" in shown
    assert "marts.rule_revision" not in shown
    back = set(_NODE.findall(client("viewer").get("/lineage?table=marts.low_use_verdict&direction=back").text))
    on = set(_NODE.findall(client("viewer").get("/lineage?table=marts.low_use_verdict&direction=on").text))
    assert back | on == shown
    assert back & on == {"marts.low_use_verdict"}


def test_the_page_of_a_table_has_its_key_its_columns_and_the_steps_of_its_sql(
    client: ClientOf, published_home: Settings
) -> None:
    relation = read_models(resolve(published_home)).relations["marts.app_usage_month"]
    text = client("viewer").get("/lineage/tables/marts.app_usage_month?lang=en").text
    assert all(f"/lineage/columns/marts.app_usage_month.{name}" in text for name in relation.columns)
    assert "<code>app_id</code> + <code>release_end</code> + <code>month</code>" in text
    assert re.search(r"<b>1\. usage</b>\s*<span[^>]*>reads intermediate.int_app_usage_month", text)


def test_the_page_of_a_column_leads_back_to_the_heading_in_the_file_and_on_to_the_stars(client: ClientOf) -> None:
    text = client("viewer").get("/lineage/columns/marts.app_usage_month.visitors_count?lang=en").text
    assert "/lineage/columns/zheliban.usage.访客数" in text
    assert "SUM(visitors_count)" in text
    assert "/lineage/columns/evaluation.app_stars.score" in text


def test_a_column_of_a_source_answers_to_its_canonical_name_too(client: ClientOf) -> None:
    assert "zheliban.usage.访客数" in client("viewer").get("/lineage/columns/zheliban.usage.visitors_count").text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/lineage/tables/marts.app_usage_mont", 404, "marts.app_usage_month"),
        ("/lineage/tables/no-table", 422, "no-table"),
        ("/lineage?table=marts.nothing_like_it", 404, "marts.nothing_like_it"),
        ("/lineage?table=%27%3B--", 422, "table"),
        ("/lineage?direction=sideways", 422, "sideways"),
        ("/lineage?layer=cellar", 422, "cellar"),
        ("/lineage/columns/marts.app_usage_month.visitor_count", 404, "visitors_count"),
        ("/lineage/columns/marts.app_usage_month.visitors_count?closeness=very", 422, "very"),
        ("/lineage/uses/marts.nothing.at_all", 404, "marts.nothing.at_all"),
        ("/lineage?version=..%2F..", 422, "version"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_is_meant(
    client: ClientOf, path: str, status: int, says: str
) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == status
    assert says in answer.text
    assert "Traceback" not in answer.text


def test_nobody_sees_the_lineage_without_a_login(client: ClientOf) -> None:
    for path in PAGES:
        answer = client(None).get(path)
        assert answer.status_code == 303
        assert "marts." not in answer.text
