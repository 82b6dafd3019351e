"""No secret is ever written down or shown: each that the code reads is a canary, everything fails, and nobody sings."""

from __future__ import annotations

import base64
import json
import logging
import re
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from oneledger.audit.signing import signing_key
from oneledger.cli import main
from oneledger.notices.channels import Message, NotSentError, configured_channels
from oneledger.outcomes import read_outcomes
from oneledger.redacting import HIDDEN, SecretsLeftOut, redacted, redacted_values
from oneledger.settings import PROJECT_ROOT, ConfigurationError
from tests.security.test_hostile_answers import CATALOGUE as IRS
from tests.sources.installation import Installation

LIBRARY = """\
  library:
    connector: sql
    connection: library_db
    sql: {timeout_seconds: 2}
    defaults: {delivery: full}
    entities:
      project:
        table: project
        natural_key: [project_id]
        columns: {project_id: {type: text, required: true}}
"""
NAMES = ("api", "library", "mail", "hook", "path", "lineage", "web", "city", "metadata", "fernet")


def canary(name: str) -> str:
    # Signs that addresses, JSON and shells write in another way.
    return f"CANARY/{name}+geheim=7&x"


@dataclass
class Echo:
    """Servers that repeat everything that they are sent, as an error."""

    http: ThreadingHTTPServer
    mail: socketserver.ThreadingTCPServer
    heard: list[str]

    def uri(self, scheme: str, server: socketserver.BaseServer, secret: str, path: str = "") -> str:
        port = server.server_address[1]  # type: ignore[index]
        return f"{scheme}://user:{quote(secret, safe='')}@127.0.0.1:{port}{path}"


@pytest.fixture
def echo() -> Iterator[Echo]:
    heard: list[str] = []

    class Repeating(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.headers.get('Authorization')} {self.path} {self.headers}"
            heard.append(body)
            self.send_response(400)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - the name is the library's

        def log_message(self, *_: object) -> None:
            """Keep the test output quiet."""

    class Refusing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline().decode().strip():
                if line.upper().startswith("EHLO"):
                    self.wfile.write(b"250-test\r\n250 AUTH PLAIN LOGIN\r\n")
                elif line.upper().startswith("AUTH"):
                    heard.append(line)
                    self.wfile.write(f"535 not accepted: {line}\r\n".encode())
                else:
                    self.wfile.write(b"250 ok\r\n")

    http = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing)
    mail.daemon_threads = True
    for server in (http, mail):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Echo(http, mail, heard)
    for server in (http, mail):
        server.shutdown()
        server.server_close()


@pytest.fixture
def night(installation: Installation, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation in which every secret is a canary and every system refuses."""
    installation.write_catalogue(IRS + LIBRARY)
    address = f"127.0.0.1:{echo.http.server_address[1]}"
    given = {
        "AIRFLOW_CONN_IRS_API": echo.uri("http", echo.http, canary("api"), "/api"),
        "AIRFLOW_CONN_LIBRARY_DB": f"postgresql://user:{quote(canary('library'), safe='')}@127.0.0.1:1/db",
        "AIRFLOW_CONN_ONELEDGER_NOTICE_MAIL": echo.uri("smtp", echo.mail, canary("mail"), "/?from=a@b&to=c@d"),
        "AIRFLOW_CONN_ONELEDGER_NOTICE_WEBHOOK": (
            f"http://{address}/hook/{quote(canary('path'), safe='')}?access_token={quote(canary('hook'), safe='')}"
        ),
        "OPENLINEAGE_URL": f"http://{address}/lineage",
        "OPENLINEAGE_API_KEY": canary("lineage"),
        "ONELEDGER_WEB_TOKENS": f"王敏:auditor={canary('web').replace('=', '-')}",
        "ONELEDGER_CITY_TOKEN": canary("city"),
        "ONELEDGER_SIGNING_KEY": f"-----BEGIN PRIVATE KEY-----\n{canary('key')}\n-----END PRIVATE KEY-----",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://u:{quote(canary('metadata'), safe='')}@127.0.0.1:1/a",
        "AIRFLOW__CORE__FERNET_KEY": canary("fernet"),
        "ONELEDGER_HOME": str(installation.settings.home),
        "ONELEDGER_CATALOGUE": str(installation.settings.catalogue_paths[0]),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return installation


def traces(content: bytes | str) -> list[str]:
    """The canaries in it, as they are, percent-encoded, in JSON or in base64."""
    found = content if isinstance(content, bytes) else content.encode()
    forms = {}
    for name in (*NAMES, "key"):
        secret = canary(name) if name != "web" else canary(name).replace("=", "-")
        inner = f"CANARY/{name}"
        forms[name] = [secret, inner, quote(inner, safe=""), json.dumps(secret)[1:-1]]
        for shift in range(3):
            forms[name].append(base64.b64encode(bytes(shift) + inner.encode()).decode()[4:-4])
    return [name for name, written in forms.items() if any(one.encode() in found for one in written)]


def test_a_night_in_which_everything_fails_tells_no_secret(
    night: Installation, echo: Echo, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for source in ("irs", "library"):
        assert "failed" in {one.verdict for one in night.ingest(source)}
    problems = []
    message = Message("cause", "open", "fail", "subject", (("what", "x"),))
    channels = configured_channels()
    for channel in channels:
        try:
            channel.send(message)
        except NotSentError as error:
            problems.append(str(error))
    assert len(problems) == 2
    with pytest.raises(ConfigurationError) as refused:
        signing_key()
    problems.append(str(refused.value))
    for command in (["status"], ["ingest", "irs"], ["query", f"select '{canary('api')}' from nothing"]):
        run(*command)
    # The servers did hear them, so there was something to tell.
    everything_heard = "\n".join(echo.heard)
    assert {"api", "hook", "path", "mail"} <= set(traces(everything_heard))
    printed = capfd.readouterr()
    assert traces(printed.out + printed.err) == []
    assert traces("\n".join([*problems, *(channel.target for channel in channels)])) == []
    assert traces(caplog.text) == []
    told = [path for path in night.settings.home.rglob("*") if path.is_file() and traces(path.read_bytes())]
    assert told == []
    outcomes = list(read_outcomes(night.settings.outcomes_dir))
    assert any(HIDDEN in one["message"] for one in outcomes)


def run(*arguments: str) -> None:
    """A command in this process, whatever comes of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["oneledger", *arguments])
        with pytest.raises(SystemExit):
            main()


