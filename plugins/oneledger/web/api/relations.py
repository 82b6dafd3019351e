"""What may be asked for: the tables of a published version, and few joins of them that have a name of their own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import FOLDER, MODELS_FILE
from oneledger.publishing.relations import read_relations
from oneledger.web.reading import Reading

SCHEMAS = ("marts", "evaluation", "facts")
_FACTS = "facts"
# The unit of a column stands at the end of its name (docs/architecture.md, Names).
_UNITS = (
    ("_cny", "元", "yuan"),
    ("_working_days", "工作日", "working days"),
    ("_days_count", "天", "days"),
    ("_days", "天", "days"),
    ("_hours", "小时", "hours"),
    ("_minutes", "分钟", "minutes"),
    ("_seconds", "秒", "seconds"),
    ("_rate", "占一的比例", "share of one"),
    ("_share", "占一的比例", "share of one"),
    ("_count", "个", "count"),
    ("_on", "日期", "date"),
    ("_at", "时刻（UTC）", "instant, UTC"),
)


@dataclass(frozen=True)
class Column:
    """A column; ``type`` is DuckDB's."""

    name: str
    type: str
    title_zh: str = ""
    title_en: str = ""
    description: str = ""

    @property
    def unit(self) -> tuple[str, str] | None:
        """The unit in Chinese and English, as far as the name says it."""
        for ending, zh, en in _UNITS:
            if self.name.endswith(ending):
                return zh, en
        return None

    @property
    def family(self) -> str:
        """``text``, ``integer``, ``number``, ``boolean``, ``date``, ``instant`` or ``other``: how it is compared."""
        kind = self.type.upper()
        if kind == "VARCHAR":
            return "text"
        if kind in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                    "UBIGINT", "UHUGEINT"}:  # fmt: skip
            return "integer"
        if kind in {"DOUBLE", "FLOAT"} or kind.startswith("DECIMAL"):
            return "number"
        families = {"BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "instant"}
        return families.get(kind, "other")


@dataclass(frozen=True)
class Relation:
    """A table that may be read.

    Attributes:
        name: ``schema.table``, or the name of a join of ours.
        source: SQL of ours that stands behind ``from``.
        key: the columns that tell rows apart; empty when the version does not say.
        kind: ``mart``, ``rule`` (a table of rules), ``fact`` (daily, by month) or ``view`` (a join of ours).
        date_column: of a fact, the column by which it lies in months.
        rows_count: of the version's manifest; None for a join.
    """

    name: str
    source: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    kind: str
    title_zh: str = ""
    title_en: str = ""
    description: str = ""
    owner: str = ""
    date_column: str | None = None
    rows_count: int | None = None

    @property
    def grain(self) -> str:
        """The first sentence of its description, which states what a row is."""
        return re.split(r"(?<=[.:])\s", self.description.strip(), maxsplit=1)[0].rstrip(":")


def published_relations(reading: Reading) -> dict[str, Relation]:
    """Every table of the version by its full name."""
    return reading.remembered(("api.relations",), lambda: _read(reading))


def view(
    reading: Reading, name: str, sql: str, key: tuple[str, ...], described_by: tuple[str, ...], *, title_zh: str,
    title_en: str, description: str,
) -> Relation:  # fmt: skip
    """A join of ours as a relation.

    Args:
        sql: the statement; a text of ours.
        described_by: the tables whose columns it shows, for titles and descriptions.
    """

    def make() -> Relation:
        known: dict[str, Column] = {}
        for relation in described_by:
            found = published_relations(reading).get(relation)
            known = {**(found.columns if found else {}), **known}
        columns = {
            row["column_name"]: replace(
                known.get(row["column_name"], Column(row["column_name"], "")), type=row["column_type"]
            )
            for row in reading.rows(f"describe {sql}")
        }
        return Relation(name, f"({sql})", columns, key, "view", title_zh, title_en, description)

    return reading.remembered(("api.view", name), make)


def _read(reading: Reading) -> dict[str, Relation]:
    version = reading.version
    described = _descriptions(reading)
    keys = read_relations(version)
    counts = {one["name"]: one["rows_count"] for one in version.manifest["tables"]}
    for one in version.manifest["facts"]:
        counts[f"{_FACTS}.{one['fact']}"] = counts.get(f"{_FACTS}.{one['fact']}", 0) + one["rows_count"]
    found: dict[str, Relation] = {}
    columns: dict[str, dict[str, Column]] = {}
    for row in reading.rows(
        "select schema_name || '.' || table_name as relation, column_name, data_type from duckdb_columns()"
        " where database_name = 'memory' and schema_name in ('marts', 'evaluation', 'facts') and not internal"
        " order by relation, column_index"
    ):
        told = described.get(_told_as(row["relation"]), {}).get("columns", {}).get(row["column_name"], {})
        meta = told.get("meta", {})
        columns.setdefault(row["relation"], {})[row["column_name"]] = Column(
            row["column_name"], row["data_type"], meta.get("title_zh", ""), meta.get("title_en", ""),
            told.get("description", ""),
        )  # fmt: skip
    for name, of_table in columns.items():
        schema, _, table = name.partition(".")
        is_fact = table in version.fact_names()
        told = described.get(_told_as(name), {})
        meta = told.get("meta", {})
        key = tuple(version.manifest.get("fact_keys", {}).get(table, ())) if is_fact else keys.key_of(name)
        dates = [one for one in key or of_table if of_table[one].type == "DATE"]
        found[name] = Relation(
            name,
            f"{quote(schema)}.{quote(table)}",
            of_table,
            key,
            "fact" if is_fact else "rule" if told.get("materialized") == "seed" else "mart",
            meta.get("title_zh", ""),
            meta.get("title_en", ""),
            told.get("description", ""),
            meta.get("owner", ""),
            date_column=dates[0] if is_fact and dates else None,
            rows_count=counts.get(f"{_FACTS}.{table}" if is_fact else name),
        )
    return found


def _told_as(relation: str) -> str:
    """Facts are described as the marts that they are published from."""
    return f"marts.{relation.removeprefix(_FACTS + '.')}" if relation.startswith(f"{_FACTS}.") else relation


def _descriptions(reading: Reading) -> dict[str, dict[str, Any]]:
    """What the version says of its models; of one from before versions said it, the comments of its tables."""
    path = reading.version.path / FOLDER / MODELS_FILE
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        return {one["relation"]: one for one in content["models"]}
    told: dict[str, dict[str, Any]] = {}
    for row in reading.rows(
        "select schema_name || '.' || table_name as relation, comment from duckdb_tables()"
        " where database_name = 'published'"
    ):
        told[row["relation"]] = {"description": row["comment"] or "", "columns": {}}
    for row in reading.rows(
        "select schema_name || '.' || table_name as relation, column_name, comment from duckdb_columns()"
        " where database_name = 'published' and comment is not null"
    ):
        told[row["relation"]]["columns"][row["column_name"]] = {"description": row["comment"]}
    return told
