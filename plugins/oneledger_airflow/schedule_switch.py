"""Whether DAGs start by the clock: `make run` switches it off for the one night that it carries through."""

from __future__ import annotations

import os

_VARIABLE = "ONELEDGER_SCHEDULE"
_OFF = "off"


def is_on() -> bool:
    """Whether a time of day starts a DAG."""
    return os.environ.get(_VARIABLE) != _OFF


def switch_off() -> None:
    """For this process and every process that it starts."""
    os.environ[_VARIABLE] = _OFF
