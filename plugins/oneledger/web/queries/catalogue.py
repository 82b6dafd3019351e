"""What the catalogue knows of a version: its tables and columns, metrics, rules and sources, and how to find them."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.catalogue.descriptions import chinese_of
from oneledger.catalogue.words import words
from oneledger.lineage.column_impact import seed_rows
from oneledger.lineage.ground import Relation
from oneledger.publishing.lineage_basis import FOLDER, SEEDS_DIR
from oneledger.quality.personal_data import masked
from oneledger.settings import ConfigurationError, Settings
from oneledger.web.queries.flow import PUBLISHED_LAYERS, Flow, Table
from oneledger.web.reading import Reading, Row

if TYPE_CHECKING:
    from oneledger.metrics import Metric

TOPICS = {
    "usage": ("使用", "Use"), "apps": ("应用", "Apps"), "evaluation": ("评价", "Evaluation"),
    "projects": ("项目", "Projects"), "sharing": ("共享", "Sharing"), "funding": ("资金", "Funding"),
    "findings": ("问题清单", "Findings"), "governance": ("治理", "Governance"),
    "published": ("公布与运行", "Publishing and runs"),
}  # fmt: skip
UNITS = {
    "_cny": ("元", "yuan"), "_minutes": ("分钟", "minutes"), "_working_days": ("工作日", "working days"),
    "_days_count": ("天", "days"), "_days": ("天", "days"), "_months": ("月", "months"), "_hours": ("小时", "hours"),
    "_rate": ("占 1 的比", "share of 1"), "_share": ("占 1 的比", "share of 1"), "_count": ("个", "count"),
}  # fmt: skip
# Units as metrics name them.
METRIC_UNITS = {
    "rate": ("占 1 的比", "share of 1"), "count": ("个", "count"), "CNY": ("元", "yuan"),
    "wan_cny": ("万元", "10,000 yuan"),
    "visitors_a_day": ("人/日", "visitors a day"), "visitors a day": ("人/日", "visitors a day"),
    "step": ("级", "step"),
    "visitors_per_wan_cny": ("人/万元", "visitors per 10,000 yuan"), "visitors": ("人次", "visitors"),
    "visits": ("次", "visits"), "page views": ("次", "page views"), "starts": ("件", "starts"),
    "completions": ("件", "completions"), "days": ("天", "days"), "working days": ("工作日", "working days"),
    "minutes": ("分钟", "minutes"), "points": ("分", "points"), "requests": ("项", "requests"),
    "projects": ("个项目", "projects"), "apps": ("个应用", "apps"), "findings": ("个问题", "findings"),
    "entities": ("个实体", "entities"), "app-indicators": ("应用指标", "app-indicators"),
    "rate-days": ("率·日", "rate-days"),
    "visitor-days": ("人·日", "visitor-days"), "app-months": ("应用·月", "app-months"),
    "app-end-months": ("应用端·月", "app-end-months"), "app-end-days": ("应用端·日", "app-end-days"),
    "app-portal-months": ("应用门户·月", "app-portal-months"), "app-portal-days": ("应用门户·日", "app-portal-days"),
    "kind-months": ("类型·月", "kind-months"), "matter-months": ("事项·月", "matter-months"),
    "project-stages": ("项目阶段", "project-stages"), "project-years": ("项目·年", "project-years"),
    "metrics": ("个度量", "metrics"), "ledgers": ("个", "ledgers"), "times": ("次", "times"),
}  # fmt: skip
# Who did something, and who an expert is: samples do not show persons.
_PERSONS = {"created_by", "confirmed_by", "rejected_by", "expert_id"}
_SAMPLE_ROWS = 20


@dataclass(frozen=True)
class Entry:
    """Something that can be found.

    Attributes:
        kind: ``table``, ``column``, ``metric``, ``rule``, ``source`` or ``word``.
        text: what is searched besides.
        path: below the application's root.
        says: a sentence on it in Chinese and English; None when ``text`` is a description out of the models.
    """

    kind: str
    name: str
    title_zh: str
    title_en: str
    text: str
    path: str
    says: tuple[str, str] | None = None

    @cached_property
    def _searched(self) -> tuple[str, str]:
        head = f"{self.name} {self.title_zh} {self.title_en}".lower()
        return head, f"{head} {self.text} {chinese_of(self.text) or ''}".lower()

    def rank(self, wanted: Iterable[str]) -> int | None:
        """How well all these words fit, 0 the best; None when one does not."""
        head, whole = self._searched
        if not all(word in whole for word in wanted):
            return None
        if all(word in head for word in wanted):
            return 0 if any(word in (self.name.lower(), self.title_zh, self.title_en.lower()) for word in wanted) else 1
        return 2


@dataclass(frozen=True)
class RuleTable:
    """A table of rules as the version keeps it."""

    name: str
    title_zh: str
    title_en: str
    description: str
    file: str
    sha256: str
    rows_count: int
    in_force_count: int
    versions: tuple[str, ...]
    ours_count: int

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Held:
    """What the models hold a table to.

    Attributes:
        tests: dbt's tests on the table and its columns, each as text.
        constraints: of the enforced contract, each as text.
        unit_tests_count: unit tests of the model's logic.
        checks: gate checks that read the table: id and titles.
    """

    tests: tuple[str, ...]
    constraints: tuple[str, ...]
    unit_tests_count: int
    checks: tuple[Row, ...]


def topic_of(table: Table) -> str:
    """The folder of the model that makes a published table."""
    return Path(table.file).parent.name if table.file else "published"


def published_tables(flow: Flow) -> list[Table]:
    """The tables that readers see, without rule tables."""
    return [one for one in flow.ordered if one.layer in PUBLISHED_LAYERS]


def row_counts(reading: Reading) -> dict[str, int]:
    """Rows of each published table, of daily facts over all months."""
    manifest = reading.version.manifest
    counts = {str(one["name"]): int(one["rows_count"]) for one in manifest.get("tables", ())}
    for one in manifest.get("facts", ()):
        name = f"marts.{one['fact']}"
        counts[name] = counts.get(name, 0) + int(one["rows_count"])
    return counts


def unit_of(column: str) -> tuple[str, str] | None:
    """What the end of a column's name says about its unit."""
    return next((unit for end, unit in UNITS.items() if column.endswith(end)), None)


