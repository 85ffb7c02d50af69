"""What tests of drafts and sending stand on: cases on the ground, a clock to turn, a network."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from carerespond.config import Config
from carerespond.domain.errors import NetworkError
from carerespond.domain.models import Author, Charge, DraftKind, Post, Reply
from carerespond.networks.base import Capabilities, Lookup, Page, Sent
from carerespond.services.finder import Finder
from carerespond.services.presence import Presence
from carerespond.services.sender import Sender
from carerespond.storage import drafts, outbox
from carerespond.storage.database import Database, Transaction
from carerespond.storage.outbox import NewReply
from carerespond.storage.sqlite import open_database
from carerespond.storage.times import ms

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ACCOUNT = "trust"


@dataclass
class Clock:
    """A wall clock and a monotonic clock that move only when told to."""

    at: datetime = START
    ticks: float = 1_000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds

    def jump(self, hours: float) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.at += timedelta(hours=hours)


def add_case(
    tx: Transaction,
    number: int,
    *,
    text: str = "the wait was so long",
    mentions_us: bool = True,
    at: datetime = START,
) -> int:
    """A case of one post, "p<number>" by "@person<number>"; returns its case_id."""
    case_id = tx.insert(
        "INSERT INTO cases (network, account, conversation, author_id, handle, name, snippet,"
        " posted_at, first_seen_at, priority, rule_priority, mentions_us)"
        " VALUES ('x', ?, ?, ?, ?, '', ?, ?, ?, 1, 1, ?)",
        (
            ACCOUNT,
            f"p{number}",
            f"u{number}",
            f"person{number}",
            text,
            ms(at),
            ms(at),
            int(mentions_us),
        ),
    )
    add_post(tx, case_id, f"p{number}", f"p{number}", number, text=text, at=at)
    return case_id


def add_post(
    tx: Transaction,
    case_id: int | None,
    post_id: str,
    conversation: str,
    number: int,
    *,
    text: str,
    at: datetime = START,
    is_ours: bool = False,
    in_reply_to: str | None = None,
) -> None:
    """One more post in a conversation; the newest of a case is its head."""
    post_row = tx.insert(
        "INSERT INTO posts (network, post_id, version_id, author_id, handle, text, created_at,"
        " in_reply_to, conversation, mentions_us, is_ours, first_seen_at, case_id)"
        " VALUES ('x', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            post_id,
            post_id,
            "us" if is_ours else f"u{number}",
            "StElsewhere" if is_ours else f"person{number}",
            text,
            ms(at),
            in_reply_to,
            conversation,
            int(not is_ours),
            int(is_ours),
            ms(at),
            case_id,
        ),
    )
    if case_id is not None:
        tx.execute("UPDATE cases SET head_post = ? WHERE case_id = ?", (post_row, case_id))


def person_post(number: int, text: str = "the wait was so long", at: datetime = START) -> Post:
    """The post that `add_case` has stored, as the network gives it."""
    author = Author("x", f"u{number}", f"person{number}")
    return Post(
        "x",
        f"p{number}",
        author,
        text,
        at,
        version_id=f"p{number}",
        conversation=f"p{number}",
        mentions_us=True,
    )


@dataclass
class FakeNetwork:
    """A network in memory that can be told what to answer, and keeps count.

    Attributes:
        posts: What people have posted, by id.
        truth: What we have posted.
        answers: What the next replies meet: an error that leaves nothing, or None for success.
        lost: The next so many replies are posted and the answer is lost with this error.
        hidden: Our newest so many posts do not show in our timeline yet.
    """

    now: Callable[[], datetime] = lambda: START
    name: str = "x"
    account: str = ACCOUNT
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            idempotency="duplicate text", settle_seconds=5.0, request_seconds=20.0
        )
    )
    posts: dict[str, Post] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    truth: list[Post] = field(default_factory=list)
    answers: list[NetworkError | None] = field(default_factory=list)
    reads: list[NetworkError | None] = field(default_factory=list)
    lost: list[NetworkError] = field(default_factory=list)
    hidden: int = 0
    empty_id: bool = False
    calls: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def me(self) -> Author:
        return Author("x", "us", "StElsewhere")

    async def search(self, query: str, **_: object) -> Page:
        return Page()

    async def mentions(self, **_: object) -> Page:
        return Page()

    async def own_posts(
        self,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        self.calls.append("own_posts")
        shown = self.truth[: len(self.truth) - self.hidden]
        newest = [
            post for post in reversed(shown) if start_at is None or post.created_at >= start_at
        ]
        begin = int(page_token or 0)
        part, rest = newest[begin : begin + limit], newest[begin + limit :]
        return Page(
            part,
            next_token=str(begin + limit) if rest else None,
            charges=[Charge("owned_read", p.post_id) for p in part],
        )

    async def lookup(self, post_ids: Sequence[str]) -> Lookup:
        self.calls.append("lookup")
        if self.reads and (error := self.reads.pop(0)) is not None:
            raise error
        everything = self.posts | {post.post_id: post for post in self.truth}
        found = [everything[one] for one in post_ids if one in everything and one not in self.gone]
        gone = {one: self.gone[one] for one in post_ids if one in self.gone}
        return Lookup(found, gone, charges=[Charge("post_read", p.post_id) for p in found])

    async def reply(self, text: str, in_reply_to: str, key: str) -> Sent:
        self.calls.append("reply")
        self.keys.append(key)
        if self.answers and (error := self.answers.pop(0)) is not None:
            raise error
        post = self.post_by_hand(text, in_reply_to)
        if self.lost:
            raise self.lost.pop(0)
        remote_id = "" if self.empty_id else post.post_id
        return Sent(remote_id, charges=[Charge("summoned_reply")])

    def post_by_hand(self, text: str, in_reply_to: str) -> Post:
        """Our account posts, from here or from the network's own application."""
        author = Author("x", "us", "StElsewhere")
        post = Post(
            "x",
            f"r{len(self.truth) + 1}",
            author,
            text,
            self.now(),
            version_id=f"r{len(self.truth) + 1}",
            conversation=in_reply_to,
            in_reply_to=in_reply_to,
            is_ours=True,
        )
        self.truth.append(post)
        return post

    def edit(self, post_id: str, text: str) -> None:
        """The author edits a post: a new version with an id of its own."""
        post = self.posts[post_id]
        self.posts[post_id] = replace(post, text=text, version_id=f"{post_id}-2", is_edited=True)

    def intent_url(self, in_reply_to: str, text: str) -> str:
        return f"https://x.example/intent?in_reply_to={in_reply_to}&text={len(text)}"

    async def aclose(self) -> None:
        return None


