"""docs/trace.md names everything that a person can ask of ``oneledger trace``."""

from __future__ import annotations

import inspect

import pytest

from oneledger.cli import trace as command
from oneledger.lineage.tracing import WIDTHS
from oneledger.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "trace.md").read_text(encoding="utf-8")
_NAMES = {"from_file": "from", "all_lines": "all", "as_json": "json", "as_of": "as-of"}


@pytest.mark.parametrize("option", sorted(set(inspect.signature(command.trace).parameters) - {"what"}))
def test_every_option_is_explained(option: str) -> None:
    assert f"--{_NAMES.get(option, option)}" in PAGE


def test_every_width_of_a_step_is_explained() -> None:
    assert [one for one in WIDTHS if f"`{one}`" not in PAGE] == []
