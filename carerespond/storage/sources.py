"""Sources: what is listened to, how far it was read, how it does, and the gaps that were left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import Gap, Health, Source
from carerespond.storage import feed
from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

_COLUMNS = (
    "source_id, name, account, health, message, since_at, cursor, last_ok_at, last_post_at,"
    " next_poll_at, found"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source as the configuration has it; `query` is "" for mentions."""

    source_id: str
    name: str
    account: str
    query: str = ""


def _source(row: Row) -> Source:
    return Source(
        source_id=row[0],
        name=row[1],
        account=row[2],
        health=Health(row[3]),
        message=row[4],
        since_at=moment(row[5]),
        cursor=row[6],
        last_ok_at=moment(row[7]),
        last_post_at=moment(row[8]),
        next_poll_at=moment(row[9]),
        found=row[10],
    )


def all_sources() -> Query[Source]:
    """Every source that is listened to, by name."""
    return Query(
        f"SELECT {_COLUMNS} FROM sources WHERE retired_at IS NULL ORDER BY name, source_id",  # noqa: S608
        (),
        _source,
    )


def source(source_id: str) -> Query[Source]:
    """One source."""
    return Query(f"SELECT {_COLUMNS} FROM sources WHERE source_id = ?", (source_id,), _source)  # noqa: S608


def sync(tx: Transaction, wanted: Sequence[Wanted], now: datetime) -> None:
    """Make the rows what the configuration says.

    A source whose query has changed begins anew, because its cursor says nothing about the new
    words. One that is no longer configured is retired, with what it found.
    """
    for one in wanted:
        tx.execute(
            "INSERT INTO sources (source_id, name, account, query) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (source_id) DO UPDATE SET name = excluded.name,"
            " account = excluded.account, retired_at = NULL,"
            " cursor = CASE WHEN query = excluded.query THEN cursor END,"
            " next_poll_at = CASE WHEN query = excluded.query THEN next_poll_at END,"
            " query = excluded.query",
            (one.source_id, one.name, one.account, one.query),
        )
    tx.execute(
        "UPDATE sources SET retired_at = ? WHERE retired_at IS NULL"
        " AND source_id NOT IN (SELECT value FROM json_each(?))",
        (ms(now), json.dumps([one.source_id for one in wanted])),
    )


def set_health(
    tx: Transaction, source_id: str, health: Health, message: str, now: datetime
) -> bool:
    """Say how a source does; `since_at` moves only when that changes. False when nothing did."""
    changed = tx.execute(
        "UPDATE sources SET since_at = CASE WHEN health = ? THEN since_at ELSE ? END,"
        " health = ?, message = ? WHERE source_id = ? AND (health <> ? OR message <> ?)",
        (health.value, ms(now), health.value, message, source_id, health.value, message),
    )
    if changed:
        feed.announce(tx, "source", None, now)
    return changed == 1


def take_in(tx: Transaction, source_id: str, new: int, last_post_at: datetime | None) -> None:
    """Count what a page has brought."""
    newest = ms(last_post_at) if last_post_at is not None else None
    tx.execute(
        "UPDATE sources SET found = found + ?,"
        " last_post_at = nullif(max(coalesce(last_post_at, 0), coalesce(?, 0)), 0)"
        " WHERE source_id = ?",
        (new, newest, source_id),
    )


def advance(tx: Transaction, source_id: str, cursor: str | None, now: datetime) -> None:
    """A round has ended whole: from here on only newer posts are asked for."""
    tx.execute(
        "UPDATE sources SET cursor = coalesce(?, cursor), last_ok_at = ? WHERE source_id = ?",
        (cursor, ms(now), source_id),
    )


def forget_cursor(tx: Transaction, source_id: str) -> None:
    """Begin anew: the cursor is of no use to the network any more."""
    tx.execute("UPDATE sources SET cursor = NULL WHERE source_id = ?", (source_id,))


def poll_again(tx: Transaction, source_id: str, at: datetime) -> None:
    """No process asks this source before `at`."""
    tx.execute("UPDATE sources SET next_poll_at = ? WHERE source_id = ?", (ms(at), source_id))


def poll_all_now(tx: Transaction, now: datetime) -> None:
    """Every source is due."""
    tx.execute("UPDATE sources SET next_poll_at = ? WHERE retired_at IS NULL", (ms(now),))
    feed.announce(tx, "source", None, now)


def add_gap(
    tx: Transaction, source_id: str, from_at: datetime, to_at: datetime, now: datetime
) -> int:
    """Note a stretch of time that nobody looked at; its gap_id."""
    gap_id = tx.insert(
        "INSERT INTO gaps (source_id, from_at, to_at) VALUES (?, ?, ?)",
        (source_id, ms(from_at), ms(to_at)),
    )
    feed.announce(tx, "source", None, now)
    return gap_id


def gaps(limit: int = 50) -> Query[Gap]:
    """Gaps that nobody has put to rest, newest first."""
    return Query(
        "SELECT gap_id, source_id, from_at, to_at FROM gaps WHERE seen_at IS NULL"
        " ORDER BY gap_id DESC LIMIT ?",
        (limit,),
        lambda row: Gap(row[0], row[1], moment(row[2]), moment(row[3])),
    )


def dismiss_gap(tx: Transaction, gap_id: int, now: datetime) -> bool:
    """A person has looked at a gap; False when somebody had.

    With its last gap a source stands well again, until its next round says how it does.
    """
    changed = tx.execute(
        "UPDATE gaps SET seen_at = ? WHERE gap_id = ? AND seen_at IS NULL", (ms(now), gap_id)
    )
    if not changed:
        return False
    tx.execute(
        "UPDATE sources SET health = ?, message = '', since_at = ? WHERE health = ? AND source_id ="
        " (SELECT source_id FROM gaps WHERE gap_id = ?) AND NOT EXISTS (SELECT 1 FROM gaps"
        " WHERE gaps.source_id = sources.source_id AND seen_at IS NULL)",
        (Health.OK.value, ms(now), Health.GAP.value, gap_id),
    )
    feed.announce(tx, "source", None, now)
    return True


def has_gap(source_id: str) -> Query[int]:
    """How many open gaps a source has."""
    return Query(
        "SELECT count(*) FROM gaps WHERE source_id = ? AND seen_at IS NULL", (source_id,), scalar
    )
