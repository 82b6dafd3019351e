"""docs/audit.md names everything that a person can ask of ``oneledger verify`` and everything that it answers."""

from __future__ import annotations

import inspect

import pytest

from oneledger.audit import signing
from oneledger.audit.verifying import AREAS
from oneledger.cli import verify as command
from oneledger.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", sorted(set(inspect.signature(command.verify).parameters) - {"area", "limit"}))
def test_every_option_is_explained(option: str) -> None:
    assert f"--{option.removeprefix('as_').replace('_', '-')}" in PAGE


def test_every_area_state_and_variable_is_named() -> None:
    named = {*AREAS, *command._STATES.keys() - {"kept"}, signing.SIGNING_KEY, signing.PUBLIC_KEY}
    assert [one for one in sorted(named) if one not in PAGE] == []
