"""Listens: asks each source for what is new, one process at a time, and misses nothing.

A round reads a source's pages, newest first, from its cursor on. Each page is stored whole, with
its cost, in one transaction; the cursor moves with the last one, so that a round cut short is read
again and finds its posts known. What could not be looked at is a gap, which is shown and never
passed over in silence. Rules and figures: docs/listening.md.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from carerespond.config import Config
from carerespond.domain.errors import (
    AnswerLostError,
    BadAnswerError,
    BudgetError,
    CarerespondError,
    CreditError,
    NetworkError,
    RateLimitedError,
    RefusedError,
    ServerFaultError,
    SetUpError,
    SignInError,
    StaleCursorError,
    StorageError,
    UnreachableError,
)
from carerespond.domain.models import Assessment, Health, Post, Source, Spend
from carerespond.networks.base import Network, Page
from carerespond.services.assessing import Earlier, look_back
from carerespond.storage import duty, ledger, placing, posts, sources
from carerespond.storage.database import Database, Transaction
from carerespond.storage.sources import Wanted

LEASE_SECONDS = 8.0
RENEW_SECONDS = 2.5
REACH = timedelta(days=6, hours=23)  # recent search goes back 7 days (X: posts/search/introduction)
MENTIONS_PAGES = 8  # 800 posts, the timeline's whole depth (X: users/mentions)
MOST_POSTS = 100  # on a page
SLOWER = 3  # past the budget's soft stop, sources are asked this much less often
_IDLE = 30.0
_HELD_ELSEWHERE = 1.0  # with the lease: a dead process's work is taken over within ten seconds
_LONGEST_BACK_OFF = 900.0
_NEEDS_A_PERSON = 600.0
# Twice X's longest window of reads. A time further ahead comes from a clock that is wrong, ours or
# X's, and must not keep us silent for as long.
_LONGEST_WAIT = 1_800.0
_JITTER = 0.1

_HEALTH: tuple[tuple[type[NetworkError], Health], ...] = (
    (SignInError, Health.REFUSED),
    (SetUpError, Health.REFUSED),
    (CreditError, Health.CREDIT),
    (BudgetError, Health.BUDGET),
    (RateLimitedError, Health.LIMITED),
    (RefusedError, Health.REFUSED),
    (BadAnswerError, Health.ODD),
    (ServerFaultError, Health.DOWN),
    (UnreachableError, Health.DOWN),
    (AnswerLostError, Health.DOWN),
)


_SLICE = 8  # posts that are assessed in one go: a few milliseconds


class Assess(Protocol):
    """Where a post goes, and which of our services it names."""

    @property
    def mark(self) -> str:
        """Tells the rules of this moment from others."""
        ...

    def __call__(self, post: Post, earlier: Earlier) -> Assessment:
        """Where it goes and why, given what is stored of its author."""
        ...

    def service(self, post: Post) -> str | None:
        """The service, None when none is named."""
        ...


def _nobody(_: str) -> None:
    """There is nobody to tell."""


class _LostLeaseError(Exception):
    """Another process has taken the source: nothing more of this round may be written."""


@dataclass(slots=True)
class _Round:
    """One round of one source."""

    source: Source
    wanted: Wanted
    network: Network
    fence: int
    page_cap: int
    page_size: int = MOST_POSTS
    newest: str | None = None
    oldest_at: datetime | None = None
    new: int = 0

    @property
    def is_search(self) -> bool:
        """A saved search, not the mentions."""
        return bool(self.wanted.query)

    @property
    def endpoint(self) -> str:
        """What a rate limit is counted for."""
        return "search" if self.is_search else "mentions"


class Listener:
    """Listens to every source whose account is open here.

    Args:
        database: Where posts, cursors and leases are.
        networks: Networks by account.
        config: Saved searches, budget, polling times.
        session: This session, which holds the leases.
        now: The present moment.
        assessor: Where a post goes.
        clock: A monotonic clock in seconds.
        jitter: Spreads the polls of several sources.
        tell: Told in one line whenever a source begins to do otherwise.
    """

    def __init__(
        self,
        database: Database,
        networks: Mapping[str, Network],
        config: Config,
        *,
        session: str,
        now: Callable[[], datetime],
        assessor: Assess,
        clock: Callable[[], float] = time.monotonic,
        jitter: random.Random | None = None,
        tell: Callable[[str], None] = _nobody,
    ) -> None:
        self._database = database
        self._networks = networks
        self._config = config
        self._session = session
        self._now = now
        self._assessor = assessor
        self._clock = clock
        self._jitter = jitter or random.Random()  # noqa: S311  # spreads polls, keeps no secret
        self._wanted = {one.source_id: one for one in wanted_sources(config)}
        self._caps = {f"search:{one.search_id}": one.page_cap for one in config.searches}
        self._pace = {one.account_id: one.poll_seconds for one in config.accounts}
        self._fails: dict[str, int] = {}
        self._tell = tell
        # One request at a time to an endpoint: when it asks to wait, no other is on its way.
        self._turns: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._wake = asyncio.Event()
        self._is_synced = False

    # -- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until cancelled; a page that is being written is finished first."""
        trouble = ""
        while True:
            self._wake.clear()
            try:
                pause = await self.work_due()
                trouble = ""
            except CarerespondError as error:  # every cursor is where it was
                pause = _IDLE
                if str(error) != trouble:
                    trouble = str(error)
                    self._tell(trouble)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def work_due(self) -> float:
        """Poll every source that is due.

        Returns:
            Seconds until one may be due again.
        """
        await self._sync()
        now = self._now()
        found = [
            source
            for source in await self._database.fetch(sources.all_sources())
            if source.account in self._networks and source.source_id in self._wanted
        ]
        due = [source for source in found if _due_in(source, now) <= 0]
        await asyncio.gather(*(self.poll_once(source.source_id) for source in due))
        return await self._pause()

    async def _sync(self) -> None:
        if not self._is_synced:
            wanted = list(self._wanted.values())
            await self._database.write(lambda tx: sources.sync(tx, wanted, self._now()))
            self._is_synced = True

    async def _pause(self) -> float:
        now = self._now()
        waits = [
            _due_in(source, now)
            for source in await self._database.fetch(sources.all_sources())
            if source.account in self._networks
        ]
        # Due still: another process holds it. A clock that was set back must not put us to sleep.
        return max(_HELD_ELSEWHERE, min([*waits, _IDLE])) if waits else _IDLE

    def price_of_check(self) -> float:
        """What asking every source costs when nothing is new, in USD: X charges what it returns."""
        return 0.0

    async def check_now(self) -> None:
        """Ask every source now, wherever its lease lies."""
        await self._database.write(lambda tx: sources.poll_all_now(tx, self._now()))
        self._wake.set()

    # -- one source -----------------------------------------------------------------------------

    async def poll_once(self, source_id: str) -> int | None:
        """One whole round of one source, if no other process is at it.

        Returns:
            How many posts were new; None when another process has it or it may not be asked now.
        """
        await self._sync()
        fence = await self._take(source_id)
        if fence is None:
            return None
        source = (await self._database.fetch(sources.source(source_id)))[0]
        wanted = self._wanted[source_id]
        one = _Round(
            source,
            wanted,
            self._networks[source.account],
            fence,
            self._caps.get(source_id, MENTIONS_PAGES),
        )
        renewing = asyncio.ensure_future(self._keep_lease(one))
        try:
            return await self._round(one)
        except _LostLeaseError:
            return None
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _take(self, source_id: str) -> int | None:
        """The lease on a source that is due; None when it is not, or another process has it."""

        def work(tx: Transaction) -> int | None:
            now = self._now()
            found = tx.fetch(sources.source(source_id))
            if not found or _due_in(found[0], now) > 0:
                return None
            return duty.take_lease(tx, _lease(source_id), self._session, LEASE_SECONDS, now)

        return await self._database.write(work)

    async def _keep_lease(self, one: _Round) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._database.write(lambda tx: self._hold(tx, one))

    def _hold(self, tx: Transaction, one: _Round) -> None:
        """Renew the lease inside a transaction that depends on it."""
        name, now = _lease(one.source.source_id), self._now()
        if not duty.renew_lease(tx, name, self._session, one.fence, LEASE_SECONDS, now):
            raise _LostLeaseError

    async def _round(self, one: _Round) -> int | None:
        try:
            await self._read(one)
        except RateLimitedError as limited:
            await self._limited(one, limited)
            return None
        except StorageError:
            raise  # it is not this source that does badly
        except CarerespondError as error:
            await self._failed(one, error)
            return None
        self._fails.pop(one.source.source_id, None)
        await self._well(one)
        return one.new

    async def _check(self, one: _Round) -> None:
        """Whether a request may be made now.

        Raises:
            BudgetError: Our own ceiling is reached.
            RateLimitedError: The network has asked this or another process to wait.
        """
        if (await self._spend()).state == "hard":
            raise BudgetError(
                "The budget is spent: nothing is asked until it is raised or a new day begins."
            )
        held = await self._database.fetch(ledger.held_until(one.source.account, one.endpoint))
        now = self._now()
        if held and now < held[0] <= now + timedelta(seconds=_LONGEST_WAIT):
            raise RateLimitedError("The network asks us to wait.", held[0])

    async def _affordable(self) -> int:
        """How many posts a page may have: what is left of the tightest budget pays for them.

        A network has a least number of its own, which may be more.
        """
        spend, price = await self._spend(), self._config.prices.get("post_read", 0.0)
        budgets = ((spend.daily_budget, spend.today), (spend.monthly_budget, spend.month))
        left = min((budget - spent for budget, spent in budgets if budget), default=None)
        if left is None or price <= 0:
            return MOST_POSTS
        return max(1, min(MOST_POSTS, int(left / price)))

    async def _read(self, one: _Round) -> None:
        try:
            await self._read_from(one, one.source.cursor)
        except StaleCursorError:
            await self._database.write(lambda tx: self._begin_anew(tx, one))
            await self._read_from(one, None)

    def _begin_anew(self, tx: Transaction, one: _Round) -> None:
        """The cursor is too old: note the gap, and read as far back as the network goes."""
        self._hold(tx, one)
        now, source = self._now(), one.source
        since = source.last_ok_at or now - REACH
        if since < now - REACH:
            sources.add_gap(tx, source.source_id, since, now - REACH, now)
        sources.forget_cursor(tx, source.source_id)

    async def _read_from(self, one: _Round, cursor: str | None) -> None:
        token: str | None = None
        for number in range(1, one.page_cap + 1):
            async with self._turns[one.source.account, one.endpoint]:
                await self._check(one)
                if token is None:  # one size for the whole round, which one page token goes with
                    one.page_size = await self._affordable()
                try:
                    page = await self._ask(one, cursor, token)
                except RateLimitedError as limited:
                    await self._hold_off(one, limited)  # before the next in turn looks
                    raise
                one.newest = one.newest or page.newest_id
                if await self._take_in(one, page, is_at_cap=number == one.page_cap):
                    return
            token = page.next_token

    async def _take_in(self, one: _Round, page: Page, *, is_at_cap: bool) -> bool:
        """Store a page; whether it was the round's last."""
        mark = self._assessor.mark
        earlier = look_back(page.posts, self._database.fetch_now)
        assessed: list[posts.Assessed] = []
        for number, post in enumerate(page.posts):
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)  # a key that was pressed meanwhile comes first
            assessed.append(self._assess(post, earlier))

        def work(tx: Transaction) -> bool:
            # Other rules since: whoever places all cases by them has not seen this page.
            is_stale = self._assessor.mark != mark
            placing.note(tx, self._assessor.mark)
            ready = [self._assess(post, earlier) for post in page.posts] if is_stale else assessed
            return self._store(tx, one, page, ready, is_at_cap=is_at_cap)

        return await self._database.write(work)

    def _assess(self, post: Post, earlier: Earlier) -> posts.Assessed:
        return post, self._assessor(post, earlier), self._assessor.service(post)

    async def _ask(self, one: _Round, cursor: str | None, token: str | None) -> Page:
        start_at = None if cursor else self._now() - REACH
        if not one.is_search:
            return await one.network.mentions(
                since_id=cursor, start_at=start_at, page_token=token, limit=one.page_size
            )
        return await one.network.search(
            one.wanted.query,
            since_id=cursor,
            start_at=start_at,
            page_token=token,
            limit=one.page_size,
        )

    def _store(
        self,
        tx: Transaction,
        one: _Round,
        page: Page,
        assessed: Sequence[posts.Assessed],
        *,
        is_at_cap: bool,
    ) -> bool:
        """One page with its cost; with the last one the cursor moves.

        A round that ends before its last page, at its cap or because this page has spent the
        budget, leaves a gap: to read on later would pay for the same pages again.
        """
        self._hold(tx, one)
        now, source = self._now(), one.source
        ledger.charge(tx, source.account, page.charges, self._config.prices, now)
        result = posts.store_page(tx, source.source_id, assessed, account=source.account, now=now)
        posts.quarantine(tx, source.source_id, page.bad, now)
        times = [post.created_at for post in page.posts]
        sources.take_in(tx, source.source_id, result.new, max(times, default=None))
        one.new += result.new
        one.oldest_at = min([*times, one.oldest_at or now])
        if page.next_token is not None:
            spend = tx.fetch(ledger.spend(self._config.budget, now))[0]
            if not is_at_cap and spend.state != "hard":
                return False
            since = source.last_ok_at or now - REACH
            sources.add_gap(tx, source.source_id, min(since, one.oldest_at), one.oldest_at, now)
        sources.advance(tx, source.source_id, one.newest, now)
        return True

    # -- how it went ----------------------------------------------------------------------------

    async def _well(self, one: _Round) -> None:
        now, spend = self._now(), await self._spend()
        source = (await self._database.fetch(sources.source(one.source.source_id)))[0]
        pace = self._pace.get(source.account, 120.0)
        health, message = Health.OK, ""
        silent = timedelta(days=self._config.silent_days)
        heard_at = source.last_post_at
        if (await self._database.fetch(sources.has_gap(source.source_id)))[0]:
            health, message = Health.GAP, "Some posts may have been missed: W shows when."
        elif heard_at is not None and now - heard_at > silent:
            days = (now - heard_at).days
            health, message = Health.SILENT, f"Nothing found for {days} days; are the words right?"
        if spend.state == "soft":
            pace *= SLOWER
            message = f"{message} The budget is nearly spent: asked less often.".strip()
        await self._end(one, health, message, now + timedelta(seconds=self._spread(pace)))

    async def _hold_off(self, one: _Round, limited: RateLimitedError) -> None:
        """Tell every process that the network has asked to wait."""
        until = self._until(limited)
        await self._database.write(
            lambda tx: ledger.hold(tx, one.source.account, one.endpoint, until)
        )

    async def _limited(self, one: _Round, limited: RateLimitedError) -> None:
        await self._end(one, Health.LIMITED, str(limited), self._until(limited))

    def _until(self, limited: RateLimitedError) -> datetime:
        return min(limited.retry_at, self._now() + timedelta(seconds=_LONGEST_WAIT))

    async def _failed(self, one: _Round, error: CarerespondError) -> None:
        source_id = one.source.source_id
        self._fails[source_id] = fails = self._fails.get(source_id, 0) + 1
        # What is no word of the network, such as a file of ours, a person must mend.
        other = Health.DOWN if isinstance(error, NetworkError) else Health.REFUSED
        health = next((is_ for kind, is_ in _HEALTH if isinstance(error, kind)), other)
        if health in (Health.DOWN, Health.ODD):
            pace = min(self._pace.get(one.source.account, 120.0), 30.0)
            wait = min(_LONGEST_BACK_OFF, pace * 2.0 ** min(fails - 1, 8))
        else:
            wait = _NEEDS_A_PERSON
        again = self._now() + timedelta(seconds=self._spread(wait))
        if health is Health.BUDGET:
            again = self._until_midnight()
        await self._end(one, health, str(error), again)

    async def _end(self, one: _Round, health: Health, message: str, again: datetime) -> None:
        def work(tx: Transaction) -> bool:
            self._hold(tx, one)
            source_id = one.source.source_id
            changed = sources.set_health(tx, source_id, health, message, self._now())
            sources.poll_again(tx, source_id, again)
            duty.drop_lease(tx, _lease(source_id), self._session, one.fence)
            return changed

        if await self._database.write(work):
            self._tell(f"{one.wanted.name}: {health}. {message}".strip())

    async def _spend(self) -> Spend:
        query = ledger.spend(self._config.budget, self._now())
        return (await self._database.fetch(query))[0]

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + self._jitter.uniform(-_JITTER, _JITTER))

    def _until_midnight(self) -> datetime:
        """The next UTC day, when a daily budget begins anew; looked at each quarter of an hour."""
        now = self._now().astimezone(UTC)
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        return min(midnight, now + timedelta(minutes=15))


def wanted_sources(config: Config) -> list[Wanted]:
    """Every saved search, and each account's mentions."""
    found = [
        Wanted(f"mentions:{one.account_id}", "mentions", one.account_id) for one in config.accounts
    ]
    found += [
        Wanted(f"search:{one.search_id}", one.name, one.account, one.query)
        for one in config.searches
    ]
    return found


def _lease(source_id: str) -> str:
    return f"poll {source_id}"


def _due_in(source: Source, now: datetime) -> float:
    if source.next_poll_at is None:
        return 0.0
    left = (source.next_poll_at - now).total_seconds()
    # Further ahead than any pause we take: the wall clock was set back since.
    return left if left <= _LONGEST_WAIT else 0.0
