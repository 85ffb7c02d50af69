from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.clocks import WorkingHours, due_at, late_since, time_left
from carerespond.domain.models import Priority
from tests.domain.support import NOW


def test_a_pane_without_minutes_is_never_due() -> None:
    assert due_at(NOW, Priority.WATCH, {"urgent": 60, "watch": 0}) is None
    assert due_at(NOW, Priority.PRAISE, {"urgent": 60}) is None
    assert due_at(NOW, Priority.URGENT, {"urgent": 60}) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (-1, "LATE"),
        (0, "0:00"),
        (41, "0:41"),
        (61, "1:01"),
        (1_439, "23:59"),
        (1_440, "1d"),
        (99_999, "69d"),
    ],
)
def test_what_is_left_takes_five_columns(minutes: int, said: str) -> None:
    assert time_left(NOW + timedelta(minutes=minutes), NOW) == said
    assert len(said) <= 5


def test_what_is_never_due_has_a_dash() -> None:
    assert time_left(None, NOW) == "-"


# -- working hours -------------------------------------------------------------------------------

LONDON = ZoneInfo("Europe/London")
DAY = ((9 * 60, 12 * 60 + 30), (13 * 60 + 15, 17 * 60))
OFFICE = WorkingHours(LONDON, (DAY, DAY, DAY, DAY, DAY, (), ()), frozenset({date(2026, 12, 25)}))


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=LONDON)


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        (at(24, 9), 60, at(24, 10)),
        (at(24, 12), 60, at(24, 13, 45)),  # over the break
        (at(24, 16), 120, at(25, 10)),  # over the night
        (at(27, 16, 30), 60, at(30, 9, 30)),  # over the weekend
        (at(28, 11), 30, at(30, 9, 30)),  # from the weekend
        (at(24, 16, 30, 12), 60, at(28, 9, 30, 12)),  # over Christmas Day and a weekend
        (at(23, 16, 30, 10), 60, at(26, 9, 30, 10)),  # the clocks go back that weekend
    ],
)
def test_only_working_minutes_count(start: datetime, minutes: int, end: datetime) -> None:
    assert OFFICE.add(start, minutes) == end
    assert OFFICE.between(start, end, 10_000) == minutes


def test_an_urgent_case_never_rests() -> None:
    friday = at(27, 17)
    assert due_at(friday, Priority.URGENT, {"urgent": 60}, OFFICE) == at(27, 18)
    assert due_at(friday, Priority.TODAY, {"today": 60}, OFFICE) == at(30, 10)


moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001 - next line
    lambda one: one.replace(second=0, microsecond=0, tzinfo=UTC)
)


@given(moments, st.integers(1, 20_000))
def test_adding_and_looking_back_agree_on_who_is_late(posted: datetime, minutes: int) -> None:
    due = OFFICE.add(posted, minutes)
    for now in (due - timedelta(minutes=1), due, due + timedelta(minutes=1)):
        is_late = posted < late_since(now, Priority.TODAY, minutes, OFFICE)
        if is_late:
            assert now >= due
        elif OFFICE.between(due, now, 1) > 0:
            pytest.fail(f"late since {due}, and nobody sees it at {now}")


@given(moments, moments)
def test_waiting_never_goes_down(first: datetime, second: datetime) -> None:
    start, end = min(first, second), max(first, second)
    waited = [OFFICE.between(start, start + (end - start) * share, 1e6) for share in (0, 0.5, 1)]
    assert waited == sorted(waited)


def test_hours_without_any_work_count_every_minute() -> None:
    closed = WorkingHours(LONDON, ((),) * 7)
    assert closed.add(NOW, 60) == NOW + timedelta(hours=1)
    assert closed.back(NOW, 60) == NOW - timedelta(hours=1)
