"""Every priority's cases in a pane of its own, one above the other, for screens wide enough.

It is used like the one list: the cursor is in one pane at a time and goes over from the end of one
to the beginning of the next. A pane is as high as it has cases, as far as there is room; one
without cases is its heading alone.
"""

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.containers import Vertical

from carerespond.domain.models import CaseRow, Priority
from carerespond.ui.case_list import PAGE, CaseList, Fetch, Looks
from carerespond.ui.content import cells
from carerespond.ui.lines import TextLine, plain

LEAST_ROWS = 3


def share(counts: Mapping[Priority, int], rows: int) -> dict[Priority, int]:
    """How many rows each pane gets of so many: a fair part each, the rest by priority."""
    given = {pane: min(counts.get(pane, 0), LEAST_ROWS) for pane in Priority}
    left = max(0, rows - sum(given.values()))
    while left:
        wanting = [pane for pane in Priority if counts.get(pane, 0) > given[pane]]
        if not wanting:
            break
        part = max(1, left // len(wanting))
        for pane in wanting:
            more = min(part, counts[pane] - given[pane], left)
            given[pane] += more
            left -= more
    return given


class Panes(Vertical):
    """The five panes, with one cursor and one set of marks.

    Args:
        looks: What the rows' words depend on.
        fetch_of: Reads the cases of one pane.
    """

    DEFAULT_CSS = """
    Panes { width: 1fr; height: 1fr; }
    Panes CaseList { height: 1; }
    """

    def __init__(
        self,
        looks: Looks,
        fetch_of: Callable[[Priority], Fetch],
        *,
        id: str | None = None,  # noqa: A002  # Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._lists = {pane: CaseList(looks, fetch_of(pane)) for pane in Priority}
        self._heads = {pane: TextLine() for pane in Priority}
        self._fetch_of = fetch_of
        self._counts: dict[int, int] = {}
        self.active = Priority.URGENT
        self.empty = ""

    def compose(self) -> ComposeResult:
        """A heading and a list for each pane."""
        for pane in Priority:
            yield self._heads[pane]
            yield self._lists[pane]

    # -- what it shows --------------------------------------------------------------------------

    @property
    def current(self) -> CaseRow | None:
        """The case under the cursor."""
        return self._lists[self.active].current

    @property
    def marks(self) -> set[int]:
        """The marked cases of every pane."""
        return set[int]().union(*(one.marks for one in self._lists.values()))

    @property
    def in_range(self) -> bool:
        """Whether moving marks."""
        return self._lists[self.active].in_range

    async def load(self) -> None:
        """Show every pane from its beginning, the cursor on the first case of all."""
        for pane, cases in self._lists.items():
            rows = list(await self._fetch_of(pane)(None, None, PAGE))
            cases.show(rows, at_end=len(rows) < PAGE)
            cases.hold()
        self.activate(self._filled(Priority.URGENT, 1) or Priority.URGENT)
        self._lay_out()

    async def reload(self) -> None:
        """Read what is shown anew; the cursor stays on its case, or goes where that has gone."""
        anchor = self.current
        for cases in self._lists.values():
            await cases.reload()
        self._lay_out()
        if anchor is not None and self.current is None:
            self.activate(self._filled(self.active, 1) or self._filled(self.active, -1))

    async def follow(self, row: CaseRow) -> None:
        """Read every pane anew, and go with a case into the one where it stands now."""
        await self.reload()
        await self.go_to_row(row)

    def set_counts(self, counts: dict[int, int]) -> None:
        """How many cases each pane holds."""
        if counts != self._counts:
            self._counts = dict(counts)
            self._lay_out()

    def on_resize(self) -> None:
        """Share the rows out anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        counts = {
            pane: max(self._counts.get(int(pane), 0), len(cases.rows)) if cases.rows else 0
            for pane, cases in self._lists.items()
        }
        given = share(counts, self.size.height - len(Priority))
        for pane, cases in self._lists.items():
            cases.display = given[pane] > 0
            if given[pane]:
                cases.styles.height = given[pane]
            self._heads[pane].set(self._heading(pane, counts[pane], given[pane]))

    def _heading(self, pane: Priority, count: int, shown: int) -> tuple[tuple[str, str], ...]:
        text = f"{int(pane) + 1} {pane.name} ({count}) "
        more = f" + {count - shown} more" if count > shown else ""
        line = text + "-" * max(0, self.size.width - cells(text) - cells(more)) + more
        return plain(line, "bold" if pane is self.active else "plain")

    def tick(self) -> None:
        """Repaint the rows whose time left has changed."""
        for cases in self._lists.values():
            cases.tick()

    # -- moving ---------------------------------------------------------------------------------

    def activate(self, pane: Priority | None) -> None:
        """Bring the cursor into a pane."""
        if pane is not None:
            self.active = pane
        for other, cases in self._lists.items():
            cases.set_cursor(shown=other is self.active)
        self._lay_out()
        self.post_message(CaseList.Moved(self.current))

    def _filled(self, start: Priority, step: int) -> Priority | None:
        """The nearest pane that has cases, from this one on."""
        way = range(int(start), len(Priority)) if step > 0 else range(int(start), -1, -1)
        return next((Priority(one) for one in way if self._lists[Priority(one)].rows), None)

    async def move(self, step: int) -> None:
        """Move the cursor by some cases, over into the next pane at an end."""
        here = self._lists[self.active]
        before = self.current
        await here.move(step)
        if self.current is not before:
            return
        beyond = int(self.active) + (1 if step > 0 else -1)
        if not 0 <= beyond < len(Priority):
            return
        pane = self._filled(Priority(beyond), step)
        if pane is None:
            return
        if step > 0:
            await self._lists[pane].to_top()
        else:
            await self._lists[pane].to_bottom()
        self.activate(pane)

    async def move_page(self, pages: int) -> None:
        """Move the cursor by the height of its pane."""
        await self.move(pages * max(1, self._lists[self.active].size.height - 1))

    async def to_top(self) -> None:
        """Go to the first case of all."""
        pane = self._filled(Priority.URGENT, 1)
        if pane is not None:
            await self._lists[pane].to_top()
            self.activate(pane)

    async def to_bottom(self) -> None:
        """Go to the last case of all."""
        pane = self._filled(Priority.WATCH, -1)
        if pane is not None:
            await self._lists[pane].to_bottom()
            self.activate(pane)

    async def go_to_row(self, row: CaseRow) -> None:
        """Go to a case, in its pane."""
        await self._lists[row.priority].go_to_row(row)
        self.activate(row.priority)

    # -- marks ----------------------------------------------------------------------------------

    def toggle_mark(self) -> None:
        """Mark the case under the cursor, or take its mark off."""
        self._lists[self.active].toggle_mark()

    def toggle_range(self) -> None:
        """Begin to mark with each move, or end it."""
        self._lists[self.active].toggle_range()

    def clear_marks(self) -> None:
        """Take all marks off."""
        for cases in self._lists.values():
            cases.clear_marks()
