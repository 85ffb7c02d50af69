"""Files of one record a line: opening and reading them, and a bar that shows how far it is."""

import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from carerespond.domain.errors import ConfigError

NAMED = 20  # bad lines named one by one
BAR = 30
WRITER_SECONDS = 10  # how long to wait for somebody to write into a pipe
LONGEST_READ = 16 * 1024 * 1024  # bytes of one line held at once; a reader of records refuses half


@contextmanager
def open_input(name: str) -> Iterator[tuple[IO[bytes], int]]:
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


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The file's lines; of one without end only the beginning is held."""
    while line := file.readline(LONGEST_READ):
        yield line
        while not line.endswith(b"\n") and len(line) == LONGEST_READ:
            line = file.readline(LONGEST_READ)


class Progress:
    """A bar on a terminal, written at most ten times a second; nothing anywhere else.

    Args:
        size: Bytes of the whole; 0 when not known.
        beside_output: Lines go to standard output meanwhile: no bar where they are on the screen.
    """

    def __init__(self, size: int, *, beside_output: bool = False) -> None:
        self._size = size
        is_mixed = beside_output and sys.stdout.isatty()
        self._is_shown = sys.stderr.isatty() and not is_mixed
        self._at = 0.0

    def __call__(self, lines: int, read: int) -> None:
        """So many lines are done, and so many bytes were read."""
        now = time.monotonic()
        if not self._is_shown or now - self._at < 0.1:  # noqa: PLR2004  # seconds
            return
        self._at = now
        share = min(1.0, read / self._size) if self._size else 0.0
        bar = f"[{'#' * int(share * BAR):<{BAR}}] {share:4.0%} " if self._size else ""
        print(f"\r{bar}{lines} lines", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Wipe the bar."""
        if self._is_shown and self._at:
            print(f"\r{'':<{BAR + 30}}\r", end="", file=sys.stderr, flush=True)
