"""An answer from the first key to the outbox: compose, review, send or hand off, as one function.

The screens return what the person decided; everything that changes something happens here, so that
leaving a screen can never cut a step in half.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from textual.app import App

from carerespond.config import Config
from carerespond.domain.errors import ConflictError, StorageError
from carerespond.domain.models import Case, Draft, DraftKind, Route, RouteKind
from carerespond.domain.privacy import Finding
from carerespond.domain.safety import SafetyCard
from carerespond.domain.templates import fill
from carerespond.domain.text import x_length
from carerespond.services.composer import Composer, Review
from carerespond.services.inbox import CaseView, Inbox
from carerespond.ui.composer import ComposerScreen
from carerespond.ui.dialogs import LineScreen, confirm
from carerespond.ui.review import DISCARD, EDIT, HAND_OFF, SEND, HandOffScreen, Page, ReviewScreen

Register = Callable[[Callable[[], None]], None]

_PUBLIC = (RouteKind.API, RouteKind.BROWSER)
# What comes after writing, by the way that the answer would take; where none is open, a review.
_THEN = {RouteKind.API: "review and send", RouteKind.BROWSER: "review and hand over"}


@dataclass(frozen=True, slots=True)
class _Said:
    """What a person has said before an answer leaves, where a review asks for it."""

    initials: str = ""
    second: str = ""
    reason: str = ""

    def lacks(self, review: Review) -> str:
        """What is still asked, in words; "" when nothing is."""
        asked = (
            (review.shared_screens > 1 and not self.initials, "for your initials"),
            (bool(review.answered) and not self.second, "why a second answer is right"),
            (review.needs_reason and not self.reason, "why a check is overruled"),
        )
        return " and ".join(words for is_asked, words in asked if is_asked)

    def lines(self) -> list[str]:
        """What was said, a line each."""
        said = (
            ("INITIALS", self.initials),
            ("SECOND ANSWER, because", self.second),
            ("OVERRULED, because", self.reason),
        )
        return [f"{what} {words}" for what, words in said if words]

    def recorded(self) -> str:
        """The reason as the history keeps it, with who gave it in a shared session."""
        reason = self.reason or self.second
        return f"{reason} [{self.initials}]".strip() if self.initials else self.reason


@dataclass(slots=True)
class _Writing:
    """One draft as the composer screen needs it; see `ui.composer.Writing`."""

    composer: Composer
    config: Config
    view: CaseView
    draft: Draft
    chosen: Route
    title: str
    words: str
    route: str
    then: str
    limit: int
    price: str
    safety: Sequence[SafetyCard]

    async def save(self, text: str) -> None:
        """Keep the text."""
        self.draft = await self.composer.save(self.draft, text)

    def save_now(self, text: str) -> None:
        """Keep the text before the program ends."""
        self.draft = self.composer.save_now(self.draft, text)

    def length(self, text: str) -> int:
        """Its length as the network counts."""
        return x_length(text)

    def checks(self, text: str) -> Sequence[Finding]:
        """What there is to say about the text."""
        if self.draft.kind is DraftKind.NOTE or not text.strip():
            return []
        return self.composer.checks(self.view.case, text, self.chosen)

    def templates(self) -> Sequence[tuple[str, str]]:
        """Templates, filled for this case; a name that cannot be filled stays and blocks.

        None for a case that may be about a danger: nobody is answered there in prepared words.
        """
        if self.safety:
            return []
        names = template_names(self.config, self.view.case)
        return [(one.name, fill(one.text, names).text) for one in self.config.templates]

    def links(self) -> Sequence[tuple[str, str]]:
        """The services' tell-your-story links and pages."""
        return [
            (f"{service.name}, {what}", link)
            for service in self.config.services
            for what, link in (("tell your story", service.story_link), ("page", service.page_link))
            if link
        ]


