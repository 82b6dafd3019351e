"""PostgreSQL and Redis of this machine: found, installed from the distribution's packages when asked, and prepared."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from oneledger.settings import ConfigurationError

# Program by package. Debian keeps PostgreSQL's server off the PATH.
PACKAGES = {"postgres": "postgresql", "redis-server": "redis-server"}
_POSTGRES_HOMES = Path("/usr/lib/postgresql")
_POSTGRES_USER = "postgres"


def find(program: str) -> str | None:
    """The path of a program of PostgreSQL or Redis; of several versions of PostgreSQL the newest."""
    homes = [path for path in _POSTGRES_HOMES.glob("*/bin") if path.parent.name.isdigit()]
    for folder in sorted(homes, key=lambda path: int(path.parent.name), reverse=True):
        if os.access(folder / program, os.X_OK):
            return str(folder / program)
    return shutil.which(program)


def needed(program: str) -> str:
    """Like ``find``.

    Raises:
        ConfigurationError: it is not on this machine.
    """
    found = find(program)
    if found is None:
        raise ConfigurationError(
            f"{program} is not on this machine. Type: python -m oneledger_airflow.cluster install "
            f"(Debian's packages {' and '.join(PACKAGES.values())}), or install it and put it on the PATH."
        )
    return found


def install() -> list[str]:
    """Install what is missing from the distribution's packages; returns the packages. Starts no service of its own.

    Raises:
        ConfigurationError: there is no apt-get, no right to use it, or it failed.
    """
    missing = [package for program, package in PACKAGES.items() if find(program) is None]
    if not missing:
        return []
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    remedy = f"Install {' and '.join(missing)} by your system's means, then type the command again."
    if not shutil.which("apt-get") or (as_root and not shutil.which("sudo")):
        raise ConfigurationError(f"{', '.join(missing)}: there is no apt-get here, or no right to use it. {remedy}")
    # At runlevel 1 a package's own service is not started: the cluster starts its own under ONELEDGER_HOME.
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    install_them = [*as_root, *quiet, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    for command in (install_them, [*as_root, "apt-get", "update", "--quiet"], install_them):
        done = subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False)
        if command is install_them and done.returncode == 0:
            return missing
    raise ConfigurationError(f"apt-get could not install {', '.join(missing)}; what it said is above. {remedy}")


def as_postgres(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; then it runs as its own user, who may still pass our private folders."""
    if os.geteuid() != 0:
        return command
    drop = ["setpriv", f"--reuid={_POSTGRES_USER}", f"--regid={_POSTGRES_USER}", "--clear-groups"]
    keep_passage = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [*drop, *keep_passage, *command]


def prepare_postgres(data: Path, user: str, password_path: Path) -> None:
    """Make a PostgreSQL data directory with one user who logs in by password; nothing when there is one.

    Raises:
        ConfigurationError: initdb failed.
    """
    if (data / "PG_VERSION").exists():
        return
    partial = data.with_name(f"{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        os.chown(partial, pwd.getpwnam(_POSTGRES_USER).pw_uid, pwd.getpwnam(_POSTGRES_USER).pw_gid)
    initdb = [
        needed("initdb"), "--pgdata", str(partial), "--username", user, "--pwfile", str(password_path),
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
    ]  # fmt: skip
    done = subprocess.run(as_postgres(initdb), capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise ConfigurationError(f"initdb ended with {done.returncode} for {data}: {done.stderr.strip()[-800:]}")
    partial.rename(data)
