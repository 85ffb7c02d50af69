"""Reading posts: recent search, counts, timelines and look-ups (x-api/posts)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from carerespond.practice import problems
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.ids import first_id
from carerespond.practice.network import (
    MOST_IDS,
    Endpoint,
    Practice,
    Window,
    app_only,
    moment,
    numeric_id,
    page_answer,
    posts_body,
    window,
)
from carerespond.practice.query import QueryError, Test, compile_query
from carerespond.practice.wire import SHAPE_PARAMETERS, stamp
from carerespond.practice.world import Post

REACH = timedelta(days=7)
SETTLED = timedelta(seconds=10)  # no search may end later than this before now
READ = frozenset({"tweet.read", "users.read"})
_PAGED = frozenset(
    {"max_results", "since_id", "until_id", "start_time", "end_time", "pagination_token"}
)
_SEARCH = _PAGED | {"query", "next_token", "sort_order"}
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def read_query(request: Request) -> Test:
    """The compiled query of a search.

    Raises:
        RefusalError: 400 with what is wrong with it.
    """
    query = request.query.get("query", "")
    if not query.strip():
        raise problems.invalid("query", query, "The `query` query parameter can not be empty")
    try:
        return compile_query(query)
    except QueryError as error:
        raise problems.invalid(
            "query", query, f"There were errors processing your request: {error}"
        ) from error


def recent_window(practice: Practice, request: Request) -> Window:
    """The part of the last seven days that a search asks for.

    Raises:
        RefusalError: 400 for a time or an id outside them.
    """
    now = practice.world.now()
    floor = now - REACH
    oldest = first_id(floor)
    since, start = numeric_id(request.query, "since_id"), moment(request.query, "start_time")
    part = window(request.query, now, least=10)
    if since is not None and since < oldest:
        raise problems.invalid(
            "since_id",
            str(since),
            f"'since_id' must be a tweet id created after {floor:%Y-%m-%dT%H:%MZ}. Please use a"
            f" 'since_id' that is larger than {oldest}",
        )
    if start is not None and start < floor - timedelta(minutes=1):
        raise problems.invalid(
            "start_time",
            request.query["start_time"],
            f"Invalid 'start_time':'{request.query['start_time']}'. 'start_time' must be on or"
            f" after {stamp(floor)}.",
        )
    end = moment(request.query, "end_time")
    if end is not None and end > now - SETTLED:
        raise problems.invalid(
            "end_time",
            request.query["end_time"],
            f"Invalid 'end_time':'{request.query['end_time']}'. 'end_time' must be a minimum of 10"
            " seconds prior to the request time.",
        )
    newest = now - timedelta(seconds=practice.settings.search_lag_s)
    below = part.below
    if "end_time" not in request.query:
        below = min(below, first_id(newest + timedelta(milliseconds=1)))
    return Window(max(part.above, oldest), below, part.size)


def matching(practice: Practice, test: Test, part: Window) -> Iterator[Post]:
    """Posts of a window that match, newest first; since May 2026 without reposts."""
    world, at = practice.world, practice.world.now()
    for post in world.newest_first(part.below, part.above):
        document = post.documents.get(False) or world.document(post)
        if post.retweets is None and test(document) and practice.listed(post, at):
            yield post


def search_recent(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets/search/recent`."""
    order = request.query.get("sort_order", "recency")
    if order not in {"recency", "relevancy"}:
        raise problems.invalid(
            "sort_order", order, f"The `sort_order` query parameter value [{order}] is not valid"
        )
    test = read_query(request)
    part = recent_window(practice, request)
    found = matching(practice, test, part)
    return page_answer(practice, request, found, part.size, "post", SEARCH.call)


