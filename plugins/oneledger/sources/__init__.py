"""Connectors: http, sql, and files of drop folders; driven by the catalogue, writing bytes into partial directories."""

from __future__ import annotations

from oneledger.sources.connections import Connection, is_configured, resolve_connection, variable_of
from oneledger.sources.received import Received, ReceivedFile, SeenFile, Waiting
from oneledger.sources.refusal import RefusalError

__all__ = [
    "Connection", "Received", "ReceivedFile", "RefusalError", "SeenFile", "Waiting", "is_configured",
    "resolve_connection", "variable_of",
]  # fmt: skip
