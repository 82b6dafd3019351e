"""The story is told once for all test processes of this folder; whoever changes something works on a copy."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from .story import Story, tell


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Story:
    """Do not change it: ``changed_story`` is a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    told = shared / "evaluation_story.json"
    with (shared / "evaluation_story.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            made = tell(shared / "evaluation_story")
            told.write_text(json.dumps(asdict(made), default=str), "utf-8")
    known = json.loads(told.read_text("utf-8"))
    return Story(**{**known, "home": Path(known["home"])})


@pytest.fixture
def changed_story(story: Story, tmp_path: Path) -> Story:
    return story.copy(tmp_path / "home")
