"""The reference city, written once, served by a real process, carried through the real nightly once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

LAST_DAY = "2022-10-31"


@dataclass
class Installation:
    """One ONELEDGER_HOME with a city in it; commands run as a person would type them."""

    home: Path

    def oneledger(
        self, *arguments: str, expected_code: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("oneledger")), *arguments],
            env={**os.environ, "ONELEDGER_HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if expected_code is not None and done.returncode != expected_code:
            raise AssertionError(
                f"oneledger {' '.join(arguments)} ended with {done.returncode}, expected {expected_code}\n"
                f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            )
        return done

    def json(self, *arguments: str, expected_code: int | None = 0) -> Any:
        return json.loads(self.oneledger(*arguments, "--json", expected_code=expected_code).stdout)

    def run(self, as_of: str = LAST_DAY, expected_code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """One nightly as of a day, with the city's API served as of that day."""
        with self.served(as_of) as connections:
            return self.oneledger("run", expected_code=expected_code, ONELEDGER_AS_OF=as_of, **connections)

    @contextmanager
    def served(self, as_of: str = LAST_DAY) -> Iterator[dict[str, str]]:
        path = self.home / "city" / "connections.env"
        stamp = path.stat().st_mtime_ns
        with subprocess.Popen(
            [str(Path(sys.executable).with_name("oneledger")), "city", "serve", "--as-of", as_of],
            env={**os.environ, "ONELEDGER_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                deadline = time.monotonic() + 60
                while path.stat().st_mtime_ns == stamp:
                    assert server.poll() is None, server.stderr.read() if server.stderr else ""
                    assert time.monotonic() < deadline, "oneledger city serve did not write its address in 60 s"
                    time.sleep(0.1)
                text = path.read_text("utf-8")
                yield dict(re.findall(r"^(?:export )?(\w+)='?([^'\n]*)'?$", text, re.MULTILINE))
            finally:
                server.terminate()

    @contextmanager
    def marts(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published marts. Attached under another name: opened directly, the file `marts` and its schema `marts`
        would be one ambiguous word to DuckDB."""
        with duckdb.connect() as con:
            con.execute(f"attach '{self.home / 'published/current/marts.duckdb'}' as published (read_only)")
            con.execute("use published")
            yield con

    def content_hash(self) -> str:
        manifest = self.home / "published" / "current" / "manifest.json"
        return str(json.loads(manifest.read_text("utf-8"))["content_hash"])


@pytest.fixture(scope="session")
def reference_city(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The reference city after one nightly; tests that change anything take a copy (``changed_city``)."""
    installation = Installation(tmp_path_factory.mktemp("reference"))
    installation.oneledger("city", "build", "--to", LAST_DAY)
    installation.run()
    return installation


@pytest.fixture
def changed_city(reference_city: Installation, tmp_path: Path) -> Installation:
    """A copy of the reference city and everything loaded from it, to spoil."""
    home = tmp_path / "home"
    shutil.copytree(reference_city.home, home, symlinks=True)
    for name in ("connections.env", "city.json"):
        path = home / "city" / name
        path.write_text(path.read_text("utf-8").replace(str(reference_city.home), str(home)), encoding="utf-8")
    return Installation(home)
