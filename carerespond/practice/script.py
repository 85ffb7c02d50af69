"""The script of the practice network: who posts what, and when, read from `posts.toml`."""

import random
import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from carerespond.practice.ids import user_id

POSTS = Path(__file__).with_name("posts.toml")
US_ID = "1000000000000000001"
JITTER_MINUTES = 0.25


class ScriptError(ValueError):
    """The script cannot be read; the message names the file and the place."""


@dataclass(slots=True, eq=False)
class Person:
    """One account of the practice network."""

    user_id: str
    handle: str
    name: str
    followers: int = 0
    protected: bool = False
    suspended: bool = False
    receives_your_dm: bool = False
    blocks_us: bool = False
    follows_us: bool = False
    followed_by_us: bool = False
    verified: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class ScriptedPost:
    """One line of the script; times are minutes from the origin."""

    key: str
    author: str
    text: str
    at: float
    lang: str = "en"
    reply_to: str | None = None
    quotes: str | None = None
    retweets: str | None = None
    likes: int = 0
    reposts: int = 0
    reply_settings: str = "everyone"
    deleted_at: float | None = None
    edited_at: float | None = None
    edited_text: str | None = None
    withheld: tuple[str, ...] = ()
    media: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that exists and will happen before we do anything."""

    us: Person
    people: tuple[Person, ...] = ()
    posts: tuple[ScriptedPost, ...] = ()
    story_links: tuple[str, ...] = field(default=())


def default_organisation() -> Person:
    """Our own account where a script names none."""
    return Person(US_ID, "StElsewhere", "St Elsewhere NHS Trust", followers=4_210)


def load_script(path: Path | None = None) -> Script:
    """The script in a TOML file; the one that comes with carerespond when `path` is None.

    Raises:
        ScriptError: The file is missing or not a script.
    """
    path = path or POSTS
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read ({error.strerror}).") from error
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{path}: {error}.") from error
    return read_script(found, str(path))


def read_script(found: dict[str, Any], source: str = "script") -> Script:
    """The script in an already parsed TOML document.

    Raises:
        ScriptError: A row is wrong; the message names it.
    """
    us = _organisation(found.get("organisation", {}))
    people = {us.handle.lower(): us}
    for number, row in enumerate(found.get("author", []), 1):
        person = _row(Person, _person_values(row), f"{source}: author {number}")
        people[person.handle.lower()] = person
    posts = tuple(
        _row(ScriptedPost, _post_values(row), f"{source}: post {number}")
        for number, row in enumerate(found.get("post", []), 1)
    )
    for post in posts:  # an author without an entry of his own is still somebody
        handle = post.author.lstrip("@")
        people.setdefault(handle.lower(), Person(user_id(handle), handle, handle))
    _check_references(posts, source)
    links = tuple(found.get("organisation", {}).get("story_links", ()))
    return Script(us, tuple(people.values()), posts, links)


def _organisation(row: dict[str, Any]) -> Person:
    us = default_organisation()
    known = {"handle": "handle", "username": "handle", "name": "name", "followers": "followers"}
    for name, attribute in known.items():
        if name in row:
            setattr(us, attribute, row[name])
    us.user_id = str(row.get("id", row.get("user_id", us.user_id)))
    us.handle = us.handle.lstrip("@")
    return us


def _person_values(row: dict[str, Any]) -> dict[str, Any]:
    values = dict(row)
    handle = str(values.get("handle", "")).lstrip("@")
    values["handle"] = handle
    values["user_id"] = str(values.pop("id", "") or user_id(handle))
    values.setdefault("name", handle)
    return values


def _post_values(row: dict[str, Any]) -> dict[str, Any]:
    values = dict(row)
    withheld = values.pop("withheld", ())
    if isinstance(withheld, (bool, str)):
        withheld = [withheld] if isinstance(withheld, str) else ["GB"] * bool(withheld)
    return {**values, "withheld": tuple(withheld), "author": str(row.get("author", "")).lstrip("@")}


def _row(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    unknown = values.keys() - kind.__dataclass_fields__.keys()
    if unknown:
        raise ScriptError(f"{where} has an unknown key: {', '.join(sorted(unknown))}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise ScriptError(f"{where}: {error}.") from error


def _check_references(posts: tuple[ScriptedPost, ...], source: str) -> None:
    keys: set[str] = set()
    for post in posts:
        if post.key in keys:
            raise ScriptError(f"{source}: two posts have the key {post.key!r}.")
        keys.add(post.key)
    for post in posts:
        for target in (post.reply_to, post.quotes, post.retweets):
            if target is not None and target not in keys:
                raise ScriptError(f"{source}: post {post.key!r} names {target!r}, which is none.")


def arrival_times(script: Script, origin_at: datetime, seed: int) -> dict[str, datetime]:
    """When each scripted post is made; the seed shifts those to come a little.

    A post never comes before the one that it answers or quotes.
    """
    posts = {post.key: post for post in script.posts}
    times: dict[str, datetime] = {}

    def time_of(key: str, below: frozenset[str]) -> datetime:
        if key not in times:
            if key in below:
                raise ScriptError(f"the posts {', '.join(sorted(below))} answer each other.")
            post = posts[key]
            at = origin_at + timedelta(minutes=_jittered(post, seed))
            for target in (post.reply_to, post.quotes, post.retweets):
                if target is not None:
                    at = max(at, time_of(target, below | {key}) + timedelta(seconds=1))
            times[key] = at
        return times[key]

    for post in script.posts:
        time_of(post.key, frozenset())
    return times


def _jittered(post: ScriptedPost, seed: int) -> float:
    if post.at <= 0:
        return post.at
    shift = random.Random(f"{seed}:{post.key}").uniform(-JITTER_MINUTES, JITTER_MINUTES)  # noqa: S311  # a timetable, not a secret
    return max(post.at / 2, post.at + shift)
