"""When the rules change, every waiting case stands as if its posts had just arrived."""

import asyncio
import atexit
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carerespond.config import Config
from carerespond.domain.errors import ConfigError
from carerespond.domain.models import Assessment, Author, Outcome, Post, Priority
from carerespond.domain.rulebook import Rules, load_rules
from carerespond.services import resorting as module
from carerespond.services.assessing import Assessor, Earlier
from carerespond.services.inbox import Inbox
from carerespond.services.resorting import Resorting
from carerespond.storage import placing, posts
from carerespond.storage.database import Query
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.sending import ACCOUNT, START

pytestmark = pytest.mark.promise

WORDS = ("fire", "rude", "late", "tea", "kind", "bus", "park", "sale")
PANES = (
    "priority, rule_priority, score, is_pinned, label, reasons, state, wrote_again, counts_from,"
    " handle, posted_at"
)

NOTHING = Earlier()


def rules_of(weights: Sequence[float], *, pin: str) -> Rules:
    """A group for each of the words; the pinned word is a danger."""
    kinds = ["risk", "complaint", "complaint", "question", "praise", "sign", "complaint", "noise"]
    groups = "".join(
        f'[[group]]\nid = "g_{word}"\nkind = "{kind}"\nweight = {weight}\nreason = "{word}"\n'
        f'patterns = ["{word}"]\npin = {"true" if word == pin else "false"}\n'
        for word, kind, weight in zip(WORDS, kinds, weights, strict=True)
    )
    # What is known of an author grows with each page, and is counted as of the moment.
    known = "[context]\nseen_before = 0\nwrote_again = 0\n"
    return load_rules(known + groups, "rules")


BOOKS = st.builds(
    rules_of,
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 7.0]), min_size=8, max_size=8),
    pin=st.sampled_from(WORDS),
)


@dataclass(frozen=True)
class Page:
    """Posts that arrive together: (author, thread, words, minutes since the start, a repost)."""

    found: tuple[tuple[int, int, tuple[str, ...], int, bool], ...]


@dataclass(frozen=True)
class Verb:
    """What a person does to the n-th case, if there is one."""

    name: str
    case: int


PAGES = st.builds(
    Page,
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.integers(1, 3),
            st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple),
            st.integers(0, 500),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
)
VERBS = st.builds(
    Verb, st.sampled_from(["done", "reopen", "later", "wake", "sent"]), st.integers(1, 6)
)
DAYS = st.lists(st.one_of(PAGES, VERBS), min_size=1, max_size=12)


