"""What X would charge for the calls that were made (`getting-started/pricing`, 2026-08-22)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PRICES = {
    "post": 0.005,
    "user": 0.010,
    "dm_event": 0.010,
    "owned": 0.001,
    "counts": 0.005,
    "create": 0.015,
    "create_url": 0.200,
    "reply_summoned": 0.010,
    "dm_send": 0.015,
    "repost": 0.015,
    "delete": 0.010,
    "hide": 0.005,
}
MONTHLY_POSTS = 3_000_000


@dataclass(slots=True)
class Meter:
    """Charges so far; one resource costs once a UTC day, empty and failed answers cost nothing."""

    prices: dict[str, float] = field(default_factory=lambda: dict(PRICES))
    usd: float = 0.0
    by_class: Counter[str] = field(default_factory=Counter)
    by_call: dict[str, float] = field(default_factory=dict)
    by_day: dict[str, float] = field(default_factory=dict)
    posts_by_day: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def read(self, kind: str, resources: Iterable[str], call: str, at: datetime) -> None:
        """Charge for resources that an answer returned; a post is one, by whatever call it came."""
        day = at.date().isoformat()
        for resource in resources:
            seen = (day, "post" if kind == "owned" else kind, resource)
            if seen not in self.seen:
                self.seen.add(seen)
                self._charge(kind, call, day)
                if kind in {"post", "owned"}:
                    self.posts_by_day[day] += 1

    def request(self, kind: str, call: str, at: datetime) -> None:
        """Charge for a call that costs as a whole."""
        self._charge(kind, call, at.date().isoformat())

    def _charge(self, kind: str, call: str, day: str) -> None:
        price = self.prices[kind]
        self.usd += price
        self.by_class[kind] += 1
        self.by_call[call] = self.by_call.get(call, 0.0) + price
        self.by_day[day] = self.by_day.get(day, 0.0) + price

    def as_json(self) -> dict[str, Any]:
        """The bill."""
        return {
            "usd": round(self.usd, 6),
            "charged": dict(self.by_class),
            "usd_by_call": {call: round(usd, 6) for call, usd in self.by_call.items()},
            "usd_by_day": {day: round(usd, 6) for day, usd in self.by_day.items()},
            "requests": dict(self.requests),
        }