@pytest.mark.parametrize(
    "told",
    ["{0}", "Bearer {0}", "url http://user:{1}@host/x", "?key={1}", "{2}", "token='{0}', more", '{{"a": "{3}"}}'],
)
def test_a_secret_is_found_in_whatever_form_it_is_written(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = canary("api")
    monkeypatch.setenv("AIRFLOW_CONN_ANY", f"http://user:{quote(secret, safe='')}@host/")
    text = told.format(
        secret, quote(secret, safe=""), base64.b64encode(f"user:{secret}".encode()).decode(), json.dumps(secret)[1:-1]
    )
    assert traces(text)
    assert traces(redacted(text)) == []
    assert traces(json.dumps(redacted_values({"a": [text, {"b": text}], "c": 1}))) == []


@pytest.mark.parametrize(
    "connection",
    ['{{"conn_type": "http", "host": "h", "password": "{0}"}}', '{{"host": "h", "extra": {{"api_token": "{0}"}}}}',
     "http://h/?secret={1}", "postgresql://u:{1}@h/d"],
)  # fmt: skip
def test_the_secret_of_a_connection_is_known_in_every_form_of_one(
    connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = canary("api")
    monkeypatch.setenv("ONELEDGER_CONN_ANY", connection.format(secret, quote(secret, safe="")))
    assert redacted(f"refused: {secret}") == f"refused: {HIDDEN}"


def test_a_log_of_another_library_tells_no_query_of_ours(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ANY_TOKEN", canary("hook"))
    assert any(isinstance(one, SecretsLeftOut) for one in logging.getLogger("httpx").filters)
    with caplog.at_level(logging.INFO):
        logging.getLogger("httpx").info("HTTP Request: %s %s", "POST", f"http://h/?access_token={canary('hook')}")
    assert traces(caplog.text) == []


def test_ordinary_texts_stay_as_they_are() -> None:
    texts = ["zheliban_usage_20221031.csv.gz holds 12 rows; the source says 13.", "natural_key=app_id", "湖州市公安局",
             "http://127.0.0.1:8090/apps?q=a&sort=name", "select * from marts.app where key = 'x'"]  # fmt: skip
    assert [redacted(text) for text in texts] == texts


def test_no_file_of_the_repository_holds_a_private_key_or_a_token() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git work tree")
    marks = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|AKIA[0-9A-Z]{16}|ghp_[0-9A-Za-z]{36}|xoxb-[0-9]{10}")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = Path(PROJECT_ROOT, name)
        if path.is_file() and path.suffix in {".py", ".yml", ".md", ".toml", ".sql", ".env", ".json", ".in", ".csv"}:
            text = path.read_text("utf-8", errors="replace")
            found += [name] if marks.search(text) and "test_secrets" not in name else []
    assert found == []
