"""Reports of the short city's story: an evaluation was confirmed, an appeal corrected it, a second replaces it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneledger.evaluation.deciding import confirm
from oneledger.evaluation.runs import find_run
from oneledger.publishing.versions import resolve
from oneledger.reports.facts import Facts, read_facts
from oneledger.reports.making import Report, compared_run, make_report
from oneledger.settings import Settings
from tests.browser.conftest import chromium
from tests.evaluation.story import Story, told_once

__all__ = ["chromium"]


@dataclass(frozen=True)
class Reported:
    """A home in which both evaluations were confirmed, and the reports of both."""

    told: Story
    first: Report
    second: Report

    @property
    def settings(self) -> Settings:
        return self.told.settings

    def file(self, ending: str) -> Path:
        """The file of the second report with this ending: ``zh.html``, ``xlsx``."""
        return next(one.path for one in self.second.files if one.path.name.endswith(f".{ending}"))


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Story:
    """Two versions, a confirmed run and two drafts of a short city; only read it."""
    base = tmp_path_factory.getbasetemp()
    return told_once(base if worker_id == "master" else base.parent)


@pytest.fixture(scope="session")
def reported(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Do not change it."""
    told = story.copy(Path(tmp_path_factory.mktemp("reports")) / "home")
    first = make_report(told.settings, told.confirmed, formats=["html"])
    confirm(told.settings, told.corrected, name="李华", reason="申诉2022-17已核实", supersedes=told.confirmed)
    return Reported(told, first, make_report(told.settings))


@pytest.fixture(scope="session")
def facts(reported: Reported) -> Facts:
    """Those of the second report."""
    return facts_of(reported.settings, "confirmed")


@pytest.fixture
def changed(reported: Reported, tmp_path: Path) -> Callable[[], Reported]:
    """A copy to change."""

    def copy() -> Reported:
        told = reported.told.copy(tmp_path / "home")
        return Reported(told, reported.first, reported.second)

    return copy


def facts_of(settings: Settings, name: str) -> Facts:
    run = find_run(settings, name)
    return read_facts(run, resolve(settings, run.record["version"]), compared_run(settings, run))
