"""Works the outbox: each queued reply leaves once, after its take-back time, or is not sent.

The rules are in docs/sending.md. What matters here: a row is on disk as "sending" before a byte of
it leaves, the outcome is on disk before anything else happens, nothing is sent again on a guess,
and the take-back time is measured by this process's monotonic clock alone.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from carerespond.config import Config
from carerespond.domain.errors import (
    AnswerLostError,
    BadAnswerError,
    CarerespondError,
    DiskFullError,
    NetworkError,
    RateLimitedError,
    Refusal,
    RefusedError,
    ServerFaultError,
    StorageError,
    UnreachableError,
)
from carerespond.domain.models import Charge, Post, Reply, SendState
from carerespond.networks.base import Network, Sent
from carerespond.services import outcomes
from carerespond.services.finder import Finder, look_after
from carerespond.services.presence import Presence
from carerespond.storage import cases, outbox, posts
from carerespond.storage.database import Database, Transaction

Charger = Callable[[Transaction, str, Sequence[Charge], datetime], object]

FREE_BYTES = 1 << 20
PATIENCE_SECONDS = 600.0
IDLE_SECONDS = 10.0
RETRY_SECONDS = 5.0
WRITERS_SECONDS = 60.0
_DISK_SECONDS = 30.0
_LONGEST_PAUSE = 60.0

# After a read these prove nothing about our reply; the read is asked again a little later.
_PASSING = (UnreachableError, RateLimitedError, AnswerLostError, BadAnswerError, ServerFaultError)


@dataclass(slots=True)
class _Plan:
    """When a queued row is due by the monotonic clock, and how its tries went."""

    due: float
    version_id: str = ""
    waiting_since: float | None = None
    tries: int = 0
    held: bool = False


class _StopError(Exception):
    """The reply must not leave; says why, and whether the answered post is gone or new."""

    def __init__(self, why: str, *, gone: bool = False, edited: Post | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.gone = gone
        self.edited = edited


class Sender:
    """Sends what this session has queued.

    Args:
        database: Where the outbox is.
        networks: Networks by account.
        config: For the take-back time.
        presence: This session, kept alive while the sender runs.
        finder: Looks for replies whose outcome is unknown.
        now: The present moment.
        charge: Writes what a call cost into the ledger, inside a transaction.
        free_bytes: Free disk space where the database lies.
        clock: A monotonic clock in seconds.
    """

    def __init__(
        self,
        database: Database,
        networks: Mapping[str, Network],
        config: Config,
        *,
        presence: Presence,
        finder: Finder,
        now: Callable[[], datetime],
        charge: Charger,
        free_bytes: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._networks = networks
        self._config = config
        self._presence = presence
        self._finder = finder
        self._now = now
        self._charge = charge
        self._free_bytes = free_bytes
        self._clock = clock
        self._plans: dict[int, _Plan] = {}
        self._ended: dict[int, float] = {}
        self._unwritten: dict[int, Callable[[Transaction], object]] = {}
        self._take_backs: dict[int, Callable[[Transaction], object]] = {}
        self._writers_at = clock()
        self._wake = asyncio.Event()

    # -- the take-back time ---------------------------------------------------------------------

    def expect(self, row: Reply, version_id: str = "") -> None:
        """A row was queued just now: its take-back time begins.

        Args:
            row: The queued row.
            version_id: The version of the post that the person saw; another one stops the reply.
        """
        due = self._clock() + self._config.take_back_seconds
        self._plans[row.outbox_id] = _Plan(due, version_id)
        self._wake.set()

    def seconds_left(self, outbox_id: int) -> float | None:
        """How much of a row's take-back time is left; None when it is not waiting here."""
        plan = self._plans.get(outbox_id)
        return None if plan is None else max(0.0, plan.due - self._clock())

    @contextmanager
    def held(self, outbox_id: int) -> Iterator[None]:
        """Do not begin to send this row meanwhile: its writer has pressed the key in time."""
        plan = self._plans.setdefault(outbox_id, _Plan(self._clock()))
        plan.held = True
        try:
            yield
        finally:
            plan.held = outbox_id in self._take_backs
            self._wake.set()

    def take_back_later(self, outbox_id: int, work: Callable[[Transaction], object]) -> None:
        """A row was taken back in time and it could not be written: held until it is.

        Args:
            outbox_id: The row, which this session does not send any more.
            work: Takes the row back; tried again before anything else is done here.
        """
        self._take_backs[outbox_id] = work

    def forget(self, outbox_id: int) -> None:
        """A row was taken back."""
        self._plans.pop(outbox_id, None)
        self._take_backs.pop(outbox_id, None)

    def just_ended(self, seconds: float) -> list[int]:
        """Rows that have left this session's hands within so many seconds, each told once."""
        fresh = [row for row, at in self._ended.items() if self._clock() - at <= seconds]
        self._ended.clear()
        return fresh

    # -- working --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled; a reply that is on its way is finished first."""
        while True:
            self._wake.clear()
            try:
                pause = await self.work_due()
            except CarerespondError:  # shown by whoever acts next; the rows stay as they are
                pause = RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def work_due(self) -> float:
        """Do everything that is due now.

        Returns:
            Seconds until there may be more to do.
        """
        await self._write_take_backs()
        await self._write_unwritten()
        has_queued = await self._end_broken_off()
        await self._presence.keep()
        await self._finder.work_due()
        await self._forget_writers()
        rows: list[Reply] = []
        if has_queued:  # what is queued from here on wakes this loop again
            rows = await self._database.fetch(outbox.pending(self._presence.session))
        for row in rows:
            plan = self._plan(row)
            if not plan.held and plan.due <= self._clock():
                await self.send(row.outbox_id)
        return self._pause(rows)

    async def _write_take_backs(self) -> None:
        """What was taken back in time and could not be written then; until then nothing leaves."""
        for outbox_id, work in list(self._take_backs.items()):
            await self._database.write(work, durable=True)
            self.forget(outbox_id)

    async def _write_unwritten(self) -> None:
        """Outcomes that could not be written when they came."""
        for outbox_id, work in list(self._unwritten.items()):
            await self._database.write(work, durable=True)
            del self._unwritten[outbox_id]

    async def _end_broken_off(self) -> bool:
        """Attempts of ours that broke off have an unknown outcome; whether any row is queued."""
        found = await self._database.fetch(outbox.unfinished())
        ours = [row for row in found if row.session == self._presence.session]
        for row in ours:
            if row.state is SendState.SENDING:
                await self._unknown(self._networks[row.account], row, "The attempt broke off.")
        return any(row.state is SendState.QUEUED for row in ours)

    async def _forget_writers(self) -> None:
        """Who has left a composer open, or whose program has died, is not writing any more."""
        if self._clock() < self._writers_at:
            return
        self._writers_at = self._clock() + WRITERS_SECONDS
        if await self._database.fetch(cases.stale_writing(self._now())):
            await self._database.write(lambda tx: cases.forget_stale_writing(tx, self._now()))

    async def _record(self, row: Reply, work: Callable[[Transaction], object]) -> None:
        """Write an outcome down, at once or as soon as it can be."""
        try:
            await self._database.write(work, durable=True)
        except StorageError:
            self._unwritten[row.outbox_id] = work

    def _plan(self, row: Reply) -> _Plan:
        # A row of ours without a plan was queued by a caller who was cancelled before `expect`.
        if row.outbox_id not in self._plans:
            self.expect(row)
        return self._plans[row.outbox_id]

    def _pause(self, rows: Sequence[Reply]) -> float:
        now = self._clock()
        dues = [
            plan.due - now
            for row in rows
            if (plan := self._plans.get(row.outbox_id)) is not None and not plan.held
        ]
        return max(0.0, min([IDLE_SECONDS, *dues]))

    async def close(self) -> None:
        """End the session: what is still queued becomes "not sent", its text a draft again."""
        await self._presence.leave()
        self._plans.clear()

    # -- one reply ------------------------------------------------------------------------------

    async def send(self, outbox_id: int) -> Reply | None:
        """Send one queued row of this session now, whatever its take-back time.

        Returns:
            The row as it stands after it; None when it is not this session's to send.
        """
        found = await self._database.fetch(outbox.reply(outbox_id))
        if not found or found[0].state is not SendState.QUEUED:
            self._plans.pop(outbox_id, None)
            return None
        row = found[0]
        try:
            await self._before_the_wire(row)
        except _StopError as stop:
            await self._not_sent(row, stop.why, gone=stop.gone)
            await self._keep_edited(row, stop.edited)
        except DiskFullError as full:
            await self._wait(row, full, _DISK_SECONDS)
        except _PASSING as passing:
            await self._wait_for_network(row, passing)
        except StorageError:
            raise  # the row stays queued, and is tried again
        except CarerespondError as error:
            await self._refuse_unsent(row, error)
        else:
            await self._to_the_wire(row)
        after = await self._database.fetch(outbox.reply(outbox_id))
        return after[0]

    async def _before_the_wire(self, row: Reply) -> None:
        """Everything that can be found out before a byte leaves.

        Raises:
            _StopError: The reply must not leave.
            DiskFullError: Its outcome could not be written down.
            NetworkError: The post could not be read again.
        """
        network = self._networks.get(row.account)
        if network is None:
            raise _StopError(f"Nobody is signed in to {row.account} here.")
        if self._free_bytes() < FREE_BYTES:
            raise DiskFullError(
                "The disk is full: nothing is sent that could not be written down.",
                "Free some space; the answer goes out then.",
            )
        versions = await self._read_again(network, row)
        if not await self._is_second(row):
            await self._look_for_own_answer(network, row, versions)

    async def _read_again(self, network: Network, row: Reply) -> frozenset[str]:
        lookup = await network.lookup([row.in_reply_to])
        await self._pay(row.account, lookup.charges)
        fresh = next((post for post in lookup.posts if _is(post, row.in_reply_to)), None)
        if fresh is None:
            why = lookup.gone.get(row.in_reply_to)
            if why is None:
                raise _StopError("The post could not be read again before sending.")
            raise _StopError(f"The post is gone ({why}).", gone=True)
        seen = self._plans[row.outbox_id].version_id if row.outbox_id in self._plans else ""
        version_id = fresh.version_id or fresh.post_id
        if seen and version_id != seen:
            edited = replace(fresh, post_id=row.in_reply_to, version_id=version_id)
            raise _StopError(f"@{row.handle} has edited the post since you read it.", edited=edited)
        return frozenset({row.in_reply_to, fresh.post_id, version_id})

    async def _is_second(self, row: Reply) -> bool:
        return bool(await self._database.fetch(outbox.second_reason(row.outbox_id)))

    async def _look_for_own_answer(
        self, network: Network, row: Reply, versions: frozenset[str]
    ) -> None:
        """Stop when our account has answered this post already, from wherever, or may have."""
        answers = outbox.own_answers(row.network, row.account, versions)
        is_whole = True
        if not await self._database.fetch(answers) and network.capabilities.own_timeline:
            is_whole = (await self._finder.read_own(network, row, versions)).is_whole
        if await self._database.fetch(answers):
            raise _StopError(
                f"@{row.handle} was answered from our account already, outside this inbox."
            )
        if not is_whole:
            raise _StopError(
                "whether our account has answered this post already could not be checked: it has"
                " posted too much since. Look for yourself, then answer in a browser."
            )

    async def _to_the_wire(self, row: Reply) -> None:
        plan = self._plans.get(row.outbox_id)
        if (plan is not None and plan.held) or row.outbox_id in self._take_backs:
            return
        claimed = await self._database.write(
            lambda tx: outbox.claim(tx, row.outbox_id, self._presence.session, self._now()),
            durable=True,
        )
        if claimed is None:
            self._plans.pop(row.outbox_id, None)
            return
        attempt = asyncio.ensure_future(self._attempt(claimed))
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            await attempt  # the program ends; this answer's outcome is still waited for
            raise

    async def _attempt(self, row: Reply) -> None:
        """One request, and its outcome on disk."""
        network = self._networks[row.account]
        version = self._plans[row.outbox_id].version_id if row.outbox_id in self._plans else ""
        limit = 2 * network.capabilities.request_seconds
        try:
            async with asyncio.timeout(limit):
                sent = await network.reply(row.text, version or row.in_reply_to, row.key)
        except (UnreachableError, RateLimitedError) as passing:
            await self._wait_for_network(row, passing)
        except RefusedError as refused:
            await self._refused(network, row, refused)
        except (AnswerLostError, BadAnswerError, ServerFaultError, TimeoutError) as lost:
            await self._unknown(network, row, str(lost) or "No answer came.")
        except NetworkError as error:
            await self._finish(row, SendState.REFUSED, str(error), action="refused")
        except CarerespondError as error:  # a network raises none: it proves nothing
            await self._unknown(network, row, str(error))
        else:
            await self._sent(network, row, sent)

    # -- outcomes -------------------------------------------------------------------------------

    async def _sent(self, network: Network, row: Reply, sent: Sent) -> None:
        if not sent.remote_id:
            await self._unknown(network, row, "The network answered without naming the new post.")
            return

        def work(tx: Transaction) -> bool:
            now = self._now()
            ours = outbox.finish(
                tx, row.outbox_id, row.fence, SendState.SENT, sent.remote_id, None, now
            )
            # Somebody took this session for dead meanwhile; the network's word counts.
            ours = ours or outbox.settle(
                tx, row.outbox_id, SendState.UNKNOWN, SendState.SENT, now, remote_id=sent.remote_id
            )
            if ours:
                outcomes.close_answered(tx, row, sent.remote_id, now)
            else:
                outcomes.note(tx, row, "sent late", now, sent.remote_id)
            self._charge(tx, row.account, sent.charges, now)
            return ours

        await self._record(row, work)
        self._over(row)

    async def _unknown(self, network: Network, row: Reply, why: str) -> None:
        def work(tx: Transaction) -> None:
            problem = f"{why} It is looked for in our own timeline before anybody decides."
            now = self._now()
            if outbox.finish(tx, row.outbox_id, row.fence, SendState.UNKNOWN, None, problem, now):
                outcomes.note(tx, row, "outcome unknown", now, why)

        await self._record(row, work)
        self._finder.look_later(row.outbox_id, look_after(network.capabilities))
        self._over(row)

    async def _refused(self, network: Network, row: Reply, refused: RefusedError) -> None:
        earlier = await self._database.fetch(outbox.earlier_attempts(row))
        if refused.reason is Refusal.DUPLICATE and (row.attempt > 1 or earlier):
            # An earlier attempt may be the very post that this one duplicates.
            await self._unknown(network, row, "The network says that this text is already posted.")
            return
        await self._finish(
            row, SendState.REFUSED, str(refused), action="refused", detail=refused.reason.value
        )

    async def _finish(
        self, row: Reply, state: SendState, problem: str, *, action: str, detail: str = ""
    ) -> None:
        """Nothing was posted, and it is certain: the text is a draft again."""

        def work(tx: Transaction) -> None:
            now = self._now()
            if outbox.finish(tx, row.outbox_id, row.fence, state, None, problem, now):
                outcomes.back_to_draft(tx, row, action, now, detail)

        await self._record(row, work)
        self._over(row)

    async def _refuse_unsent(self, row: Reply, error: CarerespondError) -> None:
        """The account cannot be used at all, as reading the post again has shown."""
        detail = error.reason.value if isinstance(error, RefusedError) else ""
        await self._settle_unsent(row, SendState.REFUSED, str(error), "refused", detail)

    async def _not_sent(self, row: Reply, why: str, *, gone: bool = False) -> None:
        await self._settle_unsent(row, SendState.NOT_SENT, f"Not sent: {why}", "not sent", why)
        if gone:
            await self._database.write(
                lambda tx: posts.mark_deleted(tx, row.network, row.in_reply_to, self._now())
            )

    async def _keep_edited(self, row: Reply, post: Post | None) -> None:
        """The next review shows the new words and answers them, whether or not a search does."""
        if post is None:
            return

        def work(tx: Transaction) -> None:
            for case in tx.fetch(cases.case(row.case_id)):
                posts.store_edited(tx, post, case.assessment, self._now())

        await self._database.write(work)

    async def _settle_unsent(
        self, row: Reply, state: SendState, problem: str, action: str, detail: str
    ) -> None:
        def work(tx: Transaction) -> None:
            now = self._now()
            if outbox.settle(tx, row.outbox_id, SendState.QUEUED, state, now, problem=problem):
                outcomes.back_to_draft(tx, row, action, now, detail)

        await self._database.write(work, durable=True)
        self._over(row)

    # -- waiting --------------------------------------------------------------------------------

    async def _wait_for_network(self, row: Reply, passing: NetworkError) -> None:
        """It is certain that nothing left: try again for a while, then leave it to the person."""
        plan = self._plans.setdefault(row.outbox_id, _Plan(self._clock()))
        plan.waiting_since = self._clock() if plan.waiting_since is None else plan.waiting_since
        left = PATIENCE_SECONDS - (self._clock() - plan.waiting_since)
        pause = min(_LONGEST_PAUSE, left, 2.0 ** min(plan.tries + 1, 6))
        if isinstance(passing, RateLimitedError):
            pause = max(1.0, (passing.retry_at - self._now()).total_seconds())
        plan.tries += 1
        if 0 < pause <= left:
            await self._wait(row, passing, pause)
        elif row.state is SendState.SENDING:
            why = f"Not sent: the network could not be asked within 10 minutes. {passing}"
            await self._finish(row, SendState.NOT_SENT, why, action="not sent")
        else:
            await self._not_sent(
                row, f"the network could not be asked within 10 minutes. {passing}"
            )

    async def _wait(self, row: Reply, problem: CarerespondError, pause: float) -> None:
        plan = self._plans.setdefault(row.outbox_id, _Plan(self._clock()))
        plan.due = self._clock() + pause
        words = f"Waiting, and trying again; z takes it back. {problem}"

        def work(tx: Transaction) -> None:
            now = self._now()
            if row.state is SendState.SENDING:
                outbox.finish(tx, row.outbox_id, row.fence, SendState.QUEUED, None, words, now)
            else:
                outbox.explain(tx, row.outbox_id, words, now)

        await self._record(row, work)

    async def _pay(self, account: str, charges: Sequence[Charge]) -> None:
        if charges:
            await self._database.write(lambda tx: self._charge(tx, account, charges, self._now()))

    def _over(self, row: Reply) -> None:
        self._plans.pop(row.outbox_id, None)
        self._ended[row.outbox_id] = self._clock()


def _is(post: Post, post_id: str) -> bool:
    return post_id in (post.post_id, post.version_id)
