"""What comes of the table of commands: bindings, footer, help, docs/keys.md, people's own keys.

Importing this costs nothing of Textual: `bindings` alone needs it, and asks for it when called.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from carerespond.config import problem_at
from carerespond.domain.errors import ConfigError
from carerespond.ui.command_table import COMMANDS, Command
from carerespond.ui.keys import key_label, key_name, typed, why_not

if TYPE_CHECKING:
    from textual.binding import BindingsMap, BindingType

__all__ = [
    "BROWSE",
    "COMMANDS",
    "Command",
    "apply_overrides",
    "bindings",
    "bound",
    "by_name",
    "footer_line",
    "key_groups",
    "key_label",
    "keys_document",
    "labels",
]

FOOTER_VERBS: Final = 15
BROWSE: Final = ("list", "case", "all")
"""The places whose keys act together while nothing is being written."""

# Help and palette stay at hand in every place, as actions of its own screen; while writing, by
# those of their keys that type nothing.
_AT_HAND: Final = ("help", "palette")
# Places whose keys act at the same time, so that none may stand twice among them.
_TOGETHER: Final = (BROWSE, ("compose",), ("review",), ("hand_off",))
# Keys of the application that reach past every open screen: nobody is ever locked in.
_ALWAYS: Final = frozenset(("quit", "redraw"))

# Textual's own actions that ours stand for: its quit asks nothing.
_REPLACED: Final = frozenset(("quit", "command_palette", "suspend_process", "screenshot"))


def by_name(name: str, table: Iterable[Command] = COMMANDS) -> Command:
    """The command of that name.

    Raises:
        KeyError: There is none.
    """
    for command in table:
        if command.name == name:
            return command
    raise KeyError(name)


# -- changes by the configuration --------------------------------------------------------------


def apply_overrides(
    keys: Mapping[str, str], path: Path | None = None, table: Sequence[Command] = COMMANDS
) -> tuple[Command, ...]:
    """The table with the keys that a person chose.

    Args:
        keys: The configuration's [keys]: a command's name to its keys, comma-separated.
        path: The file they come from, named with the line in errors.
        table: The commands to change.

    Raises:
        ConfigError: An unknown command, a key that cannot be bound there, or one bound twice.
    """
    place = _Place(path)
    known = {command.name for command in table}
    chosen: dict[str, tuple[str, ...]] = {}
    for name, text in keys.items():
        if name not in known:
            raise place.unknown(name, known)
        chosen[name] = tuple(dict.fromkeys(key_name(key) for key in text.split(",")))
    made = tuple(
        replace(command, keys=chosen[command.name]) if command.name in chosen else command
        for command in table
    )
    for command in made:
        if command.name in chosen:
            _check_keys(command, made, place)
    _check_twice(made, chosen, place)
    return made


class _Place:
    """Where a key stands in the configuration, looked for only when there is something to say."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def error(self, name: str, problem: str, remedy: str) -> ConfigError:
        return problem_at(self._path, ("keys", name), problem, remedy)

    def unknown(self, name: str, known: Iterable[str]) -> ConfigError:
        import difflib  # only for the person who mistyped

        near = difflib.get_close_matches(name, list(known), 1)
        remedy = f"Did you mean {near[0]!r}?" if near else "`?` and docs/keys.md list them."
        return self.error(name, f"there is no command {name!r}.", remedy)


def _check_keys(command: Command, table: Iterable[Command], place: _Place) -> None:
    name = command.name
    for key in command.keys:
        if why := why_not(key):
            raise place.error(name, f"{key!r} cannot be a key: {why}.", "Choose another key.")
        if command.where == "compose" and typed(key):
            raise place.error(
                name,
                f"{key_label(key)!r} is text while writing.",
                "Use ctrl+... or a function key.",
            )
    if name == "send":
        starts = {key for start in ("reply", "review") for key in by_name(start, table).keys}
        starts.add("enter")
        if used := starts.intersection(command.keys):
            raise place.error(
                name,
                f"{key_label(min(used))!r} cannot send: Enter and the keys that begin an answer"
                " are pressed too easily.",
                "Choose another key.",
            )


def _check_twice(table: Sequence[Command], chosen: Iterable[str], place: _Place) -> None:
    for places in _TOGETHER:
        owners: dict[str, str] = {}
        at_hand = [command for command in table if command.name in _AT_HAND and "all" not in places]
        for command in [*(c for c in table if c.where in places), *at_hand]:
            for key in command.keys:
                other = owners.setdefault(key, command.name)
                if other != command.name:
                    name = command.name if command.name in chosen else other
                    raise place.error(
                        name,
                        f"{key_label(key)!r} is bound twice: {other} and {command.name}.",
                        "Give one of them another key.",
                    )


# -- for the screens ---------------------------------------------------------------------------


