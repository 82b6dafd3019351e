"""docker-compose.yml as the one place that defines the services of the stack, read as the compose tool reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError

FILE_NAME = "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        command: what it runs, word by word.
        environment: its variables, interpolated.
        secrets: the names of the secrets that it can read under ``/run/secrets``.
        restarts: whether it is started again when it ends by itself.
        health_command: its health check as a list of words; empty without one.
        profiles: it is started only with one of these; empty for always.
        definition: the service as the file has it, interpolated.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    secrets: list[str]
    restarts: bool
    health_command: list[str] = field(default_factory=list)
    profiles: list[str] = field(default_factory=list)
    definition: dict[str, Any] = field(default_factory=dict)

    @property
    def queues(self) -> list[str]:
        """The queues that a Celery worker serves; empty for other services."""
        if "--queues" not in self.command:
            return []
        return self.command[self.command.index("--queues") + 1].split(",")


def read_services(project_root: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """The services of the compose file by name, with ``${NAME:-default}`` filled in from ``variables``.

    Raises:
        ConfigurationError: there is no compose file, or it cannot be read.
    """
    content = read_file(project_root, variables)
    return {name: _service(name, definition) for name, definition in content["services"].items()}


def read_file(project_root: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The whole compose file, interpolated.

    Raises:
        ConfigurationError: there is none, or it cannot be read.
    """
    import yaml

    path = project_root / FILE_NAME
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({type(error).__name__}). It lies at the root of the project; restore it, or set "
            "ONELEDGER_PROJECT_ROOT to the checkout."
        ) from error
    return dict(_interpolated(content, variables))


def _service(name: str, definition: Mapping[str, Any]) -> Service:
    test = definition.get("healthcheck", {}).get("test", [])
    kind, *words = test or [""]
    return Service(
        name=name,
        command=[str(word) for word in definition.get("command", [])],
        environment={key: str(value) for key, value in definition.get("environment", {}).items()},
        secrets=list(definition.get("secrets", [])),
        restarts=definition.get("restart") == "unless-stopped",
        health_command=["sh", "-c", *words] if kind == "CMD-SHELL" else words,
        profiles=list(definition.get("profiles", [])),
        definition=dict(definition),
    )


def _interpolated(content: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _interpolated(value, variables) for key, value in content.items()}
    if isinstance(content, list):
        return [_interpolated(value, variables) for value in content]
    if not isinstance(content, str):
        return content
    return _VARIABLE.sub(
        lambda found: "$" if found["escaped"] else variables.get(found["name"]) or found["default"] or "", content
    )
