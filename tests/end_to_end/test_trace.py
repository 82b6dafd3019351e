"""Every published figure, and cells drawn from all marts, traced to landed lines and worked out from these again."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneledger.lineage.constraints import Constraint
from oneledger.lineage.ground import Relation, VersionModels, quoted, read_models
from oneledger.lineage.narrowing import Narrowing
from oneledger.lineage.tracing import Tracer, open_tracer
from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import SORTED_BY
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from tests.city.test_reference_figures import FIRST_ROUND, LISTED, listed_days
from tests.end_to_end.conftest import Installation
from tests.end_to_end.landed_records import MEASURES, Lines, read_lines
from tests.end_to_end.recomputed_cells import CELLS
from tests.end_to_end.recomputed_figures import FIGURES, STAR_FIGURES
from tests.end_to_end.traced_sources import scores_from_lines

DRAWN_CELLS = 100
CELLS_OF_EACH = 2
SEED = 20221031


@dataclass
class Traced:
    """One tracer for the whole file: what it found is cleared from trace to trace."""

    tracer: Tracer
    models: VersionModels
    landing: Path

    def follow(self, relation: str, where: str, columns: list[str] | None) -> None:
        self.tracer.clear()
        assert self.tracer.start(relation, where, columns) == 1, f"{relation} where {where}"
        self.tracer.follow()
        unequal = {name for name, step in self.tracer.steps.items() if step.is_equal is False}
        assert not unequal, f"{relation} where {where}: {unequal} do not come again out of the rows below"

    @property
    def wanted(self) -> dict[str, list[int]]:
        """The record numbers of the landed lines that were found, by file."""
        found: dict[str, list[int]] = {}
        for name, step in self.tracer.steps.items():
            if step.relation.kind == "input" and "_file_id" in self.tracer.types[name]:
                for file_id, numbers in self.tracer.connection.execute(
                    f"select _file_id, list(distinct _row_number order by _row_number)"
                    f" from {self.tracer.table_of(name)} group by _file_id order by _file_id"
                ).fetchall():
                    found[file_id] = numbers
        return found

    def lines(self) -> Lines:
        return read_lines(self.landing, self.wanted)

    def drawn(self, draw: random.Random, relation: Relation, where: str = "true") -> tuple[str, dict[str, Any]] | None:
        """A row drawn from a table: the condition that finds it, and its values."""
        count = self.tracer.connection.execute(
            f"select count(*) from {quoted(relation.name)} where {where}"
        ).fetchall()[0][0]
        if not count:
            return None
        cursor = self.tracer.connection.execute(
            f"select * from {quoted(relation.name)} where {where} order by all limit 1 offset {draw.randrange(count)}"
        )
        names = [column[0] for column in cursor.description or []]
        row = dict(zip(names, cursor.fetchall()[0], strict=True))
        known = [
            f"{quote(name)} is not distinct from cast({_literal(value)} as {relation.columns[name]['type']})"
            for name, value in row.items()
            if relation.columns[name]["type"] != "DOUBLE" and "[" not in relation.columns[name]["type"]
        ]
        return " and ".join(known), row


@contextmanager
def tracer_of(home: Path) -> Iterator[Traced]:
    settings = Settings(home=home)
    models = read_models(resolve(settings))
    with open_tracer(settings, models) as tracer:
        tracer.ground.define_all()
        yield Traced(tracer, models, settings.landing_dir)


@pytest.fixture(scope="module")
def traced(reference_city: Installation) -> Iterator[Traced]:
    with tracer_of(reference_city.home) as one:
        yield one


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return "'" + str(value).replace("'", "''") + "'"


def figures_of(traced: Traced) -> dict[str, float]:
    return dict(
        traced.tracer.connection.execute("select figure_id, computed_value from marts.published_figure").fetchall()
    )


def test_every_published_figure_comes_again_from_the_landed_lines_that_its_trace_names(
    traced: Traced, tmp_path: Path
) -> None:
    published = figures_of(traced)
    assert published.keys() == FIGURES.keys() | STAR_FIGURES.keys()
    assert len(published) == 51
    for figure_id, value in sorted(published.items()):
        traced.follow("marts.published_figure", f"figure_id = '{figure_id}'", ["computed_value"])
        lines = traced.lines()
        assert lines.records or value == 0, f"{figure_id} traces to no line"
        if figure_id in STAR_FIGURES:
            folder = tmp_path / figure_id
            folder.mkdir()
            scores = scores_from_lines(lines, folder, FIRST_ROUND, LISTED, listed_days("2022-07-01", "2022-09-30"))
            again: float = sum(_stars(score) == STAR_FIGURES[figure_id] for score in scores.values())
        else:
            again = FIGURES[figure_id](lines)
        assert again == pytest.approx(value, abs=1e-6), f"{figure_id}: {again} from the lines, {value} published"


def _stars(score: float) -> int | None:
    return next((stars for stars, least in ((5, 85), (4, 75), (3, 60)) if score >= least), None)


def follow_drawn_cells(traced: Traced, tables: list[Relation]) -> int:
    """Trace a cell drawn from each table; gives how many had one."""
    draw = random.Random(SEED)
    traced_count = 0
    for relation in tables:
        found = traced.drawn(draw, relation)
        if found is None:
            continue  # nothing of it is published in this city
        where, _ = found
        traced.follow(relation.name, where, [draw.choice(list(relation.columns))])
        for file_id in traced.wanted:
            batch_id, _, name = file_id.rpartition("/")
            assert list(traced.landing.glob(f"*/*/*/*/{name}")), f"{file_id} is not in landing ({batch_id})"
        traced_count += 1
    return traced_count


def published_tables(traced: Traced) -> list[Relation]:
    return [
        one for one in traced.models.in_order
        if one.kind == "model" and one.schema in ("marts", "evaluation") and one.name != "marts.run_outcome"
    ]  # fmt: skip


@pytest.mark.soak
def test_a_cell_drawn_from_every_sixth_mart_comes_again_from_the_rows_that_its_trace_names(traced: Traced) -> None:
    assert follow_drawn_cells(traced, published_tables(traced)[::6]) > 10


@pytest.mark.soak
def test_a_cell_drawn_from_every_mart_comes_again_from_the_rows_that_its_trace_names(traced: Traced) -> None:
    # With those of the test after this one.
    counted = follow_drawn_cells(traced, published_tables(traced))
    assert counted + CELLS_OF_EACH * len(CELLS) >= DRAWN_CELLS


@pytest.mark.parametrize("cells_of_each", [1, pytest.param(CELLS_OF_EACH, marks=pytest.mark.soak)])
def test_cells_come_again_by_independent_code_from_just_the_landed_lines_of_their_traces(
    traced: Traced, cells_of_each: int
) -> None:
    draw = random.Random(SEED + cells_of_each)
    for name, cells in CELLS.items():
        for _ in range(cells_of_each):
            found = traced.drawn(draw, traced.models.relations[name], cells.where)
            assert found is not None, f"{name} has no row where {cells.where}"
            where, row = found
            traced.follow(name, where, list(cells.columns))
            again = cells.again(traced.lines(), row)
            for column in cells.columns:
                if column in again:
                    assert _plain(again[column]) == pytest.approx(_plain(row[column]), abs=0.005), (
                        f"{name}.{column} where {where}: {again[column]} from the lines, {row[column]} published"
                    )
            assert again


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def test_the_rows_that_a_trace_keeps_of_an_app_or_project_are_those_of_the_whole_relation(traced: Traced) -> None:
    draw = random.Random(SEED)
    connection = traced.tracer.connection
    narrowing = Narrowing(traced.tracer.ground, traced.tracer.blocks_of, traced.tracer.types)
    compared = 0
    for relation in traced.models.in_order:
        key = next((one for one in SORTED_BY if one in relation.columns), None)
        if relation.schema not in ("staging", "intermediate") or key is None:
            continue
        known = connection.execute(
            f"select distinct {key} from {quoted(relation.name)} where {key} is not null order by 1"
        ).fetchall()
        values = frozenset(_literal(row[0]) for row in draw.sample(known, min(2, len(known))))
        if not values:
            continue
        constraint = Constraint(f"({', '.join(sorted(values))})", values, False)
        reading = narrowing.read(relation.name, [{key: constraint}])
        assert reading.has_rowid
        columns = ", ".join(
            f"round({quote(name)}, 9)" if described["type"] == "DOUBLE" else quote(name)
            for name, described in relation.columns.items()
        )
        whole, kept = (
            f"select {columns} from {table} where {constraint.on(key)}"
            for table in (quoted(relation.name), reading.table)
        )
        different = connection.execute(
            f"(({whole}) except all ({kept})) union all (({kept}) except all ({whole})) limit 3"
        ).fetchall()
        assert not different, f"{relation.name} of {values}: {different}"
        compared += connection.execute(f"select count(*) > 0 from ({kept})").fetchall()[0][0]
    assert compared > 15


def test_a_line_that_is_left_out_shows(traced: Traced) -> None:
    """The independent code would see a trace that misses a line."""
    draw = random.Random(SEED)
    cells = CELLS["marts.app_usage_month"]
    found = traced.drawn(draw, traced.models.relations["marts.app_usage_month"], "visitors_count > 0")
    assert found is not None
    where, row = found
    traced.follow("marts.app_usage_month", where, ["visitors_count"])
    lines = traced.lines()
    for entity in ("zheliban.usage", "zhezhengding.usage"):
        heading = MEASURES[entity.partition(".")[0]]["visitors_count"]
        lines.records[entity] = [one for one in lines.of(entity) if not int(one[heading] or 0)]
    assert cells.again(lines, row)["visitors_count"] != row["visitors_count"]


def test_a_star_is_traced_on_the_command_line_as_text_json_and_page(
    reference_city: Installation, tmp_path: Path
) -> None:
    page = tmp_path / "star.html"
    report = reference_city.json("trace", "star", "A33050000001", "--html", str(page), "--lines", "2")
    assert report["ok"] and report["verdict"]["is_equal"] is True
    assert report["lines_count"] == sum(one["lines_count"] for one in report["landed"])
    assert {one["relation"] for one in report["steps"]} >= {"evaluation.indicator_points", "marts.app_usage_month"}
    usage = next(one for one in report["landed"] if one["relation"] == "admitted.usage")
    file = usage["files"][0]
    line = file["lines"][0]
    assert file["is_as_received"] and len(file["sha256"]) == 64
    assert "A33050000001" in line["text"] and line["first_line"] == line["row_number"] + 1
    rule = next(one for one in report["rules"] if one["file"] == "star_band.csv")
    assert rule["rows"][0]["text"].startswith(f"{report['published']['stars']},")
    text = page.read_text("utf-8")
    assert "健康湖州" in text and line["text"] in text and report["provenance"]["manifest_sha256"] in text
    checks = report["provenance"]["checks_on_the_way"]
    entities = {one["entity"] for one in checks}
    assert {"evaluation.app_stars", "marts.app_usage_month", "zheliban.usage", "irs.app"} <= entities
    assert "marts.rule_revision" not in entities, "the star does not come of it"
    assert all(one["title_zh"] and one["observed"] and one["expected"] for one in checks)
    assert {one["run_id"] for one in checks} == {one["run_id"] for one in report["provenance"]["checks"]}
    assert all(one["title_zh"] in text for one in checks)
    assert not re.search(r"<script|https?://(?!127\.0\.0\.1)|src=", text)
    shown = reference_city.oneledger("trace", "figure", "apps_evaluated", "--lines", "1").stdout
    assert "evaluation.app_stars" in shown and "admitted.irs__app" in shown
    assert re.search(r"checks on the way: [\d,]+ of [\d,]+ passed", shown)


def test_an_unclear_question_is_answered_with_what_is_missing(reference_city: Installation) -> None:
    for arguments, said in (
        (("star", "A3305"), "the nearest are"),
        (("marts.app_usage_month", "app_id=A33050000001"), "Say also release_end and month"),
        (("app_usage_mont", "app_id=A33050000001"), "Do you mean app_usage_month"),
        (("marts.app_usage_month", "app=A33050000001"), "Do you mean app_id"),
        ((), "say what to trace"),
    ):
        done = reference_city.oneledger("trace", *arguments, expected_code=2)
        assert said.lower() in " ".join(done.stderr.split()).lower(), done.stderr


def test_forwards_a_line_of_a_star_s_trace_names_this_star_and_leaves_out_what_it_does_not_touch(
    reference_city: Installation,
) -> None:
    back = reference_city.json("trace", "star", "A33050000001", "--all", "--no-recompute")
    usage = next(one for one in back["landed"] if one["relation"] == "admitted.usage")
    file = next(one for one in usage["files"] if "202208" in one["file_id"])
    number = file["lines"][0]["row_number"]
    reached = reference_city.json("trace", "--from", f"{file['file_id']}:{number}")
    assert reached["admitted"] == {"admitted.usage": 1}
    assert "A33050000001" in reached["stars"]
    items = {one["relation"]: one for one in reached["items"]}
    assert items["marts.fct_app_usage_day"]["rows_count"] == 1
    assert items["marts.low_use_verdict"]["rows_count"] == 1
    assert "marts.rule_revision" not in items


@pytest.mark.soak
def test_a_confirmed_star_is_traced_in_its_run_and_a_changed_byte_in_landing_is_said(
    changed_city: Installation,
) -> None:
    changed_city.oneledger("evaluate", "--period", "2022-Q3")
    changed_city.oneledger("evaluate", "confirm", "newest", "--name", "王敏", "--reason", "reviewed")
    report = changed_city.json("trace", "star", "A33050000001", "--run", "confirmed")
    assert report["verdict"]["is_equal"] is True
    assert report["provenance"]["evaluation"]["decided_by"] == "王敏"
    band = next(one for one in report["rules"] if one["file"] == "star_band.csv")
    assert band["rows"][0]["text"].startswith(f"{report['published']['stars']},")

    file = next((changed_city.home / "landing/project_library/app_link").rglob("rows.ndjson.gz"))
    payload = bytearray(file.read_bytes())
    payload[4] ^= 1  # the time in the head of the gzip: what it unpacks to stays the same
    file.chmod(0o644)
    file.write_bytes(bytes(payload))
    spoiled = json.loads(changed_city.oneledger("trace", "star", "A33050000001", "--json", expected_code=1).stdout)
    assert not spoiled["ok"]
    assert any("not what was received" in one for one in spoiled["problems"])
