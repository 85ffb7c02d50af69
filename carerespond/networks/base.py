"""The protocol that every network speaks to the rest of carerespond, and what it may do.

A network raises nothing but `domain.errors.NetworkError` and its children.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from carerespond.domain.models import Author, BadRecord, Charge, Post


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one network lets us do; `idempotency` is "key", "client id", "duplicate text" or "none".

    Attributes:
        settle_seconds: How long after a lost answer our own timeline may still lag; before that
            "not found" proves nothing.
        request_seconds: The longest one request may take before its answer counts as lost.
    """

    search: bool = True
    mentions: bool = True
    reply: bool = True
    direct_message: bool = False
    own_timeline: bool = True
    idempotency: str = "none"
    settle_seconds: float = 30.0
    request_seconds: float = 20.0
    length: int = 280


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search or timeline, newest first.

    Attributes:
        bad: Records that could not be read; the rest of the page is good.
        next_token: Where the next page begins; None on the last one.
        newest_id: Where the next round begins, by a round's first page; None when nothing came.
        charges: What the call cost, resource by resource, before same-day de-duplication.
    """

    posts: Sequence[Post] = ()
    bad: Sequence[BadRecord] = ()
    next_token: str | None = None
    newest_id: str | None = None
    charges: Sequence[Charge] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to a look-up by ids: posts found, and ids gone with the reason in words."""

    posts: Sequence[Post] = ()
    gone: dict[str, str] = field(default_factory=dict)
    bad: Sequence[BadRecord] = ()
    charges: Sequence[Charge] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a network answered to a post of ours: always with its id."""

    remote_id: str
    charges: Sequence[Charge] = ()


class Network(Protocol):
    """One account on one network."""

    name: str
    account: str
    capabilities: Capabilities

    async def me(self) -> Author:
        """Our own account. Also proves that the sign-in works."""
        ...

    async def search(
        self,
        query: str,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of posts that match a saved search's query, newest first.

        Raises:
            StaleCursorError: `since_id` is older than the network reaches back.
            NetworkError: Anything else.
        """
        ...

    async def mentions(
        self,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of posts that name our account, newest first."""
        ...

    async def own_posts(
        self,
        *,
        since_id: str | None = None,
        start_at: datetime | None = None,
        page_token: str | None = None,
        limit: int = 100,
    ) -> Page:
        """One page of our own posts, newest first: where a lost answer is looked for."""
        ...

    async def lookup(self, post_ids: Sequence[str]) -> Lookup:
        """Posts by id (at most 100), and which of them are gone."""
        ...

    async def reply(self, text: str, in_reply_to: str, key: str) -> Sent:
        """Answer a post in public; called once an attempt, never retried in here.

        Raises:
            UnreachableError, RateLimitedError, SignInError, SetUpError, CreditError, RefusedError:
                Nothing was posted.
            AnswerLostError, BadAnswerError, ServerFaultError: It may have been posted.
        """
        ...

    def intent_url(self, in_reply_to: str, text: str) -> str:
        """Where a person can post this answer in a browser; "" where there is no such address."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