def bindings(where: str, overrides: Mapping[str, str] | None = None) -> "list[BindingType]":
    """Textual bindings of one place; those of browsing call the application's `action_run`.

    Args:
        where: The place; see `Command.where`.
        overrides: The configuration's [keys].

    Raises:
        ConfigError: See `apply_overrides`.
    """
    from textual.binding import Binding

    table = apply_overrides(overrides or {})
    made: list[BindingType] = []
    for command in table:
        at_hand = command.name in _AT_HAND and where not in BROWSE
        if command.where != where and not at_hand:
            continue
        for key in command.keys:
            if at_hand and where == "compose" and typed(key):
                continue
            made.append(
                Binding(
                    key,
                    command.name if at_hand else _action(command),
                    command.title,
                    show=False,
                    # While writing, the text area would take them: ctrl+d deletes there.
                    priority=where == "compose" or command.name in _ALWAYS,
                )
            )
    return made


def _action(command: Command) -> str:
    return command.action or f"app.run('{command.name}')"


def bound(
    base: "BindingsMap",
    *places: str,
    overrides: Mapping[str, str] | None = None,
    first: bool = False,
) -> "BindingsMap":
    """Bindings of a screen or application with those of some places in front.

    They are set when it is made, because class-level bindings cannot know the configuration:
    `self._bindings = bound(self._bindings, *BROWSE, overrides=config.keys)`. The application needs
    those of "all" (so that leaving works under every dialog), the inbox's screen all of BROWSE
    (Textual's screens take Tab for themselves).

    With `first` the application looks at these keys before it passes any on, one after the other:
    a key that opens a screen is done before the next one finds its way.
    """
    from textual.binding import BindingsMap

    made = BindingsMap([one for place in places for one in bindings(place, overrides)])
    if first:
        for key, found in made.key_to_bindings.items():
            made.key_to_bindings[key] = [replace(one, priority=True) for one in found]
    for key, others in base.key_to_bindings.items():
        kept = [one for one in others if one.action not in _REPLACED]
        if kept and key not in made.key_to_bindings:
            made.key_to_bindings[key] = kept
    return made


def footer_line(
    places: Sequence[str], width: int, table: Sequence[Command] = COMMANDS, gap: str = "  "
) -> str:
    """The verbs of some places on one line of at most `width` columns.

    Whole verbs are dropped from the right, never letters; the last one (help) always stays.
    """
    shown = sorted((c for c in table if c.where in places and c.footer), key=lambda c: c.footer)
    words = [f"{key_label(command.keys[0])} {command.title}" for command in shown][:FOOTER_VERBS]
    if not words:
        return ""
    *words, last = words
    while words and len(gap.join([*words, last])) > width:
        words.pop()
    return gap.join([*words, last])[:width]


def key_groups(
    places: Sequence[str], table: Sequence[Command] = COMMANDS
) -> list[tuple[str, list[Command]]]:
    """The commands of some places under their headings, in the order of the table."""
    groups: dict[str, list[Command]] = {}
    for command in table:
        if command.where in places:
            groups.setdefault(command.group, []).append(command)
    return list(groups.items())


def labels(command: Command) -> str:
    """All keys of a command: "j down"."""
    return " ".join(key_label(key) for key in command.keys)


# -- for docs/keys.md --------------------------------------------------------------------------

_HEAD = """\
# Keys

Made from `carerespond/ui/commands.py` by `python docs/generate.py`; a test fails when it is stale.

`?` shows the keys that act where you are, `:` finds a command by its name, and what has a key in
the list has it in the open case too. With cases marked, a verb acts on all of them; only an answer
goes to one case at a time. Nothing is sent by Enter, by the palette or by a single key: an answer
is written, reviewed, sent with its own key, and can be taken back for a while.

To change a key, name the command in `config.toml`; keys are comma-separated, `comma` is the comma:

```toml
[keys]
later = "b,f6"
find = "slash"
```

Not every key reaches a program through tmux, screen and SSH. These are refused: ctrl with a, b,
c, h, i, j, m, z, Space or Enter, and every key with Alt. While something is written, letters are
letters: a key there is ctrl with a letter, a function key or Esc.
"""
_TAIL = """\
## In questions and pages

A question shows the key of each answer beside it; `j` and `k` with Enter choose too, and `q` or Esc
goes back. A page scrolls with `j`, `k`, `g`, `G`, Page Up and Page Down, and `q` or Esc closes it.
These keys do not change.
"""


def keys_document() -> str:
    """docs/keys.md as it should be."""
    places = dict.fromkeys(command.where for command in COMMANDS)
    parts = [_HEAD]
    for group, commands in key_groups(tuple(places)):
        rows = [
            f"| {' '.join(_code(key) for key in c.keys)} | `{c.name}` | {c.help} |"
            for c in commands
        ]
        parts.append(
            "\n".join([f"## {group}\n", "| keys | command | |", "|---|---|---|", *rows, ""])
        )
    return "\n".join([*parts, _TAIL])


def _code(key: str) -> str:
    return f"`{key_label(key)}`"
