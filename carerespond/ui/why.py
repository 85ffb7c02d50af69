"""Why a case stands where it does: its words with a number for each rule, the rules, the sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from carerespond.domain.models import Post, Priority, Reason
from carerespond.domain.rulebook import Rules
from carerespond.domain.text import clean, one_line
from carerespond.domain.triage import explain
from carerespond.services.inbox import Act, CaseView
from carerespond.ui.content import clock, content, footnoted, places
from carerespond.ui.lines import wrap
from carerespond.ui.safety import whole_cards

_BLANK = Content("")
_WIDTH = 74  # columns that a page has on a screen of 80
_INDENT = 13  # columns of number and points
_FLAGS = (
    "Triage hides nothing. It flags some posts, not all: an unflagged post still needs a person."
)


@dataclass(frozen=True, slots=True)
class _Note:
    """A reason with the number that stands behind its words."""

    number: int
    reason: Reason

    @property
    def is_context(self) -> bool:
        return self.reason.rule.startswith("context.")


def why_content(
    view: CaseView, acts: Sequence[Act], now: datetime, rules: Rules | None = None
) -> Content:
    """The page of a case: what holds it, its words, what each rule added, what was done to it.

    Args:
        view: The case.
        acts: What was done to it, newest first.
        now: The present moment.
        rules: The rules of today, for the cuts; None leaves the cuts out.
    """
    notes = [_Note(*one) for one in enumerate(_in_order(view), 1)]
    lines = [*_standing(view, notes), _BLANK, *_posts(view, notes, now)]
    lines += [*_counted(notes), *_sum(view, rules), _BLANK]
    lines += [content(row) for row in wrap(_FLAGS, _WIDTH)]
    if acts:
        lines += [_BLANK, Content("WHAT WAS DONE TO IT").stylize("bold")]
        lines += [_act(act, now) for act in acts]
    return Content("\n").join(lines)


def _in_order(view: CaseView) -> list[Reason]:
    """Rules on the words first, then what is known beside them; each as strong ones stand."""
    reasons = view.case.assessment.reasons
    return sorted(reasons, key=lambda one: one.rule.startswith("context."))


def _standing(view: CaseView, notes: Sequence[_Note]) -> list[Content]:
    """Where it stands; a risk that holds it is said first."""
    case, placed = view.case, view.case.assessment
    lines = []
    pins = [note for note in notes if note.reason in placed.pins]
    if placed.is_pinned:
        risks = "; ".join(f"{note.reason.text} [{note.number}]" for note in pins)
        is_held = placed.priority is Priority.URGENT
        where = "held here whatever the score" if is_held else f"moved to {placed.priority.name}"
        held = f"POSSIBLE DANGER, {where}{': ' if risks else ''}{risks}"
        lines += [content(row, "bold") for row in wrap(held, _WIDTH)]
        lines += [*whole_cards(view.safety, _WIDTH), _BLANK]
    head = f"{placed.priority.name}, score {placed.score:.1f}, {placed.label}"
    lines.append(content(head, "bold"))
    if case.priority_set_by:
        lines.append(content(f"{clean(case.priority_set_by)} has put it into this pane."))
    for note in notes:
        if note.reason.rule == "context.unknown_language":
            said = f"LANGUAGE  {note.reason.text}. No rule has read its words: read all of it."
            lines += [content(row, "bold") for row in wrap(said, _WIDTH)]
    return lines


def _posts(view: CaseView, notes: Sequence[_Note], now: datetime) -> list[Content]:
    """The newest post, and an earlier one of theirs from which further words are."""
    head = view.case.head
    theirs = [
        post
        for post in reversed(view.thread)
        if post.author.author_id == head.author.author_id and post.post_id != head.post_id
    ]
    lines: list[Content] = []
    left = [note for note in notes if note.reason.words]
    for post in (head, *theirs):
        here = [note for note in left if places(clean(post.text), note.reason.words)]
        left = [note for note in left if note not in here]
        if here or post is head:
            lines += [*_post(post, here, now), _BLANK]
    return lines


def _post(post: Post, notes: Sequence[_Note], now: datetime) -> list[Content]:
    who = f"{clock(post.created_at, now)} @{one_line(post.author.handle, 40)}"
    by_number: Mapping[int, Sequence[str]] = {note.number: note.reason.words for note in notes}
    return [content(who, "bold"), footnoted(post.text, by_number)]


def _counted(notes: Sequence[_Note]) -> list[Content]:
    if not notes:
        return [Content("No rule fired.")]
    lines: list[Content] = []
    for heading, is_context in (("RULES ON ITS WORDS", False), ("BESIDE ITS WORDS", True)):
        found = [note for note in notes if note.is_context is is_context]
        if found:
            lines.append(content(heading, "bold"))
            lines += [line for note in found for line in _reason(note)]
    return lines


def _reason(note: _Note) -> list[Content]:
    """Number, points, reason and rule; the words below."""
    reason = note.reason
    pin = ", pinned" if reason.is_pin else ""
    text = f"{clean(reason.text)}  ({one_line(reason.rule, 60)}{pin})"
    words = ", ".join(repr(str(one_line(word, 60))) for word in reason.words)
    rows = [row for part in (text, words) if part for row in wrap(part, _WIDTH - _INDENT)]
    first = f"{f'[{note.number}]':>5} {reason.points:+6.1f} "
    return [
        content(f"{first if index == 0 else '':<{_INDENT}}{row}") for index, row in enumerate(rows)
    ]


def _sum(view: CaseView, rules: Rules | None) -> list[Content]:
    """The sum, which cut it meets, and all the cuts."""
    case, placed = view.case, view.case.assessment
    total = f"{'SUM':>5} {placed.score:+6.1f} "
    if rules is None:
        return [content(total, "bold")]
    found = explain(placed, case.head, rules)
    where = found.priority.name
    if found.priority is not placed.priority:
        moved = f"put into {placed.priority.name} by {case.priority_set_by}"
        changed = f"the rules have changed since it came into {placed.priority.name}"
        where += f" by the rules, {moved if case.priority_set_by else changed}"
    cuts = ", ".join(
        f"{pane.name} from {rules.panes[pane.label]:g}"
        for pane in (Priority.URGENT, Priority.TODAY, Priority.SOON)
    )
    rows = [*wrap(f"{where}: {found.why}", _WIDTH - _INDENT)]
    rows += wrap(f"Cuts: {cuts}, else WATCH", _WIDTH - _INDENT)
    return [
        content(f"{total if index == 0 else '':<{_INDENT}}{row}", "" if index else "bold")
        for index, row in enumerate(rows)
    ]


def _act(act: Act, now: datetime) -> Content:
    detail = f": {one_line(act.detail, 80)}" if act.detail else ""
    who = one_line(act.operator, 30) or "another program"
    return content(f"{clock(act.done_at, now):>12}  {who}  {act.action}{detail}")
