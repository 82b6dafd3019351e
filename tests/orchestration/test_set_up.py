"""Set-up on machines that are configured in different ways."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "set_up.py"


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, on a machine whose pip has no configuration but what a test gives it."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_", "SSL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    specification = importlib.util.spec_from_file_location("set_up", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "set_up", module)  # where its dataclasses look for their own names
    specification.loader.exec_module(module)
    return module


def test_pips_registries_reach_uv_which_does_not_read_pips_configuration(
    set_up: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url = https://two.example/simple https://three.example/simple\n"
        "index-url = https://file.example/simple\nfind-links = /srv/wheels\n"
    )
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    settings = set_up._registry_settings()
    assert settings["UV_DEFAULT_INDEX"] == "https://variable.example/simple"
    assert settings["UV_INDEX"] == "https://two.example/simple https://three.example/simple"
    assert settings["UV_FIND_LINKS"] == "/srv/wheels"


def test_what_the_user_set_for_uv_is_left_alone(set_up: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert "UV_DEFAULT_INDEX" not in set_up._registry_settings()


def test_a_machine_without_configuration_gets_no_registry_from_us(
    set_up: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # for pip this also switches the system's file off
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"} & set(set_up._registry_settings())


def test_an_environment_that_was_made_elsewhere_is_made_anew(set_up: ModuleType, tmp_path: Path) -> None:
    made = tmp_path / "made" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    assert set_up._is_usable(_environment(set_up, made))
    moved = made.rename(tmp_path / ".venv")
    assert not set_up._is_usable(_environment(set_up, moved))


def _environment(set_up: ModuleType, folder: Path) -> object:
    return set_up.Environment(folder, set_up.ROOT / "requirements.lock", True)


@pytest.mark.parametrize("name", ["nothing_of_that_name", "../requirements"])
def test_an_environment_that_has_no_lock_is_refused_with_the_names_of_those_that_have(name: str) -> None:
    answer = subprocess.run([sys.executable, SCRIPT, name], capture_output=True, text=True)
    assert answer.returncode == 2
    assert f"there is no environments/{name}.lock" in answer.stderr


LOCKS = [SCRIPT.parents[1] / "requirements.lock", *sorted((SCRIPT.parents[1] / "environments").glob("*.lock"))]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_lock_has_hashes_and_names_no_registry(lock: Path) -> None:
    text = lock.read_text()
    assert text.count("--hash=sha256:") > text.count("==")
    assert "://" not in text
    assert "--index-url" not in text


def test_packages_and_our_own_code_are_compiled_so_that_no_command_compiles_them_at_each_start() -> None:
    for module in ("sqlglot", "duckdb", "typer", "oneledger.lineage.tracing"):
        specification = importlib.util.find_spec(module)
        assert specification is not None and specification.cached is not None
        assert Path(specification.cached).is_file(), f"{module}: `make setup` compiles it"
