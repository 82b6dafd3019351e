"""The metrics of the reference city: the same from us as from MetricFlow, and as from SQL written by hand."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneledger.metrics import Filter, Metric, list_dimensions, list_metrics, query_metrics
from oneledger.metrics.filters import split_grain
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.settings import PROJECT_ROOT, ConfigurationError, Settings

from .conftest import Installation
from .metricflow_answers import plain

# MetricFlow's command line asks a package index for newer versions; nothing answers here, and nothing is asked outside.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
A_QUARTER = (dt.date(2022, 7, 1), dt.date(2022, 9, 30))


@pytest.fixture(scope="module")
def settings(reference_city: Installation) -> Settings:
    return Settings(home=reference_city.home, memory_limit="1GB", threads=2)


@pytest.fixture(scope="module")
def version(settings: Settings) -> PublishedVersion:
    return resolve(settings)


@pytest.fixture(scope="module")
def metricflow(reference_city: Installation, tmp_path_factory: pytest.TempPathFactory) -> MetricFlow:
    return MetricFlow(reference_city, tmp_path_factory.mktemp("metricflow"))


class MetricFlow:
    """dbt's own MetricFlow on a copy of the warehouse, in a copy of the project."""

    def __init__(self, city: Installation, folder: Path) -> None:
        self.project = folder / "dbt_project"
        shutil.copytree(
            PROJECT_ROOT / "dbt_project", self.project, ignore=shutil.ignore_patterns("target", "logs", "*.duckdb")
        )
        warehouse = folder / "warehouse.duckdb"
        shutil.copy(city.home / "warehouse" / "warehouse.duckdb", warehouse)
        self.environment = {
            **os.environ,
            **NO_NETWORK,
            "ONELEDGER_WAREHOUSE": str(warehouse),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "DBT_PROFILES_DIR": str(self.project),
            "DBT_PROJECT_DIR": str(self.project),
        }
        (self.project / "target").mkdir()
        shutil.copy(city.home / "published" / "current" / "lineage" / "semantic_manifest.json", self.project / "target")

    def parse(self) -> None:
        """What dbt itself writes in place of what the version carries."""
        self.run("dbt", "--quiet", "parse", "--no-partial-parse")

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=self.project, env=self.environment, input=given, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def answers(self, questions: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        script = Path(__file__).with_name("metricflow_answers.py")
        said = self.run("python", str(script), given=json.dumps(questions))
        return json.loads(said.rpartition("answers:")[2])


def asked_together(metrics: list[Metric]) -> dict[tuple[str, ...], list[Metric]]:
    """Metrics of one mart by what must stay apart: one question gives all of them."""
    groups: dict[tuple[str, ...], list[Metric]] = {}
    for one in metrics:
        groups.setdefault((*one.relations, one.grain, *one.not_additive_over), []).append(one)
    return groups


def questions_about(version: PublishedVersion, *, is_exhaustive: bool) -> list[dict[str, Any]]:
    """Every metric in total and by time; with ``is_exhaustive`` by every dimension and grain as well."""
    questions: list[dict[str, Any]] = []
    for metrics in asked_together(list_metrics(version)).values():
        names = [one.name for one in metrics]
        apart = list(metrics[0].not_additive_over)
        dimensions = list_dimensions(version, names)
        if is_exhaustive:
            by = [f"{one.name}__{grain}" for one in dimensions for grain in one.grains]
            by += [one.name for one in dimensions if not one.grains and one.name not in apart]
        else:
            by = [f"metric_time__{dimensions[0].grains[-2 if len(dimensions[0].grains) > 1 else -1]}"]
        questions += [{"metrics": names, "group_by": apart}]
        questions += [{"metrics": names, "group_by": [*apart, one]} for one in by]
    return questions


def ours(settings: Settings, version: PublishedVersion, question: dict[str, Any]) -> list[dict[str, Any]]:
    days = {key: dt.date.fromisoformat(question[key]) for key in ("start_on", "end_on") if key in question}
    answer = query_metrics(
        settings, version, metrics=question["metrics"], group_by=question["group_by"],
        filters=[Filter(*one) for one in question.get("filters", [])], **days,
    )  # fmt: skip
    states = {f"{name}_state" for name in question["metrics"]}
    return [{key: plain(value) for key, value in row.items() if key not in states} for row in answer.rows]


def in_order(rows: list[dict[str, Any]], group_by: list[str]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(row[one] is None, str(row[one])) for one in group_by])


