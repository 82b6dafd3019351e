"""Make the environment `.venv/` exactly what requirements.lock says; a second time there is nothing to do.

With a name (`set_up.py spark`) the environment `.venvs/NAME/` from `environments/NAME.lock`: for tools that stand
beside the product (a Spark cluster, a load generator …) and would not resolve, or have no place, in its own.

Runs on a bare Python 3.11 with pip: only the standard library is used here. Packages come from the
registries that pip is configured for on this machine; uv, which is much faster, does not read pip's
configuration, so it is handed over in uv's own variables. When uv cannot run, pip does the same work.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Environment:
    """A virtual environment of this checkout.

    Attributes:
        folder: where it lies.
        lock: what is installed in it: pins with hashes.
        is_ours: whether oneledger itself is linked into it.
    """

    folder: Path
    lock: Path
    is_ours: bool

    @classmethod
    def named(cls, name: str | None) -> Environment:
        if name is None:
            return cls(ROOT / ".venv", ROOT / "requirements.lock", True)
        return cls(ROOT / ".venvs" / name, ROOT / "environments" / f"{name}.lock", False)

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def uv(self) -> Path:
        """The uv that installs it: always the one of `.venv/`, or its own when this is `.venv/`."""
        return ROOT / ".venv" / "bin" / "uv"

    @property
    def stamp(self) -> Path:
        return self.folder / ".set-up"

    @property
    def inputs(self) -> tuple[Path, ...]:
        """What the result depends on."""
        return (self.lock, *((ROOT / "pyproject.toml",) if self.is_ours else ()), Path(__file__).resolve())


def main() -> int:
    if len(sys.argv) > 2 or any(name.startswith("-") for name in sys.argv[1:]):
        print(f"usage: set_up.py [{'|'.join(_known())}]", file=sys.stderr)
        return 2
    name = sys.argv[1] if len(sys.argv) == 2 else None
    if name is not None and name not in _known():
        print(f"set-up: there is no environments/{name}.lock. There are: {', '.join(_known())}.", file=sys.stderr)
        return 2
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        print(
            f"set-up: Python is {found}, needed is 3.11. Install it, or name it: make PYTHON=/path/to/python3.11 run",
            file=sys.stderr,
        )
        return 2
    wanted = Environment.named(name)
    if _is_done(wanted):
        return 0
    with wanted.lock.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds it done
        if _is_done(wanted):
            return 0
        started = time.monotonic()
        try:
            _set_up(wanted)
        except subprocess.CalledProcessError as error:
            command = " ".join(map(str, error.cmd))
            print(
                f"set-up: this command ended with {error.returncode}:\n  {command}\nIts own message is above. "
                "If a package could not be found or reached, look at `pip config list` and the PIP_* variables; "
                "then type the same make command again.",
                file=sys.stderr,
            )
            return 1
        print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _known() -> list[str]:
    return sorted(path.stem for path in (ROOT / "environments").glob("*.lock"))


def _is_done(wanted: Environment) -> bool:
    return wanted.python.exists() and wanted.stamp.exists() and wanted.stamp.read_text() == _fingerprint(wanted)


def _fingerprint(wanted: Environment) -> str:
    # The checkout's own path counts: the editable install points at it.
    digest = hashlib.sha256(str(ROOT).encode())
    for path in wanted.inputs:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _set_up(wanted: Environment) -> None:
    if not _is_usable(wanted):
        _say(1, f"making {wanted.folder.relative_to(ROOT)} with Python 3.11")
        _run(sys.executable, "-m", "venv", "--clear", wanted.folder)
    wanted.stamp.unlink(missing_ok=True)
    use_uv = _install_uv(wanted)
    if use_uv:
        _say(3, "installing the locked packages with uv")
        # Compiled as pip does: where Python may not write (PYTHONDONTWRITEBYTECODE, a read-only installation) each
        # command would compile everything that it imports again, a second or more.
        sync = ("pip", "sync", *_brief(), "--compile-bytecode", "--require-hashes", "--python", wanted.python)
        use_uv = _succeeds(wanted.uv, *sync, wanted.lock)
    if not use_uv:
        _say(3, "installing the locked packages with pip (slower; about five minutes)")
        options = ("--require-hashes", "--no-deps", "--progress-bar", "off")
        _run(wanted.python, "-m", "pip", "install", *options, "-r", wanted.lock)
    if wanted.is_ours:
        _say(4, "linking oneledger itself")
        link = ("--no-build-isolation", "--no-deps", "--editable", ROOT)
        if not (use_uv and _succeeds(wanted.uv, "pip", "install", *_brief(), "--python", wanted.python, *link)):
            _run(wanted.python, "-m", "pip", "install", "--quiet", *link)
        _run(wanted.python, "-m", "compileall", "-q", ROOT / "plugins")
    wanted.stamp.write_text(_fingerprint(wanted))


def _is_usable(wanted: Environment) -> bool:
    """Whether it runs, is 3.11, and was made here: the commands of a moved or copied one name the old place."""
    activate = wanted.folder / "bin" / "activate"
    if not wanted.python.exists() or not activate.exists() or f'"{wanted.folder}"' not in activate.read_text():
        return False
    check = "import sys, pip; print(sys.version_info[:2] == (3, 11))"
    answer = subprocess.run([wanted.python, "-c", check], capture_output=True, text=True)
    return answer.stdout.strip() == "True"


def _install_uv(wanted: Environment) -> bool:
    """Install the locked uv with pip, hashes checked. Returns whether it runs."""
    if not wanted.is_ours:
        return _succeeds(wanted.uv, "--version", quiet=True)
    lines = re.search(r"^uv==.*?(?=^\S)", wanted.lock.read_text() + "\nend", re.MULTILINE | re.DOTALL)
    if lines is None:
        return False
    version = lines[0].split()[0]
    _say(2, f"installing {version}")
    if not _succeeds(wanted.uv, "--version", quiet=True):
        requirement = wanted.folder / "uv-requirement.txt"
        requirement.write_text(lines[0])
        arguments = ("install", "--quiet", "--require-hashes", "--no-deps", "-r", requirement)
        if not _succeeds(wanted.python, "-m", "pip", *arguments):
            return False
    return _succeeds(wanted.uv, "--version", quiet=True)


def _brief() -> tuple[str, ...]:
    """On a terminal uv shows its progress bar; in a log its 250 lines of package names help nobody."""
    return () if sys.stderr.isatty() else ("--quiet",)


def _registry_settings() -> dict[str, str]:
    """pip's registries in the variables that uv reads; what the user already set for uv stays."""
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    configured: dict[str, str] = {}
    for line in answer.stdout.splitlines():
        name, _, value = line.partition("=")
        # `install.x` is more special than `global.x`, and `:env:.x` than both; pip lists files first or last.
        section, _, option = name.strip().rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section, -1)
        if rank >= int(configured.get(f"{option} rank", "-1")) and rank >= 0:
            configured[option] = str(ast.literal_eval(value))
            configured[f"{option} rank"] = str(rank)
    given = {
        "UV_DEFAULT_INDEX": configured.get("index-url"),
        "UV_INDEX": configured.get("extra-index-url"),
        "UV_FIND_LINKS": ",".join(configured["find-links"].split()) if "find-links" in configured else None,
        "UV_NO_INDEX": "1" if configured.get("no-index", "").lower() in {"1", "true", "yes", "on"} else None,
        "UV_INSECURE_HOST": configured.get("trusted-host"),
        "SSL_CERT_FILE": configured.get("cert"),
        # pip looks at every registry for every package; hashes decide what is accepted.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "180",
        # The configuration of another project around the checkout is none of ours.
        "UV_NO_CONFIG": "1",
        "UV_LINK_MODE": "copy" if not _cache_links() else None,
    }
    return {name: value for name, value in given.items() if value and name not in os.environ}


def _cache_links() -> bool:
    """Whether uv's cache and .venv lie on one file system; if not, say copy so that uv does not warn."""
    cache = Path(os.environ.get("UV_CACHE_DIR", Path.home() / ".cache" / "uv"))
    while not cache.exists() and cache != cache.parent:
        cache = cache.parent
    return cache.stat().st_dev == ROOT.stat().st_dev


def _environment() -> dict[str, str]:
    # An activated or outer environment must not redirect the installation.
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **_registry_settings()}


def _succeeds(*command: object, quiet: bool = False) -> bool:
    if not shutil.which(str(command[0])):
        return False
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run([str(part) for part in command], env=_environment(), stdout=sink, stderr=sink).returncode == 0


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], env=_environment(), check=True)


def _say(step: int, what: str) -> None:
    print(f"set-up {step}/4: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
