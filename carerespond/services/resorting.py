"""Follows the rules: when they change, every waiting case is placed by the new ones.

Now and then it is placed by the same ones, too: how long it has waited counts.

It happens when a program that writes begins with other rules than the cases stand by, and while it
runs when somebody edits a rules file. Cases are placed in short transactions, those on the screens
first, and each is announced on the feed, so that every terminal follows. A pass that is cut short
or done twice changes nothing that a whole one would not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from carerespond.config.own_rules import state_of
from carerespond.domain.errors import CarerespondError, ConfigError
from carerespond.domain.models import Assessment, Post
from carerespond.domain.rulebook import Rules
from carerespond.domain.text import one_line
from carerespond.domain.triage import Differs, may_differ
from carerespond.services.assessing import Assessor, Earlier, look_back
from carerespond.storage import placing
from carerespond.storage.database import Database, Transaction
from carerespond.storage.watching import FileWatcher

BATCH = 200  # cases in a transaction
MANY = 1_000  # cases looked through at once
SETTLE_SECONDS = 0.05  # editors write, move and remove several files for one change
PASSES_SECONDS = 600.0  # how often waiting cases are placed anew because time has passed
LOOK_SECONDS = 60.0  # where the kernel does not tell

Counted = Sequence[tuple[int, int, Post]]
Known = Mapping[int, tuple[Post, Assessment]]


@dataclass(slots=True)
class Sorted:
    """What placing cases did.

    Attributes:
        moved: How many went into another pane.
        let_go: How many were held as a possible danger, and are no longer.
        first: The handle of one of those, raw.
    """

    moved: int = 0
    let_go: int = 0
    first: str = ""


class Resorting:
    """The rules of one running program, and what follows when they change.

    Args:
        database: Where the cases are.
        assessor: Goes by the rules; shared with whoever stores posts.
        load: Reads every rules file anew.
        files: Those that people may edit.
        now: The present moment.
    """

    def __init__(
        self,
        database: Database,
        assessor: Assessor,
        *,
        load: Callable[[], Rules],
        files: Sequence[Path],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._assessor = assessor
        self._load = load
        self._files = files
        self._now = now
        self._turn = asyncio.Lock()
        self._seen = state_of(files)
        self._trouble = ""
        self._unsaid: list[str] = []
        self._tell: Callable[[str], None] = self._unsaid.append

    def tell(self, tell: Callable[[str], None]) -> None:
        """Say in one line what happens from here on, and what was not said yet."""
        self._tell = tell
        for text in self._unsaid:
            tell(text)
        self._unsaid.clear()

    # -- when -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Place the cases that stand by other rules, then follow the files until cancelled."""
        await self.catch_up()
        async for _ in self._edits():
            await self.look()

    async def keep_time(self) -> None:
        """Place the waiting cases anew now and then: waiting counts. Until cancelled."""
        while True:
            await asyncio.sleep(PASSES_SECONDS)
            await self.as_time_passes()

    async def as_time_passes(self) -> bool:
        """Place the waiting cases anew, unless some program has done so lately; whether it did."""
        now, is_due = self._now(), False
        with self._told():
            async with self._turn:
                is_due = await self._database.write(
                    lambda tx: placing.is_due(tx, now, PASSES_SECONDS)
                )
                if is_due:
                    await self._sort(None)
        return is_due

    async def catch_up(self) -> None:
        """Place the waiting cases by the rules of this moment, unless they stand by them."""
        with self._told():
            async with self._turn:
                stored = await self._database.fetch(placing.stored_marks())
                if stored != [self._assessor.mark]:
                    self._say_moved(await self._sort(None))

    async def look(self) -> None:
        """Read the rules anew if one of their files has changed; costs next to nothing if not."""
        if state_of(self._files) != self._seen:
            with self._told():
                async with self._turn:
                    await self._read_again()

    async def _read_again(self) -> None:
        """Go by what the files say now; what cannot be used leaves everything as it is."""
        state = state_of(self._files)
        if state == self._seen:
            return  # another turn has just done so
        self._seen = state
        try:
            rules = await asyncio.to_thread(self._load)
        except ConfigError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                self._tell(f"{error} The rules before it still hold.")
            return
        was_wrong, self._trouble = bool(self._trouble), ""
        before = self._assessor.rules
        if rules.mark != before.mark:
            self._assessor.use(rules)
            self._say_moved(await self._sort(before))
        elif was_wrong:
            self._tell("the rules can be read again")

    def _say_moved(self, done: "Sorted") -> None:
        if done.let_go:
            cases = "1 case is" if done.let_go == 1 else f"{done.let_go} cases are"
            first = one_line(done.first, 30)
            self._tell(
                f"ATTENTION: {cases} no longer held as a possible danger (first: @{first});"
                " carerespond rules check says by which line"
            )
        elif done.moved:
            cases = "1 case moves" if done.moved == 1 else f"{done.moved} cases move"
            self._tell(f"the rules have changed: {cases}; w on a case shows why")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Problems of the database are told, and leave the rest running."""
        try:
            yield
        except CarerespondError as error:
            self._tell(str(error))

    async def _edits(self) -> AsyncIterator[None]:
        """Yields at once, for what was edited while the program came up, then at each edit."""
        watcher = _watcher(self._files)
        yield
        while watcher is None:
            await asyncio.sleep(LOOK_SECONDS)
            yield
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(watcher.fd, _hear, watcher, event)
        try:
            while True:
                await event.wait()
                event.clear()
                with suppress(TimeoutError):
                    while True:  # until it has been quiet for a moment
                        await asyncio.wait_for(event.wait(), SETTLE_SECONDS)
                        event.clear()
                yield
        finally:
            loop.remove_reader(watcher.fd)
            watcher.close()

    # -- placing --------------------------------------------------------------------------------

    async def _sort(self, before: Rules | None) -> Sorted:
        """Place every waiting case.

        Args:
            before: The rules of this program until now: cases that stand by them need no look when
                both say the same of their posts. None when it has just begun.
        """
        rules, mark, now = self._assessor.rules, self._assessor.mark, self._now

        def begin(tx: Transaction) -> tuple[frozenset[str], list[int]]:
            # A write, which waits for those begun by the rules before: all their cases are there.
            return placing.begin(tx, mark), tx.fetch(placing.waiting())

        stood_by, case_ids = await self._database.write(begin)
        known = {mark} if before is None else {mark, self._assessor.mark_of(before)}
        differs = may_differ(before, rules) if before and stood_by <= known else None
        done = Sorted()
        for part in _parts(case_ids, MANY):
            for few in _parts(await self._touched(part, differs), BATCH):
                found = await self._database.fetch(placing.counted(few))
                present = [post for _, _, post in found]
                earlier = look_back(present, self._database.fetch_now, is_stored=True)
                assessed = await asyncio.to_thread(self._assessed, rules, found, earlier)
                placed = await self._database.write(self._placing(few, assessed, rules, earlier))
                done.moved += len(placed.moved)
                done.let_go += len(placed.let_go)
                done.first = done.first or next((one.handle for one in placed.let_go), "")
        await self._database.write(lambda tx: placing.end(tx, mark, stood_by, now()))
        return done

    async def _touched(self, case_ids: Sequence[int], differs: Differs | None) -> Sequence[int]:
        """Those of the cases of which the rules may say something else than before."""
        if differs is None:
            return case_ids
        found = await self._database.fetch(placing.texts(case_ids))

        def touched() -> set[int]:
            return {case_id for case_id, text, has_link in found if differs(text, has_link)}

        present = await asyncio.to_thread(touched)
        return [case_id for case_id in case_ids if case_id in present]

    def _assessed(
        self, rules: Rules, found: Counted, earlier: Earlier
    ) -> dict[int, tuple[Post, Assessment]]:
        """What the rules say of posts, by post_row."""
        return {row: (post, self._assessor.by(rules, post, earlier)) for _, row, post in found}

    def _placing(
        self, case_ids: Sequence[int], assessed: Known, rules: Rules, earlier: Earlier
    ) -> Callable[[Transaction], placing.Placed]:
        """A transaction that places cases; what has come or changed since is assessed inside it."""

        def judge(row: int, post: Post) -> Assessment:
            then, assessment = assessed.get(row, (None, None))
            if assessment and then == post:
                return assessment
            return self._assessor.by(rules, post, earlier)

        def work(tx: Transaction) -> placing.Placed:
            found: dict[int, list[Assessment]] = {}
            for case_id, row, post in tx.fetch(placing.counted(case_ids)):
                found.setdefault(case_id, []).append(judge(row, post))
            pressing = {case_id: most_pressing(own) for case_id, own in found.items()}
            return placing.place(tx, pressing, self._now())

        return work


def _parts(case_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (case_ids[start : start + size] for start in range(0, len(case_ids), size))


def most_pressing(assessments: Iterable[Assessment]) -> Assessment:
    """The assessment that says where a case stands; of equals the first to arrive."""
    return max(assessments, key=lambda one: one.pressing)  # `max` keeps the first of equals


def _watcher(files: Sequence[Path]) -> FileWatcher | None:
    try:
        return FileWatcher(files)
    except OSError:
        return None


def _hear(watcher: FileWatcher, event: asyncio.Event) -> None:
    if watcher.heard():
        event.set()
