"""Findings: each is shown as the marts judge it, with its months, its evidence and the reply's own words."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from oneledger.findings.reading import list_findings, show_finding
from oneledger.findings.reply import passage
from oneledger.settings import Settings

from .conftest import ClientOf

NUMBERS = range(1, 11)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_list_answers_in_both_languages_and_names_every_finding(
    client: ClientOf, published_home: Settings, language: str
) -> None:
    answer = client("viewer").get(f"/findings?lang={language}")
    assert answer.status_code == 200
    for item in list_findings(published_home)["items"]:
        title = item["title_zh"] if language == "zh" else item["title_en"]
        assert f"{item['finding_number']}. {title}" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize("path", ["/findings", "/findings/3"])
def test_nobody_reads_a_finding(client: ClientOf, path: str) -> None:
    assert client(None).get(path).status_code == 303


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_finding_answers_in_both_languages_with_its_state_metrics_and_remedies(
    client: ClientOf, published_home: Settings, number: int, language: str
) -> None:
    answer = client("viewer").get(f"/findings/2022-{number}?lang={language}")
    assert answer.status_code == 200
    text = answer.text.replace("&#39;", "'").replace("&gt;", ">").replace("&lt;", "<")
    shown = show_finding(published_home, number)
    assert shown["finding"][f"reason_{language}"] in text
    for metric in shown["metrics"]:
        assert metric[f"title_{language}"] in text
        assert metric[f"remedy_{language}"] in text
        assert re.search(rf"(证据：|Evidence: ){metric['evidence_count']:,} (行|rows)", text)


def test_each_row_of_evidence_leads_to_its_trace(client: ClientOf, published_home: Settings) -> None:
    metric = next(one for one in show_finding(published_home, 4)["metrics"] if one["evidence"])
    text = client("viewer").get("/findings/4").text.replace("&amp;", "&")
    found = {
        tuple(parse_qs(urlsplit(address).query)["key"])
        for address in re.findall(r'href="(/lineage/trace\?[^"]+)"', text)
        if f"relation={metric['mart']}&" in unquote(address)
    }
    for row in metric["evidence"][:10]:
        key = tuple(f"{name}={'' if row[name] is None else row[name]}" for name in metric["evidence_key"].split(","))
        assert key in found


def test_a_value_that_cannot_be_determined_is_said_so_and_never_zero(
    client: ClientOf, published_home: Settings
) -> None:
    unknown = [
        item for item in list_findings(published_home)["items"]
        if item["value_when_found"] is None and item["found_state"] == "cannot_determine"
    ]  # fmt: skip
    assert unknown
    text = client("viewer").get("/findings?lang=en").text
    for item in unknown:
        start = rf'<th scope="row" data-value><a href="/findings/2022-{item["finding_number"]}">'
        row = re.search(start + ".*?</tr>", text, re.DOTALL)
        assert row is not None
        assert "cannot determine" in row[0]


def test_the_list_narrows_to_a_state_and_an_office(client: ClientOf, published_home: Settings) -> None:
    items = list_findings(published_home)["items"]
    state, office = items[0]["state"], items[0]["office"]
    text = client("viewer").get("/findings", params={"state": state, "office": office}).text
    shown = {int(one) for one in re.findall(r'<th scope="row" data-value><a href="/findings/2022-(\d+)">', text)}
    assert shown == {
        item["finding_number"] for item in items if item["state"] == state and item["office"] == office
    }  # fmt: skip


def test_a_number_alone_is_that_of_the_newest_list(client: ClientOf) -> None:
    title = re.compile(r"<h1>(.*?)</h1>")
    assert title.findall(client("viewer").get("/findings/7").text) == title.findall(
        client("viewer").get("/findings/2022-7").text
    )


def test_the_reply_is_quoted_in_its_own_words(client: ClientOf) -> None:
    text = client("viewer").get("/findings/10?lang=en").text
    assert "48个尚未得星" in text
    assert "E95417299/2022-00226" in text


def test_the_reply_answers_each_finding_of_the_list(published_home: Settings) -> None:
    for item in list_findings(published_home)["items"]:
        found = passage(item["list_year"], item["title_zh"])
        assert found is not None
        assert found.number == item["finding_number"]
    assert passage(2022, "别的城市的问题") is None
    assert passage(2021, "项目统筹管理不够到位") is None


def test_an_unknown_finding_is_named_with_those_that_there_are(client: ClientOf) -> None:
    answer = client("viewer").get("/findings/2022-99")
    assert answer.status_code == 404
    assert "2022/10" in answer.text


@pytest.mark.parametrize("path", ["/findings/abc", "/findings/1-2-3", "/findings/1234", "/findings?state=x"])
def test_a_wrong_parameter_is_told(client: ClientOf, path: str) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text
