"""The stack of docker-compose.yml as processes of one machine: started in its order, watched, restarted, ended."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Callable

from oneledger.settings import Settings
from oneledger_airflow.backing_services import as_postgres, needed, prepare_postgres
from oneledger_airflow.cluster_installation import ClusterInstallation
from oneledger_airflow.compose import Service
from oneledger_airflow.ports import LOOPBACK
from oneledger_airflow.processes import StartError
from oneledger_airflow.supervisor import HEALTHY_WITHIN_SECONDS, Supervisor

BACKING = ("postgres", "redis")
ONCE = "init"


class ClusterSupervisor(Supervisor):
    """PostgreSQL, Redis, and Airflow's parts with a Celery worker for each kind of queue.

    A service that ends is started anew, as the compose file has it done (``restart: unless-stopped``).
    """

    installation: ClusterInstallation

    @staticmethod
    def _installation(settings: Settings) -> ClusterInstallation:
        return ClusterInstallation(settings)

    def _start_parts(self) -> None:
        self.services = self.installation.services()
        for name in BACKING:
            self._start_backing(self.services[name])
        self._initialise(self.services[ONCE])
        self.started_at = dt.datetime.now(dt.UTC)
        workers = {name: service for name, service in self.services.items() if service.queues}
        for name, service in self.services.items():
            if name not in (*BACKING, ONCE, *workers):
                self._start_service(service)
        # Workers come last, as in the compose file: for each task they ask the API server.
        for service in workers.values():
            self._start_service(service)

    def _wait_until_healthy(self) -> None:
        super()._wait_until_healthy()
        for service in self.services.values():
            if service.queues:
                with self.progress.step(f"{service.name} (queue {', '.join(service.queues)})"):
                    self._wait_for(service, lambda one=service: self.is_healthy(one))  # type: ignore[misc]

    def is_healthy(self, service: Service) -> bool:
        """Run the service's own health check of the compose file."""
        command = service.health_command
        environment = self.installation.environment_of(service, self.port)
        if service.name not in BACKING:
            command = self.installation.command_of(service, command)
        try:
            done = subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def _start_backing(self, service: Service) -> None:
        postgres_port, redis_port = self.installation.backing_ports()
        environment = self.installation.environment_of(service, self.port)
        if service.name == "postgres":
            data = self.installation.postgres_dir
            password_path = self.installation.secrets_dir / "postgres_password"
            prepare_postgres(data, service.environment["POSTGRES_USER"], password_path)
            here = ["-D", str(data), "-p", str(postgres_port), "-c", f"listen_addresses={LOOPBACK}",
                    "-c", "unix_socket_directories="]  # fmt: skip
            command = as_postgres([needed("postgres"), *service.command[1:], *here])
            health = [needed("pg_isready"), "--host", LOOPBACK, "--port", str(postgres_port)]
        else:
            configuration, *options = [self.installation.placed(word, service) for word in service.command[1:]]
            here = ["--port", str(redis_port), "--bind", LOOPBACK, "--dir", str(self.installation.redis_dir)]
            command = [needed("redis-server"), configuration, *options, *here]
            health = ["bash", "-c", f"exec 3<>/dev/tcp/{LOOPBACK}/{redis_port}"]
        self.processes.start(service.name, command, environment)
        with self.progress.step(service.name):
            self._wait_for(service, lambda: subprocess.run(health, capture_output=True).returncode == 0)
        if service.name == "postgres":
            self._make_database(service, postgres_port)

    def _make_database(self, service: Service, port: int) -> None:
        import psycopg
        from psycopg import sql

        user, database = service.environment["POSTGRES_USER"], service.environment["POSTGRES_DB"]
        password = (self.installation.secrets_dir / "postgres_password").read_text()
        with psycopg.connect(
            host=LOOPBACK, port=port, user=user, password=password, dbname="postgres", autocommit=True
        ) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))

    def _initialise(self, service: Service) -> None:
        with self.progress.step("Airflow's own database"):
            log_path = self.installation.logs_dir / f"{service.name}.log"
            with log_path.open("wb") as log:
                log_path.chmod(0o600)
                done = subprocess.run(
                    self.installation.command_of(service),
                    env=self.installation.environment_of(service, self.port),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if done.returncode != 0:
                raise StartError(f"the service {service.name} ended with code {done.returncode}. Its log: {log_path}")

    def _start_service(self, service: Service) -> None:
        environment = self.installation.environment_of(service, self.port)
        self.processes.start(service.name, self.installation.command_of(service), environment)

    def _wait_for(self, service: Service, is_well: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while not is_well():
            self.check_alive()
            if time.monotonic() > deadline:
                log_path = self.installation.logs_dir / f"{service.name}.log"
                raise StartError(f"{service.name} is not healthy after {HEALTHY_WITHIN_SECONDS} s. Its log: {log_path}")
            time.sleep(0.5)