@cache
def _empty() -> Path:
    """A database without cases; to make one waits for the disk."""
    folder = Path(mkdtemp(prefix="rules-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_database(folder / "carerespond.db").close_now()
    return folder / "carerespond.db"


class Ground:
    """One database, rules that can be changed, and a person."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        path = folder / "carerespond.db"
        shutil.copy(_empty(), path)
        self.file = folder / "rules.toml"
        self.database: SqliteDatabase = open_database(path)
        self.minutes = 1_000
        self.rules = rules
        # Without targets: how long a case has waited is another matter than its words.
        self.assessor = Assessor(rules, Config("St Elsewhere", reply_minutes={}), self.now)
        self.told: list[str] = []
        self.numbers = 0

    def now(self) -> Any:
        self.minutes += 1
        return START + timedelta(minutes=self.minutes)

    def resorting(self) -> Resorting:
        made = Resorting(
            self.database, self.assessor, load=lambda: self.rules, files=[self.file], now=self.now
        )
        made.tell(self.told.append)
        return made

    async def live(self, day: Sequence[Page | Verb]) -> None:
        inbox = Inbox(
            self.database, Config("x"), {}, session="s", operator=lambda: "Asha", now=self.now
        )
        for what in day:
            if isinstance(what, Page):
                self.arrive(what)
            elif self.rows(f"SELECT 1 FROM cases WHERE case_id = {what.case}"):
                await self.act(inbox, what)

    def arrive(self, page: Page) -> None:
        found = []
        for author, thread, words, minutes, is_repost in page.found:
            self.numbers += 1
            post = Post(
                "x",
                f"p{self.numbers}",
                Author("x", f"u{author}", f"person{author}"),
                " ".join(words),
                START + timedelta(minutes=minutes),
                conversation=f"t{thread}",
                is_repost=is_repost,
            )
            found.append((post, self.assessor(post), None))
        mark, now = self.assessor.mark, self.now()

        def store(tx: Any) -> None:
            placing.note(tx, mark)
            posts.store_page(tx, "search:a", found, account=ACCOUNT, now=now)

        self.database.write_now(store)

    async def act(self, inbox: Inbox, verb: Verb) -> None:
        on = [verb.case]
        match verb.name:
            case "done":
                await inbox.done(on, Outcome.RESOLVED, sure=True)
            case "reopen":
                await inbox.reopen(on)
            case "later":
                await inbox.later(on, self.now() + timedelta(days=9), sure=True)
            case "wake":
                self.minutes += 60 * 24 * 10
                await inbox.wake_due()
            case _:
                sql = "UPDATE cases SET send_state = 'sent' WHERE case_id = ?"
                self.database.write_now(lambda tx: tx.execute(sql, on))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.database.fetch_now(Query(sql, (), tuple))

    def waiting(self) -> list[tuple[Any, ...]]:
        return self.rows(
            f"SELECT case_id, {PANES} FROM cases WHERE state <> 'done' ORDER BY case_id"
        )


def fresh(day: Sequence[Page | Verb], rules: Rules) -> list[tuple[Any, ...]]:
    """Where the cases stand when the day is lived by these rules from its first post on."""

    async def run(folder: str) -> list[tuple[Any, ...]]:
        ground = Ground(Path(folder), rules)
        try:
            await ground.live(day)
            return ground.waiting()
        finally:
            await ground.database.aclose()

    with TemporaryDirectory() as folder:
        return asyncio.run(run(folder))


def sorted_again(
    day: Sequence[Page | Verb], before: Rules, after: Rules, *, while_running: bool
) -> list[tuple[Any, ...]]:
    """The same when the rules change at its end: in a running program, or before it starts."""

    async def run(folder: str) -> list[tuple[Any, ...]]:
        ground = Ground(Path(folder), before)
        try:
            await ground.live(day)
            if while_running:
                running = ground.resorting()
                ground.rules = after
                ground.file.write_text("# somebody edited it")
                await running.look()
            else:
                ground.assessor.use(after)
                await ground.resorting().catch_up()
            known = ("the rules have changed", "ATTENTION")
            assert [text for text in ground.told if not text.startswith(known)] == []
            found = ground.waiting()
            await ground.resorting().catch_up()  # where both rules are the same, nothing was done
            newest = ground.rows("SELECT max(seq) FROM changes")
            await ground.resorting().catch_up()  # once more changes nothing
            assert ground.waiting() == found
            assert ground.rows("SELECT max(seq) FROM changes") == newest
            marks = "SELECT value FROM settings WHERE name = 'rules_marks'"
            assert ground.rows(marks) == [(after.mark,)]
            return found
        finally:
            await ground.database.aclose()

    with TemporaryDirectory() as folder:
        return asyncio.run(run(folder))


@given(day=DAYS, before=BOOKS, after=BOOKS, while_running=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_other_rules_place_cases_as_if_their_posts_had_just_arrived(
    day: list[Page | Verb], before: Rules, after: Rules, while_running: bool
) -> None:
    assert sorted_again(day, before, after, while_running=while_running) == fresh(day, after)


ONE = (1.0,) * 8
LOUD = (7.0,) * 8
FIRST = Page(((1, 1, ("rude", "fire"), 1, False),))
SECOND = Page(((1, 1, ("tea",), 2, False),))
CLOSED_BETWEEN: list[Page | Verb] = [FIRST, Verb("done", 1), SECOND]
QUIET, STRICT = rules_of(ONE, pin="sale"), rules_of(LOUD, pin="fire")


@pytest.mark.parametrize(
    ("name", "bug", "day"),
    [
        ("most_pressing", lambda found: list(found)[-1], [FIRST, SECOND]),
        ("may_differ", lambda before, after: lambda text, link: "tea" in text, [FIRST]),
    ],
    ids=["the newest post alone counts", "a changed group is overlooked"],
)
def test_the_check_notices(
    name: str, bug: Callable[..., Any], day: list[Page | Verb], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = fresh(day, STRICT)
    assert sorted_again(day, QUIET, STRICT, while_running=True) == wanted
    monkeypatch.setattr(module, name, bug)
    assert sorted_again(day, QUIET, STRICT, while_running=True) != wanted


def test_the_check_notices_posts_from_before_the_case_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = fresh(CLOSED_BETWEEN, STRICT)
    assert sorted_again(CLOSED_BETWEEN, QUIET, STRICT, while_running=False) == wanted
    real = placing.counted

    def every(case_ids: Sequence[int]) -> Query[tuple[int, int, Post]]:
        query = real(case_ids)
        return replace(query, sql=query.sql.replace("AND post_row >=", "AND -1 <> "))

    monkeypatch.setattr(placing, "counted", every)
    assert sorted_again(CLOSED_BETWEEN, QUIET, STRICT, while_running=False) != wanted


# -- a person's own choice ---------------------------------------------------------------------


async def chosen(ground: Ground, step: str) -> tuple[Any, ...]:
    await ground.live([FIRST])
    inbox = Inbox(
        ground.database, Config("x"), {}, session="s", operator=lambda: "Asha", now=ground.now
    )
    await (inbox.raise_priority([1]) if step == "raise" else inbox.lower_priority([1], sure=True))
    return ground.waiting()[0]


async def test_a_persons_choice_yields_to_a_new_danger_alone(tmp_path: Path) -> None:
    ground = Ground(tmp_path, QUIET)
    try:
        before = await chosen(ground, "raise")
        ground.assessor.use(rules_of(LOUD, pin="tea"))
        await ground.resorting().catch_up()
        after = ground.waiting()[0]
        assert after[1] == before[1], "the pane is the person's choice"
        assert after[2] == Priority.URGENT, "the rules say otherwise, and it is known"
        ground.assessor.use(STRICT)
        await ground.resorting().catch_up()
        assert ground.waiting()[0][1] == Priority.URGENT, "a danger that nobody knew of"
    finally:
        await ground.database.aclose()


async def test_a_danger_that_the_person_knew_of_stays_where_they_put_it(tmp_path: Path) -> None:
    ground = Ground(tmp_path, STRICT)
    try:
        assert (await chosen(ground, "lower"))[1] == Priority.TODAY
        ground.assessor.use(rules_of((7.0, 4.0, *LOUD[2:]), pin="fire"))
        await ground.resorting().catch_up()
        assert ground.waiting()[0][1] == Priority.TODAY
    finally:
        await ground.database.aclose()


# -- several programs, and the end of one ------------------------------------------------------


class Killed(BaseException):
    """The program ends here."""


@pytest.mark.parametrize("then", ["the new rules", "the old rules"])
async def test_a_pass_that_is_cut_short_is_made_good_by_the_next_program(
    tmp_path: Path, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day: list[Page | Verb] = [
        Page(((n, n, ("rude", "fire")[: 1 + n % 2], n, False),)) for n in range(1, 8)
    ]
    ground = Ground(tmp_path, QUIET)
    try:
        await ground.live(day)
        monkeypatch.setattr(module, "BATCH", 2)
        real, calls = ground.database.write, []

        async def cut(work: Callable[..., Any], *, durable: bool = False) -> Any:
            calls.append(work)
            if len(calls) == 3:
                raise Killed
            return await real(work, durable=durable)

        monkeypatch.setattr(ground.database, "write", cut)
        ground.assessor.use(STRICT)
        with pytest.raises(Killed):
            await ground.resorting().catch_up()
        monkeypatch.setattr(ground.database, "write", real)
        half = ground.waiting()
        assert half != await asyncio.to_thread(fresh, day, STRICT), "it was cut short"
        wanted = STRICT if then == "the new rules" else QUIET
        ground.assessor.use(wanted)
        await ground.resorting().catch_up()
        assert ground.waiting() == await asyncio.to_thread(fresh, day, wanted)
    finally:
        await ground.database.aclose()


async def test_a_page_on_its_way_by_the_old_rules_is_found_later(tmp_path: Path) -> None:
    """Another program stored posts by the old rules after all cases were placed by the new."""
    ground = Ground(tmp_path, QUIET)
    try:
        await ground.live([FIRST])
        ground.assessor.use(STRICT)
        await ground.resorting().catch_up()
        ground.assessor.use(QUIET)
        late = Page(((2, 2, ("fire",), 3, False),))
        ground.arrive(late)
        ground.assessor.use(STRICT)
        await ground.resorting().catch_up()
        wanted = await asyncio.to_thread(fresh, [FIRST, late], STRICT)
        assert ground.waiting() == wanted
    finally:
        await ground.database.aclose()


async def test_nothing_is_assessed_when_the_cases_stand_by_the_rules(tmp_path: Path) -> None:
    ground = Ground(tmp_path, QUIET)
    try:
        await ground.live([FIRST, SECOND])
        await ground.resorting().catch_up()
        asked: list[Post] = []

        def assess(rules: Rules, post: Post, earlier: Earlier = NOTHING) -> Assessment:
            asked.append(post)
            raise AssertionError

        ground.assessor.by = assess  # type: ignore[method-assign]  # counts what is asked
        await ground.resorting().catch_up()
        assert asked == []
    finally:
        await ground.database.aclose()


# -- hearing of an edit ------------------------------------------------------------------------


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # the database tells no event of this loop
        await asyncio.sleep(0.01)


async def edits(
    ground: Ground, save: Callable[[Path, str], None], then: Callable[[], bool]
) -> None:
    """A running program, and somebody who saves the rules."""
    running = asyncio.ensure_future(ground.resorting().run())
    try:
        async with asyncio.timeout(20):
            await until(lambda: ground.rows("SELECT value FROM settings") == [(QUIET.mark,)])
            ground.rules = STRICT
            save(ground.file, "# edited")
            await until(then)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await ground.database.aclose()


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def beside(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def through_a_link(path: Path, text: str) -> None:
    (path.resolve()).write_text(text)


@pytest.mark.parametrize("save", [in_place, beside, through_a_link])
@pytest.mark.parametrize("hears", [True, False], ids=["the kernel tells", "it does not"])
async def test_an_edit_is_heard_of(
    tmp_path: Path,
    save: Callable[[Path, str], None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    hears: bool,
) -> None:
    if not hears:
        monkeypatch.setattr(module, "_watcher", lambda files: None)
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    ground = Ground(tmp_path, QUIET)
    await ground.live([FIRST])
    if save is through_a_link:
        there = tmp_path / "git" / "team.toml"
        there.parent.mkdir()
        there.write_text("")
        ground.file.symlink_to(there)
    await edits(ground, save, lambda: ground.waiting()[0][1] == Priority.URGENT)


async def test_a_mistake_is_told_once_and_leaves_the_rules(tmp_path: Path) -> None:
    ground = Ground(tmp_path, QUIET)
    await ground.live([FIRST])
    before = ground.waiting()

    def wrong() -> Rules:
        raise ConfigError("rules.toml, line 3, group a: it has no kind.", "Add kind.")

    running = ground.resorting()
    running._load = wrong
    try:
        for text in ("# one", "# another", "# a third, which is longer"):
            ground.file.write_text(text)
            await running.look()
    finally:
        await ground.database.aclose()
    assert len(ground.told) == 1
    assert "rules.toml, line 3, group a" in ground.told[0]
    assert "The rules before it still hold." in ground.told[0]
    assert before


TARGETS = {"urgent": 10.0, "today": 10.0, "soon": 10.0, "watch": 10.0}


async def test_now_and_then_waiting_cases_are_placed_anew_by_one_program(tmp_path: Path) -> None:
    ground = Ground(tmp_path, QUIET)
    try:
        await ground.live([FIRST])
        late = Assessor(QUIET, Config("St Elsewhere", reply_minutes=TARGETS), ground.now)
        ground.assessor = late
        assert await ground.resorting().as_time_passes()
        reasons = ground.rows("SELECT reasons FROM cases")[0][0]
        assert "context.waiting" in reasons
        assert not await ground.resorting().as_time_passes(), "another has just done it"
        ground.minutes += 60
        assert await ground.resorting().as_time_passes()
    finally:
        await ground.database.aclose()


async def test_a_danger_that_rules_let_go_is_told(tmp_path: Path) -> None:
    ground = Ground(tmp_path, STRICT)
    try:
        await ground.live([FIRST])
        ground.assessor.use(QUIET)
        await ground.resorting().catch_up()
        assert len(ground.told) == 1
        assert "1 case is no longer held as a possible danger (first: @person1)" in ground.told[0]
    finally:
        await ground.database.aclose()
