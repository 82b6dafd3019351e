"""A transport of the OpenLineage client that appends events to one file a day, from many processes at once."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from pathlib import Path
from typing import Any

import attr
from openlineage.client.serde import Serde
from openlineage.client.transport.transport import Config, Transport

from oneledger.settings import CITY_TIMEZONE


@attr.define
class DailyFileConfig(Config):
    """``folder``: where the files ``<yyyy-mm-dd>.jsonl`` lie, one for each day of the city; made when missing."""

    folder: str

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> DailyFileConfig:
        if not params.get("folder"):
            raise ValueError("the file transport needs a folder")
        return cls(folder=str(params["folder"]))


class DailyFileTransport(Transport):
    """One event a line of JSON.

    The client's own file transport writes an event in several pieces, which mix when Airflow's scheduler, its tasks
    and a command write at once, and it never begins a new file.
    """

    kind = "oneledger_daily_file"
    config_class = DailyFileConfig

    def __init__(self, config: DailyFileConfig) -> None:
        self._folder = Path(config.folder)

    def emit(self, event: Any) -> None:
        """Append the event as a whole line."""
        line = Serde.to_json(event).encode() + b"\n"
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{dt.datetime.now(CITY_TIMEZONE):%Y-%m-%d}.jsonl"
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the writer before was killed within its line
            while line:
                line = line[os.write(descriptor, line) :]
        finally:
            os.close(descriptor)
