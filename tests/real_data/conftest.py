"""Public files that nobody here made; they stay outside the repository (``ONELEDGER_REAL_DATA`` names the folder)."""

from __future__ import annotations

import os

if not os.environ.get("ONELEDGER_REAL_DATA"):
    collect_ignore_glob = ["test_*.py"]
