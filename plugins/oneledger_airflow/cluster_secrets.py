"""The secrets of the stack: one file each, as docker-compose.yml names them, made once and never printed."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from oneledger_airflow.installation import USER, fernet_key

# Written by hand; empty means: not used.
BY_HAND = ("connections", "web_tokens", "signing_key")


def make_secrets(
    folder: Path, *, postgres: str = "postgres:5432", redis: str = "redis:6379", user: str = USER
) -> list[str]:
    """Make the files that are not there yet; returns their names. What is there stays, passwords included.

    The folder can be entered by its owner only; the files in it are readable, because the compose tool mounts each
    into containers whose users have other ids.

    Args:
        folder: where they lie.
        postgres, redis: host and port under which the services reach them.
        user: the first user of Airflow's pages.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    made: list[str] = []

    def keep(name: str, value: str) -> str:
        path = folder / name
        if not path.exists():
            path.write_text(value, encoding="utf-8")
            path.chmod(0o444)
            made.append(name)
        return path.read_text(encoding="utf-8")

    database = f"airflow:{keep('postgres_password', secrets.token_urlsafe(24))}@{postgres}/airflow"
    # Redis reads its configuration from this file, so the password stands in no command line.
    password = keep("redis_conf", f"requirepass {secrets.token_urlsafe(24)}\n").split()[1]
    keep("metadata_url", f"postgresql+psycopg2://{database}")
    keep("result_backend_url", f"db+postgresql+psycopg2://{database}")
    keep("broker_url", f"redis://:{password}@{redis}/0")
    keep("fernet_key", fernet_key())
    keep("jwt_secret", secrets.token_urlsafe(48))
    keep("session_key", secrets.token_urlsafe(32))
    keep("airflow_passwords", json.dumps({user: secrets.token_urlsafe(12)}))
    for name in BY_HAND:
        keep(name, "")
        (folder / name).chmod(0o644)
    return made
