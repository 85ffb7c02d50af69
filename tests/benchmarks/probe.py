"""Runs a terminal program in a pseudo-terminal and measures what a person would notice.

The reader thread stamps each chunk as it arrives; the terminal emulator (pyte) reads the chunks
afterwards, so that its own slowness is in no figure. Questions of the program to its terminal are
answered at once, as a current terminal would.
"""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyte

COLUMNS, LINES = 120, 40
TICKS = os.sysconf("SC_CLK_TCK")
_FIRST_COLUMN, _SECOND_COLUMN = 6, 40  # where the colour of a row is looked at

# pyte knows none of these: private and intermediate CSI, and the strings of DCS, APC, PM and OSC.
_SKIP = re.compile(
    rb"\x1b\[[<=>][0-9;:]*[@-~]|\x1b\[\??[0-9;:]*[ -/]+[@-~]|\x1b\[\?[0-9;]*u"
    rb"|\x1b[P_^][^\x1b]*\x1b\\|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_PART = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;:]*[ -/]*|[P_^\]][^\x07\x1b]*\x1b?)?\Z")
_ANSWERS = (
    (rb"\x1b[?2026$p", b"\x1b[?2026;2$y"),  # frames are shown whole
    (rb"\x1b[?2048$p", b"\x1b[?2048;0$y"),
    (rb"\x1b[c", b"\x1b[?62;22c"),
    (rb"\x1b[6n", b"\x1b[1;1R"),
)

Look = list[tuple[str, object, object]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one key or the start has cost: milliseconds to its effect, bytes until it was quiet."""

    ms: float
    size: int


@dataclass(frozen=True, slots=True)
class Usage:
    """A process so far: resident MB, CPU seconds, and how often it woke up."""

    rss_mb: float
    cpu_s: float
    wakes: int


class Screen(pyte.Screen):
    """pyte's screen, which answers nothing itself."""

    def report_device_status(self, *_: object, **__: object) -> None:
        """The probe has answered already."""

    def report_device_attributes(self, *_: object, **__: object) -> None:
        """The probe has answered already."""

    def look(self) -> Look:
        """Each row's text and whether it stands out: what moves when a cursor does."""
        rows = enumerate(self.display)
        return [
            (text, self._shade(y, _FIRST_COLUMN), self._shade(y, _SECOND_COLUMN))
            for y, text in rows
        ]

    def _shade(self, y: int, x: int) -> object:
        cell = self.buffer[y][x]
        return cell.bg, cell.reverse, cell.bold


class Probe:
    """One program on a terminal of 120 columns and 40 rows.

    Args:
        argv: The program.
        environ: What to set in its environment.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        self.screen = Screen(COLUMNS, LINES)
        self.size = 0
        self._stream = pyte.ByteStream(self.screen)
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._arrived = threading.Event()
        self._rest = b""
        self._is_over = False
        self._last_at = 0.0
        sys.setswitchinterval(1e-4)  # the reader stamps promptly while pyte is at work
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "COLUMNS": str(COLUMNS),
            "LINES": str(LINES),
            **(environ or {}),
        }
        # An installed program has its byte code beside it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.began = time.perf_counter()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            try:
                _resize(0)
                os.execvpe(argv[0], list(argv), environment)
            finally:
                os._exit(127)
        _resize(self._terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Probe":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._reader.join(2)
        os.close(self._terminal)

    # -- reading --------------------------------------------------------------------------------

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:
                data = b""
            now = time.perf_counter()
            self._is_over = self._is_over or not data
            if data:
                self._chunks.append((now, data))
                for question, answer in _ANSWERS:
                    if question in data:
                        os.write(self._terminal, answer)
            self._arrived.set()
            if not data:
                return

    def _take(self) -> float | None:
        """Read the oldest chunk into the screen; when it arrived, None when there was none."""
        if not self._chunks:
            return None
        at, data = self._chunks.popleft()
        self.size += len(data)
        self._last_at = at
        data = self._rest + data
        part = _PART.search(data)
        cut = part.start() if part else len(data)
        self._rest = data[cut:]
        self._stream.feed(_SKIP.sub(b"", data[:cut]))
        return at

    def wait(
        self, until: Callable[[Screen], bool], *, since: float | None = None, timeout: float = 120
    ) -> float:
        """Milliseconds from the start, or from `since`, to the chunk that made it true.

        Raises:
            TimeoutError: It never was; with the screen.
        """
        since = self.began if since is None else since
        end = time.perf_counter() + timeout
        while True:
            at = self._take()
            if at is not None:
                if until(self.screen):
                    return (at - since) * 1e3
                continue
            left = end - time.perf_counter()
            if left <= 0 or (self._is_over and not self._chunks):
                raise TimeoutError("\n".join(self.screen.display))
            self._arrived.clear()
            if not self._chunks:
                self._arrived.wait(min(left, 0.2))

    def settle(self, quiet: float = 0.2, timeout: float = 20) -> None:
        """Read until nothing has come for so many seconds."""
        end = time.perf_counter() + timeout
        last = time.perf_counter()
        while time.perf_counter() < end and time.perf_counter() - last < quiet:
            self._arrived.clear()
            if self._take() is not None:
                last = time.perf_counter()
            elif not self._chunks:
                self._arrived.wait(0.02)

    # -- acting ---------------------------------------------------------------------------------

    def send(self, text: str) -> float:
        """Press keys; when."""
        at = time.perf_counter()
        os.write(self._terminal, text.encode())
        return at

    def key(
        self, text: str, until: Callable[[Screen], bool] | None = None, *, quiet: float = 0.1
    ) -> Reading:
        """Press a key, wait for its effect (any, when `until` is None) and then for quiet."""
        before, size = self.screen.look(), self.size
        wanted = until or (lambda screen: screen.look() != before)
        ms = self.wait(wanted, since=self.send(text), timeout=30)
        self.settle(quiet)
        return Reading(ms, self.size - size)

    # -- the process ----------------------------------------------------------------------------

    def usage(self) -> Usage:
        """What the process has used so far."""
        root = Path(f"/proc/{self.pid}")
        fields = (root / "stat").read_text().rpartition(")")[2].split()
        status = _status(root)
        wakes = sum(
            int(_status(task)["voluntary_ctxt_switches"]) for task in (root / "task").iterdir()
        )
        return Usage(
            int(status["VmRSS"].split()[0]) / 1024,
            (int(fields[11]) + int(fields[12])) / TICKS,
            wakes,
        )

    def idle(self, seconds: float) -> tuple[float, float, float]:
        """While nobody touches it: bytes a second, wake-ups a second, CPU per cent."""
        self.settle()
        size, before, began = self.size, self.usage(), time.perf_counter()
        while (left := seconds - (time.perf_counter() - began)) > 0:
            self._arrived.clear()
            while self._take() is not None:
                pass
            self._arrived.wait(left)
        after, took = self.usage(), time.perf_counter() - began
        return (
            (self.size - size) / took,
            (after.wakes - before.wakes) / took,
            100 * (after.cpu_s - before.cpu_s) / took,
        )


def _resize(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))


def _status(folder: Path) -> dict[str, str]:
    lines = (folder / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
