"""Ids that carry their time, as X makes them (`x-api/fundamentals/x-ids`): milliseconds << 22."""

import zlib
from datetime import UTC, datetime, timedelta

EPOCH_MS = 1288834974657
SEQUENCE_BITS = 22
SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1


def milliseconds(at: datetime) -> int:
    """A moment as whole milliseconds since 1970."""
    return int(at.timestamp() * 1000 + 0.5)


def from_milliseconds(value: int) -> datetime:
    """The moment that `milliseconds` was given, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)


def first_id(at: datetime) -> int:
    """The lowest id that a post of this moment can have."""
    return max(0, milliseconds(at) - EPOCH_MS) << SEQUENCE_BITS


def snowflake(at: datetime, sequence: int) -> int:
    """The id of a post made at `at`; posts of one millisecond differ in their sequence."""
    return first_id(at) | (sequence & SEQUENCE_MASK)


def made_at(number: int) -> datetime:
    """When a snowflake id was made."""
    return from_milliseconds((number >> SEQUENCE_BITS) + EPOCH_MS)


def stable_number(text: str) -> int:
    """A number that is the same for the same text in every process."""
    return zlib.crc32(text.encode("utf-8"))


def user_id(handle: str) -> str:
    """A 19-digit user id derived from a handle."""
    folded = handle.lower().encode("utf-8")
    return str(
        1_500_000_000_000_000_000 + (zlib.crc32(folded) << 20) + zlib.adler32(folded) % 999_983
    )
