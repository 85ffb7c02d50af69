"""Reading accounts and what our app used (x-api/users, x-api/usage)."""

from datetime import timedelta

from carerespond.practice import problems, wire
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.meter import MONTHLY_POSTS
from carerespond.practice.network import MOST_IDS, Endpoint, Practice, whole_number
from carerespond.practice.reads import READ, listed_ids
from carerespond.practice.script import Person
from carerespond.practice.wire import SHAPE_PARAMETERS


def _answer(
    practice: Practice,
    request: Request,
    people: list[Person],
    errors: list[dict[str, object]],
    call: str,
    *,
    single: bool = False,
) -> Answer:
    at = practice.world.now()
    writer = wire.Writer(practice.world, practice.shape(request), at)
    rows = [writer.user(person) for person in people]
    practice.meter.read("user", (person.user_id for person in people), call, at)
    body: dict[str, object] = {}
    if rows:
        body["data"] = rows[0] if single else rows
    if errors:
        body["errors"] = errors
    return Answer(body)


def _found(practice: Practice, request: Request, name: str, values: list[str], call: str) -> Answer:
    world = practice.world
    people, errors = [], []
    for value in values:
        by_name = "username" in name
        person = world.handles.get(value.lower()) if by_name else world.people.get(value)
        if person is None:
            errors.append(problems.missing("user", value, name))
        elif person.suspended:
            errors.append(problems.hidden("user", value, name))
        else:
            people.append(person)
    single = name in {"id", "username"}
    return _answer(practice, request, people, errors, call, single=single)


def me(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/me`: the account of the token."""
    return _answer(practice, request, [practice.world.us], [], ME.call, single=True)


def users_by_ids(practice: Practice, request: Request) -> Answer:
    """`GET /2/users`."""
    return _found(practice, request, "ids", listed_ids(request), USERS.call)


def user_by_id(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/{id}`."""
    return _found(practice, request, "id", [request.names["id"]], USER.call)


def users_by_names(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/by`."""
    names = list(dict.fromkeys(request.query.get("usernames", "").split(",")))
    if not names[0] or len(names) > MOST_IDS:
        raise problems.invalid("usernames", "", f"`usernames` wants 1 to {MOST_IDS} values")
    return _found(practice, request, "usernames", names, BY_NAMES.call)


def user_by_name(practice: Practice, request: Request) -> Answer:
    """`GET /2/users/by/username/{username}`."""
    return _found(practice, request, "username", [request.names["username"]], BY_NAME.call)


def usage_posts(practice: Practice, request: Request) -> Answer:
    """`GET /2/usage/tweets`: posts read this month, by day."""
    days = whole_number(request.query, "days", 1, 90, 7)
    today = practice.world.now().date()
    by_day = practice.meter.posts_by_day
    rows = [
        {"date": f"{day.isoformat()}T00:00:00.000Z", "usage": str(by_day.get(day.isoformat(), 0))}
        for day in (today - timedelta(days=back) for back in range(days))
    ]
    data = {
        "cap_reset_day": 1,
        "project_cap": str(MONTHLY_POSTS),
        "project_id": "1",
        "project_usage": str(sum(by_day.values())),
        "daily_project_usage": {"project_id": "1", "usage": rows},
    }
    return Answer({"data": data})


def usage_credits(practice: Practice, request: Request) -> Answer:
    """`GET /2/usage/credits`: there for some apps, 404 for others."""
    if not practice.settings.credits_endpoint:
        raise problems.problem(404, "Not Found", f"{request.path} was not found")
    balance = practice.settings.balance
    left = 5.0 if balance is None else max(0.0, balance)
    names = ("total_balance", "prepaid_balance", "free_balance")
    return Answer({"data": dict(zip(names, (round(left, 6), round(left, 6), 0.0), strict=True))})


ME = Endpoint("GET", "/2/users/me", me, "user", (0, 75), SHAPE_PARAMETERS, scopes=READ)
USERS = Endpoint(
    "GET", "/2/users", users_by_ids, "any", (300, 900), SHAPE_PARAMETERS | {"ids"}, scopes=READ
)
USER = Endpoint(
    "GET", "/2/users/{id}", user_by_id, "any", (300, 900), SHAPE_PARAMETERS, scopes=READ
)
BY_NAMES = Endpoint(
    "GET",
    "/2/users/by",
    users_by_names,
    "any",
    (300, 900),
    SHAPE_PARAMETERS | {"usernames"},
    scopes=READ,
)
BY_NAME = Endpoint(
    "GET",
    "/2/users/by/username/{username}",
    user_by_name,
    "any",
    (300, 900),
    SHAPE_PARAMETERS,
    scopes=READ,
)
USAGE = Endpoint(
    "GET", "/2/usage/tweets", usage_posts, "app", (50, 50), frozenset({"days", "usage.fields"})
)
CREDITS = Endpoint("GET", "/2/usage/credits", usage_credits, "app", (50, 50))
ENDPOINTS = (ME, BY_NAME, BY_NAMES, USERS, USER, USAGE, CREDITS)
