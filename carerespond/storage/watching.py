"""Hears of commits by other processes: the kernel tells when the write-ahead log grows.

inotify(7) costs nothing while nothing happens. Where there is none, the caller polls instead.
"""

import ctypes
import ctypes.util
import os
import struct
from pathlib import Path

_IN_MODIFY = 0x00000002
_IN_CREATE = 0x00000100
_HEAD = struct.Struct("iIII")


class Watcher:
    """One inotify watch on a database's folder, reduced to its write-ahead log.

    Raises:
        OSError: There is no inotify here, or no watch is left for this user.
    """

    def __init__(self, database: Path) -> None:
        self._name = os.fsencode(database.name + "-wal")
        self._libc = ctypes.CDLL(ctypes.util.find_library("c") or None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self.fd: int = self._call(self._libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            folder = os.fsencode(database.parent)
            self._call(self._libc.inotify_add_watch, self.fd, folder, _IN_MODIFY | _IN_CREATE)
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
        """Read what has come; whether any of it was about the write-ahead log."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return False
        at, ours = 0, False
        while at + _HEAD.size <= len(data):
            _, _, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            ours = ours or data[at : at + length].rstrip(b"\0") == self._name
            at += length
        return ours

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)