class Answering:
    """Leads through answering a case.

    Args:
        app: The application, for its screens and its status line.
        composer: Drafts and the way into the outbox.
        inbox: Cases and notes.
        config: Our name, templates, links.
        register: Told what to call when the program must end at once.
        discarded: Told of a draft that the person has discarded, for undo.
        queued: Told of an answer that is on its way, by its outbox_id.
        keys_held: Keeps keys from being commands of the list while a screen is on its way.
        say: Shows one line to the person.
    """

    def __init__(
        self,
        app: App[Any],
        composer: Composer,
        inbox: Inbox,
        config: Config,
        *,
        register: Register,
        discarded: Callable[[Draft], None],
        queued: Callable[[int], None],
        keys_held: Callable[[], AbstractContextManager[None]],
        say: Callable[[str], None],
    ) -> None:
        self._app = app
        self._composer = composer
        self._inbox = inbox
        self._config = config
        self._register = register
        self._discarded = discarded
        self._queued = queued
        self._keys_held = keys_held
        self._say = say

    async def answer(self, case_id: int) -> None:
        """Write, review, and send or hand off a public answer.

        Raises:
            CarerespondError: Shown by the caller; the draft is kept.
        """
        with self._keys_held():
            draft = await self._begin(case_id)
        if draft is None:
            return
        try:
            with self._keys_held():
                decided = await self._until_decided(case_id, draft)
            if decided is not None:
                await self._carry_out(*decided)
        finally:
            with suppress(StorageError):  # the mark goes by itself after a while
                await self._composer.leave(draft)

    async def _until_decided(
        self, case_id: int, draft: Draft
    ) -> "tuple[str, Review, _Said] | None":
        """Write and review until the person has decided; None when the draft is left."""
        while await self._write(case_id, draft) == "review":
            review = await self._composer.review(case_id, DraftKind.PUBLIC)
            decision, said = await self._decide(review)
            if decision != EDIT:
                return decision, review, said
            draft = review.draft
        self._say("the draft is kept")
        return None

    async def _decide(self, review: Review) -> tuple[str, "_Said"]:
        """Show the review until the person has decided and said all that is asked.

        What is asked ends with Enter, and Enter never sends: so the review comes back with what
        was said on it, for another `y`.
        """
        said = _Said()
        while True:
            page = self._page(review, said)
            decision = await self._app.push_screen_wait(ReviewScreen(page, self._config.keys))
            if decision not in (SEND, HAND_OFF) or not page.asks:
                return decision, said
            said = await self._ask_reasons(review)

    async def note(self, case_id: int) -> None:
        """Write an internal note; there is no way from here to a network."""
        with self._keys_held():
            draft = await self._composer.begin(case_id, DraftKind.NOTE)
            decision = await self._write(case_id, draft)
        if decision != "review":
            self._say("the note is kept as a draft")
            return
        kept = [d for d in await self._composer.drafts() if _same(d, draft)]
        text = kept[0].text.strip() if kept else ""
        if text:
            done = await self._inbox.note(case_id, text)
            await self._composer.discard(kept[0])
            self._say(done.text)

    async def _begin(self, case_id: int) -> Draft | None:
        try:
            return await self._composer.begin(case_id, DraftKind.PUBLIC)
        except ConflictError as held:
            question = confirm("Take over?", "T", "take it over; both drafts stay", held.problem)
            if await self._app.push_screen_wait(question) != "yes":
                return None
            return await self._composer.begin(case_id, DraftKind.PUBLIC, force=True)

    async def _write(self, case_id: int, draft: Draft) -> str | None:
        view = await self._inbox.open_case(case_id)
        case = view.case
        route = next(
            (one for one in view.routes if one.kind in _PUBLIC and one.is_open is not False),
            Route(RouteKind.NONE, is_open=False, reason="No way of answering is open."),
        )
        is_note = draft.kind is DraftKind.NOTE
        price = "" if is_note or route.price_usd is None else f"${route.price_usd:.3f}"
        writing = _Writing(
            composer=self._composer,
            config=self._config,
            view=view,
            draft=draft,
            chosen=route,
            title=f"NOTE on @{case.author.handle}, never sent"
            if is_note
            else self._whom(case, route),
            words=case.head.text,
            route="" if is_note else route_line(view.routes),
            then="done" if is_note else _THEN.get(route.kind, "review"),
            limit=0 if is_note else 280,
            price=price,
            safety=view.safety,
        )
        return await self._app.push_screen_wait(
            ComposerScreen(writing, self._register, self._config.keys)
        )

    def _whom(self, case: Case, route: Route) -> str:
        ours = next((a.handle for a in self._config.accounts if a.account_id == case.account), "")
        way = "by browser " if route.kind is RouteKind.BROWSER else ""
        return f"PUBLIC reply {way}to @{case.author.handle} on {case.network.upper()} as @{ours}"

    def _page(self, review: Review, said: "_Said") -> Page:
        by_api = review.route.kind is RouteKind.API
        blocked = review.blocked or ""
        if blocked and blocked == review.answered:
            blocked = ""  # a second answer may go out, with its reason
        price = "" if review.price_usd is None else f"${review.price_usd:.3f}"
        return Page(
            whom=self._whom(review.case, review.route),
            text=review.draft.text,
            length=f"{review.length}/{review.limit}",
            price=price,
            route=review.route.reason,
            verb=SEND if by_api else HAND_OFF,
            findings=review.findings,
            changes=review.changes,
            blocked=blocked,
            asks=said.lacks(review),
            said=said.lines(),
            is_seen=said != _Said(),
            window=self._config.take_back_seconds,
            safety=review.safety,
        )

    async def _carry_out(self, decision: str, review: Review, said: "_Said") -> None:
        if decision == DISCARD:
            await self._composer.discard(review.draft)
            self._discarded(review.draft)
            self._say("the draft is discarded - z brings it back")
        elif decision in (SEND, HAND_OFF):
            await self._let_go(decision, review, said)
        else:
            self._say("the draft is kept")

    async def _ask_reasons(self, review: Review) -> "_Said":
        """Ask all that this review wants said; what is left out is asked again."""
        initials = second = reason = ""
        if review.shared_screens > 1:
            title = f"{review.shared_screens} screens are attached to this session: your initials?"
            initials = await self._line(title)
        if review.answered:
            second = await self._line(f"{review.answered} Why is a second answer right?")
        if review.needs_reason:
            reason = await self._line("A check says stop. Why is it right all the same? (recorded)")
        return _Said(initials, second, reason)

    async def _line(self, title: str) -> str:
        answer: str | None = await self._app.push_screen_wait(LineScreen(title))
        return answer or ""

    async def _let_go(self, decision: str, review: Review, said: "_Said") -> None:
        reason = said.recorded()
        if decision == SEND:
            # The line at the bottom counts down and says how it ended.
            row = await self._composer.queue(
                review, seen_changes=True, reason=reason, second_reason=said.second
            )
            self._queued(row.outbox_id)
            return
        handed = await self._composer.hand_off(
            review, seen_changes=True, reason=reason, second_reason=said.second
        )
        handle = review.case.author.handle
        screen = HandOffScreen(
            handed.url, handed.text, handle, self._config.opener, self._config.keys
        )
        await self.settle_hand_off(handed.outbox_id, await self._app.push_screen_wait(screen))

    async def settle_hand_off(self, outbox_id: int, answer: str) -> None:
        """Record what the person said about a hand-off: "posted", "not posted" or "later"."""
        if answer == "later":
            self._say("handed off; did you post it? O asks again")
            return
        row = await self._composer.confirm_hand_off(outbox_id, posted=answer == "posted")
        self._say(row.problem or f"{row.state.value}: answer to @{row.handle}")


