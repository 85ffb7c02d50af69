"""The review before anything leaves, and the hand-off to a browser.

`Enter` never sends here: `y` does, and only when nothing blocks and every change in the thread has
been seen (rule: the confirming key differs from the starting key).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from carerespond.domain.models import ThreadChange
from carerespond.domain.privacy import Finding
from carerespond.domain.safety import SafetyCard
from carerespond.domain.text import one_line
from carerespond.ui.content import content, whole
from carerespond.ui.findings import finding_lines
from carerespond.ui.in_turn import ReadFirst
from carerespond.ui.keyed import KeyedScreen
from carerespond.ui.safety import card_content

WIDEST, FRAME = 110, 4  # columns of the review, and of its border and the space within

SEND, HAND_OFF, EDIT, POSTPONE, DISCARD = "send", "hand off", "edit", "postpone", "discard"


@dataclass(frozen=True, slots=True)
class Page:
    """What a review shows.

    Attributes:
        whom: Whom it answers, where, as whom, how visible: one line.
        verb: SEND or HAND_OFF: what `y` does.
        asks: What a person has to say before it can leave, "" when that is said or not needed.
        said: What they have said, a line each.
        is_seen: The changes have been read already.
        blocked: Why it cannot leave, "" when it can.
        window: Seconds in which it can be taken back.
        safety: The cards of a case that may be about a danger.
    """

    whom: str
    text: str
    length: str
    price: str
    route: str
    verb: str
    findings: Sequence[Finding] = ()
    changes: Sequence[ThreadChange] = ()
    blocked: str = ""
    asks: str = ""
    said: Sequence[str] = ()
    is_seen: bool = False
    window: float = 20
    safety: Sequence[SafetyCard] = ()


class _Scrolled(ReadFirst, KeyedScreen[str]):
    """Has one part that scrolls, when it is too long for the screen."""

    def action_scroll_by(self, lines: int) -> None:
        """Scroll what is too long for the screen."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_to(y=scroll.scroll_y + lines, animate=False)


class ReviewScreen(_Scrolled):
    """Shows the text as it will go out, and everything that a person should know before `y`."""

    CSS = """
    ReviewScreen { align: center middle; background: $background 0%; }
    ReviewScreen > Vertical {
        width: 100%; max-width: 110; height: 1fr; max-height: 36; margin: 1 0;
        background: $surface; border: solid $accent; padding: 0 1;
    }
    ReviewScreen Static { height: auto; }
    ReviewScreen VerticalScroll { scrollbar-size: 0 0; height: 1fr; }
    ReviewScreen #text { border-left: outer $accent; padding: 0 1; margin: 1 0; }
    """
    PLACES: ClassVar[tuple[str, ...]] = ("review",)

    def __init__(self, page: Page, keys: Mapping[str, str] | None = None) -> None:
        super().__init__(keys)
        self._page = page
        self._has_seen = page.is_seen or not page.changes
        self._asks_discard = False

    def compose(self) -> ComposeResult:
        """Whom, what changed, the text, its checks, and the keys."""
        page = self._page
        with Vertical():
            yield Static(content(f"REVIEW  {page.whom}", "bold"), id="whom")
            with VerticalScroll(can_focus=False):
                yield Static("", id="safety", markup=False)
                yield Static(changes_content(page.changes), id="changes")
                yield Static(whole(page.text), id="text")
                yield Static(content(f"{page.length}   {page.price}   {page.route}"))
                yield Static(findings_content(page.findings), id="findings")
                if page.said:
                    yield Static(content("\n".join(page.said)), id="said")
            yield Static("", id="verbs", markup=False)

    def on_mount(self) -> None:
        """Say which keys there are."""
        self.query_one("#changes").display = bool(self._page.changes)
        self.query_one("#safety").display = bool(self._page.safety)
        self._fit_card()
        self._say()

    def on_resize(self) -> None:
        """Another width breaks the safety card's lines elsewhere."""
        self._fit_card()

    def _fit_card(self) -> None:
        width = min(self.app.size.width, WIDEST) - FRAME
        self.query_one("#safety", Static).update(card_content(self._page.safety, width))

    def _say(self, line: str = "") -> None:
        page, key = self._page, self.key
        if page.blocked:
            first = f"It cannot go out: {page.blocked}"
        elif not self._is_whole:
            first = f"It cannot go out: its text cannot be shown as it is. {key('edit')} mends it"
        elif not self._has_seen:
            first = f"The thread has changed since you began. {key('seen')}: I have read it"
        elif page.asks:
            first = f"{key('send')} asks {page.asks}, and comes back here before anything leaves"
        elif page.verb == HAND_OFF:
            first = f"{key('send')} hand over to the browser"
        else:
            first = f"{key('send')} send; for {page.window:g} s {key('undo')} takes it back"
        keys = (
            f"{key('edit')} edit   {key('postpone')} postpone   {key('discard')} discard"
            f"   {key('back_to_edit')} back"
        )
        text = "\n".join(part for part in (line, first, keys) if part)
        self.query_one("#verbs", Static).update(content(text))

    @property
    def _is_whole(self) -> bool:
        """The person sees, letter by letter, what would go out."""
        return whole(self._page.text).plain == self._page.text

    def action_seen(self) -> None:
        """The person has read what changed."""
        self._has_seen = True
        self._say()

    def action_send(self) -> None:
        """Let it go, when nothing stands against it."""
        if not self._page.blocked and self._is_whole and self._has_seen:
            self.dismiss(self._page.verb)

    def action_discard(self) -> None:
        """Discard the draft; asks by wanting the key twice, which cannot send either."""
        if self._asks_discard:
            self.dismiss(DISCARD)
        self._asks_discard = True
        key = self.key
        self._say(f"{key('discard')} again discards the draft; {key('undo')} brings it back")

    def action_leave(self, decision: str) -> None:
        """Leave without sending."""
        self.dismiss(decision)


