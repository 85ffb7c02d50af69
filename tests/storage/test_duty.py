"""Sessions and leases: who is here, and who does the work of one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from carerespond.storage import duty
from carerespond.storage.database import Database
from tests.sending import Clock, opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


def test_a_session_is_here_until_it_leaves(database: Database) -> None:
    clock = Clock()
    database.write_now(lambda tx: duty.start_session(tx, "s1", "Asha", "host", 7, clock.now()))
    clock.pass_seconds(10)
    assert database.write_now(lambda tx: duty.renew_session(tx, "s1", clock.now()))
    (here,) = database.fetch_now(duty.here())
    assert (here.operator, here.host, here.pid) == ("Asha", "host", 7)
    assert (here.expires_at - here.started_at).total_seconds() == 40
    database.write_now(lambda tx: duty.end_session(tx, "s1"))
    assert database.fetch_now(duty.here()) == []
    assert not database.write_now(lambda tx: duty.renew_session(tx, "s1", clock.now()))


def test_a_session_takes_the_name_of_its_new_operator(database: Database) -> None:
    clock = Clock()

    def sign_on(name: str) -> None:
        database.write_now(lambda tx: duty.start_session(tx, "s1", name, "host", 7, clock.now()))

    sign_on("Asha")
    sign_on("Ben")
    (here,) = database.fetch_now(duty.here())
    assert here.operator == "Ben"


def test_one_holder_at_a_time_and_the_fence_rises_with_each(database: Database) -> None:
    clock = Clock()

    def take(holder: str) -> int | None:
        return database.write_now(
            lambda tx: duty.take_lease(tx, "search:1", holder, 8, clock.now())
        )

    assert take("a") == 1
    assert take("b") is None
    clock.pass_seconds(7.9)
    assert take("b") is None
    clock.pass_seconds(0.2)
    assert take("b") == 2
    assert take("a") is None


def test_a_holder_who_was_thought_dead_cannot_renew(database: Database) -> None:
    clock = Clock()
    database.write_now(lambda tx: duty.take_lease(tx, "work", "a", 8, clock.now()))
    clock.pass_seconds(9)
    database.write_now(lambda tx: duty.take_lease(tx, "work", "b", 8, clock.now()))
    assert not database.write_now(lambda tx: duty.renew_lease(tx, "work", "a", 1, 8, clock.now()))
    assert database.write_now(lambda tx: duty.renew_lease(tx, "work", "b", 2, 8, clock.now()))


def test_a_dropped_lease_is_free_at_once_and_its_fence_is_not_used_again(
    database: Database,
) -> None:
    clock = Clock()
    database.write_now(lambda tx: duty.take_lease(tx, "work", "a", 8, clock.now()))
    assert database.write_now(lambda tx: duty.drop_lease(tx, "work", "a", 1))
    assert database.write_now(lambda tx: duty.take_lease(tx, "work", "b", 8, clock.now())) == 2
    database.write_now(lambda tx: duty.end_session(tx, "b"))
    assert database.write_now(lambda tx: duty.take_lease(tx, "work", "c", 8, clock.now())) == 3


def test_a_lease_from_before_the_clock_was_set_back_counts_as_expired(
    database: Database,
) -> None:
    clock = Clock()
    database.write_now(lambda tx: duty.take_lease(tx, "work", "a", 8, clock.now()))
    clock.jump(-2)
    assert database.write_now(lambda tx: duty.take_lease(tx, "work", "b", 8, clock.now())) == 2
