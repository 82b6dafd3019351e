"""Where lineage events go. The settings are OpenLineage's own; without any, files under ``ONELEDGER_HOME``.

Read without importing the OpenLineage client, because Airflow's environment is written with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError, Settings

DEFAULT_NAMESPACE = "oneledger"
FILE_TRANSPORT = "oneledger.lineage.openlineage.file_transport.DailyFileTransport"
# In the order in which Airflow's provider and the client look at them.
_SWITCHES = ("AIRFLOW__OPENLINEAGE__DISABLED", "OPENLINEAGE_DISABLED")
_SETTINGS = (
    "AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID",
    "AIRFLOW__OPENLINEAGE__CONFIG_PATH",
    "AIRFLOW__OPENLINEAGE__TRANSPORT",
    "OPENLINEAGE_CONFIG",
    "OPENLINEAGE_URL",
)
_TRANSPORT_PREFIX = "OPENLINEAGE__TRANSPORT"


def events_dir(settings: Settings) -> Path:
    """The folder of the event files, one a day."""
    return settings.home / "lineage" / "events"


def unsent_dir(settings: Settings) -> Path:
    """The folder of events that could not be sent where they were to go."""
    return settings.home / "lineage" / "unsent"


def namespace(environment: Mapping[str, str] | None = None) -> str:
    """The namespace of our jobs, the same for Airflow's."""
    given = os.environ if environment is None else environment
    return given.get("AIRFLOW__OPENLINEAGE__NAMESPACE") or given.get("OPENLINEAGE_NAMESPACE") or DEFAULT_NAMESPACE


def is_switched_off(environment: Mapping[str, str] | None = None) -> bool:
    """Whether ``OPENLINEAGE_DISABLED`` (or Airflow's setting) is true."""
    given = os.environ if environment is None else environment
    return any(given.get(name, "").strip().lower() in ("true", "1", "t") for name in _SWITCHES)


def configured_by(environment: Mapping[str, str] | None = None) -> str | None:
    """The setting or file that says where events go; None when nothing does and they go to our files."""
    given = os.environ if environment is None else environment
    for name in _SETTINGS:
        if given.get(name) and not _is_our_file(given[name]):
            return name
    for name in sorted(given):
        if name.startswith(_TRANSPORT_PREFIX) and given[name]:
            return name
    for path in (Path.cwd() / "openlineage.yml", Path.home() / ".openlineage" / "openlineage.yml"):
        if path.is_file():
            return str(path)
    return None


def file_transport(folder: Path) -> dict[str, str]:
    """The transport that appends to one file a day in this folder, as OpenLineage settings write it."""
    return {"type": FILE_TRANSPORT, "folder": str(folder)}


def client_config(settings: Settings) -> dict[str, Any]:
    """What the OpenLineage client is made with, beside what it reads from its own variables and files.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    # The client would write the address of the git remote into each event; such an address may hold a token.
    config: dict[str, Any] = {"facets": {"source_code_location": {"disabled": True}}}
    source = configured_by()
    if source is None:
        config["transport"] = file_transport(events_dir(settings))
    elif source == "AIRFLOW__OPENLINEAGE__TRANSPORT":
        config["transport"] = _transport(os.environ[source])
    elif source == "AIRFLOW__OPENLINEAGE__CONFIG_PATH":
        config = {**_yaml(Path(os.environ[source])), **config}
    elif source == "AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID":
        raise ConfigurationError(
            "AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID is read by Airflow only; the steps of OneLedger cannot. Say the same "
            "with AIRFLOW__OPENLINEAGE__TRANSPORT, OPENLINEAGE_CONFIG or OPENLINEAGE_URL (docs/openlineage.md)."
        )
    return config


def airflow_defaults(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that switch Airflow's OpenLineage provider on, with the transport and namespace of our own events.

    What the user configured stays: then only the namespace is given.
    """
    given = {
        "AIRFLOW__OPENLINEAGE__NAMESPACE": namespace(environment),
        "OPENLINEAGE__FACETS__SOURCE_CODE_LOCATION__DISABLED": "true",
    }
    if configured_by(environment) is None:
        given["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(file_transport(events_dir(settings)))
    return given


def _is_our_file(text: str) -> bool:
    return FILE_TRANSPORT in text and '"composite"' not in text


def _transport(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        # The message does not repeat the value: it may hold a key.
        raise ConfigurationError(
            'AIRFLOW__OPENLINEAGE__TRANSPORT is no JSON; it looks like {"type": "http", "url": "http://…"}. Correct it.'
        ) from error
    if not isinstance(found, dict) or not found.get("type"):
        raise ConfigurationError('AIRFLOW__OPENLINEAGE__TRANSPORT must be a JSON object with a "type". Correct it.')
    return found


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"AIRFLOW__OPENLINEAGE__CONFIG_PATH names {path}, which cannot be read ({type(error).__name__}). "
            "Correct the path or the file."
        ) from error
    return found if isinstance(found, dict) else {}
