"""Two databases of this installation that spill at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SPILL = """
import sys, duckdb
from pathlib import Path
from oneledger.settings import Settings
from oneledger.warehouse.connection import duckdb_config
settings = Settings(home=Path(sys.argv[1]), memory_limit="40MB", threads=1)
salt = int(sys.argv[2])
with duckdb.connect(":memory:", config=duckdb_config(settings)) as connection:
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"create table t as select i, md5((i * {salt})::varchar) as h from range(700000) as r(i)")
    wrong = connection.execute(
        f"select count(*), count(*) filter (h <> md5((i * {salt})::varchar)) from (from t order by h limit 600000)"
    ).fetchone()
    print(*wrong)
"""


def test_two_databases_that_spill_at_once_do_not_touch_each_others_blocks(tmp_path: Path) -> None:
    """In one folder DuckDB 1.5 crashes or mixes them: its files have the same names in each process."""
    both = [
        subprocess.Popen([sys.executable, "-c", SPILL, str(tmp_path), salt], stdout=subprocess.PIPE, text=True)
        for salt in ("1", "7")
    ]
    assert [(one.communicate(timeout=300)[0].split(), one.returncode) for one in both] == [(["600000", "0"], 0)] * 2
