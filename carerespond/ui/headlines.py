"""The fixed rows of the screen: what the first two and the last three lines say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import (
    CaseState,
    Health,
    Priority,
    Reply,
    SendState,
    Source,
    Spend,
)
from carerespond.domain.text import one_line
from carerespond.services.inbox import Counts
from carerespond.services.status import unheard_since
from carerespond.ui.content import cells, clock, fit
from carerespond.ui.lines import Line, plain, wrap

WELL = (Health.OK, Health.NEW)
# What a person must mend stands first, what passes by itself last.
WORST_FIRST = (
    Health.REFUSED,
    Health.CREDIT,
    Health.BUDGET,
    Health.DOWN,
    Health.ODD,
    Health.GAP,
    Health.SILENT,
    Health.LIMITED,
)
GAP = "   "
ROOMY = 100  # columns from which the first line has room for whole words


@dataclass(frozen=True, slots=True)
class Heading:
    """What the first line tells."""

    title: str
    organisation: str
    operator: str
    here: int
    late: int
    spend: Spend | None
    sources: Sequence[Source]
    problem: str
    look_only: bool
    needs: int = 0


def first_line(heading: Heading, width: int, now: datetime) -> Line:
    """Who we are, who is here, what is late, spent and wrong.

    What this is and who is at its keys stays on the narrowest screen; the rest gives way to what
    is wrong.
    """
    who = one_line(heading.operator, 40) or "nobody (@ signs on)"
    spend = heading.spend
    parts: dict[str, tuple[str, str]] = {
        "title": (heading.title, "bold"),
        "organisation": (one_line(heading.organisation, 40), "plain"),
        "who": (f"duty: {who}" if not heading.look_only else "LOOK ONLY", "plain"),
        "here": (f"{heading.here} here" if heading.here > 1 else "", "plain"),
        "needs": (f"{heading.needs} need you (O)" if heading.needs else "", "warn"),
        "late": (f"late {heading.late}", "warn" if heading.late else "plain"),
        "spend": (money(spend), "plain" if spend.state == "ok" else "warn") if spend else _NONE,
    }
    health, is_well = sources_line(heading.sources, heading.problem, now)
    if health and is_well and width >= ROOMY:
        health = f"sources {health}"
    wanted = min(cells(health), LEAST_PROBLEM)
    leaves = iter(("organisation", "here", "spend", "late"))
    while (room := _room(parts, width)) < wanted and (name := next(leaves, "")):
        parts.pop(name)
    tail = (fit(health, room), "good" if is_well else "warn")
    shown = [part for part in [*parts.values(), tail] if part[0]]
    return tuple(piece for part in shown for piece in (part, (GAP, "plain")))


def _room(parts: Mapping[str, tuple[str, str]], width: int) -> int:
    return width - sum(cells(text) + len(GAP) for text, _ in parts.values() if text)


LEAST_PROBLEM = 44  # columns of what is wrong that push other words out
_NONE = ("", "plain")


def money(spend: Spend) -> str:
    """What was spent today against its budget: "$0.42/2.00"."""
    budget = f"/{spend.daily_budget:.2f}" if spend.daily_budget else ""
    state = {"soft": " nearly spent", "hard": " SPENT"}.get(spend.state, "")
    return f"${spend.today:.2f}{budget}{state}"


def sources_line(sources: Sequence[Source], problem: str, now: datetime) -> tuple[str, bool]:
    """How listening goes, in a few words, and whether all is well."""
    if problem:
        return one_line(problem, 60), False
    unheard = {
        source.source_id: left_at
        for source in sources
        if (left_at := unheard_since(source, now)) is not None
    }
    ill = sorted(
        (one for one in sources if one.source_id in unheard or one.health not in WELL),
        # Of one that nobody listens to, the health that is known is an old one.
        key=lambda one: -1 if one.source_id in unheard else WORST_FIRST.index(one.health),
    )
    if not ill:
        return ("OK" if sources else ""), True
    if len(unheard) == len(sources):
        return f"not listened to since {clock(min(unheard.values()), now)}", False
    first = ill[0]
    since_at = unheard.get(first.source_id, first.since_at)
    since = f" since {clock(since_at, now)}" if since_at else ""
    how = "not listened to" if first.source_id in unheard else first.health.value
    more = f" (+{len(ill) - 1})" if len(ill) > 1 else ""
    return f"{one_line(first.name, 24)}: {how}{since}{more}", False


def lanes_line(
    counts: Counts, chosen: Priority | None, marked: int, width: int, note: str = ""
) -> Line:
    """The panes with their counts; the chosen one stands in > <. Names give way to the note."""
    tail = f"{marked} marked" if marked else note
    wanted = min(cells(tail), LEAST_NOTE) + 1 if tail else 0
    numbers = {pane: counts.get((CaseState.OPEN.value, int(pane)), 0) for pane in Priority}
    pieces = _lanes(numbers, chosen, _SHAPES[0])
    for shape in _SHAPES[1:]:
        if _width(pieces) + wanted <= width:
            break
        pieces = _lanes(numbers, chosen, shape)
    if tail:
        room = width - _width(pieces)
        words = fit(tail, room - 1)
        pieces.append((f"{' ' * (room - cells(words))}{words}", "bold" if marked else "dim"))
    return tuple(pieces)


# How a pane and "all" are written, the longest first; in the last the gap is left out too.
_SHAPES = (
    ("{key} {name} {number}", " "),
    ("{key} {letter} {number}", " "),
    ("{key}{letter}{number}", ""),
)
LEAST_NOTE = 24  # columns of what a list is narrowed to that are shown before names are cut short


def _lanes(
    numbers: Mapping[Priority, int], chosen: Priority | None, shape: tuple[str, str]
) -> list[tuple[str, str]]:
    words, gap = shape
    made = []
    for pane, number in numbers.items():
        text = words.format(key=int(pane) + 1, name=pane.name, letter=pane.letter, number=number)
        made.append(_lane(text, gap, is_chosen=pane is chosen))
    every = words.format(key=0, name="all", letter="all", number=sum(numbers.values()))
    return [*made, _lane(every, gap, is_chosen=chosen is None)]


def _lane(text: str, gap: str, *, is_chosen: bool) -> tuple[str, str]:
    return (f">{text}<{gap}", "bold") if is_chosen else (f"[{text}]{gap}", "plain")


def _width(pieces: Sequence[tuple[str, str]]) -> int:
    return sum(cells(text) for text, _ in pieces)


def columns_line(width: int) -> str:
    """The names of the list's columns, where there is no heading over each pane."""
    who = max(8, min(18, (width - 9) // 4))
    return f"  Ln  Left N  {'Who'.ljust(who)} {'What'.ljust(max(4, width - 9 - who - 13))}  Owner"[
        :width
    ]


def sending_line(waiting: Sequence[Reply], left: float | None, undo: str) -> str:
    """What is about to leave, the seconds left for it, and the key that takes it back."""
    if not waiting:
        return ""
    row = waiting[-1]
    seconds = round(left or 0)
    more = f" (+{len(waiting) - 1})" if len(waiting) > 1 else ""
    whom = one_line(row.handle, 30)
    if row.problem:
        why = one_line(row.problem, 200)
        return f"waiting to send to @{whom}{more} - {undo} takes it back. {why}"
    return f"sending to @{whom} in {seconds}s{more} - {undo} takes it back"


def ended_line(row: Reply) -> str:
    """How an answer has ended: that it is out, or why not and where its text is."""
    whom = one_line(row.handle, 30)
    if row.state is SendState.SENT:
        return f"sent: the answer to @{whom} is public"
    return f"{row.state.value.upper()}: the answer to @{whom}. {row.problem or ''}".strip()


def notices(sending: str, said: str, width: int) -> tuple[str, str]:
    """What is sent and what was said, on the row of both, or on two when one is too narrow.

    Returns:
        The row above, "" when it is not needed, and the row itself.
    """
    both = "   ".join(part for part in (sending, said) if part)
    if cells(both) <= width:
        return "", both
    if sending:
        return fit(said, width), fit(sending, width)
    first, *rest = wrap(said, width)
    return first, fit(" ".join(rest), width)


def notice(text: str) -> Line:
    """One line to the person."""
    return plain(text, "bold")
