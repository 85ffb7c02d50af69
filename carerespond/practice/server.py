"""The practice network as an ASGI application, inside this process or on a port of this machine.

Every answer says in `x-practice` that it comes from a stand-in. Calls under `/2` speak X's API;
`/practice` is for tests and the curious.
"""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carerespond.practice import (
    accounts,
    control,
    messages,
    problems,
    reads,
    sign_in,
    stream,
    writes,
)
from carerespond.practice.asgi import (
    CUT,
    STAND_IN,
    Answer,
    AnswerCutError,
    App,
    Receive,
    Request,
    Scope,
    Send,
    cut,
    pattern,
    read_request,
    refused,
    send_answer,
)
from carerespond.practice.network import Endpoint, Practice
from carerespond.practice.problems import RefusalError
from carerespond.practice.settings import Failure, Settings
from carerespond.practice.tokens import Token
from carerespond.practice.world import World, load_world

if TYPE_CHECKING:
    import httpx

ENDPOINTS = (
    *reads.ENDPOINTS[:-1],
    *stream.ENDPOINTS,
    reads.POST,
    *accounts.ENDPOINTS,
    *writes.ENDPOINTS,
    *messages.ENDPOINTS,
)
PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
ACCOUNT_ID = "1000000000000000042"


class ListenError(ValueError):
    """The address is not one of this machine alone."""


