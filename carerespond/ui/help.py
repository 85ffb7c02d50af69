"""The keys that act where a person is, drawn from the table of commands."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from carerespond.ui.commands import COMMANDS, Command, key_groups, key_label, labels
from carerespond.ui.content import content
from carerespond.ui.dialogs import LineScreen, PageScreen

KEYS_WIDTH = 12  # columns: the longest list of keys, and a space
# What a row of the list says in a letter or two, and the head of the column where it stands.
_SIGNS = (
    ("U T S P W", "Ln: its pane, from urgent to watch"),
    ("!", "Ln: held as a possible danger, whatever the score"),
    ("*", "before Ln: marked"),
    ("LATE 0:41", "Left: how long it may still wait; - is for ever"),
    ("n", "N, after the network: nobody has read it"),
    ("a", "N: they wrote again after us"),
    ("s", "N: starred"),
    ("me Asha", "Owner: who is on it; with * who is writing an answer"),
    ("unkn? hand", "Owner: how an answer stands; O lists those that need you"),
)
_AT_HAND = ("help", "palette", "quit", "redraw")


class HelpScreen(PageScreen):
    """All keys of some places, grouped; `/` keeps those that contain a word.

    Args:
        places: Where the person is; see `Command.where`.
        table: The commands with the keys that the person chose.
    """

    # Textual scopes a screen's style to the class that is shown: the base's would not apply.
    CSS = PageScreen.CSS.replace("PageScreen", "HelpScreen")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "find", show=False),
        Binding("question_mark,f1", "leave", "back", show=False),
    ]

    def __init__(self, places: Sequence[str], table: Sequence[Command] = COMMANDS) -> None:
        self._places = places
        self._table = table
        super().__init__("Keys   (/ finds a word)", help_content(places, table))

    def action_find(self) -> None:
        """Ask for a word, and show the keys that have to do with it."""
        self.app.push_screen(LineScreen("Show keys that have to do with"), self._keep)

    def _keep(self, word: str | None) -> None:
        if word is not None:
            shown = help_content(self._places, self._table, word)
            self.query_one("#text", Static).update(shown)
            self.action_scroll_by(-100_000)
            self.call_after_refresh(self._say_more)


def help_content(
    places: Sequence[str], table: Sequence[Command] = COMMANDS, word: str = ""
) -> Content:
    """The keys of some places, one command a line, under their headings.

    Args:
        places: See `Command.where`.
        table: The commands.
        word: Only commands whose keys, title, name or help contain it, in any case.
    """
    lines: list[Content] = []
    for group, commands in key_groups(places, table):
        _add(lines, group, [command for command in commands if _fits(command, word)])
    if "all" not in places:
        at_hand = [one for one in table if one.name in _AT_HAND and _fits(one, word)]
        _add(lines, "Always", at_hand)
    if "list" in places:
        signs = [f"  {sign:<{KEYS_WIDTH}}{says}" for sign, says in _SIGNS if _says(says, word)]
        lines += [content("Signs in the list", "bold"), *map(content, signs)] if signs else []
    return Content("\n").join(lines or [Content("no key has to do with it")])


def _add(lines: list[Content], group: str, commands: Sequence[Command]) -> None:
    if commands:
        lines.append(content(group, "bold"))
        lines.extend(content(f"  {labels(one):<{KEYS_WIDTH}}{one.help}") for one in commands)


def _says(text: str, word: str) -> bool:
    return len(word) != 1 and word.casefold() in text.casefold()


def _fits(command: Command, word: str) -> bool:
    if len(word) == 1:  # a key: "r" is not in every sentence
        return word in map(key_label, command.keys)
    text = " ".join((labels(command), command.title, command.name, command.help, command.group))
    return word.casefold() in text.casefold()
