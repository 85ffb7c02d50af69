"""A terminal that does not believe its program: runs it on a pty and reads all that it writes.

Independent of what tests of the screens use, so that a fault of theirs is not one of this too.
"""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

# ECMA-48: what a terminal takes for a control, longest first; strings end in ST or BEL, or are
# broken off by the next escape.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)(?P<csi>[0-?]*[ -/]*[@-~]?)"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])(?P<string>[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?)"
    r"|\x1b(?P<escape>[ -/]*[0-~]?)"
    r"|[\x00-\x1f\x7f-\x9f]"
    # No controls of ECMA-48, but of what a person reads: directions, hidden tags, bytes that are
    # no UTF-8 (decoding makes surrogates of them).
    r"|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]"
    r"|[\ud800-\udfff]",
    re.DOTALL,
)
_FLAG = re.compile("\U0001f3f4(?:\U000e0067\U000e0062[\U000e0061-\U000e007a]{3}\U000e007f)")
_MOVE = re.compile(r"\x1b\[\d{1,3};\d{1,3}H")
_COPIED = re.compile(r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07")
_PATIENCE = 8.0
_ENV_DROPPED = ("TMUX", "CARERESPOND", "TEXTUAL", "COLUMNS", "LINES", "SSH_")


def controls(output: bytes) -> list[str]:
    """Every control that a terminal would find in the output, whole."""
    text = _FLAG.sub("", output.decode("utf-8", "surrogateescape"))
    return [found[0] for found in _CONTROL.finditer(text)]


def words(output: bytes) -> str:
    """The output without its controls."""
    return _CONTROL.sub("", output.decode("utf-8", "surrogateescape"))


def shapes(output: bytes) -> set[str]:
    """The different controls; where a cursor goes and what is copied makes no difference."""
    return {_shape(one) for one in controls(output)}


def foreign(output: bytes, known: Iterable[str]) -> list[str]:
    """The controls that a harmless run has not shown, in order."""
    known = set(known)
    return [one for one in controls(output) if _shape(one) not in known]


def _shape(control: str) -> str:
    if _MOVE.fullmatch(control):
        return "\x1b[1;1H"
    if _COPIED.fullmatch(control):
        return "\x1b]52;c;=\x07"
    return control


def environment(home: str, **more: str) -> dict[str, str]:
    """An environment that no surrounding session leaks into."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_ENV_DROPPED)}
    return {
        **kept,
        "CARERESPOND_HOME": home,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "USER": "asha",
        "PYTHONSAFEPATH": "1",  # not the package that lies where the tests are run
        **more,
    }


class NeverShownError(AssertionError):
    """The program did not write what was waited for."""


@dataclass
class Terminal:
    """A program on a pty of its own.

    Attributes:
        deadline: Seconds after which waiting gives up.
        output: All that it has written.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    columns: int = 200
    rows: int = 60
    deadline: float = 60.0
    output: bytearray = field(default_factory=bytearray)
    _mark: int = 0

    def __enter__(self) -> "Terminal":
        leader, follower = os.openpty()
        size = struct.pack("HHHH", self.rows, self.columns, 0, 0)
        fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
        self._leader = leader
        self.process = subprocess.Popen(
            self.command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=dict(self.env),
            start_new_session=True,
        )
        os.close(follower)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(self.deadline)
        os.close(self._leader)

    def read(self, seconds: float) -> bool:
        """Take in what is there, waiting at most so long for the first of it; False at the end."""
        ready, _, _ = select.select([self._leader], [], [], seconds)
        if not ready:
            return True
        try:
            part = os.read(self._leader, 1 << 16)
        except OSError:  # EIO: the program has closed its side
            return False
        self.output += part
        return bool(part)

    def press(self, keys: str, wanted: str = "") -> str:
        """Press keys, wait until the wanted words have been written since; all words since.

        A key that comes while a screen is being left belongs to that screen: so one that has
        shown nothing for long is pressed again, as a person would.
        """
        self._mark = len(self.output)
        for _ in range(3):
            os.write(self._leader, keys.encode())
            with suppress(NeverShownError):
                return self.wait(wanted, _PATIENCE)
        return self.wait(wanted)

    def stir(self, keys: str, quiet: float = 0.15) -> None:
        """Press keys that change the screen; wait until it has changed and come to rest."""
        self._mark = len(self.output)
        os.write(self._leader, keys.encode())
        end = time.monotonic() + _PATIENCE
        while len(self.output) == self._mark and time.monotonic() < end and self.read(0.2):
            pass
        self.settle(quiet)

    def wait(self, wanted: str, seconds: float = 0.0) -> str:
        """Wait until the words have been written since the last press.

        Raises:
            NeverShownError: They were not, in time.
        """
        end = time.monotonic() + (seconds or self.deadline)
        while wanted not in (seen := words(bytes(self.output[self._mark :]))):
            if time.monotonic() > end or not self.read(0.2):
                raise NeverShownError(f"never shown: {wanted!r}; shown since: {seen[-2000:]!r}")
        return seen

    def settle(self, quiet: float = 0.3) -> None:
        """Read until nothing has been written for a while."""
        end = time.monotonic() + self.deadline
        while time.monotonic() < end:
            before = len(self.output)
            if not self.read(quiet) or len(self.output) == before:
                return

    def ends(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + self.deadline
        while self.read(0.2) and time.monotonic() < end:
            if self.process.poll() is not None and not self._is_readable():
                break
        return self.process.wait(self.deadline)

    def _is_readable(self) -> bool:
        return bool(select.select([self._leader], [], [], 0)[0])
