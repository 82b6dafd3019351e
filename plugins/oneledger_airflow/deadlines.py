"""What happens when a deadline is missed: it is written down where `oneledger status` and people look."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Any

log = logging.getLogger(__name__)


async def report_missed_deadline(what: str, minutes: int, context: dict[str, Any] | None = None) -> str:
    """Runs in Airflow's triggerer. Appends one line to ``logs/missed_deadlines.jsonl`` and logs an error.

    Returns the sentence that was written.
    """
    from oneledger.settings import load_settings

    run = (context or {}).get("dag_run") or {}
    sentence = (
        f"{what}: {run.get('dag_id', '?')} run {run.get('dag_run_id', '?')} has not ended within {minutes} minutes "
        f"(state {run.get('state', '?')}). Look at its tasks in Airflow, or type: oneledger status"
    )
    log.error("deadline missed: %s", sentence)
    path = load_settings().logs_dir / "missed_deadlines.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"noticed_at": dt.datetime.now(dt.UTC).isoformat(), "dag_id": run.get("dag_id"), "message": sentence}
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    return sentence
