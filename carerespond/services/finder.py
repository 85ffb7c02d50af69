"""Looks in our own timeline for answers: those whose outcome is unknown, and those posted by hand.

An absent post proves nothing before the network has had time to show it, so an unknown answer is
looked for once, after the longest request and twice the timeline's lag have passed. Found, it is
sent. Not found, it stays unknown and a person decides: nothing is sent again from here.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carerespond.domain.answers import BY_HAND, find_answer
from carerespond.domain.errors import NetworkError, NotAllowedError
from carerespond.domain.models import Charge, Post, Reply, SendState
from carerespond.networks.base import Capabilities, Network, Page
from carerespond.services import outcomes
from carerespond.storage import duty, outbox
from carerespond.storage.database import Database, Transaction

Charger = Callable[[Transaction, str, Sequence[Charge], datetime], object]

LEASE = "looking for answers"
LEASE_SECONDS = 30.0
ROUND_SECONDS = 5.0
AGAIN_SECONDS = 30.0
MOST_PAGES = 8  # of our own timeline, 100 posts each: what one look may cost
_SLACK = timedelta(minutes=2)
_LAST_ID = re.compile(r"(\d{1,25})\D*\Z")

CHOICES = "Look for yourself, then say: it was sent, or it was not sent."
NOT_FOUND_YET = "Not found in our own timeline yet; it is looked for again."


@dataclass(frozen=True, slots=True)
class Own:
    """Posts of ours that answer a post.

    Attributes:
        is_whole: Our timeline was read as far back as that post; without it "none" means nothing.
    """

    answers: tuple[Post, ...]
    is_whole: bool


def look_after(capabilities: Capabilities) -> float:
    """Seconds after the start of a request before "not found" means anything."""
    return capabilities.request_seconds + 2 * capabilities.settle_seconds


class Finder:
    """Settles answers by what the network shows.

    Args:
        database: Where the outbox is.
        networks: Networks by account.
        session: This session, which holds the lease while it looks.
        now: The present moment.
        charge: Writes what a call cost into the ledger, inside a transaction.
        clock: A monotonic clock in seconds.
    """

    def __init__(
        self,
        database: Database,
        networks: Mapping[str, Network],
        *,
        session: str,
        now: Callable[[], datetime],
        charge: Charger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._networks = networks
        self._session = session
        self._now = now
        self._charge = charge
        self._clock = clock
        self._due: dict[int, float] = {}
        self._round_at: float | None = None

    # -- by itself ------------------------------------------------------------------------------

    def look_later(self, outbox_id: int, seconds: float) -> None:
        """Look for this row once so many seconds have passed by the monotonic clock."""
        self._due[outbox_id] = self._clock() + seconds
        self._round_at = None

    async def work_due(self) -> None:
        """Look for what is due, if no other process is doing so."""
        if self._round_at is not None and self._clock() - self._round_at < ROUND_SECONDS:
            return
        self._round_at = self._clock()
        due = [
            row for row in await self._database.fetch(outbox.may_be_found()) if self._is_due(row)
        ]
        if due and await self._holds_lease():
            for row in due:
                await self._look(row)

    def _is_due(self, row: Reply) -> bool:
        network = self._networks.get(row.account)
        if network is None:
            return False
        # First seen here, perhaps left by a dead session: waiting the whole time over is safe.
        first = self._clock() + look_after(network.capabilities)
        return self._due.setdefault(row.outbox_id, first) <= self._clock()

    async def _holds_lease(self) -> bool:
        fence = await self._database.write(
            lambda tx: duty.take_lease(tx, LEASE, self._session, LEASE_SECONDS, self._now())
        )
        return fence is not None

    async def _look(self, row: Reply) -> None:
        by_hand = row.state is SendState.HAND_OFF
        try:
            after = await (self.find_hand_off(row) if by_hand else self.settle(row.outbox_id))
        except NetworkError:
            self._due[row.outbox_id] = self._clock() + AGAIN_SECONDS
            return
        self._due.pop(row.outbox_id, None)
        if by_hand and after.state is SendState.HAND_OFF:
            age = (self._now() - row.queued_at).total_seconds()
            self._due[row.outbox_id] = self._clock() + max(AGAIN_SECONDS, age / 2)

    # -- looking --------------------------------------------------------------------------------

    async def read_own(self, network: Network, row: Reply, versions: Collection[str]) -> "Own":
        """Our own posts since the answered one, kept for everybody else who asks.

        Raises:
            NetworkError: They could not be read.
        """
        parent = await self._parent(row)
        since = (parent.created_at if parent is not None else row.queued_at) - _SLACK
        answers: list[Post] = []
        token: str | None = None
        for _ in range(MOST_PAGES):
            page = await network.own_posts(start_at=since, page_token=token, limit=100)
            await self._keep(row, page)
            answers += [post for post in page.posts if post.in_reply_to in versions]
            token = page.next_token
            if token is None or any(post.created_at < since for post in page.posts):
                return Own(tuple(answers), is_whole=True)
        return Own(tuple(answers), is_whole=False)

    async def _keep(self, row: Reply, page: Page) -> None:
        def work(tx: Transaction) -> None:
            outbox.keep_own(tx, row.network, row.account, page.posts)
            self._charge(tx, row.account, page.charges, self._now())

        await self._database.write(work)

    async def settle(self, outbox_id: int) -> Reply:
        """Look for an unknown answer: found, it is sent; not found, a person decides.

        Raises:
            NetworkError: Our own timeline could not be read; the row is as it was.
        """
        row = await self._row(outbox_id)
        if row.state is not SendState.UNKNOWN:
            return row
        network = self._networks.get(row.account)
        if network is None or not network.capabilities.own_timeline:
            await self._leave_to_person(row, "Our own timeline cannot be read here.")
            return await self._row(outbox_id)
        found, is_whole = await self._search(network, row, least=1.0)
        if found is not None:
            await self._found(row, found.post_id, found.created_at)
        elif not is_whole:
            await self._leave_to_person(
                row, "Not known: our own timeline could not be read back as far as the post."
            )
        else:
            await self._leave_to_person(
                row,
                f"Looked in our own timeline for an answer to @{row.handle} with these words:"
                " none there.",
            )
        return await self._row(outbox_id)

    async def find_hand_off(self, row: Reply) -> Reply:
        """Look for an answer that was posted by hand, whose words may differ a little.

        Raises:
            NetworkError: Our own timeline could not be read; the row is as it was.
        """
        network = self._networks.get(row.account)
        if network is not None and network.capabilities.own_timeline:
            found = await self._search_by_hand(network, row)
            if found is not None:
                await self._found(row, found.post_id, found.created_at)
        return await self._row(row.outbox_id)

    async def look_for_hand_offs(self) -> list[Reply]:
        """Look for every answer that a person says to have posted, now.

        Returns:
            The rows that were found.

        Raises:
            NetworkError: A timeline could not be read.
        """
        rows = await self._database.fetch(outbox.handed_off())
        after = [await self.find_hand_off(row) for row in rows]
        return [row for row in after if row.state is SendState.SENT]

    async def _search_by_hand(self, network: Network, row: Reply) -> Post | None:
        return (await self._search(network, row, least=BY_HAND))[0]

    async def _search(
        self, network: Network, row: Reply, *, least: float
    ) -> tuple[Post | None, bool]:
        """The answer, and whether our timeline was read far enough for "none" to mean it."""
        parent = await self._parent(row)
        parents = {row.in_reply_to} | (parent.ids() if parent is not None else set())
        own = await self.read_own(network, row, parents)
        taken = await self._database.fetch(outbox.known_remote_ids(row.network))
        found = find_answer(row.text, parents, own.answers, set(taken), least=least)
        return found, own.is_whole

    # -- what a person says ---------------------------------------------------------------------

    async def posted_by_hand(self, outbox_id: int) -> Reply:
        """A person says to have posted a handed-off text: look for it, now and later.

        Raises:
            NotAllowedError: The row was not handed off.
        """
        row = await self._row(outbox_id)
        if row.state is not SendState.HAND_OFF:
            raise NotAllowedError(f"This answer was not handed off: it is {row.state.value}.")
        await self._database.write(
            lambda tx: outbox.posted_by_hand(tx, outbox_id, NOT_FOUND_YET, self._now()),
            durable=True,
        )
        self._due[outbox_id] = self._clock() + AGAIN_SECONDS
        try:
            return await self.find_hand_off(row)
        except NetworkError:
            return await self._row(outbox_id)

    async def it_was_sent(self, outbox_id: int, address: str = "") -> Reply:
        """A person has seen the answer in public: look again, or check the address they give.

        Raises:
            NotAllowedError: The row is settled, or no such answer is to be seen.
            NetworkError: The network could not be asked.
        """
        row = await self._undecided(outbox_id)
        network = self._networks.get(row.account)
        if network is None:
            raise NotAllowedError(f"Nobody is signed in to {row.account} here.")
        found = await (
            self._at_address(network, row, address)
            if address
            else self._search_by_hand(network, row)
        )
        if found is None:
            raise NotAllowedError(
                f"No answer of ours to @{row.handle} was found there.",
                "Paste the address of the answer, or wait and ask again.",
            )
        await self._found(row, found.post_id, found.created_at)
        return await self._row(outbox_id)

    async def _at_address(self, network: Network, row: Reply, address: str) -> Post | None:
        named = _LAST_ID.search(address.split("?", 1)[0].rstrip("/"))
        if named is None:
            raise NotAllowedError("This address names no post.")
        parent = await self._parent(row)
        parents = {row.in_reply_to} | (parent.ids() if parent is not None else set())
        taken = await self._database.fetch(outbox.known_remote_ids(row.network))
        lookup = await network.lookup([named.group(1)])
        await self._database.write(
            lambda tx: self._charge(tx, row.account, lookup.charges, self._now())
        )
        ours = [post for post in lookup.posts if post.is_ours]
        return find_answer(row.text, parents, ours, set(taken), least=0.0)

    async def it_was_not_sent(self, outbox_id: int, operator: str) -> Reply:
        """A person has looked and it is not there: the text is a draft again.

        Raises:
            NotAllowedError: The row is settled, or it is too early to know.
        """
        row = await self._undecided(outbox_id)
        if row.state is SendState.UNKNOWN and row.finished_at is None:
            raise NotAllowedError(
                "It is too early to know: the network may still show it.",
                "It is looked for first; decide after that.",
            )

        def work(tx: Transaction) -> None:
            now = self._now()
            problem = f"{operator} has checked: it was not sent."
            if outbox.settle(tx, outbox_id, row.state, SendState.NOT_SENT, now, problem=problem):
                outcomes.back_to_draft(tx, row, "not sent", now, problem)

        await self._database.write(work, durable=True)
        self._due.pop(outbox_id, None)
        return await self._row(outbox_id)

    # -- rows -----------------------------------------------------------------------------------

    async def _undecided(self, outbox_id: int) -> Reply:
        row = await self._row(outbox_id)
        if row.state not in (SendState.UNKNOWN, SendState.HAND_OFF):
            raise NotAllowedError(f"This answer needs no decision: it is {row.state.value}.")
        return row

    async def _row(self, outbox_id: int) -> Reply:
        found = await self._database.fetch(outbox.reply(outbox_id))
        if not found:
            raise NotAllowedError(f"There is no answer {outbox_id}.")
        return found[0]

    async def _parent(self, row: Reply) -> outbox.Parent | None:
        found = await self._database.fetch(outbox.parent(row.network, row.in_reply_to))
        return found[0] if found else None

    async def _found(self, row: Reply, remote_id: str, sent_at: datetime) -> None:
        def work(tx: Transaction) -> None:
            now = self._now()
            if outbox.settle(
                tx,
                row.outbox_id,
                row.state,
                SendState.SENT,
                now,
                remote_id=remote_id,
                sent_at=sent_at,
            ):
                outcomes.close_answered(tx, row, remote_id, now)

        await self._database.write(work, durable=True)
        self._due.pop(row.outbox_id, None)

    async def _leave_to_person(self, row: Reply, why: str) -> None:
        await self._database.write(
            lambda tx: outbox.looked(tx, row.outbox_id, f"{why} {CHOICES}", self._now()),
            durable=True,
        )
