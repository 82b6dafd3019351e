"""What the product is made of: a CycloneDX bill of materials of requirements.lock, ``make sbom``.

The same lock and environment give the same bytes: no time, no serial number, everything sorted. Names and versions are
those of the lock, checked against what is installed; licences come from the installed packages' own metadata, hashes
from the lock.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / ".venvs" / "audit" / "bin" / "cyclonedx-py"
LOCK = ROOT / "requirements.lock"
SPECIFICATION = "1.6"
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main(target: Path) -> int:
    locked = locked_packages(LOCK.read_text(encoding="utf-8"))
    command = [str(TOOL), "environment", "--output-reproducible", "--spec-version", SPECIFICATION,
               "--output-format", "JSON", "--pyproject", str(ROOT / "pyproject.toml"),
               "--mc-type", "application", str(ROOT / ".venv" / "bin" / "python")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"sbom: {done.stderr.strip()[-2000:]}", file=sys.stderr)
        return done.returncode
    try:
        bill = bill_of(json.loads(done.stdout), locked, hashlib.sha256(LOCK.read_bytes()).hexdigest())
    except LookupError as error:
        print(f"sbom: {error}. Run `make setup` and try again.", file=sys.stderr)
        return 2
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    licensed = sum(1 for one in bill["components"] if one.get("licenses"))
    print(f"{target}: {len(bill['components'])} packages, {licensed} with a licence, CycloneDX {SPECIFICATION}")
    return 0


def locked_packages(lock: str) -> dict[str, tuple[str, list[str]]]:
    """Normalised name → version and SHA-256 hashes of its files."""
    packages: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in lock.splitlines():
        if entry := _ENTRY.match(line):
            name = normalised(entry[1])
            packages[name] = (entry[2], [])
        if name:
            packages[name][1].extend(_HASH.findall(line))
    return packages


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bill_of(found: dict[str, Any], locked: dict[str, tuple[str, list[str]]], lock_sha256: str) -> dict[str, Any]:
    """The bill of what is in the lock; what the virtual environment brings itself (pip, setuptools) is no part of it.

    Raises:
        LookupError: a locked package is not installed, or in another version.
    """
    installed = {normalised(one["name"]): one for one in found["components"]}
    components = []
    for name, (version, hashes) in sorted(locked.items()):
        component = installed.get(name)
        if component is None or component.get("version") != version:
            there = component.get("version") if component else "nothing"
            raise LookupError(f"the lock has {name} {version}, installed is {there}")
        component["hashes"] = [{"alg": "SHA-256", "content": one} for one in sorted(hashes)]
        # Where a package lies on this machine, and where it came from, is nobody's business.
        component.pop("properties", None)
        component["externalReferences"] = sorted(
            (one for one in component.get("externalReferences", []) if one.get("type") != "distribution"),
            key=lambda one: (one["type"], one["url"]),
        )
        components.append(component)
    kept = {one["bom-ref"] for one in components} | {found["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {"ref": one["ref"], "dependsOn": sorted(ref for ref in one.get("dependsOn", []) if ref in kept)}
        for one in found.get("dependencies", [])
        if one["ref"] in kept
    ]
    metadata = {"component": found["metadata"]["component"], "tools": found["metadata"].get("tools", {}),
                "properties": [{"name": "oneledger:requirements.lock:sha256", "value": lock_sha256}]}  # fmt: skip
    return {
        **{name: value for name, value in found.items() if name not in ("serialNumber", "properties")},
        "metadata": metadata,
        "components": components,
        "dependencies": sorted(dependencies, key=lambda one: one["ref"]),
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "var/sbom.cdx.json")))
