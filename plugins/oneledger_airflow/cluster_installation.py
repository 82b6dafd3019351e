"""Where the services of docker-compose.yml live when they run as processes of one machine."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from oneledger_airflow.cluster_secrets import make_secrets
from oneledger_airflow.compose import Service, read_services
from oneledger_airflow.installation import Installation, joined
from oneledger_airflow.ports import LOOPBACK, choose_port

_SECRETS = "/run/secrets"
POSTGRES_PORT, REDIS_PORT = 15432, 16379


@dataclass(frozen=True)
class ClusterInstallation(Installation):
    """The stack under ``ONELEDGER_HOME/cluster``: database, queue, secrets, logs; nobody else may read it.

    Commands, variables, queues and secrets come from docker-compose.yml. What differs on one machine is where things
    are: the paths and addresses of containers are replaced, and every port is on the loopback address.
    """

    @property
    def home(self) -> Path:
        return self.settings.home / "cluster"

    @property
    def secrets_dir(self) -> Path:
        return self.home / "secrets"

    @property
    def password_path(self) -> Path:
        return self.secrets_dir / "airflow_passwords"

    @property
    def postgres_dir(self) -> Path:
        return self.home / "postgres"

    @property
    def redis_dir(self) -> Path:
        return self.home / "redis"

    def prepare(self) -> None:
        """Make the folders and, once, the secrets and the ports of database and queue."""
        for folder in (self.home, self.logs_dir, self.redis_dir, self.settings.airflow_dir):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        ports = self.home / "ports.txt"
        if not ports.exists():
            # The addresses stand in the secrets, so the ports are chosen once.
            postgres, _ = choose_port(POSTGRES_PORT)
            redis, _ = choose_port(REDIS_PORT)
            ports.write_text(f"{postgres} {redis}")
        postgres, redis = self.backing_ports()
        make_secrets(self.secrets_dir, postgres=f"{LOOPBACK}:{postgres}", redis=f"{LOOPBACK}:{redis}")

    def backing_ports(self) -> tuple[int, int]:
        """The ports of PostgreSQL and Redis."""
        postgres, redis = (self.home / "ports.txt").read_text().split()
        return int(postgres), int(redis)

    def services(self) -> dict[str, Service]:
        """The services of the compose file that are started without a profile, interpolated from the environment."""
        services = read_services(self.settings.project_root, os.environ)
        return {name: service for name, service in services.items() if not service.profiles}

    def secrets_of(self, service: Service) -> Path:
        """A folder with links to those secrets that the compose file gives to this service, and no others."""
        folder = self.home / "run" / service.name
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name in service.secrets:
            (folder / name).symlink_to(self.secrets_dir / name)
        return folder

    def command_of(self, service: Service, command: list[str] | None = None) -> list[str]:
        """The command of an Airflow service (or another one in its place) behind the image's entry point."""
        words = [self.placed(word, service) for word in command or service.command]
        return [str(self.settings.project_root / "deploy" / "entrypoint.sh"), *words]

    def environment_of(self, service: Service, port: int) -> dict[str, str]:
        """The variables of one service; the user's own ``AIRFLOW__…`` do not count, the compose file does."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        defined = {
            name: self.placed(value, service, in_shell=name.endswith("_CMD"))
            for name, value in service.environment.items()
        }
        root = self.settings.project_root
        here = {
            "ONELEDGER_HOME": str(self.settings.home),
            "ONELEDGER_PROJECT_ROOT": str(root),
            "ONELEDGER_SECRETS_DIR": str(self.secrets_of(service)),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://{LOOPBACK}:{port}",
            # It would listen on every address of the machine; the API tells of the scheduler too.
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONUNBUFFERED": "1",
            # A proxy between our own processes would only break them.
            "NO_PROXY": joined(os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), LOOPBACK, "localhost"),
        }
        here["no_proxy"] = here["NO_PROXY"]
        return {**inherited, **defined, **here}

    def placed(self, text: str, service: Service, *, in_shell: bool = False) -> str:
        """A word of the compose file with the paths of containers replaced by those of this machine."""
        places = {
            _SECRETS: str(self.home / "run" / service.name),
            service.environment.get("ONELEDGER_PROJECT_ROOT", ""): str(self.settings.project_root),
            service.environment.get("AIRFLOW_HOME", ""): str(self.home),
            service.environment.get("ONELEDGER_HOME", ""): str(self.settings.home),
        }
        here = {container: shlex.quote(path) if in_shell else path for container, path in places.items() if container}
        return re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], text)
