"""The inbox on the screen: lays it out, moves in it, follows what changes, and ends tidily.

The first rows are read before the loop starts; all that is not needed for them (the networks, the
composer, listening) comes up after they are painted.
"""

import asyncio
import contextlib
import gc
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult, ScreenStackError
from textual.binding import BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from carerespond.domain.errors import CarerespondError, NotKeptError, StorageError
from carerespond.domain.models import (
    CaseFilter,
    CaseRow,
    CaseState,
    Priority,
    SendState,
    Source,
    Spend,
)
from carerespond.domain.text import clean
from carerespond.services.inbox import CaseView, Counts, FeedBatch
from carerespond.ui import headlines
from carerespond.ui.case_list import PAGE, CaseList, Fetch, Looks
from carerespond.ui.commands import BROWSE, apply_overrides, bound, by_name, footer_line, key_label
from carerespond.ui.desk import Desk, Working
from carerespond.ui.in_turn import InTurn
from carerespond.ui.lines import Edge, Line, Page, TextLine, wrapped
from carerespond.ui.quiet import QuietDriver

if TYPE_CHECKING:
    from carerespond.ui.answering import Answering
    from carerespond.ui.panes import Panes
    from carerespond.ui.verbs import Verbs

WIDE, HUGE, TALL = 120, 200, 24
PREVIEW_SECONDS = 0.06
HEADER_SECONDS = 60.0
SAY_SECONDS = 12.0
SETTLE_SECONDS = 1.0
FILLING_SECONDS = 10.0  # in which an empty list fills itself at the start
NEVER_HELD = ("quit", "redraw", "help")
FOLLOW_AGAIN_SECONDS = 5.0
QUIET_SECONDS = 0.1  # without a key: whatever had been read before the end has arrived
RECENT = timedelta(seconds=5)

# What drawing meets when the program is ending and its screens are gone already.
_GONE = (NoMatches, IndexError, ScreenStackError)

Handler = Callable[[], Awaitable[None]]
Work = Callable[[], Coroutine[None, None, None]]