class HandOffScreen(_Scrolled):
    """Shows the address at which a person posts the answer, and asks whether they did.

    Returns "posted", "not posted", or "later" when the question stays open.
    """

    CSS = ReviewScreen.CSS.replace("ReviewScreen", "HandOffScreen")
    PLACES: ClassVar[tuple[str, ...]] = ("hand_off",)

    def __init__(
        self,
        url: str,
        text: str,
        handle: str,
        opener: Sequence[str] = (),
        keys: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(keys)
        self._url = url
        self._text = text
        self._handle = handle
        self._opener = opener

    def compose(self) -> ComposeResult:
        """The address in full, the text, and the question."""
        with Vertical():
            title = f"HAND-OFF  Post your answer to @{self._handle} in a browser"
            yield Static(content(title, "bold"))
            with VerticalScroll(can_focus=False):
                yield Static(Content("1. Open this address, signed in as your organisation:"))
                yield Static(whole(self._url), id="url")
                yield Static(Content("2. The text is on your clipboard. If it is not, copy this:"))
                yield Static(whole(self._text), id="text")
                yield Static(
                    Content(
                        "3. Post it there, then say so here: it is looked for in your own timeline."
                    )
                )
            yield Static("", id="verbs", markup=False)

    def on_mount(self) -> None:
        """Copy the text at once: it is what most people need first."""
        self.app.copy_to_clipboard(self._text)
        self._say("the text was copied, if your terminal allows it")

    def _say(self, line: str) -> None:
        key = self.key
        opens = f"{key('open_address')} open   " if self._opener else ""
        keys = (
            f"{key('posted')} I posted it   {key('not_posted')} not posted"
            f"   {key('copy_again')} copy text   {key('copy_address')} copy address"
            f"   {opens}{key('answer_later')} later"
        )
        self.query_one("#verbs", Static).update(content(f"{line}\n{keys}"))

    def action_copy_text(self) -> None:
        """Copy the text again."""
        self.app.copy_to_clipboard(self._text)
        self._say("the text was copied, if your terminal allows it")

    def action_copy_link(self) -> None:
        """Copy the address."""
        self.app.copy_to_clipboard(self._url)
        self._say("the address was copied, if your terminal allows it")

    def action_open(self) -> None:
        """Start the program that the configuration names, with the address as one argument."""
        if self._opener:
            from carerespond.ui.opener import open_address

            self._say(open_address(self._opener, self._url))

    def action_leave(self, answer: str) -> None:
        """Answer the question."""
        self.dismiss(answer)


def changes_content(changes: Sequence[ThreadChange]) -> Content:
    """What happened in the thread since the draft began, a line each."""
    lines = [Content("SINCE YOU BEGAN").stylize("bold")]
    for change in changes:
        who = f"@{change.handle} " if change.handle else ""
        lines.append(content(f"  {who}{change.what}: {one_line(change.text, 200)}"))
    return Content("\n").join(lines)


def findings_content(findings: Sequence[Finding]) -> Content:
    """The checks, a line each, what stops first."""
    title = Content("CHECKS").stylize("bold")
    lines = [Content.assemble("  ", line) for line in finding_lines(findings)]
    return Content("\n").join([title, *lines])
