from datetime import timedelta

import pytest

from carerespond.domain.clocks import due_at, time_left
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
