"""Takes secrets out of the texts that go into events: error messages may repeat what they were given."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from oneledger.settings import ConfigurationError
from oneledger.sources.connections import resolve_connection

_CONNECTION = re.compile(r"(?:AIRFLOW|ONELEDGER)_CONN_(.+)")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|AUTH")
_SHORTEST = 4
HIDDEN = "***"


def without_secrets(text: str, longest: int | None = None) -> str:
    """One line, without the credentials of addresses and without the secrets that the environment holds."""
    line = re.sub(r"//[^/@\s]+@", f"//{HIDDEN}@", " ".join(text.split()))
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        line = line.replace(secret, HIDDEN)
    return line[:longest]


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST:
            yield value
        elif named := _CONNECTION.fullmatch(name):
            try:
                connection = resolve_connection(named[1])
            except ConfigurationError:
                continue
            held = (connection.password, *(v for k, v in connection.extra.items() if _SECRET_NAME.search(k.upper())))
            yield from (str(one) for one in held if len(str(one)) >= _SHORTEST)
