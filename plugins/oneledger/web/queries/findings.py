"""Findings: the list with how each leading metric went, and the names behind the keys of the evidence."""

from __future__ import annotations

from collections.abc import Iterable

from oneledger.web.reading import Reading, Row


def findings(reading: Reading) -> list[Row]:
    """The findings as ``marts.finding`` has them, with the leading metric's months (null where unknown) and its way.

    ``way_to_target_share`` is 0 where it was found, 1 at the target, negative when it got worse.
    """
    return reading.rows(
        """
        with months as (
            select
                list_year, finding_number, metric_id,
                list(value order by month) as month_values, list(month order by month) as months
            from marts.finding_metric_month
            group by list_year, finding_number, metric_id
        )

        select
            finding.list_year, finding.finding_number, finding.title_zh, finding.title_en, finding.office,
            finding.first_due_on, finding.second_due_on, finding.remedy_on, finding.reported_state, finding.state,
            finding.reason_zh, finding.reason_en, finding.overdue_days, finding.is_overdue, finding.closed_on,
            finding.reopened_on, finding.metric_id, finding.metric_title_zh, finding.metric_title_en, finding.unit,
            finding.found_on, finding.value_when_found, finding.found_state, finding.reported_when_found,
            finding.value_now, finding.measured_on, finding.comparison, finding.target, finding.metrics_count,
            finding.met_count, finding.missed_count, finding.undetermined_count, finding.as_of_on,
            metric.way_to_target_share, metric.state as metric_state, metric.reason as metric_reason,
            months.month_values, months.months
        from marts.finding as finding
        left join marts.finding_metric as metric
            on
                finding.list_year = metric.list_year
                and finding.finding_number = metric.finding_number
                and finding.metric_id = metric.metric_id
        left join months
            on
                finding.list_year = months.list_year
                and finding.finding_number = months.finding_number
                and finding.metric_id = months.metric_id
        order by finding.list_year desc, finding.finding_number
        """
    )


def replied_on(reading: Reading, list_year: int, number: int) -> Row | None:
    """When the office answered for a finding, and what it says it did."""
    return reading.one(
        "select replied_on, measure_taken from marts.rectification"
        " where list_year = $list_year and finding_number = $number",
        {"list_year": list_year, "number": number},
    )


def names(reading: Reading, app_ids: Iterable[str], project_ids: Iterable[str]) -> dict[str, str]:
    """What the apps and projects of an evidence are called, by their id."""
    found = reading.rows(
        """
        select app_id as id, app_name as name from marts.dim_app where list_contains($app_ids, app_id)
        union all
        select project_id, project_name from marts.dim_project where list_contains($project_ids, project_id)
        """,
        {"app_ids": sorted(app_ids), "project_ids": sorted(project_ids)},
    )
    return {row["id"]: row["name"] for row in found if row["name"]}
