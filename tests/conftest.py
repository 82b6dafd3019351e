"""Which tests share a worker: those of one file, and those of a folder whose fixture is dear."""

from __future__ import annotations

import pytest

# The reference city is built and loaded once, not once a file.
SHARED_FOLDERS = ("tests/end_to_end",)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        file = item.path.relative_to(item.config.rootpath)
        folder = file.parent.as_posix()
        group = folder if folder in SHARED_FOLDERS else file.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
