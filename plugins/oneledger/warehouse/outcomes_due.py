"""Outcomes that commit together with what they tell of; their files are written after the commit.

A process killed between commit and file leaves the outcome due; the next admission writes it. So nothing is admitted,
and no version put in place, without a record.
"""

from __future__ import annotations

import datetime as dt
import json

import duckdb

from oneledger.outcomes import Outcome, is_recorded, record_outcome
from oneledger.settings import Settings
from oneledger.warehouse.control import OUTCOME_COLUMNS


def note_outcomes_due(connection: duckdb.DuckDBPyConnection, outcomes: list[Outcome]) -> None:
    """Put the outcomes into ``control.outcome_due``, in the caller's transaction."""
    if not outcomes:
        return
    structure = json.dumps([{name: kind.upper() for name, kind in OUTCOME_COLUMNS.items()}])
    connection.execute(
        f"insert into control.outcome_due select {', '.join(f'record.{name}' for name in OUTCOME_COLUMNS)} "
        f"from (select unnest(from_json(?, '{structure}')) as record)",
        [json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=False)],
    )


def write_outcomes_due(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[Outcome]:
    """Write the files of the outcomes that are due, then forget that they are; returns them in their order.

    One whose file is there already stays as it was written: only forgetting it was left to do.
    """
    cursor = connection.execute(f"select {', '.join(OUTCOME_COLUMNS)} from control.outcome_due order by outcome_id")
    outcomes = []
    for row in cursor.fetchall():
        record = dict(zip(OUTCOME_COLUMNS, row, strict=True))
        record["detail"] = json.loads(record["detail"])
        for instant in ("started_at", "ended_at"):
            record[instant] = record[instant].replace(tzinfo=dt.UTC) if record[instant] else None
        outcome = Outcome(**record)
        if not is_recorded(outcome, settings.outcomes_dir):
            record_outcome(outcome, settings.outcomes_dir)
        outcomes.append(outcome)
    if outcomes:
        connection.execute("delete from control.outcome_due")
    return outcomes