class PracticeApp:
    """The ASGI application; `practice` is the network behind it."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self.routes = [(pattern(endpoint.path), endpoint) for endpoint in ENDPOINTS]
        self.sleep: Callable[[float], Any] = asyncio.sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the start and end of the server."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        try:
            request = await read_request(scope, receive)
            self.practice.world.catch_up()
            answer = await self.answer(request)
        except RefusalError as error:
            answer = refused(error)
        except AnswerCutError:
            await cut(scope, receive)
            return
        if answer.stream is None:
            await send_answer(answer, send)
        else:
            await self._send_stream(answer, answer.stream, scope, receive, send)

    async def answer(self, request: Request) -> Answer:
        """What a request gets.

        Raises:
            RefusalError: An error answer.
            AnswerCutError: No answer at all.
        """
        where = (request.method, request.path)
        if where in control.CALLS:
            return control.CALLS[where](self.practice, request)
        failure = self.practice.settings.failure(*where)
        if failure is not None and not failure.stored:
            return _failed(failure)
        if where in sign_in.CALLS:
            answer = sign_in.CALLS[where](self.practice, request)
        else:
            answer = await self._call(request)
        return answer if failure is None else _failed(failure)

    async def _call(self, request: Request) -> Answer:
        endpoint = self._endpoint(request)
        settings, meter = self.practice.settings, self.practice.meter
        request.token = self._token(request, endpoint)
        meter.requests[endpoint.call] += 1
        waits = request.path.startswith(settings.delay_path)
        if waits and settings.delay_before_s:
            await self.sleep(settings.delay_before_s)
        headers = self._limited(request, endpoint)
        before = meter.usd
        try:
            self._refuse(request, endpoint)
            answer = endpoint.handler(self.practice, request)
        except RefusalError as error:
            return refused(error, headers)
        if settings.balance is not None:
            settings.balance -= meter.usd - before
        answer.headers |= headers
        answer.broken = settings.truncate_json
        if waits and settings.delay_after_s:
            await self.sleep(settings.delay_after_s)
        if endpoint.write and settings.happens(settings.drop_answers):
            raise AnswerCutError(f"No answer to {endpoint.call}, which was carried out.")
        return Answer(page=PAGE, headers=headers) if settings.html_instead_of_json else answer

    def _endpoint(self, request: Request) -> Endpoint:
        found = False
        for expression, endpoint in self.routes:
            match = expression.fullmatch(request.path)
            found = found or match is not None
            if match is not None and endpoint.method == request.method:
                request.names = match.groupdict()
                return endpoint
        if found:
            raise problems.problem(405, "Method Not Allowed", f"{request.method} is not allowed")
        raise problems.problem(404, "Not Found", f"{request.path} was not found")

    def _token(self, request: Request, endpoint: Endpoint) -> Token:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        world = self.practice.world
        token = (
            world.tokens.bearer(secret.strip(), world.now()) if kind.lower() == "bearer" else None
        )
        if token is None:
            raise problems.unauthorized()
        if endpoint.auth != "any" and token.app_only != (endpoint.auth == "app"):
            raise problems.unsupported_authentication(token.app_only)
        if not token.app_only and endpoint.scopes - token.scopes:
            missing = ", ".join(sorted(endpoint.scopes - token.scopes))
            raise problems.forbidden(f"The token has not the scope that is needed: {missing}.")
        return token

    def _limited(self, request: Request, endpoint: Endpoint) -> dict[str, str]:
        alone = request.token is None or request.token.app_only
        limit = endpoint.limits[0 if alone else 1]
        limit = self.practice.settings.rate_limits.get(endpoint.call, limit)
        passed, headers = self.practice.limits.take(
            endpoint.call,
            "app" if alone else "user",
            limit,
            self.practice.world.now(),
            write=endpoint.write,
        )
        if not passed:
            error = problems.rate_limited()
            error.headers = headers
            raise error
        return headers

    def _refuse(self, request: Request, endpoint: Endpoint) -> None:
        settings = self.practice.settings
        for name in request.query:
            if name not in endpoint.parameters:
                raise problems.unknown_parameter(name, request.query[name], endpoint.parameters)
        if not request.path.startswith("/2/usage/"):
            self._refuse_unpaid()
        if endpoint.write and settings.happens(settings.drop_requests):
            raise AnswerCutError(f"No answer to {endpoint.call}, which was not carried out.")

    def _refuse_unpaid(self) -> None:
        settings = self.practice.settings
        empty = settings.balance is not None and settings.balance <= 0
        if settings.credits != "ok" or empty:
            raise problems.credits_empty(ACCOUNT_ID, settings.credits)
        if settings.spend_cap:
            month = self.practice.world.now().replace(day=28)
            raise problems.spend_cap(ACCOUNT_ID, f"{month:%Y-%m}-28")
        if settings.usage_capped:
            raise problems.usage_capped()

    async def _send_stream(
        self,
        answer: Answer,
        stream_of: AsyncGenerator[bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        headers = [(b"content-type", b"application/json; charset=utf-8"), STAND_IN]
        headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        connection = self.practice.hub.connections[-1]
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_watch(receive, connection))
            try:
                async with aclosing(stream_of) as lines:
                    async for line in lines:
                        await send({"type": "http.response.body", "body": line, "more_body": True})
                if connection.ending != "closed by client":
                    await send({"type": "http.response.body", "body": b""})
            except AnswerCutError:
                scope["extensions"][CUT]()
            finally:
                watcher.cancel()


async def _watch(receive: Receive, connection: stream.Connection) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.end("closed by client")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _failed(failure: Failure) -> Answer:
    if failure.drop:
        raise AnswerCutError("No answer, as was asked for.")
    if isinstance(failure.body, str):
        return Answer(None, failure.status, dict(failure.headers), page=failure.body)
    body = failure.body or {
        "title": "Planned failure",
        "detail": "The practice network was told to fail.",
        "type": "about:blank",
        "status": failure.status,
    }
    return Answer(body, failure.status, dict(failure.headers))


def create_app(world: World, settings: Settings | None = None) -> PracticeApp:
    """The ASGI application of a world; `settings` may be changed while it runs."""
    hub = stream.Hub()
    world.changed = hub.wake
    return PracticeApp(Practice(world, settings or Settings(), hub))


def make_transport(app: App) -> "httpx.AsyncBaseTransport":
    """An httpx transport that carries requests to the application without a port.

    A cut answer is an `httpx.ReadError`, as on a real connection; streams arrive line by line.
    """
    from carerespond.practice.transport import PracticeTransport

    return PracticeTransport(app)


def check_host(host: str) -> None:
    """Refuse an address that other machines reach.

    Raises:
        ListenError: With the words to show.
    """
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ListenError(
            f"{host}: the practice network answers without asking who calls, so it listens on this"
            " machine only (127.0.0.1)."
        )


def serve(
    host: str = "127.0.0.1",
    port: int = 8808,
    *,
    seed: int = 1,
    posts: Path | None = None,
    journal: Path | None = None,
    settings: Settings | None = None,
    any_host: bool = False,
    on_ready: Callable[[str], None] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Serve the practice network until Ctrl-C; prints nothing.

    Args:
        host: An address of this machine, unless `any_host`.
        port: 0 takes a free one.
        seed: The same seed gives the same network.
        posts: Another script than the one that comes with carerespond.
        journal: Keeps what was written over a restart.
        settings: Faults from the start.
        any_host: Allow addresses that other machines reach.
        on_ready: Called with the address once it answers.
        now: The clock.

    Raises:
        ListenError: The address is reached by others, or taken.
        ScriptError: The script cannot be read.
    """
    from carerespond.practice.listening import listen

    host = host.removeprefix("[").removesuffix("]")  # as addresses write IPv6 before a port
    if not any_host:
        check_host(host)
    world = load_world(posts, now=now, seed=seed, journal=journal)
    listen(create_app(world, settings), host, port, on_ready)
