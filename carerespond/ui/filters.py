"""What a person types to narrow a list or to put a case off: two small languages."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from carerespond.domain.errors import NotAllowedError
from carerespond.domain.models import CaseFilter, CaseState

HINT = "words, -without, owner:NAME (me, nobody), label:WORD, is:star, is:later, is:done"
LATER_HINT = "2h, 3d, 14:30, tomorrow, monday, 2026-12-24 09:00"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d{1,4})\s*(m|min|h|d|w)\Z")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")
_MINUTES = {"m": 1, "min": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
MORNING = 8  # the hour at which "tomorrow" and week days begin


def parse_filter(text: str, base: CaseFilter, operator: str) -> CaseFilter:
    """The filter that was typed, on the pane of `base`.

    Raises:
        NotAllowedError: A word after a colon that means nothing here; says what would.
    """
    wanted = CaseFilter(priority=base.priority, query=text)
    words: list[str] = []
    without: list[str] = []
    for word in text.split():
        name, colon, value = word.partition(":")
        if colon and name in ("owner", "label", "is") and value:
            wanted = _narrow(wanted, name, value, operator)
        elif word.startswith("-") and len(word) > 1:
            without.append(bare(word[1:]))
        else:
            words.append(bare(word))
    return replace(wanted, words=tuple(words), without=tuple(without))


def bare(word: str) -> str:
    """A word as it is looked for: people write a name with its @, cases have it without."""
    return word.removeprefix("@") or word


def _narrow(wanted: CaseFilter, name: str, value: str, operator: str) -> CaseFilter:
    if name == "label":
        return replace(wanted, label=value)
    if name == "owner":
        return replace(wanted, owner={"me": operator, "nobody": ""}.get(value, value))
    if value == "star":
        return replace(wanted, starred=True)
    try:
        return replace(wanted, state=CaseState(value))
    except ValueError:
        raise NotAllowedError(
            f"is:{value} means nothing here.", "Try is:open, is:later, is:done or is:star."
        ) from None


def parse_later(text: str, now: datetime) -> datetime:
    """The moment that was typed, in the person's own time zone, as an aware UTC datetime.

    Args:
        text: As `LATER_HINT` shows.
        now: The present moment, aware.

    Raises:
        NotAllowedError: It is no moment, or one that has passed.
    """
    local = now.astimezone()
    when = _moment(text.strip().lower(), local)
    if when is None:
        raise NotAllowedError(f"{text!r} is no time that I know.", f"Try {LATER_HINT}.")
    if when <= local:
        raise NotAllowedError(f"{text!r} has passed already.", f"Try {LATER_HINT}.")
    return when.astimezone(now.tzinfo)


def _moment(text: str, local: datetime) -> datetime | None:
    if span := _SPAN.match(text):
        return local + timedelta(minutes=int(span[1]) * _MINUTES[span[2]])
    if (clock := _CLOCK.match(text)) and int(clock[1]) < 24 and int(clock[2]) < 60:  # noqa: PLR2004
        today = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return today if today > local else today + timedelta(days=1)
    morning = local.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    if text == "tomorrow":
        return morning + timedelta(days=1)
    if text[:3] in _DAYS:
        ahead = (_DAYS.index(text[:3]) - local.weekday() - 1) % 7 + 1
        return morning + timedelta(days=ahead)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-12-24"):
        when = when.replace(hour=MORNING)
    return when.astimezone() if when.tzinfo is None else when
