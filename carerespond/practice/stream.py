"""The filtered stream and its rules (x-api/posts/filtered-stream): one connection an app.

Lines of JSON as posts arrive, a blank line when nothing does, errors inside an answer that began
with 200.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from carerespond.practice import problems, wire
from carerespond.practice.asgi import Answer, AnswerCutError, Request
from carerespond.practice.ids import first_id, stable_number
from carerespond.practice.network import Endpoint, Practice, true_or_false
from carerespond.practice.query import RULE_LENGTH, QueryError, compile_query
from carerespond.practice.wire import SHAPE_PARAMETERS, stamp
from carerespond.practice.world import Post, World

MOST_RULES = 1000
LOOK_BACK = timedelta(minutes=10)
LONGEST_WAIT = 1.0  # another process may have written to the journal
DISCONNECT = {
    "errors": [
        {
            "title": "operational-disconnect",
            "disconnect_type": "UpstreamOperationalDisconnect",
            "detail": "This stream has been disconnected upstream for operational reasons.",
            "type": problems.PROBLEMS + "operational-disconnect",
        }
    ]
}


@dataclass(slots=True, eq=False)
class Connection:
    """One client that reads the stream, or did."""

    connected_at: datetime
    seen: set[int]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    uuid: str = field(default_factory=lambda: str(uuid4()))
    ending: str = ""  # "closed", "operational" or "cut"
    disconnected_at: datetime | None = None

    def end(self, how: str) -> None:
        """Ask the connection to end."""
        self.ending = self.ending or how
        self.wake.set()


class Hub:
    """The open connections of this process, and those that were."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.past: list[Connection] = []

    def wake(self) -> None:
        """Something changed: every connection looks again."""
        for connection in self.connections:
            connection.wake.set()

    def disconnect(self, how: str) -> int:
        """End every open connection; how many there were."""
        for connection in self.connections:
            connection.end(how)
        return len(self.connections)


