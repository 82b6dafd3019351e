"""Which batches came between two runs, and which of them correct data for a stated reason."""

from __future__ import annotations

from typing import Any

import duckdb

from oneledger.publishing.versions import BATCHES_FILE
from oneledger.warehouse.evaluation_runs import EvaluationRun

_CORRECTION = ("correction_reason", "correction_reference", "correction_name")


def batches_between(connection: duckdb.DuckDBPyConnection, a: EvaluationRun, b: EvaluationRun) -> dict[str, Any]:
    """Compare the batches that two runs were computed from.

    Returns:
        ``batches``: how many are new in the second run and how many it no longer holds (replaced by a redelivery);
        ``corrections``: the new ones that came with a reason (batch_id, source, entity, business_on, reason, reference,
        name).
    """
    for name, run in (("a", a), ("b", b)):
        path = str(run.path / BATCHES_FILE).replace("'", "''")
        given = {row[0] for row in connection.execute(f"describe from read_parquet('{path}')").fetchall()}
        # Runs of versions that did not know corrections have no such columns.
        missing = "".join(f", null::varchar as {column}" for column in _CORRECTION if column not in given)
        connection.execute(f"create temp table batches_{name} as select *{missing} from read_parquet('{path}')")
    added, gone = connection.execute(
        "select (select count(*) from batches_b anti join batches_a using (batch_id)),"
        " (select count(*) from batches_a anti join batches_b using (batch_id))"
    ).fetchall()[0]
    names = ("batch_id", "source", "entity", "business_on", "reason", "reference", "name")
    rows = connection.execute(
        f"select batch_id, source, entity, business_on, {', '.join(_CORRECTION)} from batches_b"
        " anti join batches_a using (batch_id) where correction_reason is not null order by batch_id"
    ).fetchall()
    return {
        "batches": {"new_count": added, "replaced_count": gone},
        "corrections": [dict(zip(names, row, strict=True)) for row in rows],
    }
