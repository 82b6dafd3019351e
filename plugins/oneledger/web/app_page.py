"""Everything that the page of one app shows, put together; heavy parts are kept per version and language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oneledger.evaluation.explaining import explain_in
from oneledger.evaluation.runs import evaluation_runs
from oneledger.settings import ConfigurationError
from oneledger.warehouse.evaluation_runs import EvaluationRun
from oneledger.web import app_charts, evaluated, formats
from oneledger.web.evaluated import Standing
from oneledger.web.page import Page
from oneledger.web.queries import app_usage, one_app
from oneledger.web.queries.app_usage import Quarter
from oneledger.web.queries.overview import data_day
from oneledger.web.why_stars import Sentence, measured, why

Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """What the evaluation says of the app.

    Attributes:
        explained: as ``evaluation.explaining.explain`` returns it.
        sentences: why it has its stars.
        values: indicator_id → its value with unit, in Chinese and English.
    """

    standing: Standing
    explained: Row
    sentences: list[Sentence]
    values: dict[str, Sentence]

    @property
    def waterfall_rows(self) -> list[Row]:
        """Indicators that were scored, each with the points before it."""
        rows, before = [], 0.0
        for one in self.explained["indicators"]:
            if one["status"] == "scored":
                rows.append({**one, "start": before, "value_text": self.values[one["indicator_id"]]})
                before += one["points"]
        return rows


@dataclass(frozen=True)
class AppPage:
    """One app on one page. Charts are SVG texts; None where there is nothing to draw."""

    about: Row
    verdict: Row | None
    listings: list[Row]
    judged: Judged | None
    history: list[Row]
    months: list[Row]
    month_totals: list[Row]
    events: list[Row]
    promotions: list[Row]
    quarter: Quarter
    quarters: list[Quarter]
    days: list[Row]
    days_missing: int
    channel_months: list[Row]
    channel_matters: list[Row]
    modules: Row
    missing_modules: list[Row]
    sharing: Row
    requests: list[Row]
    projects: list[Row]
    month_chart: str | None
    day_chart: str | None
    channel_chart: str | None
    points_chart: str | None
    history_chart: str | None

    @property
    def channel_numbers(self) -> list[tuple[str, Any, Any, str]]:
        """The numbers of the chart of shares, the newest month first."""
        return [
            (
                formats.month(one["month"]),
                one["zheliban_visitors_count"],
                one["own_app_visitors_count"],
                formats.rate(one["zheliban_share"]),
            )
            for one in reversed(self.channel_months)
        ]

    @classmethod
    def of(cls, page: Page, app_id: str, quarter_name: str | None) -> AppPage | None:
        """The page of this app; None when the version does not know it."""
        reading = page.reading
        about = one_app.registry(reading, app_id)
        if about is None:
            return None
        as_of_on = data_day(reading)
        quarter = Quarter.named(quarter_name) if quarter_name else Quarter.of(as_of_on)
        months = app_usage.months(reading, app_id)
        events = app_usage.events(reading, app_id)
        channel = app_usage.channel_months(reading, app_id)
        judged = _judged(page, app_id)
        history = _history(page, app_id)
        days = reading.remembered(
            ("app", app_id, "days", quarter.name), lambda: app_usage.days(reading, app_id, quarter)
        )

        def kept(part: str, *more: Any) -> tuple[Any, ...]:
            return ("app", app_id, part, page.language, *more)

        run_ids = tuple((one["run_id"], one["state"]) for one in history)
        return cls(
            about=about,
            verdict=one_app.verdict(reading, app_id),
            listings=one_app.listings(reading, app_id),
            judged=judged,
            history=history,
            months=months,
            month_totals=_totals(months),
            events=events,
            promotions=app_usage.promotions(reading, app_id),
            quarter=quarter,
            quarters=_quarters(months, as_of_on, quarter),
            days=days,
            days_missing=len({one["usage_on"] for one in days if one["is_listed"] and not one["is_reported"]}),
            channel_months=channel,
            channel_matters=app_usage.channel_matters(reading, app_id) if channel else [],
            modules=one_app.modules(reading, app_id),
            missing_modules=one_app.missing_modules(reading, app_id),
            sharing=one_app.sharing(reading, app_id),
            requests=one_app.requests(reading, app_id),
            projects=one_app.projects(reading, app_id),
            month_chart=reading.remembered(kept("months"), lambda: app_charts.months(page, about, months, events)),
            day_chart=reading.remembered(
                kept("days", quarter.name), lambda: app_charts.days(page, about, days, events, quarter)
            ),
            channel_chart=reading.remembered(kept("channel"), lambda: app_charts.channel(page, channel)),
            points_chart=reading.remembered(
                kept("points", judged.standing.run_id if judged else None),
                lambda: app_charts.points(page, judged.waterfall_rows) if judged else None,
            ),
            history_chart=reading.remembered(
                kept("history", run_ids),
                lambda: app_charts.history(page, history, judged.explained["stars"] if judged else None),
            ),
        )


def _judged(page: Page, app_id: str) -> Judged | None:
    """What the evaluation in force says; None when nothing was evaluated, or the evaluation does not know the app."""
    evaluation = evaluated.evaluation_for(page.settings, page.reading.version.version)
    if evaluation is None:
        return None
    run_id = evaluation.about["run_id"]

    def make() -> tuple[Row, dict[str, str]] | None:
        with evaluation.reading() as tables:
            if not tables.rows("select 1 from population where app_id = ?", [app_id]):
                return None
            units = {row["metric_id"]: row["unit"] for row in tables.rows("select metric_id, unit from metric")}
            return explain_in(tables, app_id), units

    try:
        made = page.reading.remembered(("app", app_id, "explained", run_id), make)
    except ConfigurationError:
        return None
    if made is None:
        return None
    explained, units = made
    return Judged(
        standing=evaluated.standing_of(page.settings, evaluation),
        explained=explained,
        sentences=why(explained, units),
        values={
            one["indicator_id"]: measured(one["value"], units.get(one["metric_id"], ""))
            for one in explained["indicators"]
        },
    )


def _history(page: Page, app_id: str) -> list[Row]:
    """A row a run that counts or counted (confirmed, superseded), and a newer draft; the oldest first."""
    runs = [one for one in evaluation_runs(page.settings) if one.state in ("confirmed", "superseded", "draft")]
    decided = [one for one in runs if one.state != "draft"]
    newest = max((_moment(one) for one in decided), default="")
    shown = [*decided, *[one for one in runs if one.state == "draft" and _moment(one) > newest][-1:]]
    shown.sort(key=lambda one: (one.record["round"]["period_end_on"], _moment(one)))
    return [_in_run(page, run, app_id) for run in shown]


def _moment(run: EvaluationRun) -> str:
    return str(run.record["created_at"])


def _in_run(page: Page, run: EvaluationRun, app_id: str) -> Row:
    """What became of the app in a run, and what became of the run."""

    def make() -> Row:
        with evaluated.open_run_of(page.settings, run).reading() as tables:
            found = tables.rows("select stars, score, status from app_stars where app_id = ?", [app_id])
        return found[0] if found else {"stars": None, "score": None, "status": "not_applicable"}

    return {
        "run_id": run.run_id,
        "period": run.period,
        "state": run.state,
        "decided_at": run.decision.get("decided_at"),
        "decided_by": run.decision.get("name"),
        "created_at": run.record["created_at"],
        **page.reading.remembered(("app", app_id, "in run", run.run_id), make),
    }


def _totals(months: Sequence[Row]) -> list[Row]:
    """A row a month, the newest first: visitors by end, and on the portals together."""
    rows: dict[dt.date, Row] = {}
    for one in months:
        row = rows.setdefault(one["month"], {"month": one["month"], "ends": {}, "total": None, "missing": 0})
        row["ends"][one["release_end"]] = one["visitors_count"]
        row["missing"] = max(row["missing"], one["days_missing_count"])
        if one["release_end"] != "standalone_app" and one["visitors_count"] is not None:
            row["total"] = (row["total"] or 0) + one["visitors_count"]
    return [rows[month] for month in sorted(rows, reverse=True)]


def _quarters(months: Sequence[Row], as_of_on: dt.date, chosen: Quarter) -> list[Quarter]:
    """Those from the first month with use to now, and the chosen one."""
    first = Quarter.of(min((one["month"] for one in months), default=as_of_on))
    last = Quarter.of(as_of_on)
    found = [first]
    while found[-1].first_on < last.first_on:
        found.append(found[-1].after)
    return sorted({*found, chosen}, key=lambda one: one.first_on, reverse=True)
