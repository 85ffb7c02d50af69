"""From the first word of an answer to the moment it is queued, taken back or handed off.

A draft is saved as it is written and dropped only when a person says so. A review shows what would
go out and what has happened since the draft began; queueing refuses whatever the review did not
show. What is queued is the sender's from there on.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from carerespond.config import Config, shipped_safety
from carerespond.domain.errors import ConflictError, NotAllowedError, StorageError
from carerespond.domain.models import (
    Case,
    Draft,
    DraftKind,
    Post,
    Reply,
    Route,
    RouteKind,
    SendState,
    Spend,
    ThreadChange,
)
from carerespond.domain.privacy import Finding, check_reply
from carerespond.domain.safety import SafetyCard, cards_for
from carerespond.domain.text import mentions, x_length
from carerespond.domain.threads import changes_between, remember, thread_fingerprint
from carerespond.networks.base import Network
from carerespond.services import outcomes
from carerespond.services.finder import Finder
from carerespond.services.presence import Presence
from carerespond.services.sender import Sender
from carerespond.services.ways import ways
from carerespond.storage import cases, drafts, history, outbox, posts
from carerespond.storage.database import Database, Transaction
from carerespond.storage.drafts import Place
from carerespond.storage.outbox import NewReply

TOO_LATE_SECONDS = 10.0
_LIMIT = 280
_UNFILLED = re.compile(r"\$(?:\{\w*\}?|[A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Review:
    """What a person sees before an answer goes out; `queue` and `hand_off` take it back in.

    Attributes:
        route: The way that the answer would take.
        changes: What has happened in the conversation since the draft began.
        price_usd: What sending would cost; None when it costs nothing by API.
        blocked: Why this text cannot go out; None when it can.
        answered: Who has answered the post already; a second answer needs a reason.
        needs_reason: A check says stop, and a person may overrule it with a reason.
        fingerprint: The conversation as this review shows it.
        shared_screens: How many screens are attached to this session.
        safety: The cards of a case that may be about a danger.
    """

    draft: Draft
    case: Case
    route: Route
    changes: tuple[ThreadChange, ...]
    findings: tuple[Finding, ...]
    price_usd: float | None
    length: int
    limit: int
    blocked: str | None
    answered: str | None
    needs_reason: bool
    fingerprint: str
    shared_screens: int = 1
    safety: tuple[SafetyCard, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOff:
    """A checked text on its way to a browser: what to paste, and where."""

    outbox_id: int
    url: str
    text: str


class Composer:
    """Drafts, reviews and the way into the outbox.

    Args:
        database: Where drafts and the outbox are.
        networks: Networks by account; an account without one can only be handed off.
        config: Prices, take-back time, claims, our own contacts.
        presence: This session and who is signed on.
        sender: Told of what is queued.
        finder: Looks for what was posted by hand.
        now: The present moment.
        spend: What the ledger says; None when nothing is spent.
        shared_screens: How many screens are attached to this session.
        new_key: Makes a key for each row.
    """

    def __init__(
        self,
        database: Database,
        networks: Mapping[str, Network],
        config: Config,
        *,
        presence: Presence,
        sender: Sender,
        finder: Finder,
        now: Callable[[], datetime],
        spend: Callable[[], Awaitable[Spend]] | None = None,
        shared_screens: Callable[[], int] = lambda: 1,
        new_key: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._database = database
        self._networks = networks
        self._config = config
        self._presence = presence
        self._sender = sender
        self._finder = finder
        self._now = now
        self._spend = spend
        self._shared_screens = shared_screens
        self._new_key = new_key
        self._claimed: set[Place] = set()  # cases that were nobody's until their draft was begun

    # -- drafts ---------------------------------------------------------------------------------

    async def begin(
        self, case_id: int, kind: DraftKind = DraftKind.PUBLIC, *, force: bool = False
    ) -> Draft:
        """The draft to write in: claims the case and remembers the conversation as it is now.

        A draft that is there is gone on with.

        Args:
            case_id: The case.
            kind: Public, private or note; a note claims nothing.
            force: Take over a case that a colleague holds; it is recorded, both drafts stay.

        Raises:
            ConflictError: A colleague holds the case; names who.
            NotAllowedError: An answer of this person to it is waiting to be sent.
        """
        place = Place(case_id, self._presence.operator, kind)
        draft, was_claimed = await self._database.write(
            lambda tx: self._begin(tx, place, force=force), durable=True
        )
        if was_claimed:
            self._claimed.add(place)
        return draft

    def _begin(self, tx: Transaction, place: Place, *, force: bool) -> tuple[Draft, bool]:
        """The draft, and whether the case was claimed with it."""
        now = self._now()
        case = _case(tx, place.case_id)
        if place.kind is not DraftKind.NOTE:
            self._refuse_while_waiting(tx, place)
            self._claim(tx, case, place.operator, now, force=force)
        thread = tx.fetch(posts.thread(case.network, case.conversation))
        draft = drafts.begin(tx, place, thread_fingerprint(thread), remember(thread), now)
        return draft, place.kind is not DraftKind.NOTE and case.owner != place.operator

    def _refuse_while_waiting(self, tx: Transaction, place: Place) -> None:
        for row in tx.fetch(outbox.by_case(place.case_id)):
            mine = row.operator == place.operator and row.kind is place.kind
            if mine and row.state in (SendState.QUEUED, SendState.SENDING):
                raise NotAllowedError(
                    f"Your answer to @{row.handle} is waiting to be sent.", "z takes it back."
                )

    def _claim(
        self, tx: Transaction, case: Case, operator: str, now: datetime, *, force: bool
    ) -> None:
        until = now + timedelta(minutes=self._config.claim_minutes)
        cases.claim(tx, case.case_id, operator, until, now, force=force)
        cases.writing(tx, case.case_id, operator, now)
        held = case.claimed_until is not None and case.claimed_until > now
        if force and held and case.owner not in (None, operator):
            history.note_down(
                tx,
                operator,
                self._presence.session,
                "took over",
                now,
                case_id=case.case_id,
                detail=f"from {case.owner}",
            )

    async def save(self, draft: Draft, text: str) -> Draft:
        """Keep the text under the name of whoever began the draft.

        What the same person has typed meanwhile in another terminal is kept below it, as the next
        review shows.

        Args:
            draft: As `begin`, a review or the last save gave it.
            text: What the person has written.
        """
        return await self._database.write(lambda tx: self._save(tx, draft, text))

    def save_now(self, draft: Draft, text: str) -> Draft:
        """As `save`, on this thread: for signals, when there may be no loop any more."""
        return self._database.write_now(lambda tx: self._save(tx, draft, text))

    def _save(self, tx: Transaction, draft: Draft, text: str) -> Draft:
        now = self._now()
        if draft.kind is not DraftKind.NOTE:
            cases.still_writing(tx, draft.case_id, draft.operator, now)
        version = drafts.save(tx, _place(draft), text, now, begun=draft.text)
        return replace(draft, text=text, saved_at=now, version=version)

    async def leave(self, draft: Draft) -> None:
        """The person has left off writing: colleagues see it no more.

        A case that was claimed with the draft is let go of when not a word has been written.
        """
        place = _place(draft)

        def work(tx: Transaction) -> None:
            now = self._now()
            cases.stop_writing(tx, place.case_id, place.operator, now)
            kept = tx.fetch(drafts.draft(place.case_id, place.operator, place.kind))
            is_empty = bool(kept) and not kept[0].text.strip()
            if is_empty and place in self._claimed:
                cases.release(tx, place.case_id, place.operator, now)

        await self._database.write(work)
        self._claimed.discard(place)

    async def drafts(self) -> list[Draft]:
        """The drafts of whoever is signed on, newest first."""
        return await self._database.fetch(drafts.drafts(self._presence.operator))

    async def discard(self, draft: Draft) -> None:
        """Put a draft out of sight after the person was asked; `restore` brings it back.

        Answers to the case that were not sent stop waiting for the person with it.
        """

        def work(tx: Transaction) -> None:
            now = self._now()
            drafts.discard(tx, _place(draft), now)
            for row in tx.fetch(outbox.by_case(draft.case_id)):
                if row.state is SendState.NOT_SENT and row.operator == draft.operator:
                    _put_to_rest(tx, row, now)

        await self._database.write(work)

    async def restore(self, draft: Draft) -> Draft | None:
        """Bring a discarded draft back; None when its text has gone to the outbox since."""
        return await self._database.write(lambda tx: drafts.restore(tx, _place(draft), self._now()))

    async def dismiss(self, outbox_id: int) -> Reply:
        """Stop showing an answer that was refused or not sent; its text stays a draft.

        Raises:
            NotAllowedError: It is in another state, and needs a decision or none.
        """

        def work(tx: Transaction) -> Reply:
            row = _row(tx, outbox_id)
            if row.state not in (SendState.NOT_SENT, SendState.REFUSED):
                raise NotAllowedError(f"This answer is {row.state.value}.")
            _put_to_rest(tx, row, self._now())
            return _row(tx, outbox_id)

        return await self._database.write(work)

    # -- review ---------------------------------------------------------------------------------

    async def review(self, case_id: int, kind: DraftKind = DraftKind.PUBLIC) -> Review:
        """What would go out, to whom, by which way, and what stands against it.

        Raises:
            NotAllowedError: There is no draft to review.
        """
        operator = self._presence.operator
        found = await self._database.fetch(drafts.draft(case_id, operator, kind))
        if not found or kind is DraftKind.NOTE:
            raise NotAllowedError("There is no draft to review on this case.")
        case = (await self._database.fetch(cases.case(case_id)))[0]
        thread = await self._database.fetch(posts.thread(case.network, case.conversation))
        before = await self._database.fetch(drafts.remembered(case_id, operator, kind))
        refusal = await self._database.fetch(outbox.last_refusal(case_id))
        live = await self._database.fetch(outbox.live_answers(case.account, case.head.post_id))
        spend = await self._spend() if self._spend is not None else None
        draft = found[0]
        open_routes = ways(
            self._networks,
            self._config,
            case,
            text=draft.text,
            last_refusal=refusal[0] if refusal else None,
        )
        route = _chosen(open_routes, kind)
        findings = (
            *self._taken_over(case, operator),
            *self.checks(case, draft.text, route),
            *_over_budget(route, spend),
        )
        return Review(
            draft=draft,
            case=case,
            route=route,
            changes=tuple(changes_between(before[0] if before else [], thread)),
            findings=findings,
            price_usd=route.price_usd,
            length=x_length(draft.text),
            limit=self._limit(case),
            blocked=self._blocked(case, draft.text, route, live),
            answered=self._first_was(live),
            needs_reason=any(finding.level == "stop" for finding in findings),
            fingerprint=thread_fingerprint(thread),
            shared_screens=self._shared_screens(),
            safety=cards_for(case.assessment, self._config.safety, shipped_safety()),
        )

    def _taken_over(self, case: Case, operator: str) -> list[Finding]:
        """A colleague holds the case by now: whoever was writing first is told before sending."""
        held = case.claimed_until is not None and case.claimed_until > self._now()
        if not held or case.owner in (None, "", operator):
            return []
        return [Finding("claim", "warn", f"{case.owner} has taken this case over.", ())]

    def _limit(self, case: Case) -> int:
        network = self._networks.get(case.account)
        return network.capabilities.length if network is not None else _LIMIT

    def checks(self, case: Case, text: str, route: Route) -> list[Finding]:
        """What the checks say about a text: privacy, names it calls, the way it takes."""
        ours = [self._config.phone, self._config.email]
        for service in self._config.services:
            ours += [service.phone, service.email]
        findings = list(check_reply(text, case.head, [one for one in ours if one]))
        if unfilled := _UNFILLED.findall(text):
            findings.append(Finding("template", "warn", "Not filled in", tuple(unfilled)))
        named = {handle.casefold() for handle in mentions(text)} - {case.author.handle.casefold()}
        if named:
            names = ", ".join(f"@{handle}" for handle in sorted(named))
            findings.append(
                Finding("mentions", "warn", f"Names others, who will be told: {names}.", ())
            )
        if route.kind is RouteKind.BROWSER:
            findings.append(Finding("route", "warn", route.reason, ()))
        return findings

    def _blocked(
        self,
        case: Case,
        text: str,
        route: Route,
        live: Sequence[Reply],
    ) -> str | None:
        length, limit = x_length(text), self._limit(case)
        unfilled = _UNFILLED.findall(text)
        obstacles = (
            (not text.strip(), "There are no words to send."),
            (length > limit, f"Too long: {length} of {limit}."),
            (bool(unfilled), f"A name is not filled in: {', '.join(unfilled)}."),
            (case.deleted_at is not None, "The post is gone."),
            (route.kind is RouteKind.NONE or route.is_open is False, route.reason),
            # Last: it alone can be overruled, by the reason for a second answer.
            (bool(live), self._first_was(live) or ""),
        )
        return next((why for stands, why in obstacles if stands), None)

    def _first_was(self, live: Sequence[Reply]) -> str | None:
        operator = self._presence.operator
        return outbox.first_was(live[0], operator, self._now()) if live else None

    # -- out ------------------------------------------------------------------------------------

    async def queue(
        self,
        review: Review,
        *,
        seen_changes: bool = False,
        reason: str = "",
        second_reason: str = "",
    ) -> Reply:
        """Put the reviewed text into the outbox; its take-back time begins.

        Args:
            review: What the person saw.
            seen_changes: The person has looked at `review.changes`.
            reason: Why a check that says stop is overruled.
            second_reason: Why a second answer to the same post is right.

        Raises:
            NotAllowedError: The text or the route stands against it; the draft is kept.
            ConflictError: Something changed since the review, or a colleague was first; the draft
                is kept.
        """
        if review.route.kind is not RouteKind.API:
            raise NotAllowedError(review.route.reason, "Hand it off to a browser instead.")
        row = await self._put(
            review,
            SendState.QUEUED,
            seen_changes=seen_changes,
            reason=reason,
            second_reason=second_reason,
        )
        self._sender.expect(row, review.case.head.version_id or review.case.head.post_id)
        return row

    async def hand_off(
        self,
        review: Review,
        *,
        seen_changes: bool = False,
        reason: str = "",
        second_reason: str = "",
    ) -> HandOff:
        """Record that a person posts this text in a browser, and say where.

        Args: As `queue`.

        Raises:
            NotAllowedError: The text stands against it, or the network has no such address.
            ConflictError: As `queue`.
        """
        network = self._networks.get(review.case.account)
        head = review.case.head
        target = head.version_id or head.post_id
        url = network.intent_url(target, review.draft.text) if network is not None else ""
        if not url:
            raise NotAllowedError("This network has no address to post an answer at.")
        row = await self._put(
            review,
            SendState.HAND_OFF,
            seen_changes=seen_changes,
            reason=reason,
            second_reason=second_reason,
        )
        return HandOff(row.outbox_id, url, row.text)

    async def confirm_hand_off(self, outbox_id: int, *, posted: bool) -> Reply:
        """The answer to "did you post it?".

        Yes: it is looked for in our own timeline, now and later, and is sent once it is found. No:
        the text is a draft again.

        Raises:
            NotAllowedError: The row was not handed off.
        """
        if posted:
            return await self._finder.posted_by_hand(outbox_id)
        return await self._finder.it_was_not_sent(outbox_id, self._presence.operator)

    async def _put(
        self,
        review: Review,
        state: SendState,
        *,
        seen_changes: bool,
        reason: str,
        second_reason: str = "",
    ) -> Reply:
        _refuse(review, seen_changes=seen_changes, reason=reason, second_reason=second_reason)

        def work(tx: Transaction) -> Reply:
            now = self._now()
            _compare(tx, review)
            new = self._new(review, second_reason)
            wait = timedelta(seconds=self._config.take_back_seconds)
            outbox_id = outbox.queue(tx, new, now=now, send_at=now + wait, state=state)
            drafts.discard(tx, _place(review.draft), now)
            row = _row(tx, outbox_id)
            outcomes.note(tx, row, state.value, now, reason or second_reason)
            return row

        return await self._database.write(work, durable=True)

    def _new(self, review: Review, second_reason: str) -> NewReply:
        case = review.case
        return NewReply(
            case_id=case.case_id,
            network=case.network,
            account=case.account,
            kind=review.draft.kind,
            in_reply_to=case.head.post_id,
            handle=case.author.handle,
            text=review.draft.text,
            key=self._new_key(),
            operator=review.draft.operator,
            session=self._presence.session,
            price_usd=review.price_usd or 0.0,
            draft_version=review.draft.version,
            second_reason=second_reason or None,
        )

    def seconds_left(self, outbox_id: int) -> float | None:
        """How much of an answer's take-back time is left, whatever the wall clock says."""
        return self._sender.seconds_left(outbox_id)

    async def take_back(self) -> Reply | None:
        """Take back this session's newest waiting answer; its text is a draft again.

        Returns:
            The row; None when nothing is waiting or has just left.

        Raises:
            NotAllowedError: Too late: it is being sent, or has just been.
            StorageError: It could not be written; the answer is held, and it is tried again.
        """
        session = self._presence.session
        waiting = await self._database.fetch(outbox.pending(session))
        if waiting:
            row = await self._take_back(waiting[-1])
            if row is not None:
                return row
        late = self._sender.just_ended(TOO_LATE_SECONDS)
        begun = await self._database.fetch(outbox.sending(session))
        rows = begun or [
            row for one in late for row in await self._database.fetch(outbox.reply(one))
        ]
        if rows:
            raise NotAllowedError(
                f"Too late: the answer to @{rows[-1].handle} is {rows[-1].state.value}."
            )
        return None

    async def _take_back(self, row: Reply) -> Reply | None:
        operator = self._presence.operator

        def work(tx: Transaction) -> Reply | None:
            now = self._now()
            taken = outbox.take_back(tx, row.outbox_id, now, by=operator)
            if taken is not None:
                outcomes.back_to_draft(tx, taken, "taken back", now, f"by {operator}")
            return taken

        with self._sender.held(row.outbox_id):
            try:
                taken = await self._database.write(work, durable=True)
            except StorageError as failed:
                self._sender.take_back_later(row.outbox_id, work)
                raise StorageError(
                    f"The answer to @{row.handle} is held and is not sent; taking it back could"
                    f" not be written yet and is tried again. {failed.problem}",
                    failed.remedy,
                ) from failed
        if taken is not None:
            self._sender.forget(row.outbox_id)
        return taken


