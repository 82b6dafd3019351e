"""The dbt process that is Spark's driver: several dbt commands in one Spark session. Runs in the environment of Spark.

python -m oneledger_spark.driver '[["run-operation", "prepare_spark"], ["build", "--full-refresh"]]'
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest


def main() -> int:
    """Run the commands in order; the first that fails ends it with 1. What ``parse`` read is not read again."""
    parsed: Manifest | None = None
    for command in json.loads(sys.argv[1]):
        answer = dbtRunner(manifest=parsed).invoke(command)
        if isinstance(answer.result, Manifest):
            parsed = answer.result
        if answer.exception is not None:
            print(answer.exception, file=sys.stderr)
        if command[0] == "build":
            # An operation after it would write its own results over these.
            target = Path(os.environ["DBT_TARGET_PATH"])
            shutil.copyfile(target / "run_results.json", target / "build_results.json")
        if not answer.success:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
