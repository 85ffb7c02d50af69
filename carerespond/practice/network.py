"""The practice network with all that its calls share, and how a list of posts is answered."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from carerespond.practice import problems, wire
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.ids import first_id
from carerespond.practice.limits import Limits
from carerespond.practice.meter import Meter
from carerespond.practice.settings import Settings
from carerespond.practice.world import Post, World

if TYPE_CHECKING:
    from carerespond.practice.stream import Hub

Handler = Callable[["Practice", Request], Answer]
LARGEST_PAGE = 100
MOST_IDS = 100


@dataclass(slots=True)
class Practice:
    """One practice network in one process."""

    world: World
    settings: Settings
    hub: "Hub"
    meter: Meter = field(default_factory=Meter)
    limits: Limits = field(default_factory=Limits)

    def shape(self, request: Request, *, stream: bool = False) -> wire.Shape:
        """The shape that a request asks for."""
        return wire.read_shape(
            request.query, self.settings, app_only=app_only(request), stream=stream
        )

    def shows_ours(self, post: Post, at: datetime) -> bool:
        """Whether timelines and searches show a post of ours already."""
        return (
            not post.ours or post.created_at + timedelta(seconds=self.settings.timeline_lag_s) <= at
        )

    def listed(self, post: Post, at: datetime) -> bool:
        """Whether a list may have this post: there, newest version, public."""
        world = self.world
        return (
            world.exists(post, at)
            and world.current(post, at)
            and not post.author.protected
            and not post.author.suspended
            and self.shows_ours(post, at)
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: who may use it, how often, and with which query parameters.

    Attributes:
        auth: "any", "user" or "app".
        limits: Requests a quarter of an hour with an app-only and with a user token.
    """

    method: str
    path: str
    handler: Handler
    auth: str = "any"
    limits: tuple[int, int] = (300, 300)
    parameters: frozenset[str] = frozenset()
    write: bool = False
    scopes: frozenset[str] = frozenset()

    @property
    def call(self) -> str:
        """Its name in tables: "GET /2/tweets"."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Window:
    """Ids between `above` (inclusive) and `below` (exclusive), and how many of them."""

    above: int
    below: int
    size: int


def app_only(request: Request) -> bool:
    """Whether a request comes from our app without an account."""
    return request.token is None or request.token.app_only


def whole_number(query: dict[str, str], name: str, least: int, most: int, default: int) -> int:
    """A number from a query string.

    Raises:
        RefusalError: 400 when it is not a number between `least` and `most`.
    """
    text = query.get(name, str(default))
    if not text.isdigit() or not least <= int(text) <= most:
        raise problems.invalid(
            name,
            text,
            f"The `{name}` query parameter value [{text}] is not between {least} and {most}",
        )
    return int(text)


def true_or_false(query: dict[str, str], name: str) -> bool:
    """A switch from a query string, False when absent; X's own SDK writes "True".

    Raises:
        RefusalError: 400 when it is neither true nor false.
    """
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise problems.invalid(
            name, text, f"The `{name}` query parameter value [{text}] is not a boolean"
        )
    return text == "true"


def numeric_id(query: dict[str, str], name: str) -> int | None:
    """An id from a query string, None when absent.

    Raises:
        RefusalError: 400 when it is not one.
    """
    text = query.get(name)
    if text is None:
        return None
    if not (text.isdigit() and len(text) <= 19):  # noqa: PLR2004  # an id has at most 19 digits
        raise problems.invalid(
            name,
            text,
            f"The `{name}` query parameter value [{text}] does not match ^[0-9]{{1,19}}$",
        )
    return int(text)


def moment(query: dict[str, str], name: str) -> datetime | None:
    """A time from a query string, None when absent.

    Raises:
        RefusalError: 400 when it is not an ISO 8601 time with its zone.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        found = at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise problems.invalid(
            name, text, f"The `{name}` query parameter value [{text}] is not a valid date-time"
        )
    return found


def page_token(last: Post) -> str:
    """Where the next page begins."""
    return f"p{last.number:x}z"


def page_start(query: dict[str, str]) -> int | None:
    """The id below which a following page begins, None on the first.

    Raises:
        RefusalError: 400 when the token is not one of ours.
    """
    name = "next_token" if "next_token" in query else "pagination_token"
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"p[0-9a-f]{1,16}z", text):
        raise problems.invalid(name, text, f"Invalid '{name}': [{text}]")
    return int(text[1:-1], 16)


def window(query: dict[str, str], at: datetime, *, least: int, default: int = 10) -> Window:
    """The part of a timeline that a request asks for.

    Raises:
        RefusalError: 400 for a value out of range, or for two that exclude each other.
    """
    for one, other in (("since_id", "start_time"), ("until_id", "end_time")):
        if one in query and other in query:
            raise problems.invalid(
                one, query[one], f"At most one of '{other}' and '{one}' may be provided"
            )
    since, until = numeric_id(query, "since_id"), numeric_id(query, "until_id")
    start, end = moment(query, "start_time"), moment(query, "end_time")
    above = since + 1 if since is not None else first_id(start) if start else 0
    below = until if until is not None else first_id(end or at + timedelta(milliseconds=1))
    following = page_start(query)
    if following is not None:
        below = min(below, following)
    return Window(above, below, whole_number(query, "max_results", least, LARGEST_PAGE, default))


def page_answer(
    practice: Practice, request: Request, found: Iterable[Post], size: int, kind: str, call: str
) -> Answer:
    """One page of posts, newest first, with `meta`; charged by resource."""
    posts: list[Post] = []
    more = False
    for post in found:
        if len(posts) == size:
            more = True
            break
        posts.append(post)
    body = posts_body(practice, request, posts, kind, call)
    meta: dict[str, Any] = {"result_count": len(posts)}
    if posts:
        meta = {"newest_id": posts[0].post_id, "oldest_id": posts[-1].post_id, **meta}
    if more:
        meta["next_token"] = page_token(posts[-1])
    rows = body.get("data", [])
    for number in range(min(practice.settings.bad_records, len(rows))):
        rows[number] = wire.damaged(rows[number], number)
    return Answer({**body, "meta": meta})


def posts_body(
    practice: Practice,
    request: Request,
    posts: Sequence[Post],
    kind: str,
    call: str,
    errors: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """`data`, `includes` and `errors` for some posts; everything returned is charged."""
    at = practice.world.now()
    writer = wire.Writer(practice.world, practice.shape(request), at)
    body: dict[str, Any] = {}
    rows = [writer.post(post) for post in posts]
    if rows:
        body["data"] = rows
    included = writer.includes()
    if included:
        body["includes"] = included
    if errors or writer.errors:
        body["errors"] = [*errors, *writer.errors]
    practice.meter.read(kind, (post.post_id for post in posts), call, at)
    practice.meter.read("post", writer.posts, call, at)
    practice.meter.read("user", writer.users, call, at)
    return body
