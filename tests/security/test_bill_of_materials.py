"""The bill of materials names what the lock names, and an audit that could not be made claims nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from oneledger.settings import PROJECT_ROOT

LOCK = PROJECT_ROOT / "requirements.lock"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROJECT_ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def component(name: str, version: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": f"{name}=={version}", "name": name, "version": version,
            "externalReferences": [{"type": "distribution", "url": "file:///somewhere/x.whl"}],
            "properties": [{"name": "path", "value": "/somewhere"}]}  # fmt: skip


def found(*components: dict[str, Any]) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "serialNumber": "urn:uuid:1", "components": list(components),
            "metadata": {"timestamp": "2026-01-01", "component": {"bom-ref": "root", "name": "oneledger"}},
            "dependencies": [{"ref": "b==2", "dependsOn": ["pip==1", "a==1"]}, {"ref": "pip==1"}]}  # fmt: skip


def test_every_line_of_the_lock_is_read_with_its_hashes() -> None:
    packages = script("bill_of_materials").locked_packages(LOCK.read_text("utf-8"))
    text = LOCK.read_text("utf-8")
    assert len(packages) == len(re.findall(r"(?m)^\S+==", text)) > 150
    assert sum(len(hashes) for _, hashes in packages.values()) == text.count("--hash=sha256:")
    assert packages["duckdb"][0] == importlib.metadata.version("duckdb")


def test_what_is_in_the_lock_is_installed_and_nothing_else_is() -> None:
    """So a bill of the environment is one of the product."""
    normalised = script("bill_of_materials").normalised
    packages = script("bill_of_materials").locked_packages(LOCK.read_text("utf-8"))
    installed = {normalised(one.metadata["Name"]): one.version for one in importlib.metadata.distributions()}
    own = {"oneledger", "pip", "setuptools"}
    assert {name: version for name, version in installed.items() if name not in own} == {
        name: version for name, (version, _) in packages.items() if name not in own
    }


def test_the_bill_is_the_same_each_time_and_says_nothing_of_the_machine() -> None:
    bill_of = script("bill_of_materials").bill_of
    locked = {"b": ("2", ["f" * 64, "0" * 64]), "a": ("1", ["1" * 64])}
    one = bill_of(found(component("b", "2"), component("a", "1"), component("pip", "1")), locked, "abc")
    other = bill_of(found(component("pip", "1"), component("a", "1"), component("b", "2")), locked, "abc")
    assert one == other
    assert [part["name"] for part in one["components"]] == ["a", "b"]
    assert one["components"][1]["hashes"][0] == {"alg": "SHA-256", "content": "0" * 64}
    assert one["dependencies"] == [{"ref": "b==2", "dependsOn": ["a==1"]}]
    assert "somewhere" not in json.dumps(one)
    assert "serialNumber" not in one
    assert "timestamp" not in one["metadata"]


@pytest.mark.parametrize("components", [[], [component("a", "2")]])
def test_a_package_that_is_not_installed_as_locked_stops_the_bill(components: list[dict[str, Any]]) -> None:
    with pytest.raises(LookupError, match="the lock has a 1, installed is"):
        script("bill_of_materials").bill_of(found(*components), {"a": ("1", [])}, "")


def answering(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> list[tuple[str, str]]:
    """Let pip-audit answer by the name of the file that it is asked about; returns who was asked about what."""
    asked: list[tuple[str, str]] = []

    def run(service: str, requirements: Path, *more: str) -> subprocess.CompletedProcess[str]:
        asked.append((service, requirements.name))
        answer = answers.get(f"{service} {requirements.name}", "")
        return subprocess.CompletedProcess([], 0, answer, "" if answer else "ERROR: not reachable")

    monkeypatch.setattr(audit, "run", run)
    return asked


def report(*advisories: str) -> str:
    vulnerabilities = [{"id": one, "fix_versions": ["9"]} for one in advisories]
    return json.dumps({"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": vulnerabilities}]})


def test_an_audit_that_can_ask_nobody_says_so_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = script("audit_dependencies")
    # The index answers, and knows of nothing; the database is not reachable.
    answering(audit, monkeypatch, {"pypi probe.txt": report()})
    assert audit.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "it is not known whether" in said.err
    assert "pypi: it knows of no vulnerability of jinja2==2.4.1, which has some" in said.err
    assert "osv: ERROR: not reachable" in said.err


def test_an_audit_lists_what_is_open_and_passes_over_what_was_accepted_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    audit = script("audit_dependencies")
    locks = [path.name for path in (PROJECT_ROOT / "environments").glob("*.lock")]
    answers = {"osv probe.txt": report("CVE-1"), "osv requirements.lock": report("CVE-1", "CVE-2"),
               **{f"osv {name}": report() for name in locks}}  # fmt: skip
    asked = answering(audit, monkeypatch, answers)
    monkeypatch.setattr(audit, "ACCEPTED", tmp_path / "accepted.txt")
    audit.ACCEPTED.write_text("# why\nCVE-1 until 2027-01-01: only templates of ours are rendered\n", "utf-8")
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert "CVE-1, accepted: until 2027-01-01: only templates of ours are rendered" in said
    assert "CVE-2, fixed in 9" in said
    assert {name for service, name in asked if service == "osv"} == {"probe.txt", "requirements.lock", *locks}
    audit.ACCEPTED.write_text("CVE-1 until 2027: a\nCVE-2 until 2027: b\n", "utf-8")
    assert audit.main() == 0


def test_an_accepted_advisory_without_a_reason_is_none() -> None:
    with pytest.raises(SystemExit, match="says no reason"):
        script("audit_dependencies").accepted_advisories("CVE-1\n")


@pytest.mark.soak
def test_make_sbom_names_exactly_the_packages_of_the_lock_twice_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for target in (first, second):
        subprocess.run(["make", "sbom", f"SBOM={target}"], cwd=PROJECT_ROOT, check=True)
    assert first.read_bytes() == second.read_bytes()
    bill = json.loads(first.read_text("utf-8"))
    packages = script("bill_of_materials").locked_packages(LOCK.read_text("utf-8"))
    normalised = script("bill_of_materials").normalised
    assert {(normalised(one["name"]), one["version"]) for one in bill["components"]} == {
        (name, version) for name, (version, _) in packages.items()
    }
    without = [one["name"] for one in bill["components"] if not one.get("licenses")]
    assert len(without) < len(packages) / 20, without
    assert sys.prefix not in first.read_text("utf-8")
