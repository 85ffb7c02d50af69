"""Kills migrations at random moments and looks at what is left: `python -m` this with a job."""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from carerespond.domain.errors import StorageError
from carerespond.storage import sqlite
from carerespond.storage.schema import APPLICATION_ID, MIGRATIONS
from tests.promises.support_nursery import PATIENCE, spawn, waited

ROWS = 3_000

# What a later version might do: new tables, a column, every row rewritten, an index, a trigger.
NEXT: tuple[str, ...] = (
    *(f"CREATE TABLE later_{n} (a INTEGER PRIMARY KEY, b TEXT NOT NULL)" for n in range(10)),
    "ALTER TABLE settings ADD COLUMN changed_by TEXT NOT NULL DEFAULT ''",
    "UPDATE settings SET changed_by = 'migration', value = value || '!'",
    "INSERT INTO later_1 (b) SELECT name FROM settings",
    "CREATE INDEX settings_by_value ON settings (value)",
    """CREATE TRIGGER later_kept BEFORE DELETE ON later_1 BEGIN
        SELECT RAISE (ABORT, 'kept');
    END""",
)
FROM: dict[str, Sequence[Sequence[str]]] = {"nothing": (), "the version before": MIGRATIONS}
TO: dict[str, Sequence[Sequence[str]]] = {
    "nothing": MIGRATIONS,
    "the version before": (*MIGRATIONS, NEXT),
}

Look = tuple[object, ...]


def look(path: Path) -> Look:
    """Everything that a migration changes."""
    if not path.exists():
        return (0, 0)
    connection = sqlite3.connect(path, timeout=30)
    try:
        head = (
            connection.execute("PRAGMA user_version").fetchone()[0],
            connection.execute("PRAGMA application_id").fetchone()[0],
        )
        schema = tuple(connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))
        if not schema:
            return head
        if "settings" not in dict(schema):
            return (*head, schema)
        rows = tuple(connection.execute("SELECT * FROM settings ORDER BY name"))
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return (*head, schema, hash(rows), len(rows), sound)
    finally:
        connection.close()


def statement_by_statement(
    connection: sqlite3.Connection, path: Path, number: int, migrations: Sequence[Sequence[str]]
) -> None:
    """Planted bug: a script, committed statement by statement; the version is set at its end."""
    del path
    head = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {number + 1}")
    connection.executescript(";\n".join((*migrations[number], *head)))


def prepare(path: Path, start: str) -> None:
    """The database as it is before the migration."""
    if FROM[start]:
        database = sqlite.open_database(path, migrations=FROM[start])
        rows = [(f"name {number}", "x" * 50) for number in range(ROWS)]
        database.write_now(
            lambda tx: tx.execute_many("INSERT INTO settings (name, value) VALUES (?, ?)", rows)
        )
        database.close_now()


def renew(path: Path, kept: Path) -> None:
    """Put the file back as it was before the migration."""
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
    if kept.exists():
        shutil.copy(kept, path)


def migrate(path: Path, start: str) -> Callable[[Callable[[], object]], None]:
    """The work of a child: open the database, which migrates it."""

    def work(up: Callable[[], object]) -> None:
        up()
        sqlite.open_database(path, migrations=TO[start]).close_now()

    return work


def _between(path: Path, kept: Path, start: str) -> list[Look]:
    """The database at each version on the way, which is whole and can be migrated further."""
    found = []
    for version in range(len(FROM[start]) + 1, len(TO[start])):
        renew(path, kept)
        sqlite.open_database(path, migrations=TO[start][:version]).close_now()
        found.append(look(path))
    return found


def _timed(path: Path, kept: Path, start: str) -> float:
    """Seconds that the migration takes when nobody kills it."""
    renew(path, kept)
    begun = time.monotonic()
    sqlite.open_database(path, migrations=TO[start]).close_now()
    return time.monotonic() - begun


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Kill `kills` migrations and count what they left."""
    folder, start, dice = Path(job["folder"]), job["start"], random.Random(job["seed"])
    path, kept = folder / "carerespond.db", folder / "before"
    prepare(path, start)
    if path.exists():
        shutil.copy(path, kept)
    old = look(path)
    sqlite.open_database(path, migrations=TO[start]).close_now()
    new = look(path)
    before = [old, *_between(path, kept, start)]
    if job["planted"]:
        sqlite._run_migration = statement_by_statement
    usual = min(_timed(path, kept, start) for _ in range(3))
    counts = dict.fromkeys(("killed", "old", "new", "half", "stuck"), 0)
    begun = time.monotonic()
    for _ in range(job["tries"]):
        renew(path, kept)
        child, pipe = spawn(migrate(path, start))
        assert waited(pipe, PATIENCE)
        assert os.read(pipe, 1)
        waited(pipe, dice.uniform(0, usual))
        os.kill(child, signal.SIGKILL)
        counts["killed"] += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        os.close(pipe)
        left = look(path)
        counts["old" if left in before else "new" if left == new else "half"] += 1
        try:
            sqlite.open_database(path, migrations=TO[start]).close_now()
            counts["stuck"] += look(path) != new
        except StorageError:
            counts["stuck"] += 1
    return {**counts, "seconds": round(time.monotonic() - begun, 1)}


def together(job: dict[str, Any]) -> dict[str, Any]:
    """Several processes open the same old database at the same moment, again and again."""
    folder, start = Path(job["folder"]), job["start"]
    path, kept = folder / "carerespond.db", folder / "before"
    prepare(path, start)
    if path.exists():
        shutil.copy(path, kept)
    sqlite.open_database(path, migrations=TO[start]).close_now()
    new, right = look(path), 0
    for _ in range(job["tries"]):
        renew(path, kept)
        children = [spawn(migrate(path, start)) for _ in range(4)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children]
        for _, pipe in children:
            os.close(pipe)
        right += codes == [0, 0, 0, 0] and look(path) == new
    return {"right": right}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(together(given) if given.get("together") else run(given)))  # noqa: T201
