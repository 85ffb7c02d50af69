"""The practice network's state: people, posts, messages and what we wrote, as of any moment.

Posts of the script are all known from the start and "arrive" because nothing is shown before its
time. Whatever happens later is an event; with a journal, events are shared with other processes and
survive a restart.
"""

import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from carerespond.practice import entities, ids
from carerespond.practice.journal import Event, Journal
from carerespond.practice.length import links
from carerespond.practice.query import Document
from carerespond.practice.script import Person, Script, ScriptedPost, arrival_times, load_script
from carerespond.practice.tokens import TokenBook


@dataclass(slots=True, eq=False)
class Post:
    """One version of one post; an edit is a new post that shares `versions`."""

    number: int
    author: Person
    text: str
    created_at: datetime
    key: str = ""
    lang: str = "en"
    reply_to: str | None = None
    quotes: str | None = None
    retweets: str | None = None
    conversation_id: str = ""
    likes: int = 0
    reposts: int = 0
    reply_settings: str = "everyone"
    withheld: tuple[str, ...] = ()
    media: bool = False
    deleted_at: datetime | None = None
    ours: bool = False
    sent_text: str = ""
    hidden: bool = False
    prefix: int = 0  # characters of leading @names that X put in front of our reply
    versions: list["Post"] = field(default_factory=list)
    documents: dict[bool, Document] = field(default_factory=dict)

    @property
    def post_id(self) -> str:
        """The id as the wire has it."""
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Message:
    """One direct message."""

    event_id: str
    sender_id: str
    recipient_id: str
    text: str
    created_at: datetime

    @property
    def conversation_id(self) -> str:
        """Both people's ids, the lower first."""
        low, high = sorted((self.sender_id, self.recipient_id), key=int)
        return f"{low}-{high}"


class Reaction(Protocol):
    """What a patient does after our answer."""

    after_seconds: float
    text: str
    kind: str


React = Callable[[str, str, str, bool, random.Random], Sequence[Reaction]]