def freshness_of(reading: Reading, entities: Iterable[str]) -> list[Row]:
    """Of sources (``source.entity``): newest business date, age, and whether it is older than it may be."""
    return reading.rows(
        """
        select
            source, entity, newest_business_on, age_days, max_age_hours, is_stale, newest_batch_id, batches_count,
            rows_count
        from marts.source_freshness
        where list_contains($entities, source || '.' || entity)
        order by is_stale desc nulls last, newest_business_on, source, entity
        """,
        {"entities": sorted(entities)},
    )  # fmt: skip


def sample(reading: Reading, table: str, columns: Iterable[str]) -> tuple[list[str], list[Row]]:
    """The first rows of a published table without persons: names of columns, and rows.

    What has the form of a telephone or identity number is masked, though no mart should hold one.
    """
    shown = [one for one in columns if one not in _PERSONS]
    schema, _, name = table.partition(".")
    types = {
        row["column_name"]: row["column_type"] for row in reading.rows(f'describe "{schema}"."{name}"')
    }  # fmt: skip
    selected = [
        f'{masked(f"{chr(34)}{one}{chr(34)}")} as "{one}"' if types.get(one) == "VARCHAR" else f'"{one}"'
        for one in shown
        if one in types
    ]
    rows = reading.rows(f'select {", ".join(selected)} from "{schema}"."{name}" limit {_SAMPLE_ROWS}')
    return [one for one in shown if one in types], rows


