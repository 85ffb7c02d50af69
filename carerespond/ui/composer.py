"""The composer: writing an answer or a note, kept as it is typed. Nothing here can send.

It returns "review" when the text is to be reviewed and None when it was left; the draft is saved
before it goes in either case.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Protocol

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static, TextArea

from carerespond.domain.errors import CarerespondError, NotKeptError
from carerespond.domain.models import Draft
from carerespond.domain.privacy import Finding
from carerespond.domain.safety import SafetyCard
from carerespond.domain.text import one_line
from carerespond.ui.commands import footer_line
from carerespond.ui.content import content
from carerespond.ui.dialogs import Choice, ChoiceScreen, PageScreen
from carerespond.ui.fields import TextField
from carerespond.ui.findings import finding_lines
from carerespond.ui.keyed import KeyedScreen
from carerespond.ui.safety import card_content

SAVE_AFTER = 0.3  # seconds from the first unsaved key: well within the one that kill -9 may cost
WIDE, HUGE = 120, 200  # columns from which it stands beside the list, and before the rail
BESIDE = (2, 63, 123)  # columns beside its words: nothing, the list, panes and rail
LOW = 18  # rows below which it takes all of them, and leaves out what the review says again
LOW_DANGER = 23  # the same where a safety card stands above the words


NO_TEMPLATES = "no templates where there may be a danger: use your own words"


class Writing(Protocol):
    """What the composer needs to know and do about one draft.

    Attributes:
        then: What its key leads to when the text is written: "review and send".
        safety: The cards of a case that may be about a danger: no words are offered for it.
    """

    draft: Draft
    title: str
    words: str
    route: str
    then: str
    limit: int
    price: str
    safety: Sequence[SafetyCard]

    async def save(self, text: str) -> None:
        """Keep the text."""
        ...

    def save_now(self, text: str) -> None:
        """Keep the text before the program ends."""
        ...

    def length(self, text: str) -> int:
        """Its length as the network counts; 0 for a note."""
        ...

    def checks(self, text: str) -> Sequence[Finding]:
        """What there is to say about the text."""
        ...

    def templates(self) -> Sequence[tuple[str, str]]:
        """Names and texts, filled for this case."""
        ...

    def links(self) -> Sequence[tuple[str, str]]:
        """Names and addresses that may be put in."""
        ...


class ComposerScreen(KeyedScreen[str | None]):
    """A sheet over the detail, or beside the list on a wide screen."""

    CSS = """
    ComposerScreen { align: left bottom; background: $background 0%; }
    ComposerScreen > Vertical {
        width: 100%; height: 60%; min-height: 15; background: $surface; border-top: solid $accent;
    }
    ComposerScreen.danger > Vertical { height: 1fr; margin: 2 0 0 0; }
    ComposerScreen.wide { align: right top; }
    ComposerScreen.wide > Vertical { height: 1fr; margin: 2 0 2 60; border-left: solid $accent; }
    ComposerScreen.huge > Vertical { margin: 2 44 2 76; }
    ComposerScreen Static { height: auto; padding: 0 1; }
    ComposerScreen TextArea { height: 1fr; min-height: 3; border: none; padding: 0 1; }
    ComposerScreen TextArea:focus { border: none; }
    ComposerScreen #words { max-height: 3; color: $text-muted; }
    ComposerScreen #route { max-height: 2; color: $text-muted; }
    ComposerScreen #checks { max-height: 3; }
    ComposerScreen.low > Vertical { height: 1fr; min-height: 0; }
    ComposerScreen.low #safety { max-height: 2; }
    ComposerScreen.low #words, ComposerScreen.low #checks { max-height: 1; }
    ComposerScreen.low #route { display: none; }
    """
    PLACES: ClassVar[tuple[str, ...]] = ("compose",)

    def __init__(
        self,
        writing: Writing,
        register: Callable[[Callable[[], None]], None],
        keys: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(keys)
        self._writing = writing
        self._register = register
        self._saved = writing.draft.text
        self._saving = asyncio.Lock()
        self._is_due = False
        self._problem = ""
        self._area: TextArea | None = None

    def compose(self) -> ComposeResult:
        """Whom it answers, their words, the route, the text, its length and checks."""
        with Vertical():
            yield Static(content(self._writing.title, "bold"), id="title")
            if self._writing.safety:
                yield Static("", id="safety", markup=False)
            yield Static(content(one_line(self._writing.words, 400)), id="words")
            if self._writing.route:
                yield Static(content(self._writing.route), id="route")
            area = self._area = TextField(
                self._writing.draft.text, soft_wrap=True, show_line_numbers=False, compact=True
            )
            area.cursor_blink = False
            area.highlight_cursor_line = False
            area.move_cursor(area.document.end)
            yield area
            yield Static("", id="checks", markup=False)
            yield Static("", id="length", markup=False)
            yield Static("", id="verbs", markup=False)

    def _verbs(self, width: int) -> str:
        """The keys that act here; a note is filed, not reviewed."""
        then = self._writing.then
        table = [replace(c, title=then) if c.name == "review" else c for c in self._table]
        if self._writing.safety:
            table = [c for c in table if c.name != "templates"]  # there are none
        return footer_line(self.PLACES, width, table)

    def on_mount(self) -> None:
        """Begin to write."""
        self._register(self._save_now)
        self.set_focus(self.query_one(TextArea))  # at once: the next key is text
        self._place(self.app.size)
        self._judge()

    def on_unmount(self) -> None:
        """Keep what keys have still brought that waited when this was closed; a fault may do it."""
        with suppress(CarerespondError):
            self._save_now()
            self._register(_nothing)  # else whoever ends the program tries once more

    def on_resize(self) -> None:
        """Stand beside the list where there is room."""
        self._place(self.app.size)

    def _place(self, size: Size) -> None:
        self.set_class(size.width >= WIDE, "wide")
        self.set_class(size.width >= HUGE, "huge")
        safety = self._writing.safety
        is_low = size.height < (LOW_DANGER if safety else LOW)
        self.set_class(is_low, "low")
        self.set_class(bool(safety) and not is_low, "danger")
        beside = BESIDE[sum(size.width >= least for least in (WIDE, HUGE))]
        self.query_one("#verbs", Static).update(content(self._verbs(size.width - beside)))
        if safety:
            card = card_content(safety, size.width - beside, is_whole=size.width >= WIDE)
            self.query_one("#safety", Static).update(card)

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._area.text if self._area is not None else self._saved

    def on_text_area_changed(self) -> None:
        """Keep the text soon, and say how long it is now."""
        self._say_length(self._problem or "not yet kept")
        self._save_later()

    def _save_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.set_timer(SAVE_AFTER, self._save_soon)

    def _save_soon(self) -> None:
        self._is_due = False
        self._judge()
        self._save_in_background()

    @work(group="save")
    async def _save_in_background(self) -> None:
        await self._save()

    async def _save(self) -> bool:
        """Whether the text is stored; when it is not, that is said and tried again."""
        async with self._saving:
            text = self.text
            try:
                if text != self._saved:
                    await self._writing.save(text)
                    self._saved = text
            except CarerespondError as error:
                self._problem = f"not kept: {one_line(error.problem, 200)}"
                self._say_length(self._problem)
                self._save_later()
                return False
            self._problem = ""
            self._say_length("kept" if text else "")
            return True

    def _save_now(self) -> None:
        text = self.text
        if text != self._saved:
            try:
                self._writing.save_now(text)
            except CarerespondError as error:
                raise NotKeptError(error, text) from error
            self._saved = text

    def _say_length(self, state: str) -> None:
        writing = self._writing
        parts = [state]
        if writing.limit:
            length = writing.length(self.text)
            over = f"  {length - writing.limit} too long" if length > writing.limit else ""
            parts = [f"{length}/{writing.limit}{over}", writing.price, state]
        self.query_one("#length", Static).update(content("   ".join(p for p in parts if p)))

    def _judge(self) -> None:
        """Show what there is to say against the text, at most three lines."""
        findings = [f for f in self._writing.checks(self.text) if f.level != "ok"]
        lines = Content("\n").join(finding_lines(findings)[:3])
        self.query_one("#checks", Static).update(lines)
        self.query_one("#checks").display = bool(findings)
        self._say_length("kept" if self.text and self.text == self._saved else self._problem)

    async def _take_in_keys(self) -> None:
        """Wait until the text has every key that was pressed before this command.

        A command's key is looked at as soon as it is read, while the letters before it may still
        wait in the text area's own queue: whoever types fast would send half of a sentence.
        """
        taken = asyncio.Event()
        self.query_one(TextArea).call_later(taken.set)
        await taken.wait()

    async def action_keep(self) -> None:
        """Keep the draft now."""
        await self._keep()

    async def _keep(self) -> bool:
        await self._take_in_keys()
        return await self._save()

    async def action_review(self) -> None:
        """Keep the draft and review it; a text that is not kept stays on the screen."""
        if await self._keep():
            self.dismiss("review")

    async def action_leave(self) -> None:
        """Keep the draft and leave; a text that is not kept stays on the screen."""
        if await self._keep():
            self.dismiss(None)

    @work(group="choose")
    async def action_templates(self) -> None:
        """Put a template in, filled for this case; what is written already stays."""
        if self._writing.safety:
            # A person in danger is answered by a person: in no prepared words.
            self._say_length(NO_TEMPLATES)
            return
        await self._put_in("Templates", self._writing.templates())

    @work(group="choose")
    async def action_insert_link(self) -> None:
        """Put one of the configured addresses in."""
        await self._put_in("Put in an address", self._writing.links(), as_word=True)

    async def _put_in(
        self, title: str, texts: Sequence[tuple[str, str]], *, as_word: bool = False
    ) -> None:
        if not texts:
            self.notify("none are configured", title=title, markup=False)
            return
        keys = "123456789abcdefghilmoprstuvwxyz"
        choices = [
            Choice(key, f"{name}: {one_line(text, 60)}", text)
            for key, (name, text) in zip(keys, texts, strict=False)
        ]
        text = await self.app.push_screen_wait(ChoiceScreen(title, choices))
        if text is not None:
            area = self.query_one(TextArea)
            area.insert(_apart(text, area) if as_word else text)

    def action_checks(self) -> None:
        """Show all that there is to say about the text."""
        findings = self._writing.checks(self.text)
        lines = Content("\n").join(finding_lines(findings))
        self.app.push_screen(PageScreen("Checks before sending", lines))

    async def action_editor(self) -> None:
        """Write in the editor that $VISUAL or $EDITOR names."""
        from carerespond.ui.editor import edit

        if not await self._keep():
            return
        with self.app.suspend():
            text = edit(self.text)
        if text is None:
            self.notify("the editor did not end well: the draft is as it was", markup=False)
            return
        self.query_one(TextArea).load_text(text)
        await self._save()


def _apart(word: str, area: TextArea) -> str:
    """A word with the spaces that it needs where the cursor stands: glued on, no link is one."""
    row, column = area.cursor_location
    line = area.document.get_line(row)
    before, after = line[:column][-1:].strip(), line[column:][:1].strip()
    return f"{' ' if before else ''}{word}{' ' if after else ''}"


def _nothing() -> None:
    """There is nothing to keep."""
