"""Where people type: whatever comes in, pasted or from a template, is cleaned on its way.

Textual draws the text of a field as it stands, and a paste may bring what a stranger wrote.
"""

from typing import Any

from textual.document._document import EditResult
from textual.widgets import Input, TextArea
from textual.widgets.text_area import Edit

from carerespond.domain.text import SafeText, clean


def typed(text: str) -> SafeText:
    """Text for a field: clean, and never cut, since it is somebody's own work."""
    return clean(text, lines=len(text) + 1, characters=_MOST_FOR_ONE * len(text) + 1)


_MOST_FOR_ONE = 6  # characters in which a control is shown


class LineField(Input):
    """One line to type into."""

    def __init__(self, value: str = "", **how: Any) -> None:
        super().__init__(_one(value), **how)

    def replace(self, text: str, start: int, end: int) -> None:
        """Replace a part, as every key and paste does."""
        super().replace(_one(text), start, end)


class TextField(TextArea):
    """Several lines to type into."""

    def __init__(self, text: str = "", **how: Any) -> None:
        super().__init__(typed(text), **how)

    def load_text(self, text: str) -> None:
        """Another text in place of all."""
        super().load_text(typed(text))

    def edit(self, edit: Edit) -> EditResult:
        """Change a part, as every key and paste does."""
        edit.text = typed(edit.text)
        return super().edit(edit)


def _one(text: str) -> str:
    return typed(text).replace("\n", " ")
