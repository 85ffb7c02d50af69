"""The SQLite engine: one writer thread, readers of their own, and a watch on other processes.

Writes run whole, one after the other, as `BEGIN IMMEDIATE` transactions with a busy time-out, so
that processes wait for each other instead of failing. A durable write waits for the disk
(`synchronous=FULL`); any other survives the death of the program, though not of the computer.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from carerespond.domain.errors import (
    DiskFullError,
    NewerDatabaseError,
    ReadOnlyError,
    StorageError,
)
from carerespond.storage import places
from carerespond.storage.database import Query, Transaction, scalar
from carerespond.storage.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    import aiosqlite

    from carerespond.storage.watching import Watcher

T = TypeVar("T")

BUSY_SECONDS = 10.0
BALLAST_BYTES = 1 << 20
# A commit is visible a moment after its bytes are in the log; a second look catches a slow disk.
SETTLE_SECONDS = 0.01
LOOK_AGAIN_SECONDS = 0.12
POLL_SECONDS = 0.2
_NO_ROOM = 1 << 16  # bytes: SQLite calls a disk full only where writing, not growing, fails
_DATA_VERSION: Query[int] = Query("PRAGMA data_version", (), scalar)


class _Transaction:
    """One open transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def fetch(self, query: Query[T]) -> list[T]:
        rows = self._connection.execute(query.sql, query.params)
        return [query.make(row) for row in rows]

    def execute(self, sql: str, params: Sequence[object] = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        return self._connection.executemany(sql, rows).rowcount

    def insert(self, sql: str, params: Sequence[object] = ()) -> int:
        return self._connection.execute(sql, params).lastrowid or 0


class _Writer:
    """One connection that writes, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._durable: bool | None = None

    def run(self, work: Callable[[Transaction], T], *, durable: bool) -> T:
        """Run `work` as one transaction."""
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self._path)
        if durable is not self._durable:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(_Transaction(connection))
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise
        return result

    def empty_log(self) -> bool:
        """Write the log into the file and cut it to nothing; False while another reads from it."""
        if self._connection is None:
            self._connection = connect(self._path)
        busy: int = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteDatabase:
    """One database file; see `carerespond.storage.database.Database` for what each method does."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._reader = connect(path, read_only=True)
        self._reader_lock = threading.Lock()
        self._async_reader: aiosqlite.Connection | None = None
        self._opening: asyncio.Future[aiosqlite.Connection] | None = None
        self._writer = _Writer(path)
        self._writer_now = _Writer(path)
        self._now_lock = threading.RLock()
        self._thread: ThreadPoolExecutor | None = None
        self._ballast = path.with_name(path.name + ".ballast")
        self._is_ballast_spent = False
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False

    # -- reading --------------------------------------------------------------------------------

    def fetch_now(self, query: Query[T]) -> list[T]:
        """All results of a query, on the calling thread."""
        try:
            with self._reader_lock:
                rows = self._reader.execute(query.sql, query.params).fetchall()
        except sqlite3.Error as error:
            raise in_words(error, self.path) from error
        return [query.make(row) for row in rows]

    async def fetch(self, query: Query[T]) -> list[T]:
        """All results of a query, off the event loop's thread."""
        reader = self._async_reader
        if reader is None:
            reader = await self._open_async_reader()
        try:
            rows = await reader.execute_fetchall(query.sql, query.params)
        except sqlite3.Error as error:
            raise in_words(error, self.path) from error
        return [query.make(tuple(row)) for row in rows]

    async def _open_async_reader(self) -> "aiosqlite.Connection":
        """The one reader of the loop; whoever asks for it first may give up meanwhile."""
        if self._closed:
            raise StorageError(f"{self.path} is closed.")
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._connect_reader())
        return await asyncio.shield(self._opening)

    async def _connect_reader(self) -> "aiosqlite.Connection":
        import aiosqlite  # not before the first rows are on the screen

        try:
            reader = await aiosqlite.connect(
                f"{self.path.as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                timeout=BUSY_SECONDS,
            )
        except sqlite3.Error as error:
            self._opening = None
            raise in_words(error, self.path) from error
        await reader.execute("PRAGMA query_only = ON")
        self._async_reader = reader
        return reader

    # -- writing --------------------------------------------------------------------------------

    def write_now(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` as one transaction on the calling thread."""
        with self._now_lock:
            return self._write(self._writer_now, work, durable=durable)

    async def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` as one transaction off the event loop's thread, whole even when cancelled."""
        if self._closed:
            raise StorageError(f"{self.path} is closed.")
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="storage")
        running: Future[T] = self._thread.submit(self._write, self._writer, work, durable=durable)
        waiting = asyncio.wrap_future(running)
        waiting.add_done_callback(_looked_at)
        return await asyncio.shield(waiting)

    def _write(self, writer: _Writer, work: Callable[[Transaction], T], *, durable: bool) -> T:
        if self.read_only:
            raise ReadOnlyError("This is a look-only session: nothing is changed.")
        try:
            result = writer.run(work, durable=durable)
        except sqlite3.Error as error:
            problem = in_words(error, self.path)
            if not isinstance(problem, DiskFullError) or not self._drop_ballast():
                raise problem from error
            result = self._write_once_more(writer, work, durable=durable)
        if self._is_ballast_spent:
            self._keep_ballast_again()
        self._tell()
        return result

    def _write_once_more(
        self, writer: _Writer, work: Callable[[Transaction], T], *, durable: bool
    ) -> T:
        try:
            return writer.run(work, durable=durable)
        except sqlite3.Error as error:
            raise in_words(error, self.path) from error

    def empty_log_now(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing, so that no old page stays.

        Returns:
            False while another program reads from it; it is emptied when the last one ends.
        """
        with self._now_lock:
            try:
                return self._writer_now.empty_log()
            except sqlite3.Error as error:
                raise in_words(error, self.path) from error

    # -- room for the last words ----------------------------------------------------------------

    def keep_ballast(self) -> None:
        """Hold a little room, given up when the disk is full: what was typed can still be saved."""
        with suppress(OSError):
            if self._ballast.is_symlink() or (
                self._ballast.exists() and self._ballast.stat().st_size >= BALLAST_BYTES
            ):
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_TRUNC
            descriptor = os.open(self._ballast, flags, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            finally:
                os.close(descriptor)

    def _drop_ballast(self) -> bool:
        try:
            self._ballast.unlink()
        except OSError:
            return False
        self._is_ballast_spent = True
        return True

    def _keep_ballast_again(self) -> None:
        """Somebody has made room: the disk may run full a second time."""
        with suppress(OSError):
            if places.free_bytes(self.path.parent) >= 4 * BALLAST_BYTES:
                self._is_ballast_spent = False
                self.keep_ballast()

    # -- watching -------------------------------------------------------------------------------

    def _tell(self) -> None:
        for event, loop in list(self._listeners.items()):
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(event.set)

    async def watch(self) -> AsyncIterator[None]:
        """Yields after a commit by any process; several commits may yield once."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._listeners[event] = loop
        seen: int | None = None
        watcher = _watcher(self.path)
        poll = None
        if watcher is not None:
            loop.add_reader(watcher.fd, _hear, watcher, event)
        else:
            poll = loop.create_task(self._poll(event))
        try:
            while not self._closed:
                await event.wait()
                for pause in (_settle, _look_again):
                    await pause(event)
                    if (now := self._commits()) != seen:
                        seen = now
                        yield
        finally:
            del self._listeners[event]
            if watcher is not None:
                loop.remove_reader(watcher.fd)
                watcher.close()
            if poll is not None:
                poll.cancel()

    def _commits(self) -> int:
        """SQLite's own count of other connections' commits; two microseconds, so on this thread."""
        return 0 if self._closed else self.fetch_now(_DATA_VERSION)[0]

    async def _poll(self, event: asyncio.Event) -> None:
        """Where the kernel does not tell."""
        last = self._commits()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if (found := self._commits()) != last:
                last = found
                event.set()

    # -- the end --------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close connections and stop the threads; a write that was begun is finished first."""
        self._closed = True
        self._tell()
        if self._thread is not None:
            thread, self._thread = self._thread, None
            closing = thread.submit(self._writer.close)
            await asyncio.shield(asyncio.wrap_future(closing))
            thread.shutdown(wait=True)
        if self._opening is not None:
            opening, self._opening, self._async_reader = self._opening, None, None
            with suppress(StorageError):
                await (await opening).close()
        self.close_now()

    def close_now(self) -> None:
        """Close what needs no loop: for commands that never started one."""
        self._closed = True
        with self._now_lock:
            self._writer_now.close()
        with self._reader_lock:
            self._reader.close()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode with our settings."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def open_database(
    path: Path,
    *,
    read_only: bool = False,
    now: Callable[[], datetime] | None = None,
    allow_network_drive: bool = False,
    mounts: Path = places.MOUNTS,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> SqliteDatabase:
    """Open the database, making or migrating it where needed; nothing is changed on failure.

    Args:
        path: The file.
        read_only: Change nothing, not even the schema.
        now: Unused by this engine; engines that keep their own clock take it.
        allow_network_drive: Skip the check for drives that several hosts may mount.
        mounts: Linux's table of mounts, for that check.
        migrations: The schema's versions.

    Raises:
        NewerDatabaseError, NetworkDriveError, ReadOnlyError, DiskFullError: As named.
        StorageError: Not ours, damaged, or held by another program.
    """
    del now
    path = path.absolute()
    if not allow_network_drive:
        places.check_drive(path, mounts)
    if read_only:
        if not places.check_file(path):
            raise StorageError(f"{path}: there is no database yet.", "Run: carerespond")
    else:
        places.prepare(path)
    try:
        if read_only:
            _check_version(path, len(migrations))
        else:
            _migrate(path, migrations)
        database = SqliteDatabase(path, read_only=read_only)
    except sqlite3.Error as error:
        raise in_words(error, path) from error
    if not read_only:
        database.keep_ballast()
    return database


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """The schema's version, 0 for a new file.

    Raises:
        NewerDatabaseError: It is from a later carerespond.
        StorageError: It is another program's.
    """
    # One statement sees one moment: another process may be making the tables just now.
    application, version, tables = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id),"
        " (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if (application or tables) and application != APPLICATION_ID:
        raise StorageError(
            f"{path} is not a carerespond database.", "Move it away, or set CARERESPOND_HOME."
        )
    if version > newest:
        raise NewerDatabaseError(
            f"{path} was written by a newer carerespond (its schema is {version}, this program"
            f" knows {newest}).",
            "Update this carerespond: pip install --upgrade carerespond",
        )
    return int(version)


