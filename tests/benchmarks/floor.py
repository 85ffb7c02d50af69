"""The anchor: the least that Textual can cost. A list on the same database, and nothing else.

    python -m tests.benchmarks.floor DATABASE

One `ScrollView` that draws its own lines, pages of 128 rows by plain `sqlite3`, no style sheet, no
second pane, no footer. A move repaints two lines; at the edge the list jumps by half a page.
"""

import sqlite3
import sys

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

PAGE = 128
_CURSOR = Style(reverse=True)
Row = tuple[int, int, str, str]


class Rows(ScrollView, can_focus=True):
    """The list."""

    DEFAULT_CSS = "Rows { width: 1fr; height: 1fr; scrollbar-size: 0 0; }"
    BINDINGS = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+f", "move(39)", show=False),
    ]

    def __init__(self, path: str) -> None:
        super().__init__()
        self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        (count,) = self._database.execute("SELECT sum(cases) FROM counts").fetchone()
        self._count: int = count
        self._pages: dict[int, list[Row]] = {}
        self._ends: dict[int, int] = {0: 1 << 62}
        self._cursor = self._top = 0

    def on_mount(self) -> None:
        self.virtual_size = Size(120, self._count)
        self.focus()

    def _row(self, index: int) -> Row:
        page = index // PAGE
        if page not in self._pages:
            if len(self._pages) > 8:
                self._pages.pop(next(iter(self._pages)))
            self._pages[page] = rows = self._database.execute(
                "SELECT case_id, priority, handle, snippet FROM cases WHERE case_id < ?"
                " ORDER BY case_id DESC LIMIT ?",
                (self._ends[page], PAGE),
            ).fetchall()
            self._ends[page + 1] = rows[-1][0]
        return self._pages[page][index % PAGE]

    def action_move(self, step: int) -> None:
        old, self._cursor = self._cursor, max(0, min(self._count - 1, self._cursor + step))
        height, width = self.size.height, self.size.width
        if not self._top <= self._cursor < self._top + height:
            self._top = max(0, self._cursor - height // 2)
            self.refresh()
            return
        self.refresh(*(Region(0, row - self._top, width, 1) for row in {old, self._cursor}))

    def render_line(self, y: int) -> Strip:
        index, width = self._top + y, self.size.width
        if index >= self._count:
            return Strip.blank(width, self.rich_style)
        _, priority, handle, snippet = self._row(index)
        text = f"{priority} {index:5} @{handle:<18.18} {snippet}"
        style = self.rich_style
        if index == self._cursor:
            style += _CURSOR
        return Strip([Segment(text[:width].ljust(width), style)], width)


class Floor(App[None]):
    """One list."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        yield Rows(self._path)


if __name__ == "__main__":
    Floor(sys.argv[1]).run(mouse=False)
