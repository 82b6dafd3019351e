"""The newest whole verification is noted for the pages that show it; one of a part is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from oneledger.audit.last_verification import keep_verification, last_verification
from oneledger.cli import verify
from oneledger.settings import Settings

ANSWER = {
    "ok": False, "anchor": "ab" * 32, "files_count": 12, "bytes_count": 3456, "seconds": 1.26,
    "items": [{"ok": True}, {"ok": False}, {"ok": True, "is_warning": True}],
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_what_the_newest_verification_found_can_be_read_again(settings: Settings) -> None:
    assert last_verification(settings) is None
    keep_verification(settings, {**ANSWER, "ok": True, "items": []})
    keep_verification(settings, ANSWER)
    found = last_verification(settings)
    assert found is not None
    assert (found.ok, found.anchor, found.files_count, found.broken_count, found.warnings_count) == (
        False, "ab" * 32, 12, 1, 1,
    )  # fmt: skip


def test_a_note_that_cannot_be_read_is_none(settings: Settings) -> None:
    keep_verification(settings, ANSWER)
    next((settings.home / "verification").iterdir()).write_text('{"ok": true}', "utf-8")
    assert last_verification(settings) is None


def test_the_verb_notes_a_whole_verification_and_not_one_of_a_part(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONELEDGER_HOME", str(settings.home))
    app = typer.Typer()
    app.callback()(lambda: None)
    verify.register(app)
    assert CliRunner().invoke(app, ["verify", "ledger", "--json"]).exit_code == 0
    assert last_verification(settings) is None
    whole = CliRunner().invoke(app, ["verify", "--json"])
    found = last_verification(settings)
    assert found is not None
    assert found.ok is (whole.exit_code == 0)
