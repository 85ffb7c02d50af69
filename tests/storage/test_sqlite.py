import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carerespond.domain.errors import (
    NetworkDriveError,
    NewerDatabaseError,
    ReadOnlyError,
    StorageError,
)
from carerespond.storage import feed
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.schema import MIGRATIONS
from carerespond.storage.sqlite import SqliteDatabase, open_database, problems
from tests.sending import START, add_case, opened

PATIENCE = 10.0


@pytest.fixture(name="database")
def open_one(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with opened(tmp_path) as database:
        assert isinstance(database, SqliteDatabase)
        yield database


def put(tx: Transaction, name: str, value: str = "1") -> None:
    tx.execute("INSERT INTO settings VALUES (?, ?)", (name, value))


def names(database: SqliteDatabase) -> list[str]:
    return database.fetch_now(Query("SELECT name FROM settings ORDER BY name", (), scalar))


def test_the_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "carerespond.db"
    open_database(path).close_now()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    open_database(path).close_now()
    path.chmod(0o644)
    open_database(path).close_now()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_log_is_write_ahead_and_the_version_is_the_newest(database: SqliteDatabase) -> None:
    assert database.fetch_now(Query("PRAGMA journal_mode", (), scalar)) == ["wal"]
    assert database.fetch_now(Query("PRAGMA user_version", (), scalar)) == [len(MIGRATIONS)]


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    open_database(path).close_now()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerDatabaseError, match="schema is 999"):
        open_database(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a carerespond database"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    path.write_bytes(b"Dear diary, " * 500)
    with pytest.raises(StorageError, match="damaged"):
        open_database(path)
    assert path.read_bytes() == b"Dear diary, " * 500


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.touch()
    path = tmp_path / "carerespond.db"
    path.symlink_to(target)
    with pytest.raises(StorageError, match="symbolic link"):
        open_database(path)
    assert target.read_bytes() == b""


def find_damaged_index(find: Callable[[Path], object], tmp_path: Path) -> None:
    """One letter of a post's id is changed wherever it stands: in the table and in its indexes."""

    def many(tx: Transaction) -> None:
        for number in range(7_000_000, 7_000_300):
            add_case(tx, number)

    path = tmp_path / "carerespond.db"
    with opened(tmp_path) as database:
        database.write_now(many)
    whole = path.read_bytes()
    found = []
    for place in [match.start() for match in re.finditer(b"p7000123", whole)]:
        path.write_bytes(whole[:place] + b"q" + whole[place + 1 :])
        found.append(bool(find(path)))
    assert sum(found) >= 2, "the table or an index: they do not agree any more"


@pytest.mark.promise
def test_an_index_that_does_not_agree_with_its_table_is_found(tmp_path: Path) -> None:
    find_damaged_index(problems, tmp_path)


@pytest.mark.promise
def test_looking_quickly_would_be_noticed(tmp_path: Path) -> None:
    def quickly(path: Path) -> bool:
        connection = sqlite3.connect(path)
        rows = connection.execute("PRAGMA quick_check(5)").fetchall()
        connection.close()
        return bool(rows != [("ok",)])

    with pytest.raises(AssertionError, match="do not agree"):
        find_damaged_index(quickly, tmp_path)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_drive_is_refused_unless_allowed(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 21 0:40 / {tmp_path} rw - {kind} server:/x rw\n"
    )
    path = tmp_path / "carerespond.db"
    with pytest.raises(NetworkDriveError, match=kind):
        open_database(path, mounts=mounts)
    assert not path.exists()
    open_database(path, mounts=mounts, allow_network_drive=True).close_now()


def test_a_disk_of_this_computer_is_taken_though_its_parent_is_shared(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"21 1 8:1 / / rw - nfs server:/ rw\n22 21 0:40 / {tmp_path} rw - ext4 /dev/sdb rw\n"
    )
    open_database(tmp_path / "carerespond.db", mounts=mounts).close_now()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReadOnlyError, match="cannot be made"):
        open_database(tmp_path / "file" / "carerespond.db")


def test_a_look_only_session_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    open_database(path).close_now()
    database = open_database(path, read_only=True)
    with pytest.raises(ReadOnlyError, match="look-only"):
        database.write_now(lambda tx: put(tx, "a"))
    assert names(database) == []
    database.close_now()


