"""What the form of a trace offers: apps, indicators, figures, projects, and the keys of tables."""

from __future__ import annotations

from oneledger.web.reading import Reading, Row

_MOST = 2000


def indicators(reading: Reading) -> list[Row]:
    """Indicators that gave somebody points: id and titles."""
    return reading.rows(
        "select indicator_id, any_value(title_zh) as title_zh, any_value(title_en) as title_en"
        " from evaluation.indicator_points group by indicator_id order by indicator_id"
    )


def figures(reading: Reading) -> list[Row]:
    """The published figures: id and titles."""
    return reading.rows("select figure_id, title_zh, title_en from marts.published_figure order by figure_id")


def starred_apps(reading: Reading) -> list[Row]:
    """Apps of the evaluation, by name."""
    return reading.rows(
        f"""
        select stars.app_id, any_value(apps.app_name) as app_name
        from evaluation.app_stars as stars
        left join marts.dim_app as apps on apps.app_id = stars.app_id
        group by stars.app_id
        order by app_name nulls last, stars.app_id
        limit {_MOST}
        """
    )


def funded_projects(reading: Reading) -> list[Row]:
    """Projects with a computed share, and their years."""
    return reading.rows(
        f"""
        select shares.project_id, any_value(projects.project_name) as project_name
        from evaluation.funding_share as shares
        left join marts.dim_project as projects on projects.project_id = shares.project_id
        group by shares.project_id
        order by shares.project_id
        limit {_MOST}
        """
    )
