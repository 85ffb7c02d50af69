"""The JSON shapes of X in both vocabularies; the answer uses the names that the request used.

Source: X's OpenAPI document 2.167 (`post.fields`) and the names before it (`tweet.fields`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from carerespond.practice import problems
from carerespond.practice.entities import entities, mentions
from carerespond.practice.length import LIMIT, cut, weighted_length
from carerespond.practice.script import Person
from carerespond.practice.settings import Settings
from carerespond.practice.words import names
from carerespond.practice.world import Message, Post, World

# Ours on the left, the wire's names by vocabulary on the right.
_NAMES = {
    "history": {"tweet": "edit_history_tweet_ids", "post": "edit_history_post_ids"},
    "note": {"tweet": "note_tweet", "post": "note_post"},
    "references": {"tweet": "referenced_tweets", "post": "referenced_posts"},
    "reposts": {"tweet": "retweet_count", "post": "repost_count"},
    "posts": {"tweet": "tweets", "post": "posts"},
    "post_count": {"tweet": "tweet_count", "post": "post_count"},
    "total_post_count": {"tweet": "total_tweet_count", "post": "total_post_count"},
}
_BOTH_FIELDS = names(
    """
    article attachments card_uri community_id context_annotations conversation_id created_at
    display_text_range edit_controls entities geo id lang matched_media_notes media_metadata
    non_public_metrics note_request_suggestions organic_metrics paid_partnership
    possibly_sensitive promoted_metrics public_metrics reply_settings scopes source
    suggested_source_links suggested_source_links_with_counts text withheld
    """
)
FIELDS = {
    "tweet": _BOTH_FIELDS
    | {"author_id", "edit_history_tweet_ids", "in_reply_to_user_id", "note_tweet"}
    | {"referenced_tweets"},
    "post": _BOTH_FIELDS | {"article_title", "note_post"},
}
_OLD_EXPANSIONS = frozenset(
    {
        "edit_history_tweet_ids",
        "entities.note.mentions.username",
        "referenced_tweets.id",
        "referenced_tweets.id.attachments.media_keys",
        "referenced_tweets.id.author_id",
    }
)
_NEW_EXPANSIONS = frozenset({"edit_history_post_ids", "referenced_posts", "username"})
EXPANSIONS = (
    names(
        """
    article.cover_media article.media_entities attachments.media_keys
    attachments.media_source_tweet attachments.poll_ids author_id entities.mentions.username
    geo.place_id in_reply_to_user_id
    """
    )
    | _OLD_EXPANSIONS
    | _NEW_EXPANSIONS
)
USER_FIELDS = names(
    """
    affiliation confirmed_email connection_status created_at description entities id
    is_identity_verified location most_recent_tweet_id most_recent_post_id name parody
    pinned_tweet_id pinned_post_id profile_banner_url profile_image_url protected
    public_metrics receives_your_dm subscribes_to_you subscription subscription_type url
    username verified verified_followers_count verified_type withheld
    """
)
SHAPE_PARAMETERS = names(
    """
    expansions media.fields place.fields poll.fields post.fields tweet.fields user.fields
    """
)


def stamp(at: datetime) -> str:
    """A moment as X writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Shape:
    """What a request wants to see, and in which words."""

    vocabulary: str
    fields: frozenset[str] = frozenset()
    expansions: frozenset[str] = frozenset()
    user_fields: frozenset[str] = frozenset()
    app_only: bool = False
    note_text: bool = True

    def name(self, ours: str) -> str:
        """The wire's name for something that has two."""
        return _NAMES[ours][self.vocabulary]

    def wants(self, ours: str) -> bool:
        """Whether a field with two names, or an expansion that brings it, was asked for."""
        name = self.name(ours)
        return name in self.fields or any(one.split(".")[0] == name for one in self.expansions)