def route_line(routes: Sequence[Route]) -> str:
    """The ways of answering in one line: the first open public one, else why there is none."""
    public = [route for route in routes if route.kind is not RouteKind.DM]
    may_go = (route for route in public if route.kind in _PUBLIC and route.is_open is not False)
    chosen = next(may_go, public[0] if public else None)
    if chosen is None:
        return "ROUTE  none"
    price = "" if chosen.price_usd is None else f"  ${chosen.price_usd:.3f}"
    return f"ROUTE  {chosen.kind.value}: {chosen.reason}{price}"


def template_names(config: Config, case: Case) -> dict[str, str]:
    """The closed names that a template may use, with what they stand for on this case.

    A name without a value is left out, so that it stays unfilled and blocks the review.
    """
    service = next((one for one in config.services if one.service_id == case.service), None)
    names = {
        "first_name": case.author.name.split()[0] if case.author.name.split() else "",
        "organisation": config.organisation,
        "signature": config.signature,
        "service": service.name if service else "",
        "story_link": service.story_link if service else "",
        "page_link": service.page_link if service else "",
        "phone": (service.phone if service else "") or config.phone,
        "email": (service.email if service else "") or config.email,
    }
    return {name: value for name, value in names.items() if value}


def _same(draft: Draft, other: Draft) -> bool:
    return (draft.case_id, draft.kind) == (other.case_id, other.kind)
