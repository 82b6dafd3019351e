"""The other way: what uses a column of a source, or of a rule."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from oneledger.lineage.column_graph import DECIDES, VALUE, ColumnGraph, ColumnNode
from oneledger.lineage.column_narrow import Narrowing
from oneledger.lineage.column_uses import ROWS
from oneledger.lineage.ground import VersionModels
from oneledger.publishing.lineage_basis import FOLDER, SEEDS_DIR
from oneledger.settings import Settings

INDICATORS = "evaluation.indicator"
FIGURES = "intermediate.published_figure_source"
_MEASURE = "evaluation.indicator_measure"
_FIGURE = "marts.published_figure"
_ORDER = ("value", "decides", "rows")


def impact(
    settings: Settings,
    graph: ColumnGraph,
    models: VersionModels,
    columns: Iterable[ColumnNode],
    *,
    narrowing: Narrowing | None = None,
) -> dict[str, Any]:
    """Everything that uses any of these columns.

    Args:
        narrowing: of this graph, kept by who asks about one column after another.

    Returns:
        ``columns`` (the columns asked about), ``items`` (columns that use them, with ``closeness``: ``value`` when made
        of them, ``decides`` when they decide about the value, ``rows`` when only whether the row is there),
        ``tables`` (the same by table), ``indicators``, ``figures`` and ``exposures`` with their titles.
    """
    asked = [one.name for one in columns]
    reached = {name: how for name, how in graph.downstream(asked).items() if name not in asked}
    used = [
        {**shown(graph.nodes[name]), "closeness": how}
        for name, how in reached.items()
        if graph.nodes[name].column != ROWS
    ]
    place = {name: position for position, name in enumerate(graph.relations)}
    used.sort(key=lambda one: (_ORDER.index(one["closeness"]), place.get(one["relation"], 0)))
    closest = _closest_by_relation(used)
    narrowing = narrowing or Narrowing(graph, models)
    return {
        "columns": asked,
        "items": used,
        "tables": [{**titles_of(graph, name), "relation": name, "closeness": how} for name, how in closest.items()],
        "indicators": _indicators(graph, models, narrowing, asked),
        "figures": _figures(graph, models, narrowing, asked),
        "exposures": _exposures(settings, models, closest),
    }


def shown(node: ColumnNode) -> dict[str, Any]:
    """A node as an item of an answer."""
    return {
        "name": node.name,
        "relation": node.relation,
        "column": node.column,
        "layer": node.layer,
        "title_zh": node.title_zh,
        "title_en": node.title_en,
        "description": node.description,
    }


def titles_of(graph: ColumnGraph, relation: str) -> dict[str, Any]:
    known = graph.relations.get(relation, {})
    return {name: known.get(name, "") for name in ("title_zh", "title_en", "layer", "description")}


def seed_rows(models: VersionModels, relation: str) -> list[dict[str, str]]:
    """The rows of a rule table as the version keeps them; none when it has no such table."""
    seed = models.relations.get(relation)
    if seed is None or seed.file is None:
        return []
    with (models.version.path / FOLDER / SEEDS_DIR / seed.file).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _closest_by_relation(used: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in used:
        found.setdefault(one["relation"], one["closeness"])
    return found


def _closeness(graph: ColumnGraph, name: str, asked: Iterable[str]) -> str | None:
    up = graph.upstream([name], closeness=DECIDES)
    found = {up[one] for one in asked if one in up}
    return VALUE if VALUE in found else DECIDES if found else None


def _indicators(
    graph: ColumnGraph, models: VersionModels, narrowing: Narrowing, asked: list[str]
) -> list[dict[str, Any]]:
    by_metric: dict[str, str | None] = {}
    rules = {one for one in asked if one.startswith(f"{INDICATORS}.")}
    found = []
    for row in seed_rows(models, INDICATORS):
        metric = row["metric_id"]
        if metric not in by_metric:
            by_metric[metric] = _of_metric(graph, narrowing, metric, asked)
        how = DECIDES if rules else by_metric[metric]
        if how is not None:
            found.append(
                {**{name: row[name] for name in ("indicator_id", "family", "side", "title_zh", "title_en")},
                 "metric_id": metric, "closeness": how}
            )  # fmt: skip
    return found


def _of_metric(graph: ColumnGraph, narrowing: Narrowing, metric: str, asked: list[str]) -> str | None:
    if metric not in [one.strip("'") for one in graph.nodes[f"{_MEASURE}.metric_id"].constants]:
        return None
    found = {
        _closeness(narrowing.narrowed(name, {"metric_id": metric}), name, asked)
        for name in (f"{_MEASURE}.numerator", f"{_MEASURE}.denominator")
    }
    return VALUE if VALUE in found else DECIDES if DECIDES in found else None


def _figures(graph: ColumnGraph, models: VersionModels, narrowing: Narrowing, asked: list[str]) -> list[dict[str, Any]]:
    name = f"{_FIGURE}.computed_value"
    if name not in graph.nodes:
        return []
    found = []
    for row in seed_rows(models, FIGURES):
        how = _closeness(narrowing.narrowed(name, {"figure_id": row["figure_id"]}), name, asked)
        if how is not None:
            found.append(
                {**{key: row[key] for key in ("figure_id", "title_zh", "title_en")}, "closeness": how}
            )  # fmt: skip
    return found


def _exposures(settings: Settings, models: VersionModels, closest: Mapping[str, str]) -> list[dict[str, Any]]:
    """By today's project: who reads what is no part of a version."""
    path = settings.dbt_project_dir / "models" / "exposures.yml"
    if not path.is_file():
        return []
    relation_of = {Path(one.file).stem: one.name for one in models.relations.values() if one.file}
    found = []
    for one in yaml.safe_load(path.read_text(encoding="utf-8")).get("exposures") or ():
        models_read = [str(ref).partition("'")[2].rpartition("'")[0] for ref in one.get("depends_on") or ()]
        read = [relation_of[name] for name in models_read if name in relation_of]
        through = {relation: closest[relation] for relation in read if relation in closest}
        if through:
            how = min(through.values(), key=_ORDER.index)
            found.append(
                {"name": one["name"], "label": one.get("label", ""), "closeness": how,
                 "through": [name for name, value in through.items() if value == how]}
            )  # fmt: skip
    return found
