"""The list of cases: a window of rows on a list of any length, drawn by itself.

The window grows at its ends by keyset pages and forgets its other end, so memory and time do not
depend on how many cases there are. A move repaints two rows; at an edge the list jumps by most of
a page, so that holding a key repaints it seldom. When cases come and go, the cursor stays on its
case and the case stays on its row.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from carerespond.domain.clocks import WorkingHours, due_at, time_left
from carerespond.domain.models import CaseRow, CaseState, Priority
from carerespond.ui.content import cells, column

PAGE = 128
NEAR = 48  # rows from the window's end at which the next page is asked for
MOST = 5 * PAGE
CONTEXT = 4  # a jump leaves one part in so many of the page behind the cursor

Fetch = Callable[[CaseRow | None, CaseRow | None, int], Awaitable[Sequence[CaseRow]]]

LETTERS = {"x": "X", "mastodon": "M", "bluesky": "B", "careopinion": "C", "facebook": "F"}
_SENDS = {
    "queued": "sends",
    "sending": "sends",
    "unknown": "unkn?",
    "hand-off": "hand",
    "not sent": "unsent",
    "refused": "refusd",
}


@dataclass(frozen=True, slots=True)
class Looks:
    """What a row's words depend on besides the case.

    Attributes:
        minutes: How long each pane may wait, by label.
        ascii_only: Cut texts end in "~".
        hours: When somebody works; None counts every minute.
    """

    operator: Callable[[], str]
    now: Callable[[], datetime]
    minutes: dict[str, float]
    ascii_only: bool = False
    hours: WorkingHours | None = None


def _order(row: CaseRow) -> tuple[int, int, float, int, int]:
    priority, pinned, score, posted, case_id = row.rank
    return (priority, -pinned, -score, -posted, -case_id)


class CaseList(Widget, can_focus=False):
    """Cases in their order, with a cursor and marks."""

    class Moved(Message):
        """The cursor is on another case, or on none."""

        def __init__(self, row: CaseRow | None) -> None:
            super().__init__()
            self.row = row

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "cases--plain",
        "cases--unread",
        "cases--cursor",
        "cases--heading",
        "cases--late",
    }
    DEFAULT_CSS = """
    CaseList { width: 1fr; height: 1fr; }
    CaseList .cases--plain { color: $foreground; }
    CaseList .cases--unread { text-style: bold; }
    CaseList .cases--cursor { text-style: reverse; }
    CaseList .cases--heading { color: $text-accent; text-style: bold; }
    CaseList .cases--late { color: $text-warning; text-style: bold; }
    """

    def __init__(self, looks: Looks, fetch: Fetch, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._looks = looks
        self._fetch = fetch
        self.rows: list[CaseRow] = []
        self.marks: set[int] = set()
        self.grouped = False
        self.counts: dict[int, int] = {}
        self.empty = "Nothing here."
        self._range_from: int | None = None
        self._cursor = 0
        self._top = 0
        self._at_start = self._at_end = True
        self._loading = False
        self._shows_cursor = True
        # While an empty list fills itself the cursor is on the first case, until somebody acts.
        self._is_filling = False
        # Lines on the screen: a row's index, or -1 - priority for a heading.
        self._lines: list[int] = []
        self._line_of: list[int] = []
        self._drawn: dict[int, str] = {}
        self._styles_by_name: dict[str, Style] = {}

    # -- what it shows --------------------------------------------------------------------------

    @property
    def current(self) -> CaseRow | None:
        """The case under the cursor."""
        return self.rows[self._cursor] if self.rows else None

    @property
    def in_range(self) -> bool:
        """Whether moving marks."""
        return self._range_from is not None

    def show(self, rows: Sequence[CaseRow], *, at_end: bool) -> None:
        """Show a list from its beginning, the cursor on its first case."""
        self.rows = list(rows)
        self._at_start, self._at_end = True, at_end
        self._cursor = self._top = 0
        self._is_filling = not rows
        self._lay_out()
        self.refresh()
        self.post_message(self.Moved(self.current))

    def use(self, fetch: Fetch) -> None:
        """Read further rows from somewhere else from here on."""
        self._fetch = fetch

    def set_grouped(self, grouped: bool) -> None:  # noqa: FBT001  # a plain switch
        """Show a heading over each pane's cases, or not."""
        if grouped != self.grouped:
            self.grouped = grouped
            self._lay_out()
            self._into_view()
            self.refresh()

    def hold(self) -> None:
        """Somebody looks: from here on the cursor stays on its case, whatever comes."""
        self._is_filling = False

    def set_cursor(self, *, shown: bool) -> None:
        """Draw the cursor, or leave it out while another list has it."""
        if shown != self._shows_cursor:
            self._shows_cursor = shown
            if self.rows:
                y = self._line_of[self._cursor] - self._top
                self.refresh(Region(0, y, self.size.width, 1))

    def set_counts(self, counts: dict[int, int]) -> None:
        """How many cases each pane holds, for the headings."""
        if counts != self.counts:
            before = self._visible()
            self.counts = dict(counts)
            self._repaint(before)

    def _lay_out(self) -> None:
        self._lines, self._line_of = [], []
        if not self.grouped:
            self._lines = list(range(len(self.rows)))
            self._line_of = self._lines
            return
        pane = -1 if self._at_start else int(self.rows[0].priority) - 1 if self.rows else -1
        for index, row in enumerate(self.rows):
            while pane < row.priority:
                pane += 1
                self._lines.append(-1 - pane)
            self._line_of.append(len(self._lines))
            self._lines.append(index)
        if self._at_end:
            self._lines += [-1 - later for later in range(pane + 1, len(Priority))]

    # -- moving ---------------------------------------------------------------------------------

    async def move(self, step: int) -> None:
        """Move the cursor by some cases."""
        if not self.rows:
            return
        target = self._cursor + step
        while target >= len(self.rows) and not self._at_end:
            target -= await self._extend_after()
        while target < 0 and not self._at_start:
            target += await self._extend_before()
        self._go_to(max(0, min(len(self.rows) - 1, target)))
        self._fetch_ahead()

    async def move_page(self, pages: int) -> None:
        """Move the cursor by the height of the list."""
        await self.move(pages * max(1, self.size.height - 1))

    async def to_top(self) -> None:
        """Go to the first case."""
        if not self._at_start:
            await self._load_start()
        self._go_to(0)

    async def to_bottom(self) -> None:
        """Go to the last case."""
        if not self._at_end:
            await self._load_end()
        self._go_to(len(self.rows) - 1)

    async def go_to_row(self, row: CaseRow) -> None:
        """Go to a case of this list, wherever it is."""
        index = self.index_of(row.case_id)
        if index is None:
            before = list(await self._fetch(None, row, PAGE // 2))
            after = list(await self._fetch(before[-1] if before else None, None, PAGE))
            self._replace([*before, *after], at_start=len(before) < PAGE // 2)
            self._at_end = len(after) < PAGE
            index = self.index_of(row.case_id)
        if index is not None:
            self._go_to(index)

    def index_of(self, case_id: int) -> int | None:
        """Where a case is in the window."""
        return next((i for i, row in enumerate(self.rows) if row.case_id == case_id), None)

    def _go_to(self, index: int) -> None:
        if not 0 <= index < len(self.rows):
            return
        self._is_filling = False
        old, self._cursor = self._cursor, index
        if self._range_from is not None:
            self._mark_range(old)
        old_line = self._line_of[old] if old < len(self._line_of) else 0
        top = self._top
        self._into_view()
        if self._top != top or self._range_from is not None:
            self.refresh()
        else:
            for line in {old_line, self._line_of[index]}:
                self.refresh(Region(0, line - top, self.size.width, 1))
        if old != index:
            self.post_message(self.Moved(self.current))

    def _into_view(self) -> None:
        """When the cursor has left the view, turn it over; a quarter of a page stays behind it."""
        height = self.size.height or 1
        if not self.rows or len(self._lines) <= height:
            self._top = 0
            return
        line = self._line_of[self._cursor]
        first = line - 1 if line and self._lines[line - 1] < 0 else line
        if first < self._top:
            self._top = min(first, max(0, line - height + height // CONTEXT))
        elif line >= self._top + height:
            self._top = line - height // CONTEXT
        self._top = max(0, min(self._top, len(self._lines) - height))

    # -- the window -----------------------------------------------------------------------------

    def _fetch_ahead(self) -> None:
        if self._loading:
            return
        if not self._at_end and self._cursor > len(self.rows) - NEAR:
            self._loading = True
            self.run_worker(self._ahead(self._extend_after), group="ahead")
        elif not self._at_start and self._cursor < NEAR:
            self._loading = True
            self.run_worker(self._ahead(self._extend_before), group="ahead")

    async def _ahead(self, extend: Callable[[], Awaitable[int]]) -> None:
        try:
            await extend()
        finally:
            self._loading = False

    async def _extend_after(self) -> int:
        """One more page at the end; how many rows the window has lost at its beginning."""
        last = self.rows[-1]
        found = await self._fetch(last, None, PAGE)
        if not self.rows or self.rows[-1] is not last:
            return 0  # the window is another one by now
        self._at_end = len(found) < PAGE
        lost = max(0, len(self.rows) + len(found) - MOST)
        lost = min(lost, max(0, self._cursor - NEAR))
        self._keep_place([*self.rows[lost:], *found], self._cursor - lost)
        self._at_start = self._at_start and not lost
        return lost

    async def _extend_before(self) -> int:
        """One more page at the beginning; how many rows were put there."""
        first = self.rows[0]
        found = list(await self._fetch(None, first, PAGE))
        if not self.rows or self.rows[0] is not first:
            return 0
        self._at_start = len(found) < PAGE
        rows = [*found, *self.rows]
        cursor = self._cursor + len(found)
        if len(rows) > MOST:
            kept = max(MOST, cursor + NEAR)
            self._at_end = self._at_end and kept >= len(rows)
            rows = rows[:kept]
        self._keep_place(rows, cursor)
        return len(found)

    def _keep_place(self, rows: list[CaseRow], cursor: int) -> None:
        """Another window with the same case under the cursor on the same row of the screen."""
        before = self._visible()
        y = self._line_of[self._cursor] - self._top if self.rows else 0
        self.rows, self._cursor = rows, cursor
        self._lay_out()
        self._top = max(0, self._line_of[cursor] - y) if rows else 0
        self._repaint(before)

    async def _load_start(self) -> None:
        rows = list(await self._fetch(None, None, PAGE))
        self._at_end = len(rows) < PAGE
        self._replace(rows, at_start=True)

    async def _load_end(self) -> None:
        last = CaseRow(
            0,
            "",
            "",
            "",
            "",
            self._looks.now(),
            Priority.WATCH,
            0,
            CaseState.OPEN,
            rank=(len(Priority), 0, 0.0, 0, 0),
        )
        rows = list(await self._fetch(None, last, PAGE))
        self._at_end = True
        self._replace(rows, at_start=len(rows) < PAGE)

    def _replace(self, rows: list[CaseRow], *, at_start: bool) -> None:
        self.rows, self._at_start = rows, at_start
        self._cursor = min(self._cursor, max(0, len(rows) - 1))
        self._lay_out()
        self._into_view()
        self.refresh()

    async def reload(self) -> None:
        """Read the window anew: the cursor stays on its case, or takes the next one's place."""
        anchor = self.current
        if anchor is None or (self._at_start and self._cursor < PAGE):
            wanted = max(PAGE, self._cursor + NEAR)
            rows, at_start = list(await self._fetch(None, None, wanted)), True
            at_end = len(rows) < wanted
        else:
            before = list(await self._fetch(None, anchor, PAGE // 2))
            after = list(await self._fetch(before[-1] if before else None, None, PAGE))
            rows, at_start = [*before, *after], len(before) < PAGE // 2
            at_end = len(after) < PAGE
        if self.current is not anchor:
            return await self.reload()  # the cursor has moved meanwhile
        self._at_start, self._at_end = at_start, at_end
        self._take(rows, anchor)
        return None

    async def follow(self, row: CaseRow) -> None:
        """Read the window anew where the case under the cursor stands now, by its new row.

        The case stays under the cursor and, where the list is long enough, on its row of the
        screen, however far it has gone.
        """
        anchor = self.current
        before = list(await self._fetch(None, row, PAGE // 2))
        after = list(await self._fetch(before[-1] if before else None, None, PAGE))
        rows = [*before, *after]
        index = next((i for i, one in enumerate(rows) if one.case_id == row.case_id), None)
        if index is None or self.current is not anchor:
            await self.reload()  # it has left the list, or the cursor has left it
            return
        self._at_start, self._at_end = len(before) < PAGE // 2, len(after) < PAGE
        self._keep_place(rows, index)
        self._into_view()
        self.refresh()
        self.post_message(self.Moved(self.current))

    def _take(self, rows: list[CaseRow], anchor: CaseRow | None) -> None:
        before = self._visible()
        y = self._line_of[self._cursor] - self._top if self.rows else 0
        was_at_top = self._top == 0
        self.rows = rows
        self._cursor = 0 if self._is_filling else self._place_of(anchor)
        self._lay_out()
        if rows and not was_at_top:
            self._top = max(0, self._line_of[self._cursor] - y)
        self._into_view()
        self._repaint(before)
        current = self.current
        if (current and current.case_id) != (anchor and anchor.case_id) or current != anchor:
            self.post_message(self.Moved(current))

    def _place_of(self, anchor: CaseRow | None) -> int:
        """The row of a case that may have gone: then the one that follows its old place."""
        if anchor is None or not self.rows:
            return 0
        index = self.index_of(anchor.case_id)
        if index is not None:
            same_place = self.rows[index].rank == anchor.rank or self.rows[index].priority == (
                anchor.priority
            )
            if same_place:
                return index
        following = (i for i, row in enumerate(self.rows) if _order(row) > _order(anchor))
        return next(following, len(self.rows) - 1)

    # -- marks ----------------------------------------------------------------------------------

    def toggle_mark(self) -> None:
        """Mark the case under the cursor, or take its mark off."""
        row = self.current
        if row is not None:
            self.marks ^= {row.case_id}
            self.refresh(Region(0, self._line_of[self._cursor] - self._top, self.size.width, 1))

    def toggle_range(self) -> None:
        """Begin to mark with each move, or end it."""
        if self._range_from is not None or self.current is None:
            self._range_from = None
            return
        self._range_from = self._cursor
        self._mark_range(self._cursor)
        self.refresh()

    def _mark_range(self, old: int) -> None:
        low, high = sorted((old, self._cursor))
        self.marks |= {row.case_id for row in self.rows[low : high + 1]}

    def clear_marks(self) -> None:
        """Take all marks off."""
        self._range_from = None
        if self.marks:
            self.marks = set()
            self.refresh()

    # -- drawing --------------------------------------------------------------------------------

    def tick(self) -> None:
        """Repaint the rows whose time left has changed."""
        for y, text in list(self._drawn.items()):
            line = self._lines[self._top + y] if self._top + y < len(self._lines) else -1
            if line >= 0 and self._left(self.rows[line]) != text:
                self.refresh(Region(0, y, self.size.width, 1))

    def _visible(self) -> list[object]:
        """What each row of the screen shows, for telling what changed."""
        shown: list[object] = []
        for line in self._lines[self._top : self._top + self.size.height]:
            if line < 0:
                shown.append((line, self.counts.get(-1 - line, 0)))
            else:
                row = self.rows[line]
                shown.append((row, line == self._cursor, row.case_id in self.marks))
        return shown + [None] * (self.size.height - len(shown))

    def _repaint(self, before: list[object]) -> None:
        width, after = self.size.width, self._visible()
        if len(before) != len(after):
            self.refresh()
            return
        pairs = zip(before, after, strict=True)
        changed = [Region(0, y, width, 1) for y, (old, new) in enumerate(pairs) if old != new]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._into_view()
        self.refresh()

    def notify_style_update(self) -> None:
        """Another theme: every style is asked for anew."""
        self._styles_by_name = {}
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        style = self._styles_by_name.get(name)
        if style is None:
            style = self.get_component_rich_style(f"cases--{name}")
            self._styles_by_name[name] = style
        return style

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        width, line = self.size.width, self._top + y
        self._drawn.pop(y, None)
        if line >= len(self._lines):
            text = f"  {self.empty}" if not self.rows and line == len(self._lines) else ""
            return Strip([Segment(text.ljust(width)[:width], self._style("plain"))])
        index = self._lines[line]
        if index < 0:
            return self._heading(Priority(-1 - index), width)
        return self._row(index, y, width)

    def _heading(self, pane: Priority, width: int) -> Strip:
        text = f"{pane.name} ({self.counts.get(int(pane), 0)})"
        return Strip([Segment(text.ljust(width)[:width], self._style("heading"))])

    def _left(self, row: CaseRow) -> str:
        now = self._looks.now()
        if row.snoozed_until is not None:
            return time_left(row.snoozed_until, now)
        if row.state is CaseState.DONE:
            return "done"
        looks = self._looks
        return time_left(due_at(row.posted_at, row.priority, looks.minutes, looks.hours), now)

    def _row(self, index: int, y: int, width: int) -> Strip:
        row = self.rows[index]
        is_cursor = self._shows_cursor and index == self._cursor
        left = self._drawn[y] = self._left(row)
        mark = "*" if row.case_id in self.marks else " "
        head = f"{'>' if is_cursor else ' '}{mark}"
        if not self.grouped:
            head += f"{row.priority.letter}{'!' if row.is_pinned else ' '} "
        elif row.is_pinned:
            head = head[0] + "!"
        rest = self._rest(row, width - len(head) - 5)
        # Each piece costs 40 bytes of colours, so a row is one piece, and a late one two.
        style = self._style("cursor" if is_cursor else "unread" if row.is_unread else "plain")
        if left == "LATE" and not is_cursor:
            pieces = [Segment(f"{head}{left:>5}", self._style("late")), Segment(rest, style)]
        else:
            pieces = [Segment(f"{head}{left:>5}{rest}", style)]
        length = sum(cells(piece.text) for piece in pieces)
        return Strip(pieces, length).adjust_cell_length(width, style)

    def _rest(self, row: CaseRow, width: int) -> str:
        """Network, flag, who, what and owner in so many columns."""
        ascii_only = self._looks.ascii_only
        flag = "a" if row.wrote_again else "s" if row.is_starred else "n" if row.is_unread else " "
        who = max(8, min(18, width // 4))
        what = max(4, width - who - 13)
        letter = LETTERS.get(row.network, "?")
        return (
            f" {letter}{flag} {column('@' + row.handle, who, ascii_only=ascii_only)} "
            f"{column(row.snippet, what, ascii_only=ascii_only)} "
            f"{column(self._owner(row), 6, right=True, ascii_only=ascii_only)} "
        )

    def _owner(self, row: CaseRow) -> str:
        if row.send_state in _SENDS:
            return _SENDS[row.send_state]
        me = self._looks.operator()
        if row.writing:
            return "me*" if row.writing == me else f"{row.writing[:5]}*"
        if row.owner:
            return "me" if row.owner == me else row.owner
        return "-"