def check_same(
    settings: Settings, version: PublishedVersion, metricflow: MetricFlow, questions: list[dict[str, Any]]
) -> int:
    """Compares every cell; returns how many were."""
    cells = 0
    for question, theirs in zip(questions, metricflow.answers(questions), strict=True):
        mine = in_order(ours(settings, version, question), question["group_by"])
        theirs = in_order(theirs, question["group_by"])
        assert len(mine) == len(theirs), question
        for own, other in zip(mine, theirs, strict=True):
            for name in (*question["group_by"], *question["metrics"]):
                expected = other[name]
                if isinstance(expected, float):
                    assert own[name] == pytest.approx(expected, rel=1e-12), (question, name, own, other)
                else:
                    assert own[name] == expected, (question, name, own, other)
                cells += 1
    return cells


def test_every_metric_in_total_and_by_time_is_what_metricflow_gives(
    settings: Settings, version: PublishedVersion, metricflow: MetricFlow
) -> None:
    questions = questions_about(version, is_exhaustive=False)
    asked = {name for one in questions for name in one["metrics"]}
    assert asked == {one.name for one in list_metrics(version)}
    questions += [
        {"metrics": ["low_use_apps", "low_use_rate"], "group_by": ["low_use__portal"],
         "start_on": "2022-07-01", "end_on": "2022-09-30"},
        {"metrics": ["visitors"], "group_by": ["app", "metric_time__quarter"],
         "filters": [["app_usage__release_end", "=", "zheliban_app"], ["app__side", "in", ["service"]]],
         "where": ["{{ Dimension('app_usage__release_end') }} = 'zheliban_app'",
                   "{{ Dimension('app__side') }} in ('service')"]},
    ]  # fmt: skip
    assert check_same(settings, version, metricflow, questions) > 500


@pytest.mark.soak
def test_every_metric_by_every_dimension_and_grain_is_what_metricflow_gives(
    settings: Settings, version: PublishedVersion, metricflow: MetricFlow
) -> None:
    metricflow.parse()
    questions = questions_about(version, is_exhaustive=True)
    assert len(questions) > 150
    assert check_same(settings, version, metricflow, questions) > 10_000


@pytest.mark.soak
def test_the_command_line_of_metricflow_gives_the_same_as_ours(
    reference_city: Installation, metricflow: MetricFlow, tmp_path: Path
) -> None:
    file = tmp_path / "stars.csv"
    metricflow.run(
        "mf", "query", "--metrics", "five_star_apps,three_star_apps", "--group-by", "star__period", "--csv", str(file)
    )
    theirs = list(csv.DictReader(file.open(encoding="utf-8")))
    said = reference_city.json("metrics", "query", "five_star_apps", "three_star_apps", "--by", "star__run_id",
                               "--by", "star__period")["items"]  # fmt: skip
    assert [(one["star__period"], int(one["five_star_apps"]), int(one["three_star_apps"])) for one in theirs] == [
        (one["star__period"], one["five_star_apps"], one["three_star_apps"]) for one in said
    ]


def test_what_a_metric_can_be_grouped_by_is_what_metricflow_says(version: PublishedVersion) -> None:
    from oneledger.metrics.catalogue import load_metrics
    from oneledger.metrics.compiling import _engine

    catalogue = load_metrics(version)
    engine = _engine(catalogue.key, catalogue.content)
    for names in (["visitors"], ["execution_rate"], ["sharing_requests"], ["points_rate"], ["requests_waiting"]):
        found = [getattr(one, "dunder_name", one.name) for one in engine.list_group_bys(metric_names=names)]
        theirs = {split_grain(one)[0] for one in found}
        mine = {one.name for one in catalogue.dimensions_of(names)}
        # MetricFlow also offers the keys of a mart behind a key, by two names for one thing.
        assert {one for one in theirs if one in catalogue.dimensions or one == "metric_time"} == mine


