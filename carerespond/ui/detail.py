"""A case in words: the conversation, why it stands where it does, ways of answering, notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from carerespond.domain.models import (
    Case,
    CaseState,
    Post,
    Priority,
    Reason,
    Reply,
    RouteKind,
    SendState,
)
from carerespond.domain.text import clean, one_line
from carerespond.services.inbox import CaseView
from carerespond.ui.content import ago, cells, clock, fit
from carerespond.ui.lines import Line, plain, wrap, wrapped
from carerespond.ui.safety import card_lines

REASONS_SHOWN, PINS_SHOWN = 4, 1
_NOTE = 400


@dataclass(frozen=True, slots=True)
class Frame:
    """How and when it is shown; `searches` and `services` are names by id."""

    width: int
    now: datetime
    is_wide: bool
    searches: Mapping[str, str]
    services: Mapping[str, str]


def head_lines(view: CaseView, frame: Frame) -> list[Line]:
    """What stands above a case however far it is scrolled: who, and what to do about a danger."""
    card = card_lines(view.safety, frame.width, "w: all", is_whole=frame.is_wide)
    return [_title(view, frame), *card]


def case_lines(view: CaseView, frame: Frame) -> list[Line]:
    """Everything about a case below its head, the most needed first.

    Stacked, the newest words stand on top and the rest of the conversation at the end; on a wide
    screen the conversation is told from its beginning.
    """
    lines = _conversation(view, frame, view.thread) if frame.is_wide else _words(view.case, frame)
    lines += [*_why(view.case, frame), *_routes(view, frame), *_sends(view, frame)]
    lines += [*_notes(view, frame), *_facts(view, frame)]
    if not frame.is_wide and len(view.thread) > 1:
        lines += [plain(_rule("conversation", frame.width), "dim")]
        lines += _conversation(view, frame, view.thread)
    return lines


def _rule(text: str, width: int) -> str:
    return f"-- {text} ".ljust(width, "-")[:width]


def _title(view: CaseView, frame: Frame) -> Line:
    case = view.case
    parts = [
        f"@{one_line(case.author.handle, 40)}",
        *(["wrote again"] if case.wrote_again else []),
        one_line(case.network.upper(), 20),
        clock(case.head.created_at, frame.now),
        f"names us: {'yes' if case.head.mentions_us else 'no'}",
    ]
    if view.seen_before:
        parts.append(f"seen before: {len(view.seen_before)}")
    if case.author.followers is not None:
        parts.append(f"followers {case.author.followers}")
    text = " - ".join(parts)
    while cells(text) > frame.width - 4 and len(parts) > 1:
        parts.pop()
        text = " - ".join(parts)
    return plain(f"-- {text} ".ljust(frame.width, "-"), "bold")


def _words(case: Case, frame: Frame) -> list[Line]:
    if case.deleted_at is not None:
        return [plain(f" The post was deleted ({ago(case.deleted_at, frame.now)}).", "warn")]
    return wrapped(clean(case.head.text), frame.width, "plain", " ")


def _conversation(view: CaseView, frame: Frame, thread: Sequence[Post]) -> list[Line]:
    if not thread:
        return [plain(" The posts of this conversation were deleted.", "warn")]
    lines: list[Line] = []
    for post in thread:
        who = f"{clock(post.created_at, frame.now)} @{one_line(post.author.handle, 40)}"
        if post.is_ours:
            who += " (us)"
        if post.is_edited:
            who += " (edited)"
        is_head = post.post_id == view.case.head.post_id
        lines.append(plain(who, "good" if post.is_ours else "bold" if is_head else "dim"))
        lines += wrapped(clean(post.text), frame.width, "plain", "  ")
    return lines


def _why(case: Case, frame: Frame) -> list[Line]:
    placed = case.assessment
    head = f"WHY {placed.priority.name} {placed.score:.0f}"
    if placed.is_pinned:
        held = "held here: " if placed.priority is Priority.URGENT else ""
        head += f" ({held}possible danger)"
    if case.priority_set_by:
        head += f" - moved here by {case.priority_set_by}"
    # A safety card has taken rows from a small screen: what is known of a danger is enough there.
    most = REASONS_SHOWN if frame.is_wide or not placed.is_pinned else PINS_SHOWN
    reasons = [short_reason(reason) for reason in placed.reasons[:most]]
    text = " | ".join(reasons) if reasons else "no rule fired"
    more = len(placed.reasons) - most
    tail = f" | {more} more" if more > 0 else ""
    lines = wrap(f"{head}: {text}{tail}  (w for all)", frame.width - 1)
    return [
        plain(f" {line}", "bold" if index == 0 else "plain") for index, line in enumerate(lines)
    ]


def short_reason(reason: Reason) -> str:
    """A reason in a few words: "long wait +12 ('4 hrs')"."""
    words = ", ".join(f"'{one_line(word, 24)}'" for word in reason.words[:2])
    return f"{reason.text} {reason.points:+.0f}{f' ({words})' if words else ''}"


_STANDING = {True: "open", False: "shut", None: "not known before it is tried"}


def _routes(view: CaseView, frame: Frame) -> list[Line]:
    names = {
        RouteKind.API: "public reply",
        RouteKind.BROWSER: "hand-off to the browser",
        RouteKind.DM: "direct message",
        RouteKind.NONE: "none, nobody can answer in public",
    }
    lines: list[Line] = []
    for route in view.routes:
        has_price = route.price_usd is not None and route.is_open is not False
        price = f" (${route.price_usd:.3f})" if has_price else ""
        standing = f", {_STANDING[route.is_open]}" if route.kind is not RouteKind.NONE else ""
        text = f"ROUTE {names[route.kind]}{standing}: {clean(route.reason)}{price}"
        style = "good" if route.is_open else "plain"
        lines += wrapped(text, frame.width, style, " ")
    return lines


def state_words(row: Reply) -> str:
    """How an answer stands: one that was not sent and then put to rest was never taken back."""
    if row.state is SendState.TAKEN_BACK and not (row.problem or "").startswith("Taken back"):
        return "PUT ASIDE"
    return row.state.value.upper()


def _sends(view: CaseView, frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for row in view.sends:
        state = state_words(row) if row.state is not SendState.SENT else "answered"
        at = clock(row.finished_at or row.queued_at, frame.now)
        text = f"SEND {state} {at} by {row.operator}: {one_line(row.text, 120)}"
        if row.problem and row.state not in (SendState.SENT, SendState.TAKEN_BACK):
            text += f" - {clean(row.problem)}"
        bad = row.state in (SendState.UNKNOWN, SendState.REFUSED, SendState.NOT_SENT)
        lines += wrapped(text, frame.width, "warn" if bad else "plain", " ")
    for draft in view.drafts:
        at = clock(draft.saved_at, frame.now)
        text = f"DRAFT ({draft.kind.value}) {draft.operator} {at}: {one_line(draft.text, 120)}"
        lines += wrapped(text, frame.width, "plain", " ")
    return lines


def _notes(view: CaseView, frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for note in view.notes:
        text = f"NOTE {note.operator} {clock(note.written_at, frame.now)}: "
        lines += wrapped(text + clean(note.text, characters=_NOTE), frame.width, "plain", " ")
    return lines


def _facts(view: CaseView, frame: Frame) -> list[Line]:
    case = view.case
    facts: list[str] = []
    if case.state is not CaseState.OPEN:
        outcome = f" ({case.outcome.value})" if case.outcome else ""
        until = f" until {clock(case.snoozed_until, frame.now)}" if case.snoozed_until else ""
        facts.append(f"STATE {case.state.value}{outcome}{until}")
    if case.labels:
        facts.append("LABELS " + ", ".join(one_line(label, 40) for label in case.labels))
    if case.service:
        facts.append("SERVICE " + frame.services.get(case.service, case.service))
    if case.searches:
        names = [frame.searches.get(one, one) for one in case.searches]
        facts.append("FOUND BY " + ", ".join(one_line(name, 40) for name in names))
    lines = [line for fact in facts for line in wrapped(clean(fact), frame.width, "dim", " ")]
    for row in view.seen_before[:3]:
        text = f"BEFORE {clock(row.posted_at, frame.now)} {row.state.value}: {row.snippet}"
        lines.append(plain(f" {fit(text, frame.width - 1)}", "dim"))
    return lines
