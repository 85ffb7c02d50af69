"""The thread that reads keys sleeps while there are none, and misses nothing for it."""

import os
import selectors
import signal
import threading
from collections.abc import Iterator

import pytest
from textual import events
from textual.app import App
from textual.message import Message

from carerespond.ui.quiet import TICK, QuietDriver

SECONDS = 30  # for what takes a moment


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Where a program reads, and where keys are pressed; Textual's drivers take two signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)
    for number, handler in before.items():
        signal.signal(number, handler)


class _Driver(QuietDriver):
    """Keeps what it hears and how long it waits.

    Attributes:
        rested: Told when it is about to wait without an end.
        hung_up: How often its terminal has gone.
    """

    def __init__(self, reads: int) -> None:
        super().__init__(App())
        self.fileno = reads
        self.waits: list[float | None] = []
        self.keys: list[str] = []
        self.rested = threading.Event()
        self.hung_up = 0

    def hang_up(self) -> None:
        """Count it."""
        self.hung_up += 1

    def process_message(self, message: Message) -> None:
        """Keep the key."""
        assert isinstance(message, events.Key)
        self.keys.append(message.key)

    def wait(self, selector: selectors.BaseSelector, seconds: float | None) -> set[int]:
        """Wait as the driver does."""
        self.waits.append(seconds)
        if seconds is None:
            self.rested.set()
        return super().wait(selector, seconds)


def _begun(driver: _Driver) -> threading.Thread:
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    return thread


async def test_without_keys_it_waits_without_waking_up(terminal: tuple[int, int]) -> None:
    driver = _Driver(terminal[0])
    thread = _begun(driver)
    assert driver.rested.wait(SECONDS)
    driver.exit_event.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert driver.waits == [TICK, None]


async def test_an_esc_alone_is_a_key_before_it_rests(terminal: tuple[int, int]) -> None:
    driver = _Driver(terminal[0])
    os.write(terminal[1], b"a\x1b")
    thread = _begun(driver)
    assert driver.rested.wait(SECONDS)
    assert driver.keys == ["a", "escape"]
    driver.rested.clear()
    os.write(terminal[1], b"b\x1b[A")
    assert driver.rested.wait(SECONDS), "a key wakes it, and it rests again"
    assert driver.keys == ["a", "escape", "b", "up"]
    driver.exit_event.set()
    thread.join(SECONDS)
    assert not thread.is_alive()


async def test_it_ends_with_its_terminal() -> None:
    reads, presses = os.pipe()
    driver = _Driver(reads)
    os.write(presses, b"a")
    os.close(presses)
    thread = _begun(driver)
    thread.join(SECONDS)
    os.close(reads)
    assert not thread.is_alive()
    assert driver.keys == ["a"]
    assert driver.hung_up == 1


async def test_it_begins_anew_after_the_terminal_was_lent(terminal: tuple[int, int]) -> None:
    driver = _Driver(terminal[0])
    for key in "xy":
        driver.rested.clear()
        thread = _begun(driver)
        assert driver.rested.wait(SECONDS)
        driver.rested.clear()
        os.write(terminal[1], key.encode())
        assert driver.rested.wait(SECONDS)
        driver.exit_event.set()
        driver.exit_event.set()  # twice is once
        thread.join(SECONDS)
        assert not thread.is_alive()
        driver.exit_event.clear()
    assert driver.keys == ["x", "y"]
