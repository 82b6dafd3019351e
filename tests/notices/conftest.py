"""Airflow, where a test imports it, finds a home of its own."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="oneledger-airflow-"))
