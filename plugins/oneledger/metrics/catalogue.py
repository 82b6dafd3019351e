"""The metrics that a published version carries: its semantic manifest, read without MetricFlow.

Reading takes milliseconds, so lists need no engine. Which dimensions a metric has follows from the entities: those of
its own mart, and those of each mart that one of its keys leads to.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from oneledger.metrics.definitions import GRAINS, METRIC_TIME, Dimension, Metric
from oneledger.publishing.lineage_basis import FOLDER, MODELS_FILE, SEMANTIC_MANIFEST_FILE
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError

_CANDIDATES_COUNT = 5


@dataclass(frozen=True)
class MetricCatalogue:
    """All metrics of a version, by name, and everything that they can be grouped by.

    Attributes:
        key: the hash of the definitions, as the version's manifest has it.
        content: the semantic manifest itself, which MetricFlow reads.
    """

    version: str
    key: str
    content: str
    metrics: dict[str, Metric]
    dimensions: dict[str, Dimension]

    def metric(self, name: str) -> Metric:
        """The metric of this name.

        Raises:
            ConfigurationError: there is none; it names the nearest.
        """
        if name not in self.metrics:
            raise unknown("metric", name, self.metrics, "`oneledger metrics list` shows them all")
        return self.metrics[name]

    def dimensions_of(self, metrics: Sequence[str]) -> list[Dimension]:
        """What all of these metrics can be grouped and filtered by, time first."""
        found = [self.metric(name) for name in metrics]
        shared = [name for name in found[0].dimensions if all(name in one.dimensions for one in found)] if found else []
        return [self.time_of(found), *(self.dimensions[name] for name in shared)] if found else []

    def time_of(self, metrics: Iterable[Metric]) -> Dimension:
        """``metric_time`` of these metrics: each by its own date, from the coarsest of their grains on."""
        start = max(GRAINS.index(one.grain) for one in metrics)
        return Dimension(
            METRIC_TIME, "时间", "Time", "Each metric's own date; the first day of the period.", "time", "date",
            GRAINS[start:], None, None,
        )  # fmt: skip


def load_metrics(version: PublishedVersion) -> MetricCatalogue:
    """The metrics of a version.

    Raises:
        ConfigurationError: the version was published before versions carried their metrics.
    """
    path = version.path / FOLDER / SEMANTIC_MANIFEST_FILE
    if not path.is_file():
        raise ConfigurationError(
            f"Version {version.version} carries no metrics: it was published before they were defined. The next "
            "`oneledger run` publishes one that does; `oneledger versions` lists the versions."
        )
    key = str(version.manifest.get("lineage_files", {}).get(f"{FOLDER}/{SEMANTIC_MANIFEST_FILE}", ""))
    return _read(version.version, path, key, path.stat().st_mtime_ns)


def list_metrics(version: PublishedVersion) -> list[Metric]:
    """The metrics of a version by name.

    Raises:
        ConfigurationError: the version carries none.
    """
    return [one for _, one in sorted(load_metrics(version).metrics.items())]


def find_metric(version: PublishedVersion, name: str) -> Metric:
    """One metric.

    Raises:
        ConfigurationError: there is none of this name; the nearest are named.
    """
    return load_metrics(version).metric(name)


def list_dimensions(version: PublishedVersion, metrics: Sequence[str]) -> list[Dimension]:
    """What all of these metrics can be grouped and filtered by, ``metric_time`` first.

    Raises:
        ConfigurationError: a metric is unknown.
    """
    return load_metrics(version).dimensions_of(metrics)


def unknown(what: str, name: str, known: Iterable[str], remedy: str) -> ConfigurationError:
    """The error for a name that does not exist, with the nearest that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=_CANDIDATES_COUNT, cutoff=0.4)
    near += [one for one in names if name and name in one and one not in near]
    listed = near[:_CANDIDATES_COUNT] or names[:_CANDIDATES_COUNT]
    said = f"The nearest are: {', '.join(listed)}" if listed else "There are none"
    return ConfigurationError(f"There is no {what} {name!r}. {said}; {remedy}.")


