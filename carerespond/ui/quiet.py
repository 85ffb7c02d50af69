"""The terminal's keys, waited for without waking up: Textual's own thread looks ten times a second.

Only for a while after a key it looks as often as Textual: an Esc that nothing follows is known by
the time that has passed since.
"""

import os
import selectors
import signal
import threading
import time
from codecs import getincrementaldecoder
from typing import Any

from textual import constants
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

TICK = 0.1  # seconds, as Textual
_MOST = 4096  # bytes at once, as Textual


class _Bell(threading.Event):
    """An event that a selector hears of; its pipe lasts as long as the program.

    Attributes:
        heard_at: The descriptor that can be read while it is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard_at, self._rung_at = os.pipe()

    def set(self) -> None:
        """Set it, and wake whoever waits for the terminal."""
        if not self.is_set():
            super().set()
            os.write(self._rung_at, b"!")

    def clear(self) -> None:
        """Take it back."""
        if self.is_set():
            os.read(self.heard_at, 1)
            super().clear()


class QuietDriver(LinuxDriver):
    """Textual's driver; its input thread sleeps until there is input, or it has to end."""

    def __init__(self, *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self.exit_event = self._bell = _Bell()
        self._is_wanted = self._is_starting = False

    def start_application_mode(self) -> None:
        """Take the terminal; again after SIGCONT, which a hang-up sends too, with a thread at work.

        The signal may come while this very function runs: then it begins once more when it is
        through, because two at a time would start two threads.
        """
        self._is_wanted = True
        if self._is_starting:
            return
        self._is_starting = True
        try:
            while self._is_wanted:
                self._is_wanted = False
                self._start()
        finally:
            self._is_starting = False

    def _start(self) -> None:
        """Take the terminal with one thread that reads it.

        Two would take each other's keys, and the end waits for one of them alone.
        """
        if self._key_thread is not None and self._key_thread.is_alive():
            self._bell.set()
            self._key_thread.join()
            self._bell.clear()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's

    def run_input_thread(self) -> None:
        """Read what is pressed and hand it on, until the program leaves the terminal."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        rests_at, is_at_rest = 0.0, False
        with selectors.SelectSelector() as selector:  # others know no terminals on macOS
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._bell.heard_at, selectors.EVENT_READ)
            while not self._bell.is_set():
                ready = self.wait(selector, None if is_at_rest else TICK)
                if self.fileno in ready:
                    if not (read := os.read(self.fileno, _MOST)):
                        self.hang_up()
                        return
                    if data := decode(read):
                        for event in parser.feed(data):
                            self.process_message(event)
                    rests_at = time.monotonic() + constants.ESCAPE_DELAY + TICK
                is_at_rest = time.monotonic() > rests_at
                for event in parser.tick():  # at that moment nothing is waited for any more
                    self.process_message(event)

    def hang_up(self) -> None:
        """The terminal is gone: end as at a hang-up, which whoever took it may not have told us."""
        os.kill(os.getpid(), signal.SIGHUP)

    def wait(self, selector: selectors.BaseSelector, seconds: float | None) -> set[int]:
        """Wait for input or the end, at most so many seconds; the descriptors that are ready."""
        return {key.fd for key, _ in selector.select(seconds)}
