"""The rail beside the conversation on the widest screens: the person, colleagues, what waits, cost.

Which sections stand there, and in which order, is configured: `[inbox] rail`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import Draft, Reply, Source, Spend
from carerespond.domain.text import clean, one_line
from carerespond.services.inbox import CaseView, Session
from carerespond.ui.content import ago, clock
from carerespond.ui.headlines import WELL, money
from carerespond.ui.lines import Line, plain, wrapped

MOST = 6  # lines of one kind


@dataclass(frozen=True, slots=True)
class Beside:
    """What the rail tells; `view` is the case under the cursor."""

    view: CaseView | None
    here: Sequence[Session]
    waiting: Sequence[Reply]
    drafts: Sequence[Draft]
    sources: Sequence[Source]
    spend: Spend | None
    operator: str
    now: datetime


def rail_lines(beside: Beside, sections: Sequence[str], width: int) -> list[Line]:
    """The chosen sections, each under its heading."""
    lines: list[Line] = []
    for name in sections:
        heading, tell = _SECTIONS[name]
        lines.append(plain(f" {heading} ".ljust(width, "-")[:width], "bold"))
        told = tell(beside)
        for text in told or ["nothing"]:
            lines += wrapped(clean(text), width, "plain" if told else "dim", " ")
        lines.append(())
    return lines


def _person(beside: Beside) -> list[str]:
    view = beside.view
    if view is None:
        return []
    author = view.case.author
    told = [f"@{one_line(author.handle, 40)}  {one_line(author.name, 40)}"]
    told.append(f"seen before: {len(view.seen_before) or 'no'}")
    told += [
        f"{clock(row.posted_at, beside.now)} {row.state.value}: {one_line(row.snippet, 60)}"
        for row in view.seen_before[:MOST]
    ]
    return told


def _presence(beside: Beside) -> list[str]:
    told = []
    for one in beside.here[:MOST]:
        who = one_line(one.operator, 30) or "nobody"
        you = " (you)" if one.operator == beside.operator else ""
        told.append(f"{who}{you} since {clock(one.started_at, beside.now)}")
    return told


def _waiting(beside: Beside) -> list[str]:
    told = [
        f"{row.state.value.upper()} to @{one_line(row.handle, 30)}" for row in beside.waiting[:MOST]
    ]
    told += [
        f"draft ({one.kind.value}), {ago(one.saved_at, beside.now)}: {one_line(one.text, 40)}"
        for one in beside.drafts[:MOST]
    ]
    return told


def _sources(beside: Beside) -> list[str]:
    told = [
        f"{source.health.value}: {one_line(source.name, 30)}"
        for source in sorted(beside.sources, key=lambda one: one.health in WELL)[:MOST]
    ]
    if beside.spend is not None:
        told.append(f"today {money(beside.spend)}, this month ${beside.spend.month:.2f}")
    return told


_SECTIONS: dict[str, tuple[str, Callable[[Beside], list[str]]]] = {
    "person": ("PERSON", _person),
    "presence": ("WHO IS HERE", _presence),
    "waiting": ("WAITING ON US", _waiting),
    "sources": ("SOURCES AND COST", _sources),
}
