"""How often a visitor may ask: so that one program cannot slow the pages of all, and nobody can guess tokens."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import HTTPException
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from oneledger.settings import ConfigurationError

RATE_VARIABLE = "ONELEDGER_WEB_RATE"
DEFAULT_RATE = 600
LOGINS = RateLimitItemPerMinute(20)


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit: requests of this minute, and seconds until the oldest of them is forgotten."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


class RateLimits:
    """Counts of the newest minute, of one process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, limit: RateLimitItem, *who: str) -> Allowance:
        """Count one request.

        Raises:
            HTTPException: 429 with ``Retry-After``, when the limit is used up.
        """
        is_within = self._limiter.hit(limit, *who)
        reset_at, remaining = self._limiter.get_window_stats(limit, *who)
        left = Allowance(limit.amount, remaining, max(1, math.ceil(reset_at - time.time())))
        if is_within:
            return left
        raise HTTPException(
            429,
            f"每分钟最多 {limit.amount} 次，请 {left.reset_seconds} 秒后再试。 "
            f"At most {limit.amount} a minute; try again in {left.reset_seconds} seconds.",
            headers={"Retry-After": str(left.reset_seconds), **left.headers},
        )


def requests_a_minute(environment: Mapping[str, str]) -> RateLimitItem:
    """How often one visitor may ask the API: ``ONELEDGER_WEB_RATE`` requests a minute, 600 unless said.

    Raises:
        ConfigurationError: the variable is no whole number of at least 1.
    """
    text = environment.get(RATE_VARIABLE, "").strip() or str(DEFAULT_RATE)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= 10_000_000:
        raise ConfigurationError(
            f"{RATE_VARIABLE} is {text!r}; it must be a whole number of requests a minute, at least 1. "
            f"Correct or unset it ({DEFAULT_RATE} is used then)."
        )
    return RateLimitItemPerMinute(int(text))


def check_login_rate(request: HTTPConnection) -> None:
    """Count a try to log in from this address."""
    request.app.state.limits.take(LOGINS, "login", request.client.host if request.client else "unknown")
