"""This program among the others on one database: alive, and tidy after those that died.

Death is told by what this process sees itself: a process id that is gone on this host, or a
session that has not renewed for a while by this process's own monotonic clock. A wall clock that
jumps kills nobody.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime

from carerespond.domain.models import SendState
from carerespond.services import outcomes
from carerespond.storage import duty, outbox
from carerespond.storage.database import Database, Transaction

KEEP_SECONDS = 10.0


def is_running(pid: int) -> bool:
    """Whether a process with this id runs on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Presence:
    """One session's row, its renewal, and the adoption of what dead sessions left.

    Args:
        database: Where sessions are.
        session: This session's name; never used again after it has ended.
        operator: Who is signed on at the moment.
        now: The present moment.
        host: This machine.
        pid: This process.
        clock: A monotonic clock in seconds.
        running: Whether a process id runs on this machine.
    """

    def __init__(
        self,
        database: Database,
        *,
        session: str,
        operator: Callable[[], str],
        now: Callable[[], datetime],
        host: str,
        pid: int,
        clock: Callable[[], float] = time.monotonic,
        running: Callable[[int], bool] = is_running,
    ) -> None:
        self.session = session
        self._database = database
        self._operator = operator
        self._now = now
        self._host = host
        self._pid = pid
        self._clock = clock
        self._running = running
        self._kept_at: float | None = None
        self._seen: dict[str, tuple[datetime, float]] = {}

    @property
    def operator(self) -> str:
        """Who is signed on at the moment."""
        return self._operator()

    async def keep(self) -> list[int]:
        """Renew this session and adopt what dead ones left, when it is time to.

        Returns:
            Outbox rows that were adopted.
        """
        if self._kept_at is not None and self._clock() - self._kept_at < KEEP_SECONDS:
            return []
        self._kept_at = self._clock()
        # To be alive needs no disk; what is taken over does, in a transaction of its own, which any
        # session can do again.
        gone = await self._database.write(self._renew)
        if not gone:
            return []
        return await self._database.write(lambda tx: self._adopt(tx, gone), durable=True)

    def _renew(self, tx: Transaction) -> set[str]:
        """Renew this session and end dead ones; whose outbox rows nobody holds any more."""
        dead = {one.session for one in tx.fetch(duty.here()) if self._is_dead(one)}
        duty.start_session(tx, self.session, self._operator(), self._host, self._pid, self._now())
        for session in dead:
            duty.end_session(tx, session)
        here = {one.session for one in tx.fetch(duty.here())}
        return {row.session for row in tx.fetch(outbox.unfinished())} - here

    def _adopt(self, tx: Transaction, gone: set[str]) -> list[int]:
        """Take over what is still nobody's: a session may have come back meanwhile."""
        here = {one.session for one in tx.fetch(duty.here())}
        return adopt(tx, gone - here, self._now())

    def _is_dead(self, other: duty.Session) -> bool:
        if other.session == self.session:
            return False
        if other.host == self._host and not self._running(other.pid):
            return True
        expires_at, since = self._seen.get(other.session, (None, 0.0))
        if expires_at != other.expires_at:
            self._seen[other.session] = (other.expires_at, self._clock())
            return False
        return self._clock() - since > duty.SESSION_SECONDS

    async def leave(self) -> None:
        """End this session: what it had queued becomes "not sent"."""

        def work(tx: Transaction) -> None:
            adopt(tx, {self.session}, self._now())
            duty.end_session(tx, self.session)

        await self._database.write(work, durable=True)


def adopt(tx: Transaction, sessions: set[str], now: datetime) -> list[int]:
    """Take over the outbox rows of ended sessions; texts that never left are drafts again."""
    if not sessions:
        return []
    rows = outbox.adopt_dead(tx, now, sessions)
    for outbox_id in rows:
        row = tx.fetch(outbox.reply(outbox_id))[0]
        if row.state is SendState.NOT_SENT:
            outcomes.back_to_draft(tx, row, "not sent", now, outbox.ENDED)
        else:
            outcomes.note(tx, row, "outcome unknown", now, outbox.CUT_OFF)
    return rows