def test_a_look_only_session_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no database yet"):
        open_database(tmp_path / "carerespond.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_transaction_leaves_nothing(database: SqliteDatabase) -> None:
    def work(tx: Transaction) -> None:
        put(tx, "a")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        database.write_now(work)
    assert names(database) == []


async def test_a_cancelled_caller_does_not_cut_a_write_in_half(database: SqliteDatabase) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(tx: Transaction) -> None:
        put(tx, "a")
        loop.call_soon_threadsafe(begun.set)
        put(tx, "b")

    task = asyncio.ensure_future(database.write(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(lambda tx: put(tx, "c"))
    assert names(database) == ["a", "b", "c"]


async def test_a_first_reader_that_gives_up_leaves_no_connection_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for turns in range(0, 400, 4):  # given up at one moment or another of the opening
        database = open_database(tmp_path / "carerespond.db")
        task = asyncio.ensure_future(database.fetch(Query("SELECT 1", (), scalar)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.aclose()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a connection is open still"


async def test_a_durable_write_waits_for_the_disk_and_another_does_not(
    database: SqliteDatabase,
) -> None:
    query: Query[int] = Query("PRAGMA synchronous", (), scalar)
    full, normal = 2, 1
    assert await database.write(lambda tx: tx.fetch(query), durable=True) == [full]
    assert await database.write(lambda tx: tx.fetch(query)) == [normal]
    assert database.write_now(lambda tx: tx.fetch(query), durable=True) == [full]


async def test_readers_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(StorageError):
        await database.fetch(Query("DELETE FROM settings", (), scalar))
    with pytest.raises(StorageError):
        database.fetch_now(Query("DELETE FROM settings", (), scalar))


async def test_a_commit_of_this_process_wakes_a_watcher(database: SqliteDatabase) -> None:
    watching = aiter(database.watch())
    heard = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    await database.write(lambda tx: put(tx, "a"))
    async with asyncio.timeout(5):
        await heard
    await watching.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_commit_of_another_process_wakes_a_watcher(database: SqliteDatabase) -> None:
    watching = aiter(database.watch())
    heard = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute(\"INSERT INTO settings VALUES ('far', '1')\"); c.commit()"
    )
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(database.path))
    assert await done.wait() == 0
    async with asyncio.timeout(5):
        await heard
    assert names(database) == ["far"]
    await watching.aclose()  # type: ignore[attr-defined]  # it is a generator


def test_two_processes_that_open_a_new_database_at_once_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    program = (
        "import sys; from pathlib import Path;"
        "from carerespond.storage.sqlite import open_database;"
        "open_database(Path(sys.argv[1])).close_now()"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], env={**os.environ})
        for _ in range(4)
    ]
    assert [one.wait(60) for one in running] == [0, 0, 0, 0]
    assert problems(path) == []


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    broken = [*MIGRATIONS, ("CREATE TABLE a (b)", "CREATE TABLE a (b)")]
    path = tmp_path / "carerespond.db"
    open_database(path).close_now()
    with pytest.raises(StorageError):
        open_database(path, migrations=broken)
    database = open_database(path)
    tables: Query[int] = Query("SELECT count(*) FROM sqlite_master WHERE name = 'a'", (), scalar)
    assert database.fetch_now(tables) == [0]
    database.close_now()


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "carerespond.db"
    open_database(path).close_now()
    assert problems(path) == []
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 6] = os.urandom(4096 * 4)
    path.write_bytes(data)
    try:
        found = problems(path)
    except StorageError as error:
        found = [str(error)]
    assert found


def test_the_feed_is_in_the_order_of_the_commits_and_can_be_trimmed(
    database: SqliteDatabase,
) -> None:
    for case_id in range(1, 6):
        database.write_now(lambda tx, one=case_id: feed.announce(tx, "case", one, START))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    assert [one.case_id for one in database.fetch_now(feed.since(2))] == [3, 4, 5]
    database.write_now(lambda tx: feed.trim(tx, 2))
    assert [one.seq for one in database.fetch_now(feed.since(0))] == [4, 5]
    assert database.fetch_now(feed.latest()) == [5]


def test_what_was_rolled_back_is_not_on_the_feed_and_leaves_no_hole(
    database: SqliteDatabase,
) -> None:
    def fail(tx: Transaction) -> None:
        feed.announce(tx, "case", 1, START)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # our own, raised above
        database.write_now(fail)
    database.write_now(lambda tx: feed.announce(tx, "case", 2, START))
    assert [(one.seq, one.case_id) for one in database.fetch_now(feed.since(0))] == [(1, 2)]
