"""The journal: what happened on the practice network since it began, one JSON line an event.

Several processes share it under `flock`, so that they see one network, and a restart sees it again.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Journal:
    """An append-only file of events, read from where this process last stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._read_to = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends until the block ends."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def unread(self) -> list[Event]:
        """Whole lines that were appended since the last call, by any process."""
        size = os.fstat(self._file).st_size
        if size <= self._read_to:
            return []
        found = os.pread(self._file, size - self._read_to, self._read_to)
        whole = found[: found.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return [event for line in whole.splitlines() if (event := _event(line)) is not None]

    def append(self, event: Event) -> None:
        """Write one event; called with the lock held and everything read."""
        line = json.dumps(event, ensure_ascii=True).encode() + b"\n"
        size = os.fstat(self._file).st_size
        if size > self._read_to:  # a process died inside a line: end that line, it is skipped later
            line = b"\n" + line
        os.write(self._file, line)
        self._read_to = size + len(line)


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
