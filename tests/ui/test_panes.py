"""The panes of the widest screens: room for each, one cursor over all."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from carerespond.domain.models import CaseRow, CaseState, Priority
from carerespond.ui.case_list import CaseList, Fetch, Looks
from carerespond.ui.lines import TextLine
from carerespond.ui.panes import LEAST_ROWS, Panes, share

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
COUNTS = st.dictionaries(st.sampled_from(list(Priority)), st.integers(0, 400))


@given(COUNTS, st.integers(0, 80))
def test_no_pane_has_more_rows_than_cases_and_no_room_is_wasted(
    counts: dict[Priority, int], rows: int
) -> None:
    given_rows = share(counts, rows)
    assert all(given_rows[pane] <= counts.get(pane, 0) for pane in Priority)
    if rows >= LEAST_ROWS * len(Priority):
        assert sum(given_rows.values()) == min(rows, sum(counts.values()))


@given(COUNTS, st.integers(15, 80))
def test_a_full_pane_never_pushes_another_out(counts: dict[Priority, int], rows: int) -> None:
    given_rows = share(counts, rows)
    for pane, count in counts.items():
        assert given_rows[pane] >= min(count, LEAST_ROWS)


def row(case_id: int, pane: Priority) -> CaseRow:
    return CaseRow(
        case_id,
        "x",
        f"person{case_id}",
        "",
        f"words of {case_id}",
        NOW,
        pane,
        1.0,
        CaseState.OPEN,
        rank=(int(pane), 0, 1.0, -case_id, -case_id),
    )


class PanesApp(App[None]):
    def __init__(self, counts: dict[Priority, int]) -> None:
        super().__init__()
        self.moved = 0
        self.rows: dict[Priority, list[CaseRow]] = {pane: [] for pane in Priority}
        for pane, count in counts.items():
            self.rows[pane] = [row(1000 * int(pane) + n, pane) for n in range(count)]
        looks = Looks(lambda: "Asha", lambda: NOW, {})
        self.panes = Panes(looks, self.fetch_of)

    def fetch_of(self, pane: Priority) -> Fetch:
        async def fetch(
            after: CaseRow | None, before: CaseRow | None, limit: int
        ) -> Sequence[CaseRow]:
            rows = self.rows[pane]
            start = rows.index(after) + 1 if after else 0
            end = rows.index(before) if before else len(rows)
            return rows[start:end][-limit:] if before else rows[start:end][:limit]

        return fetch

    def compose(self) -> ComposeResult:
        yield self.panes

    def on_case_list_moved(self) -> None:
        self.moved += 1

    async def on_mount(self) -> None:
        self.panes.set_counts({int(pane): len(rows) for pane, rows in self.rows.items()})
        await self.panes.load()


def handle(app: PanesApp) -> str:
    row = app.panes.current
    return row.handle if row is not None else ""


def headings(app: PanesApp) -> list[str]:
    return [line.text.split(" -")[0].strip() for line in app.query(TextLine)]


async def test_every_pane_is_headed_and_an_empty_one_is_its_heading_alone() -> None:
    app = PanesApp({Priority.URGENT: 2, Priority.SOON: 50})
    async with app.run_test(size=(76, 30)):
        assert headings(app) == ["1 URGENT (2)", "2 TODAY (0)", "3 SOON (50)", "4 PRAISE (0)",
                                 "5 WATCH (0)"]  # fmt: skip
        shown = {pane: one.display for pane, one in zip(Priority, app.query(CaseList), strict=True)}
        assert [pane for pane, is_shown in shown.items() if is_shown] == [
            Priority.URGENT,
            Priority.SOON,
        ]
        assert "+ 27 more" in next(line.text for line in app.query(TextLine) if "SOON" in line.text)


async def test_the_cursor_goes_over_the_edge_of_a_pane_and_back() -> None:
    app = PanesApp({Priority.URGENT: 2, Priority.SOON: 3})
    async with app.run_test(size=(76, 30)):
        for wanted in ("person1", "person2000", "person2001", "person2002", "person2002"):
            await app.panes.move(1)
            assert handle(app) == wanted
        for wanted in ("person2001", "person2000", "person1", "person0", "person0"):
            await app.panes.move(-1)
            assert handle(app) == wanted


async def test_one_cursor_is_drawn_and_marks_of_all_panes_count() -> None:
    app = PanesApp({Priority.URGENT: 2, Priority.SOON: 3})
    async with app.run_test(size=(76, 30)):
        app.panes.toggle_mark()
        await app.panes.to_bottom()
        app.panes.toggle_mark()
        assert app.panes.marks == {0, 2002}
        drawn = [
            one.render_line(y).text for one in app.query(CaseList) for y in range(one.size.height)
        ]
        assert sum(line.startswith(">") for line in drawn) == 1
        assert sum(line[1] == "*" for line in drawn) == 2
        app.panes.clear_marks()
        assert app.panes.marks == set()


async def test_when_the_last_case_of_a_pane_goes_the_cursor_goes_on() -> None:
    app = PanesApp({Priority.URGENT: 1, Priority.TODAY: 2})
    async with app.run_test(size=(76, 30)):
        app.rows[Priority.URGENT] = []
        await app.panes.reload()
        assert handle(app) == "person1000"
