"""How long a case may wait before it is late."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from carerespond.domain.models import Priority

_FIRST_YEAR, _LAST_YEAR = 1990, 2199


def is_plausible(moment: datetime) -> bool:
    """Whether somebody can have posted then; also what sums and time zones cannot overflow."""
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR


def due_at(
    posted_at: datetime, priority: Priority, minutes: Mapping[str, float]
) -> datetime | None:
    """When a case of this priority becomes late; None when it never does.

    Args:
        posted_at: When the newest unanswered post was made, aware UTC.
        priority: The case's pane.
        minutes: How long each pane may wait, by its label; 0 or absent means for ever.
    """
    allowed = minutes.get(priority.label, 0)
    return posted_at + timedelta(minutes=allowed) if allowed else None


def time_left(due: datetime | None, now: datetime) -> str:
    """What is left, in at most 5 characters: "LATE", "0:41", "3d"; "-" when it is never due."""
    if due is None:
        return "-"
    minutes = int((due - now).total_seconds() // 60)
    if minutes < 0:
        return "LATE"
    if minutes < 24 * 60:
        return f"{minutes // 60}:{minutes % 60:02}"
    return f"{minutes // (24 * 60)}d"
