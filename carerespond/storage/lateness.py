"""Counting the cases that have waited too long."""

from collections.abc import Mapping
from datetime import datetime

from carerespond.domain.clocks import WorkingHours, late_since
from carerespond.domain.models import Priority
from carerespond.storage.database import Query, scalar
from carerespond.storage.times import ms

MANY = 1000  # a pane's count stops here: nobody needs to know more, and counting costs


def late(
    minutes: Mapping[str, float], now: datetime, hours: WorkingHours | None = None
) -> Query[int]:
    """How many open cases are late, at most `MANY` a pane; one result."""
    limits = [
        (int(pane), ms(late_since(now, pane, minutes[pane.label], hours)))
        for pane in Priority
        if minutes.get(pane.label, 0)
    ]
    if not limits:
        return Query("SELECT 0", (), scalar)
    pane = (
        "(SELECT count(*) FROM (SELECT 1 FROM cases"
        " WHERE state = 'open' AND priority = ? AND posted_at < ? LIMIT ?))"
    )
    params = [value for limit in limits for value in (*limit, MANY)]
    return Query("SELECT " + " + ".join([pane] * len(limits)), params, scalar)