@lru_cache(maxsize=8)
def _read(version: str, path: Path, key: str, _: int) -> MetricCatalogue:
    content = path.read_text("utf-8")
    manifest = json.loads(content)
    columns = _columns_of_models(path.with_name(MODELS_FILE))
    models = {one["name"]: one for one in manifest["semantic_models"]}
    dimensions: dict[str, Dimension] = {}
    of_model: dict[str, tuple[str, ...]] = {}
    for name, model in models.items():
        own = _dimensions_of(model, columns)
        reached = [
            one
            for entity in model["entities"]
            if entity["type"] == "foreign"
            for other in models.values()
            if other is not model and _primary(other) == entity["name"]
            for one in _dimensions_of(other, columns)
            if one.kind != "entity"
        ]
        found = {one.name: one for one in (*own, *reached)}
        dimensions |= found
        of_model[name] = tuple(sorted(found))
    by_measure = {measure["name"]: (model, measure) for model in models.values() for measure in model["measures"]}
    raw = {one["name"]: one for one in manifest["metrics"]}
    metrics: dict[str, Metric] = {}
    for name in raw:
        _add_metric(name, raw, by_measure, of_model, metrics)
    return MetricCatalogue(version, key, content, dict(sorted(metrics.items())), dimensions)


def _add_metric(
    name: str,
    raw: dict[str, Any],
    by_measure: dict[str, tuple[dict[str, Any], dict[str, Any]]],
    of_model: dict[str, tuple[str, ...]],
    made: dict[str, Metric],
) -> Metric:
    if name in made:
        return made[name]
    one = raw[name]
    meta = one["config"]["meta"]
    params = one["type_params"]
    if one["type"] == "simple":
        model, measure = by_measure[params["measure"]["name"]]
        inputs: tuple[str, ...] = ()
        relations: tuple[str, ...] = (_relation(model),)
        dimensions = of_model[model["name"]]
        grain = _grain_of(model, measure)
        is_state = measure["non_additive_dimension"] is not None
    else:
        asked = [params["numerator"], params["denominator"]] if one["type"] == "ratio" else params["metrics"]
        parts = [_add_metric(part["name"], raw, by_measure, of_model, made) for part in asked]
        inputs = tuple(part.name for part in parts)
        relations = tuple(sorted({relation for part in parts for relation in part.relations}))
        dimensions = tuple(
            dimension for dimension in parts[0].dimensions if all(dimension in part.dimensions for part in parts)
        )
        grain = GRAINS[max(GRAINS.index(part.grain) for part in parts)]
        is_state = any(part.is_state_at_end for part in parts)
    missing_in = meta["missing_in"]
    made[name] = Metric(
        name=name,
        title_zh=meta["title_zh"],
        title_en=one["label"],
        description_zh=meta["description_zh"],
        description_en=one["description"],
        unit=meta["unit"],
        kind=one["type"],
        inputs=inputs,
        relations=relations,
        dimensions=dimensions,
        grain=grain,
        missing_in=None if missing_in == "none" else missing_in,
        not_additive_over=tuple(meta.get("not_additive_over", ())),
        is_state_at_end=is_state,
    )
    return made[name]


def _grain_of(model: dict[str, Any], measure: dict[str, Any]) -> str:
    wanted = measure["agg_time_dimension"] or model["defaults"]["agg_time_dimension"]
    found = next(one for one in model["dimensions"] if one["name"] == wanted)
    return str(found["type_params"]["time_granularity"])


def _primary(model: dict[str, Any]) -> str | None:
    return model["primary_entity"] or next((one["name"] for one in model["entities"] if one["type"] == "primary"), None)


def _relation(model: dict[str, Any]) -> str:
    return f"{model['node_relation']['schema_name']}.{model['node_relation']['alias']}"


def _dimensions_of(model: dict[str, Any], columns: dict[str, dict[str, Any]]) -> list[Dimension]:
    """Its dimensions and keys, with the titles of their columns unless they have their own."""
    relation = _relation(model)
    described = columns.get(relation, {})
    found = []
    for one in (*model["dimensions"], *model["entities"]):
        is_entity = "type_params" not in one
        if is_entity and one["type"] == "primary" and one["expr"] is None:
            continue
        expression = one["expr"] or one["name"]
        column = described.get(expression, {})
        meta = {**column.get("meta", {}), **((one["config"] or {}).get("meta") or {})}
        is_time = not is_entity and one["type"] == "time"
        grain = one["type_params"]["time_granularity"] if is_time else None
        found.append(
            Dimension(
                name=one["name"] if is_entity else f"{_primary(model)}__{one['name']}",
                title_zh=meta.get("title_zh", one["name"]),
                title_en=meta.get("title_en", one["name"]),
                description=one["description"] or column.get("description", ""),
                kind="entity" if is_entity else "time" if is_time else "categorical",
                data_type="date" if is_time else str(column.get("type", "varchar")).lower(),
                grains=GRAINS[GRAINS.index(grain) :] if grain else (),
                relation=relation,
                column=expression if column else None,
            )
        )
    return found


def _columns_of_models(path: Path) -> dict[str, dict[str, Any]]:
    """Relation → column → what the models say of it."""
    if not path.is_file():
        return {}
    return {one["relation"]: one["columns"] for one in json.loads(path.read_text("utf-8"))["models"]}
