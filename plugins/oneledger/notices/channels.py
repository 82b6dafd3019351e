"""Mail and webhook: how a message leaves the house. Addresses come from Airflow connections or the environment.

``oneledger_notice_mail``: ``smtp://user:password@host:25/?from=a@b&to=x@y,z@w&starttls=true`` (``smtps`` for TLS
from the start). ``oneledger_notice_webhook``: ``https://host/path?form=oneledger``; ``form=dingtalk`` sends the text
message that DingTalk and zhezhengding robots take, ``form=wecom`` that of WeCom.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from oneledger.redacting import guard_logger, without_secrets
from oneledger.settings import ConfigurationError
from oneledger.sources.connections import Connection, is_configured, resolve_connection

MAIL_CONNECTION = "oneledger_notice_mail"
WEBHOOK_CONNECTION = "oneledger_notice_webhook"
CONNECTIONS = (MAIL_CONNECTION, WEBHOOK_CONNECTION)
_TIMEOUT_SECONDS = 15
# It writes the whole address of each request, query and all.
guard_logger("httpx")


class NotSentError(Exception):
    """The server could not be reached or refused the message."""


@dataclass(frozen=True)
class Message:
    """One message about one cause. ``state`` is ``open``, ``changed``, ``reminder`` or ``recovered``."""

    cause_id: str
    state: str
    severity: str
    subject: str
    lines: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        return "\n".join(f"{label}: {value}" for label, value in self.lines if value)


@dataclass(frozen=True)
class Channel:
    """A way out. ``send`` raises NotSentError."""

    name: str
    target: str
    send: Callable[[Message], None]


def configured_channels() -> list[Channel]:
    """Mail and webhook, as far as their connections are there.

    Raises:
        ConfigurationError: a connection lacks what it needs.
    """
    channels = []
    if is_configured(MAIL_CONNECTION):
        channels.append(_mail(resolve_connection(MAIL_CONNECTION)))
    if is_configured(WEBHOOK_CONNECTION):
        channels.append(_webhook(resolve_connection(WEBHOOK_CONNECTION)))
    return channels


def _mail(connection: Connection) -> Channel:
    extra = connection.extra
    sender = str(extra.get("from") or extra.get("from_email") or "")
    receivers = [part.strip() for part in str(extra.get("to") or "").split(",") if part.strip()]
    if not sender or not receivers or not connection.host:
        raise ConfigurationError(
            f"{connection.variable} needs a host, from and to: smtp://host:25/?from=ledger@city.gov&to=ops@city.gov."
        )
    is_tls = connection.kind == "smtps"
    port = connection.port or (465 if is_tls else 25)

    def send(message: Message) -> None:
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = sender
        mail["To"] = ", ".join(receivers)
        mail["X-OneLedger-Cause"] = message.cause_id.encode("ascii", "replace").decode()
        mail.set_content(message.text)
        try:
            opened: smtplib.SMTP
            if is_tls:
                opened = smtplib.SMTP_SSL(
                    connection.host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
                )
            else:
                opened = smtplib.SMTP(connection.host, port, timeout=_TIMEOUT_SECONDS)
            with opened as server:
                if str(extra.get("starttls", "")).lower() in ("1", "true", "yes"):
                    server.starttls(context=ssl.create_default_context())
                if connection.login:
                    server.login(connection.login, connection.password)
                server.send_message(mail)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # A server may repeat the login that it refuses, in base64 as it came.
            said = without_secrets(str(error))
            raise NotSentError(f"mail to {connection.host}:{port}: {type(error).__name__}: {said}") from error

    return Channel("mail", ", ".join(receivers), send)


def _webhook(connection: Connection) -> Channel:
    form = str(connection.extra.get("form", "oneledger"))
    if form not in _FORMS:
        raise ConfigurationError(f"{connection.variable}: form={form}; it must be one of {', '.join(_FORMS)}.")
    query = urlencode({key: value for key, value in connection.extra.items() if key != "form"})
    url = connection.base_url() + (f"?{query}" if query else "")
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc}"

    def send(message: Message) -> None:
        try:
            answer = httpx.post(url, json=_FORMS[form](message), headers=headers, timeout=_TIMEOUT_SECONDS,
                                follow_redirects=False)  # fmt: skip
            answer.raise_for_status()
        except httpx.HTTPError as error:
            # Neither path, query nor header is repeated: robots have their token there.
            problem = type(error).__name__
            if isinstance(error, httpx.HTTPStatusError):
                problem = f"answered {error.response.status_code}"
            raise NotSentError(f"webhook {host}: {problem}") from error

    return Channel("webhook", host, send)


def _own_form(message: Message) -> dict[str, Any]:
    return {
        "cause_id": message.cause_id, "state": message.state, "severity": message.severity,
        "subject": message.subject, "text": message.text,
    }  # fmt: skip


def _robot_form(message: Message) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": f"{message.subject}\n{message.text}"}}


_FORMS: dict[str, Callable[[Message], dict[str, Any]]] = {
    "oneledger": _own_form,
    "dingtalk": _robot_form,
    "wecom": _robot_form,
}
