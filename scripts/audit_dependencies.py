"""Are there known vulnerabilities in what we install? ``make audit``: asks an advisory service about every lock.

Exit 0: a service was reached and knows of none (but for those in ``environments/accepted_advisories.txt``). 1: it knows
of some; they are listed. 2: no service could be reached, or the one that answered knows nothing: then nothing was
found out, and nothing is claimed.

A service is believed only after it named the vulnerabilities of a release that is known to have some: a mirror of the
package index answers every question about advisories with "unknown", and silence is not a clean bill of health.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / ".venvs" / "audit" / "bin" / "pip-audit"
ACCEPTED = ROOT / "environments" / "accepted_advisories.txt"
SERVICES = ("pypi", "osv")
# CVE-2016-10745 and others; every advisory database has them.
KNOWN_TO_BE_VULNERABLE = "jinja2==2.4.1"


def main() -> int:
    locks = [ROOT / "requirements.lock", *sorted((ROOT / "environments").glob("*.lock"))]
    tried = []
    for service in SERVICES:
        why = why_not_believed(service)
        if why is None:
            return ask(service, locks)
        tried.append(f"  {service}: {why}")
    print(
        "audit: no advisory service could be asked, so it is not known whether the locked packages have known "
        "vulnerabilities.\n" + "\n".join(tried) + "\n"
        "Run `make audit` where one can be reached (the package index's own JSON interface, or the OSV database), "
        "or send the bill of materials (`make sbom`) to whoever has one.",
        file=sys.stderr,
    )
    return 2


def why_not_believed(service: str) -> str | None:
    """Why a service cannot be asked; None when it named the vulnerabilities of the release that has some."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{KNOWN_TO_BE_VULNERABLE}\n", encoding="utf-8")
        done = run(service, probe, "--no-deps")
    if not done.stdout.strip():
        return last_line(done.stderr) or "it did not answer"
    try:
        found = vulnerabilities(json.loads(done.stdout))
    except ValueError:
        return "its answer could not be read"
    return None if found else f"it knows of no vulnerability of {KNOWN_TO_BE_VULNERABLE}, which has some"


def ask(service: str, locks: list[Path]) -> int:
    accepted = accepted_advisories(ACCEPTED.read_text(encoding="utf-8") if ACCEPTED.exists() else "")
    open_ones = 0
    for lock in locks:
        done = run(service, lock, "--require-hashes")
        if not done.stdout.strip():
            print(f"audit: {lock.relative_to(ROOT)} could not be checked: {last_line(done.stderr)}", file=sys.stderr)
            return 2
        found = vulnerabilities(json.loads(done.stdout))
        for package, version, advisory, fixed in found:
            reason = accepted.get(advisory)
            open_ones += reason is None
            said = f"accepted: {reason}" if reason else f"fixed in {', '.join(fixed) or 'no release yet'}"
            print(f"{lock.relative_to(ROOT)}: {package} {version}: {advisory}, {said}")
        print(f"{lock.relative_to(ROOT)}: {len(found)} known vulnerabilities ({service})")
    return 1 if open_ones else 0


def run(service: str, requirements: Path, *more: str) -> subprocess.CompletedProcess[str]:
    # --strict: a package of which the service has never heard is an error, not a clean one.
    command = [str(TOOL), "--vulnerability-service", service, "--strict", "--disable-pip", "--progress-spinner", "off",
               "--timeout", "15", "--format", "json", "--requirement", str(requirements), *more]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)


def vulnerabilities(report: dict[str, list[dict[str, object]]]) -> list[tuple[str, str, str, list[str]]]:
    """Package, version, advisory and the releases that mend it, from the report of pip-audit."""
    return [
        (str(one["name"]), str(one["version"]), str(known["id"]), list(known.get("fix_versions") or []))
        for one in report["dependencies"]
        for known in one.get("vulns") or []  # type: ignore[attr-defined]
    ]


def accepted_advisories(text: str) -> dict[str, str]:
    """Advisory → why it is accepted, from lines ``ID until YYYY-MM-DD: reason``; empty lines and # are passed over."""
    accepted = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            advisory, _, reason = line.partition(" ")
            if not reason.strip():
                raise SystemExit(f"audit: {ACCEPTED.name}: {line!r} says no reason; write ID until YYYY-MM-DD: reason.")
            accepted[advisory] = reason.strip()
    return accepted


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
