"""Takes secrets out of every text that is written down or shown: error messages may repeat what they were given.

A secret is what the environment gives under a name that says so (``…TOKEN…``, ``…KEY…``, ``…PASSWORD…``, ``…SECRET…``,
``…AUTH…``), the password and the secret settings of every connection, and whatever stands as credentials in an
address. It is found as it is, percent-encoded, in base64, and as JSON or Python writes it.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "***"

_CONNECTION = re.compile(r"(?:AIRFLOW|ONELEDGER)_CONN_(.+)")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|AUTH|CREDENTIAL", re.IGNORECASE)
# Kinds and switches that stand under such names (AUTH__TYPE=api_key, …).
_PLAIN_WORDS = {"true", "false", "none", "null", "basic", "bearer", "session", "oauth2", "api_key", "apikey", "jwt"}
# Settings whose values hold credentials among other things: addresses, JSON.
_COMPOSITE = re.compile(r"SQL_ALCHEMY_CONN|TRANSPORT|RESULT_BACKEND|BROKER_URL|_URL$|_URI$|_DSN$")
# What is public, or no secret although its name sounds like one.
_NO_SECRET = re.compile(r"PUBLIC_KEY|ONELEDGER_WEB_AUDITORS|SSH_AUTH_SOCK|AUTH_MANAGER|AUTHORITY|KEYRING|KEYMAP")
_SHORTEST = 4
# What is shorter is not looked for in other forms: its base64 would stand in many words.
_SHORTEST_ENCODED = 8
_SHORTEST_IN_PATH = 16
_IN_ADDRESS = re.compile(r"//[^/@?#\s\"'<>]+@")
_SCHEME = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=%-]{8,}", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_IN_QUERY = re.compile(r"([?&](?:access_token|token|sign|secret|password|api_key|apikey)=)[^&\s\"'<>]+", re.IGNORECASE)


def without_secrets(text: str, longest: int | None = None) -> str:
    """One line, without the credentials of addresses and without the secrets that the environment holds."""
    return " ".join(redacted(text).split())[:longest]


def redacted(text: str) -> str:
    """The text as it is, but for secrets."""
    if not text:
        return text
    shown = _PEM.sub(HIDDEN, text)
    known = _pattern(frozenset(os.environ.items()))
    if known is not None:
        shown = known.sub(HIDDEN, shown)
    shown = _IN_ADDRESS.sub(f"//{HIDDEN}@", shown)
    shown = _SCHEME.sub(rf"\1 {HIDDEN}", shown)
    return _IN_QUERY.sub(rf"\1{HIDDEN}", shown)


def redacted_values(value: Any) -> Any:
    """The same of every text in a JSON value."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: redacted_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_values(one) for one in value]
    return value


class SecretsLeftOut(logging.Filter):
    """Takes secrets out of what a logger writes, out of its traces too. Put on loggers and on handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            # Formatters take this text where it is there.
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return True


def guard_logger(name: str) -> None:
    """Let a logger of somebody else write no secret of ours."""
    logger = logging.getLogger(name)
    if not any(isinstance(one, SecretsLeftOut) for one in logger.filters):
        logger.addFilter(SecretsLeftOut())


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Every secret that an environment holds, as it is."""
    found: set[str] = set()
    for name, value in environment.items():
        if _NO_SECRET.search(name):
            continue
        if named := _CONNECTION.fullmatch(name):
            found.update(_of_connection(named[1], value))
            if "WEBHOOK" in named[1]:
                # Robots have their token at the end of the path.
                parts = [part for part in urlsplit(value).path.split("/") if len(part) >= _SHORTEST_IN_PATH]
                found.update([*parts, *map(unquote, parts)])
        elif _COMPOSITE.search(name):
            found.update(_of_composite(value))
        elif _SECRET_NAME.search(name):
            found.update(_of_variable(value))
    return {one for one in found if len(one) >= _SHORTEST and one.lower() not in _PLAIN_WORDS}


def _of_variable(value: str) -> Iterator[str]:
    yield value.strip()
    # name:role=token,role=token: each token by itself is one too.
    yield from (part for part in re.split(r"[,=\s]+", value) if len(part) >= _SHORTEST_ENCODED)
    if value.strip().startswith("-----BEGIN"):
        yield from (line for line in value.splitlines() if len(line) >= _SHORTEST_ENCODED and "-----" not in line)


def _of_connection(name: str, value: str) -> Iterator[str]:
    # Read here and not by `sources`: this module is ground, and a connection that cannot be read has secrets too.
    text = value.strip()
    if not text.startswith("{"):
        yield from _of_address(text)
        return
    yield from _of_composite(text)


def _of_composite(value: str) -> Iterator[str]:
    text = value.strip()
    if not text.startswith("{"):
        yield from _of_address(text)
        return
    try:
        yield from _named_in(json.loads(text))
    except ValueError:
        yield text


def _named_in(content: Any) -> Iterator[str]:
    if not isinstance(content, dict):
        return
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _named_in(value)
        elif isinstance(value, str) and value.strip().startswith("{"):
            yield from _of_composite(value)
        elif isinstance(value, str) and "://" in value:
            yield from _of_address(value)
        elif _SECRET_NAME.search(str(key)) and value is not None:
            yield str(value)


def _of_address(text: str) -> Iterator[str]:
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query)
        written = parts.password
    except ValueError:
        return
    if written:
        yield from (written, unquote(written))
        yield base64.b64encode(f"{unquote(parts.username or '')}:{unquote(written)}".encode()).decode()
    for key, value in query:
        if _SECRET_NAME.search(key):
            yield value
        elif key == "__extra__":
            yield from _of_composite(value)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1])
    if len(secret) >= _SHORTEST_ENCODED:
        content = secret.encode()
        for skipped in range(3):
            # Inside a longer text the same bytes are written in three ways; the edges belong to the neighbours too.
            for packed in (base64.b64encode, base64.urlsafe_b64encode):
                inner = packed(bytes(skipped) + content).decode().rstrip("=")
                yield inner[(0, 2, 3)[skipped] : len(inner) - (1 if (len(content) + skipped) % 3 else 0)]


@functools.lru_cache(maxsize=4)
def _pattern(environment: frozenset[tuple[str, str]]) -> re.Pattern[str] | None:
    given = dict(environment)
    known = secrets_of(given)
    known |= set(_kept_in_files(given))
    forms = {form for secret in known for form in _forms(secret) if len(form) >= _SHORTEST}
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _kept_in_files(environment: Mapping[str, str]) -> Iterator[str]:
    """The lines of a private key of which the environment names only the file."""
    path = environment.get("ONELEDGER_SIGNING_KEY", "").strip()
    if not path or "-----" in path:
        return
    try:
        yield from _of_variable(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValueError):
        return