def _check_version(path: Path, newest: int) -> None:
    connection = connect(path, read_only=True)
    try:
        if _version(connection, path, newest) < newest:
            raise StorageError(
                f"{path} is from an older carerespond.", "Open it once without --look."
            )
    finally:
        connection.close()


def _migrate(path: Path, migrations: Sequence[Sequence[str]]) -> None:
    connection = connect(path)
    try:
        version = _version(connection, path, len(migrations))
        if version == len(migrations):
            return
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")
        for number in range(version, len(migrations)):
            _run_migration(connection, path, number, migrations)
    finally:
        connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log; SQLite itself does not wait here for a process that starts as well.

    Raises:
        sqlite3.OperationalError: The file was held all the time.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _run_migration(
    connection: sqlite3.Connection, path: Path, number: int, migrations: Sequence[Sequence[str]]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been quicker while this one waited.
        if _version(connection, path, len(migrations)) == number:
            for statement in migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def problems(path: Path, mounts: Path = places.MOUNTS) -> list[str] | None:
    """What SQLite's own check says is damaged; empty when sound, None when there is no database.

    Raises:
        StorageError: As for `open_database`, but that an older schema is no fault.
    """
    path = path.absolute()
    places.check_drive(path, mounts)
    if not places.check_file(path):
        return None
    try:
        connection = connect(path, read_only=True)
        try:
            _version(connection, path, len(MIGRATIONS))
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise in_words(error, path) from error
    return [] if found == ["ok"] else found


def in_words(error: sqlite3.Error, path: Path) -> StorageError:
    """SQLite's error as ours, with what to do (https://www.sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    is_full = code == sqlite3.SQLITE_IOERR and places.free_bytes(path.parent) < _NO_ROOM
    if code == sqlite3.SQLITE_FULL or is_full:
        return DiskFullError(
            f"{path}: the disk is full, so nothing more can be saved.", "Free some space now."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return ReadOnlyError(f"{path}: cannot be written.", "Check its owner and permissions.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return ReadOnlyError(f"{path}: cannot be opened.", "Check the folder's permissions.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageError(
            f"{path} is damaged ({error}).",
            "Stop carerespond, copy the file away and restore the newest backup.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"{path} is held by another program for longer than {BUSY_SECONDS:.0f} s.",
            "End the program that holds it, for example a database browser.",
        )
    return StorageError(f"{path}: {error}.", "Run: carerespond doctor")


def _looked_at(future: "asyncio.Future[T]") -> None:
    """Take note of an outcome that a cancelled caller no longer waits for."""
    if not future.cancelled():
        future.exception()


def _watcher(path: Path) -> "Watcher | None":
    from carerespond.storage.watching import Watcher  # ctypes, not before the first rows

    try:
        return Watcher(path)
    except OSError:
        return None


def _hear(watcher: "Watcher", event: asyncio.Event) -> None:
    if watcher.heard():
        event.set()


async def _settle(event: asyncio.Event) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    event.clear()


async def _look_again(event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AGAIN_SECONDS):
            await event.wait()