def read_shape(
    query: dict[str, str], settings: Settings, *, app_only: bool, stream: bool = False
) -> Shape:
    """The shape that a query string asks for.

    Raises:
        RefusalError: 400 that names the parameter and the value.
    """
    if settings.refuse_tweet_fields and "tweet.fields" in query and not stream:
        raise problems.unknown_parameter(
            "tweet.fields", query["tweet.fields"], SHAPE_PARAMETERS - {"tweet.fields"}
        )
    if stream and "post.fields" in query:
        raise problems.unknown_parameter(
            "post.fields", query["post.fields"], SHAPE_PARAMETERS - {"post.fields"}
        )
    expansions = _listed(query, "expansions", EXPANSIONS)
    vocabulary = "tweet" if stream else _vocabulary(query, expansions, settings)
    wanted = frozenset(
        name
        for parameter in ("tweet", "post")
        for name in _listed(query, f"{parameter}.fields", FIELDS[parameter])
    )
    return Shape(
        vocabulary,
        wanted,
        expansions,
        _listed(query, "user.fields", USER_FIELDS),
        app_only,
        settings.note_text,
    )


def _listed(query: dict[str, str], name: str, known: frozenset[str]) -> frozenset[str]:
    values = [value for value in query.get(name, "").split(",") if value]
    for value in values:
        if value not in known:
            raise problems.invalid(
                name,
                value,
                f"The `{name}` query parameter value [{value}] is not one of"
                f" [{','.join(sorted(known))}]",
            )
    return frozenset(values)


def _vocabulary(query: dict[str, str], expansions: frozenset[str], settings: Settings) -> str:
    if "tweet.fields" in query:
        return "tweet"
    if "post.fields" in query or expansions & _NEW_EXPANSIONS:
        return "post"
    return "tweet" if expansions & _OLD_EXPANSIONS else settings.vocabulary


