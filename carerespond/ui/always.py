"""Making a rule of a case: asks the phrase, then how much, then shows what it would move.

Only `y` on the last screen writes; Enter chooses on the way there, and nothing is kept of a way
that is left.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from carerespond.domain.errors import NotAllowedError
from carerespond.domain.models import CaseRow, Reason
from carerespond.domain.rule_writing import NewRule
from carerespond.domain.text import clean, one_line
from carerespond.services.teaching import Amount, Lesson, Teaching
from carerespond.services.whatif import WhatIf
from carerespond.ui.content import content, fit, lines_below
from carerespond.ui.dialogs import Choice, ChoiceScreen, LineScreen, PageScreen

TYPE_ONE = ""
_SHOWN_POST = 220
_LABEL = 50  # columns
_LISTED = 200

Ask = Callable[[Any], Awaitable[Any]]
Held = Callable[[], AbstractContextManager[None]]


class SaveScreen(PageScreen):
    """Shows what a rule would move; `y` saves it, and nothing else does."""

    CSS = PageScreen.CSS.replace("PageScreen", "SaveScreen")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "save", "save", show=False)]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__(title, text)
        self.is_saved = False

    def action_save(self) -> None:
        """The person has seen what it does, and wants it."""
        self.is_saved = True
        self.dismiss(None)

    def _say_more(self) -> None:
        left = self._left()
        more = f"{lines_below(left)}: j   " if left > 0 else ""
        self.query_one("#hint", Static).update(
            content(f"{more}y saves the rule   q goes back, nothing is saved")
        )


async def make_rule(
    row: CaseRow, teaching: Teaching, *, ask: Ask, held: Held, say: Callable[[str], None]
) -> None:
    """Ask for a rule about a case, and save it when the person says so.

    Raises:
        CarerespondError: No rule can be made of it, or the file cannot be used; nothing was saved.
    """
    whom = f"@{one_line(row.handle, 30)}"
    with held():
        lesson = await teaching.lesson(row.case_id)
    while (phrase := await _ask_phrase(lesson, whom, ask)) is not None:
        try:
            with held():
                amounts = await teaching.amounts(lesson, phrase)
        except NotAllowedError as error:
            say(str(error))
            return
        amount = await ask(_amount_screen(phrase, lesson, amounts))
        if amount is None:
            continue
        say("looking at the cases of the last month ...")
        with held():
            found = await teaching.preview(amount.rule)
        say("")
        screen = SaveScreen("ALWAYS  what this rule would move", preview_content(amount, found))
        await ask(screen)
        if screen.is_saved:
            with held():
                written = await teaching.save(lesson, amount.rule)
            file = teaching.path.name
            say(f"saved in {file} as {written.group_id}; to take it back, remove it there")
            return


async def _ask_phrase(lesson: Lesson, whom: str, ask: Ask) -> str | None:
    """A phrase of the post, chosen or typed; None when the person leaves."""
    choices = [
        Choice(str(number), _phrase_label(phrase, lesson.reasons), phrase)
        for number, phrase in enumerate(lesson.phrases, 1)
    ]
    choices.append(Choice("t", "type another phrase of the post", TYPE_ONE))
    note = one_line(lesson.post.text, _SHOWN_POST)
    title = f"Always: which words of {whom} matter?"
    phrase: str | None = await ask(ChoiceScreen(title, choices, note))
    return await _ask_typed(lesson, ask) if phrase == TYPE_ONE else phrase


async def _ask_typed(lesson: Lesson, ask: Ask) -> str | None:
    """A phrase that stands in the post; what is wrong with one is said beside it."""
    from carerespond.domain.rule_writing import phrase_in

    typed, hint = "", "Words as they stand in the post; wait* also means waiting."
    while True:
        line: str | None = await ask(LineScreen("Always: which phrase?", typed, hint))
        if not line:
            return None
        try:
            return phrase_in(line, lesson.post.text)
        except NotAllowedError as error:
            typed, hint = line, f"{error}"


def _phrase_label(phrase: str, reasons: tuple[Reason, ...]) -> str:
    """A phrase, and what it counts for already."""
    words = phrase.casefold()
    for reason in reasons:
        if any(one_line(word, 60).casefold() == words for word in reason.words):
            return fit(f"{phrase}  ({reason.text} {reason.points:+.1f})", _LABEL)
    return fit(phrase, _LABEL)


def _amount_screen(phrase: str, lesson: Lesson, amounts: list[Amount]) -> ChoiceScreen[Amount]:
    choices = [
        Choice(str(number), _amount_label(amount), amount)
        for number, amount in enumerate(amounts, 1)
    ]
    wanted = f", you put it into {lesson.wanted.name}" if lesson.wanted is not None else ""
    note = f"The rules put this case into {lesson.stands.name}{wanted}."
    return ChoiceScreen(f'Always: how much is "{one_line(phrase, 30)}"?', choices, note)


def _amount_label(amount: Amount) -> str:
    much = "much" if amount.is_enough else "a little"
    return f"{much}: {amount.points:+.2g}, this case would be in {amount.pane.name}"


def preview_content(amount: Amount, found: WhatIf) -> Content:
    """A rule in words, and the cases of the last month that it would move."""
    return Content("\n").join([*_rule_lines(amount.rule, amount), *_move_lines(found)])


def _rule_lines(rule: NewRule, amount: Amount) -> Iterator[Content]:
    yield content(f'"{one_line(rule.phrase, 60)}" counts {amount.points:+.2g} from now on.')
    yield content(f"It is shown as: {clean(rule.reason)}")
    yield content(f"This case would stand in {amount.pane.name} by the rules alone.")
    yield Content("")


def _move_lines(found: WhatIf) -> Iterator[Content]:
    moved = len(found.moves) or "none"
    yield content(
        f"Of {found.cases} cases of the last {found.days:g} days, {moved} would move.", "bold"
    )
    for (before, after), count in found.counts.items():
        yield content(f"{count:6}  {before.name} -> {after.name}")
    if found.moves:
        yield Content("")
    for move in found.moves[:_LISTED]:
        panes = f"{move.before.letter} -> {move.after.letter}"
        who = f"{panes}  @{one_line(move.handle, 20)}: "
        yield content(f"{who}{fit(move.snippet, max(20, 74 - len(who)))}")
    if len(found.moves) > _LISTED:
        yield content(f"... and {len(found.moves) - _LISTED} more")
