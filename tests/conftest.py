"""Which tests share a worker: those of one file, and those of a folder whose fixture is dear."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# The reference city is built and loaded once, not once a file.
SHARED_FOLDERS = ("tests/end_to_end",)


class ByFileOrFolder(LoadScopeScheduling):
    """One worker does all tests of a file; of a folder whose fixtures are shared, all of the folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        folder = file.parent.as_posix()
        return folder if folder in SHARED_FOLDERS else file.as_posix()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrFolder:
    return ByFileOrFolder(config, log)
