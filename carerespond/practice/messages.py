"""Direct messages (x-api/direct-messages): sending to those who let us, reading our own."""

from datetime import timedelta

from carerespond.practice import problems, wire
from carerespond.practice.asgi import Answer, Request
from carerespond.practice.ids import milliseconds
from carerespond.practice.network import Endpoint, Practice, whole_number
from carerespond.practice.wire import SHAPE_PARAMETERS
from carerespond.practice.words import names
from carerespond.practice.world import Message

REACH = timedelta(days=30)
SEND = frozenset({"dm.write", "tweet.read", "users.read"})
READ = frozenset({"dm.read", "tweet.read", "users.read"})
_REFUSALS = {"operation": problems.DM_OPERATION, "476": problems.DM_UNVERIFIED}
_FIELDS = names(
    """
    attachments created_at dm_conversation_id entities event_type id referenced_tweets
    sender_id text
    """
)
_EXPANSIONS = names(
    """
    attachments.media_keys participant_ids referenced_posts referenced_tweets.id sender_id
    """
)
_PARAMETERS = SHAPE_PARAMETERS | {
    "max_results",
    "pagination_token",
    "event_types",
    "dm_event.fields",
}


def send(practice: Practice, request: Request) -> Answer:
    """`POST /2/dm_conversations/with/{participant_id}/messages`: answers two ids, no more."""
    body = request.fields(frozenset({"text", "attachments"}))
    text = body.get("text")
    if not isinstance(text, str) or not text:
        raise problems.invalid("$.text", "", "$.text: is missing but it is required")
    _refuse(practice, request.names["participant_id"])
    world = practice.world
    with world.writing() as record:
        at = world.now()
        record(
            {
                "do": "message",
                "id": str(world.next_message_number(at)),
                "at": milliseconds(at),
                "sender_id": world.us.user_id,
                "recipient_id": request.names["participant_id"],
                "text": text,
            }
        )
    practice.meter.request("dm_send", SEND_MESSAGE.call, at)
    made = world.messages[-1]
    data = {"dm_conversation_id": made.conversation_id, "dm_event_id": made.event_id}
    return Answer({"data": data}, 201)


def _refuse(practice: Practice, participant_id: str) -> None:
    refusal = practice.settings.dm_refusal
    if refusal:
        error = problems.forbidden(_REFUSALS.get(refusal, refusal))
        if refusal == "476":
            error.body["code"] = 476
        raise error
    person = practice.world.people.get(participant_id)
    if person is None or person.suspended or person.blocks_us:
        raise problems.forbidden(problems.DM_NO_PERMISSION)
    if not (person.receives_your_dm or practice.world.has_conversation(person)):
        raise problems.forbidden(problems.DM_NO_PERMISSION)


def events(practice: Practice, request: Request) -> Answer:
    """`GET /2/dm_events` and `.../with/{participant_id}/dm_events`: thirty days, no since_id."""
    world, at = practice.world, practice.world.now()
    size = whole_number(request.query, "max_results", 1, 100, 100)
    wanted = _wanted(request, "dm_event.fields", _FIELDS)
    expansions = _wanted(request, "expansions", _EXPANSIONS)
    below = _page_below(request)
    other = request.names.get("participant_id")
    rows = [
        row
        for row in sorted(world.messages, key=lambda row: int(row.event_id), reverse=True)
        if at - REACH <= row.created_at <= at
        and (below is None or int(row.event_id) < below)
        and (other is None or other in {row.sender_id, row.recipient_id})
    ]
    return _page(practice, request, rows, size, wanted | expansions)


def _wanted(request: Request, name: str, known: frozenset[str]) -> frozenset[str]:
    values = frozenset(value for value in request.query.get(name, "").split(",") if value)
    for value in sorted(values - known):
        raise problems.invalid(
            name,
            value,
            f"The `{name}` query parameter value [{value}] is not one of"
            f" [{','.join(sorted(known))}]",
        )
    return values


def _page_below(request: Request) -> int | None:
    token = request.query.get("pagination_token")
    if token is None:
        return None
    if not (token.startswith("DM") and token[2:].isdigit()):
        raise problems.invalid("pagination_token", token, f"Invalid 'pagination_token': [{token}]")
    return int(token[2:])


def _page(
    practice: Practice, request: Request, rows: list[Message], size: int, wanted: frozenset[str]
) -> Answer:
    at, page = practice.world.now(), rows[:size]
    meta: dict[str, object] = {"result_count": len(page)}
    if len(rows) > size:
        meta["next_token"] = f"DM{page[-1].event_id}"
    body: dict[str, object] = {"meta": meta}
    practice.meter.read("dm_event", (row.event_id for row in page), EVENTS.call, at)
    if page:
        body["data"] = [wire.message(row, wanted) for row in page]
    if page and wanted & {"sender_id", "participant_ids"} and "expansions" in request.query:
        body["includes"] = {"users": _senders(practice, request, page)}
    return Answer(body)


def _senders(practice: Practice, request: Request, page: list[Message]) -> list[dict[str, object]]:
    world, at = practice.world, practice.world.now()
    shape = wire.Shape("tweet", user_fields=_wanted(request, "user.fields", wire.USER_FIELDS))
    writer = wire.Writer(world, shape, at)
    ids = dict.fromkeys(row.sender_id for row in page)
    practice.meter.read("user", ids, EVENTS.call, at)
    return [writer.user(world.people[user_id]) for user_id in ids if user_id in world.people]


SEND_MESSAGE = Endpoint(
    "POST",
    "/2/dm_conversations/with/{participant_id}/messages",
    send,
    "user",
    (0, 15),
    write=True,
    scopes=SEND,
)
EVENTS = Endpoint("GET", "/2/dm_events", events, "user", (0, 15), _PARAMETERS, scopes=READ)
EVENTS_WITH = Endpoint(
    "GET",
    "/2/dm_conversations/with/{participant_id}/dm_events",
    events,
    "user",
    (0, 15),
    _PARAMETERS,
    scopes=READ,
)
ENDPOINTS = (SEND_MESSAGE, EVENTS, EVENTS_WITH)
