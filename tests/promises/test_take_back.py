"""An answer taken back in time is never sent; one taken back too late says so.

The network is a fake in memory (tests/sending.py), the clocks move only when told to. That a
killed program's waiting answer stays "not sent" is shown in tests/services/test_sender.py.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from carerespond.config import Config
from carerespond.domain.errors import NotAllowedError, StorageError
from carerespond.domain.models import Reply, SendState
from carerespond.networks.base import Lookup, Page, Sent
from carerespond.services.composer import Composer
from carerespond.services.sender import Sender
from carerespond.storage.database import Transaction
from tests.sending import ACCOUNT, Clock, Desk, FakeNetwork, add_case, desk, opened, person_post

pytestmark = pytest.mark.promise

CONFIG = Config("St Elsewhere", take_back_seconds=20.0)
Press = Callable[[], Awaitable[None]]


class SendsRegardless(Sender):
    """Planted bug: the row's state is not asked again when the request begins."""

    async def _to_the_wire(self, row: Reply) -> None:
        await self._networks[row.account].reply(row.text, row.in_reply_to, row.key)
        await super()._to_the_wire(row)


@dataclass
class PressingNetwork(FakeNetwork):
    """The fake, with a person who presses `z` while a request is on its way."""

    at: str = ""
    press: Press | None = None

    async def _pressed(self, at: str) -> None:
        if self.at == at and self.press is not None:
            press, self.press = self.press, None
            await press()

    async def lookup(self, post_ids: Sequence[str]) -> Lookup:
        await self._pressed("lookup")
        return await super().lookup(post_ids)

    async def own_posts(self, **how: Any) -> Page:
        await self._pressed("own_posts")
        return await super().own_posts(**how)

    async def reply(self, text: str, in_reply_to: str, key: str) -> Sent:
        await self._pressed("reply")
        return await super().reply(text, in_reply_to, key)


@contextmanager
def at_work(
    folder: Path, cases: int, sender: type[Sender] = Sender, *, by_wall_clock: bool = False
) -> Iterator[tuple[Desk, Composer, PressingNetwork]]:
    """A terminal with its composer; `by_wall_clock` is a planted bug."""
    clock = Clock()
    with opened(folder) as database:
        database.write_now(lambda tx: [add_case(tx, number + 1) for number in range(cases)])
        posts = {f"p{number + 1}": person_post(number + 1) for number in range(cases)}
        network = PressingNetwork(now=clock.now, posts=posts)
        here = desk(database, network, clock)
        made = sender(
            database,
            {ACCOUNT: network},
            CONFIG,
            presence=here.presence,
            finder=here.finder,
            now=clock.now,
            charge=lambda *_: None,
            free_bytes=lambda: 1 << 30,
            clock=(lambda: clock.now().timestamp()) if by_wall_clock else clock.monotonic,
        )
        composer = Composer(
            database,
            {ACCOUNT: network},
            CONFIG,
            presence=here.presence,
            sender=made,
            finder=here.finder,
            now=clock.now,
        )
        yield replace(here, sender=made), composer, network


async def test_two_hundred_answers_taken_back_just_before_the_end_are_never_sent(
    tmp_path: Path,
) -> None:
    with at_work(tmp_path, 200) as (here, composer, network):
        for number in range(1, 201):
            outbox_id = here.queue(number)
            await here.work_until(20 - 0.05 * number / 200)  # by 50 ms at most
            taken = await composer.take_back()
            assert taken is not None
            assert taken.state is SendState.TAKEN_BACK
            await here.work_until(1)
            assert here.row(outbox_id).state is SendState.TAKEN_BACK
            assert here.draft(number) == "We are sorry"
        await here.work_until(60)
        assert network.truth == []


async def pressed_during(folder: Path, at: str, sender: type[Sender]) -> tuple[object, int, str]:
    """Press `z` during a request: what it gave, how many answers exist, the row's state."""
    gave: list[object] = []
    with at_work(folder, 1, sender) as (here, composer, network):

        async def press() -> None:
            try:
                gave.append(await composer.take_back())
            except NotAllowedError as refused:
                gave.append(refused)

        network.at, network.press = at, press
        outbox_id = here.queue(1)
        await here.work_until(20)
        assert gave, "nobody pressed"
        return gave[0], len(network.truth), here.row(outbox_id).state.value


