"""The list of apps: searched, filtered, sorted, paged and downloaded, with the numbers of the version."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

import openpyxl
import pytest

from oneledger.settings import Settings
from oneledger.web.evaluated import evaluation_for
from oneledger.web.queries.apps import PAGE_ROWS, SORTS
from oneledger.web.reading import Row, VersionPool
from tests.evaluation.story import Story

from .conftest import ClientOf

_TOTAL = re.compile(r'<p class="counts"><b>([\d,]+)</b>')
_APP = re.compile(r'<th scope="row" data-value><a href="/apps/([^"]+)">')


def total_of(text: str) -> int:
    return int(_TOTAL.findall(text)[0].replace(",", ""))


def rows_of(client: ClientOf, **wishes: str) -> list[Row]:
    answer = client("viewer").get("/apps/download", params={"format": "csv", **wishes})
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def asked(settings: Settings, sql: str) -> list[Row]:
    with VersionPool(settings).reading() as reading:
        return reading.rows(sql)


@pytest.mark.parametrize("role", ["viewer", "auditor", "engineer"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_opens_for_every_role_in_both_languages(client: ClientOf, role: str, language: str) -> None:
    answer = client(role).get(f"/apps?lang={language}")
    assert answer.status_code == 200
    assert {"zh": "处置建议", "en": "Proposed"}[language] in answer.text


@pytest.mark.parametrize("path", ["/apps", "/apps/download", "/apps/A33050000001"])
def test_nobody_sees_apps_without_a_login(client: ClientOf, path: str) -> None:
    answer = client(None).get(path)
    assert answer.status_code == 303
    assert not answer.content


def test_it_holds_every_app_of_the_version_once(client: ClientOf, published_home: Settings) -> None:
    known = {row["app_id"] for row in asked(published_home, "select app_id from marts.dim_app")}
    pages = -(-len(known) // PAGE_ROWS)
    listed: list[str] = []
    for number in range(1, pages + 1):
        text = client("viewer").get(f"/apps?sort=name&page={number}").text
        assert total_of(text) == len(known)
        listed += _APP.findall(text)
    assert len(listed) == len(known)
    assert set(listed) == known


def test_a_page_after_the_last_is_the_last(client: ClientOf) -> None:
    last = client("viewer").get("/apps?page=99999")
    assert last.status_code == 200
    assert _APP.findall(last.text)


def test_stars_and_dispositions_are_those_of_the_confirmed_run(client: ClientOf, story: Story) -> None:
    evaluation = evaluation_for(story.settings, story.second_version)
    assert evaluation is not None
    assert evaluation.about["run_id"] == story.confirmed
    wanted = {row["app_id"]: row for row in evaluation.standings().to_pylist()}
    for row in rows_of(client):
        known = wanted[row["app_id"]]
        assert row["stars"] == ("" if known["stars"] is None else str(known["stars"])), row
        assert row["disposition"] == (known["disposition"] or ""), row
        assert (row["stars_band"] == "not_evaluated") == (known["stars_status"] is None), row


def test_visitors_are_the_sums_of_the_newest_whole_month_and_missing_is_not_zero(
    client: ClientOf, published_home: Settings
) -> None:
    wanted = {
        row["app_id"]: row["visitors_count"]
        for row in asked(
            published_home,
            "select app_id, sum(visitors_count) as visitors_count from marts.portal_usage_month"
            " where portal <> 'standalone_app' and month = date '2022-10-01' group by app_id",
        )
    }
    rows = rows_of(client)
    assert any(row["visitors_count"] == "" for row in rows)
    for row in rows:
        known = wanted.get(row["app_id"])
        assert row["visitors_count"] == ("" if known is None else str(int(known))), row


@pytest.mark.parametrize(
    ("wish", "column", "value"),
    [
        ("side", "side", "governance"), ("stars", "stars_band", "none"), ("stars", "stars_band", "5"),
        ("stars", "stars_band", "not_evaluated"), ("district", "district_code", "330523"),
        ("verdict", "verdict", "low_use"),
        ("disposition", "disposition", "shut_down"), ("listing", "listing_state", "delisted"),
        ("department", "department_id", "D015"),
    ],
)  # fmt: skip
def test_a_filter_gives_all_apps_that_match_and_no_other(client: ClientOf, wish: str, column: str, value: str) -> None:
    everything, found = rows_of(client), rows_of(client, **{wish: value})
    assert found == [row for row in everything if row[column] == value]
    assert found, f"the story has no app with {column} {value}"
    assert total_of(client("viewer").get("/apps", params={wish: value}).text) == len(found)


def test_a_filter_by_end_gives_the_apps_that_are_listed_there(client: ClientOf) -> None:
    found = rows_of(client, end="zheliban_wechat")
    assert found == [row for row in rows_of(client) if "zheliban_wechat" in row["ends"].split()]
    assert 0 < len(found) < len(rows_of(client))


def test_filters_narrow_each_other(client: ClientOf) -> None:
    both = rows_of(client, side="service", stars="5")
    assert both == [row for row in rows_of(client, stars="5") if row["side"] == "service"]
    assert 0 < len(both) < len(rows_of(client, stars="5"))


@pytest.mark.parametrize("field", ["app_name", "app_id", "department_name"])
def test_a_search_finds_by_name_code_and_department(client: ClientOf, field: str) -> None:
    some = rows_of(client)[7]
    found = rows_of(client, q=some[field][1:])
    assert some["app_id"] in [row["app_id"] for row in found]
    assert all(
        some[field][1:].lower() in " ".join((row["app_id"], row["app_name"], row["department_name"])).lower()
        for row in found
    )


@pytest.mark.parametrize("q", ["%", "_", "'; drop table x; --", "*", '"', "\\"])
def test_a_search_takes_every_character_for_itself(client: ClientOf, q: str) -> None:
    answer = client("viewer").get(f"/apps?q={quote(q)}")
    assert answer.status_code == 200
    assert total_of(answer.text) == 0
    assert "No app matches" in client("viewer").get(f"/apps?lang=en&q={quote(q)}").text


def test_what_was_searched_is_shown_as_text_and_never_as_markup(client: ClientOf) -> None:
    answer = client("viewer").get("/apps", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_every_heading_sorts_both_ways_and_keeps_what_is_missing_at_the_end(client: ClientOf, sort: str) -> None:
    up = client("viewer").get(f"/apps?stars=none&sort={sort}")
    down = client("viewer").get(f"/apps?stars=none&sort=-{sort}")
    assert up.status_code == down.status_code == 200
    assert set(_APP.findall(up.text)) == set(_APP.findall(down.text))


def test_the_most_visited_come_first_and_apps_without_data_last(client: ClientOf) -> None:
    visitors = {row["app_id"]: row["visitors_count"] for row in rows_of(client, stars="none")}
    for sort in ("visitors", "-visitors"):
        order = [visitors[one] for one in _APP.findall(client("viewer").get(f"/apps?stars=none&sort={sort}").text)]
        known = [int(one) for one in order if one]
        assert known == sorted(known, reverse=sort.startswith("-"))
        assert order[: len(known)] == [str(one) for one in known]


def test_a_form_with_nothing_chosen_asks_for_everything(client: ClientOf) -> None:
    sent = "q=&side=&stars=&verdict=&disposition=&department=&district=&end=&listing=&sort=-visitors"
    answer = client("viewer").get(f"/apps?{sent}")
    assert answer.status_code == 200
    assert total_of(answer.text) == total_of(client("viewer").get("/apps").text)


BOTH = ["side=x", "stars=2", "stars=6", "verdict=x", "disposition=x", "listing=x", "department=%27", "district=a%20b",
        "end=%3Cb%3E", f"q={'x' * 61}"]  # fmt: skip
ONLY_THE_LIST = ["sort=app_id", "sort=name;drop", "page=0", "page=-1", "page=x", "page=1e9"]


@pytest.mark.parametrize(
    "path",
    [*(f"/apps?{one}" for one in (*BOTH, *ONLY_THE_LIST)), *(f"/apps/download?{one}" for one in (*BOTH, "format=pdf"))],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(client: ClientOf, path: str) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == 422
    assert f"<code>{path.partition('?')[2].partition('=')[0]}</code>" in answer.text
    assert "Traceback" not in answer.text


def test_the_workbook_holds_the_filtered_apps_and_says_what_its_columns_mean(client: ClientOf, story: Story) -> None:
    answer = client("viewer").get("/apps/download?format=xlsx&stars=5")
    assert answer.status_code == 200
    assert 'filename="apps-2022-10-31.xlsx"' in answer.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    data, definitions = (list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets)
    names = [str(one) for one in data[0]]
    assert [row[names.index("app_id")] for row in data[1:]] == [row["app_id"] for row in rows_of(client, stars="5")]
    told = {str(row[0]): row[1] for row in definitions}
    assert told["版本 version"] == story.second_version
    assert all(told.get(name) for name in names)


def test_the_downloads_of_a_page_keep_its_filters(client: ClientOf) -> None:
    text = client("viewer").get("/apps?stars=5&side=service").text
    assert "/apps/download?format=csv&amp;side=service&amp;stars=5" in text


def test_the_line_of_an_app_has_twelve_months_with_gaps_where_nothing_came(
    client: ClientOf, published_home: Settings
) -> None:
    from oneledger.web.queries.apps import app_list

    with VersionPool(published_home).reading() as reading:
        apps = app_list(reading, None).to_pylist()
        first = reading.rows("select min(month) as month from marts.portal_usage_month")[0]["month"]
    lines = [row["visitors_by_month"] for row in apps if row["visitors_by_month"]]
    assert lines
    assert {len(line) for line in lines} == {12}
    # The story begins in July: nothing came of the eight months before, and nothing is not zero.
    assert first.isoformat() == "2022-07-01"
    assert all(line[:8] == [None] * 8 for line in lines)
    assert all(row["stars_band"] == "not_evaluated" for row in apps)