@dataclass(slots=True)
class Writer:
    """Writes posts and users in one shape, as of one moment."""

    world: World
    shape: Shape
    at: datetime
    users: dict[str, Person] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def post(self, post: Post, *, included: bool = False) -> dict[str, Any]:
        """One post."""
        shape = self.shape
        row: dict[str, Any] = {
            "id": post.post_id,
            "text": self._text(post),
            shape.name("history"): [
                version.post_id for version in post.versions if version.created_at <= self.at
            ],
        }
        plain: dict[str, Callable[[], object]] = {
            "created_at": lambda: stamp(post.created_at),
            "conversation_id": lambda: post.conversation_id,
            "lang": lambda: post.lang,
            "reply_settings": lambda: post.reply_settings,
            "public_metrics": lambda: self._metrics(post),
            "entities": lambda: entities(self._text(post), self._known_ids()),
            "display_text_range": lambda: [post.prefix, len(self._text(post))],
            "withheld": lambda: {"copyright": False, "country_codes": list(post.withheld)},
            "edit_controls": lambda: self._edit_controls(post),
        }
        if not post.withheld:
            del plain["withheld"]
        row |= {
            name: value
            for name, make in plain.items()
            if name in shape.fields and (value := make())
        }
        if "possibly_sensitive" in shape.fields:
            row["possibly_sensitive"] = False
        row |= self._people(post) | self._references(post) | self._note(post)
        if not included:
            self._expand(post)
        return row

    def _text(self, post: Post) -> str:
        if post.retweets in self.world.posts:
            original = self.world.posts[post.retweets]
            return cut(f"RT @{original.author.handle}: {original.text}")
        return cut(post.text)

    def _note(self, post: Post) -> dict[str, Any]:
        shape = self.shape
        if not (shape.note_text and shape.name("note") in shape.fields):
            return {}
        if weighted_length(post.text) <= LIMIT:
            return {}
        return {shape.name("note"): {"text": post.text}}

    def _people(self, post: Post) -> dict[str, Any]:
        # With the newer names these two come with their expansion only.
        shape, row = self.shape, {}
        if "author_id" in shape.fields | shape.expansions:
            row["author_id"] = post.author.user_id
        parent = self.world.posts.get(post.reply_to) if post.reply_to else None
        if parent is not None and "in_reply_to_user_id" in shape.fields | shape.expansions:
            row["in_reply_to_user_id"] = parent.author.user_id
        if "username" in shape.expansions:
            row["username"] = post.author.handle
        return row

    def _references(self, post: Post) -> dict[str, Any]:
        if not self.shape.wants("references"):
            return {}
        found = [
            {"type": kind, "id": target}
            for kind, target in (
                ("retweeted", post.retweets),
                ("quoted", post.quotes),
                ("replied_to", post.reply_to),
            )
            if target
        ]
        return {self.shape.name("references"): found} if found else {}

    def _known_ids(self) -> dict[str, str]:
        return {handle: person.user_id for handle, person in self.world.handles.items()}

    def _metrics(self, post: Post) -> dict[str, int]:
        original = post.versions[0]
        return {
            self.shape.name("reposts"): post.reposts,
            "reply_count": self.world.reply_count(original, self.at),
            "like_count": post.likes,
            "quote_count": self.world.quote_count(original, self.at),
            "bookmark_count": 0,
            "impression_count": 40 * (1 + post.likes + post.reposts),
        }

    def _edit_controls(self, post: Post) -> dict[str, Any]:
        left = max(0, 5 - (len(post.versions) - 1))
        return {"edits_remaining": left, "is_edit_eligible": bool(left)}

    def _expand(self, post: Post) -> None:
        wanted = self.shape.expansions
        if wanted & {"author_id", "username"}:
            self.users[post.author.user_id] = post.author
        parent = self.world.posts.get(post.reply_to) if post.reply_to else None
        if parent is not None and "in_reply_to_user_id" in wanted:
            self.users[parent.author.user_id] = parent.author
        if "entities.mentions.username" in wanted:
            for name in mentions(post.text):
                person = self.world.handles.get(name.lower())
                if person is not None:
                    self.users[person.user_id] = person
        if wanted & {"referenced_tweets.id", "referenced_tweets.id.author_id", "referenced_posts"}:
            self._expand_references(post)

    def _expand_references(self, post: Post) -> None:
        name = "referenced_posts" if self.shape.vocabulary == "post" else "referenced_tweets.id"
        for target in filter(None, (post.retweets, post.quotes, post.reply_to)):
            other = self.world.posts.get(target)
            if other is None or not self.world.exists(other, self.at):
                self.errors.append(problems.missing("tweet", target, name))
            elif other.author.protected:
                self.errors.append(problems.hidden("tweet", target, name))
            else:
                self.posts[target] = other
                if "referenced_tweets.id.author_id" in self.shape.expansions:
                    self.users[other.author.user_id] = other.author

    def includes(self) -> dict[str, Any]:
        """What the expansions brought along; charged as much as the posts themselves."""
        found: dict[str, Any] = {}
        if self.posts:
            found[self.shape.name("posts")] = [
                self.post(post, included=True) for post in self.posts.values()
            ]
        if self.users:
            found["users"] = [self.user(person) for person in self.users.values()]
        return found

    def user(self, person: Person) -> dict[str, Any]:
        """One user; what the person is to us only for a user token."""
        row: dict[str, Any] = {
            "id": person.user_id,
            "name": person.name,
            "username": person.handle,
        }
        plain: dict[str, Any] = {
            "protected": person.protected,
            "verified": person.verified,
            "verified_type": "blue" if person.verified else "none",
            "description": person.description,
            "created_at": "2015-03-14T09:26:53.000Z",
            "public_metrics": {
                "followers_count": person.followers,
                "following_count": 0,
                self.shape.name("post_count"): 0,
                "listed_count": 0,
                "like_count": 0,
                "media_count": 0,
            },
        }
        if not self.shape.app_only:
            plain["connection_status"] = _connections(person)
            plain["receives_your_dm"] = person.receives_your_dm
        return row | {
            name: value for name, value in plain.items() if name in self.shape.user_fields
        }


def _connections(person: Person) -> list[str]:
    named = {"following": person.followed_by_us, "followed_by": person.follows_us}
    return [name for name, true in named.items() if true]


def message(row: Message, wanted: frozenset[str]) -> dict[str, Any]:
    """One direct message event; `participant_ids` left it in June 2025."""
    whole = {
        "id": row.event_id,
        "event_type": "MessageCreate",
        "text": row.text,
        "sender_id": row.sender_id,
        "created_at": stamp(row.created_at),
        "dm_conversation_id": row.conversation_id,
    }
    return {
        name: value
        for name, value in whole.items()
        if name in {"id", "event_type", "text"} or name in wanted
    }


def damaged(row: dict[str, Any], number: int) -> object:
    """A record as no client expects it; `number` picks the damage."""
    broken: tuple[object, ...] = (
        {name: value for name, value in row.items() if name != "id"},
        {**row, "text": 12345},
        {**row, "created_at": "yesterday"},
        {**row, "id": {"id": row["id"]}},
        None,
        {**row, "text": None},
        "not a record",
        {**row, "author_id": ["1"]},
    )
    return broken[number % len(broken)]