def held_to(settings: Settings, flow: Flow, table: Table) -> Held:
    """Tests and checks of a table, as today's project says: they are no part of a version."""
    described = _described_in_project(settings, table)
    tests = [_test_text(one) for one in described.get("data_tests") or ()]
    constraints = []
    for column in described.get("columns") or ():
        tests += [f"{column['name']}: {_test_text(one)}" for one in column.get("data_tests") or ()]
        constraints += [
            f"{column['name']}: {one.get('expression') or one['type'].replace('_', ' ')}"
            for one in column.get("constraints") or ()
        ]
    model = Path(table.file).stem if table.file else ""
    folder = settings.dbt_project_dir / Path(table.file).parent if table.file else settings.dbt_project_dir
    unit_tests = sum(
        1
        for path in sorted(folder.glob("*.yml"))
        for one in (_yaml(path).get("unit_tests") or ())
        if one.get("model") == model
    )
    checks = []
    for path in sorted((settings.project_root / "expectations").glob("*.yml")):
        for one in _yaml(path).get("checks") or ():
            if table.name in (one.get("needs") or ()) or f"{table.layer}.{one.get('entity')}" == table.name:
                checks.append({name: one.get(name, "") for name in ("id", "severity", "title_zh", "title_en")})
    return Held(tuple(tests), tuple(constraints), unit_tests, tuple(checks))


def rule_tables(flow: Flow, as_of: dt.date | None) -> list[RuleTable]:
    """Every table of rules of the version: how many rows are in force, which versions, which are ours."""
    found = []
    for relation in flow.models.relations.values():
        if relation.kind != "seed":
            continue
        rows = seed_rows(flow.models, relation.name)
        found.append(
            RuleTable(
                name=relation.name,
                title_zh=str(relation.meta.get("title_zh") or relation.name),
                title_en=str(relation.meta.get("title_en") or relation.name),
                description=relation.description,
                file=str(relation.file),
                sha256=_seed_hash(flow, relation),
                rows_count=len(rows),
                in_force_count=sum(1 for row in rows if in_force(row, as_of)),
                versions=tuple(sorted({row["rule_version"] for row in rows if row.get("rule_version")})),
                ours_count=sum(1 for row in rows if "OneLedger default" in (row.get("source") or "")),
            )
        )
    return sorted(found, key=lambda one: (not one.name.startswith("evaluation."), one.name))


def in_force(row: Row, day: dt.date | None) -> bool:
    """Whether a dated rule holds on a day; a row without dates always does."""
    if day is None:
        return True
    begins, ends = row.get("effective_from") or "", row.get("effective_to") or ""
    return (not begins or begins <= day.isoformat()) and (not ends or ends >= day.isoformat())


def semantic_metrics(reading: Reading) -> list[Metric]:
    """The metrics of the version's semantic layer; none when it was published before versions carried one."""
    from oneledger.metrics import list_metrics

    try:
        return list_metrics(reading.version)
    except ConfigurationError:
        return []


def evaluation_metrics(reading: Reading) -> list[Row]:
    """The metrics of the evaluation, each with the indicators that score it."""
    return reading.rows(
        """
        select
            metric.*,
            coalesce(
                list(distinct indicator.indicator_id order by indicator.indicator_id)
                    filter (where indicator.indicator_id is not null),
                []
            ) as indicator_ids
        from evaluation.metric as metric
        left join evaluation.indicator as indicator on indicator.metric_id = metric.metric_id
        group by all
        order by metric.metric_id
        """
    )


