"""What changed between two versions, which versions an open finding needs, and who is told of a fall."""

from __future__ import annotations

from typing import Any

import pytest

from oneledger.findings import evidence_versions, list_findings, state_changes, told
from oneledger.notices.causes import open_causes
from oneledger.publishing.publish import publish
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates, small_installation

FINDING = """
create or replace table marts.finding as
select 2022::bigint as list_year, number as finding_number, '问题' || number as title_zh, 'finding' as title_en,
    '政务服务处' as office, state, date '2022-09-25' as second_due_on, 36::bigint as overdue_days,
    state <> 'closed' as is_overdue, 'target_missed' as reason, '未达目标' as reason_zh, 'target missed' as reason_en,
    case state when 'reopened' then date '2022-12-31' end as reopened_on
from (values {values}) as given (number, state);
create or replace table marts.finding_metric as
select 2022::bigint as list_year, 5 as finding_number, 1 as metric_order, 'missed' as state, '推广' as remedy_zh,
    'make it known' as remedy_en
"""


def published(settings: Settings, number: int, **states: str) -> PublishedVersion:
    """A version with these findings, as ``f5='open'``."""
    values = ", ".join(f"({name[1:]}, '{state}')" for name, state in states.items())
    with open_warehouse(settings) as connection:
        connection.execute(FINDING.format(values=values))
        add_usage(connection, "2022-10-31", 200 + number)
        open_gates(connection, f"run-{number}")
    return publish(settings, run_id=f"run-{number}")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return small_installation(tmp_path_factory.mktemp("findings"))


@pytest.fixture(scope="module")
def versions(settings: Settings) -> list[PublishedVersion]:
    """Finding 5 is closed in the third version and falls back in the fifth; 8 is closed at the end."""
    publish(settings, run_id="before the findings were judged")
    return [
        published(settings, 1, f5="open", f8="open"), published(settings, 2, f5="closing", f8="open"),
        published(settings, 3, f5="closed", f8="open"), published(settings, 4, f5="closed", f8="closed"),
        published(settings, 5, f5="reopened", f8="closed"), published(settings, 6, f5="reopened", f8="closed"),
    ]  # fmt: skip


def test_a_version_names_the_findings_whose_state_it_changed(
    settings: Settings, versions: list[PublishedVersion]
) -> None:
    changes = [[(one["finding_number"], one["before"], one["now"]) for one in state_changes(settings, version)]
               for version in versions]  # fmt: skip
    assert changes == [
        [], [(5, "open", "closing")], [(5, "closing", "closed")], [(8, "open", "closed")],
        [(5, "closed", "reopened")], [],
    ]  # fmt: skip
    assert told(state_changes(settings, versions[4]))[0].startswith("问题 finding 2022/5 问题5: closed → reopened")


def test_a_finding_that_is_not_closed_needs_the_versions_that_show_how_it_came_to_be(
    settings: Settings, versions: list[PublishedVersion]
) -> None:
    needed = evidence_versions(settings)
    assert needed == {
        versions[0].version: "finding 2022/5 (reopened): first shows it",
        versions[3].version: "finding 2022/5 (reopened): is the last that shows it closed",
        versions[4].version: "finding 2022/5 (reopened): first shows it reopened",
    }


def test_an_overdue_finding_says_what_is_wrong_and_what_to_do(
    settings: Settings, versions: list[PublishedVersion]
) -> None:
    answer = list_findings(settings, only_open=True)
    (item,) = answer["items"]
    assert answer["ok"] is False and answer["counts"] == {"closed": 1, "reopened": 1}
    assert "36 days overdue" in item["problem"] and "make it known" in item["remedy"]
    assert list_findings(settings, versions[3].version)["counts"] == {"closed": 2}


def test_a_version_from_before_the_findings_says_so(settings: Settings, versions: list[PublishedVersion]) -> None:
    first = resolve(settings, sorted(path.name for path in settings.published_dir.glob("2*"))[0])
    with pytest.raises(ConfigurationError, match="does not hold the findings"):
        list_findings(settings, first.version)


def test_a_finding_that_fell_back_is_a_cause_until_it_is_closed_again(
    settings: Settings, versions: list[PublishedVersion]
) -> None:
    def causes() -> list[Any]:
        return [one for one in open_causes(settings) if one.cause_id.startswith("finding:")]

    (cause,) = causes()
    assert (cause.cause_id, cause.severity, cause.owner) == ("finding:2022/5", "warn", "政务服务处")
    assert cause.since == "2022-12-31" and cause.command == "oneledger findings show 5"
    published(settings, 7, f5="closed", f8="closed")
    assert causes() == []
