"""Sharing: both clocks run as the marts say, what waits is counted, and key apps are named with their reason."""

from __future__ import annotations

import re

import pytest

from oneledger.settings import Settings
from oneledger.web.queries import sharing as ask
from oneledger.web.reading import VersionPool

from .conftest import ClientOf
from .test_projects import of_version

PATHS = ("/sharing", "/sharing?key_apps=now", "/sharing/requests", "/sharing/departments")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_page_answers_in_both_languages(client: ClientOf, path: str, language: str) -> None:
    answer = client("viewer").get(path + ("&" if "?" in path else "?") + f"lang={language}")
    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_about_sharing(client: ClientOf, path: str) -> None:
    assert client(None).get(path).status_code == 303


def test_clock_one_counts_as_late_what_still_waits_past_its_limit_as_the_months_do(published_home: Settings) -> None:
    expected = of_version(
        published_home,
        "select month, sum(approved_within_target_count), sum(approval_judged_count)"
        " from marts.sharing_request_month group by month order by month",
    )
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        rows = ask.approvals(reading)
    pool.close()
    assert [(row["month"], row["in_time_count"], row["judged_count"]) for row in rows] == expected


def test_the_page_says_how_many_wait_and_how_many_of_them_too_long(client: ClientOf, published_home: Settings) -> None:
    ((waiting, late),) = of_version(
        published_home,
        "select count(*), count(*) filter (where open_working_days > approve_target_working_days)"
        " from marts.sharing_request where state = 'open'",
    )
    assert late > 0
    text = client("viewer").get("/sharing/requests?lang=en").text
    assert f"{waiting:,} wait for approval, {late:,} of them past their limit" in text
    assert f"{late:,} in all" in client("viewer").get("/sharing/requests?lang=en&state=late").text


def test_requests_of_two_departments_are_as_many_as_the_network_says(
    client: ClientOf, published_home: Settings
) -> None:
    requester, provider, count = of_version(
        published_home,
        "select department_id, provider_department_id, count(*) as requests from marts.sharing_request"
        " group by all order by requests desc, 1, 2 limit 1",
    )[0]
    text = client("viewer").get(f"/sharing/requests?lang=en&state=all&requester={requester}&provider={provider}").text
    assert f"{count:,} in all" in text


def test_every_key_app_without_a_request_when_audited_is_named_with_the_reason_of_its_owner(
    client: ClientOf, published_home: Settings
) -> None:
    expected = of_version(
        published_home, "select computed_value from marts.published_figure where figure_id = 'key_apps_without_request'"
    )[0][0]
    rows = of_version(
        published_home,
        "select app_id, no_sharing_reason from marts.key_app_sharing where first_requested_on is null"
        " or first_requested_on > date '2022-06-30'",
    )
    text = client("viewer").get("/sharing?key_apps=audited").text
    assert len(rows) == expected
    for app_id, reason in rows:
        line = re.search(rf'<tr><td><a href="/apps/{app_id}">.*?</tr>', text, re.DOTALL)
        assert line is not None, app_id
        assert reason is None or reason in line[0]


def test_a_department_without_a_score_is_said_not_to_apply_and_not_given_zero(
    client: ClientOf, published_home: Settings
) -> None:
    name = of_version(
        published_home,
        "select department_name from marts.department_data_capability where capability_score is null order by 1",
    )[0][0]
    # Those without a score come last: the last page shows them.
    count = of_version(published_home, "select count(*) from marts.department_data_capability")[0][0]
    text = client("viewer").get(f"/sharing/departments?lang=en&page={-(-count // 50)}").text
    row = re.search(rf'<th scope="row" data-value>{name}.*?</tr>', text, re.DOTALL)
    assert row is not None
    assert "not applicable" in row[0].split("</td>")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/sharing?key_apps=later", "/sharing/requests?state=lost", "/sharing/requests?kind=x",
        "/sharing/requests?sharing_kind=x", "/sharing/requests?sort=state", "/sharing/requests?page=0",
        f"/sharing/requests?requester={'x' * 41}", "/sharing/departments?sort=department_kind",
        "/sharing/departments?page=x",
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told(client: ClientOf, path: str) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_an_unknown_department_is_named(client: ClientOf) -> None:
    answer = client("viewer").get("/sharing/requests?requester=D999'--")
    assert answer.status_code == 404
    assert "IRS knows no department D999" in answer.text