def counts_recent(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets/counts/recent`: every bucket of the seven days in one answer."""
    step = _STEPS.get(request.query.get("granularity", "hour"))
    if step is None:
        raise problems.invalid(
            "granularity", request.query["granularity"], "granularity is minute, hour or day"
        )
    test, part = read_query(request), recent_window(practice, request)
    now = practice.world.now()
    start = moment(request.query, "start_time") or now - REACH
    end = moment(request.query, "end_time") or now - timedelta(
        seconds=practice.settings.search_lag_s
    )
    times = [post.created_at for post in matching(practice, test, part)]
    one, total = _count_names(practice, request)
    rows = [
        {"start": stamp(begin), "end": stamp(until), one: sum(begin <= at < until for at in times)}
        for begin, until in _buckets(start, max(start, end), step)
    ]
    practice.meter.request("counts", COUNTS.call, now)
    return Answer({"data": rows, "meta": {total: len(times)}})


def _count_names(practice: Practice, request: Request) -> tuple[str, str]:
    asked = request.query.get("search_count.fields", "")
    newer = "post_count" in asked or (not asked and practice.settings.vocabulary == "post")
    return ("post_count", "total_post_count") if newer else ("tweet_count", "total_tweet_count")


def _buckets(
    start: datetime, end: datetime, step: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    edge = midnight + (start - midnight) // step * step
    begin = start
    while begin < end:
        edge += step
        yield begin, min(edge, end)
        begin = edge


def _timeline_kind(practice: Practice, request: Request) -> str:
    """Our own timelines cost less with our own token."""
    ours = request.names["id"] == practice.world.us.user_id
    return "owned" if ours and not app_only(request) else "post"


def _owner(practice: Practice, request: Request) -> str:
    person = practice.world.people.get(request.names["id"])
    if person is None:
        raise problems.RefusalError(
            200, {"errors": [problems.missing("user", request.names["id"], "id")]}
        )
    if person.protected:
        raise problems.RefusalError(
            200, {"errors": [problems.hidden("user", request.names["id"], "id")]}
        )
    return person.user_id


def mentions(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/{id}/mentions`: posts whose text has the account's @name."""
    world, at = practice.world, practice.world.now()
    handle = world.people[_owner(practice, request)].handle.lower()
    part = window(request.query, at, least=5)
    found = (
        post
        for post in world.newest_first(part.below, part.above)
        if practice.listed(post, at)
        and post.retweets is None
        and handle in world.document(post).mentions
        and post.author.handle.lower() != handle
    )
    kind = _timeline_kind(practice, request)
    return page_answer(practice, request, found, part.size, kind, MENTIONS.call)


def user_posts(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/{id}/tweets`."""
    world, at = practice.world, practice.world.now()
    owner = _owner(practice, request)
    part = window(request.query, at, least=5)
    left_out = frozenset(request.query.get("exclude", "").split(","))
    found = (
        post
        for post in world.newest_first(part.below, part.above)
        if post.author.user_id == owner
        and practice.listed(post, at)
        and not ("replies" in left_out and post.reply_to)
        and not ("retweets" in left_out and post.retweets)
    )
    kind = _timeline_kind(practice, request)
    return page_answer(practice, request, found, part.size, kind, USER_POSTS.call)


def listed_ids(request: Request, name: str = "ids") -> list[str]:
    """The ids of a look-up, each once.

    Raises:
        RefusalError: 400 for none, too many or something else than ids.
    """
    values = list(dict.fromkeys(request.query.get(name, "").split(",")))
    if not 1 <= len(values) <= MOST_IDS:
        raise problems.invalid(name, "", f"`{name}` wants 1 to {MOST_IDS} values")
    for value in values:
        numeric_id({name: value}, name)
    return values


def _look_up(
    practice: Practice, request: Request, wanted: list[str], name: str, call: str
) -> Answer:
    world, at = practice.world, practice.world.now()
    posts, errors = [], []
    for post_id in wanted:
        post = world.posts.get(post_id)
        if post is None or not world.exists(post, at):
            errors.append(problems.missing("tweet", post_id, name))
        elif post.author.protected or post.author.suspended:
            errors.append(problems.hidden("tweet", post_id, name))
        else:
            posts.append(post)
    body = posts_body(practice, request, posts, "post", call, errors)
    if name == "id" and "data" in body:
        body["data"] = body["data"][0]
    return Answer(body)


def posts_by_ids(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets`: what is there, and partial errors for what is not."""
    return _look_up(practice, request, listed_ids(request), "ids", POSTS.call)


def post_by_id(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets/{id}`."""
    return _look_up(practice, request, [request.names["id"]], "id", POST.call)


SEARCH = Endpoint(
    "GET",
    "/2/tweets/search/recent",
    search_recent,
    "any",
    (450, 300),
    _SEARCH | SHAPE_PARAMETERS,
    scopes=READ,
)
COUNTS = Endpoint(
    "GET",
    "/2/tweets/counts/recent",
    counts_recent,
    "any",
    (300, 300),
    _SEARCH - {"max_results"} | {"granularity", "search_count.fields"},
    scopes=READ,
)
MENTIONS = Endpoint(
    "GET",
    "/2/users/{id}/mentions",
    mentions,
    "any",
    (450, 300),
    _PAGED | SHAPE_PARAMETERS,
    scopes=READ,
)
USER_POSTS = Endpoint(
    "GET",
    "/2/users/{id}/tweets",
    user_posts,
    "any",
    (10_000, 900),
    _PAGED | SHAPE_PARAMETERS | {"exclude"},
    scopes=READ,
)
POSTS = Endpoint(
    "GET", "/2/tweets", posts_by_ids, "any", (3500, 5000), SHAPE_PARAMETERS | {"ids"}, scopes=READ
)
POST = Endpoint(
    "GET", "/2/tweets/{id}", post_by_id, "any", (450, 900), SHAPE_PARAMETERS, scopes=READ
)
ENDPOINTS = (SEARCH, COUNTS, MENTIONS, USER_POSTS, POSTS, POST)
