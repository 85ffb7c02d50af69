"""What tests and the curious may do behind the network's back: truth, faults, others' posts."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from carerespond.practice import ids, wire
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.journal import Event
from carerespond.practice.network import Practice
from carerespond.practice.problems import RefusalError, problem
from carerespond.practice.settings import SettingsError
from carerespond.practice.world import Post

_POST: dict[str, type] = {
    **dict.fromkeys(("author", "text", "at", "key", "lang", "reply_to", "quotes", "retweets"), str),
    **dict.fromkeys(("likes", "reposts", "followers"), int),
    **dict.fromkeys(("mentions_us", "media"), bool),
    "reply_settings": str,
    "withheld": list,
    "name": str,
}
_PERSON: dict[str, type] = {
    **dict.fromkeys(
        (
            "protected",
            "suspended",
            "receives_your_dm",
            "blocks_us",
            "follows_us",
            "followed_by_us",
            "verified",
        ),
        bool,
    ),
    "name": str,
    "followers": int,
    "description": str,
}
_EDIT: dict[str, type] = {"id": str, "text": str}
_MESSAGE: dict[str, type] = {"author": str, "text": str}
_HANDLE = re.compile(r"@?[A-Za-z0-9_]{1,15}")
_ENDINGS = ("operational", "cut", "closed")


def _refused(detail: str) -> RefusalError:
    return problem(400, "Bad Request", detail)


def _checked(row: object, kinds: dict[str, type], needed: tuple[str, ...]) -> dict[str, Any]:
    """A row whose values are of their kinds.

    Raises:
        RefusalError: 400 that names what is wrong.
    """
    if not isinstance(row, dict):
        raise _refused("A JSON object was expected.")
    for name, value in row.items():
        if name not in kinds:
            raise _refused(f"{name!r} is not known; there are {', '.join(sorted(kinds))}.")
        if type(value) is not kinds[name]:
            raise _refused(f"{name!r} wants {kinds[name].__name__}, not {value!r}.")
    for name in needed:
        if not row.get(name):
            raise _refused(f"{name!r} is needed.")
        if name in {"author", "handle"} and not _HANDLE.fullmatch(row[name]):
            raise _refused(f"{row[name]!r} is no handle: up to 15 letters, digits and _.")
    return row


def truth(practice: Practice, _: Request) -> Answer:
    """`GET /practice/truth`: all that exists by us, and the bill."""
    world, at = practice.world, practice.world.now()
    ours = [post for post in world.posts.values() if post.ours and post.created_at <= at]
    return Answer(
        {
            "now": wire.stamp(at),
            "us": {"id": world.us.user_id, "username": world.us.handle},
            "posts": [_own(practice, post, at) for post in sorted(ours, key=lambda p: p.number)],
            "messages": [
                {"id": row.event_id, "to": row.recipient_id, "text": row.text}
                for row in world.messages
                if row.sender_id == world.us.user_id
            ],
            "hidden": [post.post_id for post in world.posts.values() if post.hidden],
            "rules": list(world.rules.values()),
            "meter": practice.meter.as_json(),
        }
    )


def _own(practice: Practice, post: Post, at: datetime) -> dict[str, Any]:
    return {
        "id": post.post_id,
        "text": post.sent_text,
        "wire_text": post.text,
        "in_reply_to": post.reply_to,
        "retweets": post.retweets,
        "created_at": wire.stamp(post.created_at),
        "deleted": practice.world.gone(post, at),
        "scripted": bool(post.key),
    }


def show_settings(practice: Practice, _: Request) -> Answer:
    """`GET /practice/settings`."""
    return Answer(practice.settings.as_json())


def change_settings(practice: Practice, request: Request) -> Answer:
    """`PUT /practice/settings`: some settings, the others stay."""
    known = frozenset(practice.settings.as_json())
    try:
        practice.settings.update(request.fields(known))
    except SettingsError as error:
        raise _refused(str(error)) from error
    practice.world.offset = timedelta(seconds=practice.settings.clock_offset_s)
    practice.world.changed()
    return Answer(practice.settings.as_json())


def add_posts(practice: Practice, request: Request) -> Answer:
    """`POST /practice/posts`: one post by somebody, or a list of them under `posts`."""
    body = request.fields(frozenset({*_POST, "posts"}))
    rows = body.get("posts", [body])
    if not isinstance(rows, list):
        raise _refused("'posts' wants a list.")
    for row in rows:
        if "retweets" not in _checked(row, _POST, ("author",)) and not row.get("text"):
            raise _refused("'text' is needed.")
    made = []
    with practice.world.writing() as record:
        for row in rows:
            event = _post_event(practice, row)
            values = {name: row[name] for name in ("name", "followers") if name in row}
            if values:
                record({"do": "person", "handle": event["author"], "values": values})
            record(event)
            made.append(
                {"id": event["id"], "author_id": practice.world.person(event["author"]).user_id}
            )
    return Answer({"data": made}, 201)


def _post_event(practice: Practice, row: dict[str, Any]) -> Event:
    world = practice.world
    text = row.get("text", "")
    if row.get("mentions_us"):
        text = f"@{world.us.handle} {text}"
    at = _moment(row["at"]) if "at" in row else _just_searchable(practice, text)
    kept = _POST.keys() - {"author", "text", "at", "mentions_us", "followers", "name"}
    author = str(row["author"]).lstrip("@")
    return {
        "do": "post",
        "id": str(world.next_number(at)),
        "at": ids.milliseconds(at),
        "author": author,
        "text": text,
        **{name: row[name] for name in kept if name in row},
        **({"ours": True, "sent_text": text} if author.lower() == world.us.handle.lower() else {}),
    }


def _moment(text: str) -> datetime:
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    raise _refused(f"'at' wants an ISO 8601 time with its zone, not {text!r}.")


def _just_searchable(practice: Practice, text: str) -> datetime:
    """The newest moment that search shows, and never before a mention that was shown."""
    world, now = practice.world, practice.world.now()
    at = now - timedelta(seconds=practice.settings.search_lag_s)
    if f"@{world.us.handle.lower()}" in text.lower():
        after = ids.first_id(now + timedelta(milliseconds=1))
        for post in world.newest_first(after, ids.first_id(at)):
            if world.names_us(post):
                return min(now, max(at, post.created_at + timedelta(milliseconds=1)))
    return at


def _wanted_post(practice: Practice, post_id: object) -> Post:
    post = practice.world.posts.get(str(post_id))
    if post is None:
        raise problem(404, "Not Found", f"{post_id} is no post.")
    return post


def delete_post(practice: Practice, request: Request) -> Answer:
    """`POST /practice/delete` {"id"}: its author takes the post down."""
    body = request.fields(frozenset({"id"}), ("id",))
    post = _wanted_post(practice, body["id"])
    with practice.world.writing() as record:
        record({"do": "delete", "id": post.post_id, "at": ids.milliseconds(practice.world.now())})
    return Answer({"deleted": True})


def edit_post(practice: Practice, request: Request) -> Answer:
    """`POST /practice/edit` {"id", "text"}: its author changes the post, which gets a new id."""
    body = _checked(request.fields(frozenset({"id", "text"})), _EDIT, ("id", "text"))
    post = _wanted_post(practice, body["id"])
    world = practice.world
    with world.writing() as record:
        at = world.now()
        number = str(world.next_number(at))
        event = {"do": "post", "id": number, "at": ids.milliseconds(at), "text": body["text"]}
        same = {
            "author": post.author.handle,
            "key": post.key,
            "lang": post.lang,
            "reply_to": post.reply_to,
            "quotes": post.quotes,
            "edit_of": post.post_id,
            "ours": post.ours,
        }
        record({**event, **same})
    return Answer({"id": number})


def add_message(practice: Practice, request: Request) -> Answer:
    """`POST /practice/messages` {"author", "text"}: somebody writes us a direct message."""
    body = _checked(request.fields(frozenset(_MESSAGE)), _MESSAGE, ("author", "text"))
    world = practice.world
    with world.writing() as record:
        at = world.now()
        event = {
            "do": "message",
            "id": str(world.next_message_number(at)),
            "at": ids.milliseconds(at),
            "sender_id": world.person(str(body["author"])).user_id,
            "recipient_id": world.us.user_id,
            "text": str(body["text"]),
        }
        record(event)
    return Answer({"id": event["id"]}, 201)


def change_person(practice: Practice, request: Request) -> Answer:
    """`POST /practice/people` {"handle", ...}: an account protects itself or blocks us."""
    kinds = {**_PERSON, "handle": str}
    body = _checked(request.fields(frozenset(kinds)), kinds, ("handle",))
    handle = str(body.pop("handle"))
    with practice.world.writing() as record:
        record({"do": "person", "handle": handle, "values": body})
    return Answer({"id": practice.world.person(handle).user_id})


def end_streams(practice: Practice, request: Request) -> Answer:
    """`POST /practice/disconnect` {"how": "operational", "cut" or "closed"}: streams end."""
    how = request.fields(frozenset({"how"})).get("how", "operational")
    if how not in _ENDINGS:
        raise _refused(f"'how' is one of {', '.join(_ENDINGS)}.")
    return Answer({"ended": practice.hub.disconnect(how)})


CALLS: dict[tuple[str, str], Callable[[Practice, Request], Answer]] = {
    ("GET", "/practice/truth"): truth,
    ("GET", "/practice/settings"): show_settings,
    ("PUT", "/practice/settings"): change_settings,
    ("POST", "/practice/posts"): add_posts,
    ("POST", "/practice/delete"): delete_post,
    ("POST", "/practice/edit"): edit_post,
    ("POST", "/practice/messages"): add_message,
    ("POST", "/practice/people"): change_person,
    ("POST", "/practice/disconnect"): end_streams,
}
