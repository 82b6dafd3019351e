"""The code on docs/clients.md runs as it stands, from a checkout whose ``var`` holds a published version."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from oneledger.settings import PROJECT_ROOT, Settings

PAGE = (PROJECT_ROOT / "docs" / "clients.md").read_text("utf-8")
EXAMPLES = {
    section.partition("\n")[0]: found[1]
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
    if (found := re.search(r"```python\n(.*?)```", section, re.DOTALL))
}


def test_the_page_has_an_example_for_each_python_client() -> None:
    assert list(EXAMPLES) == ["Python: DuckDB", "pandas", "polars", "SQLAlchemy"]


@pytest.mark.parametrize("client", EXAMPLES)
def test_the_example_runs(client: str, installation: Settings, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to(installation.home)
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLES[client]], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
