"""MetricFlow as dbt ships it, on the warehouse, through dbt's adapter: questions on standard input, answers as JSON.

A process of its own, for dbt keeps the warehouse's file open. Run in a copy of the dbt project that dbt has parsed.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import sys
from pathlib import Path
from typing import Any


def answers(questions: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    from dbt_metricflow.cli.cli_configuration import CLIConfiguration
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    configuration = CLIConfiguration()
    configuration.setup(Path.cwd(), Path.cwd(), configure_file_logging=False)
    given = []
    for one in questions:
        table = configuration.mf.query(
            MetricFlowQueryRequest.create(
                metric_names=one["metrics"],
                group_by_names=one["group_by"],
                where_constraints=one.get("where") or [],
                time_constraint_start=_instant(one.get("start_on")),
                time_constraint_end=_instant(one.get("end_on")),
            )
        ).result_df
        assert table is not None
        given.append([dict(zip(table.column_names, row, strict=True)) for row in table.rows])
    return given


def _instant(day: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(day) if day else None


def plain(value: Any) -> Any:
    """Numbers as floats, dates as text: what JSON can say."""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float | decimal.Decimal) else str(value)


if __name__ == "__main__":
    given = answers(json.load(sys.stdin))
    print("answers:" + json.dumps([[{key: plain(one) for key, one in row.items()} for row in rows] for rows in given]))
