"""Names of keys: Textual's, those that people write and read, and those that never arrive."""

import re
import string
import unicodedata
from typing import Final

_LABELS: Final = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
_SHORT_NAMES: Final = {
    "/": "slash",
    "\\": "backslash",
    "@": "at",
    "-": "minus",
    "+": "plus",
    "_": "underscore",
}  # Textual's own, in place of the Unicode names
_NAMES: Final = {
    character: unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    for character in string.punctuation
} | _SHORT_NAMES
_CHARACTERS: Final = {name: character for character, name in _NAMES.items()}
_PLAIN: Final = frozenset(
    (
        *("escape", "enter", "tab", "shift+tab", "space", "backspace", "delete", "insert"),
        *("home", "end", "pageup", "pagedown", "up", "down", "left", "right"),
        *(f"{held}+{way}" for held in ("shift", "ctrl") for way in ("up", "down", "left", "right")),
    )
)
_FUNCTION: Final = re.compile(r"f([1-9]|1[0-2])\Z")
_CONTROL: Final = re.compile(r"ctrl\+[a-z]\Z")

# Measured through tmux and screen: these never arrive, or arrive as another key.
_FORBIDDEN: Final = {
    "ctrl+a": "GNU screen takes it",
    "ctrl+b": "tmux takes it",
    "ctrl+h": "it arrives as Backspace",
    "ctrl+i": "it arrives as Tab",
    "ctrl+m": "it arrives as Enter",
    "ctrl+j": "some terminals send it for Enter",
    "ctrl+c": "it copies, and must never end anything",
    "ctrl+z": "it takes typing back while writing",
    "ctrl+space": "terminals disagree about it",
    "ctrl+@": "terminals disagree about it",
    "ctrl+enter": "it arrives as Enter, or not at all",
}


def key_label(key: str) -> str:
    """A key as people know it: "question_mark" is "?", "pagedown" is "pgdn", "f5" is "F5"."""
    if _FUNCTION.match(key):
        return key.upper()
    return _LABELS.get(key) or _CHARACTERS.get(key) or key


def key_name(text: str) -> str:
    """Textual's name of a key that a person wrote: "?" is "question_mark", "Ctrl+D" is "ctrl+d"."""
    text = text.strip()
    return _NAMES.get(text, text) if len(text) <= 1 else text.lower()


def typed(key: str) -> str:
    """The character that a key types, "" when it types none."""
    if key == "space":
        return " "
    if key in _CHARACTERS:
        return _CHARACTERS[key]
    return key if len(key) == 1 and key.isprintable() else ""


def why_not(key: str) -> str:
    """Why a key cannot be bound, "" when it can."""
    if key in _FORBIDDEN:
        return _FORBIDDEN[key]
    if "alt+" in key:
        return "Alt arrives as Esc and another key"
    if key in _PLAIN or _FUNCTION.match(key) or _CONTROL.match(key) or typed(key):
        return ""
    return "there is no such key"