class _Board(Screen[None]):
    """The inbox's screen, with the keys of browsing: a screen sees Tab before an application."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._bindings = bound(self._bindings, *BROWSE, overrides=keys, first=True)


class CarerespondApp(App[int]):
    """One person's inbox."""

    CSS = """
    Screen { layout: vertical; background: $background; }
    #body { height: 1fr; layout: vertical; }
    #cases { height: 45%; min-height: 4; }
    #detail { height: 1fr; }
    .wide #body { layout: horizontal; }
    .wide #cases { width: 60; height: 1fr; }
    .wide #edge { display: block; }
    .wide #detail { width: 1fr; height: 1fr; }
    .wide #columns { display: none; }
    .huge #cases { width: 84; }
    .huge #panes { width: 76; }
    .huge #rail { display: block; width: 44; height: 1fr; border-left: ascii $foreground 40%; }
    #rail { display: none; }
    #edge { display: none; }
    #panes { display: none; }
    .paned #panes { display: block; }
    .paned.wide #cases, .paned.wide.reading #cases { display: none; }
    .reading #cases { display: none; }
    .reading #columns { display: none; }
    .wide.reading #cases { display: block; }
    .low #holds { display: none; }
    .lean #detail { display: none; }
    .lean #edge { display: none; }
    .lean #cases { height: 1fr; width: 1fr; }
    #detail .line--dim { color: $text-muted; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, desk: Desk, *, preview: bool = True) -> None:
        theme = desk.theme
        super().__init__(QuietDriver, ansi_color=theme.ansi or None)
        self.register_theme(theme)
        self.theme = theme.name
        self.desk = desk
        self.working: Working | None = None
        self.answering: Answering | None = None
        self.counts: Counts = desk.inbox.counts_now()
        self._preview = preview
        self.table = apply_overrides(desk.config.keys, desk.config_file)
        self._bindings = bound(self._bindings, "all", overrides=desk.config.keys)
        self._begin_state()
        looks = Looks(
            desk.operator,
            desk.now,
            dict(desk.config.reply_minutes),
            desk.config.ascii_only,
            desk.config.hours,
        )
        self._looks = looks
        self._list = CaseList(looks, self._fetch, id="cases")
        self._panes: Panes | None = None
        self.cases: CaseList | Panes = self._list
        self.detail = Page(id="detail")
        self.rail = Page(id="rail")
        self._moves: dict[str, Handler] = self._movements()

    def _begin_state(self) -> None:
        """Everything that changes while it runs."""
        self._filter = CaseFilter()
        self._found: list[CaseRow] | None = None
        self._words = ""
        self._seek = ""
        self._reading = False
        self._under_way: set[int] = set()
        self._held = 0
        self._ended_part = ""
        self._needs = 0
        self._sources: Sequence[Source] = ()
        self._spend: Spend | None = None
        self._late = self._here = 0
        self._seen = 0
        self._said = self._above = ""  # what was said last; what of it did not fit on its row
        self._save_now: Callable[[], None] = _nothing
        self._verbs: Verbs | None = None
        self._settled = asyncio.Event()
        self._detail_of: int | None = None
        self._leaves = False
        self._countdown: Timer | None = None
        self._hush: Timer | None = None
        self._soon: Timer | None = None
        self._failure: BaseException | None = None
        self._heard = 0
        self._is_ending = False
        self._is_asking = False
        self._carrying = 0
        self._in_turn = InTurn(
            self, super().on_event, self._beside, lambda: self._carrying > 0, self.say
        )

    def get_default_screen(self) -> Screen[None]:
        """The inbox."""
        return _Board(self.desk.config.keys)

    def compose(self) -> ComposeResult:
        """The rows of the screen, from the top."""
        self._dress()  # while there is nothing yet that would be styled again
        yield TextLine(id="head")
        yield TextLine(id="lanes")
        yield TextLine(id="columns")
        with Container(id="body"):
            yield self._list
            yield Edge(id="edge")
            yield self.detail
            yield self.rail
        yield TextLine(id="holds")
        yield TextLine(id="status")
        yield TextLine(id="verbs")

    # -- start ----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Show the first rows; everything else comes after them."""
        self._place()
        self._seen = self.desk.inbox.newest_now()
        rows = self.desk.inbox.first_page(self._filter, PAGE)
        self._list.set_counts(self._pane_counts())
        self._list.show(rows, at_end=len(rows) < PAGE)
        self._draw_head()
        self.call_after_refresh(self._start_rest)

    def end_by_signal(self, number: int) -> None:
        """Save what was typed and end, as a hang-up or a request to end wants it."""
        with contextlib.suppress(CarerespondError):
            self._save_now()
        if not self._is_ending:
            self._is_ending = True
            self._beside(partial(self._end_once_quiet, 128 + number), "end")

    async def _end_once_quiet(self, code: int) -> None:
        """End when every key that was read has reached the text; keys take a way of several queues.

        Somebody who goes on typing does not keep the program from ending.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                heard = -1
                while heard != self._heard:
                    heard = self._heard
                    await asyncio.sleep(QUIET_SECONDS)
                    await self._in_turn.done()
                    await self._keys_done()
        self.exit(code)

    async def _keys_done(self) -> None:
        """Wait, for a while at most, until keys given to whatever has the focus have acted."""
        done = asyncio.Event()
        with contextlib.suppress(TimeoutError, ScreenStackError):
            async with asyncio.timeout(SETTLE_SECONDS):
                if (self.focused or self.screen).call_later(done.set):
                    await done.wait()

    def exit(self, result: int | None = None, return_code: int = 0, message: Any = None) -> None:
        """Leave, with what is being typed saved."""
        self._is_ending = True
        with contextlib.suppress(CarerespondError):
            self._save_now()
        super().exit(result, return_code, message)

    def _start_rest(self) -> None:
        if not gc.isenabled():
            gc.freeze()  # what is loaded stays: it is never looked through again
            gc.enable()
        self._beside(self._start, "start")

    def _beside(self, work: Work, group: str, *, exclusive: bool = False) -> None:
        """Run something beside the screens; `exclusive` ends what still runs in its group.

        Handed over as a function: of what is ended before its first step no coroutine is left.
        """
        begin: Callable[..., Worker[None]] = self.run_worker
        begin(work, group=group, exclusive=exclusive)

    async def _start(self) -> None:
        try:
            from carerespond.ui.verbs import Verbs

            self._verbs = verbs = Verbs(self)
            if not self.desk.look_only:
                self.working = await self.desk.start(self._part_failed)
                self.working.resorting.tell(self.say)
                self._begin_answering(self.working, verbs)
        except CarerespondError as error:
            self.say(str(error))
        for notice in self.desk.notices:
            self.say(notice)
        self.set_interval(HEADER_SECONDS, self._tick)
        self.set_timer(FILLING_SECONDS, self._list.hold)
        self._beside(self._follow, "follow")
        async with self._shown():
            await self._read_header()
        if self._needs:
            self.say(
                f"{self._needs} of our answers need somebody: {self._key('outbox')} shows them"
            )

    def _begin_answering(self, working: Working, verbs: "Verbs") -> None:
        from carerespond.ui.answering import Answering

        self.answering = Answering(
            self,
            working.composer,
            self.desk.inbox,
            self.desk.config,
            register=self._keep_by,
            discarded=verbs.discarded,
            queued=self._under_way.add,
            keys_held=self.keys_held,
            say=self.say,
        )

    def _keep_by(self, save_now: Callable[[], None]) -> None:
        self._save_now = save_now

    def _part_failed(self, error: BaseException) -> None:
        """Something beside the screens has ended that should not."""
        if isinstance(error, CarerespondError):
            self.say(str(error))
            return
        where = self.desk.report(error)
        self._ended_part = "a part has stopped: restart"
        self.say(
            f"A part of the program has stopped; a report is in {where}. Restart when you can."
        )
        self._draw_head()

    # -- layout ---------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Choose the layout for the size, once Textual has taken note of it."""
        self.call_later(self._resized)

    def _resized(self) -> None:
        self._place()
        self._draw_head()
        self.call_after_refresh(self._draw_detail_again)

    def _dress(self) -> None:
        """Tell the style sheet the size and the mode."""
        width = self.size.width
        body = self.screen_stack[0]
        body.set_class(width >= WIDE, "wide")
        body.set_class(width >= HUGE, "huge")
        self._set_low()
        body.set_class(self._reading, "reading")
        body.set_class(not self._preview, "lean")

    def _place(self) -> None:
        self._dress()
        has_all = self._filter.priority is None and self._found is None
        self._list.set_grouped(self.is_wide and has_all)
        if (self.size.width >= HUGE and has_all) != (self.cases is self._panes):
            self._beside(partial(self._change_lists, self.current), "lists", exclusive=True)

    def _set_low(self) -> None:
        """Save a row where there are few, unless something has to be read there."""
        with contextlib.suppress(IndexError):
            self.screen_stack[0].set_class(self.size.height < TALL and not self._above, "low")

    async def _change_lists(self, row: CaseRow | None = None) -> None:
        """One list, or a pane for each priority where there is room; the cursor on this case."""
        has_all = self._filter.priority is None and self._found is None
        is_paned = self.size.width >= HUGE and has_all
        if is_paned:
            self.cases = await self._to_panes()
        elif self.cases is not self._list:
            self.cases = self._list
            self._list.set_counts(self._pane_counts())
            await self._list.reload()
        self.screen_stack[0].set_class(is_paned, "paned")
        if row is not None and self.current != row:
            await self.cases.go_to_row(row)
        self._draw_head()

    async def _to_panes(self) -> "Panes":
        from carerespond.ui.panes import Panes

        if self._panes is None:
            self._panes = Panes(self._looks, self._fetch_of, id="panes")
            await self.screen_stack[0].query_one("#body").mount(self._panes, before=0)
        self._panes.set_counts(self._pane_counts())
        await self._panes.load()
        return self._panes

    @property
    def is_wide(self) -> bool:
        """Whether list and detail stand side by side."""
        return self.size.width >= WIDE

    def _key(self, name: str) -> str:
        return key_label(by_name(name, self.table).keys[0])

    def _line(self, name: str) -> TextLine:
        return self.screen_stack[0].query_one(f"#{name}", TextLine)

    def _put(self, name: str, line: Line | str) -> None:
        """Show one of the fixed rows; nothing when the screens are gone: the program is ending."""
        with contextlib.suppress(IndexError, NoMatches):
            self._line(name).set(line)

    def _draw_head(self) -> None:
        width, desk = self.size.width, self.desk
        heading = headlines.Heading(
            desk.title,
            desk.config.organisation,
            desk.operator(),
            self._here,
            self._late,
            self._spend,
            self._sources,
            self._ended_part or (self.working.listening.problem() if self.working else ""),
            desk.look_only,
            self._needs,
        )
        self._put("head", headlines.first_line(heading, width, desk.now()))
        chosen = self._panes.active if self._panes is self.cases else self._filter.priority
        marked = len(self.cases.marks)
        self._put(
            "lanes", headlines.lanes_line(self.counts, chosen, marked, width, self._narrowed())
        )
        self._put("columns", headlines.columns_line(width))
        self._put("verbs", " " + footer_line(BROWSE, width - 2, self.table))
        self._draw_holds()

    def _narrowed(self) -> str:
        if self._found is not None:
            return f"search: {clean(self._words)} ({len(self._found)})"
        if self._filter.query:
            return f"filter: {clean(self._filter.query)}"
        return ""

    def _draw_holds(self) -> None:
        row = self.current
        text = ""
        if row is not None and row.writing and row.writing != self.desk.operator():
            text = f"{clean(row.writing)} is writing to @{clean(row.handle)}"
        elif row is not None and row.owner:
            who = "you hold" if row.owner == self.desk.operator() else f"{clean(row.owner)} holds"
            text = f"{who} the case of @{clean(row.handle)}"
        above = headlines.notice(f"  {self._above}") if self._above else None
        self._put("holds", above or (f"~ {text}" if text else ""))

    def say(self, text: str) -> None:
        """Show one line to the person, for a while."""
        self._said = clean(text).replace("\n", " ")
        if self._hush is not None:
            self._hush.stop()
        self._hush = self.set_timer(SAY_SECONDS, self._hushed)
        self._draw_status("")

    def _hushed(self) -> None:
        self._said = ""
        self._draw_status("")
        self._count_down()

    def _draw_status(self, sending: str) -> None:
        above, line = headlines.notices(sending, self._said, self.size.width - 2)
        self._put("status", headlines.notice(f"  {line}"))
        if above != self._above:
            self._above = above
            self._draw_holds()
            self._set_low()

    # -- header, detail, pending ----------------------------------------------------------------

    async def _read_header(self) -> None:
        inbox = self.desk.inbox
        # Asked for together: the reader's thread wakes up once for all of them.
        self.counts, self._late, here, needy = await asyncio.gather(
            inbox.counts(), inbox.late(), inbox.here(), inbox.waiting_for_person()
        )
        recent = self.desk.now() - RECENT
        self._here = sum(one.expires_at > recent for one in here)
        self._needs = len(needy)
        if self.working is not None:
            self._sources = await self.working.listening.sources()
            self._spend = await self.working.listening.spend()
        self.cases.set_counts(self._pane_counts())
        self._draw_head()

    def _pane_counts(self) -> dict[int, int]:
        state = self._filter.state.value
        return {int(pane): self.counts.get((state, int(pane)), 0) for pane in Priority}

    def _tick(self) -> None:
        self.cases.tick()
        self._beside(self._tick_over, "tick", exclusive=True)

    async def _tick_over(self) -> None:
        async with self._shown():
            if self.working is not None:
                await self.working.resorting.look()
            if not self.desk.look_only:
                await self.desk.inbox.wake_due()
            await self._read_header()

    def on_case_list_moved(self) -> None:
        """Show the case under the cursor once the cursor rests."""
        if self.cases.in_range or self.cases is self._panes:
            self._draw_head()  # so many are marked now; the cursor is in this pane
        self._draw_holds()
        if self._preview or self._reading:
            if self._soon is not None:
                self._soon.stop()
            self._soon = self.set_timer(PREVIEW_SECONDS, self._draw_detail_again)

    def _draw_detail_again(self) -> None:
        if self._preview or self._reading:
            self._beside(self._draw_detail, "detail", exclusive=True)

    async def _draw_detail(self) -> None:
        row = self.current
        if row is None:
            self._detail_of = None
            self.detail.set(wrapped(self._no_case(), self.detail.size.width - 2, "dim", "  "))
            await self._draw_rail(None)
            return
        from carerespond.ui.detail import Frame, case_lines, head_lines

        async with self._shown():
            view = await self.desk.inbox.open_case(row.case_id)
            config = self.desk.config
            frame = Frame(
                width=max(20, self.detail.size.width),
                now=self.desk.now(),
                is_wide=self.is_wide,
                searches={f"search:{one.search_id}": one.name for one in config.searches}
                | {f"mentions:{one.account_id}": "mentions" for one in config.accounts},
                services={one.service_id: one.name for one in config.services},
            )
            keep = self._detail_of == row.case_id
            self._detail_of = row.case_id
            self.detail.set(case_lines(view, frame), keep_place=keep, head=head_lines(view, frame))
            await self._draw_rail(view)

    async def _draw_rail(self, view: CaseView | None) -> None:
        if self.size.width < HUGE:
            return
        from carerespond.ui.rail import Beside, rail_lines

        inbox, now = self.desk.inbox, self.desk.now()
        beside = Beside(
            view,
            [one for one in await inbox.here() if one.expires_at > now - RECENT],
            await inbox.waiting_for_person(),
            await self.working.composer.drafts() if self.working else [],
            self._sources,
            self._spend,
            self.desk.operator(),
            now,
        )
        width = max(20, self.rail.size.width)
        self.rail.set(rail_lines(beside, self.desk.config.rail, width), keep_place=True)

    def _no_case(self) -> str:
        """What to do where there is nothing to read."""
        if self._narrowed():
            return f"{self._key('back')} shows every case again."
        health, check = self._key("health"), self._key("check_now")
        return (
            f"No case here. '{health}' shows what is listened to, '{check}' asks the networks now."
        )

    async def _read_pending(self) -> None:
        """The waiting answer, counted down once a second while there is one."""
        waiting = await self.desk.inbox.pending()
        await self._tell_ends([row.outbox_id for row in waiting])
        left = None
        if waiting and self.working is not None:
            left = self.working.composer.seconds_left(waiting[-1].outbox_id)
        self._draw_status(headlines.sending_line(waiting, left, self._key("undo")))
        if waiting and self._countdown is None:
            self._countdown = self.set_interval(1.0, self._count_down)
        elif not waiting and self._countdown is not None:
            self._countdown.stop()
            self._countdown = None
        if self._leaves and not self._under_way:
            self.exit(0)

    async def _tell_ends(self, waiting: Sequence[int]) -> None:
        """Say how each answer that was counted down here has ended."""
        self._under_way.update(waiting)
        left = self._under_way.difference(waiting)
        for row in await self.desk.inbox.sends(sorted(left)):
            if row.state not in (SendState.QUEUED, SendState.SENDING):
                self._under_way.discard(row.outbox_id)
                self._leaves = self._leaves and row.state is SendState.SENT
                if row.state is not SendState.TAKEN_BACK:
                    self.say(headlines.ended_line(row))

    def _count_down(self) -> None:
        self._beside(self._count_down_once, "pending", exclusive=True)

    async def _count_down_once(self) -> None:
        async with self._shown():
            await self._read_pending()

    # -- what changes by itself -----------------------------------------------------------------

    async def _follow(self) -> None:
        """Take in what this or any other process has committed, whatever hinders reading."""
        since: int | None = self._seen
        while self.is_running:
            try:
                async for batch in self.desk.inbox.follow(since):
                    await self._take_in(batch)
            except StorageError as error:
                self.say(str(error))
            await asyncio.sleep(FOLLOW_AGAIN_SECONDS)
            since = None
            async with self._shown():
                await self._take_in(FeedBatch(everything=True))

    async def _take_in(self, batch: FeedBatch) -> None:
        if batch.rules and self.working is not None:
            await self.working.resorting.look()
        if batch.case_ids or batch.everything:
            await self._reload(follow=batch.rules)
        if batch.outbox or batch.everything:
            await self._read_pending()
        row = self.current
        is_beside = self.size.width >= HUGE and (batch.outbox or batch.drafts)
        if row is not None and (batch.everything or is_beside or row.case_id in batch.case_ids):
            self._draw_detail_again()
        await self._read_header()

    async def _reload(self, *, follow: bool = False) -> None:
        """Read what is shown anew; with `follow` the cursor goes with its case."""
        if self._found is not None:
            rows = await self.desk.inbox.rows([row.case_id for row in self._found])
            by_id = {row.case_id: row for row in rows}
            self._found = [by_id[r.case_id] for r in self._found if r.case_id in by_id]
        row = self.current if follow else None
        moved = await self.desk.inbox.rows([row.case_id]) if row is not None else []
        if row is None or self.current is not row or not moved or moved[0].rank == row.rank:
            await self.cases.reload()
        elif self._shows(moved[0]):
            await self.cases.follow(moved[0])
        else:
            await self.cases.reload()

    def _shows(self, row: CaseRow) -> bool:
        """Whether a case that the rules have moved is still in the list that is shown."""
        return self._found is not None or self._filter.priority in (None, row.priority)

    @contextlib.asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """Problems of reading are shown, and the screen stays usable."""
        try:
            yield
        except StorageError as error:
            self.say(str(error))

    async def changed(self) -> None:
        """Read again what a verb has changed, and take the marks off."""
        self.cases.clear_marks()
        await self._reload()
        await self._read_pending()
        await self._read_header()
        self._draw_detail_again()

    # -- lists ----------------------------------------------------------------------------------

    async def _fetch(
        self, after: CaseRow | None, before: CaseRow | None, limit: int
    ) -> Sequence[CaseRow]:
        if self._found is not None:
            return _part(self._found, after, before, limit)
        return await self.desk.inbox.page(self._filter, after=after, before=before, limit=limit)

    def _fetch_of(self, pane: Priority) -> Fetch:
        """Reads one pane's cases of the list that is shown."""

        async def fetch(
            after: CaseRow | None, before: CaseRow | None, limit: int
        ) -> Sequence[CaseRow]:
            wanted = replace(self._filter, priority=pane)
            return await self.desk.inbox.page(wanted, after=after, before=before, limit=limit)

        return fetch

    async def _show(
        self,
        wanted: CaseFilter,
        found: list[CaseRow] | None = None,
        *,
        at: CaseRow | None = None,
    ) -> None:
        """Show another list, from its beginning or with the cursor on a case of it."""
        self._filter, self._found = wanted, found
        self.cases.clear_marks()
        self._place()
        rows = await self._fetch(None, None, PAGE)
        self._list.empty = "Nothing here." if wanted == CaseFilter() else "Nothing matches. q: back"
        self._list.set_counts(self._pane_counts())
        self._list.show(rows, at_end=len(rows) < PAGE)
        await self._change_lists(at)

    async def jump(self, case_id: int) -> None:
        """Bring a case under the cursor, whatever list it is in."""
        rows = await self.desk.inbox.rows([case_id])
        if rows:
            await self._show(CaseFilter(state=rows[0].state, query=_state_query(rows[0].state)))
            await self.cases.go_to_row(rows[0])

    @property
    def current(self) -> CaseRow | None:
        """The case under the cursor."""
        return self.cases.current

    @property
    def marked(self) -> set[int]:
        """The marked cases."""
        return self.cases.marks

    # -- commands -------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Count keys; take Esc and a letter apart that arrived as one key.

        tmux and screen hold Esc back for up to half a second, and give it out with the next key as
        Alt and that key. No command has such a key.
        """
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._heard += 1
        for key in _apart(event):
            await self._in_turn.take(key)

    async def action_run(self, name: str) -> None:
        """Run a command of the table.

        A movement happens at once. A verb may ask something: the next key waits until it has
        asked, or has ended, so that typing ahead never reaches the wrong place.
        """
        self._list.hold()
        if self._held and len(self.screen_stack) == 1 and name not in NEVER_HELD:
            self.say("still opening: that key was not used")
            return
        if name in self._moves:
            async with self._shown():
                await self._moves[name]()
            return
        self._settled = settled = asyncio.Event()
        self._beside(partial(self._carry_out, name, settled), "verb")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await settled.wait()

    async def push_screen_wait(self, screen: Any, *, mode: str | None = None) -> Any:
        """Show a screen and wait for its answer; from here on keys are its own."""
        self._beside(partial(self._settle_once_up, screen, self._settled), "settle")
        return await super().push_screen_wait(screen, mode=mode)

    async def _settle_once_up(self, screen: Screen[Any], settled: asyncio.Event) -> None:
        """Let keys go on once a screen is up and has the focus, as its own queue knows."""
        with contextlib.suppress(TimeoutError, ScreenStackError):
            async with asyncio.timeout(SETTLE_SECONDS):
                while not screen.is_current:  # noqa: ASYNC110  # Textual has no event for it
                    await asyncio.sleep(0)
        if not screen.call_later(settled.set):
            settled.set()

    @contextlib.contextmanager
    def keys_held(self) -> Iterator[None]:
        """Meanwhile no key is a command of the list: it is meant for a screen on its way."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    async def _carry_out(self, name: str, settled: asyncio.Event) -> None:
        self._carrying += 1
        try:
            await self._command(name)()
        except CarerespondError as error:
            self.say(str(error))
        finally:
            self._carrying -= 1
            settled.set()

    def _command(self, name: str) -> Handler:
        views: dict[str, Handler] = {
            "find": self._ask_find,
            "filter": self._ask_filter,
            "search": self._ask_search,
            "help": self._help,
            "palette": self._palette,
            "quit": self._quit,
        }
        if name in views:
            return views[name]
        if self._verbs is None:
            return self._too_early
        renamed = {"raise": "raise_priority", "lower": "lower_priority"}
        handler: Handler = getattr(self._verbs, renamed.get(name, name))
        return handler

    async def _too_early(self) -> None:
        self.say("still starting: try again in a moment")

    def _movements(self) -> dict[str, Handler]:
        lanes: dict[str, Handler] = {
            f"lane_{int(pane) + 1}": self._lane_of(pane) for pane in Priority
        }
        return {
            **lanes,
            "lane_all": self._lane_of(None),
            "lane_left": lambda: self._lane_by(-1),
            "lane_right": lambda: self._lane_by(1),
            "down": lambda: self.cases.move(1),
            "up": lambda: self.cases.move(-1),
            "page_down": lambda: self.cases.move_page(1),
            "page_up": lambda: self.cases.move_page(-1),
            "top": self._to_top,
            "bottom": self._to_bottom,
            "next_waiting": lambda: self._waiting(1),
            "prev_waiting": lambda: self._waiting(-1),
            "open": self._open,
            "mark": self._mark,
            "mark_range": self._mark_range,
            "find_next": lambda: self._find(1),
            "find_prev": lambda: self._find(-1),
            "back": self._back,
            "redraw": self._redraw,
            "next_pane": self._toggle_reading,
            "prev_pane": self._toggle_reading,
            "scroll_detail_down": lambda: self._scroll(1),
            "scroll_detail_up": lambda: self._scroll(-1),
        }

    def _lane_of(self, pane: Priority | None) -> Handler:
        async def show() -> None:
            if self._panes is None or self.cases is not self._panes:
                await self._show(replace(self._filter, priority=pane))
            elif pane is None:
                await self._panes.to_top()
            else:
                self._panes.activate(pane)
            self._draw_head()

        return show

    async def _lane_by(self, step: int) -> None:
        if self._panes is not None and self.cases is self._panes:
            self._panes.activate(Priority((self._panes.active + step) % len(Priority)))
            self._draw_head()
            return
        lanes: list[Priority | None] = [*Priority, None]
        here = lanes.index(self._filter.priority)
        await self._show(replace(self._filter, priority=lanes[(here + step) % len(lanes)]))

    async def _to_top(self) -> None:
        await self.cases.to_top()

    async def _to_bottom(self) -> None:
        await self.cases.to_bottom()

    async def _waiting(self, step: int) -> None:
        """The next case that nobody is on and nothing was sent to."""
        seen = self.current
        while seen is not None:
            await self.cases.move(step)
            row = self.current
            if row is None or row.case_id == seen.case_id:
                self.say("no further case waits for an answer here")
                return
            if row.owner in (None, "", self.desk.operator()) and not row.send_state:
                return
            seen = row

    async def _open(self) -> None:
        row = self.current
        if row is None:
            return
        self._reading = True
        self._place()
        self._draw_detail_again()
        if not self.desk.look_only:
            await self.desk.inbox.read(row.case_id)

    async def _toggle_reading(self) -> None:
        self._reading = not self._reading
        self._place()
        self.call_after_refresh(self._draw_detail_again)

    async def _scroll(self, step: int) -> None:
        self.detail.scroll_lines(step)

    async def _mark(self) -> None:
        self.cases.toggle_mark()
        await self.cases.move(1)
        self._draw_head()

    async def _mark_range(self) -> None:
        self.cases.toggle_range()
        if self.cases.in_range:
            self.say("marking: move, then v ends it")
        self._draw_head()

    async def _redraw(self) -> None:
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    async def _back(self) -> None:
        """Leave what is open, one thing at a time."""
        if self.cases.in_range:
            self.cases.toggle_range()
        elif self.cases.marks:
            self.cases.clear_marks()
            self._draw_head()
        elif self._reading:
            await self._toggle_reading()
        elif self._found is not None or self._filter.query:
            await self._show(CaseFilter(priority=self._filter.priority), at=self._open_here())
        elif self._filter.priority is not None:
            await self._show(CaseFilter(), at=self._open_here())
        else:
            self.say(f"{self._key('quit')} leaves carerespond")

    def _open_here(self) -> CaseRow | None:
        """The case under the cursor, when it stands in the list of open ones, too."""
        row = self.current
        is_there = row is not None and row.state is CaseState.OPEN
        is_there = is_there and self._filter.priority in (None, row.priority if row else None)
        return row if is_there else None

    # -- finding --------------------------------------------------------------------------------

    async def _ask_line(self, title: str, value: str = "", hint: str = "") -> str | None:
        from carerespond.ui.dialogs import LineScreen

        line: str | None = await self.push_screen_wait(LineScreen(title, value, hint))
        return line

    async def _ask_find(self) -> None:
        words = await self._ask_line("Find in this list", self._seek)
        if words:
            from carerespond.ui.filters import bare

            self._seek = " ".join(map(bare, words.split()))
            await self._find(1)

    async def _find(self, step: int) -> None:
        row = self.current
        if not self._seek or row is None:
            self.say("/ asks what to find")
            return
        if self._found is not None:
            rows = _matching(self._found, self._seek, row, step)
        else:
            wanted = replace(self._filter, words=(*self._filter.words, *self._seek.split()))
            inbox = self.desk.inbox
            rows = list(
                await inbox.page(wanted, after=row, limit=1)
                if step > 0
                else await inbox.page(wanted, before=row, limit=1)
            )
        if rows:
            await self.cases.go_to_row(rows[0])
        else:
            self.say(f"nothing further has {clean(self._seek)} in this list")

    async def _ask_filter(self) -> None:
        from carerespond.ui.filters import HINT, parse_filter

        text = await self._ask_line("Show only cases with", self._filter.query, HINT)
        if text is not None:
            wanted = parse_filter(text, self._filter, self.desk.operator())
            await self._show(wanted)

    async def _ask_search(self) -> None:
        words = await self._ask_line("Search every stored post", self._words)
        if words:
            self._words = words
            found = await self.desk.inbox.search(words)
            await self._show(CaseFilter(query=f"search {words}"), found)

    # -- help, palette, the end -----------------------------------------------------------------

    async def _help(self) -> None:
        from carerespond.ui.help import HelpScreen

        await self.push_screen_wait(HelpScreen(BROWSE, self.table))

    async def _palette(self) -> None:
        from carerespond.ui.palette import CommandScreen

        name: str | None = await self.push_screen_wait(CommandScreen(BROWSE, self.table))
        if name is not None:
            self.call_next(self.action_run, name)

    async def _quit(self) -> None:
        """Leave; while an answer waits, ask once, however often the key is pressed."""
        if self._is_asking:
            return
        self._is_asking = True
        try:
            may_leave = await self._may_leave()
        finally:
            self._is_asking = False
        if may_leave:
            await self._keys_done()
            self.exit(0)

    async def _may_leave(self) -> bool:
        waiting = await self.desk.inbox.pending()
        if not waiting:
            return True
        from carerespond.ui.dialogs import Choice, ChoiceScreen

        choices = [
            Choice("w", "wait until it has gone, then leave", "wait"),
            Choice("k", "leave now; it is not sent, the text is kept as a draft", "leave"),
        ]
        title = f"An answer to @{clean(waiting[-1].handle)} has not gone out yet."
        answer: str | None = await self.push_screen_wait(ChoiceScreen(title, choices))
        if answer == "wait":
            self._leaves = True
            await self._read_pending()
        return answer == "leave"

    async def action_quit(self) -> None:
        """Leave as the command does."""
        await self.action_run("quit")

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open nothing: Textual would start a browser on the host, at an address of a post."""

    def action_help_quit(self) -> None:
        """Ctrl+C never ends the program: it says what does."""
        self.say(f"{self._key('quit')} leaves carerespond")

    def _handle_exception(self, error: Exception) -> None:
        """End on a fault of the program: save, report without names or texts, one line for people.

        Textual would print local variables, among which are people's words and our tokens.
        """
        cause = getattr(error, "error", error)  # of a worker that failed
        if isinstance(error, WorkerCancelled) or (self._exit and isinstance(cause, _GONE)):
            return
        with contextlib.suppress(CarerespondError):
            self._save_now()
        self._return_code = 70
        cause = error.error if isinstance(error, WorkerFailed) else error
        self._failure = self._failure or cause
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    @property
    def failure(self) -> BaseException | None:
        """The fault that has ended the program; None when it ended well."""
        return self._failure

    def unkept(self) -> str:
        """What was typed and, tried once more after the end, cannot be stored; "" when all is."""
        try:
            self._save_now()
        except NotKeptError as error:
            return error.text
        return ""


def _part(
    rows: Sequence[CaseRow], after: CaseRow | None, before: CaseRow | None, limit: int
) -> list[CaseRow]:
    """A stretch of found cases, as `Inbox.page` gives one of a list."""
    ids = [row.case_id for row in rows]
    if after is not None and after.case_id in ids:
        start = ids.index(after.case_id) + 1
        return list(rows[start : start + limit])
    if before is not None:
        end = ids.index(before.case_id) if before.case_id in ids else len(rows)
        return list(rows[max(0, end - limit) : end])
    return list(rows[:limit])


def _matching(rows: Sequence[CaseRow], seek: str, here: CaseRow, step: int) -> list[CaseRow]:
    """The next found case that has the words."""
    ids = [row.case_id for row in rows]
    at = ids.index(here.case_id) if here.case_id in ids else 0
    words = seek.lower().split()
    part = rows[at + 1 :] if step > 0 else rows[:at][::-1]
    for row in part:
        text = f"{row.handle} {row.name} {row.snippet}".lower()
        if all(word in text for word in words):
            return [row]
    return []


def _apart(event: events.Key | events.Paste) -> list[events.Key | events.Paste]:
    """Esc and the key behind it for a key with Alt; else the event as it is."""
    if not (isinstance(event, events.Key) and event.key.startswith("alt+") and event.is_printable):
        return [event]
    character = event.character or ""
    name = character if character.isalnum() else event.key.removeprefix("alt+")
    keys = [events.Key("escape", None), events.Key(name, character)]
    for key in keys:
        key.time = event.time
    return [*keys]


def _state_query(state: CaseState) -> str:
    return "" if state is CaseState.OPEN else f"is:{state.value}"


def _nothing() -> None:
    """There is nothing to save."""