def _close(database: Database) -> None:
    """Close from a thread without a loop, which `aclose` may need for itself."""
    closing = Thread(target=lambda: asyncio.run(database.aclose()))
    closing.start()
    closing.join(10)


@contextmanager
def opened(folder: Path, now: Callable[[], datetime] = lambda: START) -> Iterator[Database]:
    """The database of a folder, closed at the end."""
    database = open_database(folder / "carerespond.db", now=now)
    try:
        yield database
    finally:
        _close(database)


def new_reply(
    number: int,
    *,
    text: str = "We are sorry",
    operator: str = "Asha",
    session: str = "s1",
    version: int = 1,
    second_reason: str | None = None,
) -> NewReply:
    """An answer to the post of `add_case(tx, number)`, where case_id is the number as well."""
    return NewReply(
        case_id=number,
        network="x",
        account=ACCOUNT,
        kind=DraftKind.PUBLIC,
        in_reply_to=f"p{number}",
        handle=f"person{number}",
        text=text,
        key=uuid4().hex,
        operator=operator,
        session=session,
        draft_version=version,
        second_reason=second_reason,
    )


@dataclass
class Desk:
    """One terminal with its person, put together as the program puts it together."""

    database: Database
    network: FakeNetwork
    clock: Clock
    presence: Presence
    finder: Finder
    sender: Sender
    charged: list[Charge]
    signed_on: list[str]

    def queue(self, number: int, **how: Any) -> int:
        """Queue an answer as the composer does, without a draft before it."""
        new = new_reply(number, operator=self.signed_on[-1], session=self.presence.session, **how)
        now = self.clock.now()
        outbox_id = self.database.write_now(
            lambda tx: outbox.queue(tx, new, now=now, send_at=now + timedelta(seconds=20))
        )
        self.sender.expect(self.row(outbox_id), f"p{number}")
        return outbox_id

    def row(self, outbox_id: int) -> Reply:
        return self.database.fetch_now(outbox.reply(outbox_id))[0]

    def draft(self, number: int) -> str | None:
        """The text of the signed-on person's public draft on a case."""
        query = drafts.draft(number, self.signed_on[-1], DraftKind.PUBLIC)
        found = self.database.fetch_now(query)
        return found[0].text if found else None

    async def work_until(self, seconds: float) -> None:
        """Let so much time pass, working whenever there is something to do."""
        left = seconds
        while True:
            pause = await self.sender.work_due()
            if left <= 0:
                return
            step = min(left, max(pause, 0.001))
            self.clock.pass_seconds(step)
            left -= step


def desk(
    database: Database,
    network: FakeNetwork,
    clock: Clock,
    *,
    session: str = "s1",
    operator: str = "Asha",
    pid: int = 1,
    running: Callable[[int], bool] = lambda _: True,
    free_bytes: Callable[[], int] = lambda: 1 << 30,
) -> Desk:
    """A terminal on a database; `running` says which process ids are alive."""
    signed_on, charged = [operator], list[Charge]()
    networks = {network.account: network}

    def charge(_: Transaction, account: str, charges: Sequence[Charge], now: datetime) -> None:
        assert account == network.account
        charged.extend(charges)

    presence = Presence(
        database,
        session=session,
        operator=lambda: signed_on[-1],
        now=clock.now,
        host="host",
        pid=pid,
        clock=clock.monotonic,
        running=running,
    )
    finder = Finder(
        database,
        networks,
        session=session,
        now=clock.now,
        charge=charge,
        clock=clock.monotonic,
    )
    sender = Sender(
        database,
        networks,
        Config("St Elsewhere", take_back_seconds=20.0),
        presence=presence,
        finder=finder,
        now=clock.now,
        charge=charge,
        free_bytes=free_bytes,
        clock=clock.monotonic,
    )
    return Desk(database, network, clock, presence, finder, sender, charged, signed_on)
