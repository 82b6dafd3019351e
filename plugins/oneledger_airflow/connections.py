"""Airflow's connections in the form that the library reads: URIs in ``AIRFLOW_CONN_<NAME>`` variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from oneledger.catalogue import Catalogue

# Airflow shortens these names; SQLAlchemy knows the long ones only.
SCHEMES = {"postgres": "postgresql"}
PATH_SCHEMES = frozenset({"file", "sqlite", "fs"})


def export_connection(connection_id: str) -> None:
    """Make the connection readable for the library in this process.

    A variable in the environment is left exactly as it is. Otherwise Airflow is asked (its secrets
    backend, then its database), over the task's own channel.

    Raises:
        ConfigurationError: neither knows the connection.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from oneledger.settings import ConfigurationError
    from oneledger.sources.connections import is_configured

    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    if is_configured(connection_id):
        return
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"Airflow has no connection {connection_id!r} and {variable} is not set. Add it under Admin, Connections, "
            f"or set {variable} to a URI (docs/sources.md lists the form for each connector)."
        ) from error
    os.environ[variable] = connection_uri(connection)


def export_known_connections(catalogue: Catalogue) -> list[str]:
    """Export the connection of every source that has one; returns the sources without, which deliver nothing."""
    from oneledger.settings import ConfigurationError

    unconnected = []
    for source in catalogue.sources.values():
        try:
            export_connection(source.connection)
        except ConfigurationError:
            unconnected.append(source.id)
    return unconnected


def connection_uri(connection: Connection) -> str:
    """A plain URI. Airflow's own ``get_uri`` percent-encodes the slashes of paths, which no driver reads back."""
    kind = (connection.conn_type or "").replace("_", "-")
    extra = {key: str(value) for key, value in connection.extra_dejson.items() if value is not None}
    if kind in PATH_SCHEMES:
        path = extra.pop("path", "") or "/".join(part for part in (connection.host, connection.schema) if part)
        scheme = "file" if kind == "fs" else kind
        return f"{scheme}:///{'/' if scheme == 'sqlite' else ''}{quote(path.lstrip('/'))}{_query(extra)}"
    if connection.host and "://" in connection.host:  # Airflow's form for http: the scheme stands in the host
        scheme, _, host = connection.host.partition("://")
    else:
        scheme, host = SCHEMES.get(kind, kind), connection.host or ""
    user = quote(connection.login or "", safe="")
    if connection.password:
        user += f":{quote(connection.password, safe='')}"
    port = f":{connection.port}" if connection.port else ""
    path = f"/{quote(connection.schema)}" if connection.schema else ""
    return f"{scheme}://{user}{'@' if user else ''}{host}{port}{path}{_query(extra)}"


def _query(extra: dict[str, str]) -> str:
    return f"?{urlencode(extra)}" if extra else ""
