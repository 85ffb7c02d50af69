"""Hours of work as a person writes them."""

from datetime import date

import pytest

from carerespond.config import Config, parse_config
from carerespond.domain.errors import ConfigError

NAME = '[organisation]\nname = "A"\n'


def hours(text: str) -> Config:
    return parse_config(f"{NAME}[hours]\n{text}", "config.toml")


def test_without_hours_every_minute_counts() -> None:
    assert parse_config(NAME, "config.toml").hours is None


def test_stretches_and_holidays_are_read() -> None:
    found = hours(
        'zone = "Europe/London"\nmonday = ["13:15-17:00", "9:00 - 12:30"]\nholidays = [2026-12-25]'
    ).hours
    assert found is not None
    assert found.week[0] == ((540, 750), (795, 1020))
    assert found.week[1:] == ((),) * 6
    assert found.holidays == {date(2026, 12, 25)}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('monday = ["09:00-17:00"]', 3, "has no zone"),
        ('zone = "Europe/London"', 3, "no working day"),
        ("monday = []", 3, "no working day"),
        ('zone = "Atlantis"', 4, "time zone that this machine knows"),
        ('zone = "Europe/London"\nmonday = ["9-17"]', 5, "list of stretches"),
        ('zone = "Europe/London"\nmonday = ["17:00-09:00"]', 5, "list of stretches"),
        ('zone = "Europe/London"\nmonday = ["09:00-12:00", "11:00-17:00"]', 5, "overlap"),
        ('zone = "Europe/London"\nholidays = ["Christmas"]', 5, "list of days"),
        ('zone = "Europe/London"\nmoonday = ["09:00-17:00"]', 5, "moonday"),
    ],
)
def test_a_mistake_names_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hours(text)
    assert f"line {line}" in str(caught.value)
    assert problem in str(caught.value)
