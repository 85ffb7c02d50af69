"""A full disk: what was acknowledged stays, nothing is sent, the last words can still be saved.

The disk is a small one in memory, mounted for the test, which needs root. The network is a fake in
memory (tests/sending.py): what it has is compared with what the outbox says.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from carerespond.config import Config
from carerespond.domain.errors import DiskFullError, StorageError
from carerespond.domain.models import SendState
from carerespond.networks.base import Sent
from carerespond.services.composer import Composer
from carerespond.storage import outbox
from carerespond.storage.database import Database, Query, scalar
from carerespond.storage.sqlite import problems
from tests.sending import (
    ACCOUNT,
    Clock,
    Desk,
    FakeNetwork,
    add_case,
    desk,
    opened,
    person_post,
)

pytestmark = [pytest.mark.promise, pytest.mark.live]

CASES = 50


@pytest.fixture(name="disk")
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(place)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    """Write until not a byte more fits."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass


def empty(disk: Path) -> None:
    """Somebody frees space."""
    (disk / "filler").unlink()


def drop_ballast(disk: Path) -> None:
    """Planted bug: there is no ballast."""
    (disk / "carerespond.db.ballast").unlink()


def room(disk: Path) -> Callable[[], int]:
    return lambda: shutil.disk_usage(disk).free


class FillingNetwork(FakeNetwork):
    """The fake, on which the disk runs full while a request is on its way."""

    disk: Path

    async def reply(self, text: str, in_reply_to: str, key: str) -> Sent:
        sent = await super().reply(text, in_reply_to, key)
        fill(self.disk)
        return sent


def at_work(
    database: Database, clock: Clock, network: FakeNetwork, free_bytes: Callable[[], int]
) -> Desk:
    database.write_now(lambda tx: [add_case(tx, number + 1) for number in range(CASES)])
    network.posts |= {f"p{number + 1}": person_post(number + 1) for number in range(CASES)}
    network.now = clock.now
    return desk(database, network, clock, free_bytes=free_bytes)


def states(database: Database) -> list[str]:
    rows = database.fetch_now(outbox.recent(CASES))
    return sorted(row.state.value for row in rows)


async def send_while_it_fills(
    disk: Path, database: Database, free_bytes: Callable[[], int]
) -> tuple[Desk, FakeNetwork]:
    """Ten answers go out, the disk runs full, an eleventh is queued and its time comes."""
    network = FakeNetwork()
    here = at_work(database, Clock(), network, free_bytes)
    for number in range(1, 11):
        here.queue(number)
    await here.work_until(20)
    assert states(database) == ["sent"] * 10
    fill(disk)
    here.queue(11)
    await here.work_until(21)
    return here, network


async def test_a_full_disk_stops_sending_says_so_and_loses_nothing(disk: Path) -> None:
    with opened(disk) as database:
        here, network = await send_while_it_fills(disk, database, room(disk))
        assert len(network.truth) == 10
        (row,) = database.fetch_now(outbox.pending("s1"))
        assert "disk is full: nothing is sent" in str(row.problem)
        fill(disk)
        with pytest.raises(DiskFullError, match="the disk is full") as full:
            here.queue(12)
        assert "Free some space" in str(full.value)
        assert states(database) == ["queued", *["sent"] * 10]
        assert problems(disk / "carerespond.db") == []
        empty(disk)
        for number in range(12, CASES + 1):
            here.queue(number)
        await here.work_until(120)
        assert states(database) == ["sent"] * CASES
    with opened(disk) as database:
        assert states(database) == ["sent"] * CASES
    answered = [post.in_reply_to for post in network.truth]
    assert sorted(answered, key=str) == sorted((f"p{n + 1}" for n in range(CASES)), key=str)


async def test_sending_without_a_look_at_the_free_space_is_caught(disk: Path) -> None:
    """Planted bug: an answer leaves although its outcome might not be written down."""
    with opened(disk) as database:
        _, network = await send_while_it_fills(disk, database, lambda: 1 << 30)
        assert len(network.truth) > 10


async def save_on_a_full_disk(disk: Path, *, ballast: bool) -> list[str]:
    """Type on a full disk; what a program that starts afterwards finds of it."""
    words = "We are sorry. " * 200
    with opened(disk) as database:
        here = at_work(database, Clock(), FakeNetwork(), room(disk))
        composer = Composer(
            database,
            {ACCOUNT: here.network},
            Config("St Elsewhere"),
            presence=here.presence,
            sender=here.sender,
            finder=here.finder,
            now=here.clock.now,
        )
        draft = await composer.begin(1)
        if not ballast:
            drop_ballast(disk)
        fill(disk)
        with suppress(StorageError):
            await composer.save(draft, words)
    empty(disk)
    with opened(disk) as database:
        texts: Query[str] = Query("SELECT text FROM drafts", (), scalar)
        return [text for text in database.fetch_now(texts) if text == words]


async def test_a_draft_can_be_saved_on_a_full_disk(disk: Path) -> None:
    assert len(await save_on_a_full_disk(disk, ballast=True)) == 1


def test_a_disk_that_runs_full_a_second_time_has_room_for_the_last_words_again(disk: Path) -> None:
    with opened(disk) as database:
        for round_number in range(3):
            fill(disk)
            words = f"{round_number} " * 10_000
            database.write_now(
                lambda tx, words=words: tx.execute(  # type: ignore[misc]  # mypy cannot infer a lambda's default
                    "INSERT INTO settings VALUES (?, 'last words')", (words,)
                )
            )
            empty(disk)
            database.write_now(lambda tx: tx.execute("UPDATE settings SET value = 'kept'"))
        count: Query[int] = Query("SELECT count(*) FROM settings", (), scalar)
        assert database.fetch_now(count) == [3]


async def test_a_draft_without_a_ballast_is_caught(disk: Path) -> None:
    """Planted bug: nothing was kept back for the last words."""
    assert await save_on_a_full_disk(disk, ballast=False) == []


async def fill_during_a_request(disk: Path, here: Desk, network: FillingNetwork) -> int:
    network.disk = disk
    outbox_id = here.queue(1)
    with suppress(StorageError):
        await here.work_until(20)
    assert len(network.truth) == 1
    return outbox_id


async def test_an_outcome_is_written_though_the_disk_fills_during_the_request(disk: Path) -> None:
    with opened(disk) as database:
        network = FillingNetwork()
        here = at_work(database, Clock(), network, room(disk))
        outbox_id = await fill_during_a_request(disk, here, network)
        row = here.row(outbox_id)
        assert (row.state, row.remote_id) == (SendState.SENT, "r1")


@pytest.mark.parametrize("dies", [False, True])
async def test_an_outcome_without_any_room_is_written_later_or_found(
    disk: Path, dies: bool
) -> None:
    """The ballast is spent as well: the row stays "sending", and is never sent again."""
    with opened(disk) as database:
        network = FillingNetwork()
        here = at_work(database, Clock(), network, room(disk))
        drop_ballast(disk)
        outbox_id = await fill_during_a_request(disk, here, network)
        assert here.row(outbox_id).state is SendState.SENDING
        empty(disk)
        after = here
        if dies:
            after = desk(
                database, network, here.clock, session="s2", pid=2, running=lambda pid: pid == 2
            )
        await after.work_until(60)
        row = here.row(outbox_id)
        assert (row.state, row.remote_id) == (SendState.SENT, "r1")
        assert network.calls.count("reply") == 1
