"""Requests a quarter of an hour, one bucket per call and kind of token, with X's headers.

Source: `x-api/fundamentals/rate-limits`. A 429 has no Retry-After.
"""

from dataclasses import dataclass, field
from datetime import datetime

WINDOW_SECONDS = 900
DAY_SECONDS = 86_400
APP_A_DAY = 10_000
USER_A_DAY = {"POST /2/tweets": 10_000, "POST /2/dm_conversations": 1_440}


@dataclass(slots=True)
class Bucket:
    """One window that opens with its first request."""

    limit: int
    seconds: int
    reset: int = 0
    used: int = 0

    def take(self, at: datetime) -> bool:
        """Count one request; False when the window is full."""
        now = int(at.timestamp())
        if now >= self.reset:
            self.reset, self.used = now + self.seconds, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def headers(self, name: str) -> dict[str, str]:
        """The three headers of this window."""
        return {
            f"{name}-limit": str(self.limit),
            f"{name}-remaining": str(max(0, self.limit - self.used)),
            f"{name}-reset": str(self.reset),
        }


@dataclass(slots=True)
class Limits:
    """Every window of our app and our account."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(
        self, call: str, who: str, limit: int, at: datetime, *, write: bool
    ) -> tuple[bool, dict[str, str]]:
        """Count one request; whether it may pass, and the headers that go with the answer."""
        bucket = self._bucket(f"{who} {call}", limit, WINDOW_SECONDS)
        passed = bucket.take(at)
        headers = bucket.headers("x-rate-limit")
        if write:
            day = {"x-app-limit-24hour": APP_A_DAY, "x-user-limit-24hour": _a_day(call)}
            for name, most in day.items():
                window = self._bucket(f"{name} {call}", most, DAY_SECONDS)
                passed = window.take(at) and passed
                headers |= window.headers(name)
        return passed, headers

    def _bucket(self, name: str, limit: int, seconds: int) -> Bucket:
        bucket = self.buckets.setdefault(name, Bucket(limit, seconds))
        bucket.limit = limit
        return bucket


def _a_day(call: str) -> int:
    return next((most for start, most in USER_A_DAY.items() if call.startswith(start)), APP_A_DAY)
