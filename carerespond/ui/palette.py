"""The command palette: every command of the place by its name, with its key so that people learn.

What sends or discards is not in it: Enter chooses here, and Enter must never do that.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from carerespond.domain.text import ELLIPSIS
from carerespond.ui.commands import COMMANDS, Command, labels
from carerespond.ui.content import content, fit
from carerespond.ui.fields import LineField

ROWS = 12
_KEYS_WIDTH, _TITLE_WIDTH = 12, 17


class CommandScreen(ModalScreen[str | None]):
    """Asks for a command; returns its name, None when none was chosen.

    Args:
        places: Where the person is; see `Command.where`.
        table: The commands with the keys that the person chose.
    """

    CSS = """
    CommandScreen { align: center top; background: $background 40%; }
    CommandScreen > Vertical {
        width: 96; max-width: 100%; height: auto; margin-top: 2;
        border: solid $accent; background: $surface; padding: 0 1;
    }
    CommandScreen Static { height: auto; }
    CommandScreen Input { height: 1; border: none; padding: 0; background: $surface; }
    CommandScreen Input:focus { border: none; }
    CommandScreen #hint { color: $text-muted; }
    """
    # Priority, because the line above would take up, down and Esc.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "down", show=False, priority=True),
        Binding("up", "move(-1)", "up", show=False, priority=True),
        Binding("pagedown", f"move({ROWS})", "page down", show=False, priority=True),
        Binding("pageup", f"move(-{ROWS})", "page up", show=False, priority=True),
        Binding("escape", "leave", "back", show=False, priority=True),
    ]

    def __init__(self, places: Sequence[str], table: Sequence[Command] = COMMANDS) -> None:
        super().__init__()
        self._offered = offered(places, table)
        self._found = self._offered
        self._at = 0

    def compose(self) -> ComposeResult:
        """The line to type into, what it finds, and how to leave."""
        with Vertical():
            line = LineField(placeholder="a command", max_length=60)
            line.cursor_blink = False
            yield line
            yield Static("", id="found", markup=False)
            yield Static("", id="hint", markup=False)

    def on_mount(self) -> None:
        """Begin to type."""
        self.query_one(Input).focus()
        self._draw()

    def on_resize(self) -> None:
        """Another width shows more or less of each sentence."""
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep what fits the words."""
        self._found = find(event.value, self._offered)
        self._at = 0
        self._draw()

    def on_input_submitted(self) -> None:
        """Take the command under the bar."""
        if self._found:
            self.dismiss(self._found[self._at].name)

    def action_move(self, step: int) -> None:
        """Move the bar."""
        self._at = max(0, min(self._at + step, len(self._found) - 1))
        self._draw()

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def _draw(self) -> None:
        first = max(0, min(self._at - ROWS // 2, len(self._found) - ROWS))
        lines = []
        for index, command in enumerate(self._found[first : first + ROWS], first):
            words = f"{labels(command):<{_KEYS_WIDTH}}{command.title:<{_TITLE_WIDTH}}{command.help}"
            mark = ">" if index == self._at else " "
            line = content(_cut(f"{mark} {words}", min(self.app.size.width, 96) - 4))
            lines.append(line.stylize("reverse") if index == self._at else line)
        nothing = content(fit("no command has these words", self.app.size.width))
        self.query_one("#found", Static).update(Content("\n").join(lines or [nothing]))
        below = len(self._found) - first - ROWS
        more = f"{below} more below   " if below > 0 else ""
        self.query_one("#hint", Static).update(content(f"{more}Enter takes it, Esc goes back"))


def _cut(line: str, width: int) -> str:
    """A line of our own words in at most `width` columns, with its spaces as they are."""
    return line if len(line) <= width else line[: width - 1].rstrip() + ELLIPSIS


def offered(places: Sequence[str], table: Sequence[Command] = COMMANDS) -> list[Command]:
    """The commands that can be chosen by name in some places."""
    return [
        command
        for command in table
        if command.where in places and command.in_palette and command.name != "palette"
    ]


def find(words: str, commands: Sequence[Command]) -> list[Command]:
    """The commands that have all the words, those that begin with them first."""
    wanted = words.casefold().split()
    ranked = sorted(
        (rank, number, command)
        for number, command in enumerate(commands)
        if (rank := _rank(command, wanted)) is not None
    )
    return [command for _, _, command in ranked]


def _rank(command: Command, words: Sequence[str]) -> int | None:
    """0 for a title that begins with the words, more for weaker fits, None for none."""
    phrase = " ".join(words)
    title, name = command.title.casefold(), command.name.replace("_", " ")
    if title.startswith(phrase) or name.startswith(phrase):
        return 0
    if phrase in title or phrase in name:
        return 1
    text = " ".join((title, name, command.help.casefold(), command.group.casefold()))
    return 2 if all(word in text for word in words) else None
