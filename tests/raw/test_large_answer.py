"""An answer of many pages is converted and checked within the memory that the setting gives, whatever its size."""

from __future__ import annotations

import datetime as dt
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from oneledger.catalogue import load_catalogue
from oneledger.raw import convert
from oneledger.raw.conversion import raw_connection
from oneledger.raw.door_checks import check_rows
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.sources.received import Received, ReceivedFile

PAGES, ROWS_A_PAGE = 200, 10_000
LIMIT = "1GB"
BATCH = "irs.interface_call.20221031.r001"


def _write_pages(folder: Path) -> None:
    """About 250 MB in pages of 10,000 interface calls."""
    for page in range(PAGES):
        items = [
            {"date": "2022-10-31", "resourceId": f"R{row % 220:05d}-{page:04d}", "appId": f"A{row:06d}", "calls": row,
             "failed": row % 7, "updatedAt": f"2022-10-31T23:{page % 60:02d}:00"}
            for row in range(ROWS_A_PAGE)
        ]  # fmt: skip
        (folder / f"page-{page + 1:05d}.json").write_text(
            json.dumps({"items": items, "nextCursor": None, "total": PAGES * ROWS_A_PAGE}), "utf-8"
        )


def land(folder: Path) -> None:
    """Convert and check; print the rows and the peak of this process in MiB."""
    settings = Settings(
        home=folder / "home", memory_limit=LIMIT, threads=2, catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",)
    )
    source = load_catalogue(settings).source("irs")
    entity = source.entities["interface_call"]
    names = sorted(path.name for path in folder.glob("page-*.json"))
    target = folder / "calls.parquet"
    received = Received(
        partition="20221031", business_on=dt.date(2022, 10, 31), directory=folder,
        files=tuple(ReceivedFile(name, "", 0, name, ROWS_A_PAGE) for name in names), control_total=None,
        watermark_cap=dt.date(2022, 11, 1), since=None, tag=None, detail={},
    )  # fmt: skip
    with raw_connection(settings) as connection:
        converted = convert(connection, settings, source, entity, BATCH, folder, names, target)
        warnings = check_rows(connection, entity, received, target, None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"rows": converted.row_count, "warnings": warnings, "peak_mib": peak}))


@pytest.mark.soak
def test_two_million_calls_in_one_answer_land_within_the_memory_setting(tmp_path: Path) -> None:
    _write_pages(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.glob("page-*.json")) > 200 * 10**6
    done = subprocess.run(
        [sys.executable, "-c", f"from pathlib import Path; from tests.raw.test_large_answer import land;"
         f" land(Path({str(tmp_path)!r}))"],
        capture_output=True, text=True, cwd=PROJECT_ROOT, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])  # DuckDB may draw its progress before it
    assert told["rows"] == PAGES * ROWS_A_PAGE
    assert told["warnings"] == []
    assert told["peak_mib"] * 2**20 < 10**9
