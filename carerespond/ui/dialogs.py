"""Small screens that ask one thing or show one text; none of them can send anything.

Each is modal and returns its answer when it is left; None means that the person changed their mind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from carerespond.ui.content import content, lines_below
from carerespond.ui.fields import LineField
from carerespond.ui.in_turn import ReadFirst

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """One answer: the key that picks it, words for it, and what it stands for."""

    key: str
    label: str
    value: T


class ChoiceScreen(ReadFirst, ModalScreen[T | None], Generic[T]):
    """Asks for one of a few answers; each has its own key, and the arrows with Enter do too."""

    CSS = """
    ChoiceScreen { align: center middle; background: $background 40%; }
    ChoiceScreen > Vertical {
        width: 60; max-width: 96%; height: auto; max-height: 90%;
        border: solid $accent; background: $surface; padding: 0 1;
    }
    ChoiceScreen Static { height: auto; }
    ChoiceScreen #hint { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice[T]],
        note: str = "",
        *,
        is_read_first: bool = False,
    ) -> None:
        super().__init__()
        self.is_read_first = is_read_first
        self._title = title
        self._choices = choices
        self._note = note
        self._at = 0

    def compose(self) -> ComposeResult:
        """The title, the choices, and how to leave."""
        with Vertical():
            yield Static(content(self._title, "bold"), id="title")
            if self._note:
                yield Static(content(self._note), id="note")
            yield Static(self._lines(), id="choices")
            yield Static(Content("Enter or its key chooses, q goes back"), id="hint")

    def _lines(self) -> Content:
        lines = []
        for index, choice in enumerate(self._choices):
            here = index == self._at
            line = f"{'>' if here else ' '} {choice.key}  {choice.label}"
            lines.append(content(line, "reverse" if here else ""))
        return Content("\n").join(lines)

    def action_move(self, step: int) -> None:
        """Move the bar."""
        self._at = (self._at + step) % len(self._choices)
        self.query_one("#choices", Static).update(self._lines())

    def action_choose(self) -> None:
        """Take the choice under the bar."""
        self.dismiss(self._choices[self._at].value)

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Take the choice whose key was pressed."""
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                self.dismiss(choice.value)
                return


class LineScreen(ModalScreen[str | None]):
    """Asks for one line of text: a label, a filter, words to find."""

    CSS = """
    LineScreen { align: center bottom; background: $background 0%; }
    LineScreen > Vertical {
        width: 100%; height: auto; border: solid $accent; background: $surface; padding: 0 1;
    }
    LineScreen Static { height: auto; color: $text-muted; }
    LineScreen Input { height: 1; border: none; padding: 0; background: $surface; }
    LineScreen Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", show=False)]

    def __init__(self, title: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._hint = hint

    def compose(self) -> ComposeResult:
        """The title, the line, and how to leave."""
        with Vertical():
            yield Static(content(self._title, "bold"))
            line = LineField(self._value, max_length=500)
            line.cursor_blink = False
            yield line
            hint = f"{self._hint}  " if self._hint else ""
            yield Static(content(f"{hint}Enter takes it, Esc goes back"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)


class PageScreen(ModalScreen[None]):
    """Shows a text to read: why, sources, drafts; scrolls with the keys of the list."""

    CSS = """
    PageScreen { align: center middle; background: $background 40%; }
    PageScreen > Vertical {
        width: 96; max-width: 100%; height: 90%; border: solid $accent;
        background: $surface; padding: 0 1;
    }
    PageScreen VerticalScroll { scrollbar-size: 0 0; }
    PageScreen Static { height: auto; }
    PageScreen #hint { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", show=False),
        Binding("down,j", "scroll_by(1)", "down", show=False),
        Binding("up,k", "scroll_by(-1)", "up", show=False),
        Binding("pagedown,space,ctrl+f", "scroll_by(10)", "page down", show=False),
        Binding("pageup", "scroll_by(-10)", "page up", show=False),
        Binding("g,home", "scroll_by(-100000)", "top", show=False),
        Binding("G,end", "scroll_by(100000)", "bottom", show=False),
    ]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The title, the text, and how to leave."""
        with Vertical():
            yield Static(content(self._title, "bold"))
            with VerticalScroll(can_focus=False):
                yield Static(self._text, id="text")
            yield Static(Content(""), id="hint")

    def on_mount(self) -> None:
        """Say whether there is more once the size is known."""
        self.call_after_refresh(self._say_more)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll without animation."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_to(y=scroll.scroll_y + lines, animate=False, on_complete=self._say_more)

    def _say_more(self) -> None:
        left = self._left()
        more = f"{lines_below(left)}: j   " if left > 0 else ""
        self.query_one("#hint", Static).update(content(f"{more}q goes back"))

    def _left(self) -> int:
        """How many lines stand below what is seen."""
        scroll = self.query_one(VerticalScroll)
        return round(scroll.max_scroll_y - scroll.scroll_y)

    def on_resize(self) -> None:
        """A new size has another number of lines below."""
        self.call_after_refresh(self._say_more)

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)


def confirm(title: str, key: str, label: str, note: str = "") -> ChoiceScreen[str]:
    """A question that only `key` answers with "yes"; `key` must differ from the key that asked."""
    choices = [Choice("n", "no, go back", "no"), Choice(key, label, "yes")]
    return ChoiceScreen(title, choices, note, is_read_first=True)
