"""Column lineage of the reference city: complete, true of what DuckDB computes, and as the command line tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from oneledger.catalogue import load_catalogue
from oneledger.lineage.column_graph import ColumnGraph
from oneledger.lineage.column_narrow import Narrowing
from oneledger.lineage.columns import column_graph
from oneledger.lineage.ground import Relation, VersionModels, open_ground, quoted, read_models
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings, load_settings
from tests.end_to_end.conftest import Installation
from tests.lineage.perturbing import perturb

# Models of every shape: unions, windows, unpivot, unnest, scalar queries, outer joins, conditions, aggregates.
PERTURBED = (
    "evaluation.app_stars", "evaluation.population", "evaluation.project_score", "evaluation.funding_rate",
    "intermediate.int_project_money", "intermediate.int_project_stage", "intermediate.int_promoted_app",
    "marts.app_listing_history", "marts.assessor_gap", "marts.budget_execution", "marts.department_data_capability",
    "marts.dim_project", "marts.expert_review", "marts.funding_lead_time", "marts.ledger", "marts.project_app_gap",
    "marts.project_inventory", "marts.project_life_cycle", "marts.rectification",
)  # fmt: skip
_MOST_ROWS = 60_000


@pytest.fixture(scope="session")
def models(reference_city: Installation) -> VersionModels:
    return read_models(resolve(Settings(home=reference_city.home)))


@pytest.fixture(scope="session")
def graph(models: VersionModels) -> ColumnGraph:
    return column_graph(models, load_catalogue(load_settings()))


def test_every_column_of_a_mart_reaches_a_source_column_or_a_rule_or_says_why_not(
    reference_city: Installation, graph: ColumnGraph
) -> None:
    assert [node.name for node in graph.unexplained()] == []
    answer = reference_city.json("lineage", "check")
    assert answer["ok"] and answer["notes"] == []
    assert answer["checked_count"] > 1000
    assert answer["reached"]["source column"] > answer["checked_count"] * 0.75
    # A declaration beside a column that does come from something would hide that it once did not.
    declared = [node for node in graph.nodes.values() if node.layer in ("marts", "evaluation") and node.constant]
    idle = [node.name for node in declared if graph.edges_into(node.name)]
    assert idle == []


def test_the_columns_of_the_graph_are_those_of_the_published_tables(
    reference_city: Installation, graph: ColumnGraph
) -> None:
    with reference_city.marts() as connection:
        published = connection.execute(
            "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()"
            " where database_name = 'published' and schema_name in ('marts', 'evaluation')"
        ).fetchall()
    assert len(published) > 900
    assert [one for (one,) in published if one not in graph.nodes] == []


def test_a_mart_column_leads_to_the_heading_in_the_file_of_the_portal(graph: ColumnGraph) -> None:
    ends = {node.name: node.place for node in graph.leaves("marts.app_usage_month.visitors_count", closeness="value")}
    assert set(ends) == {"zheliban.usage.访客数", "zhezhengding.usage.访问人数"}
    assert ends["zheliban.usage.访客数"].endswith("column 访客数")
    assert {edge.kind for edge in graph.edges_into("intermediate.int_app_usage_month.visitors_count")} >= {
        "aggregation"
    }


def test_the_day_as_of_which_all_is_computed_comes_from_the_usage_that_arrived(graph: ColumnGraph) -> None:
    ends = {node.name for node in graph.leaves("marts.sharing_request.as_of_on", closeness="value")}
    assert "zheliban.usage.日期" in ends


def test_a_published_figure_is_only_what_its_own_branch_reads(models: VersionModels, graph: ColumnGraph) -> None:
    narrowing = Narrowing(graph, models)
    name = "marts.published_figure.computed_value"
    stars = narrowing.narrowed(name, {"figure_id": "apps_five_star"})
    assert {graph.nodes[edge.source].relation for edge in stars.edges_into(name)} == {"evaluation.app_stars"}
    assert "evaluation.app_stars.stars" in stars.upstream([name], closeness="decides")
    projects = narrowing.narrowed(name, {"figure_id": "projects_in_library"}).upstream([name], closeness="decides")
    assert "project_library.project.*" in projects
    assert not [one for one in projects if one.startswith("evaluation.")]
    assert "zheliban.usage.访客数" not in projects


def test_a_ratio_of_two_metrics_follows_both_and_no_third(models: VersionModels, graph: ColumnGraph) -> None:
    narrowing = Narrowing(graph, models)
    money = narrowing.narrowed("evaluation.indicator_measure.denominator", {"metric_id": "visitors_per_wan"})
    ends = {one.name for one in money.leaves("evaluation.indicator_measure.denominator", closeness="value")}
    assert "project_library.project.budget_wan" in ends
    assert not [one for one in ends if one.startswith("zheliban.usage.") and one != "zheliban.usage.*"]


def test_the_command_line_goes_both_ways_and_names_what_is_near(reference_city: Installation, tmp_path: Path) -> None:
    answer = reference_city.json("lineage", "app_usage_month.visitors_count")
    assert [one["name"] for one in answer["leaves"] if one["closeness"] == "value"][:1] == ["zheliban.usage.访客数"]
    used = reference_city.json("lineage", "uses", "zheliban.usage.visitors_count")
    made = {one["name"] for one in used["items"] if one["closeness"] == "value"}
    assert "marts.app_usage_month.visitors_count" in made and "evaluation.indicator_points.points" in made
    assert ("use", "value") in {(one["indicator_id"], one["closeness"]) for one in used["indicators"]}
    bands = reference_city.json("lineage", "uses", "star_band.minimum_score")
    assert "apps_five_star" in {one["figure_id"] for one in bands["figures"]}
    wrong = reference_city.oneledger("lineage", "star_band.min_score", expected_code=2)
    assert "evaluation.star_band.minimum_score" in wrong.stderr
    page = tmp_path / "lineage.html"
    reference_city.oneledger("lineage", "page", "--out", str(page))
    text = page.read_text("utf-8")
    assert (
        "访客数" in text and "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "__DATA__" not in text
    )
    assert "exists" in reference_city.oneledger("lineage", "page", "--out", str(page), expected_code=2).stderr


@pytest.fixture(scope="module")
def ground(reference_city: Installation, models: VersionModels) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = Settings(home=reference_city.home)
    with open_ground(settings, models.version, models) as connection:
        connection.execute("attach ':memory:' as kept")
        connection.execute("attach ':memory:' as spoiled")
        for schema in sorted({one.schema for one in models.relations.values()} | {"control"}):
            connection.execute(f"create schema if not exists spoiled.{schema}")
        yield connection


@pytest.mark.soak
@pytest.mark.parametrize("name", PERTURBED)
def test_what_a_column_is_said_not_to_depend_on_does_not_change_it(
    ground: duckdb.DuckDBPyConnection, models: VersionModels, name: str
) -> None:
    tables = {one: models.relations[one] for one in models.relations[name].reads}
    perturbed = perturb(
        ground,
        kept_sql(ground, models.relations[name], tables),
        {one: {column: str(said["type"]) for column, said in of.columns.items()} for one, of in tables.items()},
        "spoiled",
    )
    assert perturbed.wrong == []
    assert perturbed.tried_count > 0


def kept_sql(connection: duckdb.DuckDBPyConnection, model: Relation, tables: dict[str, Relation]) -> str:
    """The SQL of a model on copies of what it reads, the first rows of large tables."""
    for one in tables:
        connection.execute(
            f'create table if not exists kept."{one}" as select * from warehouse.{quoted(one)} limit {_MOST_ROWS}'
        )
        connection.execute(f'create or replace view spoiled.{quoted(one)} as from kept."{one}"')
    return str(model.sql).replace('"warehouse".', '"spoiled".')
