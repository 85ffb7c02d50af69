"""Who is running, and who does the work that one process at a time may do.

A session is one running program with one person at it; it renews its row while it lives. A lease
is a named piece of work (a saved search to poll) with an expiry, and a fence number that rises
each time it changes hands, so that a holder who was thought dead cannot write as if it still held.
Neither decides whether an answer goes out: the outbox row itself does.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from carerespond.storage.database import Query, Row, Transaction, scalar
from carerespond.storage.times import moment, ms

SESSION_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Session:
    """One running program. `expires_at` moves on with each renewal."""

    session: str
    operator: str
    host: str
    pid: int
    started_at: datetime
    expires_at: datetime


def _session(row: Row) -> Session:
    return Session(row[0], row[1], row[2], row[3], moment(row[4]), moment(row[5]))


def start_session(
    tx: Transaction,
    session: str,
    operator: str,
    host: str,
    pid: int,
    now: datetime,
    seconds: float = SESSION_SECONDS,
) -> None:
    """Enter a session, or the new operator of one that is there."""
    tx.execute(
        "INSERT INTO sessions (session, operator, host, pid, started_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session) DO UPDATE SET"
        " operator = excluded.operator, expires_at = excluded.expires_at",
        (session, operator, host, pid, ms(now), ms(now + timedelta(seconds=seconds))),
    )


def renew_session(
    tx: Transaction, session: str, now: datetime, seconds: float = SESSION_SECONDS
) -> bool:
    """Say that a session still lives; False when its row is gone because it was taken for dead."""
    expires_at = ms(now + timedelta(seconds=seconds))
    changed = tx.execute(
        "UPDATE sessions SET expires_at = ? WHERE session = ?", (expires_at, session)
    )
    return changed == 1


def end_session(tx: Transaction, session: str) -> None:
    """Leave; leases that the session held are free at once."""
    tx.execute("UPDATE leases SET expires_at = 0 WHERE holder = ?", (session,))
    tx.execute("DELETE FROM sessions WHERE session = ?", (session,))


def here() -> Query[Session]:
    """Every session that has not ended, longest first; some may have died without a word."""
    return Query(
        "SELECT session, operator, host, pid, started_at, expires_at FROM sessions"
        " ORDER BY started_at, session",
        (),
        _session,
    )


def take_lease(
    tx: Transaction, name: str, holder: str, seconds: float, now: datetime
) -> int | None:
    """Take a lease that is free, expired or ours.

    One that ends later than any holder could have asked for counts as expired: the clock was set
    back since.

    Returns:
        Its fence number, which has risen; None while somebody else holds it.
    """
    expires_at = ms(now + timedelta(seconds=seconds))
    tx.execute(
        "INSERT INTO leases (name, holder, fence, expires_at) VALUES (?, ?, 1, ?)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1,"
        " expires_at = excluded.expires_at"
        " WHERE expires_at <= ? OR expires_at > ? OR holder = excluded.holder",
        (name, holder, expires_at, ms(now), ms(now + timedelta(seconds=10 * seconds))),
    )
    found = tx.fetch(
        Query("SELECT fence FROM leases WHERE name = ? AND holder = ?", (name, holder), scalar)
    )
    return found[0] if found else None


def renew_lease(
    tx: Transaction, name: str, holder: str, fence: int, seconds: float, now: datetime
) -> bool:
    """Hold a lease for longer; False when it has changed hands, and the work must stop."""
    expires_at = ms(now + timedelta(seconds=seconds))
    changed = tx.execute(
        "UPDATE leases SET expires_at = ? WHERE name = ? AND holder = ? AND fence = ?",
        (expires_at, name, holder, fence),
    )
    return changed == 1


def drop_lease(tx: Transaction, name: str, holder: str, fence: int) -> bool:
    """Give a lease back, so that another may take it at once. The row stays, so the fence rises."""
    changed = tx.execute(
        "UPDATE leases SET expires_at = 0 WHERE name = ? AND holder = ? AND fence = ?",
        (name, holder, fence),
    )
    return changed == 1
