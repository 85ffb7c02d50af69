"""How long a case may wait before it is late, in the minutes in which somebody works."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from carerespond.domain.models import Priority

_FIRST_YEAR, _LAST_YEAR = 1990, 2199
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_DAYS_WITHOUT_WORK = 60  # a team that is closed for longer counts every minute from there


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When somebody works: minutes outside do not count as waiting.

    Attributes:
        zone: The time zone in which the hours are meant.
        week: For each day from Monday its stretches of work, as minutes of the day, in order;
            what lies between two of them is a break.
        holidays: Days on which nobody works.
    """

    zone: tzinfo
    week: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()

    def add(self, start: datetime, minutes: float) -> datetime:
        """The moment when so many working minutes have passed since `start`, aware UTC."""
        left = timedelta(minutes=minutes)
        for opens, shuts in self._stretches(start, 1):
            begin = max(opens, start)
            if shuts - begin >= left:
                return begin + left
            left -= max(shuts - begin, timedelta())
        return start + timedelta(minutes=minutes)

    def back(self, end: datetime, minutes: float) -> datetime:
        """The latest moment from which so many working minutes have passed by `end`, aware UTC."""
        left = timedelta(minutes=minutes)
        for opens, shuts in self._stretches(end, -1):
            finish = min(shuts, end)
            if finish - opens >= left:
                return finish - left
            left -= max(finish - opens, timedelta())
        return end - timedelta(minutes=minutes)

    def between(self, start: datetime, end: datetime, most: float) -> float:
        """How many working minutes lie between two moments; counting stops at `most`."""
        total = timedelta()
        for opens, shuts in self._stretches(start, 1):
            if opens >= end or total >= timedelta(minutes=most):
                break
            total += max(min(shuts, end) - max(opens, start), timedelta())
        return min(total / _MINUTE, most)

    def _stretches(self, moment: datetime, step: int) -> Iterator[tuple[datetime, datetime]]:
        """Stretches of work from the day of a moment on, or back; as aware UTC."""
        day = moment.astimezone(self.zone).date()
        idle = 0
        while idle < _DAYS_WITHOUT_WORK:
            stretches = () if day in self.holidays else self.week[day.weekday()]
            idle = 0 if stretches else idle + 1
            for begin, end in stretches[::step]:
                yield self._at(day, begin), self._at(day, end)
            day += _DAY * step

    def _at(self, day: date, minute: int) -> datetime:
        if minute == 24 * 60:
            day, minute = day + _DAY, 0
        return datetime.combine(day, time(minute // 60, minute % 60), self.zone).astimezone(UTC)


def counted(hours: WorkingHours | None, priority: Priority) -> WorkingHours | None:
    """The hours that count for a pane; None counts every minute. What is urgent never rests."""
    return None if priority is Priority.URGENT else hours


def late_since(
    now: datetime, priority: Priority, allowed: float, hours: WorkingHours | None = None
) -> datetime:
    """Cases of this pane that were posted before this moment are late."""
    working = counted(hours, priority)
    return working.back(now, allowed) if working else now - timedelta(minutes=allowed)


def is_plausible(moment: datetime) -> bool:
    """Whether somebody can have posted then; also what sums and time zones cannot overflow."""
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR


def due_at(
    posted_at: datetime,
    priority: Priority,
    minutes: Mapping[str, float],
    hours: WorkingHours | None = None,
) -> datetime | None:
    """When a case of this priority becomes late; None when it never does.

    Args:
        posted_at: When the newest unanswered post was made, aware UTC.
        priority: The case's pane.
        minutes: How long each pane may wait, by its label; 0 or absent means for ever.
        hours: When somebody works; None counts every minute.
    """
    allowed = minutes.get(priority.label, 0)
    if not allowed:
        return None
    working = counted(hours, priority)
    return working.add(posted_at, allowed) if working else posted_at + timedelta(minutes=allowed)


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
