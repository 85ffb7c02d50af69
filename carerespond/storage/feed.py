"""The change feed: what every open screen follows, in the order of the commits.

A row is part of the transaction that it tells of, so that nobody hears of what was not committed.
The feed is trimmed; a follower whose next row is gone starts again from the tables themselves.
"""

from collections.abc import Sequence
from datetime import datetime

from carerespond.domain.models import Change
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.times import ms

KEPT = 20_000
_EVERY = 1_000


def since(seq: int, limit: int = 500) -> Query[Change]:
    """Changes after `seq`, oldest first."""
    return Query(
        "SELECT seq, kind, case_id FROM changes WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
        lambda row: Change(*row),
    )


def latest() -> Query[int]:
    """The newest change's number; 0 when there is none."""
    return Query("SELECT coalesce(max(seq), 0) FROM changes", (), scalar)


def announce(tx: Transaction, kind: str, case_id: int | None, now: datetime) -> None:
    """Tell followers that something of this kind changed."""
    announce_all(tx, kind, (case_id,), now)


def announce_all(tx: Transaction, kind: str, case_ids: Sequence[int | None], now: datetime) -> None:
    """Tell followers of several cases at once."""
    if not case_ids:
        return
    at = ms(now)
    last = tx.insert(
        "INSERT INTO changes (kind, case_id, changed_at) VALUES (?, ?, ?)", (kind, case_ids[0], at)
    )
    if len(case_ids) > 1:
        tx.execute_many(
            "INSERT INTO changes (kind, case_id, changed_at) VALUES (?, ?, ?)",
            [(kind, case_id, at) for case_id in case_ids[1:]],
        )
    if last % _EVERY < len(case_ids):
        trim(tx, KEPT)


def trim(tx: Transaction, keep: int) -> int:
    """Drop all but the newest `keep` changes; how many were dropped."""
    return tx.execute(
        "DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?", (keep,)
    )
