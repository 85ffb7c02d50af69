"""Writing posts, and every reason for which X refuses one (x-api/posts/manage-tweets)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from carerespond.practice import problems
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.entities import cashtags, mentions
from carerespond.practice.ids import milliseconds
from carerespond.practice.length import LIMIT, links, weighted_length, without_leading_mentions
from carerespond.practice.network import Endpoint, Practice
from carerespond.practice.world import Post

WRITE = frozenset({"tweet.write", "tweet.read", "users.read"})
DUPLICATE_REACH = timedelta(days=1)
_TEXT_ONLY = frozenset(
    {"text", "reply", "quote_tweet_id", "reply_settings", "for_super_followers_only"}
)
_BODY = _TEXT_ONLY | {
    "card_uri", "community_id", "direct_message_deep_link", "edit_options", "geo", "made_with_ai",
    "media", "nullcast", "paid_partnership", "poll", "share_with_followers",
}  # fmt: skip
_REPLY = frozenset(
    {"in_reply_to_tweet_id", "exclude_reply_user_ids", "auto_populate_reply_metadata"}
)
_ID = re.compile(r"[0-9]{1,19}")
_REPLY_SETTINGS = frozenset({"following", "mentionedUsers", "subscribers", "verified"})


@dataclass(frozen=True, slots=True)
class Wish:
    """A post that somebody asks for, its body already in order."""

    text: str
    target_id: str | None
    quoted_id: str | None
    left_out: frozenset[str] = frozenset()
    reply_settings: str = "everyone"


def create(practice: Practice, request: Request) -> Answer:
    """`POST /2/tweets`: not repeatable, no idempotency key."""
    wish = _read_wish(request)
    if practice.settings.happens(practice.settings.intermittent_403):
        raise problems.forbidden(problems.NOT_PERMITTED)
    world = practice.world
    with world.writing() as record:
        at = world.now()
        target = _target(practice, wish.target_id, at) if wish.target_id else None
        if wish.quoted_id:
            _refuse_quote(practice, wish.quoted_id, at)
        summoned = target is not None and _may_reply(practice, target)
        if target is None:
            _refuse_strangers(practice, wish.text)
        _refuse_duplicate(practice, wish.text, at)
        text = _with_names(practice, wish, target)
        event = {
            "do": "post",
            "id": str(world.next_number(at)),
            "at": milliseconds(at),
            "author": world.us.handle,
            "text": text,
            "sent_text": wish.text,
            "prefix": len(text) - len(wish.text) if text != wish.text else 0,
            "reply_to": target.versions[0].post_id if target else None,
            "reply_settings": wish.reply_settings,
            "ours": True,
        }
        record(event)
        made = world.posts[str(event["id"])]
        for reaction in world.reactions(target, made, wish.text) if target else ():
            record(reaction)
    practice.meter.request(_price(wish.text, summoned=summoned), CREATE.call, at)
    history = (
        "edit_history_post_ids"
        if practice.settings.vocabulary == "post"
        else "edit_history_tweet_ids"
    )
    data = {history: [made.post_id], "id": made.post_id, "text": made.text}
    return Answer({"data": data}, 201)


def _read_wish(request: Request) -> Wish:
    body = request.fields(_BODY)
    text = body.get("text", "")
    if not isinstance(text, str) or not text.strip():
        raise problems.invalid("$.text", str(text)[:40], "$.text: may not be empty")
    for name in body.keys() - _TEXT_ONLY:
        raise problems.client_forbidden(f"The practice network takes text only, not {name}.")
    reply = _read_reply(body.get("reply"))
    _check_text(text, reply=bool(reply))
    settings = body.get("reply_settings")
    if settings is not None and str(settings) not in _REPLY_SETTINGS:
        raise problems.invalid(
            "$.reply_settings",
            str(settings),
            f"$.reply_settings: is not one of {sorted(_REPLY_SETTINGS)}",
        )
    quoted = body.get("quote_tweet_id")
    if quoted is not None:
        _check_id("$.quote_tweet_id", quoted)
    return Wish(
        text,
        reply.get("in_reply_to_tweet_id"),
        quoted,
        frozenset(reply.get("exclude_reply_user_ids", ())),
        settings or "everyone",
    )


def _read_reply(reply: object) -> dict[str, Any]:
    if reply is None:
        return {}
    if not isinstance(reply, dict):
        raise problems.invalid("$.reply", "", "$.reply: object expected")
    for name in reply.keys() - _REPLY:
        raise problems.invalid(
            f"$.reply.{name}",
            str(reply[name])[:100],
            f"$.reply.{name}: is not defined in the schema and the schema does not allow additional"
            " properties",
        )
    _check_id("$.reply.in_reply_to_tweet_id", reply.get("in_reply_to_tweet_id"))
    left_out = reply.get("exclude_reply_user_ids", [])
    if not isinstance(left_out, list):
        raise problems.invalid(
            "$.reply.exclude_reply_user_ids",
            str(left_out)[:40],
            "$.reply.exclude_reply_user_ids: array expected",
        )
    for one in left_out:
        _check_id("$.reply.exclude_reply_user_ids", one)
    return reply


def _check_id(name: str, value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise problems.invalid(
            name, str(value)[:40], f"{name}: does not match the regex pattern ^[0-9]{{1,19}}$"
        )


def _check_text(text: str, *, reply: bool) -> None:
    counted = without_leading_mentions(text) if reply else text
    if weighted_length(counted) > LIMIT:
        raise problems.invalid(
            "$.text", text[:40], "Your Tweet text is too long. A post has at most 280 characters."
        )
    if len(cashtags(text)) > 1:
        raise problems.invalid("$.text", text[:40], "A post has at most one cashtag.")


def _target(practice: Practice, post_id: str, at: datetime) -> Post:
    world = practice.world
    target = world.posts.get(post_id)
    gone = target is None or not world.exists(target, at)
    if target is None or gone or target.author.protected or target.author.suspended:
        raise problems.forbidden(problems.TARGET_GONE)
    return target


def _may_reply(practice: Practice, target: Post) -> bool:
    """Refuse a reply that X refuses; True when its author called for us."""
    if target.ours:
        return False
    author = target.author
    if author.blocks_us:
        raise problems.forbidden(problems.BLOCKED)
    newest = target.versions[-1]
    named = practice.world.names_us(target) or practice.world.names_us(newest)
    lets_us = {"everyone": True, "following": author.follows_us, "subscribers": False}
    if not (named and target.reply_settings != "subscribers") and not lets_us.get(
        target.reply_settings, False
    ):
        raise problems.forbidden(problems.REPLIES_RESTRICTED)
    if not (named or _summons(practice, target)):
        if practice.settings.summon_rule:
            raise _not_summoned(practice)
        return False
    return True


def _summons(practice: Practice, target: Post) -> bool:
    if practice.world.quotes_us(target):
        return True
    parent = practice.world.posts.get(target.reply_to) if target.reply_to else None
    ours = parent is not None and parent.ours
    return ours and practice.settings.reply_without_mention_summons


def _not_summoned(practice: Practice) -> problems.RefusalError:
    settings = practice.settings
    return problems.forbidden(
        problems.SUMMON_WORDINGS[settings.summon_wording], settings.summon_type
    )


def _refuse_quote(practice: Practice, post_id: str, at: datetime) -> None:
    target = _target(practice, post_id, at)
    if not (target.ours or practice.world.names_us(target)):
        raise _not_summoned(practice)
    raise problems.client_forbidden("Quote posts are not part of this access level.")


def _refuse_strangers(practice: Practice, text: str) -> None:
    settings, world = practice.settings, practice.world
    if not (settings.summon_rule and settings.stranger_mentions_403):
        return
    for name in mentions(text):
        person = world.handles.get(name.lower())
        if person is world.us:
            continue
        if person is None or not any(
            post.author is person and (world.names_us(post) or world.quotes_us(post))
            for post in world.posts.values()
            if world.exists(post, world.now())
        ):
            raise problems.forbidden(problems.NOT_PERMITTED)


def _refuse_duplicate(practice: Practice, text: str, at: datetime) -> None:
    if not practice.settings.duplicate_text_403:
        return
    same = " ".join(text.split())
    for post in practice.world.posts.values():
        recent = post.ours and post.created_at > at - DUPLICATE_REACH
        if recent and practice.world.exists(post, at) and " ".join(post.sent_text.split()) == same:
            raise problems.forbidden(problems.DUPLICATE)


def _with_names(practice: Practice, wish: Wish, target: Post | None) -> str:
    """The text as X stores a reply: the @names of the thread first, unless they are there."""
    if target is None or not practice.settings.reply_prefix:
        return wish.text
    world = practice.world
    leading = wish.text[: len(wish.text) - len(without_leading_mentions(wish.text))]
    present = {name.lower() for name in mentions(leading)}
    names: dict[str, str] = {}
    for name in (target.author.handle, *mentions(target.text)):
        person = world.handles.get(name.lower())
        if person is None or (person is not world.us and person.user_id not in wish.left_out):
            names.setdefault(name.lower(), name)
    missing = [f"@{name}" for folded, name in names.items() if folded not in present]
    return " ".join([*missing, wish.text])


def _price(text: str, *, summoned: bool) -> str:
    if summoned:
        return "reply_summoned"
    return "create_url" if links(text) else "create"


def delete(practice: Practice, request: Request) -> Answer:
    """`DELETE /2/tweets/{id}`: our own posts only."""
    world = practice.world
    with world.writing() as record:
        at = world.now()
        post = world.posts.get(request.names["id"])
        if post is None or not world.exists(post, at):
            raise problems.problem(
                404, "Not Found Error", "Could not find the tweet.", "resource-not-found"
            )
        if not post.ours:
            raise problems.forbidden("You are not authorized to delete this Tweet.")
        record({"do": "delete", "id": post.post_id, "at": milliseconds(at)})
    practice.meter.request("delete", DELETE.call, at)
    return Answer({"data": {"deleted": True}})


def hide(practice: Practice, request: Request) -> Answer:
    """`PUT /2/tweets/{tweet_id}/hidden`: replies in our own conversations only."""
    body = request.fields(frozenset({"hidden"}), ("hidden",))
    if not isinstance(body["hidden"], bool):
        raise problems.invalid("$.hidden", str(body["hidden"]), "$.hidden: boolean expected")
    world = practice.world
    with world.writing() as record:
        at = world.now()
        post = world.posts.get(request.names["tweet_id"])
        root = world.posts.get(post.conversation_id) if post else None
        if post is None or not world.exists(post, at):
            raise problems.forbidden(problems.TARGET_GONE)
        if root is None or not root.ours or post.ours or not post.reply_to:
            raise problems.forbidden("You are not allowed to hide this Tweet.")
        record({"do": "hide", "id": post.post_id, "hidden": body["hidden"]})
    practice.meter.request("hide", HIDE.call, at)
    return Answer({"data": {"hidden": body["hidden"]}})


def repost(practice: Practice, request: Request) -> Answer:
    """`POST /2/users/{id}/retweets`."""
    body = request.fields(frozenset({"tweet_id"}), ("tweet_id",))
    world = practice.world
    if request.names["id"] != world.us.user_id:
        raise problems.forbidden(problems.NOT_PERMITTED)
    with world.writing() as record:
        at = world.now()
        target = _target(practice, str(body["tweet_id"]), at)
        number = str(world.next_number(at))
        record(
            {
                "do": "post",
                "id": number,
                "at": milliseconds(at),
                "author": world.us.handle,
                "text": "",
                "retweets": target.post_id,
                "ours": True,
            }
        )
    practice.meter.request("repost", REPOST.call, at)
    return Answer({"data": {"retweeted": True, "rest_id": number}})


def removed(_: Practice, request: Request) -> Answer:
    """Likes and follows, gone from self-serve access since April 2026."""
    raise problems.client_forbidden(
        f"{request.method} {request.path} is not available at this access level."
    )


CREATE = Endpoint("POST", "/2/tweets", create, "user", (0, 100), write=True, scopes=WRITE)
DELETE = Endpoint("DELETE", "/2/tweets/{id}", delete, "user", (0, 50), write=True, scopes=WRITE)
HIDE = Endpoint(
    "PUT", "/2/tweets/{tweet_id}/hidden", hide, "user", (0, 50), write=True,
    scopes=frozenset({"tweet.moderate.write", "tweet.read", "users.read"}),
)  # fmt: skip
REPOST = Endpoint(
    "POST", "/2/users/{id}/retweets", repost, "user", (0, 50), write=True, scopes=WRITE
)
ENDPOINTS = (
    CREATE,
    DELETE,
    HIDE,
    REPOST,
    Endpoint("POST", "/2/users/{id}/likes", removed, "user", (0, 50)),
    Endpoint("DELETE", "/2/users/{id}/likes/{tweet_id}", removed, "user", (0, 50)),
    Endpoint("POST", "/2/users/{id}/following", removed, "user", (0, 50)),
    Endpoint("DELETE", "/2/users/{id}/following/{target_id}", removed, "user", (0, 50)),
)
