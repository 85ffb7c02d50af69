"""Styled lines of text, and two plain widgets that draw them and repaint only what changed.

A line is a tuple of (text, style) pieces; a style is a name of `STYLES`. Text should be clean
already; what is not is cleaned as it is drawn, so that nothing raw reaches the terminal from here.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from carerespond.domain.text import clean
from carerespond.ui.content import cells, lines_below

Piece = tuple[str, str]
Line = tuple[Piece, ...]

STYLES = ("plain", "bold", "dim", "warn", "good", "bar", "words")
LEAST_SCROLLED = 4  # rows that must be left to what scrolls below a head
_DRAWN_SPACES = ("bar", "words")  # in these a space can be seen


def plain(text: str, style: str = "plain") -> Line:
    """A line of one piece."""
    return ((text, style),)


def wrap(text: str, width: int) -> list[str]:
    """Text, cleaned, in lines of at most `width` columns, broken between words where it can be."""
    lines: list[str] = []
    for paragraph in clean(text).split("\n"):
        line, used = "", 0
        for word in paragraph.split(" "):
            size = cells(word)
            if line and used + 1 + size <= width:
                line, used = f"{line} {word}", used + 1 + size
                continue
            if line:
                lines.append(line)
            line, used = word, size
            if size > width:
                *whole, line = chop_cells(word, width) or [""]
                lines += whole
                used = cells(line)
        lines.append(line)
    return lines


def wrapped(text: str, width: int, style: str = "plain", indent: str = "") -> list[Line]:
    """Text, cleaned, as lines of one style, each after an indent."""
    return [plain(f"{indent}{line}", style) for line in wrap(text, max(1, width - len(indent)))]


class _Drawn(Widget, can_focus=False):
    """What both widgets share: our styles by name, from the theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{name}" for name in STYLES}
    DEFAULT_CSS = """
    .line--plain { color: $foreground; }
    .line--bold { text-style: bold; }
    .line--dim { color: $text-muted; }
    .line--warn { color: $text-warning; text-style: bold; }
    .line--good { color: $text-success; }
    .line--bar { text-style: reverse; }
    .line--words { text-style: bold underline; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._styles: dict[str, Style] = {}

    def notify_style_update(self) -> None:
        """Another theme: every style is asked for anew."""
        self._styles = {}
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self.get_component_rich_style(f"line--{name}")
        return style

    def _strip(self, line: Line, width: int) -> Strip:
        shown = [(_one_row(text), style) for text, style in line if text]
        used = sum(cells(text) for text, _ in shown)
        if shown and used < width and shown[-1][1] not in _DRAWN_SPACES:
            # One more piece would repeat 40 bytes of colours; spaces look alike in most styles.
            shown[-1] = (shown[-1][0] + " " * (width - used), shown[-1][1])
            used = width
        strip = Strip([Segment(text, self._style(style)) for text, style in shown], used)
        return strip.adjust_cell_length(width, self._style("plain"))


def _one_row(text: str) -> str:
    return text if text.isprintable() else clean(text).replace("\n", " ")


class TextLine(_Drawn):
    """One row of the screen."""

    DEFAULT_CSS = "TextLine { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._line: Line = ()

    @property
    def text(self) -> str:
        """What it shows."""
        return "".join(text for text, _ in self._line)

    def set(self, line: Line | str) -> None:
        """Show another line; the same one costs nothing."""
        line = plain(line) if isinstance(line, str) else line
        if line != self._line:
            self._line = line
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The row."""
        return self._strip(self._line if y == 0 else (), self.size.width)


class Edge(_Drawn):
    """The line between two columns.

    No border of either: a border is sent again with each row that changes beside it.
    """

    DEFAULT_CSS = "Edge { width: 1; height: 1fr; }"

    def render_line(self, y: int) -> Strip:
        """One row."""
        del y
        return self._strip(plain("|", "dim"), self.size.width)


class Page(_Drawn):
    """Lines to read; scrolls by whole lines and says when there are more.

    A head stands still above what scrolls, where there is room for both.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._head: Sequence[Line] = ()
        self._lines: Sequence[Line] = ()
        self._top = 0

    @property
    def text(self) -> str:
        """All lines, those out of sight included."""
        lines = (*self._head, *self._lines)
        return "\n".join("".join(text for text, _ in line) for line in lines)

    def set(
        self, lines: Sequence[Line], *, keep_place: bool = False, head: Sequence[Line] = ()
    ) -> None:
        """Show other lines; only the rows that differ are repainted."""
        before = self._visible()
        self._head, self._lines = head, lines
        self._top = min(self._top, self._last_top()) if keep_place else 0
        self._repaint(before)

    def scroll_lines(self, step: int) -> None:
        """Move by some lines."""
        before = self._visible()
        self._top = max(0, min(self._last_top(), self._top + step))
        self._repaint(before)

    def _last_top(self) -> int:
        head, lines = self._parts()
        return max(0, len(lines) - (self.size.height - len(head)))

    def _parts(self) -> tuple[Sequence[Line], Sequence[Line]]:
        """What stands still and what scrolls; where there is no room for both, all scrolls."""
        if len(self._head) + LEAST_SCROLLED > self.size.height:
            return (), [*self._head, *self._lines]
        return self._head, self._lines

    def _visible(self) -> list[Line]:
        head, lines = self._parts()
        height = self.size.height - len(head)
        shown = list(lines[self._top : self._top + height])
        left = len(lines) - self._top - height
        if left > 0 and shown:
            shown[-1] = plain(f"-- {lines_below(left + 1)}: J", "dim")
        return [*head, *shown, *[()] * (height - len(shown))]

    def _repaint(self, before: Iterable[Line]) -> None:
        width = self.size.width
        after = self._visible()
        changed = [
            Region(0, y, width, 1)
            for y, (old, new) in enumerate(zip(before, after, strict=False))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One row."""
        shown = self._visible()
        return self._strip(shown[y] if y < len(shown) else (), self.size.width)
