"""``connections.env``: where the city's source systems are, as the variables that OneLedger reads."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from urllib.parse import quote, urlsplit

FILE_NAME = "connections.env"
IRS = "AIRFLOW_CONN_ONELEDGER_IRS"
PROJECT_LIBRARY = "AIRFLOW_CONN_ONELEDGER_PROJECT_LIBRARY"
DROPS = {
    "AIRFLOW_CONN_ONELEDGER_ZHELIBAN_DROP": "zheliban",
    "AIRFLOW_CONN_ONELEDGER_ZHEZHENGDING_DROP": "zhezhengding",
    "AIRFLOW_CONN_ONELEDGER_FINANCE_DROP": "finance",
}
_HEADING = (
    "# The synthetic city's source systems (合成数据). Written by `oneledger city build` and `oneledger city serve`.\n"
    "# Holds a token: readable by its owner only.\n"
)


def read_connections(city_dir: Path) -> dict[str, str]:
    path = city_dir / FILE_NAME
    if not path.exists():
        return {}
    return dict(re.findall(r"^(?:export )?(\w+)='([^'\n]*)'$", path.read_text("utf-8"), re.MULTILINE))


def write_connections(city_dir: Path, changed: dict[str, str]) -> Path:
    """Set some variables, keep the others; the file is replaced at once and readable by its owner only."""
    path = city_dir / FILE_NAME
    known = {**read_connections(city_dir), **changed}
    partial = path.with_name(f".{FILE_NAME}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(_HEADING)
        stream.writelines(f"{name}='{value}'\n" for name, value in sorted(known.items()))
    partial.chmod(0o600)
    partial.replace(path)
    return path


def build_connections(city_dir: Path, project_library_uri: str) -> dict[str, str]:
    """The variables that ``city build`` knows; the address of the API is known when it is served."""
    drops = {name: (city_dir / "drops" / folder).as_uri() for name, folder in DROPS.items()}
    known = {PROJECT_LIBRARY: project_library_uri, **drops}
    if IRS not in read_connections(city_dir):
        known[IRS] = irs_uri("127.0.0.1", 0, secrets.token_urlsafe(24))
    return known


def irs_uri(host: str, port: int, token: str) -> str:
    return f"http://oneledger:{quote(token, safe='')}@{host}:{port}"


def known_token(city_dir: Path) -> str | None:
    """The token in the file, so that a server that starts again keeps it."""
    uri = read_connections(city_dir).get(IRS)
    return urlsplit(uri).password if uri else None
