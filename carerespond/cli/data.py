"""What goes in and out as files: `import`."""

import argparse
import asyncio
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from carerespond.cli import wiring
from carerespond.cli.setup import require_configuration
from carerespond.cli.terminal import complain, say
from carerespond.config import Config, Home, find_home, load_config
from carerespond.domain.errors import ConfigError
from carerespond.services.importer import Imported

PAUSE_SECONDS = 0.002  # between batches: SQLite's lock is unfair to whoever waits
NAMED = 20  # bad lines named one by one
BAR = 30
WRITER_SECONDS = 10  # how long to wait for somebody to write into a pipe
LONGEST_READ = 16 * 1024 * 1024  # bytes of one line held at once; the importer refuses half of it


def import_posts(options: argparse.Namespace) -> int:
    """Bring in posts from a file; 2 when no line of it could be used, else 0.

    Raises:
        CarerespondError: The configuration, the database or the file cannot be used.
    """
    home = find_home()
    require_configuration(home)
    config = load_config(home.config_file)
    wiring.check_rules(config)
    with _open(options.file) as (file, size):
        database = wiring.open_store(home)
        try:
            importer = wiring.make_importer(
                database, config, wiring.utc_now, pause=lambda: time.sleep(PAUSE_SECONDS)
            )
            shown = _Progress(size)
            done = importer.run(_lines(file), Path(options.file).name, shown)
            shown.end()
            asyncio.run(_catch_up(home, config))
        finally:
            database.close_now()
    return _report(done, options.file)


async def _catch_up(home: Home, config: Config) -> None:
    """Place all cases by the rules of now, if some were edited while posts were coming in."""
    database = wiring.open_store(home)
    try:
        assessor = wiring.make_assessor(config, wiring.utc_now)
        resorting = wiring.make_resorting(database, config, wiring.utc_now, assessor)
        resorting.tell(complain)
        await resorting.catch_up()
    finally:
        await database.aclose()


@contextmanager
def _open(name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file and its size in bytes; 0 when that is not known.

    Raises:
        ConfigError: It cannot be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise _unreadable(name, "standard input is closed")
        yield sys.stdin.buffer, 0
        return
    try:
        # Not to wait for a writer for ever, should it be a pipe that nobody feeds.
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "odd characters in its name"
        raise _unreadable(name, why) from None
    status = os.fstat(handle)
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_folder or not _has_writer(handle, status.st_mode):
        os.close(handle)
        raise _unreadable(name, "it is a folder" if is_folder else "nobody writes into it")
    os.set_blocking(handle, True)
    with os.fdopen(handle, "rb") as file:
        yield file, status.st_size


def _unreadable(name: str, why: str | None) -> ConfigError:
    return ConfigError(f"{name}: cannot be read ({why}).", "Check the path.")


def _has_writer(handle: int, mode: int) -> bool:
    """Whether a pipe is fed, or was; one without a writer yet would pass for an empty file."""
    if not stat.S_ISFIFO(mode):
        return True
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    return bool(waiting.poll(WRITER_SECONDS * 1000))


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The file's lines; of one without end only the beginning is held."""
    while line := file.readline(LONGEST_READ):
        yield line
        while not line.endswith(b"\n") and len(line) == LONGEST_READ:
            line = file.readline(LONGEST_READ)


class _Progress:
    """A bar on a terminal, written at most ten times a second; nothing anywhere else."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._is_shown = sys.stderr.isatty()
        self._at = 0.0

    def __call__(self, done: Imported, read: int) -> None:
        now = time.monotonic()
        if not self._is_shown or now - self._at < 0.1:  # noqa: PLR2004  # seconds
            return
        self._at = now
        share = min(1.0, read / self._size) if self._size else 0.0
        bar = f"[{'#' * int(share * BAR):<{BAR}}] {share:4.0%} " if self._size else ""
        print(f"\r{bar}{done.lines} lines", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Wipe the bar."""
        if self._is_shown and self._at:
            print(f"\r{'':<{BAR + 30}}\r", end="", file=sys.stderr, flush=True)


def _report(done: Imported, name: str) -> int:
    say(f"{done.new} new, {done.known} known, {len(done.bad)} bad, of {done.lines} lines.")
    for number, problem in done.bad[:NAMED]:
        complain(f"{name}, line {number}: {problem}")
    if len(done.bad) > NAMED:
        complain(f"... and {len(done.bad) - NAMED} more.")
    if done.bad:
        rest = "all others went in" if done.new or done.known else "there were no others"
        complain(f"Bad lines are kept aside in the database; {rest}.")
    return 0 if done.new or done.known or not done.lines else 2
