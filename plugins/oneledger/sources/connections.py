"""Connections: addresses and secrets from the environment, never from a file of the repository.

The variable is ``AIRFLOW_CONN_<ID>`` (what Airflow itself reads and what its layer exports), or
``ONELEDGER_CONN_<ID>``; its value is a URI or Airflow's JSON form.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from oneledger.settings import ConfigurationError

_PREFIXES = ("AIRFLOW_CONN_", "ONELEDGER_CONN_")
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


@dataclass(frozen=True)
class Connection:
    """One connection, taken apart. ``repr`` shows no secret."""

    id: str
    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variable: str = ""

    def folder(self) -> Path:
        """The folder of a drop connection (``file:///path``, or JSON with ``extra.path``).

        Raises:
            ConfigurationError: it names no folder, or the folder does not exist.
        """
        text = str(self.extra.get("path") or self.path or self.host)
        if self.kind not in ("file", "fs", "") or not text:
            raise ConfigurationError(
                f"Connection {self.id} ({self.variable}) names no folder; write file:///path/to/the/folder."
            )
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise ConfigurationError(
                f"Connection {self.id} ({self.variable}): the folder {folder} does not exist or is no folder. "
                f"Mount or create it, or correct the variable."
            )
        return folder

    def base_url(self) -> str:
        """``http(s)://host:port/path`` without credentials and without a slash at the end."""
        scheme, host, path = self.kind or "http", self.host, self.path
        if "://" in host:
            scheme, host = host.split("://", 1)
        elif path.strip("/") in ("http", "https"):
            # Airflow's own HTTP connections carry the scheme where others have the path.
            scheme, path = path.strip("/"), ""
        if scheme not in ("http", "https") or not host:
            raise ConfigurationError(
                f"Connection {self.id} ({self.variable}) is no address of an API; "
                f"write http://:TOKEN@host:port/path or https://…"
            )
        if self.port == 0:
            raise ConfigurationError(
                f"Connection {self.id} ({self.variable}) has port 0: its API is not being served. "
                f"Start it (for the synthetic city: `oneledger city serve`) and take over the address that it prints."
            )
        port = f":{self.port}" if self.port else ""
        return f"{scheme}://{host}{port}/{path.strip('/')}".rstrip("/")

    def database_url(self) -> str:
        """A SQLAlchemy URL of a PostgreSQL database (psycopg).

        Raises:
            ConfigurationError: another kind of database.
        """
        if self.kind in _POSTGRES:
            login = quote(self.login, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
            query = "&".join(f"{quote(key)}={quote(str(value), safe='')}" for key, value in self.extra.items())
            port = f":{self.port}" if self.port else ""
            at = f"{login}@" if login else ""
            return f"postgresql+psycopg://{at}{self.host}{port}/{self.path.lstrip('/')}" + (
                f"?{query}" if query else ""
            )
        raise ConfigurationError(
            f"Connection {self.id} ({self.variable}) is of kind {self.kind!r}; "
            f"the sql connector reads sqlite:////path/to/file.db and postgresql://user:password@host/database."
        )

    def sqlite_file(self) -> Path | None:
        """The file of an SQLite connection; None for other kinds.

        Raises:
            ConfigurationError: the file does not exist (SQLite itself would make an empty one).
        """
        if self.kind != "sqlite":
            return None
        text = self.host or self.path
        candidates = [Path(text)] if text.startswith("/") else [Path("/" + text), Path(text)]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise ConfigurationError(
            f"Connection {self.id} ({self.variable}): there is no database file {candidates[0]}. "
            f"Create it (for the synthetic city: `oneledger city build`) or correct the variable."
        )


def variable_of(connection_id: str) -> str:
    """The environment variable that holds a connection."""
    return _PREFIXES[0] + connection_id.upper()


def is_configured(connection_id: str) -> bool:
    """Whether the environment has this connection."""
    return any(os.environ.get(prefix + connection_id.upper()) for prefix in _PREFIXES)


def resolve_connection(connection_id: str) -> Connection:
    """Read a connection from the environment.

    Raises:
        ConfigurationError: the variable is not set, or its value is neither a URI nor Airflow's JSON form.
    """
    for prefix in _PREFIXES:
        variable = prefix + connection_id.upper()
        text = os.environ.get(variable, "").strip()
        if text:
            return (
                _from_json(connection_id, variable, text)
                if text[0] == "{"
                else _from_uri(connection_id, variable, text)
            )
    raise ConfigurationError(
        f"Connection {connection_id} is not configured: the variable {variable_of(connection_id)} is not set. "
        f"Set it to a URI (or to Airflow's JSON form); for the synthetic city, "
        f"`oneledger city serve` writes all of them to city/connections.env."
    )


def _from_json(connection_id: str, variable: str, text: str) -> Connection:
    try:
        content = json.loads(text)
        extra = content.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        return Connection(
            id=connection_id, kind=_kind(content.get("conn_type") or ""), host=content.get("host") or "",
            port=int(content["port"]) if content.get("port") else None, login=content.get("login") or "",
            password=content.get("password") or "", path=content.get("schema") or "", extra=extra, variable=variable,
        )  # fmt: skip
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"{variable} is no connection in Airflow's JSON form ({type(error).__name__}); it looks like "
            f'{{"conn_type": "http", "host": "…", "port": 80, "password": "…"}}. Correct it.'
        ) from error


def _from_uri(connection_id: str, variable: str, text: str) -> Connection:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        # The message does not repeat the value: it may hold a secret.
        raise ConfigurationError(f"{variable} is no URI (wrong port or bracket). Correct it.") from error
    if not parts.scheme:
        raise ConfigurationError(
            f"{variable} is no URI: it has no scheme. Write http://…, postgresql://…, sqlite:////… or file:///…."
        )
    extra = dict(parse_qsl(parts.query))
    if "__extra__" in extra:
        extra = json.loads(extra["__extra__"])
    return Connection(
        id=connection_id, kind=_kind(parts.scheme), host=unquote(parts.hostname or ""), port=port,
        login=unquote(parts.username or ""), password=unquote(parts.password or ""), path=unquote(parts.path),
        extra=extra, variable=variable,
    )  # fmt: skip


def _kind(name: str) -> str:
    return name.lower().replace("-", "+")
