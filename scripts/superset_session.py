"""A session of Apache Superset with a published version: make the database, a data set, and run a chart's query.

Run it with the Python of an environment of its own that holds Superset (docs/clients.md says which packages); it needs
nothing of ours. It starts Superset on this machine alone, with a throw-away home, and prints what it asked and got:

    /path/to/superset/bin/python scripts/superset_session.py var/published/current/marts.duckdb
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

CONFIGURATION = """
import os
SECRET_KEY = os.environ["ONELEDGER_SUPERSET_SECRET"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["SUPERSET_HOME"] + "/superset.db?check_same_thread=false"
WTF_CSRF_ENABLED = False  # the session speaks to the API only
TALISMAN_ENABLED = False
"""
PORT = 8189
ADDRESS = f"http://127.0.0.1:{PORT}/api/v1"


def main(marts: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="superset-") as made:
        home = Path(made)
        # A file of another name: opened as `marts`, file and schema would be one ambiguous word to DuckDB.
        published = home / "oneledger.duckdb"
        try:
            os.link(marts.resolve(), published)
        except OSError:
            published.write_bytes(marts.resolve().read_bytes())
        secret = secrets.token_urlsafe(32)
        (home / "superset_config.py").write_text(CONFIGURATION, "utf-8")
        environment = {
            **os.environ,
            "SUPERSET_HOME": str(home),
            "SUPERSET_CONFIG_PATH": str(home / "superset_config.py"),
            "ONELEDGER_SUPERSET_SECRET": secret,
            "FLASK_APP": "superset.app:create_app()",
        }
        superset = str(Path(sys.executable).with_name("superset"))

        def run(*arguments: str) -> None:
            subprocess.run([superset, *arguments], env=environment, check=True, capture_output=True, text=True)

        print(f"superset {' '.join(STEPS)}", flush=True)
        run("db", "upgrade")
        run("fab", "create-admin", "--username", "admin", "--firstname", "A", "--lastname", "B",
            "--email", "admin@example.org", "--password", secret)  # fmt: skip
        run("init")
        with subprocess.Popen(
            [superset, "run", "--host", "127.0.0.1", "--port", str(PORT)],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                wait(server)
                session(published, secret)
            finally:
                server.terminate()


STEPS = ("db upgrade;", "fab create-admin;", "init;", "run")


def wait(server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"Superset ended with {server.returncode} before it answered.")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5)
            return
        except OSError:
            time.sleep(1)
    raise SystemExit("Superset did not answer within ten minutes.")


def session(published: Path, secret: str) -> None:
    token = ask("POST", "/security/login", {
        "username": "admin", "password": secret, "provider": "db", "refresh": False
    })["access_token"]  # fmt: skip
    extra = {"engine_params": {"connect_args": {"read_only": True}}}
    database = ask("POST", "/database/", {
        "database_name": "OneLedger", "sqlalchemy_uri": f"duckdb:///{published}", "extra": json.dumps(extra),
        "expose_in_sqllab": True,
    }, token)  # fmt: skip
    said("database", {"id": database["id"], "backend": database["result"].get("driver") or "duckdb"})
    said("schemas", ask("GET", f"/database/{database['id']}/schemas/", None, token)["result"])
    dataset = ask("POST", "/dataset/", {
        "database": database["id"], "schema": "oneledger.marts", "table_name": "low_use_verdict"
    }, token)  # fmt: skip
    said("data set marts.low_use_verdict", {"id": dataset["id"]})
    chart = ask("POST", "/chart/data", {
        "datasource": {"id": dataset["id"], "type": "table"}, "force": True, "result_format": "json",
        "queries": [{
            "columns": ["portal", "month"], "orderby": [["month", True], ["portal", True]], "row_limit": 10,
            "metrics": [{"expressionType": "SQL", "label": "low_use_apps",
                         "sqlExpression": "count(*) filter (verdict in ('low_use', 'unused'))"}],
            "filters": [{"col": "month", "op": ">=", "val": "2022-08-01"}],
        }],
    }, token)  # fmt: skip
    said("chart's SQL", chart["result"][0]["query"])
    said("chart's rows", chart["result"][0]["data"])
    try:
        written = ask("POST", "/sqllab/execute/", {
            "database_id": database["id"], "sql": "delete from marts.low_use_verdict", "runAsync": False
        }, token)  # fmt: skip
        raise SystemExit(f"Superset wrote to a published version: {written}")
    except urllib.error.HTTPError as error:
        said("a delete is refused", json.loads(error.read())["errors"][0]["message"])


def ask(method: str, path: str, content: dict[str, Any] | None, token: str | None = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - an address of this machine
        ADDRESS + path, method=method, data=None if content is None else json.dumps(content).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if path.startswith("/sqllab"):
            raise
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error


def said(what: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    print(f"{what}: {text}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
