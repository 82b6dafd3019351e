"""What answers look like, for the description of the API (and checked against it by the tests)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# A value of a row: dates and instants in ISO (instants in UTC), integers beyond 2^53 as text, null for missing.
Value = str | int | float | bool | None
Row = dict[str, Any]


class Provenance(BaseModel):
    """Which published version an answer is of; with the anchor anybody can check it (docs/audit.md)."""

    version: str = Field(examples=["20221101T020000.000Z-0a1b2c3d"])
    content_hash: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the version's data.")
    as_of_on: dt.date | None = Field(description="Business date up to which the data go.", examples=["2022-10-31"])
    anchor: str | None = Field(description="Anchor of the version's seal; null while it is not sealed.")
    links: dict[str, str] = Field(description="self, next, prev, first, and where to read on.")


class Problem(BaseModel):
    """An error, RFC 9457; in both languages."""

    model_config = ConfigDict(json_schema_extra={"description": "An error (RFC 9457), in Chinese and English."})
    type: str = "about:blank"
    title: str
    title_zh: str
    status: int
    detail: str
    errors: list[ParameterProblem] | None = None


class ParameterProblem(BaseModel):
    """A parameter that cannot be used."""

    parameter: str
    given: str
    expected: str


class Rows(Provenance):
    """A page of rows."""

    relation: str = Field(examples=["marts.app_usage_month"])
    title_zh: str
    title_en: str
    columns: list[str]
    total: int = Field(description="Rows of the whole answer, not of this page.")
    limit: int
    page: int | None = Field(description="Null when paging by cursor.")
    items: list[dict[str, Value]]


class Index(Provenance):
    """Where to begin."""

    title_zh: str
    title_en: str
    items: list[IndexItem]


class IndexItem(BaseModel):
    """One address."""

    path: str
    title_zh: str
    title_en: str


class VersionItem(BaseModel):
    """A published version, or one that retention removed."""

    version: str
    created_at: str
    as_of_on: dt.date | None
    content_hash: str
    anchor: str | None
    is_current: bool
    removed_at: str | None
    tables_count: int
    rows_count: int


class Versions(Provenance):
    """Versions, newest first."""

    items: list[VersionItem]


class VersionDetail(Provenance):
    """One version with its tables and the months of its facts."""

    item: VersionItem
    run_id: str
    previous_version: str | None
    code_version: str | None
    rules_hash: str | None
    removed: Row | None
    tables: list[TableContent]
    facts: list[FactMonth]


class TableContent(BaseModel):
    """A table of a version with the hash of its rows."""

    name: str
    rows_count: int
    content_hash: str


class FactMonth(BaseModel):
    """A month of a daily fact."""

    fact: str
    month: str
    rows_count: int
    size_bytes: int
    sha256: str
    content_hash: str


class TableItem(BaseModel):
    """A table that may be read."""

    name: str
    kind: Literal["mart", "rule", "fact", "view"]
    title_zh: str
    title_en: str
    grain: str
    owner: str
    rows_count: int | None
    key: list[str]


class Tables(Provenance):
    """Every table of the version."""

    items: list[TableItem]


class ColumnItem(BaseModel):
    """A column."""

    name: str
    type: str = Field(description="As DuckDB names it.")
    title_zh: str
    title_en: str
    description: str
    unit_zh: str | None
    unit_en: str | None
    is_key: bool
    operators: list[str] = Field(description="How it may be filtered: column__operator=value.")


class Columns(Provenance):
    """A table and its columns."""

    name: str
    kind: Literal["mart", "rule", "fact", "view"]
    title_zh: str
    title_en: str
    description: str
    grain: str
    owner: str
    key: list[str]
    items: list[ColumnItem]


class App(Provenance):
    """One app: what it is, its stars, points and use."""

    app: dict[str, Value]
    stars: list[dict[str, Value]] = Field(description="evaluation.app_stars, newest period first.")
    points: list[dict[str, Value]] = Field(description="evaluation.indicator_points of the newest period.")
    disposition: list[dict[str, Value]] = Field(description="evaluation.disposition of the newest period.")
    usage: list[dict[str, Value]] = Field(description="marts.app_usage_month, newest month first.")


class Runs(Provenance):
    """Runs of the nightly, newest first."""

    total: int
    limit: int
    page: int
    items: list[Row]


class Status(Provenance):
    """The state of the installation; ok is false when something is wrong."""

    ok: bool
    last_run: Row | None
    is_writing: bool = Field(description="A nightly writes right now.")
    items: list[Row]


class Trace(Provenance):
    """A published thing followed back to the landed lines (docs/lineage.md)."""

    ok: bool
    subject: Row
    published: Row
    verdict: Row
    steps: list[Row]
    rules: list[Row]
    landed: list[Row]
    notes: list[Row]
    problems: list[str]


class ColumnLineage(Provenance):
    """A column back to its sources, and what depends on it."""

    column: Row
    tree: Row
    leaves: list[Row]
    uses: Row | None


class Metrics(Provenance):
    """Metrics by name."""

    items: list[Row]


class MetricValues(Provenance):
    """Values of a metric; the state of each value stands in ``<metric>_state`` (docs/metrics.md)."""

    metric: Row
    dimensions: list[Row]
    columns: list[Row]
    items: list[Row]
    sql: str = Field(description="Gives the values again with `oneledger query` or any DuckDB client.")
    parameters: Row


class QuarantinedRows(Provenance):
    """Rows that were kept out, as they were received (personal numbers masked)."""

    total: int
    limit: int
    page: int
    items: list[Row]
