"""How often a visitor may ask: so that one program cannot slow the pages of all, and nobody can guess tokens."""

from __future__ import annotations

from fastapi import HTTPException, Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

LOGINS = RateLimitItemPerMinute(20)


class RateLimits:
    """Counts of the newest minute, of one process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, limit: RateLimitItem, *who: str) -> None:
        """Count one request.

        Raises:
            HTTPException: 429 with ``Retry-After``, when the limit is used up.
        """
        if self._limiter.hit(limit, *who):
            return
        raise HTTPException(
            429,
            f"每分钟最多 {limit.amount} 次，请一分钟后再试。 At most {limit.amount} a minute; try again in a minute.",
            headers={"Retry-After": "60"},
        )


def check_login_rate(request: Request) -> None:
    """Count a try to log in from this address."""
    request.app.state.limits.take(LOGINS, "login", request.client.host if request.client else "unknown")
