"""Moments as the database keeps them: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@overload
def ms(moment: datetime) -> int: ...
@overload
def ms(moment: None) -> None: ...
def ms(moment: datetime | None) -> int | None:
    """An aware datetime as integer milliseconds; None stays None."""
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


@overload
def moment(value: int) -> datetime: ...
@overload
def moment(value: None) -> None: ...
def moment(value: int | None) -> datetime | None:
    """Integer milliseconds as an aware datetime in UTC; None stays None."""
    return None if value is None else _EPOCH + timedelta(milliseconds=value)
