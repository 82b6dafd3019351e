"""A finding is closed by the data from after its remedy, falls back by them, and is unknown without them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.models.usage_city import UsageCity, small_city

NEEDED = ("zheliban.usage", "zhezhengding.usage", "irs.app", "irs.listing_event")
DECEMBER = dt.date(2022, 12, 31)
FINDINGS = (
    "mart_source_freshness mart_rectification int_finding_month int_finding_measure mart_finding_metric_month "
    "mart_finding_history mart_finding_metric mart_finding"
)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> UsageCity:
    """``lost`` is little used until September and in December, and well used in between; finding 5 was due by then."""
    city = small_city(Path(tmp_path_factory.mktemp("findings")))
    finding = {
        "list_year": 2022, "received_text": "2022年8月8日", "first_due_on": dt.date(2022, 8, 30),
        "second_due_on": dt.date(2022, 9, 25), "office": "政务服务处", "finding_title": "访问人数低",
    }  # fmt: skip
    city.admit(
        "finance__rectification",
        {**finding, "finding_number": 5, "reported_state": "done"},
        {**finding, "finding_number": 8, "reported_state": "in_progress"},
    )
    for app_id, visitors in (("traffic", 40), ("county", 20), ("desk", 8)):
        end = "zhezhengding" if app_id == "desk" else "zheliban_app"
        city.admit_usage(app_id, end, dt.date(2022, 11, 1), DECEMBER, visitors)
    city.admit_usage("lost", "zheliban_app", dt.date(2022, 10, 1), dt.date(2022, 11, 30), 25)
    city.admit_usage("lost", "zheliban_app", dt.date(2022, 12, 1), DECEMBER, 3)
    city.set_newest_day(DECEMBER)
    city.deliver(*NEEDED, newest_on=DECEMBER)
    city.build(select="+mart_finding")
    return city


def history(city: UsageCity, number: int) -> dict[int, tuple[str, str]]:
    rows = city.rows(f"select month(month), state, reason from marts.finding_history where finding_number = {number}")
    return {month: (state, reason) for month, state, reason in rows}


def test_a_finding_closes_in_october_and_reopens_in_december(city: UsageCity) -> None:
    assert history(city, 5) == {
        6: ("open", "no_data_after_remedy"), 7: ("open", "no_data_after_remedy"),
        8: ("open", "no_data_after_remedy"), 9: ("open", "no_data_after_remedy"),
        10: ("closed", "target_met"), 11: ("closed", "target_met"), 12: ("reopened", "target_missed"),
    }  # fmt: skip
    assert city.rows(
        "select state, closed_on, reopened_on, reopened_count, overdue_days, value_when_found, value_now"
        " from marts.finding where finding_number = 5"
    ) == [("reopened", None, DECEMBER, 1, 97, 1.0, 1.0)]


def test_an_office_still_at_work_keeps_its_finding_open_and_unknown_metrics_are_not_0(city: UsageCity) -> None:
    metrics = dict(city.rows("select metric_id, reason from marts.finding_metric where finding_number = 8"))
    # The one governance app is under the limit; no component was ever delivered, which is not 0 components.
    assert metrics["components_listed"] == "source_not_delivered"
    assert city.rows("select value_now from marts.finding_metric where metric_id = 'components_listed'") == [(None,)]
    assert history(city, 8)[12][0] == "open"


def test_without_the_delivery_of_a_month_a_finding_cannot_be_determined(city: UsageCity) -> None:
    city.deliver("irs.listing_event", newest_on=dt.date(2022, 12, 30))
    try:
        city.build(select=FINDINGS)
        assert history(city, 5)[11] == ("closed", "target_met")
        assert history(city, 5)[12] == ("cannot_determine", "metric_undetermined")
        assert city.rows(
            "select finding.state, finding.value_now, is_overdue, metric.missing_deliveries from marts.finding"
            " inner join marts.finding_metric as metric using (finding_number) where finding_number = 5"
        ) == [("cannot_determine", None, True, "irs.listing_event")]
    finally:
        city.deliver("irs.listing_event", newest_on=DECEMBER)


def test_a_later_correction_of_an_old_month_changes_that_month_and_no_clock_does(city: UsageCity) -> None:
    city.build(select=FINDINGS)
    before = city.rows("from marts.finding_history order by all")
    city.build(select=FINDINGS)
    assert city.rows("from marts.finding_history order by all") == before
    city.admit_usage("lost", "zheliban_app", dt.date(2022, 12, 1), DECEMBER, 30)
    city.build(select="+mart_finding")
    assert history(city, 5)[12] == ("closed", "target_met")


def test_the_unit_tests_of_the_findings_pass(city: UsageCity) -> None:
    assert "Completed successfully" in city.dbt("test", "--select", "test_type:unit,path:models/marts/findings")
