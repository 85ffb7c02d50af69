"""What counts as a decision, who learns from it and when, and that it can be forgotten."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from carerespond.config import Config
from carerespond.domain.learning import Learned, read_learned
from carerespond.domain.models import Outcome
from carerespond.services import learning
from carerespond.services.inbox import Inbox
from carerespond.services.learning import Learner
from carerespond.storage import duty, history, learned, posts
from carerespond.storage.learned import Stored
from carerespond.storage.sqlite import SqliteDatabase, open_database
from tests.domain.support import shipped_rules
from tests.sending import START, Clock, add_case, add_post

SOONER, LATER = "the lift at the {} is broken", "parking at the {} is dear"
PLACES = ("ward", "clinic", "chemist", "gate", "annexe")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    """Sixty cases for today; the odd ones are of the lift, the even ones of parking."""
    database = open_database(tmp_path / "carerespond.db")

    def text(number: int) -> str:
        return (SOONER if number % 2 else LATER).format(PLACES[number % len(PLACES)])

    database.write_now(lambda tx: [add_case(tx, number, text=text(number)) for number in range(60)])
    yield database
    database.close_now()


def inbox(database: SqliteDatabase, clock: Clock, session: str = "s1") -> Inbox:
    return Inbox(
        database,
        Config("St Elsewhere"),
        {},
        session=session,
        operator=lambda: "Asha",
        now=clock.now,
    )


async def decide(desk: Inbox, numbers: range) -> None:
    """Raise the lift, lower parking by one, as a person would."""
    for number in numbers:
        await (desk.raise_priority if number % 2 else desk.lower_priority)([number + 1])


class Desk:
    """One program: what it uses, and a learner that hands it over."""

    def __init__(self, database: SqliteDatabase, clock: Clock, session: str = "s1") -> None:
        self.used: list[Learned | None] = []
        self.sorted = 0
        self.pauses = 0
        self.learner = Learner(
            database,
            shipped_rules,
            session=session,
            now=clock.now,
            use=self.used.append,
            relearned=self._sort,
            pause=self._pause,
        )

    async def _sort(self) -> None:
        self.sorted += 1

    def _pause(self) -> None:
        self.pauses += 1


def counted(database: SqliteDatabase) -> tuple[int, int]:
    found = learning.standing_now(database, shipped_rules())
    return found.decisions, found.sooner


def row(database: SqliteDatabase) -> list[Stored]:
    return database.fetch_now(learned.stored())


# -- what counts --------------------------------------------------------------------------------


async def test_a_move_by_a_person_counts_by_the_pane_that_it_led_to(
    database: SqliteDatabase,
) -> None:
    desk = inbox(database, Clock())
    assert counted(database) == (0, 0)
    await desk.raise_priority([1, 2])
    await desk.lower_priority([3])
    assert counted(database) == (3, 2)
    await desk.lower_priority([1])  # from urgent back to today, which is soon enough
    assert counted(database) == (3, 2)
    await desk.lower_priority([1])
    assert counted(database) == (3, 1)
    await desk.star([7])
    await desk.mine([8])
    await desk.done([9], Outcome.RESOLVED)
    assert counted(database) == (3, 1)
    await database.aclose()


async def test_undone_moves_do_not_count_and_redone_ones_do(database: SqliteDatabase) -> None:
    desk = inbox(database, Clock())
    await desk.raise_priority([1])
    await desk.lower_priority([2, 3])
    await desk.lower_priority([2])
    steps = [counted(database)]
    for verb in (desk.undo, desk.undo, desk.redo, desk.undo, desk.undo):
        await verb()
        steps.append(counted(database))
    assert steps == [(3, 1), (3, 1), (1, 1), (3, 1), (1, 1), (0, 0)]
    await database.aclose()


async def test_the_move_before_an_undone_one_counts_again(database: SqliteDatabase) -> None:
    desk = inbox(database, Clock())
    await desk.raise_priority([1])
    await desk.lower_priority([1])
    await desk.lower_priority([1])
    assert counted(database) == (1, 0)
    await desk.undo()
    assert counted(database) == (1, 1)
    await database.aclose()


async def test_muted_and_deleted_cases_do_not_count(database: SqliteDatabase) -> None:
    desk = inbox(database, Clock())
    await desk.raise_priority([1, 2, 3])
    await desk.mute([2])
    database.write_now(lambda tx: posts.mark_deleted(tx, "x", "p2", START))
    assert counted(database) == (1, 1)
    await desk.mute([2])  # heard again
    assert counted(database) == (2, 2)
    await database.aclose()


async def test_a_decision_is_about_the_post_that_the_person_saw(database: SqliteDatabase) -> None:
    clock = Clock()
    desk = inbox(database, clock)
    await desk.raise_priority([2])
    later = START + timedelta(hours=1)
    database.write_now(lambda tx: add_post(tx, 2, "p900", "p1", 1, text="the lift again", at=later))
    act = database.fetch_now(history.pane_moves(0))[0]
    heads = database.fetch_now(posts.heads_at([(2, act.done_at), (1, later)]))
    assert [(case_id, post.post_id) for case_id, post in heads] == [(1, "p0"), (2, "p1")]
    clock.pass_seconds(7_200)
    await desk.raise_priority([1])
    await desk.lower_priority([2])
    heads = database.fetch_now(posts.heads_at([(2, clock.now())]))
    assert [post.post_id for _, post in heads] == ["p900"]
    await database.aclose()


# -- who learns, and when -----------------------------------------------------------------------


async def test_nothing_is_learned_before_fifty_decisions(database: SqliteDatabase) -> None:
    clock = Clock()
    desk, program = inbox(database, clock), Desk(database, clock)
    await decide(desk, range(49))
    assert not await program.learner.begin()
    assert (row(database), program.used, program.sorted) == ([], [None], 0)
    await decide(desk, range(49, 50))
    assert await program.learner.learn()
    found = learning.in_use_now(database)
    assert found is not None
    assert (found.decisions, found.sooner, program.used[-1], program.sorted) == (50, 25, found, 1)
    assert {"lift", "broken"} & {word for word, weight in found.words.items() if weight > 0}
    await database.aclose()


async def test_ten_moves_make_it_learn_anew_and_fewer_do_not(database: SqliteDatabase) -> None:
    clock = Clock()
    desk, program = inbox(database, clock), Desk(database, clock)
    await decide(desk, range(50))
    assert await program.learner.begin()
    await decide(desk, range(50, 59))
    assert not await program.learner.follow()
    await decide(desk, range(59, 60))
    assert await program.learner.follow()
    assert not await program.learner.follow()
    found = program.used[-1]
    assert found is not None
    assert found.decisions == 60
    await database.aclose()


async def test_the_same_decisions_are_not_learned_twice_and_give_the_same(
    database: SqliteDatabase,
) -> None:
    clock = Clock()
    await decide(inbox(database, clock), range(60))
    first = Desk(database, clock)
    assert await first.learner.begin()
    before = row(database)
    again = Desk(database, clock, "s2")
    assert not await again.learner.begin()
    assert (again.used, again.pauses, again.sorted) == ([first.used[-1]], 0, 0)
    database.write_now(lambda tx: tx.execute("DELETE FROM settings WHERE name = 'learned'"))
    assert await again.learner.learn()
    assert row(database) == before
    await database.aclose()


async def test_one_program_learns_and_the_others_use_it(database: SqliteDatabase) -> None:
    clock = Clock()
    desk = inbox(database, clock)
    one, other = Desk(database, clock, "s1"), Desk(database, clock, "s2")
    await one.learner.begin()
    await other.learner.begin()
    await decide(desk, range(60))
    fence = database.write_now(
        lambda tx: duty.take_lease(tx, learning.LEASE, "s1", 60.0, clock.now())
    )
    assert fence is not None
    assert not await other.learner.follow(), "s1 is at it"
    database.write_now(lambda tx: duty.drop_lease(tx, learning.LEASE, "s1", fence))
    assert await one.learner.learn()
    assert not await other.learner.follow()
    assert other.used[-1] == one.used[-1]
    assert other.used[-1] is not None
    assert (one.sorted, other.sorted) == (1, 0)
    await database.aclose()


async def test_a_dead_learner_is_replaced_after_its_lease(database: SqliteDatabase) -> None:
    clock = Clock()
    await decide(inbox(database, clock), range(60))
    seconds = learning.LEASE_SECONDS
    database.write_now(lambda tx: duty.take_lease(tx, learning.LEASE, "dead", seconds, clock.now()))
    program = Desk(database, clock)
    assert not await program.learner.begin()
    clock.pass_seconds(seconds + 1)
    assert await program.learner.begin()
    await database.aclose()


async def test_what_cannot_be_read_is_not_used_and_learned_anew(database: SqliteDatabase) -> None:
    clock = Clock()
    await decide(inbox(database, clock), range(60))
    program = Desk(database, clock)
    assert await program.learner.begin()
    mark = row(database)[0].mark
    database.write_now(
        lambda tx: tx.execute(
            "UPDATE settings SET value = ? WHERE name = 'learned'", (mark + "\n{",)
        )
    )
    assert learning.in_use_now(database) is None
    assert await program.learner.begin()
    assert program.used[-2] is None
    assert read_learned(row(database)[0].model) == program.used[-1]
    await database.aclose()


async def test_it_follows_what_people_do_until_it_is_cancelled(database: SqliteDatabase) -> None:
    clock = Clock()
    used: asyncio.Queue[Learned | None] = asyncio.Queue()
    learner = Learner(
        database,
        shipped_rules,
        session="s1",
        now=clock.now,
        use=used.put_nowait,
        pause=lambda: None,
    )
    running = asyncio.ensure_future(learner.run())
    assert await used.get() is None
    await decide(inbox(database, clock), range(60))
    async with asyncio.timeout(60):
        while (found := await used.get()) is None:
            pass
    assert found.decisions >= 50
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.aclose()


async def test_closing_the_program_does_not_wait_for_learning(database: SqliteDatabase) -> None:
    clock = Clock()
    await decide(inbox(database, clock), range(60))
    begun, go_on = threading.Event(), threading.Event()
    pauses = []

    def pause() -> None:
        pauses.append(1)
        begun.set()
        go_on.wait(60)

    program = Desk(database, clock)
    learner = Learner(
        database,
        shipped_rules,
        session="s1",
        now=clock.now,
        use=program.used.append,
        pause=pause,
    )
    learning_ = asyncio.ensure_future(learner.learn())
    await asyncio.to_thread(begun.wait, 60)
    learning_.cancel()
    await asyncio.gather(learning_, return_exceptions=True)
    go_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert (len(pauses), row(database), program.used) == (1, [], [])
    await database.aclose()


# -- forgetting ---------------------------------------------------------------------------------


async def test_what_was_forgotten_does_not_come_back(database: SqliteDatabase) -> None:
    clock = Clock()
    desk, program = inbox(database, clock), Desk(database, clock)
    await decide(desk, range(59))
    assert await program.learner.begin()
    assert learning.forget_now(database, clock.now())
    assert not await program.learner.follow()
    assert program.used[-1] is None, "whoever is open drops it too"
    assert (row(database), counted(database)) == ([], (0, 0))
    assert not await program.learner.begin()
    await desk.undo()  # of a move before: it is no decision either
    await desk.raise_priority([60])
    assert counted(database) == (1, 1)
    assert not learning.forget_now(database, clock.now())
    await database.aclose()


async def test_forgetting_wins_over_learning_that_was_under_way(database: SqliteDatabase) -> None:
    clock = Clock()
    await decide(inbox(database, clock), range(60))
    program = Desk(database, clock)
    is_first = [True]

    def pause() -> None:
        if is_first.pop() if is_first else False:
            learning.forget_now(database, clock.now())

    learner = Learner(
        database,
        shipped_rules,
        session="s1",
        now=clock.now,
        use=program.used.append,
        pause=pause,
    )
    assert not await learner.learn()
    assert (row(database), program.used) == ([], [])
    await database.aclose()


async def test_moves_taken_back_below_fifty_leave_nothing_learned(
    database: SqliteDatabase,
) -> None:
    clock = Clock()
    desk, program = inbox(database, clock), Desk(database, clock)
    await decide(desk, range(50))
    assert await program.learner.begin()
    for _ in range(10):
        await desk.undo()
    assert await program.learner.follow()
    assert (row(database), program.used[-1]) == ([], None)
    await database.aclose()
