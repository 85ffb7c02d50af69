"""What each command does to the cases it is used on: asks what has to be asked, and does it.

Every verb acts on the marked cases when there are any, else on the one under the cursor; only an
answer and a note go to one case at a time. A verb either does its whole act in one call of a
service or nothing, so leaving a question open never leaves half of something.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from textual.screen import Screen

from carerespond.domain.errors import ConfigError, ConflictError, DangerError, NotAllowedError
from carerespond.domain.models import CaseRow, Draft, Gap, Outcome, Reply, SendState
from carerespond.domain.rulebook import Rules
from carerespond.domain.text import clean, one_line
from carerespond.services.inbox import Done
from carerespond.ui.answering import Answering
from carerespond.ui.commands import apply_overrides, by_name, key_label
from carerespond.ui.content import content
from carerespond.ui.desk import Desk, Working
from carerespond.ui.dialogs import Choice, ChoiceScreen, LineScreen, PageScreen, confirm
from carerespond.ui.filters import LATER_HINT, parse_later
from carerespond.ui.opener import open_address
from carerespond.ui.views import draft_label, sends_content, sources_content
from carerespond.ui.why import why_content

T = TypeVar("T")
Act = Callable[[Sequence[int]], Awaitable[Done | None]]


class Aside(Protocol):
    """A verb of the inbox that puts cases out of sight, bound to all but the cases."""

    def __call__(self, case_ids: Sequence[int], *, sure: bool) -> Awaitable[Done]:
        """Do it; `sure` when a person was asked about a case that may be about a danger."""
        ...


_OUTCOMES = (
    ("a", "answered", Outcome.ANSWERED),
    ("p", "moved to private", Outcome.PRIVATE),
    ("i", "invited to tell the story", Outcome.INVITED),
    ("s", "story told", Outcome.STORY),
    ("r", "resolved", Outcome.RESOLVED),
    ("t", "thanked", Outcome.THANKED),
    ("n", "no answer needed", Outcome.NO_ANSWER),
    ("u", "not about us", Outcome.NOT_US),
)
_LATER = (
    ("1", "in an hour", "1h"),
    ("3", "in three hours", "3h"),
    ("t", "tomorrow at 08:00", "tomorrow"),
    ("m", "on Monday at 08:00", "monday"),
    ("w", "in a week", "7d"),
    ("o", "another time", ""),
)
_KEYS = "123456789acdfghlmoprstuvwxyz"


class Board(Protocol):
    """The screen as the verbs need it."""

    desk: Desk
    working: Working | None
    answering: Answering | None

    @property
    def current(self) -> CaseRow | None:
        """The case under the cursor."""
        ...

    @property
    def marked(self) -> set[int]:
        """The marked cases."""
        ...

    async def push_screen_wait(self, screen: Any) -> Any:
        """Show a screen and wait for its answer."""
        ...

    def keys_held(self) -> AbstractContextManager[None]:
        """Meanwhile no key is a command of the list: it is meant for a screen on its way."""
        ...

    def copy_to_clipboard(self, text: str) -> None:
        """Give a text to the person's terminal."""
        ...

    def say(self, text: str) -> None:
        """Show one line to the person."""
        ...

    async def changed(self) -> None:
        """Read again what a verb has changed, and take the marks off."""
        ...

    async def jump(self, case_id: int) -> None:
        """Bring a case under the cursor, whatever list it is in."""
        ...


