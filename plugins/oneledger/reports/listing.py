"""Which reports there are: read from the record that lies beside the files of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import list_runs

RECORD_FILE = "report.json"


def list_reports(settings: Settings) -> list[dict[str, Any]]:
    """Every report of the state directory, that of the newest period first.

    Returns:
        What ``report.json`` says (run_id, period, title_zh, title_en, is_draft, is_synthetic, confirmed_by,
        confirmed_at, version, anchor, inputs_hash …), with ``state`` (of the run now: confirmed, superseded, draft;
        None when the run is gone), ``folder``, and in each of ``files`` its ``path`` and ``is_there``.

    Raises:
        ConfigurationError: a record cannot be read.
    """
    folder = settings.reports_dir
    if not folder.is_dir():
        return []
    states = {run.run_id: run.state for run in list_runs(settings.evaluations_dir)}
    found = []
    for path in sorted(folder.iterdir()):
        record = read_record(path)
        if record is None:
            continue
        files = [
            {**one, "path": path / one["name"], "is_there": (path / one["name"]).is_file()} for one in record["files"]
        ]
        found.append({**record, "state": states.get(record["run_id"]), "folder": path, "files": files})
    return sorted(found, key=lambda one: (one["period"], one["confirmed_at"] or "", one["run_id"]), reverse=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """``report.json`` of a folder; None when it holds none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        return None
    try:
        record = dict(json.loads(path.read_bytes()))
        _ = record["run_id"], record["period"], record["inputs_hash"], record["confirmed_at"], record["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is no record of a report ({error}). Remove the folder and make the report again: oneledger "
            "report --run "
            f"{folder.name}"
        ) from error
    return record