def stream(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets/search/stream`."""
    if "backfill_minutes" in request.query:
        raise problems.client_forbidden("backfill_minutes is not available at this access level.")
    shape = practice.shape(request, stream=True)
    if not practice.world.rules:
        raise _stream_problem(
            409, "Rules must be configured before connecting.", "RuleConfigurationIssue"
        )
    if practice.hub.connections:
        raise _stream_problem(
            429,
            "This stream is currently at the maximum allowed connection limit.",
            "TooManyConnections",
        )
    at = practice.world.now()
    connection = Connection(at, {post.number for post in _recent(practice.world, at)})
    practice.hub.connections.append(connection)
    return Answer(stream=_lines(practice, connection, shape))


def _stream_problem(status: int, detail: str, issue: str) -> problems.RefusalError:
    return problems.problem(
        status, "ConnectionException", detail, "streaming-connection", connection_issue=issue
    )


def _recent(world: World, at: datetime) -> Iterable[Post]:
    for post in world.newest_first(
        first_id(at + timedelta(milliseconds=1)), first_id(at - LOOK_BACK)
    ):
        if world.exists(post, at):
            yield post


async def _lines(
    practice: Practice, connection: Connection, shape: wire.Shape
) -> AsyncGenerator[bytes]:
    clock = practice.world.now  # may be moved, so that nobody waits twenty seconds for a blank line
    quiet_since = clock()
    try:
        while not connection.ending:
            connection.wake.clear()
            practice.world.catch_up()
            for line in _arrived(practice, connection, shape):
                yield line
                quiet_since = clock()
            quiet_since = min(quiet_since, clock())  # somebody may have set it back
            left = practice.settings.keep_alive_s - (clock() - quiet_since).total_seconds()
            if left <= 0:
                yield b"\r\n"
                quiet_since = clock()
                continue
            await _rest(connection, min(left, _until_next(practice.world), LONGEST_WAIT))
        if connection.ending == "operational":
            yield json.dumps(DISCONNECT).encode() + b"\r\n"
        if connection.ending == "cut":
            raise AnswerCutError("The practice network cut the stream.")
    finally:
        connection.disconnected_at = practice.world.now()
        practice.hub.connections.remove(connection)
        practice.hub.past.append(connection)


async def _rest(connection: Connection, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.005, seconds)):
            await connection.wake.wait()
    except TimeoutError:
        return


def _until_next(world: World) -> float:
    at = world.now()
    coming = first_id(at + timedelta(milliseconds=1))
    following = next((number for number in _after(world.order, coming)), None)
    if following is None:
        return LONGEST_WAIT
    return (world.posts[str(following)].created_at - at).total_seconds()


def _after(order: list[int], number: int) -> Iterable[int]:
    return (order[place] for place in range(len(order)) if order[place] >= number)


def _arrived(practice: Practice, connection: Connection, shape: wire.Shape) -> Iterable[bytes]:
    world, at = practice.world, practice.world.now()
    fresh = [post for post in _recent(world, at) if post.number not in connection.seen]
    for post in reversed(fresh):
        connection.seen.add(post.number)
        rules = _matching_rules(world, post) if practice.listed(post, at) else []
        if rules:
            writer = wire.Writer(world, shape, at)
            body: dict[str, Any] = {"data": writer.post(post)}
            included = writer.includes()
            if included:
                body["includes"] = included
            practice.meter.read("post", [post.post_id, *writer.posts], STREAM.call, at)
            practice.meter.read("user", writer.users, STREAM.call, at)
            body["matching_rules"] = rules
            yield json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") + b"\r\n"


def _matching_rules(world: World, post: Post) -> list[dict[str, str]]:
    document = world.document(post, stream=True)
    return [
        {name: rule[name] for name in ("id", "tag") if name in rule}
        for rule in world.rules.values()
        if compile_query(rule["value"], longest=RULE_LENGTH, accents=True)(document)
    ]


def list_rules(practice: Practice, request: Request) -> Answer:
    """`GET /2/tweets/search/stream/rules`."""
    wanted = [one for one in request.query.get("ids", "").split(",") if one]
    rules = [rule for rule in practice.world.rules.values() if not wanted or rule["id"] in wanted]
    meta = {"sent": stamp(practice.world.now()), "result_count": len(rules)}
    return Answer({"data": rules, "meta": meta} if rules else {"meta": meta})


def change_rules(practice: Practice, request: Request) -> Answer:
    """`POST /2/tweets/search/stream/rules`: add or delete; `dry_run` only checks."""
    body = request.fields(frozenset({"add", "delete"}))
    dry = true_or_false(request.query, "dry_run")
    if "delete" in body or true_or_false(request.query, "delete_all"):
        return _delete_rules(practice, body.get("delete"), dry=dry)
    if not isinstance(body.get("add"), list) or not body["add"]:
        raise problems.invalid("$.add", "", "$.add: a list of rules or $.delete is required")
    return _add_rules(practice, body["add"], dry=dry)


def _add_rules(practice: Practice, wanted: list[Any], *, dry: bool) -> Answer:
    world = practice.world
    good: list[dict[str, str]] = []
    errors: list[dict[str, Any]] = []
    invalid = 0
    with world.writing() as record:
        at = world.now()
        known = {rule["value"]: rule for rule in world.rules.values()}
        for number, row in enumerate(wanted):
            rule, error = _read_rule(row, first_id(at) + number)
            if error is not None:
                invalid += 1
                errors.append(error)
            elif rule["value"] in known:
                errors.append(_duplicate(known[rule["value"]]))
            else:
                good.append(rule)
                known[rule["value"]] = rule
        if len(world.rules) + len(good) > MOST_RULES:
            raise problems.problem(
                400, "RulesCapExceeded", "Your app has too many rules.", "rule-cap"
            )
        if good and not dry:
            record({"do": "rules", "rules": [*world.rules.values(), *good]})
    summary = {
        "created": len(good),
        "not_created": len(wanted) - len(good),
        "valid": len(wanted) - invalid,
        "invalid": invalid,
    }
    answer: dict[str, Any] = {"meta": {"sent": stamp(at), "summary": summary}}
    if good:
        answer["data"] = good
    if errors:
        answer["errors"] = errors
    return Answer(answer, 201 if good and not dry else 200)


def _read_rule(row: object, number: int) -> tuple[dict[str, str], dict[str, Any] | None]:
    if not isinstance(row, dict) or row.keys() - {"value", "tag"} or "value" not in row:
        raise problems.invalid(
            "$.add", str(row)[:40], "$.add: a rule has a value and may have a tag"
        )
    value = str(row["value"])
    rule = {"id": str(number + stable_number(value) % 1000), "value": value}
    if "tag" in row:
        rule["tag"] = str(row["tag"])
    try:
        compile_query(value, longest=RULE_LENGTH, accents=True)
    except QueryError as error:
        return rule, {
            "value": value,
            "details": [str(error)],
            "title": "UnprocessableEntity",
            "type": problems.PROBLEMS + "invalid-rules",
        }
    return rule, None


def _duplicate(rule: dict[str, str]) -> dict[str, Any]:
    return {
        "value": rule["value"],
        "id": rule["id"],
        "title": "DuplicateRule",
        "type": problems.PROBLEMS + "duplicate-rules",
    }


def _delete_rules(practice: Practice, wanted: object, *, dry: bool) -> Answer:
    world = practice.world
    names = wanted if isinstance(wanted, dict) else {}
    ids, values = _listed(names, "ids"), _listed(names, "values")
    with world.writing() as record:
        doomed = [
            rule["id"]
            for rule in world.rules.values()
            if not names or rule["id"] in ids or rule["value"] in values
        ]
        left = [rule for rule in world.rules.values() if rule["id"] not in doomed]
        if doomed and not dry:
            record({"do": "rules", "rules": left})
    asked = len(ids) + len(values) if names else len(doomed)
    summary = {"deleted": len(doomed), "not_deleted": max(0, asked - len(doomed))}
    return Answer({"meta": {"sent": stamp(world.now()), "summary": summary}})


def _listed(body: dict[str, Any], name: str) -> set[str]:
    values = body.get(name, [])
    if not isinstance(values, list):
        raise problems.invalid(name, str(values)[:40], f"{name}: array expected")
    return set(map(str, values))


def list_connections(practice: Practice, request: Request) -> Answer:
    """`GET /2/connections`: open ones; with `status` those that ended as well."""
    status = request.query.get("status", "active")
    rows = [] if status == "inactive" else list(practice.hub.connections)
    if status in {"inactive", "all"}:
        rows += practice.hub.past
    data = [
        {
            "id": row.uuid,
            "endpoint_name": "filtered_stream",
            "connected_at": stamp(row.connected_at),
            **({"disconnected_at": stamp(row.disconnected_at)} if row.disconnected_at else {}),
            **({"disconnect_reason": row.ending or "client"} if row.disconnected_at else {}),
        }
        for row in rows
    ]
    return Answer({"data": data, "meta": {"result_count": len(data)}})


def kill_connections(practice: Practice, request: Request) -> Answer:
    """`DELETE /2/connections`, `/all` or `/{endpoint_id}`: the cure for TooManyConnections."""
    wanted: set[str] | None = None
    if request.path == "/2/connections":
        wanted = _listed(request.fields(frozenset({"uuids"}), ("uuids",)), "uuids")
    elif request.names.get("endpoint_id", "all") not in {"all", "filtered_stream"}:
        wanted = set()
    results = []
    for connection in practice.hub.connections:
        if wanted is None or connection.uuid in wanted:
            connection.end("closed")
            results.append({"uuid": connection.uuid, "success": True})
    failed = max(0, len(wanted) - len(results)) if wanted is not None else 0
    data = {"successful_kills": len(results), "failed_kills": failed, "results": results}
    return Answer({"data": data})


STREAM = Endpoint(
    "GET",
    "/2/tweets/search/stream",
    stream,
    "app",
    (50, 50),
    SHAPE_PARAMETERS | {"backfill_minutes", "start_time", "end_time"},
)
_RULES = "/2/tweets/search/stream/rules"
_LIST = frozenset({"status", "endpoints", "max_results", "pagination_token", "connection.fields"})
ENDPOINTS = (
    STREAM,
    Endpoint(
        "GET",
        _RULES,
        list_rules,
        "app",
        (450, 450),
        frozenset({"ids", "max_results", "pagination_token"}),
    ),
    Endpoint("POST", _RULES, change_rules, "app", (100, 100), frozenset({"dry_run", "delete_all"})),
    Endpoint("GET", "/2/connections", list_connections, "app", (15, 15), _LIST),
    Endpoint("DELETE", "/2/connections", kill_connections, "app", (15, 15)),
    Endpoint("DELETE", "/2/connections/{endpoint_id}", kill_connections, "app", (15, 15)),
)
