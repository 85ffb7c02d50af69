"""Puts a post where it belongs: triage with what this installation knows of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from carerespond.config import Config
from carerespond.domain.learning import Learned, mark_of
from carerespond.domain.models import Assessment, Post
from carerespond.domain.rulebook import Rules
from carerespond.domain.triage import Context, assess
from carerespond.domain.words import service_of
from carerespond.storage import cases as stored
from carerespond.storage.database import Query


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is stored of the authors of some posts.

    Attributes:
        cases: How many cases an author has, by network and author.
        threads: An author's case in a conversation, by network, conversation and author.
        is_stored: The posts themselves are among what is stored.
    """

    cases: Mapping[tuple[str, str], int] = field(default_factory=dict)
    threads: Mapping[tuple[str, str, str], stored.Thread] = field(default_factory=dict)
    is_stored: bool = False

    def seen_before(self, post: Post) -> int:
        """How many cases the author had before the one of this post."""
        thread = self.threads.get(_place(post))
        if thread is not None:
            return thread.cases_before
        return self.cases.get((post.network, post.author.author_id), 0)

    def wrote_again(self, post: Post) -> bool:
        """Whether the author wrote after we answered or closed the case."""
        thread = self.threads.get(_place(post))
        if thread is None:
            return False
        was_answered = thread.answered_at is not None and thread.answered_at < post.created_at
        return was_answered or thread.is_reopened or (thread.is_closed and not self.is_stored)


_NOTHING = Earlier()


def _place(post: Post) -> tuple[str, str, str]:
    return post.network, post.conversation or post.post_id, post.author.author_id


def look_back(
    posts: Sequence[Post],
    fetch: Callable[[Query[Any]], Sequence[Any]],
    *,
    is_stored: bool = False,
) -> Earlier:
    """What is stored of these posts' authors, in two questions a network.

    Args:
        posts: The posts.
        fetch: Asks the store.
        is_stored: They are stored already, and not about to be.
    """
    counts: dict[tuple[str, str], int] = {}
    threads: dict[tuple[str, str, str], stored.Thread] = {}
    for network in sorted({post.network for post in posts}):
        here = [post for post in posts if post.network == network]
        authors = sorted({post.author.author_id for post in here})
        for author, count in fetch(stored.cases_of(network, authors)):
            counts[network, author] = count
        conversations = sorted({_place(post)[1] for post in here})
        for author, conversation, thread in fetch(stored.in_threads(network, conversations)):
            threads[network, conversation, author] = thread
    return Earlier(counts, threads, is_stored)


class Assessor:
    """Triage by one set of rules.

    Args:
        rules: The rules.
        config: The services' names and how long each pane may wait.
        now: The present moment.

    Attributes:
        learned: What the team's own moves add to the rules; None when nothing does.
    """

    def __init__(self, rules: Rules, config: Config, now: Callable[[], datetime]) -> None:
        self._rules = rules
        self._config = config
        self._now = now
        self.learned: Learned | None = None
        self._learned_mark = ""
        self._names = {
            name.casefold(): service.service_id
            for service in config.services
            for name in (service.name, *service.nicknames)
            if name.strip()
        }

    @property
    def rules(self) -> Rules:
        """The rules of this moment."""
        return self._rules

    @property
    def mark(self) -> str:
        """The mark of the rules of this moment, and of what was learned."""
        return self.mark_of(self._rules)

    def mark_of(self, rules: Rules) -> str:
        """The same of other rules."""
        return rules.mark + self._learned_mark

    def use_learned(self, learned: Learned | None) -> None:
        """From now on, add what was learned to what the rules say."""
        self.learned = learned
        self._learned_mark = f"+{mark_of(learned)}" if learned is not None else ""

    def __call__(self, post: Post, earlier: Earlier = _NOTHING) -> Assessment:
        """Where the post goes at this moment and why; waiting counts, so it may go up later."""
        return self.by(self._rules, post, earlier)

    def by(self, rules: Rules, post: Post, earlier: Earlier = _NOTHING) -> Assessment:
        """Where the post would go by other rules."""
        context = Context(
            now=self._now(),
            service_names=tuple(self._names),
            seen_before=earlier.seen_before(post),
            wrote_again=earlier.wrote_again(post),
            targets=self._config.reply_minutes,
            hours=self._config.hours,
        )
        return assess(post, rules, context, self.learned)

    def use(self, rules: Rules) -> None:
        """Go by other rules from here on."""
        self._rules = rules

    def service(self, post: Post) -> str | None:
        """Which service the words name; the longest name wins, None when none is named."""
        return service_of(post.text, self._names)
