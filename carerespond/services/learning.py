"""Learns from the team's own moves, beside the screen: one process at a time, and all use it.

Decisions are what history says of people's moves between panes. Training runs on a thread of its
own that pauses often, so that no key waits for it. What comes of it is one row of this
installation's database; nothing is taken from anywhere else, and nothing leaves.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.errors import CarerespondError
from carerespond.domain.learning import (
    Decision,
    Features,
    Learned,
    Pause,
    is_enough,
    learn,
    read_learned,
    write_learned,
)
from carerespond.domain.models import Post, Priority
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import features_of
from carerespond.storage import duty, feed, history, learned, posts
from carerespond.storage.database import Database, Query, T, Transaction
from carerespond.storage.history import Act
from carerespond.storage.learned import Decided, Stored

NEWS = 10  # moves after which it is worth learning anew
MOST_DECISIONS = 3_000  # the newest: how the team sees things now, and a second of work
PAGE = 100  # rows read at once
RECENT = 1_000  # posts by which points are levelled
LEASE = "learn"
LEASE_SECONDS = 120.0  # many times what it takes
PAUSE_SECONDS = 0.001
_SLICE = 5  # posts read between two pauses
_FEED = 1_000


class _StoppedError(Exception):
    """Nobody waits for what is being learned any more."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from.

    Attributes:
        posts: Each decided case's post, as it was, and whether it is to come sooner.
        forgotten: The history_id up to which nothing counts.
        mark: The same for the same decisions and rules, and no others.
    """

    posts: tuple[tuple[Post, bool], ...]
    forgotten: int
    mark: str

    @property
    def sooner(self) -> int:
        """How many are to come sooner."""
        return sum(is_sooner for _, is_sooner in self.posts)


@dataclass(frozen=True, slots=True)
class Standing:
    """How learning stands: the decisions that count, and what was learned, if anything was."""

    decisions: int
    sooner: int
    learned: Learned | None


def in_use_now(database: Database) -> Learned | None:
    """What was learned, on this thread; None when nothing was, or it cannot be read."""
    found = database.fetch_now(learned.stored())
    return read_learned(found[0].model) if found else None


def standing_now(database: Database, rules: Rules) -> Standing:
    """How learning stands, on this thread."""
    forgotten = (database.fetch_now(learned.forgotten_to()) or [0])[0]
    acts = database.fetch_now(history.pane_moves(forgotten))
    decided = learned.standing(acts)[-MOST_DECISIONS:]
    lesson = _lesson(decided, database.fetch_now(_heads(decided)), forgotten, rules)
    return Standing(len(lesson.posts), lesson.sooner, in_use_now(database))


def forget_now(database: Database, now: datetime) -> bool:
    """Forget what was learned and every decision so far, on this thread; False: nothing was."""
    return database.write_now(lambda tx: learned.forget(tx, now), durable=True)


def train(lesson: Lesson, recent: Sequence[Post], rules: Rules, pause: Pause) -> Learned | None:
    """Learn from a lesson; None when it is not enough."""
    if not is_enough(len(lesson.posts), lesson.sooner, rules.learning):
        return None
    decided = _features([post for post, _ in lesson.posts], rules, pause)
    decisions = [
        Decision(post, is_sooner)
        for post, (_, is_sooner) in zip(decided, lesson.posts, strict=True)
    ]
    return learn(decisions, _features(recent, rules, pause), pause)


def _features(found: Sequence[Post], rules: Rules, pause: Pause) -> list[Features]:
    made = []
    for number, post in enumerate(found):
        made.append(features_of(post, rules))
        if number % _SLICE == 0:
            pause()
    return made


def _heads(decided: Sequence[Decided]) -> Query[tuple[int, Post]]:
    return posts.heads_at([(one.case_id, one.at) for one in decided])


def _lesson(
    decided: Sequence[Decided],
    heads: Sequence[tuple[int, Post]],
    forgotten: int,
    rules: Rules,
) -> Lesson:
    panes = {one.case_id: one.pane for one in decided}
    heads = sorted(
        heads, key=lambda one: one[0]
    )  # the order in which the moves were made is chance
    found = tuple((post, panes[case_id] <= Priority.TODAY) for case_id, post in heads)
    mark = hashlib.sha256(rules.mark.encode())
    for post, is_sooner in found:
        mark.update(f"\0{is_sooner:d}{post.post_id}\0{post.text}".encode())
    return Lesson(found, forgotten, mark.hexdigest())


class Learner:
    """Keeps what is learned up to date, and hands it to whoever assesses posts here.

    Args:
        database: Where history, posts and what was learned are.
        rules: The rules of the moment, whose table [learning] says how much is made of it.
        session: This session, which holds the lease while it learns.
        now: The present moment.
        use: Given what was learned, whenever it has changed; None when there is nothing.
        relearned: Awaited after this process has learned anew: the place to sort open cases again.
        tell: Told in one line what went wrong.
        pause: Called on the learning thread every few posts.
    """

    def __init__(
        self,
        database: Database,
        rules: Callable[[], Rules],
        *,
        session: str,
        now: Callable[[], datetime],
        use: Callable[[Learned | None], None],
        relearned: Callable[[], Awaitable[None]] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        pause: Pause = lambda: time.sleep(PAUSE_SECONDS),
    ) -> None:
        self._database = database
        self._rules = rules
        self._session = session
        self._now = now
        self._use = use
        self._relearned = relearned
        self._tell = tell
        self._pause = pause
        self._seen_to = 0  # the history that was looked at
        self._seq = 0  # the change feed that was followed

    async def run(self) -> None:
        """Learn, and learn anew whenever the team has moved some cases, until cancelled."""
        self._seq = (await self._fetch(feed.latest()))[0]
        await self._safely(self.begin)
        async for _ in self._database.watch():
            await self._safely(self.follow)

    async def begin(self) -> bool:
        """Use what was learned, and learn anew if anything is different since; whether it was."""
        await self._load()
        return await self.learn()

    async def follow(self) -> bool:
        """Look at what has changed since; whether this process has learned anew."""
        kinds = await self._changed()
        if learned.CHANGED in kinds:
            await self._load()
        if "case" not in kinds:
            return False
        moves = await self._fetch(history.pane_moves(self._seen_to))
        return len(moves) >= NEWS and await self.learn()

    async def learn(self) -> bool:
        """Learn from all decisions, unless another process does or nothing is different.

        Returns:
            Whether something else is known now.
        """
        fence = await self._write(
            lambda tx: duty.take_lease(tx, LEASE, self._session, LEASE_SECONDS, self._now())
        )
        if fence is None:
            return False
        try:
            return await self._learn(fence)
        finally:
            await self._write(lambda tx: duty.drop_lease(tx, LEASE, self._session, fence))

    async def _learn(self, fence: int) -> bool:
        self._seen_to = (await self._fetch(history.newest()))[0]
        lesson = await self._lesson()
        before = (await self._fetch(learned.stored()) or [Stored()])[0]
        if before.mark == lesson.mark and read_learned(before.model) is not None:
            return False
        found = await self._train(lesson, await self._recent())
        new = Stored(write_learned(found), lesson.mark) if found is not None else Stored()
        if new == before:
            return False

        def work(tx: Transaction) -> bool:
            now = self._now()
            is_ours = duty.renew_lease(tx, LEASE, self._session, fence, LEASE_SECONDS, now)
            return is_ours and learned.keep(tx, new, lesson.forgotten, now)

        if not await self._write(work):
            return False
        self._use(found)
        if self._relearned is not None:
            await self._relearned()
        return True

    async def _train(self, lesson: Lesson, recent: Sequence[Post]) -> Learned | None:
        """Learn on a thread; when nobody waits any more, it ends at its next pause."""
        stopped = threading.Event()

        def pause() -> None:
            if stopped.is_set():
                raise _StoppedError
            self._pause()

        try:
            return await asyncio.to_thread(train, lesson, recent, self._rules(), pause)
        finally:
            stopped.set()

    # Read page by page: whoever presses a key on this loop is not to wait for thousands of rows.

    async def _lesson(self) -> Lesson:
        forgotten = (await self._fetch(learned.forgotten_to()) or [0])[0]
        acts: list[Act] = []
        last = forgotten
        while page := await self._fetch(history.pane_moves(last, PAGE)):
            acts += page
            last = page[-1].history_id
        decided = await asyncio.to_thread(learned.standing, acts)
        decided = decided[-MOST_DECISIONS:]
        heads: list[tuple[int, Post]] = []
        for start in range(0, len(decided), PAGE):
            heads += await self._fetch(_heads(decided[start : start + PAGE]))
        return await asyncio.to_thread(_lesson, decided, heads, forgotten, self._rules())

    async def _recent(self) -> list[Post]:
        found: list[Post] = []
        last: int | None = None
        while len(found) < RECENT and (page := await self._fetch(posts.newest_heads(last, PAGE))):
            found += [post for _, post in page]
            last = page[-1][0]
        return found[:RECENT]

    async def _load(self) -> None:
        found = await self._fetch(learned.stored())
        self._use(read_learned(found[0].model) if found else None)

    async def _changed(self) -> set[str]:
        """The kinds of what has changed since the last look."""
        kinds: set[str] = set()
        while found := await self._fetch(feed.since(self._seq, _FEED)):
            if found[0].seq != self._seq + 1:  # the feed was trimmed: anything may have changed
                kinds |= {"case", learned.CHANGED}
            self._seq = found[-1].seq
            kinds |= {change.kind for change in found}
        return kinds

    async def _safely(self, work: Callable[[], Awaitable[bool]]) -> None:
        try:
            await work()
        except CarerespondError as error:  # what was learned before stays in use
            self._tell(str(error))

    async def _fetch(self, query: Query[T]) -> list[T]:
        return await self._database.fetch(query)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        return await self._database.write(work)
