"""One terminal of a team, put together of the real parts, and a person at it who never gives up.

It runs in processes of its own, which the tests kill. `designs` are ways of sending: the product's,
and the broken ones that a check must catch.
"""

import asyncio
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

import httpx

from carerespond.cli.wiring import charger
from carerespond.config import AccountConfig, BudgetConfig, Config
from carerespond.domain.errors import ConflictError, NetworkError, NotAllowedError
from carerespond.domain.models import Reply, SendState
from carerespond.networks.tokens import FixedToken
from carerespond.networks.x import XNetwork
from carerespond.services.composer import Composer, Review
from carerespond.services.finder import Finder
from carerespond.services.presence import Presence
from carerespond.services.sender import Sender
from carerespond.storage import outbox
from carerespond.storage.authors import StoredAuthors
from carerespond.storage.database import Database, Query, Transaction, scalar
from carerespond.storage.outbox import NewReply
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.practice.support import US

T = TypeVar("T")

ACCOUNT = "trust"
DATABASE = "carerespond.db"
QUEUED = "queued.log"
# X's API is the plain stand-in on this machine: no certificates are needed, and reading them is
# most of the time that a client takes to begin.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

UNTOUCHED: Query[int] = Query(
    "SELECT case_id FROM cases WHERE case_id NOT IN (SELECT case_id FROM outbox)"
    " ORDER BY case_id LIMIT 1",
    (),
    scalar,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def configured(address: str, *, take_back: float = 0.0) -> Config:
    """One account on the stand-in, no budget to run out of."""
    account = AccountConfig(ACCOUNT, "x", "StElsewhere", address, US)
    budget = BudgetConfig(0, 0)
    return Config("St Elsewhere", accounts=(account,), budget=budget, take_back_seconds=take_back)


def open_x(config: Config, database: Database) -> XNetwork:
    """The real adapter for X."""
    return XNetwork(
        config.accounts[0],
        FixedToken("practice-user", can_write=True),
        now=utc_now,
        transport=httpx.AsyncHTTPTransport(verify=PLAIN, trust_env=False),
        authors=StoredAuthors(database, "x"),
    )


def words(case_id: int) -> str:
    """The answer to a case, unlike any other."""
    return f"We are sorry about this, and have told the ward (number {case_id})."


# -- designs ------------------------------------------------------------------------------------


class PostThenMark(Sender):
    """Planted bug: the row is marked once the network has answered."""

    async def _to_the_wire(self, row: Reply) -> None:
        network = self._networks[row.account]
        try:
            sent = await network.reply(row.text, row.in_reply_to, row.key)
        except NetworkError:
            return
        claimed = await self._database.write(
            lambda tx: outbox.claim(tx, row.outbox_id, self._presence.session, self._now()),
            durable=True,
        )
        assert claimed is not None
        await self._sent(network, claimed, sent)


class MarkThenPost(Sender):
    """Planted bug: the row is "sent" when the request begins."""

    async def _to_the_wire(self, row: Reply) -> None:
        def mark(tx: Transaction) -> None:
            claimed = outbox.claim(tx, row.outbox_id, self._presence.session, self._now())
            assert claimed is not None
            sent, name = SendState.SENT, f"soon {row.outbox_id}"
            outbox.finish(tx, row.outbox_id, claimed.fence, sent, name, None, self._now())

        await self._database.write(mark, durable=True)
        with suppress(NetworkError):
            sent = await self._networks[row.account].reply(row.text, row.in_reply_to, row.key)
            await self._database.write(
                lambda tx: tx.execute(
                    "UPDATE outbox SET remote_id = ? WHERE outbox_id = ?",
                    (sent.remote_id, row.outbox_id),
                ),
                durable=True,
            )
        self._over(row)


class CheckThenQueue(Composer):
    """Planted bug: whether the post is answered is looked up first, and no row decides it."""

    def _new(self, review: Review, second_reason: str) -> NewReply:
        return super()._new(review, second_reason or "nobody has answered yet")


class LooseDatabase(SqliteDatabase):
    """Planted bug: nothing waits for the disk (`synchronous=NORMAL` everywhere)."""

    async def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        del durable
        return await super().write(work, durable=False)


@dataclass(frozen=True, slots=True)
class Design:
    """A way of sending: the parts that differ from the product's."""

    sender: type[Sender] = Sender
    composer: type[Composer] = Composer
    database: type[SqliteDatabase] = SqliteDatabase
    settles: bool = True


DESIGNS = {
    "ours": Design(),
    "post then mark": Design(sender=PostThenMark),
    "mark then post": Design(sender=MarkThenPost),
    "no settling": Design(settles=False),
    "check then queue": Design(composer=CheckThenQueue),
    "loose": Design(database=LooseDatabase),
}


# -- a terminal ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Terminal:
    """The parts of one running program, as `cli.wiring` puts them together."""

    folder: Path
    database: SqliteDatabase
    network: XNetwork
    presence: Presence
    finder: Finder
    sender: Sender
    composer: Composer

    async def answer(self, case_id: int, *, begun: bool = False) -> Reply | None:
        """Write, review and queue an answer; None when it is refused because of another one.

        What was queued is noted in a file as well: the network's truth is compared with it.
        """
        try:
            draft = await self.composer.begin(case_id, force=True)
            if not (begun and draft.text):
                await self.composer.save(draft, words(case_id))
            row = await self.composer.queue(await self.composer.review(case_id))
        except (ConflictError, NotAllowedError):
            return None
        self.note(QUEUED, f"{row.in_reply_to} {row.text}")
        return row

    def note(self, name: str, line: str) -> None:
        """Add a line to a file at once: it is there whenever this process dies."""
        file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{line}\n".encode())
        os.close(file)

    async def decide(self) -> bool:
        """What a person does who trusts what the screen says; whether there was anything to do.

        Not found in our timeline, they say "it was not sent". Not sent, they queue it again, unless
        the inbox says that the post is answered already.
        """
        did = False
        for row in await self.database.fetch(outbox.waiting_for_person()):
            if row.state is SendState.UNKNOWN and row.finished_at is not None:
                await self.finder.it_was_not_sent(row.outbox_id, "Asha")
                did = True
            elif row.state is SendState.NOT_SENT and "already" not in (row.problem or ""):
                did = await self.answer(row.case_id, begun=True) is not None or did
        return did

    async def is_settled(self) -> bool:
        """Whether nothing moves by itself any more."""
        rows = await self.database.fetch(outbox.unfinished())
        return not rows and not await self.database.fetch(outbox.to_look_for())


def open_terminal(
    folder: Path,
    address: str,
    design: str = "ours",
    *,
    speed: float = 1.0,
    operator: str = "Asha",
    take_back: float = 0.0,
) -> Terminal:
    """A terminal on the database of a folder.

    Args:
        folder: Where the database is.
        address: Of the stand-in.
        design: One of `DESIGNS`.
        speed: How much faster this process's monotonic clock runs than the world: every wait of the
            product is that much shorter.
        operator: Who sits there.
        take_back: Seconds of that clock.
    """
    parts = DESIGNS[design]
    config = configured(address, take_back=take_back)
    open_database(folder / DATABASE).close_now()
    database = parts.database(folder / DATABASE)
    network = open_x(config, database)
    if not parts.settles:
        network.capabilities = replace(network.capabilities, request_seconds=1, settle_seconds=0)
    networks, session, charge = {ACCOUNT: network}, f"{os.getpid()}-{token_hex(4)}", charger(config)

    def clock() -> float:
        return speed * time.monotonic()

    presence = Presence(
        database,
        session=session,
        operator=lambda: operator,
        now=utc_now,
        host=socket.gethostname(),
        pid=os.getpid(),
        clock=clock,
    )
    finder = Finder(database, networks, session=session, now=utc_now, charge=charge, clock=clock)
    sender = parts.sender(
        database,
        networks,
        config,
        presence=presence,
        finder=finder,
        now=utc_now,
        charge=charge,
        free_bytes=lambda: shutil.disk_usage(folder).free,
        clock=clock,
    )
    composer = parts.composer(
        database,
        networks,
        config,
        presence=presence,
        sender=sender,
        finder=finder,
        now=utc_now,
    )
    return Terminal(folder, database, network, presence, finder, sender, composer)


async def live(terminal: Terminal, up: Callable[[], object], *, new: int) -> None:
    """One life of a program: settle what is there, answer so many more posts, go on until killed.

    With `new` 0 it ends by itself, once nothing is left to do.
    """
    await terminal.presence.keep()
    up()
    left = new
    while True:
        pause = await terminal.sender.work_due()
        if await terminal.decide():
            continue
        untouched = await terminal.database.fetch(UNTOUCHED) if left else []
        if untouched:
            left -= 1
            await terminal.answer(untouched[0])
        elif not new and await terminal.is_settled():
            return
        else:
            await asyncio.sleep(min(pause, 0.05))
