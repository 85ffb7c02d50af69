"""Sources: what is listened to, how far, how it does since when, and what nobody looked at."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from carerespond.domain.models import Health, Source
from carerespond.storage import feed, sources
from carerespond.storage.database import Database
from carerespond.storage.sources import Wanted
from tests.sending import START, opened

MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        sync(database, Wanted("search:a", "A", "x", "ward"), Wanted("mentions:x", "mentions", "x"))
        yield database


def sync(database: Database, *wanted: Wanted) -> None:
    database.write_now(lambda tx: sources.sync(tx, wanted, START))


def only(database: Database, source_id: str = "search:a") -> Source:
    (found,) = database.fetch_now(sources.source(source_id))
    return found


def read(database: Database, cursor: str) -> None:
    database.write_now(lambda tx: sources.advance(tx, "search:a", cursor, START))


def test_a_new_source_is_due_at_once(database: Database) -> None:
    found = only(database)
    assert (found.health, found.cursor, found.next_poll_at) == (Health.NEW, None, None)
    assert [one.source_id for one in database.fetch_now(sources.all_sources())] == [
        "search:a",
        "mentions:x",
    ]


def test_other_words_begin_anew_and_another_name_does_not(database: Database) -> None:
    read(database, "9")
    sync(database, Wanted("search:a", "Renamed", "x", "ward"))
    assert (only(database).name, only(database).cursor) == ("Renamed", "9")
    sync(database, Wanted("search:a", "Renamed", "x", "ward OR cafe"))
    assert only(database).cursor is None


def test_what_is_no_longer_wanted_is_retired_and_may_come_back(database: Database) -> None:
    read(database, "9")
    sync(database, Wanted("mentions:x", "mentions", "x"))
    assert [one.source_id for one in database.fetch_now(sources.all_sources())] == ["mentions:x"]
    sync(database, Wanted("search:a", "A", "x", "ward"))
    assert only(database).cursor == "9"


def test_an_empty_round_keeps_the_cursor(database: Database) -> None:
    read(database, "9")
    database.write_now(lambda tx: sources.advance(tx, "search:a", None, START + MINUTE))
    assert (only(database).cursor, only(database).last_ok_at) == ("9", START + MINUTE)


def test_health_says_since_when_and_tells_once(database: Database) -> None:
    def set_health(health: Health, message: str, minutes: int) -> bool:
        at = START + minutes * MINUTE
        return database.write_now(
            lambda tx: sources.set_health(tx, "search:a", health, message, at)
        )

    seq = database.fetch_now(feed.latest())[0]
    assert set_health(Health.DOWN, "refused", 1)
    assert not set_health(Health.DOWN, "refused", 2)
    assert set_health(Health.DOWN, "late", 3)
    assert only(database).since_at == START + MINUTE
    assert set_health(Health.OK, "", 4)
    assert only(database).since_at == START + 4 * MINUTE
    assert [one.kind for one in database.fetch_now(feed.since(seq))] == ["source"] * 3


def test_the_newest_post_counts_whatever_the_order(database: Database) -> None:
    def take_in(minutes: int | None) -> None:
        at = None if minutes is None else START + minutes * MINUTE
        database.write_now(lambda tx: sources.take_in(tx, "search:a", 2, at))

    take_in(None)
    assert only(database).last_post_at is None
    take_in(5)
    take_in(3)
    take_in(None)
    assert only(database).last_post_at == START + 5 * MINUTE
    assert only(database).found == 8


def test_a_gap_is_put_away_once_and_the_last_one_ends_it(database: Database) -> None:
    def add(minutes: int) -> int:
        at = START + minutes * MINUTE
        return database.write_now(
            lambda tx: sources.add_gap(tx, "search:a", START, at, START + 9 * MINUTE)
        )

    def dismiss(gap_id: int) -> bool:
        return database.write_now(lambda tx: sources.dismiss_gap(tx, gap_id, START + 9 * MINUTE))

    first, second = add(1), add(2)
    database.write_now(lambda tx: sources.set_health(tx, "search:a", Health.GAP, "gap", START))
    assert [gap.gap_id for gap in database.fetch_now(sources.gaps())] == [second, first]
    assert dismiss(first)
    assert not dismiss(first), "somebody has looked"
    assert only(database).health is Health.GAP
    assert dismiss(second)
    assert (only(database).health, only(database).message) == (Health.OK, "")
    assert database.fetch_now(sources.gaps()) == []


def test_putting_a_gap_away_hides_no_other_fault(database: Database) -> None:
    gap = database.write_now(
        lambda tx: sources.add_gap(tx, "search:a", START, START + MINUTE, START)
    )
    database.write_now(lambda tx: sources.set_health(tx, "search:a", Health.DOWN, "no", START))
    database.write_now(lambda tx: sources.dismiss_gap(tx, gap, START))
    assert only(database).health is Health.DOWN


def test_everything_may_be_asked_now(database: Database) -> None:
    database.write_now(lambda tx: sources.poll_again(tx, "search:a", START + 60 * MINUTE))
    database.write_now(lambda tx: sources.poll_all_now(tx, START))
    assert only(database).next_poll_at == START