class Verbs:
    """The verbs of one board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._inbox = board.desk.inbox
        self._last: tuple[str, Act] | None = None
        self._discarded: Draft | None = None
        self._acted_since_send = False
        # The case that was moved last, and the one under the cursor right after.
        self._shifted: tuple[int, int | None] | None = None

    def _key(self, name: str) -> str:
        table = apply_overrides(self._board.desk.config.keys)
        return key_label(by_name(name, table).keys[0])

    # -- on whom --------------------------------------------------------------------------------

    def _ids(self) -> list[int]:
        """The marked cases, else the one under the cursor.

        Raises:
            NotAllowedError: There is none.
        """
        if self._board.marked:
            return sorted(self._board.marked)
        return [self._one().case_id]

    def _one(self) -> CaseRow:
        row = self._board.current
        if row is None:
            raise NotAllowedError("There is no case here.")
        return row

    async def _ask(self, screen: Screen[T]) -> T | None:
        answer: T | None = await self._board.push_screen_wait(screen)
        return answer

    def _whom(self, case_ids: Sequence[int]) -> str:
        """The cases in a word or two, for a question about them."""
        row = self._board.current
        if len(case_ids) == 1 and row is not None and row.case_id == case_ids[0]:
            return f"@{one_line(row.handle, 30)}"
        return f"{len(case_ids)} marked"

    async def _do(self, name: str, act: Act, case_ids: Sequence[int] | None = None) -> None:
        """Do something to cases: those that a question was about, else to those of this moment.

        What is asked must be done to the cases that were asked about: while a question stands, a
        colleague or a new post may put another case under the cursor.
        """
        done = await act(self._ids() if case_ids is None else case_ids)
        if done is None:
            return  # the person has changed their mind
        self._last = (name, act)
        self._discarded = None
        self._acted_since_send = True
        self._shifted = None
        can_undo = done.undo and not await self._inbox.pending()
        hint = " - z takes it back" if can_undo else ""
        if name in ("raise", "lower") and len(done.case_ids) == 1 and self._board.working:
            hint += f"; {self._key('always')} always?"
        spared = _spared(name, done)
        said = [spared, *([f"{clean(done.text)}{hint}"] if done.case_ids or not spared else [])]
        self._board.say(". ".join(part for part in said if part))
        await self._board.changed()

    async def _aside(self, name: str, act: Aside, case_ids: Sequence[int] | None = None) -> None:
        """As `_do`, for what puts cases out of sight: a danger goes alone and after a question."""

        async def asked(ids: Sequence[int]) -> Done | None:
            try:
                return await act(ids, sure=False)
            except DangerError as held:
                verb = _ASIDE[name][1].format("it")
                title = f"{self._whom(ids)}: possible danger. Really {verb}?"
                if not await self._yes(title, "Y", f"yes, {verb}", held.problem):
                    return None
                return await act(ids, sure=True)

        await self._do(name, asked, case_ids)

    # -- local verbs ----------------------------------------------------------------------------

    async def done(self) -> None:
        """Ask the outcome and close."""
        on = self._ids()
        choices = [Choice(*one) for one in _OUTCOMES]
        outcome = await self._ask(ChoiceScreen("Done: how did it end?", choices, self._whom(on)))
        if outcome is not None:
            await self._aside("done", partial(self._inbox.done, outcome=outcome), on)

    async def later(self) -> None:
        """Ask until when and put off."""
        on = self._ids()
        choices = [Choice(*one) for one in _LATER]
        text = await self._ask(ChoiceScreen("Later: when again?", choices, self._whom(on)))
        if text == "":
            text = await self._ask(LineScreen("Later: when again?", hint=LATER_HINT))
        if text:
            until = parse_later(text, self._board.desk.now())
            await self._aside("later", partial(self._inbox.later, until=until), on)

    async def mine(self) -> None:
        """Claim, or release; asks before a case is taken from a colleague."""
        on = self._ids()
        try:
            await self._do("mine", self._inbox.mine, on)
        except ConflictError as held:
            if await self._yes("Take over?", "T", "take it over; it is recorded", held.problem):
                await self._do("mine", lambda ids: self._inbox.mine(ids, force=True), on)

    async def _yes(self, title: str, key: str, label: str, note: str) -> bool:
        return await self._ask(confirm(title, key, label, note)) == "yes"

    async def label(self) -> None:
        """Ask for a label; put it on or take it off."""
        on = self._ids()
        known = ", ".join(await self._inbox.labels())
        word = await self._ask(LineScreen("Label: put on, or take off", hint=f"{clean(known)} "))
        if word:
            await self._do("label", lambda ids: self._inbox.label(ids, word), on)

    async def star(self) -> None:
        """Star, or take the star off."""
        await self._do("star", self._inbox.star)

    async def mute(self) -> None:
        """Mute, or hear again."""
        await self._aside("mute", self._inbox.mute, self._ids())

    async def not_about_us(self) -> None:
        """Close as about somebody else."""
        await self._aside("not about us", self._inbox.not_about_us, self._ids())

    async def raise_priority(self) -> None:
        """One pane up."""
        await self._shift("raise", self._inbox.raise_priority)

    async def lower_priority(self) -> None:
        """One pane down."""
        on = self._ids()
        await self._aside("lower", self._inbox.lower_priority, on)
        self._remember_shift(on)

    async def _shift(self, name: str, act: Act) -> None:
        """Move cases to another pane; of a single one a rule can be made from here."""
        on = self._ids()
        await self._do(name, act, on)
        self._remember_shift(on)

    def _remember_shift(self, on: Sequence[int]) -> None:
        here = self._board.current
        self._shifted = (on[0], here.case_id if here else None) if len(on) == 1 else None

    async def always(self) -> None:
        """Make a rule of the case that was moved last, else of the one under the cursor."""
        from carerespond.ui.always import make_rule

        row = await self._shifted_case() or self._one()
        board = self._board
        await make_rule(
            row, self._working().teaching, ask=self._ask, held=board.keys_held, say=board.say
        )
        await board.changed()

    async def _shifted_case(self) -> CaseRow | None:
        """The case that was moved just now; None once the cursor has gone on from there."""
        if self._shifted is None:
            return None
        case_id, here_then = self._shifted
        here = self._board.current
        if (here.case_id if here else None) != here_then:
            return None
        return next(iter(await self._inbox.rows([case_id])), None)

    async def unread(self) -> None:
        """Mark as not read."""
        await self._do("unread", self._inbox.unread)

    async def repeat(self) -> None:
        """Repeat the last local verb here; never an answer."""
        if self._last is None:
            raise NotAllowedError("There is no verb to repeat yet.")
        name, act = self._last
        await self._do(name, act, self._ids())

    # -- undo -----------------------------------------------------------------------------------

    async def undo(self) -> None:
        """Take back the newest waiting answer, else a discarded draft, else the newest act."""
        working = self._board.working
        if working is not None:
            taken = await self._take_back(working)
            if taken is not None:
                self._board.say(f"taken back: the answer to @{taken.handle} is a draft again (r)")
                await self._board.changed()
                return
            if await self._restore(working):
                return
        self._shifted = None
        done = await self._inbox.undo()
        self._board.say(clean(done.text) if done else "there is nothing to take back")
        await self._board.changed()

    async def _take_back(self, working: Working) -> Reply | None:
        """The newest waiting answer, taken back; an act that is newer than one that left goes on.

        Raises:
            NotAllowedError: It has just left, and nothing was done since.
        """
        try:
            return await working.composer.take_back()
        except NotAllowedError:
            if not self._acted_since_send:
                raise
            return None

    async def _restore(self, working: Working) -> bool:
        if self._discarded is None:
            return False
        draft, self._discarded = self._discarded, None
        found = await working.composer.restore(draft)
        self._board.say("the draft is back (r opens it)" if found else "the draft is gone")
        await self._board.changed()
        return True

    async def redo(self) -> None:
        """Do again what was undone."""
        done = await self._inbox.redo()
        self._board.say(clean(done.text) if done else "there is nothing to do again")
        await self._board.changed()

    def discarded(self, draft: Draft) -> None:
        """Remember a discarded draft for undo."""
        self._discarded = draft

    # -- answering ------------------------------------------------------------------------------

    def _answering(self) -> Answering:
        if self._board.desk.look_only:
            raise NotAllowedError("This is a look-only session.", "Start without --look.")
        if self._board.answering is None:
            raise NotAllowedError("Still starting.", "Try again in a moment.")
        return self._board.answering

    async def reply(self) -> None:
        """Answer the case under the cursor."""
        answering, row = self._answering(), self._one()
        with self._board.keys_held():
            await self._inbox.read(row.case_id)
        await answering.answer(row.case_id)
        self._acted_since_send = False
        await self._board.changed()

    async def note(self) -> None:
        """Write an internal note on the case under the cursor."""
        answering, row = self._answering(), self._one()
        await answering.note(row.case_id)
        await self._board.changed()

    # -- to know --------------------------------------------------------------------------------

    async def why(self) -> None:
        """Every rule that fired."""
        row = self._one()
        view = await self._inbox.open_case(row.case_id)
        acts = await self._inbox.acts(row.case_id)
        text = why_content(view, acts, self._board.desk.now(), await self._rules())
        await self._ask(PageScreen(f"WHY  @{clean(row.handle)}", text))

    async def _rules(self) -> Rules | None:
        """The rules of today; None where there are none or their file is wrong by now."""
        load = self._board.desk.rules
        try:
            return await asyncio.to_thread(load) if load is not None else None
        except ConfigError:
            return None  # the page is worth more than its cuts; doctor names the file and line

    async def _address(self) -> str:
        view = await self._inbox.open_case(self._one().case_id)
        if not view.case.head.url:
            raise NotAllowedError("This post has no address.")
        return view.case.head.url

    async def open_browser(self) -> None:
        """Show the post's address; start the configured opener when there is one."""
        address = await self._address()
        opener = self._board.desk.config.opener
        if opener:
            self._board.say(open_address(opener, address))
            return
        await self._ask(PageScreen("The post's address", content(address)))

    async def copy(self) -> None:
        """Copy the post's words."""
        view = await self._inbox.open_case(self._one().case_id)
        self._board.copy_to_clipboard(clean(view.case.head.text))
        self._board.say("the words were copied, if your terminal allows it")

    async def copy_link(self) -> None:
        """Copy the post's address."""
        address = clean(await self._address())
        self._board.copy_to_clipboard(address)
        self._board.say(f"copied, if your terminal allows it: {address}")

    # -- views ----------------------------------------------------------------------------------

    def _working(self) -> Working:
        if self._board.working is None:
            look_only = self._board.desk.look_only
            raise NotAllowedError("Look only." if look_only else "Still starting.")
        return self._board.working

    async def health(self) -> None:
        """Sources, gaps, cost."""
        listening = self._working().listening
        gaps = await listening.gaps()
        text = sources_content(
            await listening.sources(),
            gaps,
            await listening.spend(),
            self._board.desk.now(),
        )
        if problem := listening.problem():
            text = content(problem, "bold") + "\n\n" + text
        await self._ask(PageScreen("SOURCES  what is listened to, and what it costs", text))
        if gaps:
            await self._put_away(gaps)

    async def _put_away(self, gaps: Sequence[Gap]) -> None:
        """A gap stands on the first line until somebody has looked at that time by hand."""
        title = f"{len(gaps)} {'gap' if len(gaps) == 1 else 'gaps'}: has somebody looked by hand?"
        note = "A gap that is put away is not shown any more, on no screen."
        if await self._yes(title, "l", "looked: put away", note):
            await self._working().listening.put_away(gaps)

    async def check_now(self) -> None:
        """Ask every source now, after its price was shown."""
        listening = self._working().listening
        price = listening.price_of_check()
        note = f"Each new post read is charged; nothing new costs ${price:.3f}."
        if await self._yes("Ask the networks now?", "c", "check now", note):
            await listening.check_now()
            self._board.say("checking now")

    async def outbox(self) -> None:
        """What was sent; what only a person can settle comes first."""
        waiting = await self._inbox.waiting_for_person()
        if waiting:
            choices = [
                Choice(key, f"{row.state.value}: @{clean(row.handle)}", row)
                for key, row in zip(_KEYS, waiting, strict=False)
            ]
            title = "These need you. Which one?"
            note = "q: all that was sent"
            row = await self._ask(ChoiceScreen(title, choices, note))
            if row is not None:
                await self._settle(row)
                return
        rows = await self._inbox.recent_sends()
        text = sends_content(rows, self._board.desk.now())
        await self._ask(PageScreen("OUTBOX  the newest answers, of everybody", text))

    async def _settle(self, row: Reply) -> None:
        working = self._working()
        if row.state in (SendState.REFUSED, SendState.NOT_SENT):
            if await self._yes(
                f"{row.state.value}: the text is a draft.",
                "d",
                "do not show it here any more",
                clean(row.problem or ""),
            ):
                await working.composer.dismiss(row.outbox_id)
            else:
                await self._board.jump(row.case_id)
            return
        # What Enter takes first must change nothing.
        choices = [
            Choice("g", "go to the case", "go"),
            Choice("n", "it was not sent: I have looked", "not sent"),
            Choice("w", "it was sent: look for it again", "sent"),
        ]
        title = f"@{clean(row.handle)}: {clean(row.problem or row.state.value)}"
        answer = await self._ask(ChoiceScreen(title, choices, clean(row.text)[:200]))
        if answer == "go":
            await self._board.jump(row.case_id)
        elif answer == "not sent":
            settled = await working.finder.it_was_not_sent(
                row.outbox_id, self._board.desk.operator()
            )
            self._board.say(f"{settled.state.value}; the text is a draft again")
        elif answer == "sent":
            await self._was_sent(working, row)
        await self._board.changed()

    async def _was_sent(self, working: Working, row: Reply) -> None:
        if row.state is SendState.HAND_OFF:
            settled = await working.finder.posted_by_hand(row.outbox_id)
        else:
            title = "The address of the answer, if you have it (empty: look in our timeline)"
            address = await self._ask(LineScreen(title))
            if address is None:
                return
            settled = await working.finder.it_was_sent(row.outbox_id, address)
        self._board.say(clean(settled.problem or f"{settled.state.value}: @{settled.handle}"))

    async def drafts(self) -> None:
        """This person's drafts; opens the chosen one."""
        found = await self._working().composer.drafts()
        if not found:
            raise NotAllowedError("There are no drafts.")
        now = self._board.desk.now()
        rows = {row.case_id: row for row in await self._inbox.rows([d.case_id for d in found])}
        choices = [
            Choice(key, draft_label(one, rows[one.case_id].handle, now), one)
            for key, one in zip(_KEYS, found, strict=False)
            if one.case_id in rows
        ]
        draft = await self._ask(ChoiceScreen("Drafts: open which?", choices))
        if draft is None:
            return
        await self._board.jump(draft.case_id)
        answering = self._answering()
        if draft.kind == "note":
            await answering.note(draft.case_id)
        else:
            await answering.answer(draft.case_id)
        await self._board.changed()

    async def presence(self) -> None:
        """Who is here; who is at these keys."""
        desk = self._board.desk
        now = desk.now()
        alive = [one for one in await self._inbox.here() if one.expires_at > now - _RECENT]
        note = "\n".join(
            f"{clean(one.operator) or 'nobody'} on {clean(one.host)} since"
            f" {one.started_at.astimezone():%H:%M}"
            for one in alive
        )
        names = dict.fromkeys([*desk.config.operators, desk.operator()])
        choices = [
            Choice(key, name, name) for key, name in zip(_KEYS, filter(None, names), strict=False)
        ]
        choices.append(Choice("o", "somebody else", ""))
        name = await self._ask(ChoiceScreen("Who is at these keys now?", choices, note))
        if name == "":
            name = await self._ask(LineScreen("Your name, as colleagues know it"))
        if name:
            desk.operator.name = name[:40]
            self._board.say(f"{clean(name)} is at the keys")
            await self._board.changed()


_RECENT = timedelta(seconds=5)
_NAMED = 3  # cases that are named where several were left out

# How cases stay that a verb has left out, and what it would be to do it to one by itself.
_ASIDE = {
    "done": ("left open", "close {}"),
    "not about us": ("left open", "close {}"),
    "mute": ("left open", "close {}"),
    "later": ("not put off", "put {} off"),
    "lower": ("not lowered", "lower {}"),
}


def _spared(name: str, done: Done) -> str:
    """Which cases a verb has left out and why; "" when none."""
    if not done.spared:
        return ""
    stay, verb = _ASIDE[name]
    number, total = len(done.spared), len(done.spared) + len(done.case_ids)
    names = ", ".join(f"@{one_line(row.handle, 20)}" for row in done.spared[:_NAMED])
    more = f" and {number - _NAMED} more" if number > _NAMED else ""
    alone = verb.format("it") + " by itself" if number == 1 else verb.format("them") + " one by one"
    return f"{number} of {total} {stay} ({names}{more}): possible danger, {alone}"
