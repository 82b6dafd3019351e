"""A Chromium for the browser tests: the one on this machine, or Debian's package, installed when nobody has one.

Prints its path. Playwright's own download is not used: it comes from no package registry.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATH_VARIABLE = "ONELEDGER_CHROMIUM"


def main() -> int:
    found = find()
    if found is None:
        lock = Path(tempfile.gettempdir()) / f"oneledger-browser-{os.getuid()}.lock"
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            found = find() or install()
    if found is None:
        print(
            "set-up: there is no Chromium on the PATH, and it could not be installed (that needs apt-get and root, or "
            "sudo without a password). Install the package `chromium`, or name a Chromium or Chrome in "
            f"{PATH_VARIABLE}; then type the same make command again.",
            file=sys.stderr,
        )
        return 2
    print(found)
    return 0


def find() -> str | None:
    """The browser that is named or lies on the PATH."""
    named = os.environ.get(PATH_VARIABLE)
    if named:
        return named if os.access(named, os.X_OK) else None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> str | None:
    """Debian's package, without its recommendations."""
    if not shutil.which("apt-get") or os.environ.get(PATH_VARIABLE):
        return None
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and not shutil.which("sudo"):
        return None
    print("set-up: installing Debian's chromium for the browser tests", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install_it = [*as_root, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"]
    for command in (install_it, [*as_root, "apt-get", "update", "--quiet"], install_it):
        done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
        if command is install_it and done.returncode == 0:
            return find()
    return None


if __name__ == "__main__":
    sys.exit(main())
