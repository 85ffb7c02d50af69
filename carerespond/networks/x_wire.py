"""X's records as posts and authors; each record is believed no further than it was checked.

X is renaming `tweet` to `post` in its fields; both are read (openapi 2.166 and 2.167).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from carerespond.domain.clocks import is_plausible
from carerespond.domain.models import Author, BadRecord, Post

NETWORK = "x"
_ID = re.compile(r"[0-9]{1,25}\Z")
_LONGEST_TEXT = 100_000
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))  # dumps() makes one a call
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


class _RecordError(ValueError):
    """A record lacks something or has it in another type."""


@dataclass(frozen=True, slots=True)
class Us:
    """Our account, for telling what is ours and what names us."""

    user_id: str
    handle: str


def read_posts(
    records: Iterable[Any], us: Us, authors: Mapping[str, Author]
) -> tuple[list[Post], list[BadRecord]]:
    """Every record that can be read as a post; the others with what is wrong with them."""
    good: list[Post] = []
    bad: list[BadRecord] = []
    for record in records:
        try:
            raw = _bytes(record)
        except RecursionError:
            bad.append(BadRecord(b"", "The record is nested too deeply."))
            continue
        try:
            good.append(_post(record, raw, us, authors))
        except _RecordError as error:
            bad.append(BadRecord(raw, str(error)))
    return good, bad


def read_page(page: Mapping[str, Any], us: Us) -> tuple[list[Post], list[BadRecord]]:
    """A kept page of an X API answer, `{"data": [...], "includes": {"users": [...]}}`."""
    records, includes = page.get("data"), page.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    return read_posts(records if isinstance(records, list) else [], us, read_authors(users))


def author_ids(records: Iterable[Any]) -> list[str]:
    """The authors of the records, each once, in order."""
    found = [
        record["author_id"]
        for record in records
        if isinstance(record, dict) and is_id(record.get("author_id"))
    ]
    return list(dict.fromkeys(found))


def read_authors(records: Any) -> dict[str, Author]:
    """Users by id; a record that cannot be read is left out."""
    found: dict[str, Author] = {}
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and is_id(record.get("id")):
            found[record["id"]] = _author(record)
    return found


def unknown_author(user_id: str) -> Author:
    """An author whose name X did not tell."""
    return Author(NETWORK, user_id, user_id)


def address(handle: str, post_id: str) -> str:
    """Where a post can be seen."""
    return f"https://x.com/{handle}/status/{post_id}"


def _author(record: Mapping[str, Any]) -> Author:
    metrics = record.get("public_metrics")
    followers = metrics.get("followers_count") if isinstance(metrics, dict) else None
    receives = record.get("receives_your_dm")
    return Author(
        network=NETWORK,
        author_id=record["id"],
        handle=_text(record, "username") or record["id"],
        name=_text(record, "name"),
        followers=followers if _is_count(followers) else None,
        is_protected=record.get("protected") is True,
        receives_dm=receives if isinstance(receives, bool) else None,
    )


def _post(record: Any, raw: bytes, us: Us, authors: Mapping[str, Author]) -> Post:
    if not isinstance(record, dict):
        raise _RecordError("The record is no object.")
    version_id, author_id = _require_id(record, "id"), _require_id(record, "author_id")
    history = _either(record, "edit_history_tweet_ids", "edit_history_post_ids")
    post_id = history[0] if isinstance(history, list) and history else version_id
    if not is_id(post_id):
        raise _RecordError("Its edit history has no id.")
    author = authors.get(author_id) or unknown_author(author_id)
    references = _references(record)
    return Post(
        network=NETWORK,
        post_id=post_id,
        author=author,
        text=_words(record),
        created_at=_moment(record),
        version_id=version_id,
        url=address(author.handle, version_id),
        lang=_text(record, "lang") or None,
        in_reply_to=references.get("replied_to"),
        conversation=record["conversation_id"] if is_id(record.get("conversation_id")) else post_id,
        is_ours=author_id == us.user_id,
        is_edited=version_id != post_id,
        is_repost="retweeted" in references,
        reply_settings=_text(record, "reply_settings") or "everyone",
        raw=raw,
        **_metrics(record),
        **_entities(record, us, references),
    )


def _metrics(record: Mapping[str, Any]) -> dict[str, Any]:
    metrics = record.get("public_metrics")
    if not isinstance(metrics, dict):
        return {}
    return {
        "likes": _count(metrics, "like_count"),
        "reposts": _count(metrics, "retweet_count") or _count(metrics, "repost_count"),
        "replies": _count(metrics, "reply_count"),
    }


def _entities(record: Mapping[str, Any], us: Us, references: Mapping[str, str]) -> dict[str, bool]:
    entities = record.get("entities")
    entities = entities if isinstance(entities, dict) else {}
    named = [one for one in _list(entities, "mentions") if _is_us(one, us)]
    links = [_text(one, "expanded_url") or _text(one, "url") for one in _list(entities, "urls")]
    quoted = references.get("quoted")
    ours = f"/{us.handle.lower()}/status/{quoted}" if quoted else None
    quotes_us = ours is not None and any(ours in link.lower() for link in links)
    return {"mentions_us": bool(named), "quotes_us": quotes_us, "has_link": bool(links)}


def _is_us(mention: Mapping[str, Any], us: Us) -> bool:
    by_id = bool(us.user_id) and mention.get("id") == us.user_id
    return by_id or _text(mention, "username").lower() == us.handle.lower()


def _references(record: Mapping[str, Any]) -> dict[str, str]:
    found = _either(record, "referenced_tweets", "referenced_posts")
    return {
        one["type"]: one["id"]
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict) and isinstance(one.get("type"), str) and is_id(one.get("id"))
    }


def _words(record: Mapping[str, Any]) -> str:
    """The whole text: a long post has it apart; X escapes three characters of it."""
    note = _either(record, "note_tweet", "note_post")
    text = note.get("text") if isinstance(note, dict) else None
    text = text if isinstance(text, str) and text else record.get("text")
    if not isinstance(text, str):
        raise _RecordError("It has no text.")
    for escaped, plain in _ESCAPES:
        text = text.replace(escaped, plain)
    return text[:_LONGEST_TEXT]


def _moment(record: Mapping[str, Any]) -> datetime:
    text = record.get("created_at")
    if not isinstance(text, str):
        raise _RecordError("It has no time.")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _RecordError(f"Its time cannot be read: {text[:40]!r}.") from None
    if not is_plausible(moment):
        raise _RecordError(f"Nobody posted then: {text[:40]!r}.")
    return moment


def _require_id(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not is_id(value):
        raise _RecordError(f"Its {name} is no id.")
    return str(value)


def is_id(value: object) -> bool:
    """What X uses as an id: a text of digits."""
    return isinstance(value, str) and _ID.match(value) is not None


def _either(record: Mapping[str, Any], old: str, new: str) -> Any:
    return record.get(old) if old in record else record.get(new)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _count(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    return value if _is_count(value) else 0


def _is_count(value: object) -> TypeGuard[int]:
    """A whole number that every part of the program, SQLite too, can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _list(record: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    value = record.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _bytes(record: Any) -> bytes:
    return _ENCODER.encode(record).encode()
