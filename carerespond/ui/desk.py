"""What the screens are given to work with: the inbox at once, the rest after the first rows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

# Names for annotations alone: what they bring in would come before the first rows.
if TYPE_CHECKING:
    from textual.theme import Theme

    from carerespond.config import Config
    from carerespond.domain.models import Gap, Source, Spend
    from carerespond.domain.rulebook import Rules
    from carerespond.services.composer import Composer
    from carerespond.services.finder import Finder
    from carerespond.services.inbox import Inbox
    from carerespond.services.resorting import Resorting
    from carerespond.services.teaching import Teaching


@dataclass(slots=True)
class SignedOn:
    """Who is at the keys; anybody may change it, and each act names who did it."""

    name: str = ""

    def __call__(self) -> str:
        """The name."""
        return self.name


class Listening(Protocol):
    """How listening goes, and what it costs."""

    async def sources(self) -> "Sequence[Source]":
        """Every source with its health."""
        ...

    async def gaps(self) -> "Sequence[Gap]":
        """Stretches of time that nobody looked at."""
        ...

    async def put_away(self, gaps: "Sequence[Gap]") -> None:
        """Somebody has looked by hand at these stretches of time."""
        ...

    async def spend(self) -> "Spend":
        """What was spent, against the budget."""
        ...

    def problem(self) -> str:
        """What keeps this program from listening at all; "" when nothing does."""
        ...

    def price_of_check(self) -> float:
        """What asking every source now would cost at least, in USD."""
        ...

    async def check_now(self) -> None:
        """Ask every source now."""
        ...


@dataclass(slots=True)
class Working:
    """What runs beside the screens, once there are rows on them.

    Attributes:
        aclose: Ends it; what was queued is kept as drafts.
    """

    composer: "Composer"
    finder: "Finder"
    listening: Listening
    resorting: "Resorting"
    teaching: "Teaching"
    aclose: Callable[[], Awaitable[None]]


Failed = Callable[[BaseException], None]


@dataclass(slots=True)
class Desk:
    """One terminal.

    Attributes:
        start: Brings up what runs beside the screens; told whom to tell when a part of it fails.
        theme: Colours, chosen before the application is made.
        config_file: Where the configuration is, for errors about its keys.
        report: Writes a report of a fault in the program; says where it is.
        title: What the first line says, besides the organisation.
        rules: Loads the rules of triage, to say by which cut a case stands where it does. Slow the
            first time; None leaves the cuts out.
    """

    config: "Config"
    inbox: "Inbox"
    operator: SignedOn
    now: Callable[[], datetime]
    start: Callable[[Failed], Awaitable[Working]]
    report: Callable[[BaseException], str]
    theme: "Theme"
    config_file: Path | None = None
    title: str = "carerespond"
    look_only: bool = False
    rules: "Callable[[], Rules] | None" = None
    notices: list[str] = field(default_factory=list)