def _refuse(review: Review, *, seen_changes: bool, reason: str, second_reason: str) -> None:
    overruled = review.blocked == review.answered and second_reason.strip()
    if review.blocked is not None and not overruled:
        raise NotAllowedError(review.blocked, "Your text is kept as a draft.")
    if review.changes and not seen_changes:
        raise NotAllowedError("The conversation has changed since you began; look at it first.")
    if review.needs_reason and not reason.strip():
        stops = "; ".join(one.text for one in review.findings if one.level == "stop")
        raise NotAllowedError(f"A check says stop: {stops}", "Change the text, or give a reason.")


def _compare(tx: Transaction, review: Review) -> None:
    """Refuse whatever the review did not show.

    Raises:
        ConflictError: The text, the conversation or the case is no longer as it was reviewed.
    """
    draft, case = review.draft, review.case
    kept = "Your text is kept as a draft; review it again."
    found = tx.fetch(drafts.draft(draft.case_id, draft.operator, draft.kind))
    if not found or (found[0].version, found[0].text) != (draft.version, draft.text):
        raise ConflictError("The text has changed since you reviewed it.", kept)
    present = _case(tx, case.case_id)
    thread: list[Post] = tx.fetch(posts.thread(case.network, case.conversation))
    if (
        thread_fingerprint(thread) != review.fingerprint
        or present.head.post_id != case.head.post_id
    ):
        raise ConflictError("The conversation has changed since you reviewed it.", kept)
    if present.deleted_at is not None:
        raise ConflictError("The post has been deleted since you reviewed it.", kept)


