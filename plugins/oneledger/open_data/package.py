"""``datapackage.json``: what a data package says of itself, after the Frictionless Data Package specification 1.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from oneledger.open_data.listing import OpenData, PublicTable, SuppressionRule
from oneledger.open_data.suppression import MISSING_ROWS, ROWS, STATUS, STATUSES, TOTAL_STATUSES
from oneledger.publishing.spreadsheet_text import RULE_EN, RULE_ZH
from oneledger.publishing.versions import PublishedVersion

_TYPES = {
    "VARCHAR": "string", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "datetime", "DOUBLE": "number",
    "FLOAT": "number",
}  # fmt: skip
_UNITS = (
    ("_cny", "CNY"), ("_working_days", "working days"), ("_days", "days"), ("_minutes", "minutes"), ("_rate", "rate"),
    ("visitors_count", "visitor-days"), ("page_views_count", "page views"), ("_count", "count"),
)  # fmt: skip
_ADDED = {
    STATUS: ("状态", "Status", "reported, suppressed (withheld to protect people), missing, or not_applicable."),
    ROWS: ("行数", "Rows", "Rows of the group."),
    MISSING_ROWS: ("缺失行数", "Rows without a count", "Rows of the group whose count is missing; not in the totals."),
}


@dataclass(frozen=True)
class Resource:
    """One written table: the same rows as CSV and as Parquet.

    Attributes:
        columns: name and DuckDB type, in order.
        described: column → (title_zh, title_en, description).
        primary_key: the columns that make a row unique; empty when they are not all public.
        files: format (``csv``, ``parquet``) → (path in the package, SHA-256, bytes).
    """

    name: str
    table: PublicTable
    is_total: bool
    title_zh: str
    title_en: str
    description: str
    columns: tuple[tuple[str, str], ...]
    described: dict[str, tuple[str, str, str]]
    primary_key: tuple[str, ...]
    rows_count: int
    files: dict[str, tuple[str, str, int]]


def data_package(
    listed: OpenData, version: PublishedVersion, anchor: str | None, rule: SuppressionRule, resources: list[Resource]
) -> str:
    """The text of ``datapackage.json``: the same for the same version."""
    content = {
        "profile": "data-package",
        "name": "oneledger-open-data",
        "id": f"oneledger:{version.version}",
        "title": "一本账开放数据 OneLedger open data",
        "title_zh": "一本账开放数据",
        "title_en": "OneLedger open data",
        "description": (
            f"数字政府应用绩效开放数据，数据截至{version.as_of_on}。 Open data on the performance of a city's "
            f"digital-government applications, as of {version.as_of_on}. Column status explains empty cells: "
            "suppressed is not missing, and neither is 0."
        ),
        "version": version.version,
        "created": version.manifest["created_at"],
        "licenses": [listed.licence.model_dump()],
        "contributors": [
            {"title": f"{listed.publisher.title_zh} {listed.publisher.title_en}", "role": "publisher"},
        ],
        "sources": [{"title": f"OneLedger published version {version.version}"}],
        "keywords": ["digital government", "performance", "数字政府", "绩效"],
        "oneledger": {
            "version": version.version,
            "as_of_on": str(version.as_of_on),
            "content_hash": version.content_hash,
            "anchor": anchor,
            "suppression": {
                "minimum_count": rule.minimum_count,
                "effective_from": str(rule.effective_from),
                "source": rule.source,
            },
        },
        "resources": [
            entry for one in resources for entry in (_resource(one, "csv", listed), _resource(one, "parquet", listed))
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _resource(one: Resource, file_format: str, listed: OpenData) -> dict[str, Any]:
    path, sha256, size = one.files[file_format]
    is_csv = file_format == "csv"
    return {
        "name": one.name if is_csv else f"{one.name}-parquet",
        "profile": "tabular-data-resource" if is_csv else "data-resource",
        "path": path,
        "format": file_format,
        "mediatype": "text/csv" if is_csv else "application/vnd.apache.parquet",
        **(
            {
                "encoding": "utf-8",
                "dialect": {"delimiter": ",", "lineTerminator": "\n", "quoteChar": '"', "doubleQuote": True},
                "formulas": {"zh": RULE_ZH, "en": RULE_EN},
            }
            if is_csv
            else {}
        ),
        "title": f"{one.title_zh} {one.title_en}",
        "title_zh": one.title_zh,
        "title_en": one.title_en,
        "description": one.description,
        "hash": f"sha256:{sha256}",
        "bytes": size,
        "rows_count": one.rows_count,
        "licenses": [listed.licence.model_dump()],
        "sources": [{"title": one.table.table}],
        "public_because": {
            "why": one.table.why,
            "decided_by": one.table.decided_by,
            "reviewed_on": str(one.table.reviewed_on),
            "since": str(one.table.since),
        },
        "schema": {
            "fields": [_field(one, name, kind) for name, kind in one.columns],
            **({"primaryKey": list(one.primary_key)} if one.primary_key else {}),
            "missingValues": [""],
        },
    }


def _field(one: Resource, name: str, kind: str) -> dict[str, Any]:
    title_zh, title_en, description = _ADDED.get(name) or one.described.get(name, (name, name, ""))
    unit = next((unit for ending, unit in _UNITS if name.endswith(ending)), None)
    constraints: dict[str, Any] = {}
    if name in one.primary_key:
        constraints["required"] = True
    if name == STATUS:
        constraints |= {"required": True, "enum": list(TOTAL_STATUSES if one.is_total else STATUSES)}
        if one.is_total:
            description = "reported, partial (rows are missing), suppressed (withheld to protect people), or missing."
    return {
        "name": name,
        "type": _frictionless(kind),
        **({"format": "default"} if _frictionless(kind) in ("date", "datetime") else {}),
        "title": f"{title_zh} {title_en}",
        "title_zh": title_zh,
        "title_en": title_en,
        "description": description,
        **({"unit": unit} if unit else {}),
        **({"constraints": constraints} if constraints else {}),
    }


def _frictionless(kind: str) -> str:
    if kind.endswith("INT") or kind == "INTEGER":
        return "integer"
    return "number" if kind.startswith("DECIMAL") else _TYPES.get(kind, "string")
