"""Answer a question about metrics from a published version."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from oneledger.metrics.catalogue import MetricCatalogue, load_metrics, unknown
from oneledger.metrics.compiling import Question, compile_question
from oneledger.metrics.definitions import GRAINS, METRIC_TIME, Dimension, Metric
from oneledger.metrics.filters import Filter, split_grain, written_as
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings

STATES = ("reported", "partial", "missing", "not_applicable")


@dataclass(frozen=True)
class MetricColumn:
    """A column of an answer.

    Attributes:
        name: the key in each row.
        kind: ``dimension``, ``metric`` or ``state``. The state of a metric stands in ``<metric>_state``: ``reported``;
            ``partial`` when something it is made of is missing, so that the value covers less than was asked for;
            ``missing``, with a null value; ``not_applicable``, also null, when there is nothing to measure.
        unit: of metrics; null for the others.
    """

    name: str
    title_zh: str
    title_en: str
    kind: Literal["dimension", "metric", "state"]
    unit: str | None


@dataclass(frozen=True)
class MetricAnswer:
    """An answer. ``sql`` and ``parameters`` give the values again with `oneledger query` or any DuckDB client."""

    version: str
    as_of_on: dt.date | None
    columns: tuple[MetricColumn, ...]
    rows: list[dict[str, Any]]
    sql: str
    parameters: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "version": self.version, "as_of_on": self.as_of_on, "columns": [one.__dict__ for one in self.columns],
            "items": self.rows, "sql": self.sql, "parameters": self.parameters,
        }  # fmt: skip


def query_metrics(
    settings: Settings,
    version: PublishedVersion,
    *,
    metrics: Sequence[str],
    group_by: Sequence[str] = (),
    filters: Sequence[Filter] = (),
    grain: str | None = None,
    start_on: dt.date | None = None,
    end_on: dt.date | None = None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> MetricAnswer:
    """The values of metrics in a published version.

    Args:
        metrics: names of ``list_metrics``.
        group_by: names of ``list_dimensions``; ``metric_time`` is each metric's own date.
        filters: rows that count; all of them hold.
        grain: of ``metric_time``: day, week, month, quarter or year; default the finest that all metrics have.
        start_on, end_on: first and last day. They widen to whole periods of the grain, for a period that is cut in two
            would look like a small one.
        order_by: names of the answer's columns, with ``-`` before them for the largest first; then the groups in order.
        limit: at most so many rows; 1 or more.
        connection: one that ``open_version`` gave for this version, when the caller holds it; else one is opened.

    Returns:
        One row a group. Values are null, never 0, where nothing was reported.

    Raises:
        ConfigurationError: a name is unknown (the nearest are named), a value does not fit its column, or the metrics
            may not be added as asked: over a dimension of ``not_additive_over`` that is neither grouped by nor
            filtered to one value.
    """
    catalogue = load_metrics(version)
    asked = _asked(catalogue, metrics)
    known = {one.name: one for one in catalogue.dimensions_of(metrics)}
    if limit is not None and limit < 1:
        raise ConfigurationError(f"limit is {limit}: an answer has at least one row.")
    if start_on and end_on and start_on > end_on:
        raise ConfigurationError(f"The period begins on {start_on} and ends on {end_on}, before it begins.")
    groups = [_group(name, grain, known, asked) for name in dict.fromkeys(group_by)]
    if grain is not None and METRIC_TIME not in {dimension.name for dimension, _ in groups}:
        _check_grain(known[METRIC_TIME], grain, asked)
    _refuse_wrong_sums(asked, groups, filters, catalogue)
    parameters: dict[str, Any] = {}
    conditions = [_condition(one, known, asked, parameters) for one in filters]
    group_names = [name for _, name in groups]
    companions = [one.missing_in for one in asked if one.missing_in]
    question = Question(
        metrics=tuple(dict.fromkeys([*(one.name for one in asked), *companions])),
        group_by=tuple(group_names),
        conditions=tuple(conditions),
        order_by=_order(order_by, groups, asked),
        start_on=start_on,
        end_on=end_on,
        limit=limit,
    )
    sql = compile_question(catalogue, question)
    with contextlib.nullcontext(connection) if connection else open_version(settings, version) as opened:
        cursor = _run(opened, sql, parameters)
        found = [column[0] for column in cursor.description or []]
        rows = [_row(dict(zip(found, row, strict=True)), group_names, asked, groups) for row in cursor.fetchall()]
    return MetricAnswer(version.version, version.as_of_on, _columns(groups, asked), rows, sql, parameters)


def _asked(catalogue: MetricCatalogue, names: Sequence[str]) -> list[Metric]:
    if not names:
        raise ConfigurationError("No metric was named. `oneledger metrics list` shows them all.")
    return [catalogue.metric(name) for name in dict.fromkeys(names)]


def _group(name: str, grain: str | None, known: dict[str, Dimension], asked: Sequence[Metric]) -> tuple[Dimension, str]:
    """The dimension and its name as MetricFlow writes it, with the grain of time."""
    bare, own_grain = split_grain(name)
    dimension = _dimension(bare, known, asked)
    if dimension.kind != "time":
        return dimension, dimension.name
    wanted = own_grain or (grain if bare == METRIC_TIME else None) or dimension.grains[0]
    _check_grain(dimension, wanted, asked)
    return dimension, f"{dimension.name}__{wanted}"


def _dimension(name: str, known: dict[str, Dimension], asked: Sequence[Metric]) -> Dimension:
    if name not in known:
        named = ", ".join(one.name for one in asked)
        raise unknown(
            "dimension", name, known, f"`oneledger metrics show {asked[0].name}` lists what {named} can be grouped by"
        )
    return known[name]


def _check_grain(dimension: Dimension, grain: str, asked: Sequence[Metric]) -> None:
    if grain not in GRAINS:
        raise unknown("grain", grain, GRAINS, f"{dimension.name} comes by {', '.join(dimension.grains)}")
    if grain not in dimension.grains:
        named = ", ".join(one.name for one in asked)
        raise ConfigurationError(
            f"{dimension.name} of {named} is not known by {grain}; it comes by {', '.join(dimension.grains)}."
        )


def _refuse_wrong_sums(
    asked: Sequence[Metric],
    groups: Sequence[tuple[Dimension, str]],
    filters: Sequence[Filter],
    catalogue: MetricCatalogue,
) -> None:
    settled = {dimension.name for dimension, _ in groups} | {one.dimension for one in filters if one.is_one_value}
    for metric in asked:
        # A ratio of what must not be added is as wrong as the sum.
        over = dict.fromkeys(
            name
            for one in (metric, *(catalogue.metrics[part] for part in metric.inputs))
            for name in one.not_additive_over
        )
        for name in over:
            if name not in settled:
                raise ConfigurationError(
                    f"{metric.name} must not be added over {name}: {metric.description_en} Group by {name}, or filter "
                    f"it to one value."
                )


def _condition(one: Filter, known: dict[str, Dimension], asked: Sequence[Metric], parameters: dict[str, Any]) -> str:
    bare, grain = split_grain(one.dimension)
    dimension = _dimension(bare, known, asked)
    if grain is not None:
        _check_grain(dimension, grain, asked)
    names = []
    for value in one.values(dimension):
        names.append(f"value_{len(parameters) + 1}")
        parameters[names[-1]] = value
    return one.condition(written_as(dimension, grain), names)


def _order(
    order_by: Sequence[str], groups: Sequence[tuple[Dimension, str]], asked: Sequence[Metric]
) -> tuple[str, ...]:
    """As asked, then by the groups: the same question has the same rows in the same order."""
    columns = {one.name: one.name for one in asked}
    for dimension, name in groups:
        columns[name] = name
        columns.setdefault(dimension.name, name)
    ordered: dict[str, str] = {}
    for text in order_by:
        name = text.removeprefix("-")
        if name not in columns:
            raise unknown("column", name, columns, "an answer is ordered by what it holds")
        ordered.setdefault(columns[name], f"{'-' if text.startswith('-') else ''}{columns[name]}")
    for _, name in groups:
        ordered.setdefault(name, name)
    return tuple(ordered.values())


def _run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    try:
        return connection.execute(sql, parameters or None)
    except duckdb.Error as error:
        raise ConfigurationError(
            f"The version cannot answer this question: {error}. Its metrics and its tables do not fit each other; "
            "`oneledger verify` says whether it was changed."
        ) from error


def _row(
    found: dict[str, Any],
    group_names: Sequence[str],
    asked: Sequence[Metric],
    groups: Sequence[tuple[Dimension, str]],
) -> dict[str, Any]:
    row = {
        name: _day(found[name]) if dimension.kind == "time" else found[name]
        for (dimension, _), name in zip(groups, group_names, strict=True)
    }
    for metric in asked:
        value = found[metric.name]
        row[metric.name] = _number(value)
        row[f"{metric.name}_state"] = _state(value, found[metric.missing_in] if metric.missing_in else 0)
    return row


def _state(value: Any, missing_count: Any) -> str:
    if missing_count:
        return "missing" if value is None else "partial"
    return "not_applicable" if value is None else "reported"


def _number(value: Any) -> Any:
    """Money is a decimal in the marts; its sums in yuan and cents are exact as floats too."""
    return float(value) if isinstance(value, decimal.Decimal) else value


def _day(value: Any) -> Any:
    return value.date() if isinstance(value, dt.datetime) else value


def _columns(groups: Sequence[tuple[Dimension, str]], asked: Sequence[Metric]) -> tuple[MetricColumn, ...]:
    made = [MetricColumn(name, one.title_zh, one.title_en, "dimension", None) for one, name in groups]
    for metric in asked:
        made.append(MetricColumn(metric.name, metric.title_zh, metric.title_en, "metric", metric.unit))
        made.append(
            MetricColumn(f"{metric.name}_state", f"{metric.title_zh}状态", f"State of {metric.title_en}", "state", None)
        )
    return tuple(made)
