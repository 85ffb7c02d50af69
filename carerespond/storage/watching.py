"""Hears of what other programs write: commits to the database, and files that people edit.

inotify(7) costs nothing while nothing happens. Where there is none, the caller polls instead.
"""

import ctypes
import ctypes.util
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_IN_MODIFY = 0x00000002
_IN_CLOSE_WRITE = 0x00000008
_IN_MOVED = 0x000000C0
_IN_CREATE = 0x00000100
_IN_DELETE = 0x00000200
_HEAD = struct.Struct("iIII")


class _Folders:
    """inotify watches on some folders, reduced to some names in them.

    Raises:
        OSError: There is no inotify here, no such folder, or no watch is left for this user.
    """

    def __init__(self, folders: Iterable[Path], names: Iterable[str], what: int) -> None:
        self._names = frozenset(os.fsencode(name) for name in names)
        self._libc = ctypes.CDLL(ctypes.util.find_library("c") or None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self.fd: int = self._call(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            for folder in folders:
                name = os.fsencode(folder)
                self._call(self._libc.inotify_add_watch, self.fd, name, what)
        except OSError:
            self.close()
            raise

    def _call(self, function: "ctypes._NamedFuncPointer", *arguments: object) -> int:
        result: int = function(*arguments)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def heard(self) -> bool:
        """Read what has come; whether any of it was about one of the names."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return False
        at, ours = 0, False
        while at + _HEAD.size <= len(data):
            _, _, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            ours = ours or data[at : at + length].rstrip(b"\0") in self._names
            at += length
        return ours

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)


class Watcher(_Folders):
    """One watch on a database's folder, reduced to its write-ahead log."""

    def __init__(self, database: Path) -> None:
        super().__init__([database.parent], [database.name + "-wal"], _IN_MODIFY | _IN_CREATE)


class FileWatcher(_Folders):
    """Watches on some files that people edit, also where a link to one leads.

    A file is heard of once it is whole: when its writer closes it, or another takes its place.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        places = [*files, *(Path(os.path.realpath(file)) for file in files)]
        folders = dict.fromkeys(place.parent for place in places)
        what = _IN_CLOSE_WRITE | _IN_MOVED | _IN_DELETE
        super().__init__(folders, {place.name for place in places}, what)
