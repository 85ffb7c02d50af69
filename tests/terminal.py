"""A real terminal for tests: the program on a pty, its screen kept by pyte, its bytes kept whole.

The program leads a session of its own with the pty as its controlling terminal, so closing it
hangs the program up as a lost connection does. The terminal answers no questions, as many do not.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

SECONDS = 40.0  # how long to wait for anything; twenty times what is usual

ESC, ENTER, TAB = "\x1b", "\r", "\t"
F1, F3, F4, F5 = "\x1bOP", "\x1bOR", "\x1bOS", "\x1b[15~"
DOWN, UP, PAGE_DOWN, PAGE_UP = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~"

PRACTICE = (sys.executable, "-m", "carerespond", "practice")

# Takes the pty as controlling terminal (a fork with code of ours in between may not be made from
# a process with threads), then becomes the program.
_LAUNCH = (
    "import fcntl,os,sys,termios;"
    "fcntl.ioctl(0,termios.TIOCSCTTY,0);"
    "os.execvp(sys.argv[1],sys.argv[1:])"
)
# What pyte would take for something else: private questions, and keyboard protocols.
_NOT_FOR_PYTE = re.compile(rb"\x1b\[(?:\?[0-9;]*\$p|[<=>][0-9;]*[a-zA-Z])")
_UNFINISHED = re.compile(rb"\x1b(?:\[[<=>?0-9;$]*)?\Z")


def ctrl(letter: str) -> str:
    """The character that a terminal sends for Ctrl and a letter."""
    return chr(ord(letter) & 0x1F)


def practice_env(home: Path, **more: str) -> dict[str, str]:
    """The environment of the practice inbox in a folder; nothing of this process but its path."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONSAFEPATH": "1",  # so that PYTHONPATH comes before the working directory
        "HOME": str(home),
        "CARERESPOND_HOME": str(home / "carerespond"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "USER": "asha",
        **more,
    }


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Ask again and again until it is so.

    Raises:
        AssertionError: It is not so in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds:g} s: {what}"
        select.select([], [], [], 0.02)


class Terminal:
    """One program on one terminal.

    Args:
        command: The program and its arguments.
        env: Its whole environment.
        size: Columns and rows.
    """

    def __init__(
        self,
        command: Sequence[str] = PRACTICE,
        *,
        env: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
    ) -> None:
        self.raw = b""
        self._held = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        try:
            self._slave_name = os.ttyname(slave)
            self._set_size(size)
            self._program = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCH, *command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=dict(env),
                start_new_session=True,
            )
        finally:
            os.close(slave)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._program.pid

    # -- what it shows --------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The screen's rows, without trailing spaces."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    def pump(self, seconds: float = 0.0) -> bool:
        """Take in what the program writes within some time; False once it has hung up."""
        if self._master < 0:
            return False
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody holds the other side any more
            return False
        self.raw += data
        data = self._held + data
        cut = _UNFINISHED.search(data)
        end = cut.start() if cut else len(data)
        self._held = data[end:]
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data[:end]))
        return bool(data)

    def wait_for(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until a text is on the screen, within one row.

        Raises:
            AssertionError: It does not come in time; shows the screen.
        """
        self.wait(lambda: any(text in line for line in self._screen.display), repr(text), seconds)

    def wait_gone(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until a text is not on the screen any more."""
        gone = f"{text!r} to go"
        self.wait(lambda: all(text not in line for line in self._screen.display), gone, seconds)

    def wait(
        self, condition: Callable[[], bool], what: str = "it", seconds: float = SECONDS
    ) -> None:
        """Take in output until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            is_open = left > 0 and self.pump(min(left, 0.05))
            if not is_open and not condition():
                why = "it has ended" if left > 0 else f"{seconds:g} s"
                raise AssertionError(f"waited for {what}: {why}\n{self.text}")

    def left_on(self) -> set[str]:
        """What the program has switched and not put back; empty when the terminal is as before."""
        modes: dict[str, bool] = {}
        for numbers, switch in re.findall(rb"\x1b\[\?([0-9;]+)([hl])", self.raw):
            for number in numbers.decode().split(";"):
                modes[number] = switch == b"h"
        usual = {"7": True, "25": True}  # lines wrap, the cursor shows
        left = {f"mode {n}" for n, is_on in modes.items() if is_on != usual.get(n, False)}
        if len(re.findall(rb"\x1b\[>[0-9]+u", self.raw)) != self.raw.count(b"\x1b[<u"):
            left.add("keyboard protocol")
        local = termios.tcgetattr(self._master)[3]
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return left if local & wanted == wanted else {*left, "raw keys"}

    # -- what is done to it ---------------------------------------------------------------------

    def press(self, keys: str) -> None:
        """Send keys as they are, all at once."""
        os.write(self._master, keys.encode())

    def unread(self) -> int:
        """How many bytes of keys the program has not read yet."""
        slave = os.open(self._slave_name, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            select.select([slave], [], [], 0)  # what is on its way to the queue counts as well
            return int.from_bytes(fcntl.ioctl(slave, termios.FIONREAD, b"\0" * 4), sys.byteorder)
        finally:
            os.close(slave)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size and tell the program."""
        columns, rows = size
        self._screen.resize(rows, columns)
        self._set_size(size)

    def _set_size(self, size: tuple[int, int]) -> None:
        columns, rows = size
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self._program.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def exit_code(self, seconds: float = SECONDS) -> int:
        """Wait for the end; minus the signal's number when one has killed it."""
        end = time.monotonic() + seconds
        while self._program.poll() is None:
            assert time.monotonic() < end, f"still running after {seconds:g} s\n{self.text}"
            if not self.pump(0.02):
                select.select([], [], [], 0.02)
        while self.pump(0.0) and self._master >= 0 and self._readable():
            pass
        return self._program.returncode

    def _readable(self) -> bool:
        return bool(select.select([self._master], [], [], 0)[0])

    def close(self) -> None:
        """End whatever is left."""
        with contextlib.suppress(ProcessLookupError):
            if self._program.poll() is None:
                self._program.send_signal(signal.SIGKILL)
        self._program.wait(SECONDS)
        self.hang_up()


@contextmanager
def opened(
    command: Sequence[str] = PRACTICE,
    *,
    env: Mapping[str, str],
    size: tuple[int, int] = (80, 24),
) -> Iterator[Terminal]:
    """A program on a terminal, ended at the end."""
    terminal = Terminal(command, env=env, size=size)
    try:
        yield terminal
    finally:
        terminal.close()
