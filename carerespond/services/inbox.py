"""The inbox: lists of cases, a case in full, every local verb with its undo, and what changes.

Nothing here reaches a network. Each verb is one act in the history, however many cases it touches,
and says in one line what it did.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from carerespond.config import Config, shipped_safety
from carerespond.domain.errors import ConflictError, DangerError, NotAllowedError
from carerespond.domain.models import (
    Case,
    CaseFilter,
    CaseRow,
    CaseState,
    Draft,
    Note,
    Outcome,
    Post,
    Priority,
    Reply,
    Route,
)
from carerespond.domain.safety import SafetyCard, cards_for
from carerespond.networks.base import Network
from carerespond.services.ways import ways
from carerespond.storage import cases, drafts, duty, feed, history, lateness, outbox, placing, posts
from carerespond.storage.database import Database, Transaction
from carerespond.storage.duty import Session
from carerespond.storage.history import Act, Change, Value
from carerespond.storage.times import ms

PAGE = 128
_FEED = 1_000

Counts = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class CaseView:
    """All there is to know of one case.

    Attributes:
        thread: The conversation, the newest last, ours included.
        safety: The cards to show first; empty when no risk holds the case in the urgent pane.
    """

    case: Case
    thread: tuple[Post, ...]
    notes: tuple[Note, ...]
    routes: tuple[Route, ...]
    seen_before: tuple[CaseRow, ...]
    drafts: tuple[Draft, ...]
    sends: tuple[Reply, ...]
    acts: tuple[Act, ...] = ()
    safety: tuple[SafetyCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb did, in words.

    Attributes:
        undo: Whether z takes it back.
        spared: The cases that it left as they were, because they may be about a danger.
    """

    text: str
    case_ids: tuple[int, ...] = ()
    undo: bool = True
    spared: tuple[CaseRow, ...] = ()


@dataclass(slots=True)
class FeedBatch:
    """What has changed since the last batch; `everything` when that is not known in detail."""

    case_ids: set[int] = field(default_factory=set)
    outbox: bool = False
    sources: bool = False
    ledger: bool = False
    drafts: bool = False
    rules: bool = False
    everything: bool = False


