"""The AIRFLOW_HOME of this installation: its secrets, and the environment in which Airflow's parts run."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oneledger.lineage.openlineage.configuration import airflow_defaults
from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow.ports import LOOPBACK

USER = "admin"
USERS_VARIABLE = "ONELEDGER_AIRFLOW_USERS"
# Roles of Airflow's simple login. A viewer reads our pages (and more when ONELEDGER_WEB_AUDITORS names them); op and
# admin decide.
ROLES = ("viewer", "user", "op", "admin")
_USER = re.compile(r"[\w.@-]{1,64}")


@dataclass(frozen=True)
class Installation:
    """Airflow under ``ONELEDGER_HOME/airflow``: nothing of it lies in the user's home, nobody else may read it."""

    settings: Settings

    @property
    def home(self) -> Path:
        return self.settings.airflow_dir

    @property
    def password_path(self) -> Path:
        return self.home / "passwords.json"

    @property
    def secrets_path(self) -> Path:
        return self.home / "secrets.json"

    @property
    def migrated_path(self) -> Path:
        """Names the database and Airflow version that the tables were last migrated for."""
        return self.home / "migrated.txt"

    @property
    def record_path(self) -> Path:
        return self.home / "processes.json"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    def prepare(self) -> None:
        """Make the directory and, once, the secrets and the password; both readable by this user only."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        if not self.secrets_path.exists():
            _write_private(
                self.secrets_path,
                {"jwt": secrets.token_urlsafe(48), "session": secrets.token_urlsafe(32), "fernet": fernet_key()},
            )
        known = json.loads(self.password_path.read_text()) if self.password_path.exists() else {}
        missing = [name for name in users_of(os.environ) if name not in known]
        if missing:
            # Airflow would generate them itself, but print them to its log and leave the file readable by all.
            self.password_path.unlink(missing_ok=True)
            _write_private(self.password_path, {**known, **{name: secrets.token_urlsafe(12) for name in missing}})

    def password(self) -> str:
        return str(json.loads(self.password_path.read_text())[USER])

    def environment(self, port: int) -> dict[str, str]:
        """The environment of every part, listening on ``port`` of the loopback address only.

        Settings of Airflow that the user gave (``AIRFLOW__…``) stay, except those that would open it to others.
        """
        keys = json.loads(self.secrets_path.read_text())
        root = self.settings.project_root
        defaults = {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            # The full name of the host may need a name server, which an intranet may not have.
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
            "AIRFLOW__API__SECRET_KEY": keys["session"],
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            # A scheduler that was killed is started anew; what ran in it is started again after half a minute to a
            # minute, not after five. Tasks outlive an API server that is started anew.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "12",
            "AIRFLOW__API__INSTANCE_NAME": "OneLedger 一本账",
            "DO_NOT_TRACK": "1",
            **airflow_defaults(self.settings, os.environ),
        }
        fixed = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in users_of(os.environ).items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_path),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://{LOOPBACK}:{port}",
            "AIRFLOW__API__EXPOSE_CONFIG": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs_dir),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "ONELEDGER_HOME": str(self.settings.home),
            "ONELEDGER_PROJECT_ROOT": str(root),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONUNBUFFERED": "1",
            # A proxy between our own processes would only break them.
            "NO_PROXY": joined(os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), LOOPBACK, "localhost"),
        }
        fixed["no_proxy"] = fixed["NO_PROXY"]
        return {**defaults, **os.environ, **fixed}


def users_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Who may log in at Airflow, with which role: ``admin``, and those of ``ONELEDGER_AIRFLOW_USERS``
    (``name:role,name:role``).

    Raises:
        ConfigurationError: an entry is no name and role.
    """
    users = {USER: "admin"}
    for number, entry in enumerate(filter(None, map(str.strip, environment.get(USERS_VARIABLE, "").split(","))), 1):
        name, _, role = entry.partition(":")
        if not _USER.fullmatch(name) or role not in ROLES or name == USER:
            raise ConfigurationError(
                f"{USERS_VARIABLE}, entry {number}: expected name:role with a role of {', '.join(ROLES)} and a name "
                f"other than {USER}, for instance wangmin:viewer; it is {entry!r}. Correct it."
            )
        users[name] = role
    return users


def _write_private(path: Path, content: dict[str, str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)


def fernet_key() -> str:
    """A new key with which Airflow encrypts connections in its database."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def joined(*parts: str | None) -> str:
    return ",".join(part for part in parts if part)
