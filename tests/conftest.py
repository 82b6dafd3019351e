"""Which tests share a worker: those of one file, and those of a folder whose fixture is dear; no test is timed."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# The reference city is built and loaded once, not once a file.
SHARED_FOLDERS = ("tests/end_to_end",)
# What takes minutes begins first, so that no worker is alone with it at the end.
BEGIN_FIRST = (
    "tests/end_to_end/",
    "tests/faults/test_matrix.py",
    "tests/orchestration/test_nightly_run.py",
    "tests/browser/",
    "tests/warehouse/test_marts_properties.py",
)


class ByFileOrFolder(LoadScopeScheduling):
    """One worker does all tests of a file; of a folder whose fixtures are shared, all of the folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        folder = file.parent.as_posix()
        return folder if folder in SHARED_FOLDERS else file.as_posix()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, one in enumerate(BEGIN_FIRST) if item.nodeid.startswith(one)), len(BEGIN_FIRST))

    items.sort(key=place)  # stable: the others stay in their order


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrFolder:
    config.option.loadscopereorder = False  # it puts the files with the fewest tests last, and these are the long ones
    return ByFileOrFolder(config, log)
