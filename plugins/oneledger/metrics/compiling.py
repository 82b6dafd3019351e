"""MetricFlow's own engine, in this process, makes the SQL; nothing is run here and no data is seen.

Importing it takes two seconds and reading a manifest one, so both are kept: an engine by the hash of the definitions,
a statement by the shape of the question (its values are parameters and do not count). The package ``dbt_metricflow``,
whose command line asks a package index for newer versions, is not imported.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from oneledger.metrics.catalogue import MetricCatalogue
from oneledger.settings import ConfigurationError

_STATEMENTS_KEPT = 1_000
# MetricFlow numbers what it generates in state of the process.
_lock = threading.RLock()
_statements: OrderedDict[tuple[str, Question], str] = OrderedDict()


@dataclass(frozen=True)
class Question:
    """What MetricFlow is asked: names as it writes them, conditions with ``$name`` for each value."""

    metrics: tuple[str, ...]
    group_by: tuple[str, ...]
    conditions: tuple[str, ...]
    order_by: tuple[str, ...]
    start_on: dt.date | None
    end_on: dt.date | None
    limit: int | None


def compile_question(catalogue: MetricCatalogue, question: Question) -> str:
    """The SQL of a question on the tables of the version that the catalogue comes from.

    Raises:
        ConfigurationError: MetricFlow cannot answer it.
    """
    key = (catalogue.key or catalogue.version, question)
    with _lock:
        if key in _statements:
            _statements.move_to_end(key)
            return _statements[key]
        statement = _compiled(_engine(catalogue.key or catalogue.version, catalogue.content), question)
        _statements[key] = statement
        if len(_statements) > _STATEMENTS_KEPT:
            _statements.popitem(last=False)
        return statement


def warm_up(catalogue: MetricCatalogue) -> None:
    """Import MetricFlow and read the definitions, which takes three seconds; worth doing before anybody waits."""
    with _lock:
        _engine(catalogue.key or catalogue.version, catalogue.content)


def _compiled(engine: Any, question: Question) -> str:
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest
    from metricflow_semantics.errors.error_classes import InformativeUserError

    request = MetricFlowQueryRequest.create(
        metric_names=question.metrics,
        group_by_names=question.group_by,
        where_constraints=question.conditions,
        order_by_names=question.order_by,
        time_constraint_start=_instant(question.start_on),
        time_constraint_end=_instant(question.end_on),
        limit=question.limit,
    )
    try:
        return str(engine.explain(request).sql_statement.sql)
    except InformativeUserError as error:
        raise ConfigurationError(
            f"MetricFlow cannot answer {', '.join(question.metrics)} by {', '.join(question.group_by) or 'nothing'}: "
            f"{error}"
        ) from error


def _instant(day: dt.date | None) -> dt.datetime | None:
    """MetricFlow speaks of instants without a zone."""
    return None if day is None else dt.datetime.combine(day, dt.time())


@lru_cache(maxsize=4)
def _engine(_: str, content: str) -> Any:
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    manifest = parse_manifest_from_dbt_generated_manifest(manifest_json_string=content)
    return MetricFlowEngine(semantic_manifest_lookup=SemanticManifestLookup(manifest), sql_client=_dialect())


def _dialect() -> Any:
    """What MetricFlow wants to know of a database to write SQL for it."""
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer

    class DuckDbDialect:
        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

        def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
            return f"${bind_parameter_key}"

    return DuckDbDialect()