class World:
    """The practice network at any moment.

    Args:
        script: What exists and happens without us.
        origin_at: The moment that the script's times count from; a journal's own origin wins.
        seed: Shifts arrivals and people's reactions; the same seed gives the same network.
        now: The clock.
        journal: A file that other processes share; None keeps everything in memory.
        react: What people do after our answers.
    """

    def __init__(
        self,
        script: Script,
        origin_at: datetime,
        seed: int,
        now: Callable[[], datetime],
        journal: Path | None = None,
        *,
        react: React | None = None,
    ) -> None:
        self.script, self.seed, self.react, self.clock = script, seed, react, now
        self.offset = timedelta(0)
        self.us = script.us
        self.people = {person.user_id: person for person in (script.us, *script.people)}
        self.handles = {person.handle.lower(): person for person in self.people.values()}
        self.posts: dict[str, Post] = {}
        self.order: list[int] = []
        self.by_number: dict[int, Post] = {}
        self.replies: dict[str, list[Post]] = defaultdict(list)
        self.quoting: dict[str, list[Post]] = defaultdict(list)
        self.messages: list[Message] = []
        self.rules: dict[str, dict[str, str]] = {}
        self.tokens = TokenBook()
        self.changed: Callable[[], None] = lambda: None
        self.journal = Journal(journal) if journal is not None else None
        self.origin_at = origin_at.astimezone(UTC)
        self._begin()

    # Time

    def now(self) -> datetime:
        """The network's own time, to the millisecond as its ids have it."""
        at = self.clock().astimezone(UTC) + self.offset
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    # Events

    def _begin(self) -> None:
        events: list[Event] = []
        if self.journal is not None:
            with self.journal.locked():
                events = self.journal.unread()
                origin = next((event for event in events if event.get("do") == "origin"), None)
                if origin is None:
                    origin = {
                        "do": "origin",
                        "at": ids.milliseconds(self.origin_at),
                        "seed": self.seed,
                    }
                    self.journal.append(origin)
            self.origin_at = ids.from_milliseconds(origin["at"])
            self.seed = origin["seed"]
        self._play_script()
        for event in events:
            self._apply(event)

    def catch_up(self) -> None:
        """Take in what other processes did."""
        if self.journal is None:
            return
        events = self.journal.unread()
        for event in events:
            self._apply(event)
        if events:
            self.changed()

    @contextmanager
    def writing(self) -> Iterator[Callable[[Event], None]]:
        """A block in which nobody else writes; it is given the function that records an event."""
        if self.journal is None:
            yield self._apply
        else:
            with self.journal.locked():
                self.catch_up()
                yield self._record
        self.changed()

    def _record(self, event: Event) -> None:
        if self.journal is not None:
            self.journal.append(event)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        doers: dict[str, Callable[[Event], None]] = {
            "post": self._apply_post,
            "delete": self._apply_delete,
            "hide": self._apply_hide,
            "message": self._apply_message,
            "rules": self._apply_rules,
            "person": self._apply_person,
            "granted": self.tokens.apply,
            "spent": self.tokens.apply,
        }
        doer = doers.get(event.get("do", ""))
        if doer is not None:
            doer(event)

    def _apply_post(self, event: Event) -> None:
        values = {name: value for name, value in event.items() if name not in {"do", "id", "at"}}
        author = self.person(values.pop("author"))
        edit_of = values.pop("edit_of", None)
        values["withheld"] = tuple(values.get("withheld", ()))
        post = Post(
            int(event["id"]), author, created_at=ids.from_milliseconds(event["at"]), **values
        )
        self._add(post, self.posts.get(edit_of) if edit_of else None)

    def _apply_delete(self, event: Event) -> None:
        post = self.posts.get(event["id"])
        for version in post.versions if post else ():
            version.deleted_at = ids.from_milliseconds(event["at"])

    def _apply_hide(self, event: Event) -> None:
        if event["id"] in self.posts:
            self.posts[event["id"]].hidden = event["hidden"]

    def _apply_message(self, event: Event) -> None:
        self.messages.append(
            Message(
                event["id"],
                event["sender_id"],
                event["recipient_id"],
                event["text"],
                ids.from_milliseconds(event["at"]),
            )
        )

    def _apply_rules(self, event: Event) -> None:
        self.rules = {rule["id"]: rule for rule in event["rules"]}

    def _apply_person(self, event: Event) -> None:
        person = self.person(event["handle"])
        for name, value in event["values"].items():
            setattr(person, name, value)

    # Building

    def _play_script(self) -> None:
        times = arrival_times(self.script, self.origin_at, self.seed)
        numbers: dict[str, int] = {}
        taken: set[int] = set()
        for scripted in self.script.posts:
            number = ids.snowflake(times[scripted.key], ids.stable_number(scripted.key))
            while number in taken:
                number += 1
            taken.add(number)
            numbers[scripted.key] = number
        for scripted in sorted(self.script.posts, key=lambda post: numbers[post.key]):
            self._add_scripted(scripted, numbers, times[scripted.key])

    def _add_scripted(
        self, scripted: ScriptedPost, numbers: dict[str, int], created_at: datetime
    ) -> None:
        def target(name: str | None) -> str | None:
            return str(numbers[name]) if name is not None else None

        post = Post(
            numbers[scripted.key],
            self.person(scripted.author),
            scripted.text,
            created_at,
            scripted.key,
            scripted.lang,
            target(scripted.reply_to),
            target(scripted.quotes),
            target(scripted.retweets),
            likes=scripted.likes,
            reposts=scripted.reposts,
            reply_settings=scripted.reply_settings,
            withheld=scripted.withheld,
            media=scripted.media,
        )
        post.ours = post.author is self.us
        post.sent_text = scripted.text if post.ours else ""
        self._add(post, None)
        if scripted.edited_at is not None and scripted.edited_text is not None:
            at = max(self._minutes(scripted.edited_at), post.created_at + timedelta(seconds=1))
            self.add_version(post, scripted.edited_text, at)
        if scripted.deleted_at is not None:
            for version in post.versions:
                version.deleted_at = self._minutes(scripted.deleted_at)

    def _minutes(self, minutes: float) -> datetime:
        return self.origin_at + timedelta(minutes=minutes)

    def add_version(self, post: Post, text: str, at: datetime) -> Post:
        """An edit of a post: a new id with the same history."""
        newer = Post(
            self.next_number(at, ids.stable_number(text)),
            post.author,
            text,
            at,
            post.key,
            post.lang,
            post.reply_to,
            post.quotes,
            post.retweets,
            likes=post.likes,
            reposts=post.reposts,
            reply_settings=post.reply_settings,
            withheld=post.withheld,
            ours=post.ours,
        )
        self._add(newer, post)
        return newer

    def _add(self, post: Post, edit_of: Post | None) -> None:
        if post.post_id in self.posts:
            return
        post.versions = edit_of.versions if edit_of else []
        post.versions.append(post)
        post.conversation_id = post.conversation_id or self._root(post, edit_of)
        self.posts[post.post_id] = self.by_number[post.number] = post
        insort(self.order, post.number)
        if edit_of is None:
            if post.reply_to:
                self.replies[post.reply_to].append(post)
            if post.quotes:
                self.quoting[post.quotes].append(post)

    def _root(self, post: Post, edit_of: Post | None) -> str:
        if edit_of is not None:
            return edit_of.conversation_id
        parent = self.posts.get(post.reply_to) if post.reply_to else None
        return parent.conversation_id if parent else post.reply_to or post.post_id

    def next_number(self, at: datetime, sequence: int = 0) -> int:
        """A free id for a post of this moment, above those that the moment has already."""
        number = ids.snowflake(at, sequence)
        last = bisect_left(self.order, ids.first_id(at + timedelta(milliseconds=1)))
        if last and self.order[last - 1] >= ids.first_id(at):
            number = self.order[last - 1] + 1
        return number

    def next_message_number(self, at: datetime) -> int:
        """A free id for a direct message of this moment, above every other message's."""
        newest = max((int(row.event_id) for row in self.messages), default=0)
        return max(ids.first_id(at), newest + 1)

    # Reading

    def person(self, handle: str) -> Person:
        """The account of a handle; a stranger is made up on first sight."""
        found = self.handles.get(handle.lstrip("@").lower())
        if found is None:
            handle = handle.lstrip("@")
            found = Person(ids.user_id(handle), handle, handle)
            self.handles[handle.lower()] = self.people[found.user_id] = found
        return found

    def exists(self, post: Post, at: datetime) -> bool:
        """Whether this version is on the network at a moment."""
        return post.created_at <= at and not self.gone(post, at)

    def gone(self, post: Post, at: datetime) -> bool:
        """Whether its author deleted the post."""
        return post.deleted_at is not None and post.deleted_at <= at

    def current(self, post: Post, at: datetime) -> bool:
        """Whether no newer version of the post exists."""
        return len(post.versions) == 1 or post is next(
            version for version in reversed(post.versions) if version.created_at <= at
        )

    def newest_first(self, below: int, above: int) -> Iterator[Post]:
        """Posts with ids in [above, below), the newest first, whether visible or not."""
        first, last = bisect_left(self.order, above), bisect_left(self.order, below)
        for number in reversed(self.order[first:last]):
            yield self.by_number[number]

    def names_us(self, post: Post) -> bool:
        """Whether a text has our @name in it."""
        return self.us.handle.lower() in self.document(post).mentions

    def quotes_us(self, post: Post) -> bool:
        """Whether a post quotes one of ours."""
        quoted = self.posts.get(post.quotes) if post.quotes else None
        return quoted is not None and quoted.ours

    def has_conversation(self, person: Person) -> bool:
        """Whether there are direct messages between this person and us."""
        return any(person.user_id in (row.sender_id, row.recipient_id) for row in self.messages)

    def reply_count(self, post: Post, at: datetime) -> int:
        """How many visible replies a post has."""
        return sum(self.exists(reply, at) for reply in self.replies.get(post.post_id, ()))

    def quote_count(self, post: Post, at: datetime) -> int:
        """How many visible posts quote a post."""
        return sum(self.exists(quote, at) for quote in self.quoting.get(post.post_id, ()))

    def document(self, post: Post, *, stream: bool = False) -> Document:
        """What queries ask of a post; `stream` keeps accents and adds the quoted text."""
        if stream not in post.documents:
            post.documents[stream] = self._document(post, stream=stream)
        return post.documents[stream]

    def _document(self, post: Post, *, stream: bool) -> Document:
        text = post.text
        for other in (post.quotes, post.retweets) if stream else (post.retweets,):
            if other in self.posts:
                text += "\n" + self.posts[other].text
        parent = self.posts.get(post.reply_to) if post.reply_to else None
        fold = entities.lowered if stream else entities.folded
        plain = fold(text)
        words = entities.words(plain)
        return Document(
            words=frozenset(words),
            run=f" {' '.join(words)} ",
            text=plain,
            mentions=frozenset(name.lower() for name in entities.mentions(text)),
            hashtags=frozenset(fold(tag) for tag in entities.hashtags(text)),
            cashtags=frozenset(tag.lower() for tag in entities.cashtags(text)),
            links=" ".join(link.casefold() for _, _, link in links(text)),
            author=_names(post.author),
            addressee=_names(parent.author) if parent else frozenset(),
            conversation_id=post.conversation_id,
            reply_to=post.reply_to,
            quotes=post.quotes,
            retweets=post.retweets,
            verified=post.author.verified,
            media=post.media,
            lang=post.lang,
            likes=lambda: post.likes,
            replies=lambda: self.reply_count(post, self.now()),
            reposts=lambda: post.reposts,
        )

    # What people do

    def reactions(self, target: Post, reply: Post, text: str) -> list[Event]:
        """The events that our answer to a scripted post sets off."""
        if self.react is None or not target.key:
            return []
        chance = random.Random(f"{self.seed}:{reply.post_id}")  # noqa: S311  # a script, not a secret
        story = self._has_story_link(text)
        events: list[Event] = []
        for reaction in self.react(target.author.handle, target.key, text, story, chance):
            at = reply.created_at + timedelta(seconds=max(1.0, reaction.after_seconds))
            events.append(self._reaction(target, reply, reaction, at))
        return events

    def _has_story_link(self, text: str) -> bool:
        known = (*self.script.story_links, "careopinion.org")
        found = " ".join(link.lower() for _, _, link in links(text))
        return any(link.lower() in found for link in known)

    def _reaction(self, target: Post, reply: Post, reaction: Reaction, at: datetime) -> Event:
        when = ids.milliseconds(at)
        if reaction.kind == "delete":
            return {"do": "delete", "id": target.post_id, "at": when}
        text = reaction.text
        if self.us.handle.lower() not in (name.lower() for name in entities.mentions(text)):
            text = f"@{self.us.handle} {text}"
        number = self.next_number(at, ids.stable_number(text))
        event = {
            "do": "post",
            "id": str(number),
            "at": when,
            "author": target.author.handle,
            "text": text,
            "lang": target.lang,
        }
        return {**event, "quotes" if reaction.kind == "quote" else "reply_to": reply.post_id}


def _names(person: Person) -> frozenset[str]:
    return frozenset((person.user_id, person.handle.lower()))


def load_world(
    posts: Path | None = None,
    *,
    now: Callable[[], datetime],
    seed: int = 1,
    origin_at: datetime | None = None,
    journal: Path | None = None,
    react: React | None = None,
) -> World:
    """The practice network of a script file; of the one that comes with carerespond when None.

    The shipped people react to answers; another script has none unless `react` is given.

    Raises:
        ScriptError: The file is missing or not a script.
    """
    if posts is None and react is None:
        from carerespond.practice.patients import react as patients

        react = patients
    return World(load_script(posts), origin_at or now(), seed, now, journal, react=react)