def _case(tx: Transaction, case_id: int) -> Case:
    found = tx.fetch(cases.case(case_id))
    if not found:
        raise NotAllowedError(f"There is no case {case_id}.")
    return found[0]


def _row(tx: Transaction, outbox_id: int) -> Reply:
    found = tx.fetch(outbox.reply(outbox_id))
    if not found:
        raise NotAllowedError(f"There is no answer {outbox_id}.")
    return found[0]


def _put_to_rest(tx: Transaction, row: Reply, now: datetime) -> None:
    outbox.settle(tx, row.outbox_id, row.state, SendState.TAKEN_BACK, now, problem=row.problem)


def _place(draft: Draft) -> Place:
    return Place(draft.case_id, draft.operator, draft.kind)


def _chosen(found: Sequence[Route], kind: DraftKind) -> Route:
    """The first open way for this kind of draft; else the first that says why not."""
    private = kind is DraftKind.PRIVATE
    fitting = [route for route in found if (route.kind is RouteKind.DM) == private]
    open_ones = [
        route for route in fitting if route.is_open is not False and route.kind != RouteKind.NONE
    ]
    if open_ones:
        return open_ones[0]
    if fitting:
        return fitting[0]
    return Route(RouteKind.NONE, is_open=False, reason="No way of answering is open.")


def _over_budget(route: Route, spend: Spend | None) -> list[Finding]:
    """The budget stops listening; what listening has spent never keeps an answer back."""
    if route.kind is not RouteKind.API or spend is None or spend.state != "hard":
        return []
    return [Finding("budget", "warn", "The budget is spent: this answer goes beyond it.", ())]