def test_the_stars_of_the_first_round_are_28_40_82_and_48(settings: Settings, version: PublishedVersion) -> None:
    names = ["evaluated_apps", "five_star_apps", "four_star_apps", "three_star_apps", "apps_without_stars"]
    [row] = query_metrics(
        settings, version, metrics=names, filters=[Filter("star__run_id", "=", "first-round-2022-Q3")]
    ).rows
    assert [row[name] for name in names] == [198, 28, 40, 82, 48]


BY_HAND = {
    "projects by level": (
        ["projects"], ["project__level"],
        "select level as project__level, count(*) as projects from marts.dim_project group by 1",
    ),
    "all requests": (
        ["sharing_requests"], [],
        "select count(*) as sharing_requests from marts.sharing_request",
    ),
    "execution of the budgets": (
        ["execution_rate", "spent_cny"], ["budget__budget_year"],
        "select budget_year as budget__budget_year, sum(spent_cny) filter (budget_cny is not null)"
        " / sum(budget_cny) filter (spent_cny is not null) as execution_rate, sum(spent_cny) as spent_cny"
        " from marts.budget_execution group by 1",
    ),
    "channel share by app": (
        ["zheliban_channel_share"], ["app"],
        "select app_id as app, sum(zheliban_visitors_count)"
        " / nullif(sum(zheliban_visitors_count + own_app_visitors_count), 0) as zheliban_channel_share"
        " from (from marts.channel_share_month where matter_id = '' and zheliban_visitors_count is not null"
        " and own_app_visitors_count is not null) group by 1",
    ),
    "visitors by end": (
        ["visitors"], ["app_usage__release_end"],
        "select release_end as app_usage__release_end, sum(visitors_count) as visitors from marts.app_usage_month"
        " group by 1",
    ),
    "days from ledger to release": (
        ["ledger_release_days"], ["ledger__ledger_level", "ledger__ledger_version"],
        "select ledger_level as ledger__ledger_level, ledger_version as ledger__ledger_version,"
        " publish_to_release_days as ledger_release_days from marts.ledger",
    ),
    "the two clocks by kind": (
        ["median_apply_to_approve_working_days", "median_approve_to_open_minutes"], ["sharing_request__request_kind"],
        "select request_kind as sharing_request__request_kind,"
        " median(apply_to_approve_working_days) as median_apply_to_approve_working_days,"
        " median(approve_to_open_minutes) as median_approve_to_open_minutes from marts.sharing_request group by 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND)
def test_a_metric_is_what_sql_written_by_hand_gives(
    case: str, settings: Settings, version: PublishedVersion, reference_city: Installation
) -> None:
    metrics, group_by, sql = BY_HAND[case]
    rows = query_metrics(settings, version, metrics=metrics, group_by=group_by).rows
    with reference_city.marts() as connection:
        cursor = connection.execute(sql)
        names = [one[0] for one in cursor.description]
        expected = {
            tuple(row[names.index(one)] for one in group_by): dict(zip(names, row, strict=True))
            for row in cursor.fetchall()
        }
    assert expected
    by_key = {tuple(row[one] for one in group_by): row for row in rows}
    for key, wanted in expected.items():
        for name, value in wanted.items():
            if name not in group_by:
                assert by_key[key][name] == (None if value is None else pytest.approx(float(value)))


def test_requests_of_august_and_september_2022_grew_by_more_than_nine_tenths(
    settings: Settings, version: PublishedVersion
) -> None:
    rows = query_metrics(
        settings, version, metrics=["new_requests_compared", "sharing_requests_growth_rate"],
        group_by=["sharing_month__request_kind"], start_on=dt.date(2022, 8, 1), end_on=dt.date(2022, 9, 30),
    ).rows  # fmt: skip
    assert {row["sharing_month__request_kind"]: row["new_requests_compared"] for row in rows} == {
        "batch": 294, "interface": 180
    }  # fmt: skip
    [total] = query_metrics(
        settings, version, metrics=["sharing_requests_growth_rate"],
        start_on=dt.date(2022, 8, 1), end_on=dt.date(2022, 9, 30),
    ).rows  # fmt: skip
    assert total["sharing_requests_growth_rate"] > 0.9


def test_a_missing_channel_leaves_the_share_empty_and_says_so(
    settings: Settings, version: PublishedVersion, reference_city: Installation
) -> None:
    rows = query_metrics(settings, version, metrics=["zheliban_channel_share"], group_by=["app", "metric_time"]).rows
    with reference_city.marts() as connection:
        missing = set(
            connection.execute(
                "select app_id, month from marts.channel_share_month where matter_id = ''"
                " and zheliban_share_state = 'missing'"
            ).fetchall()
        )
    assert missing
    found = {(row["app"], row["metric_time__month"]): row for row in rows}
    for key in missing:
        assert found[key]["zheliban_channel_share"] is None
        assert found[key]["zheliban_channel_share_state"] == "missing"
    by_app = query_metrics(settings, version, metrics=["zheliban_channel_share"], group_by=["app"]).rows
    partly = {app for app, _ in missing} & {row["app"] for row in by_app if row["zheliban_channel_share"] is not None}
    states = {row["app"]: row["zheliban_channel_share_state"] for row in by_app}
    assert partly
    assert {states[app] for app in partly} == {"partial"}


def test_a_count_of_what_is_open_is_that_of_the_last_month_and_no_sum(
    settings: Settings, version: PublishedVersion
) -> None:
    question = {"metrics": ["low_use_apps"], "group_by": ["low_use__portal"]}
    months = query_metrics(settings, version, metrics=["low_use_apps"], group_by=["low_use__portal", "metric_time"],
                           start_on=A_QUARTER[0], end_on=A_QUARTER[1]).rows  # fmt: skip
    quarter = query_metrics(settings, version, **question, start_on=A_QUARTER[0], end_on=A_QUARTER[1]).rows
    last = {row["low_use__portal"]: row["low_use_apps"] for row in months
            if row["metric_time__month"] == dt.date(2022, 9, 1)}  # fmt: skip
    assert {row["low_use__portal"]: row["low_use_apps"] for row in quarter} == last


def test_a_filter_on_time_leaves_the_last_month_that_is_asked_for(
    settings: Settings, version: PublishedVersion
) -> None:
    question = {"metrics": ["low_use_apps"], "group_by": ["low_use__portal"]}
    by_days = query_metrics(settings, version, **question, start_on=A_QUARTER[0], end_on=A_QUARTER[1])
    by_filter = query_metrics(
        settings, version, **question,
        filters=[Filter("metric_time__month", ">=", "2022-07-01"), Filter("metric_time", "<", dt.date(2022, 10, 1))],
    )  # fmt: skip
    assert by_filter.rows == by_days.rows


def test_a_caller_who_holds_a_connection_to_the_version_may_lend_it(
    settings: Settings, version: PublishedVersion
) -> None:
    with open_version(settings, version) as connection:
        lent = query_metrics(settings, version, metrics=["projects"], connection=connection.cursor())
    assert lent.rows == query_metrics(settings, version, metrics=["projects"]).rows


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"metrics": ["visitors"]}, "must not be added over app_usage__release_end"),
        ({"metrics": ["visitors_a_day"], "group_by": ["app"]}, "must not be added over portal_usage__portal"),
        (
            {"metrics": ["visitors"], "filters": [Filter("app_usage__release_end", "in", ["zheliban_app", "wechat"])]},
            "must not be added over app_usage__release_end",
        ),
        ({"metrics": ["vistors"]}, "The nearest are: visitors"),
        ({"metrics": []}, "No metric was named"),
        ({"metrics": ["page_views"], "group_by": ["app__sid"]}, "The nearest are: app__side"),
        ({"metrics": ["page_views"], "group_by": ["metric_time"], "grain": "day"}, "is not known by day"),
        ({"metrics": ["page_views"], "group_by": ["metric_time"], "grain": "moth"}, "The nearest are: month"),
        ({"metrics": ["page_views"], "filters": [Filter("app__nobody", "=", 1)]}, "no dimension 'app__nobody'"),
        ({"metrics": ["page_views"], "filters": [Filter("app__is_key_app", "=", "perhaps")]}, "not true or false"),
        ({"metrics": ["page_views"], "filters": [Filter("app__side", "like", "s%")]}, "no comparison 'like'"),
        ({"metrics": ["page_views"], "filters": [Filter("app__side", "in", [])]}, "needs a list of values"),
        ({"metrics": ["page_views"], "order_by": ["-visitors"]}, "ordered by what it holds"),
        ({"metrics": ["page_views"], "limit": 0}, "at least one row"),
        (
            {"metrics": ["page_views"], "start_on": dt.date(2022, 9, 1), "end_on": dt.date(2022, 8, 1)},
            "before it begins",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_what_to_do(
    question: dict[str, Any], says: str, settings: Settings, version: PublishedVersion
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        query_metrics(settings, version, **question)


@pytest.mark.parametrize("value", ["' or 1=1 --", "{{ 7 * 7 }}", "{% raw %}", "$value_1", "服务', 'x"])
def test_a_value_from_outside_is_never_read_as_sql_or_template(
    value: str, settings: Settings, version: PublishedVersion
) -> None:
    answer = query_metrics(
        settings, version, metrics=["page_views"], group_by=["app__side"], filters=[Filter("app__side", "=", value)]
    )
    assert answer.rows == []
    assert answer.parameters == {"value_1": value}
    assert value not in answer.sql or value == "$value_1"


def test_a_metric_of_a_ratio_that_orders_and_limits_gives_the_largest_first(
    settings: Settings, version: PublishedVersion
) -> None:
    rows = query_metrics(
        settings, version, metrics=["visitors_a_day"], group_by=["app"],
        filters=[Filter("portal_usage__portal", "=", "zheliban")], order_by=["-visitors_a_day"], limit=5,
    ).rows  # fmt: skip
    values = [row["visitors_a_day"] for row in rows]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)


def test_asking_for_metrics_opens_no_connection_and_loads_no_command_line_of_metricflow(
    reference_city: Installation,
) -> None:
    script = """
import socket, sys
def refuse(*_): raise AssertionError("a connection was opened")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
from oneledger.metrics import query_metrics
from oneledger.publishing.versions import resolve
from oneledger.settings import load_settings
settings = load_settings()
print(query_metrics(settings, resolve(settings), metrics=["projects"]).rows)
print(sorted({"dbt_metricflow", "update_checker", "posthog", "requests"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "ONELEDGER_HOME": str(reference_city.home)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["[{'projects': 1793, 'projects_state': 'reported'}]", "[]"]


def test_a_version_carries_its_metrics_sealed_and_without_a_trace_of_where_they_were_built(
    version: PublishedVersion, reference_city: Installation
) -> None:
    name = "lineage/semantic_manifest.json"
    assert name in version.manifest["lineage_files"]
    text = (version.path / name).read_text("utf-8")
    assert str(PROJECT_ROOT) not in text
    assert "created_at" not in text
    assert '"warehouse"' not in text


def test_the_commands_answer_as_a_person_types_them(reference_city: Installation) -> None:
    listed = reference_city.json("metrics", "list")
    assert {"visitors", "execution_rate", "findings_open"} <= {one["name"] for one in listed["items"]}
    shown = reference_city.json("metrics", "show", "visitors")["items"][0]
    assert shown["not_additive_over"] == ["app_usage__release_end"]
    said = reference_city.oneledger(
        "metrics", "query", "page_views", "--by", "metric_time", "--from", "2022-08-01", "--to", "2022-09-30", "--csv"
    ).stdout
    assert [line.split(",")[0] for line in said.splitlines()] == ["metric_time__month", "2022-08-01", "2022-09-01"]
    refused = reference_city.oneledger("metrics", "query", "visitors", expected_code=2)
    assert "Group by app_usage__release_end" in refused.stderr