@pytest.mark.parametrize("at", ["lookup", "own_posts"])
async def test_an_answer_taken_back_while_its_post_is_read_again_is_not_sent(
    tmp_path: Path, at: str
) -> None:
    gave, answers, state = await pressed_during(tmp_path, at, Sender)
    assert isinstance(gave, Reply)
    assert (answers, state) == (0, "taken back")


@pytest.mark.parametrize("at", ["lookup", "own_posts"])
async def test_a_sender_that_does_not_look_again_is_caught(tmp_path: Path, at: str) -> None:
    """Planted bug: it says "taken back", and the network has it."""
    gave, answers, _ = await pressed_during(tmp_path, at, SendsRegardless)
    assert isinstance(gave, Reply)
    assert answers == 1


async def test_while_it_leaves_and_just_after_it_is_too_late(tmp_path: Path) -> None:
    gave, answers, state = await pressed_during(tmp_path, "reply", Sender)
    assert "Too late" in str(gave)
    assert (answers, state) == (1, "sent")


async def test_after_the_end_it_says_too_late(tmp_path: Path) -> None:
    with at_work(tmp_path, 1) as (here, composer, network):
        here.queue(1)
        await here.work_until(20)
        with pytest.raises(NotAllowedError, match="Too late: the answer to @person1 is sent"):
            await composer.take_back()
        assert len(network.truth) == 1
        here.clock.pass_seconds(20)
        assert await composer.take_back() is None, "an old answer is not what z is about"


async def jump(folder: Path, hours: float, *, by_wall_clock: bool = False) -> list[str]:
    """Set the wall clock in the middle of the window; the row's state before and at its end."""
    with at_work(folder, 1, by_wall_clock=by_wall_clock) as (here, _, _network):
        outbox_id = here.queue(1)
        await here.work_until(10)
        here.clock.jump(hours)
        await here.work_until(9.95)
        states = [here.row(outbox_id).state.value]
        here.clock.pass_seconds(0.05)
        await here.sender.work_due()
        return [*states, here.row(outbox_id).state.value]


@pytest.mark.parametrize("hours", [-2, 2])
async def test_a_wall_clock_that_jumps_moves_nothing(tmp_path: Path, hours: float) -> None:
    assert await jump(tmp_path, hours) == ["queued", "sent"]


@pytest.mark.parametrize("hours", [-2, 2])
async def test_a_window_by_the_wall_clock_is_caught(tmp_path: Path, hours: float) -> None:
    """Planted bug: the take-back time is measured by a clock that people set."""
    assert await jump(tmp_path, hours, by_wall_clock=True) != ["queued", "sent"]


class LetsGo(Sender):
    """Planted bug: a take-back that could not be written is forgotten."""

    def take_back_later(self, outbox_id: int, work: Callable[[Transaction], object]) -> None:
        pass


async def pressed_while_locked(folder: Path, sender: type[Sender]) -> tuple[str, int, str]:
    """Press `z` in time while another process writes: the words, answers sent, the row's state."""
    with at_work(folder, 1, sender) as (here, composer, network):
        outbox_id = here.queue(1)
        await here.work_until(16)

        def locked(_: Transaction) -> None:
            raise sqlite3.OperationalError("database is locked")

        writing = here.database.write
        here.database.write = lambda work, **how: writing(locked, **how)  # type: ignore[method-assign]  # a lock that takes no five seconds
        with pytest.raises(StorageError) as said:
            await composer.take_back()
        here.database.write = writing  # type: ignore[method-assign]  # the other has finished
        await here.work_until(10)
        return str(said.value), len(network.truth), here.row(outbox_id).state.value


async def test_a_take_back_that_could_not_be_written_holds_the_answer(tmp_path: Path) -> None:
    words, answers, state = await pressed_while_locked(tmp_path, Sender)
    assert "held and is not sent" in words
    assert (answers, state) == (0, "taken back")


async def test_a_sender_that_lets_go_of_it_is_caught(tmp_path: Path) -> None:
    """Planted bug: in time, and it goes out all the same."""
    _, answers, state = await pressed_while_locked(tmp_path, LetsGo)
    assert (answers, state) == (1, "sent")
