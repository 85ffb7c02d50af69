"""Keys in turn: one that may close a screen has acted before the next one is given to anybody.

Textual gives a key to what has the focus when it is read, and finds out only later, when the key
has come up through every parent, that it closes the screen: a key that was typed right behind it
is by then in the queue of a screen that is gone.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine

from textual import events
from textual.app import App, ScreenStackError
from textual.dom import DOMNode

Key = events.Key | events.Paste

LONGEST = 1.0  # seconds that a key waits for the one before
_ROUNDS = 2  # a key becomes a message of the field that has it, and that comes up as the key did
_LOOK_SECONDS = 0.005


class ReadFirst:
    """Of a screen that lets an answer go, or a danger: a key from before it was up does not count.

    Attributes:
        is_read_first: Whether this one is such a screen.
        up_since: When it came up, by the clock that stamps keys.
    """

    is_read_first = True
    up_since = math.inf

    def on_mount(self) -> None:
        """From here on keys may be answers to it."""
        self.up_since = time.monotonic()


class InTurn:
    """Passes keys on, one behind the other while a screen is open above the inbox.

    Args:
        app: The application.
        pass_on: Gives a key to what has the focus.
        beside: Runs something beside the application's queue.
        is_busy: Whether a command of the inbox has still to ask something, or to end.
        say: Tells the person something.
    """

    def __init__(
        self,
        app: App[int],
        pass_on: Callable[[Key], Awaitable[None]],
        beside: Callable[[Callable[[], Coroutine[None, None, None]], str], None],
        is_busy: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._app = app
        self._pass_on = pass_on
        self._beside = beside
        self._is_busy = is_busy
        self._say = say
        self._waiting: deque[Key] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    async def take(self, event: Key) -> None:
        """Pass a key on, at once or when those before it have acted."""
        self._waiting.append(event)
        if self._idle.is_set():
            await self._go_on()

    async def done(self) -> None:
        """Wait until no key waits any more; not for ever: an end may have taken them along."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3 * LONGEST):
                await self._idle.wait()

    async def _go_on(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            if self._is_too_early(event):
                self._say("typed before this was shown: that key was not used")
                continue
            may_close = self._may_close(event)
            await self._pass_on(event)
            if may_close:
                self._idle.clear()
                self._beside(self._follow, "in turn")
                return
        self._idle.set()

    def _is_too_early(self, event: Key) -> bool:
        """Whether nobody can have meant it for what would take it."""
        screen = self._app.screen
        if not isinstance(screen, ReadFirst):
            return False
        return screen.is_read_first and event.time < screen.up_since

    @property
    def _is_above(self) -> bool:
        """Whether a screen is open above the inbox."""
        return len(self._app.screen_stack) > 1

    def _may_close(self, event: Key) -> bool:
        """Whether it may close a screen; a letter in a field, and a key of the list, do not."""
        if not isinstance(event, events.Key) or not self._is_above:
            return False
        from textual.widgets import Input, TextArea  # not before the first rows

        return not (event.is_printable and isinstance(self._app.focused, Input | TextArea))

    async def _follow(self) -> None:
        """Wait until the key has acted, then go on in the application's queue."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST):
                    for _ in range(_ROUNDS):
                        await self._once_up()
                    while self._is_busy() and not self._is_above:  # noqa: ASYNC110  # no event
                        await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if not self._app.call_later(self._go_on):
                self._idle.set()  # it is ending: nobody takes keys any more

    async def _once_up(self) -> None:
        """Wait for the way of a key: through the queue of what has the focus and of its parents."""
        up = asyncio.Event()
        with contextlib.suppress(ScreenStackError):
            self._hop(self._app.focused or self._app.screen, up)
            await up.wait()

    def _hop(self, node: DOMNode | None, up: asyncio.Event) -> None:
        # What is closing takes no more calls: its parent's queue comes next all the same.
        while node is not None and not node.call_later(self._hop, node.parent, up):
            node = node.parent
        if node is None:
            up.set()