def entries(settings: Settings, reading: Reading, flow: Flow) -> list[Entry]:
    """Everything that the search of the catalogue finds."""
    found = []
    for table in published_tables(flow):
        found.append(
            Entry("table", table.name, table.title_zh, table.title_en, " ".join(table.description.split()),
                  f"/catalogue/tables/{table.name}")
        )  # fmt: skip
        for column in flow.graph.columns_of.get(table.name, ()):
            found.append(
                Entry("column", column.name, column.title_zh, column.title_en, " ".join(column.description.split()),
                      f"/catalogue/tables/{table.name}#{column.column}")
            )  # fmt: skip
    for row in evaluation_metrics(reading):
        text = f"{row['unit'] or ''} {row['numerator'] or ''} {row['denominator'] or ''}"
        found.append(
            Entry("metric", row["metric_id"], row["title_zh"], row["title_en"], text,
                  f"/catalogue/metrics#{row['metric_id']}", (row["numerator"] or "", row["numerator"] or ""))
        )  # fmt: skip
    for one in semantic_metrics(reading):
        found.append(
            Entry("metric", one.name, one.title_zh, one.title_en, f"{one.description_zh} {one.description_en}",
                  f"/catalogue/metrics#{one.name}", (one.description_zh, one.description_en))
        )  # fmt: skip
    for rule in rule_tables(flow, None):
        rows = seed_rows(flow.models, rule.name)
        titles = " ".join(f"{row.get('title_zh') or ''} {row.get('title_en') or ''}" for row in rows)
        found.append(
            Entry("rule", rule.name, rule.title_zh, rule.title_en, f"{' '.join(rule.description.split())} {titles}",
                  f"/catalogue/rules/{rule.short_name}",
                  (chinese_of(rule.description) or rule.description, rule.description))
        )  # fmt: skip
    catalogue = load_catalogue(settings)
    for entity in catalogue.all_entities:
        source = catalogue.sources[entity.source_id]
        columns = " ".join(f"{one.name} {one.source_name or ''} {one.title_zh or ''}" for one in entity.columns)
        found.append(
            Entry("source", entity.full_id, entity.title_zh, entity.title_en,
                  f"{source.title_zh} {source.title_en} {source.owner} {columns}",
                  f"/catalogue/sources/{entity.source_id}#{entity.id}", (source.title_zh, source.title_en))
        )  # fmt: skip
    for word in words():
        found.append(
            Entry("word", word.id, word.zh, word.en, f"{word.meaning_zh} {word.meaning_en}",
                  f"/catalogue/words#{word.id}", (word.meaning_zh, word.meaning_en))
        )  # fmt: skip
    return found


def search(known: Iterable[Entry], text: str) -> dict[str, list[Entry]]:
    """By kind, what has all the words of the text, the best first."""
    wanted = text.lower().split()
    ranked = [(rank, one) for one in known if (rank := one.rank(wanted)) is not None]
    found: dict[str, list[Entry]] = {}
    for _, one in sorted(ranked, key=lambda pair: pair[0]):
        found.setdefault(one.kind, []).append(one)
    return found


def sources_of(settings: Settings) -> Catalogue:
    """Today's source catalogue."""
    return load_catalogue(settings)


def _seed_hash(flow: Flow, relation: Relation) -> str:
    path = flow.models.version.path / FOLDER / SEEDS_DIR / str(relation.file)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _described_in_project(settings: Settings, table: Table) -> dict[str, Any]:
    if not table.file:
        return {}
    path = (settings.dbt_project_dir / table.file).with_suffix(".yml")
    if not path.is_file():
        return {}
    model = Path(table.file).stem
    found: dict[str, Any] = next((one for one in _yaml(path).get("models") or () if one["name"] == model), {})
    return found


def _yaml(path: Path) -> dict[str, Any]:
    return _yaml_of(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _yaml_of(path: Path, changed_at: int) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def _test_text(test: Any) -> str:
    if isinstance(test, str):
        return test.replace("_", " ")
    name, about = next(iter(test.items()))
    arguments = (about or {}).get("arguments") or {}
    said = "; ".join(
        f"{key} {', '.join(str(one) for one in value) if isinstance(value, list) else value}"
        for key, value in arguments.items()
    )
    return f"{name.replace('_', ' ')}" + (f": {said}" if said else "")