class Inbox:
    """Cases as one person at one terminal sees and moves them.

    Args:
        database: Where they are.
        config: Prices, reply times, claims.
        networks: Networks by account, for the ways of answering.
        session: This session, whose acts its undo takes back.
        operator: Who is signed on at the moment.
        now: The present moment.
    """

    def __init__(
        self,
        database: Database,
        config: Config,
        networks: Mapping[str, Network],
        *,
        session: str,
        operator: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._config = config
        self._networks = networks
        self._session = session
        self._operator = operator
        self._now = now

    # -- lists ----------------------------------------------------------------------------------

    def first_page(self, wanted: CaseFilter, limit: int = PAGE) -> list[CaseRow]:
        """The beginning of a list, on this thread: for the first screen."""
        return self._database.fetch_now(cases.page(wanted, limit=limit))

    def counts_now(self) -> Counts:
        """As `counts`, on this thread."""
        return _counted(self._database.fetch_now(cases.counts()))

    async def page(
        self,
        wanted: CaseFilter,
        *,
        after: CaseRow | None = None,
        before: CaseRow | None = None,
        limit: int = PAGE,
    ) -> list[CaseRow]:
        """A stretch of a list in reading order: its beginning, after a row, or before one."""
        query = cases.page(wanted, after=after, before=before, limit=limit)
        found = await self._database.fetch(query)
        return found[::-1] if before is not None else found

    async def rows(self, case_ids: Sequence[int]) -> list[CaseRow]:
        """Lines of some cases, in no order; those that are gone are left out."""
        return await self._database.fetch(cases.rows(case_ids))

    async def counts(self) -> Counts:
        """How many cases there are, by state and priority."""
        return _counted(await self._database.fetch(cases.counts()))

    async def late(self) -> int:
        """How many open cases have waited longer than their pane allows."""
        query = lateness.late(self._config.reply_minutes, self._now(), self._config.hours)
        return (await self._database.fetch(query))[0]

    async def search(self, words: str) -> list[CaseRow]:
        """Cases of any state in whose posts all the words occur, newest first."""
        return await self._database.fetch(posts.search(words))

    async def open_case(self, case_id: int) -> CaseView:
        """A case in full.

        Raises:
            NotAllowedError: There is no such case.
        """
        found = await self._database.fetch(cases.case(case_id))
        if not found:
            raise NotAllowedError(f"There is no case {case_id}.")
        case, fetch = found[0], self._database.fetch
        refusal = await fetch(outbox.last_refusal(case_id))
        return CaseView(
            case=case,
            thread=tuple(await fetch(posts.thread(case.network, case.conversation))),
            notes=tuple(await fetch(cases.notes(case_id))),
            routes=ways(
                self._networks,
                self._config,
                case,
                last_refusal=refusal[0] if refusal else None,
            ),
            seen_before=tuple(
                await fetch(cases.seen_before(case.network, case.author.author_id, case_id))
            ),
            drafts=tuple(await fetch(drafts.drafts_of_case(case_id))),
            sends=tuple(await fetch(outbox.by_case(case_id))),
            safety=cards_for(case.assessment, self._config.safety, shipped_safety()),
        )

    async def acts(self, case_id: int) -> list[Act]:
        """What was done to a case, newest first."""
        return await self._database.fetch(history.acts(case_id))

    async def here(self) -> list[Session]:
        """Who is running a carerespond on this database."""
        return await self._database.fetch(duty.here())

    async def waiting_for_person(self) -> list[Reply]:
        """Sends that only a person can settle."""
        return await self._database.fetch(outbox.waiting_for_person())

    async def recent_sends(self, limit: int = 100) -> list[Reply]:
        """The newest rows of the outbox, newest first."""
        return await self._database.fetch(outbox.recent(limit))

    async def pending(self) -> list[Reply]:
        """What this session is about to send, oldest first."""
        return await self._database.fetch(outbox.pending(self._session))

    async def sends(self, outbox_ids: Sequence[int]) -> list[Reply]:
        """Some rows of the outbox, in the order asked."""
        rows: list[Reply] = []
        for outbox_id in outbox_ids:
            rows += await self._database.fetch(outbox.reply(outbox_id))
        return rows

    async def labels(self) -> list[str]:
        """Every label in use."""
        return await self._database.fetch(cases.labels())

    # -- verbs ----------------------------------------------------------------------------------
    #
    # Done, not about us, mute, later and lower put cases out of sight. On several cases they leave
    # out those that a risk holds in the urgent pane, and say which (`Done.spared`). On one alone
    # such a case raises DangerError, unless `sure`: a person was asked about it by its name.

    async def read(self, case_id: int) -> None:
        """Note that the case was opened; nothing is written when that was known."""
        found = await self._database.fetch(cases.row(case_id))
        if found and (found[0].is_unread or found[0].wrote_again):
            await self._database.write(lambda tx: cases.mark_read(tx, case_id, self._now()))

    async def done(self, case_ids: Sequence[int], outcome: Outcome, *, sure: bool = False) -> Done:
        """Close cases with an outcome."""
        return await self._close("done", case_ids, outcome, {}, sure=sure)

    async def not_about_us(self, case_ids: Sequence[int], *, sure: bool = False) -> Done:
        """Close cases that are about somebody else."""
        return await self._close("not about us", case_ids, Outcome.NOT_US, {}, sure=sure)

    async def mute(self, case_ids: Sequence[int], *, sure: bool = False) -> Done:
        """Close conversations that further posts do not open again; again: hear them again."""
        present = await self.rows(case_ids)
        if present and all(row.is_muted for row in present):
            values: dict[str, Value] = {"is_muted": 0, "state": CaseState.OPEN.value}
            values |= {"outcome": None, "closed_at": None}
            return await self._set("unmute", case_ids, values)
        return await self._close("mute", case_ids, Outcome.NO_ANSWER, {"is_muted": 1}, sure=sure)

    async def _close(
        self,
        action: str,
        case_ids: Sequence[int],
        outcome: Outcome,
        more: Mapping[str, Value],
        *,
        sure: bool,
    ) -> Done:
        values: dict[str, Value] = {
            "state": CaseState.DONE.value,
            "outcome": outcome.value,
            "closed_at": ms(self._now()),
            "snoozed_until": None,
            "is_unread": 0,
            **more,
        }
        return await self._set_aside(action, case_ids, values, sure=sure, detail=outcome.value)

    async def later(self, case_ids: Sequence[int], until: datetime, *, sure: bool = False) -> Done:
        """Put cases off until a moment."""
        values: dict[str, Value] = {
            "state": CaseState.LATER.value,
            "snoozed_until": ms(until),
            "is_unread": 0,
        }
        until_words = f"{until.astimezone():%a %d %b %H:%M}"
        detail = f"until {until_words}"
        return await self._set_aside("later", case_ids, values, sure=sure, detail=detail)

    async def reopen(self, case_ids: Sequence[int]) -> Done:
        """Open closed or put-off cases again."""
        values: dict[str, Value] = {"state": CaseState.OPEN.value, "outcome": None}
        values |= {"closed_at": None, "snoozed_until": None}
        return await self._set("reopen", case_ids, values)

    async def mine(self, case_ids: Sequence[int], *, force: bool = False) -> Done:
        """Claim cases; release them when all are ours already.

        Raises:
            ConflictError: A colleague holds one; names who. Not with `force`.
        """
        operator, now = self._operator(), self._now()
        present = await self.rows(case_ids)
        if present and all(row.owner == operator for row in present):
            return await self._set("release", case_ids, {"owner": None, "claimed_until": None})
        taken = await self._database.fetch(cases.held(case_ids, operator, now))
        if taken and not force:
            handle, owner = taken[0]
            raise ConflictError(f"{owner} is on the case of @{handle}.", "You can take it over.")
        until = ms(now + timedelta(minutes=self._config.claim_minutes))
        detail = f"from {taken[0][1]}" if taken else ""
        values: dict[str, Value] = {"owner": operator, "claimed_until": until}
        return await self._set("mine", case_ids, values, detail=detail)

    async def label(self, case_ids: Sequence[int], label: str) -> Done:
        """Put a label on cases; take it off when all carry it."""
        label = " ".join(label.split())[:40]
        if not label:
            raise NotAllowedError("A label needs a word.")
        carried = set(await self._database.fetch(cases.labelled(label)))
        off = carried.issuperset(case_ids)
        changes = [
            Change("labels", (case_id, label), "label", None if off else label)
            for case_id in case_ids
        ]
        return await self._apply("unlabel" if off else "label", changes, detail=label)

    async def note(self, case_id: int, text: str) -> Done:
        """File an internal note."""
        await self._database.write(
            lambda tx: history.add_note(
                tx, self._operator(), self._session, case_id, text, self._now()
            )
        )
        return Done("note filed", (case_id,))

    async def star(self, case_ids: Sequence[int]) -> Done:
        """Star cases; take the stars off when all have one."""
        present = await self.rows(case_ids)
        off = bool(present) and all(row.is_starred for row in present)
        return await self._set("unstar" if off else "star", case_ids, {"is_starred": int(not off)})

    async def unread(self, case_ids: Sequence[int]) -> Done:
        """Mark cases as not read."""
        return await self._set("unread", case_ids, {"is_unread": 1})

    async def raise_priority(self, case_ids: Sequence[int]) -> Done:
        """Move cases one priority up, each from where it stands."""
        rows = await self.rows(case_ids)
        changes, detail = self._shifted(rows, -1)
        return await self._apply(history.RAISE, changes, detail=detail)

    async def lower_priority(self, case_ids: Sequence[int], *, sure: bool = False) -> Done:
        """Move cases one priority down, each from where it stands."""
        return await self._guarded(
            history.LOWER, case_ids, lambda rows: self._shifted(rows, 1), sure=sure
        )

    def _shifted(self, rows: Sequence[CaseRow], step: int) -> tuple[list[Change], str]:
        changes: list[Change] = []
        operator = self._operator()
        moved = ""
        for row in rows:
            wanted = row.priority + step
            if wanted == Priority.PRAISE:
                wanted += step  # thanks are no lesser complaint: nobody looks for one there
            if Priority.URGENT <= wanted <= Priority.WATCH:
                moved = Priority(wanted).label
                changes.append(Change("cases", row.case_id, "priority", int(wanted)))
                changes.append(Change("cases", row.case_id, "priority_set_by", operator))
        return changes, f"to {moved}" if moved else ""

    async def _set_aside(
        self,
        action: str,
        case_ids: Sequence[int],
        values: Mapping[str, Value],
        *,
        sure: bool,
        detail: str,
    ) -> Done:
        """As `_set`, for what puts cases out of sight: see above about a danger."""

        def changes(rows: Sequence[CaseRow]) -> tuple[list[Change], str]:
            return _changes([row.case_id for row in rows], values), detail

        return await self._guarded(action, case_ids, changes, sure=sure)

    async def _guarded(
        self,
        action: str,
        case_ids: Sequence[int],
        wanted: Callable[[Sequence[CaseRow]], tuple[list[Change], str]],
        *,
        sure: bool,
    ) -> Done:
        operator, session = self._operator(), self._session

        def work(tx: Transaction) -> tuple[Act | None, str, tuple[CaseRow, ...]]:
            # In the same transaction as the act: a post that comes meanwhile may be the danger.
            rows = tx.fetch(cases.rows(case_ids))
            spared = _spared(tx, rows, alone=len(set(case_ids)) == 1, sure=sure)
            changes, detail = wanted([row for row in rows if row not in spared])
            act = history.apply(tx, operator, session, action, changes, self._now(), detail=detail)
            return act, detail, spared

        act, detail, spared = await self._database.write(work)
        return replace(await self._said(action, act, detail), spared=spared)

    async def _set(
        self,
        action: str,
        case_ids: Sequence[int],
        values: Mapping[str, Value],
        *,
        detail: str = "",
    ) -> Done:
        return await self._apply(action, _changes(case_ids, values), detail=detail)

    async def _apply(self, action: str, changes: Sequence[Change], *, detail: str) -> Done:
        operator, session = self._operator(), self._session

        def work(tx: Transaction) -> Act | None:
            return history.apply(tx, operator, session, action, changes, self._now(), detail=detail)

        return await self._said(action, await self._database.write(work), detail)

    async def _said(self, action: str, act: Act | None, detail: str) -> Done:
        if act is None:
            return Done(f"{action}: nothing to change", (), undo=False)
        return Done(await self._words(action, act, detail), act.case_ids)

    async def _words(self, action: str, act: Act, detail: str = "") -> str:
        """One line: what, of whom."""
        case_ids = act.case_ids
        whom = f"{len(case_ids)} cases"
        if len(case_ids) == 1:
            found = await self._database.fetch(cases.row(case_ids[0]))
            whom = f"@{found[0].handle}" if found else "1 case"
        return f"{action} {whom}{': ' + detail if detail else ''}"

    # -- undo -----------------------------------------------------------------------------------

    async def undo(self) -> Done | None:
        """Take back this person's newest act; None when there is none.

        Raises:
            ConflictError: A colleague changed the same since; names who.
        """

        def work(tx: Transaction) -> Act | None:
            act = history.undo(tx, self._operator(), self._session, self._now())
            if act is not None:
                # What stood before may be of other rules than those of now.
                placing.by_rules(tx, act.case_ids)
            return act

        act = await self._database.write(work)
        return Done(await self._words(f"undone: {_what(act)}", act), act.case_ids) if act else None

    async def redo(self) -> Done | None:
        """Do again what was undone last; None when there is nothing.

        Raises:
            ConflictError: It was changed again since; names who.
        """
        act = await self._database.write(
            lambda tx: history.redo(tx, self._operator(), self._session, self._now())
        )
        return Done(await self._words(f"redone: {_what(act)}", act), act.case_ids) if act else None

    # -- what changes by itself -----------------------------------------------------------------

    async def wake_due(self) -> int:
        """Open what was put off until now; how many came back."""
        now = self._now()
        if not (await self._database.fetch(cases.due_to_wake(now)))[0]:
            return 0
        return len(await self._database.write(lambda tx: cases.wake_snoozed(tx, now)))

    def newest_now(self) -> int:
        """Where `follow` has to begin for all that is read from here on."""
        return self._database.fetch_now(feed.latest())[0]

    async def follow(self, since: int | None = None) -> AsyncIterator[FeedBatch]:
        """What any process has changed, in the order of the commits.

        Args:
            since: From where on, as `newest_now` said; None is from now on.
        """
        seq = (await self._database.fetch(feed.latest()))[0] if since is None else since
        batch, seq = await self._changes(seq)
        if batch != FeedBatch():
            yield batch
        async for _ in self._database.watch():
            if self._database.fetch_now(feed.latest())[0] == seq:
                continue  # a renewed lease or the like; asked here, as a thread costs more
            batch, seq = await self._changes(seq)
            if batch != FeedBatch():
                yield batch

    async def _changes(self, seq: int) -> tuple[FeedBatch, int]:
        """All that has changed after `seq`, and the newest change."""
        batch = FeedBatch()
        found = await self._database.fetch(feed.since(seq, _FEED))
        while found:
            batch.everything = batch.everything or found[0].seq != seq + 1
            seq = found[-1].seq
            for change in found:
                _take_in(batch, change.kind, change.case_id)
            query = feed.since(seq, _FEED)
            found = await self._database.fetch(query) if len(found) == _FEED else []
        return batch, seq


def _changes(case_ids: Sequence[int], values: Mapping[str, Value]) -> list[Change]:
    return [
        Change("cases", case_id, column, value)
        for case_id in case_ids
        for column, value in values.items()
    ]


def _place(row: CaseRow) -> tuple[float, ...]:
    """Where a case stands in the list."""
    priority, *rest = row.rank
    return (priority, *(-one for one in rest))


def _spared(
    tx: Transaction, rows: Sequence[CaseRow], *, alone: bool, sure: bool
) -> tuple[CaseRow, ...]:
    """The cases that may be about a danger and are left as they are.

    Raises:
        DangerError: It is the only case and nobody has said that they are sure.
    """
    pinned = tuple(sorted((row for row in rows if row.is_pinned), key=_place))
    if not pinned or not alone:
        return pinned
    if sure:
        return ()
    placed = tx.fetch(cases.case(pinned[0].case_id))[0].assessment
    risks = ", ".join(one.text for one in placed.pins) or "possible danger"
    raise DangerError(f"The case of @{pinned[0].handle} is held as urgent: {risks}.")


def _take_in(batch: FeedBatch, kind: str, case_id: int | None) -> None:
    if case_id is not None:
        batch.case_ids.add(case_id)
    match kind:
        case "outbox":
            batch.outbox = True
        case "source":
            batch.sources = True
        case "ledger":
            batch.ledger = True
        case "draft":
            batch.drafts = True
        case "rules":
            batch.rules = True
        case _:
            pass


def _counted(found: Sequence[tuple[str, int, int]]) -> Counts:
    return {(state, priority): number for state, priority, number in found}


def _what(act: Act) -> str:
    return act.detail if act.action in (history.UNDO, history.REDO) else act.action


__all__ = ["PAGE", "Act", "CaseView", "Counts", "Done", "FeedBatch", "Inbox", "Session"]
